// SPDX-License-Identifier: Apache-2.0
// Promises under fire: processes are killed and stopped, and every acknowledged submit ends, each result is recorded once, no line is lost.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, afterEach, test } from 'node:test';
import { Cluster, until } from './system/cluster.mjs';

let c;
beforeEach(async () => { c = await Cluster.start({ fsync: true }); });
afterEach(async () => { await c?.stop(); c = undefined; });

/** Submits n tasks with keys, at most `width` at a time; repeats by key while the system is away. Returns id by key. */
async function submitAll(n, make, { width = 10 } = {}) {
  const acked = new Map();
  let next = 0;
  const one = async () => {
    while (next < n) {
      const i = next++;
      const headers = { 'idempotency-key': `fault-${i}` };
      const answer = await until(`task ${i} is acknowledged`, async () => {
        const got = await c.post('/tasks', make(i), { headers, timeout: 5000 }).catch(() => null);
        return got?.json?.id && got;
      });
      acked.set(i, answer.json.id);
    }
  };
  await Promise.all(Array.from({ length: width }, one));
  return acked;
}

/** How often each key was really executed: tasks append their number to a file. */
function executions(file) {
  const counts = new Map();
  if (existsSync(file)) for (const line of readFileSync(file, 'utf8').split('\n').filter(Boolean)) counts.set(line, (counts.get(line) ?? 0) + 1);
  return counts;
}

async function allSucceeded(acked) {
  for (const [i, id] of acked) {
    const task = await c.finished('tasks', id);
    assert.equal(task.state, 'TASK_STATE_SUCCEEDED', `task ${i}: ${JSON.stringify(task)}`);
  }
  const rows = await c.sql("select count(*), count(*) filter (where state = 4), count(distinct id) from task");
  const [total, ok, distinct] = rows.split('|').map(Number);
  assert.equal(total, acked.size, 'one row for each acknowledged key, no more');
  assert.equal(ok, total);
  assert.equal(distinct, total);
}

test('kill -9 of the controller with 100 tasks in flight loses nothing', async () => {
  const file = join(c.dir, 'executed');
  const submitting = submitAll(100, (i) => ({ type: 'shell', parameters: { script: `sleep 0.3; echo ${i} >> ${file}` } }), { width: 20 });
  await until('tasks are in flight', async () => executions(file).size >= 5);
  await c.kill('controller');
  const killed = Date.now();
  c.spawn('controller');
  await c.ready();
  assert.ok(Date.now() - killed < 5000, `back after ${Date.now() - killed} ms`);
  const acked = await submitting;
  assert.equal(new Set(acked.values()).size, 100);
  await allSucceeded(acked);
  const runs = executions(file);
  assert.equal(runs.size, 100, 'every task was executed');
  const again = await c.post('/tasks', { type: 'shell', parameters: { script: `sleep 0.3; echo 7 >> ${file}` } }, { headers: { 'idempotency-key': 'fault-7' } });
  assert.equal(again.json.id, acked.get(7), 'the key still stands for the first task');
  assert.equal([...runs.values()].reduce((a, b) => a + b), 100, 'the worker lived on: nothing was executed twice');
});

test('kill -9 of the worker in mid-task: another attempt ends it', async () => {
  const file = join(c.dir, 'attempts');
  const task = await c.submit({ type: 'shell', parameters: { script: `echo $PLANKTON_ATTEMPT >> ${file}; [ $PLANKTON_ATTEMPT -gt 1 ] || sleep 60; echo '{"attempt":'$PLANKTON_ATTEMPT'}' > $PLANKTON_OUTPUT` } });
  await until('attempt 1 runs', () => executions(file).has('1'));
  await c.kill('worker-1');
  c.spawn('worker-1');
  const done = await c.finished('tasks', task.id);
  assert.equal(done.state, 'TASK_STATE_SUCCEEDED');
  assert.deepEqual(done.result, { attempt: 2 });
  assert.equal(done.attempt, 2);
  assert.equal(done.lost, 1);
  assert.equal(done.failures, 0, 'a lost worker is no failure of the task');
});

