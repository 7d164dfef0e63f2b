"""Disks in trouble, on real file systems: full, read-only, and failing under a sync.

The installation's data folder lies on a file system of its own, which needs the right to mount.
"""

import shutil
import signal
import subprocess

import pytest

import accounts
from fleet import Fleet
from telltale import ROLES
from waiting import wait_for

RECOVERED_S = 60


class DataDisk:
    """A small file system at the installation's data/."""

    def __init__(self, installation):
        self.installation = installation
        self.at = installation.data
        self.filler = None
        self.mounts = []

    def mount(self, kind, size_mb, scratch):
        """Moves what `telltale init` made onto it."""
        made = self.at.rename(self.at.with_name("data.made"))
        shutil.rmtree(made / "log")  # still empty; the gateway makes it anew, with small files
        self.at.mkdir()
        if kind == "tmpfs":
            self._mount_tmpfs(self.at, size_mb)
        else:
            self._mount_loop(size_mb, scratch)
        subprocess.run(["cp", "-a", f"{made}/.", f"{self.at}/"], check=True)

    def _mount(self, at, *how):
        done = subprocess.run(["mount", *how, str(at)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"a file system cannot be mounted here: {done.stderr.strip()}")
        self.mounts.append(at)

    def _mount_tmpfs(self, at, size_mb):
        self._mount(at, "-t", "tmpfs", "-o", f"size={size_mb}m,mode=755", "tmpfs")
        self.filler = at / "filler"

    def _mount_loop(self, size_mb, scratch):
        """A file system that promises four times the room that is below it: a write to a file is
        taken, its sync fails once that room is used up. Without a journal it outlives that."""
        outer = scratch / "outer"
        outer.mkdir()
        self._mount_tmpfs(outer, size_mb)
        image = outer / "image"
        with open(image, "wb") as made:
            made.truncate(4 * size_mb << 20)
        subprocess.run(["mkfs.ext4", "-q", "-O", "^has_journal", image], check=True)
        self._mount(self.at, "-o", "loop,errors=continue", str(image))

    def remount(self, mode):
        """True when it is so; it is not while a file is open for writing."""
        done = subprocess.run(
            ["mount", "-o", f"remount,{mode}", str(self.at)], capture_output=True, check=False
        )
        return done.returncode == 0

    def fill(self):
        with open(self.filler, "ab", buffering=0) as filler:
            for size in (1 << 20, 4096):
                try:
                    while True:
                        filler.write(bytes(size))
                except OSError:
                    pass

    def free(self):
        self.filler.unlink()

    def unmount(self):
        while self.mounts:
            subprocess.run(["umount", "-l", str(self.mounts.pop())], check=True)


@pytest.fixture
def data_disk(new_installation, tmp_path):
    """data_disk(kind, size_mb): an installation, to be started, and the disk under its data."""
    small = str(4 << 20)  # so that little load comes to the end of what is laid out ahead
    disks = []

    def new(kind, size_mb):
        installation = new_installation().init(
            "--users", "single", "--segment-bytes", small,
            lake__cadence_s=1, log__unsynced_bytes_max=small,
        )  # fmt: skip
        disks.append(DataDisk(installation))
        disks[-1].mount(kind, size_mb, tmp_path)
        return installation, disks[-1]

    yield new
    for disk in disks:
        try:
            disk.installation.stop()
        finally:
            disk.unmount()


def check_books(installation, cars):
    """Everything acknowledged is in the lake, once; nothing that is in a stream waits."""
    accounts.drain(installation, RECOVERED_S)
    refs = accounts.references(installation)
    rows = accounts.lake_identities(installation)
    assert set(rows) == accounts.by_reference(cars.accepted(), refs)
    assert set(rows.values()) == {1}


def counted(installation, name):
    return installation.counters("gateway").get(name, 0)


def log_says(installation, *words):
    """Lines of the log that have all of the words."""
    lines = installation.log_path.read_text(encoding="utf-8", errors="replace").splitlines()
    return [line for line in lines if all(word in line for word in words)]


def is_ready(installation):
    return installation.run("status", "--dir", installation.dir, check=False).returncode == 0


def test_a_full_disk_makes_the_cars_wait_and_everything_goes_on_when_there_is_room(
    data_disk, tmp_path
):
    installation, disk = data_disk("tmpfs", 160)
    installation.start()
    # Half of the load comes to the end of the first segments, of 4 MiB; the other half waits.
    fleet = Fleet(installation, tmp_path).start(
        "sim", "--vehicles", 80, "--duration", 10, "--hz", 100
    )
    wait_for("the first acknowledgements", lambda: counted(installation, "acks") > 50)
    before = installation.process_of("gateway")
    disk.fill()
    wait_for("a shard to stand", lambda: counted(installation, "log_stalled_shards") > 0, 30)
    wait_for("vehicles not to be read", lambda: counted(installation, "reading_pauses") > 0)
    assert counted(installation, "log_stalled_shards") > 0
    assert log_says(installation, "role=gateway", "No space left on device", "vehicles wait")
    disk.free()
    cars = fleet.wait()
    assert installation.process_of("gateway") == before, "a full disk is waited out in place"
    assert counted(installation, "drops_total.gateway.storage") == 0
    check_books(installation, cars)
    wait_for("every role to be ready", lambda: is_ready(installation))


def test_a_disk_that_became_read_only_refuses_and_everything_comes_back_with_it(
    data_disk, tmp_path
):
    installation, disk = data_disk("tmpfs", 160)
    installation.start()
    fleet = Fleet(installation, tmp_path).start("sim", "--vehicles", 8, "--duration", 3)
    wait_for("the first acknowledgements", lambda: counted(installation, "acks") > 5)
    # No file may be open for writing then: everybody dies, and nobody starts again meanwhile.
    installation.server.send_signal(signal.SIGSTOP)
    for role in ROLES:
        installation.kill(role)
    wait_for("the disk to be read-only", lambda: disk.remount("ro"))
    installation.server.send_signal(signal.SIGCONT)
    wait_for(
        "the gateway to be tried with pauses",
        lambda: len(log_says(installation, "gateway exited", "starting it again")) >= 2,
    )
    assert log_says(installation, "role=gateway", "Read-only file system")
    shown = installation.run("status", "--dir", installation.dir, check=False)
    assert shown.returncode == 1 and "does not run" in shown.stdout
    assert disk.remount("rw")
    cars = fleet.wait()
    check_books(installation, cars)
    wait_for("every role to be ready", lambda: is_ready(installation))


def test_a_disk_that_fails_syncs_ends_the_gateway_and_everything_comes_back_with_it(
    data_disk, tmp_path
):
    installation, disk = data_disk("loop", 100)
    installation.start()
    fleet = Fleet(installation, tmp_path).start("sim", "--vehicles", 8, "--duration", 3)
    wait_for("the first acknowledgements", lambda: counted(installation, "acks") > 5)
    disk.fill()
    wait_for(
        "the gateway to be tried with pauses",
        lambda: len(log_says(installation, "gateway exited", "starting it again")) >= 2,
    )
    assert log_says(installation, "role=gateway", "cannot sync")
    disk.free()
    cars = fleet.wait()
    check_books(installation, cars)
    wait_for("every role to be ready", lambda: is_ready(installation))
