"""What a candidate release computes for its cohort: beside stable's on one snapshot, in tables that
no user sees, gone 30 days after the close, and with an erased vehicle at once."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import telltale_lake
from feature_tables import MONDAY, SECOND, Car, add, reference
from telltale_lake import erased, features_run, lots, shadow, shadow_features
from telltale_lake.as_of import AsOf, NoSnapshot
from telltale_lake.cli import main
from telltale_lake.commit import open_catalog
from telltale_lake.compare import compare
from telltale_lake.erase import erase
from telltale_lake.features import DAY_US, parse
from telltale_lake.features_run import Window
from telltale_lake.layout import Layout
from telltale_lake.locks import committing
from telltale_lake.lots import LOTS, NotAnOrder, Order, draw_of, parse_order
from test_features import HOURLY

HOUR = 3600 * SECOND
CARS = 40
ORDER = Order("r-1")
# The candidate reads a speed that is 10 % higher; the rest is as it was.
FASTER = HOURLY.replace("max(speed_kmh) AS fastest", "max(speed_kmh) * 1.1 AS fastest")
TABLE = "hourly"


def reports(cars: range = range(1, CARS + 1), at: int = MONDAY, speed: float = 10.0) -> list[dict]:
    rows = []
    for number in cars:
        car = Car(number)
        for k in range(4):
            car.report(at + k * HOUR // 2, speed_kmh=speed + k)
        rows += car.rows
    return rows


def folder(root: Path, name: str, **files: str) -> Path:
    place = root / name
    place.mkdir(parents=True)
    for stem, text in files.items():
        (place / f"{stem}.sql").write_text(text)
    return place


def install(root: Path, **files: str) -> str:
    """A release with these features of its own."""
    listing = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()}
    listed = json.dumps(listing, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(listed.encode()).hexdigest()
    manifest = json.dumps(
        {"components": {"contract": "c" * 64, "features": digest}, "format": 1},
        separators=(",", ":"),
        sort_keys=True,
    )
    release = hashlib.sha256(manifest.encode()).hexdigest()
    place = root / "data" / "releases" / release
    place.mkdir(parents=True)
    (place / "manifest.json").write_text(manifest)
    folder(place, "features", **files)
    return release


@pytest.fixture
def site(tmp_path):
    add(tmp_path, reports())
    folder(tmp_path, "stable", hourly=HOURLY)
    return tmp_path


def run(root: Path, release: str, cohort: int = 5001, **more) -> dict:
    more = {"order": ORDER, "stable_features": root / "stable", **more}
    return shadow_features.run(
        Layout(root), shadow_features.Plan(release=release, lots=cohort, **more)
    )


def cohort_of(lots_below: int, order: Order = ORDER) -> list[str]:
    return order.below(lots_below, map(reference, range(1, CARS + 1)))


def rows_of(root: Path, release: str, name: str = TABLE) -> list[dict]:
    table = telltale_lake.catalog(root).load_table(("shadow", shadow.table_name(release, name)))
    return table.scan().to_arrow().to_pylist()


def test_a_vehicle_has_the_lot_that_the_workers_give_it() -> None:
    """The published vectors, which src/base/cohort_test.cc checks too."""
    assert draw_of("", "00" * 16) == 6481
    assert draw_of("release-7", "00" * 16) == 2236
    assert draw_of("release-7", bytes(range(16)).hex()) == 1379
    ref = "00" * 16
    assert Order("release-7").lot_of(ref) == 2237
    assert Order("release-7", always=frozenset([ref])).lot_of(ref) == 0
    both = Order("release-7", frozenset([ref]), frozenset([ref]))
    assert both.lot_of(ref) == LOTS - 1
    assert both.below(LOTS - 1, [ref]) == [] and both.below(LOTS, [ref]) == [ref]


@pytest.mark.parametrize(
    "text, says",
    [
        ("{", "not JSON"),
        ("[]", "salt"),
        ('{"salt": 7}', "salt"),
        ('{"salt": "a", "per_10000": 5}', "per_10000"),
        ('{"salt": "a", "always": ["ABC"]}', "always"),
        ('{"salt": "a", "never": "' + "0" * 32 + '"}', "never"),
    ],
)
def test_an_order_that_says_something_else_is_refused_by_name(text, says) -> None:
    with pytest.raises(NotAnOrder, match=says):
        parse_order(text)


def test_only_the_cohort_is_computed_and_what_differs_is_told_by_row_and_column(site) -> None:
    release = install(site, hourly=FASTER)
    report = run(site, release)
    chosen = cohort_of(5001)
    assert 0 < len(chosen) < CARS
    assert report["vehicles"] == {"cohort": len(chosen), "seen": CARS}
    rows = rows_of(site, release)
    assert {row["vehicle_ref"] for row in rows} == set(chosen)
    assert {row["computed_by"] for row in rows} == {release}
    assert {row["source_snapshot"] for row in rows} == {report["as_of"]["snapshot"]}
    (told,) = report["tables"]
    found = told["comparison"]
    assert (told["status"], found["changed"], found["same"]) == ("compared", len(rows), 0)
    assert (found["missing"], found["extra"]) == (0, 0)
    assert [(c["name"], c["changed"]) for c in found["columns"]] == [("fastest", len(rows))]
    assert found["vehicles_affected"] == len(chosen)
    example = found["examples"][0]
    assert example["vehicle_ref"] == chosen[0] and example["column"] == "fastest"
    assert example["candidate"] == pytest.approx(example["stable"] * 1.1)
    place = Layout(site).shadow_reports / release / "features.json"
    assert json.loads(place.read_text())["tables"] == report["tables"]
    assert f"| changed | {chosen[0]} |" in place.with_suffix(".md").read_text()


def test_a_larger_cohort_has_everybody_of_a_smaller_one_and_a_second_run_changes_nothing(
    site,
) -> None:
    release = install(site, hourly=FASTER)
    run(site, release, 2001)
    small = rows_of(site, release)
    run(site, release, 8001)
    run(site, release, 8001)
    large = rows_of(site, release)
    assert {row["vehicle_ref"] for row in large} == set(cohort_of(8001))
    assert len(large) == 2 * len(cohort_of(8001))
    assert all(row in large for row in small)


def test_rows_of_one_side_alone_are_missing_or_extra(site) -> None:
    without_first = FASTER.replace(
        "FROM telemetry\n", f"FROM telemetry WHERE event_us >= {MONDAY + HOUR}\n"
    ).replace(" * 1.1", "")
    release = install(site, hourly=without_first)
    found = run(site, release)["tables"][0]["comparison"]
    cars = len(cohort_of(5001))
    assert (found["same"], found["missing"], found["extra"]) == (cars, cars, 0)
    assert found["examples"][0]["kind"] == "missing"
    # The other way round they are extra.
    turned = run(site, install(site, hourly=HOURLY + "\n"), stable_features=folder(
        site, "narrow", hourly=without_first))  # fmt: skip
    found = turned["tables"][0]["comparison"]
    assert (found["same"], found["missing"], found["extra"]) == (cars, 0, cars)


def test_only_what_has_other_words_is_computed_unless_asked_for(site) -> None:
    release = install(site, hourly=HOURLY)
    assert [t["status"] for t in run(site, release)["tables"]] == ["same_code"]
    assert shadow.listed(Layout(site)) == []
    found = run(site, release, everything=True)["tables"][0]["comparison"]
    assert found["same"] == found["rows_stable"] == 2 * len(cohort_of(5001))
    assert found["columns"] == found["examples"] == []


def test_a_feature_that_cannot_be_computed_is_told_and_costs_no_other(site) -> None:
    def named(text: str, name: str) -> str:
        return text.replace("feature: hourly", f"feature: {name}")

    release = install(
        site,
        hourly=FASTER,
        broken=named(FASTER, "broken").replace("max(speed_kmh) * 1.1", "no_such(speed_kmh)"),
        headless="SELECT 1",
        fresh=named(FASTER, "fresh"),
    )
    (site / "stable" / "gone.sql").write_text(named(HOURLY, "gone"))
    report = run(site, release)
    told = {one["name"]: one["status"] for one in report["tables"]}
    assert told == {"hourly": "compared", "broken": "failed", "headless": "failed",
                    "fresh": "added", "gone": "removed"}  # fmt: skip
    errors = {one["name"]: one["error"] for one in report["tables"] if "error" in one}
    assert "no_such" in errors["broken"] and "headless" in errors["headless"]
    assert len(rows_of(site, release, "fresh")) == len(rows_of(site, release))


def test_both_sides_read_the_snapshot_that_was_asked_for(site) -> None:
    first = telltale_lake.catalog(site).load_table("telltale.telemetry").current_snapshot()
    add(site, reports(at=MONDAY + 10 * HOUR, speed=50.0))
    release = install(site, hourly=FASTER)
    now = run(site, release)
    then = run(site, release, as_of=AsOf(snapshot=first.snapshot_id))
    counts = [r["tables"][0]["comparison"]["rows_stable"] for r in (now, then)]
    assert counts == [4 * len(cohort_of(5001)), 2 * len(cohort_of(5001))]
    assert then["as_of"]["snapshot"] == first.snapshot_id
    assert max(row["fastest"] for row in rows_of(site, release)) < 20
    by_time = run(site, release, as_of=AsOf(time_us=first.timestamp_ms * 1000))
    assert by_time["as_of"] == then["as_of"]
    for gone in (AsOf(snapshot=7), AsOf(time_us=1)):
        with pytest.raises(NoSnapshot, match="no snapshot"):
            run(site, release, as_of=gone)


def test_a_window_leaves_the_rows_outside_it(site) -> None:
    release = install(site, hourly=FASTER)
    run(site, release)
    before = rows_of(site, release)
    report = run(site, release, window=Window(MONDAY + HOUR, MONDAY + 2 * HOUR))
    assert report["tables"][0]["comparison"]["rows_stable"] == len(before) // 2
    assert sorted(rows_of(site, release), key=repr) == sorted(before, key=repr)


def test_no_view_shows_a_shadow_and_the_list_has_it_apart(site, capsys) -> None:
    layout = Layout(site)
    list(features_run.run(layout, [parse(HOURLY, "hourly")], Window()))
    release = install(site, hourly=FASTER)
    run(site, release)
    db = telltale_lake.connect(site)
    views = db.sql("SELECT table_schema || '.' || table_name FROM information_schema.tables")
    names = {row[0] for row in views.fetchall()}
    assert "features.hourly" in names and not any("shadow" in name for name in names)
    fastest = db.sql("SELECT max(fastest) FROM features.hourly").fetchone()
    assert fastest == (13.0,)
    assert main(["tables", "--dir", str(site), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["tables"] == ["telltale.arrivals", "telltale.telemetry", "features.hourly"]
    name = f"shadow.{shadow.table_name(release, TABLE)}"
    assert [(t["table"], t["release"]) for t in told["shadow"]] == [(name, release)]


def test_what_was_closed_goes_after_30_days_with_its_files_and_not_before(site) -> None:
    layout = Layout(site)
    kept, gone = install(site, hourly=FASTER), install(site, hourly=FASTER + "\n")
    for release in (kept, gone):
        run(site, release)
    shadow.close(layout, gone, MONDAY)
    with pytest.raises(shadow.ShadowError, match="closed"):
        run(site, gone)
    assert shadow.upkeep(layout, MONDAY + 30 * DAY_US - 1) == []
    assert len(rows_of(site, gone)) == 2 * len(cohort_of(5001))
    dropped = shadow.upkeep(layout, MONDAY + 30 * DAY_US)
    assert dropped == [f"shadow.{shadow.table_name(gone, TABLE)}", f"shadow/{gone}/features.json"]
    assert [t.release for t in shadow.listed(layout)] == [kept]
    assert not [p for p in layout.lake.rglob("*") if gone[:8] in p.as_posix()]
    assert len(rows_of(site, kept)) == 2 * len(cohort_of(5001))


def test_a_closed_shadow_can_be_opened_again_and_is_then_kept(site) -> None:
    layout, release = Layout(site), install(site, hourly=FASTER)
    run(site, release)
    shadow.close(layout, release, MONDAY)
    only_first = {"stable_features": folder(site, "same", hourly=FASTER)}  # nothing to compute
    with pytest.raises(shadow.ShadowError, match="closed"):
        run(site, release, **only_first)
    run(site, release, reopen=True, **only_first)
    assert shadow.upkeep(layout, MONDAY + 365 * DAY_US) == []
    assert len(rows_of(site, release)) == 2 * len(cohort_of(5001))


def test_a_crash_between_the_catalogue_and_the_files_leaves_nothing_for_good(site) -> None:
    layout, release = Layout(site), install(site, hourly=FASTER)
    run(site, release)
    catalog = open_catalog(layout)
    catalog.drop_table(("shadow", shadow.table_name(release, TABLE)))
    catalog.engine.dispose()
    assert list((layout.warehouse / "shadow").rglob("*.parquet"))
    shadow.upkeep(layout, MONDAY)
    assert not list((layout.warehouse / "shadow").rglob("*"))


def test_an_erased_vehicle_leaves_shadows_and_reports_and_does_not_come_back(site) -> None:
    layout, release = Layout(site), install(site, hourly=FASTER)
    run(site, release)
    gone, stays = cohort_of(5001)[:2]
    before = rows_of(site, release)
    receipt = erase(site, gone, wait_s=0)
    removed = {store.table: store.rows for store in receipt.stores}
    name = f"shadow.{shadow.table_name(release, TABLE)}"
    assert removed[name] == 2 and removed["shadow.reports"] >= 1
    after = rows_of(site, release)
    assert sorted(after, key=repr) == sorted(
        (row for row in before if row["vehicle_ref"] != gone), key=repr
    )
    traces = []
    for path in layout.lake.rglob("*"):
        if path.is_file():
            text = path.read_bytes()
            if path.suffix == ".parquet":
                text += repr(pq.read_table(path).to_pylist()).encode()
            if gone.encode() in text:
                traces.append(path.relative_to(site).as_posix())
    assert traces == []
    reports_left = layout.shadow_reports / release / "features.md"
    assert stays in reports_left.read_text()


def test_a_run_that_read_before_an_erasure_brings_nobody_back(site, monkeypatch) -> None:
    layout, release = Layout(site), install(site, hourly=FASTER)
    gone = cohort_of(5001)[0]
    compute = features_run.compute

    def erasing_meanwhile(*arguments, **more):
        rows = compute(*arguments, **more)
        assert gone in rows["vehicle_ref"].to_pylist()
        with committing(layout):
            erased.add(layout, gone)
        return rows

    monkeypatch.setattr(features_run, "compute", erasing_meanwhile)
    run(site, release)
    assert gone not in {row["vehicle_ref"] for row in rows_of(site, release)}
    for kind in ("json", "md"):
        assert gone not in (layout.shadow_reports / release / f"features.{kind}").read_text()


def test_a_release_that_is_not_what_its_id_says_is_refused(site, capsys) -> None:
    release = install(site, hourly=FASTER)
    manifest = site / "data" / "releases" / release / "manifest.json"
    manifest.write_text(manifest.read_text().replace("ccc", "ccd"))
    arguments = ["shadow", "features", "--dir", str(site), "--release", release, "--order",
                 '{"salt": "r-1"}', "--lots", "5001", "--quiet"]  # fmt: skip
    assert main(arguments) == 1
    assert "manifest.json is not what" in capsys.readouterr().err
    release = arguments[5] = install(site, hourly=FASTER + "\n")
    file = site / "data" / "releases" / release / "features" / "hourly.sql"
    file.write_text(file.read_text() + "\n")
    assert main(arguments) == 1
    assert "features is not what" in capsys.readouterr().err
    assert shadow.listed(Layout(site)) == []


def test_the_command_takes_the_cohort_as_the_config_record_says_it(site, capsys) -> None:
    release = install(site, hourly=FASTER)
    never = cohort_of(LOTS)[0]
    order = {"salt": "r-1", "always": [reference(2)], "never": [never]}
    done = main(["shadow", "features", "--dir", str(site), "--release", release, "--order",
                 json.dumps(order), "--lots", "1", "--stable-features", str(site / "stable"),
                 "--quiet", "--json"])  # fmt: skip
    assert done == 0
    report = json.loads(capsys.readouterr().out)
    assert report["vehicles"] == {"cohort": 1, "seen": CARS}
    assert {row["vehicle_ref"] for row in rows_of(site, release)} == {reference(2)}
    assert main(["shadow", "close", "--dir", str(site), "--release", release, "--at",
                 "2026-01-01"]) == 0  # fmt: skip
    assert main(["shadow", "upkeep", "--dir", str(site), "--now", "2026-01-31"]) == 0
    assert f"shadow_{release[:8]}_hourly: dropped" in capsys.readouterr().out
    assert shadow.listed(Layout(site)) == []


def test_rows_are_matched_by_key_and_numbers_by_their_size() -> None:
    import duckdb

    db = duckdb.connect()
    db.execute("CREATE TABLE stable AS SELECT * FROM (VALUES "
               "('a', 1, 1.0::DOUBLE, 'x'), ('a', 2, NULL, 'x'), ('b', 1, 'nan'::DOUBLE, 'y'), "
               "('c', 1, 5.0, 'z'), ('c', 1, 6.0, 'z')) v(vehicle_ref, hour, n, t)")  # fmt: skip
    db.execute("CREATE TABLE candidate AS SELECT * FROM (VALUES "
               "('a', 1, 1.0::DOUBLE + 1e-12, 'x'), ('a', 2, 0.0, 'x'), ('b', 1, 'nan'::DOUBLE, "
               "'other'), ('c', 1, 6.0, 'z'), ('c', 1, 5.0, 'z')) v(vehicle_ref, hour, n, t)")
    found = compare(db, "stable", "candidate", ["vehicle_ref", "hour"])
    assert (found.same, found.changed, found.missing, found.extra) == (3, 2, 0, 0)
    told = {c.name: (c.changed, c.null_in_stable) for c in found.columns}
    assert told == {"n": (1, 1), "t": (1, 0)}
    assert lots.LOTS == 10_002
