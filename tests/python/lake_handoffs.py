"""Writes hand-offs as telltale-lake does (docs/formats/handoff.md), with pyarrow, for the
committer's own tests. The real writer is tested in tests/e2e/test_lake.py."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mmh3
import pyarrow as pa
import pyarrow.parquet as pq

from telltale_lake.layout import Layout

DAY_US = 86_400_000_000
BASE_US = 20_416 * DAY_US

TELEMETRY = [
    (10100, "vehicle_ref", "string", True),
    (1, "seq", "long", True),
    (2, "event_time", "timestamptz", True),
    (10103, "firmware", "string", False),
    (10, "speed_kmh", "float", False),
]
NEWER = [*TELEMETRY, (43, "time_to_collision_s", "float", False)]
ARRIVALS = [
    (10100, "vehicle_ref", "string", True),
    (10101, "boot_counter", "long", True),
    (10102, "boot_random", "string", True),
    (10130, "hour", "timestamptz", True),
    (10131, "received", "long", True),
    (10132, "missing", "long", True),
    (10133, "late", "long", True),
    (10134, "duplicate", "long", True),
    (10110, "received_at", "timestamptz", True),
]
COVERAGE = [
    (10140, "day", "timestamptz", True),
    (10103, "firmware", "string", False),
    (10141, "field", "int", True),
    (10142, "field_name", "string", True),
    (10143, "columns", "string", True),
    (10144, "reports", "long", True),
    (10145, "present", "long", True),
    (10146, "null_out_of_range", "long", True),
    (10147, "wrong_type", "long", True),
    (10148, "conversion_failed", "long", True),
    (10149, "first_seen", "timestamptz", False),
    (10150, "last_seen", "timestamptz", False),
    (10151, "value_count", "long", True),
    (10152, "value_min", "double", False),
    (10153, "value_max", "double", False),
    (10154, "value_sum", "double", False),
    (10114, "contract_version", "long", True),
]
ARROW = {
    "string": pa.string(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "timestamptz": pa.timestamp("us", tz="UTC"),
}
PACK = {"int": "<i", "long": "<q", "timestamptz": "<q", "float": "<f", "double": "<d"}


def iceberg_schema(columns: list[tuple]) -> dict[str, Any]:
    fields = [
        {"id": number, "name": name, "required": required, "type": kind}
        for number, name, kind, required in columns
    ]
    return {"type": "struct", "schema-id": 0, "fields": fields}


def arrow_schema(columns: list[tuple]) -> pa.Schema:
    return pa.schema(
        [
            pa.field(name, ARROW[kind], not required, {"PARQUET:field_id": str(number)})
            for number, name, kind, required in columns
        ]
    )


@dataclass
class HandoffMaker:
    root: Path
    partitions: int = 2
    number: int = 0
    at: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.layout = Layout(self.root)
        self.layout.handoffs.mkdir(parents=True, exist_ok=True)
        self.at = self.at or [0] * self.partitions

    def rows(
        self, count: int, vehicle: int = 1, firmware: str = "1.0.0", **more: Any
    ) -> list[dict]:
        start = sum(self.at)
        return [
            {
                "vehicle_ref": f"{vehicle:032x}",
                "seq": start + k,
                "event_time": BASE_US + (start + k) * 1_000_000,
                "firmware": firmware,
                "speed_kmh": float(k),
                **more,
            }
            for k in range(count)
        ]

    def add(
        self,
        rows: list[dict],
        columns: list[tuple] = TELEMETRY,
        coverage: list[dict] | None = None,
        erased_lines: int | None = None,
        state: bytes = b"state",
    ) -> int:
        """One hand-off with these rows; they lie in partition 0. Without `coverage` it is one of an
        older telltale-lake, which had no such table."""
        self.number += 1
        before = list(self.at)
        self.at[0] += len(rows)
        arrivals = []
        for vehicle_ref in sorted({row["vehicle_ref"] for row in rows}):
            arrivals.append(
                {
                    "vehicle_ref": vehicle_ref,
                    "boot_counter": 1,
                    "boot_random": f"{7:016x}",
                    "hour": BASE_US,
                    "received": sum(row["vehicle_ref"] == vehicle_ref for row in rows),
                    "missing": 1 if self.number % 2 else -1,
                    "late": 0,
                    "duplicate": 0,
                    "received_at": BASE_US,
                }
            )
        tables = [
            self._table("telemetry", columns, "event_time", 2, rows),
            self._table("arrivals", ARRIVALS, "hour", 10130, arrivals),
        ]
        if coverage is not None:
            tables.append(self._coverage(coverage))
        document = {
            "format": "telltale-handoff",
            "version": 1,
            "min_reader": 1,
            "number": self.number,
            "written_at_us": BASE_US,
            "config": {},
            "partitions": [
                {"partition": p, "from": before[p], "to": self.at[p]}
                for p in range(self.partitions)
            ],
            "positions": [],
            "state": {"bytes": 0, "crc32c": 0},
            "counts": {},
            "tables": tables,
        }
        if erased_lines is not None:
            document["erased_lines"] = erased_lines
        self.layout.state(self.number).write_bytes(state)
        self.layout.handoff(self.number).write_text(json.dumps(document))
        return self.number

    def _table(self, name: str, columns: list[tuple], time: str, time_id: int, rows: list[dict]):
        groups: dict[tuple[int, int], list[dict]] = {}
        for row in rows:
            bucket = (mmh3.hash(row["vehicle_ref"]) & 0x7FFFFFFF) % 4
            groups.setdefault((row[time] // DAY_US, bucket), []).append(row)
        spec = [
            {"name": f"{time}_day", "transform": "day", "source-id": time_id, "field-id": 1000},
            {
                "name": "vehicle_ref_bucket",
                "transform": "bucket[4]",
                "source-id": 10100,
                "field-id": 1001,
            },
        ]
        order = [
            {
                "transform": "identity",
                "source-id": number,
                "direction": "asc",
                "null-order": "nulls-first",
            }
            for number in (10100, time_id)
        ]
        return {
            "name": name,
            "schema": iceberg_schema(columns),
            "partition_spec": spec,
            "sort_order": order,
            "files": [self._file(name, columns, key, group) for key, group in groups.items()],
        }

    def _coverage(self, rows: list[dict]):
        files = []
        for day in sorted({row["day"] for row in rows}):
            of_day = [row for row in rows if row["day"] == day]
            file = self._file("coverage", COVERAGE, (day // DAY_US, 0), of_day)
            files.append(file | {"partition": [day // DAY_US]})
        order = {"transform": "identity", "direction": "asc", "null-order": "nulls-first"}
        return {
            "name": "coverage",
            "schema": iceberg_schema(COVERAGE),
            "partition_spec": [
                {"name": "day_day", "transform": "day", "source-id": 10140, "field-id": 1000}
            ],
            "sort_order": [order | {"source-id": number} for number in (10103, 10141)],
            "files": files,
        }

    def _file(self, name: str, columns: list[tuple], key: tuple[int, int], rows: list[dict]):
        relative = f"warehouse/{name}/data/day={key[0]}/{self.number:020d}-{key[1]}.parquet"
        path = self.layout.lake / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        schema = arrow_schema(columns)
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), path, compression="zstd")
        values = {number: [row.get(n) for row in rows] for number, n, _, _ in columns}
        kinds = {number: kind for number, _, kind, _ in columns}
        lower, upper = {}, {}
        for number, column in values.items():
            known = [value for value in column if value is not None]
            if not known:
                continue
            lower[str(number)] = _bound(kinds[number], min(known)).hex()
            upper[str(number)] = _bound(kinds[number], max(known)).hex()
        return {
            "path": relative,
            "partition": list(key),
            "record_count": len(rows),
            "file_size_in_bytes": path.stat().st_size,
            "column_sizes": {},
            "value_counts": {str(n): len(rows) for n in values},
            "null_value_counts": {str(n): column.count(None) for n, column in values.items()},
            "nan_value_counts": {},
            "lower_bounds": lower,
            "upper_bounds": upper,
            "split_offsets": [4],
        }


def _bound(kind: str, value: Any) -> bytes:
    return value.encode() if kind == "string" else struct.pack(PACK[kind], value)
