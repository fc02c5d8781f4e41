// SPDX-License-Identifier: Apache-2.0
// Sticky steps of a run are all with one of two workers.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Cluster } from './system/cluster.mjs';

let c;
before(async () => { c = await Cluster.start({ workers: 2 }); });
after(async () => { await c?.stop(); });

test('the steps that stick run on one worker', async () => {
  const steps = [{ id: 'a', task: 'noop', sticky: 'soft' }];
  for (let i = 0; i < 6; i++) steps.push({ id: `b${i}`, task: 'noop', needs: [i ? `b${i - 1}` : 'a'], sticky: 'hard' });
  const run = await c.run({ name: 'sticky', steps });
  const done = await c.finished('runs', run.id);
  assert.equal(done.state, 'RUN_STATE_SUCCEEDED');
  const { tasks } = (await c.get(`/runs/${run.id}/tasks`)).json;
  assert.equal(new Set(tasks.map((task) => task.workerId)).size, 1, JSON.stringify(tasks.map((task) => task.workerId)));
  const last = (await c.get(`/tasks/${tasks.at(-1).id}`)).json;
  assert.deepEqual(last.worker, { id: tasks[0].workerId, only: true });
});

test('a task that is bound to a worker that is not here says so', async () => {
  const id = '00000000-0001-7000-8000-000000000001';
  const task = await c.submit({ type: 'noop', worker: { id, only: true } });
  assert.equal((await c.get(`/tasks/${task.id}`)).json.waitingFor, `worker ${id}, which it is bound to, is not connected`);
  assert.equal((await c.post('/tasks', { type: 'noop', worker: { id: 'nobody' } })).status, 400);
});
