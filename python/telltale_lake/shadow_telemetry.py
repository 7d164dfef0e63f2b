"""A candidate's `telemetry` beside stable's: the same records of the stream under the candidate's
contract, for the vehicles of its cohort.

The stream keeps what cars sent, so telltale-lake converts it anew, in a folder of its own
(docs/formats/shadow-run.md); the rows that stable has of the same offsets are what it is compared
with. What the platform holds and no release decides is stable's in both: the cell, which held twice
from two beginnings would tell more places than once, and the number of the config in force.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from telltale_lake import features_run, handoff, release, shadow
from telltale_lake.compare import Comparison, compare
from telltale_lake.features_run import MEMORY, Say, Sources
from telltale_lake.layout import POSITION_PROPERTY, Layout, numbers_of
from telltale_lake.lots import Order
from telltale_lake.reader import scan_of
from telltale_lake.shadow import ShadowError

if TYPE_CHECKING:
    import duckdb
    from pyiceberg.expressions import BooleanExpression

NAME = "telemetry"
KEY = ["vehicle_ref", "boot_counter", "boot_random", "seq"]
# What is stable's in both: column, and where the value comes from.
HELD = {"cell": "s.cell", "config_seq": "coalesce(s.config_seq, t.config_seq)"}
# Stamps of who computed it, and what is stable's in both.
NOT_COMPARED = frozenset({"release", "authority_epoch", *HELD})
# A report of before the range may come again within it: stable has it already.
_REPEATS = "s.\"offset\" < r.\"from\""


@dataclass(frozen=True)
class Plan:
    release: str
    order: Order
    lots: int
    contract: str = ""  # digest; "" = the release's own
    stable: str = "installed"
    since: tuple[int, ...] = ()  # offsets by partition; () = the oldest kept
    until: tuple[int, ...] = ()  # not included; () = what the table has
    program: Path | None = None
    reopen: bool = False
    memory: str = MEMORY


@dataclass
class _Derived:
    """What telltale-lake left in the folder of the run."""

    part: handoff.TablePart
    files: list[Path]
    ranges: list[tuple[int, int]]
    counts: dict[str, int]


def program() -> Path:
    """telltale-lake of the installation this package lies in, else of the source tree's build."""
    here = Path(__file__)
    for parent in (*here.parents, *here.resolve().parents):
        for folder in (parent, parent / "build" / "dev"):
            place = folder / "libexec" / "telltale" / "telltale-lake"
            if place.is_file():
                return place
    raise ShadowError("there is no telltale-lake here; name it with --program")


def _derive(layout: Layout, plan: Plan, contract: str, folder: Path) -> _Derived:
    folder.mkdir(mode=0o750)
    asked = {"format": "telltale-shadow-run", "version": 1, "release": plan.release,
             "contract": contract, "lots": plan.lots, **plan.order.as_dict()}  # fmt: skip
    shadow.write_whole(folder / "run.json", json.dumps(asked))
    command = [plan.program or program(), "--dir", layout.root, "--shadow", folder]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise ShadowError(f"telltale-lake: {_last_line(done.stderr)}")
    counts = json.loads((folder / "lake.json").read_bytes())
    if counts.get("lake.shards_stopped"):
        raise ShadowError(f"telltale-lake could not read it all: {_last_line(done.stderr)}")
    return _handoffs(folder, counts)


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def _handoffs(folder: Path, counts: dict[str, int]) -> _Derived:
    part, files, ranges = None, [], []
    for number in numbers_of(folder / "handoff", ".json"):
        one = handoff.read(folder / "handoff" / f"{number:020d}.json", number, folder)
        part = one.tables[NAME]
        files += [file.path for file in part.files]
        first = ranges or one.ranges
        ranges = [(before[0], now[1]) for before, now in zip(first, one.ranges)]
    if part is None:
        raise ShadowError("the log has no records (any more)")
    nulled = {k: v for k, v in counts.items() if k.startswith(("drops_total.lake.", "lake.null"))}
    return _Derived(part, files, ranges, nulled)


