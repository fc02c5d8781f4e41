// SPDX-License-Identifier: Apache-2.0
// Why a run or a step waits, kept fresh: streams tell changes of state, and a reason can change without one.
import type { Run } from "../../api/types.ts";
import { word } from "../../format/state.ts";
import type { StepView } from "../../live/run.ts";
import type { RunSession } from "../../live/session.svelte.ts";

const ASK_AGAIN_MS = 3000;
const WAITING = new Set(["pending", "ready", "retrying", "queued", "paused", "waiting"]);

export const waits = (state: string): boolean => WAITING.has(word(state));

/** The reason for a step; for one that has no task yet: the steps that it needs. */
export function stepWaitsFor(step: StepView, steps: readonly StepView[]): string {
  if (!waits(step.state)) return "";
  if (step.task?.waitingFor) return step.task.waitingFor;
  const done = new Set(steps.filter((other) => other.state === "TASK_STATE_SUCCEEDED").map((other) => other.id));
  const open = step.needs.filter((need) => !done.has(need));
  return step.task?.id || open.length === 0 ? "" : `needs ${open.length === 1 ? "step" : "steps"} ${open.join(", ")}`;
}

/** To be called in an effect: asks for the run again and again while it waits. */
export function askForRun(session: RunSession, run: Run | undefined, running: number): (() => void) | undefined {
  if (!run || running > 0 || !(run.waitingFor || waits(run.state))) return undefined;
  const timer = setInterval(() => !document.hidden && void session.fetchRun(), ASK_AGAIN_MS);
  return () => clearInterval(timer);
}

/** The same for a step's task. */
export function askForTask(session: RunSession, taskId: string, state: string): (() => void) | undefined {
  if (!taskId || !waits(state)) return undefined;
  const ask = (): void => void session.fetchTask(taskId).catch(() => undefined);
  const timer = setInterval(() => !document.hidden && ask(), ASK_AGAIN_MS);
  return () => clearInterval(timer);
}
