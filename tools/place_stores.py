"""Reads what byte searches cannot: Parquet, SQLite, Avro and Iceberg manifests, JSON, metrics text.

Columnar encodings (delta, dictionary, byte-stream split) defeat a search for bytes, so every value
is read through a reader and compared as a number: one within 0.005 degrees of a canary's latitude
or longitude, in any column that is not allowed, or both within 560 m in one row of whatever
columns. Texts, bytes and whole numbers (cell ids, fixed point) also go through the byte search.
"""

from __future__ import annotations

import contextlib
import math
import re
import shutil
import sqlite3
import struct
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import zstandard
from place_forms import Canaries
from place_search import Search, numbers_of, unsnappy
from pyiceberg.avro.file import AvroFile
from pyiceberg.io.pyarrow import PyArrowFileIO

NEAR_DEG = 0.005
PAIR_DEG = 560 / 111_195
NEAR_KM = 0.0005
FIXED_POINT = (1e-5, 1e-6, 1e-7)
ROWS_MAX = 1 << 17
JSON_BYTES_MAX = 64 << 20


class Unreadable(Exception):
    """A store that its reader cannot read: it was not searched."""


@dataclass(frozen=True)
class Seen:
    form: str
    canary: str
    where: str


class Near:
    """Numeric comparison with the canaries."""

    def __init__(self, canaries: Canaries, allowed: frozenset[str] = frozenset()):
        self.places, self.allowed = canaries.places, allowed
        known = [
            (value, NEAR_DEG, f"place {number}")
            for number, place in enumerate(canaries.places)
            for value in place
        ]
        known += [(value, NEAR_KM, f"odometer {n}") for n, value in enumerate(canaries.odometers)]
        self.known = sorted(known)
        self.low = np.array([value - reach for value, reach, _ in self.known])
        self.high = np.array([value + reach for value, reach, _ in self.known])

    def lone(self, values: np.ndarray) -> list[tuple[int, str]]:
        """(index, canary) of the values that are near one; the first of each canary."""
        finite = np.flatnonzero(np.isfinite(values))
        found = {}
        for number, (_, _, canary) in enumerate(self.known):
            near = (values[finite] >= self.low[number]) & (values[finite] <= self.high[number])
            if near.any():
                found.setdefault(canary, int(finite[np.argmax(near)]))
        return [(index, canary) for canary, index in found.items()]

    def pairs(self, columns: list[np.ndarray]) -> list[tuple[int, str]]:
        """(row, canary) where two columns of a row are within 560 m of a place."""
        found = []
        for number, (latitude, longitude) in enumerate(self.places):
            reach = PAIR_DEG / max(0.05, math.cos(math.radians(latitude)))
            with np.errstate(invalid="ignore"):
                norths = [np.abs(column - latitude) <= PAIR_DEG for column in columns]
                easts = [np.abs(column - longitude) <= reach for column in columns]
            for i, north in enumerate(norths):
                for j, east in enumerate(easts):
                    if i != j and len(north) == len(east) and (both := north & east).any():
                        found.append((int(np.argmax(both)), f"place {number}"))
        return found


