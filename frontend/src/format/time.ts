// SPDX-License-Identifier: Apache-2.0
// Times and durations for people.

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Milliseconds of an RFC 3339 time, or undefined. */
export function timeOf(text: string | undefined): number | undefined {
  if (!text) return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}

/** "312 ms", "4.2 s", "3 m 05 s", "2 h 10 m", "3 d 4 h". */
export function duration(ms: number): string {
  const t = Math.max(0, ms);
  if (t < SECOND) return `${Math.round(t)} ms`;
  if (t < 10 * SECOND) return `${(Math.floor(t / 100) / 10).toFixed(1)} s`;
  if (t < MINUTE) return `${Math.floor(t / SECOND)} s`;
  if (t < HOUR) return `${Math.floor(t / MINUTE)} m ${pad(Math.floor((t % MINUTE) / SECOND))} s`;
  if (t < DAY) return `${Math.floor(t / HOUR)} h ${pad(Math.floor((t % HOUR) / MINUTE))} m`;
  return `${Math.floor(t / DAY)} d ${Math.floor((t % DAY) / HOUR)} h`;
}

/** From start to end, or to now while there is no end. Empty before the start. */
export function span(start: string | undefined, end: string | undefined, now: number): string {
  const from = timeOf(start);
  if (from === undefined) return "";
  return duration((timeOf(end) ?? now) - from);
}

/** "just now", "12 s ago", "in 5 m". */
export function relative(text: string | undefined, now: number): string {
  const at = timeOf(text);
  if (at === undefined) return "";
  const delta = now - at;
  const size = Math.abs(delta);
  if (size < 2 * SECOND) return "just now";
  const words = coarse(size);
  return delta > 0 ? `${words} ago` : `in ${words}`;
}

function coarse(ms: number): string {
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
  if (ms < DAY) return `${Math.floor(ms / HOUR)} h`;
  return `${Math.floor(ms / DAY)} d`;
}

const dateTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

export function absolute(text: string | undefined): string {
  const at = timeOf(text);
  return at === undefined ? "" : dateTime.format(at);
}

/** "14:03:22.118" in local time: for log lines. */
export function clock(ms: number): string {
  const d = new Date(ms);
  return `${pad(d.getHours())}:${pad(d.getMinutes())}:${pad(d.getSeconds())}.${String(d.getMilliseconds()).padStart(3, "0")}`;
}

function pad(n: number): string {
  return String(n).padStart(2, "0");
}

const UNITS: Record<string, number> = { ms: 1, s: SECOND, m: MINUTE, h: HOUR, d: DAY };

/** Milliseconds of a duration as plans write it ("250ms", "5s", "10m"), or undefined. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text.trim());
  if (!match) return undefined;
  return Number(match[1]) * (UNITS[match[2] ?? ""] ?? NaN);
}
