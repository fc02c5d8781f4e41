// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import "./typescript.mjs";

const { fromDocument, newStep, emptyPlan, renameStep, rowsForType, freeId } = await import("../src/plan/model.ts");
const { toDocument } = await import("../src/plan/document.ts");
const { toYaml } = await import("../src/plan/yaml.ts");
const { fieldsOf, inputFrom } = await import("../src/plan/input.ts");
const { references } = await import("../src/plan/references.ts");
const { HELLO_PLAN } = await import("../src/plan/hello.ts");

const whole = {
  name: "nightly",
  description: "all that a plan can say",
  input: { type: "object", required: ["url"], properties: { url: { type: "string", description: "where" }, limit: { type: "integer", default: 10 } }, additionalProperties: true },
  defaults: { retry: { maxAttempts: 4 } },
  steps: [
    { id: "fetch", task: "http", parameters: { url: "${{ input.url }}", tries: 3, deep: { a: [1, null] }, fast: true, empty: {} } },
    {
      id: "score", task: "shell", needs: ["fetch"], when: "${{ input.limit > 1 }}", parameters: { command: ["./score", "-v"] },
      retry: { maxAttempts: 5, initialBackoff: "1s", multiplier: 3 }, timeout: { attempt: "5m", total: "1h" },
      environment: { variables: { MODEL: "small" } }, labels: { team: "a" }, queue: "slow",
    },
    { id: "never", task: "noop", needs: ["score", "fetch"], when: false, parameters: "${{ input }}" },
  ],
  output: { n: "${{ 1 }}" },
};

test("what the form has no field for survives it", () => {
  const { document, problems } = toDocument(fromDocument(whole));
  assert.deepEqual(problems, []);
  assert.deepEqual(document, whole);
  assert.deepEqual(toDocument(fromDocument(HELLO_PLAN)).document, HELLO_PLAN);
});

test("a condition is written without braces", () => {
  const form = fromDocument(whole);
  assert.equal(form.steps[1].when, "input.limit > 1");
  form.steps[1].when = "has(input.url)";
  assert.equal(toDocument(form).document.steps[1].when, "${{ has(input.url) }}");
  form.steps[1].when = "true";
  assert.equal(toDocument(form).document.steps[1].when, true);
});

test("a step that is renamed keeps its dependents", () => {
  const form = fromDocument(whole);
  renameStep(form, form.steps[0], "get");
  assert.deepEqual(form.steps[1].needs, ["get"]);
  assert.deepEqual(form.steps[2].needs, ["score", "get"]);
  form.steps[1].id = "get";
  renameStep(form, form.steps[1], "got");
  assert.deepEqual(form.steps[2].needs, ["score", "get"], "an id of two steps names neither");
  assert.equal(freeId(form, "get"), "get-2");
});

test("values that are none are reported by their path", () => {
  const form = fromDocument(whole);
  const row = (name) => form.steps[0].rows.find((each) => each.name === name);
  row("tries").text = "three";
  row("deep").text = "{";
  form.steps[1].maxAttempts = "x";
  form.inputs[1].fallback = "ten";
  assert.deepEqual(toDocument(form).problems.map((problem) => problem.field).sort(), [
    "input.properties.limit.default", "steps[0].parameters.deep", "steps[0].parameters.tries", "steps[1].retry.maxAttempts",
  ]);
  row("tries").text = "${{ input.limit }}";
  assert.equal(toDocument(form).document.steps[0].parameters.tries, "${{ input.limit }}");
});

test("a type brings its fields, and gives up those of another that are empty", () => {
  const step = newStep("a", "shell");
  assert.deepEqual(step.rows.map((row) => row.name), ["script"]);
  assert.deepEqual(rowsForType("sleep", step.rows).map((row) => row.name), ["duration"]);
  step.rows[0].text = "echo";
  assert.deepEqual(rowsForType("sleep", step.rows).map((row) => row.name), ["duration", "script"]);
  assert.deepEqual(toDocument(emptyPlan()).document, { name: "", steps: [{ id: "first", task: "hello" }] });
});

test("yaml is written for people and can be read again", () => {
  assert.equal(
    toYaml({ name: "x", yes: "yes", n: 1, list: ["a", "b c", "1"], empty: {}, none: [], script: "a\n  b\n\nc\n", short: "a\nb", odd: " lead\nx", steps: [{ id: "a", parameters: { script: "x\ny" } }, { id: "b", needs: ["a"] }], text: "a: b # c" }),
    `name: x
"yes": "yes"
"n": 1
list: [a, b c, "1"]
empty: {}
none: []
script: |
  a
    b

  c
short: |-
  a
  b
odd: " lead\\nx"
steps:
  - id: a
    parameters:
      script: |-
        x
        y
  - id: b
    needs: [a]
text: "a: b # c"
`,
  );
});

test("what yaml cannot name safely is json", () => {
  const odd = { name: "x", steps: [{ 'a"b': 1 }] };
  assert.deepEqual(JSON.parse(toYaml(odd)), odd);
});

test("a run's input is a form", () => {
  const fields = fieldsOf({ input: { required: ["url"], properties: { url: { type: "string" }, n: { type: "integer", default: 3 }, list: { type: "array" }, on: { type: "boolean" } } } });
  assert.deepEqual(fields.map((field) => field.text), ["", "3", "", "false"]);
  fields[0].text = "x";
  assert.deepEqual(inputFrom(fields), { input: { url: "x", n: 3, on: false }, problems: {} });
  fields[1].text = "3.5";
  fields[2].text = "{}";
  assert.deepEqual(Object.keys(inputFrom(fields).problems), ["n", "list"]);
  assert.equal(fieldsOf({ steps: [] }), undefined);
  assert.deepEqual(fieldsOf({ input: { properties: { a: { type: "object" } } } }, { a: { b: 1 } })[0].text, '{"b":1}');
});

test("a step can use the input and what comes before it", () => {
  const form = fromDocument(whole);
  assert.deepEqual(references(form, form.steps[2]).map((each) => each.expression), ["input.url", "input.limit", "steps.fetch.output", "steps.score.output"]);
  assert.equal(references(form, form.steps[0]).length, 2);
  form.steps[0].id = "a-b";
  form.steps[1].needs = ["a-b"];
  assert.equal(references(form, form.steps[1]).at(-1).expression, 'steps["a-b"].output');
});
