"""What the door's load is sent to: Telltale and its peers. Each is started anew for a run, with an
empty disk, and says which processes its CPU time is counted of."""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

import machine
from load import Load

TREE = machine.TREE
sys.path[:0] = [str(TREE / "tests" / "e2e")]

from telltale import Installation  # noqa: E402
from waiting import wait_for  # noqa: E402

VEHICLES = 200
IDLE_VEHICLES = 250
CADENCE_S = 10  # of the lake
DOOR = "telltale/v1/reports"


class Missing(Exception):
    """A peer that is not installed; the message says how to get it."""


def need(program, package):
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/bin")
    if not path:
        raise Missing(f"not installed: apt install {package}")
    return path


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def answers(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


class Place:
    """The installation as `init` made it with the cars' certificates; each run gets a copy."""

    def __init__(self, build):
        self.build = build
        self.load_bench = build / "bench" / "load_bench"
        self._folder = tempfile.TemporaryDirectory(prefix="telltale-bench-", dir="/dev/shm")
        self.cars = pathlib.Path(self._folder.name) / "cars"
        self._made = Installation()
        self._made.init(lake__cadence_s=CADENCE_S)
        self.ca = self._made.dir / "ca"
        self._pristine = self._made.dir.with_name(self._made.dir.name + ".made")
        subprocess.run(
            [build / "test" / "door_load", "cars", "--ca", self.ca, "--cars", self.cars,
             "--vehicles", str(VEHICLES + IDLE_VEHICLES)], check=True)  # fmt: skip
        shutil.copytree(self._made.dir, self._pristine)

    def installation(self):
        """A served one without any data."""
        shutil.rmtree(self._made.dir)
        shutil.copytree(self._pristine, self._made.dir)
        self._made.start()
        self._made.run("vehicles", "import", self.cars / "vehicles.csv", "--dir", self._made.dir)
        return self._made

    def cars_load(self, port, *words):
        return Load(self.load_bench, "mqtt", "--ca", self.ca, "--cars", self.cars, "--vehicles",
                    VEHICLES, "--port", port, *words)  # fmt: skip

    def remove(self):
        self._made.end_everything()
        self._made.remove()
        shutil.rmtree(self._pristine, ignore_errors=True)
        self._folder.cleanup()


class Telltale:
    """`telltale serve`. The lake is stopped (SIGSTOP) unless the row is about it."""

    name = "telltale"
    warm_up_s = 1.5
    note = "TLS, durable before the PUBACK; worker, publisher and vault run, the lake is idle"

    def __init__(self, place, with_lake=False):
        self.place = place
        self.with_lake = with_lake

    def __enter__(self):
        self.site = self.place.installation()
        self.idle = []
        if not self.with_lake:
            self.idle = [self.site.process_of(role) for role in ("lake", "committer")]
            for process in filter(None, self.idle):
                os.kill(process.pid, signal.SIGSTOP)
        self.load = self.place.cars_load(self.site.mqtt_port).connected()
        return self

    def cpu_s(self):
        return sum(machine.cpu_s(process.pid) for process in self.site.family())

    def cpu_by_role(self):
        return {
            role: machine.cpu_s(self.site.process_of(role).pid)
            for role in ("gateway", "worker", "publisher", "vault", "registry", "operations")
        }

    def __exit__(self, *_):
        self.load.__exit__()
        for process in filter(None, self.idle):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGCONT)
        self.site.end_everything()


