// SPDX-License-Identifier: Apache-2.0
// The operator's hand on what lives: runs paused and resumed, also over a restart of the controller.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Cluster, until } from './system/cluster.mjs';

let c;
before(async () => { c = await Cluster.start(); });
after(async () => { await c?.stop(); });

const steps = async (run) => Object.fromEntries((await c.get(`/runs/${run.id}/tasks`)).json.tasks.map((task) => [task.step, task]));

test('a paused run starts no step, records what runs, survives a restart, and goes on', async () => {
  const run = await c.run({ name: 'pausable', steps: [{ id: 'one', task: 'sleep', parameters: { duration: '2s' } }, { id: 'two', task: 'noop', needs: ['one'] }] });
  await until('step one runs', async () => (await steps(run)).one.state === 'TASK_STATE_RUNNING');
  const paused = await c.post(`/runs/${run.id}:pause`, { reason: 'the disk is full' });
  assert.equal(paused.status, 200, paused.text);
  assert.equal(paused.json.state, 'RUN_STATE_PAUSED');
  assert.equal(paused.json.pause.reason, 'the disk is full');
  const { actor } = paused.json.pause;
  assert.ok(actor);
  assert.equal(paused.json.waitingFor, `paused by ${actor}: the disk is full`);
  await until('step one is recorded', async () => (await steps(run)).one.state === 'TASK_STATE_SUCCEEDED');
  const { two } = await steps(run);
  assert.equal(two.state, 'TASK_STATE_PENDING');
  assert.equal(two.waitingFor, `its run is paused by ${actor}: the disk is full`);
  await c.kill('controller');
  c.spawn('controller');
  await c.ready();
  const kept = (await c.get(`/runs/${run.id}`)).json;
  assert.equal(kept.state, 'RUN_STATE_PAUSED');
  assert.deepEqual(kept.pause, paused.json.pause);
  assert.equal((await steps(run)).two.state, 'TASK_STATE_PENDING');
  assert.ok((await c.get('/runs?state=paused')).json.runs.some(({ id }) => id === run.id));
  const resumed = await c.post(`/runs/${run.id}:resume`, { reason: 'it has room' });
  assert.equal(resumed.status, 200, resumed.text);
  assert.equal(resumed.json.pause, undefined);
  await c.finished('runs', run.id);
  await until('the history has both', async () => {
    const { json } = await c.get(`/runs/${run.id}/history`);
    const told = Object.fromEntries(json.events.map((event) => [event.kind, event.reason]));
    return told.EVENT_KIND_RUN_PAUSED === 'the disk is full' && told.EVENT_KIND_RUN_RESUMED === 'it has room';
  });
  assert.equal((await c.post(`/runs/${run.id}:pause`, {})).status, 409);
  assert.equal((await c.post('/runs/00000000-0000-7000-8000-000000000000:pause', {})).status, 404);
});

test('a paused run can be cancelled', async () => {
  const run = await c.run({ name: 'stoppable', steps: [{ id: 'one', task: 'no-worker-has-this' }] });
  await c.post(`/runs/${run.id}:pause`, {});
  assert.equal((await c.post(`/runs/${run.id}:cancel`, { reason: 'enough' })).status, 200);
  await until('it is cancelled', async () => (await c.get(`/runs/${run.id}`)).json.state === 'RUN_STATE_CANCELLED');
});
