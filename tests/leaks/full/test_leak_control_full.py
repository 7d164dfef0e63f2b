"""The positive control in full: every form in every sink under every escape."""

import planting
import pytest
from place_forms import Canaries
from place_scanner import CanaryScan
from place_search import Search

CANARIES = Canaries(places=planting.PLACES)


@pytest.fixture(scope="module")
def search():
    return Search(CANARIES)


@pytest.mark.parametrize("sink, escape", planting.COMBINATIONS)
def test_every_form_is_found_in_every_sink_under_every_escape(search, tmp_path, sink, escape):
    scan = CanaryScan(CANARIES)
    scan.search = search
    assert not planting.missed(tmp_path, sink, escape, scan)
