"""`telltale doctor` on a real installation: after a kill under load, and while it is served."""

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess

import pytest

import accounts
from fleet import Fleet
from telltale import TELLTALE
from waiting import wait_for


def examine(installation):
    done = installation.run("doctor", "--dir", installation.dir, "--json", check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_a_kill_of_the_gateway_under_load_leaves_nothing_that_needs_someone(installation, tmp_path):
    fleet = Fleet(installation, tmp_path).start("sim", "--vehicles", 8, "--duration", 12)
    wait_for(
        "reports to be taken",
        lambda: installation.counters("gateway").get("reports_accepted", 0) > 100,
    )
    before = installation.kill("gateway")
    code, report = examine(installation)
    assert code == 0, report
    installation.wait_restarted("gateway", before)
    code, report = examine(installation)
    assert code == 0, report
    fleet.wait()
    code, report = examine(installation)
    assert code == 0, report
    assert report["looked_at"]["telemetry records"] > 100
    assert not [one for one in report["findings"] if one["kind"] == "unknown_file"], report
    installation.stop()
    code, report = examine(installation)
    assert code == 0, report


def test_a_broken_segment_needs_someone_and_no_installation_is_not_healthy(installation, tmp_path):
    Fleet(installation, tmp_path).start("sim", "--vehicles", 2, "--duration", 2).wait()
    installation.stop()
    for path in (installation.data / "log" / "telemetry").rglob("*.seg"):
        with open(path, "r+b") as segment:
            segment.seek(4096 + 80)
            segment.write(b"\xa5\xa5\xa5\xa5")
    code, report = examine(installation)
    assert code == 1
    assert report["findings"][0]["kind"] == "file_broken"
    empty = tmp_path / "empty"
    empty.mkdir()
    assert installation.run("doctor", "--dir", empty, check=False).returncode == 2


def kinds_of(report):
    return {one["kind"] for one in report["findings"]}


def example(report, kind):
    return next(one for one in report["findings"] if one["kind"] == kind)["examples"][0]


@pytest.fixture
def parked(installation, tmp_path):
    """A stopped installation whose cars' reports are in every place they go to."""
    Fleet(installation, tmp_path).start("sim", "--vehicles", 2, "--duration", 3).wait()
    accounts.drain(installation)
    wait_for(
        "the vault to store", lambda: installation.counters("vault").get("frames_stored", 0) > 0
    )
    installation.stop()
    code, report = examine(installation)
    assert code == 0, report
    return installation


def test_what_lies_beside_the_log_is_looked_at_and_nothing_is_left_there(parked):
    before = sorted(path for path in parked.dir.rglob("*"))
    _, report = examine(parked)
    looked_at = report["looked_at"]
    for what in ("data files", "data file rows", "databases", "registered vehicles",
                 "vault segments", "vault frames"):
        assert looked_at[what] > 0, what
    assert looked_at["databases"] == 3  # registry, alert store, catalogue
    assert sorted(path for path in parked.dir.rglob("*")) == before


def test_a_data_file_that_is_gone_or_cut_is_told_and_one_too_many_is_an_orphan(parked):
    files = sorted((parked.data / "lake" / "warehouse" / "telemetry" / "data").rglob("*.parquet"))
    content = files[0].read_bytes()
    orphan = files[0].with_name(f"{10**9:020}-0.parquet")
    orphan.write_bytes(content)
    code, report = examine(parked)
    assert code == 0 and kinds_of(report) >= {"orphan_data_file"}, report
    assert example(report, "orphan_data_file")["where"] == str(orphan)
    orphan.unlink()
    files[0].write_bytes(content[:-1])
    code, report = examine(parked)
    assert code == 1 and "file_broken" in kinds_of(report), report
    files[0].unlink()
    code, report = examine(parked)
    assert code == 1 and "table_disagrees" in kinds_of(report), report


def test_a_registry_that_lost_a_vehicle_and_a_broken_alert_store_are_told(parked):
    registry = parked.data / "registry" / "registry.db"
    with contextlib.closing(sqlite3.connect(registry)) as database, database:
        database.execute("DELETE FROM vehicles WHERE vehicle_id = 1")
    code, report = examine(parked)
    assert code == 1 and "unknown_vehicle" in kinds_of(report), report
    alerts = parked.data / "publish" / "alerts.db"
    with contextlib.closing(sqlite3.connect(alerts)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with open(alerts, "r+b") as file:
        file.seek(2 * 4096)
        file.write(b"\xa5" * 64)
    code, report = examine(parked)
    assert code == 1, report
    assert example(report, "file_broken")["where"] == str(alerts)


def test_a_part_of_the_vault_without_its_counterpart_is_told(parked):
    segment = sorted((parked.dir / "vault" / "segments").rglob("*.seg"))[0]
    shutil.copyfile(segment, segment.with_name("0000009999.seg"))
    code, report = examine(parked)
    assert code == 0 and "orphan_vault" in kinds_of(report), report
    with open(segment, "r+b") as file:
        file.seek(80 + 20)
        file.write(b"\xa5")
    code, report = examine(parked)
    assert code == 1, report
    assert example(report, "file_broken")["where"] == str(segment)
    segment.unlink()
    code, report = examine(parked)
    assert code == 1 and "read_failed" in kinds_of(report), report


def test_another_user_is_told_what_could_not_be_looked_at(parked):
    if os.geteuid() != 0:
        pytest.skip("giving up root needs root")
    done = subprocess.run(
        ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", TELLTALE, "doctor",
         "--dir", parked.dir, "--json"],
        capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2, done.stdout + done.stderr
    if done.stdout:
        assert kinds_of(json.loads(done.stdout)) >= {"not_allowed"}
