"""One run of the platform with secrets in it, and the scan over everything that it left."""

import concurrent.futures
import pathlib
import re
import urllib.error
import urllib.parse
import urllib.request

import accounts
import leaky_cars
import place_scanner
from feed import FeedFollower
from fleet import Fleet
from telltale import BUILD, ROLES, Installation
from test_gateway import Keys
from waiting import wait_for

# Reason: how often at least the door counts it when one car has sent its whole repertoire.
MET = {
    "batch_malformed": 5, "report_malformed": 6, "report_too_big": 2, "missing_seq": 2,
    "field_unknown": 30, "out_of_range": 2, "event_time_clamped": 1,
}  # fmt: skip
CORE_LIMIT = re.compile(r"^Max core file size\s+(\S+)\s+(\S+)", re.M)


class LeakRun:
    """Makes, drives, kills and scans one installation. The cars' own memory (certificates, the
    fleet's record) and what was answered lie beside it, in folders of their own.

    with LeakRun(folder, seed, cars) as run: run.start_fleet(...); run.drive(); run.scan()
    """

    def __init__(self, folder, seed, count):
        self.folder = pathlib.Path(folder)
        self.answers = self.folder / "answers"
        self.cars = self.folder / "cars"
        for path in (self.answers, self.cars):
            path.mkdir(parents=True)
        self.installation = Installation()
        self.secrets = leaky_cars.secrets_of(seed, count)
        self.canaries = leaky_cars.canaries_of(self.secrets)
        self.seed = seed
        self.acked = 0  # payloads of the secrets' cars
        self.keep = False  # for looking, because a test failed

    def shadow(self):
        """What a candidate computes of every car: the release at work, once more, in tables apart.
        Its features are the installed ones."""
        releases = pathlib.Path(self.installation.dir) / "data" / "releases"
        (manifest,) = releases.glob("*/manifest.json")
        cohort = ["--release", manifest.parent.name, "--order", '{"salt": "s"}', "--lots", "10002",
                  "--quiet"]  # fmt: skip
        program = ["--program", str(BUILD / "libexec" / "telltale" / "telltale-lake")]
        accounts.python(self.installation, "shadow", "telemetry", *cohort, *program)
        accounts.python(self.installation, "shadow", "features", *cohort, "--all")

    def __enter__(self):
        try:
            self.installation.init(
                lake__cadence_s=1, logging__level="trace", log__segment_bytes=4 << 20
            ).start()
        except BaseException:
            self.installation.end_everything()
            raise
        return self

    def __exit__(self, kind, *_):
        self.installation.end_everything()
        if kind is None and not self.keep:
            self.installation.remove()
        else:
            print(f"kept for looking: {self.installation.dir}, {self.installation.log_path}")

    # Driving

    def start_fleet(self, vehicles, seconds, *more):
        """The synthetic fleet, whose record says where it was."""
        self.fleet = Fleet(self.installation, self.cars / "fleet")
        words = ("sim", "--vehicles", vehicles, "--duration", seconds, "--seed", self.seed, *more)
        return self.fleet.register(*words).start(*words)

    def drive(self, times=1):
        """Every secret's car sends its whole repertoire, all at once, while the fleet drives and
        the feed is followed; then every role is killed."""
        with FeedFollower(lambda: self.installation.feed_port) as follower:
            with concurrent.futures.ThreadPoolExecutor(len(self.secrets)) as pool:
                self.acked = sum(pool.map(self._one_car, range(len(self.secrets))))
            self.wait_met()
            keys = Keys(self.installation, self.cars)
            leaky_cars.rude_clients(self.installation, keys, self.secrets[0])
            self.kill_each(times)
            self.fleet.wait()
            accounts.drain(self.installation)
            alerts = accounts.alert_rows(self.installation)
            assert alerts, "cars that brake hard at a secret place raise alerts"
            wait_for("the feed", lambda: len(follower.opened()) >= len(alerts))
        (self.answers / "feed").write_text(repr(follower.changes()), encoding="utf-8")

    def _one_car(self, number):
        keys = Keys(self.installation, self.cars / f"{number}")
        keys.folder.mkdir()
        secret = self.secrets[number]
        return leaky_cars.send_everything(self.installation, keys, secret, 1000 * (number + 1))

    def wait_met(self):
        """Until the door has counted each odd entry under its reason: else the scan would look for
        what was never there."""

        def unmet():
            gateway = self.installation.counters("gateway")
            counts = {reason: gateway.get(f"drops_total.gateway.{reason}", 0) for reason in MET}
            return [reason for reason, least in MET.items() if counts[reason] < least]

        wait_for(f"the door to count {', '.join(MET)}", lambda: not unmet())

    def kill_each(self, times=1):
        """kill -9 of every role, each restarted before the next."""
        for _ in range(times):
            for role in ROLES:
                before = self.installation.kill(role)
                self.installation.wait_restarted(role, before)

    # What it says

    def ask(self):
        """Every endpoint and every command that looks; asked for secrets too."""
        one = self.secrets[0]
        place = urllib.parse.quote(one.words)
        paths = [
            "/metrics", "/healthz", "/readyz", "/", f"/metrics?at={place}", f"/{one.vin}",
            f"/v1/alerts?vin={one.vin}&lat={one.latitude}", f"/v1/alerts/{place}", "/v1/alerts",
            f"/v1/alerts/feed/{one.latitude}",
        ]  # fmt: skip
        for role in ("operations", "publisher"):
            name = "feed" if role == "publisher" else role
            port = int((self.installation.dir / "run" / f"{name}.port").read_text())
            for number, path in enumerate(paths):
                head, body = _get(f"http://127.0.0.1:{port}{path}", one)
                (self.answers / f"{name}-{number}.head").write_bytes(head)
                (self.answers / f"{name}-{number}").write_bytes(body)
        self._commands(one)

    def _commands(self, one):
        at = ("--dir", self.installation.dir)
        commands = [
            ("status", *at, "--json"), ("log", "status", *at, "--json"), ("log", "count", *at),
            ("contract", "unknown", *at, "--json"), ("contract", "status", *at),
            ("vault", "status", *at), ("vault", "audit", *at), ("doctor", *at, "--json"),
            ("config", "show", *at),
            ("vault", "query", *at, "--vehicle", one.vin, "--from", "0", "--to", "1",
             "--purpose", "p", "--case", "c"),
        ]  # fmt: skip
        streams = ("safety", "telemetry", "sealed")
        commands += [("log", "dump", *at, "--stream", stream) for stream in streams]
        for number, words in enumerate(commands):
            done = self.installation.run(*words, check=False)
            (self.answers / f"{number}-{words[0]}-{words[1]}").write_text(
                done.stdout + done.stderr, encoding="utf-8"
            )
        for words in (("status", "--json"), ("coverage", "--json")):
            answer = accounts.python(self.installation, *words)
            (self.answers / f"lake-{words[0]}").write_text(answer, encoding="utf-8")

    def processes(self):
        """Writes down what /proc shows of each role; returns {role: core limits}."""
        limits = {}
        for role in ROLES:
            process = wait_for(role, lambda role=role: self.installation.process_of(role))
            proc = pathlib.Path("/proc") / str(process.pid)
            for name in ("environ", "cmdline", "limits", "status"):
                (self.answers / f"proc-{role}-{name}").write_bytes((proc / name).read_bytes())
            limits[role] = CORE_LIMIT.search((proc / "limits").read_text()).groups()
        return limits

    # Looking

    def scan(self):
        """The report over the folder (the vault too), the log of every role and what was answered.
        A canary is put there first and must be the one that is found; its hits are taken out."""
        planted = self.installation.dir / "data" / "planted.log"
        planted.write_text(f"at {self.secrets[1].latitude}", encoding="utf-8")
        scan = place_scanner.CanaryScan(self.canaries)
        try:
            for path in (self.installation.dir, self.installation.log_path, self.answers):
                scan.folder(path)
        finally:
            planted.unlink()
        control = [hit for hit in scan.report.hits if hit["path"] == "data/planted.log"]
        assert {hit["canary"] for hit in control} == {"place 1"}, "the scan saw nothing"
        scan.report.hits = [hit for hit in scan.report.hits if hit not in control]
        return scan.report

    def fleet_hits(self):
        """Of the synthetic fleet: where any of its thousands of positions lies."""
        places = place_scanner.Places.from_records([self.fleet.record])
        assert len(places) > 50
        hits, _ = place_scanner.scan([self.installation.dir, self.answers], [], places)
        return hits + place_scanner.scan_file(self.installation.log_path, places)


def _get(address, one):
    """Headers and body of whatever is answered; secrets in the request's headers too."""
    headers = {"User-Agent": one.words, "Referer": f"http://x/{one.vin}", "X-Driver": one.driver}
    request = urllib.request.Request(address, headers=headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=10) as answer:
            return bytes(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return bytes(error.headers), error.read()
