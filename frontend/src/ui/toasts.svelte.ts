// SPDX-License-Identifier: Apache-2.0
// Short messages at the edge of the page, e.g. after something was saved.

const SHOWN_MS = 6000;

class Toasts {
  items = $state<{ id: number; text: string; bad: boolean }[]>([]);
  private last = 0;

  add(text: string, bad = false): void {
    const id = ++this.last;
    this.items.push({ id, text, bad });
    setTimeout(() => this.remove(id), SHOWN_MS);
  }

  remove(id: number): void {
    this.items = this.items.filter((item) => item.id !== id);
  }
}

export const toasts = new Toasts();
