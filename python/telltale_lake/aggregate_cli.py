"""python -m telltale_lake aggregate: what may be told by cell."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

BY = ("cell", "cell,hour", "cell,day")


def add_to(commands: Any) -> None:
    aggregate = commands.add_parser(
        "aggregate",
        help="counts and means by cell, of ten vehicles or more",
        description="The one supported way to publish by cell: a row is of k distinct vehicles or "
        "more (10; under 5 is refused), each counted once per cell and hour, and rows are hidden "
        "together so that differences tell nothing. docs/lake.md.",
    )
    aggregate.add_argument("--by", choices=BY, default="cell")
    aggregate.add_argument(
        "--measure",
        metavar="COLUMN:LOW:HIGH",
        help="mean of a column of telemetry over vehicles, its values clamped to these bounds",
    )
    aggregate.add_argument("--k", type=int, default=10, help="vehicles a row needs (10)")
    aggregate.add_argument("--json", action="store_true", help="for programs")
    aggregate.add_argument("--dir", required=True, help="the folder `telltale init` made")
    aggregate.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    from telltale_lake.aggregate import AggregateError, Measure, aggregate_by_cell
    from telltale_lake.reader import NoTable

    try:
        measure = None
        if arguments.measure is not None:
            column, low, high = arguments.measure.split(":")
            measure = Measure(column, float(low), float(high))
    except ValueError:
        print("telltale_lake: --measure is COLUMN:LOW:HIGH", file=sys.stderr)
        return 1
    period = arguments.by.partition(",")[2] or None
    try:
        rows = aggregate_by_cell(arguments.dir, measure, period, arguments.k)
    except (AggregateError, NoTable) as error:
        print(f"telltale_lake: {error}", file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps(rows))
        return 0
    print(f"{'cell':<18}{'period':<20}{'vehicles':>9}{'mean':>12}")
    for row in rows:
        mean = "" if row["mean"] is None else f"{row['mean']:.2f}"
        cell = f"{row['cell'] & (1 << 64) - 1:016x}"
        print(f"{cell:<18}{row['period']:<20}{row['vehicles']:>9}{mean:>12}")
    return 0
