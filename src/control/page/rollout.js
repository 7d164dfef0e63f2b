// The rollout: its stages, who speaks for which share of the vehicles, both releases side by side.
import { listed, renderDiff } from "/page/diff.js";
import { h, morph, nothing, table } from "/page/dom.js";
import * as f from "/page/format.js";
import { renderGate } from "/page/gate.js";

const PHASES = ["pending", "warming", "shadow", "authority", "window", "closed"];
const ENDED = new Set(["closed", "withdrawn", "rejected"]);

export const isEnded = (rollout) => ENDED.has(rollout?.phase);

export function phaseChip(phase) {
  return h("span", { class: "chip", "data-phase": phase }, f.words(phase));
}

function roleOf(id, live, rollout) {
  const known = live?.releases?.find((one) => one.release === id);
  if (known) return known.role;
  if (id && id === rollout?.candidate) return "candidate";
  if (id && id === rollout?.stable) return "stable";
  return "";
}

export const releaseTag = (id, live, rollout) => f.release(id, roleOf(id, live, rollout));

function stageNeeds(stage) {
  const needs = [];
  if (stage.shadow_s) needs.push(`shadow ${f.duration(stage.shadow_s)}`);
  if (stage.soak_s) needs.push(`soak ${f.duration(stage.soak_s)}`);
  if (stage.approvals) {
    needs.push(stage.approvals === 1 ? "1 approval" : `${stage.approvals} approvals`);
  }
  if (stage.gate) needs.push(`gate ${stage.gate}`);
  return needs.join(", ") || "no wait";
}

function stageBar(rollout) {
  const at = Number(rollout.stage ?? 0);
  const allDone = ["window", "closed"].includes(rollout.phase);
  const stages = Array.isArray(rollout.stages) ? rollout.stages : [];
  return h("ol", { class: "stages" }, stages.map((stage, index) => {
    const state = allDone || index < at ? "done" : index > at ? "next" : "now";
    const stopped = state === "now" && isEnded(rollout);
    return h("li", { class: `stage ${stopped ? "stopped" : state}`,
      "aria-current": state === "now" ? "step" : null },
      h("span", { class: "share" }, f.percent((stage.per_10000 ?? 0) / 10_000)),
      h("span", { class: "word" },
        stopped ? "stopped here" : { done: "done", now: "now", next: "to come" }[state]),
      h("span", { class: "needs" }, stageNeeds(stage)));
  }));
}

function phaseLine(rollout) {
  if (!PHASES.includes(rollout.phase)) return null;
  return h("ol", { class: "phases", "aria-label": "Phase" }, PHASES.map((phase) =>
    h("li", { "aria-current": phase === rollout.phase ? "step" : null }, phase)));
}

const gridWidth = (element, name, share) => {
  element.setAttribute("class", `part ${name}`);
  element.setAttribute("data-share", String(share));
  return element;
};

// Of the lots in force in the newest config: docs/decisions/0009-authority-by-lot.md.
function cohortBar(order) {
  if (!order || !order.lots) return null;
  const candidate = Math.min(order.authority_lots, order.shadow_lots) / order.lots;
  const shadow = Math.max(0, order.shadow_lots - order.authority_lots) / order.lots;
  const stable = Math.max(0, 1 - candidate - shadow);
  const parts = [["candidate", candidate, "candidate speaks"],
    ["shadow", shadow, "stable speaks, candidate computes in shadow"],
    ["stable", stable, "stable alone"]];
  return h("div", { class: "cohort" },
    h("div", { class: "bar", "aria-hidden": "true" },
      parts.map(([name, share]) => gridWidth(h("span"), name, share))),
    h("ul", { class: "legend" }, parts.map(([name, share, text]) =>
      h("li", null, h("span", { class: `swatch ${name}`, "aria-hidden": "true" }),
        h("strong", null, f.percent(share)), ` ${text}`))));
}

function costs(rollout) {
  const sides = [["candidate", rollout.costs?.candidate_cpu_s],
    ["way back", rollout.costs?.previous_cpu_s]];
  return sides.filter(([, seconds]) => typeof seconds === "number")
    .map(([name, seconds]) => `${name} ${f.duration(seconds)}`).join(", ");
}

function facts(rollout, live) {
  const isLong = (name) => ["Waits for", "Reason"].includes(name);
  const fact = (name, ...value) => h("div", { class: isLong(name) ? "two-wide" : null },
    h("dt", null, name), h("dd", null, ...value));
  const waits = rollout.waits_for ?? [];
  const pending = rollout.partitions_pending ?? [];
  const reasons = new Map();
  for (const { reason } of pending) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  const why = [...reasons].map(([name, count]) => `${f.words(name)} ${f.whole(count)}`).join(", ");
  return h("dl", { class: "facts" },
    fact("Since", f.time(rollout.since), h("span", { class: "muted" },
      ` ${f.duration(f.secondsSince(rollout.since))} ago`)),
    fact("Waits for", waits.length
      ? h("ul", null, waits.map((one) => h("li", { title: one.code }, one.message || one.code)))
      : h("span", { class: "muted" }, "nothing")),
    fact("Partitions pending", f.whole(pending.length), why ? ` (${why})` : null),
    fact("Stable", releaseTag(rollout.stable, live, rollout)),
    fact("Candidate", releaseTag(rollout.candidate, live, rollout)),
    fact("Wanted by", rollout.requested_by, " ", f.time(rollout.created_at)),
    fact("Policy", rollout.policy || rollout.policy_kind || "–",
      rollout.break_glass ? ", break-glass" : "", rollout.rehearsed ? ", rehearsed" : ""),
    costs(rollout) ? fact("CPU beside the speaker", costs(rollout)) : null,
    rollout.window_until ? fact("Way back until", f.time(rollout.window_until)) : null,
    rollout.reason ? fact("Reason", rollout.reason) : null);
}

