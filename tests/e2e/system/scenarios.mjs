// SPDX-License-Identifier: Apache-2.0
// Promises under fire: processes are killed and stopped, and every acknowledged submit ends, each result is recorded once, no line is
// lost. Each scenario is run against the system as it is, and against one in which its promise is broken on purpose, where it must fail.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { quick, until as untilWithin } from './cluster.mjs';
import { send } from './grpc.mjs';

const until = (c, what, check) => untilWithin(what, check, c.patience ?? 20000);

/** Submits n tasks with keys, at most `width` at a time; repeats by key while the system is away. Returns id by key. */
async function submitAll(c, n, make, { width = 20 } = {}) {
  const acked = new Map();
  let next = 0;
  const one = async () => {
    while (next < n) {
      const i = next++;
      const headers = { 'idempotency-key': `fault-${i}` };
      const answer = await until(c, `task ${i} is acknowledged`, async () => {
        const got = await c.post('/tasks', make(i), { headers, timeout: 5000 }).catch(() => null);
        return got?.json?.id && got;
      });
      acked.set(i, answer.json.id);
    }
  };
  await Promise.all(Array.from({ length: width }, one));
  return acked;
}

/** Lines that tasks have written to a file, with how often. */
function lines(file) {
  const counts = new Map();
  if (existsSync(file)) for (const line of readFileSync(file, 'utf8').split('\n').filter(Boolean)) counts.set(line, (counts.get(line) ?? 0) + 1);
  return counts;
}

async function allSucceeded(c, acked) {
  for (const [i, id] of acked) {
    const task = await c.finished('tasks', id, c.patience);
    assert.equal(task.state, 'TASK_STATE_SUCCEEDED', `task ${i}: ${JSON.stringify(task)}`);
  }
  const rows = await c.sql('select count(*), count(*) filter (where state = 4), count(distinct id) from task');
  const [total, ok, distinct] = rows.split('|').map(Number);
  assert.equal(total, acked.size, 'one row for each acknowledged key, no more');
  assert.equal(ok, total);
  assert.equal(distinct, total);
}

