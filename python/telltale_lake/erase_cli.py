"""python -m telltale_lake erase: a vehicle out of every table, with a receipt."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

INCOMPLETE = 3


def add_to(commands: Any) -> None:
    erase = commands.add_parser(
        "erase",
        help="erase a vehicle from every table, and print a receipt",
        description="Removes every row of the vehicle and every file that held one, old snapshots "
        "included. Run it again after a crash: it goes on. Exit code 3: it is not complete, for "
        "telltale-lake or the committer did not run; start them and erase again.",
    )
    erase.add_argument("--vehicle", required=True, metavar="REF", help="32 hexadecimal digits")
    erase.add_argument(
        "--wait", type=float, default=120.0, metavar="S", help="for telltale-lake and committer"
    )
    erase.add_argument("--json", action="store_true", help="for programs")
    erase.add_argument("--dir", required=True, help="the folder `telltale init` made")
    erase.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    from telltale_lake.erase import EraseError, erase
    from telltale_lake.erased import NotAList

    try:
        receipt = erase(arguments.dir, arguments.vehicle, arguments.wait)
    except (EraseError, NotAList) as error:
        print(f"telltale_lake: {error}", file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps(receipt.as_dict()))
    else:
        print(f"{'store':<26}{'rows':>10}{'rewritten':>11}{'removed':>9}{'snapshots':>11}")
        for store in receipt.stores:
            print(
                f"{store.table:<26}{store.rows:>10}{store.files_rewritten:>11}"
                f"{store.files_removed:>9}{store.snapshots_removed:>11}"
            )
        print(f"erased: {receipt.tag}" if receipt.complete else "not complete")
    if receipt.complete:
        return 0
    print(
        f"telltale_lake: {receipt.waiting_for} has not yet let go of the vehicle; see that it "
        "runs, and erase again",
        file=sys.stderr,
    )
    return INCOMPLETE
