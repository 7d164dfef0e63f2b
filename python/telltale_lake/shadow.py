"""Tables of what a candidate release computed: namespace `shadow`, apart from what users see.

in      rows of shadow_features.py and shadow_telemetry.py, and their reports
out     tables shadow.shadow_<8 hex of the release>_<name>; data/lake/shadow/<release>/*.json, *.md
thread  one process at a time per table; commits under the lock of all commits
not here: who belongs to a cohort (lots.py), when a rollout ends (control)

They are kept for 30 days after the rollout's close, then dropped with their files. What reads the
lake for users looks into the namespaces `telltale` and `features` alone.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from telltale_lake import erased, tables
from telltale_lake.features import DAY_US
from telltale_lake.handoff import TablePart
from telltale_lake.layout import SHADOW_NAMESPACE, Layout, path_of
from telltale_lake.locks import committing
from telltale_lake.shadow_report import markdown
from telltale_lake.storage import sync_folder

if TYPE_CHECKING:
    from pyiceberg.catalog.sql import SqlCatalog
    from pyiceberg.table import Table

RELEASE_PROPERTY = "telltale.shadow.release"
CLOSED_PROPERTY = "telltale.shadow.closed-at-us"
KEPT_US = 30 * DAY_US  # after the close
SCRATCH = ".shadow-"  # folders of runs, below data/lake
SHORT = 8  # hexadecimal digits of a release in the name of a table
# Set in every row beside the table's own stamps.
COMPUTED_BY = (10203, "computed_by")


class ShadowError(Exception):
    """It cannot be done; the message says why and what to do."""


@dataclass
class ShadowTable:
    table: str  # with its namespace
    release: str
    rows: int
    closed_at_us: int | None = None
    drop_at_us: int | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def table_name(release_id: str, name: str) -> str:
    return f"shadow_{release_id[:SHORT]}_{name}"


def text_of_time(us: int) -> str:
    moment = datetime.fromtimestamp(us // 1_000_000, timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


@contextmanager
def _catalog(layout: Layout) -> Iterator[SqlCatalog]:
    from telltale_lake.commit import open_catalog

    catalog = open_catalog(layout)
    try:
        yield catalog
    finally:
        catalog.engine.dispose()


def _closed_at(table: Table) -> int | None:
    said = table.properties.get(CLOSED_PROPERTY)
    return None if said is None else int(said)


def part_of(name: str, schema: dict[str, Any], order: list[dict[str, Any]]) -> TablePart:
    """A table with the schema of another, and who computed the row."""
    number, column = COMPUTED_BY
    stamp = {"id": number, "name": column, "required": False, "type": "string"}
    fields = [field for field in schema["fields"] if field["name"] != column]
    return TablePart(name, {**schema, "fields": [*fields, stamp]}, [], order, [])


def begin(layout: Layout, release_id: str, reopen: bool) -> None:
    """Before anything is computed. ShadowError when the release's shadow was closed; with `reopen`
    it is taken up again, all of it."""
    if not layout.catalog_db.exists():
        return
    with _catalog(layout) as catalog, committing(layout):
        found = [catalog.load_table(name) for name in _names(catalog)]
        own = [table for table in found if table.properties.get(RELEASE_PROPERTY) == release_id]
        closed = [table for table in own if _closed_at(table) is not None]
        reports = [p for p in _reports(layout, release_id) if _read(p).get("closed_at_us")]
        if (closed or reports) and not reopen:
            when = _closed_at(closed[0]) if closed else _read(reports[0])["closed_at_us"]
            raise ShadowError(
                f"the shadow of release {release_id} was closed at {text_of_time(when or 0)}; "
                "--reopen takes it up again"
            )
        for table in closed:
            with table.transaction() as transaction:
                transaction.remove_properties(CLOSED_PROPERTY)
        for place in reports:
            write_whole(place, json.dumps({**_read(place), "closed_at_us": None}, indent=1))


def load_or_make(layout: Layout, catalog: SqlCatalog, part: TablePart, release_id: str) -> Table:
    """ShadowError when it is another release's, or was closed since begin()."""
    with committing(layout):
        table = tables.load_or_make(catalog, layout, part, SHADOW_NAMESPACE)
        owner = table.properties.get(RELEASE_PROPERTY, release_id)
        if owner != release_id:
            raise ShadowError(
                f"table {SHADOW_NAMESPACE}.{part.name} is of release {owner}, whose first "
                f"{SHORT} digits are the same; close that one, and drop it with upkeep"
            )
        if _closed_at(table) is not None:
            raise ShadowError(f"the shadow of release {release_id} was closed meanwhile")
        with table.transaction() as transaction:
            transaction.set_properties({RELEASE_PROPERTY: release_id})
    return table


def _names(catalog: SqlCatalog) -> list[tuple[str, ...]]:
    if not catalog.namespace_exists(SHADOW_NAMESPACE):
        return []
    return sorted(catalog.list_tables(SHADOW_NAMESPACE))


