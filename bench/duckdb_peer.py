#!/usr/bin/env python3
"""DuckDB's Parquet writer as a peer of ours: the rows of the files in a folder, read into memory
and written again on one thread with zstd level 1, by CPU time. Two lines of JSON: all columns as
ours writes them, and only the 20 that are set beside the report's name and times.

usage: duckdb_peer.py FOLDER"""

import json
import os
import pathlib
import sys
import time

import duckdb

IDENTITY = ("vehicle_ref", "boot_counter", "boot_random", "seq", "event_time_us", "received_at",
            "log_time")  # fmt: skip


def write(database, folder, columns, name):
    target = pathlib.Path(folder) / f"{name}.duckdb"
    copy = (f"COPY (SELECT {columns} FROM rows) TO '{target}' "
            "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)")  # fmt: skip
    database.execute(copy)  # touches the memory that is used again
    wall, cpu = time.monotonic(), time.process_time()
    database.execute(copy)
    with open(target, "rb") as file:
        os.fsync(file.fileno())
    wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    rows = database.execute("SELECT count(*) FROM rows").fetchone()[0]
    size = target.stat().st_size
    target.unlink()
    return {"system": name, "rows": rows, "bytes_per_row": round(size / rows, 1),
            "rows_per_s": round(rows / wall), "rows_per_cpu_s": round(rows / cpu)}  # fmt: skip


def main(folder):
    database = duckdb.connect(config={"threads": 1})
    database.execute(f"CREATE TABLE rows AS SELECT * FROM read_parquet('{folder}/*.parquet')")
    names = [row[0] for row in database.execute("DESCRIBE rows").fetchall()]
    counts = database.execute(
        "SELECT " + ", ".join(f'count("{name}")' for name in names) + " FROM rows"
    ).fetchone()
    is_set = {name for name, count in zip(names, counts, strict=True) if count}
    print(json.dumps(write(database, folder, "*", "duckdb")))
    few = [name for name in names if name in IDENTITY or name in is_set]
    stamps = ("release", "authority_epoch", "contract_version", "config_seq", "partition", "offset",
              "firmware", "is_late", "is_past_horizon")  # fmt: skip
    few = [f'"{name}"' for name in few if name not in stamps]
    print(json.dumps(write(database, folder, ", ".join(few), "duckdb-20")))


main(sys.argv[1])
