// SPDX-License-Identifier: Apache-2.0
// Queues by their operators: pause with a reason that all that waits shows, resume, counts, also over a restart of the controller.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Cluster, until } from './system/cluster.mjs';

let c;
before(async () => { c = await Cluster.start(); });
after(async () => { await c?.stop(); });

test('a paused queue dispatches nothing, says why, and goes on when it is resumed', async () => {
  const paused = await c.post('/queues/nightly:pause', { reason: 'the disk is full' });
  assert.equal(paused.status, 200, paused.text);
  assert.equal(paused.json.name, 'nightly');
  assert.equal(paused.json.pause.reason, 'the disk is full');
  assert.ok(paused.json.pause.actor);
  const task = await c.submit({ type: 'noop', queue: 'nightly' });
  const other = await c.submit({ type: 'noop' });
  await c.finished('tasks', other.id);
  const waiting = (await c.get(`/tasks/${task.id}`)).json;
  assert.equal(waiting.state, 'TASK_STATE_READY');
  assert.equal(waiting.waitingFor, `queue nightly is paused by ${paused.json.pause.actor}: the disk is full`);
  await c.kill('controller');
  c.spawn('controller');
  await c.ready();
  const kept = (await c.get('/queues/nightly')).json;
  assert.equal(kept.pause.reason, 'the disk is full');
  assert.equal(kept.pause.at, paused.json.pause.at);
  assert.equal(kept.ready, '1');
  assert.ok(kept.oldestReadyAt);
  const resumed = await c.post('/queues/nightly:resume');
  assert.equal(resumed.status, 200, resumed.text);
  assert.equal(resumed.json.pause, undefined);
  await c.finished('tasks', task.id);
});

test('queues are listed and unknown ones are not found', async () => {
  await c.post('/queues/a-first:pause', { reason: 'x' });
  const { json } = await c.get('/queues');
  const names = json.queues.map((queue) => queue.name);
  assert.deepEqual(names, [...names].sort());
  assert.ok(names.includes('nightly') && names.includes('a-first'));
  const page = (await c.get('/queues?pageSize=1')).json;
  assert.equal(page.queues.length, 1);
  const next = (await c.get(`/queues?pageSize=1&pageToken=${encodeURIComponent(page.nextPageToken)}`)).json;
  assert.equal(next.queues[0].name, names[1]);
  assert.equal((await c.get('/queues/nowhere')).status, 404);
  assert.equal((await c.post('/queues/Not%20A%20Name:pause', { reason: '' })).status, 400);
});

test('a step says which steps it needs, a task not before when, and a busy worker is named', async () => {
  const run = await c.run({ name: 'waits', steps: [{ id: 'one', task: 'sleep', parameters: { duration: '20s' } }, { id: 'two', task: 'noop', needs: ['one'] }] });
  const two = async () => (await c.get(`/runs/${run.id}/tasks`)).json.tasks.find((task) => task.step === 'two');
  await until('step two says what it needs', async () => (await two()).waitingFor === 'needs step one');
  const later = await c.submit({ type: 'noop', runAt: '2100-01-01T00:00:00Z' });
  assert.equal((await c.get(`/tasks/${later.id}`)).json.waitingFor, 'not before 2100-01-01T00:00:00Z');
  const labelled = await c.submit({ type: 'noop', environment: { requires: { gpu: 'true' } } });
  assert.equal((await c.get(`/tasks/${labelled.id}`)).json.waitingFor, 'no worker with label gpu=true (1 offers type noop)');
  await c.post(`/runs/${run.id}:cancel`, { reason: 'enough' });
});

test('no more tasks of a key run than its limit, and one that waits says who holds it', async () => {
  const limited = (strategy) => ({ type: 'sleep', parameters: { duration: '60s' }, concurrency: [{ key: 'db', limit: 2, ...(strategy ? { strategy } : {}) }] });
  const running = [await c.submit(limited()), await c.submit(limited())];
  const waiting = await c.submit(limited());
  await until('two run', async () => (await Promise.all(running.map((task) => c.get(`/tasks/${task.id}`)))).every(({ json }) => json.state === 'TASK_STATE_RUNNING'));
  const seen = (await c.get(`/tasks/${waiting.id}`)).json;
  assert.equal(seen.state, 'TASK_STATE_READY');
  assert.match(seen.waitingFor, /^limit of key db: 2 of 2 held by [0-9a-f-]{36}, [0-9a-f-]{36}$/);
  assert.deepEqual(seen.concurrency, [{ key: 'db', limit: 2, strategy: 'CONCURRENCY_STRATEGY_UNSPECIFIED' }]);
  await c.kill('controller');
  c.spawn('controller');
  await c.ready();
  await until('the limit is known again', async () => /^limit of key db: 2 of 2/.test((await c.get(`/tasks/${waiting.id}`)).json.waitingFor));
  const refused = await c.post('/tasks', limited('CONCURRENCY_STRATEGY_REJECT_NEW'));
  assert.equal(refused.status, 409, refused.text);
  assert.match(refused.text, /LIMIT_REACHED/);
  await c.post(`/tasks/${running[0].id}:cancel`, { reason: 'enough' });
  await until('the next one runs', async () => (await c.get(`/tasks/${waiting.id}`)).json.state === 'TASK_STATE_RUNNING');
  for (const task of [running[1], waiting]) await c.post(`/tasks/${task.id}:cancel`, { reason: 'enough' });
});

