"""A gate of kind evidence in a real installation: it holds without evidence, passes a twin, and
halts a bad candidate by itself. The evidence is written here in the observer's place."""

import hashlib
import hmac
import http.server
import json
import os
import signal
import threading
import urllib.request

import pytest

import gate_evidence
import releases
from control_plane import Control
from waiting import wait_for, wait_for_file

SECRET = "a secret of the test, 16 bytes or more"
VEHICLE = "00112233445566778899aabbccddeeff"
GATE = {"kind": "evidence", "dimensions": ["model"], "soak_s": 3600}
POLICY = {"kind": "demo", "warm_up_s": 1, "rollback_window_s": 600,
          "stages": [{"per_10000": 500, "shadow_s": 0, "soak_s": 1, "gate": "evidence"},
                     {"per_10000": 10000, "shadow_s": 0, "soak_s": 1, "gate": "evidence"}]}


class Receiver:
    """Who is told: refuses the first delivery, and takes none that is not signed."""

    def __init__(self):
        self.told = []
        self.refused = 0
        self.unsigned = 0
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                text = self.headers["Telltale-Timestamp"].encode() + b"." + body
                wanted = hmac.new(SECRET.encode(), text, hashlib.sha256).hexdigest()
                if self.headers["Telltale-Signature"] != f"sha256={wanted}":
                    receiver.unsigned += 1
                    status = 403
                elif not receiver.refused:
                    receiver.refused += 1
                    status = 503
                else:
                    receiver.told.append(json.loads(body))
                    status = 204
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hooks/telltale"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def events(self, rollout):
        return [one["event"] for one in self.told if one["rollout"] == rollout]


class Trial:
    """A rollout under the gate, and who counts for it."""

    def __init__(self, control, release):
        self.control = control
        self.id = control.promote("prod", release, "gated")["id"]
        self.folder = control.installation.data / "gate" / self.id
        self.settings = json.loads(wait_for_file(self.folder / "settings.json"))

    def tell(self, **what):
        gate_evidence.write(self.folder, gate_evidence.evidence_of(self.settings, **what))

    def now(self):
        return self.control.get(f"/v1/rollouts/{self.id}")

    def holds_for(self, rule):
        def held():
            words = [one["message"] for one in self.now()["waits_for"] if one["code"] == "gate"]
            return [one for one in words if one.startswith(f"{rule}: ")]
        return wait_for(f"{self.id} to be held for {rule}", held)[0]

    def whole_draft(self):
        draft = self.control.get(f"/v1/rollouts/{self.id}/repair-draft")
        return draft if draft["complete"] else None

    def gate(self, *words, check=True):
        return self.control.tell("gate", *words, self.id, check=check)


@pytest.fixture
def receiver():
    with Receiver() as one:
        yield one


@pytest.fixture
def control(new_installation, receiver):
    installation = new_installation().init("--partitions", "1", "--shards", "1")
    secret = installation.dir / "keys" / "webhook.secret"
    secret.write_text(SECRET + "\n", encoding="utf-8")
    installation.set(control__http="on", control__port=0, lake__cadence_s=1,
                     control__webhook_url=receiver.url,
                     control__webhook_secret_file="keys/webhook.secret")
    # Without the role that counts: the test is in its place.
    control = Control(installation.start(*(
        word for role in ("gateway", "registry", "worker", "publisher", "control", "operations")
        for word in ("--role", role))))
    control.put("/v1/gates/evidence", GATE)
    control.put("/v1/policies/gated", POLICY)
    control.add_environment("prod", installation, "gated")
    return control


def metrics(installation):
    port = wait_for_file(installation.dir / "run" / "operations.port")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return answer.read().decode()


