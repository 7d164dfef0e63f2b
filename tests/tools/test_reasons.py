"""The closed list of reasons is the same in the header, in the names and in docs/errors.md."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEADER = (ROOT / "src/base/reasons.h").read_text(encoding="utf-8")
SOURCE = (ROOT / "src/base/reasons.cc").read_text(encoding="utf-8")
PAGE = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
LISTED = dict(re.findall(r"^  (k\w+) = (\d+),", HEADER, re.M))
NAMES = dict(re.findall(r'\{Reason::(k\w+), "(\w+)"\}', SOURCE))


def test_no_number_is_used_twice():
    assert len(LISTED) > 30 and len(set(LISTED.values())) == len(LISTED)


def test_each_reason_has_its_own_name():
    assert set(NAMES) == set(LISTED)
    assert len(set(NAMES.values())) == len(NAMES)


def test_each_reason_has_cause_and_remedy_on_the_page():
    missing = [name for reason, name in NAMES.items()
               if reason != "kNone" and not re.search(rf"^\|[^|]*`{name}`[^|]*\|", PAGE, re.M)]
    assert missing == []
