"""Erases a vehicle from the lake: every row, every file that held one, every trace in metadata.

The order makes a kill at any step harmless, and the same command again goes on:

1. its tag goes into data/erased/list: from then on neither telltale-lake nor a run of features
   brings it back;
2. hand-offs whose state knows it have to be gone: telltale-lake writes one that does not, and the
   committer removes the older ones; we wait for both;
3. table by table, under the lock of commits: the data files that hold its rows are written anew
   without them, in one commit whose manifests say nothing of the old files (a file's bounds are
   its least and greatest reference); then whatever the current snapshot does not refer to is
   removed, the old snapshots' files and what crashes left; last the old snapshots are expired.

Expiring in pyiceberg removes no file: that is ours.
"""

from __future__ import annotations

import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from telltale_lake import erased, shadow
from telltale_lake.layout import HANDOFF_PROPERTY, NAMESPACE, Layout, location_of, numbers_of
from telltale_lake.layout import path_of
from telltale_lake.locks import committing, held
from telltale_lake.storage import sync_folder

if TYPE_CHECKING:
    from pyiceberg.catalog.sql import SqlCatalog
    from pyiceberg.manifest import DataFile
    from pyiceberg.table import Table

COLUMN = "vehicle_ref"
TAG_PROPERTY, ROWS_PROPERTY = "telltale.erased", "telltale.erased-rows"
WAIT_S, POLL_S = 120.0, 0.2
SCRATCH_AGE_S = 86_400


class EraseError(Exception):
    """The vehicle could not be erased; the message says what to do."""


@dataclass
class Store:
    """What was removed from one table. `rows` counts also what an earlier run of the same erasure
    took out, as far as the table's snapshots still tell."""

    table: str
    rows: int = 0
    files_rewritten: int = 0
    files_removed: int = 0
    snapshots_removed: int = 0


@dataclass
class Receipt:
    tag: str  # SHA-256 of the reference, as in the list
    complete: bool = False
    waiting_for: str = ""  # when not complete
    stores: list[Store] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def _nothing(_: str) -> None:
    pass


def erase(
    directory: str | Path,
    vehicle_ref: str,
    wait_s: float = WAIT_S,
    on_step: Callable[[str], None] = _nothing,
) -> Receipt:
    """`on_step` is called with the name of each step before it is taken; tests die there. A receipt
    that is not complete says for whom it waited in vain: start that one, and erase again."""
    from telltale_lake.commit import open_catalog

    if not erased.is_reference(vehicle_ref):
        raise EraseError("a vehicle's reference is 32 hexadecimal digits in lower case")
    layout = Layout(directory)
    receipt = Receipt(erased.tag_of(vehicle_ref))
    with held(layout.erase_lock, wait=False) as is_ours:
        if not is_ours:
            raise EraseError("another erasure is at work; run it again when that is done")
        on_step("list")
        line = erased.add(layout, vehicle_ref)
        on_step("handoffs")
        receipt.waiting_for = _wait_for_handoffs(layout, line, wait_s)
        if layout.catalog_db.exists():
            catalog = open_catalog(layout)
            try:
                for name in _tables(catalog):
                    receipt.stores.append(
                        _erase_from(layout, catalog, name, vehicle_ref, receipt.tag, on_step)
                    )
            finally:
                catalog.engine.dispose()
        on_step("reports")
        with committing(layout):
            examples = shadow.erase_from_reports(layout, receipt.tag)
        if examples:
            receipt.stores.append(Store("shadow.reports", rows=examples))
        _remove_scratch(layout)
    receipt.complete = not receipt.waiting_for
    return receipt


def _wait_for_handoffs(layout: Layout, line: int, wait_s: float) -> str:
    """Empty when no hand-off or state knows the vehicle any more, else who has to do something."""
    until = time.monotonic() + wait_s
    while True:
        waiting_for = _knowing(layout, line)
        if not waiting_for or time.monotonic() >= until:
            return waiting_for
        time.sleep(POLL_S)


