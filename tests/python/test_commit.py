"""The committer's promises: every hand-off in both tables exactly once, wherever it dies."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import telltale_lake
from lake_handoffs import ARRIVALS, NEWER, TELEMETRY, HandoffMaker
from telltale_lake.commit import AlreadyRunning, Committer, Lock
from telltale_lake.handoff import HandoffError
from telltale_lake.layout import Layout, numbers_of
from telltale_lake.reader import NoTable, metadata_file, status
from waiting import wait_for

PACKAGE = Path(telltale_lake.__file__).resolve().parent.parent


def run(layout: Layout, on_step=lambda _: None) -> int:
    committer = Committer(layout, on_step)
    try:
        return committer.run_once()
    finally:
        committer.close()


def counted(root: Path) -> tuple[int, int, int]:
    """Rows, distinct seq, and the sum of received."""
    db = telltale_lake.connect(root)
    rows, distinct = db.sql("SELECT count(*), count(DISTINCT seq) FROM telemetry").fetchone()
    (received,) = db.sql("SELECT sum(received) FROM arrivals_sum").fetchone()
    return rows, distinct, received


def counted_by_pyiceberg(root: Path) -> tuple[int, int, int]:
    """The same, quicker."""
    catalog = telltale_lake.catalog(root)
    seqs = catalog.load_table("telltale.telemetry").scan().to_arrow()["seq"].to_pylist()
    received = catalog.load_table("telltale.arrivals").scan().to_arrow()["received"].to_pylist()
    return len(seqs), len(set(seqs)), sum(received)


@pytest.fixture
def maker(tmp_path: Path) -> HandoffMaker:
    return HandoffMaker(tmp_path)


def test_rows_are_read_by_duckdb_and_pyiceberg_alike(maker: HandoffMaker) -> None:
    maker.add(maker.rows(10))
    maker.add(maker.rows(5, vehicle=2))
    assert run(maker.layout) == 2
    assert counted(maker.root) == (15, 15, 15)
    table = telltale_lake.catalog(maker.root).load_table("telltale.telemetry")
    arrow = table.scan().to_arrow()
    assert arrow.num_rows == 15
    assert sorted(arrow["seq"].to_pylist()) == list(range(15))
    found = table.scan(row_filter=f"vehicle_ref = '{2:032x}'").to_arrow()
    assert found.num_rows == 5


def test_column_numbers_are_the_contracts(maker: HandoffMaker) -> None:
    maker.add(maker.rows(1))
    run(maker.layout)
    catalog = telltale_lake.catalog(maker.root)
    schema = catalog.load_table("telltale.telemetry").schema()
    assert {field.name: field.field_id for field in schema.fields} == {
        name: number for number, name, _, _ in TELEMETRY
    }
    spec = catalog.load_table("telltale.telemetry").spec()
    assert [str(field.transform) for field in spec.fields] == ["day", "bucket[4]"]


def test_a_second_run_changes_nothing(maker: HandoffMaker) -> None:
    maker.add(maker.rows(10))
    run(maker.layout)
    before = metadata_file(maker.layout, "telemetry")
    assert run(maker.layout) == 1  # looked at and skipped
    assert metadata_file(maker.layout, "telemetry") == before
    assert counted(maker.root) == (10, 10, 10)


def test_the_newest_handoff_stays_for_the_lake_and_the_others_go(maker: HandoffMaker) -> None:
    for _ in range(3):
        maker.add(maker.rows(2))
    maker.layout.state(0).write_bytes(b"left by a crash")
    run(maker.layout)
    assert numbers_of(maker.layout.handoffs, ".json") == [3]
    assert numbers_of(maker.layout.handoffs, ".state") == [3]


def test_a_handoff_without_files_moves_the_position_only(maker: HandoffMaker) -> None:
    maker.add(maker.rows(2))
    maker.add([])
    run(maker.layout)
    found = status(maker.root)
    assert found["committed_handoff"] == 2
    assert found["pending_handoffs"] == 0
    assert found["tables"]["telemetry"]["rows"] == 2
    assert found["tables"]["telemetry"]["positions"] == [2, 0]
    table = telltale_lake.catalog(maker.root).load_table("telltale.telemetry")
    assert len(table.metadata.snapshots) == 1


def test_old_and_new_firmware_are_rows_of_one_table(maker: HandoffMaker) -> None:
    maker.add(maker.rows(4))
    maker.add(maker.rows(3, firmware="2.0.0", time_to_collision_s=1.5), NEWER)
    maker.add(maker.rows(2))  # an older contract's hand-off does not take the column away
    run(maker.layout)
    db = telltale_lake.connect(maker.root)
    rows = db.sql(
        "SELECT firmware, count(*), count(time_to_collision_s) FROM telemetry GROUP BY 1 ORDER BY 1"
    ).fetchall()
    assert rows == [("1.0.0", 6, 0), ("2.0.0", 3, 3)]
    schema = telltale_lake.catalog(maker.root).load_table("telltale.telemetry").schema()
    assert schema.find_field("time_to_collision_s").field_id == 43


@pytest.mark.parametrize(
    "columns, message",
    [
        ([*TELEMETRY[:-1], (10, "speed_kmh", "long", False)], "speed_kmh"),
        ([*TELEMETRY[:-1], (10, "speed_mph", "float", False)], "speed_mph"),
        ([*TELEMETRY, (44, "new_but_required", "float", True)], "new_but_required"),
        ([*TELEMETRY[:-1], (44, "speed_kmh", "float", False)], "speed_kmh"),
    ],
)
def test_a_contract_that_is_not_additive_is_refused_by_name(maker, columns, message) -> None:
    maker.add(maker.rows(1))
    run(maker.layout)
    rows = [dict.fromkeys((n for _, n, _, _ in columns), None) | row for row in maker.rows(1)]
    for row in rows:
        row.update(speed_kmh=1, new_but_required=1.0)
    maker.add(rows, columns)
    with pytest.raises(HandoffError, match=message):
        run(maker.layout)
    assert counted(maker.root) == (1, 1, 1)


def test_a_gap_in_the_numbers_is_refused(maker: HandoffMaker) -> None:
    maker.add(maker.rows(1))
    maker.add(maker.rows(1))
    maker.layout.handoff(1).unlink()
    with pytest.raises(HandoffError, match="up to 0"):
        run(maker.layout)


def test_a_handoff_that_does_not_continue_the_tables_position_is_refused(maker) -> None:
    maker.add(maker.rows(3))
    run(maker.layout)
    maker.at[0] = 2
    maker.add(maker.rows(1))
    with pytest.raises(HandoffError, match="starts at 2 in partition 0"):
        run(maker.layout)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace('"min_reader": 1', '"min_reader": 2'),
        lambda text: text.replace("telltale-handoff", "something-else"),
        lambda text: text.replace('"number": 1', '"number": 9'),
        lambda text: text.replace("warehouse/telemetry", "../../elsewhere"),
        lambda text: text.replace('"record_count"', '"records"'),
    ],
)
def test_a_spoilt_handoff_stops_the_committer_and_commits_nothing(maker, spoil) -> None:
    maker.add(maker.rows(2))
    place = maker.layout.handoff(1)
    place.write_text(spoil(place.read_text()))
    with pytest.raises(HandoffError, match=place.name):
        run(maker.layout)
    with pytest.raises(NoTable):
        metadata_file(maker.layout, "telemetry")


def test_a_file_that_is_not_as_described_is_never_committed(maker: HandoffMaker) -> None:
    maker.add(maker.rows(2))
    file = next(maker.layout.warehouse.glob("telemetry/**/*.parquet"))
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(HandoffError, match="not as described"):
        run(maker.layout)
    assert status(maker.root)["tables"]["telemetry"]["rows"] == 0


def test_one_table_ahead_of_the_other_is_not_committed_twice(maker: HandoffMaker) -> None:
    class Died(BaseException):
        pass

    def die(step: str) -> None:
        if step == "arrivals:load":
            raise Died

    maker.add(maker.rows(4))
    with pytest.raises(Died):
        run(maker.layout, die)
    found = status(maker.root)
    assert found["tables"]["telemetry"]["handoff"] == 1
    assert found["tables"]["arrivals"]["handoff"] == 0
    assert found["committed_handoff"] == 0
    run(maker.layout)
    assert counted(maker.root) == (4, 4, 4)


def steps_of(tmp_path: Path) -> list[str]:
    maker = three_handoffs(tmp_path)
    steps: list[str] = []
    run(maker.layout, steps.append)
    return steps


def three_handoffs(root: Path) -> HandoffMaker:
    maker = HandoffMaker(root)
    maker.add(maker.rows(3))
    maker.add(maker.rows(4, firmware="2.0.0", time_to_collision_s=1.0), NEWER)
    maker.add([])
    return maker


def die_in_child(layout: Layout, at: int) -> None:
    """A committer that really dies, without any cleaning up, before its step number `at`."""
    child = os.fork()
    if child == 0:
        count = 0

        def die(_: str) -> None:
            nonlocal count
            if count == at:
                os._exit(9)
            count += 1

        try:
            Committer(layout, die).run_once()
        finally:
            os._exit(1)
    _, how = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(how) == 9


def test_death_at_any_step_neither_loses_nor_doubles(tmp_path: Path) -> None:
    steps = steps_of(tmp_path / "count")
    for step in ("telemetry:append", "arrivals:commit", "telemetry:committed", "remove:state"):
        assert step in steps
    for at in range(len(steps)):
        maker = three_handoffs(tmp_path / str(at))
        die_in_child(maker.layout, at)
        run(maker.layout)
        assert counted_by_pyiceberg(maker.root) == (7, 7, 7), f"died before {steps[at]} ({at})"
        assert numbers_of(maker.layout.handoffs, ".json") == [3]
        assert numbers_of(maker.layout.handoffs, ".state") == [3]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("target", ["SqlCatalog", "ToOutputFile"])
def test_an_error_of_unknown_outcome_is_looked_at_before_it_is_tried_again(
    maker: HandoffMaker, monkeypatch: pytest.MonkeyPatch, when: str, target: str
) -> None:
    from pyiceberg.catalog.sql import SqlCatalog
    from pyiceberg.serializers import ToOutputFile

    owner, name = {
        "SqlCatalog": (SqlCatalog, "commit_table"),
        "ToOutputFile": (ToOutputFile, "table_metadata"),
    }[target]
    real = getattr(owner, name)
    failures = iter([True, True])

    def flaky(*arguments, **more):
        fails = next(failures, False)
        if fails and when == "before":
            raise OSError("the disk says no")
        result = real(*arguments, **more)
        if fails:
            raise OSError("the answer was lost")
        return result

    monkeypatch.setattr("telltale_lake.commit.TRY_AGAIN_S", 0)
    maker.add(maker.rows(3))
    run(maker.layout)
    maker.add(maker.rows(4))
    monkeypatch.setattr(owner, name, flaky)
    run(maker.layout)
    assert counted(maker.root) == (7, 7, 7)


def test_a_stale_commit_of_another_is_refused_and_looked_at(
    maker: HandoffMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two committers without the locks: the second's commit is built on what the first replaced."""
    monkeypatch.setattr("telltale_lake.commit.committing", contextlib.nullcontext)
    maker.add(maker.rows(3))

    def overtake(step: str) -> None:
        if step == "telemetry:commit" and not overtaken:
            overtaken.append(step)
            run(maker.layout)

    overtaken: list[str] = []
    run(maker.layout, overtake)
    assert overtaken
    assert counted(maker.root) == (3, 3, 3)


