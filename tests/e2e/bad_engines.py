"""Engines that misbehave, as programs a release can be made with: they take telltale-worker's
command line. Each is a script, so its digest is a component like any other's."""

import pathlib
import stat

HEAD = "#!/usr/bin/env python3\n"

# What an engine does instead of its work; `worker` is the real engine's path.
CRASH = HEAD + "import sys\nsys.exit(3)\n"

HANG = HEAD + """import signal
signal.pause()
"""

MEMORY = HEAD + """held = []
while True:
    held.append(bytearray(b"x" * (16 << 20)))
"""

FLOOD = HEAD + """import pathlib, sys
words = dict(zip(sys.argv[1::2], sys.argv[2::2]))
folder = pathlib.Path(words["--dir"]) / "data" / "journal" / words["--release"]
folder.mkdir(parents=True, exist_ok=True)
number = 0
while True:
    (folder / f"flood-{number}").write_bytes(b"x" * (8 << 20))
    number += 1
"""

# The real engine, stopped by SIGSTOP after `work_s`, for `stop_s`, again and again.
LAG = HEAD + """import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
real = subprocess.Popen(["{worker}", *sys.argv[1:]])
try:
    while real.poll() is None:
        time.sleep({work_s})
        real.send_signal(signal.SIGSTOP)
        time.sleep({stop_s})
        real.send_signal(signal.SIGCONT)
finally:
    real.send_signal(signal.SIGCONT)
    real.kill()
sys.exit(real.wait())
"""


def write(folder, name, text):
    """The program as a file that may be executed; its path."""
    path = pathlib.Path(folder) / name
    path.write_text(text, encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return path


def write_lag(folder, worker, work_s, stop_s):
    return write(folder, "lag", LAG.format(worker=worker, work_s=work_s, stop_s=stop_s))
