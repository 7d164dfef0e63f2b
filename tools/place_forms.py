"""Every way in which a place, a vehicle, a person or an odometer may be written down.

`patterns(canaries)` gives exact byte strings to search for; decimal text is not among them, since
it is compared as a number (place_search). A pattern that chance could write is `paired`: it counts
only when the other coordinate of the same place lies near it in the same form.

Compression, base64, hexadecimal, percent and backslash escapes are undone before the search, so
there are no patterns for those.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import struct
from dataclasses import dataclass, field
from pathlib import Path

import h3

EARTH_RADIUS_M = 6378137.0
H3_FINEST_OPEN, S2_FINEST_OPEN = 7, 12
GEOHASH = "0123456789bcdefghjkmnpqrstuvwxyz"
PLUS = "23456789CFGHJMPQRVWX"
# The shortest pattern that may stand alone: 2^-48 by chance at one place of random bytes.
ALONE_BYTES = 6
# Digits a whole number in text needs to stand alone.
ALONE_DIGITS = 8


@dataclass
class Canaries:
    """What was planted. Places are (latitude, longitude) in degrees, odometers in km as sent."""

    places: list[tuple[float, float]] = field(default_factory=list)
    vins: list[str] = field(default_factory=list)
    drivers: list[str] = field(default_factory=list)
    odometers: list[float] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> "Canaries":
        """From a JSON object of these lists; ValueError says what is wrong with it."""
        content = json.loads(path.read_text(encoding="utf-8"))
        known = set(cls.__dataclass_fields__)
        if not isinstance(content, dict) or not set(content) <= known:
            raise ValueError(f"{path}: an object with {', '.join(sorted(known))} is wanted")
        try:
            content["places"] = [(float(a), float(b)) for a, b in content.get("places", [])]
            return cls(**content).checked()
        except (TypeError, AttributeError) as error:
            raise ValueError(f"{path}: {error}; see docs/leak-scan.md") from error

    def checked(self) -> "Canaries":
        """ValueError when a search for these would prove nothing or find them by chance."""
        if not any((self.places, self.vins, self.drivers, self.odometers, self.texts)):
            raise ValueError("no canaries to look for: the scan would prove nothing")
        for latitude, longitude in self.places:
            if not (1 <= abs(latitude) <= 85 and 1 <= abs(longitude) <= 180):
                raise ValueError(
                    "a place needs 1 to 85 degrees of latitude and 1 to 180 of longitude: "
                    "nearer to zero its forms are too short to be told from chance"
                )
        for text in (*self.vins, *self.drivers, *self.texts):
            if len(text.encode()) < ALONE_BYTES:
                raise ValueError(f"a text canary has {ALONE_BYTES} bytes or more")
        return self


@dataclass(frozen=True)
class Pattern:
    form: str
    data: bytes
    canary: str  # "place 3": which one, never what
    part: str = ""  # "a" or "b": paired; counts beside the other part of the same form and canary
    edge: bytes = b""  # bytes that may not stand before it: it would be part of another word
    after: bytes = b""  # bytes that may not follow it


WORD = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
DIGITS = b"0123456789."


# Encoders -------------------------------------------------------------------------------------


def geohash(latitude: float, longitude: float, length: int) -> str:
    spans = [[-180.0, 180.0], [-90.0, 90.0]]
    values, text, bits = (longitude, latitude), "", 0
    for index in range(5 * length):
        span, value = spans[index % 2], values[index % 2]
        middle = (span[0] + span[1]) / 2
        upper = value >= middle
        span[0 if upper else 1] = middle
        bits = bits << 1 | upper
        if index % 5 == 4:
            text, bits = text + GEOHASH[bits], 0
    return text


def _s2_face(latitude: float, longitude: float) -> tuple[int, float, float]:
    phi, theta = math.radians(latitude), math.radians(longitude)
    x, y = math.cos(phi) * math.cos(theta), math.cos(phi) * math.sin(theta)
    z = math.sin(phi)
    size = [abs(x), abs(y), abs(z)]
    axis = size.index(max(size))
    face = axis + (3 if (x, y, z)[axis] < 0 else 0)
    u, v = (
        (y / x, z / x), (-x / y, z / y), (-x / z, -y / z),
        (z / x, y / x), (z / y, -x / y), (-y / z, -x / z),
    )[face]  # fmt: skip
    return face, u, v


def s2_leaf(latitude: float, longitude: float) -> int:
    """The S2 cell id of level 30 (quadratic projection, as Google's library has it)."""
    face, u, v = _s2_face(latitude, longitude)

    def index(w):
        st = 0.5 * math.sqrt(1 + 3 * w) if w >= 0 else 1 - 0.5 * math.sqrt(1 - 3 * w)
        return min(max(int(st * (1 << 30)), 0), (1 << 30) - 1)

    i, j = index(u), index(v)
    to_position = ((0, 1, 3, 2), (0, 3, 1, 2), (2, 3, 1, 0), (2, 1, 3, 0))
    turn = (1, 0, 0, 3)
    orientation, position = face & 1, 0
    for bit in range(29, -1, -1):
        quarter = to_position[orientation][(i >> bit & 1) << 1 | (j >> bit & 1)]
        position = position << 2 | quarter
        orientation ^= turn[quarter]
    return face << 61 | position << 1 | 1


def s2_cell(leaf: int, level: int) -> int:
    lowest = 1 << 2 * (30 - level)
    return leaf & -lowest & (1 << 64) - 1 | lowest


def plus_code(latitude: float, longitude: float) -> str:
    """Ten digits: about 14 m."""
    rows, columns = int((latitude + 90) * 8000), int((longitude + 180) * 8000)
    text = ""
    for _ in range(5):
        text = PLUS[rows % 20] + PLUS[columns % 20] + text
        rows, columns = rows // 20, columns // 20
    return text[:8] + "+" + text[8:]


def tile(latitude: float, longitude: float, zoom: int) -> tuple[int, int]:
    x, y = mercator_m(latitude, longitude)
    half = math.pi * EARTH_RADIUS_M
    return int((x + half) / (2 * half) * (1 << zoom)), int((half - y) / (2 * half) * (1 << zoom))


def quadkey(latitude: float, longitude: float, zoom: int) -> str:
    x, y = tile(latitude, longitude, zoom)
    return "".join(str((x >> b & 1) | (y >> b & 1) << 1) for b in range(zoom - 1, -1, -1))


def mercator_m(latitude: float, longitude: float) -> tuple[float, float]:
    x = EARTH_RADIUS_M * math.radians(longitude)
    return x, EARTH_RADIUS_M * math.log(math.tan(math.pi / 4 + math.radians(latitude) / 2))


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def zigzag(value: int) -> int:
    return value << 1 if value >= 0 else (-value << 1) - 1


def polyline(value: int) -> str:
    bits, text = zigzag(value), ""
    while bits > 31:
        text += chr((bits & 31 | 32) + 63)
        bits >>= 5
    return text + chr(bits + 63)


def _whole(value: float) -> set[int]:
    """Rounded, cut off, and rounded down: encoders differ."""
    return {round(value), math.trunc(value), math.floor(value)}


# Patterns -------------------------------------------------------------------------------------


def _binary_degrees(name, a, b, canary):
    """float64 alone by its upper six bytes (1e-9 degrees); what is shorter, paired."""
    for part, value in (("a", a), ("b", b)):
        for near in (value, value * (1 + 4e-12), value * (1 - 4e-12)):
            yield Pattern(f"{name}float64-be", struct.pack(">d", near)[:6], canary)
            yield Pattern(f"{name}float64-le", struct.pack("<d", near)[2:], canary)
        yield Pattern(f"{name}float32-be", struct.pack(">f", value), canary, part)
        yield Pattern(f"{name}float32-le", struct.pack("<f", value), canary, part)


def _fixed_point(latitude, longitude, canary):
    for power in (5, 6, 7):
        for part, value in (("a", latitude), ("b", longitude)):
            for whole in _whole(value * 10**power):
                name = f"1e{power}"
                for code, bits in (("i", 32), ("q", 64)):
                    for order, end in (("<", "le"), (">", "be")):
                        data = struct.pack(order + code, whole)
                        yield Pattern(f"int{bits}-{name}-{end}", data, canary, part)
                signed = varint(whole)
                alone = len(signed) >= 10  # a negative one: ten bytes
                yield Pattern(f"varint-{name}", signed, canary, "" if alone else part)
                yield Pattern(f"zigzag-{name}", varint(zigzag(whole)), canary, part)
                digits = str(abs(whole))
                alone = len(digits) >= ALONE_DIGITS
                yield Pattern(
                    f"digits-{name}", digits.encode(), canary, "" if alone else part, WORD, WORD
                )


def _sexagesimal(latitude, longitude, canary):
    for part, value, width in (("a", abs(latitude), 2), ("b", abs(longitude), 3)):
        degrees, minutes = int(value), value % 1 * 60
        whole, seconds = int(minutes), minutes % 1 * 60
        for pad in {1, 2, width}:
            head = f"{degrees:0{pad}}"
            for second in {int(seconds), min(round(seconds), 59)}:
                for text in (
                    f"{head}°{whole:02}'{second:02}", f"{head}°{whole}'{second}",
                    f"{head}° {whole:02}' {second:02}", f"{head}° {whole}' {second}",
                    f"{head}°{whole:02}′{second:02}", f"{head}°{whole}′{second}",
                ):  # fmt: skip
                    yield Pattern("dms", text.encode(), canary, "", DIGITS)
                for mark in " :-":
                    text = f"{head}{mark}{whole:02}{mark}{second:02}"
                    yield Pattern("dms", text.encode(), canary, part, DIGITS)
            for cut in {math.floor(minutes * 1e4) / 1e4, round(minutes, 4)}:
                yield Pattern("nmea", f"{head}{cut:07.4f}".encode(), canary, "", DIGITS)
            for cut in {math.floor(minutes * 1e2) / 1e2, round(minutes, 2)}:
                yield Pattern("nmea", f"{head}{cut:05.2f}".encode(), canary, part, DIGITS)
            cut = math.floor(minutes * 1e3) / 1e3
            for gap in ("°", "° "):
                yield Pattern("dms", f"{head}{gap}{cut:06.3f}".encode(), canary, "", DIGITS)
                yield Pattern("dms", f"{head}{gap}{cut:.3f}".encode(), canary, "", DIGITS)


def _cell_id(form, cell, canary, token):
    signed = cell - (1 << 64) if cell >> 63 else cell
    yield Pattern(f"{form}-le", struct.pack("<Q", cell), canary)
    yield Pattern(f"{form}-be", struct.pack(">Q", cell), canary)
    yield Pattern(f"{form}-decimal", str(cell).encode(), canary, "", DIGITS)
    if signed != cell:
        yield Pattern(f"{form}-decimal", str(signed).encode(), canary)
    for text in {token, token.upper()}:
        yield Pattern(f"{form}-token", text.encode(), canary, "", WORD)
    for text in {f"{cell:016x}", f"{cell:016X}"}:
        yield Pattern(f"{form}-hex", text.encode(), canary)


def _cells(latitude, longitude, canary):
    for level in range(H3_FINEST_OPEN + 1, 16):
        token = h3.latlng_to_cell(latitude, longitude, level)
        yield from _cell_id("h3", int(token, 16), canary, token)
    leaf = s2_leaf(latitude, longitude)
    for level in range(S2_FINEST_OPEN + 1, 31):
        cell = s2_cell(leaf, level)
        yield from _cell_id("s2", cell, canary, f"{cell:016x}".rstrip("0"))
    for text in {geohash(latitude, longitude, 6)}:
        yield Pattern("geohash", text.encode(), canary, "", WORD)
        yield Pattern("geohash", text.upper().encode(), canary, "", WORD)
    code = plus_code(latitude, longitude)
    for text in {code, code.lower()}:
        yield Pattern("plus-code", text[:9].encode(), canary, "", WORD)
        yield Pattern("plus-code", text[4:].encode(), canary)


def _tiles(latitude, longitude, canary):
    key = quadkey(latitude, longitude, 14)
    yield Pattern("quadkey", key.encode(), canary, "", WORD)
    for zoom in range(14, 23):
        x, y = tile(latitude, longitude, zoom)
        for row in (y, (1 << zoom) - 1 - y):  # and counted from the south, as TMS does
            for text in (f"{zoom}/{x}/{row}", f"z={zoom}&x={x}&y={row}"):
                yield Pattern("xyz", text.encode(), canary, "", DIGITS)
            for mark in "/,-_":
                if len(pair := f"{x}{mark}{row}") >= ALONE_DIGITS:
                    yield Pattern("xyz", pair.encode(), canary, "", DIGITS)


def _metres(latitude, longitude, canary):
    x, y = mercator_m(latitude, longitude)
    yield from _binary_degrees("mercator-", x, y, canary)
    for part, value in (("a", abs(x)), ("b", abs(y))):
        for cut in {math.floor(value * 10) / 10, round(value, 1)}:
            yield Pattern("mercator", f"{cut:.1f}".encode(), canary, "", DIGITS)
        for whole in _whole(value):
            yield Pattern("mercator", str(whole).encode(), canary, part, DIGITS)


def _polylines(latitude, longitude, canary):
    for power in (5, 6):
        for a in _whole(latitude * 10**power):
            for b in _whole(longitude * 10**power):
                first, second = polyline(a), polyline(b)
                yield Pattern("polyline", (first + second).encode(), canary)
                yield Pattern("polyline", (second + first).encode(), canary)


def place_patterns(latitude: float, longitude: float, canary: str):
    yield from _binary_degrees("", latitude, longitude, canary)
    radians = math.radians(latitude), math.radians(longitude)
    yield from _binary_degrees("radians-", *radians, canary)
    for make in (_fixed_point, _sexagesimal, _cells, _tiles, _metres, _polylines):
        yield from make(latitude, longitude, canary)


def _word_patterns(form: str, text: str, canary: str):
    """As sent, in other case, and under hashes without a key, which a dictionary undoes."""
    for written in {text, text.lower(), text.upper()}:
        yield Pattern(form, written.encode(), canary)
        yield Pattern(form, written.encode("utf-16-le"), canary)
    for name in ("md5", "sha1", "sha256", "sha512"):
        digest = hashlib.new(name, text.encode()).digest()
        yield Pattern(f"{form}-{name}", digest[:16], canary)


def _odometer_patterns(value: float, canary: str):
    yield Pattern("odometer-float64-be", struct.pack(">d", value)[:7], canary)
    yield Pattern("odometer-float64-le", struct.pack("<d", value)[1:], canary)
    text = re.sub(r"0+$", "", f"{value:.3f}")
    if len(text) >= ALONE_DIGITS:
        yield Pattern("odometer", text.encode(), canary, "", DIGITS)


def patterns(canaries: Canaries) -> list[Pattern]:
    """All of them, without repeats."""
    found: dict[Pattern, None] = {}
    for number, place in enumerate(canaries.places):
        found.update(dict.fromkeys(place_patterns(*place, f"place {number}")))
    for form, texts in (
        ("vin", canaries.vins),
        ("driver", canaries.drivers),
        ("text", canaries.texts),
    ):
        for number, text in enumerate(texts):
            found.update(dict.fromkeys(_word_patterns(form, text, f"{form} {number}")))
    for number, value in enumerate(canaries.odometers):
        found.update(dict.fromkeys(_odometer_patterns(value, f"odometer {number}")))
    return list(found)
