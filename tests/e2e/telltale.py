"""One Telltale installation driven by a test: made, served, looked into, killed, stopped."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile

import processes
from waiting import wait_for, wait_for_file

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build" / "dev")).absolute()
TELLTALE = BUILD / "bin" / "telltale"

# Role -> what its command line has. The supervisor's children and nothing else are looked at.
ROLES = {
    "operations": re.compile(r"\brole operations\b"),
    "registry": re.compile(r"\brole registry\b"),
    "gateway": re.compile(r"\brole gateway\b"),
    "publisher": re.compile(r"\brole publisher\b"),
    "worker": re.compile(r"/telltale-worker\b"),
    "lake": re.compile(r"/telltale-lake\b"),
    "committer": re.compile(r"-m telltale_lake commit\b"),
    "vault": re.compile(r"/telltale-vault\b"),
    "gate": re.compile(r"\brole gate\b"),
}
# Run beside them where the streams are on Kafka, control.http is on, releases were pushed.
MORE_ROLES = {
    "lake-feed": re.compile(r"\brole lake-feed\b"),
    "control": re.compile(r"\brole control\b"),
    # A release that was pushed brings its engine; the one that init made uses telltale-worker.
    "engine": re.compile(r"/data/engines/[0-9a-f]{64} "),
}
READY_S = 60
STOP_S = 20


class Died(AssertionError):
    """`telltale serve` ended by itself; the message has the end of its log."""


class Installation:
    """A folder made by `telltale init` and, between start() and stop(), served.

    All ports are free ones chosen by the system. Use the fixture `installation` (conftest.py),
    which stops it and removes it, and leaves the folder for looking when the test failed.
    """

    def __init__(self, folder=None):
        # A short path: names of local sockets have 107 bytes at most.
        self.dir = pathlib.Path(folder or tempfile.mkdtemp(prefix="telltale-", dir="/tmp"))
        self.log_path = self.dir.parent / f"{self.dir.name}.serve.log"
        self.server = None

    # Making it

    def init(self, *arguments, **settings):
        """Runs `telltale init`; settings as in set()."""
        self.run("init", self.dir, *arguments)
        ports = {"mqtt__port": 0, "feed__port": 0, "operations__port": 0}
        self.set(**{**ports, **settings})
        return self

    def set(self, **settings):
        """Changes telltale.yaml: set(lake__cadence_s=1) sets cadence_s in the section lake."""
        path = self.dir / "telltale.yaml"
        lines = path.read_text(encoding="utf-8").splitlines()
        for name, value in settings.items():
            section, _, key = name.rpartition("__")
            within = ""
            for number, line in enumerate(lines):
                if re.match(r"\w+:", line):
                    within = "" if not section else line.split(":", 1)[0]
                if within == section and re.match(rf"\s*{key}:", line):
                    indent = re.match(r"\s*", line)[0]
                    lines[number] = f"{indent}{key}: {json.dumps(value)}"
                    break
            else:
                raise KeyError(f"{name.replace('__', '.')} is not in {path}")
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def run(self, *arguments, timeout_s=60, check=True, **options):
        """Runs `telltale ARGUMENTS` to its end; what it printed is in the result."""
        done = subprocess.run([TELLTALE, *map(str, arguments)], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=timeout_s, check=False,
                              **options)
        if check and done.returncode != 0:
            raise AssertionError(f"telltale {arguments[0]} ended with {done.returncode}:\n"
                                 f"{done.stdout}{done.stderr}")
        return done

    # Serving

    def start(self, *arguments):
        """Starts `telltale serve` and returns when every role runs."""
        assert self.server is None, "it is already served"
        self.ready_path.unlink(missing_ok=True)
        with open(self.log_path, "ab") as log:
            self.server = subprocess.Popen(
                [TELLTALE, "serve", self.dir, *map(str, arguments)], stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT)
        wait_for(f"{self.ready_path}\n{self.log_end()}", self._ready, READY_S)
        return self

    def _ready(self):
        if self.server.poll() is not None:
            raise Died(f"telltale serve ended with {self.server.returncode}:\n{self.log_end()}")
        return self.ready_path.exists()

    def stop(self):
        """Sends SIGTERM and proves that nothing of it runs any more."""
        if self.server is None:
            return
        family = self.family()
        self.server.send_signal(signal.SIGTERM)
        try:
            status = self.server.wait(timeout=STOP_S)
            left = [process for process in set(family) | set(self.strays()) if process.runs()]
            assert not left, f"still running after SIGTERM: {left}"
            assert status == 0, f"telltale serve ended with {status}:\n{self.log_end()}"
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running {STOP_S} s after SIGTERM: {self.family()}\n"
                                 f"{self.log_end()}") from None
        finally:
            self.end_everything(family)

    def end_everything(self, family=()):
        """Kills what is left of it; for when a test has failed."""
        if self.server is not None:
            family = {*family, *self.family(), *self.strays()}
        for process in family:
            if process.runs():
                os.kill(process.pid, signal.SIGKILL)
        if self.server is not None:
            if self.server.poll() is None:
                self.server.kill()
            self.server.wait()
        wait_for("killed processes to be gone",
                 lambda: not any(process.runs() for process in family))
        self.server = None

    def family(self):
        """Every process below the supervisor."""
        return processes.descendants(self.server.pid)

    def strays(self):
        """Every process with this folder in its command line that is not the test's own child."""
        return [process for process in processes.everything() if str(self.dir) in process.command
                and os.getpid() not in (process.pid, process.parent)]

    def process_of(self, role):
        """The process of a role, or None while it is not running."""
        wanted = {**ROLES, **MORE_ROLES}[role]
        found = [process for process in self.family() if wanted.search(process.command)]
        return found[0] if found else None

    def kill(self, role):
        """kill -9 of a role; returns what was killed."""
        process = wait_for(f"a process of {role}", lambda: self.process_of(role))
        os.kill(process.pid, signal.SIGKILL)
        wait_for(f"{role} ({process.pid}) to be gone", lambda: not process.runs())
        return process

    def wait_restarted(self, role, before):
        """Waits until another process than `before` has the role; returns it."""
        def restarted():
            now = self.process_of(role)
            return now if now and now != before else None
        return wait_for(f"{role} to be started again", restarted)

    # Looking into it

    @property
    def ready_path(self):
        return self.dir / "run" / "ready"

    @property
    def data(self):
        return self.dir / "data"

    def port(self, role):
        """The TCP port a role listens on: gateway (MQTT over TLS) or publisher (alert feed)."""
        return int(wait_for_file(self.dir / "run" / f"{role}.port"))

    @property
    def mqtt_port(self):
        return self.port("gateway")

    @property
    def feed_port(self):
        return self.port("publisher")

    def files_of(self, role):
        """What the role's files in run/ are called: of the worker, the stable release's."""
        if role != "worker":
            return role
        told = json.loads(wait_for_file(self.dir / "run" / "releases.json"))
        return next(one["name"] for one in told["releases"] if one["place"] == "stable")

    def counters(self, role):
        """What the role last wrote of its counts (about once a second)."""
        path = self.dir / "run" / "counters" / f"{self.files_of(role)}.json"
        return json.loads(wait_for_file(path))

    def log_end(self, lines=60):
        """The last lines that `telltale serve` and its roles printed."""
        if not self.log_path.exists():
            return ""
        text = self.log_path.read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)
        self.log_path.unlink(missing_ok=True)
