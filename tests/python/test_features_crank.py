"""features/crank_dip.sql: every rule of its header, and every row against pandas."""

from __future__ import annotations

import random

import pytest

import features_oracle as oracle
from feature_tables import DAY, MONDAY, SECOND, Car, add, frames, reference, rows_of
from telltale_lake import features, features_run
from telltale_lake.cli import main
from telltale_lake.features_run import Window
from telltale_lake.layout import Layout

COMPARED = (
    "valid invalid_reason completeness cycle_source ignition_cycle start_us v_dip_v v_source "
    "dip_class n span_s rate_hz share_missing v_max_v v_running_v is_weak dip_p05_14d_v "
    "dip_slope_14d n_14d span_14d_d window_end"
).split()
KEY = ["vehicle_ref", "boot_counter", "boot_random", "window_start"]
REASONS = (
    "no_voltage wrong_unit not_12v stuck no_engine_start jump_start no_sample rate_too_low".split()
)


class Drives:
    """Cars numbered by what is special about them, and what their first cycle must say."""

    def __init__(self) -> None:
        self.cars: list[Car] = []
        self.expected: dict[str, dict] = {}
        self.named: dict[str, Car] = {}
        self.dice = random.Random(7)

    def car(self, **expected) -> Car:
        car = Car(len(self.cars) + 1)
        self.cars.append(car)
        self.expected[car.ref] = expected
        return car

    def missing(self) -> dict[str, int]:
        """Reports that never came, in a car's first hour."""
        lacking = {ref: 10 for ref, e in self.expected.items() if e.get("completeness")}
        return {reference(1): 40, **lacking}

    def drive(self, car: Car, at: int, hz: float = 10, low: float = 10.1, **how) -> int:
        """Two seconds still, one cranking, then running; returns when it ended.

        scale, offset: of the voltage. volts: its column. rest, run: levels. engine: factor of rpm.
        still=False: begins with the engine running. more: fields of a report by seconds."""
        step = round(SECOND / hz)
        length = how.get("length", 12 * SECOND)
        begins = 0 if how.get("still", True) else 3 * SECOND
        for t in range(begins, length, step):
            if t < 2 * SECOND:
                volts, rpm = how.get("rest", 12.5), 0.0
            elif t < 3 * SECOND:
                volts, rpm = low + abs(t - 2 * SECOND) / SECOND, 230.0
            else:
                volts = how.get("run", 14.1) + self.dice.uniform(-0.05, 0.05)
                rpm = how.get("idle", 840.0 + self.dice.uniform(-9, 9))
            if how.get("constant") is not None:
                volts = how["constant"]
            fields = {"engine_speed_rpm": rpm * how.get("engine", 1.0), "speed_kmh": 0.0}
            if how.get("volts", "low_voltage_battery_v") and not how.get("holes", lambda t: 0)(t):
                fields[how.get("volts", "low_voltage_battery_v")] = volts * how.get("scale", 1.0)
            fields.update(how.get("always", {}))
            fields.update(how.get("more", lambda t: {})(t))
            car.report(at + t, **fields)
        return at + length


def measured(value, begins=4 * SECOND, ends=1 << 60):
    return lambda t: {"crank_min_v": value} if begins <= t < ends else {}


