// SPDX-License-Identifier: Apache-2.0
import type { HistoryEvent } from "../../api/types.ts";
import { duration, timeOf } from "../../format/time.ts";

const WORDS: Record<string, string> = {
  TASK_SUBMITTED: "submitted",
  TASK_STARTED: "started",
  TASK_FINISHED: "finished",
  TASK_RETRYING: "failed, will be tried again",
  ATTEMPT_CLOSED: "attempt closed without a result",
  TASK_CANCEL_REQUESTED: "cancel requested",
  STALE_RESULT: "a late result was refused",
  RUN_STARTED: "run started",
  RUN_FINISHED: "run finished",
  RUN_CANCEL_REQUESTED: "cancel of the run requested",
  RUN_PAUSED: "run paused",
  RUN_RESUMED: "run resumed",
};

/** An event in words: "failed, will be tried again in 1.0 s: EXIT_STATUS: exit status 3". */
export function sayEvent(event: HistoryEvent): string {
  const kind = event.kind.replace("EVENT_KIND_", "");
  let text = kind === "TASK_FINISHED" && event.state ? event.state : (WORDS[kind] ?? kind.toLowerCase().replaceAll("_", " "));
  const at = timeOf(event.time);
  const due = timeOf(event.dueAt);
  if (due !== undefined && at !== undefined && due > at) text += ` in ${duration(due - at)}`;
  if (event.actor && /CANCEL|PAUSED|RESUMED/.test(kind)) text += ` by ${event.actor}`;
  const why = event.failure?.code ? `${event.failure.code}: ${event.failure.message}` : event.reason;
  return why ? `${text} (${why})` : text;
}
