// SPDX-License-Identifier: Apache-2.0
// A toy of Plankton for work on the pages without the real one: plans, runs, logs and workers in memory, states as the API
// gives them. It promises nothing.
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { EventEmitter } from "node:events";

const BACKOFF_MS = 700;
const now = () => new Date().toISOString();
const TERMINAL = ["SUCCEEDED", "FAILED", "CANCELLED", "SKIPPED"];
export const plans = new Map();
export const runs = new Map();
export const workers = [
  {
    id: randomUUID(), name: "local-1", version: "0.1.0", state: "WORKER_STATE_CONNECTED", taskTypes: ["hello", "noop", "shell", "sleep"],
    labels: { zone: "a" }, slots: 16, running: 0, connectedAt: now(), lastHeartbeatAt: now(), address: "127.0.0.1:40000",
  },
];
setInterval(() => workers.forEach((worker) => (worker.lastHeartbeatAt = now())), 2000).unref();

export function fail(status, reason, detail, violations = []) {
  return Object.assign(new Error(detail), { status, reason, violations });
}

export function problemsOf(doc) {
  const problems = [];
  const add = (field, description, hint = "") => problems.push({ field, description, hint, line: 0, column: 0 });
  if (typeof doc !== "object" || doc === null) return [{ field: "", description: "must be an object", hint: "", line: 1, column: 1 }];
  if (!/^[a-z0-9][a-z0-9._-]{0,63}$/.test(doc.name ?? "")) add("name", doc.name ? "must be lower-case letters, digits, '.', '_' or '-'" : "is missing");
  if (!Array.isArray(doc.steps) || doc.steps.length === 0) return [...problems, { field: "steps", description: "must have at least 1 element", hint: "", line: 0, column: 0 }];
  const ids = new Set();
  doc.steps.forEach((step, i) => {
    if (!/^[A-Za-z0-9_][A-Za-z0-9_-]*$/.test(step.id ?? "")) add(`steps[${i}].id`, step.id ? "is not an id" : "is missing");
    if (ids.has(step.id)) add(`steps[${i}].id`, `'${step.id}' is the id of another step`);
    ids.add(step.id);
    if (!step.task) add(`steps[${i}]`, "'task' is missing");
  });
  doc.steps.forEach((step, i) => (step.needs ?? []).forEach((need, j) => ids.has(need) || add(`steps[${i}].needs[${j}]`, `there is no step '${need}'`)));
  return problems;
}

function content(plan, version) {
  const found = plan.versions.find((each) => each.version === (version || plan.versions.length));
  if (!found) throw fail(404, "NOT_FOUND", "no such version");
  return found;
}
export const findPlan = (id) => {
  const plan = plans.get(id) ?? [...plans.values()].find((each) => each.name === id && !each.archivedAt);
  if (!plan) throw fail(404, "NOT_FOUND", `there is no plan ${id}`);
  return plan;
};
const brief = (run) => ({ id: run.id, state: run.state, createdAt: run.createdAt, finishedAt: run.finishedAt });
export function planMessage(plan, version, bodies = true) {
  const { document, source, message, at, version: number } = content(plan, version);
  const recentRuns = [...runs.values()].filter((run) => run.planId === plan.id).map(brief).reverse().slice(0, 10);
  return {
    id: plan.id, name: document.name, description: document.description ?? "", version: number, createdAt: plan.createdAt, updatedAt: at,
    archivedAt: plan.archivedAt, etag: `v${number}`, warnings: [], stepCount: document.steps.length, recentRuns, message,
    ...(bodies ? { document, source } : { source: "" }),
  };
}
export function savePlan(plan, document, source, message) {
  const problems = problemsOf(document);
  if (problems.length) throw fail(422, "PLAN_INVALID", "the plan is not valid", problems);
  if ([...plans.values()].some((other) => other !== plan && other.name === document.name && !other.archivedAt)) throw fail(409, "PLAN_NAME_TAKEN", `another plan has the name '${document.name}'`);
  const saved = plan ?? { id: randomUUID(), createdAt: now(), versions: [] };
  saved.name = document.name;
  saved.versions.push({ version: saved.versions.length + 1, document, source: source || JSON.stringify(document, null, 2), message: message ?? "", at: now() });
  plans.set(saved.id, saved);
  return saved;
}