def _ranges(
    plan: Plan, derived: _Derived, metadata: dict[str, Any]
) -> list[tuple[int, int, int]]:
    """(partition, from, to) of what both have, and was asked for."""
    for name, given in (("from", plan.since), ("to", plan.until)):
        if given and len(given) != len(derived.ranges):
            raise ShadowError(f"`{name}` has {len(given)} offsets, the log {len(derived.ranges)}")
    ranges = []
    for partition, (first, end) in enumerate(derived.ranges):
        has = int(metadata.get("properties", {}).get(f"{POSITION_PROPERTY}{partition}", "0"))
        since = max([first, *plan.since[partition : partition + 1]])
        until = min([end, has, *plan.until[partition : partition + 1]])
        ranges.append((partition, since, max(since, until)))
    return ranges


def _load(
    db: duckdb.DuckDBPyConnection,
    plan: Plan,
    derived: _Derived,
    sources: Sources,
    ranges: list[tuple[int, int, int]],
) -> dict[str, int]:
    """Tables `stable` and `candidate` of the cohort within the ranges; what is told beside them."""
    import pyarrow as pa

    db.execute('CREATE TABLE ranges (part INT, "from" BIGINT, "to" BIGINT)')
    db.executemany("INSERT INTO ranges VALUES (?, ?, ?)", ranges)
    telemetry = scan_of(sources.places[NAME])
    seen = db.execute(f"SELECT DISTINCT vehicle_ref FROM {telemetry}").fetchall()
    cohort = plan.order.below(plan.lots, (row[0] for row in seen))
    db.register("cohort", pa.table({"vehicle_ref": pa.array(cohort, pa.string())}))
    of_cohort = f"FROM {telemetry} t WHERE vehicle_ref IN (SELECT vehicle_ref FROM cohort)"
    held = [name for name in HELD if name in sources.columns[NAME]]
    # Also of earlier offsets: a repeat within the range is known by them.
    known = ", ".join([*KEY, '"offset"', *held])
    db.execute(f"CREATE TABLE known AS SELECT {known} {of_cohort}")
    within = 't."offset" >= r."from" AND t."offset" < r."to"'
    inside = f"EXISTS (SELECT 1 FROM ranges r WHERE t.partition = r.part AND {within})"
    db.execute(f"CREATE TABLE stable AS SELECT t.* {of_cohort} AND {inside}")
    if derived.files:
        names = ", ".join("'" + str(path).replace("'", "''") + "'" for path in derived.files)
        raw = f"read_parquet([{names}], hive_partitioning = false)"
    else:  # the same columns, and no row
        raw = "(SELECT * FROM stable WHERE false)"
    same = " AND ".join(f"t.{name} = s.{name}" for name in KEY)
    joined = (
        f"FROM {raw} t JOIN ranges r ON t.partition = r.part AND {within} "
        f"LEFT JOIN known s ON {same}"
    )
    given = {row[0] for row in db.execute(f"DESCRIBE SELECT * FROM {raw}").fetchall()}
    words = ", ".join(f"{HELD[name]} AS {name}" for name in held if name in given)
    chosen = f"t.* REPLACE ({words})" if words else "t.*"
    db.execute(
        f"CREATE TABLE candidate AS SELECT {chosen} {joined} "
        f"WHERE s.seq IS NULL OR NOT {_REPEATS}"
    )
    repeats = db.execute(f"SELECT count(*) {joined} WHERE {_REPEATS}").fetchone()
    db.execute("DROP TABLE known")
    assert repeats is not None
    return {"cohort": len(cohort), "seen": len(seen), "repeats": repeats[0]}


