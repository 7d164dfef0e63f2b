"""What every end-to-end test can ask for."""

import os
import pathlib

import pytest

from telltale import TELLTALE, Installation

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Lets a fixture see whether its test failed: item.failed."""
    report = yield
    item.failed = getattr(item, "failed", False) or report.failed
    return report


@pytest.fixture
def new_installation(request):
    """new_installation() makes an Installation that ends with the test, in a folder of its own."""
    assert TELLTALE.exists(), f"there is no {TELLTALE}: run `make build` first"
    made = []

    def new():
        made.append(Installation())
        return made[-1]

    yield new
    failed = getattr(request.node, "failed", False)
    try:
        for installation in made:
            if failed:
                installation.end_everything()
            else:
                installation.stop()
    except BaseException:
        failed = True
        raise
    finally:
        for installation in made:
            installation.end_everything()
            if failed:
                print(f"kept for looking: {installation.dir} and {installation.log_path}")
            else:
                installation.remove()


@pytest.fixture
def installation(new_installation):
    """A served installation with short cadences, stopped when the test ends."""
    return new_installation().init(lake__cadence_s=1).start()


@pytest.fixture(scope="session")
def drives():
    """The folder with recorded drives; tests on them are skipped where it is absent."""
    folder = pathlib.Path(os.environ.get("TELLTALE_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("TELLTALE_DATA is absent: no recorded drives on this machine")
    return folder
