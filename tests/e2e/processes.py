"""Processes as /proc shows them: a parent's descendants and what they were started with."""

import dataclasses
import pathlib


@dataclasses.dataclass(frozen=True)
class Process:
    """One process; `started` tells it from a later one with the same number."""
    pid: int
    started: int
    parent: int = dataclasses.field(compare=False)  # becomes 1 when the parent ends
    command: str = dataclasses.field(compare=False)

    def runs(self):
        return read(self.pid) == self


def read(pid):
    """The process with this number, or None when it is gone or only waits to be collected."""
    folder = pathlib.Path("/proc") / str(pid)
    try:
        stat = (folder / "stat").read_text(encoding="utf-8", errors="replace")
        command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rsplit(") ", 1)[1].split()
    if fields[0] in "ZX":
        return None
    return Process(pid, int(fields[19]), int(fields[1]), command.strip())


def everything():
    found = (read(int(entry.name)) for entry in pathlib.Path("/proc").iterdir()
             if entry.name.isdigit())
    return [process for process in found if process]


def descendants(pid):
    """All processes below `pid`, whoever owns them."""
    children = {}
    for process in everything():
        children.setdefault(process.parent, []).append(process)
    found, open_ends = [], [pid]
    while open_ends:
        below = children.get(open_ends.pop(), [])
        found += below
        open_ends += [process.pid for process in below]
    return found
