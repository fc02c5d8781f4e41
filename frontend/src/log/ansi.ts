// SPDX-License-Identifier: Apache-2.0
// Colours of terminals as classes: no HTML is made from what a task prints.

export interface Piece {
  text: string;
  /** Classes, e.g. "bold c1" (red); empty for plain text. */
  style: string;
}

const ESC = "\u001b";
// Colour codes are understood; other sequences (cursor, title) are dropped.
// eslint-disable-next-line no-control-regex
const SEQUENCE = /\u001b(?:\[([0-9;:?]*)([@-~])|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g;

export function strip(text: string): string {
  return text.includes(ESC) ? text.replace(SEQUENCE, "") : text;
}

interface Pen {
  bold: boolean;
  dim: boolean;
  colour: number;
}

export function pieces(text: string): Piece[] {
  if (!text.includes(ESC)) return [{ text, style: "" }];
  const found: Piece[] = [];
  const pen: Pen = { bold: false, dim: false, colour: -1 };
  let at = 0;
  const push = (end: number): void => {
    if (end > at) found.push({ text: text.slice(at, end), style: styleOf(pen) });
  };
  for (const match of text.matchAll(SEQUENCE)) {
    push(match.index);
    at = match.index + match[0].length;
    if (match[2] === "m") apply(pen, match[1] ?? "");
  }
  push(text.length);
  return found;
}

function styleOf(pen: Pen): string {
  const names: string[] = [];
  if (pen.bold) names.push("bold");
  if (pen.dim) names.push("dim");
  if (pen.colour >= 0) names.push(`c${pen.colour}`);
  return names.join(" ");
}

function apply(pen: Pen, codes: string): void {
  const list = codes.split(/[;:]/).map(Number);
  for (let i = 0; i < list.length; i++) {
    const code = list[i] ?? 0;
    if (code === 0) Object.assign(pen, { bold: false, dim: false, colour: -1 });
    else if (code === 1) pen.bold = true;
    else if (code === 2) pen.dim = true;
    else if (code === 22) pen.bold = pen.dim = false;
    else if (code >= 30 && code <= 37) pen.colour = code - 30;
    else if (code >= 90 && code <= 97) pen.colour = code - 90;
    else if (code === 39) pen.colour = -1;
    else if (code === 38 || code === 48) {
      // 256 colours (38;5;n): the first sixteen are the terminal's own. Others are left plain.
      const own = list[i + 1] === 5 && (list[i + 2] ?? 99) < 16;
      if (code === 38) pen.colour = own ? (list[i + 2] ?? 0) % 8 : -1;
      i += list[i + 1] === 5 ? 2 : 4;
    }
  }
}
