"""A served gateway as a raw client meets it: one car's certificate, and what an answer must be."""

import subprocess

import mqtt_raw as raw
from mqtt_raw import V5, Raw, packet

VIN = "WVWZZZ1JZXW000001"
DOWNLINK = "telltale/v1/downlink"
ILL_FORMED, SURROGATE, NUL = b"a\xff", b"a\xed\xa0\x80", b"a\x00"
PACKET_MAX, IN_FLIGHT_MAX = 1024 * 1024, 256


class Door:
    """A served gateway and one car's certificate."""

    def __init__(self, installation, folder):
        self.installation, self.folder = installation, folder
        self.port = installation.mqtt_port
        self.authority = installation.dir / "ca" / "ca.crt"
        self.pair = self._issue()
        self._open = []

    def _issue(self):
        out = self.folder / "car"
        self.installation.run(
            "certificate", "--dir", self.installation.dir, "--vin", VIN, "--out", out
        )
        return f"{out}.crt", f"{out}.key"

    def nameless_pair(self):
        """A certificate of the right authority that names no vehicle."""
        out, ca = self.folder / "nameless", self.installation.dir / "ca"
        request = "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
        sign = f"openssl x509 -req -CA {ca}/ca.crt -CAkey {ca}/ca.key -set_serial 77"
        subprocess.run(
            f"{request} -keyout {out}.key -subj /CN=nobody | {sign} -out {out}.crt",
            shell=True, check=True, capture_output=True,
        )  # fmt: skip
        return f"{out}.crt", f"{out}.key"

    def raw(self, pair=None):
        self._open.append(Raw(self.port, self.authority, pair or self.pair))
        return self._open[-1]

    def connected(self, version, **fields):
        client = self.raw().send(raw.connect(version, **fields))
        assert accepted(client, version)
        return client

    def hang_up(self):
        for client in self._open:
            client.close()
        self._open.clear()


def accepted(client, version):
    """The properties of the CONNACK that accepts (an empty list in 3.1.1), as a true pair."""
    answer = client.next()
    assert answer is not None and answer.kind == raw.CONNACK, answer
    present, code, held = raw.connack(answer, version)
    assert (present, code, answer.flags) == (0, 0, 0)
    return True, held


def refused(client, version, code):
    """DISCONNECT with the code in MQTT 5, nothing in 3.1.1; then the close."""
    answer = client.next()
    if version == V5:
        assert answer is not None and answer.kind == raw.DISCONNECT, answer
        assert hex(raw.disconnect_code(answer)) == hex(code)
        held = raw.Reader(answer.body[1:]).properties()
        assert raw.SESSION_EXPIRY not in dict(held)
        answer = client.next()
    assert answer is None, answer


def refused_at_connect(client, version, code, old_code=None):
    """CONNACK with the code (3.1.1: its own, or none); then the close."""
    answer = client.next()
    expected = code if version == V5 else old_code
    if expected is not None:
        assert answer is not None and answer.kind == raw.CONNACK, answer
        present, got, _ = raw.connack(answer, version)
        assert (present, hex(got)) == (0, hex(expected))
        answer = client.next()
    assert answer is None, answer


def alive(client):
    answer = client.send(packet(raw.PINGREQ)).next()
    assert answer == raw.Packet(raw.PINGRESP, 0, b""), answer


def acked(client, packet_id=1):
    answer = client.next()
    assert answer is not None and (answer.kind, answer.flags) == (raw.PUBACK, 0), answer
    assert answer.packet_id == packet_id
    assert len(answer.body) == 2 or answer.body[2] < 0x80


def each(*attempts):
    """Runs attempts; the first that fails is named."""
    for name, attempt in attempts:
        try:
            attempt()
        except AssertionError as failed:
            raise AssertionError(f"{name}: {failed}") from failed
