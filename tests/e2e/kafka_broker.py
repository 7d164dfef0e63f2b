"""A real Kafka broker of one node, for tests, the demo and benches: started, killed, started again.

    with Broker(folder) as broker:
        broker.address  # 127.0.0.1:PORT

The jars are those that `tools/kafka` gets.
"""

import os
import pathlib
import secrets
import shutil
import signal
import socket
import subprocess
import sys

from waiting import wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = pathlib.Path(os.environ.get("OUT", ROOT / "out")).absolute()
HEAP_MIB = 512
START_S = 60
STOP_S = 30


def fetch():
    """Gets the jars and a Java runtime where they are missing."""
    subprocess.run([ROOT / "tools" / "kafka"], check=True, stdin=subprocess.DEVNULL)


def _free_ports(count):
    """Ports that were free a moment ago; the broker needs to know its own before it starts."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


class Broker:
    """One process, broker and controller in one. Its data outlive kill() and stop()."""

    def __init__(self, folder, settings=None):
        """`settings` are broker properties: {"log.flush.interval.messages": 1}."""
        self.folder = pathlib.Path(folder)
        self.port, self.controller_port = _free_ports(2)
        self.log_path = self.folder / "broker.log"
        self.process = None
        self._write_properties(settings or {})

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def init_words(self):
        """For `telltale init`: the streams live here, under names of their own."""
        settings = {
            "log.backend": "kafka",
            "kafka.brokers": self.address,
            "kafka.replication": 1,
            "kafka.topic_prefix": f"telltale-{secrets.token_hex(4)}.",
        }
        return [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]

    def _write_properties(self, settings):
        self.folder.mkdir(parents=True, exist_ok=True)
        properties = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@127.0.0.1:{self.controller_port}",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},"
            f"CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": self.folder / "data",
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 1,
            "group.initial.rebalance.delay.ms": 0,
            "log.retention.check.interval.ms": 5000,
            "log.segment.delete.delay.ms": 1000,
            # Of each of some 200 partitions: Kafka would reserve 10 MiB of index.
            "log.index.size.max.bytes": 1 << 20,
            **settings,
        }
        text = "".join(f"{key}={value}\n" for key, value in properties.items())
        (self.folder / "server.properties").write_text(text, encoding="utf-8")

    def _java(self, main, *arguments):
        # Small heaps and the first compiler only: it starts in seconds beside what is tested.
        return [
            "java", f"-Xmx{HEAP_MIB}m", "-Xms128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dkafka.logs.dir=" + str(self.folder),
            "-cp", f"{OUT / 'kafka'}/*", main, *map(str, arguments),
        ]  # fmt: skip

    def start(self):
        """Returns when it answers. The first time its storage is made."""
        assert self.process is None, "it runs already"
        with open(self.log_path, "ab") as log:
            if not (self.folder / "data" / "meta.properties").exists():
                subprocess.run(
                    self._java("kafka.tools.StorageTool", "format", "--cluster-id",
                               secrets.token_urlsafe(16).replace("-", "x").replace("_", "y"),
                               "--config", self.folder / "server.properties"),
                    check=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=START_S,
                )  # fmt: skip
            self.process = subprocess.Popen(
                self._java("kafka.Kafka", self.folder / "server.properties"),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        wait_for(f"the Kafka broker ({self.log_path})", self._answers, START_S, poll_s=0.1)
        return self

    def _answers(self):
        if self.process.poll() is not None:
            log = self.log_path.read_text(encoding="utf-8", errors="replace")
            raise AssertionError(f"the broker ended with {self.process.returncode}:\n{log[-4000:]}")
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False

    def kill(self):
        """As kill -9: what it had not written to its files' pages is lost."""
        self._end(signal.SIGKILL)

    def stop(self):
        self._end(signal.SIGTERM)

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def _end(self, signal_number):
        if self.process is None:
            return
        self.process.send_signal(signal_number)
        try:
            self.process.wait(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def remove(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.remove()


def main():
    """Runs a broker below the folder given until it is interrupted; prints its address."""
    fetch()
    with Broker(sys.argv[1]) as broker:
        print(broker.address, flush=True)
        try:
            broker.process.wait()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