class Stores:
    """The readers, each yielding what it saw; all take bytes or paths, none writes."""

    def __init__(self, search: Search, near: Near):
        self.search, self.near = search, near

    def bytes_in(self, data: bytes, where: str):
        for layer, one in self.search.find(data):
            yield Seen(one.form, one.canary, f"{where}{layer}")

    def numbers(self, name: str, values: np.ndarray, whole: bool, where: str):
        """One column of numbers."""
        scaled = [values] + ([values * scale for scale in FIXED_POINT] if whole else [])
        if name not in self.near.allowed:
            for column in scaled:
                for index, canary in self.near.lone(column):
                    yield Seen("near", canary, f"{where} {name} row {index}")

    def rows(self, columns: list[np.ndarray], where: str):
        for row, canary in self.near.pairs(columns):
            yield Seen("near-pair", canary, f"{where} row {row}")

    # Parquet

    def parquet(self, path: Path):
        try:
            file = pq.ParquetFile(path)
            yield from self._statistics(file.metadata)
            for number in range(file.num_row_groups):
                for batch in file.iter_batches(ROWS_MAX, row_groups=[number]):
                    yield from self._batch(batch, f"row group {number}")
        except (pa.ArrowException, OSError) as error:
            raise Unreadable(f"Parquet: {error}") from error

    def _statistics(self, metadata):
        for group in range(metadata.num_row_groups):
            for index in range(metadata.num_columns):
                column = metadata.row_group(group).column(index)
                statistics = column.statistics
                if statistics is None or not statistics.has_min_max:
                    continue
                name = column.path_in_schema.split(".")[-1]
                where = f"statistics of row group {group}"
                for value in (statistics.min, statistics.max):
                    yield from self.value(name, value, where)

    def value(self, name: str, value, where: str):
        """One value of whatever type."""
        if isinstance(value, bool) or value is None:
            return
        if isinstance(value, (int, float)):
            whole = isinstance(value, int)
            yield from self.numbers(name, np.array([float(value)]), whole, where)
            if whole and -(1 << 63) <= value < 1 << 64:
                data = struct.pack("<Q", value & (1 << 64) - 1)
                yield from self.bytes_in(data, f"{where} {name}")
        elif isinstance(value, str):
            yield from self.bytes_in(value.encode(), f"{where} {name}")
        elif isinstance(value, (bytes, bytearray, memoryview)):
            data = bytes(value)
            yield from self.bytes_in(data, f"{where} {name}")
            # Iceberg keeps bounds as the little-endian bytes of the value.
            for code, size in (("<d", 8), ("<f", 4), ("<q", 8), ("<i", 4)):
                if len(data) == size:
                    (number,) = struct.unpack(code, data)
                    whole = code in ("<q", "<i")
                    yield from self.numbers(name, np.array([float(number)]), whole, where)

    def _batch(self, batch: pa.RecordBatch, where: str):
        flat = []
        for name, array in zip(batch.schema.names, batch.columns, strict=True):
            for leaf, values in _leaves(name, array):
                yield from self._column(leaf, values, where)
                if len(values) == batch.num_rows and (number := _float64(values)) is not None:
                    flat.append(number)
        yield from self.rows(flat, where)

    def _column(self, name: str, array: pa.Array, where: str):
        numbers = _float64(array)
        if numbers is not None:
            whole = pa.types.is_integer(array.type)
            yield from self.numbers(name, numbers, whole, where)
            kept = array.drop_null()
            if whole and array.type.bit_width == 64 and len(kept):
                # Apart by zeros of their own: a pair across two rows is no pair.
                padded = np.zeros((len(kept), 2), dtype="<u8")
                padded[:, 0] = kept.to_numpy(zero_copy_only=False).astype("<i8").view("<u8")
                yield from self.bytes_in(padded.tobytes(), f"{where} {name}")
            return
        if pa.types.is_dictionary(array.type):
            array = array.dictionary
        if _is_text(array.type):
            distinct = pc.unique(array).drop_null().to_pylist()
            data = b"\n".join(v.encode() if isinstance(v, str) else v for v in distinct)
            yield from self.bytes_in(data, f"{where} {name}")

    # SQLite

    def sqlite(self, path: Path):
        """A copy with its write-ahead log: opening the original would touch a running system."""
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "copy"
            try:
                for tail in ("", "-wal"):
                    if Path(f"{path}{tail}").exists():
                        shutil.copyfile(f"{path}{tail}", f"{copy}{tail}")
                with contextlib.closing(sqlite3.connect(copy)) as database:
                    names = database.execute(
                        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
                    ).fetchall()
                    for (name,) in names:
                        yield from self._table(database, name)
            except (sqlite3.Error, OSError) as error:
                raise Unreadable(f"SQLite: {error}") from error

    def _table(self, database, table: str):
        cursor = database.execute('SELECT * FROM "{}"'.format(table.replace('"', '""')))
        names = [column[0] for column in cursor.description]
        while rows := cursor.fetchmany(ROWS_MAX):
            columns = []
            for name, values in zip(names, zip(*rows, strict=True), strict=True):
                numbers = [v if isinstance(v, (int, float)) else math.nan for v in values]
                column = np.array(numbers, dtype=float)
                columns.append(column)
                whole = any(isinstance(v, int) for v in values)
                yield from self.numbers(name, column, whole, f"table {table}")
                texts = [v.encode() if isinstance(v, str) else v for v in values if _texty(v)]
                yield from self.bytes_in(b"\n".join(texts), f"table {table} {name}")
                ids = [v & (1 << 64) - 1 for v in values if isinstance(v, int)]
                data = b"".join(struct.pack("<QQ", v, 0) for v in ids)
                yield from self.bytes_in(data, f"table {table} {name}")
            yield from self.rows(columns, f"table {table}")

    # Avro, and what Iceberg keeps in it

    def avro(self, data: bytes):
        for number, block in enumerate(_avro_blocks(data)):
            yield from self.bytes_in(block, f"Avro block {number}")
        if b'"field-id"' in data[:1 << 16]:
            yield from self._manifest(data)

    def _manifest(self, data: bytes):
        # pyiceberg reads files; the bytes may have come out of an archive.
        with tempfile.NamedTemporaryFile(suffix=".avro") as copy:
            copy.write(data)
            copy.flush()
            try:
                with AvroFile(PyArrowFileIO().new_input(copy.name)) as records:
                    for number, record in enumerate(records):
                        yield from self._record(record, f"manifest entry {number}")
            except Exception as error:  # pyiceberg says in many ways that it cannot read
                raise Unreadable(f"Iceberg manifest: {error}") from error

    def _record(self, node, where: str, name: str = ""):
        if isinstance(node, dict):
            for key, value in node.items():
                yield from self._record(value, where, f"{name}[{key}]")
        elif isinstance(node, (list, tuple)):
            for value in node:
                yield from self._record(value, where, name)
        elif hasattr(node, "_data"):
            for value in node._data:
                yield from self._record(value, where, name)
        else:
            yield from self.value(name, node, where)

    # Text

    def json(self, data: bytes):
        text = data.decode("utf-8", errors="replace")
        keyed: dict[str, list[float]] = {}
        for key, number in numbers_of(text):
            keyed.setdefault(key, []).append(number)
        for key, numbers in keyed.items():
            values = np.array(numbers)
            whole = bool(np.all(values == np.round(values)))
            yield from self.numbers(key, values, whole, "JSON")

    def metrics(self, text: str):
        """Prometheus text: a sample's value, and the numbers in its labels."""
        for line in text.splitlines():
            if not line.startswith("#") and (found := SAMPLE.match(line)):
                name, labels, value = found.groups()
                yield from self.numbers(name, np.array([float(value)]), False, "metric")
                for label in re.findall(r'"(-?\d+(?:\.\d+)?)"', labels or ""):
                    yield from self.numbers(name, np.array([float(label)]), True, "label of")


