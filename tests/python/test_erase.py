"""Erasing a vehicle from the lake: nothing of it is left anywhere, its neighbours are as they were,
and a kill at any step changes neither."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import telltale_lake
from feature_tables import MONDAY
from lake_handoffs import TELEMETRY, HandoffMaker
from telltale_lake import erased, features_run
from telltale_lake.cli import main
from telltale_lake.commit import Committer, open_catalog
from telltale_lake.erase import EraseError, erase
from telltale_lake.features import parse
from telltale_lake.features_run import Window
from telltale_lake.layout import Layout, path_of
from telltale_lake.locks import committing, held
from test_features import HOURLY

GONE, STAYS = 7, 8
REF = f"{GONE:032x}"
COLUMNS = [*TELEMETRY, (10110, "received_at", "timestamptz", False)]
FEATURE = "features.hourly"


def commit(layout: Layout) -> None:
    committer = Committer(layout)
    try:
        committer.run_once()
    finally:
        committer.close()


def run_feature(root: Path) -> None:
    list(features_run.run(Layout(root), [parse(HOURLY, "hourly")], Window()))


def lake(root: Path) -> HandoffMaker:
    """Two vehicles and more, over hand-offs and in one file together; and a feature's table."""
    maker = HandoffMaker(root)
    bits = {"received_at": MONDAY}
    for _ in range(2):
        both = [row for v in (GONE, STAYS, 15) for row in maker.rows(4, vehicle=v, **bits)]
        maker.add(both, COLUMNS, state=bytes.fromhex(REF))
        maker.add(maker.rows(2, vehicle=GONE, **bits), COLUMNS, state=bytes.fromhex(REF))
    commit(maker.layout)
    run_feature(root)
    run_feature(root)  # a snapshot more
    return maker


def heed(maker: HandoffMaker) -> None:
    """As telltale-lake and the committer do, once the vehicle stands in the list."""
    maker.add([], COLUMNS, erased_lines=len(erased.read(maker.layout)) or 1)
    commit(maker.layout)


def everything(root: Path) -> dict[str, list[dict]]:
    """All rows of all tables, by pyiceberg."""
    catalog = telltale_lake.catalog(root)
    tables = {}
    for name in ("telltale.telemetry", "telltale.arrivals", FEATURE):
        rows = catalog.load_table(name).scan().to_arrow().to_pylist()
        tables[name] = sorted(rows, key=repr)
    return tables


def neighbours(tables: dict[str, list[dict]]) -> dict[str, list[dict]]:
    return {n: [row for row in rows if row["vehicle_ref"] != REF] for n, rows in tables.items()}


def traces(root: Path) -> list[str]:
    """Where the reference can still be read below data/lake, also in what is packed."""
    found = []
    for path in sorted((root / "data" / "lake").rglob("*")):
        if not path.is_file():
            continue
        texts = [path.read_bytes()]
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            texts.append(repr(table.to_pylist()).encode())
            texts.append(repr(pq.read_metadata(path).row_group(0).to_dict()).encode())
        if any(form in text for form in (REF.encode(), bytes.fromhex(REF)) for text in texts):
            found.append(str(path.relative_to(root)))
    return found


def unreferred(root: Path) -> list[str]:
    """Files of tables that the current snapshots do not need; manifests are packed, so what is in
    them is asked for by their own reader."""
    catalog, needed, bounds = telltale_lake.catalog(root), set(), b""
    places = []
    for name in ("telltale.telemetry", "telltale.arrivals", FEATURE):
        table = catalog.load_table(name)
        places.append(path_of(table.location()))
        needed.add(path_of(table.metadata_location))
        snapshot = table.current_snapshot()
        needed.add(path_of(snapshot.manifest_list))
        for manifest in snapshot.manifests(table.io):
            needed.add(path_of(manifest.manifest_path))
            for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=False):
                needed.add(path_of(entry.data_file.file_path))
                for limits in (entry.data_file.lower_bounds, entry.data_file.upper_bounds):
                    bounds += b"".join(limits.values())
    assert REF.encode() not in bounds
    there = {path for place in places for path in place.rglob("*") if path.is_file()}
    return [str(path.relative_to(root)) for path in sorted(there - needed)]


