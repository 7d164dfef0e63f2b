"""Reads log segments as docs/formats/segment.md says, without any of our C++: an independent eye
on what lies in the streams. Assumes a log that is at rest (reads to the last whole batch)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

DATA, CONFIG, TICK, QUARANTINE = 1, 2, 3, 4


@dataclass(frozen=True)
class Record:
    kind: int
    flags: int
    partition: int
    offset: int
    vehicle_ref: str
    boot_counter: int
    boot_random: int
    seq: int
    event_time_us: int
    receipt_time_us: int
    firmware: str
    reason: int
    payload: bytes

    @property
    def identity(self) -> tuple[str, int, int]:
        return (self.vehicle_ref, self.boot_random, self.seq)

    @property
    def wire(self) -> bytes:
        """The payload without the previous-boot block (docs/formats/telemetry-record.md)."""
        return self.payload[20:] if self.flags & 1 else self.payload


def _strings(data: bytes) -> list[str]:
    out, at = [], 0
    while at < len(data):
        (size,) = struct.unpack_from("<H", data, at)
        out.append(data[at + 2 : at + 2 + size].decode())
        at += 2 + size
    return out


def _batch(data: bytes, at: int) -> Iterator[Record]:
    head, _flags, partition, count, first = struct.unpack_from("<HHHIQ", data, at + 14)
    (string_bytes,) = struct.unpack_from("<I", data, at + 56)
    strings = _strings(data[at + head : at + head + string_bytes])
    place = at + head + string_bytes
    for index in range(count):
        kind, flags, size, payload = struct.unpack_from("<BBHI", data, place)
        vehicle = data[place + 8 : place + 24].hex()
        boot, random, seq, event, receipt = struct.unpack_from("<IQQqq", data, place + 24)
        firmware, reason = struct.unpack_from("<HH", data, place + 72)
        body = data[place + size : place + size + payload]
        name = strings[firmware] if firmware < len(strings) else ""
        yield Record(
            kind,
            flags,
            partition,
            first + index,
            vehicle,
            boot,
            random,
            seq,
            event,
            receipt,
            name,
            reason,
            body,
        )
        place += size + payload


def read_segment(path: Path) -> Iterator[Record]:
    data = path.read_bytes()
    assert data[:8] == b"TLTSEG\r\n", f"{path} is no segment"
    (at,) = struct.unpack_from("<I", data, 12)
    while at + 64 <= len(data) and data[at : at + 4] == b"TLB1":
        (length,) = struct.unpack_from("<I", data, at + 8)
        if data[at + 13] == 1:
            yield from _batch(data, at)
        at += length


def read_stream(log_dir: Path, stream: str) -> Iterator[Record]:
    for path in sorted(log_dir.glob(f"{stream}/shard-*/*.seg")):
        yield from read_segment(path)


def wire_values(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(field number, value) at the top level of a protobuf message; fixed ones as their bits."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def take(size: int) -> bytes:
        nonlocal at
        at += size
        return data[at - size : at]

    while at < len(data):
        tag = varint()
        match tag & 7:
            case 0:
                yield tag >> 3, varint()
            case 1:
                yield tag >> 3, int.from_bytes(take(8), "little")
            case 2:
                yield tag >> 3, take(varint())
            case 5:
                yield tag >> 3, int.from_bytes(take(4), "little")
            case other:
                raise ValueError(f"wire type {other}")


def wire_fields(data: bytes) -> Iterator[int]:
    """Field numbers at the top level of a protobuf message."""
    return (number for number, _ in wire_values(data))
