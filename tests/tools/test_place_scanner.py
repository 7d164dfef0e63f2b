"""The scanner finds every planted form, and nothing in bytes that hold no position."""

import json
import random
import sqlite3
import struct
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import place_scanner  # noqa: E402

LATITUDE, LONGITUDE = 44.512345678, -29.287654321
PLACES = place_scanner.Places(
    np.array([[LATITUDE, LONGITUDE], [44.6, -29.1], [44.4000001, -29.4], [0.0, 0.0]])
)

FORMS = {
    "float64": struct.pack("<d", LATITUDE) + b"\x21\x09" + struct.pack("<d", LONGITUDE),
    "float32": struct.pack("<f", LATITUDE) + struct.pack("<f", LONGITUDE),
    "int32e7": struct.pack("<i", round(LATITUDE * 1e7))
    + b"x"
    + struct.pack("<i", round(LONGITUDE * 1e7)),
    "text": f'{{"a":{LATITUDE:.7f},"b":{LONGITUDE:.7f}}}'.encode(),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("at", [0, 3, 4096 + 5, (8 << 20) - 7])
def test_a_planted_pair_is_found_wherever_it_lies(tmp_path, form, at):
    noise = random.Random(7).randbytes(4099)
    size = at + 5000
    data = bytearray((noise * (size // len(noise) + 1))[:size])
    data[at : at + len(FORMS[form])] = FORMS[form]
    (tmp_path / "planted").write_bytes(data)
    hits, files = place_scanner.scan([tmp_path], [], PLACES)
    assert files == 1
    assert form in {hit.encoding for hit in hits}


def test_longitude_before_latitude_and_64_bytes_apart_is_a_hit_and_farther_is_not(tmp_path):
    near = struct.pack("<d", LONGITUDE) + bytes(50) + struct.pack("<d", LATITUDE)
    far = struct.pack("<d", LONGITUDE) + b"\x01" * 100 + struct.pack("<d", LATITUDE)
    assert place_scanner.scan_bytes(near, PLACES)
    assert not place_scanner.scan_bytes(far, PLACES)


def test_a_latitude_with_another_cars_longitude_is_no_hit():
    assert not place_scanner.scan_bytes(struct.pack("<dd", LATITUDE, -29.1), PLACES)


def test_rows_inside_parquet_compression_are_seen(tmp_path):
    table = pa.table({"speed": [1.0, 2.0], "x": [0.0, LATITUDE + 4e-6], "y": [1.0, LONGITUDE]})
    pq.write_table(table, tmp_path / "t.parquet", compression="zstd")
    hits, _ = place_scanner.scan([tmp_path], [], PLACES)
    assert ("parquet", "row 1") in {(hit.encoding, hit.where) for hit in hits}


def test_rows_inside_sqlite_are_seen(tmp_path):
    with sqlite3.connect(tmp_path / "t.db") as database:
        database.execute("CREATE TABLE notes (a TEXT, b REAL, c REAL)")
        database.execute("INSERT INTO notes VALUES ('x', ?, ?)", (LONGITUDE, LATITUDE))
    hits, _ = place_scanner.scan([tmp_path], [], PLACES)
    assert "sqlite" in {hit.encoding for hit in hits}


def test_zeros_noise_and_excepted_folders_give_nothing(tmp_path):
    (tmp_path / "vault").mkdir()
    (tmp_path / "vault" / "v").write_bytes(FORMS["float64"])
    (tmp_path / "zeros").write_bytes(bytes(1 << 20))
    (tmp_path / "noise").write_bytes(random.Random(3).randbytes(1 << 20))
    hits, files = place_scanner.scan([tmp_path], [tmp_path / "vault"], PLACES)
    assert files == 2
    assert hits == []


def test_a_scan_for_no_positions_proves_nothing_and_says_so(tmp_path):
    with pytest.raises(ValueError):
        place_scanner.scan([tmp_path], [], place_scanner.Places(np.zeros((0, 2))))


def test_positions_are_read_from_a_record(tmp_path):
    record = tmp_path / "cars.ndjson"
    record.write_text(json.dumps({"type": "report", "lat": LATITUDE, "lon": LONGITUDE}) + "\n{}\n")
    assert len(place_scanner.Places.from_records([record])) == 1
