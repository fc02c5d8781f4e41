// SPDX-License-Identifier: Apache-2.0
// The address of the page: path and query as state, links without reloads, scroll positions kept by the browser's history.

class Location {
  path = $state(window.location.pathname);
  query = $state.raw(new URLSearchParams(window.location.search));
  /** Asked before the address changes; false keeps the page (e.g. a form with unsaved changes). */
  guard: (() => boolean) | undefined;

  constructor() {
    window.addEventListener("popstate", () => {
      if (this.allowed()) this.read();
      else history.go(1);
    });
    window.addEventListener("beforeunload", (event) => {
      if (this.guard && !this.guard()) event.preventDefault();
    });
    document.addEventListener("click", (event) => this.followLink(event));
  }

  /** Goes to an address of this site. */
  go(url: string, options: { replace?: boolean } = {}): void {
    if (!this.allowed()) return;
    if (options.replace) history.replaceState(null, "", url);
    else history.pushState(null, "", url);
    const before = this.path;
    this.read();
    if (before !== this.path) window.scrollTo(0, 0);
  }

  /** Changes parts of the query; empty values are left out. */
  setQuery(changes: Record<string, string>, options: { replace?: boolean } = {}): void {
    const query = new URLSearchParams(this.query);
    for (const [name, value] of Object.entries(changes)) {
      if (value) query.set(name, value);
      else query.delete(name);
    }
    if (query.toString() === this.query.toString()) return;
    const url = query.size ? `${this.path}?${query}` : this.path;
    if (options.replace ?? true) history.replaceState(null, "", url);
    else history.pushState(null, "", url);
    this.query = query;
  }

  private allowed(): boolean {
    if (!this.guard || this.guard()) return true;
    return window.confirm("Leave this page? What you changed here is not saved.");
  }

  private read(): void {
    this.guard = undefined;
    this.path = window.location.pathname;
    this.query = new URLSearchParams(window.location.search);
  }

  private followLink(event: MouseEvent): void {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (!(link instanceof HTMLAnchorElement) || link.target || link.hasAttribute("download")) return;
    if (link.origin !== window.location.origin || /^\/(api|login)(\/|$)/.test(link.pathname)) return;
    if (link.hash && link.pathname === window.location.pathname) return;
    event.preventDefault();
    this.go(link.pathname + link.search);
  }
}

export const location = new Location();
