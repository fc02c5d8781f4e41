// SPDX-License-Identifier: Apache-2.0
// When each step of a run waited, ran and was tried again: from the run's history, and from the tasks where the history is behind.
import type { HistoryEvent } from "../api/types.ts";
import { duration, timeOf } from "../format/time.ts";
import { word } from "../format/state.ts";
import type { StepView } from "../live/run.ts";

/** What a bar stands for: waiting for its turn, waiting to be tried again, or an attempt by how it ended ("running": not yet). */
export type BarKind = "queued" | "retrying" | "running" | "succeeded" | "failed" | "cancelled" | "lost";

export interface Bar {
  kind: BarKind;
  from: number;
  /** Undefined: it goes on. */
  to: number | undefined;
  /** 0: no attempt. */
  attempt: number;
}

export interface TimelineRow {
  step: string;
  bars: Bar[];
}

const WAITS: readonly BarKind[] = ["queued", "retrying"];
const ENDED = new Set(["succeeded", "failed", "cancelled"]);

class RowMaker {
  readonly bars: Bar[] = [];
  private dueAt: number | undefined;

  private get open(): Bar | undefined {
    const last = this.bars.at(-1);
    return last && last.to === undefined ? last : undefined;
  }

  /** Ends the open bar; a backoff is over when it is due, and from then on it is the queue that is waited for. */
  close(at: number, kind?: BarKind): void {
    const bar = this.open;
    if (!bar) return;
    if (kind && !WAITS.includes(bar.kind)) bar.kind = kind;
    bar.to = Math.max(bar.from, at);
    const due = this.dueAt;
    this.dueAt = undefined;
    if (bar.kind !== "retrying" || due === undefined || due >= bar.to) return;
    this.bars.push({ kind: "queued", from: due, to: bar.to, attempt: 0 });
    bar.to = due;
  }

  begin(kind: BarKind, from: number, attempt = 0, dueAt?: number): void {
    this.close(from);
    this.bars.push({ kind, from, to: undefined, attempt });
    this.dueAt = dueAt;
  }

  take(event: HistoryEvent, at: number): void {
    switch (event.kind) {
      case "EVENT_KIND_TASK_SUBMITTED":
        return this.begin("queued", at);
      case "EVENT_KIND_TASK_STARTED":
        return this.begin("running", at, event.attempt);
      case "EVENT_KIND_TASK_RETRYING":
        this.close(at, "failed");
        return this.begin("retrying", at, 0, timeOf(event.dueAt));
      case "EVENT_KIND_ATTEMPT_CLOSED":
        this.close(at, "lost");
        return this.begin("queued", at);
      case "EVENT_KIND_TASK_FINISHED":
        return this.close(at, ENDED.has(event.state) ? (event.state as BarKind) : undefined);
      default:
    }
  }

  /** What the task says and the history does not yet. */
  catchUp(step: StepView): void {
    const task = step.task;
    if (!task) return;
    const state = word(step.state);
    const started = timeOf(task.startedAt);
    const finished = timeOf(task.finishedAt);
    if (this.bars.length === 0 && timeOf(task.createdAt) !== undefined && started !== undefined) this.begin("queued", timeOf(task.createdAt) ?? 0);
    if (started !== undefined && task.attempt > this.lastAttempt()) this.begin("running", started, task.attempt);
    if (finished !== undefined) this.close(finished, ENDED.has(state) ? (state as BarKind) : undefined);
  }

  private lastAttempt(): number {
    return this.bars.reduce((most, bar) => Math.max(most, bar.attempt), 0);
  }
}

/** A row for each step, in the order of the steps. */
export function timelineOf(steps: readonly StepView[], events: readonly HistoryEvent[]): TimelineRow[] {
  const makers = new Map<string, RowMaker>();
  for (const step of steps) makers.set(step.id, new RowMaker());
  for (const event of events) {
    const at = timeOf(event.time);
    if (event.step && at !== undefined) makers.get(event.step)?.take(event, at);
  }
  return steps.map((step) => {
    const maker = makers.get(step.id) as RowMaker;
    maker.catchUp(step);
    return { step: step.id, bars: maker.bars };
  });
}

/** The first and the last moment of all rows; `now` where something goes on. */
export function extent(rows: readonly TimelineRow[], now: number): [number, number] | undefined {
  let from = Infinity;
  let to = -Infinity;
  for (const { bars } of rows)
    for (const bar of bars) {
      from = Math.min(from, bar.from);
      to = Math.max(to, bar.to ?? now);
    }
  return from === Infinity ? undefined : [from, Math.max(to, from + 1)];
}

/** A row in words: "queued 20 ms, attempt 1 failed after 1.0 s, backoff 1.0 s, attempt 2 succeeded after 30 ms". */
export function sayRow(row: TimelineRow, now: number): string {
  const words = row.bars.map((bar) => {
    const took = duration((bar.to ?? now) - bar.from);
    if (bar.kind === "queued") return `queued ${took}`;
    if (bar.kind === "retrying") return `backoff ${took}`;
    return bar.kind === "running" ? `attempt ${bar.attempt} runs for ${took}` : `attempt ${bar.attempt} ${bar.kind} after ${took}`;
  });
  return words.join(", ") || "not begun";
}

const UNITS_MS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 10e3, 30e3, 60e3, 120e3, 300e3, 600e3, 1800e3, 3600e3, 7200e3, 21600e3, 86400e3, 604800e3];

/** Marks at round times after the start, at most `most` of them. */
export function marks(spanMs: number, most: number): number[] {
  const unit = UNITS_MS.find((size) => spanMs / size <= most) ?? Math.ceil(spanMs / most / 86400e3) * 86400e3;
  const found: number[] = [];
  for (let at = 0; at <= spanMs; at += unit) found.push(at);
  return found;
}
