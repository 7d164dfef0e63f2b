"""The vault through its only door: in at MQTT, out by a question that is recorded."""

import hashlib
import itertools
import json
import os
import pathlib
import pwd
import re
import struct
import subprocess
import time

import pytest

from telltale import ROOT, Installation
from waiting import wait_for

LATITUDE = 48.13715412345
LONGITUDE = 11.57612398765
BOOT = 'boot_counter: 1 boot_random: 77 firmware: "2.0.0"'


def report(seq, event_time_us, latitude=LATITUDE):
    return (f"reports {{ seq: {seq} event_time_us: {event_time_us} speed_kmh: 50 "
            f"latitude_deg: {latitude} longitude_deg: {LONGITUDE} odometer_km: 12345.5 }}")


def encode(text):
    """ReportBatch in text form -> wire bytes, by protoc: nothing of ours makes the payload."""
    done = subprocess.run(
        ["protoc", f"-I{ROOT / 'contract'}", "--encode=telltale.v1.ReportBatch",
         "telltale/v1/telemetry.proto"], input=text.encode(), capture_output=True, check=True)
    return done.stdout


def now_us():
    return time.time_ns() // 1000


class Car:
    """A certified vehicle that publishes with mosquitto_pub at QoS 1."""

    numbers = itertools.count(1)

    def __init__(self, installation, folder):
        self.installation = installation
        self.vin = f"WVWZZZ1JZXW{next(self.numbers):06}"
        self.stem = folder / "car"
        installation.run("certificate", "--dir", installation.dir, "--vin", self.vin,
                         "--out", self.stem)

    def publish(self, text):
        subprocess.run(
            ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(self.installation.mqtt_port),
             "--cafile", self.installation.dir / "ca" / "ca.crt", "--cert", f"{self.stem}.crt",
             "--key", f"{self.stem}.key", "--insecure", "-q", "1", "-i", "car",
             "-t", "telltale/v1/reports", "-s"],
            input=encode(text), check=True, timeout=20, capture_output=True)

    def ref(self):
        return self.installation.run("vehicles", "lookup", "--dir", self.installation.dir,
                                     "--vin", self.vin).stdout.strip()


def query(installation, ref, check=True, **options):
    asked = {"from": now_us() - 3600_000_000, "to": now_us() + 3600_000_000,
             "purpose": "crash_reconstruction", "case": "C-17"}
    asked.update(options)
    arguments = [item for key, value in asked.items() for item in (f"--{key}", value)]
    return installation.run("vault", "query", "--dir", installation.dir, "--vehicle", ref,
                            "--json", *arguments, check=check)


def rows(installation, ref, **options):
    return [json.loads(line) for line in query(installation, ref, **options).stdout.splitlines()]


def audit(installation):
    printed = installation.run("vault", "audit", "--dir", installation.dir).stdout
    return [json.loads(line[65:]) for line in printed.splitlines()]


def files_with(folder, needles, without=()):
    """Every regular file below `folder` that holds one of the byte strings."""
    found = []
    for path in pathlib.Path(folder).rglob("*"):
        if any(part in path.parents for part in without) or not path.is_file():
            continue
        content = path.read_bytes()
        if any(needle in content for needle in needles):
            found.append(path)
    return found


@pytest.fixture(scope="module")
def served():
    """One installation for all tests here: each has a car of its own."""
    installation = Installation().init(lake__cadence_s=1)
    try:
        installation.start()
        yield installation
        installation.stop()
        installation.remove()
    finally:
        installation.end_everything()


@pytest.fixture
def stored(served, tmp_path):
    """An installation whose vault holds two positions of one car."""
    installation, car = served, Car(served, tmp_path)
    event = now_us()
    car.publish(f"{BOOT} {report(0, event)} {report(1, event + 1, -LATITUDE)}")
    ref = car.ref()
    wait_for("both positions in the vault", lambda: len(rows(installation, ref)) == 2)
    return installation, car, ref, event