def test_only_one_committer_works_on_a_lake(maker: HandoffMaker) -> None:
    lock = Lock(maker.layout)
    with pytest.raises(AlreadyRunning):
        Lock(maker.layout)
    lock.close()
    Lock(maker.layout).close()


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "telltale_lake", *arguments]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(PACKAGE)}


def test_follow_commits_what_comes_and_ends_on_sigterm(maker: HandoffMaker) -> None:
    maker.add(maker.rows(2))
    process = subprocess.Popen(
        command("commit", "--follow", "--dir", str(maker.root)), env=environment()
    )
    try:
        wait_for("hand-off 1", lambda: status(maker.root)["committed_handoff"] == 1)
        maker.add(maker.rows(3))
        wait_for("hand-off 2", lambda: status(maker.root)["committed_handoff"] == 2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=5) == 0
    finally:
        process.kill()
        process.wait()
    assert counted(maker.root) == (5, 5, 5)
    counters = json.loads((maker.root / "run/counters/committer.json").read_text())
    assert counters["committer.commits_total"] >= 2


def test_a_catalogue_that_is_being_made_has_no_tables_yet(maker: HandoffMaker) -> None:
    catalog = Layout(maker.root).catalog_db
    catalog.parent.mkdir(parents=True, exist_ok=True)
    catalog.touch()
    assert status(maker.root)["committed_handoff"] == 0
    with pytest.raises(NoTable, match="does not exist yet"):
        metadata_file(Layout(maker.root), "telemetry")


