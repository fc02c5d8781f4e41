// SPDX-License-Identifier: Apache-2.0
// Which lines of a buffer are shown under a filter, and where the search finds something; both follow the buffer as it grows.
import type { LogBuffer, LogFilter } from "./buffer.ts";

export class LogView {
  /** Shown lines as indexes of the buffer; undefined: all. */
  private shown: number[] | undefined;
  /** Rows (not lines) in which the search finds something. */
  matches: number[] = [];
  private seen = 0;
  private dropped = 0;
  private rowsSearched = 0;
  private readonly buffer: LogBuffer;
  readonly filter: LogFilter;
  readonly needle: string;

  constructor(buffer: LogBuffer, filter: LogFilter, search: string) {
    this.buffer = buffer;
    this.filter = filter;
    this.needle = search.toLowerCase();
    this.dropped = buffer.dropped;
    const all = !filter.step && !filter.attempt && !filter.stream && !filter.level;
    this.shown = all ? undefined : [];
    this.update();
  }

  get rows(): number {
    return this.shown ? this.shown.length : this.buffer.length;
  }

  lineAt(row: number): number {
    return this.shown ? (this.shown[row] ?? -1) : row;
  }

  /** Takes in what the buffer got since the last time. */
  update(): void {
    if (this.buffer.dropped !== this.dropped) this.restart();
    if (this.shown)
      for (let i = this.seen; i < this.buffer.length; i++) if (this.buffer.shows(i, this.filter)) this.shown.push(i);
    this.seen = this.buffer.length;
    if (!this.needle) return;
    for (let row = this.rowsSearched; row < this.rows; row++)
      if (this.buffer.contains(this.lineAt(row), this.needle)) this.matches.push(row);
    this.rowsSearched = this.rows;
  }

  private restart(): void {
    this.dropped = this.buffer.dropped;
    if (this.shown) this.shown = [];
    this.matches = [];
    this.seen = 0;
    this.rowsSearched = 0;
  }

  /** Index in matches of the first match after (or before) a row, round the end. */
  matchFrom(row: number, forward: boolean): number {
    if (this.matches.length === 0) return -1;
    if (forward) {
      const at = this.matches.findIndex((match) => match > row);
      return at < 0 ? 0 : at;
    }
    const at = this.matches.findLastIndex((match) => match < row);
    return at < 0 ? this.matches.length - 1 : at;
  }
}
