"""The lake end to end: a log, telltale-lake, the committer, DuckDB and pyiceberg.

Most tests have no gateway: the log is written by build/<preset>/test/lake_make_log, which says what
it wrote. The last ones drive a fleet through the real door.
"""

import json
import os
import pathlib
import random
import signal
import subprocess
import sys

import pytest

import accounts
from fleet import Fleet
from waiting import let_run, wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build" / "dev")).absolute()
LAKE = BUILD / "libexec" / "telltale" / "telltale-lake"
MAKE_LOG = BUILD / "test" / "lake_make_log"
CONTRACT = BUILD / "share" / "telltale" / "contract.desc"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "python")}
DRAIN_S = 60

sys.path.insert(0, str(ROOT / "python"))


def make_log(folder, *arguments):
    done = subprocess.run([MAKE_LOG, folder, "--contract", CONTRACT, *map(str, arguments)],
                          capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def start_lake(folder):
    return subprocess.Popen([LAKE, "--dir", folder], stderr=subprocess.DEVNULL)


def start_committer(folder):
    return subprocess.Popen([sys.executable, "-m", "telltale_lake", "commit", "--follow", "--dir",
                             folder], env=ENVIRONMENT, stderr=subprocess.DEVNULL)


def run_once(folder):
    subprocess.run([LAKE, "--dir", folder, "--once"], check=True, stderr=subprocess.DEVNULL)
    subprocess.run([sys.executable, "-m", "telltale_lake", "commit", "--once", "--dir", folder],
                   env=ENVIRONMENT, check=True, stderr=subprocess.DEVNULL)


def contents(folder):
    import telltale_lake
    db = telltale_lake.connect(folder)
    rows, distinct, firmwares, tires_of_old = db.sql(
        "SELECT count(*), count(DISTINCT (vehicle_ref, boot_counter, boot_random, seq)), "
        "count(DISTINCT firmware), count(tires) FILTER (firmware = '1.0.0') FROM telemetry"
    ).fetchone()
    received, late, duplicate, missing = db.sql(
        "SELECT sum(received), sum(late), sum(duplicate), sum(missing) FROM arrivals_sum"
    ).fetchone()
    return {"rows": rows, "distinct": distinct, "received": received, "late": late,
            "duplicates": duplicate, "missing": missing, "firmwares": firmwares,
            "tires_of_old": tires_of_old}


def expected(*written):
    rows = sum(part["rows"] for part in written)
    return {"rows": rows, "distinct": rows, "received": rows,
            "late": sum(part["late"] for part in written),
            "duplicates": sum(part["duplicates"] for part in written),
            "missing": 0, "firmwares": 2, "tires_of_old": 0}


@pytest.fixture(autouse=True)
def built():
    for path in (LAKE, MAKE_LOG, CONTRACT):
        assert path.exists(), f"there is no {path}: run `make build` first"


def test_every_report_is_one_row_of_one_table_whatever_its_firmware(tmp_path):
    first = make_log(tmp_path, "--vehicles", 12, "--reports", 300)
    run_once(tmp_path)
    assert contents(tmp_path) == expected(first)
    more = make_log(tmp_path, "--vehicles", 12, "--reports", 100, "--seed", 2, "--more")
    run_once(tmp_path)
    assert contents(tmp_path) == expected(first, more)


def test_statistics_of_our_files_prune_as_the_rows_are(tmp_path):
    """pyiceberg plans by the bounds we wrote: a filter must find exactly the rows that fit."""
    import telltale_lake
    make_log(tmp_path, "--vehicles", 12, "--reports", 200)
    run_once(tmp_path)
    table = telltale_lake.catalog(tmp_path).load_table("telltale.telemetry")
    rows = table.scan().to_arrow()
    vehicle = rows["vehicle_ref"][0].as_py()
    assert len(list(table.scan(row_filter=f"vehicle_ref = '{vehicle}'").plan_files())) == 1
    for text, matches in {
        f"vehicle_ref = '{vehicle}'": lambda r: r["vehicle_ref"] == vehicle,
        "speed_kmh > 100": lambda r: r["speed_kmh"] > 100,
        "speed_kmh = 119": lambda r: r["speed_kmh"] == 119,
        "seq >= 190": lambda r: r["seq"] >= 190,
        "firmware = '2.0.0'": lambda r: r["firmware"] == "2.0.0",
        "is_late = true": lambda r: r["is_late"],
        "time_to_collision_s IS NULL": lambda r: r["time_to_collision_s"] is None,
        "event_time < '2025-11-24T16:00:30+00:00'": lambda r: r["seq"] < 30,
        "vehicle_class = 'VEHICLE_CLASS_VAN'": lambda r: False,
    }.items():
        found = table.scan(row_filter=text).to_arrow().num_rows
        wanted = sum(1 for row in rows.select(
            ["vehicle_ref", "speed_kmh", "seq", "firmware", "is_late", "time_to_collision_s"]
        ).to_pylist() if matches(row))
        assert found == wanted, text


def test_kill_9_of_lake_and_committer_neither_loses_nor_doubles(tmp_path):
    seed = random.randrange(1 << 32)
    print("seed", seed)
    dice = random.Random(seed)
    written = [make_log(tmp_path, "--vehicles", 10, "--reports", 100)]
    lake, committer = start_lake(tmp_path), start_committer(tmp_path)
    try:
        for round_ in range(2, 12):
            written.append(make_log(tmp_path, "--vehicles", 10, "--reports", 60, "--seed", round_,
                                    "--more"))
            let_run(dice.uniform(0, 1.2))
            if dice.random() < 0.5:
                lake = killed(lake, start_lake, tmp_path)
            else:
                committer = killed(committer, start_committer, tmp_path)
        wait_until_in(tmp_path, sum(part["rows"] for part in written))
        for process in (lake, committer):
            wait_until_it_takes_signals(process)
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=5) == 0
    finally:
        for process in (lake, committer):
            process.kill()
            process.wait()
    run_once(tmp_path)
    assert contents(tmp_path) == expected(*written)