test('the newest task of a key takes the place of the older ones', async () => {
  const preview = { type: 'sleep', parameters: { duration: '60s' }, concurrency: [{ key: 'preview', limit: 1, strategy: 'CONCURRENCY_STRATEGY_CANCEL_RUNNING' }] };
  const first = await c.submit(preview);
  await until('it runs', async () => (await c.get(`/tasks/${first.id}`)).json.state === 'TASK_STATE_RUNNING');
  const second = await c.submit(preview);
  const ended = await c.finished('tasks', first.id);
  assert.equal(ended.state, 'TASK_STATE_CANCELLED');
  assert.equal(ended.cancelRequested.reason, 'a newer task of key preview');
  await until('the newer one runs', async () => (await c.get(`/tasks/${second.id}`)).json.state === 'TASK_STATE_RUNNING');
  await c.post(`/tasks/${second.id}:cancel`, { reason: 'enough' });
});

test('a queue has limits of its own, which are kept over a restart', async () => {
  const set = await c.put('/queues/narrow', { concurrency: 1, rate: { limit: 100, per: '1s' } });
  assert.equal(set.status, 200, set.text);
  assert.deepEqual(set.json.limits, { concurrency: 1, rate: { limit: 100, per: '1s' } });
  const one = await c.submit({ type: 'sleep', queue: 'narrow', parameters: { duration: '60s' } });
  const two = await c.submit({ type: 'noop', queue: 'narrow' });
  await until('one runs', async () => (await c.get(`/tasks/${one.id}`)).json.state === 'TASK_STATE_RUNNING');
  assert.equal((await c.get(`/tasks/${two.id}`)).json.waitingFor, 'limit of queue narrow: 1 of 1 running');
  await c.kill('controller');
  c.spawn('controller');
  await c.ready();
  assert.deepEqual((await c.get('/queues/narrow')).json.limits, set.json.limits);
  assert.equal((await c.put('/queues/narrow', { concurrency: -1 })).status, 400);
  assert.equal((await c.put('/queues/narrow', { rate: { limit: 1 } })).status, 400);
  assert.equal((await c.put('/queues/narrow', { speed: 1 })).status, 400);
  const free = await c.put('/queues/narrow', {});
  assert.equal(free.json.limits, undefined);
  await c.finished('tasks', two.id);
  await c.post(`/tasks/${one.id}:cancel`, { reason: 'enough' });
});

test('what a task asks of a worker is met, or named', async () => {
  const where = (list) => ({ type: 'noop', environment: { where: list } });
  await c.finished('tasks', (await c.submit(where(['sandbox = standard', 'zone != moon']))).id);
  const nowhere = await c.submit(where(['zone = moon']));
  assert.equal((await c.get(`/tasks/${nowhere.id}`)).json.waitingFor, 'no worker with zone=moon (1 offers type noop)');
  assert.equal((await c.post('/tasks', where(['zone ~ moon']))).status, 400);
  const huge = await c.submit({ type: 'noop', environment: { resources: { gpu: 4 } } });
  assert.match((await c.get(`/tasks/${huge.id}`)).json.waitingFor, /^no worker is large enough: cost 1, .*gpu 4$/);
  const worker = (await c.get('/workers')).json.workers[0];
  assert.ok(worker.resources.cpu >= 1 && Number(worker.resources.memory) > 1e6, JSON.stringify(worker.resources));
  const half = { type: 'sleep', parameters: { duration: '60s' }, cost: Math.floor(worker.slots / 2) + 1 };
  const first = await c.submit(half);
  const second = await c.submit(half);
  await until('the first runs', async () => (await c.get(`/tasks/${first.id}`)).json.state === 'TASK_STATE_RUNNING');
  const waiting = (await c.get(`/tasks/${second.id}`)).json;
  assert.equal(waiting.state, 'TASK_STATE_READY');
  assert.equal(waiting.waitingFor, 'the worker that can run it is busy');
  assert.equal(waiting.cost, half.cost);
  await c.post(`/tasks/${first.id}:cancel`, { reason: 'enough' });
  await until('the second runs', async () => (await c.get(`/tasks/${second.id}`)).json.state === 'TASK_STATE_RUNNING');
  await c.post(`/tasks/${second.id}:cancel`, { reason: 'enough' });
});

test('a rate is kept, and malformed limits are refused by name', async () => {
  const mail = { type: 'noop', rateLimits: [{ key: 'mail', limit: 2, per: '1s' }] };
  const ids = [];
  for (let i = 0; i < 6; i++) ids.push((await c.submit(mail)).id);
  const started = [];
  for (const id of ids) started.push(new Date((await c.finished('tasks', id)).startedAt).getTime());
  started.sort((a, b) => a - b);
  for (let i = 0; i + 4 < started.length; i++) assert.ok(started[i + 4] - started[i] >= 990, `five starts within ${started[i + 4] - started[i]} ms`);
  const refused = await c.post('/tasks', { type: 'noop', rateLimits: [{ key: 'mail', limit: 2, per: '1s', units: 3 }] });
  assert.equal(refused.status, 400);
  assert.match(refused.text, /rateLimits\[0\].units/);
  const plan = await c.post('/plans', { name: 'limited', steps: [{ id: 'a', task: 'noop', concurrency: [{ key: '${{ input.host }}', limit: 1 }], fairness: { key: 'x', weight: 2 } }] });
  assert.equal(plan.status, 201, plan.text);
  const run = (await c.post(`/plans/${plan.json.id}/runs`, { input: { host: 'h1' } })).json;
  await c.finished('runs', run.id);
  const step = (await c.get(`/runs/${run.id}/tasks`)).json.tasks[0];
  const task = (await c.get(`/tasks/${step.id}`)).json;
  assert.equal(task.concurrency[0].key, 'h1');
  assert.deepEqual(task.fairness, { key: 'x', weight: 2 });
});
