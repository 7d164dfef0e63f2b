"""Running features: one snapshot in, one window out, in one commit; and what a file must say."""

from __future__ import annotations

import errno
import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import sqlglot
from sqlalchemy.exc import OperationalError
from sqlglot import expressions

from feature_tables import DAY, MONDAY, SECOND, Car, add, rows_of
from telltale_lake import catalog, features, features_run
from telltale_lake.cli import main
from telltale_lake.commit import open_catalog
from telltale_lake.features_run import Sources, Window
from telltale_lake.layout import Layout

HOURLY = """\
-- feature: hourly
-- version: 1
-- reads:   1 days before the window, 1 days after it
-- input telemetry: vehicle_ref string, event_time timestamptz, received_at timestamptz
-- input telemetry: speed_kmh double, not_there_yet double
--
-- validity, the first that applies is the reason
--   too_slow  nobody moved
--
-- columns: number, name, type (! never null), unit, meaning
--   10100 vehicle_ref string! - pseudonym
--   10210 window_start timestamptz! UTC the hour
--   10211 window_end timestamptz! UTC newest event time
--   10212 valid boolean! - whether it moved
--   10213 invalid_reason string - from the list above
--   10214 completeness double 1 not known here
--   10110 received_at timestamptz! UTC newest receipt
--   1 n long! 1 reports
--   2 fastest double km/h highest speed
--   3 unknown double - of a column that no table has yet
SELECT
  vehicle_ref, date_trunc('hour', event_time) AS window_start, max(event_time) AS window_end,
  max(speed_kmh) > 0 AS valid, CASE WHEN max(speed_kmh) = 0 THEN 'too_slow' END AS invalid_reason,
  NULL AS completeness, max(received_at) AS received_at,
  count(*) AS n, max(speed_kmh) AS fastest, max(not_there_yet) AS unknown
FROM telemetry
GROUP BY vehicle_ref, date_trunc('hour', event_time)
"""
WIDER = (
    HOURLY.replace("version: 1", "version: 2")
    .replace("--   3 unknown", "--   4 slowest double km/h lowest speed\n--   3 unknown")
    .replace("max(speed_kmh) AS fastest", "max(speed_kmh) AS fastest, min(speed_kmh) AS slowest")
)
HOUR = 3600 * SECOND
ROOT = Path(__file__).resolve().parents[2]