def build_single(d: Drives) -> None:
    at = MONDAY + 8 * 3600 * SECOND
    d.drive(d.car(valid=True, dip_class="sampled", v_dip_v=10.1), at)
    d.drive(d.car(valid=True, dip_class="sampled", v_dip_v=8.9, is_weak=True), at, low=8.9)
    d.drive(
        d.car(invalid_reason="rate_too_low", dip_class="upper_bound", v_dip_v=10.1, rate_hz=2),
        at,
        hz=2,
    )
    d.drive(d.car(valid=True, dip_class="measured", v_dip_v=9.3), at, hz=1, more=measured(9.3))
    # A value of the start before is still being sent when the engine turns.
    stale = lambda t: {"crank_min_v": 8.0 if t < 3.5 * SECOND else 10.2}
    d.drive(d.car(valid=True, v_dip_v=10.2), at, hz=5, length=20 * SECOND, more=stale)
    once = measured(9.8, 2_500_000, 3_100_000)
    d.drive(d.car(valid=True, v_dip_v=9.8), at, hz=2, more=once)
    d.drive(d.car(invalid_reason="jump_start"), at, rest=15.6)
    d.drive(d.car(invalid_reason="no_engine_start", v_dip_v=None), at, still=False)
    d.drive(d.car(invalid_reason="no_engine_start"), at, idle=0.0)
    d.drive(d.car(invalid_reason="no_voltage", share_missing=1), at, volts=None)
    d.drive(d.car(invalid_reason="wrong_unit", v_dip_v=None), at, scale=0.001)
    d.drive(d.car(invalid_reason="wrong_unit"), at, scale=1000)
    d.drive(d.car(invalid_reason="wrong_unit"), at, hz=2, more=measured(0.0093))
    d.drive(d.car(invalid_reason="wrong_unit"), at, engine=1 / 60, always={"speed_kmh": 50.0})
    d.drive(d.car(invalid_reason="not_12v"), at, scale=2)
    d.drive(d.car(invalid_reason="stuck"), at, constant=12.4)
    sparse = lambda t: 1_000_000 <= t <= 5_000_000
    d.drive(d.car(invalid_reason="no_sample", v_dip_v=None), at, holes=sparse)
    d.drive(d.car(valid=True, v_source="control_module_v"), at, volts="control_module_v")
    both = {"control_module_v": 7.0}
    d.drive(d.car(valid=True, v_source="low_voltage_battery_v"), at, always=both)
    some = lambda t: t % 300_000 == 0
    d.drive(d.car(invalid_reason="rate_too_low"), at, holes=some)
    short = lambda t: 3_200_000 < t < 5_000_000
    d.drive(d.car(invalid_reason="rate_too_low", rate_hz=10, span_s=1.7), at, holes=short)
    # A hybrid starts its engine while it moves.
    moving = lambda t: {"speed_kmh": 50.0}
    d.drive(d.car(valid=True), at, more=moving)
    d.drive(d.car(invalid_reason="wrong_unit"), at, scale=3, volts="control_module_v")
    # Engine speed and voltage in reports of their own.
    turns = lambda t: {"engine_speed_rpm": None} if t // 100_000 % 2 else {}
    d.drive(d.car(valid=True, dip_class="sampled"), at, more=turns)


