"""The page in a headless Chromium, against a control that answers what a test wants. Screenshots
go to OUT/page."""

import os
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
for folder in (HERE, HERE.parent / "e2e"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from browser import Browser  # noqa: E402
from control_double import Control  # noqa: E402


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    running = Browser(tmp_path_factory.mktemp("profile"))
    yield running
    running.close()


@pytest.fixture
def control():
    with Control() as running:
        yield running


@pytest.fixture
def open_page(browser, control):
    """Gives signed-in tabs; afterwards nothing may have gone wrong in them that was not wanted."""
    tabs = []

    def new(token=control.token, wanted="#rollout .stages, #environments .nothing", **options):
        tab = browser.tab(**options)
        tabs.append(tab)
        tab.goto(control.url + "/")
        tab.wait("!document.getElementById('sign-in').hidden")
        if token:
            tab.type("#token", token)
            tab.press("Enter", number=13)
            tab.wait(f"document.querySelector('{wanted}') !== null")
        return tab
    yield new
    for tab in tabs:
        tab.close()
        assert tab.faults == []
        outside = [url for url, _ in tab.requests
                   if not url.startswith(control.url) and not url.startswith("about:")]
        assert outside == []


@pytest.fixture(scope="session")
def pictures():
    folder = pathlib.Path(os.environ.get("OUT", HERE.parents[1] / "out")) / "page"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
