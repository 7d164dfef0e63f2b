"""What the figures were measured on, and what processes have used of it."""

import os
import pathlib
import platform
import subprocess

TREE = pathlib.Path(__file__).resolve().parents[1]
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def _line(path, key):
    for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines():
        if line.startswith(key):
            return line.split(":", 1)[1].strip()
    return "unknown"


def commit():
    """The commit, with "+" behind it when the tree differs from it."""

    def git(*words):
        done = subprocess.run(["git", "-C", TREE, *words], capture_output=True, text=True,
                              check=False)  # fmt: skip
        return done.stdout.strip() if done.returncode == 0 else ""

    return (git("rev-parse", "--short", "HEAD") or "unknown") + (
        "+" if git("status", "--porcelain") else ""
    )


def facts():
    memory_kib = int(_line("/proc/meminfo", "MemTotal").split()[0])
    return {
        "cores": os.cpu_count(),
        "cpu": _line("/proc/cpuinfo", "model name"),
        "memory_gib": round(memory_kib / 1048576, 1),
        "kernel": platform.release(),
        "load_before": os.getloadavg()[0],
        "commit": commit(),
    }


def cpu_s(pid):
    """CPU seconds that a process has used, all its threads; 0 when it is gone."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    fields = stat.rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def resident_kib(pid):
    return int(_line(f"/proc/{pid}/status", "VmRSS").split()[0])
