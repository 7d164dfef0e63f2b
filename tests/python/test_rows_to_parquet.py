"""Rows of a vault's answer become a Parquet file that only its owner reads, or no file at all."""

from __future__ import annotations

import io
import json
import os

import pyarrow.parquet as pq
import pytest

from telltale_lake import rows_to_parquet

ROWS = [
    {"event_time_us": 1, "request": 7, "fields": {"latitude_deg": 48.5, "request": 9}},
    {"event_time_us": 2, "request": 7, "unknown": "a0", "fields": {"heading_deg": 3.5}},
]


def lines(*rows):
    return io.BytesIO(b"".join(json.dumps(row).encode() + b"\n" for row in rows))


def test_every_column_of_any_row_is_there_and_the_rows_own_win(tmp_path):
    out = tmp_path / "rows.parquet"
    assert rows_to_parquet.write(lines(*ROWS, {"kind": "end"}), str(out)) == 2
    assert pq.read_table(out).to_pylist() == [
        {"latitude_deg": 48.5, "request": 7, "event_time_us": 1, "heading_deg": None,
         "unknown": None},
        {"latitude_deg": None, "request": 7, "event_time_us": 2, "heading_deg": 3.5,
         "unknown": "a0"},
    ]
    assert out.stat().st_mode & 0o777 == 0o600


def test_an_answer_that_broke_off_leaves_no_file(tmp_path):
    out = tmp_path / "rows.parquet"
    with pytest.raises(rows_to_parquet.Incomplete):
        rows_to_parquet.write(lines(*ROWS), str(out))
    assert not out.exists()


def test_a_file_that_is_there_stays_as_it_is(tmp_path):
    out = tmp_path / "rows.parquet"
    out.write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        rows_to_parquet.write(lines({"kind": "end"}), str(out))
    assert out.read_bytes() == b"mine"


def test_what_cannot_be_read_is_not_repeated_on_stderr(tmp_path, capfd):
    read, write = os.pipe()
    os.write(write, b'{"latitude_deg": 48.1371, oops\n')
    os.close(write)
    assert rows_to_parquet.run(read, str(tmp_path / "rows.parquet")) == 1
    assert "48.1371" not in capfd.readouterr().err
    assert not list(tmp_path.iterdir())
