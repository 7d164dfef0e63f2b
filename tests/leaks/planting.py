"""Leaks made on purpose: every form of a place, by other means than the scanner's own, and every
sink that it must look into."""

import base64
import gzip
import json
import math
import sqlite3
import struct
import urllib.parse
import zlib

import h3
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

# Chosen by dice, with what Google's S2 library (libs2) gives for them at levels 30 and 13.
NORTH = (48.13715412345, 11.57612398765)
SOUTH = (-71.234567891, -163.456789123)
S2 = {
    NORTH: ("479e758b2757188d", "479e758c"),
    SOUTH: ("a5c1882e900c8c39", "a5c1882c"),
}
# From the descriptions of those formats: NMEA 0183 (RMC), geohash, Open Location Code, polyline.
NMEA = ((48.1173, 11.0 + 31.0 / 60), b"$GPRMC,123519,A,4807.038,N,01131.000,E,022.4,084.4,*6A")
GEOHASH = ((57.64911, 10.40744), b"u4pruydqqvj")
PLUS_CODE = ((47.36559, 8.524997), b"8FVC9G8F+6X")
POLYLINE = ((38.5, -120.2), b"_p~iF~ps|U_ulLnnqC_mqNvxq`@")
PLACES = [NORTH, SOUTH, NMEA[0], GEOHASH[0], PLUS_CODE[0], POLYLINE[0]]
BETWEEN = b"\x12\x09"  # a tag, as protobuf has between two fields


def _varint(value):
    value %= 1 << 64
    groups = [value >> shift & 127 for shift in range(0, 64, 7) if value >> shift] or [0]
    groups = groups[: 10 if value >> 63 else len(groups)]
    return bytes([group | 128 for group in groups[:-1]] + groups[-1:])


def _mercator(latitude, longitude):
    sine = math.sin(math.radians(latitude))
    return 6378137 * math.radians(longitude), 6378137 * math.atanh(sine)


def _dms(value):
    minutes, seconds = divmod(round(abs(value) * 3600, 2), 60)
    degrees, minutes = divmod(int(minutes), 60)
    return f"{degrees}°{minutes:02}'{seconds:05.2f}\""


def _tile(latitude, longitude, zoom):
    share = (1 - math.asinh(math.tan(math.radians(latitude))) / math.pi) / 2
    return int((longitude + 180) / 360 * 2**zoom), int(share * 2**zoom)


def _quadkey(x, y, zoom):
    return "".join(str(x >> bit & 1 | (y >> bit & 1) * 2) for bit in reversed(range(zoom)))


def _binary(latitude, longitude):
    radians = math.radians(latitude), math.radians(longitude)
    for name, (a, b) in {
        "": (latitude, longitude), "radians-": radians, "mercator-": _mercator(latitude, longitude),
    }.items():  # fmt: skip
        for code, kind in (("d", "float64"), ("f", "float32")):
            for order, end in (("<", "le"), (">", "be")):
                data = struct.pack(order + code, b) + BETWEEN + struct.pack(order + code, a)
                yield f"{name}{kind}-{end}", data
    for power in (5, 6, 7):
        a, b = round(latitude * 10**power), round(longitude * 10**power)
        for code, bits in (("i", 32), ("q", 64)):
            for order, end in (("<", "le"), (">", "be")):
                data = struct.pack(order + code, a) + BETWEEN + struct.pack(order + code, b)
                yield f"int{bits}-1e{power}-{end}", data
        yield f"varint-1e{power}", _varint(a) + BETWEEN + _varint(b)
        zigzag = [2 * value if value >= 0 else -2 * value - 1 for value in (a, b)]
        yield f"zigzag-1e{power}", _varint(zigzag[0]) + BETWEEN + _varint(zigzag[1])
        yield f"digits-1e{power}", f"({a}, {b})".encode()


def _cell_forms(name, cell, token):
    yield f"{name}-le", struct.pack("<Q", cell)
    yield f"{name}-be", struct.pack(">Q", cell)
    yield f"{name}-decimal", f"cell {cell}.".encode()
    yield f"{name}-token", f"cell {token}.".encode()
    yield f"{name}-hex", f"0x{cell:016X}".encode()


def samples(place):
    """(form, bytes) of a place; some forms more than once, since people write them differently."""
    latitude, longitude = place
    yield "decimal", f"{latitude:.3f}, {longitude:.3f}".encode()
    yield "decimal", f"{longitude:.4f} {latitude:.4f}".encode()
    yield "decimal", f"lat {latitude:.7f}".encode()
    yield "decimal", f"{longitude:.9e}".encode()
    yield "decimal", f"{abs(latitude):.5f}S {abs(longitude):.5f}W".encode()
    shorter = struct.unpack("f", struct.pack("f", longitude))[0]
    yield "decimal", f"as float {shorter!r}".encode()
    yield from _binary(latitude, longitude)
    yield "dms", f"{_dms(latitude)}S".encode()
    yield "dms", f"{_dms(longitude)} W".encode()
    minutes = [abs(value) % 1 * 60 for value in place]
    north, east = int(abs(latitude)), int(abs(longitude))
    yield "nmea", f"{north:02}{minutes[0]:07.4f},S,{east:03}{minutes[1]:07.4f},W".encode()
    for level in (8, 15):
        token = h3.latlng_to_cell(latitude, longitude, level)
        yield from _cell_forms("h3", int(token, 16), token)
    for token in S2[place]:
        yield from _cell_forms("s2", int(token.ljust(16, "0"), 16), token)
    x, y = _mercator(latitude, longitude)
    yield "mercator", f"x={x:.2f}".encode()
    yield "mercator", f"{y:.0f} {x:.0f}".encode()
    x, y = _tile(latitude, longitude, 17)
    yield "xyz", f"/tiles/17/{x}/{y}.png".encode()
    yield "quadkey", f"/q/{_quadkey(x, y, 17)}.jpeg".encode()


