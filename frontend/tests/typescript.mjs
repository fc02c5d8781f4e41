// SPDX-License-Identifier: Apache-2.0
// Lets tests import the sources: types are taken away by the compiler that checks them.
import { readFile } from "node:fs/promises";
import { register } from "node:module";
import { fileURLToPath } from "node:url";
import { isMainThread } from "node:worker_threads";
import ts from "typescript";

export async function load(url, context, next) {
  if (!url.endsWith(".ts")) return next(url, context);
  const source = ts.transpileModule(await readFile(fileURLToPath(url), "utf8"), {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, verbatimModuleSyntax: true },
  }).outputText;
  return { format: "module", source, shortCircuit: true };
}

if (isMainThread) register(import.meta.url);
