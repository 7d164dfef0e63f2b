#!/usr/bin/env python3
"""Finds what may lie nowhere outside the vault: exact positions, VINs, drivers, odometers.

Two ways to look. With planted canaries, in every form of place_forms.py and every store of
place_stores.py (docs/leak-scan.md):
    place_scanner.py --dir DIR --canaries FILE [--allow KIND:GLOB ...] [--json]
With the positions that a fleet recorded, thousands of them, in the plain forms:
    place_scanner.py --positions FILE.ndjson --below FOLDER [--except FOLDER ...] [--json]
where each line of FILE.ndjson may have "lat" and "lon". A hit is then a latitude and its longitude

- within 64 bytes of each other as float64, float32, int32 of 1e-7 degrees, or decimal text; or
- both within 1e-5 degrees in one row of a Parquet or SQLite file (inside compression).
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import re
import sqlite3
import stat
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from place_forms import Canaries
from place_search import Search, decompressed
from place_stores import JSON_BYTES_MAX, Near, Stores, Unreadable

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


# Canaries -------------------------------------------------------------------------------------

# The registry is where the VIN lives (docs/vault.md); everything else is a finding.
ALLOWED = ("vin:data/registry/*",)
# A larger file is looked at in windows of this, which overlap.
WINDOW_BYTES, WINDOW_OVERLAP = 192 << 20, 1 << 20


@dataclass
class CanaryReport:
    files: int = 0
    bytes: int = 0
    patterns: int = 0
    seconds: float = 0.0
    hits: list[dict] = field(default_factory=list)  # path, form, canary, where
    unread: list[dict] = field(default_factory=list)  # path, why
    allowed: dict[str, int] = field(default_factory=dict)  # rule: hits it took away


class CanaryScan:
    """Looks for canaries in everything below some folders. Not for use by two threads."""

    def __init__(self, canaries: Canaries, allow=ALLOWED, columns=()):
        self.search = Search(canaries)
        self.stores = Stores(self.search, Near(canaries, frozenset(columns)))
        self.allow = [tuple(rule.split(":", 1)) for rule in allow]
        self.report = CanaryReport(patterns=self.search.patterns.count)
        self.seen: set[tuple[str, str, str]] = set()

    def folder(self, top: Path) -> "CanaryScan":
        """Every file below `top`, and the names of all that lies there; or one file."""
        began = time.monotonic()
        top = Path(top)
        if not top.exists():
            raise FileNotFoundError(f"there is no {top}")
        if not top.is_dir():
            self._file(top, top.name)
            self.report.seconds += time.monotonic() - began
            return self
        for root, folders, files in os.walk(top, onerror=self._unwalked):
            for name in sorted([*folders, *files]):
                path = Path(root) / name
                shown = path.relative_to(top).as_posix()
                self.bytes(shown.encode(errors="surrogateescape"), shown, "name")
                if path.is_symlink():
                    target = os.readlink(path).encode(errors="surrogateescape")
                    self.bytes(target, shown, "link")
                elif name in files:
                    self._file(path, shown)
        self.report.seconds += time.monotonic() - began
        return self

    def _unwalked(self, error: OSError) -> None:
        self.report.unread.append({"path": str(error.filename), "why": error.strerror})

    def _file(self, path: Path, shown: str) -> None:
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):
                return  # a socket or pipe holds nothing that lasts
            with open(path, "rb") as file:
                start = 0
                while (data := file.read(WINDOW_BYTES)) or start == 0:
                    self.report.bytes += len(data)
                    # A preallocated file ends in zeros; some stay: a cell's id may end in them.
                    full = len(data.rstrip(b"\0"))
                    self.content(data[: full + 16], shown, path if start == 0 else None)
                    if len(data) < WINDOW_BYTES:
                        break
                    start += WINDOW_BYTES - WINDOW_OVERLAP
                    file.seek(start)
            self.report.files += 1
        except FileNotFoundError:
            pass  # a running system removes what it no longer needs
        except OSError as error:
            self.report.unread.append({"path": shown, "why": str(error.strerror)})

    def content(self, data: bytes, shown: str, path: Path | None = None) -> None:
        """Bytes and what its reader makes of them; `path` is where they are a file."""
        self.bytes(data, shown, "")
        try:
            self._take(shown, self._read(data, path))
            if data[:3] == b"\x1f\x8b\x08" or data[:4] == b"\x28\xb5\x2f\xfd":
                for layer, under in decompressed(data):
                    if layer.endswith("@0"):
                        self._take(shown, self._read(under, None))
        except Unreadable as why:
            self.report.unread.append({"path": shown, "why": str(why)})

    def _read(self, data: bytes, path: Path | None):
        if data.startswith(b"PAR1"):
            return self.stores.parquet(path or pa.BufferReader(data))
        if data.startswith(b"SQLite format 3\0"):
            if path:
                return self.stores.sqlite(path)
            raise Unreadable("SQLite inside an archive: unpack it and scan it as a file")
        if data.startswith(b"Obj\x01"):
            return self.stores.avro(data)
        if data.lstrip()[:1] in (b"{", b"[") and len(data) <= JSON_BYTES_MAX:
            return self.stores.json(data)
        if b"# HELP " in data[:4096]:
            return self.stores.metrics(data.decode(errors="replace"))
        return ()

    def bytes(self, data: bytes, shown: str, where: str = "") -> None:
        """Searches `data`, which lies at `shown`, as it is and under its escapes."""
        for layer, one in self.search.find(data):
            self._hit(shown, one.form, one.canary, f"{where}{layer} byte {one.at}".strip())

    def _take(self, shown: str, seen) -> None:
        for one in seen:
            self._hit(shown, one.form, one.canary, one.where)

    def _hit(self, shown: str, form: str, canary: str, where: str) -> None:
        key = shown, form, canary
        if key in self.seen:
            return
        self.seen.add(key)
        for kind, glob in self.allow:
            if canary.split()[0] == kind and fnmatch.fnmatch(shown, glob):
                rule = f"{kind}:{glob}"
                self.report.allowed[rule] = self.report.allowed.get(rule, 0) + 1
                return
        self.report.hits.append({"path": shown, "form": form, "canary": canary, "where": where})


# Command line ---------------------------------------------------------------------------------

EXIT_CODES = """\
exit codes: 0 nothing was found; 1 something was; 2 the scan is no proof: nothing to look for or
in, or something could not be read. A hit names the canary by its number ("place 3" is the fourth of
"places"), never its value, so the output may be kept.
FILE of --canaries: {"places": [[latitude, longitude], ...], "vins": [], "drivers": [],
"odometers": [], "texts": []}, any of them. docs/leak-scan.md says how to choose them.
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0],
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    planted = parser.add_argument_group("planted canaries, in every form")
    planted.add_argument("--dir", type=Path, nargs="+", help="folders or files to look through")
    planted.add_argument("--canaries", type=Path, help="JSON file of what was planted")
    planted.add_argument(
        "--allow", nargs="*", default=[], metavar="KIND:GLOB",
        help="where a kind (place vin driver odometer text) may be, by path below --dir; "
        f"always: {' '.join(ALLOWED)}",
    )  # fmt: skip
    planted.add_argument(
        "--allow-column", nargs="*", default=[], metavar="NAME",
        help="columns or keys in which a number within 0.005 degrees of a canary is chance; "
        "a whole pair within 560 m is a hit all the same",
    )  # fmt: skip
    fleet = parser.add_argument_group("positions of a fleet, in the plain forms")
    fleet.add_argument("--positions", type=Path, nargs="+", help="records of `telltale sim`")
    fleet.add_argument("--below", type=Path, nargs="+", help="folders to look through")
    fleet.add_argument("--except", dest="excepted", type=Path, nargs="*", default=[])
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    return parser


