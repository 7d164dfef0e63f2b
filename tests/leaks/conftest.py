"""The scanner and the end-to-end tools, for everything below."""

import os
import pathlib
import sys
import tempfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [
    str(ROOT / "tests" / "leaks"),
    str(ROOT / "tests" / "e2e"),
    str(ROOT / "tools"),
]


@pytest.fixture
def tmp_path(tmp_path):
    """In memory where that can be: the control writes thousands of small files, which would wait
    for every sync of the installations that are tested beside it."""
    memory = pathlib.Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield pathlib.Path(folder)
