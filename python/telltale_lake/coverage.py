"""What each firmware sends of each field, and what looks wrong about it (docs/lake.md, "Coverage").

The counts are table `coverage`'s; whether a firmware sends another unit is read off the values in
table `telemetry`. The judgements are pure functions of what was read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import total_ordering
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

# All thresholds are proposals, to be tuned on a fleet's own false alarms.
STOPPED_SHARE_MIN = 0.05  # of an older firmware's reports that have the field
STOPPED_REPORTS_MIN = 1_000  # of the newer firmware, not one of them with it
STOPPED_OLDER_REPORTS_MIN = 200  # before a share means something
JUMP_VALUES_MIN = 200  # on either side
JUMP_TOLERANCE = 0.10  # how near each quartile comes to what a conversion makes of the older one
JUMP_SPREAD_MIN = 0.05  # quartile distance by median: of a constant, any factor could be said

QUANTILES = [k / 20 for k in range(21)]
QUARTILES = (0.25, 0.5, 0.75)
NUMERIC = ("int", "long", "float", "double")
FIRST_DERIVED = 10_000
HEADER_FIELDS = {1, 2}  # seq and event_time


@dataclass(frozen=True)
class Conversion:
    """new = old * scale + offset, if a firmware sends the one unit where the other is due."""

    name: str
    scale: float
    offset: float = 0.0
    units: frozenset[str] = frozenset()  # of columns that it can happen to; empty: of any


_MILES = frozenset({"km/h", "[mi_i]/h", "km", "[mi_i]"})
_DEGREES = frozenset({"Cel", "[degF]"})
_LENGTHS = frozenset({"km", "m"})
CONVERSIONS = (
    Conversion("miles for kilometres", 1 / 1.609344, units=_MILES),
    Conversion("kilometres for miles", 1.609344, units=_MILES),
    Conversion("degrees Fahrenheit for Celsius", 1.8, 32.0, _DEGREES),
    Conversion("degrees Celsius for Fahrenheit", 1 / 1.8, -32.0 / 1.8, _DEGREES),
    Conversion("metres for kilometres", 1000.0, units=_LENGTHS),
    Conversion("kilometres for metres", 0.001, units=_LENGTHS),
    Conversion("10 times as much", 10.0),
    Conversion("a tenth", 0.1),
    Conversion("1000 times as much", 1000.0),
    Conversion("a thousandth", 0.001),
)
IDENTITY = Conversion("the same", 1.0)


@total_ordering
class Firmware:
    """A firmware's name, ordered by its numbers: 1.9 < 1.10-rc1 < 1.10. Others have no place."""

    def __init__(self, name: str | None) -> None:
        self.name = name or ""
        match = re.fullmatch(r"v?(\d+(?:\.\d+)*)(.*)", self.name)
        self.is_ordered = match is not None
        numbers = [int(n) for n in match[1].split(".")] if match else []
        while numbers and numbers[-1] == 0:
            numbers.pop()
        suffix = match[2] if match else self.name
        is_release = not suffix.startswith("-")
        self._key = (not self.is_ordered, numbers, is_release, suffix, self.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Firmware) and self.name == other.name

    def __lt__(self, other: Firmware) -> bool:
        return self._key < other._key

    def __hash__(self) -> int:
        return hash(self.name)


@dataclass(frozen=True)
class FieldCoverage:
    """Reports of one firmware, by what became of one field."""

    firmware: Firmware
    field: int
    name: str
    columns: tuple[str, ...]  # that it feeds
    reports: int
    present: int
    out_of_range: int
    wrong_type: int
    conversion_failed: int
    first_seen: datetime | None
    last_seen: datetime | None

    @property
    def came(self) -> int:
        return self.present + self.out_of_range + self.wrong_type + self.conversion_failed

    @property
    def null(self) -> int:
        return self.reports - self.came

    def share(self, count: int) -> float:
        return count / self.reports if self.reports else 0.0


@dataclass(frozen=True)
class Flag:
    kind: str  # "stopped", "unit_jump"
    firmware: str
    of: str  # stopped: the field; unit_jump: the column
    detail: str


