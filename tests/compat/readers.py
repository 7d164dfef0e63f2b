"""What today's programs say of golden files; the expectations are compared with it."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build" / "dev")).absolute()
TELLTALE = BUILD / "bin" / "telltale"
LAKE = BUILD / "libexec" / "telltale" / "telltale-lake"
VAULT = BUILD / "libexec" / "telltale" / "telltale-vault"
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

from waiting import wait_for_file  # noqa: E402

SETTINGS = """log: {partitions: 2, shards: 1}
feed: {port: 0}
mqtt: {port: 0}
operations: {port: 0}
"""


def run(*arguments):
    return subprocess.run([TELLTALE, *map(str, arguments)], stdin=subprocess.DEVNULL, timeout=30,
                          capture_output=True, text=True, check=False)


def told(*arguments):
    done = run(*arguments)
    assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
    return done.stdout


def dump(folder, stream, *more):
    text = told("log", "dump", "--dir", folder, "--stream", stream, "--limit", 100000, *more)
    return text.splitlines()


def alerts(folder):
    """What a publisher on this alert store lists."""
    (folder / "run").mkdir(exist_ok=True)
    publisher = subprocess.Popen([TELLTALE, "role", "publisher", "--dir", folder],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
    try:
        port = int(wait_for_file(folder / "run" / "feed.port"))
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/alerts", timeout=10) as answer:
            return json.load(answer)["alerts"]
    finally:
        publisher.send_signal(signal.SIGTERM)
        publisher.wait(timeout=10)


def control(folder):
    """What the control plane on this folder says was asked of it, and who may ask."""
    # Its installation is elsewhere, or gone: what it makes of that today is left out.
    environment = {**os.environ, "TELLTALE_CONTROL_HTTP": "on", "TELLTALE_CONTROL_PORT": "0"}
    plane = subprocess.Popen([TELLTALE, "role", "control", "--dir", folder], env=environment,
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)

    def items(*words):
        return json.loads(told(*words, "--dir", folder, "--json"))["items"]

    try:
        wait_for_file(folder / "run" / "control.port")
        rollouts = items("rollout", "list")
        kept = ("id", "candidate", "stable", "stages", "phase", "requested_by", "created_at")
        release = json.loads(told("release", "show", "softer", "--dir", folder, "--json"))
        for change in release["declared"]:
            del change["in_words"]  # words may become better
        audit = told("audit", "--verify", "--dir", folder, "--json")
        return {
            **{kind: items(kind, "list") for kind in ("environment", "policy", "role-binding")},
            "rollouts": [{key: one[key] for key in kept} for one in rollouts],
            "audit": json.loads(audit),
            "release": release,
            "tokens": json.loads(told("control", "token", "list", "--dir", folder, "--json")),
        }
    finally:
        plane.send_signal(signal.SIGTERM)
        plane.wait(timeout=10)


def everything(folder, vehicle):
    """Of a whole installation: stream -> record headers, doctor's counts, places, vehicle."""
    doctor = run("doctor", "--dir", folder, "--json")
    assert doctor.stdout, doctor.stderr
    report = json.loads(doctor.stdout)
    release = next((folder / "data" / "journal").iterdir()).name
    status = json.loads(told("log", "status", "--dir", folder, "--json"))
    found = {
        "streams": {name: dump(folder, name) for name in ("safety", "telemetry", "sealed")},
        "journal": dump(folder, "journal", "--journal", release),
        "looked_at": report["looked_at"],
        "findings": [[one["kind"], one["severity"]] for one in report["findings"]],
        "doctor_exit_code": report["exit_code"],
        "status": status,
        "alerts": alerts(folder),
        "vehicle": told("vehicles", "lookup", "--dir", folder, "--vin", vehicle),
    }
    if (folder / "data" / "control" / "control.db").exists():
        found["control"] = control(folder)
    return found
