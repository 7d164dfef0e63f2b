"""What each firmware sends of each field, end to end: a log, telltale-lake, the committer, and
`python -m telltale_lake coverage`. The counts are held against the rows of table `telemetry`."""

import json
import subprocess
import sys

from telltale import TELLTALE
from test_lake import CONTRACT, ENVIRONMENT, MAKE_LOG, make_log, run_once


def coverage(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "telltale_lake", "coverage", "--dir", folder, *arguments],
        capture_output=True, text=True, check=False, env=ENVIRONMENT,
    )  # fmt: skip


def test_coverage_is_what_the_rows_say(tmp_path):
    assert MAKE_LOG.exists() and CONTRACT.exists(), "run `make build` first"
    make_log(tmp_path, "--vehicles", 12, "--reports", 200)
    run_once(tmp_path)
    make_log(tmp_path, "--vehicles", 12, "--reports", 100, "--seed", 2, "--more")
    run_once(tmp_path)
    import telltale_lake

    db = telltale_lake.connect(tmp_path)
    shown = json.loads(coverage(tmp_path, "--json").stdout)
    assert len(shown["fields"]) > 200
    reports = dict(db.sql("SELECT firmware, count(*) FROM telemetry GROUP BY 1").fetchall())
    assert reports == {"1.0.0": 1800, "2.0.0": 1800}
    present, sent = {}, set()
    for row in shown["fields"]:
        (column,) = row["columns"]
        assert row["reports"] == reports[row["firmware"]]
        assert row["null"] == row["reports"] - row["present"], "nothing was out of range"
        present[row["firmware"], column] = row["present"]
        if row["present"]:
            sent.add(column)
    assert {"speed_kmh", "tires", "time_to_collision_s", "vehicle_class", "cell"} <= sent
    columns = {name for name, *_ in db.sql("DESCRIBE telemetry").fetchall()}
    withheld = {column for _, column in present} - columns
    assert withheld == {"acceleration_lateral_mps2", "heading_octant", "roll_rate_dps",
                        "steering_wheel_angle_deg", "yaw_rate_dps"}, "they tell turns"
    for column in sorted({column for _, column in present} & columns):
        in_table = db.sql(f'SELECT firmware, count("{column}") FROM telemetry GROUP BY 1')
        for firmware, count in in_table.fetchall():
            assert present[firmware, column] == count, (firmware, column)
    numbers = db.sql(
        "SELECT s.firmware, s.value_count = t.n, s.value_min = t.least, s.value_max = t.greatest, "
        "s.value_sum = t.total, s.first_seen = t.first, s.last_seen = t.last FROM coverage_sum s "
        "JOIN (SELECT firmware, count(speed_kmh) AS n, min(speed_kmh) AS least, max(speed_kmh) AS "
        "greatest, sum(speed_kmh::DOUBLE) AS total, min(event_time) AS first, max(event_time) AS "
        "last FROM telemetry GROUP BY 1) t USING (firmware) WHERE s.field_name = 'speed_kmh' "
        "ORDER BY 1"
    ).fetchall()
    assert numbers == [(firmware, *[True] * 6) for firmware in ("1.0.0", "2.0.0")]


def test_a_healthy_fleet_passes_the_check(tmp_path):
    make_log(tmp_path, "--vehicles", 12, "--reports", 200)
    run_once(tmp_path)
    done = coverage(tmp_path, "--check")
    assert done.returncode == 0, done.stdout
    assert "nothing is flagged" in done.stdout


def test_the_program_tells_the_same(tmp_path):
    make_log(tmp_path, "--vehicles", 12, "--reports", 200)
    run_once(tmp_path)
    for arguments in (["--json"], ["--firmware", "1.0.0"], ["--check"]):
        done = subprocess.run(
            [TELLTALE, "contract", "coverage", "--dir", tmp_path, *arguments],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        expected = coverage(tmp_path, *arguments)
        assert (done.returncode, done.stdout) == (expected.returncode, expected.stdout), done.stderr
        assert done.stdout
    empty = tmp_path / "empty"
    empty.mkdir()
    command = [TELLTALE, "contract", "coverage", "--dir", empty]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode == 1 and "telltale init" in refused.stderr, refused.stderr
