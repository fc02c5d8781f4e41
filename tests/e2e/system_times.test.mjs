// SPDX-License-Identifier: Apache-2.0
// Delays, the budget of retries, and programs that stop giving signs of life.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Cluster } from './system/cluster.mjs';

let c;
before(async () => { c = await Cluster.start(); });
after(async () => { await c?.stop(); });

const ms = (text) => new Date(text).getTime();

test('a delay counts from the submit, and that of a step from its needs', async () => {
  const task = await c.submit({ type: 'noop', delay: '1.5s' });
  const run = await c.run({ name: 'delayed', steps: [{ id: 'a', task: 'noop' }, { id: 'b', task: 'noop', needs: ['a'], delay: '1s' }] });
  const done = await c.finished('tasks', task.id);
  assert.ok(ms(done.startedAt) - ms(done.createdAt) >= 1500, `${done.createdAt} ${done.startedAt}`);
  await c.finished('runs', run.id);
  const [a, b] = (await c.get(`/runs/${run.id}/tasks`)).json.tasks;
  assert.ok(ms(b.startedAt) - ms(a.finishedAt) >= 999, `${a.finishedAt} ${b.startedAt}`);
});

test('no retry begins after the budget', async () => {
  const task = await c.submit({ type: 'shell', parameters: { command: ['false'] }, retry: { maxAttempts: 100, initialBackoff: '0.2s', jitter: 0, budget: '1s' } });
  const done = await c.finished('tasks', task.id);
  assert.equal(done.state, 'TASK_STATE_FAILED');
  assert.equal(done.failure.code, 'EXIT_STATUS');
  assert.ok(done.failures >= 2 && done.failures <= 4, `${done.failures} failures`);
});

test('a program that stops giving signs of life is stopped', async () => {
  const task = await c.submit({ type: 'shell', retry: { maxAttempts: 1 }, timeout: { heartbeat: '1s' },
    parameters: { script: 'for i in 1 2 3; do echo "0.$i" >> "$PLANKTON_PROGRESS"; sleep 0.5; done; sleep 60' } });
  const done = await c.finished('tasks', task.id);
  assert.equal(done.failure.code, 'HEARTBEAT_TIMEOUT');
  assert.ok(ms(done.finishedAt) - ms(done.startedAt) >= 1900, `${done.startedAt} ${done.finishedAt}`);
});