def listed(layout: Layout) -> list[ShadowTable]:
    """Every table of the namespace, by name."""
    if not layout.catalog_db.exists():
        return []
    found = []
    with _catalog(layout) as catalog:
        for name in _names(catalog):
            table = catalog.load_table(name)
            snapshot = table.current_snapshot()
            summary = snapshot.summary if snapshot is not None else None
            closed_at = _closed_at(table)
            drop_at = None if closed_at is None else closed_at + KEPT_US
            found.append(
                ShadowTable(
                    ".".join(name),
                    table.properties.get(RELEASE_PROPERTY, ""),
                    int(summary["total-records"] or 0) if summary is not None else 0,
                    closed_at,
                    drop_at,
                )
            )
    return found


def close(layout: Layout, release_id: str, at_us: int) -> list[str]:
    """The rollout is over: what it left is dropped 30 days after `at_us`. Again changes nothing
    but the time. Names of the tables and reports."""
    done = []
    if layout.catalog_db.exists():
        with _catalog(layout) as catalog, committing(layout):
            for name in _names(catalog):
                table = catalog.load_table(name)
                if table.properties.get(RELEASE_PROPERTY) != release_id:
                    continue
                with table.transaction() as transaction:
                    transaction.set_properties({CLOSED_PROPERTY: str(at_us)})
                done.append(".".join(name))
    with committing(layout):
        for place in _reports(layout, release_id):
            write_whole(place, json.dumps({**_read(place), "closed_at_us": at_us}, indent=1))
            done.append(place.relative_to(layout.lake).as_posix())
    return done


def upkeep(layout: Layout, now_us: int) -> list[str]:
    """Drops what was closed 30 days ago or longer, files too, and what a crash in that left.
    Names of the tables and reports that are gone."""
    until = now_us - KEPT_US
    gone: list[str] = []
    if layout.catalog_db.exists():
        with _catalog(layout) as catalog, committing(layout):
            kept = set()
            for name in _names(catalog):
                table = catalog.load_table(name)
                place = path_of(table.location())
                closed_at = _closed_at(table)
                if closed_at is None or closed_at > until:
                    kept.add(place)
                    continue
                catalog.drop_table(name)
                shutil.rmtree(place, ignore_errors=True)
                gone.append(".".join(name))
            _remove_strays(layout, kept)
    with committing(layout):
        for place in _reports(layout):
            closed_at = _read(place).get("closed_at_us")
            if closed_at is None or closed_at > until:
                continue
            place.with_suffix(".md").unlink(missing_ok=True)
            place.unlink()
            gone.append(place.relative_to(layout.lake).as_posix())
            if not any(place.parent.iterdir()):
                place.parent.rmdir()
    return gone


def _remove_strays(layout: Layout, kept: set[Path]) -> None:
    folder = layout.warehouse / SHADOW_NAMESPACE
    if folder.is_dir():
        for place in folder.iterdir():
            if place not in kept:
                shutil.rmtree(place, ignore_errors=True)


# --- Reports: what the comparisons said, for people and for control. ---


def _reports(layout: Layout, release_id: str = "*") -> list[Path]:
    return sorted(layout.shadow_reports.glob(f"{release_id}/*.json"))


def _read(place: Path) -> dict[str, Any]:
    found = json.loads(place.read_bytes())
    return found if isinstance(found, dict) else {}


def write_whole(place: Path, text: str) -> None:
    """Whole or not at all, and on the disk when it returns."""
    place.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    new = place.with_suffix(place.suffix + ".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, place)
    sync_folder(place.parent)


def _examples(report: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every object of the report that has examples."""
    for one in report.get("tables", []):
        if one.get("comparison"):
            yield one["comparison"]


def _without(report: dict[str, Any], tags: set[str]) -> int:
    """Takes the examples of erased vehicles out; how many."""
    removed = 0
    for comparison in _examples(report):
        kept = [e for e in comparison["examples"] if erased.tag_of(e["vehicle_ref"]) not in tags]
        removed += len(comparison["examples"]) - len(kept)
        comparison["examples"] = kept
    return removed


def put_report(layout: Layout, report: dict[str, Any]) -> Path:
    """Keeps it as the newest of its kind; no example of a vehicle that was erased meanwhile."""
    place = layout.shadow_reports / report["release"] / f"{report['kind']}.json"
    with committing(layout):
        _without(report, set(erased.read(layout)))
        made_at_us = time.time_ns() // 1000
        whole = {**report, "made_at_us": made_at_us, "closed_at_us": None}
        write_whole(place, json.dumps(whole, indent=1))
        write_whole(place.with_suffix(".md"), markdown(report))
    return place


def report_of(layout: Layout, release_id: str, kind: str) -> dict[str, Any] | None:
    """The newest of its kind."""
    place = layout.shadow_reports / release_id / f"{kind}.json"
    return _read(place) if place.exists() else None


def erase_from_reports(layout: Layout, tag: str) -> int:
    """Examples that were taken out."""
    removed = 0
    for place in _reports(layout):
        report = _read(place)
        count = _without(report, {tag})
        if count:
            # The text first: after a crash the examples are still found.
            write_whole(place.with_suffix(".md"), markdown(report))
            write_whole(place, json.dumps(report, indent=1))
        removed += count
    for place in layout.shadow_reports.glob("*/*.new"):
        place.unlink(missing_ok=True)
    return removed
