"""Elastic pathing: the way of a car from its speed alone, by which streets it could have gone.

Many cars are set loose on the map where the held cell allows, each goes as far a second as the real
one did, and those whose bends and stops do not explain its speed die out. The attacker knows how
this fleet drives (its accelerations, how fast it takes a bend, how often it stops): a real one
would have to learn it, so this is an upper bound.
"""

import dataclasses

import numpy as np

from attacklib import s2
from attacklib.drives import ACCELERATE, BRAKE, SIDEWAYS, STOP_SHARE
from attacklib.roads import DETAIL_M

CORNER_M = 18.0   # the way over which a corner is taken
TOLD_MPS = 1.5    # how far a told speed may lie from what the streets say
WORST = 6.0       # of one second, so that no single one kills
TRUST = 0.25      # seconds on end are not independent
NEAR_M = 400.0


@dataclasses.dataclass
class Streets:
    """The road net as arrays: an edge a directed street."""
    nodes: np.ndarray      # (node, 2): the crossings
    start: np.ndarray
    end: np.ndarray
    length: np.ndarray
    limit: np.ndarray
    first: np.ndarray      # of node: its edges are out[first[n]:first[n + 1]]
    out: np.ndarray
    caps: np.ndarray       # (edge, step of DETAIL_M): what its own bends allow
    shapes: np.ndarray     # (edge, step, 2)
    angles: np.ndarray     # (edge, 2): direction at its start and end

    @classmethod
    def of(cls, net):
        pairs = sorted(net.shapes)
        steps = max(len(net.shapes[pair]) for pair in pairs)
        count = len(pairs)
        start, end = (np.array([pair[k] for pair in pairs]) for k in (0, 1))
        shapes = np.zeros((count, steps, 2))
        caps = np.full((count, steps), 99.0)
        length, angles = np.zeros(count), np.zeros((count, 2))
        for n, pair in enumerate(pairs):
            line = net.shapes[pair]
            moves = np.diff(line, axis=0)
            lengths = np.linalg.norm(moves, axis=1)
            heading = np.unwrap(np.arctan2(moves[:, 0], moves[:, 1]))
            bend = np.abs(np.diff(heading, prepend=heading[0])) / np.maximum(lengths, 0.1)
            caps[n, :len(bend)] = np.sqrt(SIDEWAYS / np.maximum(bend, 1e-4))
            length[n], angles[n] = lengths.sum(), heading[[0, -1]]
            shapes[n, :len(line)], shapes[n, len(line):] = line, line[-1]
        order = np.argsort(start, kind="stable")
        first = np.searchsorted(start[order], np.arange(len(net.nodes) + 1))
        limit = np.array([net.limits[pair] for pair in pairs])
        return cls(net.nodes, start, end, length, limit, first, order, caps, shapes, angles)

    def places(self, edge, way):
        step = np.clip(way / self.length[edge] * (self.shapes.shape[1] - 1), 0, None)
        line = self.shapes
        step = np.minimum(step.astype(int), line.shape[1] - 1)
        return line[edge, step]


