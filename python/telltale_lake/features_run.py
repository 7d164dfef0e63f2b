"""Runs features over the tables as they are at one moment, and replaces a window of their rows.

The tables are read at one snapshot each; the rows of a window become real in one commit, which is
refused when somebody else changed the feature's table meanwhile. Nothing is tried again here: the
answer to a refusal is to run it anew.
"""

from __future__ import annotations

import json
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from telltale_lake import erased
from telltale_lake.as_of import AsOf, set_back
from telltale_lake.features import DAY_US, NAMESPACE, STAMPS, TYPES, Feature, FeatureError
from telltale_lake.layout import Layout
from telltale_lake.locks import committing
from telltale_lake.reader import load_extensions, metadata_file, scan_of

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    from pyiceberg.expressions import BooleanExpression
    from pyiceberg.table import Table

    from telltale_lake.handoff import TablePart

PROGRESS_EVERY_S = 5.0
MEMORY = "1GB"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Window:
    """Rows with window_start in [since_us, until_us) are made anew; None is without end."""

    since_us: int | None = None
    until_us: int | None = None


@dataclass(frozen=True)
class Part:
    """Which rows of the inputs: conditions by input, and the tables that these refer to."""

    where: dict[str, str] = field(default_factory=dict)
    tables: dict[str, pa.Table] = field(default_factory=dict)


@dataclass
class Outcome:
    feature: str
    version: int
    code_digest: str
    source_snapshot: int
    arrivals_snapshot: int | None
    rows: int
    valid: int
    invalid: dict[str, int] = field(default_factory=dict)
    snapshot: int | None = None  # of the feature's table after the commit
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Sources:
    """The input tables as they are now, or as they were (as_of.py). The metadata files are copied:
    the committer removes old ones after a while, and a long run must not lose them."""

    def __init__(self, layout: Layout, folder: Path, as_of: AsOf | None = None) -> None:
        self.places: dict[str, Path] = {}
        self.snapshots: dict[str, int | None] = {}
        self.columns: dict[str, set[str]] = {}
        self.metadata = {
            table: json.loads(metadata_file(layout, table).read_bytes())
            for table in ("telemetry", "arrivals")
        }
        if as_of is not None:
            set_back(self.metadata, as_of)
        for table, metadata in self.metadata.items():
            place = folder / f"{table}.metadata.json"
            place.write_text(json.dumps(metadata))
            schema = next(
                s for s in metadata["schemas"] if s["schema-id"] == metadata["current-schema-id"]
            )
            self.places[table] = place
            self.snapshots[table] = metadata.get("current-snapshot-id")
            self.columns[table] = {f["name"] for f in schema["fields"]}
        if self.snapshots["telemetry"] is None:
            raise FeatureError("table telltale.telemetry has no rows yet")


