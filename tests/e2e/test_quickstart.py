"""docs/quickstart.md as written: its ten commands in one shell, then every error it lists.

Only what the page leaves to its reader is set here: the tree, the folder, the path."""

import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading

import pytest

import processes
from telltale import BUILD, ROOT
from waiting import wait_for

PAGE = (ROOT / "docs" / "quickstart.md").read_text(encoding="utf-8")
PUBLISH = 'mosquitto_pub -h localhost -p "$(cat "$DIR/run/gateway.port")" --cafile "$DIR/ca/ca.crt"'
AS_CAR = PUBLISH + " --cert car.crt --key car.key"
REPORTS = "-t telltale/v1/reports -q 1"


def steps():
    """{number: (command, what it prints)} of the page."""
    found = {}
    for number, body in re.findall(r"^## (\d+)\. .*?\n(.*?)(?=^## )", PAGE, re.S | re.M):
        (command,) = re.findall(r"^```sh\n(.*?)^```", body, re.S | re.M)
        printed = re.findall(r"^```text\n(.*?)^```", body, re.S | re.M)
        found[int(number)] = command, printed[0] if printed else ""
    return found


def errors():
    """[(what it says, what to do next)] of the page's table."""
    table = PAGE.split("## When it does not work")[1]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()
            if line.startswith("| `")]  # fmt: skip
    assert all(len(row) == 3 for row in rows), rows
    return [(re.match(r"`([^`]+)`", says)[1], then) for says, _, then in rows]


# What the page says is seen -> (how a newcomer gets there, where it is seen when not at once).
STATUS = 'telltale status --dir "$DIR"'
WAYS = {
    "is not empty: ": ('telltale init "$DIR"', None),
    "runs here already": ('telltale serve "$DIR"', None),
    "serving no, ready no": ('telltale status --dir "$DIR.idle"', None),
    "is no installation": ('telltale status --dir "$DIR.none"', None),
    "must be one of unknown, passenger_car": (
        "sed s/passenger_car/car/ fleet.csv > wrong.csv\n"
        'telltale vehicles import wrong.csv --dir "$DIR"',
        None,
    ),
    "a VIN is 17 of A-H J-N P R-Z 0-9": (
        'telltale certificate --dir "$DIR" --vin WVWZZZ1JZXWO00001 --out wrong',
        None,
    ),
    "has no field named": (
        "sed s/speed_kmh/speed/ batch.txt | protoc -I $TREE/contract"
        " --encode=telltale.v1.ReportBatch telltale/v1/telemetry.proto > wrong.bin",
        None,
    ),
    "Connection refused": (f"{AS_CAR} -p 1 {REPORTS} -f batch.bin", None),
    "alert certificate required": (f"{PUBLISH} -d {REPORTS} -f batch.bin", None),
    "alert unknown ca": (
        'telltale certificate --dir "$DIR" --vin WVWZZZ1JZXW000001 --out foreign --ca other\n'
        f"{PUBLISH} --cert foreign.crt --key foreign.key -d {REPORTS} -f batch.bin",
        None,
    ),
    "The connection was lost.": (f"{AS_CAR} -t reports -q 1 -f batch.bin", None),
    "only telltale/v1/reports may be published": (
        f"{AS_CAR} -t reports -q 1 -f batch.bin",
        "cat serve.log",
    ),
    "QoS 2 is not served": (
        f"{AS_CAR} -t telltale/v1/reports -q 2 -f batch.bin",
        "cat serve.log",
    ),
    "batches_quarantined 1": (f"{AS_CAR} {REPORTS} -f batch.txt", STATUS),
    '{"alerts":[]}': None,  # seen on the way, before 8
    "nothing has been committed to the lake yet": (
        'python3 -m telltale_lake query --dir "$DIR.idle" "SELECT seq FROM telemetry"',
        None,
    ),
    "0 rows": None,  # seen on the way, before 8
    "drops_total.lake.duplicate 3": (f"{AS_CAR} {REPORTS} -f batch.bin", STATUS),
}