def test_a_published_position_comes_back_exactly_and_both_ends_are_recorded(stored):
    installation, _, ref, event = stored
    done = query(installation, ref)
    got = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["fields"]["latitude_deg"] for row in got] == [LATITUDE, -LATITUDE]
    assert [row["fields"]["longitude_deg"] for row in got] == [LONGITUDE, LONGITUDE]
    assert got[0]["fields"]["odometer_km"] == 12345.5
    assert [row["event_time_us"] for row in got] == [event, event + 1]
    assert "speed_kmh" not in got[0]["fields"], "open fields have no business in the vault"

    intent, vehicle, outcome = audit(installation)[-3:]
    assert (intent["event"], vehicle["event"], outcome["event"]) == ("intent", "vehicle", "outcome")
    assert (intent["purpose"], intent["case"], intent["uid"], intent["person"]) == (
        "crash_reconstruction", "C-17", os.getuid(), 1)
    assert vehicle["intent"] == intent["n"]
    assert ref not in (installation.dir / "vault/audit/audit.log").read_text()
    assert {row["request"] for row in got} == {intent["request"]}
    assert (outcome["intent"], outcome["rows"], outcome["result"]) == (intent["n"], 2, "complete")
    salt = re.search(r"salt ([0-9a-f]+)", done.stderr)[1]
    digest = hashlib.sha256(bytes.fromhex(salt) + done.stdout.encode()).hexdigest()
    assert outcome["digest"] == digest, "what was handed out can be proved against the log"


def test_no_file_holds_the_position_in_clear(stored):
    installation, car, _, _ = stored
    needles = [struct.pack("<d", LATITUDE), struct.pack("<d", LONGITUDE),
               struct.pack("<f", LATITUDE), struct.pack("<i", round(LATITUDE * 1e7)),
               f"{LATITUDE}"[:8].encode(), f"{LONGITUDE}"[:8].encode(), car.vin.encode()]
    planted = installation.dir / "run" / "planted"
    planted.write_bytes(b"xx" + needles[0])
    assert files_with(installation.dir, needles[:1]) == [planted], "the search finds what is there"
    planted.unlink()
    assert files_with(installation.dir, needles[:-1]) == []
    # The VIN is in the registry and nowhere else.
    assert files_with(installation.dir, needles[-1:],
                      without=(installation.data / "registry",)) == []


def test_only_the_interval_that_was_asked_for_is_answered(stored):
    installation, _, ref, event = stored
    assert [row["seq"] for row in rows(installation, ref, **{"from": event + 1})] == [1]
    assert [row["seq"] for row in rows(installation, ref, to=event + 1)] == [0]
    assert rows(installation, "00" * 16) == []


def test_a_second_arrival_of_the_same_batch_is_answered_once(stored):
    installation, car, ref, event = stored
    car.publish(f"{BOOT} {report(0, event)} {report(1, event + 1, -LATITUDE)}")
    car.publish(f"{BOOT} {report(2, event + 2)}")
    wait_for("the third report", lambda: len(rows(installation, ref)) >= 3)
    assert [row["seq"] for row in rows(installation, ref)] == [0, 1, 2]


def test_a_refused_batch_lies_in_quarantine_and_is_answered_only_as_such(stored):
    installation, car, ref, event = stored
    car.publish(f"{BOOT} reports {{ event_time_us: {event} latitude_deg: {LATITUDE} }}")
    wait_for("the report without a seq", lambda: installation.run(
        "vault", "query", "--dir", installation.dir, "--vehicle", ref, "--from", event - 10**9,
        "--to", event + 10**9, "--purpose", "crash_reconstruction", "--case", "c", "--quarantine",
        "--json").stdout)
    assert len(rows(installation, ref)) == 2


def test_killed_at_any_time_it_neither_loses_nor_doubles(stored):
    installation, car, ref, event = stored
    for seq in range(2, 6):
        before = installation.kill("vault")
        car.publish(f"{BOOT} {report(seq, event + seq)}")
        installation.wait_restarted("vault", before)
    def answered():
        done = query(installation, ref, check=False)
        return done.returncode == 0 and len(done.stdout.splitlines()) == 6
    wait_for("all six reports", answered)
    assert [row["seq"] for row in rows(installation, ref)] == list(range(6))
    installation.run("vault", "audit", "--dir", installation.dir, "--verify")


@pytest.mark.parametrize("flag", ["purpose", "case"])
def test_without_a_purpose_or_case_nothing_is_answered(stored, flag):
    installation, _, ref, _ = stored
    done = query(installation, ref, check=False, **{flag: " "})
    assert done.returncode != 0
    assert done.stdout == ""
    assert f"{flag} is required" in done.stderr
    assert audit(installation)[-1]["event"] == "refusal"


