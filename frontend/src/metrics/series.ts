// SPDX-License-Identifier: Apache-2.0
// Metrics from log lines such as {"metric": {"loss": 0.1, "eval": {"acc": 0.9}}}: a series for each number, by step.
import type { Point } from "../chart/scale.ts";
import type { LogBuffer } from "../log/buffer.ts";

const SERIES_MAX = 60;
const DEPTH_MAX = 8;

export interface Series {
  step: string;
  /** "eval/acc" for a number in an object. */
  name: string;
  /** The newest attempt that has said something: only its values are kept. */
  attempt: number;
  /** x is the time in Unix milliseconds. */
  points: Point[];
}

/** The numbers of a line, by path; undefined when it is not a metric line. */
export function metricsOf(text: string): [string, number][] | undefined {
  if (!text.startsWith("{") || !text.includes('"metric"')) return undefined;
  let value: unknown;
  try {
    value = (JSON.parse(text) as { metric?: unknown }).metric;
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const found: [string, number][] = [];
  flatten(value, "", 0, found);
  return found;
}

function flatten(value: object, prefix: string, depth: number, found: [string, number][]): void {
  for (const [name, part] of Object.entries(value)) {
    if (typeof part === "number" && Number.isFinite(part)) found.push([prefix + name, part]);
    else if (typeof part === "object" && part !== null && !Array.isArray(part) && depth < DEPTH_MAX) flatten(part as object, `${prefix}${name}/`, depth + 1, found);
  }
}

export class MetricBook {
  /** Numbers that were left out because there are too many names. */
  left = 0;
  private readonly byKey = new Map<string, Series>();
  private seen = 0;
  private dropped = 0;

  /** Takes in what the buffer got since the last time; the values already taken stay when the buffer drops its oldest lines. */
  update(buffer: LogBuffer): void {
    if (buffer.dropped !== this.dropped) {
      this.seen = Math.max(0, this.seen - (buffer.dropped - this.dropped));
      this.dropped = buffer.dropped;
    }
    for (; this.seen < buffer.length; this.seen++) {
      const line = buffer.line(this.seen);
      for (const [name, value] of metricsOf(line.text) ?? []) this.add(line.step, name, line.attempt, { x: line.time, y: value });
    }
  }

  private add(step: string, name: string, attempt: number, point: Point): void {
    const key = `${step}\n${name}`;
    let series = this.byKey.get(key);
    if (!series) {
      if (this.byKey.size >= SERIES_MAX) {
        this.left++;
        return;
      }
      series = { step, name, attempt, points: [] };
      this.byKey.set(key, series);
    }
    if (attempt < series.attempt) return;
    if (attempt > series.attempt) {
      series.attempt = attempt;
      series.points = [];
    }
    series.points.push(point);
  }

  /** In order of their first values; of one step or of all. */
  list(step = ""): Series[] {
    return [...this.byKey.values()].filter((series) => !step || series.step === step);
  }
}
