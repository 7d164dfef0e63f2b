"""What a candidate release would have put into the lake: control has it computed while a rollout
runs, compared with what is there, and closed when the rollout is over."""

import json
import os
import subprocess
import sys

import pytest

from telltale import ROOT
from test_alerts import Car
from trial import Trial, build_and_push, demo_policy, write_release
from waiting import wait_for, wait_for_file

TRIP = [-0.5, -1.0, -1.5, -1.0, -0.5, -0.5]  # nothing that any rule tells
# A release that says another reason for the cycle of a car that sends no voltage.
EDIT = ("no_voltage", "no_volt")
QUICK = demo_policy((10000, 1, 600), warm_up_s=1)
NICE_S = 120  # a run gives way to all else on the machine


@pytest.fixture
def trial(tmp_path_factory):
    made = Trial(tmp_path_factory.mktemp("t"), ("prod",))
    made.init("--partitions", 1, "--shards", 1, lake__cadence_s=1)
    made.start()
    yield made
    made.end_everything()


def lake(site, *words):
    done = subprocess.run(
        [sys.executable, "-m", "telltale_lake", *words, "--dir", site.dir, "--json"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "python")}, capture_output=True, text=True,
        check=True)
    return json.loads(done.stdout)


def features_release(folder, name):
    made = write_release(folder, name)
    (made / "features").mkdir()
    for path in (ROOT / "features").glob("*.sql"):
        text = path.read_text(encoding="utf-8")
        if path.stem == "crank_dip":
            assert EDIT[0] in text
            text = text.replace(*EDIT)
        (made / "features" / path.name).write_text(text, encoding="utf-8")
    return made


def drive_until(car, control, rollout, phase):
    """A candidate gets warm by the log's time: somebody has to drive."""
    def there():
        car.publish(car.batch(TRIP))
        return control.get(f"/v1/rollouts/{rollout}")["phase"] == phase
    wait_for(f"{rollout} to be {phase}", there)


def closed(path):
    return json.loads(path.read_text(encoding="utf-8"))["closed_at_us"]


def test_a_candidates_feature_is_compared_in_its_rollout_and_closed_with_it(trial, tmp_path):
    site = trial.home
    control = trial.register({"prod": QUICK})
    car = Car(site, tmp_path)
    car.publish(car.batch(TRIP))
    wait_for("the car's reports in the lake", lambda: any(
        (site.data / "lake" / "warehouse" / "telemetry").rglob("*.metadata.json")))

    # The rules alone differ: nothing of the lake can.
    rules = build_and_push(site, write_release(tmp_path, "rules-alone", more_rules="# a remark\n"))
    first = control.promote("prod", rules, "prod")
    drive_until(car, control, first["id"], "authority")

    candidate = build_and_push(site, features_release(tmp_path, "other-reason"))
    control.post("/v1/environments/prod/rollback", {"reason": "another first"})
    second = control.promote("prod", candidate, "prod")
    drive_until(car, control, second["id"], "shadow")
    folder = site.data / "lake" / "shadow"
    report = json.loads(wait_for_file(folder / candidate / "features.json", NICE_S))
    assert report["salt"] == second["cohort"]["salt"] and report["lots"] == 10002
    assert report["stable"] == second["stable"]
    found = {one["name"]: one for one in report["tables"]}
    assert found["fuel_trim_drift"]["status"] == "same_code"
    compared = found["crank_dip"]["comparison"]
    assert compared["changed"] == 1 and compared["missing"] == compared["extra"] == 0
    assert [one["name"] for one in compared["columns"]] == ["invalid_reason"]
    for told in (control.get(f"/v1/rollouts/{second['id']}"),
                 control.get("/v1/environments/prod/live")):
        finding = told["lake"]["features"]
        assert finding["verdict"] == "differs" and finding["at"]
        worst = finding["tables"][0]
        assert (worst["name"], worst["changed"], worst["vehicles_affected"]) == ("crank_dip", 1, 1)
        assert worst["worst"][0]["column"] == "invalid_reason"
        assert told["lake"]["telemetry"] is None
    written = control.get(f"/v1/rollouts/{second['id']}/report").decode()
    assert "| crank\\_dip | compared |" in written
    (table,) = lake(site, "shadow", "list")
    assert table["release"] == candidate and table["rows"] == 1 and table["closed_at_us"] is None

    control.post("/v1/environments/prod/rollback", {"reason": "seen enough"})
    wait_for("its shadow to be closed", lambda: closed(folder / candidate / "features.json"),
             NICE_S)
    (table,) = lake(site, "shadow", "list")
    assert table["closed_at_us"]
    assert [path.name for path in folder.iterdir()] == [candidate], "of the rules alone, nothing"
    trial.stop()