def all_samples():
    """(form, number of the place, bytes) of everything that is planted."""
    for number, place in enumerate((NORTH, SOUTH)):
        for form, data in samples(place):
            yield form, number, data
    for number, (form, (_, data)) in enumerate(
        (("nmea", NMEA), ("geohash", GEOHASH), ("plus-code", PLUS_CODE), ("polyline", POLYLINE)), 2
    ):
        yield form, number, data


# Escapes: each makes text, or bytes, of any bytes ----------------------------------------------


def _json(data):
    return json.dumps({"v": data.decode("latin-1")}).replace("/", "\\/").encode()


ESCAPES = {
    "none": lambda data: data,
    "base64": lambda data: b"token=" + base64.b64encode(b"\x01" + data),
    "base64-url": lambda data: b"v:" + base64.urlsafe_b64encode(data),
    "hex": lambda data: b"raw: " + data.hex().encode(),
    "hex-dump": lambda data: data.hex(" ").upper().encode(),
    "url": lambda data: b"/q?at=" + urllib.parse.quote(data, safe="").encode(),
    "json": _json,
}


# Sinks: each writes `data` into `folder` as a file of its kind ---------------------------------


def snappy_framed(data):
    body = pa.Codec("snappy").compress(data, asbytes=True)
    chunk = b"\0" + (len(body) + 4).to_bytes(3, "little") + b"crc " + body
    return b"\xff\x06\0\0sNaPpY" + chunk


def _zigzag_long(value):
    return _varint(value * 2)


def _avro_bytes(data):
    return _zigzag_long(len(data)) + data


def avro(data, codec):
    """An object container file of one record with the field lower_bounds, as manifests have."""
    schema = {
        "type": "record", "name": "entry",
        "fields": [{"name": "lower_bounds", "type": "bytes", "field-id": 125}],
    }  # fmt: skip
    meta = {b"avro.schema": json.dumps(schema).encode(), b"avro.codec": codec.encode()}
    head = b"Obj\x01" + _zigzag_long(len(meta))
    head += b"".join(_avro_bytes(k) + _avro_bytes(v) for k, v in meta.items()) + b"\0"
    block = _avro_bytes(data)
    if codec == "deflate":
        block = zlib.compress(block)[2:-4]
    elif codec == "zstandard":
        block = zstandard.compress(block)
    return head + b"sync" * 4 + _zigzag_long(1) + _zigzag_long(len(block)) + block + b"sync" * 4


def parquet(path, table, **options):
    # Split by bytes or by dictionary and compressed: no value's bytes lie together.
    pq.write_table(table, path, compression="zstd", **options)


def _sqlite(path, data):
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA synchronous = OFF")
        database.execute("CREATE TABLE notes (n INTEGER, v BLOB)")
        database.execute("INSERT INTO notes VALUES (1, ?)", (data,))
    database.close()


def _write(path, data):
    path.write_bytes(data)


SINKS = {
    "raw": lambda path, data: _write(path, b"\x07" * 5003 + data + b"\x07" * 5003),
    "gzip": lambda path, data: _write(path, gzip.compress(b"before " + data)),
    "zlib": lambda path, data: _write(path, b"ab" + zlib.compress(b"before " + data)),
    "zstd": lambda path, data: _write(path, zstandard.compress(b"before " + data)),
    "snappy": lambda path, data: _write(path, snappy_framed(b"before " + data)),
    "snappy-raw": lambda path, data: _write(path, pa.Codec("snappy").compress(data, asbytes=True)),
    "parquet": lambda path, data: parquet(path, pa.table({"v": [b"a", data, b"z"]})),
    "sqlite": _sqlite,
    "avro-null": lambda path, data: _write(path, avro(data, "null")),
    "avro-deflate": lambda path, data: _write(path, avro(data, "deflate")),
    "avro-zstandard": lambda path, data: _write(path, avro(data, "zstandard")),
    "json": lambda path, data: _write(path, json.dumps([{"v": data.decode("latin-1")}]).encode()),
    "log": lambda path, data: _write(
        path, b"2026-01-01T00:00:00Z debug refused report=" + data + b" reason=report_malformed\n"
    ),
    "name": lambda path, data: (path.parent / _name(data, path.name)).touch(),
}


def _name(data, number):
    """A file's name that says it: as text where that may be a name, else percent-encoded."""
    return f"{number}zz " + urllib.parse.quote(data, safe="").replace("%20", " ")[:200]


# A name cannot hold every byte: there the escape of names themselves is the plain form.
COMBINATIONS = [
    (sink, escape)
    for sink in SINKS
    for escape in ESCAPES
    if (sink, escape) not in {("json", "json"), ("name", "json"), ("name", "url")}
]


def plant(folder, sink, escape):
    """One file a sample; {file: (form, canary)} of what must be found there."""
    expected = {}
    for number, (form, place, data) in enumerate(all_samples()):
        name = f"{number:03}"
        SINKS[sink](folder / name, ESCAPES[escape](data))
        expected[name] = form, f"place {place}"
    return expected


def missed(folder, sink, escape, scan):
    """What of `plant()` the scan of that folder did not find: (file, form, canary)."""
    expected = plant(folder, sink, escape)
    report = scan.folder(folder).report
    assert not report.unread
    found = {(hit["path"][:3], hit["form"], hit["canary"]) for hit in report.hits}
    return {(name, *what) for name, what in expected.items()} - found
