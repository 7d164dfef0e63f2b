#!/usr/bin/env python3
"""Makes the table out of OUT/bench/bench.json: medians, in brackets least and most of the runs, the
budget of the first version, each peer of the same run and the ratio of ours to it.

usage: bench/report.py [--json FILE] [--page]
  --json FILE  another result (default: OUT/bench/bench.json)
  --page       writes the table into docs/performance.md, between its markers
"""

import argparse
import dataclasses
import json
import os
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from budgets import BY_NAME, NOT_YET, ROWS  # noqa: E402

TREE = pathlib.Path(__file__).resolve().parents[1]
PAGE = TREE / "docs" / "performance.md"
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
OURS = "telltale"


@dataclasses.dataclass
class Table:
    text: str
    markdown: str


@dataclasses.dataclass
class Results:
    head: dict
    values: dict  # {row: {system: [values of each run]}}
    took_s: int | None = None

    def figures(self, row, system, key=None):
        runs = self.values.get(row, {}).get(system, [])
        key = key or BY_NAME[row].figure
        return [run[key] for run in runs if run.get(key) is not None]

    def median(self, row, system, key=None):
        figures = self.figures(row, system, key)
        return statistics.median(figures) if figures else None


def read(path):
    lines = [json.loads(line) for line in pathlib.Path(path).read_text("utf-8").splitlines()]
    results = Results(lines[0], {})
    for line in lines[1:]:
        if "row" in line:
            systems = results.values.setdefault(line["row"], {})
            systems.setdefault(line["system"], []).append(line["values"])
        else:
            results.took_s = line.get("took_s")
    return results


def number(value):
    if value is None:
        return "-"
    if value >= 10_000:
        return f"{value / 1000:,.0f} k" if value < 1e6 else f"{value / 1e6:.2f} M"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def spread(figures):
    if not figures:
        return "-"
    middle = number(statistics.median(figures))
    if len(figures) == 1:
        return f"{middle} (one run)"
    return f"{middle} ({number(min(figures))}–{number(max(figures))})"


def one_line(row, system, values):
    """Progress: one result in a line."""
    if "missing" in values:
        return f"{row:10} {system:15} {values['missing']}"
    known = BY_NAME[row]
    return f"{row:10} {system:15} {number(values.get(known.figure))} {known.unit}"


def verdicts(results):
    """[(row, figure, True, False or None)] of the rows with a budget."""
    return [
        (row, results.median(row.name, OURS), row.is_met(results.median(row.name, OURS)))
        for row in ROWS
        if row.budget is not None
    ]


def budget_rows(results):
    for row, figure, is_met in verdicts(results):
        verdict = {True: "met", False: "NOT MET", None: "not measured"}[is_met]
        limit = f"{'at most' if row.is_most else 'at least'} {number(row.budget)} {row.unit}"
        shown = spread(results.figures(row.name, OURS))
        yield [row.what, f"{shown} {row.unit}" if figure is not None else "-", limit, verdict]
    for what, limit, why in NOT_YET:
        yield [what, "-", limit, f"not measurable yet: {why}"]


def ratio(ours, theirs):
    return "-" if not ours or not theirs else f"{ours / theirs:.2f}"


def door_rows(results):
    """Each system that takes the door's load, Telltale first."""
    systems = list(results.values.get("door", {})) or list(results.values.get("equal", {}))
    for system in sorted(systems, key=lambda name: (name != OURS, name)):
        runs = results.values.get("door", {}).get(system, [])
        missing = next((run["missing"] for run in runs if "missing" in run), None)
        if missing:
            yield [system, missing] + ["-"] * 6
            continue

        def against(row, key=None, system=system):
            return ratio(results.median(row, OURS, key), results.median(row, system, key))

        is_ours = system == OURS
        equal = results.values.get("equal", {}).get(system, [])
        behind = "" if all(run.get("sustained", True) for run in equal) else ", not sustained"
        yield [
            system,
            spread(results.figures("door", system)),
            "" if is_ours else against("door"),
            f"{number(results.median('equal', system, 'p50_ms'))}",
            spread(results.figures("equal", system)) + behind,
            "" if is_ours else against("equal"),
            spread(results.figures("equal", system, "server_cpu_s_per_million")),
            "" if is_ours else against("equal", "server_cpu_s_per_million"),
        ]


