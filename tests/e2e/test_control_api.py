"""The control plane's API and the commands that ask it, against the real role.

What a rollout does is tested elsewhere; here is who may come in, that every answer is as the
document says, and that nothing a client sends stops the process.
"""

import json
import os
import re
import shutil
import ssl
import stat
import subprocess
import sys
import urllib.request

import pytest
import yaml
from openapi_spec_validator import validate

from control_plane import Control
from telltale import ROOT, TELLTALE
from test_release import sources
from waiting import wait_for

POLICY = """\
key: quick
kind: demo
stages:
  - {per_10000: 500, shadow_s: 1, soak_s: 1}
  - {per_10000: 10000, shadow_s: 1, soak_s: 1}
warm_up_s: 1
rollback_window_s: 60
"""


def start(new_installation, **settings):
    """Only the control plane runs: no environment is reached."""
    installation = new_installation().init(control__http="on", control__port=0, **settings)
    return installation.start("--role", "control")


@pytest.fixture
def control(new_installation):
    return Control(start(new_installation))


def platform_uid(control):
    """Whom the role runs as."""
    return (control.installation.dir / "run").stat().st_uid


def role_process(control):
    return [process for process in control.installation.family()
            if re.search(r"\brole control\b", process.command)]


def test_only_the_role_that_was_asked_for_runs(control):
    assert len(role_process(control)) == 1
    assert len(control.installation.family()) == 1
    refused = control.installation.run("serve", control.installation.dir, "--role", "nothing",
                                       check=False)
    assert refused.returncode != 0


def test_a_token_lets_in_by_name_until_it_is_revoked_and_is_kept_nowhere(control):
    made = control.tell("control", "token", "new", "viewer-one", "--json")
    token = json.loads(made.stdout)["token"]
    wait_for("the token to be known",
             lambda: control.ask("GET", "/v1/status", token=token)[0] != 401)
    status, answer = control.ask("GET", "/v1/status", token=token)
    assert status == 403, f"it has no role yet: {answer}"
    binding = control.installation.dir.parent / f"{control.installation.dir.name}.binding.yaml"
    binding.write_text("key: one\nsubject: token:viewer-one\nrole: viewer\n", encoding="utf-8")
    try:
        control.tell("role-binding", "put", "-f", binding)
    finally:
        binding.unlink()
    assert control.ask("GET", "/v1/status", token=token)[0] == 200
    assert control.ask("PUT", "/v1/gates/a", {"kind": "none"}, token=token)[0] == 403
    control.tell("control", "token", "revoke", "viewer-one")
    wait_for("the token to be refused",
             lambda: control.ask("GET", "/v1/status", token=token)[0] == 401)
    local_token = control.local_token
    control.installation.stop()
    places = [path for path in control.installation.dir.rglob("*") if path.is_file()]
    assert len(places) > 10
    for path in [*places, control.installation.log_path]:
        content = path.read_bytes()
        assert token.encode() not in content, path
        assert local_token.encode() not in content, path


def test_the_local_token_is_for_its_owner_alone(control):
    path = control.installation.dir / "run" / "control.token"
    mode = path.stat()
    assert stat.S_IMODE(mode.st_mode) == 0o600
    assert mode.st_uid == platform_uid(control)
    assert control.ask("GET", "/v1/status", token="")[0] == 200


def test_who_is_not_known_is_told_how_to_come_in(control):
    for token in (None, "x", control.local_token[:-1], control.local_token + "0"):
        status, answer = control.ask("GET", "/v1/status", token=token)
        assert status == 401, answer
        assert answer["error"]["code"] == "refused"
        assert "telltale control token new" in answer["error"]["next"]


def test_objects_are_put_as_yaml_shown_listed_and_deleted(control, tmp_path):
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY, encoding="utf-8")
    assert control.tell("policy", "put", "-f", file).stdout == "policy quick is so\n"
    shown = json.loads(control.tell("policy", "show", "quick").stdout)
    assert [stage["per_10000"] for stage in shown["stages"]] == [500, 10000]
    assert "quick" in control.tell("policy", "list").stdout
    items = json.loads(control.tell("policy", "list", "--json").stdout)["items"]
    assert "quick" in [one["key"] for one in items]
    assert control.ask("GET", "/v1/policies/quick")[1] == shown
    control.tell("policy", "delete", "quick")
    gone = control.tell("policy", "show", "quick", check=False)
    assert gone.returncode == 1
    assert gone.stderr.startswith("telltale: not_found: ")
    file.write_text(POLICY.replace("warm_up_s", "warmup_s"), encoding="utf-8")
    bad = control.tell("policy", "put", "-f", file, check=False)
    assert bad.returncode == 1
    assert "warmup_s" in bad.stderr and "warm_up_s" in bad.stderr


