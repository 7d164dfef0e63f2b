"""For people who read the lake: DuckDB views over the current metadata, offline."""

from __future__ import annotations

import json
import sqlite3
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from telltale_lake.layout import (
    HANDOFF_PROPERTY,
    NAMESPACE,
    NEWER_TABLES,
    POSITION_PROPERTY,
    TABLES,
    Layout,
    location_of,
    numbers_of,
    path_of,
)

if TYPE_CHECKING:
    import duckdb
    from pyiceberg.catalog.sql import SqlCatalog


class NoTable(Exception):
    """Nothing was committed yet."""


def catalogue_rows(layout: Layout, select: str, values: tuple[str, ...]) -> list[tuple]:
    """Straight from the catalogue's SQLite file; none where it is not there or is being made."""
    if not layout.catalog_db.exists():
        return []
    with sqlite3.connect(f"{layout.catalog_db.as_uri()}?mode=ro", uri=True, timeout=5) as db:
        try:
            return db.execute(select, values).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" not in str(error):
                raise
            return []


def metadata_file(layout: Layout, table: str, namespace: str = NAMESPACE) -> Path:
    """The table's current metadata file."""
    if not layout.catalog_db.exists():
        raise NoTable("nothing has been committed to the lake yet")
    rows = catalogue_rows(
        layout,
        "SELECT metadata_location FROM iceberg_tables "
        "WHERE table_namespace = ? AND table_name = ?",
        (namespace, table),
    )
    if not rows or rows[0][0] is None:
        raise NoTable(f"table {namespace}.{table} does not exist yet")
    return path_of(rows[0][0])


def tables_in(layout: Layout, namespace: str) -> list[str]:
    """Names of the tables of a namespace in the catalogue, sorted."""
    rows = catalogue_rows(
        layout,
        "SELECT table_name FROM iceberg_tables WHERE table_namespace = ? ORDER BY table_name",
        (namespace,),
    )
    return [row[0] for row in rows]


def catalog(directory: str | Path) -> SqlCatalog:
    """A pyiceberg catalogue for reading, with pyiceberg's own file access."""
    from pyiceberg.catalog.sql import SqlCatalog

    layout = Layout(directory)
    if not layout.catalog_db.exists():
        raise NoTable("nothing has been committed to the lake yet")
    return SqlCatalog(
        "telltale",
        uri=f"sqlite:///{layout.catalog_db}",
        warehouse=location_of(layout.warehouse),
        init_catalog_tables="false",
    )


def _extension(name: str, version: str) -> Path:
    package = resources.files(f"duckdb_extension_{name}")
    return Path(str(package / "extensions" / f"v{version}" / f"{name}.duckdb_extension"))


def load_extensions(db: duckdb.DuckDBPyConnection) -> None:
    """Iceberg, from its wheels; times are UTC."""
    import duckdb

    for name in ("avro", "iceberg"):
        db.execute(f"LOAD '{_extension(name, duckdb.__version__)}'")
    db.execute("SET TimeZone = 'UTC'")


def scan_of(metadata: Path) -> str:
    """The table at this metadata file as SQL to select from."""
    quoted = str(metadata).replace("'", "''")
    return f"iceberg_scan('{quoted}')"


def connect(directory: str | Path) -> duckdb.DuckDBPyConnection:
    """DuckDB in memory with the views `telemetry`, `arrivals`, `arrivals_sum`, `coverage` and
    `coverage_sum` as of now, and `features.NAME` for each feature that was run (docs/features.md).
    The coverage views are absent while no hand-off with that table is in.

    The extensions come from their wheels; nothing is downloaded. Call it again for newer rows.
    """
    import duckdb

    layout = Layout(directory)
    there = tables_in(layout, NAMESPACE)
    places = {
        table: metadata_file(layout, table)
        for table in TABLES
        if table in there or table not in NEWER_TABLES
    }
    db = duckdb.connect(config={"autoinstall_known_extensions": "false"})
    load_extensions(db)
    for table, place in places.items():
        db.execute(f"CREATE VIEW {table} AS SELECT * FROM {scan_of(place)}")
    db.execute("CREATE SCHEMA features")
    for table in tables_in(layout, "features"):
        scan = scan_of(metadata_file(layout, table, "features"))
        db.execute(f'CREATE VIEW features."{table}" AS SELECT * FROM {scan}')
    for table in places:
        sums = resources.files("telltale_lake").joinpath(f"{table}_sum.sql")
        if sums.is_file():
            db.execute(sums.read_text())
    return db


def status(directory: str | Path) -> dict[str, Any]:
    """How far the tables are, beside the newest hand-off: what a drain check waits for."""
    layout = Layout(directory)
    numbers = numbers_of(layout.handoffs, ".json")
    newest = numbers[-1] if numbers else 0
    result: dict[str, Any] = {"newest_handoff": newest, "tables": {}}
    committed = []
    there = tables_in(layout, NAMESPACE)
    for table in TABLES:
        if table in NEWER_TABLES and table not in there and not _is_in(layout, newest, table):
            continue
        entry: dict[str, Any] = {"handoff": 0, "rows": 0, "positions": []}
        try:
            place = metadata_file(layout, table)
            metadata = json.loads(place.read_bytes())
            entry = _table_status(metadata)
            entry["metadata"] = str(place)
        except NoTable:
            pass
        committed.append(entry["handoff"])
        result["tables"][table] = entry
    result["committed_handoff"] = min(committed)
    result["pending_handoffs"] = sum(1 for number in numbers if number > min(committed))
    return result


def _is_in(layout: Layout, number: int, table: str) -> bool:
    """True when the hand-off says something of the table."""
    try:
        handoff = json.loads(layout.handoff(number).read_bytes())
    except FileNotFoundError:  # committed meanwhile, or there is none
        return False
    return any(part["name"] == table for part in handoff["tables"])


def _table_status(metadata: dict[str, Any]) -> dict[str, Any]:
    properties = metadata.get("properties", {})
    positions = {
        int(name.removeprefix(POSITION_PROPERTY)): int(value)
        for name, value in properties.items()
        if name.startswith(POSITION_PROPERTY)
    }
    current = metadata.get("current-snapshot-id")
    summaries = [s["summary"] for s in metadata.get("snapshots", []) if s["snapshot-id"] == current]
    return {
        "handoff": int(properties.get(HANDOFF_PROPERTY, "0")),
        "rows": int(summaries[0].get("total-records", "0")) if summaries else 0,
        "files": int(summaries[0].get("total-data-files", "0")) if summaries else 0,
        "positions": [positions[p] for p in sorted(positions)],
    }
