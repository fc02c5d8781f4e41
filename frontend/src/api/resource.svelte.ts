// SPDX-License-Identifier: Apache-2.0
// One thing fetched from the server: its data, whether it is being fetched, and what went wrong. Old data stays while new comes.
import { type ApiError, toApiError } from "./client.ts";

export class Resource<T> {
  data = $state.raw<T | undefined>(undefined);
  error = $state.raw<ApiError | undefined>(undefined);
  loading = $state(false);
  private abort: AbortController | undefined;

  /** Fetches; an older fetch of this resource is given up. */
  async load(fetcher: (signal: AbortSignal) => Promise<T>): Promise<void> {
    this.abort?.abort();
    const abort = new AbortController();
    this.abort = abort;
    this.loading = true;
    try {
      const data = await fetcher(abort.signal);
      if (abort.signal.aborted) return;
      this.data = data;
      this.error = undefined;
    } catch (error) {
      if (abort.signal.aborted) return;
      this.error = toApiError(error);
    }
    this.loading = false;
  }

  reset(): void {
    this.abort?.abort();
    this.data = undefined;
    this.error = undefined;
    this.loading = false;
  }

  stop(): void {
    this.abort?.abort();
  }
}
