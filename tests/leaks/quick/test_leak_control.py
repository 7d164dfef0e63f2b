"""The positive control: planted in every form and every sink, a canary is found. A green scan is
worth what this test finds."""

import json
import pathlib
import random
import sqlite3
import struct
import subprocess
import sys

import h3
import numpy as np
import place_scanner
import planting
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from place_forms import Canaries, patterns, s2_cell, s2_leaf
from place_scanner import CanaryScan
from place_search import Search
from place_stores import Near, Stores
from pyiceberg.catalog.sql import SqlCatalog

SAMPLES = list(planting.all_samples())
CANARIES = Canaries(
    places=planting.PLACES,
    vins=["WVWZZZ1JZXW987654"],
    drivers=["driver card 4711/A"],
    odometers=[123456.789],
    texts=["Marienplatz 8, Munich"],
)


@pytest.fixture(scope="module")
def search():
    return Search(CANARIES)


def scan_of(search, folder):
    scan = CanaryScan(CANARIES)
    scan.search = search
    return scan.folder(folder).report


def test_every_form_the_scanner_knows_is_planted_and_no_other():
    known = {p.form for p in patterns(Canaries(places=planting.PLACES))} | {"decimal"}
    assert {form for form, _, _ in SAMPLES} == known


# Sinks and escapes each once; all of one with all of the other: tests/leaks/full.
COMBINATIONS = [pair for pair in planting.COMBINATIONS if "none" in pair or "raw" in pair]


@pytest.mark.parametrize("sink, escape", COMBINATIONS)
def test_every_form_is_found_in_every_sink_and_under_every_escape(search, tmp_path, sink, escape):
    scan = CanaryScan(CANARIES)
    scan.search = search
    assert not planting.missed(tmp_path, sink, escape, scan)


def test_what_stands_in_parquet_statistics_alone_is_found_there(search, tmp_path):
    stores = Stores(search, Near(CANARIES))
    for number, (form, place, data) in enumerate(SAMPLES):
        path = tmp_path / f"{number}.parquet"
        planting.parquet(path, pa.table({"v": pa.array([data, None], pa.binary())}))
        seen = list(stores._statistics(pq.ParquetFile(path).metadata))
        assert (form, f"place {place}") in {(one.form, one.canary) for one in seen}, data


NUMBERS = {
    "double": lambda value: pa.array([0.0, value], pa.float64()),
    "float": lambda value: pa.array([0.0, value], pa.float32()),
    "rounded": lambda value: pa.array([0.0, round(value, 2)], pa.float64()),
    "1e7 in 32 bits": lambda value: pa.array([0, round(value * 1e7)], pa.int32()),
    "1e5 in 64 bits": lambda value: pa.array([0, round(value * 1e5)], pa.int64()),
    "in a list": lambda value: pa.array([[], [7.0, value]], pa.list_(pa.float64())),
    "in a message": lambda value: pa.array([{"a": 0.0}, {"a": value}]),
    "in a message of a list": lambda value: pa.array([[{"a": 0.0}, {"a": value}], []]),
    "decimal": lambda value: pa.array([0, round(value, 4)]).cast(pa.decimal128(12, 4)),
}


@pytest.mark.parametrize("kind", NUMBERS)
@pytest.mark.parametrize("encoding", ["BYTE_STREAM_SPLIT", "DELTA_BINARY_PACKED", None])
def test_a_number_near_a_place_is_found_through_any_columnar_encoding(
    search, tmp_path, kind, encoding
):
    array = NUMBERS[kind](planting.SOUTH[1])
    options = {}
    if encoding and (encoding[:5] == "DELTA") == pa.types.is_integer(array.type):
        options = {"use_dictionary": False, "column_encoding": {"v": encoding}}
        if pa.types.is_nested(array.type) or pa.types.is_decimal(array.type):
            options = {}
    path = tmp_path / "t.parquet"
    planting.parquet(path, pa.table({"v": array}), write_statistics=False, **options)
    seen = list(Stores(search, Near(CANARIES)).parquet(path))
    assert ("near", "place 1") in {(one.form, one.canary) for one in seen}


def test_a_pair_in_one_row_is_found_even_in_columns_where_a_single_value_is_chance(
    search, tmp_path
):
    latitude, longitude = planting.NORTH
    path = tmp_path / "t.parquet"
    columns = {"speed": [1.0, latitude - 0.004], "angle": [2.0, longitude + 0.006]}
    planting.parquet(path, pa.table(columns))
    near = Near(CANARIES, frozenset(columns))
    assert {one.form for one in Stores(search, near).parquet(path)} == {"near-pair"}
    planting.parquet(path, pa.table({**columns, "angle": [longitude, 2.0]}))
    assert not list(Stores(search, near).parquet(path)), "in two rows it is no pair"


def test_numbers_in_json_counters_and_metrics_are_found(search):
    stores = Stores(search, Near(CANARIES))
    south = planting.SOUTH
    for data in (
        json.dumps({"a": {"b": [1, {"c": south[0] + 0.004}]}}),
        f'{{"x": 1}}\n{{"x": {south[1] - 0.004}}}\n',
    ):
        assert {one.form for one in stores.json(data.encode())} == {"near"}, data
    for line in (f"a_b {south[0] + 0.003}", f'a_b{{le="{south[1] - 0.003}"}} 1'):
        assert {one.form for one in stores.metrics(line + "\n")} == {"near"}, line


