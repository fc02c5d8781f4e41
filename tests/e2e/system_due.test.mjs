// SPDX-License-Identifier: Apache-2.0
// Tasks that wait for their time on disk are read back when it comes, and reads go on afterwards; what is too old to be kept says so.
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

test('an id that is older than what is kept has expired, one that is not is unknown', async () => {
  const { id } = await c.submit({ type: 'noop' });
  const aged = (days) => {
    const ms = (Date.now() - days * 86400000).toString(16).padStart(12, '0');
    return `${ms.slice(0, 8)}-${ms.slice(8)}${id.slice(13)}`;
  };
  for (const kind of ['tasks', 'runs']) {
    const expired = await c.get(`/${kind}/${aged(40)}`), unknown = await c.get(`/${kind}/${aged(2)}`);
    assert.deepEqual([expired.status, unknown.status], [404, 404]);
    assert.match(JSON.stringify(expired.json), /EXPIRED/);
    assert.match(JSON.stringify(unknown.json), /NOT_FOUND/);
    assert.doesNotMatch(JSON.stringify(unknown.json), /EXPIRED/);
  }
});
