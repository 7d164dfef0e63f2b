"""`telltale up` driven by a test: a trial file of its own, in a short folder."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import processes
from telltale import TELLTALE
from waiting import wait_for

READY_S = 150
STOP_S = 60
WITHOUT = "[lake, committer, vault]"


class Trial:
    """A folder with trial.yaml and what `telltale up` makes of it."""

    def __init__(self, text):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="up-", dir="/tmp"))
        self.data = self.folder / "t"
        self.file = self.folder / "trial.yaml"
        self.file.write_text(text, encoding="utf-8")
        self.log = self.folder / "up.log"
        self.process = None

    def start(self):
        (self.data / "run" / "ready").unlink(missing_ok=True)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [TELLTALE, "up", "-f", self.file, "--data", self.data], stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT)
        wait_for(f"{self.data}/run/ready", self._ready, READY_S)
        return self

    def _ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"telltale up ended with {self.process.returncode}: {self.text()}")
        return (self.data / "run" / "ready").exists()

    def text(self):
        return self.log.read_text(encoding="utf-8", errors="replace")[-4000:]

    def state(self):
        return json.loads((self.data / "up.json").read_text(encoding="utf-8"))

    def environment(self, key):
        return next(one for one in self.state()["environments"] if one["key"] == key)

    def family(self):
        """Everything that runs for it, however deep."""
        return [one for one in processes.everything() if str(self.data) in one.command]

    def stop(self):
        family = self.family()
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(timeout=STOP_S)
        assert status == 0, self.text()
        assert [one for one in family if one.runs()] == []

    def end_everything(self):
        for one in self.family():
            if one.runs():
                os.kill(one.pid, signal.SIGKILL)
        if self.process is not None:
            self.process.wait()

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)