def test_a_vin_is_not_taken_for_a_vehicle(stored):
    installation, car, _, _ = stored
    done = query(installation, car.vin, check=False)
    assert done.returncode != 0
    assert "telltale vehicles lookup" in done.stderr
    assert car.vin not in (installation.dir / "vault/audit/audit.log").read_text()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_a_user_who_is_not_named_gets_nothing_and_is_recorded(stored):
    installation, _, ref, event = stored
    nobody = pwd.getpwnam("nobody")
    done = installation.run("vault", "query", "--dir", installation.dir, "--vehicle", ref,
                            "--from", event - 1, "--to", event + 1, "--purpose",
                            "crash_reconstruction", "--case", "c",
                            check=False, user=nobody.pw_uid)
    assert done.returncode != 0
    assert "vault-policy.yaml" in done.stderr
    entry = audit(installation)[-1]
    assert (entry["event"], entry["uid"], entry["reason"]) == (
        "refusal", nobody.pw_uid, "nobody")


def test_a_replaced_audit_log_closes_the_vault(stored):
    installation, _, ref, _ = stored
    log = installation.dir / "vault/audit/audit.log"
    kept, owner = log.read_bytes(), log.stat()
    log.unlink()
    log.write_bytes(b"")
    done = query(installation, ref, check=False)
    assert done.returncode != 0
    assert done.stdout.strip() == ""
    assert "audit log" in done.stderr
    log.write_bytes(kept)
    os.chown(log, owner.st_uid, owner.st_gid)
    assert len(rows(installation, ref)) == 2, "and opens again when it is back as it was"


def test_its_memory_is_not_dumped(stored):
    installation, _, _, _ = stored
    pid = installation.process_of("vault").pid
    limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
    assert re.search(r"Max core file size\s+0\s+0\s", limits)


def vault(installation, *words, user=None, check=True):
    """`telltale vault WORD… --dir DIR`; of two words, as in `policy show`, both come first."""
    groups = {"policy", "export"}
    head = words[:2] if words[0] in groups else words[:1]
    return installation.run("vault", *head, "--dir", installation.dir, *words[len(head):],
                            user=user, check=check)


def test_failure_analysis_gets_distances_and_no_place(stored):
    installation, _, ref, _ = stored
    got = rows(installation, ref, purpose="failure_analysis")
    assert got and all(set(row) == {"bin_m", "distance_m", "event_time", "event_time_us",
                                    "request", "vehicle_ref"} for row in got)
    # From one side of the equator to the other within a microsecond: 10,700 km.
    assert sum(row["distance_m"] for row in got) // 1000 == 10_705
    cells = rows(installation, ref, purpose="regional_wear")
    assert {row["cell_level"] for row in cells} == {9}
    assert len(cells) == 2
    assert str(LATITUDE)[:5] not in json.dumps(got + cells)


def test_a_kept_answer_is_sealed_listed_fetched_on_record_and_removed(stored):
    installation, _, ref, _ = stored
    event = now_us()
    kept = vault(installation, "query", "--vehicle", ref, "--from", event - 3600_000_000, "--to",
                 event + 3600_000_000, "--purpose", "crash_reconstruction", "--case", "K-1",
                 "--export").stdout.strip()
    assert re.fullmatch(r"[0-9a-f]{32}", kept)
    sealed = (installation.dir / "vault/exports" / f"{kept}.sealed").read_bytes()
    assert b"latitude" not in sealed and struct.pack("<d", LATITUDE) not in sealed
    listed = json.loads(vault(installation, "export", "list", "--json").stdout)
    assert [one["rows"] for one in listed if one["export"] == kept] == [2]
    fetched = vault(installation, "export", "get", kept, "--json").stdout.splitlines()
    assert [json.loads(row)["fields"]["latitude_deg"] for row in fetched] == [LATITUDE, -LATITUDE]
    assert audit(installation)[-1]["rows"] == 2
    vault(installation, "export", "remove", kept)
    assert vault(installation, "export", "get", kept, check=False).returncode == 1


def test_a_parquet_file_is_its_owners_and_said_to_be_outside(stored, tmp_path):
    installation, _, ref, _ = stored
    out = tmp_path / "rows.parquet"
    event = now_us()
    asked = ("query", "--vehicle", ref, "--from", event - 3600_000_000, "--to",
             event + 3600_000_000, "--purpose", "crash_reconstruction", "--case", "P-1",
             "--format", "parquet", "--out", out)
    done = vault(installation, *asked)
    assert "outside the vault" in done.stderr
    assert out.stat().st_mode & 0o777 == 0o600
    import duckdb
    found = duckdb.sql(f"SELECT latitude_deg, vehicle_ref FROM '{out}' ORDER BY seq").fetchall()
    assert found == [(LATITUDE, ref), (-LATITUDE, ref)]
    again = vault(installation, *asked, check=False)
    assert again.returncode == 1 and "is there already" in again.stderr