class Shell:
    """One bash that runs what is typed and gives back what was printed."""

    LIMIT_S = 60

    def __init__(self, folder, **variables):
        self._lines, self._read, self._mark = [], 0, 0
        self.process = subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-s"], cwd=folder, env={**os.environ, **variables},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        threading.Thread(target=self._collect, daemon=True).start()

    def _collect(self):
        for line in self.process.stdout:
            self._lines.append(line)

    def run(self, command):
        """(exit status, what it printed)"""
        self._mark += 1
        word = f"-- the end of {self._mark}:"
        self.process.stdin.write(f"{command.rstrip()}\nprintf '\\n%s %s\\n' '{word}' $?\n")
        self.process.stdin.flush()
        wait_for(
            f"the end of: {command}",
            lambda: self._lines[self._read :] and self._lines[-1].startswith(word),
            self.LIMIT_S,
        )
        said = self._lines[self._read : -1]
        self._read = len(self._lines)
        return int(self._lines[-1].split()[-1]), "".join(said)


def shows(printed, expected):
    """Whether the expected lines are in what was printed, in order; … is anything."""
    lines = iter(printed.splitlines())
    patterns = [re.escape(line).replace("…", ".*") for line in expected.splitlines()]
    return all(any(re.search(pattern, line) for line in lines) for pattern in patterns)


class Newcomer:
    def __init__(self, folder):
        self.folder = folder
        self.seen_before_8 = {}
        self.shell = Shell(
            folder, TREE=str(ROOT), DIR=str(folder / "first"), PYTHONPATH=str(ROOT / "python"),
            PATH=f"{BUILD / 'bin'}:{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}",
        )  # fmt: skip

    def step(self, number):
        """Runs a step until it prints what the page says: again where the page says so."""
        command, expected = steps()[number]
        again = number in (3, 9, 10)

        def done():
            status, printed = self.shell.run(command)
            if shows(printed, expected) and (status == 0 or again):
                return True
            assert again, f"step {number} ended with {status}: {printed}"
            return False

        wait_for(f"step {number} to print {expected}", done)

    def see(self, command, message):
        wait_for(f"{command} to say {message}", lambda: message in self.shell.run(command)[1])
        self.seen_before_8[message] = True

    def walk(self):
        for number in range(1, 8):
            self.step(number)
        self.see(steps()[9][0], '{"alerts":[]}')
        self.see(steps()[10][0], "0 rows")
        for number in (8, 9, 10):
            self.step(number)
        assert self.shell.run('telltale init "$DIR.idle" --mqtt-port 0 --feed-port 0')[0] == 0

    def end(self):
        self.shell.process.kill()
        self.shell.process.wait()
        left = [one for one in processes.everything() if str(self.folder) in one.command]
        for process in left:
            os.kill(process.pid, signal.SIGKILL)
        wait_for("all of it to be gone", lambda: not any(process.runs() for process in left))


@pytest.fixture(scope="module")
def newcomer():
    with tempfile.TemporaryDirectory(prefix="telltale-", dir="/tmp") as folder:
        os.chmod(folder, 0o755)  # as /srv is: the platform's users pass on their way
        newcomer = Newcomer(pathlib.Path(folder))
        try:
            newcomer.walk()
            yield newcomer
        finally:
            newcomer.end()


def test_the_page_has_ten_commands_and_they_give_three_rows_and_an_alert(newcomer):
    assert sorted(steps()) == list(range(1, 11))
    for number in (9, 10):  # once more, all of it
        status, printed = newcomer.shell.run(steps()[number][0])
        assert status == 0 and shows(printed, steps()[number][1]), printed


def test_every_error_of_the_page_is_tried_and_no_other():
    assert {says for says, _ in errors()} == set(WAYS)


@pytest.mark.parametrize("says, then", errors())
def test_an_error_says_what_the_page_says_and_the_page_what_to_do(newcomer, says, then):
    assert then
    if WAYS[says] is None:
        assert newcomer.seen_before_8[says]
        return
    way, look = WAYS[says]
    status, printed = newcomer.shell.run(way)
    if look is None:
        assert status != 0 and says in printed, f"ended with {status}: {printed}"
        return
    wait_for(f"{look} to say {says}", lambda: says in newcomer.shell.run(look)[1])


def test_it_stops_as_the_page_says_and_starts_again(newcomer):
    status, printed = newcomer.shell.run('kill %1; wait; tail -n 3 serve.log; ls "$DIR/run"')
    assert status == 0 and "ready" not in printed.split(), printed
    newcomer.step(2)
    newcomer.step(3)
    newcomer.step(9)
    newcomer.step(10)
