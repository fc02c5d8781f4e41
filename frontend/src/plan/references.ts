// SPDX-License-Identifier: Apache-2.0
import type { PlanForm, StepForm } from "./model.ts";

export interface Reference {
  expression: string;
  says: string;
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const member = (base: string, name: string): string => (NAME.test(name) ? `${base}.${name}` : `${base}[${JSON.stringify(name)}]`);

/** What a step's parameters can use: the run's input and results of the steps that come before it. */
export function references(form: PlanForm, step: StepForm): Reference[] {
  const found: Reference[] = form.inputs
    .filter((row) => row.name.trim() !== "")
    .map((row) => ({ expression: member("input", row.name.trim()), says: `input ${row.name.trim()}` }));
  const byId = new Map(form.steps.map((other) => [other.id, other]));
  const before = new Set<string>();
  const open = [...step.needs];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    const other = byId.get(id);
    if (!other || other === step || before.has(id)) continue;
    before.add(id);
    open.push(...other.needs);
  }
  for (const id of before) found.push({ expression: `${member("steps", id)}.output`, says: `result of ${id}` });
  return found;
}
