// SPDX-License-Identifier: Apache-2.0
// The REST API of a whole system: tasks, plans, runs, workers, as curl would use it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Cluster, until } from './system/cluster.mjs';

let c;
before(async () => { c = await Cluster.start(); });
after(async () => { await c?.stop(); });

const hello = (name) => ({ name, description: 'greets', input: { type: 'object', properties: { name: { type: 'string', default: 'World' } } },
  steps: [{ id: 'greet', task: 'hello', parameters: { name: '${{ input.name }}' } },
    { id: 'say', needs: ['greet'], task: 'shell', parameters: { script: 'echo "$WHO says hi"; echo oops >&2' }, environment: { variables: { WHO: 'nobody' } } }],
  output: { text: '${{ steps.greet.output.greeting }}' } });

test('a task is submitted, executed, and its result is seen', async () => {
  const created = await c.post('/tasks', { type: 'hello', parameters: { name: 'World' }, labels: { team: 'a' } });
  assert.equal(created.status, 201);
  assert.equal(created.headers.location, `/api/v1/tasks/${created.json.id}`);
  const done = await c.get(`/tasks/${created.json.id}?wait=10s`);
  assert.equal(done.json.state, 'TASK_STATE_SUCCEEDED');
  assert.deepEqual(done.json.result, { greeting: 'Hello, World!' });
  assert.deepEqual(done.json.parameters, { name: 'World' });
  assert.deepEqual(done.json.labels, { team: 'a' });
  assert.equal(done.json.attempt, 1);
});

test('a submit is idempotent by its key', async () => {
  const headers = { 'idempotency-key': 'order-1' };
  const first = await c.post('/tasks', { type: 'noop' }, { headers });
  const again = await c.post('/tasks', { type: 'noop' }, { headers });
  assert.equal(first.status, 201);
  assert.equal(again.status, 200);
  assert.equal(again.json.id, first.json.id);
  const other = await c.post('/tasks', { type: 'noop', priority: 9 }, { headers });
  assert.equal(other.status, 409);
  assert.equal(other.json.reason, 'REQUEST_ID_CONFLICT');
});

test('a batch answers for each item', async () => {
  const { status, json } = await c.post('/tasks:batch', { items: [{ task: { type: 'noop' } }, { task: { type: 'No Type' } }, { task: { type: 'noop' } }] });
  assert.equal(status, 200);
  assert.equal(json.results.length, 3);
  assert.ok(json.results[0].id && json.results[2].id);
  assert.equal(json.results[1].code, 3);
  for (const i of [0, 2]) await c.finished('tasks', json.results[i].id);
});

test('a waiting task says why, and a cancel ends it', async () => {
  const task = await c.submit({ type: 'nobody-offers-this' });
  assert.equal(task.state, 'TASK_STATE_READY');
  assert.match(task.waitingFor, /no worker offers type nobody-offers-this/);
  const cancelled = await c.post(`/tasks/${task.id}:cancel`, { reason: 'not needed' });
  assert.equal(cancelled.json.state, 'TASK_STATE_CANCELLED');
  const again = await c.post(`/tasks/${task.id}:cancel`, {});
  assert.equal(again.status, 409);
  assert.equal(again.json.reason, 'WRONG_STATE');
});

test('a running task is cancelled by its worker', async () => {
  const task = await c.submit({ type: 'sleep', parameters: { duration: '60s' } });
  await until('it runs', async () => (await c.get(`/tasks/${task.id}`)).json.state === 'TASK_STATE_RUNNING');
  const asked = await c.post(`/tasks/${task.id}:cancel`, { reason: 'enough' });
  assert.equal(asked.status, 200);
  const done = await c.finished('tasks', task.id);
  assert.equal(done.state, 'TASK_STATE_CANCELLED');
  assert.equal(done.cancelRequested.reason, 'enough');
});

test('a failing task is tried again with backoff and keeps its error', async () => {
  const task = await c.submit({ type: 'shell', parameters: { script: 'echo broken >&2; exit 3' }, retry: { maxAttempts: 3, initialBackoff: '0.05s', jitter: 0 } });
  const done = await c.finished('tasks', task.id);
  assert.equal(done.state, 'TASK_STATE_FAILED');
  assert.equal(done.attempt, 3);
  assert.equal(done.failures, 3);
  assert.equal(done.failure.code, 'EXIT_STATUS');
  assert.match(done.failure.message, /exit status 3/);
  const retried = await c.post(`/tasks/${task.id}:retry`, {});
  assert.equal(retried.status, 200);
  assert.equal(retried.json.retryOf, task.id);
});

test('an attempt past its timeout fails with TIMEOUT', async () => {
  const task = await c.submit({ type: 'sleep', parameters: { duration: '60s' }, timeout: { attempt: '0.2s' }, retry: { maxAttempts: 1 } });
  const done = await c.finished('tasks', task.id);
  assert.equal(done.state, 'TASK_STATE_FAILED');
  assert.equal(done.failure.code, 'TIMEOUT');
});

