// SPDX-License-Identifier: Apache-2.0
// A backup is restored under a worker that holds work of the future that is lost with it.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { after, before, test } from 'node:test';
import { Cluster, until } from './system/cluster.mjs';

const run = promisify(execFile);
const plankton = join(process.env.PLANKTON_BIN ?? 'build/ci/bin', 'plankton');
let c, kept, running, lost, lostRunning, timeline;
before(async () => { c = await Cluster.start(); });
after(async () => { await c?.stop(); });

const renew = () => run(plankton, ['admin', 'new-timeline', '--database', c.database]);
const starts = (id) => until(`${id} runs`, async () => (await c.get(`/tasks/${id}`)).json.state === 'TASK_STATE_RUNNING');
const sleeps = (duration) => c.submit({ type: 'sleep', parameters: { duration } });

test('a new timeline is refused while a controller is connected', async () => {
  const before = await c.sql('select timeline from cluster');
  await assert.rejects(renew(), /stop all services first/);
  assert.equal(await c.sql('select timeline from cluster'), before);
  timeline = before;
});

test('a backup is taken with work going on, and work goes on after it', async () => {
  kept = await c.finished('tasks', (await c.submit({ type: 'noop' })).id);
  running = await sleeps('600s');
  await starts(running.id);
  await run('pg_dump', ['-Fc', '-d', c.database, '-f', join(c.dir, 'backup')]);
  lost = await c.finished('tasks', (await c.submit({ type: 'noop' })).id);
  lostRunning = await sleeps('4s');
  await starts(lostRunning.id);
  // owners come and go: workers have seen epochs that the backup has not
  for (let i = 0; i < 3; i++) {
    await c.kill('controller');
    c.spawn('controller');
    await c.ready();
  }
});

test('the backup is restored under the worker, which holds leases and results of the lost future', async () => {
  for (const name of ['gateway', 'controller', 'logger']) await c.kill(name);
  await c.sql('drop schema public cascade');
  await c.sql('create schema public');
  await run('pg_restore', ['--no-owner', '-d', c.database, join(c.dir, 'backup')]).catch((error) => assert.match(error.stderr, /schema "public" already exists/));
  assert.equal(await c.sql('select timeline from cluster'), timeline);
  await until('the last connection of a controller has ended', async () => (await renew()).stdout.includes('begins'));
  assert.notEqual(await c.sql('select timeline from cluster'), timeline);
  for (const name of ['logger', 'controller', 'gateway']) c.spawn(name);
  await c.ready();
});

test('what the backup has stands; what came after it is not known', async () => {
  assert.equal((await c.get(`/tasks/${kept.id}`)).json.state, 'TASK_STATE_SUCCEEDED');
  assert.equal((await c.get(`/tasks/${lost.id}`)).status, 404);
  assert.equal((await c.get(`/tasks/${lostRunning.id}`)).status, 404);
});

test('the old lease is void: its task is tried again as the next attempt, and can be ended', async () => {
  const again = await until('it is tried again', async () => {
    const { json } = await c.get(`/tasks/${running.id}`);
    return json.state === 'TASK_STATE_RUNNING' && json.attempt > 1 && json;
  });
  assert.equal(again.attempt, 2);
  assert.ok((await c.post(`/tasks/${running.id}:cancel`)).status < 300);
  assert.equal((await c.finished('tasks', running.id)).state, 'TASK_STATE_CANCELLED');
});

test('the worker takes new work, and nothing of the lost future comes back', async () => {
  const done = await Promise.all(Array.from({ length: 20 }, async () => c.finished('tasks', (await c.submit({ type: 'noop' })).id)));
  assert.ok(done.every((task) => task.state === 'TASK_STATE_SUCCEEDED'));
  // the work of the lost future would have ended by now
  await c.finished('tasks', (await sleeps('4s')).id);
  assert.equal(await c.sql(`select count(*) from task where id = '${lostRunning.id}'`), '0');
  assert.equal((await c.get(`/tasks/${lostRunning.id}`)).status, 404);
});

test('the logger counts the events of the new timeline apart', async () => {
  const timelines = await until('both are known', async () => {
    const rows = (await c.sql('select distinct timeline from log_source')).split('\n');
    return rows.includes(await c.sql('select timeline from cluster')) && rows;
  });
  assert.ok(timelines.includes(timeline) || timelines.length === 1);
  const late = await c.submit({ type: 'noop' });
  await c.finished('tasks', late.id);
  const history = await until('its history is there', async () => {
    const { json } = await c.get(`/tasks/${late.id}/history`);
    return json.events?.some((event) => /FINISHED|SUCCEEDED/i.test(JSON.stringify(event))) && json.events;
  });
  assert.ok(history.length >= 2);
});
