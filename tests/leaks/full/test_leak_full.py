"""The same promise over a longer life: more cars, every role killed three times while they drive,
features computed, also by a candidate, the vault asked, what the system shows of each process."""

import os
import signal

import accounts
import pytest
from leak_run import LeakRun
from place_scanner import CanaryScan
from telltale import ROLES
from waiting import wait_for

SEED = 20260108
KILLS = 3


@pytest.fixture(scope="module")
def run(request, tmp_path_factory):
    with LeakRun(tmp_path_factory.mktemp("leaks"), SEED, 8) as run:
        run.start_fleet(60, 15)
        run.drive(KILLS)
        run.ask()
        run.core_limits = run.processes()
        accounts.python(run.installation, "features", "run", "--quiet")
        run.shadow()
        refs = accounts.references(run.installation)
        run.rows = accounts.vault_rows(run.installation, refs[run.secrets[0].vin], "C-1")
        yield run
        run.keep = request.session.testsfailed > 0
        run.installation.stop()


def test_what_the_vault_answered_holds_every_secret_and_the_scan_sees_it(run, tmp_path):
    """The audited path is the one way out: what leaves by it is what the scan looks for."""
    assert run.rows
    (tmp_path / "answer").write_text(repr(run.rows), encoding="utf-8")
    hits = CanaryScan(run.canaries).folder(tmp_path).report.hits
    assert {"place 0", "driver 0", "odometer 0"} <= {hit["canary"] for hit in hits}


def test_no_process_keeps_a_core_file(run):
    assert set(run.core_limits) == set(ROLES)
    for role in ("gateway", "vault"):  # the two that hold positions in clear
        assert run.core_limits[role] == ("0", "0"), role


def test_a_role_that_aborts_leaves_nothing_behind(run):
    before = run.installation.process_of("gateway")
    before_vault = run.installation.process_of("vault")
    for process in (before, before_vault):
        os.kill(process.pid, signal.SIGABRT)
    run.installation.wait_restarted("gateway", before)
    run.installation.wait_restarted("vault", before_vault)
    wait_for("both to count again", lambda: run.installation.counters("vault"))
    assert not list(run.installation.dir.rglob("core*.[0-9]*"))


def test_no_canary_lies_anywhere_in_any_form(run):
    report = run.scan()
    assert report.hits == []
    assert report.unread == []


def test_no_position_of_the_fleet_lies_anywhere(run):
    assert run.fleet_hits() == []