@dataclass(frozen=True)
class Values:
    """How one firmware's values of one column lie: `quantiles` at QUANTILES."""

    firmware: Firmware
    column: str
    count: int
    quantiles: tuple[float, ...]

    def quartiles(self) -> tuple[float, ...]:
        return tuple(self.quantiles[QUANTILES.index(q)] for q in QUARTILES)


def stopped(rows: Iterable[FieldCoverage]) -> list[Flag]:
    """Fields that an older firmware sends and a newer one does not, nor another into the column."""
    by_field: dict[int, list[FieldCoverage]] = {}
    feeding: dict[tuple[str, str], set[int]] = {}  # (firmware, column): fields that came
    for row in rows:
        if not row.firmware.is_ordered:
            continue
        by_field.setdefault(row.field, []).append(row)
        if row.share(row.present) >= STOPPED_SHARE_MIN:
            for column in row.columns:
                feeding.setdefault((row.firmware.name, column), set()).add(row.field)
    flags = []
    for of_field in by_field.values():
        of_field.sort(key=lambda row: row.firmware)
        best: FieldCoverage | None = None
        for row in of_field:
            if best is not None and row.came == 0 and row.reports >= STOPPED_REPORTS_MIN:
                has_others = any(feeding.get((row.firmware.name, c)) for c in row.columns)
                if not has_others:
                    flags.append(_stopped(row, best))
            is_sent = row.share(row.came) >= STOPPED_SHARE_MIN
            if is_sent and row.reports >= STOPPED_OLDER_REPORTS_MIN:
                best = row
    return flags


def _stopped(row: FieldCoverage, older: FieldCoverage) -> Flag:
    share = 100 * older.share(older.came)
    return Flag(
        "stopped",
        row.firmware.name,
        row.name,
        f"in none of {row.reports} reports; firmware {older.firmware.name} has it in {share:.1f} %",
    )


def unit_jumps(
    values: Iterable[Values], units: dict[str, str]
) -> tuple[list[Flag], list[tuple[str, str]]]:
    """Columns whose values jump by a known conversion from the older firmware to a newer one; and
    the (firmware, column) of which too little is known."""
    flags: list[Flag] = []
    unknown: list[tuple[str, str]] = []
    by_column: dict[str, list[Values]] = {}
    for one in values:
        if one.firmware.is_ordered and one.count:
            by_column.setdefault(one.column, []).append(one)
    for column, of_column in sorted(by_column.items()):
        of_column.sort(key=lambda one: one.firmware)
        older: list[Values] = []
        for newer in of_column:
            if older:
                before = _pooled(older)
                if not (_says_enough(before) and _says_enough((newer.count, newer.quartiles()))):
                    unknown.append((newer.firmware.name, column))
                elif found := jump_between(before[1], newer.quartiles(), units.get(column, "")):
                    flags.append(_jump(newer, before[1], found))
                    continue  # known to be wrong: no measure for the next
            older.append(newer)
    return flags, unknown


def _pooled(older: list[Values]) -> tuple[int, tuple[float, ...]]:
    """Count and quartiles of several firmwares' values together."""
    count = sum(one.count for one in older)
    if len(older) == 1:
        return count, older[0].quartiles()
    pieces = sorted(
        ((low + high) / 2, one.count / (len(QUANTILES) - 1))
        for one in older
        for low, high in zip(one.quantiles, one.quantiles[1:])
    )
    quartiles = []
    for wanted in (q * count for q in QUARTILES):
        passed, before = 0.0, None
        for value, weight in pieces:
            middle = passed + weight / 2
            if middle >= wanted:
                at, last = before if before is not None else (middle, value)
                part = (wanted - at) / (middle - at) if middle > at else 1.0
                quartiles.append(last + (value - last) * part)
                break
            passed, before = passed + weight, (middle, value)
    return count, tuple(quartiles)


def _says_enough(side: tuple[int, tuple[float, ...]]) -> bool:
    count, (low, median, high) = side
    return count >= JUMP_VALUES_MIN and high > low and high - low >= JUMP_SPREAD_MIN * abs(median)


