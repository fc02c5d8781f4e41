// SPDX-License-Identifier: Apache-2.0
// Single-key shortcuts. They are quiet while somebody types or a dialog is open, and can be switched off.
import { untrack } from "svelte";

export interface Shortcut {
  keys: string;
  says: string;
  act: (event: KeyboardEvent) => void;
}

const SEQUENCE_MS = 1000;
const STORE = "plankton.keys";

class Keys {
  enabled = $state(read());
  groups = $state.raw<{ name: string; shortcuts: Shortcut[] }[]>([]);
  private first = "";
  private firstAt = 0;

  constructor() {
    document.addEventListener("keydown", (event) => this.press(event));
  }

  /** Adds shortcuts; returns what removes them (for $effect). */
  add(name: string, shortcuts: Shortcut[]): () => void {
    const group = { name, shortcuts };
    untrack(() => (this.groups = [...this.groups, group]));
    return () => {
      this.groups = this.groups.filter((other) => other !== group);
    };
  }

  setEnabled(on: boolean): void {
    this.enabled = on;
    try {
      localStorage.setItem(STORE, on ? "on" : "off");
    } catch {
      // No storage: until the page is loaded again.
    }
  }

  private press(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return;
    if (!this.enabled && event.key !== "Escape") return;
    const pair = Date.now() - this.firstAt < SEQUENCE_MS ? `${this.first} ${event.key}` : "";
    const found = (pair && this.find(pair)) || this.find(event.key);
    this.first = event.key;
    this.firstAt = Date.now();
    if (!found) return;
    event.preventDefault();
    this.first = "";
    found.act(event);
  }

  private find(keys: string): Shortcut | undefined {
    for (const group of [...this.groups].reverse()) {
      const found = group.shortcuts.find((shortcut) => shortcut.keys.split(" / ").includes(keys));
      if (found) return found;
    }
    return undefined;
  }
}

function read(): boolean {
  try {
    return localStorage.getItem(STORE) !== "off";
  } catch {
    return true;
  }
}

function isTyping(event: KeyboardEvent): boolean {
  if (document.querySelector("dialog[open]")) return true;
  const target = event.target;
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable) return true;
  if (target instanceof HTMLInputElement) return !["checkbox", "radio", "button"].includes(target.type);
  // Enter and the arrows belong to a control that has the focus.
  const own = ["Enter", " ", "ArrowDown", "ArrowUp", "ArrowLeft", "ArrowRight"].includes(event.key);
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement || (own && target.closest("a, button, [role=application]") !== null);
}

export const keys = new Keys();
