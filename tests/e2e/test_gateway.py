"""Cars written by nobody here (mosquitto_pub, paho-mqtt) at the gateway's door."""

import os
import signal
import ssl
import struct
import subprocess
import threading
import time

import paho.mqtt.client as mqtt
import pytest

from segments import DATA, QUARANTINE, read_stream
from waiting import wait_for

TOPIC = "telltale/v1/reports"
VIN = "WVWZZZ1JZXW000001"
OTHER_VIN = "WVWZZZ1JZXW000002"


# The vehicle protocol by hand: docs/vehicle-protocol.md, no code of ours.


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def field(number, wire, data):
    return varint(number << 3 | wire) + data


def text(number, data):
    return field(number, 2, varint(len(data)) + data)


def report(seq, latitude=52.5200066, longitude=13.404954):
    return (
        field(1, 0, varint(seq))
        + field(2, 0, varint(int(time.time() * 1e6)))
        + field(10, 5, struct.pack("<f", 50.0))
        + field(160, 1, struct.pack("<d", latitude))
        + field(161, 1, struct.pack("<d", longitude))
    )


def batch(boot, reports):
    head = field(1, 0, varint(1)) + field(2, 1, struct.pack("<Q", boot)) + text(3, b"1.0.0")
    return head + b"".join(text(10, one) for one in reports)


class Keys:
    """Certificates of an installation's authority and of another one."""

    def __init__(self, installation, folder):
        self.installation = installation
        self.folder = folder
        self.ca = installation.dir / "ca" / "ca.crt"

    def issue(self, vin, *arguments):
        out = self.folder / f"car-{len(list(self.folder.glob('*.crt')))}"
        self.installation.run(
            "certificate", "--dir", self.installation.dir, "--vin", vin, "--out", out, *arguments
        )
        return [f"{out}.crt", f"{out}.key"]

    def of_another_authority(self, vin):
        return self.issue(vin, "--ca", self.folder / "foreign")


@pytest.fixture
def keys(installation, tmp_path):
    return Keys(installation, tmp_path)


class Car:
    """A paho client that remembers what happened to it."""

    def __init__(self, keys, pair, port, client_id="car"):
        self.acked = []
        self.closed = threading.Event()
        self.ready = threading.Event()
        self.code = None
        self.client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id=client_id, reconnect_on_failure=False
        )
        self.client.tls_set(keys.ca, *(pair or [None, None]), tls_version=ssl.PROTOCOL_TLS_CLIENT)
        self.client.on_connect = self._on_connect
        self.client.on_publish = lambda client, data, mid, *rest: self.acked.append(mid)
        self.client.on_disconnect = lambda *rest: self.closed.set()
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def _on_connect(self, client, data, flags, code, properties):
        self.code = code
        self.ready.set()

    def publish(self, payload, topic=TOPIC, qos=1):
        assert self.ready.wait(20) and not self.code.is_failure, self.code
        return self.client.publish(topic, payload, qos=qos).mid

    def wait_acks(self, count):
        wait_for(f"{count} PUBACKs", lambda: len(self.acked) >= count)

    def leave(self):
        self.client.disconnect()
        self.client.loop_stop()


def refused(installation, reason):
    return installation.counters("gateway").get(f"drops_total.gateway.{reason}", 0)


def wait_refused(installation, reason, count):
    wait_for(f"{reason} to be counted", lambda: refused(installation, reason) == count)


def seqs(installation, boot, stream="telemetry", kind=DATA):
    return [
        record.seq
        for record in read_stream(installation.data / "log", stream)
        if record.kind == kind and record.boot_random == boot
    ]


def mosquitto(installation, *arguments, payload=b"", timeout_s=20):
    return subprocess.run(
        ["mosquitto_pub", "-V", "mqttv311", "-h", "127.0.0.1", "-p", str(installation.mqtt_port)]
        + [*map(str, arguments), "-s"],
        input=payload,
        capture_output=True,
        timeout=timeout_s,
        check=False,
    )