class _Crowd:
    """Cars that might be the one."""

    def __init__(self, streets, edge, way, dice, rates, told_mps):
        self.streets, self.dice, self.rates = streets, dice, rates
        self.told_mps = told_mps
        self.edge, self.way = edge, way
        count = len(edge)
        self.scale = dice.normal(1.0, 0.01, count)
        self.from_cap = np.full(count, 99.0)
        self.next = np.zeros(count, int)
        self.to_cap = np.zeros(count)
        self.weight = np.zeros(count)
        self.trail = []
        self._choose(np.arange(count))

    def _choose(self, who):
        """Where these go after their street, and whether they stop before."""
        s, edge = self.streets, self.edge[who]
        node = s.end[edge]
        ways = s.first[node + 1] - s.first[node]
        pick = s.out[s.first[node] + (self.dice.random(len(who)) * ways).astype(int)]
        back = s.end[pick] == s.start[edge]
        again = s.out[s.first[node] + (self.dice.random(len(who)) * ways).astype(int)]
        pick = np.where(back, again, pick)
        turn = np.abs((s.angles[pick, 0] - s.angles[edge, 1] + np.pi) % (2 * np.pi) - np.pi)
        # Most crossings are passed straight on.
        straight = (turn > 0.6) & (self.dice.random(len(who)) < 0.35)
        other = s.out[s.first[node] + (self.dice.random(len(who)) * ways).astype(int)]
        turn2 = np.abs((s.angles[other, 0] - s.angles[edge, 1] + np.pi) % (2 * np.pi) - np.pi)
        swap = straight & (turn2 < turn)
        pick, turn = np.where(swap, other, pick), np.where(swap, turn2, turn)
        cap = np.sqrt(SIDEWAYS * CORNER_M / np.maximum(turn, 1e-3))
        stops = self.dice.random(len(who)) < STOP_SHARE
        self.next[who], self.to_cap[who] = pick, np.where(stops, 0.0, cap)

    def step(self, way_m, told_mps):
        self.way = self.way + way_m * self.scale
        over = np.flatnonzero(self.way >= self.streets.length[self.edge])
        if len(over):
            self.way[over] -= self.streets.length[self.edge[over]]
            self.edge[over], self.from_cap[over] = self.next[over], self.to_cap[over]
            self._choose(over)
        s, accelerate, brake = self.streets, *self.rates
        left = np.maximum(s.length[self.edge] - self.way, 0)
        step = np.minimum((self.way / DETAIL_M).astype(int), s.caps.shape[1] - 1)
        expected = np.minimum(
            np.minimum(s.limit[self.edge], s.caps[self.edge, step]),
            np.minimum(np.sqrt(self.to_cap**2 + 2 * brake * left),
                       np.sqrt(self.from_cap**2 + 2 * accelerate * self.way)))
        off = (told_mps - expected) / self.told_mps
        self.weight -= TRUST * np.minimum(off * off, WORST)

    def only(self, fits, doubt=8.0):
        self.weight -= np.where(fits, 0.0, doubt)

    def remember(self, t):
        self.trail.append((t, self.streets.places(self.edge, self.way)))

    def thin(self, force=False):
        """Draws the crowd anew by weight when few carry it."""
        share = np.exp(self.weight - self.weight.max())
        share /= share.sum()
        if not force and 1 / (share**2).sum() > 0.3 * len(share):
            return
        at = (np.arange(len(share)) + self.dice.random()) / len(share)
        kept = np.minimum(np.searchsorted(np.cumsum(share), at), len(share) - 1)
        for name in ("edge", "way", "from_cap", "next", "to_cap"):
            setattr(self, name, getattr(self, name)[kept])
        self.scale = self.scale[kept] + self.dice.normal(0, 0.0005, len(kept))
        self.trail = [(t, places[kept]) for t, places in self.trail]
        self.weight = np.zeros(len(kept))


def _start(streets, cell, dice, count):
    """Cars anywhere on the streets of a cell."""
    middles = streets.shapes.reshape(-1, 2)
    inside = (s2.cell_of(middles, int(s2.level_of(cell))) == cell).reshape(streets.shapes.shape[:2])
    edges, steps = np.nonzero(inside)
    if not len(edges):
        return None
    pick = dice.integers(0, len(edges), count)
    edge = edges[pick]
    way = np.minimum(steps[pick] * DETAIL_M + dice.uniform(0, DETAIL_M, count),
                     streets.length[edge])
    return edge, way


def _crowded(places, dice):
    """The place that most of the crowd is near."""
    some = places[dice.integers(0, len(places), 400)]
    near = np.linalg.norm(some[:, None] - some[None], axis=2) < NEAR_M
    best = near[near.sum(axis=1).argmax()]
    return some[best].mean(axis=0)


def follow(drive, streets, seed, count=20_000, every_s=60, told_mps=TOLD_MPS):
    """{row of the drive: place}, each `every_s` rows and at both ends; None without a sighting. A
    row a second. `told_mps`: how far a told speed may be off."""
    seen = drive.sightings()
    if not len(seen):
        return None
    dice = np.random.default_rng(seed)
    steps = np.diff(drive.t, prepend=drive.t[:1])
    anchor = int(seen[0])
    cells = {int(k): drive.cell[k] for k in seen}
    found = {}
    last = len(drive.t) - 1
    wanted = {int(k) for k in range(0, last + 1, every_s)} | {0, last}
    for order, rates in ((range(anchor, last + 1), (ACCELERATE, BRAKE)),
                         (range(anchor, -1, -1), (BRAKE, ACCELERATE))):
        begin = _start(streets, drive.cell[anchor], dice, count)
        if begin is None:
            return None
        crowd = _Crowd(streets, *begin, dice, rates, told_mps)
        for k in order:
            back = k + 1 if order.step < 0 and k < anchor else k
            way = 0.0 if k == anchor else drive.speed_mps[back] * steps[back]
            crowd.step(way, drive.speed_mps[k])
            if k in cells and k != anchor:
                level = int(s2.level_of(cells[k]))
                here = streets.places(crowd.edge, crowd.way)
                crowd.only(s2.cell_of(here, level) == cells[k])
            if k in wanted:
                crowd.remember(k)
            if k % 3 == 0:
                crowd.thin()
        crowd.thin(force=True)
        found |= {t: _crowded(places, dice) for t, places in crowd.trail if t != anchor}
    return found
