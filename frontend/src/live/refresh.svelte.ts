// SPDX-License-Identifier: Apache-2.0
// Lists that the server has no stream for are asked for again and again while somebody looks.

/** To be called in an effect: calls at once, then every `everyMs` while the tab is seen. Returns what ends it. */
export function refresh(load: () => void, everyMs: number): () => void {
  load();
  const timer = setInterval(() => !document.hidden && load(), everyMs);
  return () => clearInterval(timer);
}