test('tasks are listed newest first, by page, and filtered by state', async () => {
  const ids = [];
  for (let i = 0; i < 5; i++) ids.push((await c.submit({ type: 'noop', queue: 'pages' })).id);
  for (const id of ids) await c.finished('tasks', id);
  const first = await c.get('/tasks?queue=pages&pageSize=3');
  assert.deepEqual(first.json.tasks.map((t) => t.id), ids.slice(2).reverse());
  const second = await c.get(`/tasks?queue=pages&pageSize=3&pageToken=${first.json.nextPageToken}`);
  assert.deepEqual(second.json.tasks.map((t) => t.id), ids.slice(0, 2).reverse());
  assert.equal(second.json.nextPageToken, '');
  assert.equal((await c.get('/tasks?queue=pages&state=succeeded')).json.tasks.length, 5);
  assert.equal((await c.get('/tasks?queue=pages&state=TASK_STATE_FAILED')).json.tasks.length, 0);
});

test('a plan is saved, listed, run, versioned, archived', async () => {
  const created = await c.post('/plans', hello('life'));
  assert.equal(created.status, 201);
  const { id, etag } = created.json;
  assert.equal(created.headers.etag, `"${etag}"`);
  assert.ok((await c.get('/plans')).json.plans.some((p) => p.id === id && p.document === undefined));
  const started = await c.post(`/plans/${id}/runs`, { input: { name: 'Ada' } });
  assert.equal(started.status, 201);
  assert.equal(started.headers.location, `/api/v1/runs/${started.json.id}`);
  const run = await c.finished('runs', started.json.id);
  assert.equal(run.state, 'RUN_STATE_SUCCEEDED');
  assert.deepEqual(run.output, { text: 'Hello, Ada!' });
  assert.equal(run.counts.succeeded, 2);
  const changed = { ...hello('life'), description: 'greets better' };
  assert.equal((await c.put(`/plans/${id}`, changed, { headers: { 'if-match': '"9-0000000000000000"' } })).status, 412);
  const updated = await c.put(`/plans/${id}`, changed, { headers: { 'if-match': created.headers.etag } });
  assert.equal(updated.status, 200);
  assert.equal(updated.json.version, 2);
  assert.equal((await c.get(`/plans/${id}/versions`)).json.versions.length, 2);
  assert.equal((await c.get(`/plans/${id}?version=1`)).json.description !== undefined, true);
  assert.equal((await c.post('/plans', hello('life'))).status, 409);
  assert.equal((await c.request('DELETE', `/api/v1/plans/${id}`, { key: c.adminKey })).status, 200);
  const refused = await c.post(`/plans/${id}/runs`, {});
  assert.equal(refused.json.reason, 'PLAN_ARCHIVED');
  assert.equal((await c.get(`/runs/${run.id}`)).status, 200);
  assert.equal((await c.post('/plans', hello('life'))).status, 201);
});

test('a plan in YAML keeps its comments', async () => {
  const source = '# keep me\nname: commented\nsteps:\n  - {id: a, task: noop}\n';
  const created = await c.post('/plans', source, { headers: { 'content-type': 'application/yaml' } });
  assert.equal(created.status, 201, created.text);
  assert.equal((await c.get(`/plans/${created.json.id}`)).json.source, source);
});

test('a run is watched live by server-sent events until it ends', async () => {
  const run = await c.run({ name: 'watched', steps: [{ id: 'a', task: 'sleep', parameters: { duration: '200ms' } }, { id: 'b', needs: ['a'], task: 'hello' }] });
  const seen = [];
  for await (const event of c.events(`/runs/${run.id}/events`)) seen.push(event);
  assert.equal(seen[0].event, 'snapshot');
  assert.equal(seen.at(-1).event, 'end');
  const states = seen.filter((e) => e.event === 'task').map((e) => [e.json.task.step, e.json.task.state]);
  assert.ok(states.some(([step, state]) => step === 'b' && state === 'TASK_STATE_SUCCEEDED'));
  assert.ok(states.every(([, state]) => state !== 'TASK_STATE_UNSPECIFIED'), JSON.stringify(states));
  assert.equal(seen.filter((e) => e.event === 'run').at(-1).json.run.state, 'RUN_STATE_SUCCEEDED');
  const ids = seen.filter((e) => e.id).map((e) => BigInt(e.id.split('-').at(-1)));
  assert.ok(ids.every((id, i) => i === 0 || id >= ids[i - 1]));
});

test('a failed step fails the run, the rest is skipped, and it can be rerun', async () => {
  const run = await c.run({ name: 'failing', steps: [{ id: 'a', task: 'shell', parameters: { script: 'exit 7' }, retry: { maxAttempts: 1 } }, { id: 'b', needs: ['a'], task: 'noop' }] });
  const done = await c.finished('runs', run.id);
  assert.equal(done.state, 'RUN_STATE_FAILED');
  assert.equal(done.failure.step, 'a');
  const { json } = await c.get(`/runs/${run.id}/tasks`);
  assert.deepEqual(json.tasks.map((t) => [t.step, t.state]), [['a', 'TASK_STATE_FAILED'], ['b', 'TASK_STATE_SKIPPED']]);
  const rerun = await c.post(`/runs/${run.id}:rerun`, {});
  assert.equal(rerun.status, 200);
  assert.equal(rerun.json.rerunOf, run.id);
  await c.finished('runs', rerun.json.id);
});

