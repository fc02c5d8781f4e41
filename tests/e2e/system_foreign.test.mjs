// SPDX-License-Identifier: Apache-2.0
// Stock gRPC clients and a worker in another language, from the .proto files alone, against a whole system.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Cluster, until } from './system/cluster.mjs';
import { connect, grpc } from './system/grpc.mjs';

const python = process.env.PLANKTON_PYTHON ?? '/usr/bin/python3';
const top = fileURLToPath(new URL('../..', import.meta.url));
const json = (value) => ({ text: JSON.stringify(value) });
let c, address;
before(async () => { c = await Cluster.start(); address = `127.0.0.1:${c.ports.controller}`; });
after(async () => { await c?.stop(); });

test('grpc-js: a task is submitted and waited for', async () => {
  const tasks = connect('TaskController', address, c.adminKey);
  const task = await tasks.call('SubmitTask', { task: { type: 'hello', parameters: json({ name: 'JS' }) } });
  const done = await tasks.call('WaitTask', { id: task.id });
  assert.equal(done.state, 'TASK_STATE_SUCCEEDED');
  assert.deepEqual(JSON.parse(done.result.text), { greeting: 'Hello, JS!' });
  tasks.close();
});

test('grpc-js: a thousand tasks in one call, watched to their end by one stream', async () => {
  const tasks = connect('TaskController', address, c.adminKey);
  const { results } = await tasks.call('SubmitTasks', { items: Array.from({ length: 1000 }, () => ({ task: { type: 'noop' } })) });
  const ids = new Set(results.map((r) => r.id));
  assert.equal(ids.size, 1000);
  const stream = tasks.client.WatchTasks({ ids: [...ids] }, tasks.metadata);
  for await (const { updates } of stream) for (const u of updates) {
    assert.equal(u.state, 'TASK_STATE_SUCCEEDED');
    assert.ok(ids.delete(u.id));
  }
  assert.equal(ids.size, 0);
  tasks.close();
});

test('grpc-js: controller and logger are asked by reflection what they offer, with any key', async () => {
  const listServices = Buffer.from([0x3a, 1, 0x2a]);
  const ask = (port, version, key) => new Promise((done, fail) => {
    const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
    const metadata = new grpc.Metadata();
    if (key) metadata.set('authorization', `Bearer ${key}`);
    const call = client.makeBidiStreamRequest(`/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`, (x) => x, (x) => x.toString('latin1'), metadata);
    call.on('data', (names) => { done(names); }).on('error', fail).on('end', () => client.close());
    call.end(listServices);
  });
  for (const version of ['v1', 'v1alpha']) {
    assert.match(await ask(c.ports.controller, version, c.adminKey), /plankton\.v1\.TaskController/);
    assert.match(await ask(c.ports.controller, version, c.workerKey), /plankton\.v1\.TaskController/);
    assert.match(await ask(c.ports.logger, version, c.adminKey), /plankton\.v1\.TaskLogger/);
    for (const port of [c.ports.controller, c.ports.logger]) {
      const error = await ask(port, version).catch((e) => e);
      assert.equal(error.code, grpc.status.UNAUTHENTICATED);
    }
  }
});

test('grpc-js: a plan is saved, run and watched', async () => {
  const plans = connect('PlanAPI', address, c.adminKey);
  const plan = await plans.call('CreatePlan', { document: json({ name: 'from-js', steps: [{ id: 'a', task: 'noop' }, { id: 'b', needs: ['a'], task: 'noop' }] }) });
  const run = await plans.call('StartRun', { planId: plan.id });
  let last;
  for await (const update of plans.client.WatchRun({ id: run.id }, plans.metadata)) if (update.run ?? update.snapshot) last = update.run ?? update.snapshot.run;
  assert.equal(last.state, 'RUN_STATE_SUCCEEDED');
  plans.close();
});

test('grpc-js: errors carry code, reason and violations', async () => {
  const plans = connect('PlanAPI', address, c.adminKey);
  const error = await plans.call('CreatePlan', { document: json({ name: 'bad', steps: [{ id: 'a', task: 'noop', needs: ['x'] }] }) }).catch((e) => e);
  assert.equal(error.code, grpc.status.INVALID_ARGUMENT);
  const details = error.metadata.get('grpc-status-details-bin')[0].toString('latin1');
  assert.match(details, /PLAN_INVALID/);
  assert.match(details, /steps\[0\]\.needs\[0\]/);
  plans.close();
});

test('grpc-js: health answers without a key', async () => {
  const client = new grpc.Client(address, grpc.credentials.createInsecure());
  const reply = await new Promise((done, fail) => client.makeUnaryRequest('/grpc.health.v1.Health/Check', (b) => b, (b) => b, Buffer.alloc(0), (e, r) => (e ? fail(e) : done(r))));
  assert.deepEqual([...reply], [8, 1], 'SERVING');
  client.close();
});

test('python3-grpcio: tasks and plans', async () => {
  const { stdout } = await promisify(execFile)(python, [join(top, 'tests/e2e/system/client.py'), address, c.adminKey]);
  const seen = JSON.parse(stdout);
  assert.equal(seen.same, true);
  assert.deepEqual(seen.result, { greeting: 'Hello, Python!' });
  assert.equal(seen.error, 'NOT_FOUND');
  assert.equal((await c.finished('runs', seen.run)).state, 'RUN_STATE_SUCCEEDED');
});

test('a worker in Python registers a type of its own, executes, reports results and logs', async () => {
  const waiting = await c.submit({ type: 'reverse', parameters: { text: 'plankton' } });
  assert.match(waiting.waitingFor, /no worker offers type reverse/);
  const worker = spawn(python, [join(top, 'sdk/examples/worker.py'), address, join(c.dir, 'worker.key')], { stdio: ['ignore', 'inherit', 'inherit'] });
  try {
    const done = await c.finished('tasks', waiting.id);
    assert.equal(done.state, 'TASK_STATE_SUCCEEDED');
    assert.deepEqual(done.result, { text: 'notknalp' });
    const { workers } = (await c.get('/workers')).json;
    assert.ok(workers.some((w) => w.taskTypes.includes('reverse')));
    await until('its log line is there', async () => (await c.get(`/tasks/${waiting.id}/logs`)).json.lines?.some((l) => /reversing/.test(l.text)));
  } finally {
    worker.kill();
  }
});
