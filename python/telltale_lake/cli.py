"""python -m telltale_lake: commits, reads, aggregates and erases; see its --help."""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from telltale_lake import aggregate_cli, coverage_cli, erase_cli, features_cli, shadow_cli

POLL_S = 0.2
COUNTERS_EVERY_S = 1.0
UPKEEP_EVERY_S = 3600.0


class _Format(logging.Formatter):
    """As the other processes log (src/base/logging.h): one event a line, logfmt or JSON."""

    converter = time.gmtime
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"
    levels = {"WARNING": "warn", "CRITICAL": "error"}

    def __init__(self, form: str):
        super().__init__()
        self.form = form

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        if record.exc_info:
            message += "\n" + self.formatException(record.exc_info)
        event = {
            "ts": self.formatTime(record),
            "level": self.levels.get(record.levelname, record.levelname.lower()),
            "role": "committer",
            "msg": message,
        }
        if self.form == "json":
            return json.dumps(event, separators=(",", ":"))
        event["msg"] = json.dumps(message)
        return " ".join(f"{key}={value}" for key, value in event.items())


def _log_to_stderr() -> None:
    handler = logging.StreamHandler(sys.stderr)
    # `serve` hands the settings of telltale.yaml over in the environment.
    handler.setFormatter(_Format(os.environ.get("TELLTALE_LOGGING_FORMAT", "logfmt")))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    level = os.environ.get("TELLTALE_LOGGING_LEVEL", "info").upper()
    known = {"DEBUG", "INFO", "WARN", "ERROR"}
    logging.getLogger("committer").setLevel(level if level in known else "INFO")


def _write_counters(folder: Path, counts: dict[str, Any]) -> None:
    """Whole or not at all; not synced: a count is no promise."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", dir=folder, prefix=".committer", delete=False
        ) as file:
            json.dump(counts, file, sort_keys=True)
        os.chmod(file.name, 0o640)
        os.replace(file.name, folder / "committer.json")
    except OSError:
        pass


def _rows_to_parquet(arguments: argparse.Namespace) -> int:
    from telltale_lake import rows_to_parquet

    return rows_to_parquet.run(arguments.fd, arguments.out)


def _upkeep(layout: Any, log: logging.Logger) -> None:
    """It can wait an hour where it fails; hand-offs cannot."""
    from telltale_lake import shadow

    try:
        for name in shadow.upkeep(layout, time.time_ns() // 1000):
            log.info("%s was closed 30 days ago: dropped", name)
    except Exception as error:
        log.warning("upkeep of shadow tables: %s; trying again in an hour", error)


def _commit(arguments: argparse.Namespace) -> int:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    _log_to_stderr()
    log = logging.getLogger("committer")
    # Heavy imports after the signals are ours.
    from telltale_lake.commit import AlreadyRunning, Committer, Lock
    from telltale_lake.handoff import HandoffError
    from telltale_lake.layout import Layout

    layout = Layout(arguments.dir)
    try:
        lock = Lock(layout)
    except AlreadyRunning as error:
        log.error("%s", error)
        return 1
    committer = Committer(layout)
    counted_at = 0.0
    upkept_at = None
    try:
        while not stop.is_set():
            committer.run_once(stop.is_set)
            if upkept_at is None or time.monotonic() - upkept_at >= UPKEEP_EVERY_S:
                upkept_at = time.monotonic()
                _upkeep(layout, log)
            if time.monotonic() - counted_at >= COUNTERS_EVERY_S or arguments.once:
                _write_counters(layout.counters, committer.summary())
                counted_at = time.monotonic()
            if arguments.once:
                break
            stop.wait(POLL_S)
        return 0
    except HandoffError as error:
        log.error("%s", error)
        return 1
    finally:
        committer.close()
        lock.close()


def _query(arguments: argparse.Namespace) -> int:
    from telltale_lake.reader import NoTable, connect

    try:
        db = connect(arguments.dir)
    except NoTable as error:
        print(f"telltale_lake: {error}", file=sys.stderr)
        return 1
    import duckdb

    try:
        return _show(db.sql(arguments.sql), arguments)
    except duckdb.Error as error:
        print(f"telltale_lake: {error}", file=sys.stderr)
        return 1


def _show(result: Any, arguments: argparse.Namespace) -> int:
    """Prints a query's rows; it runs only now."""
    if result is None:  # a statement without rows
        return 0
    if arguments.format == "table":
        result.show(max_width=arguments.width, max_rows=arguments.rows)
        return 0
    rows = result.fetchall()
    if arguments.format == "json":
        print(json.dumps([dict(zip(result.columns, row)) for row in rows], default=str))
        return 0
    import csv

    writer = csv.writer(sys.stdout)
    writer.writerow(result.columns)
    writer.writerows(rows)
    return 0