export function startRun(plan, { input = {}, version } = {}, rerunOf = "") {
  if (plan.archivedAt) throw fail(409, "PLAN_ARCHIVED", "the plan is archived");
  const { document, version: number } = content(plan, version);
  const properties = document.input?.properties ?? {};
  const effective = Object.fromEntries(Object.entries(properties).filter(([, p]) => "default" in p).map(([name, p]) => [name, p.default]));
  for (const name of Object.keys(input)) if (document.input && !(name in properties)) throw fail(422, "INPUT_INVALID", "the input does not fit", [{ field: `input.${name}`, description: "unknown field", hint: "", line: 0, column: 0 }]);
  const run = {
    id: randomUUID(), planId: plan.id, planName: document.name, planVersion: number, state: "RUN_STATE_RUNNING", input: { ...effective, ...input },
    labels: {}, createdAt: now(), startedAt: now(), rerunOf, waitingFor: "",
  };
  const hidden = { document, tasks: new Map(), lines: [], history: [], children: new Map(), bus: new EventEmitter().setMaxListeners(0), logBus: new EventEmitter().setMaxListeners(0) };
  Object.defineProperty(run, "hidden", { value: hidden, enumerable: false });
  for (const step of document.steps)
    hidden.tasks.set(step.id, {
      id: randomUUID(), type: step.task, queue: "default", priority: 5, labels: {}, state: "TASK_STATE_PENDING", attempt: 0, failures: 0, lost: 0, runId: run.id,
      step: step.id, retryOf: "", workerId: "", waitingFor: "", progress: 0, progressMessage: "", createdAt: now(),
    });
  runs.set(run.id, run);
  count(run);
  setTimeout(() => advance(run), 30);
  return run;
}

function count(run) {
  const counts = { total: 0, pending: 0, ready: 0, running: 0, succeeded: 0, failed: 0, cancelled: 0, skipped: 0, retrying: 0, waiting: 0 };
  for (const task of run.hidden.tasks.values()) {
    counts.total++;
    counts[task.state.slice(11).toLowerCase()]++;
  }
  run.counts = counts;
}
const over = (task) => TERMINAL.includes(task.state.slice(11));
function set(run, task, state, more = {}) {
  Object.assign(task, { state: `TASK_STATE_${state}` }, more);
  if (over(task)) task.finishedAt = now();
  count(run);
  const { parameters, ...rest } = task;
  run.hidden.bus.emit("event", "task", { task: rest });
}
function note(run, task, kind, more = {}) {
  run.hidden.history.push({ shard: 0, number: "1", time: now(), kind: `EVENT_KIND_${kind}`, taskId: task.id, runId: run.id, step: task.step, attempt: task.attempt, workerId: task.workerId, actor: "", reason: "", state: task.state.slice(11).toLowerCase(), type: task.type, ...more });
}
function log(run, task, text, stream, level = "") {
  const seq = String(run.hidden.lines.length + 1);
  const line = { time: now(), text, stream, level, taskId: task.id, attempt: task.attempt, seq, step: task.step, continued: false, late: false };
  run.hidden.lines.push(line);
  run.hidden.logBus.emit("line", line);
}

function advance(run) {
  const { document, tasks } = run.hidden;
  if (run.state !== "RUN_STATE_RUNNING") return;
  for (const step of document.steps) {
    const task = tasks.get(step.id);
    if (task.state !== "TASK_STATE_PENDING" || run.cancelRequested) continue;
    const needs = (step.needs ?? []).map((need) => tasks.get(need));
    if (needs.some((need) => over(need) && need.state !== "TASK_STATE_SUCCEEDED")) set(run, task, "SKIPPED");
    else if (needs.every((need) => need.state === "TASK_STATE_SUCCEEDED")) begin(run, step, task);
  }
  const all = [...tasks.values()];
  if (!all.every(over)) return;
  const failed = all.find((task) => task.state === "TASK_STATE_FAILED");
  run.state = `RUN_STATE_${failed ? "FAILED" : all.some((task) => task.state === "TASK_STATE_CANCELLED") ? "CANCELLED" : "SUCCEEDED"}`;
  run.finishedAt = now();
  if (failed) run.failure = { ...failed.failure, step: failed.step };
  else run.output = {};
  run.hidden.bus.emit("event", "run", { run });
  run.hidden.bus.emit("end");
  run.hidden.logBus.emit("end");
}