def build_cycles(d: Drives) -> None:
    at = MONDAY + 9 * 3600 * SECOND
    gap = 60 * SECOND
    car = d.named["counter"] = d.car(valid=True, cycle_source="counter", ignition_cycle=7)
    d.drive(car, d.drive(car, at, always={"ignition_cycle": 7}) + gap, always={"ignition_cycle": 8})
    car = d.named["ignition"] = d.car(valid=True, cycle_source="ignition")
    for start in (at, at + gap):
        end = d.drive(car, start, low=9.9, always={"is_ignition_on": True})
        car.report(end, is_ignition_on=False, engine_speed_rpm=0.0)
    car = d.named["engine"] = d.car(valid=True, cycle_source="engine")
    end = d.drive(car, d.drive(car, at) + gap)
    car.report(end, engine_speed_rpm=0.0, low_voltage_battery_v=12.6)  # a stop is no cycle
    # The stop was not seen, but the run time says that it was.
    car = d.named["run_time"] = d.car(valid=True, cycle_source="engine")
    end = d.drive(car, at, more=lambda t: {"run_time_s": max(0, t // SECOND - 3)})
    d.drive(car, end, still=False, more=lambda t: {"run_time_s": t // SECOND - 3})
    # A second start in a cycle has a value of its own.
    car = d.named["restart"] = d.car(valid=True, v_dip_v=9.8)
    end = d.drive(car, at, more=measured(9.8, 2_500_000, 3_100_000), always={"ignition_cycle": 1})
    d.drive(car, end, more=measured(9.0), always={"ignition_cycle": 1})
    # What is missing in an hour is missing in the cycles of that hour.
    car = d.car(valid=True, completeness=240 / 250)
    for cycle, start in enumerate((at, at + gap, at + 150 * gap)):
        d.drive(car, start, always={"ignition_cycle": cycle})
    # A crank that fails, then one that does not.
    car = d.named["failed"] = d.car(valid=True, v_dip_v=9.7)
    end = d.drive(car, at, low=9.0, idle=0.0, length=4 * SECOND, always={"ignition_cycle": 1})
    d.drive(car, end, low=9.7, always={"ignition_cycle": 1})
    car = d.named["boot"] = d.car(invalid_reason="no_engine_start", cycle_source="boot")
    for t in range(20):
        car.report(at + t * SECOND, low_voltage_battery_v=12.4 + t % 3 / 100)
    # Without engine speed, by the flag; and a boot in the middle of a cycle.
    car = d.named["flag"] = d.car(valid=True)
    flag = lambda t: {"engine_speed_rpm": None, "is_engine_running": t >= 2 * SECOND}
    d.drive(car, at, more=flag)
    d.drive(car.new_boot(), at + gap, still=False, always={"ignition_cycle": 3})


def build_weeks(d: Drives) -> dict[str, str]:
    at = MONDAY + 7 * 3600 * SECOND
    falls = d.car(valid=True)
    for day in range(20):
        value = 10.5 - 0.02 * day + d.dice.uniform(-0.01, 0.01)
        for again in range(1 + day % 2):
            start = at + day * DAY + again * 2 * 3600 * SECOND
            always = {"ignition_cycle": 2 * day + again}
            d.drive(falls, start, hz=2, more=measured(value), always=always)
    stuck = d.car(valid=True)
    for cycle in range(7):
        value = 10.25 if cycle < 6 else 10.3
        start = at + cycle * 3600 * SECOND
        d.drive(stuck, start, hz=2, more=measured(value), always={"ignition_cycle": cycle})
    rare = d.car(valid=True)
    for month in range(6):
        always = {"ignition_cycle": month}
        d.drive(rare, at + month * 4 * DAY, hz=2, more=measured(10.25), always=always)
    twice = d.car(valid=True)
    for cycle in range(8):
        start = at + cycle // 2 * DAY + cycle % 2 * 2 * 3600 * SECOND
        more = measured(10.0 + cycle / 100)
        d.drive(twice, start, hz=2, more=more, always={"ignition_cycle": cycle})
    mixed = d.car(valid=True)  # a car whose new firmware measures
    for day in range(10):
        more = measured(10.5 - day / 50) if day > 3 else lambda t: {}
        d.drive(mixed, at + day * DAY, low=9.7, more=more, always={"ignition_cycle": day})
    return {
        "falls": falls.ref,
        "stuck": stuck.ref,
        "rare": rare.ref,
        "twice": twice.ref,
        "mixed": mixed.ref,
    }


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    root = tmp_path_factory.mktemp("crank")
    drives = Drives()
    build_single(drives)
    build_cycles(drives)
    named = build_weeks(drives)
    rows = [row for car in drives.cars for row in car.rows]
    add(root, rows, missing=drives.missing())
    assert main(["features", "run", "--dir", str(root), "--feature", "crank_dip", "--quiet"]) == 0
    return root, drives, rows_of(root, "crank_dip"), named


def test_every_row_is_what_pandas_makes_of_the_same_reports(site):
    root, _, rows, _ = site
    expected = oracle.crank_dip(*frames(root))
    assert len(expected) > 60
    assert oracle.differences(rows, expected, COMPARED, KEY) == []


def test_each_car_says_what_it_was_built_to_say(site):
    _, drives, rows, _ = site
    for ref, expected in drives.expected.items():
        first = next(row for row in rows if row["vehicle_ref"] == ref)
        expected.setdefault("valid", "invalid_reason" not in expected)
        for column, value in expected.items():
            found = first[column]
            same = found == pytest.approx(value, abs=1e-6) if value is not None else found is None
            assert same, f"{ref[-4:]} {column}: {found!r}, not {value!r}"


def test_every_reason_of_the_list_was_given_by_a_car(site):
    assert {row["invalid_reason"] for row in site[2]} == {None, *REASONS}


def test_cycles_are_told_apart_by_counter_ignition_engine_and_run_time(site):
    _, drives, rows, _ = site
    counts = {}
    for row in rows:
        counts[row["vehicle_ref"]] = counts.get(row["vehicle_ref"], 0) + 1
    names = ("counter", "ignition", "engine", "run_time", "restart", "failed", "boot", "flag")
    found = {name: counts[drives.named[name].ref] for name in names}
    assert found == dict(zip(names, (2, 2, 2, 2, 1, 1, 1, 2)))


def test_the_14_days_find_a_battery_that_loses_140_mv_a_week(site):
    _, _, rows, named = site
    mine = [row for row in rows if row["vehicle_ref"] == named["falls"]]
    daily = [row for row in mine if row["n_14d"] is not None]
    assert len(mine) == 30 and len(daily) == 20
    assert daily[-1]["n_14d"] == 21 and daily[-1]["dip_slope_14d"] == pytest.approx(-140, abs=8)
    assert daily[2]["dip_p05_14d_v"] is None and daily[3]["dip_p05_14d_v"] < 10.5
    assert [row["dip_slope_14d"] is not None for row in daily[:5]] == [False] * 3 + [True] * 2


def test_a_slope_needs_three_days_and_one_source(site):
    _, _, rows, named = site
    twice = [r for r in rows if r["vehicle_ref"] == named["twice"] and r["n_14d"] is not None]
    assert [(r["n_14d"], r["dip_slope_14d"] is not None) for r in twice] == [
        (2, False),
        (4, False),
        (6, False),
        (8, True),
    ]
    mixed = [r["n_14d"] for r in rows if r["vehicle_ref"] == named["mixed"]]
    assert mixed == [1, 2, 3, 4, 1, 2, 3, 4, 5, 6]


def test_one_measured_value_five_times_running_is_stuck_until_it_moves(site):
    _, _, rows, named = site
    mine = [row["invalid_reason"] for row in rows if row["vehicle_ref"] == named["stuck"]]
    assert mine == [None] * 4 + ["stuck"] * 2 + [None]
    # Five in more than 14 days may be chance.
    assert all(row["valid"] for row in rows if row["vehicle_ref"] == named["rare"])


def test_completeness_is_that_of_the_boot_in_the_cycles_hours(site):
    rows = {row["vehicle_ref"]: row for row in site[2]}
    assert rows[reference(1)]["completeness"] == 120 / 160
    assert rows[reference(2)]["completeness"] == 1


def test_no_row_rests_on_a_report_received_after_its_received_at(site):
    for row in site[2]:
        assert row["received_at"] == row["window_end"] + SECOND


def test_the_order_of_the_reports_changes_no_bit(site, tmp_path):
    _, drives, rows, _ = site
    reports = [row for car in drives.cars for row in car.rows]
    add(tmp_path, reports[::-1], missing=drives.missing())
    assert main(["features", "run", "--dir", str(tmp_path), "--feature", "crank_dip"]) == 0
    own = {"source_snapshot": 0}
    found = rows_of(tmp_path, "crank_dip")
    assert [{**row, **own} for row in found] == [{**row, **own} for row in rows]


def test_windows_one_after_the_other_give_the_rows_of_one_run(site, tmp_path):
    _, drives, rows, _ = site
    reports = [row for car in drives.cars for row in car.rows]
    add(tmp_path, reports, missing=drives.missing())
    (feature,) = (f for f in features.load() if f.name == "crank_dip")
    for first in (18, 0, 6, 12):
        window = Window(MONDAY + first * DAY, MONDAY + (first + 6) * DAY)
        list(features_run.run(Layout(tmp_path), [feature], window))
    found = rows_of(tmp_path, "crank_dip")
    assert len(found) == len(rows)
    assert oracle.differences(found, rows, COMPARED, KEY) == []
