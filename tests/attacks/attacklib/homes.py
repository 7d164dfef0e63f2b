"""Home and work: where a vehicle is at night and at noon, and where its drives end."""

import collections

import numpy as np

from attacklib import s2
from attacklib.drives import DAY_S

ROUND_ABOUT = 1.6  # nobody drives farther for a straight metre
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
    """All drives of one vehicle between two places, seen from one of them: what each says of where
    it ended, or began."""

    def __init__(self, rows, home):
        self.sightings = []  # (cell, metres driven between it and the place)
        for drive in rows.drives():
            homeward = drive.t[-1] % DAY_S > DAY_S / 2  # drives begin in the morning or evening
            way = np.cumsum(drive.speed_mps)
            for k in drive.sightings():
                left = way[-1] - way[k] if homeward == home else way[k]
                self.sightings.append((drive.cell[k], left))

    def nearest_cell(self):
        """The held cell that was taken the shortest way off."""
        return min(self.sightings, key=lambda s: s[1])[0] if self.sightings else None

    def intersect(self, streets):
        """The middle of the crossings from which most sightings of all days could be as far as was
        driven: not farther than that in a straight line, nor so near that nobody drives such
        a way round."""
        if not self.sightings:
            return None
        hits = np.zeros(len(streets.nodes))
        for cell, left in self.sightings:
            inside = s2.points_in(cell, 1200.0)
            off = np.linalg.norm(streets.nodes[:, None] - inside[None], axis=2)
            near, far = off.min(axis=1), off.max(axis=1)
            hits += (near <= left * 1.02 + 600) & (far * ROUND_ABOUT >= left)
        return streets.nodes[hits >= hits.max() - 1e-9].mean(axis=0)