def _knowing(layout: Layout, line: int) -> str:
    numbers = numbers_of(layout.handoffs, ".json")
    if not numbers:
        return ""
    heeds = {}
    for number in numbers:
        try:
            heeds[number] = int(json.loads(layout.handoff(number).read_bytes())["erased_lines"])
        except FileNotFoundError:  # committed meanwhile
            continue
        except KeyError:  # of a release that knew no erasure
            heeds[number] = 0
    if not heeds:
        return "committer"
    if heeds.get(numbers[-1], line) < line:
        return "telltale-lake"
    if any(lines < line for lines in heeds.values()):
        return "committer"
    states = numbers_of(layout.handoffs, ".state")
    return "committer" if any(number < min(heeds) for number in states) else ""


def _tables(catalog: SqlCatalog) -> Iterator[tuple[str, ...]]:
    for namespace in sorted(catalog.list_namespaces()):
        yield from sorted(catalog.list_tables(namespace))


def _erase_from(
    layout: Layout,
    catalog: SqlCatalog,
    name: tuple[str, ...],
    vehicle_ref: str,
    tag: str,
    on_step: Callable[[str], None],
) -> Store:
    store = Store(".".join(name))
    with committing(layout):
        table = catalog.load_table(name)
        if COLUMN not in table.schema().column_names:
            return store
        on_step(f"{store.table}:rewrite")
        _rewrite(table, vehicle_ref, tag, store, on_step)
        table = catalog.load_table(name)
        store.rows = sum(
            int(snapshot.summary[ROWS_PROPERTY])
            for snapshot in table.metadata.snapshots
            if snapshot.summary is not None and snapshot.summary.get(TAG_PROPERTY) == tag
        )
        on_step(f"{store.table}:prune")
        _prune(table, name[:-1] == (NAMESPACE,), store, on_step)
        on_step(f"{store.table}:done")
    return store


def _rewrite(
    table: Table, vehicle_ref: str, tag: str, store: Store, on_step: Callable[[str], None]
) -> None:
    from pyiceberg.expressions import EqualTo
    from pyiceberg.manifest import ManifestEntry
    from pyiceberg.table.snapshots import Operation
    from pyiceberg.table.update.snapshot import _OverwriteFiles

    class Rewrite(_OverwriteFiles):
        """Tells nothing of the files it takes out: their bounds are references."""

        def _deleted_entries(self) -> list[ManifestEntry]:
            return []

    new: list[DataFile] = []
    old: list[DataFile] = []
    rows = 0
    for task in table.scan(row_filter=EqualTo(COLUMN, vehicle_ref)).plan_files():
        written, removed = _without(table, task.file, vehicle_ref)
        if not removed:
            continue
        rows += removed
        old.append(task.file)
        if written is not None:
            new.append(written)
    if not old:
        return
    store.files_rewritten = len(old)
    transaction = table.transaction()
    rewrite = Rewrite(
        operation=Operation.OVERWRITE,
        transaction=transaction,
        io=table.io,
        snapshot_properties={TAG_PROPERTY: tag, ROWS_PROPERTY: str(rows)},
    )
    for file in old:
        rewrite.delete_data_file(file)
    for file in new:
        rewrite.append_data_file(file)
    rewrite.commit()
    on_step(f"{store.table}:commit")
    transaction.commit_transaction()
    on_step(f"{store.table}:committed")


