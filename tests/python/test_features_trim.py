"""features/fuel_trim_drift.sql: every rule of its header, and every row against pandas."""

from __future__ import annotations

import random

import pytest

import features_oracle as oracle
from feature_tables import MONDAY, SECOND, WEEK, Car, add, frames, reference, rows_of
from telltale_lake import features, features_run
from telltale_lake.cli import main
from telltale_lake.features_run import Window
from telltale_lake.layout import Layout

COMPARED = (
    "valid invalid_reason completeness ft_percent ft_idle ft_cruise idle_minus_cruise ft_median "
    "bank_difference n n_idle n_cruise n_running span_s share_missing share_warm distance_km "
    "distance_source drift_per_week drift_per_1000_km n_weeks span_km window_end"
).split()
KEY = ["vehicle_ref", "window_start"]
REASONS = (
    "engine_not_running no_trim wrong_unit no_coolant not_warm too_few_samples stuck too_few_bins"
).split()


class Drives:
    def __init__(self) -> None:
        self.cars: list[Car] = []
        self.expected: dict[str, dict] = {}
        self.dice = random.Random(11)

    def car(self, **expected) -> Car:
        car = Car(len(self.cars) + 1)
        self.cars.append(car)
        self.expected[car.ref] = expected
        return car

    def drive(self, car: Car, week: int = 0, trim: float = 2.0, idle_more: float = 1.0, **how):
        """40 reports idling and 40 at 60 km/h, 2 s apart, warm; FT = trim, idling so much more.

        `how` replaces fields, or drops them with None; a callable gets the report's number."""
        at = how.pop("at", MONDAY + week * WEEK + 30 * 3600 * SECOND)
        for k in range(how.pop("reports", 80)):
            idles = k < 40
            fields = {
                "engine_speed_rpm": (800 if idles else 2100) + self.dice.uniform(-20, 20),
                "speed_kmh": 0.0 if idles else 60.0,
                "coolant_temperature_c": 88.0,
                "short_fuel_trim_b1_percent": (-0.78125, 0.78125)[k % 2]
                + (idle_more if idles else 0.0),
                "long_fuel_trim_b1_percent": trim,
                "run_time_s": 300 + 2 * k,
                "engine_load_percent": 30.0,
                "commanded_lambda": 0.0,
            }
            for name, value in how.items():
                fields[name] = value(k) if callable(value) else value
            car.report(at + 2 * k * SECOND, **fields)


