// SPDX-License-Identifier: Apache-2.0
// Patterns such as /runs/:id against paths.

export type Params = Record<string, string>;

/** The pattern's parameters, or undefined when the path is another one. */
export function matchPath(pattern: string, path: string): Params | undefined {
  const wanted = pattern.split("/");
  const given = (path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path).split("/");
  if (wanted.length !== given.length) return undefined;
  const params: Params = {};
  for (const [i, part] of wanted.entries()) {
    const value = given[i] ?? "";
    if (!part.startsWith(":")) {
      if (part !== value) return undefined;
      continue;
    }
    if (value === "") return undefined;
    try {
      params[part.slice(1)] = decodeURIComponent(value);
    } catch {
      return undefined;
    }
  }
  return params;
}
