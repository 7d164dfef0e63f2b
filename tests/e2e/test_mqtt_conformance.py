"""The statements of MQTT 3.1.1 and 5.0 that bind a server cars publish to (conformance.py), each
against one gateway, by a raw client; and the main flows by paho-mqtt."""

import inspect
import pathlib
import ssl
import tempfile
import threading

import paho.mqtt.client as mqtt
import pytest

pytest.register_assert_rewrite("mqtt_door", "mqtt_checks_connect", "mqtt_checks_packets")

import conformance  # noqa: E402
import mqtt_checks_connect  # noqa: E402
import mqtt_checks_packets  # noqa: E402
import mqtt_raw as raw  # noqa: E402
from mqtt_door import DOWNLINK, Door  # noqa: E402
from mqtt_raw import V4, V5  # noqa: E402
from telltale import Installation  # noqa: E402

@pytest.fixture(scope="module")
def served():
    installation = Installation().init(lake__cadence_s=1)
    try:
        installation.start("--without", "lake,committer,vault,worker,publisher")
        with tempfile.TemporaryDirectory(prefix="telltale-cars-", dir="/tmp") as folder:
            yield Door(installation, pathlib.Path(folder))
        installation.stop()
    finally:
        installation.end_everything()
        installation.remove()


@pytest.fixture
def door(served):
    yield served
    served.hang_up()


def checks():
    """{name: function} of every check there is."""
    return {
        name: one
        for module in (mqtt_checks_connect, mqtt_checks_packets)
        for name, one in inspect.getmembers(module, inspect.isfunction)
        if list(inspect.signature(one).parameters) == ["door", "version"]
    }


CASES = sorted({(one.version, one.check) for one in conformance.STATEMENTS if one.check})


@pytest.mark.parametrize("version, check", CASES, ids=[f"mqtt{v}-{name}" for v, name in CASES])
def test_a_statement_holds(door, version, check):
    checks()[check](door, version)


def test_every_check_proves_a_statement_and_every_statement_has_one_or_a_reply():
    assert {one.check for one in conformance.STATEMENTS if one.check} == set(checks())
    assert all(bool(one.check) or bool(one.reply) for one in conformance.STATEMENTS)
    ids = [(one.version, one.id) for one in conformance.STATEMENTS]
    assert len(ids) == len(set(ids)), {one for one in ids if ids.count(one) > 1}


def test_the_page_is_what_the_table_says():
    assert conformance.PAGE.read_text(encoding="utf-8") == conformance.page()


class Paho:
    """A paho client that remembers what it was told."""

    def __init__(self, door, version):
        self.told = {}
        self.changed = threading.Condition()
        protocol = mqtt.MQTTv5 if version == V5 else mqtt.MQTTv311
        self.client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id="paho", protocol=protocol,
            reconnect_on_failure=False,
        )  # fmt: skip
        self.client.tls_set(
            str(door.authority), *map(str, door.pair), tls_version=ssl.PROTOCOL_TLS_CLIENT
        )
        self.client.on_connect = lambda _, __, ___, code, ____: self._tell("connect", code)
        self.client.on_publish = lambda _, __, mid, code, ____: self._tell(("ack", mid), code)
        self.client.on_subscribe = lambda _, __, mid, codes, ____: self._tell(mid, codes)
        self.client.on_disconnect = lambda _, __, ___, code, ____: self._tell("end", code)
        self.client.connect("localhost", door.port)
        self.client.loop_start()

    def _tell(self, what, value):
        with self.changed:
            self.told[what] = value
            self.changed.notify_all()

    def wait(self, what):
        with self.changed:
            assert self.changed.wait_for(lambda: what in self.told, 20), f"no {what}: {self.told}"
        return self.told[what]


@pytest.mark.parametrize("version", [V4, V5])
def test_paho_publishes_subscribes_and_leaves(door, version):
    paho = Paho(door, version)
    try:
        assert not paho.wait("connect").is_failure
        for _ in range(10):
            sent = paho.client.publish(raw.TOPIC, b"x", qos=1)
            assert not paho.wait(("ack", sent.mid)).is_failure
        paho.client.publish(raw.TOPIC, b"x", qos=0)
        _, mid = paho.client.subscribe(DOWNLINK, qos=1)
        assert [code.value for code in paho.wait(mid)] == [1]
        _, mid = paho.client.subscribe("other", qos=1)
        assert paho.wait(mid)[0].is_failure
        paho.client.disconnect()
        assert not paho.wait("end").is_failure
    finally:
        paho.client.loop_stop()


@pytest.mark.parametrize("version", [V4, V5])
def test_paho_is_closed_at_qos_2(door, version):
    paho = Paho(door, version)
    try:
        assert not paho.wait("connect").is_failure
        paho.client.publish(raw.TOPIC, b"x", qos=2)
        assert paho.wait("end").is_failure
    finally:
        paho.client.loop_stop()
