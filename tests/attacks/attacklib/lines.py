"""Where each attack stands. The promise: no median error under one cell, that is, nobody comes
nearer than who is told the true level 12 cell and says its centre.

An attack with a line of its own here is OVER the promise: it succeeds today. Its line holds it
where it was measured, so that it cannot get better unseen; nor may it get much worse unseen, for
then either the lake was mended (then give it the promise as its line, here and in docs/attacks.md)
or the attacker is broken and proves nothing.
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

FULL = {
    "crossing, lake": KEPT,
    "crossing, lake, map": KEPT,
    "crossing, safety": Line(551),
    "crossing, safety, map": Line(393),
    "home, night cell": KEPT,
    "home, last held cell": KEPT,
    "home, days intersected": Line(401),
    "reckoning, lake": Line(727),
    "reckoning, lake: where it parks": KEPT,
    "reckoning, lake, map": Line(28),
    "reckoning, lake, map: where it parks": Line(39),
    "reckoning, safety": Line(229),
}
# The small fleet's own figures.
QUICK = FULL | {
    "crossing, safety": Line(589),
    "crossing, safety, map": Line(422),
    "home, days intersected": Line(441),
    "reckoning, lake": Line(598),
    "reckoning, lake, map": Line(25),
    "reckoning, lake, map: where it parks": Line(15),
    "reckoning, safety": Line(183),
}


def judge(name, line, outcome, one_cell):
    """Raises AssertionError when the attack is not where its line has it."""
    median = outcome.row()[0]
    promise = one_cell["centre"]
    if not line.over_the_promise:
        assert median >= promise, (
            f"{name}: median error {median:.0f} m is under one cell ({promise:.0f} m): this attack "
            "succeeds now; find what made it so, and see docs/attacks.md")
        return
    assert median >= BETTER * line.measured_m, (
        f"{name}: over the promise already, and better than before: {median:.0f} m, was "
        f"{line.measured_m:.0f} m; find what made it so, and see docs/attacks.md")
    assert median <= WORSE * line.measured_m, (
        f"{name}: the attack went from {line.measured_m:.0f} m to {median:.0f} m: if the lake was "
        "mended, tighten its line in attacklib/lines.py; if not, the attacker is broken")