function approvals(rollout) {
  const given = rollout.approvals ?? [];
  return given.map((one) => ({ at: one.at, stage: one.stage, phase: "approval",
    subject: one.subject + (one.self ? " (own promotion)" : ""), note: one.comment }));
}

// The rollout's own history and approvals, newest first.
function history(rollout) {
  const rows = [...(rollout.history ?? []), ...approvals(rollout)]
    .sort((a, b) => f.parseTime(b.at) - f.parseTime(a.at)).slice(0, 30);
  if (rows.length === 0) return null;
  return h("details", { class: "more", open: true },
    h("summary", null, "Who did what in this rollout"),
    table("History of the rollout", [{ name: "When" }, { name: "Who" }, { name: "Stage" },
      { name: "Phase" }, { name: "Note", class: "wrap" }],
    rows.map((one, at) => ({ key: `${one.at} ${rows.length - at}`, cells: [f.time(one.at),
      one.subject, f.whole(one.stage + 1), f.words(one.phase), one.note] }))));
}

function earlier(rollouts, live) {
  const rows = rollouts.slice(1, 11);
  if (rows.length === 0) return null;
  return h("details", { class: "more" }, h("summary", null, "Earlier rollouts"),
    table("Earlier rollouts", [{ name: "Rollout" }, { name: "Candidate" }, { name: "Outcome" },
      { name: "Wanted by" }, { name: "Ended" }, { name: "Reason", class: "wrap" }],
    rows.map((one) => ({ key: one.id, cells: [h("code", null, one.id),
      releaseTag(one.candidate, live, null), phaseChip(one.phase), one.requested_by,
      f.time(one.closed_at), one.reason] }))));
}

function workerText(one) {
  if (one.speaker && one.speaker !== one.release) return ["that of ", f.release(one.speaker)];
  const worker = one.worker;
  if (!worker) return "no process seen";
  if (worker.alive) return ["runs since ", f.time(worker.started_at)];
  const why = worker.reason || worker.last_end;
  return h("span", { class: "bad-text" }, worker.state || "does not run",
    why ? `: ${f.words(why)}` : "");
}

function difference(stable, candidate) {
  if (stable === candidate) return "equal";
  const by = candidate - stable;
  const sign = by > 0 ? "+" : "−";
  const text = `${sign}${f.whole(Math.abs(by))}`;
  return stable === 0 ? text : `${text} (${sign}${f.percent(Math.abs(by) / stable)})`;
}

// What it used in this place, and over how long.
function cpuText({ worker }, nowMs) {
  if (typeof worker?.cpu_s !== "number") return "–";
  const over = f.secondsSince(worker.cpu_since, nowMs);
  return [f.duration(worker.cpu_s), Number.isFinite(over)
    ? h("span", { class: "muted" }, ` in ${f.duration(over)}`) : null];
}

// A column for each release, a row for each thing that can be compared.
function runningTable(releases, nowMs) {
  const columns = [{ name: "" }, ...releases.map((one) => ({
    name: [h("span", { class: `dot ${one.role}`, "aria-hidden": "true" }), f.words(one.role), " ",
      f.release(one.release, one.role)], class: "number" }))];
  const row = (key, name, value) => ({ key, cells: [name, ...releases.map(value)] });
  const rows = [
    row("worker", "Process", workerText),
    row("restarts", "Restarts", (one) => f.whole(one.worker?.restarts)),
    row("lag", "Records behind", (one) => f.whole(one.records_behind)),
    row("mark", "Oldest journal mark", (one) => (one.marks
      ? [f.time(one.marks.oldest_at), h("span", { class: "muted" },
        ` ${f.duration(f.secondsSince(one.marks.oldest_at, nowMs))} ago`)] : "–")),
    row("lots", "Vehicles computed", (one) =>
      (one.marks ? f.percent(one.marks.lots_computed / 10_002) : "–")),
    row("all", "Counted to the end", (one) => (one.counted_all ? "yes" : "not yet")),
    row("cpu", "CPU time", (one) => cpuText(one, nowMs)),
  ];
  return table("Releases side by side", columns, rows);
}