class Peer:
    """A peer's server as one process of ours."""

    warm_up_s = 1.5

    def __init__(self, place):
        self.place = place

    def __enter__(self):
        # On the disk that the log of an installation lies on.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="telltale-peer-", dir="/tmp"))
        self.others = []
        try:
            self.port = free_port()
            self.server = self.start()
            self.load = self.connect().connected()
        except BaseException:
            self.__exit__()
            raise
        return self

    def spawn(self, *command):
        return subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)  # fmt: skip

    def cpu_s(self):
        return machine.cpu_s(self.server.pid)

    def __exit__(self, *_):
        if hasattr(self, "load"):
            self.load.__exit__()
        for process in [*self.others, getattr(self, "server", None)]:
            if process is not None:
                process.terminate()
                try:
                    process.wait(timeout=20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Mosquitto(Peer):
    name = "mosquitto"
    note = "TLS with client certificates, QoS 1, one subscriber (QoS 1, no TLS); not durable"

    def start(self):
        program = need("mosquitto", "mosquitto")
        subscriber = need("mosquitto_sub", "mosquitto-clients")
        plain = free_port()
        certs = self.place.ca.parent
        (self.folder / "mosquitto.conf").write_text(
            "per_listener_settings false\nallow_anonymous true\nuser root\n"
            "max_inflight_messages 0\nmax_queued_messages 0\nlog_type error\n"
            f"listener {self.port} 127.0.0.1\n"
            f"cafile {certs / 'ca' / 'ca.crt'}\ncertfile {certs / 'certs' / 'server.crt'}\n"
            f"keyfile {certs / 'certs' / 'server.key'}\nrequire_certificate true\n"
            f"listener {plain} 127.0.0.1\n",
            encoding="utf-8",
        )
        server = self.spawn(program, "-c", self.folder / "mosquitto.conf")
        wait_for("mosquitto", lambda: answers(plain))
        self.others = [
            self.spawn(subscriber, "-h", "127.0.0.1", "-p", plain, "-q", 1, "-t", f"{DOOR}/#")
        ]
        return server

    def connect(self):
        return self.place.cars_load(self.port, "--topic", f"{DOOR}/%c")


class Redis(Peer):
    policy = "always"
    name = "redis-always"
    note = "Streams, XADD of a whole batch, 8 connections without TLS, appendfsync always"

    def start(self):
        program = need("redis-server", "redis-server")
        server = self.spawn(
            program, "--port", self.port, "--bind", "127.0.0.1", "--dir", self.folder,
            "--appendonly", "yes", "--appendfsync", self.policy, "--save", "",
            "--auto-aof-rewrite-percentage", 0)  # fmt: skip
        wait_for("redis-server", lambda: answers(self.port))
        return server

    def connect(self):
        return Load(self.place.load_bench, "redis", "--port", self.port, "--vehicles", VEHICLES)


class RedisEverySecond(Redis):
    policy = "everysec"
    name = "redis-everysec"
    note = "the same with appendfsync everysec: a second may be lost"


class Kafka(Peer):
    flush = None
    name = "kafka"
    warm_up_s = 12  # for its compilers
    note = "one broker, 8 partitions, acks=all, linger 2 ms, no TLS; no flush: not durable"
    topic = "telemetry"

    def start(self):
        need("java", "openjdk-17-jre-headless")
        if not (OUT / "kafka").is_dir():
            raise Missing("not installed: tools/kafka")
        settings = {"num.partitions": 8, "auto.create.topics.enable": "true"}
        if self.flush:
            settings["log.flush.interval.messages"] = self.flush
        self.broker = _broker_class()(self.folder, settings)
        self.broker.start()
        return self.broker.process

    def connect(self):
        return Load(self.place.load_bench, "kafka", "--brokers", self.broker.address, "--topic",
                    self.topic, "--vehicles", VEHICLES)  # fmt: skip


class KafkaFlush(Kafka):
    flush = 1
    name = "kafka-flush"
    note = "the same with flush.messages=1: a sync for each append"


OUT = pathlib.Path(os.environ.get("OUT", TREE / "out")).absolute()


def _broker_class():
    try:
        import kafka_broker
    except ImportError:
        raise Missing("not installed: tools/kafka") from None

    class BenchBroker(kafka_broker.Broker):
        """With the compilers and the collector that a server's Java has."""

        def _java(self, main, *arguments):
            return [
                "java", "-Xmx1g", "-Xms1g", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                "-Dkafka.logs.dir=" + str(self.folder), "-cp", f"{OUT / 'kafka'}/*", main,
                *map(str, arguments),
            ]  # fmt: skip

    return BenchBroker


PEERS = {peer.name: peer for peer in (Mosquitto, Redis, RedisEverySecond, Kafka, KafkaFlush)}
