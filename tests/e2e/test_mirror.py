"""`telltale mirror run`: one environment fed with a cohort of another, under pseudonyms."""

import json
import signal
import sqlite3
import subprocess
import time

import pytest

from fleet import Fleet
from segments import DATA, read_stream
from telltale import TELLTALE
from waiting import wait_for

WITHOUT = ("--without", "lake,committer,vault")


class Mirror:
    """One mirror between two installations; both are served."""

    def __init__(self, source, target):
        self.source = source
        self.target = target
        self.folder = source.data / "mirror" / "staging"

    def command(self, *words, share=5000):
        return [TELLTALE, "mirror", "run", "--from", self.source.dir, "--to", self.target.dir,
                "--share", str(share), "--name", "staging", *words]

    def once(self, *words, share=5000):
        """Sends what is there now; the totals."""
        done = subprocess.run(self.command("--once", "--json", *words, share=share),
                              capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def end_generation(self, in_s=0):
        """Of the one in the file; what it was."""
        path = self.folder / "generation"
        kept = json.loads(path.read_text(encoding="utf-8"))
        end = int((time.time() + in_s) * 1e6)
        path.write_text(json.dumps({**kept, "ends_at_us": end}), encoding="utf-8")
        return kept


def vehicles(installation):
    """{vin: reference in hex} of the registry."""
    uri = f"file:{installation.data}/registry/registry.db?mode=ro"
    with sqlite3.connect(uri, uri=True) as db:
        return {vin: ref.hex() for vin, ref in db.execute("SELECT vin, vehicle_ref FROM vehicles")}


def kinds(installation):
    """{(class, model)} of the registry."""
    uri = f"file:{installation.data}/registry/registry.db?mode=ro"
    with sqlite3.connect(uri, uri=True) as db:
        return set(db.execute("SELECT vehicle_class, model FROM vehicles"))


def reports(installation):
    """Every report in stream telemetry once, by its identity."""
    found = {}
    for record in read_stream(installation.data / "log", "telemetry"):
        if record.kind == DATA:
            found.setdefault(record.identity, record)
    return list(found.values())


def times_of(installation, references=None):
    return {one.event_time_us for one in reports(installation)
            if references is None or one.vehicle_ref in references}


def files_with(installation, needles):
    """Files of an installation in which one of the needles lies."""
    found = []
    for path in installation.dir.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            found += [path for needle in needles if needle in data]
    return found


@pytest.fixture(name="mirror")
def _mirror(new_installation):
    source = new_installation().init("--partitions", "4")
    target = new_installation().init("--partitions", "4", environment__side_effects="off")
    return Mirror(source.start(*WITHOUT), target.start(*WITHOUT))


def test_the_cohort_arrives_once_and_nothing_names_its_vehicles(mirror, tmp_path):
    fleet = Fleet(mirror.source, tmp_path).register("sim", "--vehicles", 20)
    fleet.start("sim", "--vehicles", 20, "--duration", 8).wait()
    totals = mirror.once("--start", "oldest")

    sent = reports(mirror.source)
    arrived = reports(mirror.target)
    names = vehicles(mirror.target)
    assert 0 < len(names) == totals["pseudonyms"] < 20
    assert all(vin.startswith("TTM") for vin in names)
    assert {kind for kind, _ in kinds(mirror.target)} <= {kind for kind, _ in kinds(mirror.source)}
    assert {kind for kind, _ in kinds(mirror.target)} - {0}
    assert {model for _, model in kinds(mirror.target)} == {""}
    # What arrived is whole vehicles: as many reports, at the same times.
    times = {}
    for one in sent:
        times.setdefault(one.vehicle_ref, set()).add(one.event_time_us)
    per_pseudonym = {}
    for one in arrived:
        per_pseudonym.setdefault(one.vehicle_ref, set()).add(one.event_time_us)
    assert all(moments in times.values() for moments in per_pseudonym.values())
    assert len(arrived) == totals["reports_acked"] == sum(map(len, per_pseudonym.values()))
    # Nothing twice, whatever batches the fleet repeated.
    repeats = totals["drops_total.mirror.duplicate"]
    assert totals["records_of_the_cohort"] == totals["reports_taken"] + repeats
    assert mirror.once()["reports_taken"] == 0

    known = vehicles(mirror.source)
    needles = [vin.encode() for vin in known]
    for reference in known.values():
        needles += [reference.encode(), bytes.fromhex(reference)]
    needles.append(json.loads((mirror.folder / "generation").read_text())["key"].encode())
    assert files_with(mirror.source, needles)
    assert files_with(mirror.target, needles) == []


def test_another_generation_gives_other_names(mirror, tmp_path):
    Fleet(mirror.source, tmp_path).start("sim", "--vehicles", 8, "--duration", 3, "--clean").wait()
    assert mirror.once("--start", "oldest", share=10_000)["generation"] == 1
    first = set(vehicles(mirror.target))
    former = mirror.end_generation()
    Fleet(mirror.source, tmp_path).start("sim", "--vehicles", 8, "--duration", 3, "--clean").wait()
    assert mirror.once(share=10_000)["generation"] == 2
    both = set(vehicles(mirror.target))
    assert len(first) == 8 and len(both) == 16
    assert files_with(mirror.source, [former["key"].encode()]) == []
    boots = {}
    for one in reports(mirror.target):
        boots.setdefault(one.boot_random, set()).add(one.vehicle_ref)
    assert all(len(references) == 1 for references in boots.values())


def test_a_generation_that_ends_while_it_runs_loses_no_report(mirror, tmp_path):
    mirror.once(share=10_000)
    mirror.end_generation(in_s=5)
    with open(tmp_path / "mirror.log", "wb") as log:
        running = subprocess.Popen(mirror.command(share=10_000), stdin=subprocess.DEVNULL,
                                   stdout=log, stderr=subprocess.STDOUT)
    try:
        fleet = Fleet(mirror.source, tmp_path).start("sim", "--vehicles", 6, "--duration", 12,
                                                     "--clean")
        wait_for("every vehicle under two names", lambda: len(vehicles(mirror.target)) == 12,
                 timeout_s=40)
        fleet.wait()
        wait_for("all of it to arrive",
                 lambda: times_of(mirror.target) == times_of(mirror.source), timeout_s=40)
        running.send_signal(signal.SIGTERM)
        assert running.wait(timeout=40) == 0, (tmp_path / "mirror.log").read_text()
    finally:
        running.kill()
        running.wait()
    assert len(reports(mirror.target)) == len(reports(mirror.source))


def test_a_killed_mirror_leaves_nothing_out_and_holds_no_retention_back(mirror, tmp_path):
    with open(tmp_path / "mirror.log", "wb") as log:
        running = subprocess.Popen(mirror.command(share=10_000), stdin=subprocess.DEVNULL,
                                   stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_for("the mirror to have a place",
                 lambda: (mirror.folder / "position" / "telemetry-0").exists())
        fleet = Fleet(mirror.source, tmp_path).start("sim", "--vehicles", 10, "--duration", 8)
        wait_for("reports to arrive", lambda: len(reports(mirror.target)) > 20)
    finally:
        running.send_signal(signal.SIGKILL)
        running.wait()
    fleet.wait()
    mirror.once(share=10_000)
    assert times_of(mirror.target) == times_of(mirror.source)
    holders = {one.name for one in (mirror.source.data / "positions").iterdir()}
    assert not any("mirror" in name or "staging" in name for name in holders), holders


def test_only_an_environment_made_for_it_is_fed(mirror):
    mirror.target.set(environment__side_effects="on")
    refused = subprocess.run(mirror.command("--once"), capture_output=True, text=True, timeout=60,
                             check=False)
    assert refused.returncode == 1
    assert "environment.side_effects: off" in refused.stderr