def test_bounds_in_a_manifest_that_iceberg_itself_wrote_are_found(search, tmp_path):
    catalog = SqlCatalog("c", uri="sqlite://", warehouse=f"file://{tmp_path}")
    catalog.create_namespace("n")
    columns = pa.table({"v": pa.array([planting.SOUTH[0] + 0.002, 3.0])})
    catalog.create_table("n.t", columns.schema).append(columns)
    stores = Stores(search, Near(CANARIES))
    seen = [
        one
        for path in tmp_path.rglob("*.avro")
        for one in stores.avro(path.read_bytes())
        if one.form == "near"
    ]
    assert any("bounds" in one.where or "manifest entry" in one.where for one in seen)
    assert {one.canary for one in seen} == {"place 1"}


@pytest.mark.parametrize("sink", ["raw", "gzip", "parquet", "sqlite", "log", "json", "avro-null"])
@pytest.mark.parametrize(
    "kind, data",
    [
        ("vin", b"WVWZZZ1JZXW987654"),
        ("vin", b"vin=wvwzzz1jzxw987654"),
        ("driver", b"driver card 4711/A"),
        ("odometer", b"odometer_km: 123456.789"),
        ("odometer", struct.pack("<d", 123456.789)),
        ("text", b"Marienplatz 8, Munich"),
    ],
)
def test_vins_drivers_odometers_and_texts_are_found(search, tmp_path, sink, kind, data):
    planting.SINKS[sink](tmp_path / "f", data)
    assert f"{kind} 0" in {hit["canary"] for hit in scan_of(search, tmp_path).hits}


def test_a_number_near_a_place_is_found_in_sqlite(search, tmp_path):
    path = tmp_path / "a.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE t (a REAL, b REAL)")
        row = [value + 0.003 for value in planting.SOUTH]
        database.execute("INSERT INTO t VALUES (?, ?)", row)
    database.close()
    assert {hit["form"] for hit in scan_of(search, tmp_path).hits} == {"near", "near-pair"}


def test_what_may_be_open_and_chance_give_no_hit(search, tmp_path):
    noise = random.Random(7)
    coarse = []
    for place in planting.PLACES:
        coarse += [h3.latlng_to_cell(*place, 7), f"{s2_cell(s2_leaf(*place), 12):016x}"]
        coarse += [str(s2_cell(s2_leaf(*place), 12)), f"{place[0]:.2f}, {place[1]:.2f}"]
    (tmp_path / "coarse.log").write_text("\n".join(coarse), encoding="utf-8")
    cells = [struct.pack("<Q", s2_cell(s2_leaf(*place), 12)) for place in planting.PLACES]
    (tmp_path / "cells").write_bytes(b"".join(cells))
    (tmp_path / "zeros").write_bytes(bytes(1 << 20))
    (tmp_path / "noise").write_bytes(noise.randbytes(4 << 20))
    (tmp_path / "noise.log").write_text(
        "\n".join(
            f"seq={n} ref={noise.randbytes(16).hex()} v={noise.uniform(0, 9):.6f}"
            for n in range(20000)
        )
    )
    planting.parquet(
        tmp_path / "t.parquet",
        pa.table({"v": np.random.default_rng(7).uniform(-30, 4, 50000)}),
    )
    report = scan_of(search, tmp_path)
    assert report.hits == []
    assert report.files == 6


def test_an_unreadable_store_is_said_and_is_no_proof(search, tmp_path):
    (tmp_path / "t.parquet").write_bytes(b"PAR1" + b"\x05" * 40)
    assert [one["path"] for one in scan_of(search, tmp_path).unread] == ["t.parquet"]


def command(*words):
    return place_scanner.main([str(word) for word in words])


def test_the_command_line_tells_clean_found_and_no_proof_apart(tmp_path, capsys):
    canaries = tmp_path / "canaries.json"
    canaries.write_text(json.dumps({"places": planting.PLACES}), encoding="utf-8")
    site = tmp_path / "site"
    site.mkdir()
    (site / "f").write_bytes(b"nothing here")
    asked = ("--dir", site, "--canaries", canaries)
    assert command(*asked) == 0
    (site / "g").write_bytes(struct.pack("<d", planting.NORTH[0]))
    capsys.readouterr()
    assert command(*asked, "--json") == 1
    said = capsys.readouterr().out
    hit = json.loads(said)["hits"][0]
    assert (hit["path"], hit["form"], hit["canary"]) == ("g", "float64-le", "place 0")
    assert "48.1" not in said, "a report of a leak is none itself"
    assert command(*asked, "--allow", "place:g") == 0
    (site / "t").write_bytes(b"PAR1" + b"\x05" * 40)
    assert command(*asked, "--allow", "place:g") == 2, "what was not read is not clean"
    assert command("--dir", tmp_path / "absent", "--canaries", canaries) == 2
    canaries.write_text("{}", encoding="utf-8")
    assert command(*asked) == 2


def test_the_program_runs_by_itself_and_its_help_names_every_exit_code():
    root = pathlib.Path(planting.__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, root / "tools" / "place_scanner.py", "--help"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    for word in ("0 nothing was found", "1 something was", "2 the scan is no proof", "--canaries"):
        assert word in done.stdout