def assert_erased(root: Path, before: dict[str, list[dict]]) -> None:
    assert everything(root) == neighbours(before)
    assert traces(root) == []
    assert unreferred(root) == []


def test_nothing_of_the_vehicle_is_left_and_its_neighbours_are_as_they_were(tmp_path) -> None:
    maker = lake(tmp_path)
    before = everything(tmp_path)
    assert traces(tmp_path)  # the search can find it
    erased.add(maker.layout, REF)
    heed(maker)
    receipt = erase(tmp_path, REF, wait_s=0)
    assert receipt.complete and receipt.tag == erased.tag_of(REF)
    assert_erased(tmp_path, before)
    removed = {store.table: store.rows for store in receipt.stores}
    assert removed == {
        "telltale.telemetry": 12,
        "telltale.arrivals": 4,
        FEATURE: len(before[FEATURE]) - len(neighbours(before)[FEATURE]),
    }
    assert all(store.files_removed and store.snapshots_removed for store in receipt.stores)
    # DuckDB reads the new files, and prunes by their bounds, as before.
    db = telltale_lake.connect(tmp_path)
    assert db.sql("SELECT count(*), count(DISTINCT seq) FROM telemetry").fetchone() == (16, 8)
    stays = f"SELECT count(*) FROM telemetry WHERE vehicle_ref = '{STAYS:032x}'"
    assert db.sql(stays).fetchone() == (8,)
    table = telltale_lake.catalog(tmp_path).load_table("telltale.telemetry")
    found = table.scan(row_filter=f"vehicle_ref = '{STAYS:032x}' AND speed_kmh > 2").to_arrow()
    assert found.num_rows == 2
    assert [str(field.transform) for field in table.spec().fields] == ["day", "bucket[4]"]


def test_a_second_run_changes_nothing_and_the_lake_goes_on(tmp_path) -> None:
    maker = lake(tmp_path)
    before = everything(tmp_path)
    erased.add(maker.layout, REF)
    heed(maker)
    first = erase(tmp_path, REF, wait_s=0)
    places = sorted((tmp_path / "data" / "lake").rglob("*"))
    again = erase(tmp_path, REF, wait_s=0)
    assert [s.rows for s in again.stores] == [s.rows for s in first.stores]
    assert [s.files_removed for s in again.stores] == [0, 0, 0]
    assert sorted((tmp_path / "data" / "lake").rglob("*")) == places
    maker.add(maker.rows(3, vehicle=STAYS, received_at=MONDAY), COLUMNS, erased_lines=1)
    commit(maker.layout)
    rows = everything(tmp_path)["telltale.telemetry"]
    assert len(rows) == len(neighbours(before)["telltale.telemetry"]) + 3
    assert traces(tmp_path) == []


def child(root: Path, die_at: int) -> int:
    """An erasure in a process of its own that kills itself before that step; its exit status, 0
    when it had no such step."""
    pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1]
    steps = 0

    def on_step(_: str) -> None:
        nonlocal steps
        if steps == die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        steps += 1

    try:
        os._exit(0 if erase(root, REF, wait_s=0, on_step=on_step).complete else 9)
    except BaseException:
        os._exit(8)


def test_killed_before_any_step_the_next_run_completes_it(tmp_path) -> None:
    root, spare = tmp_path / "lake", tmp_path / "spare"
    maker = lake(root)
    before = everything(root)
    erased.add(maker.layout, REF)
    heed(maker)
    root.rename(spare)
    die_at = killed = 0
    while True:
        shutil.copytree(spare, root)
        status = child(root, die_at)
        if status == 0:
            break
        assert os.WIFSIGNALED(status), status
        killed += 1
        assert neighbours(everything(root)) == neighbours(before)
        receipt = erase(root, REF, wait_s=0)
        assert receipt.complete
        assert_erased(root, before)
        assert {s.table: s.rows for s in receipt.stores}["telltale.telemetry"] == 12, die_at
        shutil.rmtree(root)
        die_at += 1 if die_at < 8 else 5  # the first table's steps each, then by strides
    assert killed >= 12