def reports(count: int, at: int = MONDAY, speed: float = 10.0) -> list[dict]:
    """A report each half hour."""
    car = Car(1)
    for k in range(count):
        car.report(at + k * HOUR // 2, speed_kmh=speed + k)
    return car.rows


@pytest.fixture
def site(tmp_path):
    add(tmp_path, reports(8))
    return tmp_path


def run(root, text: str = HOURLY, window: Window = Window(), sources=None) -> None:
    layout = Layout(root)
    feature = features.parse(text, "hourly")
    list(features_run.run(layout, [feature], window))


def summary(root) -> list[tuple]:
    return [(r["window_start"] - MONDAY, r["n"], r["fastest"]) for r in rows_of(root, "hourly")]


def test_rows_carry_version_digest_and_the_snapshot_they_were_made_from(site):
    run(site)
    snapshot = catalog(site).load_table("telltale.telemetry").metadata.current_snapshot_id
    rows = rows_of(site, "hourly")
    assert len(rows) == 4
    for row in rows:
        assert row["feature_version"] == 1 and row["source_snapshot"] == snapshot
        assert row["code_digest"] == features.parse(HOURLY, "hourly").digest
        assert row["unknown"] is None


def test_columns_have_the_numbers_of_the_header(site):
    run(site)
    schema = catalog(site).load_table("features.hourly").schema()
    numbers = {field.name: field.field_id for field in schema.fields}
    assert numbers == {c.name: c.number for c in features.parse(HOURLY, "hourly").stored}
    assert numbers["n"] == 1 and numbers["window_start"] == 10210
    assert schema.find_field("n").required and not schema.find_field("fastest").required


def test_a_second_run_gives_the_same_rows_and_doubles_none(site):
    run(site)
    once = rows_of(site, "hourly")
    run(site)
    assert rows_of(site, "hourly") == once


def test_a_window_is_replaced_and_nothing_outside_it(site):
    run(site)
    before = summary(site)
    add(site, [{**row, "seq": row["seq"] + 100, "speed_kmh": 99.0} for row in reports(8)])
    run(site, window=Window(MONDAY + HOUR, MONDAY + 3 * HOUR))
    after = summary(site)
    assert [row[0] for row in after] == [0, HOUR, 2 * HOUR, 3 * HOUR]
    assert after[0] == before[0] and after[3] == before[3]
    assert [row[1:] for row in after[1:3]] == [(4, 99.0), (4, 99.0)]


def test_a_window_that_has_no_rows_any_more_is_emptied(site):
    run(site)
    empty = HOURLY.replace("FROM telemetry", "FROM telemetry WHERE speed_kmh > 1000")
    run(site, empty, Window(MONDAY, MONDAY + 2 * HOUR))
    assert [row[0] for row in summary(site)] == [2 * HOUR, 3 * HOUR]


def test_every_run_is_one_commit_whatever_it_replaces(site):
    run(site)
    layout = Layout(site)
    folder = layout.warehouse / "features" / "hourly" / "metadata"
    before = len(list(folder.glob("*.metadata.json")))
    run(site)
    assert len(list(folder.glob("*.metadata.json"))) == before + 1
    assert not list(layout.lake.glob(".features-*"))


def test_what_is_committed_after_the_begin_of_a_run_is_not_seen(site, tmp_path_factory):
    layout, folder = Layout(site), tmp_path_factory.mktemp("pinned")
    sources = Sources(layout, folder)
    add(site, reports(6, MONDAY + DAY))
    feature = features.parse(HOURLY, "hourly")
    rows = features_run.compute(feature, sources, folder, Window(), "1GB", lambda _: None)
    assert len(rows) == 4
    assert set(rows["source_snapshot"].to_pylist()) == {sources.snapshots["telemetry"]}
    now = catalog(site).load_table("telltale.telemetry").metadata.current_snapshot_id
    assert now != sources.snapshots["telemetry"]


def test_a_commit_on_a_table_that_changed_meanwhile_is_refused(site, tmp_path_factory):
    run(site)
    layout, folder = Layout(site), tmp_path_factory.mktemp("stale")
    feature = features.parse(HOURLY, "hourly")
    opened = open_catalog(layout)
    table = features_run.load_table(layout, opened, feature)
    sources = Sources(layout, folder)
    rows = features_run.compute(feature, sources, folder, Window(), "1GB", lambda _: None)
    add(site, reports(4, MONDAY + DAY))
    run(site)
    after = rows_of(site, "hourly")
    with pytest.raises(features.FeatureError, match="somebody else changed.*run it again"):
        features_run.replace(table, feature, rows, Window(), layout)
    assert rows_of(site, "hourly") == after and len(after) == 6
    opened.engine.dispose()


def test_two_first_runs_at_once_do_not_both_write(site, tmp_path_factory):
    layout, folder = Layout(site), tmp_path_factory.mktemp("first")
    feature = features.parse(HOURLY, "hourly")
    opened = open_catalog(layout)
    table = features_run.load_table(layout, opened, feature)  # exists, without a snapshot
    rows = features_run.compute(
        feature, Sources(layout, folder), folder, Window(), "1GB", lambda _: None
    )
    run(site)
    with pytest.raises(features.FeatureError, match="somebody else"):
        features_run.replace(table, feature, rows, Window(), layout)
    assert len(rows_of(site, "hourly")) == 4
    opened.engine.dispose()


def test_a_catalogue_that_is_locked_is_told_in_words_and_the_next_run_repairs(site, monkeypatch):
    run(site)
    add(site, reports(4, MONDAY + DAY))

    def locked(*_):
        raise OperationalError("UPDATE", {}, sqlite3.OperationalError("database is locked"))

    with monkeypatch.context() as patched:
        patched.setattr("pyiceberg.catalog.sql.SqlCatalog.commit_table", locked)
        with pytest.raises(features.FeatureError, match="database is locked; run it again"):
            run(site)
    assert len(rows_of(site, "hourly")) == 4
    run(site)
    assert len(rows_of(site, "hourly")) == 6


def test_a_full_disk_is_told_in_words(site, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", "/lake/file.parquet")

    run(site)
    monkeypatch.setattr("telltale_lake.storage._SyncedStream.write", full)
    with pytest.raises(features.FeatureError, match="file.parquet: No space left"):
        run(site)
    monkeypatch.undo()
    assert len(rows_of(site, "hourly")) == 4


def test_a_new_column_is_added_and_the_old_version_still_runs(site):
    run(site)
    run(site, WIDER, Window(MONDAY, MONDAY + HOUR))
    rows = rows_of(site, "hourly")
    assert [row["slowest"] for row in rows] == [10.0, None, None, None]
    assert [row["feature_version"] for row in rows] == [2, 1, 1, 1]
    run(site)
    assert [row["slowest"] for row in rows_of(site, "hourly")] == [None] * 4


@pytest.mark.parametrize(
    "old, new, words",
    [
        ("1 n long!", "1 n double!", "column n is long in the table"),
        ("2 fastest", "9 fastest", "column fastest has number 2 already"),
        ("3 unknown double -", "3 strange double -", "strange"),
    ],
)
def test_a_column_never_changes_its_number_name_or_type(site, old, new, words):
    run(site)
    before = rows_of(site, "hourly")
    changed = HOURLY.replace(old, new)
    if "strange" in new:
        changed = changed.replace("AS unknown", "AS strange")
    with pytest.raises(features.FeatureError, match=words):
        run(site, changed)
    assert rows_of(site, "hourly") == before


@pytest.mark.parametrize(
    "old, new, words",
    [
        ("-- feature: hourly", "-- feature: daily", "first line"),
        ("-- version: 1", "-- version: one", "version"),
        ("-- reads: ", "-- looks: ", "reads"),
        ("-- validity", "-- rules", "validity"),
        ("input telemetry: vehicle_ref string", "input cars: vehicle_ref string", "no input cars"),
        ("speed_kmh double", "speed_kmh real", "cannot read"),
        ("1 n long!", "2 n long!", "number 2"),
        ("1 n long!", "1 n bigint!", "no type bigint"),
        ("10212 valid boolean!", "10212 valid boolean", "must be there as"),
        ("--   10214 completeness", "--   10215 completeness", "must be there as"),
        ("--   1 n long! 1 reports", "--   1 n", "not a column line"),
    ],
)
def test_a_header_that_lacks_something_is_refused_by_name(old, new, words):
    assert old in HOURLY
    with pytest.raises(features.FeatureError, match=words):
        features.parse(HOURLY.replace(old, new), "hourly")


@pytest.mark.parametrize(
    "old, new, words",
    [
        ("count(*) AS n,", "count(*) AS m,", "differ in m, n"),
        ("'too_slow'", "'lazy'", "reason lazy is not"),
        ("max(speed_kmh) AS fastest", "max(speed_mph) AS fastest", "speed_mph"),
        ("count(*) AS n,", "'many' AS n,", "many"),
    ],
)
def test_a_query_that_does_not_fit_its_header_writes_nothing(site, old, new, words):
    add(site, reports(1, MONDAY + DAY, speed=0.0))
    with pytest.raises(features.FeatureError, match=words):
        run(site, HOURLY.replace(old, new))
    table = catalog(site).load_table("features.hourly")
    assert table.metadata.current_snapshot_id is None


# The command line


def test_run_prints_outcomes_on_stdout_and_progress_on_stderr(site):
    folder = site / "sql"
    folder.mkdir()
    (folder / "hourly.sql").write_text(HOURLY)
    done = subprocess.run(
        [sys.executable, "-m", "telltale_lake", "features", "run", "--json"]
        + ["--dir", str(site), "--features", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(ROOT / "python"), "NO_COLOR": "1"},
    )
    assert done.returncode == 0, done.stderr
    (outcome,) = json.loads(done.stdout)
    assert (outcome["feature"], outcome["rows"], outcome["valid"]) == ("hourly", 4, 4)
    assert outcome["snapshot"] and outcome["source_snapshot"]
    assert done.stderr.startswith("hourly: snapshot") and "\x1b" not in done.stderr


def test_a_feature_can_be_run_for_a_window_and_queried(site, capsys):
    folder = site / "sql"
    folder.mkdir()
    (folder / "hourly.sql").write_text(HOURLY)
    where = ["--dir", str(site)]
    window = ["--since", "2025-11-24T01:00Z", "--until", "2025-11-24T02:00Z"]
    run_it = ["features", "run", *where, "--features", str(folder), "--quiet"]
    assert main([*run_it, *window]) == 0
    said = capsys.readouterr()
    assert said.err == "" and said.out.startswith("hourly: 1 rows, 1 valid")
    assert main(["query", "SELECT n FROM features.hourly", *where, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"n": 2}]
    assert main(["metadata", "--table", "features.hourly", *where]) == 0
    assert capsys.readouterr().out.strip().endswith(".metadata.json")


@pytest.mark.parametrize(
    "words, said, status",
    [
        (["--feature", "nothing"], "no feature nothing; there are: crank_dip", 1),
        (["--since", "yesterday"], "is no time", 2),
        (["--since", "2026-01-02", "--until", "2026-01-01"], "--since must be before", 2),
        (["--memory", "lots"], "is no size", 2),
        (["--features", "/nowhere"], "there is no *.sql in /nowhere", 1),
    ],
)
def test_mistakes_are_told_in_words(site, capsys, words, said, status):
    try:
        assert main(["features", "run", "--dir", str(site), *words]) == status
    except SystemExit as end:
        assert end.code == status
    error = capsys.readouterr().err
    assert said in error and "Traceback" not in error


def test_without_a_table_there_is_a_word_and_no_traceback(tmp_path, capsys):
    (tmp_path / "data").mkdir()
    assert main(["features", "run", "--dir", str(tmp_path)]) == 1
    assert "nothing has been committed to the lake yet" in capsys.readouterr().err
    assert main(["features", "run", "--dir", str(tmp_path / "no")]) == 1
    assert "no installation" in capsys.readouterr().err


# The shipped files


def test_the_shipped_features_are_found_from_the_source_tree_and_say_what_they_give(capsys):
    assert [feature.name for feature in features.load()] == ["crank_dip", "fuel_trim_drift"]
    assert main(["features", "list", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert all(column["unit"] for feature in shown for column in feature["columns"])
    assert main(["features", "list"]) == 0
    assert "v_dip_v" in capsys.readouterr().out


def test_a_table_without_a_newer_column_gives_rows_all_the_same(tmp_path):
    car = Car(1)
    for k in range(200):
        rpm = 0.0 if k < 20 else 230.0 if k < 30 else 850.0
        volts = 12.4 if k < 20 else 10.0 + k / 1000
        at = MONDAY + k * SECOND // 10
        car.report(at, engine_speed_rpm=rpm, control_module_v=volts, ignition_cycle=1)
    lacking = ["crank_min_v", "low_voltage_battery_v", "is_engine_running", "odometer_km"]
    add(
        tmp_path,
        [{k: v for k, v in row.items() if k not in lacking} for row in car.rows],
        None,
        lacking,
    )
    assert main(["features", "run", "--dir", str(tmp_path), "--quiet"]) == 0
    (row,) = rows_of(tmp_path, "crank_dip")
    assert row["valid"] and row["v_dip_v"] == pytest.approx(10.02, abs=1e-4)
    assert row["release"] == "ab" * 32 and row["contract_version"] == 1


# Functions that DuckDB 1.5 and Spark 4.0 both have, under one name and with one meaning.
COMMON = set(
    "ABS COALESCE COUNT DATE_TRUNC GREATEST LAG LEAD MAX MAX_BY MIN MIN_BY NULLIF "
    "PERCENTILE_CONT ROUND ROW_NUMBER SUM".split()
)


@pytest.mark.parametrize("name", ["crank_dip", "fuel_trim_drift"])
def test_the_text_is_spark_sql_as_far_as_a_parser_can_tell(name):
    feature = next(f for f in features.load() if f.name == name)
    for dialect in ("spark", "duckdb"):
        tree = sqlglot.parse_one(feature.sql, read=dialect)
        assert not list(tree.find_all(expressions.Command))
    names = {
        (call.name if isinstance(call, expressions.Anonymous) else call.sql_name()).upper()
        for call in sqlglot.parse_one(feature.sql, read="spark").find_all(expressions.Func)
    } - {
        "AND",
        "OR",
        "CASE",
        "CAST",
        "TRY_CAST",
        "IF",
        "ARG_MAX",
        "ARG_MIN",
        "TIMESTAMP_TRUNC",
        "EXISTS",
    }
    assert names <= COMMON, names - COMMON
