"""Searches bytes for canaries: all patterns in one pass, decimal text as numbers, and the same in
what the bytes decode to (gzip, zlib, zstd, snappy, base64, hexadecimal, percent and backslash
escapes), layer under layer.

False alarms by chance, for n places in b random bytes: of the patterns that stand alone some 25 a
place have 48 bits, the others more: 25 n b / 2^48, 0.0002 for 20 places in 100 MB. Paired ones have
24 bits and more each, and the two lie within 64 bytes: 8 n b * 128 / 2^48 for the few of 24 bits
(within 21 degrees of zero only: 0.007), far less for the others. Decimals that stand alone agree in
six places: 4 n / 10^8 for each number with six places in a text, were those spread over 0 to 100
degrees; so 0.8 in a million such numbers for 20 places.
"""

from __future__ import annotations

import base64
import bisect
import binascii
import json
import re
import struct
import urllib.parse
import zlib
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import zstandard
from place_forms import ALONE_BYTES, WORD, Canaries, patterns

NEAR_BYTES = 64
# Bytes looked at together; neighbours overlap so that nothing is cut in two.
PIECE_BYTES, OVERLAP_BYTES = 1 << 19, 1 << 12
DEPTH_MAX = 4
INFLATED_BYTES_MAX = 256 << 20
_MIX = np.uint64(0x9E3779B97F4A7C15)
_TABLE_BITS = 20

# Begins with the point, which is found fast; the whole part is what stands before it.
DECIMAL = re.compile(rb"\.\d{3,20}(?:[eE][+-]?\d{1,3})?")
WHOLE = re.compile(rb"(?<![\d.])\d{1,9}$")
ALONE_DECIMALS, PAIR_DECIMALS = 6, 3

HEX = re.compile(rb"(?:[0-9a-fA-F]{2}[: -]?){6,}|[0-9a-fA-F]{12,}")
# Letters that hold the six bytes of the shortest pattern that stands alone.
BASE64_RUN, HEX_RUN = b"\1" * 8, b"\1" * 12


def _flags(letters: bytes) -> bytes:
    return bytes(byte in letters for byte in range(256))


_DIGITS = b"0123456789"
BASE64_FLAGS = _flags(WORD + b"+/-_")
HEX_FLAGS = _flags(_DIGITS + b"abcdefABCDEF" + b": -")
PERCENT = re.compile(rb"%[0-9a-fA-F]{2}")
BACKSLASH = re.compile(rb"\\(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|[/\"'\\ntrbf]|[0-3][0-7]{2})")
ENTITY = re.compile(rb"&(?:#\d{1,6}|#x[0-9a-fA-F]{1,5}|quot|apos|amp);")


@dataclass(frozen=True)
class Found:
    form: str
    canary: str
    at: int


class _Keys:
    """Which places of some bytes begin like a pattern: by a table first, then exactly."""

    def __init__(self, found, width: int):
        self.width, self.by_key = width, defaultdict(list)
        for pattern in found:
            self.by_key[int.from_bytes(pattern.data[:width], "little")].append(pattern)
        self.mask = np.uint64((1 << 8 * width) - 1)
        self.keys = np.array(sorted(self.by_key), dtype=np.uint64)
        self.table = np.zeros(1 << _TABLE_BITS, dtype=bool)
        self.table[self._slots(self.keys)] = True

    @staticmethod
    def _slots(keys: np.ndarray) -> np.ndarray:
        return (keys * _MIX) >> np.uint64(64 - _TABLE_BITS)

    def candidates(self, words: np.ndarray) -> list[tuple[int, int]]:
        """(index, key) of the 64-bit words that begin like a pattern."""
        masked = words & self.mask
        maybe = np.flatnonzero(self.table[self._slots(masked)])
        if not len(maybe) or not len(self.keys):
            return []
        values = masked[maybe]
        slot = np.minimum(np.searchsorted(self.keys, values), len(self.keys) - 1)
        sure = self.keys[slot] == values
        return list(zip(maybe[sure].tolist(), values[sure].tolist(), strict=True))


