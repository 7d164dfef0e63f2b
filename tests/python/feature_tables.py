"""Small tables telltale.telemetry and telltale.arrivals with known contents, for tests of the
features: written with pyiceberg under the contract's column numbers, not by telltale-lake."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from telltale_lake import tables
from telltale_lake.commit import open_catalog
from telltale_lake.handoff import TablePart
from telltale_lake.layout import Layout

SECOND = 1_000_000
DAY = 86_400 * SECOND
WEEK = 7 * DAY
MONDAY = 20_416 * DAY  # 2025-11-24T00:00Z
RELEASE = "ab" * 32

TELEMETRY = [
    (10100, "vehicle_ref", "string"),
    (10101, "boot_counter", "long"),
    (10102, "boot_random", "string"),
    (1, "seq", "long"),
    (2, "event_time", "timestamptz"),
    (10110, "received_at", "timestamptz"),
    (10111, "log_time", "timestamptz"),
    (10112, "release", "string"),
    (10114, "contract_version", "long"),
    (10, "speed_kmh", "float"),
    (50, "engine_speed_rpm", "float"),
    (51, "engine_load_percent", "float"),
    (52, "coolant_temperature_c", "float"),
    (53, "short_fuel_trim_b1_percent", "float"),
    (54, "long_fuel_trim_b1_percent", "float"),
    (58, "short_fuel_trim_b2_percent", "float"),
    (59, "long_fuel_trim_b2_percent", "float"),
    (63, "run_time_s", "long"),
    (71, "control_module_v", "float"),
    (73, "commanded_lambda", "float"),
    (74, "ambient_temperature_c", "float"),
    (81, "obd_speed_kmh", "float"),
    (100, "low_voltage_battery_v", "float"),
    (104, "crank_min_v", "float"),
    (130, "is_ignition_on", "boolean"),
    (131, "ignition_cycle", "long"),
    (133, "is_engine_running", "boolean"),
    (150, "odometer_km", "double"),
    (151, "trip_distance_km", "float"),
]
ARRIVALS = [
    (10100, "vehicle_ref", "string"),
    (10101, "boot_counter", "long"),
    (10102, "boot_random", "string"),
    (10130, "hour", "timestamptz"),
    (10131, "received", "long"),
    (10132, "missing", "long"),
    (10133, "late", "long"),
    (10134, "duplicate", "long"),
    (10110, "received_at", "timestamptz"),
]


def reference(number: int) -> str:
    return f"{number:032x}"


class Car:
    """Writes one car's reports; `at` says when, in microseconds, and what is not said is null."""

    def __init__(self, number: int, boot: int = 1) -> None:
        self.ref = reference(number)
        self.boot = boot
        self.rows: list[dict[str, Any]] = []

    def report(self, at: int, **fields: Any) -> Car:
        self.rows.append(
            {
                "vehicle_ref": self.ref,
                "boot_counter": self.boot,
                "boot_random": f"{self.boot:016x}",
                "seq": len(self.rows),
                "event_time": at,
                "received_at": at + SECOND,
                "log_time": at + SECOND,
                "release": RELEASE,
                "contract_version": 1,
                **fields,
            }
        )
        return self

    def new_boot(self) -> Car:
        self.boot += 1
        return self


def arrivals_of(rows: Iterable[dict[str, Any]], missing: dict[str, int]) -> list[dict[str, Any]]:
    """One row per vehicle, boot and hour, and `missing` of a vehicle in the first of its hours."""
    counts: dict[tuple, int] = {}
    for row in rows:
        hour = row["event_time"] // (3600 * SECOND) * 3600 * SECOND
        key = (row["vehicle_ref"], row["boot_counter"], row["boot_random"], hour)
        counts[key] = counts.get(key, 0) + 1
    left = dict(missing)
    return [
        {
            "vehicle_ref": key[0],
            "boot_counter": key[1],
            "boot_random": key[2],
            "hour": key[3],
            "received": received,
            "missing": left.pop(key[0], 0),
            "late": 0,
            "duplicate": 0,
            "received_at": key[3],
        }
        for key, received in sorted(counts.items())
    ]


def _part(name: str, columns: list[tuple]) -> TablePart:
    fields = [{"id": i, "name": n, "required": False, "type": kind} for i, n, kind in columns]
    schema = {"type": "struct", "schema-id": 0, "fields": fields}
    order = {"source-id": 10100, "transform": "identity"}
    order.update({"direction": "asc", "null-order": "nulls-first"})
    return TablePart(name, schema, [], [order], [])


def _append(catalog: Any, layout: Layout, part: TablePart, rows: list[dict[str, Any]]) -> None:
    table = tables.load_or_make(catalog, layout, part)
    if rows:
        table.append(pa.Table.from_pylist(rows, schema=table.schema().as_arrow()))


def add(
    root: Path,
    rows: list[dict[str, Any]],
    missing: dict[str, int] | None = None,
    without: Iterable[str] = (),
) -> None:
    """Appends to both tables; `without` makes a table that lacks these columns."""
    (root / "data").mkdir(exist_ok=True)
    layout = Layout(root)
    columns = [column for column in TELEMETRY if column[1] not in set(without)]
    catalog = open_catalog(layout)
    try:
        _append(catalog, layout, _part("telemetry", columns), rows)
        arrivals = arrivals_of(rows, missing or {})
        _append(catalog, layout, _part("arrivals", ARRIVALS), arrivals)
    finally:
        catalog.engine.dispose()


def frames(root: Path, files: bool = False) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both tables as the oracle wants them."""
    from telltale_lake import catalog

    made = []
    for name, columns in (("telemetry", TELEMETRY), ("arrivals", ARRIVALS)):
        table = catalog(root).load_table(f"telltale.{name}")
        have = {field.name for field in table.schema().fields}
        chosen = [column for column in columns if column[1] in have]
        arrow = table.scan(selected_fields=tuple(n for _, n, _ in chosen)).to_arrow()
        frame = arrow.to_pandas()
        for _, column, kind in columns:
            if column not in have:
                frame[column] = None
            if kind in ("float", "double"):
                frame[column] = frame[column].astype("float64")
            if kind == "boolean":
                frame[column] = frame[column].astype(object)
        made.append(frame)
    return made[0], made[1]


def rows_of(root: Path, feature: str) -> list[dict[str, Any]]:
    """A feature's rows through the scientists' reader; times in microseconds."""
    import telltale_lake

    db = telltale_lake.connect(root)
    table = db.sql(f"SELECT * FROM features.{feature} ORDER BY vehicle_ref, window_start")
    rows = table.to_arrow_table().to_pylist()
    db.close()
    for row in rows:
        for name in ("window_start", "window_end", "start_time", "received_at"):
            if row.get(name) is not None:
                row[name] = round(row[name].timestamp() * SECOND)
        if "start_time" in row:
            row["start_us"] = row["start_time"]
    return rows