def test_the_audit_names_who_did_it_and_its_chain_is_whole(control, tmp_path):
    file = tmp_path / "gate.yaml"
    file.write_text("kind: manual\n", encoding="utf-8")
    control.tell("gate", "put", "by-hand", "-f", file)
    lines = [json.loads(line) for line in control.tell("audit", "--json").stdout.splitlines()]
    put = [one for one in lines if one["operation"] == "gates.put"]
    assert [one["subject"] for one in put] == [f"local:{platform_uid(control)}"]
    verified = json.loads(control.tell("audit", "--verify", "--json").stdout)
    assert verified["ok"] is True
    assert verified["entries"] == lines[-1]["entry"]
    assert "gates.put" in control.tell("audit").stdout


def test_what_was_put_is_there_after_a_kill(control):
    assert control.ask("PUT", "/v1/gates/kept", {"kind": "manual"})[0] == 200
    before = role_process(control)[0]
    os.kill(before.pid, 9)
    wait_for("the role to be started again",
             lambda: [one for one in role_process(control) if one != before])
    port = control.installation.dir / "run" / "control.port"
    again = wait_for("the API to be back", lambda: port.exists() and answers(control))
    assert again.ask("GET", "/v1/gates/kept")[1] == {"key": "kept", "kind": "manual"}


def answers(control):
    """A Control of the process that runs now, or None while it does not answer."""
    try:
        now = Control(control.installation)
        return now if now.ask("GET", "/v1/status")[0] == 200 else None
    except OSError:
        return None


def test_commands_say_what_is_wrong_when_there_is_no_control(new_installation):
    installation = new_installation().init()
    for command in (["rollback", "prod"], ["rollout", "list"], ["audit"],
                    ["promote", "prod", "a" * 64], ["environment", "list"]):
        done = installation.run(*command, "--dir", installation.dir, check=False)
        assert done.returncode == 1, command
        assert "control.http: on" in done.stderr, command
    nowhere = installation.run("rollout", "list", check=False)
    assert nowhere.returncode == 1
    assert "--control" in nowhere.stderr


def test_every_command_explains_itself(control):
    for command in ("environment", "cohort", "gate", "policy", "mirror", "role-binding"):
        for verb in ("list", "show", "put", "delete"):
            text = control.installation.run(command, verb, "--help").stdout
            assert "--token-file" in text and "--json" in text
    for command in (["promote"], ["rollback"], ["hold"], ["resume"], ["pin"], ["unpin"],
                    ["reinstate"], ["break-glass"], ["cohort", "preview"], ["rehearsal", "list"],
                    ["rehearse"], ["release", "push"], ["release", "list"], ["release", "diff"],
                    ["approve"], ["rollout", "watch"], ["rollout", "report"], ["audit"]):
        assert "--token-file" in control.installation.run(*command, "--help").stdout


def test_status_has_what_control_says(control):
    told = control.installation.run("status", "--dir", control.installation.dir, "--json",
                                    check=False)
    assert json.loads(told.stdout)["control"]["environments"] == []


def push(control, folder, name, level, *words):
    """Over the API, as from another machine; the release's id."""
    token = control.installation.dir / "run" / "control.token"
    key = control.installation.dir / "keys" / "release.key"
    pushed = control.installation.run(
        "release", "push", sources(folder / name, name=name, level=level), "--key", key, "--json",
        "--control", control.url, "--token-file", token, *words)
    return json.loads(pushed.stdout)["id"]


def done_or_none(done):
    return done.stdout if done.returncode == 0 else None


def blobs_put(control):
    lines = control.tell("audit", "--json").stdout.splitlines()
    return sum(json.loads(line)["operation"] == "blob.put" for line in lines)


