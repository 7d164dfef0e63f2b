"""Two computations of one table, row by row: what is the same, what only one of them has, and
which columns differ."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

# Numbers with a fraction are the same when they differ by less than this share of the larger one,
# or by less than this when they are small: sums over threads are not taken in one order.
TOLERANCE = 1e-9
EXAMPLES_EACH = 3  # of a column, of missing and of extra rows
EXAMPLES_MAX = 40
FRACTIONS = {"FLOAT", "DOUBLE"}


@dataclass
class ColumnDifference:
    name: str
    changed: int  # rows in which it differs
    null_in_candidate: int = 0  # of these
    null_in_stable: int = 0
    largest: float | None = None  # absolute difference of numbers


@dataclass
class Comparison:
    """`same` + `changed` + `missing` = rows of stable, with `extra` for `missing` of candidate."""

    rows_stable: int = 0
    rows_candidate: int = 0
    same: int = 0
    changed: int = 0
    missing: int = 0  # stable alone has it
    extra: int = 0  # the candidate alone has it
    vehicles: int = 0
    vehicles_affected: int = 0
    columns: list[ColumnDifference] = field(default_factory=list)  # those that differ
    columns_only_stable: list[str] = field(default_factory=list)
    columns_only_candidate: list[str] = field(default_factory=list)
    columns_retyped: list[str] = field(default_factory=list)
    examples: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _types(db: duckdb.DuckDBPyConnection, name: str) -> dict[str, str]:
    return {row[0]: row[1] for row in db.execute(f"DESCRIBE {_quoted(name)}").fetchall()}


def _differs(name: str, kind: str) -> str:
    c, s = f"c.{_quoted(name)}", f"s.{_quoted(name)}"
    if kind not in FRACTIONS:
        return f"{c} IS DISTINCT FROM {s}"
    bound = f"{TOLERANCE} * greatest(1.0, abs({c}), abs({s}))"
    near = f"isfinite({c}) AND isfinite({s}) AND abs({c} - {s}) <= {bound}"
    return f"({c} IS DISTINCT FROM {s} AND NOT coalesce({near}, false))"


def _numbered(
    db: duckdb.DuckDBPyConnection, table: str, key: list[str], columns: list[str]
) -> str:
    """With `nth`: several rows may have one key, and are told apart by all they say."""
    keys = ", ".join(map(_quoted, key))
    twice = db.execute(
        f"SELECT 1 FROM {_quoted(table)} GROUP BY {keys} HAVING count(*) > 1 LIMIT 1"
    ).fetchone()
    if twice is None:
        return f"(SELECT *, CAST(1 AS BIGINT) AS nth FROM {_quoted(table)})"
    order = ", ".join(f"CAST({_quoted(c)} AS VARCHAR)" for c in columns) or "1"
    return (
        f"(SELECT *, row_number() OVER (PARTITION BY {keys} ORDER BY {order}) AS nth "
        f"FROM {_quoted(table)})"
    )


def compare(
    db: duckdb.DuckDBPyConnection,
    stable: str,
    candidate: str,
    key: list[str],
    without: frozenset[str] = frozenset(),
) -> Comparison:
    """The relations `stable` and `candidate` of the connection, whose rows are known by `key`
    (vehicle_ref first; never null). Columns in `without` are not looked at."""
    types_s, types_c = _types(db, stable), _types(db, candidate)
    names = [n for n in types_s if n in types_c and n not in without and n not in key]
    retyped = [n for n in names if types_s[n] != types_c[n]]
    names = [n for n in names if n not in retyped]
    result = Comparison(
        columns_only_stable=sorted(set(types_s) - set(types_c) - without),
        columns_only_candidate=sorted(set(types_c) - set(types_s) - without),
        columns_retyped=[f"{n} {types_s[n]} → {types_c[n]}" for n in retyped],
    )
    _join(db, stable, candidate, key, {n: types_s[n] for n in names})
    _count(db, key[0], names, result)
    for at, name in enumerate(names):
        _count_column(db, at, name, types_s[name], result)
    result.columns.sort(key=lambda column: (-column.changed, column.name))
    _take_examples(db, key, names, result)
    db.execute("DROP TABLE compared")
    return result


def _join(
    db: duckdb.DuckDBPyConnection,
    stable: str,
    candidate: str,
    key: list[str],
    types: dict[str, str],
) -> None:
    names = list(types)
    on = " AND ".join([f"c.{_quoted(k)} = s.{_quoted(k)}" for k in key] + ["c.nth = s.nth"])
    chosen = [f"coalesce(c.{_quoted(k)}, s.{_quoted(k)}) AS k{at}" for at, k in enumerate(key)]
    chosen.append(
        "CASE WHEN c.nth IS NULL THEN 'missing' WHEN s.nth IS NULL THEN 'extra' END AS side"
    )
    flags = []
    for at, name in enumerate(names):
        q = _quoted(name)
        flags.append(f"f{at}")
        chosen.append(f"c.nth IS NOT NULL AND s.nth IS NOT NULL AND {_differs(name, types[name])} "
                      f"AS f{at}, c.{q} AS c{at}, s.{q} AS s{at}")
    changed, words = " OR ".join(flags) or "false", ", ".join(chosen)
    db.execute(
        f"CREATE OR REPLACE TEMP TABLE compared AS SELECT *, side IS NULL AND ({changed}) "
        f"AS changed FROM (SELECT {words} FROM {_numbered(db, candidate, key, names)} c "
        f"FULL OUTER JOIN {_numbered(db, stable, key, names)} s ON {on})"
    )


def _count(
    db: duckdb.DuckDBPyConnection, vehicle: str, names: list[str], result: Comparison
) -> None:
    row = db.execute(
        "SELECT count(*) FILTER (side IS NULL AND NOT changed), count(*) FILTER (changed), "
        "count(*) FILTER (side = 'missing'), count(*) FILTER (side = 'extra'), "
        "count(DISTINCT k0), count(DISTINCT k0) FILTER (changed OR side IS NOT NULL) "
        "FROM compared"
    ).fetchone()
    assert row is not None
    result.same, result.changed, result.missing, result.extra = row[:4]
    result.vehicles, result.vehicles_affected = row[4:]
    result.rows_stable = result.same + result.changed + result.missing
    result.rows_candidate = result.same + result.changed + result.extra


def _count_column(
    db: duckdb.DuckDBPyConnection, at: int, name: str, kind: str, result: Comparison
) -> None:
    is_number = kind in FRACTIONS or kind in ("TINYINT", "INTEGER", "BIGINT")
    largest = f"max(abs(CAST(c{at} AS DOUBLE) - CAST(s{at} AS DOUBLE)))" if is_number else "NULL"
    row = db.execute(
        f"SELECT count(*), count(*) FILTER (c{at} IS NULL), count(*) FILTER (s{at} IS NULL), "
        f"{largest} FROM compared WHERE f{at}"
    ).fetchone()
    if row is None or not row[0]:
        return
    size = row[3] if row[3] is not None and math.isfinite(row[3]) else None
    result.columns.append(ColumnDifference(name, row[0], row[1], row[2], size))


def _plain(value: Any) -> Any:
    """As JSON takes it."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value) if isinstance(value, Decimal) else repr(value)


def _take_examples(
    db: duckdb.DuckDBPyConnection, key: list[str], names: list[str], result: Comparison
) -> None:
    """The first by key: the same two tables give the same ones."""
    keys = ", ".join(f"k{at}" for at in range(len(key)))

    def rows(where: str, more: str = "") -> list[tuple[Any, ...]]:
        return db.execute(
            f"SELECT {keys}{more} FROM compared WHERE {where} ORDER BY {keys} LIMIT {EXAMPLES_EACH}"
        ).fetchall()

    def example(kind: str, row: tuple[Any, ...]) -> dict[str, Any]:
        return {"kind": kind, **{k: _plain(value) for k, value in zip(key, row)}}

    for kind in ("missing", "extra"):
        result.examples.extend(example(kind, row) for row in rows(f"side = '{kind}'"))
    for column in result.columns:
        at = names.index(column.name)
        for row in rows(f"f{at}", f", s{at}, c{at}"):
            values = {"stable": _plain(row[-2]), "candidate": _plain(row[-1])}
            result.examples.append(example("changed", row) | {"column": column.name} | values)
    del result.examples[EXAMPLES_MAX:]
