"""From nothing to a running platform, through kills, to nothing left: `init` and `serve`."""

import json
import os
import pathlib
import shutil
import signal
import stat
import subprocess
import tempfile

import pytest

import processes
from telltale import BUILD, ROLES, TELLTALE, Installation
from waiting import wait_for

VINS = ["WVWZZZ1KZAW000001", "WVWZZZ1KZAW000002", "WVWZZZ1KZAW000003"]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="two users need root")


def owner_of(process):
    return pathlib.Path(f"/proc/{process.pid}").stat().st_uid


def uid_of(name):
    return int(subprocess.run(["id", "-u", name], capture_output=True, text=True,
                              check=True).stdout)


def test_every_role_runs_and_a_killed_one_is_started_again(new_installation):
    installation = new_installation().init().start()
    status = json.loads(installation.run("status", "--dir", installation.dir, "--json").stdout)
    assert status["ready"] and status["serving"]
    assert {role for role, one in status["roles"].items() if one["alive"]} == set(ROLES)
    for role in ROLES:
        before = installation.kill(role)
        after = installation.wait_restarted(role, before)
        pid_file = installation.dir / "run" / f"{installation.files_of(role)}.pid"
        wait_for(f"{pid_file} to name {after}",
                 lambda path=pid_file, pid=after.pid: path.exists()
                 and path.read_text(encoding="utf-8") == f"{pid}\n")
    assert "was killed by signal 9" in installation.log_end()


def test_stopping_leaves_no_process_and_a_second_start_takes_up_the_same_folder(new_installation):
    installation = new_installation().init().start()
    installation.stop()
    assert not installation.ready_path.exists()
    assert installation.run("status", "--dir", installation.dir, check=False).returncode == 1
    installation.start()


def test_children_die_with_a_killed_supervisor(new_installation):
    installation = new_installation().init().start()
    family = installation.family()
    assert len(family) >= len(ROLES)
    installation.server.kill()
    installation.server.wait()
    wait_for("the children of a killed supervisor to be gone",
             lambda: not any(process.runs() for process in family))
    installation.server = None
    status = json.loads(installation.run("status", "--dir", installation.dir, "--json",
                                         check=False).stdout)
    assert not status["serving"] and not status["ready"]
    installation.start()


def test_one_folder_is_served_once(new_installation):
    installation = new_installation().init().start()
    second = installation.run("serve", installation.dir, check=False)
    assert second.returncode == 1
    assert "runs here already" in second.stderr
    assert installation.process_of("gateway")


def test_init_refuses_a_folder_with_something_in_it_and_changes_nothing(new_installation):
    installation = new_installation().init()
    before = sorted(str(path) for path in installation.dir.rglob("*"))
    again = installation.run("init", installation.dir, check=False)
    assert again.returncode == 1
    assert "is not empty" in again.stderr
    assert sorted(str(path) for path in installation.dir.rglob("*")) == before


