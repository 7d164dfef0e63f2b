"""A rollout with the commands that people use: pushed over the API, promoted by name, followed to
its end, and another one taken back while it speaks for half of the cars."""

import json
import subprocess

import pytest

from control_plane import Control
from telltale import TELLTALE
from test_release import sources
from test_two_releases import Cars
from waiting import wait_for

# The second car is among the first half whatever the salt; a soak that no test waits for.
OBJECTS = {
    "cohort": "key: second-car\nalways: ['{ref}']\n",
    "policy": """\
key: quick
kind: demo
cohort: second-car
stages:
  - {{per_10000: 5000, shadow_s: 0, soak_s: {soak_s}}}
  - {{per_10000: 10000, shadow_s: 0, soak_s: 0}}
warm_up_s: 1
rollback_window_s: 1
""",
    "environment": "key: prod\nkind: dev\ndir: {dir}\npolicy: quick\n",
}


@pytest.fixture
def control(new_installation):
    installation = new_installation().init(
        "--partitions", "1", "--shards", "1", control__http="on", control__port=0)
    return Control(installation.start())


def put(control, folder, kind, **values):
    file = folder / f"{kind}.yaml"
    file.write_text(OBJECTS[kind].format(**values), encoding="utf-8")
    control.tell(kind, "put", "-f", file)


def over_http(control, *words):
    """Runs a command as from another machine: with an address and a token alone."""
    token = control.installation.dir / "run" / "control.token"
    return control.installation.run(*words, "--control", control.url, "--token-file", token)


def push(control, folder, name, level):
    """Sources built, signed and pushed over the API; the release's id."""
    key = control.installation.dir / "keys" / "release.key"
    pushed = over_http(control, "release", "push", sources(folder / name, name=name, level=level),
                       "--key", key, "--json")
    return json.loads(pushed.stdout)["id"]


def watch(control, rollout):
    return subprocess.Popen(
        [TELLTALE, "rollout", "watch", rollout, "--json", "--dir", control.installation.dir],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def seen_by(watcher):
    """Phases in their order, each once in a row, and the exit code."""
    out, errors = watcher.communicate(timeout=60)
    phases = []
    for line in out.splitlines():
        phase = json.loads(line)["phase"]
        if phases[-1:] != [phase]:
            phases.append(phase)
    assert phases, errors
    return phases, watcher.returncode


def environment(control):
    [found] = control.ask("GET", "/v1/status")[1]["environments"]
    return found


def rollout(control, key):
    return json.loads(control.tell("rollout", "show", key, "--json").stdout)


def test_a_release_goes_its_way_and_the_next_one_is_taken_back(control, tmp_path):
    cars = Cars(control.installation, tmp_path)
    cars.brake()
    put(control, tmp_path, "cohort", ref=cars.ref("WVWZZZ1KZAW000001"))
    put(control, tmp_path, "policy", soak_s=0)
    put(control, tmp_path, "environment", dir=control.installation.dir)
    first = push(control, tmp_path, "first", "4.0")
    begun = json.loads(control.tell("promote", "prod", "first", "--json").stdout)["rollout"]
    assert begun["candidate"] == first
    phases, code = seen_by(watch(control, begun["id"]))
    assert (phases[-1], code) == ("closed", 0), rollout(control, begun["id"])
    assert environment(control)["stable"] == first
    assert "# " in control.tell("rollout", "report", begun["id"]).stdout

    put(control, tmp_path, "policy", soak_s=3600)
    second = push(control, tmp_path, "second", "4.1")
    begun = json.loads(control.tell("promote", "prod", second[:8], "--json").stdout)["rollout"]
    watcher = watch(control, begun["id"])
    wait_for("half of the cars to be the second release's",
             lambda: [one for one in rollout(control, begun["id"])["waits_for"]
                      if one["code"] == "soak_time"])
    back = control.tell("rollback", "prod", "--reason", "a test", "--json")
    answer = json.loads(back.stdout)
    assert answer["partitions"]["pending"] == 0 and answer["partitions"]["flipped"] > 0
    phases, code = seen_by(watcher)
    assert (phases[-1], code) == ("withdrawn", 3)
    assert environment(control)["effective_release"] == first
