"""The end-to-end helper itself, on a stand-in for `telltale` that is quick and can misbehave."""

import importlib
import sys

import pytest
from loading import ROOT

STAND_IN = f"""\
#!{sys.executable}
import json, os, pathlib, signal, subprocess, sys, threading
command, folder = sys.argv[1], pathlib.Path(sys.argv[2])
if command == "init":
    (folder / "run").mkdir(parents=True)
    (folder / "telltale.yaml").write_text(
        "mqtt:\\n  port: 8883   # any\\nfeed:\\n  port: 8080\\noperations:\\n  port: 9464\\n"
        "lake:\\n  cadence_s: 60\\nusers: auto\\n")
    sys.exit(0)
if "die" in sys.argv:
    sys.exit("no disk left")
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
waits = "import signal; signal.pause()"
def start(*words):
    return subprocess.Popen([sys.executable, "-c", waits, *words])
children = {{"gateway": start("role", "gateway"), "vault": start("/libexec/telltale-vault")}}
(folder / "run" / "gateway.port").write_text("4711\\n")
(folder / "run" / "ready").write_text("")
while not stop.wait(0.02):
    for role, child in children.items():
        if child.poll() is not None:
            children[role] = start(*child.args[3:])
for child in children.values():
    if "leak" not in sys.argv:
        child.kill()
        child.wait()
"""


@pytest.fixture
def telltale(tmp_path, monkeypatch):
    """The helper module, with the stand-in as its `telltale`."""
    program = tmp_path / "build" / "bin" / "telltale"
    program.parent.mkdir(parents=True)
    program.write_text(STAND_IN, encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "e2e"))
    module = importlib.import_module("telltale")
    monkeypatch.setattr(module, "TELLTALE", program)
    return module


@pytest.fixture
def made(telltale, tmp_path):
    installation = telltale.Installation(tmp_path / "it")
    installation.init(lake__cadence_s=1, users="single")
    yield installation
    installation.end_everything()


def test_settings_are_changed_in_their_section(made):
    text = (made.dir / "telltale.yaml").read_text(encoding="utf-8")
    assert text == ("mqtt:\n  port: 0\nfeed:\n  port: 0\noperations:\n  port: 0\n"
                    "lake:\n  cadence_s: 1\n"
                    'users: "single"\n')


def test_a_setting_that_is_not_there_is_refused(made):
    with pytest.raises(KeyError, match="lake.port"):
        made.set(lake__port=1)


def test_it_starts_and_stops_and_leaves_nothing(made):
    made.start()
    family = made.family()
    assert made.mqtt_port == 4711
    assert len(family) == 2
    made.stop()
    assert not [process for process in family if process.runs()]


def test_a_killed_role_is_seen_started_again(made):
    made.start()
    before = made.kill("vault")
    after = made.wait_restarted("vault", before)
    assert after.pid != before.pid
    made.stop()


def test_a_server_that_dies_at_once_is_told_with_its_log(telltale, made):
    with pytest.raises(telltale.Died, match="no disk left"):
        made.start("die")


def test_a_child_that_outlives_the_server_is_a_failure_and_is_ended(made):
    made.start("leak")
    family = made.family()
    with pytest.raises(AssertionError, match="still running after SIGTERM"):
        made.stop()
    assert not [process for process in family if process.runs()]


def test_waiting_in_vain_says_for_what(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "e2e"))
    waiting = importlib.import_module("waiting")
    with pytest.raises(waiting.NotInTime, match="0.05 s for the moon to rise; last seen: 0"):
        waiting.wait_for("the moon to rise", lambda: 0, timeout_s=0.05)
