"""What the shows of the vault share: cars that publish places, a clock that can be moved under
telltale-vault alone, people of different users, a vault on a small disk, the erasure map."""

import json
import os
import pathlib
import pwd
import re
import shutil
import struct
import subprocess
import tempfile
import time

import telltale
from place_forms import Canaries
from place_scanner import CanaryScan
from test_vault import BOOT, encode, now_us
from waiting import wait_for

DAY_US = 86_400 * 1_000_000
HOUR_US = 3600 * 1_000_000
FAKETIME = pathlib.Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")


# Cars


class Car:
    """A certified vehicle at one place, with mosquitto_pub at QoS 1."""

    def __init__(self, site, folder, number, latitude, longitude):
        self.site, self.latitude, self.longitude = site, latitude, longitude
        self.vin = f"WVWZZZ1JZXW{number:06}"
        self.stem = pathlib.Path(folder) / self.vin
        self.seqs = []
        site.run("certificate", "--dir", site.dir, "--vin", self.vin, "--out", self.stem)

    def publish(self, times_us, more=""):
        """A report with its place at each of the event times; returns when it is acknowledged."""
        text = BOOT
        for at in times_us:
            seq = len(self.seqs)
            self.seqs.append(seq)
            text += (f" reports {{ seq: {seq} event_time_us: {at} speed_kmh: 50 "
                     f"latitude_deg: {self.latitude} longitude_deg: {self.longitude} "
                     f"odometer_km: {12345.5 + seq} {more} }}")
        subprocess.run(
            ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(self.site.mqtt_port),
             "--cafile", self.site.dir / "ca" / "ca.crt", "--cert", f"{self.stem}.crt",
             "--key", f"{self.stem}.key", "--insecure", "-q", "1", "-i", self.vin,
             "-t", "telltale/v1/reports", "-s"],
            input=encode(text), check=True, timeout=60, capture_output=True)

    def ref(self):
        return self.site.run("vehicles", "lookup", "--dir", self.site.dir, "--vin",
                             self.vin).stdout.strip()

    def places(self, rows):
        """The seq of each row that has exactly this car's place."""
        return [row["seq"] for row in rows
                if (row["fields"].get("latitude_deg"), row["fields"].get("longitude_deg"))
                == (self.latitude, self.longitude)]


# Asking


def vault(site, *words, user=None, check=True, **options):
    """`telltale vault WORD… --dir DIR`; of two words, as in `policy show`, both come first."""
    pairs = {"policy", "export", "report", "transport-keys"}
    head = words[:2] if words[0] in pairs else words[:1]
    if user is not None:
        options |= {"user": user, "group": pwd.getpwuid(user).pw_gid, "extra_groups": []}
    return site.run("vault", *head, "--dir", site.dir, *words[len(head):], check=check, **options)


def question(ref, *more, days=30, purpose="crash_reconstruction", case="C-17", between=None):
    """Words of a query over the last days and the next hour of event time, or between two times."""
    now = now_us()
    first, end = between or (now - days * DAY_US, now + HOUR_US)
    return ("query", "--vehicle", ref, "--from", first, "--to", end, "--purpose", purpose,
            "--case", case, "--json", *more)


def rows(site, ref, *more, user=None, **how):
    done = vault(site, *question(ref, *more, **how), user=user)
    return [json.loads(line) for line in done.stdout.splitlines()]


def wait_stored(site, car, count, **how):
    ref = car.ref()

    def stored():
        done = vault(site, *question(ref, **how), check=False)
        return done.returncode == 0 and len(done.stdout.splitlines()) >= count
    wait_for(f"{count} positions of {ref} in the vault", stored, 60, poll_s=0.2)
    return ref


def audit(site, user=None, **options):
    printed = vault(site, "audit", user=user, **options).stdout
    return [json.loads(line[65:]) for line in printed.splitlines()]


def counters(site):
    return site.counters("vault")


def report(site, *words):
    """(exit status, the report) of `vault report outside-window`."""
    done = vault(site, "report", "outside-window", "--json", *words, check=False)
    try:
        return done.returncode, json.loads(done.stdout)
    except ValueError:
        raise AssertionError(f"no report: exit {done.returncode}, {done.stderr}") from None


def kinds(told):
    return sorted({finding["kind"] for finding in told["findings"]})


# Its clock