def killed(process, start, folder):
    process.kill()
    process.wait()
    return start(folder)


def wait_until_it_takes_signals(process):
    """One that was just started would be ended by SIGTERM itself."""
    def does():
        lines = pathlib.Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8").splitlines()
        masks = [line.split()[1] for line in lines if line.startswith(("SigCgt:", "SigBlk:"))]
        return any(int(mask, 16) >> (signal.SIGTERM - 1) & 1 for mask in masks)
    wait_for(f"process {process.pid} to take signals", does)


def wait_until_in(folder, rows):
    from telltale_lake.reader import status

    def is_in():
        found = status(folder)
        return found["tables"]["telemetry"]["rows"] >= rows and not found["pending_handoffs"]

    wait_for(f"{rows} rows in the table", is_in, DRAIN_S)


def test_the_command_line_explains_itself():
    text = subprocess.run([LAKE, "--help"], capture_output=True, text=True, check=True).stdout
    assert "--dir" in text and "--once" in text
    refused = subprocess.run([LAKE], capture_output=True, text=True, check=False)
    assert refused.returncode != 0


def test_what_the_fleet_got_acknowledged_is_in_the_table_once(installation, tmp_path):
    fleet = Fleet(installation, tmp_path).start("sim", "--vehicles", 8, "--duration", 12,
                                                "--seed", 5)
    cars = fleet.wait()
    accounts.drain(installation)
    refs = accounts.references(installation)
    found = accounts.lake_identities(installation)
    assert set(found) >= accounts.by_reference(cars.accepted(), refs)
    assert set(found) <= accounts.by_reference(cars.reports, refs)
    assert set(found.values()) == {1}
    sums = accounts.query(installation, "SELECT sum(received)::BIGINT AS n FROM arrivals_sum")
    assert sums[0]["n"] == len(found)
    # Two firmware versions share the table; what only the newer sends is null for the older.
    tires = accounts.query(installation, "SELECT firmware, count(tires) AS n, count(*) AS rows "
                                         "FROM telemetry GROUP BY firmware ORDER BY firmware")
    assert [row["firmware"] for row in tires] == ["1.0.0", "2.0.0"]
    assert tires[0]["n"] == 0 and tires[1]["n"] > 0