def test_a_twin_passes_on_evidence_and_a_bad_candidate_halts_by_itself(control, receiver):
    installation = control.installation
    stable = releases.stable_of(installation)
    twin = Trial(control, releases.install_like(installation, stable, "a twin"))
    twin.holds_for("source_stale")
    assert "there is no evidence yet" in twin.gate("explain").stdout
    assert twin.gate("verdict", check=False).returncode == 4
    (twin.folder / "evidence.json").write_text("{", encoding="utf-8")
    twin.holds_for("evidence_inconsistent")
    twin.tell(vehicles=40)
    assert "would not be seen" in twin.holds_for("below_minimum_vehicles")
    explained = twin.gate("explain").stdout
    assert "below_minimum_vehicles: 40 vehicles had input, 200 needed" in explained
    assert "\x1b" not in explained
    assert f"telltale approve {twin.id} --comment" in explained
    approvals = f"/v1/rollouts/{twin.id}/approvals"
    assert control.ask("POST", approvals, {"comment": "unseen"})[0] == 403
    said = control.tell("approve", twin.id, "--comment", "40 test cars")
    assert "40 vehicles had input" in said.stdout, "what is confirmed is shown"
    assert twin.now()["approvals"][-1]["confirms"]["discordant"] == 0
    twin.tell()
    control.wait_phase(twin.id, ("window",))
    held = wait_for("the time of holding in the metrics",
                    lambda: [line for line in metrics(installation).splitlines()
                             if line.startswith("telltale_control_gate_hold_seconds_total{")])
    assert 'environment="prod"' in held[0] and 'reason="' in held[0]

    bad = Trial(control, releases.install_like(installation, stable, "a bad one"))
    bad.tell()
    control.wait_flipped(bad.id)
    bad.tell(missing=400, examples=[VEHICLE])
    over = control.wait_phase(bad.id, ("rejected",), timeout_s=10)
    assert over["history"][-1]["subject"] == "gate"
    assert over["reason"].startswith("l1_missing: rule/")
    assert VEHICLE not in json.dumps(over), "vehicles stay where erasure reaches them"
    [environment] = control.get("/v1/status")["environments"]
    assert environment["effective_release"] == twin.now()["candidate"]
    assert VEHICLE in bad.gate("explain").stdout
    assert bad.gate("verdict", check=False).returncode == 3
    assert control.tell("promote", "prod", over["candidate"], check=False).returncode != 0
    told = control.tell("gate", "calibration").stdout
    assert "until there are 300, the shipped simulation stands for it" in told
    assert "halted by the gate: 1, of which 0 were called false" in told
    control.tell("gate", "judge-halt", bad.id, "--false", "--why", "a test track")
    live = json.loads(control.tell("gate", "calibration", "--json").stdout)["live"]
    assert (live["rollouts"], live["halted"], live["called_false"]) == (2, 1, 1)
    assert control.tell("gate", "judge-halt", twin.id, "--true", "--why", "it was none",
                        check=False).returncode != 0
    draft = wait_for("the repair draft to be whole", bad.whole_draft)
    assert draft["release"] == over["candidate"] and draft["lanes"]
    assert all(lane["to_offset"] is not None for lane in draft["lanes"])
    assert "## What the gate said" in control.tell("rollout", "report", bad.id).stdout

    wait_for("the receiver to hear of the halt",
             lambda: receiver.events(bad.id)[-1:] == ["rollout.halted"])
    assert receiver.events(twin.id)[:2] == ["rollout.held", "rollout.passed"]
    assert (receiver.refused, receiver.unsigned) == (1, 0)
    numbers = [one["number"] for one in receiver.told]
    assert numbers == sorted(set(numbers))
    assert SECRET not in installation.log_path.read_text(encoding="utf-8")


def test_control_killed_in_between_changes_nothing(control):
    installation = control.installation
    stable = releases.stable_of(installation)
    trial = Trial(control, releases.install_like(installation, stable, "a twin"))
    trial.tell()
    control.wait_flipped(trial.id)
    [killed] = [process for process in installation.family() if "role control" in process.command]
    os.kill(killed.pid, signal.SIGKILL)

    def is_back():
        try:
            return not killed.runs() and control.ask("GET", "/v1/status")[0] == 200
        except OSError:
            return False
    wait_for("control to be back", is_back)
    before = trial.settings
    control.wait_phase(trial.id, ("window",))
    assert json.loads((trial.folder / "settings.json").read_text()) == before


def test_who_is_told_in_the_clear_or_without_a_secret_is_refused(new_installation):
    installation = new_installation().init(control__webhook_url="http://hooks.example.com/in")
    file = installation.dir / "telltale.yaml"
    refused = installation.run("config", "check", file, check=False)
    assert refused.returncode != 0 and "webhook_secret_file go together" in refused.stdout
    installation.set(control__webhook_secret_file="keys/webhook.secret")
    refused = installation.run("config", "check", file, check=False)
    assert refused.returncode != 0 and "http:// to this machine" in refused.stdout
    (installation.dir / "keys" / "webhook.secret").write_text(SECRET, encoding="utf-8")
    installation.set(control__webhook_url="https://hooks.example.com/in")
    installation.run("config", "check", file)