class MovableClock:
    """A copy of the build's layout whose telltale-vault sees another wall clock (libfaketime); the
    time since boot goes on as it is. Everything else keeps the real clock.

    with MovableClock() as clock: Installation…; clock.ahead_s = 31 * 86400
    """

    def __init__(self):
        if not FAKETIME.exists():
            raise AssertionError(f"there is no {FAKETIME}: apt-get install faketime")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="telltale-clock-", dir="/tmp"))
        self.file = self.folder / "clock"
        self._ahead_s = 0

    def __enter__(self):
        self.folder.chmod(0o755)
        self.ahead_s = 0
        helpers = self.folder / "libexec" / "telltale"
        helpers.mkdir(parents=True)
        (self.folder / "bin").mkdir()
        shutil.copy(telltale.BUILD / "bin" / "telltale", self.folder / "bin" / "telltale")
        for name in ("lib", "share"):
            (self.folder / name).symlink_to(telltale.BUILD / name)
        theirs = telltale.BUILD / "libexec" / "telltale"
        for path in theirs.iterdir():
            if path.name != "telltale-vault":
                (helpers / path.name).symlink_to(path)
        real = helpers / "telltale-vault.real"
        shutil.copy(theirs / "telltale-vault", real)
        wrapper = helpers / "telltale-vault"
        wrapper.write_text(
            "#!/bin/sh\n"
            f"export LD_PRELOAD={FAKETIME} FAKETIME_TIMESTAMP_FILE={self.file}\n"
            "export FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1 NO_FAKE_STAT=1\n"
            f'exec {real} "$@"\n', encoding="utf-8")
        wrapper.chmod(0o755)
        self._before = telltale.TELLTALE
        telltale.TELLTALE = self.folder / "bin" / "telltale"
        return self

    @property
    def ahead_s(self):
        return self._ahead_s

    @ahead_s.setter
    def ahead_s(self, seconds):
        """Whole at once: the vault may read it at any moment."""
        self._ahead_s = seconds
        new = self.folder / "clock.new"
        new.write_text(f"+{seconds}s\n", encoding="utf-8")
        new.chmod(0o644)
        new.replace(self.file)

    def now_us(self):
        return now_us() + self._ahead_s * 1_000_000

    def __exit__(self, *_):
        telltale.TELLTALE = self._before
        shutil.rmtree(self.folder)


# People


class Users:
    """System users that are there while the show runs: Users("asker", "officer").asker is a uid."""

    def __init__(self, *names):
        self.names = {name: f"tt-{name}-{os.getpid() % 100_000}" for name in names}

    def __enter__(self):
        for name, user in self.names.items():
            subprocess.run(["useradd", "--system", "--no-create-home", "--shell",
                            "/usr/sbin/nologin", user], check=True, capture_output=True)
            setattr(self, name, pwd.getpwnam(user).pw_uid)
        return self

    def __exit__(self, *_):
        for user in self.names.values():
            subprocess.run(["userdel", user], check=False, capture_output=True)


# Its disk


class SmallDisk:
    """A tmpfs over a folder of a stopped installation, with what was in it; `fill()` takes what is
    free. Unmounted at the end: the folder is then as it was before."""

    def __init__(self, folder, megabytes):
        self.folder, self.megabytes = pathlib.Path(folder), megabytes

    def __enter__(self):
        with tempfile.TemporaryDirectory(dir="/tmp") as kept:
            subprocess.run(["cp", "-a", f"{self.folder}/.", kept], check=True)
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self.megabytes}m,mode=0700",
                            "tmpfs", self.folder], check=True)
            subprocess.run(["cp", "-a", f"{kept}/.", self.folder], check=True)
        return self

    def fill(self):
        with open(self.folder / "filler", "ab", buffering=0) as filler:
            for size in (1 << 20, 4096, 1):
                try:
                    while True:
                        filler.write(b"x" * size)
                except OSError:
                    continue

    def empty(self):
        (self.folder / "filler").unlink()

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.folder], check=True)


# Looking


def scan(folders, cars, **more):
    """The leak scanner's report: the cars' places in every form in every file of the folders."""
    search = CanaryScan(Canaries(places=[(car.latitude, car.longitude) for car in cars], **more))
    for folder in folders:
        search.folder(pathlib.Path(folder))
    assert not search.report.unread, search.report.unread
    return search.report


def planted_is_found(folder, cars):
    """The scan's control: a file with the first car's place is found, and by that name."""
    planted = pathlib.Path(folder) / "planted"
    planted.write_bytes(b"xx" + struct.pack("<dd", cars[0].latitude, cars[0].longitude))
    try:
        hits = scan([folder], cars).hits
    finally:
        planted.unlink()
    assert {hit["path"] for hit in hits} == {"planted"}, hits
    return len(hits)


def files_with(folder, needles):
    """{path below the folder: which needles it holds}, whatever is removed meanwhile left out."""
    found = {}
    folder = pathlib.Path(folder)
    for path in sorted(folder.rglob("*")):
        try:
            content = path.read_bytes() if path.is_file() else b""
        except OSError:
            continue
        held = [name for name, needle in needles.items() if needle in content]
        if held:
            found[str(path.relative_to(folder))] = held
    return found


def erasure_map():
    """[(pattern of a path, what a vehicle has there, its reach, its line in the receipt)]"""
    found = []
    page = telltale.ROOT / "docs" / "erasure-map.md"
    for line in page.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 5 and cells[0].startswith("`"):
            parts = re.split(r"(\*\*|\*|#)", cells[0].strip("`"))
            wild = {"**": ".*", "*": "[^/]*", "#": "[0-9]+"}
            pattern = re.compile("".join(wild.get(part, re.escape(part)) for part in parts) + r"\Z")
            found.append((pattern, cells[1], cells[2], cells[3]))
    assert len(found) > 30, f"the table of {page} is not read"
    return found


