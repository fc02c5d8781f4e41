// SPDX-License-Identifier: Apache-2.0
// What the run page holds open: the run's structure (asked for once), the stream of its events and the stream of its log.
import { createSubscriber } from "svelte/reactivity";
import { api, type ApiError, toApiError } from "../api/client.ts";
import { LiveStream } from "../api/stream.ts";
import type { LogLines, Run, RunUpdate, Task } from "../api/types.ts";
import { LogBuffer } from "../log/buffer.ts";
import { connection } from "./connection.svelte.ts";
import { RunStore, type StepView } from "./run.ts";

/** Log lines are shown at most so often. */
const LOG_DRAW_MS = 40;

export class RunSession {
  readonly id: string;
  readonly buffer = new LogBuffer();
  error = $state.raw<ApiError>();
  logError = $state.raw<ApiError>();
  /** The log is whole: its stream has ended. */
  logComplete = $state(false);
  private readonly store = new RunStore();
  private readonly watchRun = createSubscriber((update) => this.store.subscribe(update));
  private logDrawer: (() => void) | undefined;
  private logTimer: ReturnType<typeof setTimeout> | undefined;
  private readonly watchLog = createSubscriber((update) => {
    this.logDrawer = update;
    return () => (this.logDrawer = undefined);
  });
  private readonly streams: LiveStream[];
  private readonly abort = new AbortController();

  constructor(id: string) {
    this.id = id;
    const path = `/api/v1/runs/${encodeURIComponent(id)}`;
    api
      .get("/api/v1/runs/{id}/graph", { path: { id }, signal: this.abort.signal })
      .then((graph) => this.store.setGraph(graph.steps), (error: unknown) => this.fail(error));
    this.streams = [
      new LiveStream(`${path}/events`, {
        onEvent: (event) => this.store.apply({ eventId: event.id, ...(JSON.parse(event.data) as object) } as RunUpdate),
        onState: (state) => connection.note("events", state),
        onError: (error) => this.fail(error),
      }),
      new LiveStream(`${path}/logs`, {
        onEvent: (event) => this.takeLines(JSON.parse(event.data) as LogLines),
        onState: (state) => connection.note("log", state),
        onError: (error) => (this.logError = error),
        onEnd: () => (this.logComplete = true),
      }),
    ];
  }

  get run(): Run | undefined {
    this.watchRun();
    return this.store.run;
  }

  get steps(): StepView[] {
    this.watchRun();
    return this.store.steps();
  }

  get counts(): ReturnType<RunStore["counts"]> {
    this.watchRun();
    return this.store.counts();
  }

  /** Lines in the buffer; reading it subscribes to its growth. */
  get lines(): number {
    this.watchLog();
    return this.buffer.length;
  }

  /** The whole task, with its parameters and result: for a step that somebody opened. */
  async fetchTask(id: string): Promise<Task> {
    const task = await api.get("/api/v1/tasks/{id}", { path: { id } });
    this.store.setTask(task);
    return task;
  }

  /** Asks for the run as it is now; what fails is left to the stream. */
  async fetchRun(): Promise<void> {
    const run = await api.get("/api/v1/runs/{id}", { path: { id: this.id }, signal: this.abort.signal }).catch(() => undefined);
    if (run) this.store.setRun(run);
  }

  stop(): void {
    this.abort.abort();
    clearTimeout(this.logTimer);
    for (const stream of this.streams) stream.close();
  }

  private fail(error: unknown): void {
    if (!this.abort.signal.aborted) this.error = toApiError(error);
  }

  private takeLines(lines: LogLines): void {
    this.buffer.append(lines.lines);
    this.logTimer ??= setTimeout(() => {
      this.logTimer = undefined;
      this.logDrawer?.();
    }, LOG_DRAW_MS);
  }
}
