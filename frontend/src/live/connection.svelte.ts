// SPDX-License-Identifier: Apache-2.0
// What the page knows about its server: reachable or not, signed in or not, live streams open or coming back.
import { observe } from "../api/client.ts";
import type { StreamState } from "../api/stream.ts";

class Connection {
  signedOut = $state(false);
  reachable = $state(true);
  /** Streams of this page by name. */
  private streams = $state<Record<string, StreamState>>({});

  constructor() {
    observe({
      reached: (ok) => {
        this.reachable = ok;
      },
      signedOut: () => {
        this.signedOut = true;
      },
    });
    window.addEventListener("offline", () => {
      this.reachable = false;
    });
    window.addEventListener("online", () => {
      this.reachable = true;
    });
  }

  note(stream: string, state: StreamState): void {
    if (state.kind === "closed") delete this.streams[stream];
    else this.streams[stream] = state;
  }

  /** When the first of the broken streams comes back, or undefined. */
  readonly retryAt = $derived.by(() => {
    let at: number | undefined;
    for (const state of Object.values(this.streams))
      if (state.kind === "waiting" && (at === undefined || state.untilMs < at)) at = state.untilMs;
    return at;
  });
  readonly live = $derived(Object.values(this.streams).some((state) => state.kind === "open"));
}

export const connection = new Connection();