def reach_of(path, rows_of_map):
    for pattern, _, reach, _ in rows_of_map:
        if pattern.match(path):
            return reach
    return "no row of the map"


def wait_vault_answers(site, timeout_s=60):
    """Until the vault answers anybody again; returns its status."""
    def answers():
        done = vault(site, "status", check=False)
        return json.loads(done.stdout) if done.returncode == 0 else None
    return wait_for("the vault to answer", answers, timeout_s, poll_s=0.1)


def copy_of(folder, to):
    """A copy of a folder as it is on the disk now, sockets left out; files may go meanwhile."""
    subprocess.run(["sync"], check=True)
    shutil.rmtree(to, ignore_errors=True)
    subprocess.run(["cp", "-a", "--reflink=auto", folder, to], check=False, capture_output=True)
    return pathlib.Path(to)


def seconds(call):
    began = time.monotonic()
    result = call()
    return result, time.monotonic() - began


# Who may do what, apart from a trial: people of different users


POLICY = """version: 1
roles:
  investigator: [request, hold, operate, audit, subject_export, approve]
  privacy: [approve, audit]
  scientist: [request]
  editor: [edit_policy]
people:
  - {{number: 1, name: Investigator, uids: [{investigator}], roles: [investigator]}}
  - {{number: 2, name: First officer, uids: [{officer}], roles: [privacy]}}
  - {{number: 3, name: Second officer, uids: [{second}], roles: [privacy]}}
  - {{number: 4, name: Editor, uids: [{editor}], roles: [editor, privacy]}}
  - {{number: 5, name: Scientist, uids: [{scientist}], roles: [scientist]}}
purposes:
  crash_reconstruction:
    roles: [investigator]
    form: trace
    fields: all
    classes: [data, quarantine, unknown, held]
    max_vehicles: 5
    max_hours: 1488
    second_person: {second_person}
    approve_roles: [privacy, investigator]
    break_glass: true
    export_hours: 24
  accident_research:
    roles: [scientist]
    form: trace
    fields: [latitude_deg, longitude_deg, odometer_km]
    max_vehicles: 1
    max_hours: 24
    second_person: always
    approve_roles: [privacy]
  failure_analysis:
    roles: [scientist, investigator]
    form: distance_bins
    bin_m: 500
    time_floor_s: 300
    max_vehicles: 20
    max_hours: 1488
    second_person: never
  regional_wear:
    roles: [scientist, investigator]
    form: cells
    cell_level: 9
    time_floor_s: 900
    max_vehicles: 20
    max_hours: 1488
    second_person: never
caps: {{requests: 10000, vehicles: 10000, rows: 1000000}}
holds:
  approve_roles: [privacy]
  approvers: 2
clock:
  approve_roles: [privacy]
  approvers: 0
"""
PEOPLE = ("officer", "second", "editor", "scientist")


def govern(site, folder, users, second_person="never"):
    """Puts POLICY in force with root as investigator. The first policy lets root alone change it,
    and who did may ask nothing: so the editor activates it once more."""
    file = pathlib.Path(folder) / "policy.yaml"
    file.write_text(POLICY.format(
        investigator=0, second_person=second_person,
        **{name: getattr(users, name) for name in PEOPLE}), encoding="utf-8")
    file.chmod(0o644)
    vault(site, "policy", "activate", file)
    again = pathlib.Path(tempfile.mkdtemp(prefix="telltale-policy-", dir="/tmp"))
    try:
        again.chmod(0o755)
        copy = again / "policy.yaml"
        copy.write_text(file.read_text(encoding="utf-8") + "# by the editor\n", encoding="utf-8")
        vault(site, "policy", "activate", copy, user=users.editor)
    finally:
        shutil.rmtree(again)


RAW = """
import socket, struct, sys
peer = socket.socket(socket.AF_UNIX)
peer.settimeout(20)
peer.connect(sys.argv[1])
asked = sys.argv[2].encode()
try:  # who is not in the policy is told so before a word is read
    peer.sendall(struct.pack("<I", len(asked)) + asked)
except OSError:
    pass
got = b" "
while got:
    try:
        got = peer.recv(65536)
    except ConnectionResetError:
        break
    sys.stdout.write(got.decode(errors="replace"))
"""


def raw(site, asked, user):
    """What the vault's socket answers that user to a message, past the command line; text of all
    frames, their lengths among it."""
    done = subprocess.run(
        ["/usr/bin/python3", "-c", RAW, site.dir / "run/vault/vault.sock", json.dumps(asked)],
        user=user, group=pwd.getpwuid(user).pw_gid, extra_groups=[], cwd="/", check=True,
        capture_output=True, text=True, timeout=60)
    return done.stdout


def number_waiting(done):
    """The number of the request that a command says waits for somebody."""
    found = re.search(r"request (\d+) waits", done.stderr) or re.search(r"^(\d+)$", done.stdout,
                                                                       re.M)
    assert found, done.stdout + done.stderr
    return found[1]


def approve(site, number, *users):
    for user in users:
        vault(site, "approve", number, "--yes", user=user)
