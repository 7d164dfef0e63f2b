"""tools/check counts what ran, and nothing that broke is counted as passed."""

import sys

import pytest
from loading import load


@pytest.fixture
def check(tmp_path, monkeypatch):
    module = load("telltale_check", "tools/check")
    logs = tmp_path / "check"
    logs.mkdir()
    monkeypatch.setattr(module, "LOGS", logs)
    monkeypatch.setattr(module, "OUT", tmp_path)
    return module


def program(folder, name, text):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n" + text, encoding="utf-8")
    path.chmod(0o755)
    return path


REPORT = """{"testsuites": [{"name": "A", "testsuite": [
 {"name": "good", "status": "RUN", "result": "COMPLETED"},
 {"name": "bad", "status": "RUN", "result": "COMPLETED", "failures": [{"failure": "x"}]},
 {"name": "left out", "status": "RUN", "result": "SKIPPED"},
 {"name": "off", "status": "NOTRUN", "result": "SUPPRESSED"}]}]}"""


def test_cases_of_a_gtest_program_are_counted_one_by_one(check, tmp_path):
    (tmp_path / "log_test.json").write_text(REPORT, encoding="utf-8")
    assert check.count_gtest(tmp_path, "log_test") == check.Tally(1, 1, 2)


def test_a_crashed_gtest_program_left_no_whole_report(check, tmp_path):
    (tmp_path / "log_test.json").write_text(REPORT[:40], encoding="utf-8")
    assert check.count_gtest(tmp_path, "log_test") is None
    assert check.count_gtest(tmp_path, "other_test") is None


CTEST = """add_test(log {good})
add_test(net {crash})
"""


def test_a_unit_program_that_crashes_is_a_failure(check, tmp_path):
    build = tmp_path / "build"
    good = program(build, "log_test", "exit 0\n")
    crash = program(build, "net_test", "kill -SEGV $$\n")
    (build / "CTestTestfile.cmake").write_text(CTEST.format(good=good, crash=crash),
                                               encoding="utf-8")
    log = tmp_path / "unit.log"
    assert check.unit(build, "unit")(log) == check.Tally(1, 1, 0)
    assert "SegFault" in log.read_text(encoding="utf-8")


def test_a_build_without_any_unit_test_is_a_failure(check, tmp_path):
    build = tmp_path / "build"
    build.mkdir()
    (build / "CTestTestfile.cmake").write_text("", encoding="utf-8")
    assert check.unit(build, "unit")(tmp_path / "unit.log").failed == 1


def test_a_pytest_folder_is_counted_from_its_report(check, tmp_path):
    folder = tmp_path / "tests"
    folder.mkdir()
    (folder / "test_a.py").write_text(
        "import pytest\ndef test_a(): pass\ndef test_b(): assert 0\n"
        "def test_c(): pytest.skip('no')\n", encoding="utf-8")
    suite = check.pytest("inner", [str(folder)], limit_s=60)
    assert suite(tmp_path / "inner.log") == check.Tally(1, 1, 1)


def test_a_pytest_folder_without_tests_is_a_failure(check, tmp_path):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_a.py").write_text("", encoding="utf-8")
    suite = check.pytest("inner", [str(tmp_path / "tests")], limit_s=60)
    assert suite(tmp_path / "inner.log").failed == 1


@pytest.mark.parametrize("text, passed", [
    ("echo stat::number_of_executed_units: 12345\n", True),
    ("echo stat::number_of_executed_units: 0\n", False),  # ran, but tried nothing
    ("echo ERROR: libFuzzer: deadly signal; exit 77\n", False),
    ("exit 0\n", False),
], ids=["good", "idle", "crash", "silent"])
def test_a_fuzzer_passes_only_if_it_ran_inputs_and_none_broke_it(check, tmp_path, text, passed):
    tally, line = check.fuzz_one(program(tmp_path / "fuzz-bin", "mqtt_fuzz", text))
    assert tally == (check.PASS if passed else check.FAIL)
    assert line.startswith("mqtt_fuzz: ")


def test_what_takes_too_long_is_stopped_and_fails_with_its_log(check, tmp_path, monkeypatch,
                                                              capsys):
    monkeypatch.setattr(check, "HEARTBEAT_S", 0.05)
    command = [sys.executable, "-uc", "import signal; print('working'); signal.pause()"]
    seconds, tally = check.run_suite("slow", lambda log: check.run(log, command, limit_s=0.2))
    assert tally == check.FAIL
    shown = capsys.readouterr().out
    assert "took longer than 0.2 s" in shown
    assert "working" in shown


def test_a_suite_whose_build_failed_is_not_counted_as_passed(check, monkeypatch, capsys):
    ran = []
    monkeypatch.setattr(check, "SUITES", {"test": [
        ("build", lambda log: check.FAIL, None),
        ("unit", lambda log: ran.append(1) or check.PASS, "build"),
        ("tidy", lambda log: check.PASS, None)]})
    monkeypatch.setattr(sys, "argv", ["check", "test"])
    assert check.main() == 1
    assert not ran
    assert capsys.readouterr().out.splitlines()[-1] == "1 passed, 2 failed, 0 skipped"
