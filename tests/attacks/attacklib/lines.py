"""Where each attack stands. The promise: no median error under one cell of level 12: nobody comes
nearer than who is told that true cell and says its centre. Every attack on the lake has it,
and no more than one guess in ten is under the law's line.

The stream `safety` is for the platform's own processes and promises nothing; attacks on it are held
where they were measured, so that they cannot get better unseen, nor much worse: then either the
stream tells less, or the attacker is broken and proves nothing.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Line:
    measured_m: float | None = None  # None: the promise holds

    @property
    def over_the_promise(self):
        return self.measured_m is not None


KEPT = Line()
BETTER, WORSE = 0.8, 1.6  # of what was measured
PARKED_SET_MIN = 5

LAW_M = 564.0  # 1,850 ft: within that a place is a precise one in California
UNDER_LAW_SHARE_MAX = 0.10

FULL = {
    "crossing, lake": KEPT,
    "crossing, lake, map": KEPT,
    "crossing, safety": Line(551),
    "crossing, safety, map": Line(393),
    "home, night cell": KEPT,
    "home, nearest held cell": KEPT,
    "home, days intersected": KEPT,
    "pathing, lake, map": KEPT,
    "pathing, lake, map: where it parks": KEPT,
    "reckoning, safety": Line(254),
}
# The small fleet's own figures.
QUICK = FULL | {
    "crossing, safety": Line(589),
    "crossing, safety, map": Line(422),
    "reckoning, safety": Line(140),
}


def judge(name, line, outcome, one_cell):
    """Raises AssertionError when the attack is not where its line has it."""
    median = outcome.row()[0]
    promise = one_cell["centre"]
    if not line.over_the_promise:
        assert median >= promise, (
            f"{name}: median error {median:.0f} m is under one cell ({promise:.0f} m): this attack "
            "succeeds now; find what made it so, and see docs/attacks.md")
        under = int((outcome.errors < LAW_M).sum())
        assert under <= max(1, UNDER_LAW_SHARE_MAX * len(outcome.errors)), (
            f"{name}: {under} of {len(outcome.errors)} guesses are within {LAW_M:.0f} m, the law's "
            "line")
        return
    assert median >= BETTER * line.measured_m, (
        f"{name}: no promise here, but better than before: {median:.0f} m, was "
        f"{line.measured_m:.0f} m; find what made it so, and see docs/attacks.md")
    assert median <= WORSE * line.measured_m, (
        f"{name}: the attack went from {line.measured_m:.0f} m to {median:.0f} m: if the "
        "stream tells less, tighten its line in attacklib/lines.py; if not, the attacker is broken")
