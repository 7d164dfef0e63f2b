"""Engines that misbehave, as programs a release can be made with: they take telltale-worker's
command line. Each is a script, so its digest is a component like any other's.

Each is the real engine for a while, long enough to be given authority where that is wanted, and
goes wrong then, again after each restart."""

import pathlib
import stat

# `worker` is the real engine's path; `trouble` is run once it has worked for `well_s`. The real one
# does not outlive the script.
TURNING = """#!/usr/bin/env python3
import ctypes, os, pathlib, signal, subprocess, sys, time
PR_SET_PDEATHSIG = 1
def end(*_):
    sys.exit(0)
def with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
signal.signal(signal.SIGTERM, end)
real = subprocess.Popen(["{worker}", *sys.argv[1:]], preexec_fn=with_parent)
try:
    end_of_work = time.monotonic() + {well_s}
    while real.poll() is None and time.monotonic() < end_of_work:
        time.sleep(0.1)
    {trouble}
finally:
    real.send_signal(signal.SIGCONT)
    real.kill()
sys.exit(real.wait())
"""

TROUBLE = {
    "crash": "os.abort()",
    "hang": """real.send_signal(signal.SIGSTOP)
    signal.pause()""",
    "memory": """held = []
    while True:
        held.append(bytearray(b"x" * (16 << 20)))""",
    "flood": """words = dict(zip(sys.argv[1::2], sys.argv[2::2]))
    folder = pathlib.Path(words["--dir"]) / "data" / "journal" / words["--release"]
    number = 0
    while True:
        (folder / f"flood-{{number}}").write_bytes(b"x" * (8 << 20))
        number += 1""",
    "lag": """while real.poll() is None:
        real.send_signal(signal.SIGSTOP)
        time.sleep({stop_s})
        real.send_signal(signal.SIGCONT)
        time.sleep({well_s})""",
}


def write(folder, name, worker, well_s, stop_s=0):
    """The engine of TROUBLE[name] as a file that may be executed; its path."""
    path = pathlib.Path(folder) / name
    trouble = TROUBLE[name].format(well_s=well_s, stop_s=stop_s)
    path.write_text(TURNING.format(worker=worker, well_s=well_s, trouble=trouble),
                    encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return path
