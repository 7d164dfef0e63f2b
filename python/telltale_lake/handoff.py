"""Reads a hand-off (docs/formats/handoff.md). Anything not as written there is refused by name."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FORMAT = "telltale-handoff"
READER_VERSION = 1


class HandoffError(Exception):
    """The hand-off cannot be committed; a person has to look."""


@dataclass(frozen=True)
class File:
    path: Path  # absolute
    partition: tuple[int, ...]
    record_count: int
    size: int
    column_sizes: dict[int, int]
    value_counts: dict[int, int]
    null_value_counts: dict[int, int]
    nan_value_counts: dict[int, int]
    lower_bounds: dict[int, bytes]
    upper_bounds: dict[int, bytes]
    split_offsets: list[int]


@dataclass(frozen=True)
class TablePart:
    name: str
    schema: dict[str, Any]
    partition_spec: list[dict[str, Any]]
    sort_order: list[dict[str, Any]]
    files: list[File]


@dataclass(frozen=True)
class Handoff:
    number: int
    ranges: list[tuple[int, int]]  # by partition: [from, to)
    tables: dict[str, TablePart]


def _counts(raw: dict[str, int]) -> dict[int, int]:
    return {int(key): int(value) for key, value in raw.items()}


def _bounds(raw: dict[str, str]) -> dict[int, bytes]:
    return {int(key): bytes.fromhex(value) for key, value in raw.items()}


def _file(raw: dict[str, Any], lake: Path) -> File:
    relative = Path(raw["path"])
    if relative.is_absolute() or ".." in relative.parts:
        raise HandoffError(f"a hand-off names a file outside the lake: {relative}")
    return File(
        path=lake / relative,
        partition=tuple(int(value) for value in raw["partition"]),
        record_count=int(raw["record_count"]),
        size=int(raw["file_size_in_bytes"]),
        column_sizes=_counts(raw["column_sizes"]),
        value_counts=_counts(raw["value_counts"]),
        null_value_counts=_counts(raw["null_value_counts"]),
        nan_value_counts=_counts(raw["nan_value_counts"]),
        lower_bounds=_bounds(raw["lower_bounds"]),
        upper_bounds=_bounds(raw["upper_bounds"]),
        split_offsets=[int(offset) for offset in raw["split_offsets"]],
    )


def _parse(raw: Any, number: int, lake: Path) -> Handoff:
    if raw["format"] != FORMAT:
        raise HandoffError("it is not a hand-off")
    if int(raw["min_reader"]) > READER_VERSION:
        raise HandoffError(f"it needs a reader of version {raw['min_reader']}: upgrade")
    if int(raw["number"]) != number:
        raise HandoffError(f"it says it is number {raw['number']}")
    partitions = raw["partitions"]
    if [int(p["partition"]) for p in partitions] != list(range(len(partitions))):
        raise HandoffError("its partitions are not in order")
    tables = [
        TablePart(
            name=table["name"],
            schema=table["schema"],
            partition_spec=table["partition_spec"],
            sort_order=table["sort_order"],
            files=[_file(entry, lake) for entry in table["files"]],
        )
        for table in raw["tables"]
    ]
    return Handoff(
        number=number,
        ranges=[(int(p["from"]), int(p["to"])) for p in partitions],
        tables={table.name: table for table in tables},
    )


def read(path: Path, number: int, lake: Path) -> Handoff:
    try:
        return _parse(json.loads(path.read_bytes()), number, lake)
    except HandoffError as error:
        raise HandoffError(f"{path}: {error}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HandoffError(f"{path}: cannot be read as a hand-off ({error!r})") from None
