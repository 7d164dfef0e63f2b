"""A small MQTT client for both ends of the rules: bytes in, bytes out, well formed or not.

It shares no code with the gateway and keeps no state: what is sent is what the test says."""

import dataclasses
import socket
import ssl
import struct

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = 1, 2, 3, 4, 5, 6, 7
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT, AUTH = range(8, 16)
V4, V5 = 4, 5  # protocol levels: MQTT 3.1.1 and 5.0
TOPIC = "telltale/v1/reports"

# Properties of MQTT 5: identifier -> how its value is laid out.
BYTE, TWO, FOUR, VARIABLE, TEXT, PAIR = range(6)
KINDS = {
    0x01: BYTE, 0x02: FOUR, 0x03: TEXT, 0x08: TEXT, 0x09: TEXT, 0x0B: VARIABLE, 0x11: FOUR,
    0x12: TEXT, 0x13: TWO, 0x15: TEXT, 0x16: TEXT, 0x17: BYTE, 0x18: FOUR, 0x19: BYTE, 0x1A: TEXT,
    0x1C: TEXT, 0x1F: TEXT, 0x21: TWO, 0x22: TWO, 0x23: TWO, 0x24: BYTE, 0x25: BYTE, 0x26: PAIR,
    0x27: FOUR, 0x28: BYTE, 0x29: BYTE, 0x2A: BYTE,
}  # fmt: skip
SESSION_EXPIRY, ASSIGNED_CLIENT_ID, SERVER_KEEP_ALIVE, AUTH_METHOD = 0x11, 0x12, 0x13, 0x15
REQUEST_PROBLEM, RESPONSE_INFORMATION, REASON_STRING, RECEIVE_MAXIMUM = 0x17, 0x1A, 0x1F, 0x21
TOPIC_ALIAS_MAXIMUM, TOPIC_ALIAS, MAXIMUM_QOS, RETAIN_AVAILABLE = 0x22, 0x23, 0x24, 0x25
USER_PROPERTY, MAXIMUM_PACKET_SIZE, WILDCARD_AVAILABLE = 0x26, 0x27, 0x28
SUBSCRIPTION_IDS_AVAILABLE, SHARED_AVAILABLE, SUBSCRIPTION_ID = 0x29, 0x2A, 0x0B
RESPONSE_TOPIC, CONTENT_TYPE = 0x08, 0x03


def variable(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def text(value):
    data = value.encode() if isinstance(value, str) else value
    return struct.pack(">H", len(data)) + data


def properties(*pairs):
    """properties((TOPIC_ALIAS, 3), ...) with its length in front."""
    out = b""
    for identifier, value in pairs:
        kind = KINDS[identifier]
        out += variable(identifier)
        if kind == VARIABLE:
            out += variable(value)
        elif kind == PAIR:
            out += text(value[0]) + text(value[1])
        elif kind == TEXT:
            out += text(value)
        else:
            out += struct.pack({BYTE: ">B", TWO: ">H", FOUR: ">I"}[kind], value)
    return variable(len(out)) + out


def packet(kind, body=b"", flags=0):
    return bytes([kind << 4 | flags]) + variable(len(body)) + body


def connect(version, client_id="raw", flags=0x02, keep_alive=0, held=None, payload=b"", **odd):
    """`flags` as on the wire; `payload` follows the client id; `held`: properties of MQTT 5."""
    head = text(odd.get("name", "MQTT"))
    head += struct.pack(">BBH", odd.get("level", version), flags, keep_alive)
    if version == V5:
        head += properties() if held is None else held
    return packet(CONNECT, head + text(client_id) + payload, odd.get("header_flags", 0))


def publish(version, payload=b"", topic=TOPIC, packet_id=1, flags=0x02, held=None):
    """QoS 1 by its flags; a QoS 0 packet has no id."""
    body = text(topic) + (struct.pack(">H", packet_id) if flags & 0x06 else b"")
    if version == V5:
        body += properties() if held is None else held
    return packet(PUBLISH, body + payload, flags)


def subscribe(version, *filters, packet_id=7, flags=0x02, held=None):
    """subscribe(V4, ("a", 1)): filters with their option byte."""
    body = struct.pack(">H", packet_id)
    if version == V5:
        body += properties() if held is None else held
    body += b"".join(text(name) + bytes([options]) for name, options in filters)
    return packet(SUBSCRIBE, body, flags)


def unsubscribe(version, *filters, packet_id=8, flags=0x02):
    body = struct.pack(">H", packet_id) + (properties() if version == V5 else b"")
    return packet(UNSUBSCRIBE, body + b"".join(map(text, filters)), flags)


@dataclasses.dataclass(frozen=True)
class Packet:
    kind: int
    flags: int
    body: bytes

    @property
    def packet_id(self):
        return struct.unpack_from(">H", self.body)[0]


class Reader:
    """The fields of a body, one after the other."""

    def __init__(self, body):
        self.rest = body

    def take(self, size):
        assert len(self.rest) >= size, f"cut short: {self.rest!r}"
        taken, self.rest = self.rest[:size], self.rest[size:]
        return taken

    def variable(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7

    def properties(self):
        """[(identifier, value)]; empty when the body ends here."""
        if not self.rest:
            return []
        inner, found = Reader(self.take(self.variable())), []
        while inner.rest:
            identifier = inner.variable()
            found.append((identifier, inner._value(KINDS[identifier])))
        return found

    def _value(self, kind):
        if kind == VARIABLE:
            return self.variable()
        if kind == PAIR:
            return self._value(TEXT), self._value(TEXT)
        if kind == TEXT:
            return self.take(struct.unpack(">H", self.take(2))[0])
        return int.from_bytes(self.take({BYTE: 1, TWO: 2, FOUR: 4}[kind]), "big")


def connack(answer, version):
    """(session present, code, properties) of a CONNACK."""
    reader = Reader(answer.body)
    flags, code = reader.take(2)
    held = reader.properties() if version == V5 else []
    assert not reader.rest, "bytes after the CONNACK's fields"
    return flags, code, held


def disconnect_code(answer):
    """The reason code of a server's DISCONNECT (MQTT 5)."""
    return answer.body[0] if answer.body else 0


class Raw:
    """One connection. Anything can be sent; `next()` is the next packet or None at the close."""

    LIMIT_S = 10

    def __init__(self, port, authority, pair):
        context = ssl.create_default_context(cafile=str(authority))
        if pair:
            context.load_cert_chain(*map(str, pair))
        plain = socket.create_connection(("127.0.0.1", port), timeout=self.LIMIT_S)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = context.wrap_socket(plain, server_hostname="localhost")
        self._received = b""

    def send(self, *packets):
        self._socket.sendall(b"".join(packets))
        return self

    def next(self):
        while True:
            found = self._packet()
            if found:
                return found
            try:
                more = self._socket.recv(65536)
            except (ssl.SSLError, ConnectionError) as closed:
                if isinstance(closed, TimeoutError):
                    raise
                more = b""
            if not more:
                assert not self._received, f"closed within a packet: {self._received!r}"
                return None
            self._received += more

    def _packet(self):
        size = shift = 0
        for at in range(1, 5):
            if len(self._received) <= at:
                return None
            size |= (self._received[at] & 127) << shift
            shift += 7
            if self._received[at] < 128:
                break
        end = at + 1 + size
        if len(self._received) < end:
            return None
        first, body = self._received[0], self._received[at + 1 : end]
        self._received = self._received[end:]
        return Packet(first >> 4, first & 15, body)

    def close(self):
        self._socket.close()
