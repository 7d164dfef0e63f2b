"""tools/gate-tables fills docs/gate.md from the simulation's JSON, every table and nothing else."""

import re

from loading import ROOT, load

tables_tool = load("gate_tables", "tools/gate-tables")


def row(name, **more):
    return {"case": name, "vehicles": 1000, "days": 7, "runs": 1000, "halted": 3,
            "halted_share": 0.003, "halted_low": 0.0006, "halted_high": 0.0087,
            "held": 3, "held_share": 0.003, "held_low": 0.0006, "held_high": 0.0087,
            "vehicles_median": 4600,
            "raised": 3, "raised_share": 0.003, "raised_low": 0.0006, "raised_high": 0.0087,
            "hours_median": 6, "hours_90": 12, "affected_median": 4, "passed": 0, "inside": 1,
            "refused": 0, "vehicle_hours_median": 1500, "vehicle_hours_90": 3400,
            "days_median": 5, **more}


def made():
    side = {"halts_at": 12, "detectable": 0.079, "bound_if_clean": 0.0169}
    detected = {"vehicles": 200} | {f"{name}_{key}": value for name in ("missing", "extra")
                                    for key, value in side.items()}
    return {"false_halts": [row("a")], "power": [row("b")], "latency": [row("c")],
            "rates": [row("e", margin=1.2, safe=2)], "lots": [row("f", fleet=21000)],
            "updates": [row("d")], "detectable": [detected]}


def test_every_table_is_filled_and_the_rest_is_left():
    page = tables_tool.PAGE.read_text()
    after = tables_tool.filled(page, made())
    assert "| a | 1,000 | 7 | 3 of 1000: 0.3 % (0.06 to 0.87 %) |" in after
    assert "| d | 1,000 | 3 of 1000: 0.3 % (0.06 to 0.87 %) | 1,500 | 3,400 | 5 |" in after
    assert "| e | 1,000 | 1.2 | 3 of 1000: 0.3 % (0.06 to 0.87 %) | 5 | 2 of 1000 |" in after
    assert "| f | 21,000 | 3 of 1000: 0.3 % (0.06 to 0.87 %) | 4,600 |" in after
    assert "| 200 | 12 | 7.9 % | 1.69 % | 12 | 7.9 % | 1.69 % |" in after
    assert strip(after) == strip(page)
    assert tables_tool.filled(after, made()) == after


def test_a_page_without_a_table_is_refused():
    page = tables_tool.PAGE.read_text().replace("<!-- table power -->", "")
    try:
        tables_tool.filled(page, made())
    except SystemExit as refused:
        assert "power" in str(refused)
    else:
        raise AssertionError("a table vanished unseen")


def strip(page):
    return re.sub(r"(<!-- table \S+ -->\n).*?(<!-- end -->)", r"\1\2", page, flags=re.DOTALL)


def test_the_page_has_the_tables_of_the_program():
    program = ROOT / "src/gate/simulation/tables.cc"
    assert set(re.findall(r'tables\["(\w+)"\] = \w+\(', program.read_text())) == set(made())


def test_what_the_program_carries_is_the_table_of_the_page():
    text = tables_tool.header(made())
    assert '    {"a", 1000, 7, 1000, 3, 0.0006, 0.0087},\n' in text
    page = tables_tool.PAGE.read_text()
    for what, vehicles, days, runs, halted in re.findall(
            r'^    {"(.+)", (\d+), (\d+), (\d+), (\d+), ', tables_tool.HEADER.read_text(), re.M):
        assert f"| {what} | {int(vehicles):,} | {days} | {halted} of {runs}: " in page


def test_what_show_5_measured_is_filled_in_alone():
    page = tables_tool.PAGE.read_text()
    told = {"rollouts": 30, "kills": 90, "stops": 200, "arrived": 29, "halted_by_invariant": 0,
            "halted": 0, "low": 0.0, "high": 0.1157}
    after = tables_tool.filled(page, told, {"l0-calibration": tables_tool.l0_calibration})
    assert "| 30 | 90 | 200 | 29 | 0 | 0 (0 to 11.6 %) |" in after
    assert strip(after) == strip(page)
