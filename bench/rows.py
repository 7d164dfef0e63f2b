"""What is measured, one class for each part of the table. `once(number)` is one run of it; runs of
all parts take turns, for a machine has slow minutes. Each yields results: row, system, values."""

import contextlib
import json
import subprocess
import sys
import tempfile
import threading
import time

import machine
from budgets import is_sustained
from systems import CADENCE_S, IDLE_VEHICLES, PEERS, TREE, VEHICLES, Missing, Telltale

import accounts
from feed import FeedFollower
from waiting import let_run, wait_for

EQUAL_RATE = 20_000  # reports/s
EQUAL_S = 4
STEP_S = 2.5
FIRST_RATE = 60_000
ALERTS_S = 6
ALERTS_PER_S = 50
IDLE_CONNECTIONS = IDLE_VEHICLES * 8
DRAIN_S = 120


def run_json(*command):
    """The last line that a program prints, which is JSON."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False,
                          timeout=300)  # fmt: skip
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}: {done.stderr}"
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


class HotPath:
    rows = ("hot_path",)

    def __init__(self, bench):
        self.build = bench.build

    def once(self, _number):
        with tempfile.TemporaryDirectory(prefix="telltale-bench-", dir="/tmp") as folder:
            (values,) = run_json(
                self.build / "bench" / "hot_path_bench",
                self.build / "share" / "telltale" / "contract.desc",
                TREE / "release" / "default" / "rules.yaml", f"{folder}/log", 3)  # fmt: skip
        yield "hot_path", "telltale", values


class Parquet:
    """Our writer, then DuckDB's with the rows of the files that ours has just written."""

    rows = ("parquet",)
    ROWS = 300_000

    def __init__(self, bench):
        self.build = bench.build
        self.peers = bench.peers

    def once(self, _number):
        with tempfile.TemporaryDirectory(prefix="telltale-bench-", dir="/tmp") as folder:
            rounds = run_json(self.build / "bench" / "lake_bench", self.ROWS, 3, folder)
            for values in rounds[1:]:
                yield "parquet", "telltale", values
            if "duckdb" not in self.peers:
                return
            for values in run_json(sys.executable, TREE / "bench" / "duckdb_peer.py", folder):
                yield "parquet", values.pop("system"), values


class Door:
    """The highest rate that each system sustains, what it takes at an equal one, and, of Telltale,
    how long an alert takes at half of the first."""

    rows = ("door", "equal", "alert")

    def __init__(self, bench):
        self.bench = bench
        self.best = {}
        self.systems = [Telltale, *(PEERS[name] for name in bench.peers if name in PEERS)]

    def once(self, number):
        # Who begins changes: what a run leaves behind (dirty pages, say) meets each in turn.
        turn = number % len(self.systems)
        for system in self.systems[turn:] + self.systems[:turn]:
            try:
                with system(self.bench.place()) as running:
                    yield from self._measure(running)
            except Missing as missing:
                if number == 0:
                    yield "door", system.name, {"missing": str(missing)}

    def _measure(self, running):
        running.load.run(EQUAL_RATE, running.warm_up_s)
        by_role = getattr(running, "cpu_by_role", dict)
        before, roles_before = running.cpu_s(), by_role()
        equal = running.load.run(EQUAL_RATE, EQUAL_S)
        used = running.cpu_s() - before
        equal["cpu_s_by_role"] = {
            role: round(cpu_s - roles_before[role], 2) for role, cpu_s in by_role().items()
        }
        equal["server_cpu_s_per_million"] = round(used / equal["acked"] * 1e6, 2)
        equal["sustained"] = is_sustained(equal)
        del equal["events"]
        yield "equal", running.name, equal
        best, steps = self._highest(running)
        values = {"sustained_per_s": best["rate"], "steps": steps, "note": running.note}
        values |= {key: best[key] for key in ("p50_ms", "p99_ms", "p999_ms", "max_ms")}
        values["generator_cpus"] = round(best["generator_cpu_s"] / STEP_S, 2)
        yield "door", running.name, values
        if running.name == "telltale":
            yield "alert", "telltale", alerts(running.site, running.load, best["rate"] / 2)

    def _highest(self, running):
        """The highest rate sustained, to a fifth, and the steps on the way."""
        steps = []

        def sustains(rate):
            run = running.load.run(rate, STEP_S)
            run["sustained"] = is_sustained(run)
            steps.append([round(rate), run["acked_per_s"], run["p99_ms"], run["sustained"]])
            return run if run["sustained"] else None

        rate = self.best.get(running.name, FIRST_RATE)
        found, factor, tries = None, (2.0 if running.name not in self.best else 1.2), 8
        failed = None
        while tries > 0:
            tries -= 1
            run = sustains(rate)
            if run:
                found = run
                if failed:
                    if failed / rate < 1.25:
                        break
                    rate = (rate * failed) ** 0.5
                else:
                    rate *= factor
            else:
                failed = rate
                rate = (found["rate"] * rate) ** 0.5 if found else rate / max(factor, 1.4)
                if found and failed / found["rate"] < 1.25:
                    break
        if found is None:
            found = {"rate": 0, "p50_ms": None, "p99_ms": None, "p999_ms": None, "max_ms": None,
                     "generator_cpu_s": 0}  # fmt: skip
        else:
            self.best[running.name] = found["rate"]
        return found, steps


