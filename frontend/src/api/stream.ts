// SPDX-License-Identifier: Apache-2.0
// A server-sent stream that comes back by itself after it broke, from the event after the last one seen. It reads with fetch,
// because EventSource cannot tell a refusal (401, 404) from a lost connection. A hidden tab gives its connection back after a
// while: over HTTP/1.1 a browser has only six of them for a server.
import { type ApiError, fetchChecked, toApiError, urlOf } from "./client.ts";
import { type ServerEvent, SseParser } from "./sse.ts";

const BACKOFF_FIRST_MS = 500;
const BACKOFF_FACTOR = 1.6;
const BACKOFF_MAX_MS = 10_000;
const HIDDEN_CLOSE_MS = 20_000;
const REFUSED = [400, 401, 403, 404, 410];

export type StreamState = { kind: "opening" } | { kind: "open" } | { kind: "waiting"; untilMs: number } | { kind: "closed" };

export interface StreamHandlers {
  onEvent(event: ServerEvent): void;
  onState?(state: StreamState): void;
  /** The server refused for good, or told an error. */
  onError?(error: ApiError): void;
  onEnd?(): void;
}

export class LiveStream {
  private readonly url: string;
  private readonly handlers: StreamHandlers;
  private lastId = "";
  private attempt = 0;
  private abort: AbortController | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private hiddenTimer: ReturnType<typeof setTimeout> | undefined;
  private done = false;
  private readonly onVisibility = (): void => this.visibilityChanged();

  constructor(url: string, handlers: StreamHandlers) {
    this.url = url;
    this.handlers = handlers;
    document.addEventListener("visibilitychange", this.onVisibility);
    void this.connect();
  }

  close(): void {
    if (this.done) return;
    this.done = true;
    document.removeEventListener("visibilitychange", this.onVisibility);
    clearTimeout(this.timer);
    clearTimeout(this.hiddenTimer);
    this.abort?.abort();
    this.handlers.onState?.({ kind: "closed" });
  }

  private visibilityChanged(): void {
    clearTimeout(this.hiddenTimer);
    if (document.hidden) {
      this.hiddenTimer = setTimeout(() => {
        clearTimeout(this.timer);
        this.abort?.abort();
        this.abort = undefined;
      }, HIDDEN_CLOSE_MS);
    } else if (!this.abort) {
      clearTimeout(this.timer);
      void this.connect();
    }
  }

  private async connect(): Promise<void> {
    const abort = new AbortController();
    this.abort = abort;
    this.handlers.onState?.({ kind: "opening" });
    try {
      const headers: Record<string, string> = { Accept: "text/event-stream" };
      if (this.lastId) headers["Last-Event-ID"] = this.lastId;
      const response = await fetchChecked(urlOf(this.url), { headers, signal: abort.signal, cache: "no-store" });
      this.attempt = 0;
      this.handlers.onState?.({ kind: "open" });
      if (response.body) await this.read(response.body, abort);
    } catch (error) {
      if (abort.signal.aborted) return;
      const problem = toApiError(error);
      if (REFUSED.includes(problem.status)) {
        this.close();
        this.handlers.onError?.(problem);
        return;
      }
    }
    if (!this.done && !abort.signal.aborted) this.reconnectLater();
  }

  private async read(body: ReadableStream<Uint8Array>, abort: AbortController): Promise<void> {
    const parser = new SseParser();
    const decoder = new TextDecoder();
    const reader = body.getReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (done || abort.signal.aborted) return;
      for (const event of parser.feed(decoder.decode(value, { stream: true }))) {
        if (event.id) this.lastId = event.id;
        if (event.event === "end") {
          this.close();
          this.handlers.onEnd?.();
          return;
        }
        if (event.event !== "error") this.handlers.onEvent(event);
      }
    }
  }

  private reconnectLater(): void {
    const base = Math.min(BACKOFF_FIRST_MS * BACKOFF_FACTOR ** this.attempt++, BACKOFF_MAX_MS);
    const delay = base * (0.8 + Math.random() * 0.4);
    this.abort = undefined;
    this.handlers.onState?.({ kind: "waiting", untilMs: Date.now() + delay });
    if (document.hidden) return; // the tab's return will connect
    this.timer = setTimeout(() => void this.connect(), delay);
  }
}
