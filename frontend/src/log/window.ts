// SPDX-License-Identifier: Apache-2.0
// Which rows of a long list of equal rows are in view. Browsers limit the height of elements, so a very long list is given a
// lower height and the scroll position is stretched over it; the last row can always be reached.

export const ROW_PX = 20;
/** Firefox stops at about 17.8 million. */
const HEIGHT_MAX = 8_000_000;
/** Never more rows in the page than this, whatever the layout does. */
const ROWS_MAX = 400;
const MORE = 6;

export interface Window {
  first: number;
  count: number;
  /** Where the first row is put, in pixels from the top of the scrolled element. */
  offset: number;
  /** Height of the scrolled element. */
  height: number;
}

export function windowOf(rows: number, scrollTop: number, viewport: number): Window {
  const real = rows * ROW_PX;
  const height = Math.min(real, HEIGHT_MAX);
  const scrollable = Math.max(1, height - viewport);
  const progress = Math.min(1, Math.max(0, scrollTop / scrollable));
  const realTop = real > height ? progress * (real - viewport) : scrollTop;
  const first = Math.max(0, Math.floor(realTop / ROW_PX) - MORE);
  const count = Math.min(rows - first, ROWS_MAX, Math.ceil(viewport / ROW_PX) + 2 * MORE);
  return { first, count: Math.max(0, count), offset: scrollTop - (realTop - first * ROW_PX), height };
}

/** The scroll position that brings a row to the middle. */
export function scrollFor(row: number, rows: number, viewport: number): number {
  const real = rows * ROW_PX;
  const height = Math.min(real, HEIGHT_MAX);
  const realTop = Math.max(0, Math.min(real - viewport, row * ROW_PX - viewport / 2 + ROW_PX / 2));
  if (real <= height) return realTop;
  return (realTop / Math.max(1, real - viewport)) * (height - viewport);
}
