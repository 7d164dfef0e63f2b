"""Cars that put canaries into every entry of the door: where they belong, where they do not, in
reports that are well formed, odd and broken, and around the reports."""

import itertools
import random
import struct
import threading
import time

import paho.mqtt.client as mqtt
from place_forms import Canaries, geohash, s2_leaf
from test_gateway import TOPIC, Car, field, text, varint

FIRMWARES = ("1.0.0", "2.0.0")
# South of any town and west of any speed, pressure or angle that the sensors send: a number near
# one of these in a column is no chance.
LATITUDES, LONGITUDES = (-84.0, -65.0), (-179.0, -110.0)


def double(number, value):
    return field(number, 1, struct.pack("<d", value))


def single(number, value):
    return field(number, 5, struct.pack("<f", value))


def packed(number, values):
    return text(number, struct.pack(f"<{len(values)}d", *values))


def zigzag(value):
    return varint(value << 1 if value >= 0 else -2 * value - 1)


class Canary:
    """One secret: a place, an odometer, a driver, and the car they are of."""

    def __init__(self, dice, number):
        self.latitude = round(dice.uniform(*LATITUDES), 9)
        self.longitude = round(dice.uniform(*LONGITUDES), 9)
        self.odometer = round(dice.uniform(100_000, 900_000), 4)
        self.driver = f"driver {dice.randbytes(6).hex()}"
        self.note = f"note {dice.randbytes(6).hex()}"
        self.vin = f"WVWZZZ3CZ{dice.randrange(10**4, 10**5)}{number:03}"

    @property
    def words(self):
        return f"({self.latitude}, {self.longitude})"

    @property
    def both(self):
        return double(160, self.latitude) + double(161, self.longitude)


def canaries_of(secrets):
    return Canaries(
        places=[(one.latitude, one.longitude) for one in secrets],
        vins=[one.vin for one in secrets],
        drivers=[one.driver for one in secrets],
        odometers=[one.odometer for one in secrets],
        texts=[one.note for one in secrets],
    ).checked()


def head(seq, *, at_us=None, speed=50.0):
    now = at_us or time.time_ns() // 1000
    return field(1, 0, varint(seq)) + field(2, 0, varint(now)) + single(10, speed)


def batch(boot, reports, firmware=b"2.0.0"):
    start = field(1, 0, varint(1)) + field(2, 1, struct.pack("<Q", boot)) + text(3, firmware)
    return start + b"".join(text(10, one) for one in reports)


def honest(one, seq, extra=b""):
    """A report as a car should send it, with all that must not be seen, and every other time an
    alert: a collision warning at a secret place."""
    return (
        head(seq) + single(11, -6.0) + field(30, 0, varint(seq % 2))
        + double(150, one.odometer) + one.both + single(162, 100.5) + single(163, 91.5)
        + text(190, one.driver.encode()) + extra
    )  # fmt: skip


def charging(one):
    return text(180, double(6, one.latitude) + double(7, one.longitude))


def wrong_types(one, seq):
    """Known numbers with another wire type than the contract's."""
    words = one.words.encode()
    return [
        head(seq) + text(160, words) + text(161, one.note.encode()),
        head(seq + 1) + single(160, one.latitude) + single(161, one.longitude),
        head(seq + 2) + field(160, 0, zigzag(round(one.latitude * 1e7)))
        + field(161, 0, zigzag(round(one.longitude * 1e7))),
        head(seq + 3) + text(10, words) + double(65, one.latitude) + double(52, one.longitude),
        head(seq + 4) + field(150, 0, varint(round(one.odometer * 1e4))),
        head(seq + 5) + text(180, words) + text(180, text(6, words)),
        head(seq + 6) + double(190, one.latitude) + packed(160, [one.latitude, one.longitude]),
    ]  # fmt: skip


def undeclared(one, seq):
    """Numbers that no contract has, of each wire type, nested, packed, twice; derived ones."""
    words = one.words.encode()
    values = (
        field(901, 0, varint(round(one.latitude * 1e7) % 2**64)),
        field(902, 0, zigzag(round(one.longitude * 1e7))),
        double(903, one.latitude) + double(903, one.longitude),
        single(904, one.latitude) + single(905, one.longitude),
        text(906, words) + text(907, one.note.encode()),
        text(908, text(1, one.both) + text(2, words)),
        packed(909, [one.latitude, one.longitude]),
        field(10001, 1, struct.pack("<Q", s2_leaf(one.latitude, one.longitude))),
        text(10003, words),
        field(2**28, 1, struct.pack("<d", one.latitude)),
    )
    return [head(seq + number) + value for number, value in enumerate(values)]