class Patterns:
    """All exact patterns, searched for in one pass."""

    def __init__(self, canaries: Canaries):
        every = patterns(canaries)
        self.count = len(every)
        self.sets = [
            _Keys([p for p in every if len(p.data) >= ALONE_BYTES], ALONE_BYTES),
            _Keys([p for p in every if len(p.data) < ALONE_BYTES], 3),
        ]

    def find(self, data: bytes) -> list[Found]:
        padded = data + bytes(16)
        found, halves = [], defaultdict(list)
        for shift in range(8):
            count = (len(data) - shift + 7) // 8
            words = np.frombuffer(padded, dtype="<u8", count=max(0, count), offset=shift)
            for keys in self.sets:
                for index, key in keys.candidates(words):
                    at = shift + 8 * index
                    for pattern in keys.by_key[key]:
                        if not data.startswith(pattern.data, at):
                            continue
                        if pattern.edge and at and data[at - 1] in pattern.edge:
                            continue
                        end = at + len(pattern.data)
                        if pattern.after and end < len(data) and data[end] in pattern.after:
                            continue
                        if pattern.part:
                            halves[pattern.canary, pattern.form].append((at, pattern.part))
                        else:
                            found.append(Found(pattern.form, pattern.canary, at))
        found.extend(_joined(halves))
        return found


def _joined(halves) -> list[Found]:
    """The first pair of halves that lie near each other, of each canary and form."""
    found = []
    for (canary, form), places in halves.items():
        last: dict[str, int] = {}
        for at, part in sorted(places):
            other = last.get("b" if part == "a" else "a")
            # Not the same bytes: a place whose coordinates are alike has two.
            if other is not None and 0 < at - other <= NEAR_BYTES:
                found.append(Found(form, canary, other))
                break
            last[part] = at
    return found


class Decimals:
    """Decimal text, compared as numbers without sign: hemisphere letters carry that."""

    def __init__(self, canaries: Canaries):
        known = []
        for number, place in enumerate(canaries.places):
            for part, value in zip("ab", place, strict=True):
                for shown in {abs(value), abs(struct.unpack("f", struct.pack("f", value))[0])}:
                    known.append((shown, part, f"place {number}"))
        for number, value in enumerate(canaries.odometers):
            known.append((abs(value), "", f"odometer {number}"))
        self.known = sorted(known)
        self.values = [value for value, _, _ in self.known]

    def _near(self, value: float, tolerance: float):
        low = bisect.bisect_left(self.values, value - tolerance)
        while low < len(self.values) and self.values[low] <= value + tolerance:
            yield self.known[low]
            low += 1

    def find(self, data: bytes) -> list[Found]:
        found, halves = [], defaultdict(list)
        for match in DECIMAL.finditer(data):
            before = WHOLE.search(data[max(0, match.start() - 11) : match.start()])
            if not before:
                continue
            text = (before[0] + match[0]).lower()
            mantissa, _, exponent = text.partition(b"e")
            decimals = len(mantissa.partition(b".")[2]) - int(exponent or 0)
            if decimals < PAIR_DECIMALS:
                continue
            unit = 1.01 * 10.0 ** -min(decimals, ALONE_DECIMALS)
            for _, part, canary in self._near(float(text), unit):
                if part and decimals < ALONE_DECIMALS:
                    halves[canary, "decimal"].append((match.start(), part))
                else:
                    found.append(Found("decimal", canary, match.start()))
                    halves[canary, "decimal"].append((match.start(), part))
        return found + _joined(halves)


# Layers ---------------------------------------------------------------------------------------


def _inflate(data: bytes, at: int, window: int) -> bytes:
    try:
        # A short try first: two bytes of chance begin no stream that goes on.
        if not zlib.decompressobj(window).decompress(data[at : at + 4096], 1 << 12):
            return b""
        return zlib.decompressobj(window).decompress(data[at:], INFLATED_BYTES_MAX)
    except zlib.error:
        return b""