def test_it_waits_for_the_lake_and_then_for_the_committer(tmp_path) -> None:
    maker = lake(tmp_path)
    receipt = erase(tmp_path, REF, wait_s=0)
    assert (receipt.complete, receipt.waiting_for) == (False, "telltale-lake")
    maker.add([], COLUMNS, erased_lines=1)
    receipt = erase(tmp_path, REF, wait_s=0)
    assert (receipt.complete, receipt.waiting_for) == (False, "committer")
    commit(maker.layout)
    assert erase(tmp_path, REF, wait_s=0).complete
    assert traces(tmp_path) == []


def test_rows_of_a_pending_handoff_go_too(tmp_path) -> None:
    maker = lake(tmp_path)
    maker.add(maker.rows(3, vehicle=GONE, received_at=MONDAY), COLUMNS)
    assert not erase(tmp_path, REF, wait_s=0).complete
    # It was not in yet: its file has to be there still when the committer comes.
    heed(maker)
    assert erase(tmp_path, REF, wait_s=0).complete
    assert traces(tmp_path) == []
    assert not [r for rows in everything(tmp_path).values() for r in rows
                if r["vehicle_ref"] == REF]


def test_a_feature_computed_before_the_erasure_brings_nothing_back(tmp_path, monkeypatch) -> None:
    maker = lake(tmp_path)
    replace = features_run.replace

    def after_an_erasure(*arguments):
        erased.add(maker.layout, REF)
        heed(maker)
        assert erase(tmp_path, REF, wait_s=0).complete
        # The table it loaded is stale now, unless there was nothing to erase in it.
        table = open_catalog(maker.layout).load_table(FEATURE)
        replace(table, *arguments[1:])

    monkeypatch.setattr(features_run, "replace", after_an_erasure)
    run_feature(tmp_path)
    assert all(row["vehicle_ref"] != REF for row in everything(tmp_path)[FEATURE])
    assert traces(tmp_path) == []


def test_a_tag_that_keeps_old_rows_is_named_and_not_ignored(tmp_path) -> None:
    maker = lake(tmp_path)
    catalog = open_catalog(maker.layout)
    table = catalog.load_table("telltale.telemetry")
    oldest = table.metadata.snapshots[0].snapshot_id
    table.manage_snapshots().create_tag(oldest, "paper-2026").commit()
    with pytest.raises(EraseError, match="paper-2026"):
        erase(tmp_path, REF, wait_s=0)


def test_two_erasures_at_once_are_refused_and_commits_wait(tmp_path) -> None:
    maker = lake(tmp_path)
    with held(maker.layout.erase_lock), pytest.raises(EraseError, match="another erasure"):
        erase(tmp_path, REF, wait_s=0)
    with committing(maker.layout), held(maker.layout.commit_lock, wait=False) as is_free:
        assert not is_free


def test_the_command_prints_a_receipt_and_says_when_it_is_not_complete(tmp_path, capsys) -> None:
    maker = lake(tmp_path)
    arguments = ["erase", "--dir", str(tmp_path), "--vehicle", REF, "--wait", "0", "--json"]
    assert main(arguments) == 3
    assert "telltale-lake" in capsys.readouterr().err
    heed(maker)
    assert main(arguments) == 0
    receipt = json.loads(capsys.readouterr().out)
    assert receipt["complete"] and {s["table"]: s["rows"] for s in receipt["stores"]}[FEATURE] > 0
    assert main(arguments[:-1]) == 0
    assert erased.tag_of(REF) in capsys.readouterr().out
    assert main(["erase", "--dir", str(tmp_path), "--vehicle", "VIN"]) == 1


def test_the_list_is_only_ever_longer_and_a_spoilt_one_is_refused(tmp_path) -> None:
    layout = Layout(tmp_path)
    layout.lake.mkdir(parents=True)
    other = f"{1:032x}"
    assert [erased.add(layout, ref) for ref in (REF, other, REF)] == [1, 2, 1]
    # SHA-256 of the 16 bytes, as telltale-lake reckons it too (src/lake/erased_test.cc).
    assert erased.read(layout) == [erased.tag_of(REF), erased.tag_of(other)]
    rows = pa.table({"vehicle_ref": [REF, "f" * 32, other]})
    assert erased.without(rows, layout)["vehicle_ref"].to_pylist() == ["f" * 32]
    layout.erased_list.write_bytes(b"nonsense\n")
    with pytest.raises(erased.NotAList):
        erased.read(layout)
