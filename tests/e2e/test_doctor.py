"""`telltale doctor` on a real installation: after a kill under load, and while it is served."""

import json

from fleet import Fleet
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
