"""python -m telltale_lake shadow: features, telemetry, close, upkeep, list; and tables."""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from pathlib import Path
from typing import Any

from telltale_lake.features_cli import memory, moment, say

_ORDER_HELP = 'JSON: {"salt": TEXT, "always": [REF], "never": [REF]}'


def _release(text: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise argparse.ArgumentTypeError("a release's id is 64 hexadecimal digits in lower case")
    return text


def _order(text: str) -> Any:
    from telltale_lake.lots import NotAnOrder, parse_order

    try:
        return parse_order(text)
    except NotAnOrder as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _lots(text: str) -> int:
    from telltale_lake.lots import LOTS

    if not text.isdecimal() or not 1 <= int(text) <= LOTS:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of lots; 1 to {LOTS}")
    return int(text)


def _as_of(text: str) -> Any:
    from telltale_lake.as_of import AsOf

    # A snapshot's number has more digits than a date without its dashes.
    return AsOf(snapshot=int(text)) if text.isdecimal() else AsOf(time_us=moment(text))


def told(error: Exception) -> int:
    print(f"telltale_lake: {error}", file=sys.stderr)
    return 1


def show(report: dict[str, Any], as_json: bool) -> int:
    """1 when something of the candidate's could not be computed."""
    if as_json:
        print(json.dumps(report))
    else:
        for one in report["tables"]:
            line = f"{one['name']:<24} {one['status']}"
            c = one.get("comparison")
            if c:
                line += (
                    f": {c['same']} same, {c['changed']} changed, {c['missing']} missing, "
                    f"{c['extra']} extra; {c['vehicles_affected']} vehicles"
                )
            print(line if "error" not in one else f"{line}: {one['error']}")
    return 1 if any(one["status"] == "failed" for one in report["tables"]) else 0


def _run(work: Any, plan: Any, arguments: argparse.Namespace) -> int:
    """Computes and compares; what stood in the way in words."""
    from telltale_lake.as_of import NoSnapshot
    from telltale_lake.erased import NotAList
    from telltale_lake.features import FeatureError
    from telltale_lake.handoff import HandoffError
    from telltale_lake.layout import Layout
    from telltale_lake.reader import NoTable
    from telltale_lake.release import NoRelease
    from telltale_lake.shadow import ShadowError

    tell = (lambda words: None) if arguments.quiet else say
    try:
        report = work.run(Layout(arguments.dir), plan, tell)
    except (
        FeatureError,
        HandoffError,
        NoRelease,
        NoSnapshot,
        NoTable,
        NotAList,
        ShadowError,
    ) as error:
        return told(error)
    return show(report, arguments.json)


def _offsets(text: str) -> tuple[int, ...]:
    words = text.split(",")
    if not all(word.strip().isdecimal() for word in words):
        raise argparse.ArgumentTypeError("offsets are numbers with a comma between, by partition")
    return tuple(int(word) for word in words)


def _telemetry(arguments: argparse.Namespace) -> int:
    from telltale_lake import shadow_telemetry

    plan = shadow_telemetry.Plan(
        release=arguments.release,
        order=arguments.order,
        lots=arguments.lots,
        contract=arguments.contract or "",
        stable=arguments.stable or "installed",
        since=arguments.from_offsets,
        until=arguments.to_offsets,
        program=arguments.program,
        reopen=arguments.reopen,
        memory=arguments.memory,
    )
    return _run(shadow_telemetry, plan, arguments)


def _features(arguments: argparse.Namespace) -> int:
    from telltale_lake import shadow_features
    from telltale_lake.features_run import Window

    plan = shadow_features.Plan(
        release=arguments.release,
        order=arguments.order,
        lots=arguments.lots,
        features=arguments.features_dir,
        stable=arguments.stable or shadow_features.INSTALLED,
        stable_features=arguments.stable_features,
        as_of=arguments.as_of,
        window=Window(arguments.since, arguments.until),
        everything=arguments.all,
        over_shadow=arguments.over_shadow,
        reopen=arguments.reopen,
        memory=arguments.memory,
    )
    return _run(shadow_features, plan, arguments)


def _close(arguments: argparse.Namespace) -> int:
    from telltale_lake import shadow
    from telltale_lake.layout import Layout

    at = arguments.at if arguments.at is not None else time.time_ns() // 1000
    for name in shadow.close(Layout(arguments.dir), arguments.release, at):
        print(f"{name}: dropped after {shadow.text_of_time(at + shadow.KEPT_US)}")
    return 0


def _upkeep(arguments: argparse.Namespace) -> int:
    from telltale_lake import shadow
    from telltale_lake.layout import Layout

    now = arguments.now if arguments.now is not None else time.time_ns() // 1000
    for name in shadow.upkeep(Layout(arguments.dir), now):
        print(f"{name}: dropped")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    from telltale_lake import shadow
    from telltale_lake.layout import Layout

    found = shadow.listed(Layout(arguments.dir))
    if arguments.json:
        print(json.dumps([table.as_dict() for table in found]))
        return 0
    for table in found:
        print(_line(table))
    return 0


def _line(table: Any) -> str:
    from telltale_lake.shadow import text_of_time

    kept = "open"
    if table.drop_at_us is not None:
        kept = f"closed, dropped after {text_of_time(table.drop_at_us)}"
    return f"{table.table:<44} {table.rows:>10} rows  {table.release[:12]}  {kept}"


def _tables(arguments: argparse.Namespace) -> int:
    from telltale_lake import features, layout, shadow
    from telltale_lake.reader import tables_in

    at = layout.Layout(arguments.dir)
    users = [
        f"{namespace}.{name}"
        for namespace in (layout.NAMESPACE, features.NAMESPACE)
        for name in tables_in(at, namespace)
    ]
    shadows = shadow.listed(at)
    if arguments.json:
        print(json.dumps({"tables": users, "shadow": [t.as_dict() for t in shadows]}))
        return 0
    print("\n".join(users))
    if shadows:
        print("\nof candidate releases, in no view:")
        print("\n".join(map(_line, shadows)))
    return 0


def add_cohort(command: argparse.ArgumentParser) -> None:
    """What every command that computes for a cohort takes."""
    command.add_argument("--release", required=True, type=_release, metavar="ID", help="candidate")
    command.add_argument("--order", required=True, type=_order, help=_ORDER_HELP)
    command.add_argument(
        "--lots", required=True, type=_lots, metavar="N", help="vehicles of lots below it"
    )
    command.add_argument(
        "--memory", type=memory, default="1GB", help="of DuckDB; it spills beyond it (1GB)"
    )
    command.add_argument("--reopen", action="store_true", help="although its shadow was closed")
    command.add_argument("--quiet", action="store_true", help="no progress on stderr")
    command.add_argument("--json", action="store_true", help="the report, for programs")


def _add_features(actions: Any) -> argparse.ArgumentParser:
    features: argparse.ArgumentParser = actions.add_parser(
        "features",
        help="compute a candidate's features for its cohort, and compare them with stable's",
        description="Both on one snapshot, from the rows of the cohort's vehicles. The candidate's "
        "rows go to tables shadow.shadow_<8 hex>_<feature>. Exit code 1: one of the candidate's "
        "features cannot be computed.",
    )
    add_cohort(features)
    features.add_argument(
        "--features-dir", type=Path, metavar="DIR", help="the candidate's, not its release's own"
    )
    features.add_argument(
        "--stable", type=_release, metavar="ID", help="the installed features without"
    )
    features.add_argument("--stable-features", type=Path, metavar="DIR", help="stable's *.sql")
    features.add_argument(
        "--as-of", type=_as_of, metavar="SNAPSHOT|TIME", help="of telltale.telemetry; now without"
    )
    features.add_argument("--since", type=moment, metavar="TIME", help="window_start, inclusive")
    features.add_argument("--until", type=moment, metavar="TIME", help="window_start, exclusive")
    features.add_argument(
        "--all", action="store_true", help="also features that both have in the same words"
    )
    features.add_argument(
        "--over-shadow",
        action="store_true",
        help="the candidate's read what `shadow telemetry` made, over the same offsets",
    )
    features.set_defaults(run=_features)
    return features


def _add_telemetry(actions: Any) -> argparse.ArgumentParser:
    telemetry: argparse.ArgumentParser = actions.add_parser(
        "telemetry",
        help="convert the kept reports of the cohort by a candidate's contract, and compare",
        description="telltale-lake reads the stream `telemetry` once more, from the oldest record "
        "kept, in a folder of its own; the rows go to table shadow.shadow_<8 hex>_telemetry and "
        "are compared with telltale.telemetry by vehicle, boot and seq.",
    )
    add_cohort(telemetry)
    telemetry.add_argument(
        "--contract", type=_release, metavar="DIGEST", help="instead of the release's own"
    )
    telemetry.add_argument("--stable", type=_release, metavar="ID", help="named in the report")
    telemetry.add_argument(
        "--from-offsets", type=_offsets, default=(), metavar="N,N,…", help="oldest kept without"
    )
    telemetry.add_argument(
        "--to-offsets", type=_offsets, default=(), metavar="N,N,…", help="exclusive"
    )
    telemetry.add_argument("--program", type=Path, metavar="FILE", help="another telltale-lake")
    telemetry.set_defaults(run=_telemetry)
    return telemetry


def add_to(commands: Any) -> None:
    shadow = commands.add_parser(
        "shadow",
        help="what a candidate release would have computed, beside what was computed",
        description="Tables of candidate releases, seen by no view; the page is docs/lake.md.",
    )
    actions = shadow.add_subparsers(dest="action", required=True)
    made = [_add_features(actions), _add_telemetry(actions)]

    closing = actions.add_parser("close", help="the rollout is over: drop it after 30 days")
    closing.add_argument("--release", required=True, type=_release, metavar="ID")
    closing.add_argument("--at", type=moment, metavar="TIME", help="when it was closed; now")
    closing.set_defaults(run=_close)

    upkeep = actions.add_parser("upkeep", help="drop what was closed 30 days ago, files too")
    upkeep.add_argument("--now", type=moment, metavar="TIME", help="instead of the clock")
    upkeep.set_defaults(run=_upkeep)

    listing = actions.add_parser("list", help="which there are, and until when")
    listing.add_argument("--json", action="store_true", help="for programs")
    listing.set_defaults(run=_list)

    tables = commands.add_parser(
        "tables", help="every table: those with views, and those of candidate releases apart"
    )
    tables.add_argument("--json", action="store_true", help="for programs")
    tables.set_defaults(run=_tables)

    for command in (*made, closing, upkeep, listing, tables):
        command.add_argument("--dir", required=True, help="the folder `telltale init` made")
