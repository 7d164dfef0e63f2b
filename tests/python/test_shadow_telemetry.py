"""A candidate's contract over the records that are kept, with a real log and telltale-lake."""

from __future__ import annotations

import json
import os
import struct
import subprocess
from pathlib import Path

import pytest

import telltale_lake
from telltale_lake import shadow, shadow_features, shadow_telemetry
from telltale_lake.cli import main
from telltale_lake.commit import Committer
from telltale_lake.erase import erase
from telltale_lake.layout import Layout
from telltale_lake.lots import Order
from telltale_lake.shadow import ShadowError
from test_features import HOURLY

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("BUILD", ROOT / "build" / "dev")).absolute()
LAKE = BUILD / "libexec" / "telltale" / "telltale-lake"
MAKE_LOG = BUILD / "test" / "lake_make_log"
CONTRACT = BUILD / "share" / "telltale" / "contract.desc"
CANDIDATE = "d" * 64  # its contract's digest, and its own id
ORDER = Order("r-9")
SLOWEST_REFUSED = 60.0


def tighter(descriptor: bytes) -> bytes:
    """The contract with another upper end of speed_kmh's range."""
    at = descriptor.index(b"\x0a\x09speed_kmh\x18\x0a")  # field 10 of Report
    bound = struct.pack("<d", 400.0)
    place = descriptor.index(bound, at)
    assert place - at < 200
    new = struct.pack("<d", SLOWEST_REFUSED)
    return descriptor[:place] + new + descriptor[place + len(bound) :]


def make_log(root: Path, reports: int, *more: str) -> None:
    command = [MAKE_LOG, root, "--contract", CONTRACT, "--vehicles", "24", "--reports", reports]
    subprocess.run(list(map(str, [*command, *more])), check=True, stdout=subprocess.DEVNULL)


def into_tables(root: Path) -> None:
    subprocess.run([LAKE, "--dir", root, "--once"], check=True, stderr=subprocess.DEVNULL)
    committer = Committer(Layout(root))
    try:
        committer.run_once()
    finally:
        committer.close()


@pytest.fixture
def site(tmp_path):
    make_log(tmp_path, 40)
    contracts = tmp_path / "data" / "contracts"
    (contracts / f"{CANDIDATE}.desc").write_bytes(tighter(CONTRACT.read_bytes()))
    into_tables(tmp_path)
    return tmp_path


def run(root: Path, cohort: int = 5001, **more) -> dict:
    more = {"order": ORDER, "contract": CANDIDATE, "program": LAKE, **more}
    plan = shadow_telemetry.Plan(release=CANDIDATE, lots=cohort, **more)
    return shadow_telemetry.run(Layout(root), plan)


def rows_of(root: Path, name: str) -> list[dict]:
    table = telltale_lake.catalog(root).load_table(name)
    return sorted(table.scan().to_arrow().to_pylist(), key=repr)


def stable_of(root: Path, cohort: int = 5001) -> list[dict]:
    rows = rows_of(root, "telltale.telemetry")
    chosen = set(ORDER.below(cohort, {row["vehicle_ref"] for row in rows}))
    return [row for row in rows if row["vehicle_ref"] in chosen]


SHADOW = "shadow." + shadow.table_name(CANDIDATE, "telemetry")


def test_the_cohorts_rows_are_converted_by_the_candidates_contract_and_compared(site) -> None:
    stable = stable_of(site)
    too_fast = [row for row in stable if row["speed_kmh"] > SLOWEST_REFUSED]
    assert 0 < len(too_fast) < len(stable) < len(rows_of(site, "telltale.telemetry"))
    (told,) = run(site)["tables"]
    found = told["comparison"]
    assert (found["changed"], found["same"]) == (len(too_fast), len(stable) - len(too_fast))
    assert (found["missing"], found["extra"]) == (0, 0)
    (column,) = found["columns"]
    assert (column["name"], column["null_in_candidate"]) == ("speed_kmh", len(too_fast))
    assert told["candidate"]["counts"]["drops_total.lake.out_of_range"] >= len(too_fast)
    wanted = []
    for row in stable:
        row = {**row, "release": CANDIDATE, "computed_by": CANDIDATE}
        if row["speed_kmh"] > SLOWEST_REFUSED:
            row["speed_kmh"] = None
        wanted.append(row)
    assert rows_of(site, SHADOW) == sorted(wanted, key=repr)