const alive = (pid) => { try { process.kill(pid, 0); return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8')); } catch { return false; } };

test('a worker that was stopped past its lease cannot record, and its process is killed', async () => {
  const pids = join(c.dir, 'pids');
  // attempt 1 of the first runs on and on; attempt 1 of the second ends while its worker is stopped
  const long = await c.submit({ type: 'shell', parameters: { script: `[ $PLANKTON_ATTEMPT -gt 1 ] && exit 0; echo $$ >> ${pids}; sleep 300` } });
  const late = await c.submit({ type: 'shell', parameters: { script: `[ $PLANKTON_ATTEMPT -gt 1 ] || sleep 0.7; echo '"attempt '$PLANKTON_ATTEMPT'"' > $PLANKTON_OUTPUT` } });
  await until('both run', async () => existsSync(pids) && (await c.get(`/tasks/${late.id}`)).json.state === 'TASK_STATE_RUNNING');
  c.signal('worker-1', 'SIGSTOP');
  c.spawn('worker-2');
  const first = await c.finished('tasks', long.id), second = await c.finished('tasks', late.id);
  assert.equal(first.attempt, 2);
  assert.equal(second.result, 'attempt 2');
  const pid = Number(readFileSync(pids, 'utf8').trim());
  assert.ok(alive(pid), 'the old process lives while its worker is stopped');
  c.signal('worker-1', 'SIGCONT');
  await until('the old process is killed', () => !alive(pid));
  await until('the late result was refused and noted', async () => {
    const { text } = await c.request('GET', '/metrics', { port: c.ports.controllerOps });
    return Number(/plankton_controller_results_stale_total (\d+)/.exec(text)?.[1]) >= 1;
  });
  const after = (await c.get(`/tasks/${late.id}`)).json;
  assert.equal(after.result, 'attempt 2', 'the recorded result stands');
  assert.equal(after.attempt, 2);
});

test('kill -9 of PostgreSQL with tasks in flight loses nothing', async () => {
  const file = join(c.dir, 'executed');
  const submitting = submitAll(60, (i) => ({ type: 'shell', parameters: { script: `sleep 0.2; echo ${i} >> ${file}` } }));
  await until('tasks are in flight', async () => executions(file).size >= 5);
  await c.postgres('crash');
  const acked = await submitting;
  await allSucceeded(acked);
  assert.equal(executions(file).size, 60);
});

test('kill -9 of the logger loses and doubles no acknowledged line', async () => {
  const lines = 1500;
  const task = await c.submit({ type: 'shell', parameters: { script: `i=0; while [ $i -lt ${lines} ]; do i=$((i+1)); echo "line $i"; [ $((i % 50)) -ne 0 ] || sleep 0.03; done` } });
  for (let kills = 0; kills < 2; kills++) {
    await until('some lines are stored', async () => (await c.get(`/tasks/${task.id}/logs?pageSize=10`)).json?.lines?.length === 10);
    await c.kill('logger');
    c.spawn('logger');
    await until('the logger is back', async () => (await c.request('GET', '/readyz', { port: c.ports.loggerOps })).status === 200);
  }
  await c.finished('tasks', task.id);
  await until('the log is complete', async () => (await c.get(`/tasks/${task.id}/logs?pageSize=10000`)).json?.complete === true);
  const { json } = await c.get(`/tasks/${task.id}/logs?pageSize=10000`);
  const texts = json.lines.filter((l) => l.stream === 'stdout').map((l) => l.text);
  assert.deepEqual(texts, Array.from({ length: lines }, (_, i) => `line ${i + 1}`));
});

test('the restart of every part in turn, with a plan running, ends the plan', async () => {
  const run = await c.run({ name: 'survivor', steps: Array.from({ length: 8 }, (_, i) => ({ id: `s${i}`, task: 'sleep', needs: i ? [`s${i - 1}`] : [], parameters: { duration: '300ms' } })) });
  for (const name of ['gateway', 'logger', 'controller', 'worker-1']) {
    await c.kill(name);
    c.spawn(name);
    await until(`${name} has come back`, async () => (await c.get(`/runs/${run.id}`).catch(() => ({}))).status === 200);
  }
  const done = await c.finished('runs', run.id);
  assert.equal(done.state, 'RUN_STATE_SUCCEEDED');
  assert.equal(done.counts.succeeded, 8);
});

test('a controller that was stopped past its own lease goes on by itself', async () => {
  const file = join(c.dir, 'executed');
  const submitting = submitAll(60, (i) => ({ type: 'shell', parameters: { script: `sleep 0.1; echo ${i} >> ${file}` } }), { width: 20 });
  await until('tasks are in flight', async () => executions(file).size >= 3);
  for (let stops = 0; stops < 2; stops++) {
    c.signal('controller', 'SIGSTOP');
    await new Promise((next) => setTimeout(next, 2500)); // longer than the shard lease: what is tested is this time itself
    c.signal('controller', 'SIGCONT');
    await c.ready();
  }
  await allSucceeded(await submitting);
});
