// Environments as a path, health, alerts, arrivals, lag, drops, and who did what.
import { flatten } from "/page/diff.js";
import { h, morph, nothing, prose, svg, table } from "/page/dom.js";
import * as f from "/page/format.js";
import { phaseChip, releaseTag } from "/page/rollout.js";

const KINDS = ["dev", "staging", "prod"];
const STAGES = [
  ["worker", "Rules"], ["publisher", "Publisher"], ["lake-feed", "Copy for the lake"],
  ["lake", "Lake"], ["committer", "Committer"], ["vault", "Vault"]];

// Upstream first; those without one by kind.
export function inOrder(environments) {
  const byKey = new Map(environments.map((one) => [one.key, one]));
  const depth = (one, seen = new Set()) => {
    if (!one.upstream || !byKey.has(one.upstream) || seen.has(one.key)) return 0;
    return 1 + depth(byKey.get(one.upstream), seen.add(one.key));
  };
  const rank = (one) => [depth(one), KINDS.indexOf(one.kind), one.key];
  return [...environments].sort((a, b) => {
    const [x, y] = [rank(a), rank(b)];
    return x[0] - y[0] || x[1] - y[1] || String(x[2]).localeCompare(String(y[2]));
  });
}

const mark = (what, word) => (what
  ? h("span", { class: "chip", "data-phase": "stopped", title: what.reason }, word) : null);

export function renderEnvironments(place, environments, chosen) {
  if (environments.length === 0) {
    morph(place, nothing("There is no environment yet. `telltale environment put` makes one."));
    return;
  }
  morph(place, h("ol", { class: "path" }, inOrder(environments).map((one) => {
    const phase = one.rollout?.phase;
    return h("li", { "data-key": one.key },
      h("a", { href: `#${encodeURIComponent(one.key)}`,
        "aria-current": one.key === chosen ? "page" : null },
        h("span", { class: "key" }, one.key),
        one.kind === one.key ? null : h("span", { class: "kind muted" }, one.kind),
        h("span", { class: "runs" }, f.release(one.effective_release, "stable")),
        phase ? phaseChip(phase) : null,
        mark(one.pin, "pinned"), mark(one.hold, "held"), mark(one.break_glass, "break-glass"),
        mark(!one.reachable && { reason: one.reason }, "unreachable")));
  })));
}

// What keeps control from acting there, as its own status says it.
function controlTroubles(status, environment) {
  const lines = [];
  if (!status.leader?.holder) lines.push("Nobody leads: no process of control holds the lease.");
  if (!environment) return lines;
  if (!environment.reachable) {
    lines.push(`Control cannot reach the installation: ${environment.reason || "not looked yet"}`);
  } else if (environment.publisher && !environment.publisher.reachable) {
    lines.push(`Control cannot reach the publisher: ${environment.publisher.reason}`);
  }
  for (const [name, what] of [["Held", environment.hold], ["Pinned", environment.pin],
    ["Break-glass", environment.break_glass]]) {
    if (what) lines.push(`${name} by ${what.by}: ${what.reason}`);
  }
  return lines;
}

export function renderHealth(place, status, environment, live) {
  const parts = [];
  const block = (kind, title, lines) => {
    if (lines.length === 0) return;
    parts.push(h("div", { class: `notice ${kind}`, "data-key": title },
      h("p", null, h("strong", null, title)),
      h("ul", null, lines.map((line) => h("li", null, prose(line))))));
  };
  block("warn", "Control", controlTroubles(status, environment));
  if (live) {
    block("bad", "Not ready", live.causes ?? []);
    block("warn", "Needs somebody", live.warnings ?? []);
    block("warn", "Cannot be read", (live.missing ?? []).map((one) => `${one.part}: ${one.why}`));
  }
  morph(place, parts);
}

const SHAPES = {
  CRITICAL: () => svg("path", { d: "M5 1h6l4 4v6l-4 4H5l-4-4V5z" }),
  HIGH: () => svg("path", { d: "M8 1 15.5 14.5H.5z" }),
  MEDIUM: () => svg("path", { d: "M8 .8 15.2 8 8 15.2.8 8z" }),
  LOW: () => svg("circle", { cx: 8, cy: 8, r: 5.6 }),
};

// By word, shape and colour, so that none of them has to be seen.
function severity(word) {
  const known = Object.hasOwn(SHAPES, word);
  return h("span", { class: "severity", "data-severity": known ? word : "LOW" },
    svg("svg", { viewBox: "0 0 16 16", width: 12, height: 12, "aria-hidden": "true" },
      known ? SHAPES[word]() : SHAPES.LOW()),
    f.words(word).toLowerCase());
}

const value = (alert) => (alert.peak_value === undefined ? "–"
  : `${f.oneDecimal(alert.peak_value)} ${alert.unit ?? ""}`);

