// SPDX-License-Identifier: Apache-2.0
// What the overview shows, gathered from the lists of the API. Numbers of tasks are exact (queues count them); what is drawn from lists
// is of their newest entries, and says so.
import { api } from "../../api/client.ts";
import { Resource } from "../../api/resource.svelte.ts";
import type { Queue, Run, Task, Worker } from "../../api/types.ts";
import { histogram } from "../../chart/scale.ts";
import { timeOf } from "../../format/time.ts";
import { groupTasks, type TopReason, topReasons } from "../../waiting/groups.ts";

const RUNS_MAX = 8;
const FAILED_MAX = 50;
const WAITING_MAX = 200;
const GROUPS_MAX = 6;
const FINISHED_MAX = 500;
const WINDOW_MS = 3_600_000;
const WINDOW_MIN_MS = 60_000;
const BARS = 60;
const LIST_MAX = 500;

type Signal = AbortSignal;

export interface Throughput {
  counts: number[];
  total: number;
  windowMs: number;
}

/** Tasks that finished, in equal stretches of the last hour, or of the time that a full list reaches back. */
export function throughputOf(tasks: readonly Task[], full: boolean, now: number): Throughput {
  const times = tasks.map((task) => timeOf(task.finishedAt)).filter((time) => time !== undefined);
  const oldest = Math.min(now, ...tasks.map((task) => timeOf(task.createdAt) ?? now));
  const windowMs = full ? Math.min(WINDOW_MS, Math.max(WINDOW_MIN_MS, now - oldest)) : WINDOW_MS;
  const counts = histogram(times, now - windowMs, now + 1, BARS);
  return { counts, total: counts.reduce((sum, count) => sum + count, 0), windowMs };
}

/** Failed runs that nobody has run again yet come first in what they ask for: those that were are left out. */
export function unattended(failed: readonly Run[], newest: readonly Run[]): Run[] {
  const repeated = new Set(newest.map((run) => run.rerunOf).filter(Boolean));
  return failed.filter((run) => !repeated.has(run.id));
}

async function activeRuns(signal: Signal): Promise<Run[]> {
  const states = ["RUN_STATE_RUNNING", "RUN_STATE_PAUSED", "RUN_STATE_QUEUED", "RUN_STATE_WAITING"] as const;
  const pages = await Promise.all(states.map((state) => api.get("/api/v1/runs", { query: { state, pageSize: RUNS_MAX }, signal })));
  return pages.flatMap((page) => page.runs);
}

async function failures(signal: Signal): Promise<Run[]> {
  const [failed, newest] = await Promise.all([
    api.get("/api/v1/runs", { query: { state: "RUN_STATE_FAILED", pageSize: FAILED_MAX }, signal }),
    api.get("/api/v1/runs", { query: { pageSize: FAILED_MAX }, signal }),
  ]);
  return unattended(failed.runs, newest.runs);
}

async function reasons(signal: Signal): Promise<TopReason[]> {
  const query = { pageSize: WAITING_MAX, includeSteps: true };
  const pages = await Promise.all(
    (["TASK_STATE_READY", "TASK_STATE_RETRYING"] as const).map((state) => api.get("/api/v1/tasks", { query: { ...query, state }, signal })),
  );
  const groups = pages.flatMap((page) => groupTasks(page.tasks, GROUPS_MAX));
  const asked = await Promise.all(
    groups.map(async (group) => {
      const task = await api.get("/api/v1/tasks/{id}", { path: { id: group.oldest.id }, signal });
      return { group, waitingFor: task.waitingFor };
    }),
  );
  return topReasons(asked);
}

async function throughput(signal: Signal): Promise<Throughput> {
  const { tasks } = await api.get("/api/v1/tasks", { query: { pageSize: FINISHED_MAX, includeSteps: true }, signal });
  return throughputOf(tasks, tasks.length === FINISHED_MAX, Date.now());
}

export class Overview {
  readonly active = new Resource<Run[]>();
  readonly failed = new Resource<Run[]>();
  readonly queues = new Resource<{ queues: Queue[] }>();
  readonly workers = new Resource<{ workers: Worker[] }>();
  readonly reasons = new Resource<TopReason[]>();
  readonly throughput = new Resource<Throughput>();
  /** Has anything ever run? Asked for once. */
  readonly any = new Resource<{ runs: Run[] }>();

  begin(): void {
    void this.any.load((signal) => api.get("/api/v1/runs", { query: { pageSize: 1 }, signal }));
  }
  /** What changes by the second. */
  often(): void {
    void this.active.load(activeRuns);
    void this.queues.load((signal) => api.get("/api/v1/queues", { query: { pageSize: LIST_MAX }, signal }));
    void this.workers.load((signal) => api.get("/api/v1/workers", { query: { pageSize: LIST_MAX }, signal }));
  }
  /** What costs more to ask for. */
  seldom(): void {
    void this.failed.load(failures);
    void this.reasons.load(reasons);
    void this.throughput.load(throughput);
  }
  stop(): void {
    for (const part of [this.active, this.failed, this.queues, this.workers, this.reasons, this.throughput, this.any]) part.stop();
  }
}
