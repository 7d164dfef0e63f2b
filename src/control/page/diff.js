// What the candidate changes: docs/releases.md, "diff".
import { h, nothing, table } from "/page/dom.js";
import * as f from "/page/format.js";

// Any JSON as rows "path: value", for what has no form of its own.
export function flatten(value, path = "", out = []) {
  if (out.length >= 200) return out;
  if (value === null || typeof value !== "object") {
    out.push([path, value === null ? "none" : String(value)]);
    return out;
  }
  const entries = Array.isArray(value) ? value.map((one, at) => [String(at + 1), one])
    : Object.entries(value);
  for (const [name, one] of entries) flatten(one, path ? `${path} › ${name}` : name, out);
  return out;
}

export function listed(title, value, none) {
  if (!value) return null;
  const rows = flatten(value).map(([path, one], at) => ({ key: `r${at}`, cells: [path, one] }));
  return h("details", { class: "more", "data-key": title }, h("summary", null, title),
    rows.length ? table(title, [{ name: "Where" }, { name: "What", class: "wrap" }], rows)
      : nothing(none));
}

const KINDS = [["rules", "rule"], ["fields", "field"], ["transforms", "column"],
  ["features", "feature"]];

// A row for each key that differs; of a part that came or went one row.
function rowsOf(kind, one) {
  if (one.lines_added !== undefined) {
    return [[kind, one.name, f.words(one.change), `${f.whole(one.lines_removed)} lines went`,
      `${f.whole(one.lines_added)} lines came`]];
  }
  if (!one.keys?.length) return [[kind, one.name, f.words(one.change), "", ""]];
  return one.keys.map(({ key, before, after }) => [kind, one.name, key, before, after]);
}

function sentences(diff) {
  const lines = [`Components that differ: ${(diff.changed ?? []).join(", ") || "none"}.`];
  const { verdict, findings = [] } = diff.contract ?? {};
  if (verdict && verdict !== "same") {
    lines.push(`Contract: ${f.words(verdict)}.`, ...findings);
  }
  const because = diff.dual_run?.because ?? [];
  const declared = (diff.declared ?? []).map((one) => one.in_words ?? JSON.stringify(one));
  const item = (head, line) => h("li", null, head ? h("strong", null, head) : null, line);
  return h("ul", { class: "lines" }, lines.map((line) => item("", line)),
    because.map((line) => item("Both run: ", line)),
    declared.length ? declared.map((line) => item("Declared: ", line))
      : item("", "No change of what fires is declared."));
}

export function renderDiff(diff) {
  if (!diff) return null;
  const parts = { ...diff, fields: diff.contract?.fields };
  const rows = KINDS.flatMap(([name, kind]) =>
    (parts[name] ?? []).flatMap((one) => rowsOf(kind, one)));
  const columns = [{ name: "Part" }, { name: "Name" }, { name: "Key" },
    { name: "Before", class: "wrap" }, { name: "After", class: "wrap" }];
  return h("details", { class: "more", "data-key": "diff" },
    h("summary", null, "What the candidate changes"), sentences(diff),
    rows.length ? table("Difference of the two releases", columns,
      rows.map((cells, at) => ({ key: `d${at}`, cells }))) : null);
}
