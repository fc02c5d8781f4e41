// SPDX-License-Identifier: Apache-2.0
// Numbers onto a drawing: ticks that people can read, points as a path, many points as few.

export interface Point {
  x: number;
  y: number;
}

const STEPS = [1, 2, 2.5, 5, 10];

/** About `count` round numbers that enclose min and max. */
export function niceTicks(min: number, max: number, count: number): number[] {
  if (!Number.isFinite(min) || !Number.isFinite(max)) return [];
  if (min === max) {
    const pad = Math.abs(min) / 2 || 1;
    return niceTicks(min - pad, max + pad, count);
  }
  const raw = (max - min) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * (STEPS.find((factor) => factor * power >= raw * 0.999999) ?? 10);
  const ticks: number[] = [];
  const first = Math.floor(min / step + 1e-9);
  for (let i = first; ; i++) {
    ticks.push(Number((i * step).toPrecision(12)));
    if (i * step >= max - step * 1e-9) return ticks;
  }
}

/** A number for a label: 0.00012 as 1.2e-4, 1234567 as 1.23M. */
export function say(value: number): string {
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 1e9 || size < 1e-3) return value.toExponential(2).replace(/\.?0+e/, "e").replace("e+", "e");
  if (size >= 1e6) return `${trim(value / 1e6)}M`;
  if (size >= 1e4) return `${trim(value / 1e3)}k`;
  return trim(value);
}

function trim(value: number): string {
  return String(Number(value.toPrecision(4)));
}

/** A function from one range of numbers onto another; a range of one number goes to the middle. */
export function linear(from: readonly [number, number], to: readonly [number, number]): (value: number) => number {
  const width = from[1] - from[0];
  if (width === 0) return () => (to[0] + to[1]) / 2;
  return (value) => to[0] + ((value - from[0]) / width) * (to[1] - to[0]);
}

/** At most about `most` points with the same outline: of each stretch its lowest and its highest. */
export function thin(points: readonly Point[], most: number): readonly Point[] {
  if (points.length <= most) return points;
  const stretches = Math.max(1, Math.floor((most - 2) / 2));
  const kept: Point[] = [points[0] as Point];
  for (let s = 0; s < stretches; s++) {
    const from = 1 + Math.floor((s * (points.length - 2)) / stretches);
    const to = 1 + Math.floor(((s + 1) * (points.length - 2)) / stretches);
    let low = from;
    let high = from;
    for (let i = from; i < to; i++) {
      if ((points[i] as Point).y < (points[low] as Point).y) low = i;
      if ((points[i] as Point).y > (points[high] as Point).y) high = i;
    }
    for (const i of low === high ? [low] : [Math.min(low, high), Math.max(low, high)]) kept.push(points[i] as Point);
  }
  kept.push(points[points.length - 1] as Point);
  return kept;
}

/** The SVG path through points, to a tenth of a pixel. */
export function pathOf(points: readonly Point[]): string {
  return points.map((point, i) => `${i === 0 ? "M" : "L"}${point.x.toFixed(1)} ${point.y.toFixed(1)}`).join("");
}

/** Index of the point nearest to x among points in order of x; -1 when there are none. */
export function nearest(points: readonly Point[], x: number): number {
  let low = 0;
  let high = points.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((points[middle] as Point).x < x) low = middle + 1;
    else high = middle;
  }
  if (low > 0 && x - (points[low - 1] as Point).x < (points[low] as Point).x - x) low--;
  return points.length === 0 ? -1 : low;
}

/** How many of the times (ms) fall into each of `count` equal parts of [from, to). */
export function histogram(times: readonly number[], from: number, to: number, count: number): number[] {
  const bins = new Array<number>(count).fill(0);
  for (const time of times) {
    const bin = Math.floor(((time - from) / (to - from)) * count);
    if (bin >= 0 && bin < count) bins[bin] = (bins[bin] ?? 0) + 1;
  }
  return bins;
}
