// Numbers with units, times as the reader's own with UTC beside them.
import { h } from "/page/dom.js";

const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const TENTH = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const FIXED = new Intl.NumberFormat("en",
  { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const SHARE = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
const CLOCK = new Intl.DateTimeFormat(undefined,
  { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

export const whole = (value) => (isNumber(value) ? WHOLE.format(value) : "–");
export const oneDecimal = (value) => (isNumber(value) ? FIXED.format(value) : "–");
export const tenth = (value) => (isNumber(value) ? TENTH.format(value) : "–");
export const percent = (share) => (isNumber(share) ? `${SHARE.format(100 * share)} %` : "–");

export function bytes(value) {
  if (!isNumber(value)) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  for (; value >= 1024 && at + 1 < units.length; ++at) value /= 1024;
  return `${at === 0 ? WHOLE.format(value) : TENTH.format(value)} ${units[at]}`;
}

export function duration(seconds) {
  if (!isNumber(seconds)) return "–";
  const s = Math.max(0, seconds);
  if (s < 10) return `${TENTH.format(s)} s`;
  if (s < 120) return `${WHOLE.format(s)} s`;
  if (s < 7200) return `${WHOLE.format(Math.floor(s / 60))} min`;
  if (s < 172_800) return `${TENTH.format(s / 3600)} h`;
  return `${TENTH.format(s / 86_400)} d`;
}

// RFC 3339 text to milliseconds; NaN when it is none.
export const parseTime = (text) => (typeof text === "string" ? Date.parse(text) : NaN);
export const secondsSince = (text, nowMs = Date.now()) => (nowMs - parseTime(text)) / 1000;

// Shown as local time, with the day when it is another one; UTC as the title.
export function time(text) {
  const at = parseTime(text);
  if (Number.isNaN(at)) return h("span", null, text ? String(text) : "–");
  const date = new Date(at);
  const sameDay = date.toDateString() === new Date().toDateString();
  const shown = sameDay ? CLOCK.format(date) : `${DAY.format(date)} ${CLOCK.format(date)}`;
  const utc = date.toISOString();
  return h("time", { datetime: utc, title: `${utc} UTC; here ${FULL.format(date)}` }, shown);
}

export const timeOfMicros = (us) =>
  time(isNumber(us) ? new Date(us / 1000).toISOString() : null);

// A release id is 64 hex digits: the beginning is enough to tell two apart.
export function release(id, role) {
  const text = String(id ?? "");
  if (!text) return h("span", { class: "muted" }, "none");
  return h("code", { class: role ? `release ${role}` : "release", title: text }, text.slice(0, 8));
}

export const words = (name) => String(name ?? "").replaceAll("_", " ");
