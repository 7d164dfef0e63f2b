"""A second release beside the stable one: its worker begins at the config, computes its lots
alone, concludes the same there, and goes without a trace when the config no longer names it."""

import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

import releases
from segments import DATA, read_stream
from telltale import ROOT
from waiting import wait_for

VINS = ("1M8GDM9AXKP042788", "WVWZZZ1KZAW000001")
NOBODY = "0" * 32
STEP_US = 100_000


class Cars:
    """Two cars that brake hard at the same time."""

    def __init__(self, installation, folder):
        self.installation = installation
        self.folder = pathlib.Path(folder)
        self.seq = 0
        self.until_us = 0
        for vin in VINS:
            installation.run("certificate", "--dir", installation.dir, "--vin", vin, "--out",
                             self.folder / vin)

    def brake(self):
        # Never before what was said: a report from before the newest one is not evaluated.
        start_us = max(time.time_ns() // 1000 - STEP_US * 6, self.until_us + STEP_US)
        self.until_us = start_us + STEP_US * 5
        text = 'boot_counter: 1 boot_random: 77 firmware: "1.0.0"\n'
        for number, value in enumerate([-0.5, -4.1, -5, -4.2, -4.1, -0.5]):
            text += (f"reports {{ seq: {self.seq} event_time_us: {start_us + number * STEP_US} "
                     f"speed_kmh: 62.5 acceleration_longitudinal_mps2: {value} }}\n")
            self.seq += 1
        batch = subprocess.run(
            ["protoc", "-I", ROOT / "contract", "--encode=telltale.v1.ReportBatch",
             "telltale/v1/telemetry.proto"], input=text.encode(), capture_output=True,
            check=True).stdout
        (self.folder / "batch.bin").write_bytes(batch)
        for vin in VINS:
            subprocess.run(
                ["mosquitto_pub", "-h", "localhost", "-p", str(self.installation.mqtt_port),
                 "-V", "mqttv311", "-q", "1", "-t", "telltale/v1/reports", "-f",
                 self.folder / "batch.bin", "--cafile", self.installation.dir / "ca" / "ca.crt",
                 "--cert", self.folder / f"{vin}.crt", "--key", self.folder / f"{vin}.key"],
                stdin=subprocess.DEVNULL, check=True, timeout=30)

    def ref(self, vin):
        return self.installation.run("vehicles", "lookup", "--dir", self.installation.dir,
                                     "--vin", vin).stdout.strip()


def outputs(installation, release):
    """The entries of a journal's outputs, by vehicle."""
    found = {}
    for record in read_stream(installation.data / "journal" / release, "journal"):
        if record.kind == DATA and record.vehicle_ref != NOBODY:
            found.setdefault(record.vehicle_ref, set()).add(record.payload)
    return found


def told(installation):
    """What `serve` says of each release, by id."""
    path = installation.dir / "run" / "releases.json"
    return {one["release"]: one for one in json.loads(path.read_text())["releases"]}


def status(installation):
    done = installation.run("status", "--dir", installation.dir, "--json", check=False)
    return json.loads(done.stdout)


@pytest.fixture
def cars(installation, tmp_path):
    return Cars(installation, tmp_path)


def test_a_candidate_computes_its_lots_from_the_config_on_and_goes_with_it(installation, cars):
    stable = releases.stable_of(installation)
    cars.brake()
    wait_for("two alerts, opened and closed", lambda: sum(
        len(entries) for entries in outputs(installation, stable).values()) == 4)
    before = outputs(installation, stable)
    one, other = (cars.ref(vin) for vin in VINS)

    candidate = releases.install_like(installation, stable, "the same rules")
    releases.put_in_force(
        installation, stable,
        f'id: "r-1" candidate: "{candidate}" shadow_lots: 1 began_config_seq: {{began}} '
        f"order {{ always: {releases.octets(bytes.fromhex(one))} }}")
    name = f"worker-{candidate[:8]}"
    first = wait_for("the candidate to run", lambda: candidate in told(installation)
                     and told(installation)[candidate]["pid"])
    assert told(installation)[candidate]["place"] == "candidate"
    assert f"\n{name}\n" not in (installation.dir / "run" / "roles").read_text()
    limits = pathlib.Path(f"/proc/{first}/limits").read_text()
    assert f"Max address space         {2048 << 20}" in limits
    assert "Max open files            4096" in limits
    assert pathlib.Path(f"/proc/{first}/oom_score_adj").read_text().strip() == "800"
    assert os.getpriority(os.PRIO_PROCESS, first) == os.getpriority(os.PRIO_PROCESS, 0) + 10

    def same_since():
        """Both concluded the same of the one car since the rollout began, and there is some."""
        fresh = outputs(installation, stable).get(one, set()) - before[one]
        return len(fresh) >= 2 and outputs(installation, candidate) == {one: fresh}

    cars.brake()
    wait_for("the candidate to conclude what stable does", same_since)
    assert len(outputs(installation, stable)[other]) == 4

    os.kill(first, signal.SIGKILL)
    wait_for("it to be started again",
             lambda: told(installation)[candidate]["pid"] not in (0, first))
    assert told(installation)[candidate]["restarts"] == 1
    cars.brake()
    wait_for("another pair of alerts", lambda: len(outputs(installation, stable)[one]) == 6)
    wait_for("the same after a crash", same_since)
    wait_for("its counters", (installation.dir / "run/counters" / f"{name}.json").exists)
    seen = status(installation)
    assert seen["ready"] and seen["roles"][name]["place"] == "candidate"
    assert seen["counters"]["episodes_opened_total"] == 6, "a second release counts nothing twice"
    wait_for("its CPU time", lambda: told(installation)[candidate]["cpu_s"] > 0)

    releases.put_in_force(installation, stable)
    wait_for("it to be gone", lambda: candidate not in told(installation))
    for left in (installation.data / "positions" / name, installation.data / "worker" / candidate):
        assert not left.exists(), left
    assert status(installation)["ready"]


def test_a_candidate_that_cannot_run_costs_nobody_anything(installation, cars):
    stable = releases.stable_of(installation)
    missing = "ab" * 32
    releases.put_in_force(
        installation, stable,
        f'id: "r-1" candidate: "{missing}" shadow_lots: 1 began_config_seq: {{began}}')
    wait_for("serve to say so", lambda: told(installation).get(missing, {}).get("reason"))
    seen = status(installation)
    assert seen["ready"], seen["causes"]
    assert any(f"worker-{missing[:8]} (candidate) does not run" in text
               for text in seen["warnings"]), seen["warnings"]
    cars.brake()
    wait_for("stable's alerts", lambda: sum(
        len(entries) for entries in outputs(installation, stable).values()) == 4)
