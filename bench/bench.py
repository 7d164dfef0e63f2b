"""Runs the rows that were asked for, run by run in turns, and writes OUT/bench/bench.json: a first
line about the machine, then one line for each result. bench/run is how it is started."""

import json
import os
import pathlib
import sys
import time

BUILD = pathlib.Path(sys.argv[1]).absolute()
os.environ["BUILD"] = str(BUILD)  # before the test library looks

import machine  # noqa: E402
import report  # noqa: E402
from budgets import BY_NAME  # noqa: E402
from rows import PARTS  # noqa: E402
from systems import PEERS, Place  # noqa: E402

OUT = pathlib.Path(os.environ.get("OUT", machine.TREE / "out")).absolute() / "bench"
ALL_PEERS = [*PEERS, "duckdb"]


def words(name, known, default):
    asked = os.environ.get(name, default).replace(",", " ").split()
    if asked == ["0"]:
        return []
    unknown = [word for word in asked if word not in known]
    if unknown:
        sys.exit(f"bench: {name} knows {' '.join(known)}; not {' '.join(unknown)}")
    return asked


class Bench:
    """What was asked for, and what its parts share."""

    def __init__(self):
        self.build = BUILD
        self.rows = words("ROWS", list(BY_NAME), " ".join(BY_NAME))
        self.peers = words("BENCH_PEERS", ALL_PEERS, " ".join(ALL_PEERS))
        self.runs = int(os.environ.get("RUNS", "3"))
        self.everything_s = float(os.environ.get("BENCH_LONG", "60"))
        self.everything_rate = float(os.environ.get("BENCH_RATE", "60000"))
        self._place = None

    def place(self):
        if self._place is None:
            self._place = Place(self.build)
        return self._place

    def remove(self):
        if self._place is not None:
            self._place.remove()


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    bench = Bench()
    parts = [part(bench) for part in PARTS if set(part.rows) & set(bench.rows)]
    began = time.monotonic()
    settings = {name: os.environ[name] for name in
                ("ROWS", "RUNS", "BENCH_PEERS", "BENCH_LONG", "BENCH_RATE") if name in os.environ}
    command = " ".join([*(f"{name}={value}" for name, value in settings.items()), "make bench"])
    try:
        with open(OUT / "bench.json", "w", encoding="utf-8") as results:

            def write(line):
                results.write(json.dumps(line) + "\n")
                results.flush()

            write({"machine": machine.facts(), "command": command, "runs": bench.runs,
                   "at": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())})  # fmt: skip
            for number in range(bench.runs):
                for part in parts:
                    for row, system, values in part.once(number):
                        if row not in bench.rows:
                            continue
                        write({"row": row, "system": system, "run": number, "values": values})
                        print(report.one_line(row, system, values), flush=True)
            write({"took_s": round(time.monotonic() - began)})
    finally:
        bench.remove()
    table = report.render(report.read(OUT / "bench.json"))
    (OUT / "bench.txt").write_text(table.text, encoding="utf-8")
    (OUT / "bench.md").write_text(table.markdown, encoding="utf-8")
    print()
    print(table.text)
    print(f"written: {OUT}/bench.json, bench.txt, bench.md; into the page: bench/report.py --page")


if __name__ == "__main__":
    main()
