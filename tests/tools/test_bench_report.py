"""The bench's table says what was measured, and which budgets that meets."""

import json
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "bench")]

import budgets  # noqa: E402
import report  # noqa: E402

MACHINE = {"cores": 2, "cpu": "a processor", "memory_gib": 8.0, "kernel": "6", "load_before": 0.1,
           "commit": "abc"}  # fmt: skip


def results(tmp_path, *lines):
    head = {"machine": MACHINE, "command": "make bench", "runs": 3, "at": "now"}
    path = tmp_path / "bench.json"
    path.write_text("\n".join(map(json.dumps, [head, *lines])), encoding="utf-8")
    return report.read(path)


def door(system, run, **values):
    return {"row": "door", "system": system, "run": run, "values": values}


def test_the_figure_is_the_median_with_the_least_and_the_most_behind_it(tmp_path):
    read = results(tmp_path, *(door("telltale", n, sustained_per_s=s, p50_ms=1, p99_ms=2,
                                    p999_ms=3, max_ms=4)
                               for n, s in enumerate((300_000, 120_000, 200_000))))  # fmt: skip
    assert "200 k (120 k–300 k)" in report.render(read).text


def test_a_budget_that_is_not_met_is_said_and_told_apart_from_one_not_measured(tmp_path):
    slow = {"row": "parquet", "system": "telltale", "run": 0,
            "values": {"rows_per_cpu_s": 1000, "rows_per_s": 900, "bytes_per_row": 20}}  # fmt: skip
    verdicts = {row.name: met for row, _, met in report.verdicts(results(tmp_path, slow))}
    assert verdicts["parquet"] is False
    assert verdicts["door"] is None
    text = report.render(results(tmp_path, slow)).text
    assert "NOT MET" in text and "not measured" in text


def test_a_peer_that_is_not_installed_is_in_the_table_with_what_to_do(tmp_path):
    read = results(
        tmp_path,
        door("telltale", 0, sustained_per_s=1, p50_ms=1, p99_ms=2, p999_ms=3, max_ms=4),
        door("mosquitto", 0, missing="not installed: apt install mosquitto"),
    )
    assert "apt install mosquitto" in report.render(read).text


def test_ratios_are_ours_by_theirs(tmp_path):
    read = results(
        tmp_path,
        door("telltale", 0, sustained_per_s=300_000),
        door("redis-always", 0, sustained_per_s=150_000),
    )
    (theirs,) = [row for row in report.door_rows(read) if row[0] == "redis-always"]
    assert theirs[2] == "2.00"


def test_the_table_replaces_what_is_between_the_markers_and_nothing_else(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n", encoding="utf-8")
    report.into_page("new\n", page)
    assert page.read_text("utf-8") == f"before\n{report.BEGIN}\nnew\n{report.END}\nafter\n"
    page.write_text("no markers", encoding="utf-8")
    with pytest.raises(SystemExit):
        report.into_page("new\n", page)


RUN = {"overrun": False, "acked": 100, "sent": 100, "p99_ms": 99.9, "backlog_at_end": 10,
       "rate": 100}  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [{"overrun": True}, {"acked": 99}, {"p99_ms": 100}, {"backlog_at_end": 11}],
)
def test_a_rate_is_sustained_only_in_time_and_without_a_backlog(change):
    assert budgets.is_sustained(RUN)
    assert not budgets.is_sustained({**RUN, **change})


def test_every_row_of_the_design_is_measured_or_said_not_to_be():
    assert {row.name for row in budgets.ROWS if row.budget is not None} == {
        "hot_path", "door", "everything", "alert", "parquet", "idle"}  # fmt: skip
    assert all(why for _, _, why in budgets.NOT_YET)
