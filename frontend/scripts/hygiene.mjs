// SPDX-License-Identifier: Apache-2.0
// Rules that no other tool checks: sizes, licence lines, nothing that the content security policy would refuse, no `any`.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const top = join(dirname(fileURLToPath(import.meta.url)), "..");
const FILE_LINES_MAX = 800;
const COMPONENT_LINES_MAX = 150;
const faults = [];

function* filesOf(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesOf(path);
    else yield path;
  }
}
const fault = (path, text) => faults.push(`${relative(top, path)}: ${text}`);

for (const path of ["src", "scripts", "tests", "public"].flatMap((folder) => [...filesOf(join(top, folder))])) {
  if (!/\.(ts|svelte|css|mjs|js)$/.test(path)) continue;
  const text = readFileSync(path, "utf8");
  const lines = text.split("\n");
  const component = path.endsWith(".svelte");
  if (!lines[0].includes("SPDX-License-Identifier: Apache-2.0")) fault(path, "the first line is not the licence's");
  if (path.endsWith("schema.d.ts")) continue;
  // The style block of a component is a sheet of its own.
  const size = component ? text.split("<style>")[0].split("\n").length : lines.length;
  if (size > (component ? COMPONENT_LINES_MAX : FILE_LINES_MAX)) fault(path, `${size} lines`);
  if (component && /<[a-z][^>]*\sstyle="/.test(text)) fault(path, "an inline style");
  if (component && /\{@html/.test(text)) fault(path, "HTML made from text");
  if (/\.(ts|svelte)$/.test(path) && /(:|<|\bas)\s*any\b/.test(text)) fault(path, "any");
  if (/\b(TO[D]O|FIX[M]E|X[X]X)\b/.test(text) && !path.endsWith("hygiene.mjs")) fault(path, "unfinished work is marked");
}
if (/"resolved"|https?:\/\/registry/.test(readFileSync(join(top, "package-lock.json"), "utf8")))
  fault(join(top, "package-lock.json"), "names a registry: npm install --omit-lockfile-registry-resolved");
const html = readFileSync(join(top, "index.html"), "utf8");
if (/<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=/.test(html)) fault(join(top, "index.html"), "inline script or style");

for (const text of faults) console.error(text);
process.exit(faults.length ? 1 : 0);
