"""The books of a run: waits until everything that was accepted has gone everywhere it goes, then
counts what lies where, with DuckDB, SQLite and the segments, against what the cars know."""

import collections
import json
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import segments
from waiting import wait_for

DAY_US = 86_400 * 1_000_000
SITE = Path(__file__).resolve().parents[2] / "python"


def log_status(installation):
    shown = installation.run("log", "status", "--dir", installation.dir, "--json")
    return json.loads(shown.stdout)


def durable_ends(installation):
    """{(stream, partition): next offset} of what is durable now."""
    return {
        (stream, partition): end
        for stream, shards in log_status(installation)["streams"].items()
        for shard in shards
        for partition, end in shard["next"].items()
    }


def consumer_positions(installation):
    """{(consumer, stream, partition): next offset} as the consumers saved them."""
    return {
        (consumer, stream, partition): at
        for consumer, streams in log_status(installation)["consumers"].items()
        for stream, places in streams.items()
        for shard in places["shards"]
        for partition, at in shard["next"].items()
    }


def python(installation, *arguments):
    """Runs `python -m telltale_lake ARGUMENTS`; its standard output."""
    done = subprocess.run(
        [sys.executable, "-m", "telltale_lake", *arguments, "--dir", installation.dir],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(SITE)},
    )
    assert done.returncode == 0, f"telltale_lake {arguments[0]}: {done.stderr[-2000:]}"
    return done.stdout


CONSUMERS = {"safety": ("publisher",), "telemetry": ("lake",), "sealed": ("vault",)}


def drain(installation, timeout_s=60, consumers=None):
    """Waits until each stream's readers reach what is durable now; a timeout names the laggard.

    `consumers`: those of some streams alone, as in CONSUMERS.
    """
    consumers = consumers or CONSUMERS
    ends = durable_ends(installation)

    def laggards():
        positions = consumer_positions(installation)
        behind = [
            f"{consumer} in {stream} partition {partition}: {reached} of {end}"
            for (stream, partition), end in ends.items()
            for consumer in consumers.get(stream, ())
            if (reached := positions.get((consumer, stream, partition), 0)) < end
        ]
        if not behind and "telemetry" in consumers:
            lake = json.loads(python(installation, "status", "--json"))
            if lake["pending_handoffs"]:
                behind.append(f"committer: {lake['pending_handoffs']} hand-offs not committed")
        return behind

    last = []

    def drained():
        nonlocal last
        last = laggards()
        return not last

    try:
        wait_for("every reader to reach the durable end", drained, timeout_s, poll_s=0.3)
    except AssertionError as not_in_time:
        raise AssertionError(f"{not_in_time}; behind: {'; '.join(last[:5])}") from None


def query(installation, sql):
    """Rows of a DuckDB query on the lake as dicts."""
    return json.loads(python(installation, "query", sql, "--format", "json"))


def references(installation):
    """{VIN: vehicle_ref} from the registry; tests run as a user who may read it."""
    path = installation.data / "registry" / "registry.db"
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        rows = database.execute("SELECT vin, vehicle_ref FROM vehicles").fetchall()
    return {vin: ref.hex() if isinstance(ref, bytes) else ref for vin, ref in rows}


def alert_rows(installation):
    path = installation.data / "publish" / "alerts.db"
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        database.row_factory = sqlite3.Row
        rows = database.execute("SELECT * FROM alerts").fetchall()
    return [dict(row) for row in rows]


def lake_identities(installation):
    """Counter of (vehicle_ref, boot_random, seq) in the telemetry table."""
    rows = query(installation, "SELECT vehicle_ref, boot_random, seq FROM telemetry")
    return collections.Counter(
        (row["vehicle_ref"], int(row["boot_random"], 16), row["seq"]) for row in rows
    )


def quarantined(installation):
    return [
        record
        for record in segments.read_stream(installation.data / "log", "sealed")
        if record.kind == segments.QUARANTINE
    ]


def by_reference(identities, refs):
    """The cars' (VIN, boot_random, seq) as the platform's (vehicle_ref, boot_random, seq)."""
    return {(refs[vin], boot, seq) for vin, boot, seq in identities}


def alert_keys(installation, refs):
    """Counter of (rule, vehicle_ref, boot_random, first_seq) in the alert store."""
    mask = (1 << 64) - 1
    return collections.Counter(
        (row["rule"], row["vehicle_ref"], row["boot_random"] & mask, row["first_seq"])
        for row in alert_rows(installation)
    )


def expected_keys(cars, refs, rules):
    return {(e.rule, refs[e.vin], e.boot_random, e.first_seq) for e in cars.expected_alerts(rules)}


def vault_rows(installation, vehicle_ref, case, purpose="crash_reconstruction", *arguments):
    """What the audited path gives of a vehicle: 30 days back, one ahead, as the policy allows."""
    now_us = time.time_ns() // 1000
    shown = installation.run(
        *("vault", "query", "--dir", installation.dir, "--vehicle", vehicle_ref),
        *("--from", now_us - 30 * DAY_US, "--to", now_us + DAY_US),
        *("--purpose", purpose, "--case", case, "--json", *arguments),
    )
    rows = [json.loads(line) for line in shown.stdout.splitlines() if line.startswith("{")]
    return [row for row in rows if "event_time_us" in row]


def vault_places(installation, vehicle_ref, case, purpose="crash_reconstruction"):
    rows = vault_rows(installation, vehicle_ref, case, purpose)
    return [row for row in rows if "latitude_deg" in row.get("fields", {})]
