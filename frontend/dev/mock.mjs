// SPDX-License-Identifier: Apache-2.0
// The toy of engine.mjs behind the routes of the API, with the built pages and the gateway's headers: npm run mock [PORT].
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { cancelRun, fail, findPlan, planMessage, plans, problemsOf, runs, savePlan, startRun, workers } from "./engine.mjs";

const dist = join(dirname(fileURLToPath(import.meta.url)), "../dist");
const port = Number(process.argv[2] ?? 8080);
const KEY = "pk_mock";
const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };

function documentOf(body) {
  if (typeof body.source !== "string") return { document: body.document ?? body, source: "" };
  if (body.document) return { document: body.document, source: body.source };
  try {
    return { document: JSON.parse(body.source), source: body.source };
  } catch {
    throw fail(422, "PLAN_INVALID", "the toy reads JSON only", [{ field: "", description: "is not JSON (the toy reads no YAML)", hint: "", line: 1, column: 1 }]);
  }
}
const findRun = (id) => runs.get(id) ?? raise(fail(404, "NOT_FOUND", `there is no run ${id}`));
const raise = (error) => {
  throw error;
};
function page(list, query, name) {
  const size = Number(query.get("pageSize") || 50);
  const at = Number(query.get("pageToken") || 0);
  return { [name]: list.slice(at, at + size), nextPageToken: at + size < list.length ? String(at + size) : "" };
}
const newest = (map) => [...map.values()].reverse();
const taskOf = (id) => [...runs.values()].flatMap((run) => [...run.hidden.tasks.values()].map((task) => ({ run, task }))).find(({ task }) => task.id === id) ?? raise(fail(404, "NOT_FOUND", "no such task"));

const routes = [
  ["GET", "/plans", (_, q) => page(newest(plans).filter((plan) => !!plan.archivedAt === (q.get("archived") === "true") && (plan.name + planMessage(plan).description).includes(q.get("q") ?? "")), q, "plans"), (answer) => ({ ...answer, plans: answer.plans.map((plan) => planMessage(plan, 0, false)) })],
  ["POST", "/plans", (_, q, body) => { const { document, source } = documentOf(body); return planMessage(savePlan(undefined, document, source, q.get("message"))); }],
  ["POST", "/plans:validate", (_, __, body) => { const { document } = documentOf(body); const problems = problemsOf(document); return { valid: !problems.length, problems, warnings: [], document }; }],
  ["GET", "/plans/:id", ([id], q) => planMessage(findPlan(id), Number(q.get("version") ?? 0))],
  ["PUT", "/plans/:id", ([id], q, body, headers) => {
    const plan = findPlan(id);
    if (headers["if-match"] && headers["if-match"] !== `"v${plan.versions.length}"`) throw fail(412, "ETAG_MISMATCH", "the plan has a newer version");
    const { document, source } = documentOf(body);
    return planMessage(savePlan(plan, document, source, q.get("message")));
  }],
  ["DELETE", "/plans/:id", ([id]) => { const plan = findPlan(id); plan.archivedAt = new Date().toISOString(); return planMessage(plan); }],
  ["GET", "/plans/:id/versions", ([id]) => { const plan = findPlan(id); return { versions: plan.versions.map((each) => planMessage(plan, each.version, false)).reverse(), nextPageToken: "" }; }],
  ["POST", "/plans/:id/runs", ([id], _, body) => startRun(findPlan(id), body)],
  ["GET", "/runs", (_, q) => page(newest(runs).filter((run) => (!q.get("state") || run.state === q.get("state")) && (!q.get("planId") || run.planId === q.get("planId"))), q, "runs")],
  ["GET", "/runs/:id", ([id]) => findRun(id)],
  ["GET", "/runs/:id/graph", ([id]) => { const run = findRun(id); return { runId: id, steps: run.hidden.document.steps.map((step) => ({ id: step.id, name: step.id, kind: "task", type: step.task, needs: step.needs ?? [], taskId: run.hidden.tasks.get(step.id).id, state: run.hidden.tasks.get(step.id).state, attempt: 0 })) }; }],
  ["POST", "/runs/:id:cancel", ([id], _, body) => { const run = findRun(id); cancelRun(run, body.reason); return run; }],
  ["POST", "/runs/:id:rerun", ([id], _, body) => { const run = findRun(id); return startRun(findPlan(run.planId), { input: body.input ?? run.input, version: run.planVersion }, id); }],
  ["GET", "/tasks/:id", ([id]) => taskOf(id).task],
  ["GET", "/tasks/:id/history", ([id]) => ({ events: taskOf(id).run.hidden.history.filter((event) => event.taskId === id), nextPageToken: "" })],
  ["GET", "/workers", (_, q) => page(workers, q, "workers")],
  ["POST", "/workers/:id:drain", ([id]) => Object.assign(workers.find((worker) => worker.id === id) ?? raise(fail(404, "NOT_FOUND", "no such worker")), { state: "WORKER_STATE_DRAINING" })],
].map(([method, pattern, act, then]) => ({ method, match: new RegExp(`^/api/v1${pattern.replace(/:id/g, "([^/:]+)")}$`), act, then }));

