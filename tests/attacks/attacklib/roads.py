"""A road net that both the cars and the attackers know: 24 km square, half of it a strict grid,
half of it bent, shifted and curved streets, some missing; every fifth line is an arterial road."""

import heapq

import numpy as np

BLOCK_M = 300.0
LINES = 81
HALF_M = BLOCK_M * (LINES - 1) / 2
DETAIL_M = 4.0
LOCAL_MPS, ARTERIAL_MPS = 50 / 3.6, 80 / 3.6
MISSING = 0.12


class RoadNet:
    """Nodes by number; `shapes[(a, b)]` is the line from node a to node b, a row each DETAIL_M."""

    def __init__(self, seed):
        self._dice = np.random.default_rng([seed, 1])
        self.nodes = self._nodes()
        self.ways = {node: [] for node in range(LINES * LINES)}
        self.shapes = {}
        self.limits = {}
        for row in range(LINES):
            for column in range(LINES):
                if column + 1 < LINES:
                    self._connect(row, column, 0, 1)
                if row + 1 < LINES:
                    self._connect(row, column, 1, 0)

    def _nodes(self):
        steps = np.arange(LINES) * BLOCK_M - HALF_M
        x, y = (axis.ravel() for axis in np.meshgrid(steps, steps))
        old = np.clip(x / 3000.0, 0, 1)  # how far into the old town, where nothing is straight
        shift = self._dice.uniform(-75, 75, (2, len(x))) * old
        bend_x = 300 * np.sin(2 * np.pi * y / 7000.0) * old
        bend_y = 250 * np.sin(2 * np.pi * x / 5500.0) * old
        self._old = old
        return np.stack([x + bend_x + shift[0], y + bend_y + shift[1]], axis=1)

    def _connect(self, row, column, down, right):
        here, there = row * LINES + column, (row + down) * LINES + column + right
        arterial = (row if right else column) % 5 == 0
        if not arterial and self._dice.random() < MISSING:
            return
        start, end = self.nodes[here], self.nodes[there]
        length = np.linalg.norm(end - start)
        across = np.array([start[1] - end[1], end[0] - start[0]]) / length
        bulge = across * self._dice.normal(0, 0.12) * length * self._old[here]
        share = np.linspace(0, 1, max(2, int(length / DETAIL_M)))[:, None]
        line = start + (end - start) * share + bulge * 4 * share * (1 - share)
        limit = ARTERIAL_MPS if arterial else LOCAL_MPS
        for a, b, shape in ((here, there, line), (there, here, line[::-1])):
            self.ways[a].append((b, length / limit))
            self.shapes[a, b] = shape
            self.limits[a, b] = limit

    def route(self, start, end, dice):
        """Nodes of a quick way; every driver has tastes of their own."""
        tastes = dice.uniform(0.8, 1.4, 512)
        goal = self.nodes[end]
        ahead = np.linalg.norm(self.nodes - goal, axis=1) / ARTERIAL_MPS * 0.8
        best, came = {start: 0.0}, {}
        queue = [(ahead[start], start)]
        while queue:
            _, node = heapq.heappop(queue)
            if node == end:
                break
            for other, seconds in self.ways[node]:
                cost = best[node] + seconds * tastes[(node * 31 + other * 17) % 512] + 4
                if cost < best.get(other, np.inf):
                    best[other], came[other] = cost, node
                    heapq.heappush(queue, (cost + ahead[other], other))
        way = [end]
        while way[-1] != start:
            way.append(came[way[-1]])
        return way[::-1]

    def line(self, way):
        """(places, limits in m/s, which rows are crossings) along nodes, corners rounded."""
        pairs = list(zip(way[:-1], way[1:], strict=True))
        shapes = [self.shapes[pair][:-1] for pair in pairs]
        places = np.concatenate(shapes + [self.nodes[way[-1:]]])
        limits = np.concatenate([np.full(len(s), self.limits[p])
                                 for s, p in zip(shapes, pairs, strict=True)])
        crossings = np.cumsum([len(s) for s in shapes])[:-1]
        kernel = np.ones(5) / 5
        padded = np.pad(places, ((2, 2), (0, 0)), mode="edge")
        rounded = np.stack([np.convolve(padded[:, k], kernel, "valid") for k in (0, 1)], axis=1)
        return rounded, np.append(limits, limits[-1]), crossings


class RoadRaster:
    """How well a place and a direction fit the net, looked up: 1 on a road that runs that way, less
    beside it, 0 where there is none. `reach_m`: how far beside still counts."""

    PIXEL_M = 20.0
    DIRECTIONS = 8  # of lines, modulo 180 degrees

    def __init__(self, net, reach_m):
        self._low = -HALF_M - 1500
        self._size = int(2 * -self._low / self.PIXEL_M)
        self._layers = np.zeros((self.DIRECTIONS, self._size, self._size), np.float32)
        for (a, b), shape in net.shapes.items():
            if a < b:
                self._paint(shape)
        for _ in range(int(reach_m / self.PIXEL_M)):
            self._layers = self._spread(self._layers, 0.75)
        aside = np.maximum(np.roll(self._layers, 1, 0), np.roll(self._layers, -1, 0))
        self._layers = np.maximum(self._layers, 0.8 * aside)

    def _paint(self, shape):
        steps = np.diff(shape, axis=0)
        directions = self._direction(np.arctan2(steps[:, 0], steps[:, 1]))
        column, row = self._pixels(shape[:-1])
        self._layers[directions, row, column] = 1.0

    def _direction(self, heading_rad):
        turn = np.asarray(heading_rad) / np.pi * self.DIRECTIONS
        return np.round(turn).astype(int) % self.DIRECTIONS

    def _pixels(self, places):
        pixels = ((places - self._low) / self.PIXEL_M).astype(int)
        return np.clip(pixels[..., 0], 0, self._size - 1), np.clip(pixels[..., 1], 0,
                                                                   self._size - 1)

    @staticmethod
    def _spread(layers, share):
        wide = layers.copy()
        for axis in (1, 2):
            for way in (1, -1):
                np.maximum(wide, share * np.roll(layers, way, axis), out=wide)
        return wide

    def fit(self, places, heading_rad):
        """Mean over the last-but-one axis of places (..., points, 2)."""
        column, row = self._pixels(places)
        return self._layers[self._direction(heading_rad), row, column].mean(axis=-1)
