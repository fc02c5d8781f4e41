// SPDX-License-Identifier: Apache-2.0
// Makes src/api/schema.d.ts from the OpenAPI document that the build writes. With --check it only compares.
//   node scripts/api.mjs [--check] [openapi.json]
import { readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import openapiTS, { astToString } from "openapi-typescript";

const top = join(dirname(fileURLToPath(import.meta.url)), "..");
const target = join(top, "src/api/schema.d.ts");
const head = "// SPDX-License-Identifier: Apache-2.0\n// Generated from the contracts by `npm run api`; do not edit.\n";

function newestDocument() {
  const build = join(top, "../build");
  const found = readdirSync(build)
    .map((preset) => join(build, preset, "openapi.json"))
    .filter((path) => statSync(path, { throwIfNoEntry: false }));
  found.sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  if (!found[0]) throw new Error("no build/<preset>/openapi.json: build the target openapi_document first");
  return found[0];
}

export async function generate(path = newestDocument()) {
  const ast = await openapiTS(readFileSync(path, "utf8"));
  return head + astToString(ast);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const args = process.argv.slice(2);
  const check = args[0] === "--check";
  const text = await generate(args[check ? 1 : 0]);
  if (!check) {
    writeFileSync(target, text);
  } else if (readFileSync(target, "utf8") !== text) {
    console.error("src/api/schema.d.ts is not what the contracts say: run `./dev api`");
    process.exit(1);
  }
}