function fill(value, run) {
  if (typeof value === "string") return value.replace(/\$\{\{\s*input\.(\w+)\s*\}\}/g, (_, name) => run.input[name] ?? "");
  if (Array.isArray(value)) return value.map((item) => fill(item, run));
  return value && typeof value === "object" ? Object.fromEntries(Object.entries(value).map(([name, item]) => [name, fill(item, run)])) : value;
}
function begin(run, step, task) {
  task.parameters = fill(step.parameters ?? {}, run);
  set(run, task, "READY");
  setTimeout(() => {
    if (over(task)) return;
    set(run, task, "RUNNING", { attempt: task.attempt + 1, startedAt: now(), workerId: workers[0].id, finishedAt: undefined });
    note(run, task, "TASK_STARTED");
    workers[0].running++;
    execute(run, step, task);
  }, 60);
}
function done(run, step, task, result, failure) {
  workers[0].running = Math.max(0, workers[0].running - 1);
  run.hidden.children.delete(task.id);
  if (run.cancelRequested) set(run, task, "CANCELLED");
  else if (!failure) set(run, task, "SUCCEEDED", { result });
  else if (++task.failures < (step.retry?.maxAttempts ?? 3)) {
    set(run, task, "RETRYING", { failure });
    note(run, task, "TASK_RETRYING", { failure, dueAt: new Date(Date.now() + BACKOFF_MS).toISOString() });
    setTimeout(() => over(task) || begin(run, step, task), BACKOFF_MS);
    return;
  } else set(run, task, "FAILED", { failure });
  note(run, task, "TASK_FINISHED", failure ? { failure } : {});
  advance(run);
}
function execute(run, step, task) {
  const { parameters } = task;
  if (task.type === "hello") {
    log(run, task, `Hello, ${parameters.name ?? "World"}!`, "stdout", "info");
    return done(run, step, task, { greeting: `Hello, ${parameters.name ?? "World"}!` });
  }
  if (task.type === "noop") return done(run, step, task, parameters);
  if (task.type !== "shell" && task.type !== "sleep") return set(run, task, "READY", { waitingFor: `no worker offers type ${task.type}` });
  const seconds = Number(/^([\d.]+)(ms|s|m)?$/.exec(String(parameters.duration ?? ""))?.[1] ?? 1) * (/ms$/.test(parameters.duration ?? "") ? 0.001 : 1);
  const child = task.type === "sleep" ? spawn("sleep", [String(seconds)], { detached: true }) : spawn("/bin/sh", ["-c", parameters.script ?? ""], { env: { ...process.env, PLANKTON_OUTPUT: "/dev/null" }, detached: true });
  run.hidden.children.set(task.id, child);
  for (const stream of ["stdout", "stderr"]) child[stream].on("data", (data) => data.toString().replace(/\n$/, "").split("\n").forEach((text) => log(run, task, text, stream)));
  child.on("close", (code) => done(run, step, task, null, code === 0 || task.type === "sleep" ? undefined : { code: "EXIT_STATUS", message: `exit status ${code}`, nonRetryable: false, step: "" }));
}
export function cancelRun(run, reason) {
  if (run.state !== "RUN_STATE_RUNNING") throw fail(409, "WRONG_STATE", "the run is over");
  run.cancelRequested = { at: now(), actor: "admin", reason };
  run.hidden.bus.emit("event", "run", { run });
  for (const task of run.hidden.tasks.values()) if (["PENDING", "READY", "RETRYING"].includes(task.state.slice(11))) set(run, task, "CANCELLED");
  for (const child of run.hidden.children.values()) process.kill(-child.pid);
  advance(run);
}