def _unzstd(data: bytes, at: int) -> bytes:
    engine = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj()
    out = bytearray()
    try:
        # In small steps: what came before damage or a cut end is kept.
        for start in range(at, len(data), 1 << 14):
            out += engine.decompress(data[start : start + (1 << 14)])
            if engine.eof or len(out) > INFLATED_BYTES_MAX:
                break
    except zstandard.ZstdError:
        pass
    return bytes(out)


def unsnappy(block: bytes) -> bytes:
    size = shift = 0
    for byte in block[:5]:
        size |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            break
    if not 0 < size <= min(INFLATED_BYTES_MAX, 64 * len(block)):
        return b""
    try:
        return pa.Codec("snappy").decompress(block, decompressed_size=size).to_pybytes()
    except (OSError, ValueError):
        return b""


SNAPPY_FRAME, SNAPPY_XERIAL = b"\xff\x06\0\0sNaPpY", b"\x82SNAPPY\0"


def _unsnappy_framed(data: bytes, at: int) -> bytes:
    out = bytearray()
    at += len(SNAPPY_FRAME)
    while at + 4 <= len(data):
        kind, size = data[at], int.from_bytes(data[at + 1 : at + 4], "little")
        body = data[at + 8 : at + 4 + size]
        if kind == 0:
            out += unsnappy(body)
        elif kind == 1:
            out += body
        elif kind < 0x80:
            break
        at += 4 + size
    return bytes(out)


def _unsnappy_xerial(data: bytes, at: int) -> bytes:
    out = bytearray()
    at += 16
    while at + 4 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if not 0 < size <= len(data) - at - 4:
            break
        out += unsnappy(data[at + 4 : at + 4 + size])
        at += 4 + size
    return bytes(out)


def _places(data: bytes, magic: bytes):
    at = data.find(magic)
    while at >= 0:
        yield at
        at = data.find(magic, at + 1)


COMPRESSIONS = (
    ("gzip", b"\x1f\x8b\x08", lambda data, at: _inflate(data, at, 31)),
    ("zlib", b"\x78\x01", lambda data, at: _inflate(data, at, 15)),
    ("zlib", b"\x78\x5e", lambda data, at: _inflate(data, at, 15)),
    ("zlib", b"\x78\x9c", lambda data, at: _inflate(data, at, 15)),
    ("zlib", b"\x78\xda", lambda data, at: _inflate(data, at, 15)),
    ("zstd", b"\x28\xb5\x2f\xfd", _unzstd),
    ("snappy", SNAPPY_FRAME, _unsnappy_framed),
    ("snappy", SNAPPY_XERIAL, _unsnappy_xerial),
)


def decompressed(data: bytes):
    """(name, bytes) of every compressed stream that begins anywhere in `data`."""
    for name, magic, undo in COMPRESSIONS:
        for at in _places(data, magic):
            if out := undo(data, at):
                yield f"{name}@{at}", out
    if out := unsnappy(data):
        yield "snappy", out


def _runs(data: bytes, flags: bytes, shortest: bytes):
    """Stretches of one class of bytes."""
    marked = data.translate(flags)
    at = marked.find(shortest)
    while at >= 0:
        end = marked.find(b"\0", at)
        yield data[at : end if end >= 0 else len(data)]
        at = marked.find(shortest, end) if end >= 0 else -1


def _from_base64(data: bytes) -> bytes:
    """Each run at its four alignments: what stands before it may be of the same letters."""
    out = []
    for found in _runs(data, BASE64_FLAGS, BASE64_RUN):
        run = found.translate(bytes.maketrans(b"-_", b"+/"))
        for shift in range(4):
            whole = run[shift:]
            # A last group of two or three letters holds bytes too; one letter holds none.
            whole = whole[: len(whole) - 1] if len(whole) % 4 == 1 else whole
            out.append(base64.b64decode(whole + b"=" * (-len(whole) % 4)))
    return b"\0".join(out)


