"""The committer: hand-offs into Iceberg tables, each exactly once.

A hand-off touches three tables, so it is three commits. Each table says itself how far it is, by
properties set in the commit that adds the files: a crash between or inside them neither loses nor
doubles. Whoever tries again looks first.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Callable
from typing import Any

from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.table import Table, Transaction
from pyiceberg.table.update import AssertRefSnapshotId
from pyiceberg.typedef import Record

from telltale_lake import tables
from telltale_lake.handoff import File, Handoff, HandoffError, TablePart, read
from telltale_lake.locks import committing
from telltale_lake.layout import (
    HANDOFF_PROPERTY,
    NAMESPACE,
    NEWER_TABLES,
    POSITION_PROPERTY,
    TABLES,
    Layout,
    location_of,
    numbers_of,
)

log = logging.getLogger("committer")

TRIES_MAX = 5
TRY_AGAIN_S = 0.2


class AlreadyRunning(Exception):
    """Another committer holds the lock of this lake."""


class Lock:
    """One committer per lake; the kernel lets go of it when the process dies."""

    def __init__(self, layout: Layout) -> None:
        layout.lake.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(layout.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._descriptor)
            raise AlreadyRunning(f"another committer is at work ({layout.lock})") from None

    def close(self) -> None:
        os.close(self._descriptor)


def open_catalog(layout: Layout) -> SqlCatalog:
    layout.warehouse.mkdir(parents=True, exist_ok=True)
    return SqlCatalog(
        "telltale",
        **{
            "uri": f"sqlite:///{layout.catalog_db}",
            "warehouse": location_of(layout.warehouse),
            "py-io-impl": "telltale_lake.storage.SyncedFileIO",
        },
    )


def data_file(file: File, spec_id: int) -> DataFile:
    made = DataFile.from_args(
        _table_format_version=2,
        content=DataFileContent.DATA,
        file_path=location_of(file.path),
        file_format=FileFormat.PARQUET,
        partition=Record(*file.partition),
        record_count=file.record_count,
        file_size_in_bytes=file.size,
        column_sizes=file.column_sizes,
        value_counts=file.value_counts,
        null_value_counts=file.null_value_counts,
        nan_value_counts=file.nan_value_counts,
        lower_bounds=file.lower_bounds,
        upper_bounds=file.upper_bounds,
        key_metadata=None,
        split_offsets=file.split_offsets,
        equality_ids=None,
        sort_order_id=tables.SORT_ORDER_ID,
    )
    made.spec_id = spec_id
    return made


def _nothing(_: str) -> None:
    pass


class Committer:
    """`on_step` is called with the name of each step before it is taken; tests die there."""

    def __init__(self, layout: Layout, on_step: Callable[[str], None] = _nothing) -> None:
        self._layout = layout
        self._on_step = on_step
        self._catalog = open_catalog(layout)
        self._newest_in = 0  # up to this hand-off all is in all tables
        self.counts = {"commits_total": 0, "rows_total": 0, "files_total": 0, "retries_total": 0}

    def run_once(self, stop: Callable[[], bool] = lambda: False) -> int:
        """Commits what lies there; the number of hand-offs that are in now and were not before."""
        numbers = numbers_of(self._layout.handoffs, ".json")
        done = 0
        for number in numbers:
            if stop():
                break
            done += self._commit_handoff(number)
            if number != numbers[-1]:
                self._remove(number)
        if numbers:
            self._remove_stray_states(numbers[-1])
        return done

    def _commit_handoff(self, number: int) -> int:
        if number <= self._newest_in:
            return 0
        handoff = read(self._layout.handoff(number), number, self._layout.lake)
        for name in TABLES:
            part = handoff.tables.get(name) or self._without_files(handoff, name)
            if part is not None:
                self._commit_surely(handoff, part)
        self._newest_in = number
        rows = sum(file.record_count for file in handoff.tables[TABLES[0]].files)
        if rows:
            log.info("hand-off %d is in: %d rows", number, rows)
        return 1

    def _without_files(self, handoff: Handoff, name: str) -> TablePart | None:
        """What a hand-off that does not know the table says of it: nothing, but its position moves.
        None while there is no such table."""
        if name not in NEWER_TABLES:
            raise HandoffError(f"hand-off {handoff.number} says nothing of table {name}")
        if not self._catalog.table_exists((NAMESPACE, name)):
            return None
        schema = self._catalog.load_table((NAMESPACE, name)).schema()
        return TablePart(name, schema.model_dump(by_alias=True), [], [], [])

    @staticmethod
    def _number_in(table: Table) -> int:
        return int(tables.properties_of(table).get(HANDOFF_PROPERTY, "0"))

    def _commit_surely(self, handoff: Handoff, part: TablePart) -> None:
        for attempt in range(1, TRIES_MAX + 1):
            try:
                with committing(self._layout):
                    self._commit_once(handoff, part)
                return
            except HandoffError:
                raise
            except Exception as error:
                self.counts["retries_total"] += 1
                if attempt == TRIES_MAX:
                    raise
                log.warning(
                    "hand-off %d, table %s: %s; looking again", handoff.number, part.name, error
                )
                time.sleep(TRY_AGAIN_S)

    def _commit_once(self, handoff: Handoff, part: TablePart) -> None:
        # Always from the catalogue: after an error nobody knows whether the commit happened.
        self._on_step(f"{part.name}:load")
        table = tables.load_or_make(self._catalog, self._layout, part)
        if self._number_in(table) >= handoff.number:
            return
        self._check_follows(handoff, part, table)
        self._commit_table(handoff, part, table)

    @staticmethod
    def _check_follows(handoff: Handoff, part: TablePart, table: Table) -> None:
        properties = tables.properties_of(table)
        before = int(properties.get(HANDOFF_PROPERTY, "0"))
        if part.name in NEWER_TABLES and before < handoff.number - 1:
            # The other tables have these hand-offs already, and they are gone.
            log.warning(
                "table %s begins after hand-off %d: an older telltale committed those before",
                part.name,
                handoff.number - 1,
            )
            return
        if before != handoff.number - 1:
            raise HandoffError(
                f"table {'.'.join(table.name())} has hand-offs up to {before}, the next one here "
                f"is {handoff.number}: the catalogue and the lake are not of one installation, or "
                "one of them was restored alone"
            )
        for partition, (first, _) in enumerate(handoff.ranges):
            position = int(properties.get(f"{POSITION_PROPERTY}{partition}", "0"))
            if position != first:
                raise HandoffError(
                    f"hand-off {handoff.number} starts at {first} in partition {partition}, the "
                    f"table is at {position}"
                )

    def _commit_table(self, handoff: Handoff, part: TablePart, table: Table) -> None:
        for file in part.files:
            if not file.path.is_file() or file.path.stat().st_size != file.size:
                raise HandoffError(f"hand-off {handoff.number}: {file.path} is not as described")
        transaction = table.transaction()
        self._widen(transaction, part, table)
        if part.files:
            self._append(transaction, handoff, part)
        self._set_position(transaction, handoff, table, appended=bool(part.files))
        self._on_step(f"{part.name}:commit")
        transaction.commit_transaction()
        self._on_step(f"{part.name}:committed")
        self.counts["commits_total"] += 1
        self.counts["files_total"] += len(part.files)
        if part.name == TABLES[0]:
            self.counts["rows_total"] += sum(file.record_count for file in part.files)

    def _widen(self, transaction: Transaction, part: TablePart, table: Table) -> None:
        columns = tables.widen(transaction, part, table)
        if columns is not None:
            log.info("table %s: %d columns", part.name, columns)

    def _append(self, transaction: Transaction, handoff: Handoff, part: TablePart) -> None:
        self._on_step(f"{part.name}:append")
        spec_id = transaction.table_metadata.default_spec_id
        append = transaction.update_snapshot(
            snapshot_properties={HANDOFF_PROPERTY: str(handoff.number)}
        ).merge_append()
        for file in part.files:
            append.append_data_file(data_file(file, spec_id))
        append.commit()

    @staticmethod
    def _set_position(
        transaction: Transaction, handoff: Handoff, table: Table, appended: bool
    ) -> None:
        values = {HANDOFF_PROPERTY: str(handoff.number)}
        for partition, (_, end) in enumerate(handoff.ranges):
            values[f"{POSITION_PROPERTY}{partition}"] = str(end)
        if not appended:
            # An append asserts this by itself; a position alone must not be set beside one either.
            snapshot = table.metadata.current_snapshot_id
            transaction._apply((), (AssertRefSnapshotId(ref="main", snapshot_id=snapshot),))
        transaction.set_properties(values)

    def _remove(self, number: int) -> None:
        """The file first: a state without its hand-off is stray, the other way round is a loss."""
        self._on_step("remove:handoff")
        self._layout.handoff(number).unlink(missing_ok=True)
        self._on_step("remove:state")
        self._layout.state(number).unlink(missing_ok=True)

    def _remove_stray_states(self, newest: int) -> None:
        for number in numbers_of(self._layout.handoffs, ".state"):
            if number < newest and not self._layout.handoff(number).exists():
                self._layout.state(number).unlink(missing_ok=True)

    def summary(self) -> dict[str, Any]:
        return {f"committer.{name}": value for name, value in self.counts.items()}

    def close(self) -> None:
        self._catalog.engine.dispose()