export function renderAlerts(place, live, rollout) {
  const alerts = live.alerts ?? [];
  if (alerts.length === 0) {
    morph(place, nothing("No alert was published here yet."));
    return;
  }
  const columns = [{ name: "Severity" }, { name: "Rule" }, { name: "Began" }, { name: "State" },
    { name: "Vehicle" }, { name: "Peak", class: "number" },
    { name: "Published after", class: "number" }, { name: "Release" },
    { name: "Cell", class: "wide" }];
  morph(place, table("Newest alerts", columns, alerts.map((alert) => ({
    key: String(alert.output_id ?? ""),
    cells: [severity(alert.severity), alert.rule, f.timeOfMicros(alert.started_at_us),
      alert.state === "OPEN" ? h("strong", null, "open") : "closed",
      h("code", { title: alert.vehicle_ref }, String(alert.vehicle_ref ?? "").slice(0, 8)),
      value(alert), f.duration((alert.publish_time_us - alert.receipt_time_us) / 1e6),
      releaseTag(alert.release, live, rollout), h("code", null, alert.cell ?? "–")],
  }))));
}

// The line of the last minutes; its numbers stand beside it.
function sparkline(rates) {
  const width = 220;
  const height = 44;
  const top = Math.max(...rates, 1);
  const x = (at) => (rates.length < 2 ? width : (at * width) / (rates.length - 1));
  const y = (rate) => height - 2 - (rate / top) * (height - 6);
  const points = rates.map((rate, at) => `${x(at).toFixed(1)},${y(rate).toFixed(1)}`).join(" ");
  return svg("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true",
    preserveAspectRatio: "none" },
    svg("polyline", { points, "vector-effect": "non-scaling-stroke" }));
}

export function renderArrivals(place, live, rates) {
  const arrivals = live.arrivals;
  if (!arrivals) {
    morph(place, nothing("The gateway has counted nothing yet."));
    return;
  }
  const fact = (name, shown) => h("div", null, h("dt", null, name), h("dd", null, shown));
  const rate = rates.length ? rates[rates.length - 1] : null;
  morph(place, [
    h("p", { class: "big" },
      h("strong", { id: "reports-rate" }, f.oneDecimal(rate)), " reports/s"),
    rates.length > 1 ? sparkline(rates) : null,
    h("dl", { class: "facts" },
      fact("Reports accepted", f.whole(arrivals.reports_accepted)),
      fact("Reports in quarantine", f.whole(arrivals.reports_quarantined)),
      fact("Batches in quarantine", f.whole(arrivals.batches_quarantined)),
      fact("Payload", f.bytes(arrivals.payload_bytes)),
      fact("Connections open", f.whole(arrivals.connections_open)),
      fact("Vehicles seen for the first time", f.whole(arrivals.vehicles_added))),
    h("p", { class: "muted small" }, "Since the gateway started; counted ",
      f.time(arrivals.counted_at), "."),
  ]);
}

function stageName(consumer) {
  const found = STAGES.find(([name]) => consumer === name) ??
    STAGES.find(([name]) => consumer.startsWith(`${name}-`));
  return found ? found[1] : consumer;
}

export function renderLag(place, live, rollout) {
  const lag = live.lag ?? [];
  if (lag.length === 0) {
    morph(place, nothing("No reader has saved a place yet."));
    return;
  }
  const shown = (one) => {
    const id = one.consumer.startsWith("worker-") ? one.consumer.slice(7) : "";
    const full = id && (live.releases ?? []).find((known) => known.release.startsWith(id));
    return [stageName(one.consumer), " ", full ? releaseTag(full.release, live, rollout)
      : id ? h("code", null, id) : null];
  };
  morph(place, table("Lag by stage",
    [{ name: "Stage" }, { name: "Stream" }, { name: "Records behind", class: "number" }],
    lag.map((one) => ({ key: `${one.consumer}/${one.stream}`,
      cells: [shown(one), one.stream, f.whole(one.records_behind)] }))));
}

export function renderDrops(place, live, reasons) {
  const drops = live.drops ?? [];
  if (drops.length === 0) {
    morph(place, nothing("Nothing was refused, left out or dropped."));
    return;
  }
  morph(place, h("ul", { class: "drops" }, drops.map((drop) => {
    const known = Object.hasOwn(reasons, drop.reason) ? reasons[drop.reason] : null;
    return h("li", { "data-key": `${drop.role}/${drop.where}/${drop.reason}` },
      h("p", { class: "drop" }, h("strong", { class: "count" }, f.whole(drop.count)), " ",
        h("code", null, drop.reason), " ", h("span", { class: "muted" }, `at ${drop.where}`)),
      known ? h("p", { class: "small" }, prose(known.cause), ". ",
        h("span", { class: "remedy" }, "What to do: ", prose(known.remedy), ".")) : null);
  })));
}

// "release 3f2a…, reason it brakes": the body's members, without braces; long ids cut.
function argumentsOf(given) {
  const rows = flatten(given?.body ?? given ?? {}).filter(([, text]) => text !== "");
  const short = (text) => (/^[0-9a-f]{64}$/.test(text) ? `${text.slice(0, 8)}…` : text);
  return rows.slice(0, 12).map(([name, text]) => `${name} ${short(text)}`).join(", ");
}

export function renderAudit(place, entries) {
  if (entries.length === 0) {
    morph(place, nothing("Nobody has changed anything yet."));
    return;
  }
  const newest = [...entries].reverse().slice(0, 50);
  morph(place, table("Who did what",
    [{ name: "Entry" }, { name: "When" }, { name: "Who" }, { name: "What" },
      { name: "Environment" }, { name: "With", class: "wrap" }],
    newest.map((one) => ({ key: `a${one.entry}`, cells: [f.whole(one.entry), f.time(one.at),
      one.subject, one.operation, one.environment || "–", argumentsOf(one.arguments)] }))));
}
