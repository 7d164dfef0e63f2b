"""For shows written in Python: finds the test library, prints steps and figures."""

import json
import os
import pathlib
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "e2e"), str(ROOT / "tools")]
DATA = pathlib.Path(os.environ.get("TELLTALE_DATA", ROOT.parent / "shared" / "data"))
SKIP = 77

from telltale import Installation  # noqa: E402


def step(words):
    print(words, flush=True)


def skip(words):
    print(f"skipped: {words}", flush=True)
    sys.exit(SKIP)


def figures(**values):
    print(json.dumps(values), flush=True)


def none_of(things, words):
    """Fails, with how many and the first three, unless there are none."""
    if things:
        raise AssertionError(f"{words}: {len(things)}, first {sorted(things)[:3]}")


class Show:
    """A new installation, and a folder for cars outside it; both gone when the show passes."""

    def __init__(self, *init, **settings):
        self._init, self._settings = init, settings

    def __enter__(self):
        self.installation = Installation()
        self._cars = tempfile.TemporaryDirectory(prefix="telltale-cars-", dir="/tmp")
        self.cars = pathlib.Path(self._cars.name)
        self.installation.init(*self._init, **self._settings)
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.installation.stop()
            self.installation.remove()
        else:
            self.installation.end_everything()
            step(f"kept for looking: {self.installation.dir}, {self.installation.log_path}")
        self._cars.cleanup()
