// SPDX-License-Identifier: Apache-2.0
// Tasks that wait for their time on disk are read back when it comes, and reads go on afterwards.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Cluster, quick } from './system/cluster.mjs';

let c;
before(async () => { c = await Cluster.start({ settings: { controller: [...quick.controller, '--park-after=1s'] } }); });
after(async () => { await c?.stop(); });

test('tasks of a later time run then, and finished ones are still read', async () => {
  const first = await c.submit({ type: 'hello' });
  await c.finished('tasks', first.id);
  const runAt = new Date(Date.now() + 4000);
  const later = [];
  for (let i = 0; i < 5; i++) later.push((await c.submit({ type: 'noop', runAt: runAt.toISOString() })).id);
  assert.equal((await c.get(`/tasks/${later[0]}`)).json.state, 'TASK_STATE_PENDING');
  for (const id of later) {
    const done = await c.finished('tasks', id);
    assert.equal(done.state, 'TASK_STATE_SUCCEEDED');
    assert.ok(new Date(done.startedAt) >= runAt, `${done.startedAt} is before ${runAt.toISOString()}`);
  }
  for (let i = 0; i < 3; i++) assert.equal((await c.get(`/tasks/${first.id}`, { timeout: 5000 })).json.state, 'TASK_STATE_SUCCEEDED');
  assert.equal((await c.get('/tasks', { timeout: 5000 })).status, 200);
});
