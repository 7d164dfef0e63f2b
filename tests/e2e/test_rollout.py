"""A rollout with the commands that people use: pushed over the API, promoted by name, followed to
its end, and another one taken back while it speaks for one of two cars."""

import json
import subprocess

import pytest

import accounts
import releases
from control_plane import Control
from feed import FeedFollower
from telltale import TELLTALE
from test_release import sources
from test_two_releases import VINS, Cars
from waiting import wait_for

# One car comes first whatever the salt, and the other one last.
FIRST_VIN, LAST_VIN = VINS
OBJECTS = {
    "cohort": "key: one-car\nalways: ['{ref}']\n",
    "policy": """\
key: quick
kind: demo
cohort: one-car
stages:
  - {{per_10000: 1, shadow_s: 0, soak_s: {soak_s}}}
  - {{per_10000: 10000, shadow_s: 0, soak_s: 0}}
warm_up_s: 1
rollback_window_s: 1
""",
    "environment": "key: prod\nkind: dev\ndir: {dir}\npolicy: quick\n",
}


@pytest.fixture
def control(new_installation):
    installation = new_installation().init(
        "--partitions", "1", "--shards", "1", lake__cadence_s=1, control__http="on",
        control__port=0)
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


def preview(control, share):
    return json.loads(control.tell("cohort", "preview", "one-car", "--environment", "prod",
                                   "--share", share, "--json").stdout)


def rollout(control, key):
    return json.loads(control.tell("rollout", "show", key, "--json").stdout)


class Drives:
    """Both cars brake; who speaks of each of them."""

    def __init__(self, cars, feed):
        self.cars = cars
        self.feed = feed
        self.first, self.last = None, None
        self.brakes = 0

    def brake(self):
        """Release by car of the two alerts of one more braking."""
        self.cars.brake()
        self.brakes += 1
        opened = wait_for("an alert of each car", lambda: self.opened(2 * self.brakes))
        self.first, self.last = map(self.cars.ref, (FIRST_VIN, LAST_VIN))
        return {one.alert["vehicle_ref"]: one.alert["release"] for one in opened[-2:]}

    def opened(self, count):
        opened = self.feed.opened()
        assert len(opened) <= count, "an alert was published twice"
        return opened if len(opened) == count else None


def test_a_release_goes_its_way_and_the_next_one_is_taken_back(control, tmp_path):
    installation = control.installation
    with FeedFollower(lambda: installation.feed_port) as feed:
        drives = Drives(Cars(installation, tmp_path), feed)
        before = releases.stable_of(installation)
        assert set(drives.brake().values()) == {before}
        put(control, tmp_path, "cohort", ref=drives.first)
        put(control, tmp_path, "policy", soak_s=0)
        put(control, tmp_path, "environment", dir=installation.dir)
        seen = preview(control, 1)
        assert seen["vehicles"] == {"in": 1, "out": 1}
        assert "firmware" not in {one["by"] for one in seen["strata"]}
        assert preview(control, 10000)["vehicles"] == {"in": 2, "out": 0}

        new = push(control, tmp_path, "new", "3.95")
        begun = json.loads(control.tell("promote", "prod", "new", "--json").stdout)["rollout"]
        assert begun["candidate"] == new
        phases, code = seen_by(watch(control, begun["id"]))
        assert (phases[-1], code) == ("closed", 0), rollout(control, begun["id"])
        assert environment(control)["stable"] == new
        costs = rollout(control, begun["id"])["costs"]
        assert costs["candidate_cpu_s"] > 0, "it ran beside the speaker"
        assert "CPU beside the speaker: candidate" in control.tell("rollout", "show",
                                                                   begun["id"]).stdout
        assert "## What it cost" in control.tell("rollout", "report", begun["id"]).stdout
        both = {drives.first, drives.last}
        assert drives.brake() == dict.fromkeys(both, new)

        put(control, tmp_path, "policy", soak_s=3600)
        bad = push(control, tmp_path, "bad", "3.96")
        begun = json.loads(control.tell("promote", "prod", bad[:8], "--json").stdout)["rollout"]
        watcher = watch(control, begun["id"])
        wait_for("the one car to be the second release's",
                 lambda: [one for one in rollout(control, begun["id"])["waits_for"]
                          if one["code"] == "soak_time"])
        assert drives.brake() == {drives.first: bad, drives.last: new}
        answer = json.loads(control.tell("rollback", "prod", "--reason", "a test", "--json").stdout)
        assert answer["partitions"] == {"flipped": 1, "pending": 0}
        assert drives.brake() == dict.fromkeys(both, new)
        phases, code = seen_by(watcher)
        assert (phases[-1], code) == ("withdrawn", 3)
        assert environment(control)["effective_release"] == new


def test_a_rehearsal_is_recorded_where_it_counts(control, tmp_path):
    installation = control.installation
    drives_of = Cars(installation, tmp_path)
    drives_of.brake()
    put(control, tmp_path, "cohort", ref=drives_of.ref(FIRST_VIN))
    put(control, tmp_path, "policy", soak_s=0)
    put(control, tmp_path, "environment", dir=installation.dir)
    accounts.drain(installation)
    folder = sources(tmp_path / "same", name="same", declared="", level="3.93")
    words = ["rehearse", folder, "--dir", installation.dir, "--last", "1h", "--quiet", "--json",
             "--record-in"]
    mistyped = installation.run(*words, "prdo", check=False)
    assert mistyped.returncode == 2 and mistyped.stdout == "", "before the work"
    report = json.loads(installation.run(*words, "prod").stdout)
    assert report["verdict"] == "pass"
    [kept] = json.loads(control.tell("rehearsal", "list", "prod", "--json").stdout)["items"]
    assert (kept["release"], kept["report"]) == (report["release"], report)
    assert f"{report['release'][:12]}  pass " in control.tell("rehearsal", "list", "prod").stdout
