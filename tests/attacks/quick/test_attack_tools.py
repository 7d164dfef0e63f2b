"""The attackers' tools, and the attacks on a small fleet without a door: that they have teeth."""

import dataclasses

import numpy as np
import pytest
import segments
from attacklib import campaign, door, drives, lines, s2, view

SEED, CARS, DAYS, MATCHED = 7, 8, 2, 2


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
        cars.append((car, view.held_cells(told), view.open_cells(told)))
    outcomes, _ = campaign.run(fleet.net, cars, MATCHED, 2)
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


def test_the_held_rule_in_words_gives_one_cell_a_quarter_and_a_coarse_one_around_ignition(fleet):
    rows = view.held_cells(door.reports_of(fleet.cars[0]))
    levels = s2.level_of(rows.cell)
    assert set(levels[~rows.is_on]) == {s2.COARSE}
    for drive in rows.drives():
        assert set(s2.level_of(drive.cell[drive.t <= drive.t[0] + 600])) == {s2.COARSE}
    fine = levels == s2.FINE
    quarters = rows.t[fine] // view.QUARTER_S
    assert all(len(np.unique(rows.cell[fine][quarters == q])) == 1 for q in np.unique(quarters))


@pytest.mark.parametrize("name", sorted(lines.QUICK))
def test_no_attack_comes_nearer_than_its_line(attacked, one_cell, name):
    lines.judge(name, lines.QUICK[name], attacked[name], one_cell)


def test_every_attack_has_its_line(attacked):
    assert set(attacked) == set(lines.QUICK)


def test_a_lake_that_holds_no_cell_gives_the_crossings_away(fleet, attacked):
    """The control: what the held cell is for."""
    cars = []
    for car in fleet.cars:
        told = door.reports_of(car)
        cars.append((car, view.open_cells(told), None))
    unheld = campaign.on_boundaries(fleet.net, cars)["crossing, lake"].row()[0]
    assert unheld < 0.5 * attacked["crossing, lake"].row()[0]


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