def test_a_push_over_the_api_sends_what_is_not_there_and_mends_what_was_taken(control, tmp_path):
    ids = [push(control, tmp_path, "brakes", "4.0")]
    there = blobs_put(control)
    assert there >= 4
    ids.append(push(control, tmp_path, "more-brakes", "4.1"))
    # The rules alone; each feature's own bytes are in no list, and are sent again.
    features = list((ROOT / "features").glob("*.sql"))
    assert blobs_put(control) == there + 1 + len(features)
    listed = json.loads(control.installation.run(
        "release", "list", "--json", "--control", control.url, "--token-file",
        control.installation.dir / "run" / "control.token").stdout)["items"]
    assert {(one["id"], one["state"]) for one in listed if one["name"]} == {
        (one, "known") for one in ids}
    engine = listed[0]["components"]["engine"]
    (control.installation.data / "control" / "blobs" / engine).unlink()
    ids.append(push(control, tmp_path, "most-brakes", "4.2"))
    for one in ids:
        control.tell("release", "verify", one)


def test_a_release_is_meant_by_its_name_or_by_digits_enough(control, tmp_path):
    ask = ["--control", control.url, "--token-file",
           control.installation.dir / "run" / "control.token"]
    one, other = (push(control, tmp_path, name, level)
                  for name, level in (("brakes", "4.0"), ("more-brakes", "4.1")))
    run = control.installation.run
    assert run("release", "show", one[:6], *ask).stdout.startswith(one)
    diff = run("release", "diff", "brakes", other[:12], *ask).stdout
    assert "    level: 4 m/s2 -> 4.1 m/s2\n" in diff.replace("4.0 m", "4 m"), diff
    for words in (one[:5], "brake", "f" * 12):
        for command in (["promote", "prod"], ["pin", "prod"], ["release", "show"]):
            done = run(*command, words, *ask, check=False)
            assert done.returncode == 1 and "no release here is called" in done.stderr, command


def test_a_rejected_release_comes_back_by_two_and_glass_is_broken_by_two(control, tmp_path):
    release = push(control, tmp_path, "brakes", "4.0")
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY, encoding="utf-8")
    control.tell("policy", "put", "-f", policy)
    environment = tmp_path / "prod.yaml"
    environment.write_text(f"key: prod\nkind: prod\ndir: {control.installation.dir}\n"
                           "policy: quick\n", encoding="utf-8")
    control.tell("environment", "put", "-f", environment)
    promoted = wait_for("control to have looked at it", lambda: done_or_none(
        control.tell("promote", "prod", "brakes", "--json", check=False)))
    begun = json.loads(promoted)["rollout"]
    halted = control.ask("POST", f"/v1/rollouts/{begun['id']}/halt",
                         {"evidence": {}, "reason": "a test"})
    assert halted[0] == 200, halted
    assert "rejected" in control.tell("release", "list", "--control", control.url).stdout
    refused = control.tell("promote", "prod", "brakes", check=False)
    assert refused.returncode == 1 and "reject" in refused.stderr

    token = tmp_path / "ben.token"
    token.write_text(control.tell("control", "token", "new", "ben").stdout, encoding="utf-8")
    token.chmod(0o600)
    ben = ["--control", control.url, "--token-file", token]
    for role in ("approver", "break_glass"):
        binding = tmp_path / "binding.yaml"
        binding.write_text(f"subject: token:ben\nrole: {role}\n", encoding="utf-8")
        control.tell("role-binding", "put", f"ben-{role.replace('_', '-')}", "-f", binding)
    wait_for("the token to be known",
             lambda: control.ask("GET", "/v1/status", token=token.read_text().strip())[0] == 200)
    cause = ["--cause", "the evidence was of another release"]
    assert "second approver" in control.tell("reinstate", "brakes", *cause).stdout
    assert control.tell("reinstate", "brakes", *cause, check=False).returncode == 1
    again = control.installation.run("reinstate", release[:8], *cause, *ben)
    assert "rejected no more" in again.stdout
    assert control.ask("GET", f"/v1/releases/{release}")[1]["state"] == "known"

    glass = ["break-glass", "prod", "brakes", "--reason", "cars stand", "--expires-at"]
    over = control.tell(*glass, "2020-01-01T00:00:00Z", check=False)
    assert over.returncode == 1 and "over already" in over.stderr
    assert "second signature is due" in control.tell(*glass, "2099-01-01T00:00:00Z").stdout
    signed = control.installation.run(*glass, "2099-01-01T00:00:00Z", "--json", *ben)
    assert len(json.loads(signed.stdout)["by"]) == 2


