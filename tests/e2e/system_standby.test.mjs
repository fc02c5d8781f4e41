// SPDX-License-Identifier: Apache-2.0
// A second controller waits, takes over when the first dies, and gives nothing up when the first comes back.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Cluster, quick, until } from './system/cluster.mjs';

let c;
before(async () => {
  // a busy machine must not make the worker come back later than the grace
  const controller = quick.controller.map((flag) => (flag.startsWith('--grace=') ? '--grace=5s' : flag));
  c = await Cluster.start({ standby: true, settings: { controller } });
  c.spawn('standby');
});
after(async () => { await c?.stop(); });

const standsBy = (port) => until('it stands by', async () => /standing by/.test((await c.request('GET', '/readyz', { port })).text));

test('the standby waits and takes no calls', async () => {
  await standsBy(c.standby.ops);
  assert.doesNotMatch(c.log('standby'), /shard\.owned/);
  await c.finished('tasks', (await c.submit({ type: 'noop' })).id);
});

test('kill -9 of the first: the second takes over, and work that was running goes on', async () => {
  const running = await c.submit({ type: 'sleep', parameters: { duration: '3s' } });
  await until('it runs', async () => (await c.get(`/tasks/${running.id}`)).json.state === 'TASK_STATE_RUNNING');
  const killed = Date.now();
  await c.kill('controller');
  const task = await until('a submit is taken again', async () => (await c.post('/tasks', { type: 'noop' }, { timeout: 3000 }).catch(() => null))?.json?.id, 10000);
  assert.ok(Date.now() - killed < 6000, `taken over after ${Date.now() - killed} ms`);
  assert.equal((await c.finished('tasks', task)).state, 'TASK_STATE_SUCCEEDED');
  const done = await c.finished('tasks', running.id);
  assert.equal(done.state, 'TASK_STATE_SUCCEEDED');
  assert.equal(done.attempt, 1, 'its worker held the lease through the takeover');
});

test('the first comes back and stands by', async () => {
  c.spawn('controller');
  await standsBy(c.ports.controllerOps);
  await c.finished('tasks', (await c.submit({ type: 'noop' })).id);
  const owners = await c.sql('select count(distinct owner) from shard');
  assert.equal(owners, '1');
});

test('a controller that stops in order hands over at once', async () => {
  const stopped = Date.now();
  await c.kill('standby', 'SIGTERM');
  const task = await until('a submit is taken again', async () => (await c.post('/tasks', { type: 'noop' }, { timeout: 3000 }).catch(() => null))?.json?.id, 10000);
  assert.ok(Date.now() - stopped < 4000, `handed over after ${Date.now() - stopped} ms`);
  await c.finished('tasks', task);
});
