// SPDX-License-Identifier: Apache-2.0
// From the form to the document that is saved. What cannot become a value is reported by the path that the server would use.
import type { InputRow, Json, PlanForm, StepForm, ValueRow } from "./model.ts";
import { isObject } from "./model.ts";

export interface LocalProblem {
  field: string;
  description: string;
}
export interface Written {
  document: Json;
  problems: LocalProblem[];
}

const EXPRESSION = "${{";

function numberOf(text: string): number | undefined {
  const trimmed = text.trim();
  const value = Number(trimmed);
  return trimmed !== "" && Number.isFinite(value) ? value : undefined;
}

function valueOf(row: ValueRow, path: string, problems: LocalProblem[]): unknown {
  if (row.kind === "text" || row.text.includes(EXPRESSION)) return row.text;
  if (row.kind === "boolean") return row.text === "true";
  if (row.kind === "number") {
    const value = numberOf(row.text);
    if (value === undefined) problems.push({ field: path, description: "must be a number" });
    return value ?? row.text;
  }
  try {
    return JSON.parse(row.text) as unknown;
  } catch {
    problems.push({ field: path, description: "is not JSON" });
    return row.text;
  }
}

function parametersOf(step: StepForm, path: string, problems: LocalProblem[]): Json {
  const parameters: Json = {};
  for (const row of step.rows) {
    const name = row.name.trim();
    if (row.text === "" && row.kind !== "boolean") continue;
    if (name === "") {
      problems.push({ field: `${path}.parameters`, description: "a parameter has no name" });
      continue;
    }
    if (name in parameters) problems.push({ field: `${path}.parameters.${name}`, description: "is given twice" });
    parameters[name] = valueOf(row, `${path}.parameters.${name}`, problems);
  }
  return parameters;
}

function whenOf(text: string): unknown {
  const trimmed = text.trim();
  if (trimmed === "true" || trimmed === "false") return trimmed === "true";
  return trimmed.includes(EXPRESSION) ? trimmed : `\${{ ${trimmed} }}`;
}

function put(target: Json, name: string, value: unknown): void {
  const empty = value === undefined || value === "" || (isObject(value) && Object.keys(value).length === 0);
  if (!empty) target[name] = value;
}

function stepDocument(step: StepForm, index: number, problems: LocalProblem[]): Json {
  const path = `steps[${index}]`;
  const rest = { ...step.rest };
  const retry: Json = isObject(rest["retry"]) ? { ...rest["retry"] } : {};
  const timeout: Json = isObject(rest["timeout"]) ? { ...rest["timeout"] } : {};
  delete rest["retry"];
  delete rest["timeout"];
  const attempts = numberOf(step.maxAttempts);
  if (step.maxAttempts.trim() !== "" && attempts === undefined)
    problems.push({ field: `${path}.retry.maxAttempts`, description: "must be a number" });
  put(retry, "maxAttempts", attempts);
  put(retry, "initialBackoff", step.initialBackoff.trim());
  put(timeout, "attempt", step.attemptTimeout.trim());
  const document: Json = { id: step.id.trim() };
  put(document, "task", step.task.trim());
  if (step.needs.length > 0) document["needs"] = [...step.needs];
  if (step.when.trim() !== "") document["when"] = whenOf(step.when);
  put(document, "parameters", parametersOf(step, path, problems));
  put(document, "retry", retry);
  put(document, "timeout", timeout);
  return { ...document, ...rest };
}

function fallbackOf(row: InputRow, problems: LocalProblem[]): unknown {
  if (row.fallback === "") return undefined;
  if (row.type === "string") return row.fallback;
  try {
    return JSON.parse(row.fallback) as unknown;
  } catch {
    problems.push({ field: `input.properties.${row.name}.default`, description: `is not a value of type ${row.type}` });
    return row.fallback;
  }
}

function inputDocument(form: PlanForm, problems: LocalProblem[]): Json | undefined {
  if (form.inputs.length === 0 && Object.keys(form.inputRest).length === 0) return undefined;
  const properties: Json = {};
  for (const row of form.inputs) {
    const name = row.name.trim();
    if (name === "") problems.push({ field: "input", description: "an input has no name" });
    else if (name in properties) problems.push({ field: `input.properties.${name}`, description: "is there twice" });
    const property: Json = { type: row.type, ...row.rest };
    const fallback = fallbackOf(row, problems);
    if (fallback !== undefined) property["default"] = fallback;
    properties[name] = property;
  }
  const schema: Json = { type: "object" };
  const required = form.inputs.filter((row) => row.required).map((row) => row.name.trim());
  if (required.length > 0) schema["required"] = required;
  return { ...schema, properties, ...form.inputRest };
}

export function toDocument(form: PlanForm): Written {
  const problems: LocalProblem[] = [];
  const document: Json = { name: form.name.trim() };
  put(document, "description", form.description.trim());
  const input = inputDocument(form, problems);
  if (input) document["input"] = input;
  const { defaults, ...rest } = form.rest;
  put(document, "defaults", defaults);
  document["steps"] = form.steps.map((step, i) => stepDocument(step, i, problems));
  return { document: { ...document, ...rest }, problems };
}