def _scan_canaries(arguments) -> int:
    canaries = Canaries.read(arguments.canaries)
    scan = CanaryScan(canaries, (*ALLOWED, *arguments.allow), arguments.allow_column)
    for folder in arguments.dir:
        scan.folder(folder)
    report = scan.report
    if arguments.json:
        print(json.dumps(asdict(report)))
    else:
        for hit in report.hits:
            print(f"{hit['path']}: {hit['canary']} as {hit['form']}, {hit['where']}")
        for one in report.unread:
            print(f"not read: {one['path']}: {one['why']}")
        print(
            f"{report.files} files, {report.bytes / 1e6:.1f} MB, {report.patterns} patterns, "
            f"{report.seconds:.1f} s: {len(report.hits)} hits, {len(report.unread)} not read"
        )
    if report.hits:
        return 1
    return 2 if report.unread or report.files == 0 else 0


def _scan_positions(arguments) -> int:
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


def main(words: list[str] | None = None) -> int:
    parser = _parser()
    arguments = parser.parse_args(words)
    planted = arguments.dir is not None and arguments.canaries is not None
    if not planted and not (arguments.positions and arguments.below):
        parser.error("give --dir with --canaries, or --positions with --below")
    try:
        return _scan_canaries(arguments) if planted else _scan_positions(arguments)
    except (OSError, ValueError) as error:
        print(f"place_scanner: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
