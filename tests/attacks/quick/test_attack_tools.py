"""The attackers' tools, and the attacks on a small fleet without a door: that they have teeth."""

import dataclasses

import numpy as np
import pytest
import segments
from attacklib import campaign, door, drives, lines, pathing, reckoning, s2, view

SEED, CARS, DAYS, MATCHED, CROWD = 7, 8, 2, 2, 12_000


@pytest.fixture(scope="module")
def fleet():
    return drives.Fleet(SEED, CARS, DAYS)


@pytest.fixture(scope="module")
def one_cell(fleet):
    return s2.one_cell(np.array([car.home for car in fleet.cars]))


@pytest.fixture(scope="module")
def attacked(fleet, one_cell):
    cars = []
    for car in fleet.cars:
        told = door.reports_of(car)
        cars.append((car, view.lake_rows(told), view.open_cells(told)))
    outcomes, _ = campaign.run(fleet.net, cars, MATCHED, 1, CROWD)
    print("\n".join(campaign.table(outcomes, one_cell)))
    return outcomes


def test_cells_nest_and_hold_their_own_places():
    places = np.random.default_rng(1).uniform(-12_000, 12_000, (500, 2))
    fine = s2.cell_of(places)
    assert set(s2.level_of(fine)) == {s2.FINE}
    assert np.array_equal(s2.parent(fine, s2.COARSE), s2.cell_of(places, s2.COARSE))
    for cell in np.unique(fine)[:20]:
        assert s2.cell_of(s2.centre(cell))[0] == cell
        inside = s2.points_in(cell, 100.0)
        assert abs(len(inside) * 100.0**2 / s2.area_m2(cell) - 1) < 0.05


def test_a_batch_on_the_wire_has_the_reports_fields_by_number(fleet):
    payloads = door.batches(fleet.cars[0], 1_700_000_000_000_000)
    for payload in (payloads[0], payloads[1]):
        assert set(segments.wire_fields(payload)) == {1, 2, 3, 10}
        first = payload.index(b"\x52")
        report = payload[first + 2:first + 2 + payload[first + 1]]
        assert list(segments.wire_fields(report)) == [1, 2, 10, 12, 14, 130, 160, 161, 163]


def test_the_held_rule_in_words_gives_one_coarse_cell_a_quarter_hour_and_no_turn(fleet):
    rows = view.lake_rows(door.reports_of(fleet.cars[0]))
    assert set(s2.level_of(rows.cell)) == {s2.COARSE}
    quarters = rows.t // view.QUARTER_S
    assert all(len(np.unique(rows.cell[quarters == q])) == 1 for q in np.unique(quarters))
    assert set(rows.octant) == {-1} and np.isnan(rows.yaw_dps).all()


@pytest.mark.parametrize("name", sorted(lines.QUICK))
def test_no_attack_comes_nearer_than_its_line(attacked, one_cell, name):
    lines.judge(name, lines.QUICK[name], attacked[name], one_cell)


def test_every_attack_has_its_line(attacked):
    assert set(attacked) == set(lines.QUICK)


def test_a_lake_with_fine_cells_beside_speed_gives_streets_away(fleet):
    """The control: what the coarse cell is for. The same attacker, the lake as it was once."""
    streets = pathing.Streets.of(fleet.net)
    nearest = []
    for car in fleet.cars[:2]:
        drive = next(iter(view.rows_before(door.reports_of(car)).drives()))
        found = pathing.follow(drive, streets, car.number, 20_000)
        nearest += [np.linalg.norm(found[k] - car.drives[0].place[k]) for k in found]
    assert np.median(nearest) < 200


def test_a_lake_that_told_turns_gave_the_way_on_a_map_away(fleet):
    """The control: what withholding yaw rate and octant is for."""
    drive = next(iter(view.rows_before(door.reports_of(fleet.cars[0])).drives()))
    heading = reckoning.headings(drive)
    found = reckoning.lay_on_roads(drive, reckoning.shape(drive, heading), heading,
                                   campaign.rasters(fleet.net))
    off = np.linalg.norm(found - fleet.cars[0].drives[0].place, axis=1)
    assert np.median(off) < 100


def test_a_line_fails_on_both_sides():
    promise = {"centre": 850.0}
    found = campaign.Outcome("lake", np.full(9, 100.0), np.full(9, 4000.0))
    lines.judge("an attack", lines.Line(100.0), found, promise)
    with pytest.raises(AssertionError, match="under one cell"):
        lines.judge("an attack", lines.KEPT, found, promise)
    for errors in (np.full(9, 40.0), np.full(9, 4000.0)):
        with pytest.raises(AssertionError, match="lines.py|better than before"):
            lines.judge("an attack", lines.Line(100.0), dataclasses.replace(found, errors=errors),
                        promise)
    lines.judge("an attack", lines.KEPT, dataclasses.replace(found, errors=np.full(9, 900.0)),
                promise)
    lucky = np.concatenate([np.full(2, 100.0), np.full(8, 900.0)])
    with pytest.raises(AssertionError, match="law's line"):
        lines.judge("an attack", lines.KEPT, dataclasses.replace(found, errors=lucky), promise)
