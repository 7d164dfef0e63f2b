"""Dead reckoning: the shape of a drive from speed, yaw rate and octant, laid where the cells, and
if the attacker has a map the roads, allow it."""

import numpy as np

from attacklib import s2

OCTANT = np.pi / 4
POINT_EVERY_M = 120.0
TURNS_DEG = (-4.0, -2.0, 0.0, 2.0, 4.0)
SCALES = (0.98, 0.99, 1.0, 1.01, 1.02)
PIECE_M = 800.0


def seconds(drive):
    """Since the row before."""
    return np.diff(drive.t, prepend=drive.t[:1])


def headings(drive, use_yaw=True, use_octant=True):
    """Heading in radians from north, clockwise, of each row. Without the octant the first heading
    is unknown: 0. Without the yaw rate a heading is its octant's middle."""
    if not use_yaw:
        return drive.octant * OCTANT
    still = drive.speed_mps < 0.1
    # A car that stands does not turn: what the sensor tells then is its error.
    bias = np.median(drive.yaw_dps[still]) if still.sum() >= 5 else 0.0
    heading = np.cumsum(-np.radians(drive.yaw_dps - bias) * seconds(drive) * ~still)
    if not use_octant:
        return heading
    starts = np.radians(np.arange(0, 360, 1.0))
    octants = np.round((heading[::3] + starts[:, None]) / OCTANT).astype(int) % 8
    hits = (octants == drive.octant[::3]).mean(axis=1)
    best = starts[hits >= hits.max() - 1e-9]
    heading = heading + np.arctan2(np.sin(best).mean(), np.cos(best).mean())
    # From then on the octant pulls it back whenever it would leave it: drift ends at each turn.
    error = (heading - drive.octant * OCTANT + np.pi) % (2 * np.pi) - np.pi
    out, off = np.empty_like(heading), 0.0
    for k, value in enumerate(error.tolist()):
        left = (value + off + np.pi) % (2 * np.pi) - np.pi
        if abs(left) > OCTANT / 2:
            off -= 0.5 * np.copysign(abs(left) - OCTANT / 2, left)
        out[k] = off
    return heading + out


def shape(drive, heading):
    """Metres east and north of the drive's first row."""
    way = drive.speed_mps * seconds(drive)
    return np.cumsum(way[:, None] * np.stack([np.sin(heading), np.cos(heading)], axis=1), axis=0)


def turned(places, degrees, scale):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return scale * places @ np.array([[c, -s], [s, c]])  # clockwise, as headings are


def lay_by_cells(drive, line, step_m=60.0):
    """The drive's places by cells alone: the middle of all shifts that put every sighting into its
    cell. None when it has no sighting."""
    seen = drive.sightings()
    if not len(seen):
        return None
    shifts = s2.points_in(drive.cell[seen[0]], step_m) - line[seen[0]]
    for k in seen[1:]:
        fits = s2.cell_of(shifts + line[k]) == drive.cell[k]
        if fits.any():
            shifts = shifts[fits]
    return line + shifts.mean(axis=0)


def lay_on_roads(drive, line, heading, rasters, turns_deg=TURNS_DEG, step_m=50.0):
    """The drive's places by cells and map: the shift, turn and scale whose shape lies best on the
    roads of the first raster, then piece by piece on those of the second."""
    seen = drive.sightings()
    if not len(seen):
        return None
    rough, sharp = rasters
    anchor = seen[0]
    points = _spaced(line)
    from_anchor = line - line[anchor]
    shifts = s2.points_in(drive.cell[anchor], step_m)
    best = (-1.0, None)
    for degrees in turns_deg:
        for scale in SCALES:
            laid = turned(from_anchor, degrees, scale)
            found = rough.fit((shifts[:, None] + laid[points]).astype(np.float32),
                              heading[points] + np.radians(degrees))
            for k in seen[1:]:
                found = found * np.where(s2.cell_of(shifts + laid[k]) == drive.cell[k], 1.0, 0.8)
            top = int(found.argmax())
            if found[top] > best[0]:
                best = (found[top], shifts[top] + laid, heading + np.radians(degrees))
    return _follow(best[1], best[2], anchor, sharp)


def _spaced(line, count=None):
    """Rows about POINT_EVERY_M apart along the way."""
    way = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    if way[-1] == 0:
        return np.array([0])
    marks = np.arange(0, way[-1], POINT_EVERY_M if count is None else way[-1] / count)
    return np.unique(np.searchsorted(way, marks))


def _follow(places, heading, anchor, sharp):
    """Shifts each piece of the way a little, outward from the anchor, where roads fit it best."""
    steps = np.linalg.norm(np.diff(places, axis=0), axis=1)
    way = np.concatenate([[0], np.cumsum(steps)]) - steps[:anchor].sum()
    near = np.stack(np.meshgrid(*2 * [np.arange(-100, 101, 10.0)]), axis=-1).reshape(-1, 2)
    cost = 0.15 * np.linalg.norm(near, axis=1) / 100
    out = places.copy()
    for sign in (1, -1):
        drift = np.zeros(2)
        for first in np.arange(0, np.abs(way).max() + PIECE_M, PIECE_M):
            piece = np.flatnonzero((sign * way >= first) & (sign * way < first + PIECE_M))
            if not len(piece):
                continue
            about = np.flatnonzero((sign * way >= first - PIECE_M)
                                   & (sign * way < first + 1.5 * PIECE_M))
            about = about[_spaced(places[about], 60)]
            found = sharp.fit(near[:, None] + (places[about] + drift)[None], heading[about]) - cost
            drift = drift + near[int(found.argmax())]
            out[piece] = places[piece] + drift
    return out


def lay_by_crossings(drive, line, step_m=40.0):
    """As lay_by_cells, for rows that each carry their own cell: the shift that explains most of the
    reports just before and just after each change of cell."""
    changes = np.flatnonzero(drive.cell[1:] != drive.cell[:-1])
    checked = np.unique(np.concatenate([[0], changes, changes + 1]))
    shifts = s2.points_in(drive.cell[0], step_m) - line[0]
    hits = sum((s2.cell_of(shifts + line[k]) == drive.cell[k]).astype(int) for k in checked)
    return line + shifts[hits == hits.max()].mean(axis=0)
