"""All attacks on one fleet, and their errors in metres against the truth.

Attackers are given rows (view.Rows) and, where they have a map, the road net; the truth serves to
score them alone.
"""

import dataclasses

import numpy as np

from attacklib import boundary, homes, pathing, reckoning, s2
from attacklib.roads import RoadRaster

EVERY_S = 60


@dataclasses.dataclass
class Outcome:
    needs: str
    errors: np.ndarray
    baseline: np.ndarray  # saying the centre of the cell that the row in question carries

    def row(self):
        """Median and 10th percentile of the attack, median of the baseline, how many guesses."""
        return (float(np.median(self.errors)), float(np.percentile(self.errors, 10)),
                float(np.median(self.baseline)), len(self.errors))


def _off(guess, truth):
    return np.linalg.norm(np.asarray(guess) - truth, axis=-1)


class _Book(dict):
    """Outcomes by name, filled piece by piece."""

    def add(self, name, needs, errors, baseline):
        lists = self.setdefault(name, (needs, [], []))
        lists[1].append(np.atleast_1d(errors))
        lists[2].append(np.atleast_1d(baseline))

    def close(self):
        return {name: Outcome(needs, np.concatenate(errors), np.concatenate(baseline))
                for name, (needs, errors, baseline) in self.items()}


def on_boundaries(net, cars):
    """`cars`: (Car, its rows in the lake, its rows in the stream `safety` or None)."""
    book, gates = _Book(), boundary.Gates(net)
    for car, lake, stream in cars:
        truth_t = np.concatenate([drive.t for drive in car.drives])
        truth = np.concatenate([drive.place for drive in car.drives])
        for rows, kind in ((lake, "lake"), (stream, "safety")):
            if rows is None:
                continue
            at = boundary.changes(rows)
            if not len(at):
                continue
            # Parked, it is where the last drive ended.
            places = truth[np.searchsorted(truth_t, rows.t[at], side="right") - 1]
            told = _off(s2.centres(rows.cell[at]), places)
            book.add(f"crossing, {kind}", kind, _off(boundary.guess_middles(rows, at), places),
                     told)
            book.add(f"crossing, {kind}, map", f"{kind}, map", _off(gates.guess(rows, at), places),
                     told)
    return book.close()


def on_drives(cars, streets, drives_each, crowd):
    """What speed (lake) and the whole motion (stream) say of the first `drives_each` drives."""
    book = _Book()
    for car, lake, stream in cars:
        for number, drive in enumerate(list(lake.drives())[:drives_each]):
            truth = car.drives[number].place
            told = _off(s2.centres(drive.cell), truth)
            found = pathing.follow(drive, streets, car.number, crowd, EVERY_S)
            if found is None:
                continue
            at = np.array(sorted(found))
            error = _off([found[k] for k in at], truth[at])
            book.add("pathing, lake, map", "lake, map", error, told[at])
            book.add("pathing, lake, map: where it parks", "lake, map", error[-1], told[-1])
        for number, drive in enumerate(list(stream.drives())[:drives_each] if stream else ()):
            truth = car.drives[number].place
            line = reckoning.shape(drive, reckoning.headings(drive))
            error = _off(reckoning.lay_by_crossings(drive, line), truth)
            told = _off(s2.centres(drive.cell), truth)
            book.add("reckoning, safety", "safety", error[::EVERY_S], told[::EVERY_S])
    return book.close()


def on_homes(cars, streets):
    """(outcomes, anonymity sets by what is taken for home and work)."""
    book, pairs = _Book(), {"parked cells": [], "nearest cells": []}
    for car, lake, _ in cars:
        parked = [homes.parked_cell(lake, hours) for hours in (homes.NIGHT_H, homes.NOON_H)]
        pairs["parked cells"].append(tuple(parked))
        told = _off(s2.centre(parked[0]), car.home)
        book.add("home, night cell", "lake", told, told)
        home, work = homes.Ends(lake, True), homes.Ends(lake, False)
        nearest = (home.nearest_cell(), work.nearest_cell())
        pairs["nearest cells"].append(nearest)
        if nearest[0] is not None:
            book.add("home, nearest held cell", "lake", _off(s2.centre(nearest[0]), car.home), told)
            book.add("home, days intersected", "lake, map", _off(home.intersect(streets), car.home),
                     told)
    return book.close(), {name: homes.anonymity_sets(found) for name, found in pairs.items()}


def rasters(net):
    return RoadRaster(net, 60), RoadRaster(net, 20)


def run(net, cars, matched, drives_each, crowd):
    """Every attack; those that follow drives on the first `matched` cars, with a crowd so large."""
    streets = pathing.Streets.of(net)
    outcomes = on_boundaries(net, cars)
    outcomes |= on_drives(cars[:matched], streets, drives_each, crowd)
    more, sets = on_homes(cars, streets)
    return outcomes | more, sets


def table(outcomes, one_cell):
    """Lines of a table for people."""
    lines = [f"one cell: edge {one_cell['edge']:.0f} m, radius {one_cell['radius']:.0f} m, "
             f"told the cell and saying its centre {one_cell['centre']:.0f} m; law 564 m",
             f"{'attack':<42}{'median':>8}{'p10':>8}{'centre':>8}{'n':>7}"]
    for name, outcome in outcomes.items():
        median, low, told, count = outcome.row()
        lines.append(f"{name:<42}{median:8.0f}{low:8.0f}{told:8.0f}{count:7}")
    return lines