def _from_hex(data: bytes) -> bytes:
    out = []
    for match in (match for run in _runs(data, HEX_FLAGS, HEX_RUN) for match in HEX.finditer(run)):
        digits = match[0].translate(None, b": -")
        for shift in range(2):
            whole = digits[shift:]
            out.append(binascii.unhexlify(whole[: len(whole) & ~1]))
    return b"\0".join(out)


_BACKSLASHED = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"b": b"\b", b"f": b"\f"}


def _backslash(match: re.Match) -> bytes:
    """As a text means it: \\u names a character."""
    mark = match[0][1:]
    if mark[:1] == b"u":
        return chr(int(mark[1:], 16)).encode("utf-8", "ignore")
    return _backslash_byte(match)


def _backslash_byte(match: re.Match) -> bytes:
    """As bytes that were written as if they were Latin-1 mean it."""
    mark = match[0][1:]
    if mark[:1] in b"ux":
        return chr(int(mark[1:], 16)).encode("latin-1", "replace")
    if mark.isdigit():
        return bytes([int(mark, 8)])
    return _BACKSLASHED.get(mark, mark)


_NAMED = {b"quot": b'"', b"apos": b"'", b"amp": b"&"}


def _entity(match: re.Match) -> bytes:
    name = match[0][1:-1]
    if name in _NAMED:
        return _NAMED[name]
    number = int(name[2:], 16) if name[1:2] == b"x" else int(name[1:])
    return chr(min(number, 0x10FFFF)).encode("utf-8", "ignore")


def unescaped(data: bytes):
    """(name, bytes) of what `data` says behind escapes; nothing where there are none."""
    if out := _from_base64(data):
        yield "base64", out
    if out := _from_hex(data):
        yield "hex", out
    if PERCENT.search(data):
        yield "percent", urllib.parse.unquote_to_bytes(data)
    if BACKSLASH.search(data):
        yield "backslash", BACKSLASH.sub(_backslash, data)
        if b"\\u00" in data:
            yield "backslash", BACKSLASH.sub(_backslash_byte, data)
    if ENTITY.search(data):
        yield "entity", ENTITY.sub(_entity, data)


class Search:
    """Everything that is looked for in bytes. One for a whole scan."""

    def __init__(self, canaries: Canaries):
        self.canaries = canaries.checked()
        self.patterns = Patterns(canaries)
        self.decimals = Decimals(canaries)

    def find(self, data: bytes, depth: int = 0, layer: str = ""):
        """(layer, Found) in `data` and in what it decodes to; offsets are of the layer."""
        for at in range(0, max(1, len(data)), PIECE_BYTES):
            piece = data[at : at + PIECE_BYTES + OVERLAP_BYTES]
            # A preallocated segment is mostly zeros: nothing is in them.
            if piece.count(0) == len(piece):
                continue
            for one in self.patterns.find(piece) + self.decimals.find(piece):
                yield layer, Found(one.form, one.canary, at + one.at)
            if depth < DEPTH_MAX:
                for name, under in unescaped(piece):
                    # Base64 of random letters is noise: it is worth one look, not a tree of them.
                    deeper = depth + (2 if name in ("base64", "hex") else 1)
                    yield from self.find(under, deeper, f"{layer}>{name}")
        if depth < DEPTH_MAX and data.count(0) != len(data):
            for name, under in decompressed(data):
                yield from self.find(under, depth + 1, f"{layer}>{name}")


def numbers_of(text: str):
    """(key, number) of each number in a JSON text or in JSON lines; nothing when it is neither."""
    try:
        roots = [json.loads(text)]
    except (ValueError, RecursionError):
        roots = []
        for line in text.splitlines():
            try:
                roots.append(json.loads(line))
            except (ValueError, RecursionError):
                continue
    for root in roots:
        yield from _walk("", root)


def _walk(key: str, node):
    if isinstance(node, dict):
        for name, value in node.items():
            yield from _walk(str(name), value)
    elif isinstance(node, list):
        for value in node:
            yield from _walk(key, value)
    elif isinstance(node, (int, float)) and not isinstance(node, bool):
        if abs(node) < 1 << 64:
            yield key, float(node)
