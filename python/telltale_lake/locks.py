"""Locks between the processes that change the lake's tables: files below data/lake, held by the
kernel for as long as a process lives."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from telltale_lake.layout import Layout


@contextmanager
def held(path: Path, wait: bool = True) -> Iterator[bool]:
    """The lock while inside; False when it is somebody else's and we do not wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(descriptor)


@contextmanager
def committing(layout: Layout) -> Iterator[None]:
    """Around every commit to a table. Who erases removes whatever no table refers to, so nobody
    may be between writing files and the commit that refers to them."""
    with held(layout.commit_lock):
        yield