def test_query_metadata_and_status_on_the_command_line(maker: HandoffMaker) -> None:
    def out(*arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            command(*arguments, "--dir", str(maker.root)),
            env=environment(), capture_output=True, text=True, check=False,
        )
        assert done.returncode == code, done.stderr
        return done.stdout

    out("query", "SELECT 1", code=1)  # nothing committed yet
    assert json.loads(out("status", "--json"))["newest_handoff"] == 0
    maker.add(maker.rows(3))
    assert json.loads(out("status", "--json"))["pending_handoffs"] == 1
    out("commit", "--once")
    rows = json.loads(out("query", "--format", "json", "SELECT count(*) AS n FROM telemetry"))
    assert rows == [{"n": 3}]
    assert out("query", "--format", "csv", "SELECT 1 AS one").split() == ["one", "1"]
    assert "3" in out("query", "SELECT count(*) FROM telemetry")
    # Whole rows, times with their zone among them.
    assert len(json.loads(out("query", "--format", "json", "SELECT * FROM telemetry"))) == 3
    assert Path(out("metadata").strip()).is_file()
    assert Path(out("metadata", "--table", "arrivals").strip()).is_file()
    out("query", "SELECT no_such_column FROM telemetry", code=1)


def test_arrivals_add_up(maker: HandoffMaker) -> None:
    for _ in range(4):
        maker.add(maker.rows(2))
    run(maker.layout)
    db = telltale_lake.connect(maker.root)
    assert db.sql("SELECT count(*) FROM arrivals").fetchone() == (4,)
    assert db.sql("SELECT received, missing FROM arrivals_sum").fetchall() == [(8, 0)]
    assert len(ARRIVALS) == len(db.sql("SELECT * FROM arrivals").columns)


def test_manifests_are_merged(maker: HandoffMaker) -> None:
    maker.add(maker.rows(1))
    run(maker.layout)
    table = telltale_lake.catalog(maker.root).load_table("telltale.telemetry")
    assert table.properties["commit.manifest-merge.enabled"] == "true"
    with table.transaction() as transaction:
        transaction.set_properties({"commit.manifest.min-count-to-merge": "3"})
    for _ in range(6):
        maker.add(maker.rows(1))
    run(maker.layout)
    table.refresh()
    assert len(table.current_snapshot().manifests(table.io)) <= 3
    assert counted(maker.root) == (7, 7, 7)
