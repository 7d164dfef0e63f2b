"""Finds exact positions where none may be.

Given the positions that cars sent, looks through every file below some folders for one of them.
A hit is a latitude and its longitude

- within 64 bytes of each other as float64, float32, int32 of 1e-7 degrees, or decimal text; or
- both within 1e-5 degrees in one row of a Parquet or SQLite file (inside compression).

Used by `tools/demo` and the tests; from the command line:
    place_scanner.py --positions FILE.ndjson --below FOLDER [--except FOLDER ...] [--json]
where each line of FILE.ndjson may have "lat" and "lon".
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sqlite3
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

NEAR_BYTES = 64
ROW_TOLERANCE_DEG = 1e-5
# Bytes read at a time; pieces overlap so that a pair across their border is seen.
PIECE_BYTES = 8 << 20
DECIMAL = re.compile(rb"-?\d{1,3}\.\d{4,17}")


@dataclass(frozen=True)
class Hit:
    path: str
    encoding: str  # float64 | float32 | int32e7 | text | parquet | sqlite
    where: str  # byte offset, or table and row; never the position itself


class Places:
    """The positions sent, ready to be looked for."""

    def __init__(self, pairs: np.ndarray):
        # (0, 0) is what an empty field decodes to, not a place anybody sent.
        pairs = np.unique(pairs[np.any(pairs != 0, axis=1)], axis=0)
        self.latitudes = pairs[:, 0]
        self.longitudes = pairs[:, 1]

    def __len__(self) -> int:
        return len(self.latitudes)

    @classmethod
    def from_records(cls, paths: list[Path]) -> "Places":
        pairs = []
        for path in paths:
            with open(path, encoding="utf-8") as lines:
                for line in lines:
                    if '"lat":' not in line:
                        continue
                    record = json.loads(line)
                    pairs.append((record["lat"], record["lon"]))
        return cls(np.array(pairs, dtype=np.float64).reshape(-1, 2))

    def near(self, latitudes: np.ndarray, tolerance: float) -> np.ndarray:
        """For each value: could it be a latitude that was sent?"""
        at = np.searchsorted(self.latitudes, latitudes - tolerance)
        inside = at < len(self.latitudes)
        found = np.zeros(len(latitudes), dtype=bool)
        found[inside] = self.latitudes[at[inside]] <= latitudes[inside] + tolerance
        return found

    def longitudes_of(self, latitude: float, tolerance: float) -> np.ndarray:
        low = np.searchsorted(self.latitudes, latitude - tolerance)
        high = np.searchsorted(self.latitudes, latitude + tolerance, side="right")
        return self.longitudes[low:high]


@dataclass(frozen=True)
class Encoding:
    name: str
    dtype: str
    scale: float  # degrees per unit
    tolerance: float  # degrees: what the encoding itself loses


ENCODINGS = (
    Encoding("float64", "<f8", 1.0, 1e-12),
    Encoding("float32", "<f4", 1.0, 8e-6),
    Encoding("int32e7", "<i4", 1e-7, 6e-8),
)


def _degrees(data: bytes, encoding: Encoding, shift: int) -> np.ndarray:
    width = np.dtype(encoding.dtype).itemsize
    count = (len(data) - shift) // width
    if count <= 0:
        return np.zeros(0)
    raw = np.frombuffer(data, dtype=encoding.dtype, count=count, offset=shift)
    with np.errstate(all="ignore"):
        return raw.astype(np.float64) * encoding.scale


def _pair_near(data: bytes, at: int, latitude: float, places: Places, encoding: Encoding) -> bool:
    width = np.dtype(encoding.dtype).itemsize
    window = data[max(0, at - NEAR_BYTES) : at + width + NEAR_BYTES]
    wanted = places.longitudes_of(latitude, encoding.tolerance)
    for shift in range(width):
        values = _degrees(window, encoding, shift)
        for longitude in wanted:
            if np.any(np.abs(values - longitude) <= encoding.tolerance):
                return True
    return False


def scan_bytes(data: bytes, places: Places) -> list[tuple[str, int]]:
    """(encoding, offset) of each hit in `data`."""
    hits = []
    low, high = places.latitudes[0], places.latitudes[-1]
    for encoding in ENCODINGS:
        width = np.dtype(encoding.dtype).itemsize
        for shift in range(width):
            values = _degrees(data, encoding, shift)
            with np.errstate(all="ignore"):
                candidates = np.flatnonzero((values >= low - 1e-5) & (values <= high + 1e-5))
            near = places.near(values[candidates], encoding.tolerance)
            for index in candidates[near]:
                at = shift + int(index) * width
                if _pair_near(data, at, float(values[index]), places, encoding):
                    hits.append((encoding.name, at))
    hits.extend(("text", at) for at in _scan_text(data, places))
    return hits


def _scan_text(data: bytes, places: Places) -> list[int]:
    numbers = [
        (match.start(), match.end(), float(match.group())) for match in DECIMAL.finditer(data)
    ]
    if not numbers:
        return []
    values = np.array([value for _, _, value in numbers])
    hits = []
    for index in np.flatnonzero(places.near(values, ROW_TOLERANCE_DEG)):
        start, end, value = numbers[index]
        wanted = places.longitudes_of(value, ROW_TOLERANCE_DEG)
        for other in range(max(0, index - 16), min(len(numbers), index + 17)):
            close = (
                numbers[other][1] >= start - NEAR_BYTES and numbers[other][0] <= end + NEAR_BYTES
            )
            if close and np.any(np.abs(wanted - numbers[other][2]) <= ROW_TOLERANCE_DEG):
                hits.append(start)
                break
    return hits


def _scan_columns(columns: list[np.ndarray], places: Places) -> list[int]:
    """Rows in which one column is a latitude that was sent and another its longitude."""
    rows: set[int] = set()
    for index, column in enumerate(columns):
        with np.errstate(invalid="ignore"):
            finite = np.flatnonzero(np.isfinite(column))
        near = finite[places.near(column[finite], ROW_TOLERANCE_DEG)]
        for row in near:
            wanted = places.longitudes_of(column[row], ROW_TOLERANCE_DEG)
            for other, values in enumerate(columns):
                if other != index and np.any(np.abs(wanted - values[row]) <= ROW_TOLERANCE_DEG):
                    rows.add(int(row))
    return sorted(rows)


def _leaf_columns(table: pa.Table) -> list[np.ndarray]:
    """Numeric columns as float64, 1e-7 integers scaled too; nested ones flattened where flat."""
    columns = []
    for column in table.flatten().flatten().columns:
        kind = column.type
        if not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
            continue
        values = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        columns.append(values)
        if pa.types.is_integer(kind):
            columns.append(values * 1e-7)
    return columns


def scan_parquet(path: Path, places: Places) -> list[int]:
    return _scan_columns(_leaf_columns(pq.read_table(path, partitioning=None)), places)


def scan_sqlite(path: Path, places: Places) -> list[str]:
    hits = []
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        names = [
            r[0] for r in database.execute("SELECT name FROM sqlite_master WHERE type='table'")
        ]
        for name in names:
            rows = database.execute(f'SELECT * FROM "{name}"').fetchall()
            width = len(rows[0]) if rows else 0
            columns = [
                np.array([r[i] if isinstance(r[i], (int, float)) else np.nan for r in rows], float)
                for i in range(width)
            ]
            hits.extend(f"{name} row {row}" for row in _scan_columns(columns, places))
    return hits


def _files(folders: list[Path], excepted: list[Path]):
    skip = [os.path.realpath(path) for path in excepted]
    for folder in folders:
        for root, names, files in os.walk(folder):
            names[:] = [n for n in names if os.path.realpath(os.path.join(root, n)) not in skip]
            for name in sorted(files):
                path = Path(root) / name
                if path.is_file() and not path.is_symlink():
                    yield path


def scan_file(path: Path, places: Places) -> list[Hit]:
    hits = []
    with open(path, "rb") as file:
        start = file.read(16)
        file.seek(0)
        offset = 0
        while piece := file.read(PIECE_BYTES + 2 * NEAR_BYTES):
            # A preallocated segment is mostly zeros: nothing is in them.
            if piece.count(0) != len(piece):
                hits.extend(
                    Hit(str(path), encoding, f"byte {offset + at}")
                    for encoding, at in scan_bytes(piece, places)
                )
            if len(piece) <= 2 * NEAR_BYTES:
                break
            offset += len(piece) - 2 * NEAR_BYTES
            file.seek(offset)
            if len(piece) < PIECE_BYTES + 2 * NEAR_BYTES:
                break
    if start.startswith(b"PAR1"):
        hits.extend(Hit(str(path), "parquet", f"row {row}") for row in scan_parquet(path, places))
    if start.startswith(b"SQLite format 3\0"):
        hits.extend(Hit(str(path), "sqlite", where) for where in scan_sqlite(path, places))
    return hits


def scan(folders: list[Path], excepted: list[Path], places: Places) -> tuple[list[Hit], int]:
    """(hits, number of files read)."""
    if len(places) == 0:
        raise ValueError("no positions to look for: the scan would prove nothing")
    hits: list[Hit] = []
    files = 0
    for path in _files(folders, excepted):
        files += 1
        hits.extend(scan_file(path, places))
    return hits, files


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--positions", type=Path, nargs="+", required=True)
    parser.add_argument("--below", type=Path, nargs="+", required=True)
    parser.add_argument("--except", dest="excepted", type=Path, nargs="*", default=[])
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    places = Places.from_records(arguments.positions)
    hits, files = scan(arguments.below, arguments.excepted, places)
    if arguments.json:
        print(
            json.dumps(
                {"files": files, "positions": len(places), "hits": [h.__dict__ for h in hits]}
            )
        )
    else:
        for hit in hits:
            print(f"{hit.path}: {hit.encoding} at {hit.where}")
        print(f"{files} files, {len(places)} positions, {len(hits)} hits")
    return 1 if hits else 0


if __name__ == "__main__":
    sys.exit(main())