test('a run is cancelled with its steps', async () => {
  const run = await c.run({ name: 'cancelled', steps: [{ id: 'a', task: 'sleep', parameters: { duration: '60s' } }, { id: 'b', needs: ['a'], task: 'noop' }] });
  assert.equal((await c.post(`/runs/${run.id}:cancel`, { reason: 'test' })).status, 200);
  const done = await c.finished('runs', run.id);
  assert.equal(done.state, 'RUN_STATE_CANCELLED');
  assert.equal((await c.get('/runs?state=cancelled')).json.runs[0].id, run.id);
});

test('the graph shows structure and states', async () => {
  const run = await c.run({ name: 'diamond', steps: [{ id: 'a', task: 'noop' }, { id: 'b', needs: ['a'], task: 'noop' }, { id: 'c', needs: ['a'], task: 'noop' }, { id: 'd', needs: ['b', 'c'], task: 'noop' }] });
  await c.finished('runs', run.id);
  const { json } = await c.get(`/runs/${run.id}/graph`);
  assert.deepEqual(json.steps.map((s) => [s.id, s.needs, s.state]), [['a', [], 'TASK_STATE_SUCCEEDED'], ['b', ['a'], 'TASK_STATE_SUCCEEDED'],
    ['c', ['a'], 'TASK_STATE_SUCCEEDED'], ['d', ['b', 'c'], 'TASK_STATE_SUCCEEDED']]);
});

test('logs of a task and of a run are read and tailed', async () => {
  const run = await c.run({ name: 'talking', steps: [{ id: 'a', task: 'shell', parameters: { script: 'echo one; echo two >&2' } }, { id: 'b', needs: ['a'], task: 'shell', parameters: { script: 'sleep 0.2; echo three' } }] });
  const live = [];
  for await (const event of c.events(`/runs/${run.id}/logs`)) if (event.event === 'lines') live.push(...event.json.lines);
  assert.deepEqual(live.map((l) => l.text).sort(), ['one', 'three', 'two']);
  await c.finished('runs', run.id);
  const page = await until('the log is complete', async () => { const { json } = await c.get(`/runs/${run.id}/logs`); return json.complete && json; });
  assert.deepEqual(page.lines.map((l) => [l.step, l.text]).sort(), [['a', 'one'], ['a', 'two'], ['b', 'three']]);
  assert.equal(page.lines.find((l) => l.text === 'two').stream, 'stderr');
  const text = await c.get(`/runs/${run.id}/logs`, { headers: { accept: 'text/plain' } });
  assert.deepEqual(text.text.trim().split('\n').sort(), ['one', 'three', 'two']);
});

test('the history tells the whole story from the log alone', async () => {
  const task = await c.submit({ type: 'shell', parameters: { script: 'exit 1' }, retry: { maxAttempts: 2, initialBackoff: '0.02s' } });
  await c.finished('tasks', task.id);
  const kinds = await until('the history is complete', async () => {
    const { json } = await c.get(`/tasks/${task.id}/history`);
    const list = json.events?.map((e) => e.kind.replace('EVENT_KIND_', '')) ?? [];
    return list.at(-1) === 'TASK_FINISHED' && list;
  });
  assert.deepEqual(kinds, ['TASK_SUBMITTED', 'TASK_STARTED', 'TASK_RETRYING', 'TASK_STARTED', 'TASK_FINISHED']);
});

test('workers, keys, identity and the API description are there', async () => {
  const { json } = await c.get('/workers');
  assert.equal(json.workers[0].state, 'WORKER_STATE_CONNECTED');
  assert.equal((await c.get('/whoami')).json.role, 'ROLE_ADMIN');
  const key = await c.post('/keys', { name: 'ci', role: 'ROLE_ADMIN' });
  assert.equal(key.status, 201);
  assert.equal((await c.get('/plans', { key: key.json.secret })).status, 200);
  assert.equal((await c.request('DELETE', `/api/v1/keys/${key.json.key.id}`, { key: c.adminKey })).status, 200);
  assert.equal((await c.get('/plans', { key: key.json.secret })).status, 401);
  const openapi = await c.get('/openapi.json');
  assert.equal(openapi.json.openapi.slice(0, 3), '3.1');
  for (const path of ['/api/v1/plans', '/api/v1/runs/{id}:cancel', '/api/v1/tasks/{id}', '/api/v1/workers']) assert.ok(openapi.json.paths[path], path);
});

test('no log has an error or a warning', () => {
  for (const name of ['controller', 'logger', 'gateway', 'worker-1']) assert.doesNotMatch(c.log(name), /"level":"(error|warn)"|level=(error|warn)/, name);
});
