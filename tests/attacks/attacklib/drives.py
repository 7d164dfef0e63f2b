"""The truth: cars with a home and a workplace, and every report that they make. Seeded.

Times are seconds from the fleet's first midnight (UTC), exact to the second, 1 Hz while driving.
"""

import dataclasses

import numpy as np

from attacklib import s2
from attacklib.roads import DETAIL_M, HALF_M, LINES, RoadNet

DAY_S = 86_400
ACCELERATE, BRAKE, SIDEWAYS = 1.5, 1.8, 2.2  # m/s2, a calm driver
STOP_SHARE = 0.12  # of crossings passed


@dataclasses.dataclass
class Drive:
    """One trip: a row each second from ignition on to ignition off."""
    car: int
    homeward: bool
    t: np.ndarray
    place: np.ndarray
    speed_mps: np.ndarray
    heading_rad: np.ndarray  # clockwise from north
    yaw_dps: np.ndarray      # as a sensor tells it: left is positive
    lateral_mps2: np.ndarray


@dataclasses.dataclass
class Car:
    number: int
    home: np.ndarray
    work: np.ndarray
    drives: list
    speed_scale: float  # the speedometer's error

    @property
    def vin(self):
        return f"WVWZZZ1JZXW{self.number:06d}"


class Fleet:
    def __init__(self, seed, cars, days):
        self.net = RoadNet(seed)
        self.days = days
        self.cars = [self._car(np.random.default_rng([seed, 2, number]), number)
                     for number in range(cars)]

    def _car(self, dice, number):
        """Home and work 9 to 15 km apart: a drive of about half an hour."""
        inner = HALF_M - 1500
        nodes = self.net.nodes
        while True:
            home, work = dice.integers(0, LINES * LINES, 2)
            apart = np.linalg.norm(nodes[home] - nodes[work])
            if (9_000 < apart < 15_000 and np.abs(nodes[[home, work]]).max() < inner
                    and self.net.ways[home] and self.net.ways[work]):
                break
        there, back = (self.net.line(self.net.route(*ends, dice))
                       for ends in ((home, work), (work, home)))
        # Nobody lives on a crossing: the drive begins and ends within the block.
        cut = [int(n) for n in dice.uniform(8, 35, 2)]
        there, back = _cut(there, cut[0], cut[1]), _cut(back, cut[1], cut[0])
        car = Car(number, there[0][0], there[0][-1], [], dice.normal(1.0, 0.01))
        leaves, returns = dice.normal(7.5, 0.7) * 3600, dice.normal(17.0, 0.8) * 3600
        for day in range(self.days):
            for line, at, homeward in ((there, leaves, False), (back, returns, True)):
                start = int(day * DAY_S + at + dice.uniform(-900, 900))
                car.drives.append(_drive(car, line, start, homeward, dice))
        return car

    def drive_rows(self):
        return sum(len(drive.t) for car in self.cars for drive in car.drives)


def _cut(line, first, last):
    places, limits, crossings = line
    kept = crossings[(crossings > first + 2) & (crossings < len(places) - last - 2)] - first
    return places[first:-last], limits[first:-last], kept


def _speeds(places, limits, stops):
    """Speed at each place: under the limit, slow in bends, zero at stops and both ends."""
    steps = np.diff(places, axis=0)
    lengths = np.maximum(np.linalg.norm(steps, axis=1), 0.1)
    heading = np.unwrap(np.arctan2(steps[:, 0], steps[:, 1]))
    bend = np.abs(np.diff(heading, prepend=heading[0])) / DETAIL_M
    bend = np.append(np.convolve(bend, np.ones(3) / 3, "same"), 0.0)
    top = np.minimum(limits, np.sqrt(SIDEWAYS / np.maximum(bend, 1e-4)))
    top[[0, -1]] = top[stops] = 0.0
    speed = top.tolist()
    for order, rate in ((range(1, len(speed)), ACCELERATE), (range(len(speed) - 2, -1, -1), BRAKE)):
        step = -1 if rate == ACCELERATE else 1
        for k in order:
            before = speed[k + step]
            reach = (before * before + 2 * rate * lengths[min(k, k + step)]) ** 0.5
            speed[k] = min(speed[k], reach)
    return np.array(speed), lengths


def _drive(car, line, start, homeward, dice):
    places, limits, crossings = line
    stops = crossings[dice.random(len(crossings)) < STOP_SHARE]
    speed, lengths = _speeds(places, limits, stops)
    seconds = 2 * lengths / np.maximum(speed[1:] + speed[:-1], 0.5)
    seconds[np.minimum(stops, len(seconds) - 1)] += dice.uniform(5, 45, len(stops))
    seconds[0] += dice.uniform(5, 60)   # the ignition is on before it moves
    seconds[-1] += dice.uniform(3, 20)
    at = np.concatenate([[0], np.cumsum(seconds)])
    t = np.arange(0, int(at[-1]) + 1)
    along = np.concatenate([[0], np.cumsum(lengths)])
    way = np.interp(t, at, along)
    standing = np.append(np.diff(way) < 0.3, True)
    place = np.stack([np.interp(way, along, places[:, k]) for k in (0, 1)], axis=1)
    steps = np.diff(places, axis=0)
    directions = np.unwrap(np.arctan2(steps[:, 0], steps[:, 1]))
    heading = np.interp(way, along[:-1], directions)
    pace = np.where(standing, 0.0, np.gradient(way))
    turn = -np.degrees(np.gradient(heading))  # left is positive
    bias = dice.normal(0, 0.1)
    yaw = turn + bias + dice.normal(0, 0.1, len(t))
    lateral = np.radians(turn) * pace + dice.normal(0, 0.1, len(t))
    told = np.maximum(pace * car.speed_scale + dice.normal(0, 0.05, len(t)) * ~standing, 0.0)
    return Drive(car.number, homeward, t + start, place, told, heading % (2 * np.pi), yaw, lateral)
