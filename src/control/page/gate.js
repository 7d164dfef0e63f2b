// What the gate of kind evidence says of a rollout, and how far its evidence is: docs/gate.md.
import { h, table } from "/page/dom.js";
import * as f from "/page/format.js";

const PHASE_OF = { pass: "closed", hold: "warming", halt: "rejected" };
const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

// Of the merged evidence on its way to where it halts.
function evidenceBar(report) {
  if (!isNumber(report.log_e) || !isNumber(report.log_e_halt) || report.log_e_halt <= 0) return null;
  const share = Math.min(1, Math.max(0, report.log_e / report.log_e_halt));
  const parts = [["halting", share], ["to-halt", 1 - share]];
  return h("div", { class: "cohort evidence" },
    h("div", { class: "bar", "aria-hidden": "true" }, parts.map(([name, part]) =>
      h("span", { class: `part ${name}`, "data-share": String(part) }))),
    h("p", { class: "muted small" }, `Evidence against it: ${f.percent(share)} of the way to a halt; `,
      `${f.whole(report.discordant)} vehicles differ. `,
      report.detectable < 1
        ? `This cohort shows a fault at ${f.percent(report.detectable)} or more of its vehicles.`
        : "This cohort would show no fault yet, however large."));
}

function missing(report) {
  const holds = report.holds ?? [];
  if (holds.length === 0) return null;
  return h("ul", { class: "missing" }, holds.map((one, index) =>
    h("li", { "data-key": `hold:${index}`, title: one.rule }, one.words,
      one.seconds_missing > 0
        ? `; about ${f.duration(one.seconds_missing)} at the present pace` : null)));
}

function metrics(report) {
  const all = report.metrics ?? [];
  if (all.length === 0) return null;
  const number = (name) => ({ name, class: "number" });
  const isVotes = (one) => one.side !== "blocks" && one.side !== "rate";
  const share = (one, value) => (isVotes(one) ? f.percent(value) : f.tenth(value));
  return h("details", { class: "more" }, h("summary", null, "What the gate has seen"),
    table("Metrics of the gate", [{ name: "Metric" }, { name: "Side" }, number("Differ"),
      number("Of"), number("At most"), number("Passes below"), number("Halts above")],
    all.map((one) => ({ key: `gate:${one.metric}:${one.side}`, cells: [one.metric,
      f.words(one.side), f.whole(one.k), f.whole(one.n), share(one, one.bound),
      share(one, one.margin), share(one, one.max)] }))));
}

function vehicles(report) {
  const seen = report.vehicles ?? [];
  if (seen.length === 0) return null;
  return h("p", { class: "vehicles" }, "Such as ",
    seen.slice(0, 5).map((one, index) => [index ? ", " : null, h("code", null, one)]));
}

// `gate` is the answer to GET /v1/rollouts/ID/gate; null where it was not asked for.
export function renderGate(rollout, gate) {
  const verdict = rollout?.gate;
  if (!verdict) return null;
  const report = gate?.report;
  return h("div", { class: "pair gate" }, h("h3", null, "What the gate says"),
    h("p", null, h("span", { class: "chip", "data-phase": PHASE_OF[verdict.outcome] ?? "" },
      f.words(verdict.outcome)), " ",
    verdict.outcome === "pass" ? null : h("strong", null, `${f.words(verdict.rule)}: `),
    verdict.words, h("span", { class: "muted" }, " since ", f.time(verdict.since))),
    report ? [evidenceBar(report), vehicles(report), missing(report), metrics(report)] : null);
}
