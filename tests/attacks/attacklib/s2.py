"""S2 cells as published (s2geometry.io), for arrays: an independent eye on the platform's own.

A place is a row (x, y) of metres east and north of ORIGIN, on the sphere that the sim uses. The
ORIGIN lies over open sea: no synthetic place is anybody's address.
"""

import numpy as np

ORIGIN_LATITUDE_DEG = 44.5
ORIGIN_LONGITUDE_DEG = -29.3
METRES_PER_DEGREE = 111_195.0
FINE, COARSE = 12, 9

# Of the Hilbert curve: position -> quadrant, and how the curve turns in it.
_POSITION_TO_IJ = np.array([[0, 1, 3, 2], [0, 2, 3, 1], [3, 2, 0, 1], [3, 1, 0, 2]])
_IJ_TO_POSITION = np.argsort(_POSITION_TO_IJ, axis=1)
_TURN = np.array([1, 0, 0, 3])


def to_degrees(xy):
    """(latitude, longitude) in degrees."""
    xy = np.asarray(xy, float)
    east = METRES_PER_DEGREE * np.cos(np.radians(ORIGIN_LATITUDE_DEG))
    return (ORIGIN_LATITUDE_DEG + xy[..., 1] / METRES_PER_DEGREE,
            ORIGIN_LONGITUDE_DEG + xy[..., 0] / east)


def _to_metres(latitude, longitude):
    east = METRES_PER_DEGREE * np.cos(np.radians(ORIGIN_LATITUDE_DEG))
    return np.stack([(longitude - ORIGIN_LONGITUDE_DEG) * east,
                     (latitude - ORIGIN_LATITUDE_DEG) * METRES_PER_DEGREE], axis=-1)


def _face_uv(x, y, z):
    axes = np.stack([x, y, z])
    face = np.abs(axes).argmax(axis=0)
    face = face + 3 * (np.take_along_axis(axes, face[None], 0)[0] < 0)
    u = np.choose(face, [y / x, -x / y, -x / z, z / x, z / y, -y / z])
    v = np.choose(face, [z / x, z / y, -y / z, y / x, -x / y, -x / z])
    return face, u, v


def _st(u):
    return np.where(u >= 0, 0.5 * np.sqrt(1 + 3 * np.abs(u)), 1 - 0.5 * np.sqrt(1 + 3 * np.abs(u)))


def _uv(s):
    return np.where(s >= 0.5, (4 * s * s - 1) / 3, (1 - 4 * (1 - s) ** 2) / 3)


def cell_of(xy, level=FINE):
    """The cells (uint64) of places."""
    latitude, longitude = (np.radians(np.atleast_1d(value)) for value in to_degrees(xy))
    with np.errstate(divide="ignore", invalid="ignore"):
        face, u, v = _face_uv(np.cos(latitude) * np.cos(longitude),
                              np.cos(latitude) * np.sin(longitude), np.sin(latitude))
    size = 1 << level
    i, j = (np.clip((_st(value) * size).astype(np.int64), 0, size - 1) for value in (u, v))
    turned, position = face & 1, np.zeros_like(face, dtype=np.int64)
    for bit in range(level - 1, -1, -1):
        quarter = _IJ_TO_POSITION[turned, ((i >> bit & 1) << 1) | (j >> bit & 1)]
        position = position << 2 | quarter
        turned = turned ^ _TURN[quarter]
    return (face.astype(np.uint64) << np.uint64(61)
            | position.astype(np.uint64) << np.uint64(61 - 2 * level)
            | np.uint64(1 << (60 - 2 * level)))


def level_of(cells):
    """Levels of cells; -1 for 0."""
    cells = np.asarray(cells, np.uint64)
    low = cells & (~cells + np.uint64(1))
    level = 30 - np.log2(np.maximum(low, np.uint64(1)).astype(float)).astype(int) // 2
    return np.where(cells == 0, -1, level)


def parent(cells, level):
    bit = np.uint64(1 << (60 - 2 * level))
    return np.asarray(cells, np.uint64) & ~(bit * np.uint64(2) - np.uint64(1)) | bit


def corners(cell):
    """The four corners of one cell in order around it, (4, 2)."""
    cell, level = int(cell), int(level_of(np.uint64(cell)))
    face, position = cell >> 61, (cell >> (61 - 2 * level)) & ((1 << 2 * level) - 1)
    turned, i, j = face & 1, 0, 0
    for step in range(level - 1, -1, -1):
        quarter = position >> (2 * step) & 3
        quadrant = int(_POSITION_TO_IJ[turned, quarter])
        i, j, turned = i << 1 | quadrant >> 1, j << 1 | quadrant & 1, turned ^ int(_TURN[quarter])
    u = _uv(np.array([i, i + 1, i + 1, i]) / (1 << level))
    v = _uv(np.array([j, j, j + 1, j + 1]) / (1 << level))
    one = np.ones(4)
    x, y, z = [(one, u, v), (-u, one, v), (-u, -v, one),
               (-one, -v, -u), (v, -one, -u), (v, u, -one)][face]
    return _to_metres(np.degrees(np.arctan2(z, np.hypot(x, y))), np.degrees(np.arctan2(y, x)))


def centre(cell):
    return corners(cell).mean(axis=0)


def centres(cells):
    """Centres of many cells, few of them different."""
    different, index = np.unique(cells, return_inverse=True)
    return np.array([centre(cell) for cell in different]).reshape(-1, 2)[index]


def area_m2(cell):
    x, y = corners(cell).T
    return abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def points_in(cell, step_m):
    """A grid of places inside one cell."""
    around = corners(cell)
    low, high = around.min(axis=0), around.max(axis=0)
    x, y = np.meshgrid(np.arange(low[0], high[0], step_m), np.arange(low[1], high[1], step_m))
    grid = np.stack([x.ravel(), y.ravel()], axis=1) + step_m / 2
    return grid[cell_of(grid, int(level_of(cell))) == np.uint64(cell)]


def edge_middle(first, second):
    """The middle of the edge that two neighbours share; else the middle between their centres."""
    one, other = corners(first), corners(second)
    near = np.linalg.norm(one[:, None] - other[None], axis=2) < 1.0
    shared = one[near.any(axis=1)]
    return shared.mean(axis=0) if len(shared) else (one.mean(axis=0) + other.mean(axis=0)) / 2


def one_cell(places):
    """What "one cell" means where these places lie, in metres: the cell's mean edge, the radius of
    a circle of its area, and the median error of one who is told the cell and says its centre."""
    cells = cell_of(places)
    around = [corners(cell) for cell in np.unique(cells)]
    edge = np.mean([np.linalg.norm(c - np.roll(c, 1, axis=0), axis=1).mean() for c in around])
    area = np.mean([area_m2(cell) for cell in np.unique(cells)])
    grid = points_in(np.unique(cells)[0], 20.0)
    told = np.median(np.linalg.norm(grid - centre(np.unique(cells)[0]), axis=1))
    return {"edge": float(edge), "radius": float(np.sqrt(area / np.pi)), "centre": float(told)}
