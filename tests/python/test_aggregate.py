"""What is told by cell is told of k vehicles or more, and so is each difference of it."""

from __future__ import annotations

import itertools
import random

import duckdb
import pytest

from telltale_lake import aggregate
from telltale_lake.aggregate import AggregateError, Measure, check, grouped, publish, told_of
from telltale_lake.features import FeatureError, parse
from test_features import HOURLY

HOURS = [f"2026-03-0{day}T{hour:02d}:00Z" for day in (1, 2) for hour in range(4)]


def fleet(seed: int) -> list[tuple[str, int, str, float]]:
    """Vehicles with habits: most keep to a few cells and hours, some cells are nearly empty."""
    dice = random.Random(seed)
    cells = list(range(dice.randint(1, 6)))
    rows = []
    for vehicle in range(dice.randint(5, 80)):
        for _ in range(dice.randint(1, 6)):
            cell = min(int(dice.expovariate(0.8)), len(cells) - 1)
            rows.append((f"v{vehicle}", cell, dice.choice(HOURS), dice.uniform(0, 100)))
    return rows


def at(rows, length: int):
    """The same contributions by hour, day or in all: what --by makes of them."""
    return [(vehicle, cell, period[:length], value) for vehicle, cell, period, value in rows]


@pytest.mark.parametrize("k", [5, 10])
def test_no_difference_of_two_queries_isolates_fewer_than_k_vehicles(k) -> None:
    told_at_all = 0
    for seed in range(300):
        rows = fleet(seed)
        queries = {}
        for length in (0, 10, 20):
            groups = grouped(at(rows, length))
            queries[length] = groups, told_of(groups, k)
        for groups, told in queries.values():
            told_at_all += len(told)
            assert all(len(groups[key]) >= k for key in told), seed
        for coarse, fine in itertools.combinations(queries, 2):
            groups, told = queries[coarse]
            parts, told_parts = queries[fine]
            for cell, period in told:
                hidden = [key for key in parts if key[0] == cell and key[1].startswith(period)
                          and key not in told_parts]
                left = set().union(*(parts[key] for key in hidden))
                assert not left or len(left) >= k, (seed, cell, period)
        # Against the number of all vehicles in a period, which operations may know.
        for groups, told in queries.values():
            for period in {key[1] for key in groups}:
                line = [key for key in groups if key[1] == period]
                left = set().union(*(groups[key] for key in line if key not in told))
                assert not left or len(left) >= k or not set(line) & told, (seed, period)
    assert told_at_all > 1000  # hiding all would be safe, too


def test_a_row_with_one_vehicle_too_few_is_hidden_and_takes_a_neighbour_along() -> None:
    rows = [(f"a{n}", 1, "", 1.0) for n in range(12)]
    rows += [(f"b{n}", 2, "", 1.0) for n in range(30)]
    assert [row["cell"] for row in publish(rows)] == [1, 2]
    rows += [(f"c{n}", 3, "", 1.0) for n in range(9)]
    assert [row["cell"] for row in publish(rows)] == [2]  # 3, and 1 lest a total tell 3
    rows += [("c9", 3, "", 1.0)]
    assert [row["cell"] for row in publish(rows)] == [1, 2, 3]


def test_one_vehicle_counts_once_however_much_it_sends() -> None:
    rows = [(f"v{n}", 1, "", 0.0) for n in range(9)] + [("loud", 1, "", 100.0)] * 500
    (row,) = publish(rows)
    assert row == {"cell": 1, "period": "", "vehicles": 10, "mean": 10.0}


def test_contributions_are_one_a_vehicle_cell_and_hour_within_the_bounds() -> None:
    db = duckdb.connect()
    db.execute("SET TimeZone = 'UTC'")
    db.execute("""CREATE TABLE telemetry AS SELECT * FROM (VALUES
        ('a', 1, TIMESTAMPTZ '2026-03-01 07:10:00+00', 50.0),
        ('a', 1, TIMESTAMPTZ '2026-03-01 07:50:00+00', 9000.0),
        ('a', 1, TIMESTAMPTZ '2026-03-01 08:00:00+00', 10.0),
        ('b', 1, TIMESTAMPTZ '2026-03-01 07:00:00+00', NULL),
        ('b', NULL, TIMESTAMPTZ '2026-03-01 07:00:00+00', 5.0)
        ) AS t(vehicle_ref, cell, event_time, speed_kmh)""")
    found = aggregate.contributions(db, Measure("speed_kmh", 0, 150)).to_pylist()
    assert [(r["vehicle_ref"], r["hour"].hour, r["value"]) for r in found] == [
        ("a", 7, 100.0), ("a", 8, 10.0)]
    assert len(aggregate.contributions(db, None)) == 3


@pytest.mark.parametrize("measure, period, k, message", [
    (None, None, 4, "under 5"),
    (None, "minute", 10, "no period"),
    (Measure("vehicle_ref", 0, 1), None, 10, "no column vehicle_ref"),
    (Measure("speed_kmh) --", 0, 1), None, 10, "no column"),
    (Measure("speed_kmh", 1, 1), None, 10, "bound"),
    (Measure("speed_kmh", 0, float("inf")), None, 10, "finite"),
])
def test_what_would_undo_it_is_refused(measure, period, k, message) -> None:
    with pytest.raises(AggregateError, match=message):
        check({"speed_kmh", "vehicle_ref", "cell"}, measure, period, k)


def test_a_feature_cannot_read_the_cell() -> None:
    text = HOURLY.replace("speed_kmh double, not", "speed_kmh double, cell long, not")
    with pytest.raises(FeatureError, match="aggregate"):
        parse(text, "hourly")