def test_no_cell_of_the_table_is_finer_than_level_9_and_none_moves_within_a_quarter(
        installation, tmp_path):
    Fleet(installation, tmp_path).start("sim", "--vehicles", 6, "--duration", 10).wait()
    accounts.drain(installation)
    finer = accounts.query(installation, "SELECT count(*) AS n FROM telemetry "
                                         "WHERE cell & ((1::BIGINT << 42) - 1) != 0")
    assert finer[0]["n"] == 0
    held = accounts.query(installation, """
        SELECT max(cells) AS most, sum(cells) AS total FROM (
            SELECT count(DISTINCT cell) AS cells FROM telemetry WHERE cell IS NOT NULL
            GROUP BY vehicle_ref, time_bucket(INTERVAL 15 MINUTE, event_time))""")
    assert held[0]["most"] == 1
    assert held[0]["total"] > 0


def traces(folder, reference):
    """Files below data/lake that tell the reference, as they are or in what Parquet packs. (Its raw
    bytes are mostly zeros here; src/lake/erasure_test.cc looks for such in the state.)"""
    import pyarrow.parquet as pq
    wanted = (reference.encode(), reference.encode().hex().encode())
    found = []
    for path in sorted((folder / "data" / "lake").rglob("*")):
        if path.is_file():
            texts = [path.read_bytes()]
            if path.suffix == ".parquet":
                columns = [n for n in pq.read_schema(path).names if n == "vehicle_ref"]
                texts.append(repr(pq.read_table(path, columns=columns).to_pylist()).encode())
            if any(form in text for form in wanted for text in texts):
                found.append(str(path.relative_to(folder)))
    return found


def test_an_erased_vehicle_is_nowhere_in_the_lake_and_never_comes_back(tmp_path):
    import telltale_lake
    make_log(tmp_path, "--vehicles", 6, "--reports", 80)
    run_once(tmp_path)
    query = ("SELECT * FROM telemetry WHERE vehicle_ref != '{}' "
             "ORDER BY vehicle_ref, boot_counter, seq")
    rows = telltale_lake.connect(tmp_path).sql(
        "SELECT vehicle_ref, count(*) FROM telemetry GROUP BY 1 ORDER BY 1").fetchall()
    gone, count = rows[-1]
    before = telltale_lake.connect(tmp_path).sql(query.format(gone)).fetchall()
    assert traces(tmp_path, gone)

    def erase(wait):
        done = subprocess.run([sys.executable, "-m", "telltale_lake", "erase", "--dir", tmp_path,
                               "--vehicle", gone, "--wait", str(wait), "--json"], env=ENVIRONMENT,
                              capture_output=True, text=True, check=False)
        return done.returncode, json.loads(done.stdout)

    status, receipt = erase(0)
    assert (status, receipt["waiting_for"]) == (3, "telltale-lake")
    run_once(tmp_path)  # nothing new to read: the lake writes a hand-off all the same
    status, receipt = erase(0)
    assert status == 0 and receipt["complete"]
    assert receipt["stores"][-1]["table"] == "telltale.telemetry"
    assert receipt["stores"][-1]["rows"] == count
    assert traces(tmp_path, gone) == []
    assert telltale_lake.connect(tmp_path).sql(query.format(gone)).fetchall() == before
    # The same cars again, and new reports of theirs: the log knows nothing of erasures.
    make_log(tmp_path, "--vehicles", 6, "--reports", 40, "--seed", 2, "--more")
    run_once(tmp_path)
    assert traces(tmp_path, gone) == []
    table = telltale_lake.catalog(tmp_path).load_table("telltale.telemetry")
    left = table.scan(row_filter=f"vehicle_ref = '{rows[0][0]}'").to_arrow()
    assert left.num_rows > rows[0][1]