def certificate_files(installation, folder):
    """A people's authority, and ann's certificate from it, made with the openssl program."""
    def openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", folder / "ca.key", "-out", folder / "ca.crt", "-subj", "/CN=people",
            "-days", "2")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
            folder / "ann.key", "-out", folder / "ann.csr", "-subj", "/CN=ann")
    (folder / "ext").write_text("extendedKeyUsage=clientAuth\n", encoding="utf-8")
    openssl("x509", "-req", "-in", folder / "ann.csr", "-CA", folder / "ca.crt", "-CAkey",
            folder / "ca.key", "-CAcreateserial", "-out", folder / "ann.crt", "-days", "1",
            "-extfile", folder / "ext")
    # Where the platform's user may read it.
    people = installation.dir / "certs" / "people.crt"
    shutil.copyfile(folder / "ca.crt", people)
    people.chmod(0o644)
    return {"control__tls_certificate": str(installation.dir / "certs" / "server.crt"),
            "control__tls_key": str(installation.dir / "certs" / "server.key"),
            "control__client_ca": str(people)}


def test_a_certificate_or_a_token_opens_the_door_over_tls(new_installation, tmp_path):
    installation = new_installation().init(control__http="on", control__port=0)
    installation.set(**certificate_files(installation, tmp_path))
    installation.start("--role", "control")
    control = Control(installation)
    assert control.tell("gate", "list", "--json").stdout.strip()
    binding = tmp_path / "binding.yaml"
    binding.write_text("key: ann\nsubject: 'cn:ann'\nrole: viewer\n", encoding="utf-8")
    control.tell("role-binding", "put", "-f", binding)
    who = ["--control", f"https://127.0.0.1:{control.port}", "--ca",
           installation.dir / "certs" / "server.crt"]
    ann = ["--certificate", tmp_path / "ann.crt", "--key", tmp_path / "ann.key"]
    seen = installation.run("gate", "list", "--json", *who, *ann)
    assert json.loads(seen.stdout) == {"items": []}
    refused = installation.run("gate", "delete", "x", *who, *ann, check=False)
    assert refused.returncode == 1 and "refused" in refused.stderr
    stranger = installation.run("gate", "list", *who, check=False)
    assert stranger.returncode == 1 and "nobody here knows who asks" in stranger.stderr
    context = ssl.create_default_context(cafile=str(installation.dir / "ca" / "ca.crt"))
    with urllib.request.urlopen(f"https://127.0.0.1:{control.port}/openapi.json",
                                context=context, timeout=20) as answer:
        assert answer.status == 200


def test_the_document_is_valid_and_what_is_served(control):
    served = control.ask("GET", "/openapi.json", token=None)[1]
    validate(served)
    with open(ROOT / "docs" / "api" / "control.openapi.yaml", encoding="utf-8") as file:
        assert served == yaml.load(file, Loader=yaml.CSafeLoader)


def test_the_page_comes_without_a_token_and_loads_nothing_else(control):
    request = urllib.request.Request(control.url + "/")
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert answer.headers["Content-Type"].startswith("text/html")
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


# One client, seeded: the same requests each time.
FUZZ = """\
import sys
import hypothesis
import schemathesis
from schemathesis import checks

url, token, document = sys.argv[1:]
schema = schemathesis.openapi.from_path(document)
chosen = [checks.not_a_server_error, *(checks.CHECKS.get_one(name) for name in (
    "status_code_conformance", "content_type_conformance", "response_schema_conformance"))]
settings = hypothesis.settings(max_examples=6, deadline=None, derandomize=True,
                               database=None, suppress_health_check=list(hypothesis.HealthCheck))
operations = 0
for result in schema.get_all_operations():
    operation = result.ok()
    operations += 1
    for mode in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE):
        @settings
        @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
        def ask(case):
            case.call_and_validate(base_url=url, checks=chosen,
                                   headers={"Authorization": f"Bearer {token}"}, timeout=20)
        try:
            ask()
        except hypothesis.errors.Unsatisfiable:
            pass
print(f"{operations} operations")
"""


def test_answers_to_anything_are_as_the_document_says(control, tmp_path):
    program = tmp_path / "fuzz.py"
    program.write_text(FUZZ, encoding="utf-8")
    before = role_process(control)
    done = subprocess.run(
        [sys.executable, program, control.url, control.local_token,
         ROOT / "docs" / "api" / "control.openapi.yaml"],
        capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path)
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    assert int(done.stdout.split()[0]) > 50
    assert role_process(control) == before, "it was started again"
    assert control.tell("audit", "--verify").returncode == 0
    assert TELLTALE.exists()
