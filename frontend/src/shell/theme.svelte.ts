// SPDX-License-Identifier: Apache-2.0
// Light, dark, or as the system has it. public/theme.js sets it before the first paint.

export type Theme = "system" | "light" | "dark";
const STORE = "plankton.theme";
const NEXT: Record<Theme, Theme> = { system: "light", light: "dark", dark: "system" };

class ThemeChoice {
  chosen = $state<Theme>(current());
  /** Grows with every change of colours: canvases draw again. */
  changes = $state(0);

  constructor() {
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.changes++);
  }

  next(): void {
    this.set(NEXT[this.chosen]);
  }

  set(theme: Theme): void {
    this.chosen = theme;
    const root = document.documentElement;
    if (this.chosen === "system") delete root.dataset["theme"];
    else root.dataset["theme"] = this.chosen;
    this.changes++;
    try {
      localStorage.setItem(STORE, this.chosen);
    } catch {
      // No storage: until the page is loaded again.
    }
  }
}

function current(): Theme {
  const theme = document.documentElement.dataset["theme"];
  return theme === "light" || theme === "dark" ? theme : "system";
}

export const theme = new ThemeChoice();
