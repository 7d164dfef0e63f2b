"""`make demo` with its streams on Kafka: the same books as on files."""

import json
import os
import subprocess
import sys

from kafka_broker import OUT
from telltale import ROOT


def test_the_demo_balances_on_kafka(tmp_path):
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "demo"],
        env={**os.environ, "TELLTALE_LOG": "kafka", "OUT": str(OUT)},
        capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    (tmp_path / "demo.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    report = json.loads((OUT / "demo" / "report.json").read_text(encoding="utf-8"))
    assert report["lost"] == 0 and report["acked"] > 10_000 and report["precise_outside_vault"] == 0
