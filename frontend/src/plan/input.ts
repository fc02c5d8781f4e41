// SPDX-License-Identifier: Apache-2.0
// The form for a run's input, made from the plan's schema.
import { INPUT_TYPES, type InputType, isObject, type Json } from "./model.ts";

export interface InputField {
  name: string;
  type: InputType;
  label: string;
  description: string;
  required: boolean;
  choices: string[];
  text: string;
}

/** The fields of a schema, or undefined when only JSON can say what is wanted. */
export function fieldsOf(document: unknown, given?: unknown): InputField[] | undefined {
  const schema = isObject(document) ? document["input"] : undefined;
  if (!isObject(schema)) return undefined;
  const properties = schema["properties"];
  if (!isObject(properties)) return undefined;
  const required = Array.isArray(schema["required"]) ? schema["required"] : [];
  const values = isObject(given) ? given : {};
  return Object.entries(properties).map(([name, value]): InputField => {
    const property = isObject(value) ? value : {};
    const type = INPUT_TYPES.find((known) => known === property["type"]) ?? "string";
    const start = name in values ? values[name] : property["default"];
    return {
      name, type,
      label: typeof property["title"] === "string" ? property["title"] : name,
      description: typeof property["description"] === "string" ? property["description"] : "",
      required: required.includes(name),
      choices: Array.isArray(property["enum"]) ? property["enum"].filter((item) => typeof item === "string") : [],
      text: start === undefined ? (type === "boolean" ? "false" : "") : typeof start === "string" ? start : JSON.stringify(start),
    };
  });
}

/** The input that the fields say; problems by field name. */
export function inputFrom(fields: readonly InputField[]): { input: Json; problems: Record<string, string> } {
  const input: Json = {};
  const problems: Record<string, string> = {};
  for (const field of fields) {
    if (field.text === "") {
      if (field.required && field.type !== "string") problems[field.name] = "is required";
      else if (field.required) input[field.name] = "";
      continue;
    }
    if (field.type === "string") {
      input[field.name] = field.text;
      continue;
    }
    const parsed = parse(field.text);
    if (parsed === undefined || !fits(parsed, field.type)) problems[field.name] = `must be ${article(field.type)}`;
    else input[field.name] = parsed;
  }
  return { input, problems };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function fits(value: unknown, type: InputType): boolean {
  switch (type) {
    case "integer":
      return Number.isInteger(value);
    case "array":
      return Array.isArray(value);
    case "object":
      return isObject(value);
    default:
      return typeof value === type;
  }
}

const article = (type: InputType): string => (type === "integer" || type === "object" || type === "array" ? `an ${type}` : `a ${type}`);
