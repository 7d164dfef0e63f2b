"""`telltale replay`: a recording through the real door, and what it says of the files."""

import json
import subprocess

import accounts
from telltale import TELLTALE

# An electric car: a fix that is repeated, a row without a time, a fix anew.
TRIP = """Date,Time,Soc,Speed,Mode,LAT,LON,ALT,GpsSpeed
03/29/2021,16:49:29,97.7,9.1,D,33.985714,-6.724539,143,4.2
03/29/2021,16:49:30,97.6,9.9,D,33.985714,-6.724539,143,4.2
90/02/2032,16:49:31,97.6,9.9,D,33.985714,-6.724539,143,4.2
03/29/2021,16:49:32,97.5,12.5,R,33.986008,-6.724935,143,10.7
"""


def test_what_a_reader_counts_is_what_the_table_has(installation, tmp_path):
    trip = tmp_path / "trip.csv"
    trip.write_text(TRIP, encoding="utf-8")
    vehicles = tmp_path / "vehicles.csv"
    words = ("replay", "--format", "twizy-csv")
    installation.run(*words, "--write-vehicles", vehicles, trip)
    installation.run("vehicles", "import", vehicles, "--dir", installation.dir)
    keys = ("--dir", installation.dir, "--cars", tmp_path / "keys")
    sent = installation.run(*words, *keys, "--keep-times", "--json", trip)
    totals = json.loads(sent.stdout)
    [source] = totals["sources"]
    assert (source["rows"], source["reports"], totals["reports_acked"]) == (4, 3, 3)
    assert source["dropped"] == {"source_no_time": 1}
    assert source["values_dropped"] == {"value_carried_forward": 3}
    assert f"{trip}: 1 drives, 4 rows, 3 reports, source_no_time 1" in sent.stderr

    accounts.drain(installation)
    rows = accounts.query(
        installation,
        "SELECT speed_kmh, traction_battery_soc_percent AS soc, gear_selection AS gear, "
        "epoch_us(event_time) AS at FROM telemetry ORDER BY seq",
    )
    assert [round(row["speed_kmh"], 3) for row in rows] == [9.1, 9.9, 12.5]
    assert [round(row["soc"], 3) for row in rows] == [97.7, 97.6, 97.5]
    assert rows[2]["gear"] == "GEAR_SELECTION_REVERSE"
    # Kept as recorded: 15:49:29 UTC, for Morocco is an hour ahead.
    assert [row["at"] - 1617032969000000 for row in rows] == [0, 1000000, 3000000]


def test_reading_alone_sends_nothing_and_needs_no_installation(tmp_path):
    trip = tmp_path / "trip.csv"
    trip.write_text(TRIP, encoding="utf-8")

    def replay(*words):
        return subprocess.run(
            [TELLTALE, "replay", *map(str, words)], capture_output=True, text=True, check=False
        )

    read = replay("--format", "twizy-csv", "--dry-run", "--json", trip)
    assert read.returncode == 0
    assert json.loads(read.stdout)["sources"][0]["reports"] == 3
    listed = json.loads(replay("--list", "--json").stdout)
    names = [entry["name"] for entry in listed]
    assert "twizy-csv" in names and names == sorted(names)
    assert [entry["name"] for entry in listed if entry["takes_folder"]] == ["comma2k19"]
    twice = replay("--format", "twizy-csv", "--dry-run", trip, trip)
    assert twice.returncode != 0 and "give each once" in twice.stderr

    undated = tmp_path / "points.csv"
    undated.write_text(
        "trajectory_id,timestamp,x,y,groundtruth\n"
        "0,1964-01-12 00:00:00,0,0,Driving\n0,1964-01-12 00:00:05,30,40,Driving\n",
        encoding="utf-8",
    )
    kept = replay("--format", "goal-csv", "--dry-run", "--keep-times", undated)
    assert kept.returncode != 0 and "no date that could be kept" in kept.stderr
