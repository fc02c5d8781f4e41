// SPDX-License-Identifier: Apache-2.0
// Limits of a queue, between the form and the API.
import type { QueueLimits } from "../../api/types.ts";
import { duration, parseDuration } from "../../format/time.ts";

const MOST = 1_000_000;
const PERIOD_MAX_MS = 31 * 24 * 3_600_000;

/** "3600s" of the API in ms. */
export function apiDuration(text: string | undefined): number {
  const seconds = Number(/^(\d+(?:\.\d+)?)s$/.exec(text ?? "")?.[1] ?? 0);
  return Math.round(seconds * 1000);
}

/** As a plan writes it: the largest unit in which it is whole. */
export function planDuration(ms: number): string {
  const units: [number, string][] = [[86_400_000, "d"], [3_600_000, "h"], [60_000, "m"], [1000, "s"], [1, "ms"]];
  const [size, unit] = units.find(([size]) => ms >= size && ms % size === 0) ?? [1, "ms"];
  return `${ms / size}${unit}`;
}

/** "5 at a time, 10 in 1 m 00 s", or "none". */
export function sayLimits(limits: QueueLimits | undefined): string {
  const parts: string[] = [];
  if (limits?.concurrency) parts.push(`${limits.concurrency} at a time`);
  if (limits?.rate?.limit) parts.push(`${limits.rate.limit} in ${duration(apiDuration(limits.rate.per))}`);
  return parts.join(", ") || "none";
}

export interface LimitsForm {
  concurrency: string;
  limit: string;
  per: string;
}

export function formOf(limits: QueueLimits | undefined): LimitsForm {
  return {
    concurrency: limits?.concurrency ? String(limits.concurrency) : "",
    limit: limits?.rate?.limit ? String(limits.rate.limit) : "",
    per: limits?.rate?.limit ? planDuration(apiDuration(limits.rate.per)) : "1m",
  };
}

function whole(text: string): number | undefined {
  const value = Number(text);
  return Number.isInteger(value) && value >= 1 && value <= MOST ? value : undefined;
}

/** The body for the API; empty fields are no limit. */
export function limitsOf(form: LimitsForm): { limits: QueueLimits; problems: Record<string, string> } {
  const limits: QueueLimits = {};
  const problems: Record<string, string> = {};
  if (form.concurrency.trim()) {
    limits.concurrency = whole(form.concurrency);
    if (limits.concurrency === undefined) problems["concurrency"] = "A whole number from 1 to 1,000,000, or empty for no limit.";
  }
  if (!form.limit.trim()) return { limits, problems };
  const limit = whole(form.limit);
  const per = parseDuration(form.per);
  if (limit === undefined) problems["limit"] = "A whole number from 1 to 1,000,000, or empty for no limit.";
  if (!per || per > PERIOD_MAX_MS) problems["per"] = "A time such as 10s, 1m or 1h, at most 31d.";
  else limits.rate = { limit, per: `${per / 1000}s` };
  return { limits, problems };
}
