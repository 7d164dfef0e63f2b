"""What must come out, worked out from what the cars say they sent (the simulator's record): a
second, deliberately plain implementation of docs/rules.md for the rule sets that tests use."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

G = 9.80665
# docs/rules.md: for `float` fields a measure reaches the level from 4 * 2^-23 of it below.
EPSILON = 4 * 2.0**-23
GAP_US = 10_000_000


@dataclass
class Threshold:
    name: str
    level: float
    axes: tuple[str, ...] = ("ax",)
    magnitude: bool = False  # else: below the negative level
    hold_us: int = 0
    reset: float = 0.8
    minimum_speed_kmh: float = 0.0

    def measure(self, report: dict) -> float | None:
        values = [report[axis] for axis in self.axes if axis in report]
        if not values:
            return None
        return max(abs(v) if self.magnitude else -v for v in values)


@dataclass
class Edge:
    name: str
    field: str


DEFAULT_RULES = (
    Threshold("hard_braking", 3.92, hold_us=200_000, minimum_speed_kmh=15),
    Edge("forward_collision_warning", "fcw"),
    Edge("automatic_emergency_braking", "aeb"),
)
HARSH_035G = (Threshold("harsh_035g", 0.35 * G, axes=("ax", "ay"), magnitude=True),)


@dataclass(frozen=True)
class Expected:
    rule: str
    vin: str
    boot_random: int
    first_seq: int
    completing_seq: int


@dataclass
class Cars:
    """A simulator's record, read back."""

    reports: dict[tuple[str, int, int], dict] = field(default_factory=dict)
    order: dict[str, list[dict]] = field(default_factory=lambda: defaultdict(list))
    acked: set[tuple[str, int, int]] = field(default_factory=set)
    scheduled: dict[tuple[str, int, int], int] = field(default_factory=dict)  # of its batch
    lost: int = 0

    @classmethod
    def read(cls, *paths: Path) -> "Cars":
        cars = cls()
        for path in paths:
            with open(path, encoding="utf-8") as lines:
                for line in lines:
                    cars._add(json.loads(line))
        return cars

    def _add(self, row: dict) -> None:
        if row["type"] == "lost":
            self.lost += row["reports"]
            return
        boot = int(row["boot_random"])
        if row["type"] == "report":
            row["boot_random"] = boot
            self.reports[(row["vin"], boot, row["seq"])] = row
            self.order[row["vin"]].append(row)
            return
        for seq in range(row["first_seq"], row["last_seq"] + 1):
            identity = (row["vin"], boot, seq)
            if row["type"] == "ack":
                self.acked.add(identity)
            else:
                self.scheduled.setdefault(identity, row["scheduled_us"])

    def accepted(self) -> set[tuple[str, int, int]]:
        """Acknowledged identities that are not quarantined."""
        return {i for i in self.acked if not self.reports[i]["malformed"]}

    def quarantined(self) -> set[tuple[str, int, int]]:
        return {i for i in self.acked if self.reports[i]["malformed"]}

    def expected_alerts(self, rules=DEFAULT_RULES) -> set[Expected]:
        out: set[Expected] = set()
        for vin, reports in self.order.items():
            arrived = [r for r in reports if (vin, r["boot_random"], r["seq"]) in self.acked]
            arrived = [r for r in arrived if not r["malformed"]]
            newest, evaluated = None, []
            for report in arrived:
                if newest is None or report["event_time_us"] >= newest:
                    newest = report["event_time_us"]
                    evaluated.append(report)
            for rule in rules:
                run = _threshold if isinstance(rule, Threshold) else _edge
                out |= run(rule, vin, evaluated)
        return out


def _episode(rule, vin: str, first: dict, completing: dict) -> Expected:
    return Expected(rule.name, vin, first["boot_random"], first["seq"], completing["seq"])


def _threshold(rule: Threshold, vin: str, reports: list[dict]) -> set[Expected]:
    out: set[Expected] = set()
    first = last = None
    complete = False
    for report in reports:
        measure = rule.measure(report)
        if first and report["boot_random"] != first["boot_random"]:
            first, complete = None, False
        if measure is None:
            continue
        if first and report["event_time_us"] - last > GAP_US:
            first, complete = None, False
        last = report["event_time_us"]
        keep = rule.level * (rule.reset if complete else 1 - EPSILON)
        if first and measure < keep:
            first, complete = None, False
        needed = rule.minimum_speed_kmh
        fast_enough = not needed or report.get("speed_kmh", -1.0) >= needed
        if not first and measure >= rule.level * (1 - EPSILON) and fast_enough:
            first = report
        held_us = report["event_time_us"] - first["event_time_us"] if first else -1
        if first and not complete and held_us >= rule.hold_us:
            complete = True
            out.add(_episode(rule, vin, first, report))
    return out


def _edge(rule: Edge, vin: str, reports: list[dict]) -> set[Expected]:
    out: set[Expected] = set()
    first = last = None
    for report in reports:
        if first and report["boot_random"] != first["boot_random"]:
            first = None
        if rule.field not in report:
            continue
        if first and report["event_time_us"] - last > GAP_US:
            first = None
        last = report["event_time_us"]
        if not report[rule.field]:
            first = None
        elif first is None:
            first = report
            out.add(_episode(rule, vin, report, report))
    return out
