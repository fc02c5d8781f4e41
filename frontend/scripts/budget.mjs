// SPDX-License-Identifier: Apache-2.0
// What the browser must fetch before the first page works, compressed: fails when it is more than the budget.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const FIRST_JS_MAX = 60_000;
const CHUNK_MAX = 60_000;
const CSS_MAX = 20_000;

const dist = join(dirname(fileURLToPath(import.meta.url)), "../dist");
const assets = join(dist, "assets");
const html = readFileSync(join(dist, "index.html"), "utf8");
const read = (name) => readFileSync(join(assets, name), "utf8");
const size = (name) => gzipSync(readFileSync(join(assets, name)), { level: 9 }).length;

/** A chunk and all that it imports at once. */
function closure(names, seen = new Set()) {
  for (const name of names) {
    if (seen.has(name)) continue;
    seen.add(name);
    const imported = [...read(name).matchAll(/(?:from|import)\s*["']\.\/([\w.-]+\.js)["']/g)].map((match) => match[1]);
    closure(imported, seen);
  }
  return seen;
}
const sum = (names) => [...names].reduce((total, name) => total + size(name), 0);
const kb = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;

const entry = [...html.matchAll(/(?:src|href)="\/assets\/([\w.-]+\.js)"/g)].map((match) => match[1]);
if (entry.length === 0) throw new Error("dist/index.html names no script");
const files = readdirSync(assets);
const pages = files.filter((name) => /Page-[\w-]+\.js$/.test(name));
const css = files.filter((name) => name.endsWith(".css"));
let bad = 0;
function report(what, bytes, most) {
  if (bytes > most) bad++;
  console.log(`${bytes > most ? "TOO BIG " : ""}${what}: ${kb(bytes)} of ${kb(most)}`);
}

report("shell", sum(closure(entry)), FIRST_JS_MAX);
for (const page of pages) report(`shell and ${page.replace(/-[\w-]+\.js$/, "")}`, sum(closure([...entry, page])), FIRST_JS_MAX);
for (const name of files.filter((file) => file.endsWith(".js"))) if (size(name) > CHUNK_MAX) report(name, size(name), CHUNK_MAX);
report("all styles", sum(css), CSS_MAX);
process.exit(bad ? 1 : 0);