def build_single(d: Drives) -> None:
    d.drive(d.car(valid=True, ft_percent=2.5, ft_idle=3, ft_cruise=2, idle_minus_cruise=1, n=80))
    d.drive(d.car(valid=True, idle_minus_cruise=9), idle_more=9)
    rich = {"short_fuel_trim_b2_percent": -1.0, "long_fuel_trim_b2_percent": 0.5}
    d.drive(d.car(valid=True, bank_difference=3.0), **rich)
    d.drive(d.car(invalid_reason="engine_not_running"), engine_speed_rpm=None)
    d.drive(d.car(invalid_reason="no_trim"), short_fuel_trim_b1_percent=None)
    ratio = {"long_fuel_trim_b1_percent": 0.02}
    ratio["short_fuel_trim_b1_percent"] = lambda k: k % 3 / 100
    d.drive(d.car(invalid_reason="wrong_unit", ft_percent=None, ft_idle=None), **ratio)
    d.drive(d.car(invalid_reason="wrong_unit"), coolant_temperature_c=190.0)
    d.drive(d.car(invalid_reason="wrong_unit"), long_fuel_trim_b1_percent=70.0)
    d.drive(d.car(invalid_reason="wrong_unit"), engine_speed_rpm=lambda k: 13.0 if k < 40 else 35.0)
    d.drive(d.car(invalid_reason="no_coolant"), coolant_temperature_c=None)
    d.drive(d.car(invalid_reason="not_warm", share_warm=0), coolant_temperature_c=74.0)
    d.drive(d.car(invalid_reason="too_few_samples", n=59), reports=59)
    d.drive(
        d.car(invalid_reason="stuck", ft_percent=None, ft_median=None),
        short_fuel_trim_b1_percent=1.5625,
    )
    d.drive(d.car(invalid_reason="stuck"), engine_speed_rpm=2000.0)
    d.drive(d.car(invalid_reason="too_few_bins", ft_idle=3, ft_cruise=None), reports=69)
    # What does not count as warm and closed loop.
    d.drive(d.car(valid=True, n=70), run_time_s=lambda k: 59 if k % 40 < 5 else 60)
    d.drive(d.car(valid=True, n=70), engine_load_percent=lambda k: 80.0 if k % 40 < 5 else 79.0)
    d.drive(d.car(valid=True, n=70), commanded_lambda=lambda k: 0.9 if k % 40 < 5 else 1.0)
    d.drive(
        d.car(valid=True, n=70, share_missing=10 / 80),
        short_fuel_trim_b1_percent=lambda k: None if k % 40 < 5 else 1.0 + k % 2,
    )
    # A hybrid starts its engine while it moves.
    rpm = lambda k: 800.0 + k % 3 if k < 40 else 300.0 if k >= 70 else 2000.0
    d.drive(d.car(valid=True, n=70), engine_speed_rpm=rpm)
    speed = lambda k: 0.0 if 11 <= k < 40 else 60.0
    d.drive(d.car(invalid_reason="too_few_bins", n_idle=29, ft_cruise=2), speed_kmh=speed)
    # Half on Sunday, half on Monday.
    d.drive(d.car(invalid_reason="too_few_samples", n=40), at=MONDAY + WEEK - 80 * SECOND)
    d.drive(d.car(valid=True), speed_kmh=None, obd_speed_kmh=lambda k: 0.0 if k < 40 else 60.0)


SPLIT = (
    ("engine_load_percent", "coolant_temperature_c", "commanded_lambda"),
    ("long_fuel_trim_b1_percent", "engine_speed_rpm", "run_time_s"),
    ("speed_kmh",),
    ("short_fuel_trim_b1_percent",),
)


def build_sparse(d: Drives) -> None:
    """The first car again, its signals in reports of their own; then with what comes with the short
    trim more than 5 s old."""
    for apart, expected in ((0.3, {"valid": True, "n": 80, "ft_percent": 2.5}), (7, {"n": 0})):
        dense = Car(1)
        expected = expected if "valid" in expected else {"invalid_reason": "no_trim", **expected}
        car = d.car(**expected)
        d.drive(dense)
        for k, row in enumerate(dense.rows):
            for part, names in enumerate(SPLIT):
                at = MONDAY + WEEK // 7 + round((k * 4 + part) * apart * SECOND)
                car.report(at, **{name: row[name] for name in names})


def build_distance(d: Drives) -> None:
    """Twelve weeks each: FT rises 0.25 a week and 400 km."""
    odometer = d.car(valid=True, distance_source="odometer")
    trip = d.car(valid=True, distance_source="trip")
    speed = d.car(valid=True, distance_source="speed")
    for week in range(12):
        if week == 5:
            continue  # nobody drove
        trim = 1.0 + 0.25 * week + d.dice.uniform(-0.02, 0.02)
        start = 12_345.0 + 400 * week
        d.drive(odometer, week, trim, odometer_km=lambda k: start + 4.0 * k)
        # Two trips a week; the counter falls in between.
        d.drive(trip, week, trim, trip_distance_km=lambda k: (k % 50) * 2.0 + 1)
        d.drive(speed, week, trim)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    root = tmp_path_factory.mktemp("trim")
    drives = Drives()
    build_single(drives)
    build_sparse(drives)
    build_distance(drives)
    rows = [row for car in drives.cars for row in car.rows]
    add(root, rows, missing={reference(1): 20})
    assert main(["features", "run", "--dir", str(root), "--feature", "fuel_trim_drift"]) == 0
    return root, drives, rows_of(root, "fuel_trim_drift")


