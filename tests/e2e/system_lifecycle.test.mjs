// SPDX-License-Identifier: Apache-2.0
// The hands of operators on what lives: runs paused and resumed, dead letters, bulk jobs, also over a restart of the controller.
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

const jobEnds = (id) => until(`bulk job ${id} is over`, async () => {
  const { json } = await c.get(`/bulk/${id}`);
  return json.state !== 'BULK_STATE_RUNNING' && json;
});
const fails = (queue, times = 1) => Promise.all(Array.from({ length: times }, () =>
  c.submit({ type: 'shell', parameters: { command: ['false'] }, queue, retry: { maxAttempts: 1 } })));

test('dead letters are listed by queue, type, failure code and time', async () => {
  const tasks = await fails('dead', 3);
  for (const task of tasks) await until('it has failed', async () => (await c.get(`/tasks/${task.id}`)).json.state === 'TASK_STATE_FAILED');
  const { createdAt, failure } = (await c.get(`/tasks/${tasks[0].id}`)).json;
  const list = async (query) => (await c.get(`/tasks?state=failed&queue=dead&${query}`)).json.tasks;
  assert.equal((await list('type=shell')).length, 3);
  assert.equal((await list(`failureCode=${failure.code}`)).length, 3);
  assert.equal((await list('failureCode=NO_SUCH_CODE')).length, 0);
  assert.equal((await list('type=noop')).length, 0);
  assert.equal((await list(`createdAfter=${createdAt}`)).length >= 1, true);
  assert.equal((await list('createdAfter=2100-01-01T00:00:00Z')).length, 0);
  assert.equal((await list('createdBefore=2020-01-01T00:00:00Z')).length, 0);
  const page = (await c.get('/tasks?state=failed&queue=dead&pageSize=2')).json;
  assert.equal(page.tasks.length, 2);
  const rest = (await c.get(`/tasks?state=failed&queue=dead&pageSize=2&pageToken=${encodeURIComponent(page.nextPageToken)}`)).json;
  assert.equal(rest.tasks.length, 1);
});

test('failed tasks are retried in bulk, each once, and a dry run only counts', async () => {
  const before = (await c.get('/tasks?queue=dead&pageSize=500')).json.tasks.length;
  const filter = { queue: 'dead' };
  const dry = await c.post('/bulk', { action: 'BULK_ACTION_RETRY', filter, dryRun: true });
  assert.equal(dry.status, 201, dry.text);
  const counted = await jobEnds(dry.json.id);
  assert.equal(counted.state, 'BULK_STATE_SUCCEEDED');
  assert.deepEqual([counted.matched, counted.done], ['3', '0']);
  assert.equal((await c.get('/tasks?queue=dead&pageSize=500')).json.tasks.length, before);
  const job = await jobEnds((await c.post('/bulk', { action: 'BULK_ACTION_RETRY', filter })).json.id);
  assert.deepEqual([job.matched, job.done, job.failed], ['3', '3', '0']);
  assert.ok(job.actor);
  const made = (await c.get('/tasks?queue=dead&pageSize=500')).json.tasks.filter((task) => task.retryOf);
  assert.equal(made.length, 3);
  assert.equal(new Set(made.map((task) => task.retryOf)).size, 3);
  for (const task of made) await until('it has failed again', async () => (await c.get(`/tasks/${task.id}`)).json.state === 'TASK_STATE_FAILED');
  const second = await jobEnds((await c.post('/bulk', { action: 'BULK_ACTION_RETRY', filter })).json.id);
  assert.deepEqual([second.matched, second.done, second.skipped], ['6', '3', '3']); // what was retried already is not retried again
});

test('waiting tasks are cancelled in bulk, more than a page of them, and the job says how far it is', async () => {
  const items = Array.from({ length: 1200 }, () => ({ task: { type: 'no-worker-has-this', queue: 'flood' } }));
  assert.equal((await c.post('/tasks:batch', { items })).status, 200);
  const other = await c.submit({ type: 'no-worker-has-this', queue: 'other' });
  const none = await jobEnds((await c.post('/bulk', { action: 'BULK_ACTION_CANCEL', filter: { queue: 'flood', state: 'TASK_STATE_RUNNING' } })).json.id);
  assert.equal(none.matched, '0');
  const job = await jobEnds((await c.post('/bulk', { action: 'BULK_ACTION_CANCEL', filter: { queue: 'flood' }, reason: 'a mistake' })).json.id);
  assert.deepEqual([job.state, job.matched, job.done], ['BULK_STATE_SUCCEEDED', '1200', '1200']);
  const { tasks } = (await c.get('/tasks?queue=flood&state=cancelled&pageSize=1')).json;
  assert.equal(tasks[0].cancelRequested.reason, 'a mistake');
  assert.equal(tasks[0].cancelRequested.actor, job.actor);
  assert.equal((await c.get(`/tasks/${other.id}`)).json.state, 'TASK_STATE_READY');
  await c.post(`/tasks/${other.id}:cancel`, {});
  assert.equal((await c.post(`/bulk/${job.id}:cancel`)).status, 409);
  assert.ok((await c.get('/bulk')).json.jobs.some(({ id }) => id === job.id));
});

test('a bulk job can be cancelled, and one that a restart ended says so', async () => {
  const items = Array.from({ length: 5000 }, () => ({ task: { type: 'no-worker-has-this', queue: 'long' } }));
  assert.equal((await c.post('/tasks:batch', { items })).status, 200);
  const { id } = (await c.post('/bulk', { action: 'BULK_ACTION_CANCEL', filter: { queue: 'long' } })).json;
  const asked = await c.post(`/bulk/${id}:cancel`);
  assert.equal(asked.status, 200, asked.text);
  const stopped = await jobEnds(id);
  assert.equal(stopped.state, 'BULK_STATE_CANCELLED');
  assert.ok(Number(stopped.done) < 5000, stopped.done);
  await c.kill('controller');
  c.spawn('controller');
  await c.ready();
  assert.equal((await c.get(`/bulk/${id}`)).json.state, 'BULK_STATE_LOST');
  const rest = await jobEnds((await c.post('/bulk', { action: 'BULK_ACTION_CANCEL', filter: { queue: 'long' } })).json.id);
  assert.equal(Number(rest.done) + Number(stopped.done), 5000);
  assert.equal((await c.post('/bulk', {})).status, 400);
  assert.equal((await c.post('/bulk', { action: 'BULK_ACTION_CANCEL', filter: { state: 'TASK_STATE_FAILED' } })).status, 400);
  assert.equal((await c.get('/bulk/01900000-0000-7000-8000-00000000000f')).json.state, 'BULK_STATE_LOST');
  assert.equal((await c.get('/bulk/7fffffff-0000-7000-8000-00000000000f')).status, 404);
});
