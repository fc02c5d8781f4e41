// SPDX-License-Identifier: Apache-2.0
// Many waiting tasks, few reasons: lists carry no reasons, and tasks of one queue and type nearly always wait for the same. So one task
// of each such group is asked, the one that waits longest.
import type { Task } from "../api/types.ts";
import { explain, type Reason } from "./reasons.ts";

export interface WaitingGroup {
  queue: string;
  type: string;
  count: number;
  /** Of the group, the one that waits longest. */
  oldest: Task;
}

/** The largest groups of tasks (newest first) by queue and type. */
export function groupTasks(tasks: readonly Task[], most: number): WaitingGroup[] {
  const groups = new Map<string, WaitingGroup>();
  for (const task of tasks) {
    const key = `${task.queue}\n${task.type}`;
    const group = groups.get(key);
    if (group) {
      group.count++;
      group.oldest = task;
    } else {
      groups.set(key, { queue: task.queue, type: task.type, count: 1, oldest: task });
    }
  }
  return [...groups.values()].sort((a, b) => b.count - a.count).slice(0, most);
}

export interface TopReason {
  reason: Reason;
  count: number;
  groups: WaitingGroup[];
}

/** What is a number or a time changes from task to task: the reason stays the same. */
const shape = (words: string): string => words.replace(/; (more than )?\d+ go(es)? before it/, "").replace(/ held by .*| at least \d+|\d{4}-\d\d-\d\dT\S+/g, "");

/** Groups with the same reason as one; those that need a person first, then the largest. */
export function topReasons(asked: readonly { group: WaitingGroup; waitingFor: string | undefined }[]): TopReason[] {
  const found = new Map<string, TopReason>();
  for (const { group, waitingFor } of asked) {
    const reason = explain(waitingFor);
    if (!reason) continue;
    const known = found.get(shape(reason.words));
    if (known) {
      known.count += group.count;
      known.groups.push(group);
    } else {
      found.set(shape(reason.words), { reason, count: group.count, groups: [group] });
    }
  }
  return [...found.values()].sort((a, b) => Number(b.reason.stuck) - Number(a.reason.stuck) || b.count - a.count);
}
