"""A comparison of candidate and stable as Markdown."""

from __future__ import annotations

from typing import Any


def _cell(value: Any) -> str:
    if value is None:
        return "null"
    return str(value).replace("|", "\\|").replace("\n", " ")


def _table(head: list[str], rows: list[list[Any]]) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    return [*lines, ""]


def _differences(name: str, comparison: dict[str, Any]) -> list[str]:
    lines = [f"## {name}", ""]
    for words, key in (
        ("Only in stable", "columns_only_stable"),
        ("Only in the candidate", "columns_only_candidate"),
        ("Another type", "columns_retyped"),
    ):
        if comparison[key]:
            lines += [f"{words}: {', '.join(comparison[key])}.", ""]
    if comparison["columns"]:
        lines += _table(
            ["column", "rows changed", "null in the candidate", "null in stable", "largest change"],
            [
                [c["name"], c["changed"], c["null_in_candidate"], c["null_in_stable"], c["largest"]]
                for c in comparison["columns"]
            ],
        )
    if comparison["examples"]:
        known = ("kind", "vehicle_ref", "column", "stable", "candidate")
        rows = []
        for example in comparison["examples"]:
            where = ", ".join(f"{k} {v}" for k, v in example.items() if k not in known)
            rows.append(
                [example["kind"], example["vehicle_ref"], where, example.get("column", ""),
                 *(_cell(example[k]) if k in example else "" for k in ("stable", "candidate"))]
            )  # fmt: skip
        lines += _table(["row", "vehicle", "where", "column", "stable", "candidate"], rows)
    return lines


def markdown(report: dict[str, Any]) -> str:
    """The report as people read it; docs/lake.md says what the words mean."""
    as_of = report["as_of"]
    lines = [
        f"# Shadow of release {report['release'][:12]}: {report['kind']}",
        "",
        f"Candidate `{report['release']}` beside stable `{report['stable']}`, "
        f"{report['vehicles']['cohort']} of {report['vehicles']['seen']} vehicles "
        f"({report['lots']} lots), snapshot {as_of['snapshot']} of telltale.telemetry.",
        "",
    ]
    counted = []
    for one in report["tables"]:
        c = one.get("comparison")
        numbers = (
            [c[k] for k in ("same", "changed", "missing", "extra", "vehicles_affected")]
            if c
            else [""] * 5
        )
        counted.append([one["name"], one["status"], *numbers])
    lines += _table(
        ["table", "status", "same", "changed", "missing", "extra", "vehicles affected"], counted
    )
    for one in report["tables"]:
        if one.get("error"):
            lines += [f"{one['name']}: {_cell(one['error'])}", ""]
        c = one.get("comparison")
        if c and (c["examples"] or c["columns"] or c["columns_only_candidate"]
                  or c["columns_only_stable"] or c["columns_retyped"]):  # fmt: skip
            lines += _differences(one["name"], c)
    return "\n".join(lines)
