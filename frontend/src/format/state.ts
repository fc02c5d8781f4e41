// SPDX-License-Identifier: Apache-2.0
// States of runs, tasks and workers: their word, their colour token and their icon. Never colour alone.
import type { RunState, TaskState } from "../api/types.ts";

export type Look =
  | "queued"
  | "pending"
  | "running"
  | "succeeded"
  | "failed"
  | "cancelled"
  | "skipped"
  | "retrying"
  | "waiting"
  | "paused";

const LOOKS = new Set<string>([
  "queued", "pending", "running", "succeeded", "failed", "cancelled", "skipped", "retrying", "waiting", "paused",
]);

/** The lower-case tail of an enum's name: TASK_STATE_SUCCEEDED is "succeeded". */
export function word(state: string): string {
  return state.replace(/^[A-Z]+_STATE_/, "").toLowerCase();
}

export function lookOf(state: string): Look {
  const name = word(state);
  if (name === "ready") return "queued";
  return LOOKS.has(name) ? (name as Look) : "pending";
}

/** What people read: a task in state ready waits in its queue. */
export function label(state: string): string {
  const name = word(state);
  if (name === "unspecified") return "unknown";
  return name === "ready" ? "queued" : name;
}

/** The CSS variable of a look's colour. */
export function colourOf(look: Look): string {
  if (look === "pending" || look === "skipped" || look === "queued") return "--queued";
  if (look === "paused") return "--waiting";
  return `--${look}`;
}

const TERMINAL = new Set(["succeeded", "failed", "cancelled", "skipped"]);

export function isTerminal(state: RunState | TaskState): boolean {
  return TERMINAL.has(word(state));
}
