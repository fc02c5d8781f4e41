// SPDX-License-Identifier: Apache-2.0
// What differs between two texts, line by line (Myers' algorithm), and how to show it.

export type DiffKind = "same" | "removed" | "added";

export interface DiffRow {
  kind: DiffKind;
  /** Line numbers from 1 in the old and the new text; 0 where the line is not in it. */
  a: number;
  b: number;
  text: string;
}

/** Beyond so many changes the middle is shown as replaced: the trace below would take too much memory. */
const EDITS_MAX = 2000;

export function diffLines(old: string, next: string): DiffRow[] {
  const a = linesOf(old);
  const b = linesOf(next);
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  const kinds = middle(a.slice(head, a.length - tail), b.slice(head, b.length - tail));
  const rows: DiffRow[] = [];
  let i = 0;
  let j = 0;
  const put = (kind: DiffKind): void => {
    const text = (kind === "added" ? b[j] : a[i]) ?? "";
    rows.push({ kind, a: kind === "added" ? 0 : ++i, b: kind === "removed" ? 0 : ++j, text });
  };
  for (let n = 0; n < head; n++) put("same");
  for (const kind of kinds) put(kind);
  for (let n = 0; n < tail; n++) put("same");
  return rows;
}

function linesOf(text: string): string[] {
  if (text === "") return [];
  return text.replace(/\r?\n$/, "").split(/\r?\n/);
}

/** The shortest edit; where it is longer than EDITS_MAX: all of a removed, all of b added. */
function middle(a: string[], b: string[]): DiffKind[] {
  const trace: Map<number, number>[] = [];
  let v = new Map<number, number>([[1, 0]]);
  for (let d = 0; d <= Math.min(a.length + b.length, EDITS_MAX); d++) {
    trace.push(v);
    const next = new Map<number, number>();
    for (let k = -d; k <= d; k += 2) {
      let x = comesDown(v, k, d) ? (v.get(k + 1) ?? 0) : (v.get(k - 1) ?? 0) + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x++;
      next.set(k, x);
      if (x >= a.length && x - k >= b.length) return backtrack(trace, a.length, b.length);
    }
    v = next;
  }
  return [...a.map((): DiffKind => "removed"), ...b.map((): DiffKind => "added")];
}

function comesDown(v: Map<number, number>, k: number, d: number): boolean {
  return k === -d || (k !== d && (v.get(k - 1) ?? -1) < (v.get(k + 1) ?? -1));
}

function backtrack(trace: Map<number, number>[], aLength: number, bLength: number): DiffKind[] {
  const kinds: DiffKind[] = [];
  let x = aLength;
  let y = bLength;
  for (let d = trace.length - 1; d >= 0; d--) {
    const v = trace[d] as Map<number, number>;
    const k = x - y;
    const down = comesDown(v, k, d);
    const fromK = down ? k + 1 : k - 1;
    const fromX = v.get(fromK) ?? 0;
    const fromY = fromX - fromK;
    while (x > Math.max(fromX, 0) && y > Math.max(fromY, 0)) {
      kinds.push("same");
      x--;
      y--;
    }
    if (d === 0) break;
    kinds.push(down ? "added" : "removed");
    x = fromX;
    y = fromY;
  }
  return kinds.reverse();
}

/** A stretch of rows to show, or so many same ones that are folded. */
export type DiffPart = { rows: DiffRow[]; folded: false } | { rows: DiffRow[]; folded: true };

/** Changes with `context` same lines around them; what lies between is folded. */
export function fold(rows: readonly DiffRow[], context: number): DiffPart[] {
  const near = new Array<boolean>(rows.length).fill(false);
  rows.forEach((row, i) => {
    if (row.kind === "same") return;
    for (let at = Math.max(0, i - context); at <= Math.min(rows.length - 1, i + context); at++) near[at] = true;
  });
  const parts: DiffPart[] = [];
  rows.forEach((row, i) => {
    const folded = !near[i];
    const last = parts.at(-1);
    if (last && last.folded === folded) last.rows.push(row);
    else parts.push({ rows: [row], folded });
  });
  // One folded line takes as much room as the line.
  return parts.map((part) => (part.folded && part.rows.length === 1 ? { rows: part.rows, folded: false } : part));
}

/** Rows side by side: what was removed beside what took its place. */
export function pairs(rows: readonly DiffRow[]): [DiffRow | undefined, DiffRow | undefined][] {
  const found: [DiffRow | undefined, DiffRow | undefined][] = [];
  let open = 0; // first pair whose right side is free
  for (const row of rows) {
    if (row.kind === "same") {
      found.push([row, row]);
      open = found.length;
    } else if (row.kind === "removed") {
      found.push([row, undefined]);
    } else if (open < found.length) {
      (found[open] as [DiffRow | undefined, DiffRow | undefined])[1] = row;
      open++;
    } else {
      found.push([undefined, row]);
      open = found.length;
    }
  }
  return found;
}
