// SPDX-License-Identifier: Apache-2.0
// The services as this browser sees them: each is asked something small that only it can answer.
import { api, fetchChecked, toApiError } from "../../api/client.ts";
import { Resource } from "../../api/resource.svelte.ts";
import type { Sink, Worker } from "../../api/types.ts";
import { duration } from "../../format/time.ts";

export interface Service {
  name: string;
  does: string;
  /** Empty: it answers. */
  error: string;
  ms: number;
  version: string;
}

const WORKERS_MAX = 500;

async function timed(name: string, does: string, ask: () => Promise<string>): Promise<Service> {
  const start = performance.now();
  try {
    const version = await ask();
    return { name, does, error: "", ms: Math.max(1, Math.round(performance.now() - start)), version };
  } catch (error) {
    return { name, does, error: toApiError(error).message, ms: 0, version: "" };
  }
}

export class Health {
  services = $state.raw<Service[]>([]);
  workers = $state.raw<Worker[]>([]);
  readonly sinks = new Resource<{ sinks: Sink[] }>();
  private readonly abort = new AbortController();
  private version: string | undefined;

  async ask(): Promise<void> {
    const { signal } = this.abort;
    const services = await Promise.all([
      timed("Gateway", "this interface, the HTTP API", async () => {
        await (await fetchChecked("/readyz", { signal })).text(); // read, or the connection stays taken
        return this.apiVersion(signal);
      }),
      timed("Controller", "plans, runs, tasks, queues", async () => {
        this.workers = (await api.get("/api/v1/workers", { query: { pageSize: WORKERS_MAX }, signal })).workers;
        return "";
      }),
      timed("Logger", "logs, history, sinks", async () => {
        await this.sinks.load((inner) => api.get("/api/v1/sinks", { signal: inner }));
        if (this.sinks.error) throw this.sinks.error;
        return "";
      }),
    ]);
    if (!signal.aborted) this.services = services;
  }

  stop(): void {
    this.abort.abort();
    this.sinks.stop();
  }

  /** The description of the API says its version, which is the gateway's; asked for once. */
  private async apiVersion(signal: AbortSignal): Promise<string> {
    if (this.version === undefined) {
      const response = await fetchChecked("/api/v1/openapi.json", { signal });
      this.version = ((await response.json()) as { info?: { version?: string } }).info?.version ?? "";
    }
    return this.version;
  }
}

/** Connected workers by version. */
export function versionsOf(workers: readonly Worker[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const worker of workers) if (worker.state === "WORKER_STATE_CONNECTED") counts.set(worker.version, (counts.get(worker.version) ?? 0) + 1);
  return [...counts].sort();
}

export function lagOf(sink: Sink): string {
  return sink.lagSeconds > 0 ? duration(sink.lagSeconds * 1000) : "nothing";
}
