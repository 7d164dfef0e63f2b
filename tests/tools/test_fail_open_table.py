"""The table of docs/gate.md, how others fail open: each test it names is there, and every test of
the gate that fails closed stands in it. tests/shows/gate-03-fails-closed runs them."""

import re

from loading import ROOT

PART = re.compile(r"<!-- fail-open -->\n(.*?)<!-- end -->", re.DOTALL)
# One says that the others mean something, the other that a halt wants two vehicles.
NO_WAY_TO_FAIL_OPEN = {"TheGoodReleasePassesSoThatTheOthersMeanSomething",
                       "ADeadLetterReasonOfOneVehicleIsNotYetANewReason"}


def named():
    part = PART.search((ROOT / "docs" / "gate.md").read_text(encoding="utf-8"))[1]
    rows = [line for line in part.splitlines() if line.startswith("|")][2:]
    assert rows
    for row in rows:
        assert len(row.strip("|").split("|")) == 3 and "`" in row, row
    return set(re.findall(r"`([^`]+)`", part))


def there():
    found = set()
    for path in ROOT.glob("src/**/*_test.cc"):
        found |= {f"{suite}.{name}" for suite, name in re.findall(
            r"^TEST(?:_F|_P)?\((\w+), (\w+)\)", path.read_text(encoding="utf-8"), re.M)}
    for path in ROOT.glob("tests/e2e/test_*.py"):
        found |= {f"{path.relative_to(ROOT)}::{name}" for name in re.findall(
            r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.M)}
    return found


def test_every_test_that_is_named_is_there():
    assert named() - there() == set()


def test_every_test_that_fails_closed_is_named():
    own = {one for one in there() if one.startswith("FailClosedTest.")}
    assert own - named() == {f"FailClosedTest.{name}" for name in NO_WAY_TO_FAIL_OPEN}