def test_the_subject_learns_who_as_what_and_why_and_a_checkpoint_shows_a_rewritten_log(
        stored, tmp_path):
    installation, _, ref, _ = stored
    told = json.loads(vault(installation, "audit", "--subject", ref, "--json").stdout)
    assert {one["role"] for one in told if one["op"] == "query"} == {"operator"}
    assert all(not {"person", "uid"} & set(one) for one in told)
    checkpoint = tmp_path / "checkpoint.json"
    checkpoint.write_text(vault(installation, "audit", "--checkpoint").stdout)
    rows(installation, ref)
    done = vault(installation, "audit", "--verify", "--since", checkpoint)
    assert "extends the checkpoint" in done.stdout
    forged = json.loads(checkpoint.read_text())
    forged["hash"] = "0" * 64
    checkpoint.write_text(json.dumps(forged))
    done = vault(installation, "audit", "--verify", "--since", checkpoint, check=False)
    assert done.returncode == 1 and "signature" in done.stderr


def test_there_is_no_flag_for_a_place(served):
    helped = served.run("vault", "query", "--help").stdout
    assert "--vehicle" in helped
    assert not re.search(r"--(lat|lon|bbox|near|cell|place|radius)", helped)


POLICY = """version: 1
roles:
  investigator: [request]
  privacy: [approve, audit]
  editor: [edit_policy]
people:
  - {{number: 11, name: Asker, uids: [{asker}], roles: [investigator]}}
  - {{number: 12, name: Officer, uids: [{officer}], roles: [privacy]}}
  - {{number: 1, name: Editor, uids: [0], roles: [editor]}}
purposes:
  crash:
    roles: [investigator]
    form: trace
    fields: all
    max_vehicles: 5
    max_hours: 48
    second_person: always
    approve_roles: [privacy]
    break_glass: true
caps: {{requests: 50, vehicles: 50, rows: 1000}}
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_a_second_person_agrees_and_the_editor_of_the_policy_stays_out(tmp_path):
    asker, officer = pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("daemon").pw_uid
    installation = Installation().init()
    try:
        installation.start()
        car = Car(installation, tmp_path)
        car.publish(f"{BOOT} {report(0, now_us())}")
        ref = car.ref()
        wait_for("the position", lambda: rows(installation, ref))
        policy = tmp_path / "policy.yaml"
        policy.write_text(POLICY.format(asker=asker, officer=officer))
        assert vault_policy_check(installation, policy).returncode == 0
        vault(installation, "policy", "activate", policy)
        question = ("query", "--vehicle", ref, "--from", now_us() - 3600_000_000, "--to",
                    now_us() + 3600_000_000, "--purpose", "crash", "--case", "C-1", "--json")
        assert vault(installation, *question, check=False).returncode == 1, "the editor"
        waiting = vault(installation, *question, user=asker, check=False)
        assert (waiting.returncode, waiting.stdout) == (1, "")
        number = re.search(r"request (\d+) waits", waiting.stderr)[1]
        assert vault(installation, "approve", number, "--yes", user=asker,
                     check=False).returncode == 1
        looked = vault(installation, "approve", number, user=officer, check=False)
        assert looked.returncode == 1 and ref in looked.stdout
        vault(installation, "approve", number, "--yes", user=officer)
        answer = vault(installation, "query", "--request", number, "--json", user=asker)
        assert [json.loads(row)["fields"]["latitude_deg"]
                for row in answer.stdout.splitlines()] == [LATITUDE]
        glass = vault(installation, *question, "--break-glass", user=asker)
        assert len(glass.stdout.splitlines()) == 1
        assert "waits for its review" in vault(installation, "requests", user=officer).stdout
        number = audit_as(installation, officer)[-1]["request"]
        vault(installation, "review", number, "--verdict", "justified", user=officer)
        events = [entry["event"] for entry in audit_as(installation, officer)]
        wanted = ["policy", "refusal", "request", "refusal", "approval", "intent", "vehicle",
                  "outcome", "break_glass", "intent", "vehicle", "outcome", "review"]
        assert events[-len(wanted):] == wanted
        installation.stop()
        installation.remove()
    finally:
        installation.end_everything()


def vault_policy_check(installation, file):
    return installation.run("vault", "policy", "check", file, check=False)


def audit_as(installation, user):
    printed = vault(installation, "audit", user=user).stdout
    return [json.loads(line[65:]) for line in printed.splitlines()]
