"""The end-to-end tests' fixtures, and a broker that the tests here share. They run in
`make test-full`; `tools/kafka` gets the broker."""

import importlib.util
import pathlib
import sys

import pytest

E2E = pathlib.Path(__file__).resolve().parents[1] / "e2e"
sys.path.insert(0, str(E2E))

from kafka_broker import Broker, fetch  # noqa: E402

spec = importlib.util.spec_from_file_location("e2e_conftest", E2E / "conftest.py")
e2e = importlib.util.module_from_spec(spec)
spec.loader.exec_module(e2e)
new_installation = e2e.new_installation
drives = e2e.drives
pytest_runtest_makereport = e2e.pytest_runtest_makereport


@pytest.fixture(scope="session", autouse=True)
def jars():
    fetch()


@pytest.fixture(scope="session")
def broker(tmp_path_factory):
    """One broker for all tests that only use it."""
    with Broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture
def own_broker(tmp_path):
    """A broker that the test may kill."""
    with Broker(tmp_path / "broker") as running:
        yield running
