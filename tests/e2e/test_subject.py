"""Subject rights on a running system: an erased vehicle is gone from every store, its neighbour
whole; kills on the way; the erasure map against what a run leaves; a copy of the data."""

import json
import os
import pathlib
import re
import signal
import stat
import subprocess
import time

import pytest

from feed import FeedFollower
from telltale import ROOT, TELLTALE
from vault_double import VaultDouble
from waiting import wait_for

VIN, NEIGHBOUR = "1M8GDM9AXKP042788", "WVWZZZ1JZXW000042"
STEP_US = 100_000
BRAKING = [0, 0, -9, -9, -9, -9, -9, 0, 0, 0]
# Of the erasure; the streams age out and people are told after it.
SOON = ("erasure_list", "vault_keys", "vault_files", "registry", "alerts", "worker_snapshots")


class Car:
    """Publishes with mosquitto_pub what protoc encoded."""

    def __init__(self, installation, folder, vin):
        self.installation, self.vin, self.stem = installation, vin, folder / vin
        self.seq = 0
        installation.run("certificate", "--dir", installation.dir, "--vin", vin, "--out", self.stem)

    def brake(self):
        """An episode of hard braking; returns when it is acknowledged."""
        start_us = time.time_ns() // 1000 - STEP_US * len(BRAKING)
        text = 'boot_counter: 1 boot_random: 77 firmware: "1.0.0"\n'
        for number, acceleration in enumerate(BRAKING):
            text += (f"reports {{ seq: {self.seq} event_time_us: {start_us + number * STEP_US} "
                     f"speed_kmh: 62.5 acceleration_longitudinal_mps2: {acceleration} }}\n")
            self.seq += 1
        batch = subprocess.run(
            ["protoc", "-I", ROOT / "contract", "--encode=telltale.v1.ReportBatch",
             "telltale/v1/telemetry.proto"],
            input=text.encode(), capture_output=True, check=True).stdout
        subprocess.run(
            ["mosquitto_pub", "-h", "localhost", "-p", str(self.installation.mqtt_port),
             "-V", "mqttv311", "-q", "1", "-t", "telltale/v1/reports", "-s",
             "--cafile", self.installation.dir / "ca" / "ca.crt",
             "--cert", f"{self.stem}.crt", "--key", f"{self.stem}.key"],
            input=batch, check=True, timeout=30)

    def ref(self):
        """Its reference, or None while the registry does not know it."""
        done = self.installation.run("vehicles", "lookup", "--dir", self.installation.dir, "--vin",
                                     self.vin, check=False)
        return done.stdout.strip() if done.returncode == 0 else None


@pytest.fixture
def place(new_installation, tmp_path):
    """A served installation whose vault is played, and two cars that have braked."""
    installation = new_installation().init(lake__cadence_s=1)
    installation.start("--without", "vault")
    cars = [Car(installation, tmp_path, vin) for vin in (VIN, NEIGHBOUR)]
    with (VaultDouble(installation.dir / "run" / "vault" / "vault.sock") as vault,
          FeedFollower(lambda: installation.feed_port) as feed):
        for car in cars:
            car.brake()
        wait_for("alerts of both cars", lambda: {a.alert["vehicle_ref"] for a in feed.arrivals
                                                 if a.alert["state"] == "CLOSED"}
                 == {car.ref() for car in cars})
        yield installation, cars, vault, feed


def subject(installation, *arguments, **options):
    return installation.run("subject", arguments[0], "--dir", installation.dir, *arguments[1:],
                            timeout_s=120, **options)


def receipt(installation, job):
    return json.loads(subject(installation, "erasures", "--job", job, "--json").stdout)


def line(told, store):
    return next(entry for entry in told["lines"] if entry["store"] == store)


def wait_for_lines(installation, job, stores=SOON):
    """Until `serve` itself has brought those lines to their end."""
    def ended():
        told = receipt(installation, job)
        return told if all(line(told, store)["state"] == "done" for store in stores) else None
    return wait_for(f"{stores} of {job}", ended, timeout_s=60, poll_s=0.2)


def files_with(installation, folder, *needles):
    """Files below a folder of DIR that hold one of the byte strings."""
    found = []
    for path in sorted((installation.dir / folder).rglob("*")):
        try:
            content = path.read_bytes() if path.is_file() else b""
        except FileNotFoundError:
            continue
        if any(needle in content for needle in needles):
            found.append(str(path.relative_to(installation.dir)))
    return found