function stream(request, response, path) {
  const [, id, kind] = /^\/api\/v1\/runs\/([^/]+)\/(events|logs)$/.exec(path) ?? [];
  if (!id) return false;
  const run = findRun(id);
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
  let number = 0;
  const send = (event, data) => response.write(`event: ${event}\nid: ${++number}\ndata: ${JSON.stringify(data)}\n\n`);
  const end = () => response.end("event: end\ndata: {}\n\n");
  if (kind === "events") send("snapshot", { snapshot: { run, tasks: [...run.hidden.tasks.values()].map(({ parameters, ...task }) => task) } });
  else for (let i = 0; i < run.hidden.lines.length; i += 1000) send("lines", { lines: run.hidden.lines.slice(i, i + 1000) });
  if (run.state !== "RUN_STATE_RUNNING") return end();
  const bus = kind === "events" ? run.hidden.bus : run.hidden.logBus;
  const onEvent = kind === "events" ? (name, data) => send(name, data) : (line) => send("lines", { lines: [line] });
  bus.on(kind === "events" ? "event" : "line", onEvent);
  bus.once("end", end);
  request.on("close", () => bus.off(kind === "events" ? "event" : "line", onEvent).off("end", end));
  return true;
}

async function readBody(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return parts.length ? JSON.parse(Buffer.concat(parts).toString()) : {};
}

async function serveFile(path, response) {
  const isFile = extname(path) !== "";
  try {
    const data = await readFile(join(dist, isFile ? path : "index.html"));
    response.writeHead(200, { "Content-Type": TYPES[extname(path)] ?? TYPES[".html"], "Content-Security-Policy": CSP });
    response.end(data);
  } catch {
    response.writeHead(404).end();
  }
}

async function serve(request, response) {
  const url = new URL(request.url, "http://x");
  const path = url.pathname;
  const signedIn = (request.headers.cookie ?? "").includes(KEY);
  const enter = (status, headers) => response.writeHead(status, { "Set-Cookie": `plankton=${KEY}; HttpOnly; SameSite=Strict; Path=/`, ...headers }).end();
  if (path === "/login" && url.searchParams.has("token")) return enter(303, { Location: "/" });
  if (path === "/login" && request.method === "POST") {
    if ((await readBody(request)).token !== KEY) throw fail(401, "", "unknown key");
    return enter(204, {});
  }
  if (path === "/logout") return response.writeHead(204, { "Set-Cookie": "plankton=; Max-Age=0; Path=/" }).end();
  if (!path.startsWith("/api/")) return serveFile(path, response);
  if (!signedIn) throw fail(401, "", "sign in");
  if (stream(request, response, path)) return undefined;
  for (const route of routes) {
    const match = route.method === request.method && route.match.exec(path);
    if (!match) continue;
    const answer = await route.act(match.slice(1), url.searchParams, await readBody(request), request.headers);
    response.writeHead(request.method === "POST" ? 201 : 200, { "Content-Type": "application/json" });
    return response.end(JSON.stringify(route.then ? route.then(answer) : answer));
  }
  throw fail(404, "NOT_FOUND", "no such route");
}

createServer((request, response) => {
  serve(request, response).catch((error) => {
    if (response.headersSent) return response.end();
    const status = error.status ?? 500;
    response.writeHead(status, { "Content-Type": "application/problem+json" });
    response.end(JSON.stringify({ type: "about:blank", title: error.reason || "Error", status, detail: error.message, code: "", reason: error.reason ?? "", requestId: "req-1", violations: error.violations ?? [] }));
  });
}).listen(port, "127.0.0.1", () => console.log(`http://127.0.0.1:${port}/login?token=x`));
