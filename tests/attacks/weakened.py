#!/usr/bin/env python3
"""What dead reckoning with a map would still find if the lake told less: what would help.

Without a door: the rows are those that the rule makes of the fleet, and full/ proves that the lake
holds the same. Prints a table; some minutes, for without the octant every direction is tried.

usage: tests/attacks/weakened.py [--cars N] [--only TEXT]
"""

import argparse
import dataclasses

import numpy as np
from attacklib import campaign, door, drives, reckoning, s2, view

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


def coarse(rows):
    return dataclasses.replace(rows, cell=s2.parent(rows.cell, s2.COARSE))


# what is told less -> (how the rows change, how headings are made, options of lay_on_roads)
VARIANTS = {
    "as it is": (lambda r: r, {}, {}),
    "no heading octant": (lambda r: r, {"use_octant": False}, {"turns_deg": ALL_ROUND}),
    "no yaw rate (nor lateral, steering)": (lambda r: r, {"use_yaw": False}, {}),
    "speed in steps of 5 km/h": (lambda r: in_steps(r, 5), {}, {}),
    "speed in steps of 20 km/h": (lambda r: in_steps(r, 20), {}, {}),
    "a report in 10 s": (lambda r: every(r, 10), {"use_yaw": False}, {}),
    "a report in 60 s": (lambda r: every(r, 60), {"use_yaw": False}, {}),
    "level 9 cells only": (coarse, {}, {"step_m": 100.0, "turns_deg": (-3.0, 0.0, 3.0)}),
}


def errors(fleet, rasters, variant):
    change, how, options = VARIANTS[variant]
    on_the_way, at_the_end = [], []
    for car in fleet.cars:
        rows = view.held_cells(door.reports_of(car))
        for truth, drive in zip(car.drives, rows.drives(), strict=True):
            drive = change(drive)
            heading = reckoning.headings(drive, **how)
            found = reckoning.lay_on_roads(drive, reckoning.shape(drive, heading), heading,
                                           rasters, **options)
            if found is not None:
                off = np.linalg.norm(found - truth.place[drive.t - truth.t[0]], axis=1)
                on_the_way.append(off[drive.t % campaign.EVERY_S == 0])
                at_the_end.append(off[-1])
    return np.concatenate(on_the_way), np.array(at_the_end)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cars", type=int, default=8)
    parser.add_argument("--only", default="", help="variants with this text in their name")
    options = parser.parse_args()
    fleet = drives.Fleet(7, options.cars, 1)
    rasters = campaign.rasters(fleet.net)
    print(f"{'told less':<40}{'median':>8}{'p10':>8}{'parks':>8}{'drives':>8}")
    for name in VARIANTS:
        if options.only in name:
            way, end = errors(fleet, rasters, name)
            print(f"{name:<40}{np.median(way):8.0f}{np.percentile(way, 10):8.0f}"
                  f"{np.median(end):8.0f}{len(end):8}", flush=True)


if __name__ == "__main__":
    main()