def jump_between(
    old: tuple[float, ...], new: tuple[float, ...], unit: str = ""
) -> Conversion | None:
    """The known conversion that makes the new quartiles of the old ones, and nearest to it."""
    if _distance(old, new, IDENTITY) <= JUMP_TOLERANCE:
        return None
    fitting = [c for c in CONVERSIONS if not c.units or not unit or unit in c.units]
    nearest = min(fitting, key=lambda c: _distance(old, new, c))
    return nearest if _distance(old, new, nearest) <= JUMP_TOLERANCE else None


def _distance(old: tuple[float, ...], new: tuple[float, ...], by: Conversion) -> float:
    """The worst of the quartiles, relative to itself or, near zero, to how far they lie apart."""
    made = [value * by.scale + by.offset for value in old]
    spread = abs(made[-1] - made[0])
    return max(
        abs(have - want) / max(abs(want), spread, 1e-300) for have, want in zip(new, made)
    )


def _jump(newer: Values, old: tuple[float, ...], found: Conversion) -> Flag:
    ratio = f"x {found.scale:.4g}" + (f" + {found.offset:.4g}" if found.offset else "")
    return Flag(
        "unit_jump",
        newer.firmware.name,
        newer.column,
        f"{found.name} ({ratio}): median {newer.quartiles()[1]:.4g}, older firmware {old[1]:.4g}",
    )


# What is read.


def read_coverage(db: duckdb.DuckDBPyConnection) -> list[FieldCoverage]:
    """By field number, then firmware."""
    found = db.execute(
        "SELECT firmware, field, field_name, columns, reports, present, null_out_of_range, "
        "wrong_type, conversion_failed, epoch_us(first_seen), epoch_us(last_seen) FROM coverage_sum"
    ).fetchall()
    rows = [
        FieldCoverage(
            Firmware(row[0]), row[1], row[2], tuple(row[3].split(",")), *row[4:9],
            _moment(row[9]), _moment(row[10]),
        )
        for row in found
    ]  # fmt: skip
    return sorted(rows, key=lambda row: (row.field, row.firmware))


def _moment(us: int | None) -> datetime | None:
    from datetime import timezone

    return None if us is None else datetime.fromtimestamp(us / 1_000_000, timezone.utc)


def number_columns(metadata: Path) -> dict[str, str]:
    """The contract's numbers among the columns of `telemetry`, with their units."""
    document = json.loads(metadata.read_bytes())
    schema = next(
        s for s in document["schemas"] if s["schema-id"] == document["current-schema-id"]
    )
    columns = {}
    for field in schema["fields"]:
        doc = field.get("doc", "")
        is_contracts = field["id"] < FIRST_DERIVED and field["id"] not in HEADER_FIELDS
        # An owner's distance carries a random offset: it has no level to jump from.
        if is_contracts and field["type"] in NUMERIC and "offset of the owner" not in doc:
            unit = re.match(r"unit (\S+?)(;|$)", doc)
            columns[field["name"]] = unit[1] if unit else ""
    return columns


def read_values(db: duckdb.DuckDBPyConnection, columns: Iterable[str]) -> list[Values]:
    """Quantiles are approximate (t-digest): one pass, little memory."""
    names = sorted(columns)
    if not names:
        return []
    parts = []
    for name in names:
        quoted = '"' + name.replace('"', '""') + '"'
        parts.append(f"count({quoted}), approx_quantile({quoted}::DOUBLE, {QUANTILES})")
    values = []
    for firmware, *found in db.execute(
        f"SELECT firmware, {', '.join(parts)} FROM telemetry GROUP BY firmware"
    ).fetchall():
        for name, count, quantiles in zip(names, found[::2], found[1::2]):
            if count:
                values.append(Values(Firmware(firmware), name, count, tuple(quantiles)))
    return values


def as_json(row: FieldCoverage) -> dict[str, Any]:
    return {
        "field": row.field,
        "name": row.name,
        "columns": list(row.columns),
        "firmware": row.firmware.name,
        "reports": row.reports,
        "present": row.present,
        "null": row.null,
        "out_of_range": row.out_of_range,
        "conversion_failed": row.conversion_failed,
        "wrong_type": row.wrong_type,
        "first_seen": row.first_seen and row.first_seen.isoformat(),
        "last_seen": row.last_seen and row.last_seen.isoformat(),
    }
