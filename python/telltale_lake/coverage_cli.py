"""python -m telltale_lake coverage."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from telltale_lake.coverage import FieldCoverage, Flag

HEADINGS = (
    "field", "firmware", "reports", "present", "null", "out of range", "failed", "wrong type",
    "first seen", "last seen",
)  # fmt: skip


def _coverage(arguments: argparse.Namespace) -> int:
    from telltale_lake import coverage
    from telltale_lake.layout import Layout
    from telltale_lake.reader import NoTable, connect, metadata_file

    layout = Layout(arguments.dir)
    try:
        metadata_file(layout, "coverage")
        # Before the views: a table may only grow meanwhile.
        columns = coverage.number_columns(metadata_file(layout, "telemetry"))
        db = connect(arguments.dir)
    except NoTable as error:
        print(f"telltale_lake: {error}", file=sys.stderr)
        return 2
    rows = coverage.read_coverage(db)
    jumps, unknown = coverage.unit_jumps(coverage.read_values(db, columns), columns)
    flags = coverage.stopped(rows) + jumps
    if arguments.firmware is not None:
        if all(row.firmware.name != arguments.firmware for row in rows):
            known = sorted({row.firmware for row in rows})
            names = ", ".join(firmware.name for firmware in known)
            print(
                f"telltale_lake: no report of firmware {arguments.firmware}; there are: {names}",
                file=sys.stderr,
            )
            return 2
        rows = [row for row in rows if row.firmware.name == arguments.firmware]
        flags = [flag for flag in flags if flag.firmware == arguments.firmware]
        unknown = [entry for entry in unknown if entry[0] == arguments.firmware]
    if arguments.json:
        shown = {
            "fields": [coverage.as_json(row) for row in rows],
            "flags": [flag.__dict__ for flag in flags],
            "not_enough": [{"firmware": f, "column": column} for f, column in unknown],
        }
        print(json.dumps(shown))
    else:
        _show(rows, flags, unknown, arguments.all)
    return 1 if arguments.check and flags else 0


def _percent(row: FieldCoverage, count: int) -> str:
    return f"{100 * row.share(count):.1f} %"


def _cells(row: FieldCoverage) -> tuple[str, ...]:
    name = row.name
    if row.columns != (row.name,):
        name += " -> " + ", ".join(row.columns)
    return (
        name,
        row.firmware.name or "(other)",
        str(row.reports),
        _percent(row, row.present),
        _percent(row, row.null),
        str(row.out_of_range),
        str(row.conversion_failed),
        str(row.wrong_type),
        f"{row.first_seen:%Y-%m-%d %H:%M}" if row.first_seen else "-",
        f"{row.last_seen:%Y-%m-%d %H:%M}" if row.last_seen else "-",
    )


def _show(
    rows: list[FieldCoverage], flags: list[Flag], unknown: list[tuple[str, str]], all_fields: bool
) -> None:
    sent = {row.field for row in rows if row.came}
    shown = [_cells(row) for row in rows if all_fields or row.field in sent]
    lines = [HEADINGS, *shown]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADINGS))]
    for line in lines:
        cells = [
            text.rjust(width) if 2 <= i < 8 else text.ljust(width)
            for i, (text, width) in enumerate(zip(line, widths))
        ]
        print("  ".join(cells).rstrip())
    never = {row.name for row in rows if row.field not in sent}
    if never and not all_fields:
        print(f"{len(never)} more fields that nobody sends; --all shows them")
    for flag in flags:
        print(f"{flag.kind}: firmware {flag.firmware}, {flag.of}: {flag.detail}")
    if unknown:
        print(f"not enough values to tell a unit jump of {len(unknown)} columns; --json names them")
    if not flags:
        print("nothing is flagged")


def add_to(commands: Any) -> None:
    coverage = commands.add_parser(
        "coverage",
        help="what each firmware sends of each field; fields that stopped or changed their unit",
        description="Field by firmware: reports, how many of them have the field, lack it (null), "
        "were out of range, could not be converted (failed) or came in a wrong type. Flags: "
        "stopped, unit_jump; docs/lake.md says how they are told.",
        epilog="Exit status: 0; with --check 1 when something is flagged; 2 when there is nothing "
        "to judge yet.",
    )
    coverage.add_argument("--dir", required=True, help="the folder `telltale init` made")
    coverage.add_argument("--firmware", metavar="F", help="this one alone, held against the others")
    coverage.add_argument("--all", action="store_true", help="fields that nobody sends, too")
    coverage.add_argument("--json", action="store_true", help="for programs; all fields")
    coverage.add_argument("--check", action="store_true", help="exit 1 when something is flagged")
    coverage.set_defaults(run=_coverage)
