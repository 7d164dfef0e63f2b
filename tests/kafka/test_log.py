"""src/log on a real broker: its contract test, and what brokers do that end under it."""

import os
import subprocess
import threading

import pytest

from telltale import BUILD
from waiting import wait_for

APPEND = BUILD / "test" / "kafka_append"
CONTRACT = BUILD / "test" / "log_kafka_test"


class Appender:
    """A process that appends numbered records as fast as it may, and what it said."""

    def __init__(self, broker, prefix):
        self.process = subprocess.Popen(
            [APPEND, broker.address, prefix],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        self.lines = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.strip())

    def count(self, line):
        return self.lines.count(line)

    def number(self, word):
        """The last N of `word N`."""
        said = [int(line.split()[1]) for line in list(self.lines) if line.startswith(word + " ")]
        return said[-1] if said else 0

    def wait_for_acks(self, more=2000):
        until = self.number("acked") + more
        wait_for("acknowledgements", lambda: self.number("acked") >= until, timeout_s=60)

    def end(self):
        """Stops appending; returns (acknowledged, read back)."""
        self.process.stdin.close()
        assert self.process.wait(timeout=60) == 0, self.lines[-3:]
        self._reader.join(timeout=10)
        return self.number("acked"), self.number("read")

    def kill(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def appender(own_broker):
    running = Appender(own_broker, "ended.")
    yield running
    running.kill()
    print(*[line for line in running.lines if not line.startswith("acked")], sep="\n")


def test_the_contract_holds_on_kafka(broker):
    done = subprocess.run(
        [CONTRACT], env={**os.environ, "TELLTALE_KAFKA_BROKER": broker.address},
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert "SKIPPED" not in done.stdout, "the broker was not used"


def test_a_broker_that_is_killed_stalls_the_log_and_loses_nothing_acknowledged(
    own_broker, appender
):
    appender.wait_for_acks()
    for round_ in range(3):
        own_broker.kill()
        wait_for("the log to stall", lambda r=round_: appender.count("stalled") > r, timeout_s=60)
        at = appender.number("acked")
        own_broker.start()
        wait_for("the log to go on", lambda r=round_: appender.count("goes on") > r, timeout_s=60)
        wait_for("acknowledgements", lambda a=at: appender.number("acked") > a, timeout_s=60)
    acked, read = appender.end()
    assert read == acked > at


def test_a_broker_that_hangs_stalls_the_log_and_what_comes_twice_is_stored_once(
    own_broker, appender
):
    appender.wait_for_acks()
    own_broker.pause()
    wait_for("the log to stall", lambda: appender.count("stalled"), timeout_s=60)
    own_broker.go_on()
    wait_for("the log to go on", lambda: appender.count("goes on"), timeout_s=90)
    appender.wait_for_acks()
    acked, read = appender.end()
    assert read == acked
