"""From a report in a car to an alert at a follower, with clients that nobody here wrote."""

import json
import pathlib
import subprocess
import time

import pytest

from feed import FeedFollower
from telltale import ROOT
from waiting import wait_for

VIN = "1M8GDM9AXKP042788"
STEP_US = 100_000


class Car:
    """Publishes with mosquitto_pub what protoc encoded."""

    def __init__(self, installation, folder, boot_counter=1):
        self.installation = installation
        self.folder = pathlib.Path(folder)
        self.boot_counter = boot_counter
        self.seq = 0
        self.next_us = 0
        installation.run("certificate", "--dir", installation.dir, "--vin", VIN, "--out",
                         self.folder / "car")

    def batch(self, accelerations, **flags):
        """The bytes of one batch: a report each 100 ms until now, or after the batch before."""
        start_us = max(self.next_us, time.time_ns() // 1000 - STEP_US * len(accelerations))
        self.next_us = start_us + STEP_US * len(accelerations)
        text = f'boot_counter: {self.boot_counter} boot_random: 77 firmware: "1.0.0"\n'
        for number, acceleration in enumerate(accelerations):
            fields = " ".join(f"{name}: {values[number]}" for name, values in flags.items())
            time_us = start_us + number * STEP_US
            text += (f"reports {{ seq: {self.seq} event_time_us: {time_us} speed_kmh: 62.5 "
                     f"acceleration_longitudinal_mps2: {acceleration} {fields} }}\n")
            self.seq += 1
        return subprocess.run(
            ["protoc", "-I", ROOT / "contract", "--encode=telltale.v1.ReportBatch",
             "telltale/v1/telemetry.proto"],
            input=text.encode(), capture_output=True, check=True).stdout

    def start_publishing(self, batch):
        """The client, which ends with 0 when the gateway has acknowledged: QoS 1."""
        path = self.folder / "batch.bin"
        path.write_bytes(batch)
        return subprocess.Popen(
            ["mosquitto_pub", "-h", "localhost", "-p", str(self.installation.mqtt_port),
             "-V", "mqttv311", "-q", "1", "-t", "telltale/v1/reports", "-f", path,
             "--cafile", self.installation.dir / "ca" / "ca.crt",
             "--cert", self.folder / "car.crt", "--key", self.folder / "car.key"],
            stdin=subprocess.DEVNULL)

    def publish(self, batch):
        """Returns when it is acknowledged."""
        assert self.start_publishing(batch).wait(timeout=30) == 0


def braking(peak):
    """Quiet, 300 ms of braking, quiet: completes the shipped rule and ends."""
    return [-0.5, -4.1, -peak, -4.2, -4.1, -0.5]


@pytest.fixture
def car(installation, tmp_path):
    return Car(installation, tmp_path)


@pytest.fixture
def follower(installation):
    with FeedFollower(lambda: installation.feed_port) as following:
        yield following


def curl(installation, target, *arguments):
    done = subprocess.run(["curl", "-sS", *arguments,
                           f"http://127.0.0.1:{installation.feed_port}{target}"],
                          capture_output=True, text=True, timeout=30, check=False)
    return done.stdout


def closed(following, count):
    return wait_for(f"{count} alerts, opened and closed",
                    lambda: [change for change in following.changes()
                             if change["revision"] == 2][count - 1:] and following.changes())


def test_hard_braking_is_one_alert_that_opens_and_closes(installation, car, follower):
    car.publish(car.batch(braking(5)))
    changes = closed(follower, 1)
    assert [(c["state"], c["severity"], c["revision"]) for c in changes] == [
        ("OPEN", "MEDIUM", 1), ("CLOSED", "MEDIUM", 2)]
    opened, ended = changes
    assert opened["output_id"] == ended["output_id"]
    assert (opened["rule"], opened["first_seq"], opened["seq"], ended["seq"]) == (
        "hard_braking", 1, 3, 5)
    assert (opened["boot_counter"], opened["boot_random"]) == (1, "77")
    assert opened["event_time_us"] - opened["started_at_us"] == 2 * STEP_US
    assert (ended["peak_value"], ended["unit"], ended["speed_kmh"]) == (-5, "m/s2", 62.5)
    assert opened["publish_time_us"] >= opened["receipt_time_us"]
    assert VIN not in json.dumps(changes)

    # The same by curl: the stream from its start, from an id, and the list.
    stream = curl(installation, "/v1/alerts/feed?after=0", "-N", "--max-time", "1")
    assert [line for line in stream.splitlines() if line.startswith("id: ")] == ["id: 1", "id: 2"]
    resumed = curl(installation, "/v1/alerts/feed", "-N", "--max-time", "1",
                   "-H", "Last-Event-ID: 1")
    assert [line for line in resumed.splitlines() if line.startswith("id: ")] == ["id: 2"]
    listed = json.loads(curl(installation, "/v1/alerts?limit=10"))["alerts"]
    assert listed == [ended]


def test_a_warning_flag_is_an_alert_and_a_repeated_batch_is_not_another(car, follower):
    batch = car.batch([0, 0, 0, 0], is_fcw_warning=["false", "true", "true", "false"])
    car.publish(batch)
    closed(follower, 1)
    car.publish(batch)
    car.publish(car.batch(braking(6.5)))
    changes = closed(follower, 2)
    assert [(c["rule"], c["severity"], c["revision"]) for c in changes] == [
        ("forward_collision_warning", "HIGH", 1), ("forward_collision_warning", "HIGH", 2),
        ("hard_braking", "HIGH", 1), ("hard_braking", "HIGH", 2)]


def test_kills_of_worker_and_publisher_neither_lose_nor_double(installation, car, follower):
    for round_number in range(3):
        car.publish(car.batch(braking(5)))
        worker = installation.kill("worker")
        publisher = installation.kill("publisher")
        # Acknowledged while both are down, or coming back.
        car.publish(car.batch(braking(5)))
        installation.wait_restarted("worker", worker)
        installation.wait_restarted("publisher", publisher)
        changes = closed(follower, 2 * (round_number + 1))
    ids = [change["output_id"] for change in changes if change["revision"] == 1]
    assert len(ids) == len(set(ids)) == 6
    assert sorted(change["first_seq"] for change in changes if change["revision"] == 1) == [
        1, 7, 13, 19, 25, 31]
    assert len(changes) == 12
