// SPDX-License-Identifier: Apache-2.0
// The current time as state, for durations that grow and ages. It ticks only while somebody looks.
import { createSubscriber } from "svelte/reactivity";

class Clock {
  private readonly subscribe = createSubscriber((update) => {
    const timer = setInterval(update, 1000);
    return () => clearInterval(timer);
  });

  get now(): number {
    this.subscribe();
    return Date.now();
  }
}

export const ticking = new Clock();
