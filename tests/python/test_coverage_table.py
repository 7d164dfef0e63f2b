"""Table `coverage`: committed like the others, summed, and judged; docs/lake.md, "Coverage"."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

import telltale_lake
from lake_handoffs import BASE_US, DAY_US, HandoffMaker
from telltale_lake import coverage
from telltale_lake.commit import Committer
from telltale_lake.coverage import (
    CONVERSIONS,
    QUANTILES,
    FieldCoverage,
    Firmware,
    Values,
    jump_between,
    stopped,
    unit_jumps,
)
from telltale_lake.layout import Layout
from telltale_lake.reader import status

PACKAGE = Path(telltale_lake.__file__).resolve().parent.parent


def run(layout: Layout, on_step=lambda _: None) -> None:
    committer = Committer(layout, on_step)
    try:
        committer.run_once()
    finally:
        committer.close()


def counted(firmware: str, reports: int, present: int, day: int = 0, **more) -> dict:
    return {
        "day": BASE_US + day * DAY_US,
        "firmware": firmware,
        "field": 10,
        "field_name": "speed_kmh",
        "columns": "speed_kmh",
        "reports": reports,
        "present": present,
        "null_out_of_range": 0,
        "wrong_type": 0,
        "conversion_failed": 0,
        "first_seen": BASE_US if present else None,
        "last_seen": BASE_US + 1 if present else None,
        "value_count": present,
        "value_min": 0.0,
        "value_max": 9.0,
        "value_sum": 5.0,
        "contract_version": 1,
    } | more


def summed(root: Path) -> list[tuple]:
    db = telltale_lake.connect(root)
    return db.sql("SELECT firmware, reports, present FROM coverage_sum ORDER BY 1").fetchall()


@pytest.fixture
def maker(tmp_path: Path) -> HandoffMaker:
    return HandoffMaker(tmp_path)


# The table.


def test_counts_of_handoffs_add_up(maker: HandoffMaker) -> None:
    maker.add(maker.rows(3), coverage=[counted("1.0", 3, 2), counted("1.0", 1, 1, day=1)])
    maker.add(maker.rows(2), coverage=[counted("1.0", 2, 0), counted("2.0", 7, 7)])
    run(maker.layout)
    run(maker.layout)
    assert summed(maker.root) == [("1.0", 6, 3), ("2.0", 7, 7)]
    assert status(maker.root)["tables"]["coverage"] | {"metadata": ""} == {
        "handoff": 2, "rows": 4, "files": 3, "positions": [5, 0], "metadata": "",
    }  # fmt: skip


def test_death_at_any_step_counts_nothing_twice(tmp_path: Path) -> None:
    class Died(BaseException):
        pass

    steps: list[str] = []
    for at in range(100):
        maker = HandoffMaker(tmp_path / str(at))
        maker.add(maker.rows(3), coverage=[counted("1.0", 3, 2)])
        maker.add(maker.rows(2), coverage=[counted("1.0", 2, 2)])
        left = at

        def die(step: str) -> None:
            nonlocal left
            if not step.startswith("coverage"):
                return
            if left == 0:
                steps.append(step)
                raise Died
            left -= 1

        try:
            run(maker.layout, die)
        except Died:
            pass
        else:
            break
        run(maker.layout)
        assert summed(maker.root) == [("1.0", 5, 4)], steps[-1]
    assert len(steps) == 8 and {"coverage:commit", "coverage:committed"} < set(steps)


def test_a_lake_that_was_there_before_the_table_goes_on(maker: HandoffMaker) -> None:
    maker.add(maker.rows(3))
    run(maker.layout)
    found = status(maker.root)
    assert "coverage" not in found["tables"] and found["committed_handoff"] == 1
    maker.add(maker.rows(2), coverage=[counted("1.0", 2, 2)])
    assert status(maker.root)["tables"]["coverage"]["handoff"] == 0
    run(maker.layout)
    maker.add(maker.rows(1))  # an older telltale-lake for a while
    maker.add(maker.rows(1), coverage=[counted("1.0", 1, 1)])
    run(maker.layout)
    found = status(maker.root)
    assert found["committed_handoff"] == 4 and found["pending_handoffs"] == 0
    assert summed(maker.root) == [("1.0", 3, 3)]


def test_what_an_older_committer_took_is_not_waited_for(maker: HandoffMaker) -> None:
    maker.add(maker.rows(3), coverage=[counted("1.0", 3, 3)])
    run(maker.layout)
    maker.add(maker.rows(2), coverage=[counted("1.0", 2, 2)])
    place = maker.layout.handoff(2)
    whole = json.loads(place.read_text())
    # It leaves `coverage` behind and removes the hand-off once there is a newer one.
    place.write_text(json.dumps(whole | {"tables": whole["tables"][:2]}))
    committer = Committer(maker.layout)
    committer._without_files = lambda *_: None
    committer.run_once()
    committer.close()
    place.unlink()
    maker.add(maker.rows(1), coverage=[counted("1.0", 1, 1)])
    run(maker.layout)
    assert summed(maker.root) == [("1.0", 4, 4)]
    assert status(maker.root)["committed_handoff"] == 3


# Firmware in order.


def test_firmware_is_ordered_by_its_numbers() -> None:
    names = ["1.9.0", "1.10.0-rc1", "1.10.0", "1.10.1", "2", "10.0"]
    shuffled = names[:]
    random.Random(3).shuffle(shuffled)
    assert [f.name for f in sorted(map(Firmware, shuffled))] == names
    assert not Firmware(None).is_ordered and not Firmware("nightly").is_ordered
    assert Firmware("1.0").is_ordered


# Stopped.


def field(firmware: str, reports: int, present: int, number: int = 12, **more) -> FieldCoverage:
    parts = {
        "firmware": Firmware(firmware),
        "field": number,
        "name": f"field_{number}",
        "columns": (f"field_{number}",),
        "reports": reports,
        "present": present,
        "out_of_range": 0,
        "wrong_type": 0,
        "conversion_failed": 0,
        "first_seen": None,
        "last_seen": None,
    }
    return FieldCoverage(**(parts | more))


def flagged(*rows: FieldCoverage) -> list[str]:
    return [flag.firmware for flag in stopped(rows)]


def test_a_field_that_a_newer_firmware_never_sends_is_flagged() -> None:
    assert flagged(field("1.10", 1000, 0), field("1.9", 1000, 50)) == ["1.10"]
    assert flagged(field("1.0", 500, 500), field("1.1", 5000, 0), field("1.2", 5000, 0)) == [
        "1.1", "1.2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "rows",
    [
        [field("1.9", 1000, 50), field("1.10", 999, 0)],  # too few reports to tell
        [field("1.9", 1000, 49), field("1.10", 1000, 0)],  # rare before
        [field("1.9", 199, 199), field("1.10", 1000, 0)],  # too few before
        [field("1.9", 1000, 1000), field("1.10", 1000, 1)],  # rarer, but there
        [field("1.9", 1000, 0), field("1.10", 1000, 1000)],  # the newer one is richer
        [field("1.9", 1000, 1000), field("1.10", 1000, 0, out_of_range=1000)],  # it is sent
        [field("1.9", 1000, 1000), field("nightly", 1000, 0)],  # no newer nor older
    ],
)
def test_what_is_not_a_field_that_stopped(rows: list[FieldCoverage]) -> None:
    assert flagged(*rows) == []
    assert flagged(*reversed(rows)) == []


def test_a_field_whose_successor_feeds_its_column_has_not_stopped() -> None:
    old = [field("1.0", 1000, 900), field("2.0", 1000, 0)]
    new = [field(f, 1000, n, 97, columns=("field_12",)) for f, n in (("1.0", 0), ("2.0", 900))]
    assert flagged(*old, *new) == []
    gone = field("2.0", 1000, 0, 97, columns=("field_12",))
    assert flagged(*old, gone) == ["2.0"]


# Unit jumps.


def values(
    firmware: str, sample: list[float], column: str = "x", count: int | None = None
) -> Values:
    ordered = sorted(sample)
    quantiles = [ordered[round(q * (len(ordered) - 1))] for q in QUANTILES]
    return Values(Firmware(firmware), column, count or len(ordered), tuple(quantiles))


def speeds(seed: int, count: int = 500) -> list[float]:
    dice = random.Random(seed)
    return [dice.gauss(60, 15) for _ in range(count)]


def kinds(found: tuple) -> list[tuple[str, str]]:
    return [(flag.firmware, flag.detail.split(" (")[0]) for flag in found[0]]


@pytest.mark.parametrize("conversion", CONVERSIONS, ids=lambda c: c.name)
def test_each_known_conversion_is_told_from_the_values(conversion) -> None:
    unit = next(iter(sorted(conversion.units)), "")
    sent = [v * conversion.scale + conversion.offset for v in speeds(2)]
    found = unit_jumps([values("1.0", speeds(1)), values("1.1", sent)], {"x": unit})
    (flag,) = found[0]
    assert flag.kind == "unit_jump" and flag.firmware == "1.1" and flag.of == "x"
    assert conversion.name in flag.detail or not unit


@pytest.mark.parametrize("seed", range(20))
def test_the_same_signal_of_another_firmware_is_no_jump(seed: int) -> None:
    found = unit_jumps(
        [values("1.0", speeds(seed)), values("1.1", [1.05 * v for v in speeds(seed + 100)])], {}
    )
    assert found == ([], [])


def test_a_jump_by_no_known_factor_is_not_told() -> None:
    doubled = [2.2 * v for v in speeds(2)]
    assert unit_jumps([values("1.0", speeds(1)), values("1.1", doubled)], {}) == ([], [])


def test_a_conversion_of_another_quantity_is_not_told() -> None:
    sent = [1.609344 * v for v in speeds(2)]
    pair = [values("1.0", speeds(1)), values("1.1", sent)]
    assert kinds(unit_jumps(pair, {"x": "km/h"})) == [("1.1", "kilometres for miles")]
    assert unit_jumps(pair, {"x": "kPa"})[0] == []


@pytest.mark.parametrize(
    "old, new",
    [
        (values("1.0", speeds(1), count=199), values("1.1", [10 * v for v in speeds(2)])),
        (values("1.0", speeds(1)), values("1.1", [10 * v for v in speeds(2)], count=199)),
        (values("1.0", [7.0] * 500), values("1.1", [70.0] * 500)),
        (values("1.0", speeds(1)), values("1.1", [600.0] * 500)),
    ],
)
def test_too_few_or_constant_values_are_said_to_be_not_enough(old: Values, new: Values) -> None:
    assert unit_jumps([old, new], {}) == ([], [("1.1", "x")])


def test_a_wrong_firmware_is_no_measure_for_the_next() -> None:
    tenfold = [10 * v for v in speeds(3)]
    found = unit_jumps(
        [values("1.0", speeds(1)), values("1.1", tenfold), values("1.2", tenfold),
         values("1.3", speeds(4))],
        {},
    )  # fmt: skip
    assert kinds(found) == [("1.1", "10 times as much"), ("1.2", "10 times as much")]


def test_older_firmware_versions_are_one_population() -> None:
    low, high = [0.2 * v for v in speeds(1)], [1.8 * v for v in speeds(2)]
    both = sorted(low + high)
    pooled = coverage._pooled([values("1.0", low), values("1.1", high)])
    assert pooled[0] == 1000
    for quartile, share in zip(pooled[1], coverage.QUARTILES):
        below = sum(v <= quartile for v in both) / len(both)
        assert below == pytest.approx(share, abs=0.03)
    assert jump_between(pooled[1], pooled[1]) is None


# The command.


def command(root: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "telltale_lake", "coverage", "--dir", str(root), *arguments],
        env={"PYTHONPATH": str(PACKAGE)}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_command_shows_flags_and_checks(maker: HandoffMaker) -> None:
    (maker.root / "data").mkdir(exist_ok=True)
    nothing = command(maker.root)
    assert nothing.returncode == 2 and "nothing has been committed" in nothing.stderr
    old, new = maker.rows(300), maker.rows(300, vehicle=2, firmware="1.10.0")
    for k, row in enumerate(old):
        row["speed_kmh"] = 40.0 + k % 50
    for k, row in enumerate(new):
        row["speed_kmh"] = (40.0 + k % 50) / 1.609344
    tpms = {"field": 20, "field_name": "tires", "columns": "tires", "value_count": 0}
    maker.add(
        old + new,
        coverage=[
            counted("1.9.0", 2000, 2000),
            counted("1.10.0", 2000, 1500, null_out_of_range=100, conversion_failed=50),
            counted("1.9.0", 2000, 1000, **tpms),
            counted("1.10.0", 2000, 0, **tpms),
        ],
    )
    run(maker.layout)
    shown = command(maker.root)
    assert shown.returncode == 0, shown.stderr
    lines = shown.stdout.splitlines()
    assert lines[2].split()[:9] == [
        "speed_kmh", "1.10.0", "2000", "75.0", "%", "17.5", "%", "100", "50",
    ]  # fmt: skip
    assert any(line.startswith("stopped: firmware 1.10.0, tires: ") for line in lines)
    assert any("unit_jump: firmware 1.10.0, speed_kmh: miles for kilo" in line for line in lines)
    assert command(maker.root, "--check").returncode == 1
    assert command(maker.root, "--check", "--firmware", "1.9.0").returncode == 0
    unknown = command(maker.root, "--firmware", "7")
    assert unknown.returncode == 2 and "1.9.0, 1.10.0" in unknown.stderr
    document = json.loads(command(maker.root, "--json", "--firmware", "1.10.0").stdout)
    assert [flag["kind"] for flag in document["flags"]] == ["stopped", "unit_jump"]
    speed = document["fields"][0]
    assert (speed["null"], speed["conversion_failed"]) == (350, 50)
    assert speed["first_seen"].startswith("2025-11-24T")