SAMPLE = re.compile(r"([A-Za-z_:][\w:]*)(\{.*\})? ([-+]?[\d.]+(?:[eE][-+]?\d+)?)(?: \d+)?$")


def _texty(value) -> bool:
    return isinstance(value, (str, bytes)) and len(value) > 0


def _is_text(kind: pa.DataType) -> bool:
    types = pa.types
    return (
        types.is_string(kind) or types.is_large_string(kind) or types.is_binary(kind)
        or types.is_large_binary(kind) or types.is_fixed_size_binary(kind)
    )  # fmt: skip


def _float64(array: pa.Array) -> np.ndarray | None:
    kind = array.type
    if pa.types.is_decimal(kind) or pa.types.is_floating(kind) or pa.types.is_integer(kind):
        return array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return None


def _leaves(name: str, array: pa.Array):
    """(name, flat array) of each leaf; what is in a list no longer lines up with the rows."""
    kind = array.type
    if pa.types.is_struct(kind):
        for index, field in enumerate(kind):
            yield from _leaves(field.name, pc.struct_field(array, index))
    elif pa.types.is_map(kind):
        yield from _leaves(name, array.keys)
        yield from _leaves(name, array.items)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        yield from _leaves(name, pc.list_flatten(array))
    else:
        yield name, array


def _avro_long(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return (value >> 1) ^ -(value & 1), at


def _avro_header(data: bytes) -> tuple[bytes, int]:
    """(codec, offset of the first block) of an object container file."""
    at, codec = 4, b"null"
    while True:
        count, at = _avro_long(data, at)
        if count == 0:
            return codec, at + 16
        if count < 0:
            _, at = _avro_long(data, at)
        for _ in range(abs(count)):
            size, at = _avro_long(data, at)
            key, at = data[at : at + size], at + size
            size, at = _avro_long(data, at)
            if key == b"avro.codec":
                codec = data[at : at + size]
            at += size


def _avro_blocks(data: bytes):
    try:
        codec, at = _avro_header(data)
        while at < len(data):
            _, at = _avro_long(data, at)
            size, at = _avro_long(data, at)
            block = data[at : at + size]
            at += size + 16
            if codec == b"deflate":
                block = zlib.decompress(block, -15)
            elif codec == b"snappy":
                block = unsnappy(block[:-4])
            elif codec == b"zstandard":
                block = zstandard.ZstdDecompressor().decompressobj().decompress(block)
            elif codec != b"null":
                raise Unreadable(f"Avro codec {codec.decode(errors='replace')} is not known")
            yield block
    except (IndexError, zlib.error, zstandard.ZstdError) as error:
        raise Unreadable(f"Avro: {error}") from error
