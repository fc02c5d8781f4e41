// SPDX-License-Identifier: Apache-2.0
import { pieces } from "./ansi.ts";

/** Longer lines are cut in the list: one line of megabytes would stall the page. */
const SHOWN_MAX = 4096;

export function cut(text: string): { shown: string; hidden: number } {
  return text.length <= SHOWN_MAX ? { shown: text, hidden: 0 } : { shown: text.slice(0, SHOWN_MAX), hidden: text.length - SHOWN_MAX };
}

export interface MarkedPiece {
  text: string;
  style: string;
  hit: boolean;
}

/** A line in pieces of one colour, with what is searched for apart. */
export function mark(text: string, needle: string): MarkedPiece[] {
  const coloured = pieces(text);
  if (!needle) return coloured.map((piece) => ({ ...piece, hit: false }));
  const plain = coloured.map((piece) => piece.text).join("");
  const found: MarkedPiece[] = [];
  let start = 0;
  let hit = plain.toLowerCase().indexOf(needle);
  for (const piece of coloured) {
    const end = start + piece.text.length;
    let at = start;
    while (at < end) {
      while (hit >= 0 && hit + needle.length <= at) hit = plain.toLowerCase().indexOf(needle, hit + needle.length);
      const inside = hit >= 0 && at >= hit;
      const next = Math.min(end, inside ? hit + needle.length : hit >= 0 ? hit : end);
      found.push({ text: plain.slice(at, next), style: piece.style, hit: inside });
      at = next;
    }
    start = end;
  }
  return found;
}