function rulesTable(releases) {
  const names = [...new Set(releases.flatMap((one) => one.rules.map((rule) => rule.rule)))].sort();
  if (names.length === 0) return nothing("No rule has fired in these vehicles yet.");
  const stable = releases.find((one) => one.role === "stable");
  const candidate = releases.find((one) => one.role === "candidate");
  const of = (one, name, what) => one?.rules.find((rule) => rule.rule === name)?.[what] ?? 0;
  const head = (role) =>
    [h("span", { class: `dot ${role}`, "aria-hidden": "true" }), f.words(role)];
  const group = (name) =>
    releases.map((one) => ({ name: head(one.role), class: "number", group: name }));
  const columns = [{ name: "Rule" }, ...group("Opened"),
    ...(stable && candidate ? [{ name: "difference", class: "number", group: "Opened" }] : []),
    ...group("Published")];
  const rows = names.map((name) => ({ key: `rule:${name}`, cells: [name,
    ...releases.map((one) => f.whole(of(one, name, "opened"))),
    ...(stable && candidate
      ? [difference(of(stable, name, "opened"), of(candidate, name, "opened"))] : []),
    ...releases.map((one) => f.whole(of(one, name, "published")))] }));
  return table("Alerts by rule and release", columns, rows);
}

function sideBySide(live, nowMs) {
  const releases = live?.releases ?? [];
  if (releases.length === 0) return nothing("No release is in force here yet.");
  const both = releases.length > 1;
  return h("div", { class: "pair" },
    h("h3", null, both ? "Side by side" : "The release in force"),
    h("p", { class: "muted" }, "Counted since ", f.time(live.since),
      both && live.rollout ? ", over the vehicles that both compute, published or not." : "."),
    h("div", { class: "two" }, runningTable(releases, nowMs), rulesTable(releases)));
}

function findingLine(kind, one) {
  const vehicles = one.vehicles
    ? `, ${f.whole(one.vehicles.cohort)} of ${f.whole(one.vehicles.seen)} vehicles` : "";
  return h("li", { "data-key": `lake:${kind}` }, `${f.words(kind)}: `,
    h("strong", null, f.words(one.verdict)), one.at ? [", computed ", f.time(one.at)] : null,
    vehicles, one.reason ? `: ${one.reason}` : null,
    one.tables_left_out ? `; ${f.whole(one.tables_left_out)} more tables are not shown` : null);
}

function worstOf(one) {
  if (one.error) return h("span", { class: "bad-text" }, one.error);
  const columns = (one.worst ?? []).map(({ column, changed, largest }) =>
    `${column} ${f.whole(changed)}${typeof largest === "number"
      ? ` (by up to ${f.tenth(largest)})` : ""}`);
  const also = [["only in stable", one.columns_only_stable],
    ["only in the candidate", one.columns_only_candidate], ["another type", one.columns_retyped]]
    .filter(([, names]) => names?.length).map(([words, names]) => `${words}: ${names.join(", ")}`);
  return [...columns, ...also].join("; ") || "–";
}

// The candidate's tables beside stable's, over the same rows: docs/lake.md.
function lakeFound(live) {
  const found = ["features", "telemetry"].map((kind) => [kind, live?.lake?.[kind]])
    .filter(([, one]) => one);
  if (found.length === 0) return null;
  const number = (name) => ({ name, class: "number" });
  const rows = found.flatMap(([kind, one]) => (one.tables ?? []).map((table) => ({
    key: `lake:${kind}:${table.name}`,
    cells: [table.name, f.words(table.status), f.whole(table.same), f.whole(table.changed),
      f.whole(table.missing), f.whole(table.extra), f.whole(table.vehicles_affected),
      worstOf(table)] })));
  return h("div", { class: "pair lake" }, h("h3", null, "What the lake found"),
    h("ul", null, found.map(([kind, one]) => findingLine(kind, one))),
    rows.length ? table("The candidate's tables beside stable's", [{ name: "Table" },
      { name: "Status" }, number("Same"), number("Changed"), number("Missing"), number("Extra"),
      number("Vehicles affected"), { name: "Rows changed by column", class: "wrap" }], rows)
      : null);
}

export function renderRollout(place, seen) {
  const { rollout, rollouts, live, diff, effective, nowMs } = seen;
  const parts = [];
  if (rollout) {
    parts.push(
      h("p", { class: "name" }, h("code", null, rollout.id), " ", phaseChip(rollout.phase)),
      stageBar(rollout), phaseLine(rollout));
  } else {
    parts.push(nothing("No rollout was made here. ", effective
      ? ["Release ", f.release(effective, "stable"), " speaks for all vehicles."]
      : "`telltale promote ENV RELEASE` begins one."));
  }
  if (live?.rollout) parts.push(cohortBar(live.rollout));
  if (rollout) parts.push(facts(rollout, live), renderGate(rollout, seen.gate));
  parts.push(sideBySide(live, nowMs), lakeFound(live));
  if (rollout) {
    parts.push(listed("Evidence against it", rollout.evidence, "None was given."),
      renderDiff(diff), history(rollout), earlier(rollouts, live));
  }
  morph(place, parts);
  // Widths by the object model: the page's policy allows no style in markup.
  for (const part of place.querySelectorAll("[data-share]")) {
    part.style.flexGrow = part.dataset.share;
  }
}
