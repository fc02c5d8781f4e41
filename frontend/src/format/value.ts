// SPDX-License-Identifier: Apache-2.0
/** JSON for reading. */
export function pretty(value: unknown): string {
  return value === undefined ? "" : JSON.stringify(value, null, 2);
}

export function plural(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}

/** The part of an id that tells it from others made at about the same time. */
export function shortId(id: string): string {
  return id.length > 12 ? id.slice(-8) : id;
}
