"""Every version's golden files are read by today's programs, and a newer format is refused with a
reason (docs/versions.md)."""

import json
import subprocess

import pytest

import formats
import readers
from telltale_lake import handoff

VIN = "1M8GDM9AXKP042788"
# Of a vault of version 1 no doctor looks at these any more: the vault does when it takes it over.
BY_THE_VAULT = {"vault segments", "vault frames", "hour keys"}
RELEASE = "a" * 64


@pytest.fixture(params=formats.versions())
def version(request):
    return request.param


@pytest.fixture
def folder(version, tmp_path):
    """An installation's folder with that version's files; the test may change them."""
    assert readers.TELLTALE.exists(), f"there is no {readers.TELLTALE}: run `make build` first"
    formats.restore(version, tmp_path)
    (tmp_path / "telltale.yaml").write_text(readers.SETTINGS, encoding="utf-8")
    return tmp_path


def expected_of(version):
    return json.loads((formats.HERE / version / "expected.json").read_text(encoding="utf-8"))


def test_todays_readers_give_what_was_written(version, folder):
    expected = expected_of(version)
    found = readers.everything(folder, VIN)
    for part, value in expected.items():
        if part == "looked_at":  # a later doctor looks at more
            looked = {key: count for key, count in value.items() if key not in BY_THE_VAULT}
            assert looked.items() <= found[part].items()
        elif part != "made_at_us":
            assert found[part] == value, part


def test_the_golden_set_holds_what_was_sent(version):
    """Known from the sender, not from a reader: six reports, one alert, one broken batch."""
    expected = expected_of(version)
    kinds = {name: [line.split()[4] for line in lines]
             for name, lines in expected["streams"].items()}
    assert kinds["telemetry"].count("data") == kinds["safety"].count("data") == 6
    assert kinds["sealed"].count("quarantine") == 1
    assert all(kind in kinds["safety"] for kind in ("config", "tick"))
    assert [(one["rule"], one["state"], one["revision"]) for one in expected["alerts"]] == [
        ("hard_braking", "CLOSED", 2)]
    assert (expected["findings"], expected["doctor_exit_code"]) == ([], 0)


def test_the_committer_reads_the_handoff(folder):
    path = formats.place(folder, "handoff", ".json")
    read = handoff.read(path, int(path.stem), folder / "data" / "lake")
    assert set(read.tables) >= {"telemetry", "arrivals"}
    assert len(read.ranges) == 2


def by_command(*arguments):
    def said(folder):
        done = readers.run(*[str(folder) if one == "DIR" else one for one in arguments])
        return done.returncode, done.stdout + done.stderr
    return said


def by_lake(folder):
    done = subprocess.run([readers.LAKE, "--dir", folder, "--once"], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=30, check=False)
    return done.returncode, done.stdout + done.stderr


def by_vault(folder):
    done = subprocess.run([readers.VAULT, "--dir", folder], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=30, check=False)
    return done.returncode, done.stdout + done.stderr


def by_committer(folder):
    path = formats.place(folder, "handoff", ".json")
    try:
        handoff.read(path, int(path.stem), folder / "data" / "lake")
    except handoff.HandoffError as error:
        return 1, f"unsupported: {error}"
    return 0, ""


def by_position(folder):
    status = json.loads(readers.told("log", "status", "--dir", folder, "--json"))
    errors = [one["error"] for streams in status["consumers"].values()
              for one in streams.values() if "error" in one]
    return len(errors), "\n".join(errors)


DOCTOR = by_command("doctor", "--dir", "DIR", "--json")
DUMP = ("log", "dump", "--dir", "DIR", "--stream")
NAMED = f"version {formats.NEWER}"
NAMED_SCHEMA = f"version {formats.NEWER + 97}"

# format, suffix of the file, what raises it, who refuses it, what the reason says
REFUSALS = [
    ("durable-map", "", formats.raise_head, by_command("log", "status", "--dir", "DIR"), NAMED),
    ("ledger", "", formats.raise_ledger, DOCTOR, NAMED),
    ("segment", ".seg", formats.raise_head, by_command(*DUMP, "safety"), NAMED),
    ("journal", ".seg", formats.raise_head, None, NAMED),
    ("position", "", formats.raise_position, by_position, NAMED),
    ("snapshot", ".snapshot", formats.raise_snapshot, DOCTOR, "version 3"),
    ("handoff", ".json", formats.raise_handoff, by_committer, NAMED),
    ("handoff", ".json", formats.raise_handoff, by_lake, NAMED),
    ("handoff", ".state", formats.raise_state, by_lake, NAMED),
    ("handoff", ".json", formats.raise_handoff, DOCTOR, NAMED),
    ("vault-segment", ".seg", formats.raise_vault_segment, DOCTOR, "version 3"),
    ("vault-db", ".db", formats.raise_schema, by_vault, NAMED_SCHEMA),
    ("vault-state", "", formats.raise_vault_state, by_vault, NAMED),
    ("registry-db", ".db", formats.raise_schema,
     by_command("vehicles", "lookup", "--dir", "DIR", "--vin", VIN), NAMED_SCHEMA),
    ("alerts-db", ".db", formats.raise_schema,
     by_command("role", "first-authority", "--dir", "DIR", "--release", RELEASE), NAMED_SCHEMA),
    ("control-db", ".db", formats.raise_schema, by_command("role", "control", "--dir", "DIR"),
     NAMED_SCHEMA),
    ("control-tokens", "", formats.raise_tokens,
     by_command("control", "token", "list", "--dir", "DIR"), NAMED),
]


@pytest.mark.parametrize("name,suffix,raise_it,refuser,reason", REFUSALS,
                         ids=[f"{one[0]}{one[1]}-{number}" for number, one in enumerate(REFUSALS)])
def test_a_newer_format_is_refused_with_a_reason(version, folder, name, suffix, raise_it, refuser,
                                                 reason):
    # A vault of version 1 is read by the vault alone.
    of_another = name not in formats.places(version) or (name, version) == ("vault-segment", "v1")
    if of_another:
        return
    path = formats.place(folder, name, suffix)
    raise_it(path)
    before = path.read_bytes()
    if refuser is None:
        release = path.relative_to(folder / "data" / "journal").parts[0]
        refuser = by_command(*DUMP, "journal", "--journal", release)
    status, said = refuser(folder)
    assert status != 0, said
    # `telltale doctor` has a finding of its own for it.
    assert "unsupported" in said or '"newer_format"' in said, said
    assert reason in said, said
    assert path.read_bytes() == before, "what was refused was changed"


def test_the_generator_never_overwrites_a_golden_set(version, tmp_path):
    with pytest.raises(SystemExit, match="never overwritten"):
        formats.save(tmp_path, version)
