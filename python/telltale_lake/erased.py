"""Who was erased: data/erased/list (docs/formats/erasure-list.md)."""

from __future__ import annotations

import hashlib
import os
import re
from typing import TYPE_CHECKING

from telltale_lake.layout import Layout
from telltale_lake.storage import sync_folder

if TYPE_CHECKING:
    import pyarrow as pa

_LIST = re.compile(rb"([0-9a-f]{64}\n)*")
_REFERENCE = re.compile(r"[0-9a-f]{32}")


class NotAList(Exception):
    """The list cannot be trusted; a person has to look."""


def tag_of(vehicle_ref: str) -> str:
    return hashlib.sha256(bytes.fromhex(vehicle_ref)).hexdigest()


def is_reference(text: str) -> bool:
    return _REFERENCE.fullmatch(text) is not None


def read(layout: Layout) -> list[str]:
    """Tags in the order of their lines."""
    try:
        text = layout.erased_list.read_bytes()
    except FileNotFoundError:
        return []
    if _LIST.fullmatch(text) is None:
        raise NotAList(f"{layout.erased_list} is no list of erased vehicles")
    return text.decode().split()


def add(layout: Layout, vehicle_ref: str) -> int:
    """Adds the vehicle, once; the number of lines up to its own. Call it under the lock of
    erasures."""
    tags, tag = read(layout), tag_of(vehicle_ref)
    if tag in tags:
        return tags.index(tag) + 1
    folder = layout.erased_list.parent
    folder.mkdir(mode=0o750, exist_ok=True)
    new = layout.erased_list.with_suffix(".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
    with open(descriptor, "wb") as file:
        file.write("".join(f"{line}\n" for line in [*tags, tag]).encode())
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, layout.erased_list)
    sync_folder(folder)
    sync_folder(folder.parent)
    return len(tags) + 1


def without(rows: pa.Table, layout: Layout) -> pa.Table:
    """The rows but for those of erased vehicles, by column vehicle_ref."""
    import pyarrow as pa
    import pyarrow.compute as pc

    tags = set(read(layout))
    if not tags or "vehicle_ref" not in rows.column_names:
        return rows
    there = pc.unique(rows["vehicle_ref"]).to_pylist()
    gone = [ref for ref in there if ref is not None and tag_of(ref) in tags]
    if not gone:
        return rows
    refs = rows["vehicle_ref"]
    return rows.filter(pc.invert(pc.is_in(refs, pa.array(gone, refs.type))))
