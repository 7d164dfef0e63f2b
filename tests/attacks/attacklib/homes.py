"""Home and work: where a vehicle is at night and at noon, and where its drives end."""

import collections

import numpy as np

from attacklib import reckoning, s2
from attacklib.drives import DAY_S

NIGHT_H, NOON_H = (21, 29), (11, 13)  # 29: five in the morning


def parked_cell(rows, hours):
    """The cell in which a vehicle is parked most often between these hours."""
    hour = rows.t % DAY_S / 3600
    hour = np.where(hour < hours[1] - 24, hour + 24, hour)
    cells = rows.cell[rows.parked() & (hour >= hours[0]) & (hour < hours[1])]
    different, counts = np.unique(cells[cells != 0], return_counts=True)
    return different[counts.argmax()] if len(different) else None


def anonymity_sets(pairs):
    """For each vehicle, how many share its pair (itself too)."""
    counts = collections.Counter(pairs)
    return np.array([counts[pair] for pair in pairs])


class Ends:
    """All drives of one vehicle toward one place: what each says of where it ended."""

    def __init__(self, rows, homeward):
        self.drives = []  # (drive, rows of sightings, line from its last row)
        for drive in rows.drives():
            evening = drive.t[-1] % DAY_S > DAY_S / 2  # drives begin in the morning or evening
            seen = drive.sightings()
            if evening != homeward or not len(seen):
                continue
            line = reckoning.shape(drive, reckoning.headings(drive))
            self.drives.append((drive, seen, line - line[-1]))

    def nearest_cell(self):
        """The held cell that was taken the shortest way before a drive ended."""
        best = None
        for drive, seen, _ in self.drives:
            left = drive.speed_mps[seen[-1]:].sum()
            if best is None or left < best[0]:
                best = (left, drive.cell[seen[-1]])
        return None if best is None else best[1]

    def intersect(self, step_m=60.0):
        """The middle of where most sightings of all days, each shifted by the way that was left,
        agree that the drives end."""
        if not self.drives:
            return None
        drive, seen, line = min(self.drives, key=lambda d: d[0].speed_mps[d[1][-1]:].sum())
        places = s2.points_in(drive.cell[seen[-1]], step_m) - line[seen[-1]]
        hits = np.zeros(len(places))
        for drive, seen, line in self.drives:
            for k in seen:
                left = drive.speed_mps[k:].sum()
                weight = 1 / (1 + left / 3000)  # a long way has drifted
                hits += weight * (s2.cell_of(places + line[k]) == drive.cell[k])
        return places[hits >= hits.max() - 1e-9].mean(axis=0)