def _timestamp(us: int) -> str:
    text = datetime.fromtimestamp(us // 1_000_000, timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
    return f"TIMESTAMPTZ '{text}.{us % 1_000_000:06d}+00'"


def _bounds(column: str, since_us: int | None, until_us: int | None) -> str:
    words = []
    if since_us is not None:
        words.append(f"{column} >= {_timestamp(since_us)}")
    if until_us is not None:
        words.append(f"{column} < {_timestamp(until_us)}")
    return " AND ".join(words) or "true"


def _input_view(
    feature: Feature, source: str, columns: set[str], scan: str, window: Window, only: str = "true"
) -> str:
    """One input as the SQL of a feature expects it; a column the table lacks is unknown. `only`
    says which rows of the window."""
    time_column, us = ("event_time", "event_us") if source == "telemetry" else ("hour", "hour_us")
    chosen = [
        f'CAST({name if name in columns else "NULL"} AS {TYPES[kind]}) AS {name}'
        for name, kind in feature.inputs[source]
    ]
    chosen.append(f"epoch_us({time_column}) AS {us}")
    since = window.since_us
    until = window.until_us
    where = _bounds(
        time_column,
        None if since is None else max(0, since - feature.days_before * DAY_US),
        None if until is None else until + feature.days_after * DAY_US,
    )
    chosen_as = f"CREATE VIEW {source} AS SELECT {', '.join(chosen)}"
    return f"{chosen_as} FROM {scan} WHERE {where} AND {only}"


def _query(feature: Feature, window: Window, snapshot: int) -> str:
    columns = [f"CAST({c.name} AS {TYPES[c.type]}) AS {c.name}" for c in feature.columns]
    stamps = dict(zip((c.name for c in STAMPS), (feature.version, feature.digest, snapshot)))
    columns += [
        f"CAST('{stamps[c.name]}' AS {TYPES[c.type]}) AS {c.name}" for c in STAMPS
    ]  # all three are ours: a number, hexadecimal digits, a number
    return (
        f"SELECT {', '.join(columns)} FROM (\n{feature.sql}\n) AS feature "
        f"WHERE {_bounds('window_start', window.since_us, window.until_us)} "
        "ORDER BY vehicle_ref, window_start"
    )


def _with_progress(db: duckdb.DuckDBPyConnection, sql: str, name: str, say: Say) -> pa.Table:
    result: list[pa.Table] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            result.append(db.execute(sql).to_arrow_table())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    began = time.monotonic()
    thread.start()
    try:
        while thread.is_alive():
            thread.join(PROGRESS_EVERY_S)
            if thread.is_alive():
                share = max(0.0, db.query_progress())
                say(f"{name}: {share:.0f} % after {time.monotonic() - began:.0f} s")
    except KeyboardInterrupt:
        db.interrupt()
        thread.join()
        raise
    if failed:
        raise failed[0]
    return result[0]


def open_db(folder: Path, memory: str) -> duckdb.DuckDBPyConnection:
    """DuckDB with bounded memory, which spills into the folder."""
    import duckdb

    db = duckdb.connect(config={"autoinstall_known_extensions": "false"})
    load_extensions(db)
    db.execute("SET memory_limit = ?", [memory])
    db.execute("SET temp_directory = ?", [str(folder / "spill")])
    return db


def compute(
    feature: Feature,
    sources: Sources,
    folder: Path,
    window: Window,
    memory: str,
    say: Say,
    part: Part = Part(),
) -> pa.Table:
    """The feature's rows of the window, with stamps; FeatureError when the SQL cannot do it. It
    sees `part` of the inputs."""
    import duckdb

    db = open_db(folder, memory)
    try:
        for name, table in part.tables.items():
            db.register(name, table)
        for source in feature.inputs:
            scan = scan_of(sources.places[source])
            columns = sources.columns[source]
            only = part.where.get(source, "true")
            db.execute(_input_view(feature, source, columns, scan, window, only))
        _check_columns(feature, db)
        snapshot = sources.snapshots["telemetry"]
        return _with_progress(db, _query(feature, window, snapshot or 0), feature.name, say)
    except duckdb.OutOfMemoryException as error:
        raise FeatureError(
            f"feature {feature.name} needs more than {memory} of memory; allow it more with "
            f"--memory, or a shorter window with --since and --until ({error})"
        ) from None
    except duckdb.Error as error:
        raise FeatureError(f"feature {feature.name}: {error}") from None
    finally:
        db.close()


def _check_columns(feature: Feature, db: duckdb.DuckDBPyConnection) -> None:
    given = {row[0] for row in db.execute(f"DESCRIBE {feature.sql}").fetchall()}
    wanted = {column.name for column in feature.columns}
    if given != wanted:
        raise FeatureError(
            f"feature {feature.name}: the query and its header differ in "
            + ", ".join(sorted(given ^ wanted))
        )


def sort_order(*numbers: int) -> list[dict[str, Any]]:
    """By these columns, rising, as Iceberg says it."""
    return [
        {
            "transform": "identity",
            "source-id": number,
            "direction": "asc",
            "null-order": "nulls-first",
        }
        for number in numbers
    ]


def _part(feature: Feature) -> TablePart:
    from telltale_lake.handoff import TablePart

    order = sort_order(10100, 10210)
    return TablePart(feature.name, feature.iceberg_schema(), [], order, [])


def load_table(layout: Layout, catalog: Any, feature: Feature) -> Table:
    """The feature's table, made on its first run; load it before computing: what another run
    commits after that makes our commit stale."""
    from telltale_lake import tables

    return tables.load_or_make(catalog, layout, _part(feature), NAMESPACE)


def replace(
    table: Table, feature: Feature, rows: pa.Table, window: Window, layout: Layout
) -> None:
    """The rows of the window and nothing else, in one commit; none of a vehicle that was erased
    since they were computed."""
    said = {"telltale.feature": feature.name, "telltale.code": feature.digest}
    replace_rows(table, _part(feature), rows, rows_of_window(window), said, layout)


def rows_of_window(window: Window) -> BooleanExpression:
    from pyiceberg.expressions import AlwaysTrue, And, GreaterThanOrEqual, LessThan

    where: BooleanExpression = AlwaysTrue()
    for bound, test in ((window.since_us, GreaterThanOrEqual), (window.until_us, LessThan)):
        if bound is not None:
            where = And(where, test("window_start", _iso(bound)))
    return where


def replace_rows(
    table: Table,
    part: TablePart,
    rows: pa.Table,
    where: BooleanExpression,
    said: dict[str, str],
    layout: Layout,
) -> None:
    """The rows that `where` names make room for `rows`, in one commit with `said` in its summary;
    none of a vehicle that was erased meanwhile."""
    try:
        with committing(layout):
            _replace(table, part, erased.without(rows, layout), where, said)
    except erased.NotAList as error:
        raise FeatureError(str(error)) from None


def _replace(
    table: Table,
    part: TablePart,
    rows: pa.Table,
    where: BooleanExpression,
    said: dict[str, str],
) -> None:
    import pyarrow as pa
    from pyiceberg.exceptions import CommitFailedException, ValidationException
    from telltale_lake import tables
    from telltale_lake.handoff import HandoffError

    transaction = table.transaction()
    try:
        tables.widen(transaction, part, table)
        schema = transaction.table_metadata.schema()
        arrow = schema.as_arrow()
        for column in arrow:
            if column.name not in rows.column_names:  # a newer version of the feature made it
                rows = rows.append_column(column, pa.nulls(len(rows), column.type))
        rows = rows.select(arrow.names).cast(arrow)
        with warnings.catch_warnings():
            # Nothing to replace is no surprise.
            warnings.filterwarnings("ignore", "Delete operation did not match any records")
            transaction.overwrite(rows, where, said)
        transaction.commit_transaction()
    except HandoffError as error:
        raise FeatureError(f"feature {part.name}: {error}") from None
    except (CommitFailedException, ValidationException):
        raise FeatureError(
            f"somebody else changed table {'.'.join(table.name())} meanwhile; nothing was "
            "written; run it again"
        ) from None


def _iso(us: int) -> str:
    whole = datetime.fromtimestamp(us // 1_000_000, timezone.utc)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{us % 1_000_000:06d}+00:00"


@contextmanager
def scratch(layout: Layout, prefix: str = ".features-") -> Iterator[Path]:
    """For copies and for what does not fit into memory: on the lake's disk, not in /tmp."""
    layout.lake.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=layout.lake) as name:
        yield Path(name)


@contextmanager
def told_as_words() -> Iterator[None]:
    """Trouble of disk and catalogue. Whether a commit happened may be unknown then; it need not be
    known, for the same run again gives the same rows."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except PermissionError:
        raise
    except OSError as error:
        raise FeatureError(f"{error.filename or 'disk'}: {error.strerror or error}") from None
    except SQLAlchemyError as error:
        reason = getattr(error, "orig", None) or error
        raise FeatureError(f"the catalogue: {reason}; run it again") from None


def run(
    layout: Layout,
    features: list[Feature],
    window: Window = Window(),
    memory: str = MEMORY,
    say: Say = lambda words: None,
) -> Iterator[Outcome]:
    """Each feature's outcome as it is committed; all of them read the same snapshots."""
    from telltale_lake.commit import open_catalog

    with scratch(layout) as folder, told_as_words():
        sources = Sources(layout, folder)
        catalog = open_catalog(layout)
        try:
            for feature in features:
                began = time.monotonic()
                say(f"{feature.name}: snapshot {sources.snapshots['telemetry']}")
                table = load_table(layout, catalog, feature)
                rows = compute(feature, sources, folder, window, memory, say)
                outcome = outcome_of(feature, sources, rows)
                replace(table, feature, rows, window, layout)
                snapshot = table.metadata.current_snapshot_id
                outcome.snapshot = snapshot
                outcome.seconds = round(time.monotonic() - began, 3)
                yield outcome
        finally:
            catalog.engine.dispose()


def outcome_of(feature: Feature, sources: Sources, rows: pa.Table) -> Outcome:
    invalid: dict[str, int] = {}
    for reason in rows["invalid_reason"].to_pylist():
        if reason is not None:
            invalid[reason] = invalid.get(reason, 0) + 1
    unknown = sorted(set(invalid) - set(feature.reasons))
    if unknown:
        raise FeatureError(
            f"feature {feature.name}: reason {', '.join(unknown)} is not in its header's list"
        )
    return Outcome(
        feature=feature.name,
        version=feature.version,
        code_digest=feature.digest,
        source_snapshot=sources.snapshots["telemetry"] or 0,
        arrivals_snapshot=sources.snapshots["arrivals"],
        rows=len(rows),
        valid=len(rows) - sum(invalid.values()),
        invalid=dict(sorted(invalid.items())),
    )
