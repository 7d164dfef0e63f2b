"""What operators and auditors ask of the running vault: the report, holds, erasure's keys; and the
same door over HTTP with client certificates, by curl."""

import json
import os
import subprocess

import pytest

from telltale import Installation
from test_vault import BOOT, Car, LATITUDE, LONGITUDE, audit, now_us, query, report, rows
from waiting import wait_for


def vault(installation, *arguments, check=True):
    return installation.run("vault", *arguments, "--dir", installation.dir, check=check)


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """An authority of people, made by openssl, and a certificate for ana and for a stranger."""
    folder = tmp_path_factory.mktemp("people")

    def openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True,
                       cwd=folder)

    def authority(name):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", f"{name}.key", "-out", f"{name}.crt", "-days", 30,
                "-subj", f"/CN={name}")

    def person(name, by):
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (folder / "ext").write_text("extendedKeyUsage=clientAuth\n")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{by}.crt", "-CAkey", f"{by}.key",
                "-CAcreateserial", "-days", 7, "-out", f"{name}.crt", "-extfile", "ext")

    authority("people")
    authority("others")
    person("ana", "people")
    person("zoe", "people")
    person("eve", "others")
    return folder


@pytest.fixture(scope="module")
def served(people):
    installation = Installation().init(lake__cadence_s=1)
    policy = installation.dir / "vault-policy.yaml"
    text = policy.read_text()
    policy.write_text(text.replace(
        f"    uids: [{os.getuid()}]\n", f"    uids: [{os.getuid()}]\n    certificates: [ana]\n", 1))
    installation.set(
        vault__http="on", vault__port=0, vault__client_ca=str(people / "people.crt"),
        vault__tls_certificate=str(people / "server.crt"),
        vault__tls_key=str(people / "server.key"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-keyout", people / "server.key", "-out", people / "server.crt", "-days", "7",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
        check=True, capture_output=True)
    for path in people.iterdir():
        path.chmod(0o644)
    for path in (people, *people.parents):
        if str(path).startswith("/tmp/pytest"):
            path.chmod(0o755)
    try:
        installation.start()
        yield installation
        installation.stop()
        installation.remove()
    finally:
        installation.end_everything()


@pytest.fixture
def stored(served, tmp_path):
    car = Car(served, tmp_path)
    event = now_us()
    car.publish(f"{BOOT} {report(0, event)} {report(1, event + 1, -LATITUDE)}")
    ref = car.ref()
    wait_for("both positions in the vault", lambda: len(rows(served, ref)) == 2)
    return served, ref, event


def test_the_report_of_an_undisturbed_vault_is_clean_and_recorded(stored):
    installation, _, _ = stored
    done = vault(installation, "report", "outside-window", "--json")
    told = json.loads(done.stdout)
    assert told["verdict"] == "clean", told["findings"]
    assert vault(installation, "report", "outside-window").stdout.strip()
    assert any(entry["event"] == "report" for entry in audit(installation))


def test_a_file_nobody_listed_makes_the_report_incomplete(stored):
    installation, _, _ = stored
    folder = next((installation.dir / "vault" / "segments" / "position").iterdir())
    planted = folder / "9999999999.seg"
    planted.write_bytes(b"planted")
    try:
        done = vault(installation, "report", "outside-window", "--json", check=False)
        assert done.returncode == 2
        found = [one["kind"] for one in json.loads(done.stdout)["findings"]]
        assert found == ["segment_unlisted"]
    finally:
        planted.unlink()


def test_a_hold_without_two_approvals_keeps_nothing(stored):
    installation, ref, event = stored
    filed = vault(installation, "request", "--kind", "hold", "--vehicle", ref, "--case", "C-9",
                  "--from", event - 1, "--to", event + 10, "--basis", "litigation",
                  "--review-at", event + 86_400_000_000)
    assert filed.stdout.strip().isdigit()
    assert "agree" in filed.stderr
    assert vault(installation, "holds").stdout == "no hold is in force\n"


def ask(installation, people, op, body, who="ana"):
    port = (installation.dir / "run" / "vault" / "vault.port").read_text().strip()
    return subprocess.run(
        ["curl", "-sS", "--cacert", people / "server.crt", "--cert", people / f"{who}.crt",
         "--key", people / f"{who}.key", "-w", "%{stderr}%{http_code}", "-H",
         "Content-Type: application/json", "-d", json.dumps(body),
         f"https://localhost:{port}/v1/{op}"], capture_output=True, text=True, timeout=30)


def test_over_http_who_is_named_gets_rows_and_the_record_says_by_which_certificate(stored, people):
    installation, ref, event = stored
    body = {"vehicles": [ref], "from_us": event - 1, "to_us": event + 10,
            "purpose": "crash_reconstruction", "case": "C-18"}
    done = ask(installation, people, "query", body)
    assert done.stderr == "200", done.stdout
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["fields"]["latitude_deg"] for row in lines[:-1]] == [LATITUDE, -LATITUDE]
    assert lines[0]["fields"]["longitude_deg"] == LONGITUDE
    assert (lines[-1]["kind"], lines[-1]["rows"]) == ("end", 2)
    intent = [entry for entry in audit(installation) if entry["event"] == "intent"][-1]
    assert (intent["case"], len(intent["certificate"])) == ("C-18", 64)


def test_over_http_a_stranger_and_another_authority_get_nothing(stored, people):
    installation, ref, event = stored
    body = {"vehicles": [ref], "from_us": event - 1, "to_us": event + 10,
            "purpose": "crash_reconstruction", "case": "C-19"}
    stranger = ask(installation, people, "query", body, who="zoe")
    assert stranger.stderr == "403"
    assert json.loads(stranger.stdout)["code"] == "refused"
    assert [entry for entry in audit(installation) if entry["event"] == "refusal"]
    other = ask(installation, people, "query", body, who="eve")
    assert other.returncode != 0 and other.stdout == ""
    assert ask(installation, people, "query", {**body, "latitude": 48}).stderr == "400"
    assert query(installation, ref).returncode == 0, "the local socket goes on"
