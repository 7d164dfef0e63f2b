"""The features once more, for tests: with pandas from the raw rows, one vehicle at a time and one
report after the other, as the headers of features/*.sql say and not as their SQL does it.

Both functions take frames with the columns of the tables (times as datetime64 in UTC, booleans as
True, False or None) and give one dict a row, under the names of the features' columns.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import pandas as pd

SECOND = 1_000_000
DAY = 86_400 * SECOND
WEEK = 7 * DAY


def known(value: Any) -> bool:
    return value is not None and value is not pd.NaT and value == value


def micros(times: pd.Series) -> list[int]:
    return [int(t) for t in times.astype("datetime64[us, UTC]").astype("int64")]


def completeness(arrivals: pd.DataFrame, chosen: pd.Series) -> float | None:
    some = arrivals[chosen]
    total = int(some["received"].sum() + some["missing"].sum())
    return int(some["received"].sum()) / total if len(some) and total else None


def theil_sen(points: list[tuple[float, float]], least: float) -> float | None:
    slopes = [
        (y2 - y1) / (x2 - x1)
        for (x1, y1), (x2, y2) in itertools.combinations(sorted(points), 2)
        if x2 - x1 >= least and x2 != x1
    ]
    return float(pd.Series(slopes).median()) if slopes else None


# Crank dip


def state_of(row: Any) -> str | None:
    if known(row.engine_speed_rpm):
        if row.engine_speed_rpm <= 0:
            return "still"
        return "cranking" if row.engine_speed_rpm < 400 else "running"
    if known(row.is_engine_running):
        return "running" if row.is_engine_running else "still"
    return None


def states_so_far(rows: list[Any]) -> list[str | None]:
    """A report that says nothing of the engine has the state before it."""
    states: list[str | None] = []
    for row in rows:
        states.append(state_of(row) or (states[-1] if states else None))
    return states


def cycles_of(rows: list[Any]) -> tuple[str, list[tuple[int | None, list[int]]]]:
    """How the boot is cut, and each piece as (counter or None, indices of its reports)."""
    if any(known(r.ignition_cycle) for r in rows):
        source = "counter"
    elif any(known(r.is_ignition_on) for r in rows):
        source = "ignition"
    elif any(
        known(r.engine_speed_rpm) or known(r.run_time_s) or known(r.is_engine_running) for r in rows
    ):
        source = "engine"
    else:
        source = "boot"
    if source == "counter":
        newest = min(int(r.ignition_cycle) for r in rows if known(r.ignition_cycle))
        pieces: dict[int, list[int]] = {}
        for index, row in enumerate(rows):
            if known(row.ignition_cycle):
                newest = max(newest, int(row.ignition_cycle))
            pieces.setdefault(newest, []).append(index)
        return source, list(pieces.items())
    cut: list[list[int]] = [[]]
    ignition = engine = run_time = None
    for index, row in enumerate(rows):
        state = state_of(row)
        new = False
        if source == "ignition" and known(row.is_ignition_on):
            new = bool(row.is_ignition_on) and ignition is False
            ignition = bool(row.is_ignition_on)
        if source == "engine":
            new = state == "still" and engine == "running"
            if known(row.run_time_s):
                new = new or (run_time is not None and row.run_time_s < run_time)
                run_time = row.run_time_s
        engine = state or engine
        if new:
            cut.append([])
        cut[-1].append(index)
    return source, [(None, piece) for piece in cut if piece]


def starts_of(rows: list[Any]) -> Iterator[tuple[int, int]]:
    """(index of the first turning report, index after the last before the next turning)."""
    turning: list[int] = []
    before = None
    for index, row in enumerate(rows):
        state = state_of(row)
        if (state in ("cranking", "running") and before == "still") or (
            state == "cranking" and before is None
        ):
            turning.append(index)
        before = state or before
    for first, end in zip(turning, [*turning[1:], len(rows)]):
        if any(state_of(row) == "running" for row in rows[first:end]):
            yield first, end


def crank_cycle(rows: list[Any], us: list[int], piece: list[int], volts: list[Any]) -> dict:
    found: dict[str, Any] = {}
    inside = set(piece)
    mine = [rows[i] for i in piece]
    known_volts = [volts[i] for i in piece if known(volts[i])]
    states = states_so_far(rows)
    running = [volts[i] for i in piece if states[i] == "running" and known(volts[i])]
    found["v_running_v"] = float(pd.Series(running).median()) if running else None
    start = next(((a, b) for a, b in starts_of(rows) if a in inside), None)
    measured = None
    window: list[int] = []
    if start is not None:
        begin = us[start[0]]
        window = [i for i, t in enumerate(us) if begin - SECOND // 2 <= t <= begin + 2 * SECOND]
        said = [i for i in range(*start) if i in inside and known(rows[i].crank_min_v)]
        late = [i for i in said if us[i] >= begin + 2 * SECOND]
        if said:
            measured = rows[late[0] if late else said[-1]].crank_min_v
        found["start_us"] = begin
    sampled = [i for i in window if known(volts[i])]
    found["n"] = len(sampled)
    found["span_s"] = (us[sampled[-1]] - us[sampled[0]]) / SECOND if sampled else None
    rate = (len(sampled) - 1) / found["span_s"] if len(sampled) > 1 and found["span_s"] else None
    found["rate_hz"] = rate
    of = window if start is not None else piece
    found["share_missing"] = sum(not known(volts[i]) for i in of) / len(of)
    found["v_max_v"] = max((volts[i] for i in sampled), default=None)
    fast = rate is not None and rate >= 9.5 and found["span_s"] >= 2
    found["measured"] = measured
    found["low"] = min((volts[i] for i in sampled), default=None)
    found["dip_class"] = (
        ("measured" if measured is not None else (fast and "sampled" or "upper_bound"))
        if measured is not None or sampled
        else None
    )
    found["invalid_reason"] = dip_reason(found, mine, known_volts, start is not None, fast)
    return found


def dip_reason(
    found: dict[str, Any], mine: list[Any], volts: list[float], started: bool, fast: bool
) -> str | None:
    """The first reason that applies; `volts` are the known ones of the cycle."""
    moving = [r for r in mine if known(r.engine_speed_rpm) and known(r.speed) and r.speed >= 20]
    turning = [r for r in moving if r.engine_speed_rpm > 0]
    slow = [r for r in turning if r.engine_speed_rpm < 400]
    middle, measured, highest = found["v_running_v"], found["measured"], found["v_max_v"]
    runs = any(state_of(r) == "running" for r in mine)
    if not volts and not any(known(r.crank_min_v) for r in mine):
        return "no_voltage"
    if (middle is not None and not 6 <= middle <= 36) or (measured is not None and measured < 3):
        return "wrong_unit"
    if len(slow) >= 5 and len(slow) > len(turning) / 2:
        return "wrong_unit"
    if (middle is not None and middle > 18) or (measured is not None and measured > 18):
        return "not_12v"
    if len(volts) >= 10 and len(set(volts)) == 1 and runs:
        return "stuck"
    if not started:
        return "no_engine_start"
    if highest is not None and highest > 15:
        return "jump_start"
    if measured is not None:
        return None
    if found["n"] == 0:
        return "no_sample"
    return None if fast else "rate_too_low"


def crank_dip(telemetry: pd.DataFrame, arrivals: pd.DataFrame) -> list[dict[str, Any]]:
    telemetry = telemetry.assign(
        speed=telemetry["speed_kmh"].fillna(telemetry["obd_speed_kmh"]),
        us=micros(telemetry.event_time),
    ).sort_values(["us", "seq"])
    hours = pd.Series(micros(arrivals.hour), index=arrivals.index)
    out: list[dict[str, Any]] = []
    for vehicle, all_rows in telemetry.groupby("vehicle_ref"):
        cycles: list[dict[str, Any]] = []
        for boot, frame in all_rows.groupby(["boot_counter", "boot_random"]):
            rows = list(frame.itertuples())
            us = [row.us for row in rows]
            battery = any(known(row.low_voltage_battery_v) for row in rows)
            volts = [row.low_voltage_battery_v if battery else row.control_module_v for row in rows]
            source, pieces = cycles_of(rows)
            for counter, piece in pieces:
                states = {state_of(rows[i]) for i in piece}
                if source == "engine" and not states & {"cranking", "running"}:
                    continue
                if source == "ignition" and not any(
                    known(rows[i].is_ignition_on) and rows[i].is_ignition_on for i in piece
                ):
                    continue
                cycle = crank_cycle(rows, us, piece, volts)
                first, last = us[piece[0]], us[piece[-1]]
                here = (
                    (arrivals.vehicle_ref == vehicle)
                    & (arrivals.boot_counter == boot[0])
                    & (arrivals.boot_random == boot[1])
                    & (hours > first - 3600 * SECOND)
                    & (hours <= last)
                )
                source_of_v = "low_voltage_battery_v" if battery else "control_module_v"
                cycle.update(
                    vehicle_ref=vehicle,
                    boot_counter=boot[0],
                    boot_random=boot[1],
                    window_start=first,
                    window_end=last,
                    completeness=completeness(arrivals, here),
                    cycle_source=source,
                    ignition_cycle=counter,
                    v_source=(
                        "crank_min_v"
                        if cycle["measured"] is not None
                        else (source_of_v if any(known(volts[i]) for i in piece) else None)
                    ),
                )
                cycles.append(cycle)
        finish_dips(cycles)
        out += cycles
    return out


def finish_dips(cycles: list[dict[str, Any]]) -> None:
    """What one cycle of a vehicle owes to the others."""
    cycles.sort(key=lambda c: (c["window_start"], c["boot_counter"], c["boot_random"]))
    said: list[tuple[float, int]] = []
    for cycle in cycles:
        if cycle["measured"] is not None:
            said.append((cycle["measured"], cycle["window_start"]))
            last = said[-5:]
            repeated = (
                len(last) == 5
                and len({value for value, _ in last}) == 1
                and last[0][1] > cycle["window_start"] - 14 * DAY
            )
            if repeated and cycle["invalid_reason"] in (None, "jump_start"):
                cycle["invalid_reason"] = "stuck"
        wrong = cycle["invalid_reason"] == "wrong_unit"
        value = cycle["measured"] if cycle["measured"] is not None else cycle["low"]
        cycle["v_dip_v"] = None if wrong else value
        cycle["valid"] = cycle["invalid_reason"] is None
        cycle["is_weak"] = value < 9.6 if cycle["valid"] else None
    good = [c for c in cycles if c["valid"]]
    for cycle in cycles:
        same = [c for c in good if c["v_source"] == cycle["v_source"]]
        day = [c for c in same if c["start_us"] // DAY == cycle.get("start_us", -1) // DAY]
        if cycle["valid"] and day[-1] is cycle:
            back = [
                c for c in same if cycle["start_us"] - 14 * DAY < c["start_us"] <= cycle["start_us"]
            ]
            times = [c["start_us"] for c in back]
            cycle["n_14d"] = len(back)
            cycle["span_14d_d"] = (max(times) - min(times)) / DAY
            values = pd.Series([c["v_dip_v"] for c in back])
            cycle["dip_p05_14d_v"] = float(values.quantile(0.05)) if len(back) >= 5 else None
            enough = len(back) >= 5 and cycle["span_14d_d"] >= 3
            cycle["dip_slope_14d"] = (
                theil_sen(
                    [(c["start_us"] / WEEK, c["v_dip_v"] * 1e3) for c in back], 3600 * SECOND / WEEK
                )
                if enough
                else None
            )


# Fuel trim drift


def newest_known(boot: pd.DataFrame, column: str, age_s: int) -> list[Any]:
    """At each report of a boot (sorted by time) the newest known value, `age_s` old at most."""
    some = boot[["us", column]].dropna()
    if some.empty:
        return [math.nan] * len(boot)
    merged = pd.merge_asof(boot[["us"]], some, on="us", tolerance=age_s * SECOND)
    return list(merged[column])


CARRIED = {
    "rpm": ("engine_speed_rpm", 5),
    "speed": ("speed_now", 5),
    "load": ("engine_load_percent", 5),
    "lambda_now": ("commanded_lambda", 5),
    "long_b1": ("long_fuel_trim_b1_percent", 5),
    "long_b2": ("long_fuel_trim_b2_percent", 5),
    "short_b2": ("short_fuel_trim_b2_percent", 5),
    "coolant": ("coolant_temperature_c", 60),
    "run_time": ("run_time_s", 60),
}


def with_steps(boot: pd.DataFrame) -> pd.DataFrame:
    """What is known at each report, and what distance it adds by trip counter and by speed."""
    boot = boot.assign(**{name: newest_known(boot, *of) for name, of in CARRIED.items()})
    trips = boot.trip_distance_km.dropna()
    rise = trips.diff()
    rise = rise.where(rise >= 0, trips).where(trips.shift().notna(), 0)
    speeds = boot[["us", "speed_now"]].dropna()
    seconds = (speeds.us.shift(-1) - speeds.us) / SECOND
    seconds = seconds.where(seconds <= 30)
    return boot.assign(
        step_trip=rise,
        step_speed=speeds.speed_now * seconds / 3600,
        ft=boot.short_fuel_trim_b1_percent + boot.long_b1,
        ft_b2=boot.short_b2 + boot.long_b2,
    )


def trim_week(frame: pd.DataFrame) -> dict[str, Any]:
    running = frame[frame.rpm >= 400]
    loop = running[
        running.coolant.between(75, 130)
        & (running.run_time.isna() | (running.run_time >= 60))
        & (running.load.isna() | (running.load < 80))
        & (
            running.lambda_now.isna()
            | (running.lambda_now == 0)
            | running.lambda_now.between(0.97, 1.03)
        )
    ]
    trims = loop.dropna(subset=["ft"])
    idle = trims[(trims.rpm < 900) & (trims.speed == 0)].ft
    cruise = trims[(trims.rpm >= 900) & (trims.speed >= 40)].ft
    both = trims.dropna(subset=["ft_b2"])
    turning = frame[(frame.speed >= 20) & (frame.rpm > 0)]
    slow = turning[turning.rpm < 400]
    hottest = running.coolant.max()
    largest = max(
        (
            size
            for name in ("short", "long")
            if known(size := running[f"{name}_fuel_trim_b1_percent"].abs().max())
        ),
        default=0,
    )
    with_ft = running.ft.notna().sum()
    slow_most = len(slow) >= 5 and len(slow) > len(turning) / 2
    if slow_most or hottest > 130 or trims.ft.abs().median() > 50:
        reason = "wrong_unit"
    elif with_ft >= 30 and 0 < largest < 0.5:
        reason = "wrong_unit"
    elif running.empty:
        reason = "engine_not_running"
    elif with_ft == 0:
        reason = "no_trim"
    elif not known(hottest):
        reason = "no_coolant"
    elif hottest < 75:
        reason = "not_warm"
    elif len(trims) < 60:
        reason = "too_few_samples"
    elif trims.short_fuel_trim_b1_percent.nunique() == 1 or trims.rpm.nunique() == 1:
        reason = "stuck"
    elif len(idle) < 30 or len(cruise) < 30:
        reason = "too_few_bins"
    else:
        reason = None
    given = reason not in ("wrong_unit", "stuck")
    low = idle.mean() if len(idle) >= 30 else None
    high = cruise.mean() if len(cruise) >= 30 else None
    two = low is not None and high is not None
    return {
        "invalid_reason": reason,
        "valid": reason is None,
        "ft_percent": (low + high) / 2 if given and two else None,
        "ft_idle": low if given else None,
        "ft_cruise": high if given else None,
        "idle_minus_cruise": low - high if given and two else None,
        "ft_median": trims.ft.median() if given and len(trims) else None,
        "bank_difference": (both.ft - both.ft_b2).mean() if given and len(both) else None,
        "n": len(trims),
        "n_idle": len(idle),
        "n_cruise": len(cruise),
        "n_running": len(running),
        "span_s": (trims.us.max() - trims.us.min()) / SECOND if len(trims) else None,
        "share_missing": 1 - len(trims) / len(loop) if len(loop) else None,
        "share_warm": len(loop) / len(running) if len(running) else None,
    }


def distance_of(frame: pd.DataFrame) -> tuple[str | None, float | None]:
    """By source, of the reports of one vehicle in one week; `step_*` come from its boots."""
    if frame.odometer_km.notna().sum() > 1:
        return "odometer", frame.odometer_km.max() - frame.odometer_km.min()
    if frame.trip_distance_km.notna().any():
        return "trip", frame.step_trip.sum()
    if frame.step_speed.notna().any():
        return "speed", frame.step_speed.sum()
    return None, None


def fuel_trim_drift(telemetry: pd.DataFrame, arrivals: pd.DataFrame) -> list[dict[str, Any]]:
    table = telemetry.assign(
        us=micros(telemetry.event_time),
        speed_now=telemetry["speed_kmh"].fillna(telemetry["obd_speed_kmh"]),
    ).sort_values(["us", "seq"])
    days = pd.to_timedelta(table.event_time.dt.day_of_week, "D")
    table["week"] = micros((table.event_time - days).dt.floor("D"))
    boots = table.groupby(["vehicle_ref", "boot_counter", "boot_random"])
    table = pd.concat([with_steps(boot) for _, boot in boots])
    hours = pd.Series(micros(arrivals.hour), index=arrivals.index)
    out: list[dict[str, Any]] = []
    for vehicle, frame in table.groupby("vehicle_ref"):
        weeks: list[dict[str, Any]] = []
        driven: dict[str | None, float] = {}
        for week, rows in frame.groupby("week"):
            entry = trim_week(rows)
            source, km = distance_of(rows)
            driven[source] = driven.get(source, 0.0) + (km or 0.0)
            at = rows.odometer_km.max() if source == "odometer" else driven[source]
            here = (arrivals.vehicle_ref == vehicle) & (hours >= week) & (hours < week + WEEK)
            entry.update(
                vehicle_ref=vehicle,
                window_start=int(week),
                window_end=int(rows.us.max()),
                completeness=completeness(arrivals, here),
                distance_source=source,
                distance_km=km,
                at_km=at,
            )
            weeks.append(entry)
        for entry in weeks:
            if entry["valid"]:
                look_back(entry, [w for w in weeks if w["valid"]])
        out += weeks
    return out


def look_back(entry: dict[str, Any], valid: list[dict[str, Any]]) -> None:
    back = [w for w in valid if 0 <= entry["window_start"] - w["window_start"] < 8 * WEEK]
    entry["n_weeks"] = len(back)
    if len(back) >= 3:
        points = [(w["window_start"] / WEEK, w["ft_percent"]) for w in back]
        entry["drift_per_week"] = theil_sen(points, 0)
    same = [w for w in back if w["distance_source"] == entry["distance_source"]]
    places = [w["at_km"] for w in same]
    entry["span_km"] = max(places) - min(places)
    if len(same) >= 3 and entry["span_km"] >= 100:
        points = [(w["at_km"] / 1000, w["ft_percent"]) for w in same]
        entry["drift_per_1000_km"] = theil_sen(points, 0)


# Comparison


def differences(
    found: list[dict[str, Any]], expected: list[dict[str, Any]], columns: list[str], key: list[str]
) -> list[str]:
    """Every row and column in which the two differ; times are microseconds in both."""
    named = [{tuple(row[k] for k in key): row for row in rows} for rows in (found, expected)]
    words = [f"{k}: only in one of the two" for k in sorted(set(named[0]) ^ set(named[1]))]
    for name in sorted(set(named[0]) & set(named[1])):
        for column in columns:
            one, other = (rows[name].get(column) for rows in named)
            if not known(one) or not known(other):
                same = known(one) == known(other)
            elif isinstance(one, (str, bool)):
                same = one == other
            else:
                same = math.isclose(one, other, rel_tol=1e-5, abs_tol=2e-6)
            if not same:
                words.append(f"{name} {column}: {one!r}, expected {other!r}")
    return words
