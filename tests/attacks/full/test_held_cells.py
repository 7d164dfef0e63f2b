"""The attacks on the held cells, through the real door and the real lake: docs/attacks.md.

A fleet whose places are known drives for days (of event time), the reader gives what an analyst
sees, and each attack's median error has to stay between its lines.
"""

import collections
import concurrent.futures
import dataclasses
import time

import accounts
import numpy as np
import pytest
from attacklib import campaign, door, drives, lines, s2, view
from telltale import Installation
from test_gateway import Car, Keys
from waiting import wait_for

SEED, CARS, DAYS = 7, 50, 4
MATCHED_CARS, DRIVES_EACH, CROWD = 8, 2, 50_000
STREAM_CARS = 16
IN_FLIGHT_MAX = 7  # and one more: what the vehicle protocol allows
DAY_US = drives.DAY_S * 1_000_000


def midnight_us():
    """The fleet's first midnight: all of its days are past, and within the horizon."""
    return (int(time.time() * 1e6) // DAY_US - DAYS - 1) * DAY_US


def send(installation, folder, fleet, midnight):
    """All cars at the door, four at a time; returns the reports acknowledged."""
    keys = Keys(installation, folder)
    pairs = {car.number: keys.issue(car.vin) for car in fleet.cars}
    port = installation.mqtt_port

    def one(car):
        payloads = door.batches(car, midnight)
        client = Car(keys, pairs[car.number], port, f"car-{car.number}")
        try:
            for number, payload in enumerate(payloads, 1):
                client.publish(payload)
                client.wait_acks(number - IN_FLIGHT_MAX)
            client.wait_acks(len(payloads))
        finally:
            client.leave()
        return len(door.reports_of(car)["t"])

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        return sum(pool.map(one, fleet.cars))


def wait_until_in(installation, rows):
    from telltale_lake.reader import status

    def is_in():
        found = status(installation.dir)
        return found["tables"]["telemetry"]["rows"] >= rows and not found["pending_handoffs"]

    wait_for(f"{rows} rows in the table", is_in, 120, poll_s=0.3)


@dataclasses.dataclass
class Seen:
    fleet: drives.Fleet
    lake: dict    # car number -> Rows
    stream: dict  # car number -> Rows, of the first STREAM_CARS
    rows: int
    columns: list  # of telemetry


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """The fleet, and what can be seen of it from the analyst's side of the door."""
    fleet = drives.Fleet(SEED, CARS, DAYS)
    midnight = midnight_us()
    installation = Installation().init(lake__cadence_s=1)
    try:
        installation.start()
        rows = send(installation, tmp_path_factory.mktemp("cars"), fleet, midnight)
        wait_until_in(installation, rows)
        # Which row is whose: the test's knowledge, not the attacker's.
        numbers = {car.vin: car.number for car in fleet.cars}
        refs = {ref: numbers[vin] for vin, ref in accounts.references(installation).items()}
        lake = view.of_lake(installation.dir, midnight)
        columns = view.columns_of_lake(installation.dir)
        stream = view.of_stream(installation.data / "log",
                                [ref for ref, number in refs.items() if number < STREAM_CARS],
                                midnight)
        installation.stop()
    finally:
        installation.end_everything()
        installation.remove()
    return Seen(fleet, {refs[ref]: found for ref, found in lake.items()},
                {refs[ref]: found for ref, found in stream.items()}, rows, columns)


@pytest.fixture(scope="module")
def attacked(seen):
    """(outcomes, anonymity sets, what one cell is)."""
    cars = [(car, seen.lake[car.number], seen.stream.get(car.number)) for car in seen.fleet.cars]
    outcomes, sets = campaign.run(seen.fleet.net, cars, MATCHED_CARS, DRIVES_EACH, CROWD)
    one_cell = s2.one_cell(np.array([car.home for car in seen.fleet.cars]))
    print("\n".join(campaign.table(outcomes, one_cell)))
    for name, found in sets.items():
        print(f"vehicles by how many share their home and work, {name}: "
              f"{dict(sorted(collections.Counter(found.tolist()).items()))}")
    return outcomes, sets, one_cell


def test_every_cell_of_the_lake_is_held_as_the_rule_says(seen):
    assert sum(len(rows.t) for rows in seen.lake.values()) == seen.rows
    for car in seen.fleet.cars:
        expected = view.lake_rows(door.reports_of(car))
        assert np.array_equal(seen.lake[car.number].t, expected.t)
        assert np.array_equal(seen.lake[car.number].cell, expected.cell), car.number


def test_the_stream_carries_the_cell_and_octant_of_each_report(seen):
    assert len(seen.stream) == STREAM_CARS
    for number, rows in seen.stream.items():
        expected = view.open_cells(door.reports_of(seen.fleet.cars[number]))
        assert np.array_equal(rows.cell, expected.cell), number
        assert np.array_equal(rows.octant, expected.octant), number


def test_the_lake_has_no_column_that_tells_turns(seen):
    told = {"speed_kmh", "cell", "vehicle_class", "acceleration_longitudinal_mps2"}
    assert told <= set(seen.columns)
    assert not {"heading_octant", "yaw_rate_dps", "acceleration_lateral_mps2", "roll_rate_dps",
                "steering_wheel_angle_deg"} & set(seen.columns)


@pytest.mark.parametrize("name", sorted(lines.FULL))
def test_no_attack_comes_nearer_than_its_line(attacked, name):
    outcomes, _, one_cell = attacked
    lines.judge(name, lines.FULL[name], outcomes[name], one_cell)


def test_every_attack_has_its_line(attacked):
    assert set(attacked[0]) == set(lines.FULL)


def test_the_parked_cells_leave_a_vehicle_among_others(attacked):
    _, sets, _ = attacked
    assert np.median(sets["parked cells"]) >= lines.PARKED_SET_MIN
