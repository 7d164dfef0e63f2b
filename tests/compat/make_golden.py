#!/usr/bin/env python3
"""Makes the golden files of one version with the programs that are built: tests/compat/VERSION/.

usage: tests/compat/make_golden.py v4

Run it once when a new version of a format is released, and commit what it makes. It refuses a
version that is there. The keys in it are made for this alone and marked as a demonstration's.
"""

import json
import pathlib
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e"), str(HERE.parent.parent / "python")]

import formats  # noqa: E402
import readers  # noqa: E402
import test_alerts  # noqa: E402
from control_plane import Control  # noqa: E402
from feed import FeedFollower  # noqa: E402
from releases import write_sources  # noqa: E402
from telltale import Installation  # noqa: E402
from telltale_lake import reader  # noqa: E402
from waiting import wait_for  # noqa: E402


DECLARED = """declared:
  - {rule: hard_braking, fires_percent: [-20, 0], why: the set}
"""


def at(count):
    return {"latitude_deg": [48.137154] * count, "longitude_deg": [11.576124] * count}


def frames(installation):
    return installation.counters("vault").get("frames_stored", 0)


def rows(installation):
    return reader.status(installation.dir)["tables"]["telemetry"]["rows"]


def drive(installation, folder):
    car = test_alerts.Car(installation, folder)
    with FeedFollower(lambda: installation.feed_port) as following:
        reports = test_alerts.braking(6.5)
        car.publish(car.batch(reports, **at(len(reports))))
        wait_for("the alert to open and to close", lambda: len(following.changes()) == 2)
        car.publish(b"\xff no batch: goes to quarantine")
        wait_for("the quarantine record",
                 lambda: installation.counters("gateway").get("batches_quarantined", 0) == 1)
    wait_for("the vault to have both", lambda: frames(installation) >= 2)
    wait_for("rows in the table", lambda: rows(installation) == 6)
    wait_for("a hand-off with rows", lambda: any(
        '"files":[{' in path.read_text()
        for path in (installation.data / "lake" / "handoff").glob("*.json")))


def ask_for_a_release(installation, scratch):
    """A release pushed and promoted, in an environment that is held: nothing moves."""
    control = Control(installation)
    sources = write_sources(pathlib.Path(scratch) / "sources", "softer", [], declared=DECLARED)
    control.tell("release", "push", sources)
    control.tell("control", "token", "new", "ann")
    control.put("/v1/role-bindings/ann", {"subject": "token:ann", "role": "viewer"})
    control.put("/v1/policies/held", {"kind": "demo", "stages": [{"per_10000": 10000}]})
    control.add_environment("dev", installation, "held")
    control.tell("hold", "dev", "--reason", "for the golden set")
    control.tell("promote", "dev", "softer")
    wait_for("the rollout to wait", lambda: [
        one for one in control.rollouts("dev") if one["waits_for"]])


def main(version):
    if (formats.HERE / version).exists():
        raise SystemExit(f"{version} is there already: golden files are never overwritten")
    with tempfile.TemporaryDirectory() as scratch:
        installation = Installation()
        try:
            installation.init("--partitions", 2, "--shards", 1, "--users", "single", "--demo",
                              lake__cadence_s=1, control__http="on", control__port=0)
            installation.start("--demo")
            drive(installation, scratch)
            ask_for_a_release(installation, scratch)
            installation.stop()
            made_at_us = time.time_ns() // 1000
            formats.save(installation.dir, version)
        finally:
            installation.end_everything()
        again = pathlib.Path(scratch) / "again"
        formats.restore(version, again)
        (again / "telltale.yaml").write_text(readers.SETTINGS, encoding="utf-8")
        expected = readers.everything(again, test_alerts.VIN)
        # The vault's hours pass: its reader in C++ sets the clock to this.
        expected["made_at_us"] = made_at_us
        installation.remove()
    path = formats.HERE / version / "expected.json"
    path.write_text(json.dumps(expected, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
