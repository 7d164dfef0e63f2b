"""`telltale up`: several environments on one machine, what feeds them, and one end for all."""

import json
import signal
import subprocess

import pytest

from control_plane import Control
from telltale import ROOT, TELLTALE, Installation
from trials import WITHOUT, Trial
from waiting import wait_for

TWO = f"""
environments:
  - key: staging
    kind: staging
    policy: small
    settings: {{log.partitions: 4, log.segment_bytes: 4194304}}
    without: {WITHOUT}
  - key: prod
    kind: prod
    upstream: staging
    policy: standard
    settings: {{log.partitions: 4, log.segment_bytes: 4194304}}
    without: {WITHOUT}
    sim: {{vehicles: 6, hz: 5}}
mirrors:
  - {{key: to-staging, from: prod, to: staging, per_10000: 10000}}
"""


@pytest.fixture(name="trial")
def _trial(request):
    trial = Trial(getattr(request, "param", TWO))
    yield trial
    failed = getattr(request.node, "failed", False)
    trial.end_everything()
    if failed:
        print(f"kept for looking: {trial.folder}")
    else:
        trial.remove()


def gateway_counts(trial, key):
    path = trial.data / key / "run" / "counters" / "gateway.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def test_what_drives_in_one_environment_arrives_in_the_one_that_is_mirrored(trial):
    trial.start()
    state = trial.state()
    ports = [one[name] for one in state["environments"]
             for name in ("mqtt_port", "feed_port", "operations_port")]
    assert 0 not in ports and len(set(ports)) == len(ports) == 6

    def mirrored():
        counters = trial.data / "prod" / "data" / "mirror" / "to-staging" / "counters.json"
        return counters.exists() and json.loads(counters.read_text())["records_of_the_cohort"] > 50
    wait_for("the mirror to have sent something", mirrored, timeout_s=60)
    wait_for("a position of staging to be written",
             lambda: any((trial.data / "staging" / "data" / "log" / "telemetry").rglob("*.seg")))
    objects = trial.data / "objects"
    assert json.loads((objects / "environments" / "prod.json").read_text()) == {
        "key": "prod", "kind": "prod", "dir": str(trial.data / "prod"), "upstream": "staging",
        "policy": "standard", "deletion_protection": True}
    # A second one in the same folder is refused, and the first goes on.
    second = subprocess.run([TELLTALE, "up", "-f", trial.file, "--data", trial.data],
                            capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == 1 and "exists" in second.stderr
    trial.stop()
    assert not (trial.data / "run" / "ready").exists()


CONTROLLED = f"""
control: dev
environments:
  - key: dev
    kind: dev
    policy: quick
    settings: {{log.partitions: 4, log.segment_bytes: 4194304}}
    without: {WITHOUT}
  - key: prod
    kind: prod
    upstream: dev
    policy: quick
    settings: {{log.partitions: 4, log.segment_bytes: 4194304}}
    without: {WITHOUT}
mirrors:
  - {{key: to-dev, from: prod, to: dev, per_10000: 500}}
"""


@pytest.mark.parametrize("trial", [CONTROLLED], indirect=True, ids=["with-control"])
def test_its_control_plane_has_the_environments_and_reaches_them_again_after_a_restart(trial):
    policies = trial.folder / "policies"
    policies.mkdir()
    (policies / "quick.yaml").write_text(
        "key: quick\nkind: demo\nstages: [{per_10000: 10000}]\n", encoding="utf-8")
    for _ in range(2):
        trial.start()
        control = Control(Installation(trial.data / "dev"))
        wait_for("control to have looked at both", lambda: [
            one["key"] for one in control.get("/v1/status")["environments"]
            if one["reachable"] and one["stable"]] == ["dev", "prod"])
        for key, upstream in (("dev", ""), ("prod", "dev")):
            assert control.get(f"/v1/environments/{key}") == {
                "key": key, "kind": key, "dir": str(trial.data / key), "upstream": upstream,
                "policy": "quick", "deletion_protection": key == "prod"}
        (mirror,) = control.get("/v1/mirrors")["items"]
        assert (mirror["from"], mirror["to"], mirror["per_10000"]) == ("prod", "dev", 500)
        assert trial.environment("dev")["control_port"] == control.port
        assert "control_port" not in trial.environment("prod")
        trial.stop()


def test_killed_it_takes_everything_along_and_comes_back_to_the_same_folders(trial):
    trial.start()
    family = trial.family()
    keys = (trial.data / "prod" / "keys" / "control.pub").read_bytes()
    trial.process.send_signal(signal.SIGKILL)
    trial.process.wait()
    wait_for("every process of it to be gone",
             lambda: not [one for one in family if one.runs()], timeout_s=30)
    trial.start()
    assert (trial.data / "prod" / "keys" / "control.pub").read_bytes() == keys
    down = subprocess.run([TELLTALE, "up", "--down", "--data", trial.data], capture_output=True,
                          text=True, timeout=90, check=False)
    assert down.returncode == 0, down.stderr
    assert trial.process.wait(timeout=10) == 0
    again = subprocess.run([TELLTALE, "up", "--down", "--data", trial.data], capture_output=True,
                           text=True, timeout=90, check=False)
    assert again.returncode == 1 and "not_found" in again.stderr


@pytest.mark.parametrize("text, says", [
    ("environments: []", "there must be one"),
    ("environments: [{key: a, kind: dev}, {key: a, kind: dev}]", "this key is there already"),
    ("environments: [{key: A, kind: dev}]", "key must be"),
    ("environments: [{key: a, kind: trial}]", "kind must be"),
    ("environments: [{key: a, kind: dev, upstream: b}]", "upstream must be"),
    ("environments: [{key: a, kind: dev, without: [door]}]", "a role is one of"),
    ("environments: [{key: a, kind: dev, settings: {no.such: 1}}]", "no.such=1 is no setting"),
    ("environments: [{key: a, kind: dev, colour: red}]", "unknown key"),
    ("environments: [{key: a, kind: dev, sim: {vehicles: many}}]", "vehicles is not"),
    ("control: b\nenvironments: [{key: a, kind: dev}]", "control must be"),
    ("environments: [{key: a, kind: dev}, {key: b, kind: prod}]\n"
     "mirrors: [{key: m, from: a, to: b, per_10000: 1}]", "nothing is mirrored into"),
    ("environments: [{key: a", "trial.yaml:"),
])
def test_a_mistake_in_the_file_is_named_and_starts_nothing(tmp_path, text, says):
    path = tmp_path / "trial.yaml"
    path.write_text(text, encoding="utf-8")
    done = subprocess.run([TELLTALE, "up", "-f", path, "--data", tmp_path / "t"],
                          capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1 and says in done.stderr, done.stderr
    assert not list((tmp_path / "t").rglob("telltale.yaml"))


def test_the_trial_that_comes_with_telltale_has_no_mistake():
    done = subprocess.run([TELLTALE, "up", "-f", ROOT / "deploy" / "trial", "--check"],
                          capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