def _where(ranges: list[tuple[int, int, int]]) -> BooleanExpression:
    """The rows of a run before, of the same records."""
    from pyiceberg.expressions import AlwaysFalse, And, BooleanExpression, EqualTo
    from pyiceberg.expressions import GreaterThanOrEqual, LessThan, Or

    where: BooleanExpression = AlwaysFalse()
    for partition, since, until in ranges:
        if until > since:
            bounds = (GreaterThanOrEqual("offset", since), LessThan("offset", until))
            where = Or(where, And(EqualTo("partition", partition), *bounds))
    return where


def _write(
    layout: Layout,
    plan: Plan,
    derived: _Derived,
    db: duckdb.DuckDBPyConnection,
    ranges: list[tuple[int, int, int]],
) -> str:
    import pyarrow as pa
    from telltale_lake.commit import open_catalog

    rows = db.execute("SELECT * FROM candidate ORDER BY vehicle_ref, event_time").to_arrow_table()
    by = pa.array([plan.release] * len(rows), pa.string())
    rows = rows.append_column(shadow.COMPUTED_BY[1], by)
    name = shadow.table_name(plan.release, NAME)
    part = shadow.part_of(name, derived.part.schema, features_run.sort_order(10100, 2))
    catalog = open_catalog(layout)
    try:
        table = shadow.load_or_make(layout, catalog, part, plan.release)
        said = {"telltale.contract": plan.contract}
        features_run.replace_rows(table, part, rows, _where(ranges), said, layout)
    finally:
        catalog.engine.dispose()
    return ".".join(table.name())


def run(layout: Layout, plan: Plan, say: Say = lambda words: None) -> dict[str, Any]:
    """The report, kept as data/lake/shadow/<release>/telemetry.json and .md.

    FeatureError, release.NoRelease, shadow.ShadowError, reader.NoTable say why nothing was done.
    """
    contract = plan.contract or release.read(layout, plan.release).contract
    if not (layout.contracts / f"{contract}.desc").is_file():
        raise ShadowError(f"contract {contract} of the candidate is not in {layout.contracts}")
    shadow.begin(layout, plan.release, plan.reopen)
    with (
        features_run.scratch(layout, shadow.SCRATCH) as folder,
        features_run.told_as_words(),
    ):
        say(f"{NAME}: converting the records that are kept, contract {contract[:12]}")
        derived = _derive(layout, plan, contract, folder / "run")
        sources = Sources(layout, folder)
        ranges = _ranges(plan, derived, sources.metadata[NAME])
        db = features_run.open_db(folder, plan.memory)
        try:
            say(f"{NAME}: comparing {sum(end - since for _, since, end in ranges)} offsets")
            told = _load(db, plan, derived, sources, ranges)
            found = compare(db, "stable", "candidate", KEY, NOT_COMPARED)
            table = _write(layout, plan, derived, db, ranges)
        finally:
            db.close()
    report = _report(plan, contract, sources, ranges, told, found, derived, table)
    shadow.put_report(layout, report)
    return report


def _report(
    plan: Plan,
    contract: str,
    sources: Sources,
    ranges: list[tuple[int, int, int]],
    told: dict[str, int],
    found: Comparison,
    derived: _Derived,
    table: str,
) -> dict[str, Any]:
    one = {
        "name": NAME,
        "status": "compared",
        "table": table,
        "candidate": {
            "code_digest": contract,
            "rows": found.rows_candidate,
            "repeats_left_out": told["repeats"],
            "counts": derived.counts,
        },
        "stable": {"rows": found.rows_stable},
        "comparison": found.as_dict(),
    }
    return {
        "format": "telltale-shadow-report",
        "version": 1,
        "kind": NAME,
        "release": plan.release,
        "stable": plan.stable,
        "as_of": {
            "snapshot": sources.snapshots[NAME],
            "from": [since for _, since, _ in ranges],
            "to": [until for _, _, until in ranges],
        },
        "salt": plan.order.salt,
        "lots": plan.lots,
        "vehicles": {"cohort": told["cohort"], "seen": told["seen"]},
        "tables": [one],
    }