def _metadata(arguments: argparse.Namespace) -> int:
    from telltale_lake.layout import NAMESPACE, Layout
    from telltale_lake.reader import NoTable, metadata_file

    try:
        namespace, _, table = arguments.table.rpartition(".")
        place = metadata_file(Layout(arguments.dir), table, namespace or NAMESPACE)
        print(place)
    except NoTable as error:
        print(f"telltale_lake: {error}", file=sys.stderr)
        return 1
    return 0


def _status(arguments: argparse.Namespace) -> int:
    from telltale_lake.reader import status

    found = status(arguments.dir)
    if arguments.json:
        print(json.dumps(found))
        return 0
    print(f"newest hand-off     {found['newest_handoff']}")
    print(f"committed hand-off  {found['committed_handoff']}")
    print(f"pending hand-offs   {found['pending_handoffs']}")
    for name, entry in found["tables"].items():
        print(f"{name:<19} {entry['rows']} rows up to hand-off {entry['handoff']}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m telltale_lake",
        description="The lake's tables: commits hand-offs of telltale-lake, and reads them.",
    )
    commands = parser.add_subparsers(dest="command", required=True)

    commit = commands.add_parser(
        "commit",
        help="commit hand-offs to the Iceberg tables",
        description="Commits every hand-off in DIR/data/lake/handoff, in order, once. One "
        "committer per lake; a second one ends at once.",
    )
    how = commit.add_mutually_exclusive_group()
    how.add_argument("--follow", action="store_true", help="go on with what comes (the default)")
    how.add_argument("--once", action="store_true", help="commit what is there and end")
    commit.set_defaults(run=_commit)

    query = commands.add_parser(
        "query",
        help="run SQL over the tables with DuckDB, offline",
        description="Views: telemetry, arrivals and coverage (changes), arrivals_sum and "
        "coverage_sum (their sums), and features.NAME once run. Columns: docs/lake.md, "
        "docs/features.md.",
    )
    query.add_argument("sql", metavar="SQL", help="one statement of DuckDB's SQL")
    query.add_argument("--format", choices=("table", "csv", "json"), default="table")
    query.add_argument("--rows", type=int, default=200, help="most rows of a table (200)")
    query.add_argument("--width", type=int, default=160, help="widest table in characters (160)")
    query.set_defaults(run=_query)

    metadata = commands.add_parser(
        "metadata",
        help="print the path of a table's current Iceberg metadata file",
        description="For other engines, as in: SELECT * FROM iceberg_scan('...').",
    )
    metadata.add_argument(
        "--table",
        default="telemetry",
        help="telemetry (the default), arrivals, coverage, or a feature's as features.crank_dip",
    )
    metadata.set_defaults(run=_metadata)

    status = commands.add_parser(
        "status",
        help="how far the tables are beside the newest hand-off",
        description="Drained: committed hand-off = newest hand-off, nothing pending.",
    )
    status.add_argument("--json", action="store_true", help="for programs; with positions")
    status.set_defaults(run=_status)

    parquet = commands.add_parser(
        "rows-to-parquet",
        help="rows of a vault's answer into a Parquet file (telltale vault query --format parquet)",
    )
    parquet.add_argument("--fd", type=int, default=0, help="where the rows come from, a line each")
    parquet.add_argument("--out", required=True, help="the file to make; it must not be there")
    parquet.set_defaults(run=_rows_to_parquet, dir=None)

    coverage_cli.add_to(commands)
    features_cli.add_to(commands)
    erase_cli.add_to(commands)
    aggregate_cli.add_to(commands)
    shadow_cli.add_to(commands)

    for command in (commit, query, metadata, status):
        command.add_argument("--dir", required=True, help="the folder `telltale init` made")
    return parser


def main(argv: list[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    if arguments.dir is not None and not (Path(arguments.dir) / "data").is_dir():
        print(
            f"telltale_lake: no installation at {arguments.dir}; `telltale init` makes one",
            file=sys.stderr,
        )
        return 1
    try:
        return int(arguments.run(arguments))
    except PermissionError as error:
        print(
            f"telltale_lake: {error.filename}: permission denied; run it as root or as the user"
            " `telltale`",
            file=sys.stderr,
        )
        return 1