def _without(table: Table, file: DataFile, vehicle_ref: str) -> tuple[DataFile | None, int]:
    """The file without the vehicle's rows (None when none is left), and how many it had. The other
    rows keep their values, their order and their place in the partitions."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    path = path_of(file.file_path)
    rows = pq.ParquetFile(path).read()
    kept = rows.filter(pc.fill_null(pc.not_equal(rows[COLUMN], vehicle_ref), True))
    removed = len(rows) - len(kept)
    if not removed or not len(kept):
        return None, removed
    place = path.parent / f"erase-{uuid.uuid4()}.parquet"
    with open(place, "xb") as out:
        pq.write_table(kept, out, compression="zstd")
        out.flush()
        os.fsync(out.fileno())
    sync_folder(place.parent)
    return _described(table, file, place), removed


def _described(table: Table, old: DataFile, place: Path) -> DataFile:
    import pyarrow.parquet as pq
    from pyiceberg.io.pyarrow import (
        compute_statistics_plan,
        data_file_statistics_from_parquet_metadata,
        parquet_path_to_id_mapping,
    )
    from pyiceberg.manifest import DataFile, DataFileContent, FileFormat

    schema = table.schema()
    statistics = data_file_statistics_from_parquet_metadata(
        parquet_metadata=pq.read_metadata(place),
        stats_columns=compute_statistics_plan(
            schema, {**table.properties, "write.metadata.metrics.default": "full"}
        ),
        parquet_column_mapping=parquet_path_to_id_mapping(schema),
    )
    made = DataFile.from_args(
        _table_format_version=2,
        content=DataFileContent.DATA,
        file_path=location_of(place),
        file_format=FileFormat.PARQUET,
        partition=old.partition,
        file_size_in_bytes=place.stat().st_size,
        sort_order_id=old.sort_order_id,
        spec_id=old.spec_id,
        equality_ids=None,
        key_metadata=None,
        **statistics.to_serialized_dict(),
    )
    made.spec_id = old.spec_id
    return made


def _referred(table: Table) -> set[Path]:
    """Every file that the current snapshot needs, and the metadata file itself."""
    files = {path_of(table.metadata_location)}
    snapshot = table.current_snapshot()
    if snapshot is None:
        return files
    files.add(path_of(snapshot.manifest_list))
    for manifest in snapshot.manifests(table.io):
        files.add(path_of(manifest.manifest_path))
        for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True):
            files.add(path_of(entry.data_file.file_path))
    return files


def _prune(table: Table, has_handoffs: bool, store: Store, on_step: Callable[[str], None]) -> None:
    current = table.metadata.current_snapshot_id
    held_by = sorted(
        name for name, ref in table.metadata.refs.items() if ref.snapshot_id != current
    )
    if held_by:
        raise EraseError(
            f"table {store.table}: {', '.join(held_by)} keeps old snapshots, and rows with them; "
            "remove that branch or tag and erase again"
        )
    referred = _referred(table)
    folder = path_of(table.location())
    # What telltale-lake wrote for hand-offs that are not in yet is referred to by those.
    newest_in = int(table.properties.get(HANDOFF_PROPERTY, "0")) if has_handoffs else None
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path in referred or _is_to_come(path, newest_in):
            continue
        path.unlink(missing_ok=True)
        store.files_removed += 1
        on_step(f"{store.table}:removed")
    old = [s.snapshot_id for s in table.metadata.snapshots if s.snapshot_id != current]
    if not old:
        return
    on_step(f"{store.table}:expire")
    before = path_of(table.metadata_location)
    table.maintenance.expire_snapshots().by_ids(old).commit()
    store.snapshots_removed = len(old)
    before.unlink(missing_ok=True)
    store.files_removed += 1


def _is_to_come(path: Path, newest_in: int | None) -> bool:
    number = path.name[:20]
    if newest_in is None or path.suffix != ".parquet" or not number.isdecimal():
        return False
    return int(number) > newest_in


def _remove_scratch(layout: Layout) -> None:
    """What runs of features and shadows left that were killed, long ago: copies, spilled rows."""
    killed = [*layout.lake.glob(".features-*"), *layout.lake.glob(f"{shadow.SCRATCH}*")]
    for folder in killed:
        if time.time() - folder.stat().st_mtime > SCRATCH_AGE_S:
            shutil.rmtree(folder, ignore_errors=True)
