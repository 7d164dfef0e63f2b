"""Rows of the vault's answer, one JSON object a line, into a Parquet file that is its owner's.

The file is made when the last line is `{"kind":"end"}` and not before: an answer that broke off
leaves nothing. It is outside the vault: it neither expires nor is a look at it recorded.
"""

from __future__ import annotations

import json
import os
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

END = {"kind": "end"}


class Incomplete(Exception):
    """The rows ended without their end."""


def flat(row: dict[str, Any]) -> dict[str, Any]:
    """The row's own columns, and those of its fields beside them; the row's own win."""
    fields = row.pop("fields", {})
    return {**fields, **row}


def read_rows(lines: BinaryIO) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for line in lines:
        row = json.loads(line)
        if row == END:
            return rows
        rows.append(flat(row))
    raise Incomplete("the answer broke off; nothing was written")


def table_of(rows: list[dict[str, Any]]) -> pa.Table:
    """A column for every name that any row has: null where a row lacks it."""
    names: dict[str, None] = {}
    for row in rows:
        names.update(dict.fromkeys(row))
    return pa.table({name: pa.array([row.get(name) for row in rows]) for name in names})


def write(lines: BinaryIO, out: str) -> int:
    """Returns how many rows; FileExistsError when `out` is there."""
    table = table_of(read_rows(lines))
    descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        pq.write_table(table, file, compression="zstd")
        file.flush()
        os.fsync(file.fileno())
    return table.num_rows


def run(fd: int, out: str) -> int:
    try:
        with os.fdopen(fd, "rb") as lines:
            write(lines, out)
    except (Incomplete, OSError, ValueError, pa.ArrowException) as error:
        # The text of a row that cannot be read is not repeated.
        reason = str(error) if isinstance(error, (Incomplete, OSError)) else type(error).__name__
        os.write(2, f"rows-to-parquet: {reason}\n".encode())
        return 1
    return 0
