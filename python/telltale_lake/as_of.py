"""The input tables as they were at a snapshot of telemetry, or at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from telltale_lake.layout import HANDOFF_PROPERTY


class NoSnapshot(Exception):
    """There is no such snapshot (any more)."""


@dataclass(frozen=True)
class AsOf:
    """One of the two is set."""

    snapshot: int | None = None
    time_us: int | None = None


def _handoff(snapshot: dict[str, Any]) -> int | None:
    said = snapshot.get("summary", {}).get(HANDOFF_PROPERTY)
    return None if said is None else int(said)


def _newest(metadata: dict[str, Any], until_ms: int) -> dict[str, Any] | None:
    """By the history of the table: a snapshot that was never current is none."""
    known = {s["snapshot-id"]: s for s in metadata.get("snapshots", [])}
    told = [e for e in metadata.get("snapshot-log", []) if e["timestamp-ms"] <= until_ms]
    there = [known[e["snapshot-id"]] for e in told if e["snapshot-id"] in known]
    return there[-1] if there else None


def _chosen(metadata: dict[str, Any], as_of: AsOf) -> dict[str, Any]:
    snapshots = {s["snapshot-id"]: s for s in metadata.get("snapshots", [])}
    if as_of.snapshot is not None:
        if as_of.snapshot not in snapshots:
            raise NoSnapshot(
                f"telltale.telemetry has no snapshot {as_of.snapshot}: it never had, or an erasure "
                "or upkeep has removed it since"
            )
        return snapshots[as_of.snapshot]
    found = _newest(metadata, (as_of.time_us or 0) // 1000)
    if found is None:
        raise NoSnapshot("telltale.telemetry has no snapshot of that time or before (any more)")
    return found


def _set(metadata: dict[str, Any], snapshot: dict[str, Any] | None) -> None:
    if snapshot is None:
        metadata.pop("current-snapshot-id", None)
        metadata.update({"refs": {}, "snapshots": [], "snapshot-log": []})
        return
    metadata["current-snapshot-id"] = snapshot["snapshot-id"]
    metadata["refs"] = {"main": {"snapshot-id": snapshot["snapshot-id"], "type": "branch"}}
    if "schema-id" in snapshot:
        metadata["current-schema-id"] = snapshot["schema-id"]


def set_back(metadata: dict[str, dict[str, Any]], as_of: AsOf) -> None:
    """Metadata of `telemetry` and `arrivals` as they were: the arrivals of the same hand-off; where
    the snapshots name none, as they are beside telemetry's newest, else those of the same time."""
    telemetry, arrivals = metadata["telemetry"], metadata["arrivals"]
    chosen = _chosen(telemetry, as_of)
    beside = _of_handoff(arrivals, _handoff(chosen))
    if beside is None and chosen["snapshot-id"] != telemetry.get("current-snapshot-id"):
        beside = _newest(arrivals, int(chosen["timestamp-ms"]))
        _set(arrivals, beside)
    elif beside is not None:
        _set(arrivals, beside)
    _set(telemetry, chosen)


def _of_handoff(metadata: dict[str, Any], number: int | None) -> dict[str, Any] | None:
    """The newest snapshot of that hand-off or an older one."""
    found, newest = None, 0
    for snapshot in metadata.get("snapshots", []):
        of = _handoff(snapshot)
        if number is not None and of is not None and newest < of <= number:
            found, newest = snapshot, of
    return found