def test_every_row_is_what_pandas_makes_of_the_same_reports(site):
    root, _, rows = site
    expected = oracle.fuel_trim_drift(*frames(root))
    assert len(expected) == 26 + 3 * 11
    assert oracle.differences(rows, expected, COMPARED, KEY) == []


def test_each_car_says_what_it_was_built_to_say(site):
    _, drives, rows = site
    for ref, expected in drives.expected.items():
        first = next(row for row in rows if row["vehicle_ref"] == ref)
        expected.setdefault("valid", "invalid_reason" not in expected)
        for column, value in expected.items():
            found = first[column]
            same = found == pytest.approx(value, abs=1e-5) if value is not None else found is None
            assert same, f"{ref[-4:]} {column}: {found!r}, not {value!r}"


def test_every_reason_of_the_list_was_given_by_a_car(site):
    assert {row["invalid_reason"] for row in site[2]} == {None, *REASONS}


def test_drift_is_found_per_week_and_per_1000_km(site):
    _, drives, rows = site
    last = {row["vehicle_ref"]: row for row in rows}
    odometer, trip, speed = (last[car.ref] for car in drives.cars[-3:])
    for row in (odometer, trip, speed):
        # Eight weeks, one of them without a drive.
        assert row["n_weeks"] == 7 and row["drift_per_week"] == pytest.approx(0.25, abs=0.02)
    assert odometer["drift_per_1000_km"] == pytest.approx(0.25 / 0.4, rel=0.1)
    assert odometer["distance_km"] == 316 and odometer["span_km"] == 2800
    assert trip["distance_km"] == 1 + 98 + 59  # a new trip, to 99 km, and another one to 59
    assert trip["drift_per_1000_km"] > 0
    # 39 steps of 2 s at 60 km/h: far too little in eight weeks.
    assert speed["distance_km"] == pytest.approx(39 * 2 / 60)
    assert speed["drift_per_1000_km"] is None and speed["span_km"] < 100


def test_a_week_is_the_iso_week_in_utc(site):
    assert {(row["window_start"] - MONDAY) % WEEK for row in site[2]} == {0}
    assert all(row["window_start"] <= row["window_end"] for row in site[2])
    first = site[2][0]
    assert first["window_end"] == MONDAY + 30 * 3600 * SECOND + 158 * SECOND
    assert first["completeness"] == 80 / 100


def test_the_order_of_the_reports_changes_no_bit(site, tmp_path):
    _, drives, rows = site
    reports = [row for car in drives.cars for row in car.rows]
    add(tmp_path, reports[::-1], missing={reference(1): 20})
    assert main(["features", "run", "--dir", str(tmp_path), "--feature", "fuel_trim_drift"]) == 0
    own = {"source_snapshot": 0}
    found = rows_of(tmp_path, "fuel_trim_drift")
    assert [{**row, **own} for row in found] == [{**row, **own} for row in rows]


def test_windows_one_after_the_other_give_the_rows_of_one_run(site, tmp_path):
    _, drives, rows = site
    reports = [row for car in drives.cars for row in car.rows]
    add(tmp_path, reports, missing={reference(1): 20})
    (feature,) = (f for f in features.load() if f.name == "fuel_trim_drift")
    # Not on Mondays: a week belongs to the window it begins in, and is whole.
    for first in (-3, 32, 60):
        begin = MONDAY + first * WEEK // 7
        end = MONDAY + {-3: 32, 32: 60, 60: 99}[first] * WEEK // 7
        list(features_run.run(Layout(tmp_path), [feature], Window(begin, end)))
    found = rows_of(tmp_path, "fuel_trim_drift")
    assert len(found) == len(rows)
    assert oracle.differences(found, rows, COMPARED, KEY) == []
