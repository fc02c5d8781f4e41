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