def test_the_installations_own_lake_is_as_it_was(site) -> None:
    layout = Layout(site)

    def state() -> dict[str, bytes]:
        places = [layout.handoffs, site / "data" / "positions", site / "run"]
        files = [path for place in places for path in place.rglob("*") if path.is_file()]
        return {str(path): path.read_bytes() for path in files}

    before = state()
    assert before
    run(site)
    assert state() == before
    assert not list(layout.lake.glob(".shadow-*"))
    # And it goes on from where it was.
    make_log(site, 20, "--more", "--seed", "2")
    into_tables(site)
    assert len(rows_of(site, "telltale.telemetry")) == 24 * 60


def test_a_run_replaces_the_rows_of_its_offsets_and_a_cohort_grows(site) -> None:
    run(site, 2001)
    run(site, 8001)
    whole = rows_of(site, SHADOW)
    assert {row["vehicle_ref"] for row in whole} == {
        row["vehicle_ref"] for row in stable_of(site, 8001)
    }
    middle = json.loads((Layout(site).shadow_reports / CANDIDATE / "telemetry.json").read_text())
    since = [end // 2 for end in middle["as_of"]["to"]]
    report = run(site, 8001, since=tuple(since))
    assert report["as_of"]["from"] == since
    assert 0 < report["tables"][0]["comparison"]["rows_stable"] < len(whole)
    assert rows_of(site, SHADOW) == whole


def test_records_that_retention_removed_are_no_difference(site) -> None:
    make_log(site, 1500, "--more", "--seed", "3")
    into_tables(site)
    for shard in (site / "data" / "log" / "telemetry").iterdir():
        segments = sorted(shard.glob("*.seg"))
        assert len(segments) > 1
        segments[0].unlink()
    report = run(site, contract="0" * 62 + "cc")
    assert min(report["as_of"]["from"]) > 0
    found = report["tables"][0]["comparison"]
    assert 0 < found["same"] == found["rows_stable"] == found["rows_candidate"]
    assert found["vehicles_affected"] == 0


def test_features_can_read_the_candidates_telemetry_over_the_same_offsets(site) -> None:
    """What lies downstream of a changed contract is compared too, in the same words of SQL."""
    run(site)
    place = site / "features"
    place.mkdir()
    (place / "hourly.sql").write_text(HOURLY)
    asked = {"release": CANDIDATE, "order": ORDER, "features": place, "stable_features": place}
    make_log(site, 20, "--more", "--seed", "4")  # later rows are in neither
    into_tables(site)
    over = shadow_features.Plan(lots=5001, over_shadow=True, **asked)
    report = shadow_features.run(Layout(site), over)
    found = report["tables"][0]["comparison"]
    assert [c["name"] for c in found["columns"]] == ["fastest"]
    assert found["missing"] == found["extra"] == 0 and found["changed"] > 0
    assert found["rows_stable"] == len({r["vehicle_ref"] for r in stable_of(site)})
    computed = rows_of(site, f"shadow.{shadow.table_name(CANDIDATE, 'hourly')}")
    assert max(row["fastest"] for row in computed) <= SLOWEST_REFUSED
    for wrong in ({"lots": 9000}, {"lots": 100, "order": Order("another")}):
        plan = shadow_features.Plan(over_shadow=True, **{**asked, **wrong})
        with pytest.raises(ShadowError, match="shadow telemetry"):
            shadow_features.run(Layout(site), plan)


def test_an_erased_vehicle_is_in_no_shadow_of_before_or_after(site) -> None:
    run(site)
    gone = stable_of(site)[0]["vehicle_ref"]
    receipt = erase(site, gone, wait_s=0)
    assert {s.table: s.rows for s in receipt.stores}[SHADOW] == 40
    assert gone not in {row["vehicle_ref"] for row in rows_of(site, SHADOW)}
    report = run(site)
    assert gone not in {row["vehicle_ref"] for row in rows_of(site, SHADOW)}
    assert gone not in json.dumps(report)


def test_what_cannot_be_done_is_said_and_writes_nothing(site, capfd) -> None:
    with pytest.raises(ShadowError, match="not in"):
        run(site, contract="1" * 64)
    with pytest.raises(ShadowError, match="offsets"):
        run(site, since=(1, 2))
    broken = site / "data" / "contracts" / f"{'2' * 64}.desc"
    broken.write_bytes(b"no contract")
    with pytest.raises(ShadowError, match="telltale-lake"):
        run(site, contract="2" * 64)
    arguments = ["shadow", "telemetry", "--dir", str(site), "--release", CANDIDATE, "--order",
                 '{"salt": "r-9"}', "--lots", "1", "--quiet"]  # fmt: skip
    assert main(arguments) == 1  # the release is not installed, and no contract was named
    assert "not installed" in capfd.readouterr().err
    assert shadow.listed(Layout(site)) == []
    assert main([*arguments, "--contract", CANDIDATE, "--program", str(LAKE)]) == 0
    assert "telemetry" in capfd.readouterr().out
