// Signing in, asking control again and again, and handing the answers to the panels.
import { Api } from "/page/api.js";
import { h, morph, nothing, prose } from "/page/dom.js";
import * as f from "/page/format.js";
import { inOrder, renderAlerts, renderArrivals, renderAudit, renderDrops,
  renderEnvironments, renderHealth, renderLag } from "/page/panels.js";
import { loadReasons } from "/page/reasons.js";
import { isEnded, renderRollout } from "/page/rollout.js";

const POLL_MS = 2_000;
const POLL_MAX_MS = 30_000;
const TOKEN = "telltale.token";
const AUDIT_KEPT = 200;
const AUDIT_PAGE = 200;
const RATES_KEPT = 60;
const RATE_WINDOW_MS = 10_000;

const at = (id) => document.getElementById(id);

let api = null;
let reasons = {};
let timer = 0;
let waitMs = POLL_MS;
let turn = 0;            // rises when answers on their way are no longer wanted
let answeredAt = 0;      // when all was last known
let trouble = null;      // why the last turn failed
let audit = [];
let diffs = new Map();
let arrivals = new Map();  // by environment: {counts: [{atMs, reports}], rates}

// The one in the address; else one that moves, which is then in the address and stays chosen.
function chosenFrom(environments) {
  const inAddress = location.hash.slice(1);
  const wanted = environments.find((one) => encodeURIComponent(one.key) === inAddress);
  if (wanted) return wanted.key;
  const moving = environments.find((one) => one.rollout && !isEnded(one.rollout));
  const ordered = inOrder(environments);
  const found = (moving ?? ordered[ordered.length - 1])?.key ?? "";
  if (found) history.replaceState(null, "", `#${encodeURIComponent(found)}`);
  return found;
}

// Reports per second over the last seconds, of the gateway's own counts and times.
function rateOf(environment, counted) {
  const seen = arrivals.get(environment) ?? { counts: [], rates: [] };
  arrivals.set(environment, seen);
  const atMs = f.parseTime(counted?.counted_at);
  if (Number.isNaN(atMs)) return [];
  const last = seen.counts[seen.counts.length - 1];
  const reports = counted.reports_accepted;
  if (last && reports < last.reports) Object.assign(seen, { counts: [], rates: [] });  // restarted
  if (!last || atMs > last.atMs) seen.counts.push({ atMs, reports });
  else return seen.rates;
  while (seen.counts.length > 2 && seen.counts[1].atMs < atMs - RATE_WINDOW_MS) seen.counts.shift();
  const first = seen.counts[0];
  if (atMs > first.atMs) seen.rates.push((1000 * (reports - first.reports)) / (atMs - first.atMs));
  if (seen.rates.length > RATES_KEPT) seen.rates.shift();
  return seen.rates;
}

// What came after the entries that are here; at first the newest.
async function readAudit(mine) {
  let after = audit.length ? audit[audit.length - 1].entry : 0;
  if (audit.length === 0) {
    const { last } = await api.get(["audit"], { after: 0, limit: 1 });
    after = Math.max(0, (last?.entry ?? 0) - AUDIT_KEPT);
  }
  const { items = [] } = await api.get(["audit"], { after, limit: AUDIT_PAGE });
  if (mine === turn) audit = [...audit, ...items].slice(-AUDIT_KEPT);
}

// What a diff says of two releases never changes. One that cannot be had is left out.
async function readDiff(rollout) {
  if (!rollout?.stable || !rollout.candidate || rollout.stable === rollout.candidate) return null;
  const pair = `${rollout.stable} ${rollout.candidate}`;
  if (!diffs.has(pair)) {
    try {
      diffs.set(pair, await api.get(["releases", rollout.stable, "diff", rollout.candidate]));
    } catch (error) {
      if (error.kind !== "answer") throw error;
      diffs.set(pair, null);
    }
  }
  return diffs.get(pair);
}

// What its gate has seen; a control that cannot say it says less.
async function readGate(rollout) {
  if (!rollout?.gate) return null;
  try {
    return await api.get(["rollouts", rollout.id, "gate"]);
  } catch (error) {
    if (error.kind !== "answer") throw error;
    return null;
  }
}

function show(status, chosen, seen) {
  const environments = status.environments ?? [];
  const environment = environments.find((one) => one.key === chosen);
  renderEnvironments(at("environments"), environments, chosen);
  const nowMs = f.parseTime(seen.live?.looked_at) || Date.now();
  renderHealth(at("health"), status, environment, seen.live);
  const effective = environment?.effective_release ?? "";
  renderRollout(at("rollout"), { ...seen, effective, nowMs });
  if (seen.live) {
    renderAlerts(at("alerts"), seen.live, seen.rollout);
    renderArrivals(at("arrivals"), seen.live, rateOf(chosen, seen.live.arrivals));
    renderLag(at("lag"), seen.live, seen.rollout);
    renderDrops(at("drops"), seen.live, reasons);
  } else {
    for (const id of ["alerts", "arrivals", "lag", "drops"]) {
      morph(at(id), nothing(seen.why));
    }
  }
  renderAudit(at("audit"), audit);
  document.title = chosen ? `${chosen} – Telltale` : "Telltale";
}

