"""Aggregates by cell that may leave the lake: the one supported way (docs/lake.md, "By cell").

A row is published when at least K vehicles are in it. A vehicle counts once per cell and hour, with
its mean, between the bounds that are given; so no vehicle weighs more than the bounds allow. What
is published adds up to nothing that is hidden: totals are sums of published rows, and rows of one
group that could be told apart by differences are hidden together (complementary suppression).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

K, K_FLOOR = 10, 5
PERIODS = ("hour", "day")
# Vehicles are told in steps: a difference of two queries is never a single one.
ROUND_TO = 5


Key = tuple[int, str]  # cell, period
Groups = dict[Key, dict[str, list[float | None]]]  # of each, by vehicle


class AggregateError(Exception):
    """The aggregate may not be made; the message says why."""


@dataclass(frozen=True)
class Measure:
    """`column` of telemetry, a number; values are clamped to [low, high] before anything else."""

    column: str
    low: float
    high: float


def check(columns: set[str], measure: Measure | None, period: str | None, k: int) -> None:
    if k < K_FLOOR:
        raise AggregateError(f"k is {k}; under {K_FLOOR} vehicles nothing is published")
    if period is not None and period not in PERIODS:
        raise AggregateError(f"no period {period}; there are {', '.join(PERIODS)}")
    if measure is None:
        return
    if measure.column not in columns or measure.column in ("cell", "vehicle_ref"):
        raise AggregateError(f"telemetry has no column {measure.column} to measure")
    if not (math.isfinite(measure.low) and math.isfinite(measure.high)):
        raise AggregateError("a measure's bounds are finite numbers")
    if measure.low >= measure.high:
        raise AggregateError("a measure's lower bound is under its upper one")


def contributions(
    db: duckdb.DuckDBPyConnection, measure: Measure | None, source: str = "telemetry"
) -> pa.Table:
    """One row per vehicle, cell and hour: what that vehicle says of that cell in that hour."""
    value = "NULL::DOUBLE"
    has_value = "true"
    if measure is not None:
        value = (
            f'avg(greatest(least("{measure.column}"::DOUBLE, {measure.high!r}), {measure.low!r}))'
        )
        has_value = f'"{measure.column}" IS NOT NULL'
    return db.execute(
        f"SELECT vehicle_ref, cell, date_trunc('hour', event_time) AS hour, {value} AS value "
        f"FROM {source} WHERE cell IS NOT NULL AND {has_value} GROUP BY ALL ORDER BY ALL"
    ).to_arrow_table()


def publish(
    rows: Iterable[tuple[str, int, str, float | None]], k: int = K
) -> list[dict[str, Any]]:
    """Rows (vehicle, cell, period, value), any number per vehicle and group: {cell, period,
    vehicles, mean} of the groups that may be told, by cell and period.

    Whatever else is told of a line of groups (a cell in all periods or in one day's hours; a period
    in all cells), what is hidden in it holds nobody or K vehicles together, or the line is hidden
    whole: a total takes no group apart. Counts are rounded down to a multiple of ROUND_TO.
    """
    groups = grouped(rows)
    return [_row(key, groups[key]) for key in sorted(told_of(groups, k))]


def grouped(rows: Iterable[tuple[str, int, str, float | None]]) -> Groups:
    groups: Groups = {}
    for vehicle, cell, period, value in rows:
        groups.setdefault((cell, period), {}).setdefault(vehicle, []).append(value)
    return groups


def lines_of(groups: Groups) -> list[list[Key]]:
    """Groups that somebody might know the total of."""
    lines: dict[tuple, list[Key]] = {}
    for cell, period in groups:
        for line in (("cell", cell), ("day", cell, period[:10]), ("period", period)):
            lines.setdefault(line, []).append((cell, period))
    return list(lines.values())


def told_of(groups: Groups, k: int) -> set[Key]:
    told = {key for key, vehicles in groups.items() if len(vehicles) >= k}
    lines = lines_of(groups)
    while True:
        more = set()
        for line in lines:
            hidden = [key for key in line if key not in told]
            together = set().union(*(groups[key] for key in hidden))
            rest = [key for key in line if key in told]
            if hidden and rest and len(together) < k:
                more.add(min(rest, key=lambda key: (len(groups[key]), key)))
        if not more:
            return told
        told -= more


def _row(key: Key, vehicles: dict[str, list[float | None]]) -> dict[str, Any]:
    cell, period = key
    means = []
    for values in vehicles.values():
        known = [value for value in values if value is not None]
        if known:
            means.append(sum(known) / len(known))
    return {
        "cell": cell,
        "period": period,
        "vehicles": len(vehicles) // ROUND_TO * ROUND_TO,
        "mean": round(sum(means) / len(means), 2) if means else None,
    }


def aggregate_by_cell(
    directory: str | Path,
    measure: Measure | None = None,
    period: str | None = None,
    k: int = K,
) -> list[dict[str, Any]]:
    """What may be told of each cell, in all or per hour or day: vehicles (rounded down to fives)
    and the mean over vehicles of `measure`.

    There is no filter on purpose: two queries over slightly different rows would tell the
    difference. Fleets to compare are cut by period alone.
    """
    from telltale_lake.reader import connect

    db = connect(directory)
    columns = set(db.sql("SELECT * FROM telemetry LIMIT 0").columns)
    check(columns, measure, period, k)
    table = contributions(db, measure)
    rows = zip(
        table["vehicle_ref"].to_pylist(),
        table["cell"].to_pylist(),
        [_period(hour, period) for hour in table["hour"].to_pylist()],
        table["value"].to_pylist(),
        strict=True,
    )
    return publish(rows, k)


def _period(hour: Any, period: str | None) -> str:
    if period is None:
        return ""
    return f"{hour:%Y-%m-%dT%H:00Z}" if period == "hour" else f"{hour:%Y-%m-%d}"
