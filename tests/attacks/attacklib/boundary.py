"""Boundary crossing: when the cell of consecutive rows changes, the car is on an edge just then."""

import numpy as np

from attacklib import s2


def changes(rows):
    """Rows whose cell differs from one of the same level in the row before."""
    level = s2.level_of(rows.cell)
    return 1 + np.flatnonzero((level[1:] > 0) & (level[1:] == level[:-1])
                              & (rows.cell[1:] != rows.cell[:-1]))


def guess_middles(rows, at):
    """The middle of the edge between the two cells."""
    pairs = {}
    return np.array([pairs.setdefault((a, b), s2.edge_middle(a, b))
                     for a, b in zip(rows.cell[at - 1].tolist(), rows.cell[at].tolist(),
                                     strict=True)]).reshape(-1, 2)


class Gates:
    """Where roads pass from one cell into another, by cells and the direction of travel."""

    def __init__(self, net):
        self._gates = {}
        for shape in net.shapes.values():
            ends = s2.cell_of(shape[[0, -1]])
            if ends[0] == ends[1]:
                continue
            fine = s2.cell_of(shape)
            for cells in (fine, s2.parent(fine, s2.COARSE)):
                self._add(cells, shape)

    def _add(self, cells, shape):
        for k in 1 + np.flatnonzero(cells[1:] != cells[:-1]):
            step = shape[k] - shape[k - 1]
            octant = round(np.arctan2(step[0], step[1]) / (np.pi / 4)) % 8
            self._gates.setdefault((int(cells[k - 1]), int(cells[k])), []).append(
                (octant, shape[k]))

    def guess(self, rows, at):
        """The gate in the middle of those that fit, for each change; the edge's middle for none."""
        out = guess_middles(rows, at)
        for n, k in enumerate(at):
            gates = self._gates.get((int(rows.cell[k - 1]), int(rows.cell[k])), [])
            fit = [place for octant, place in gates if octant == rows.octant[k]]
            fit = np.array(fit or [place for _, place in gates])
            if len(fit):
                far = np.linalg.norm(fit[:, None] - fit[None], axis=2).sum(axis=1)
                out[n] = fit[far.argmin()]
        return out
