"""What the demo shows: a live line or two while cars drive, and the closing table. On a terminal
the lines are redrawn; in a pipe, or with NO_COLOR, they are plain and fewer."""

import os
import sys
import time

PLAIN_EVERY_S = 5
REDRAW_EVERY_S = 0.5
ALERTS_SHOWN = 5


class View:
    def __init__(self):
        self._redraws = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self._drawn = 0
        self._began = time.monotonic()
        self._said_at = 0.0

    def say(self, words):
        self._drawn = 0
        print(f"demo: {words}", flush=True)

    def pause(self):
        time.sleep(REDRAW_EVERY_S)

    def show(self, gateway, alerts):
        now = time.monotonic() - self._began
        if not self._redraws and now - self._said_at < PLAIN_EVERY_S:
            return
        self._said_at = now
        lines = [
            f"{now:4.0f} s   reports accepted {gateway.get('reports_accepted', 0):>7,}"
            f"   quarantined {gateway.get('reports_quarantined', 0):>3,}"
            f"   alerts {sum(a['revision'] == 1 for a in alerts):>4,}"
        ]
        if self._redraws:
            lines += [_alert_line(alert) for alert in alerts[-ALERTS_SHOWN:]]
            if self._drawn:
                sys.stdout.write(f"\x1b[{self._drawn}A\x1b[J")
            self._drawn = len(lines)
        print("\n".join(lines), flush=True)


def _alert_line(alert):
    delay_ms = (alert["publish_time_us"] - alert["receipt_time_us"]) / 1000
    return (
        f"         {alert['severity']:<8} {alert['rule']:<28} vehicle {alert['vehicle_ref'][:8]}  "
        f"{alert['state'].lower():<6}  {delay_ms:5.1f} ms after receipt"
    )


ROWS = (
    ("reports_sent", "reports sent"),
    ("acked", "acknowledged"),
    ("in_lake", "  in the table"),
    ("duplicates", "  repeats dropped"),
    ("quarantined", "  quarantined, sealed"),
    ("lost", "lost"),
    ("never_received", "never received (gaps seen)"),
    ("late", "late"),
    ("alerts", "alerts"),
    ("alert_latency_ms", "alert latency, ms"),
    ("firmware_versions_in_table", "firmware versions in one table"),
    ("safety_stream_share", "safety stream, share of telemetry bytes"),
    ("precise_outside_vault", "exact positions outside the vault"),
    ("vault_queries_audited", "vault queries, each audited"),
)


def _text(value):
    if isinstance(value, dict):
        return ", ".join(f"{key} {part}" for key, part in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value)


def closing_table(report, wrong):
    print()
    for key, words in ROWS:
        print(f"  {words:<42} {_text(report[key])}")
    print()
    for words in wrong:
        print(f"demo: does not hold: {words}")
    print("demo: the books do not balance" if wrong else "demo: the books balance", flush=True)


HOW_TO = """
It stays up; Ctrl-C ends it. From another terminal, in the folder of this repository:

publish a report with mosquitto_pub (a car's certificate first, then a batch made with protoc):
  build/dev/bin/telltale certificate --dir {site} \\
    --vin TTSM0000000009999 --out {out}/cars/mine
  echo 'boot_counter: 1 boot_random: 7 firmware: "1.0.0" reports {{ seq: 0
    event_time_us: '$(date +%s)000000' speed_kmh: 50 is_aeb_engaged: true }}' |
    protoc -I contract --encode=telltale.v1.ReportBatch telltale/v1/telemetry.proto \\
    > {out}/batch.bin
  mosquitto_pub -V 311 -h 127.0.0.1 -p {mqtt_port} --cafile {site}/ca/ca.crt \\
    --cert {out}/cars/mine.crt --key {out}/cars/mine.key \\
    -q 1 -t telltale/v1/reports -f {out}/batch.bin

follow the alerts:
  curl -N http://127.0.0.1:{feed_port}/v1/alerts/feed

query the table with DuckDB:
  PYTHONPATH=python out/venv/bin/python3 -m telltale_lake query --dir {site} \\
    "SELECT firmware, count(*), avg(speed_kmh) FROM telemetry GROUP BY firmware"
"""


def how_to_look_around(installation, out):
    print(
        HOW_TO.format(
            site=installation.dir,
            out=out,
            mqtt_port=installation.mqtt_port,
            feed_port=installation.feed_port,
        ),
        flush=True,
    )
