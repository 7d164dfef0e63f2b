"""A candidate's features beside stable's, on one snapshot, for the vehicles of its cohort.

Both are computed anew from the same rows, so what differs is the release's doing. The candidate's
rows go into shadow tables, stable's nowhere; the comparison is kept as a report.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from telltale_lake import features, features_run, release, shadow
from telltale_lake.as_of import AsOf
from telltale_lake.compare import Comparison, compare
from telltale_lake.features import STAMPS, Feature, FeatureError
from telltale_lake.features_run import MEMORY, Say, Sources, Window
from telltale_lake.layout import Layout
from telltale_lake.lots import Order
from telltale_lake.reader import scan_of

if TYPE_CHECKING:
    import pyarrow as pa
    from pyiceberg.catalog.sql import SqlCatalog

INSTALLED = "installed"
NOT_COMPARED = frozenset([*(c.name for c in STAMPS), shadow.COMPUTED_BY[1]])


@dataclass(frozen=True)
class Plan:
    release: str
    order: Order
    lots: int
    features: Path | None = None  # of the candidate, instead of its release's own
    stable: str = INSTALLED  # a release's id
    stable_features: Path | None = None
    as_of: AsOf | None = None
    window: Window = field(default=Window())
    everything: bool = False  # also what both have in the same words
    reopen: bool = False
    memory: str = MEMORY


@dataclass
class _Run:
    layout: Layout
    plan: Plan
    folder: Path
    sources: Sources
    vehicles: pa.Table
    say: Say


def _read_all(place: Path) -> dict[str, Feature | FeatureError]:
    """Each by its name; one that cannot be read does not keep the others from being compared."""
    found: dict[str, Feature | FeatureError] = {}
    for path in sorted(place.glob("*.sql")):
        try:
            found[path.stem] = features.parse(path.read_text(encoding="utf-8"), path.stem)
        except UnicodeDecodeError:
            found[path.stem] = FeatureError(f"{path.name} is not UTF-8 text")
        except FeatureError as error:
            found[path.stem] = error
    if not found:
        raise FeatureError(f"there is no *.sql in {place}")
    return found


def _folders(layout: Layout, plan: Plan) -> tuple[Path, Path]:
    """Where the candidate's files are, and stable's."""
    candidate, stable = plan.features, plan.stable_features
    if candidate is None:
        candidate = release.read(layout, plan.release).features or features.folder()
    if stable is None and plan.stable != INSTALLED:
        stable = release.read(layout, plan.stable).features
    return candidate, stable or features.folder()


def _vehicles(sources: Sources, plan: Plan, folder: Path) -> tuple[pa.Table, int]:
    """Those of the cohort among all that the snapshot has, and how many it has."""
    import pyarrow as pa

    db = features_run.open_db(folder, plan.memory)
    try:
        scan = scan_of(sources.places["telemetry"])
        seen = db.execute(f"SELECT DISTINCT vehicle_ref FROM {scan}").fetchall()
    finally:
        db.close()
    chosen = plan.order.below(plan.lots, (row[0] for row in seen if row[0] is not None))
    return pa.table({"vehicle_ref": pa.array(chosen, pa.string())}), len(seen)


def _key(stable: Feature, candidate: Feature) -> list[str]:
    required = [{c.name for c in f.columns if c.required} for f in (stable, candidate)]
    wanted = ("vehicle_ref", "boot_counter", "boot_random", "window_start")
    return [name for name in wanted if name in required[0] & required[1]]


def _compute(run: _Run, feature: Feature) -> tuple[pa.Table, dict[str, Any]]:
    rows = features_run.compute(
        feature, run.sources, run.folder, run.plan.window, run.plan.memory, run.say, run.vehicles
    )
    outcome = features_run.outcome_of(feature, run.sources, rows)
    said = {"version": feature.version, "code_digest": feature.digest, "rows": outcome.rows}
    return rows, {**said, "valid": outcome.valid, "invalid": outcome.invalid}


def _compare(run: _Run, stable: pa.Table, candidate: pa.Table, key: list[str]) -> Comparison:
    db = features_run.open_db(run.folder, run.plan.memory)
    try:
        db.register("stable", stable)
        db.register("candidate", candidate)
        return compare(db, "stable", "candidate", key, NOT_COMPARED)
    finally:
        db.close()


def _write(run: _Run, catalog: SqlCatalog, feature: Feature, rows: pa.Table) -> str:
    import pyarrow as pa

    name = shadow.table_name(run.plan.release, feature.name)
    order = features_run.sort_order(10100, 10210)
    part = shadow.part_of(name, feature.iceberg_schema(), order)
    table = shadow.load_or_make(run.layout, catalog, part, run.plan.release, run.plan.reopen)
    by = pa.array([run.plan.release] * len(rows), pa.string())
    rows = rows.append_column(shadow.COMPUTED_BY[1], by)
    said = {"telltale.feature": feature.name, "telltale.code": feature.digest}
    where = features_run.rows_of_window(run.plan.window)
    features_run.replace_rows(table, part, rows, where, said, run.layout)
    return ".".join(table.name())


def _one(
    run: _Run,
    catalog: SqlCatalog,
    stable: Feature | FeatureError | None,
    candidate: Feature | FeatureError | None,
) -> dict[str, Any]:
    """What is said of one feature in the report, beside its name."""
    if candidate is None:
        return {"status": "removed"}
    if isinstance(candidate, FeatureError):
        return {"status": "failed", "error": str(candidate)}
    if isinstance(stable, FeatureError):
        raise stable  # what runs today must be readable
    if stable is not None and stable.digest == candidate.digest and not run.plan.everything:
        return {"status": "same_code", "candidate": {"code_digest": candidate.digest}}
    try:
        run.say(f"{candidate.name}: candidate, {len(run.vehicles)} vehicles")
        rows, said = _compute(run, candidate)
        table = _write(run, catalog, candidate, rows)
    except FeatureError as error:
        return {"status": "failed", "error": str(error)}
    result: dict[str, Any] = {"status": "added", "table": table, "candidate": said}
    if stable is None:
        return result
    run.say(f"{candidate.name}: stable")
    before, result["stable"] = _compute(run, stable)
    result["status"] = "compared"
    result["comparison"] = _compare(run, before, rows, _key(stable, candidate)).as_dict()
    return result


def run(
    layout: Layout, plan: Plan, say: Say = lambda words: None
) -> dict[str, Any]:
    """The report, kept as data/lake/shadow/<release>/features.json and .md.

    FeatureError, release.NoRelease, as_of.NoSnapshot, shadow.ShadowError say why nothing was done;
    a feature of the candidate's that cannot be computed is said in the report (status `failed`).
    """
    from telltale_lake.commit import open_catalog

    places = _folders(layout, plan)
    candidate, stable = map(_read_all, places)
    with features_run.scratch(layout) as folder, features_run.told_as_words():
        sources = Sources(layout, folder, plan.as_of)
        vehicles, seen = _vehicles(sources, plan, folder)
        at = _Run(layout, plan, folder, sources, vehicles, say)
        catalog = open_catalog(layout)
        try:
            told = [
                {"name": name, **_one(at, catalog, stable.get(name), candidate.get(name))}
                for name in sorted(set(stable) | set(candidate))
            ]
        finally:
            catalog.engine.dispose()
    report = {
        "format": "telltale-shadow-report",
        "version": 1,
        "kind": "features",
        "release": plan.release,
        "stable": plan.stable,
        "as_of": {
            "snapshot": sources.snapshots["telemetry"],
            "arrivals_snapshot": sources.snapshots["arrivals"],
        },
        "window": {"since_us": plan.window.since_us, "until_us": plan.window.until_us},
        "salt": plan.order.salt,
        "lots": plan.lots,
        "vehicles": {"cohort": len(vehicles), "seen": seen},
        "tables": told,
    }
    shadow.put_report(layout, report)
    return report