def open_texts(one, seq):
    """Texts that no code is, in a field of codes."""
    hash_with_blank = f"at {geohash(one.latitude, one.longitude, 9)}"
    texts = (one.words, one.note, f"{one.latitude}", hash_with_blank, f"{one.latitude:.5f}S")
    return [
        head(seq + number) + text(140, text(1, word.encode()))
        for number, word in enumerate(texts)
    ]  # fmt: skip


def broken(one, seq):
    """Reports that go to quarantine."""
    whole = honest(one, seq)
    return [
        whole + field(7, 2, varint(200)) + one.note.encode(),  # cut
        whole[:-5],
        one.both + text(190, one.driver.encode()),  # neither seq nor time
        head(seq) + field(950, 3, one.both) + field(950, 4, b""),  # a group
        b"\0" + one.both,  # field number 0
        one.both + b"\xff" * 12,  # a tag without end
        whole + text(960, one.both * 4000),  # over 64 KiB
    ]


def broken_batches(one, boot):
    """Batches that are none, or not wholly."""
    words = one.words.encode()
    over_long = f"build-{one.latitude}-{one.longitude}-{one.note.replace(' ', '-')}"
    return [
        f'{{"lat": {one.latitude}, "lon": {one.longitude}, "vin": "{one.vin}"}}'.encode(),
        b"\xff\xff" + one.both,
        batch(boot, [honest(one, 0)], over_long.encode()),  # over 32 characters
        batch(boot, [honest(one, 1)], (over_long * 2).encode()),  # over 64
        batch(boot, [honest(one, 2)], one.vin.encode()),
        batch(boot, [honest(one, 3)], words + b"\n"),
        batch(boot, [honest(one, 4)]) + text(77, words) + double(78, one.latitude),
        text(3, words) + text(10, honest(one, 5)),  # no boot
    ]


def entries(one, boot):
    """Every payload of one car, in the order of sending."""
    numbers = itertools.count(100, 100)
    for number, firmware in enumerate(FIRMWARES):
        reports = [honest(one, seq + 10 * number) for seq in range(4)]
        reports.append(honest(one, 4 + 10 * number, charging(one)))
        yield batch(boot + number, reports, firmware.encode())
        yield batch(boot + number, reports, firmware.encode())  # a repeat
        yield batch(boot + number, [honest(one, 2 + 10 * number, text(906, b"another"))])
        for make in (wrong_types, undeclared, open_texts):
            yield batch(boot + number, make(one, next(numbers)), firmware.encode())
        for report in broken(one, next(numbers)):
            yield batch(boot + number, [honest(one, next(numbers)), report], firmware.encode())
    old = head(5000, at_us=1_000_000) + one.both
    ahead = head(5001, at_us=time.time_ns() // 1000 + 10**13) + one.both
    yield batch(boot, [old, ahead])
    yield from broken_batches(one, boot + 2)


def secrets_of(seed, count):
    dice = random.Random(seed)
    return [Canary(dice, number) for number in range(count)]


def send_everything(installation, keys, one, boot):
    """One car's whole repertoire at QoS 1, each acknowledged; returns how many that were."""
    car = Car(keys, keys.issue(one.vin), installation.mqtt_port, f"unit-{boot}")
    payloads = list(entries(one, boot))
    for payload in payloads:
        car.publish(payload)
    car.wait_acks(len(payloads))
    car.publish(batch(boot, [honest(one, 6000)]), qos=0)
    car.leave()
    return len(payloads)


class RudeClient:
    """A client that says its secrets in everything around the reports."""

    def __init__(self, keys, pair, port, one):
        self.connected, self.ended = threading.Event(), threading.Event()
        self.client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2,
            client_id=f"{one.latitude} {one.longitude}",
            reconnect_on_failure=False,
        )
        self.client.username_pw_set(one.driver, one.words)
        self.client.will_set(f"telltale/v1/{one.latitude}", one.both, 0)
        self.client.tls_set(keys.ca, *pair)
        self.client.on_connect = lambda *_: self.connected.set()
        self.client.on_disconnect = lambda *_: self._end()
        self.client.on_subscribe = lambda *_: self.ended.set()
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert self.connected.wait(20)

    def _end(self):
        self.connected.set()
        self.ended.set()

    def leave(self):
        assert self.ended.wait(20), "what it did was neither answered nor punished"
        self.client.disconnect()
        self.client.loop_stop()


def rude_clients(installation, keys, one):
    """Client id, user, password, will, topic, subscription: none may be quoted anywhere."""
    pair = keys.issue(one.vin)
    for act in (
        lambda client: client.publish(f"telltale/v1/{one.latitude}/{one.longitude}", b"x", 1),
        lambda client: client.subscribe(f"{one.words}/{one.vin}"),
        lambda client: client.publish(TOPIC, one.both, 2),
    ):
        rude = RudeClient(keys, pair, installation.mqtt_port, one)
        act(rude.client)
        rude.leave()
