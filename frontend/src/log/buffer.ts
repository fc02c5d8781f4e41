// SPDX-License-Identifier: Apache-2.0
// The lines of a run's log, in columns: a million of them cost no million objects.
import type { LogLine } from "../api/types.ts";
import { strip } from "./ansi.ts";

export const LINES_MAX = 1_000_000;
const DROP = LINES_MAX / 10;

const STREAMS = ["stdout", "stderr", "system"];
const LEVELS = ["", "debug", "info", "warn", "error"];
const CONTINUED = 1 << 8;
const LATE = 1 << 9;

export interface Line {
  text: string;
  /** Unix milliseconds. */
  time: number;
  step: string;
  stream: string;
  level: string;
  attempt: number;
  late: boolean;
}

export class LogBuffer {
  /** Lines that were dropped from the beginning to bound memory. */
  dropped = 0;
  private texts: string[] = [];
  private times: number[] = [];
  private steps: number[] = [];
  private flags: number[] = [];
  private attempts: number[] = [];
  private stepNames: string[] = [];
  private stepIndex = new Map<string, number>();
  private lastSeq = new Map<string, number>();

  get length(): number {
    return this.texts.length;
  }

  /** Adds lines; those that are there already (after a reconnect) are left out. Returns how many were dropped at the front. */
  append(lines: readonly LogLine[]): number {
    for (const line of lines) {
      const source = `${line.taskId}/${line.attempt}`;
      const seq = Number(line.seq);
      if (seq <= (this.lastSeq.get(source) ?? 0)) continue;
      this.lastSeq.set(source, seq);
      this.texts.push(line.text);
      this.times.push(line.time ? Date.parse(line.time) : 0);
      this.steps.push(this.indexOf(line.step));
      this.attempts.push(line.attempt);
      const stream = Math.max(0, STREAMS.indexOf(line.stream));
      const level = Math.max(0, LEVELS.indexOf(line.level));
      this.flags.push(stream | (level << 4) | (line.continued ? CONTINUED : 0) | (line.late ? LATE : 0));
    }
    if (this.texts.length <= LINES_MAX) return 0;
    for (const column of [this.texts, this.times, this.steps, this.flags, this.attempts]) column.splice(0, DROP);
    this.dropped += DROP;
    return DROP;
  }

  line(i: number): Line {
    const flags = this.flags[i] ?? 0;
    return {
      text: this.texts[i] ?? "",
      time: this.times[i] ?? 0,
      step: this.stepNames[this.steps[i] ?? 0] ?? "",
      stream: STREAMS[flags & 15] ?? "",
      level: LEVELS[(flags >> 4) & 15] ?? "",
      attempt: this.attempts[i] ?? 0,
      late: (flags & LATE) !== 0,
    };
  }

  /** Is the line one that the filter shows? */
  shows(i: number, filter: LogFilter): boolean {
    if (filter.step && this.stepNames[this.steps[i] ?? 0] !== filter.step) return false;
    if (filter.attempt && this.attempts[i] !== filter.attempt) return false;
    const flags = this.flags[i] ?? 0;
    if (filter.stream && STREAMS[flags & 15] !== filter.stream) return false;
    return !filter.level || ((flags >> 4) & 15) >= LEVELS.indexOf(filter.level);
  }

  contains(i: number, needle: string): boolean {
    return strip(this.texts[i] ?? "").toLowerCase().includes(needle);
  }

  private indexOf(step: string): number {
    let index = this.stepIndex.get(step);
    if (index === undefined) {
      index = this.stepNames.push(step) - 1;
      this.stepIndex.set(step, index);
    }
    return index;
  }
}

/** Empty parts let everything through; a level lets worse ones through too. */
export interface LogFilter {
  step: string;
  attempt: number;
  stream: string;
  level: string;
}

export const SHOW_ALL: LogFilter = { step: "", attempt: 0, stream: "", level: "" };
