// SPDX-License-Identifier: Apache-2.0
// A plan as the form holds it, and the ways from and to the document. What the form has no field for is kept as it is.
import { BUILT_IN } from "./types.ts";

export type Json = Record<string, unknown>;
export type ValueKind = "text" | "number" | "boolean" | "json";
export interface ValueRow {
  key: number;
  name: string;
  kind: ValueKind;
  text: string;
}
export interface StepForm {
  key: number;
  id: string;
  task: string;
  rows: ValueRow[];
  needs: string[];
  when: string;
  maxAttempts: string;
  initialBackoff: string;
  attemptTimeout: string;
  rest: Json;
}
export const INPUT_TYPES = ["string", "integer", "number", "boolean", "object", "array"] as const;
export type InputType = (typeof INPUT_TYPES)[number];
export interface InputRow {
  key: number;
  name: string;
  type: InputType;
  required: boolean;
  fallback: string;
  rest: Json;
}
export interface PlanForm {
  name: string;
  description: string;
  steps: StepForm[];
  inputs: InputRow[];
  inputRest: Json;
  rest: Json;
}

let lastKey = 0;
export const newKey = (): number => ++lastKey;

export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const text = (value: unknown): string => (typeof value === "string" ? value : "");
const without = (object: Json, names: readonly string[]): Json =>
  Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)));

export function newRow(name = "", kind: ValueKind = "text"): ValueRow {
  return { key: newKey(), name, kind, text: kind === "boolean" ? "true" : "" };
}

/** A row for each field of a built-in type, so that the form can show them. */
export function rowsForType(task: string, rows: ValueRow[]): ValueRow[] {
  const fields = BUILT_IN[task]?.fields ?? [];
  const kept = rows.filter((row) => row.text !== "" || fields.some((field) => field.name === row.name));
  const missing = fields.filter((field) => !kept.some((row) => row.name === field.name));
  // A shell step that has a command needs no script.
  const optional = task === "shell" && kept.some((row) => row.name === "command");
  return optional ? kept : [...missing.map((field) => newRow(field.name)), ...kept];
}

export function newStep(id: string, task: string, needs: string[] = []): StepForm {
  return {
    key: newKey(), id, task, rows: rowsForType(task, []), needs, when: "",
    maxAttempts: "", initialBackoff: "", attemptTimeout: "", rest: {},
  };
}

export function emptyPlan(): PlanForm {
  return { name: "", description: "", steps: [newStep("first", "hello")], inputs: [], inputRest: {}, rest: {} };
}

/** An id that no step has: "step-2", "copy-of-x-2". */
export function freeId(form: PlanForm, wish: string): string {
  const taken = new Set(form.steps.map((step) => step.id));
  if (!taken.has(wish)) return wish;
  for (let n = 2; ; n++) if (!taken.has(`${wish}-${n}`)) return `${wish}-${n}`;
}

/** Gives a step another id; what needs it follows. */
export function renameStep(form: PlanForm, step: StepForm, id: string): void {
  const before = step.id;
  const alone = form.steps.filter((other) => other.id === before).length === 1;
  step.id = id;
  if (!before || !alone) return;
  for (const other of form.steps) other.needs = other.needs.map((need) => (need === before ? id : need));
}

function rowOf(name: string, value: unknown): ValueRow {
  if (typeof value === "string") return { key: newKey(), name, kind: "text", text: value };
  if (typeof value === "number") return { key: newKey(), name, kind: "number", text: String(value) };
  if (typeof value === "boolean") return { key: newKey(), name, kind: "boolean", text: String(value) };
  return { key: newKey(), name, kind: "json", text: JSON.stringify(value, null, 2) };
}

function whenText(value: unknown): string {
  if (typeof value === "boolean") return value ? "" : "false";
  const single = /^\s*\$\{\{([\s\S]*)\}\}\s*$/.exec(text(value))?.[1];
  return single !== undefined && !single.includes("${{") ? single.trim() : text(value);
}

function stepOf(value: unknown): StepForm {
  const step = isObject(value) ? value : {};
  const retry = isObject(step["retry"]) ? step["retry"] : {};
  const timeout = isObject(step["timeout"]) ? step["timeout"] : {};
  const parameters = isObject(step["parameters"]) ? step["parameters"] : undefined;
  const rest = without(step, ["id", "task", "needs", "when", "retry", "timeout", ...(parameters ? ["parameters"] : [])]);
  const retryRest = without(retry, ["maxAttempts", "initialBackoff"]);
  const timeoutRest = without(timeout, ["attempt"]);
  if (Object.keys(retryRest).length > 0) rest["retry"] = retryRest;
  if (Object.keys(timeoutRest).length > 0) rest["timeout"] = timeoutRest;
  const task = text(step["task"]);
  return {
    key: newKey(), id: text(step["id"]), task,
    rows: rowsForType(task, Object.entries(parameters ?? {}).map(([name, item]) => rowOf(name, item))),
    needs: Array.isArray(step["needs"]) ? step["needs"].map(text) : [],
    when: whenText(step["when"]),
    maxAttempts: retry["maxAttempts"] === undefined ? "" : String(retry["maxAttempts"]),
    initialBackoff: text(retry["initialBackoff"]),
    attemptTimeout: text(timeout["attempt"]),
    rest,
  };
}

function inputsOf(schema: Json): { inputs: InputRow[]; inputRest: Json } {
  const properties = isObject(schema["properties"]) ? schema["properties"] : {};
  const required = Array.isArray(schema["required"]) ? schema["required"] : [];
  const inputs = Object.entries(properties).map(([name, value]): InputRow => {
    const property = isObject(value) ? value : {};
    const type = INPUT_TYPES.find((known) => known === property["type"]) ?? "string";
    const fallback = property["default"];
    return {
      key: newKey(), name, type, required: required.includes(name),
      fallback: fallback === undefined ? "" : type === "string" ? text(fallback) : JSON.stringify(fallback),
      rest: without(property, ["type", "default"]),
    };
  });
  return { inputs, inputRest: without(schema, ["type", "properties", "required"]) };
}

export function fromDocument(document: unknown): PlanForm {
  const plan = isObject(document) ? document : {};
  const schema = isObject(plan["input"]) ? plan["input"] : {};
  return {
    name: text(plan["name"]),
    description: text(plan["description"]),
    steps: Array.isArray(plan["steps"]) ? plan["steps"].map(stepOf) : [],
    ...inputsOf(schema),
    rest: without(plan, ["name", "description", "steps", "input"]),
  };
}