def test_mistakes_are_refused_before_anything_starts(new_installation):
    installation = new_installation().init()

    def serve(*arguments):
        return installation.run("serve", installation.dir, *arguments, check=False)

    installation.set(vault__window_days=63)
    assert "vault.window_days must be a whole number from 0 to 62" in serve().stderr
    installation.set(vault__window_days=30)
    assert "--demo" in serve("--seed", "1").stderr
    installation.set(environment__kind="prod")
    assert "--demo is refused" in serve("--demo").stderr
    release = next((installation.data / "releases").iterdir())
    rules = release / "rules.yaml"
    rules.write_text(rules.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    assert "is not the file the release was made with" in serve().stderr


def test_a_missing_program_is_named():
    """A copy of the installed layout without the vault."""
    prefix = pathlib.Path(tempfile.mkdtemp(prefix="telltale-prefix-", dir="/tmp"))
    installation = Installation()
    try:
        for folder in ("bin", "libexec/telltale", "share/telltale"):
            shutil.copytree(BUILD / folder, prefix / folder, symlinks=False)
        program = prefix / "bin" / "telltale"
        vault = prefix / "libexec" / "telltale" / "telltale-vault"
        vault.unlink()
        subprocess.run([program, "init", installation.dir, "--users", "single"], check=True,
                       capture_output=True)
        done = subprocess.run([program, "serve", installation.dir, "--without", "committer,lake"],
                              capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 1
        assert str(vault) in done.stderr
    finally:
        installation.remove()
        shutil.rmtree(prefix)


@needs_root
def test_with_two_users_only_the_vaults_user_can_enter_the_vault(new_installation):
    installation = new_installation().init("--users", "required").start()
    platform, vault = uid_of("telltale"), uid_of("telltale-vault")
    for role in ROLES:
        wanted = vault if role == "vault" else platform
        assert owner_of(installation.process_of(role)) == wanted, role

    def may(user, *command):
        return subprocess.run(["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups",
                               *map(str, command)], capture_output=True,
                              check=False).returncode == 0

    assert not may("telltale", "ls", installation.dir / "vault")
    assert may("telltale-vault", "ls", installation.dir / "vault")
    sealed = installation.data / "log" / "sealed"
    assert may("telltale-vault", "ls", sealed)
    assert not may("nobody", "ls", sealed)
    assert not may("telltale-vault", "cat", installation.dir / "keys" / "gateway.key")
    for key in (installation.dir / "keys").glob("*.key"):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    vault_key = next((installation.dir / "vault" / "keys" / "transport").glob("*.key"))
    assert (vault_key.stat().st_uid, stat.S_IMODE(vault_key.stat().st_mode)) == (vault, 0o600)
    installation.run("vault", "transport-keys", "rotate", "--dir", installation.dir)
    for made_later in vault_key.parent.glob("*.key"):
        assert (made_later.stat().st_uid, stat.S_IMODE(made_later.stat().st_mode)) == (vault, 0o600)
    offline_key = installation.dir / "offline" / "vault_offline.key"
    assert stat.S_IMODE(offline_key.stat().st_mode) == 0o600
    assert not may("telltale", "cat", offline_key)
    assert "cannot be read" not in installation.log_end()


@needs_root
def test_a_closed_path_falls_back_to_one_user_with_a_warning_or_is_refused():
    closed = pathlib.Path(tempfile.mkdtemp(prefix="telltale-closed-", dir="/tmp"))  # mode 0700
    try:
        refused = subprocess.run([TELLTALE, "init", closed / "a", "--users", "required"],
                                 capture_output=True, text=True, check=False)
        assert refused.returncode == 1
        assert str(closed) in refused.stderr
        assert not (closed / "a").exists()
        warned = subprocess.run([TELLTALE, "init", closed / "b"], capture_output=True, text=True,
                                check=False)
        assert warned.returncode == 0
        assert "NOT enforced" in warned.stderr and str(closed) in warned.stderr
        prod = subprocess.run([TELLTALE, "init", closed / "c", "--kind", "prod"],
                              capture_output=True, text=True, check=False)
        assert prod.returncode == 1
        assert "prod" in prod.stderr
    finally:
        shutil.rmtree(closed)


@needs_root
def test_without_root_one_user_runs_everything_and_is_told_so():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="telltale-plain-", dir="/tmp"))
    folder.chmod(0o777)
    as_nobody = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    made = subprocess.run([*as_nobody, TELLTALE, "init", folder / "t", "--mqtt-port", "0",
                           "--feed-port", "0"], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    assert "NOT enforced" in made.stderr
    log_path = folder / "serve.log"
    with open(log_path, "wb") as log:
        server = subprocess.Popen([*as_nobody, TELLTALE, "serve", folder / "t"], stdout=log,
                                  stderr=log)
    try:
        ready = folder / "t" / "run" / "ready"
        wait_for(f"{ready}\n{log_path.read_text(encoding='utf-8')}",
                 lambda: ready.exists() or server.poll() is not None, 60)
        text = log_path.read_text(encoding="utf-8")
        assert ready.exists(), text
        assert "NOT enforced" in text
        family = processes.descendants(server.pid)
        assert {owner_of(process) for process in family} == {uid_of("nobody")}
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0
        assert not any(process.runs() for process in family)
    finally:
        server.kill()
        server.wait()
        shutil.rmtree(folder)


def test_vehicles_are_imported_with_and_without_a_running_registry(new_installation):
    installation = new_installation().init()
    vehicles = installation.dir / "vehicles.csv"

    def bring_in(*rows):
        vehicles.write_text("\n".join(["vin,model,class,fuel,ownership_epoch", *rows]) + "\n",
                            encoding="utf-8")
        return installation.run("vehicles", "import", vehicles, "--dir", installation.dir,
                                check=False)

    def reference_of(vin):
        return installation.run("vehicles", "lookup", "--dir", installation.dir, "--vin",
                                vin).stdout.strip()

    assert bring_in(f"{VINS[0]},Arrow,van,diesel,1").stdout == "1 added, 0 updated, 0 unchanged\n"
    before = reference_of(VINS[0])
    assert len(bytes.fromhex(before)) == 16

    installation.start()
    done = bring_in(f"{VINS[0]},Arrow,van,diesel,1", f"{VINS[1]},Arrow,van,electric,1")
    assert done.stdout == "1 added, 0 updated, 1 unchanged\n"
    assert reference_of(VINS[0]) == before
    assert bring_in(f"{VINS[0]},Arrow,van,diesel,2").stdout == "0 added, 1 updated, 0 unchanged\n"
    assert reference_of(VINS[0]) != before
    assert installation.run("vehicles", "lookup", "--dir", installation.dir, "--ref",
                            before).stdout.strip() == VINS[0]

    refused = bring_in(f"{VINS[2]},Arrow,boat,diesel,1")
    assert refused.returncode == 1
    assert "line 2, column class" in refused.stderr and "passenger_car" in refused.stderr
    assert VINS[2] not in refused.stderr


def test_the_simulators_list_of_vehicles_can_be_imported(new_installation):
    installation = new_installation().init()
    vehicles = installation.dir / "vehicles.csv"
    installation.run("sim", "--dir", installation.dir, "--vehicles", 30, "--write-vehicles",
                     vehicles)
    done = installation.run("vehicles", "import", vehicles, "--dir", installation.dir)
    # Some of its cars stay out of the list: the gateway meets unknown vehicles too.
    listed = len(vehicles.read_text(encoding="utf-8").splitlines()) - 1
    assert 20 <= listed <= 30
    assert done.stdout == f"{listed} added, 0 updated, 0 unchanged\n"


def test_the_same_seed_gives_the_same_references(new_installation):
    references = []
    for _ in range(2):
        installation = new_installation().init().start("--demo", "--seed", "7")
        vehicles = installation.dir / "vehicles.csv"
        vehicles.write_text(f"vin,model,class,fuel,ownership_epoch\n{VINS[0]},,van,gas,1\n",
                            encoding="utf-8")
        installation.run("vehicles", "import", vehicles, "--dir", installation.dir)
        references.append(installation.run("vehicles", "lookup", "--dir", installation.dir,
                                           "--vin", VINS[0]).stdout)
        installation.stop()
    assert references[0] == references[1]
