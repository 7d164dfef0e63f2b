"""A candidate's features beside stable's, on one snapshot, for the vehicles of its cohort.

Both are computed anew from the same rows, so what differs is the release's doing. The candidate's
rows go into shadow tables, stable's nowhere; the comparison is kept as a report.
"""

from __future__ import annotations

import copy
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from telltale_lake import features, features_run, release, shadow
from telltale_lake.as_of import AsOf
from telltale_lake.compare import Comparison, compare
from telltale_lake.features import STAMPS, Feature, FeatureError
from telltale_lake.features_run import MEMORY, Say, Sources, Window
from telltale_lake.layout import SHADOW_NAMESPACE, Layout
from telltale_lake.lots import Order
from telltale_lake.reader import metadata_file, scan_of

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
    over_shadow: bool = False  # the candidate's read the candidate's telemetry
    reopen: bool = False
    memory: str = MEMORY


@dataclass
class _Run:
    layout: Layout
    plan: Plan
    folder: Path
    sources: Sources
    candidate_sources: Sources
    part: features_run.Part
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


def _compute(
    run: _Run, feature: Feature, sources: Sources
) -> tuple[pa.Table, dict[str, Any]]:
    plan = run.plan
    rows = features_run.compute(
        feature, sources, run.folder, plan.window, plan.memory, run.say, run.part
    )
    outcome = features_run.outcome_of(feature, sources, rows)
    said = {"version": feature.version, "code_digest": feature.digest, "rows": outcome.rows}
    return rows, {**said, "valid": outcome.valid, "invalid": outcome.invalid}


def _compare(run: _Run, stable: pa.Table, candidate: pa.Table, key: list[str]) -> Comparison:
    db = features_run.open_db(run.folder, run.plan.memory)
    try:
        db.register("stable", stable)
        db.register("candidate", candidate)
        # Of the candidate's telemetry each row says that it is the candidate's.
        more = {"release"} if run.plan.over_shadow else set()
        return compare(db, "stable", "candidate", key, NOT_COMPARED | more)
    finally:
        db.close()


def _write(run: _Run, catalog: SqlCatalog, feature: Feature, rows: pa.Table) -> str:
    import pyarrow as pa

    name = shadow.table_name(run.plan.release, feature.name)
    order = features_run.sort_order(10100, 10210)
    part = shadow.part_of(name, feature.iceberg_schema(), order)
    table = shadow.load_or_make(run.layout, catalog, part, run.plan.release)
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
    is_same = stable is not None and stable.digest == candidate.digest
    if is_same and not (run.plan.everything or run.plan.over_shadow):
        return {"status": "same_code", "candidate": {"code_digest": candidate.digest}}
    try:
        run.say(f"{candidate.name}: candidate")
        rows, said = _compute(run, candidate, run.candidate_sources)
        table = _write(run, catalog, candidate, rows)
    except FeatureError as error:
        return {"status": "failed", "error": str(error)}
    result: dict[str, Any] = {"status": "added", "table": table, "candidate": said}
    if stable is None:
        return result
    run.say(f"{candidate.name}: stable")
    before, result["stable"] = _compute(run, stable, run.sources)
    result["status"] = "compared"
    result["comparison"] = _compare(run, before, rows, _key(stable, candidate)).as_dict()
    return result


def _part(vehicles: pa.Table, ranges: pa.Table | None) -> features_run.Part:
    """The cohort's rows; of telemetry those within the ranges of offsets, where there are any."""
    cohort = "vehicle_ref IN (SELECT vehicle_ref FROM cohort_of_run)"
    if ranges is None:
        where = {"telemetry": cohort, "arrivals": cohort}
        return features_run.Part(where, {"cohort_of_run": vehicles})
    within = (
        "EXISTS (SELECT 1 FROM ranges_of_run r WHERE r.part = partition "
        'AND "offset" >= r.since AND "offset" < r.until)'
    )
    return features_run.Part(
        {"telemetry": f"{cohort} AND {within}", "arrivals": cohort},
        {"cohort_of_run": vehicles, "ranges_of_run": ranges},
    )


def _telemetry_report(layout: Layout, plan: Plan) -> dict[str, Any]:
    """Of the run that made the candidate's telemetry; it must have the vehicles asked for."""
    report = shadow.report_of(layout, plan.release, "telemetry")
    if report is None:
        raise shadow.ShadowError(
            f"release {plan.release} has no telemetry of its own; run `shadow telemetry` first"
        )
    if report["salt"] != plan.order.salt or report["lots"] < plan.lots:
        raise shadow.ShadowError(
            f"the candidate's telemetry is of {report['lots']} lots of salt {report['salt']!r}; "
            "run `shadow telemetry` for this cohort first"
        )
    if plan.as_of is not None and plan.as_of.snapshot != report["as_of"]["snapshot"]:
        raise shadow.ShadowError(
            f"the candidate's telemetry is of snapshot {report['as_of']['snapshot']}"
        )
    return report


def _over_shadow(
    layout: Layout, report: dict[str, Any], sources: Sources, folder: Path
) -> tuple[Sources, pa.Table]:
    """The inputs with the candidate's telemetry in them, and the offsets that both have."""
    import pyarrow as pa

    metadata = metadata_file(
        layout, shadow.table_name(report["release"], "telemetry"), SHADOW_NAMESPACE
    )
    place = folder / "shadow.metadata.json"
    shutil.copyfile(metadata, place)
    found = json.loads(place.read_bytes())
    schema = next(s for s in found["schemas"] if s["schema-id"] == found["current-schema-id"])
    candidate = copy.copy(sources)
    candidate.places = {**sources.places, "telemetry": place}
    candidate.columns = {**sources.columns, "telemetry": {f["name"] for f in schema["fields"]}}
    since, until = report["as_of"]["from"], report["as_of"]["to"]
    return candidate, pa.table({"part": list(range(len(since))), "since": since, "until": until})


def run(
    layout: Layout, plan: Plan, say: Say = lambda words: None
) -> dict[str, Any]:
    """The report, kept as data/lake/shadow/<release>/features.json and .md.

    FeatureError, release.NoRelease, as_of.NoSnapshot, shadow.ShadowError say why nothing was done;
    a feature of the candidate's that cannot be computed is said in the report (status `failed`).
    """
    from telltale_lake.commit import open_catalog

    places = _folders(layout, plan)
    shadow.begin(layout, plan.release, plan.reopen)
    candidate, stable = map(_read_all, places)
    with features_run.scratch(layout) as folder, features_run.told_as_words():
        as_of, ranges = plan.as_of, None
        if plan.over_shadow:
            under = _telemetry_report(layout, plan)
            as_of = AsOf(snapshot=under["as_of"]["snapshot"])
        sources = candidate_sources = Sources(layout, folder, as_of)
        if plan.over_shadow:
            candidate_sources, ranges = _over_shadow(layout, under, sources, folder)
        vehicles, seen = _vehicles(sources, plan, folder)
        part = _part(vehicles, ranges)
        at = _Run(layout, plan, folder, sources, candidate_sources, part, say)
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
        "over_shadow": plan.over_shadow,
        "window": {"since_us": plan.window.since_us, "until_us": plan.window.until_us},
        "salt": plan.order.salt,
        "lots": plan.lots,
        "vehicles": {"cohort": len(vehicles), "seen": seen},
        "tables": told,
    }
    shadow.put_report(layout, report)
    return report
