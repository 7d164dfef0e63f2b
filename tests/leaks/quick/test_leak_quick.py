"""Nothing that a car said of where, who and how far lies anywhere it may not, after a run with
kills. The control of the scanner is test_leak_control.py."""

import pytest
from leak_run import LeakRun

SEED = 20260107


@pytest.fixture(scope="module")
def run(request, tmp_path_factory):
    with LeakRun(tmp_path_factory.mktemp("leaks"), SEED, 3) as run:
        run.start_fleet(20, 4, "--clean")
        run.drive()
        run.ask()
        run.installation.stop()
        yield run
        run.keep = request.session.testsfailed > 0


def test_no_canary_lies_anywhere_in_any_form(run):
    report = run.scan()
    assert report.hits == []
    assert report.unread == []
    assert run.acked > 100 and report.files > 100
    assert report.allowed, "the registry has the VINs: the scan reads what is there"


def test_no_position_of_the_fleet_lies_anywhere(run):
    assert run.fleet_hits() == []