def forms(ref):
    return ref.encode(), bytes.fromhex(ref)


def test_an_erased_vehicle_is_gone_and_its_neighbour_is_whole(place):
    installation, (car, neighbour), vault, feed = place
    ref, other = car.ref(), neighbour.ref()
    before = [a for a in feed.arrivals if a.alert["vehicle_ref"] == other]
    for folder in ("data/publish", "data/registry", "data/worker"):
        wait_for(f"{ref} in {folder}", lambda: files_with(installation, folder, *forms(ref)))

    told = json.loads(subject(installation, "erase", "--vin", VIN, "--basis", "request 17",
                              "--json").stdout)
    assert line(told, "erasure_list")["state"] == "done"
    assert [r for r in vault.asked if r["op"] == "erase"][0]["vehicle_ref"] == ref
    told = wait_for_lines(installation, told["job"])

    assert not files_with(installation, "data/publish", *forms(ref))
    assert not files_with(installation, "data/registry", *forms(ref), VIN.encode())
    assert not files_with(installation, "data/worker", *forms(ref))
    assert not files_with(installation, "data/erased/list", *forms(ref))
    assert files_with(installation, "data/publish", *forms(other))
    assert car.ref() is None and neighbour.ref() == other
    assert line(told, "stream_telemetry")["state"] == "ages_out"
    assert told["state"] == "open"

    # Who follows from the first change on sees the neighbour's alerts, as they were, and no other.
    with FeedFollower(lambda: installation.feed_port) as again:
        wait_for("the neighbour's alerts", lambda: len(again.arrivals) >= len(before))
        assert [(a.number, a.alert) for a in again.arrivals] == \
            [(a.number, a.alert) for a in before]

    # The receipt waits for people, too.
    told = json.loads(subject(installation, "erasures", "--job", told["job"], "--told",
                              "analysts, by mail", "--json").stdout)
    assert line(told, "recipients")["state"] == "done"


def test_a_car_that_comes_back_is_a_stranger_and_its_alerts_arrive(place):
    installation, (car, _), _, feed = place
    ref = car.ref()
    subject(installation, "erase", "--vehicle", ref, "--basis", "request 18")
    wait_for("the registry to forget", lambda: car.ref() is None)
    car.brake()
    again = wait_for("the car to be known again", car.ref)
    assert again != ref
    wait_for("its alert", lambda: any(a.alert["vehicle_ref"] == again for a in feed.arrivals))