def test_mosquitto_pub_is_acknowledged_and_its_reports_are_durable(installation, keys):
    cert, key = keys.issue(VIN)
    done = mosquitto(
        installation, "--cafile", keys.ca, "--cert", cert, "--key", key, "-q", 1, "-t", TOPIC,
        payload=batch(11, [report(seq) for seq in range(50)]),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert seqs(installation, 11) == list(range(50))
    assert seqs(installation, 11, "safety") == list(range(50))
    assert seqs(installation, 11, "sealed") == [0]


def test_what_paho_had_acknowledged_outlives_a_kill_at_that_moment(installation, keys):
    car = Car(keys, keys.issue(VIN), installation.mqtt_port)
    for first in range(0, 1000, 50):
        car.publish(batch(12, [report(seq) for seq in range(first, first + 50)]))
    car.wait_acks(10)
    gateway = installation.process_of("gateway")
    os.kill(gateway.pid, signal.SIGKILL)
    acked = len(car.acked)
    assert car.acked == sorted(car.acked), "in PUBLISH order"
    wait_for("the gateway to be gone", lambda: not gateway.runs())
    assert set(range(50 * acked)) <= set(seqs(installation, 12))
    car.leave()
    # And the next one serves the same car.
    installation.wait_restarted("gateway", gateway)
    port = wait_for("a port", lambda: installation.mqtt_port)
    again = Car(keys, keys.issue(VIN), port)
    again.publish(batch(12, [report(2000)]))
    again.wait_acks(1)
    again.leave()


def test_without_a_certificate_or_with_one_of_another_authority_nobody_comes_in(
    installation, keys
):
    before = refused(installation, "tls_handshake")
    bare = mosquitto(installation, "--cafile", keys.ca, "-q", 1, "-t", TOPIC, payload=b"x")
    assert bare.returncode != 0
    wait_refused(installation, "tls_handshake", before + 1)
    cert, key = keys.of_another_authority(VIN)
    foreign = mosquitto(
        installation, "--cafile", keys.ca, "--cert", cert, "--key", key, "-q", 1, "-t", TOPIC,
        payload=b"x",
    )  # fmt: skip
    assert foreign.returncode != 0
    wait_refused(installation, "tls_handshake", before + 2)
    assert installation.counters("gateway").get("publishes_qos1", 0) == 0


def test_garbage_is_quarantined_and_acknowledged_and_its_neighbours_are_kept(installation, keys):
    car = Car(keys, keys.issue(VIN), installation.mqtt_port)
    neighbour = Car(keys, keys.issue(OTHER_VIN), installation.mqtt_port)
    sent = [
        car.publish(batch(13, [report(0), report(1)])),
        car.publish(b"\xff\xffnot a batch"),
        car.publish(batch(13, [report(2), b"\x50\x01", report(3)])),
    ]
    neighbour.publish(batch(14, [report(0)]))
    car.wait_acks(3)
    neighbour.wait_acks(1)
    assert car.acked == sent
    assert seqs(installation, 13) == [0, 1, 2, 3]
    assert seqs(installation, 14) == [0]
    records = list(read_stream(installation.data / "log", "sealed"))
    assert len([record for record in records if record.kind == QUARANTINE]) == 2
    wait_for(
        "the counts",
        lambda: installation.counters("gateway").get("reports_quarantined") == 1
        and installation.counters("gateway").get("batches_quarantined") == 1,
    )
    car.leave()
    neighbour.leave()


def test_another_topic_and_qos_2_close_the_connection_and_are_counted(installation, keys):
    for reason, topic, qos in [("topic", "another/topic", 1), ("qos", TOPIC, 2)]:
        car = Car(keys, keys.issue(VIN), installation.mqtt_port)
        car.publish(b"x", topic, qos)
        assert car.closed.wait(20), reason
        assert car.acked == []
        wait_refused(installation, reason, 1)
        car.leave()


def test_no_exact_position_and_no_vin_lies_in_the_log(installation, keys):
    latitude, longitude = 48.13712345, 11.57523456
    car = Car(keys, keys.issue(VIN), installation.mqtt_port)
    car.publish(batch(15, [report(0, latitude, longitude)]))
    car.wait_acks(1)
    car.leave()
    planted = installation.dir.parent / f"{installation.dir.name}.planted"
    canaries = [struct.pack("<d", latitude), struct.pack("<d", longitude), VIN.encode()]
    planted.write_bytes(b"".join(canaries))
    try:
        for canary in canaries:
            assert canary in planted.read_bytes(), "the control"
            for path in (installation.data / "log").rglob("*"):
                assert not path.is_file() or canary not in path.read_bytes(), path
    finally:
        planted.unlink()
