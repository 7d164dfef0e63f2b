"""Maintenance features as SQL files: found, read and checked (docs/features.md).

A file's header says everything the runner needs: the columns it reads, the columns it gives with
their Iceberg numbers, and how far it looks beyond its window. What the header lacks or the query
gives otherwise is an error before anything is written.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAMESPACE = "features"
TYPES = {
    "string": "VARCHAR",
    "long": "BIGINT",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "timestamptz": "TIMESTAMPTZ",
}
SOURCES = ("telemetry", "arrivals")
DAY_US = 86_400_000_000

# Every feature has these, under these numbers, so that the runner can replace a window and readers
# find the same words everywhere.
COMMON = {
    "vehicle_ref": (10100, "string", True),
    "received_at": (10110, "timestamptz", True),
    "window_start": (10210, "timestamptz", True),
    "window_end": (10211, "timestamptz", True),
    "valid": (10212, "boolean", True),
    "invalid_reason": (10213, "string", False),
    "completeness": (10214, "double", False),
}


class FeatureError(Exception):
    """A feature cannot be run; the message says which and what to do."""


@dataclass(frozen=True)
class Column:
    number: int
    name: str
    type: str
    required: bool
    unit: str
    meaning: str


# Set by the runner in every row.
STAMPS = (
    Column(10200, "feature_version", "long", True, "-", "version in the file's header"),
    Column(10201, "code_digest", "string", True, "-", "SHA-256 of the file that made the row"),
    Column(10202, "source_snapshot", "long", True, "-", "snapshot of telltale.telemetry read"),
)


@dataclass(frozen=True)
class Feature:
    name: str
    version: int
    sql: str
    digest: str  # SHA-256 of the file's bytes
    days_before: int  # read before the window
    days_after: int
    inputs: dict[str, list[tuple[str, str]]]  # source: [(column, type)]
    columns: tuple[Column, ...]  # as the query gives them; STAMPS come after them
    reasons: tuple[str, ...]

    @property
    def stored(self) -> tuple[Column, ...]:
        return (*self.columns, *STAMPS)

    def iceberg_schema(self) -> dict[str, Any]:
        return {
            "type": "struct",
            "schema-id": 0,
            "fields": [
                {"id": c.number, "name": c.name, "required": c.required, "type": c.type}
                for c in self.stored
            ],
        }


_COLUMN = re.compile(r"--   (\d+) (\w+) (\w+)(!?) (\S+) (\S.*)")
_INPUT = re.compile(r"-- input (\w+): (.+)")
_READS = re.compile(r"-- reads: +(\d+) days? before the window, (\d+) days? after it")
_REASON = re.compile(r"--   ([a-z0-9_]+)  +\S")


def _columns(lines: list[str]) -> tuple[Column, ...]:
    columns = []
    for line in lines:
        match = _COLUMN.fullmatch(line)
        if match is None:
            raise FeatureError(f"not a column line: {line}")
        number, name, kind, mark, unit, meaning = match.groups()
        if kind not in TYPES:
            raise FeatureError(f"column {name}: no type {kind}; there are {', '.join(TYPES)}")
        columns.append(Column(int(number), name, kind, mark == "!", unit, meaning))
    for words in ("number", "name"):
        values = [getattr(column, words) for column in (*columns, *STAMPS)]
        twice = sorted({str(value) for value in values if values.count(value) > 1})
        if twice:
            raise FeatureError(f"two columns have the {words} {', '.join(twice)}")
    found = {c.name: (c.number, c.type, c.required) for c in columns}
    for name, (number, kind, required) in COMMON.items():
        if found.get(name) != (number, kind, required):
            mark = "!" if required else ""
            raise FeatureError(f"column {name} must be there as `{number} {name} {kind}{mark}`")
    return tuple(columns)


def _inputs(header: list[str]) -> dict[str, list[tuple[str, str]]]:
    inputs: dict[str, list[tuple[str, str]]] = {}
    for line in header:
        match = _INPUT.fullmatch(line)
        if match is None:
            continue
        source, words = match.groups()
        if source not in SOURCES:
            raise FeatureError(f"no input {source}; there are {', '.join(SOURCES)}")
        for word in words.split(", "):
            name, _, kind = word.strip().partition(" ")
            if not re.fullmatch(r"\w+", name) or kind not in TYPES:
                raise FeatureError(f"input {source}: cannot read `{word}`")
            if name == "cell":
                raise FeatureError(
                    "a feature has no input `cell`: what is told by cell is made by "
                    "`telltale_lake aggregate` alone, of ten vehicles or more"
                )
            inputs.setdefault(source, []).append((name, kind))
    if "telemetry" not in inputs:
        raise FeatureError("the header names no input of telemetry")
    return inputs


def _section(header: list[str], title: str) -> list[str]:
    """The lines below the one that starts with `title`, up to an empty comment or the end."""
    starts = [i for i, line in enumerate(header) if line.startswith(f"-- {title}")]
    if not starts:
        raise FeatureError(f"the header has no section `{title}`")
    lines = []
    for line in header[starts[0] + 1 :]:
        if line == "--":
            break
        lines.append(line)
    return lines


def parse(text: str, name: str) -> Feature:
    """The feature in `text`; FeatureError names what is wrong. `name` is the file's."""
    header = []
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        header.append(line)
    try:
        head = dict(
            line[3:].split(":", 1) for line in header if re.match(r"-- (feature|version):", line)
        )
        if head.get("feature", "").strip() != name:
            raise FeatureError(f"the first line must be `-- feature: {name}`, as the file is named")
        if not head.get("version", "").strip().isdecimal():
            raise FeatureError("the header has no `-- version: NUMBER`")
        reads = [match for match in map(_READS.fullmatch, header) if match]
        if not reads:
            raise FeatureError("the header has no `-- reads: N days before the window, N after it`")
        reasons = [m[1] for m in map(_REASON.match, _section(header, "validity")) if m]
        return Feature(
            name=name,
            version=int(head["version"]),
            sql=text,
            digest=hashlib.sha256(text.encode()).hexdigest(),
            days_before=int(reads[0][1]),
            days_after=int(reads[0][2]),
            inputs=_inputs(header),
            columns=_columns(_section(header, "columns")),
            reasons=tuple(reasons),
        )
    except FeatureError as error:
        raise FeatureError(f"feature {name}: {error}") from None


def folder() -> Path:
    """share/telltale/features of the installation this package lies in, else the source tree's."""
    here = Path(__file__)
    for parent in (*here.parents, *here.resolve().parents):
        for place in (parent / "share" / "telltale" / "features", parent / "features"):
            if any(place.glob("*.sql")):
                return place
    raise FeatureError("no share/telltale/features is installed; name a folder with --features")


def load(place: Path | None = None) -> list[Feature]:
    """Every feature of the folder, by name."""
    place = place or folder()
    found = []
    for path in sorted(place.glob("*.sql")):
        try:
            found.append(parse(path.read_text(encoding="utf-8"), path.stem))
        except UnicodeDecodeError:
            raise FeatureError(f"{path} is not UTF-8 text") from None
    if not found:
        raise FeatureError(f"there is no *.sql in {place}")
    return found