async function readAll(mine) {
  const status = await api.get(["status"]);
  const environments = status.environments ?? [];
  const chosen = chosenFrom(environments);
  const seen = { live: null, rollout: null, rollouts: [], diff: null, gate: null,
    why: "There is no environment yet." };
  if (chosen) {
    try {
      seen.live = await api.get(["environments", chosen, "live"]);
    } catch (error) {
      if (error.kind !== "answer") throw error;
      seen.why = `${error.message} ${error.next}`;  // this environment's trouble, nobody else's
    }
    seen.rollouts = (await api.get(["rollouts"], { environment: chosen })).items ?? [];
    seen.rollout = seen.rollouts[0] ?? null;  // the newest first
    seen.diff = await readDiff(seen.rollout);
    seen.gate = await readGate(seen.rollout);
  }
  await readAudit(mine);
  if (mine === turn) show(status, chosen, seen);
}

function showFreshness() {
  const stale = Boolean(trouble);
  document.body.classList.toggle("stale", stale);
  const dot = h("span", { class: `light ${stale ? "bad" : answeredAt ? "good" : "wait"}`,
    "aria-hidden": "true" });
  const text = !answeredAt ? ["Asking control…"]
    : stale ? ["Last answer ", f.time(new Date(answeredAt).toISOString()), ", ",
      f.duration(Math.round((Date.now() - answeredAt) / 1000)), " old"]
      : ["Live, ", f.time(new Date(answeredAt).toISOString())];
  morph(at("freshness"), [dot, h("span", null, text)]);
}

// Said once, whoever listens to the page: what changes each second stands in the head.
function showTrouble() {
  if (!trouble) {
    morph(at("notice"), []);
    return;
  }
  const next = trouble.next || (trouble.kind === "unreachable"
    ? "Look whether `telltale role control` runs, and at its address." : "");
  morph(at("notice"), h("div", { class: "notice bad" },
    h("p", null, h("strong", null, trouble.message), " ", prose(next)),
    h("p", { class: "small" }, answeredAt ? ["What you see is of ",
      f.time(new Date(answeredAt).toISOString()), ". "] : "", "It is tried again by itself.")));
}

async function poll() {
  clearTimeout(timer);
  if (!api || document.hidden) return;
  const mine = ++turn;
  try {
    await readAll(mine);
    if (mine !== turn) return;
    answeredAt = Date.now();
    trouble = null;
    waitMs = POLL_MS;
  } catch (error) {
    if (mine !== turn) return;
    if (error.kind === "token") {
      signOut("Control does not know this token, or it was withdrawn. Type another one.");
      return;
    }
    if (!error.kind) console.error(error);
    trouble = error.kind ? error : { message: "The page met an answer it cannot show.", next: "" };
    waitMs = Math.min(POLL_MAX_MS, waitMs * 2);
  }
  showFreshness();
  showTrouble();
  timer = setTimeout(poll, waitMs);
}

function signOut(why = "") {
  clearTimeout(timer);
  ++turn;
  sessionStorage.removeItem(TOKEN);
  api = null;
  audit = [];
  diffs = new Map();
  arrivals = new Map();
  answeredAt = 0;
  trouble = null;
  document.body.classList.remove("stale");
  for (const id of ["notice", "freshness", "environments", "health", "rollout", "alerts",
    "arrivals", "lag", "drops", "audit"]) morph(at(id), []);
  at("content").hidden = true;
  at("sign-out").hidden = true;
  at("sign-in").hidden = false;
  at("sign-in-error").textContent = why;
  at("token").value = "";
  at("token").focus();
}

function signIn(token) {
  sessionStorage.setItem(TOKEN, token);
  api = new Api(token);
  at("sign-in").hidden = true;
  at("sign-in-error").textContent = "";
  at("content").hidden = false;
  at("sign-out").hidden = false;
  at("main").focus();
  for (const id of ["rollout", "alerts", "arrivals", "lag", "drops", "audit"]) {
    morph(at(id), h("p", { class: "nothing loading" }, "Loading…"));
  }
  waitMs = POLL_MS;
  showFreshness();
  poll();
}

at("sign-in-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const token = at("token").value.trim();
  at("token").value = "";
  if (/^[\x21-\x7e]+$/.test(token)) signIn(token);
  else at("sign-in-error").textContent = "A token is one word of printable ASCII characters.";
});
at("sign-out").addEventListener("click", () => signOut());
setInterval(() => {
  if (trouble && !document.hidden) showFreshness();
}, 1_000);
addEventListener("hashchange", poll);
document.addEventListener("visibilitychange", () => {
  waitMs = POLL_MS;
  if (document.hidden) clearTimeout(timer);
  else poll();
});

at("zone").textContent =
  `Times are local (${Intl.DateTimeFormat().resolvedOptions().timeZone}); UTC stands behind each.`;
reasons = await loadReasons();
const kept = sessionStorage.getItem(TOKEN);
if (kept) signIn(kept);
else signOut();
