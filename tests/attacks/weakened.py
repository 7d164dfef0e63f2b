#!/usr/bin/env python3
"""What two attackers with a road map find in lakes that tell more or less: why this one tells what
it tells. One lays the shape of a drive (speed, and octant or yaw rate) on the roads, the other
follows speed alone through the streets.

Without a door: the rows are those that a rule makes of the fleet. Prints a table; some minutes.

usage: tests/attacks/weakened.py [--cars N] [--only TEXT] [--crowd N]
"""

import argparse
import dataclasses

import numpy as np
from attacklib import campaign, door, drives, pathing, reckoning, s2, view

ALL_ROUND = tuple(np.arange(0, 360, 3.0))


def every(rows, seconds):
    """One report in so many seconds; the first and last of a drive stay."""
    kept = rows.t % seconds == 0
    kept[[0, -1]] = True
    return dataclasses.replace(rows, **{field.name: getattr(rows, field.name)[kept]
                                        for field in dataclasses.fields(rows)})


def in_steps(rows, kmh):
    told = np.round(rows.speed_mps * 3.6 / kmh) * kmh / 3.6
    return dataclasses.replace(rows, speed_mps=told)


def mean(rows, seconds):
    """The mean speed of so many seconds in each row."""
    part = rows.t // seconds - rows.t[0] // seconds
    sums, counts = np.bincount(part, rows.speed_mps), np.bincount(part)
    return dataclasses.replace(rows, speed_mps=(sums / np.maximum(counts, 1))[part])


def coarse(rows):
    return dataclasses.replace(rows, cell=s2.parent(rows.cell, s2.COARSE))


SHAPE, SPEED = "shape", "speed"
# what is told -> (attacker, how the rows of old change, the attacker's options)
VARIANTS = {
    "all: level 12, octant, yaw rate": (SHAPE, lambda r: r, {}),
    "no octant": (SHAPE, lambda r: r, {"use_octant": False, "turns_deg": ALL_ROUND}),
    "no yaw rate": (SHAPE, lambda r: r, {"use_yaw": False}),
    "all, rows 10 s apart": (SHAPE, lambda r: every(r, 10), {"use_yaw": False}),
    "all, rows 60 s apart": (SHAPE, lambda r: every(r, 60), {"use_yaw": False}),
    "all, level 9": (SHAPE, coarse, {"step_m": 100.0, "turns_deg": (-3.0, 0.0, 3.0)}),
    "level 12, speed": (SPEED, lambda r: r, {}),
    "level 12, speed in steps of 5 km/h": (SPEED, lambda r: in_steps(r, 5), {}),
    "level 12, speed in steps of 20 km/h": (SPEED, lambda r: in_steps(r, 20), {"told_mps": 3.0}),
    "level 12, mean speed of 10 s": (SPEED, lambda r: mean(r, 10), {"told_mps": 3.0}),
    "level 12, mean speed of 60 s": (SPEED, lambda r: mean(r, 60), {"told_mps": 5.0}),
    "level 9, speed": (SPEED, coarse, {}),
}


def places(drive, kind, how, streets, rasters, seed, crowd):
    """{row: place} by one attacker, or None."""
    if kind == SPEED:
        return pathing.follow(drive, streets, seed, crowd, campaign.EVERY_S, **how)
    use = {name: how[name] for name in ("use_octant", "use_yaw") if name in how}
    options = {name: value for name, value in how.items() if name not in use}
    heading = reckoning.headings(drive, **use)
    found = reckoning.lay_on_roads(drive, reckoning.shape(drive, heading), heading, rasters,
                                   **options)
    if found is None:
        return None
    kept = np.flatnonzero((drive.t - drive.t[0]) % campaign.EVERY_S == 0)
    return {int(k): found[k] for k in (*kept, len(found) - 1)}


def errors(fleet, streets, rasters, variant, crowd):
    kind, change, how = VARIANTS[variant]
    on_the_way, at_the_end = [], []
    for car in fleet.cars:
        rows = view.rows_before(door.reports_of(car))
        for truth, drive in zip(car.drives, rows.drives(), strict=True):
            drive = change(drive)
            found = places(drive, kind, how, streets, rasters, car.number, crowd)
            if found is None:
                continue
            at = np.array(sorted(found))
            off = np.linalg.norm(np.array([found[k] for k in at])
                                 - truth.place[drive.t[at] - truth.t[0]], axis=1)
            on_the_way.append(off)
            at_the_end.append(off[-1])
    return np.concatenate(on_the_way), np.array(at_the_end)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cars", type=int, default=6)
    parser.add_argument("--only", default="", help="variants with this text in their name")
    parser.add_argument("--crowd", type=int, default=20_000, help="of who follows speed")
    options = parser.parse_args()
    fleet = drives.Fleet(7, options.cars, 1)
    streets, rasters = pathing.Streets.of(fleet.net), campaign.rasters(fleet.net)
    print(f"{'told':<40}{'median':>8}{'p10':>8}{'parks':>8}{'<564 m':>8}{'drives':>8}")
    for name, (kind, *_) in VARIANTS.items():
        if options.only in name:
            way, end = errors(fleet, streets, rasters, name, options.crowd)
            print(f"{name:<40}{np.median(way):8.0f}{np.percentile(way, 10):8.0f}"
                  f"{np.median(end):8.0f}{(way < 564).mean():8.0%}{len(end):8}  {kind}", flush=True)


if __name__ == "__main__":
    main()