const alive = (pid) => { try { process.kill(pid, 0); return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8')); } catch { return false; } };

async function staleResults(c) {
  const { text } = await c.request('GET', '/metrics', { port: c.ports.controllerOps });
  return Number(/plankton_controller_results_stale_total (\d+)/.exec(text)?.[1]);
}

async function restart(c, name) {
  await c.kill(name);
  c.spawn(name);
  await c.ready();
}

/** Bytes that have come for a TCP port and were not read. */
function unread(port) {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  return readFileSync('/proc/net/tcp', 'utf8').split('\n').map((line) => line.trim().split(/\s+/)).filter(([, local]) => local?.endsWith(`:${hex}`))
    .reduce((sum, [, , , , queues]) => sum + parseInt(queues.split(':')[1], 16), 0);
}

/** The row locks of all shards are held by somebody who does not move: nothing can be committed. */
async function holdShards(c) {
  c.sql('begin; select 1 from shard for update; select pg_sleep(600)').catch(() => {}); // ends with the server
  await until(c, 'the shards are held', async () => (await c.sql("select count(*) from pg_stat_activity where wait_event = 'PgSleep'")) === '1');
}

export const scenarios = {
  controllerKilled: {
    name: 'kill -9 of the controller with 100 tasks in flight loses nothing and begins nothing twice',
    // the worker finds its way back within the grace, as with the times of production
    settings: { controller: quick.controller.map((option) => option.replace(/^--grace=.*/, '--grace=6s')), worker: ['--process-slots=32'] },
    async run(c) {
      const begun = join(c.dir, 'begun'), ended = join(c.dir, 'ended');
      const make = (i) => ({ type: 'shell', parameters: { script: `echo ${i} $PLANKTON_ATTEMPT >> ${begun}; sleep 0.3; echo ${i} >> ${ended}` } });
      const submitting = submitAll(c, 100, make);
      await until(c, 'tasks are in flight', () => lines(ended).size >= 5);
      await restart(c, 'controller');
      const acked = await submitting;
      assert.equal(new Set(acked.values()).size, 100);
      await allSucceeded(c, acked);
      assert.equal(lines(ended).size, 100, 'every task was executed');
      assert.deepEqual([...lines(begun)].filter(([line, times]) => !line.endsWith(' 1') || times > 1), [],
        'the worker lived on: no task had a second attempt, no attempt was begun twice');
    },
  },

  repeated: {
    name: 'a submit that is repeated by its key makes one task, also over a kill -9 of the controller',
    async run(c) {
      const submit = () => until(c, 'it is acknowledged', async () =>
        (await c.post('/tasks', { type: 'noop' }, { headers: { 'idempotency-key': 'once' }, timeout: 5000 }).catch(() => null))?.json?.id);
      const first = await submit();
      assert.equal(await submit(), first, 'the key stands for the first task');
      await restart(c, 'controller');
      assert.equal(await submit(), first, 'the key stands for the first task after a restart');
      assert.equal(await c.sql('select count(*) from task'), '1');
    },
  },

  unsaved: {
    name: 'what cannot be committed is not acknowledged',
    async run(c) {
      await c.finished('tasks', (await c.submit({ type: 'noop' })).id, c.patience);
      await holdShards(c);
      const answers = await Promise.all(Array.from({ length: 20 }, () => c.post('/tasks', { type: 'noop' }, { timeout: 1000 }).catch(() => null)));
      await c.postgres('crash');
      await c.ready();
      for (const answer of answers)
        if (answer?.status === 201) assert.equal((await c.get(`/tasks/${answer.json.id}`)).status, 200, 'an acknowledged task is there');
      await c.finished('tasks', (await c.submit({ type: 'noop' })).id, c.patience);
    },
  },

  controllerStopped: {
    name: 'a controller that was stopped past its own lease goes on by itself',
    async run(c) {
      const file = join(c.dir, 'ended');
      const submitting = submitAll(c, 60, (i) => ({ type: 'shell', parameters: { script: `sleep 0.1; echo ${i} >> ${file}` } }));
      await until(c, 'tasks are in flight', () => lines(file).size >= 3);
      for (let stops = 0; stops < 2; stops++) {
        c.signal('controller', 'SIGSTOP');
        await new Promise((next) => setTimeout(next, 2500)); // longer than the shard lease: what is tested is this time itself
        c.signal('controller', 'SIGCONT');
        await c.ready();
      }
      await allSucceeded(c, await submitting);
    },
  },

  deposed: {
    name: 'a controller that was overtaken while it was stopped writes nothing any more',
    standby: true,
    async run(c) {
      const standbyAnswers = async () => (await c.request('GET', '/readyz', { port: c.standby.ops })).text;
      c.spawn('standby');
      await until(c, 'it stands by', async () => /standing by/.test(await standbyAnswers()));
      const old = `127.0.0.1:${c.ports.controller}`, task = { task: { type: 'noop' } };
      assert.deepEqual(await send('TaskController', 'SubmitTask', old, c.adminKey, task, 1), ['0']);
      c.signal('controller', 'SIGSTOP');
      await until(c, 'the standby has taken over', async () => /^ready/.test(await standbyAnswers()));
      assert.deepEqual(await send('TaskController', 'SubmitTask', `127.0.0.1:${c.standby.port}`, c.adminKey, task, 5), Array(5).fill('0'));
      const before = unread(c.ports.controller); // what workers and the gateway have said
      const late = send('TaskController', 'SubmitTask', old, c.adminKey, task, 20);
      await until(c, 'they stand in the socket of one who does not read', () => unread(c.ports.controller) > before + 800);
      c.signal('controller', 'SIGCONT');
      assert.ok(!(await late).includes('0'), 'it acknowledges nothing');
      await until(c, 'every task in the database ends', async () => (await c.sql('select count(*) from task where state not between 4 and 7')) === '0');
    },
  },

  workerKilled: {
    name: 'kill -9 of the worker in mid-task: another attempt ends it',
    async run(c) {
      const file = join(c.dir, 'attempts');
      const task = await c.submit({ type: 'shell', parameters: { script: `echo $PLANKTON_ATTEMPT >> ${file}; [ $PLANKTON_ATTEMPT -gt 1 ] || sleep 60; echo '{"attempt":'$PLANKTON_ATTEMPT'}' > $PLANKTON_OUTPUT` } });
      await until(c, 'attempt 1 runs', () => lines(file).has('1'));
      await c.kill('worker-1');
      c.spawn('worker-1');
      const done = await c.finished('tasks', task.id, c.patience);
      assert.equal(done.state, 'TASK_STATE_SUCCEEDED');
      assert.deepEqual(done.result, { attempt: 2 });
      assert.equal(done.attempt, 2);
      assert.equal(done.lost, 1);
      assert.equal(done.failures, 0, 'a lost worker is no failure of the task');
    },
  },

  workerStopped: {
    name: 'a worker that was stopped past its lease cannot record, and its process is killed',
    async run(c) {
      const pids = join(c.dir, 'pids'), second = join(c.dir, 'second'), go = join(c.dir, 'go');
      // attempt 1 of the first runs on and on; attempt 1 of the other ends while its worker is stopped
      const long = await c.submit({ type: 'shell', parameters: { script: `[ $PLANKTON_ATTEMPT -gt 1 ] && exit 0; echo $$ >> ${pids}; sleep 300` } });
      const late = await c.submit({ type: 'shell', parameters: { script: `if [ $PLANKTON_ATTEMPT = 1 ]; then sleep 0.5; else touch ${second}; until [ -e ${go} ]; do sleep 0.05; done; fi
        echo '"attempt '$PLANKTON_ATTEMPT'"' > $PLANKTON_OUTPUT` } });
      await until(c, 'both run', async () => existsSync(pids) && (await c.get(`/tasks/${late.id}`)).json.state === 'TASK_STATE_RUNNING');
      c.signal('worker-1', 'SIGSTOP');
      c.spawn('worker-2');
      await until(c, 'another attempt begins', () => existsSync(second));
      assert.equal((await c.finished('tasks', long.id, c.patience)).attempt, 2);
      const pid = Number(readFileSync(pids, 'utf8').trim());
      assert.ok(alive(pid), 'the old process lives while its worker is stopped');
      c.signal('worker-1', 'SIGCONT');
      await until(c, 'the late result has come', async () => (await staleResults(c)) >= 1 || /SUCCEEDED/.test((await c.get(`/tasks/${late.id}`)).json.state));
      writeFileSync(go, '');
      const done = await c.finished('tasks', late.id, c.patience);
      assert.equal(done.result, 'attempt 2', 'the late result is refused');
      assert.equal(done.attempt, 2);
      await until(c, 'the old process is killed', () => !alive(pid));
    },
  },

  postgresKilled: {
    name: 'kill -9 of PostgreSQL with tasks in flight loses nothing',
    settings: { ...quick, worker: ['--process-slots=32'] },
    async run(c) {
      const file = join(c.dir, 'ended');
      const submitting = submitAll(c, 60, (i) => ({ type: 'shell', parameters: { script: `sleep 0.2; echo ${i} >> ${file}` } }));
      submitting.catch(() => {}); // looked at below
      await until(c, 'tasks are in flight', () => lines(file).size >= 5);
      await c.postgres('crash');
      const acked = await submitting;
      await allSucceeded(c, acked);
      assert.equal(lines(file).size, 60);
    },
  },

  loggerKilled: {
    name: 'kill -9 of the logger loses and doubles no acknowledged line',
    async run(c) {
      const count = 1500;
      const task = await c.submit({ type: 'shell', parameters: { script: `i=0; while [ $i -lt ${count} ]; do i=$((i+1)); echo "line $i"; [ $((i % 50)) -ne 0 ] || sleep 0.03; done` } });
      for (let kills = 0; kills < 2; kills++) {
        await until(c, 'some lines are stored', async () => (await c.get(`/tasks/${task.id}/logs?pageSize=10`)).json?.lines?.length === 10);
        await c.kill('logger');
        c.spawn('logger');
        await until(c, 'the logger is back', async () => (await c.request('GET', '/readyz', { port: c.ports.loggerOps })).status === 200);
      }
      await c.finished('tasks', task.id, c.patience);
      await until(c, 'the log is complete', async () => (await c.get(`/tasks/${task.id}/logs?pageSize=10000`)).json?.complete === true);
      const { json } = await c.get(`/tasks/${task.id}/logs?pageSize=10000`);
      const texts = json.lines.filter((line) => line.stream === 'stdout').map((line) => line.text);
      assert.deepEqual(texts, Array.from({ length: count }, (_, i) => `line ${i + 1}`));
    },
  },

  restartsInTurn: {
    name: 'the restart of every part in turn, with a plan running, ends the plan',
    async run(c) {
      const run = await c.run({ name: 'survivor', steps: Array.from({ length: 8 }, (_, i) => ({ id: `s${i}`, task: 'sleep', needs: i ? [`s${i - 1}`] : [], parameters: { duration: '300ms' } })) });
      for (const name of ['gateway', 'logger', 'controller', 'worker-1']) {
        await c.kill(name);
        c.spawn(name);
        await until(c, `${name} has come back`, async () => (await c.get(`/runs/${run.id}`).catch(() => ({}))).status === 200);
      }
      const done = await c.finished('runs', run.id, c.patience);
      assert.equal(done.state, 'RUN_STATE_SUCCEEDED');
      assert.equal(done.counts.succeeded, 8);
    },
  },
};