def test_an_erasure_that_is_killed_is_gone_on_with_by_serve(place):
    installation, (car, _), vault, _ = place
    ref = car.ref()
    vault.may_answer.clear()
    command = [TELLTALE, "subject", "erase", "--dir", installation.dir, "--vehicle", ref,
               "--basis", "request 19"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as killed:
        wait_for("the vault to be asked", lambda: vault.asked)
        os.kill(killed.pid, signal.SIGKILL)
    assert car.ref() == ref, "nothing behind the vault was done yet"
    vault.may_answer.set()
    jobs = [path.stem for path in (installation.dir / "data" / "erased" / "jobs").glob("*.json")]
    assert len(jobs) == 1
    wait_for_lines(installation, jobs[0])
    assert car.ref() is None


def test_a_hold_outranks_the_erasure_which_goes_on_when_it_ends(place):
    installation, (car, _), vault, _ = place
    vault.keys = "held"
    told = json.loads(subject(installation, "erase", "--vin", VIN, "--basis", "request 20",
                              "--json").stdout)
    assert line(told, "vault_keys")["state"] == "held"
    assert line(told, "registry")["state"] == "done"
    wait_for_lines(installation, told["job"], ("alerts", "worker_snapshots"))
    assert car.ref() is None
    vault.keys = "destroyed"
    told = wait_for_lines(installation, told["job"], ("vault_keys", "vault_files"))


def test_a_dry_run_changes_nothing(place):
    installation, (car, _), vault, _ = place
    ref = car.ref()
    found = json.loads(subject(installation, "erase", "--vin", VIN, "--dry-run", "--json").stdout)
    assert found["registered"] is True and found["alerts"] > 0
    assert car.ref() == ref and not vault.asked
    assert not list((installation.dir / "data" / "erased").iterdir())
    refused = subject(installation, "erase", "--vin", VIN, check=False)
    assert refused.returncode == 1 and "--basis" in refused.stderr


def test_a_copy_has_what_is_held_for_its_owner_alone(place, tmp_path):
    installation, (car, neighbour), vault, _ = place
    ref, other, out = car.ref(), neighbour.ref(), tmp_path / "copy"
    wait_for("rows in the lake", lambda: ref in installation_query(installation, ref), timeout_s=60)
    subject(installation, "export", "--vin", VIN, "--out", out, "--case", "art 15")
    assert vault.asked == [{"op": "presence", "vehicle_ref": ref, "case": "art 15"},
                           {"op": "subject", "vehicle": ref, "case": "art 15"}]
    assert json.loads((out / "vehicle.json").read_text())["vin"] == VIN
    alerts = [json.loads(text) for text in (out / "alerts.ndjson").read_text().splitlines()]
    assert alerts and {alert["vehicle_ref"] for alert in alerts} == {ref}
    assert json.loads((out / "vault.json").read_text())["answer"]["hours"] == 3
    assert json.loads((out / "looked_at.json").read_text()) == {"supported": False}
    rows = [path for path in (out / "lake").iterdir() if ref in path.read_text()]
    assert any("telemetry" in path.name for path in rows), rows
    for path in out.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path
        assert path.is_dir() or other not in path.read_text(), path
    assert (out / "README.md").exists()
    recorded = (installation.dir / "data" / "erased" / "exports").read_text()
    assert len(recorded.splitlines()) == 1 and ref not in recorded
    again = subject(installation, "export", "--vin", VIN, "--out", out, "--case", "art 15",
                    check=False)
    assert again.returncode == 1 and "is there already" in again.stderr


def installation_query(installation, ref):
    done = subprocess.run(
        [pathlib.Path(TELLTALE).parents[1] / "lib/telltale/python/bin/python3", "-m",
         "telltale_lake", "query", "--dir", installation.dir, "--format", "json",
         f"SELECT vehicle_ref FROM telemetry WHERE vehicle_ref = '{ref}' LIMIT 1"],
        capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "python"), "PYTHONDONTWRITEBYTECODE": "1"})
    return done.stdout


# The map against a run


def mapped():
    """The paths of docs/erasure-map.md and the receipt's lines named there."""
    rows = []
    for text in (ROOT / "docs" / "erasure-map.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in text.strip("|").split("|")]
        if len(cells) == 5 and cells[0].startswith("`"):
            rows.append((cells[0].strip("`"), cells[3]))
    return rows


def as_regex(path):
    parts = {"**": ".*", "*": "[^/]*", "#": "[0-9]+"}
    return re.compile("".join(parts.get(piece, re.escape(piece))
                              for piece in re.split(r"(\*\*|\*|#)", path)) + r"\Z")


def unmapped(folder, rows):
    patterns = [as_regex(path) for path, _ in rows]
    left = []
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if not path.is_dir() and not any(pattern.match(name) for pattern in patterns):
            left.append(name)
    return left


def test_every_file_that_a_run_leaves_is_in_the_erasure_map(installation, tmp_path):
    car = Car(installation, tmp_path, VIN)
    car.brake()
    wait_for("the car's row in the lake",
             lambda: car.ref() in installation_query(installation, car.ref()), timeout_s=60)
    subject(installation, "erase", "--vin", VIN, "--basis", "request 21")
    installation.stop()
    rows = mapped()
    assert len(rows) > 30, "the table of docs/erasure-map.md is not read"
    assert unmapped(installation.dir, rows) == [], \
        "files that docs/erasure-map.md has no row for: say there how they forget a vehicle"
    # Every line of a receipt has its row; `recipients` is outside this system, below the table.
    (job,) = (installation.dir / "data" / "erased" / "jobs").glob("*.json")
    lines = {entry["store"] for entry in json.loads(job.read_text())["lines"]}
    assert lines - {"recipients"} == {name for _, name in rows if name}


def test_a_file_of_no_known_store_is_named(tmp_path):
    (tmp_path / "data" / "new_store").mkdir(parents=True)
    (tmp_path / "data" / "new_store" / "7.bin").write_bytes(b"x")
    (tmp_path / "telltale.yaml").write_text("")
    assert unmapped(tmp_path, mapped()) == ["data/new_store/7.bin"]
