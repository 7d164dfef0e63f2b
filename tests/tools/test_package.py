"""What the package is made of: the Python environment, the units, the man page, install.md."""

import base64
import hashlib
import os
import pathlib
import re
import subprocess
import types

import pytest
from loading import ROOT, load

runtime = load("python_runtime", "tools/python-runtime")
TELLTALE = pathlib.Path(os.environ.get("BUILD", ROOT / "build" / "dev")).absolute() / "bin/telltale"
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))


def record_hash(data):
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return types.SimpleNamespace(mode="sha256", value=digest)


class Recorded(str):
    """A path as importlib.metadata gives it, with the hash that RECORD has."""

    hash = None


def wheel(folder, **files):
    """A distribution of the given {path: bytes}, lying in `folder`."""
    listed = []
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        recorded = Recorded(name)
        recorded.hash = record_hash(data)
        listed.append(recorded)
    return types.SimpleNamespace(files=listed, locate_file=lambda file: folder / file)


def test_an_installation_has_what_runs_and_not_what_tests_or_builds(tmp_path):
    kept = ["pyarrow/lib.so", "pyarrow/testing.py", "duckdb-1.dist-info/licenses/LICENSE"]
    left = ["../../../bin/pip", "pyarrow/include/arrow/api.h", "pyarrow/tests/test_io.py",
            "pyarrow/lib.pyx", "pyarrow/libarrow_flight.so.2600", "pyarrow/__pycache__/a.pyc",
            "duckdb-1.dist-info/REQUESTED"]  # fmt: skip
    distribution = types.SimpleNamespace(files=[Recorded(name) for name in kept + left])
    assert sorted(str(file) for file, _ in runtime.files_of(distribution)) == sorted(kept)


def test_a_file_that_is_not_as_its_wheel_brought_it_is_refused(tmp_path):
    distribution = wheel(tmp_path / "from", **{"a/b.py": b"x = 1\n"})
    runtime.copy(distribution, tmp_path / "to")
    assert (tmp_path / "to/a/b.py").read_bytes() == b"x = 1\n"
    (tmp_path / "from/a/b.py").write_bytes(b"x = 2\n")
    with pytest.raises(SystemExit, match="a/b.py is not as its wheel brought it"):
        runtime.copy(distribution, tmp_path / "other")


def test_copies_of_a_library_become_links_to_one(tmp_path):
    for name in ("liba.so", "liba.so.1", "liba.so.1.2", "libb.so"):
        (tmp_path / name).write_bytes(name[:4].encode())
    runtime.link_copies(tmp_path)
    links = {path.name: os.readlink(path) for path in tmp_path.iterdir() if path.is_symlink()}
    assert links == {"liba.so": "liba.so.1.2", "liba.so.1": "liba.so.1.2"}


def test_byte_code_is_the_same_wherever_it_was_made(tmp_path):
    made = []
    for place in (tmp_path / "one", tmp_path / "an" / "other"):
        place.mkdir(parents=True)
        (place / "a.py").write_text("def f():\n    return 'words'\n", encoding="utf-8")
        runtime.compile_all(place, place)
        (path,) = (place / "__pycache__").iterdir()
        made.append(path.read_bytes())
    assert made[0] == made[1] and str(tmp_path).encode() not in made[0]


def settings(unit):
    return dict(re.findall(r"^(\w+)=(.*)$", unit.read_text(encoding="utf-8"), re.M))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_gives_serve_what_it_needs(unit):
    have = settings(unit)
    assert have["ExecStart"].startswith("@PREFIX@/bin/telltale serve ")
    assert have["ReadWritePaths"] == have["ExecStart"].split()[-1]
    assert have["ConditionPathExists"] == have["ReadWritePaths"] + "/telltale.yaml"
    grace_ms = re.search(r"kEndGrace\{(\d+)\}", (ROOT / "src/app/supervisor.h").read_text())
    assert int(have["TimeoutStopSec"]) * 1000 > int(grace_ms[1]) and have["KillMode"] == "mixed"
    locked = re.search(r"kLockedKeyBytes = (\d+)u << 20", (ROOT / "src/seal/locked.h").read_text())
    assert int(have["LimitMEMLOCK"].removesuffix("M")) >= int(locked[1])
    assert {"CAP_SETUID", "CAP_SETGID", "CAP_CHOWN"} <= set(have["CapabilityBoundingSet"].split())


def test_the_units_differ_in_their_folder_alone():
    assert [unit.name for unit in UNITS] == ["telltale.service", "telltale@.service"]
    one, many = (settings(unit) for unit in UNITS)
    assert {key for key in one if one[key] != many[key]} == {
        "ConditionPathExists", "Description", "ExecStart", "ReadWritePaths"}  # fmt: skip


@pytest.mark.skipif(not TELLTALE.exists(), reason="nothing is built")
def test_the_man_page_has_every_command():
    page = (ROOT / "deploy/man/telltale.1").read_text(encoding="utf-8")
    printed = subprocess.run([TELLTALE, "--help"], capture_output=True, text=True, check=True)
    commands = re.findall(r"^  ([a-z]+) {2,}", printed.stdout.split("Subcommands:")[1], re.M)
    assert len(commands) > 5
    assert [name for name in commands if name != "role" and not re.search(
        rf"^\.BR? .*\b{name}\b", page, re.M)] == []  # fmt: skip


def test_the_quickstart_can_be_begun_as_the_install_page_says():
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    (lines,) = re.findall(r"^```\n(export PREFIX=.*?)^```", page, re.S | re.M)
    quickstart = (ROOT / "docs" / "quickstart.md").read_text(encoding="utf-8")
    used = set(re.findall(r"\$(TREE|DIR)\b", quickstart)) | {"PATH"}
    assert {name for name in used if not re.search(rf"\b{name}=", lines)} == set()
