"""tests/shows/run tells pass, fail and skip apart, keeps what it saw, and fails as a show does."""

import json
import os
import subprocess
import sys

import pytest
from loading import ROOT


@pytest.fixture
def shows(tmp_path):
    """shows({name: shell text}, *arguments) -> (exit status, printed text, results)."""
    folder = tmp_path / "shows"
    folder.mkdir()

    def run(scripts, *arguments, limit_s=60):
        for name, text in scripts.items():
            (folder / name).write_text("#!/bin/sh\n" + text, encoding="utf-8")
            (folder / name).chmod(0o755)
        done = subprocess.run(
            [sys.executable, ROOT / "tests/shows/run", "--folder", folder, *arguments],
            capture_output=True, text=True, check=False, timeout=60,
            env={**os.environ, "OUT": str(tmp_path / "out"), "SHOW_LIMIT_S": str(limit_s)})
        results = tmp_path / "out" / "shows" / "fake.json"
        return (done.returncode, done.stdout + done.stderr,
                json.loads(results.read_text(encoding="utf-8")) if results.exists() else None)
    return run


SCRIPTS = {
    "fake-02-second": "echo not today; exit 77\n",
    "fake-01-first": 'echo working; echo \'{"p99_ms": 4, "n": [1]}\'\n',
    "fake-03-third": 'echo \'{"early": 1}\'; echo boom >&2; exit 3\n',
    "other-01-else": "exit 9\n",
    "notes.md": "exit 9\n",
}


def test_runs_one_area_in_order_and_fails_when_one_does(shows):
    status, printed, results = shows(SCRIPTS, "--area", "fake")
    assert status == 1
    assert [(entry["line"], entry["name"], entry["status"]) for entry in results] == [
        (1, "first", "pass"), (2, "second", "skip"), (3, "third", "fail")]
    assert results[0]["figures"] == {"p99_ms": 4, "n": [1]}
    assert results[1]["figures"] == {}
    assert results[0]["command"] == "make shows AREA=fake SHOW=01"
    assert set(results[0]) == {"line", "name", "status", "seconds", "figures", "command", "commit"}
    assert "boom" in printed and "not today" in printed


def test_one_show_alone_replaces_only_its_own_result(shows):
    shows(SCRIPTS, "--area", "fake")
    status, _, results = shows({"fake-03-third": "exit 0\n"}, "--area", "fake", "--show", "03")
    assert status == 0
    assert [entry["status"] for entry in results] == ["pass", "skip", "pass"]


def test_a_show_gets_out_and_build_and_no_input(shows):
    status, printed, _ = shows({"fake-01-env": 'read x || echo "at end"; echo "$OUT $BUILD"\n'},
                               "--area", "fake")
    assert status == 0
    assert "at end" in printed
    assert "/out " in printed and "/build/dev" in printed


def test_a_show_that_hangs_is_stopped_with_all_it_started_and_fails(shows, tmp_path):
    script = f'exec 2>/dev/null; tail -f /dev/null & echo $! > {tmp_path}/pid; wait\n'
    status, printed, results = shows({"fake-01-hang": script}, "--area", "fake", limit_s=1)
    assert status == 1
    assert results[0]["status"] == "fail"
    assert "took longer" in printed
    pid = int((tmp_path / "pid").read_text(encoding="utf-8"))
    state = "gone"
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            state = stat.read().rsplit(") ", 1)[1][0]
    except FileNotFoundError:
        pass
    assert state in ("gone", "Z", "X")


def test_an_unknown_area_is_refused_with_what_there_is(shows):
    status, printed, results = shows(SCRIPTS, "--area", "nothing")
    assert status == 2
    assert "fake 01" in printed
    assert results is None
