"""python -m telltale_lake features: list, run."""

from __future__ import annotations

import argparse
import json
import re
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any


def moment(text: str) -> int:
    """Microseconds of a date or an ISO time; without a zone it is UTC."""
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time; write 2026-01-31 or 2026-01-31T08:00:00Z"
        ) from None
    if found.tzinfo is None:
        found = found.replace(tzinfo=timezone.utc)
    whole = int(found.replace(microsecond=0).timestamp())
    return whole * 1_000_000 + found.microsecond


def memory(text: str) -> str:
    if not re.fullmatch(r"[1-9]\d*(\.\d+)?(MB|GB|MiB|GiB)", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write 512MB or 4GB")
    return text


def say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def _chosen(arguments: argparse.Namespace) -> list[Any]:
    from telltale_lake.features import FeatureError, load

    found = load(arguments.features)
    names = {feature.name: feature for feature in found}
    wanted = getattr(arguments, "feature", None) or list(names)
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise FeatureError(f"no feature {unknown[0]}; there are: {', '.join(names)}")
    return [names[name] for name in wanted]


def _list(arguments: argparse.Namespace) -> int:
    from telltale_lake.features import FeatureError

    try:
        features = _chosen(arguments)
    except FeatureError as error:
        print(f"telltale_lake: {error}", file=sys.stderr)
        return 1
    if arguments.json:
        shown = [
            {
                "feature": f.name,
                "version": f.version,
                "code_digest": f.digest,
                "reasons": f.reasons,
                "columns": [c.__dict__ for c in f.stored],
            }
            for f in features
        ]
        print(json.dumps(shown))
        return 0
    for feature in features:
        print(f"{feature.name}  version {feature.version}  {feature.digest[:12]}")
        for column in feature.stored:
            print(f"  {column.name:<20} {column.type:<12} {column.unit:<8} {column.meaning}")
    return 0


def _run(arguments: argparse.Namespace) -> int:
    from telltale_lake.features import FeatureError
    from telltale_lake.features_run import Window, run
    from telltale_lake.layout import Layout
    from telltale_lake.reader import NoTable

    window = Window(arguments.since, arguments.until)
    if None not in (window.since_us, window.until_us) and window.since_us >= window.until_us:
        print("telltale_lake: --since must be before --until", file=sys.stderr)
        return 2
    tell = (lambda words: None) if arguments.quiet else say
    outcomes = []
    try:
        features = _chosen(arguments)
        for outcome in run(Layout(arguments.dir), features, window, arguments.memory, tell):
            outcomes.append(outcome.as_dict())
            if not arguments.json:
                _show(outcome)
    except (FeatureError, NoTable) as error:
        print(f"telltale_lake: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("telltale_lake: stopped; the features above are in", file=sys.stderr)
        return 130
    finally:
        if arguments.json and outcomes:
            print(json.dumps(outcomes))
    return 0


def _show(outcome: Any) -> None:
    print(
        f"{outcome.feature}: {outcome.rows} rows, {outcome.valid} valid, "
        f"snapshot {outcome.source_snapshot}, {outcome.seconds:.1f} s"
    )
    for reason, count in outcome.invalid.items():
        print(f"  {reason:<20} {count}")


def add_to(commands: Any) -> None:
    features = commands.add_parser(
        "features",
        help="run the maintenance features, or list them",
        description="SQL over the tables, written as Iceberg tables features.NAME; the page is "
        "docs/features.md.",
    )
    actions = features.add_subparsers(dest="action", required=True)

    listing = actions.add_parser("list", help="what there is, with columns and units")
    listing.add_argument("--json", action="store_true", help="for programs")
    listing.set_defaults(run=_list, dir=None)

    running = actions.add_parser(
        "run",
        help="compute features and write their tables",
        description="Reads the tables at one snapshot and replaces the features' rows whose "
        "window_start lies in [--since, --until): all rows without these.",
    )
    running.add_argument("--dir", required=True, help="the folder `telltale init` made")
    running.add_argument("--feature", action="append", metavar="NAME", help="only this; repeatable")
    running.add_argument("--since", type=moment, metavar="TIME", help="event time, UTC; inclusive")
    running.add_argument("--until", type=moment, metavar="TIME", help="event time, UTC; exclusive")
    running.add_argument(
        "--memory", type=memory, default="1GB", help="of DuckDB; it spills beyond it (1GB)"
    )
    running.add_argument("--quiet", action="store_true", help="no progress on stderr")
    running.add_argument("--json", action="store_true", help="for programs; a list of outcomes")
    running.set_defaults(run=_run)

    for command in (listing, running):
        command.add_argument(
            "--features", type=Path, metavar="FOLDER", help="with *.sql, instead of the installed"
        )