def parquet_rows(results):
    for system in results.values.get("parquet", {}):
        yield [
            system,
            spread(results.figures("parquet", system)),
            ""
            if system == OURS
            else ratio(results.median("parquet", OURS), results.median("parquet", system)),
            spread(results.figures("parquet", system, "rows_per_s")),
            number(results.median("parquet", system, "bytes_per_row")),
        ]


DOOR_HEAD = [
    "system", "highest rate sustained, reports/s", "ours / theirs", "p50 ms at 20 k/s",
    "p99 ms at 20 k/s", "ours / theirs", "server CPU s per million", "ours / theirs",
]  # fmt: skip
PARQUET_HEAD = [
    "writer", "rows/s per core (CPU time)", "ours / theirs", "rows/s (wall)", "bytes/row",
]  # fmt: skip


def detail_lines(results):
    for run in results.values.get("hot_path", {}).get(OURS, [])[-1:]:
        yield (
            f"hot path, last run, ns of CPU a report: door {run['door_ns']}, safety "
            f"{run['safety_ns']}, all threads {run['cpu_ns']}; reports of {run['report_bytes']} "
            "bytes with their share of the batch's head"
        )
    for run in results.values.get("equal", {}).get(OURS, [])[-1:]:
        if run.get("cpu_s_by_role"):
            cpu = ", ".join(f"{role} {used}" for role, used in run["cpu_s_by_role"].items())
            yield f"CPU s of {number(run['acked'])} reports at the equal rate, last run: {cpu}"
    for run in results.values.get("everything", {}).get(OURS, []):
        cpu = ", ".join(f"{role} {used}" for role, used in run["cpu_s"].items())
        yield (
            f"everything: {number(run['rate'])} reports/s for {run['seconds']:.0f} s, ack p50 "
            f"{run['p50_ms']} ms, p99 {run['p99_ms']} ms; CPU s: {cpu}; records behind at the end "
            f"{run['records_behind_at_end']}, caught up in {run['drained_s']} s"
        )
    alerts = results.values.get("alert", {}).get(OURS, [])
    for run in alerts:
        yield (
            f"alerts at {number(run['rate'])} reports/s: {run['alerts']} of them, p50 "
            f"{run['p50_ms']} ms, p99 {run['p99_ms']} ms, max {run['max_ms']} ms"
        )
    for system, runs in sorted(results.values.get("door", {}).items()):
        for run in runs[:1]:
            if "note" in run:
                yield f"{system}: {run['note']}"


def machine_lines(results):
    machine = results.head["machine"]
    took = f", {results.took_s} s" if results.took_s else ""
    yield (
        f"{machine['cores']} cores of {machine['cpu']}, {machine['memory_gib']} GiB, Linux "
        f"{machine['kernel']}; load before: {machine['load_before']:.1f}"
    )
    yield (
        f"`{results.head['command']}` at commit {machine['commit']}, {results.head['at']}, "
        f"{results.head['runs']} runs in turns{took}; the load generator has no core of its own"
    )


def _text(head, rows):
    rows = [head, *rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _markdown(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def render(results):
    budget_head = ["row", "median (least–most)", "budget, first version", ""]
    parts = [
        (budget_head, list(budget_rows(results))),
        (DOOR_HEAD, list(door_rows(results))),
        (PARQUET_HEAD, list(parquet_rows(results))),
    ]
    parts = [(head, rows) for head, rows in parts if rows]
    details = list(detail_lines(results))
    machine = list(machine_lines(results))
    text = "\n\n".join([*(_text(*part) for part in parts), "\n".join(details + machine)]) + "\n"
    markdown = "\n\n".join(
        ["  \n".join(machine), *(_markdown(*part) for part in parts),
         "\n".join(f"- {line}" for line in details)]
    ) + "\n"  # fmt: skip
    return Table(text, markdown)


def into_page(markdown, page=PAGE):
    """Replaces what is between the markers."""
    text = page.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        sys.exit(f"bench: {page} needs {BEGIN} and, behind it, {END}, once each")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    page.write_text(f"{before}{BEGIN}\n{markdown}{END}{after}", encoding="utf-8")


def main():
    out = pathlib.Path(os.environ.get("OUT", TREE / "out"))
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--json", default=out / "bench" / "bench.json", type=pathlib.Path)
    parser.add_argument("--page", action="store_true", help="write it into docs/performance.md")
    arguments = parser.parse_args()
    table = render(read(arguments.json))
    print(table.text)
    if arguments.page:
        into_page(table.markdown)
        print(f"written into {PAGE.relative_to(TREE)}")


if __name__ == "__main__":
    main()
