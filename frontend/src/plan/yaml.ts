// SPDX-License-Identifier: Apache-2.0
// Writes a JSON value as YAML for people: blocks, scripts as they are, short lists on one line. Whatever could be misread is
// written as a JSON string, which YAML understands.

const PLAIN = /^[A-Za-z_/.][A-Za-z0-9_ ./@-]*$/;
const WORDS = /^(true|false|null|yes|no|on|off|y|n|nan|inf|\.nan|\.inf|\.)$/i;
const FLOW_MAX = 60;

function scalar(value: unknown): string {
  if (typeof value !== "string") return JSON.stringify(value) ?? "null";
  const plain = PLAIN.test(value) && !WORDS.test(value) && !value.endsWith(" ") && !value.startsWith(".") && !value.startsWith("---");
  return plain ? value : JSON.stringify(value);
}

const isScalar = (value: unknown): boolean => typeof value !== "object" || value === null;

/** A block scalar is used for text whose lines survive it unchanged. */
function blockLines(value: unknown): string[] | undefined {
  if (typeof value !== "string" || !value.includes("\n")) return undefined;
  const body = value.endsWith("\n") ? value.slice(0, -1) : value;
  const lines = body.split("\n");
  const first = lines[0] ?? "";
  // eslint-disable-next-line no-control-regex
  const unsafe = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\ufeff\ud800-\udfff]/.test(body);
  if (unsafe || first === "" || /^\s/.test(first) || lines.at(-1) === "" || lines.some((line) => /^\s+$/.test(line))) return undefined;
  return lines;
}

function flow(list: unknown[]): string | undefined {
  if (!list.every(isScalar)) return undefined;
  const line = `[${list.map(scalar).join(", ")}]`;
  return line.length <= FLOW_MAX ? line : undefined;
}

function isEmpty(value: object): boolean {
  return Array.isArray(value) ? value.length === 0 : Object.keys(value).length === 0;
}

function put(out: string[], indent: string, lead: string, value: unknown): void {
  const block = blockLines(value);
  if (block) {
    out.push(`${lead} ${String(value).endsWith("\n") ? "|" : "|-"}`);
    for (const line of block) out.push(line === "" ? "" : `${indent}  ${line}`);
  } else if (typeof value !== "object" || value === null) {
    out.push(`${lead} ${scalar(value)}`);
  } else if (isEmpty(value)) {
    out.push(`${lead} ${Array.isArray(value) ? "[]" : "{}"}`);
  } else if (Array.isArray(value)) {
    const line = flow(value);
    if (line) out.push(`${lead} ${line}`);
    else {
      out.push(lead);
      putList(out, `${indent}  `, value);
    }
  } else {
    out.push(lead);
    putMap(out, `${indent}  `, value as Record<string, unknown>);
  }
}

function putMap(out: string[], indent: string, map: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(map)) if (value !== undefined) put(out, indent, `${indent}${scalar(name)}:`, value);
}

function putList(out: string[], indent: string, list: unknown[]): void {
  for (const value of list) {
    if (typeof value === "object" && value !== null && !Array.isArray(value) && !isEmpty(value)) {
      const inner: string[] = [];
      putMap(inner, `${indent}  `, value as Record<string, unknown>);
      inner[0] = `${indent}- ${(inner[0] ?? "").slice(indent.length + 2)}`;
      out.push(...inner);
    } else {
      put(out, indent, `${indent}-`, value);
    }
  }
}

/** Names that parsers of YAML quarrel about: control characters, quotes, backslashes. */
function hasOddName(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  // eslint-disable-next-line no-control-regex
  return Object.entries(value).some(([name, item]) => /[\u0000-\u001f\u007f-\u009f"\\]/.test(name) || hasOddName(item));
}

/** YAML; for what YAML cannot name safely, the same as JSON. */
export function toYaml(value: Record<string, unknown>): string {
  if (hasOddName(value)) return `${JSON.stringify(value, null, 2)}\n`;
  const out: string[] = [];
  putMap(out, "", value);
  return `${out.join("\n")}\n`;
}