def alerts(site, load, rate):
    """Alerts as a feed's client has them, from the scheduled send of the report behind each."""
    with FeedFollower(lambda: site.feed_port) as feed:
        run = load.run(rate, ALERTS_S, ALERTS_PER_S)
        due = {(boot, seq): at for boot, seq, at in run["events"]}

        def all_arrived():
            return len(feed.opened()) >= len(due)

        with contextlib.suppress(AssertionError):
            wait_for("every alert", all_arrived, timeout_s=20)
        took = sorted(
            (arrival.at_us - due[key]) / 1000
            for arrival in feed.opened()
            if (key := event_of(arrival.alert)) in due
        )
    assert took, "no alert arrived"
    return {
        "rate": rate,
        "alerts": len(took),
        "lost": len(due) - len(took),
        "p50_ms": round(took[len(took) // 2], 2),
        "p99_ms": round(took[min(len(took) - 1, len(took) * 99 // 100)], 2),
        "max_ms": round(took[-1], 2),
        "acknowledged_p99_ms": run["p99_ms"],
        "acknowledged_max_ms": run["max_ms"],
    }


def event_of(alert):
    return f"{int(alert['boot_random']):016x}", alert["first_seq"]


class Everything:
    """All roles, the lake among them, at the budget's rate; then what idle connections take."""

    rows = ("everything", "idle")

    def __init__(self, bench):
        self.bench = bench
        self.seconds = bench.everything_s
        self.rate = bench.everything_rate

    def once(self, number):
        if number > 0:
            return  # once: it is the long one
        if "everything" in self.bench.rows:
            yield from self._everything()
        if "idle" in self.bench.rows:
            yield "idle", "telltale", self._idle()

    def _everything(self):
        with Telltale(self.bench.place(), with_lake=True) as running:
            running.load.run(EQUAL_RATE, running.warm_up_s)
            yield "everything", "telltale", self._sustain(running)

    def _sustain(self, running):
        site = running.site
        roles = ("gateway", "worker", "publisher", "lake", "committer", "vault")
        behind, ended = [], threading.Event()

        def watch():
            while not ended.wait(5):
                behind.append(records_behind(site))

        before = {role: machine.cpu_s(site.process_of(role).pid) for role in roles}
        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        run = running.load.run(self.rate, self.seconds)
        ended.set()
        watcher.join()
        at_end = records_behind(site)
        cpu = {role: round(machine.cpu_s(site.process_of(role).pid) - before[role], 1)
               for role in roles}  # fmt: skip
        began = time.monotonic()
        accounts.drain(site, timeout_s=DRAIN_S)
        drained = time.monotonic() - began
        del run["events"]
        # The lake tells its place with each hand-off, and the committer comes after that.
        is_held = drained < 2 * CADENCE_S + 0.1 * self.seconds
        is_acked = run["acked"] == run["sent"] and not run["overrun"]
        return run | {
            "reports_per_s": run["rate"] if is_held and is_acked else 0,
            "seconds": self.seconds,
            "records_behind": behind[:: max(1, len(behind) // 12)],
            "records_behind_at_end": at_end,
            "drained_s": round(drained, 1),
            "cpu_s": cpu,
        }

    def _idle(self):
        place = self.bench.place()
        site = place.installation()
        try:
            gateway = site.process_of("gateway")
            storm = subprocess.Popen(
                [place.build / "test" / "door_load", "storm", "--ca", place.ca, "--cars",
                 place.cars, "--first", str(VEHICLES), "--vehicles", str(IDLE_VEHICLES), "--port",
                 str(site.mqtt_port), "--connections", str(IDLE_CONNECTIONS)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # fmt: skip
            try:
                assert "ready" in json.loads(storm.stdout.readline())
                before = machine.resident_kib(gateway.pid)
                storm.stdin.write("begin\n")
                storm.stdin.flush()
                settled = next(line for line in map(json.loads, storm.stdout) if "accepted" in line)
                let_run(3)  # for the handshakes' memory to come back
                after = machine.resident_kib(gateway.pid)
            finally:
                storm.kill()
                storm.communicate()
            return {"connections": settled["accepted"],
                    "kib_each": round((after - before) / settled["accepted"], 1)}  # fmt: skip
        finally:
            site.end_everything()


def records_behind(site):
    """{consumer: records that it has not read of what is durable}"""
    ends = accounts.durable_ends(site)
    positions = accounts.consumer_positions(site)
    behind = {}
    for stream, partition in ends:
        for consumer in accounts.CONSUMERS[stream]:
            reached = positions.get((consumer, stream, partition), 0)
            behind[consumer] = behind.get(consumer, 0) + max(0, ends[stream, partition] - reached)
    return behind


PARTS = (HotPath, Parquet, Door, Everything)
