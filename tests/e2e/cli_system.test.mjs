// SPDX-License-Identifier: Apache-2.0
// `plankton up` and then everything that a user does at the shell, against the real programs.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { freePort, until } from './system/cluster.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const program = path.join(process.env.PLANKTON_BIN ?? path.join(root, 'build/ci/bin'), 'plankton');
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

let dir;
let up;
let upText = '';

/** Runs a command in the directory beside .plankton: {code, out, err}; onText(both, child) sees it as it comes. */
function plankton(args, { onText, cwd = dir } = {}) {
  const child = spawn(program, args, { cwd, env: { PATH: process.env.PATH, HOME: dir }, stdio: ['ignore', 'pipe', 'pipe'] });
  const result = { out: '', err: '' };
  const take = (name) => (chunk) => { result[name] += chunk; onText?.(result, child); };
  child.stdout.on('data', take('out'));
  child.stderr.on('data', take('err'));
  const timer = setTimeout(() => child.kill('SIGKILL'), 60_000);
  return new Promise((done) => child.once('close', (code, signal) => {
    clearTimeout(timer);
    done({ ...result, code, signal });
  }));
}

async function ok(args, options) {
  const got = await plankton(args, options);
  assert.equal(got.code, 0, `plankton ${args.join(' ')}: ${got.err}`);
  return got;
}
const json = async (args) => JSON.parse((await ok([...args, '-o', 'json'])).out);

/** Process ids of the services that the launcher runs now, by name. */
function children() {
  const pids = readFileSync(`/proc/${up.pid}/task/${up.pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
  return Object.fromEntries(pids.map((pid) => [path.basename(readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0]), Number(pid)]));
}

/** Starts `plankton up` at a free port. It needs more than that one, so another is tried when one of the others is taken. */
async function startUp() {
  let port = await freePort();
  while (port > 60_000) port = await freePort();
  upText = '';
  up = spawn(program, ['up', '--port', String(port)], { cwd: dir, env: { PATH: process.env.PATH, HOME: dir, PLANKTON_LOGGER_WANDB: 'offline', PLANKTON_LOGGER_DATABASE: 'nonsense' }, stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [up.stdout, up.stderr]) stream.on('data', (chunk) => { upText += chunk; });
  await until('plankton up is ready, or has ended', () => up.exitCode !== null || upText.includes('Plankton is ready: http://'), 90_000);
  return up.exitCode === null;
}

before(async () => {
  dir = mkdtempSync(path.join(tmpdir(), 'plankton-cli-'));
  for (let tries = 0; !(await startUp()); tries++) assert.ok(/port \d+ is taken/.test(upText) && tries < 5, upText);
});

after(async () => {
  if (up && up.exitCode === null) {
    const ended = new Promise((done) => up.once('exit', done));
    up.kill('SIGTERM');
    assert.equal(await ended, 0, upText);
  }
  const cluster = path.join(dir, '.plankton', 'postgres');
  if (existsSync(cluster)) {
    const data = realpathSync(cluster); // as root it lies outside, with its socket's directory in /tmp
    for (const gone of [data, `/tmp/plankton-${process.getuid()}-${path.basename(data)}`]) rmSync(gone, { recursive: true, force: true });
  }
  rmSync(dir, { recursive: true, force: true });
});

const demo = (more = '') => `# a comment that stays
name: demo
input: {type: object, required: [name], properties: {name: {type: string}}}
steps:
  - {id: greet, task: hello, parameters: {name: "\${{ input.name }}"}}
  - {id: count, task: shell, needs: [greet], parameters: {command: [sh, -c, "for i in 1 2 3; do echo line $i; sleep 0.1; done"]}}
  - {id: nap, task: sleep, needs: [greet], parameters: {duration: 200ms}}
output: {who: "\${{ input.name }}"}
${more}`;
const slow = `name: slow
steps:
  - {id: first, task: sleep, parameters: {duration: 60s}}
  - {id: second, task: noop, needs: [first]}
`;
const put = (name, text) => { writeFileSync(path.join(dir, name), text); return name; };

test('address and key are found without being asked for; keys are private', async () => {
  const me = await json(['whoami']);
  assert.deepEqual([me.role, me.namespace], ['ROLE_ADMIN', 'default']);
  assert.equal(statSync(path.join(dir, '.plankton', 'admin.key')).mode & 0o777, 0o600);
  const elsewhere = await plankton(['whoami'], { cwd: '/' });
  assert.equal(elsewhere.code, 1);
  assert.match(elsewhere.err, /NO_ADDRESS/);
  await ok(['whoami', '--data-dir', path.join(dir, '.plankton')], { cwd: '/' });
});

test('a setting of a program may be a variable; what up decides goes before it', async () => {
  await ok(['task', 'run', 'noop']);
  const wandb = path.join(dir, '.plankton', 'logger', 'wandb');
  await until('the sink that was asked for has written', () => existsSync(path.join(wandb, 'state.json')));
});

test('task run prints the result; log lines come while it runs', async () => {
  const hello = await ok(['task', 'run', 'hello', '--param', 'name=World']);
  assert.deepEqual(JSON.parse(hello.out), { greeting: 'Hello, World!' });
  assert.match(hello.err, /Hello, World!/);
  let early = false;
  const command = ['sh', '-c', `echo one; while ! [ -e ${dir}/go ]; do sleep 0.05; done; echo two >&2`];
  const got = await ok(['task', 'run', 'shell', '--param', `command:=${JSON.stringify(command)}`], { onText: (text) => {
    if (!early && text.err.includes('one\n')) {
      early = text.err === 'one\n';
      put('go', '');
    }
  } });
  assert.ok(early, 'the first line came before the task went on');
  assert.deepEqual([got.err, JSON.parse(got.out)], ['one\ntwo\n', { exitStatus: 0 }]);
});

test('a failing task ends with 1 and says why; it can be tried again', async () => {
  const got = await plankton(['task', 'run', 'shell', '--param', 'command:=["sh","-c","echo oops; exit 3"]', '--retry', '1']);
  assert.deepEqual([got.code, got.out], [1, '']);
  const [, id] = got.err.match(/oops\nplankton: task (\S+) failed: EXIT_STATUS: .*3/);
  const failed = await json(['task', 'get', id]);
  assert.deepEqual([failed.state, failed.failure.code, failed.attempt], ['TASK_STATE_FAILED', 'EXIT_STATUS', 1]);
  const again = (await ok(['task', 'retry', id])).out.trim();
  assert.match(again, uuid);
  assert.equal((await json(['task', 'get', again])).retryOf, id);
  assert.match((await ok(['task', 'list', '--state', 'failed'])).out, new RegExp(`^ID +TYPE +STATE[^]*${id} +shell +failed`));
});

test('the same request id gives the same task; another body is a conflict', async () => {
  const first = (await ok(['task', 'run', 'noop', '--request-id', 'once', '--no-wait'])).out;
  assert.equal((await ok(['task', 'run', 'noop', '--request-id', 'once', '--no-wait'])).out, first);
  const other = await plankton(['task', 'run', 'hello', '--request-id', 'once', '--no-wait']);
  assert.equal(other.code, 1);
  assert.match(other.err, /\(REQUEST_ID_CONFLICT\)/);
});

test('a running task can be cancelled', async () => {
  const id = (await ok(['task', 'run', 'sleep', '--param', 'duration=60s', '--no-wait'])).out.trim();
  await until('it runs', async () => (await json(['task', 'get', id])).state === 'TASK_STATE_RUNNING');
  await ok(['task', 'cancel', id, '--reason', 'enough']);
  const done = await until('it is cancelled', async () => {
    const task = await json(['task', 'get', id]);
    return task.state === 'TASK_STATE_CANCELLED' && task;
  });
  assert.equal(done.cancelRequested.reason, 'enough');
});

test('a plan is applied by name: created, unchanged, updated; its text is kept', async () => {
  put('plan.yaml', demo());
  assert.equal((await ok(['plan', 'validate', '-f', 'plan.yaml'])).out, 'the plan is valid\n');
  assert.equal((await ok(['plan', 'apply', '-f', 'plan.yaml'])).out, 'plan demo version 1 created\n');
  assert.equal((await ok(['plan', 'apply', '-f', 'plan.yaml'])).out, 'plan demo version 1 unchanged\n');
  put('plan.yaml', demo('labels: {team: red}\n'));
  assert.equal((await ok(['plan', 'apply', '-f', 'plan.yaml', '-m', 'a label'])).out, 'plan demo version 2 updated\n');
  assert.equal((await ok(['plan', 'get', 'demo'])).out, demo('labels: {team: red}\n'));
  assert.equal((await ok(['plan', 'get', 'demo', '--version', '1'])).out, demo());
  assert.match((await ok(['plan', 'list'])).out, /^NAME +VERSION[^]*\ndemo +2 +3 /);
});

test('what is wrong with a plan is shown with file, line and column', async () => {
  put('bad.yaml', demo().replace('needs: [greet], parameters: {duration', 'needs: [gret], parameters: {duration').replace('task: sleep', 'taks: sleep'));
  for (const verb of ['validate', 'apply']) {
    const got = await plankton(['plan', verb, '-f', 'bad.yaml']);
    assert.deepEqual([got.code, got.out], [1, '']);
    assert.match(got.err, /^plankton: the plan is not valid \(PLAN_INVALID\)\n/);
    assert.match(got.err, /\n {2}bad\.yaml:7:\d+: steps\[2\]\.needs\[0\]: .*gret.*did you mean 'greet'/);
    assert.match(got.err, /\n {2}bad\.yaml:7:\d+: steps\[2\]\.taks: .*did you mean 'task'/);
  }
});

test('a run is followed: a line per change, progress, output; its logs, steps and history can be read', async () => {
  const got = await ok(['plan', 'run', 'demo', '--input', '{"name": "Ann"}', '--follow']);
  const lines = got.out.trim().split('\n');
  const [, id] = got.out.match(/run (\S+) succeeded after/);
  assert.ok(lines.some((line) => /^\[1\/3\] greet +succeeded after /.test(line)), got.out);
  assert.ok(lines.some((line) => /^\[3\/3\] count +succeeded after /.test(line)), got.out);
  assert.deepEqual(JSON.parse(lines.at(-1)), { who: 'Ann' });

  const logs = await ok(['logs', id, '-f']);
  assert.deepEqual(logs.out.trim().split('\n'), ['greet | Hello, Ann!', 'count | line 1', 'count | line 2', 'count | line 3']);
  assert.equal((await ok(['logs', id, '--step', 'count'])).out, 'line 1\nline 2\nline 3\n');
  assert.equal((await ok(['logs', id, '--last', '1'])).out, 'count | line 3\n');
  const records = (await ok(['logs', id, '-o', 'json'])).out.trim().split('\n').map((line) => JSON.parse(line));
  assert.deepEqual(records.map((record) => record.text), ['Hello, Ann!', 'line 1', 'line 2', 'line 3']);

  const shown = (await ok(['run', 'get', id])).out;
  assert.match(shown, /^id +\S+\nplan +demo, version 2\nstate +succeeded/);
  assert.match(shown, /\nSTEP +TYPE[^]*\ngreet +hello +succeeded +1 /);
  const history = await json(['history', id]);
  assert.equal(history.events[0].kind, 'EVENT_KIND_RUN_STARTED');
  assert.equal(history.events.at(-1).kind, 'EVENT_KIND_RUN_FINISHED');
  assert.equal(history.events.filter((event) => event.kind === 'EVENT_KIND_TASK_FINISHED').length, 3);
  assert.ok((await json(['run', 'list', '--plan', 'demo', '--state', 'succeeded'])).runs.some((run) => run.id === id));

  const updates = (await ok(['run', 'rerun', id, '--follow', '-o', 'json'])).out.trim().split('\n').map((line) => JSON.parse(line));
  assert.ok(updates[0].snapshot);
  const last = updates.findLast((update) => update.run).run;
  assert.deepEqual([last.state, last.rerunOf, last.output], ['RUN_STATE_SUCCEEDED', id, { who: 'Ann' }]);
});

test('an input that does not fit is refused with its field', async () => {
  const got = await plankton(['plan', 'run', 'demo', '--param', 'name:=3']);
  assert.equal(got.code, 1);
  assert.match(got.err, /name.*string.*\(INPUT_INVALID\)/);
});

test('Ctrl-C leaves a followed run alone; a run can be cancelled', async () => {
  await ok(['plan', 'apply', '-f', put('slow.yaml', slow)]);
  const id = (await ok(['plan', 'run', 'slow'])).out.trim();
  let pressed = false;
  const watched = await plankton(['run', 'watch', id], { onText: (text, child) => {
    if (!pressed && text.out.includes('first')) pressed = child.kill('SIGINT');
  } });
  assert.equal(watched.code, 130);
  assert.match(watched.err, /the run goes on/);
  assert.equal((await json(['run', 'get', id])).state, 'RUN_STATE_RUNNING');
  const end = plankton(['run', 'watch', id]);
  await ok(['run', 'cancel', id]);
  const { code, out } = await end;
  assert.equal(code, 1);
  assert.match(out, new RegExp(`run ${id} cancelled after`));
});

test('an archived plan runs no more and leaves its name', async () => {
  await ok(['plan', 'archive', 'slow']);
  assert.equal((await plankton(['plan', 'run', 'slow'])).code, 1);
  assert.equal((await ok(['plan', 'apply', '-f', 'slow.yaml'])).out, 'plan slow version 1 created\n');
});

test('keys are made, used and revoked', async () => {
  const { key, secret } = await json(['keys', 'create', 'ci', '--lifetime', '1h']);
  assert.equal((await ok(['whoami', '--key', secret])).out.split('\n')[0].split(/ +/)[1], 'ci');
  await ok(['keys', 'revoke', key.id]);
  await until('the key is refused', async () => {
    const got = await plankton(['whoami', '--key', secret]);
    return got.code === 1 && /KEY_UNKNOWN/.test(got.err);
  });
  assert.match((await ok(['keys', 'list'])).out, new RegExp(`${key.id} +ci +admin +revoked`));
  const worker = (await ok(['keys', 'create', 'w', '--role', 'worker'])).out.trim();
  const denied = await plankton(['plan', 'list', '--key', worker]);
  assert.equal(denied.code, 1);
  assert.doesNotMatch(denied.err, /demo/);
});

test('kill -9 of the controller in the middle of a task: the command waits and gets the result', async () => {
  let killed = false;
  const got = await ok(['task', 'run', 'shell', '--param', 'command:=["sh","-c","echo begun; sleep 1; echo done"]'], { onText: (text) => {
    if (!killed && text.err.includes('begun')) {
      killed = true;
      process.kill(children()['plankton-controller'], 'SIGKILL');
    }
  } });
  assert.ok(killed);
  assert.deepEqual([JSON.parse(got.out), got.err], [{ exitStatus: 0 }, 'begun\ndone\n']);
  await until('the controller is back', async () => (await plankton(['whoami'])).code === 0);
});

test('bench measures, and PostgreSQL agrees', async () => {
  await until('the worker is back', async () => (await json(['workers'])).workers.some((worker) => worker.state === 'WORKER_STATE_CONNECTED'));
  const environment = readFileSync(`/proc/${children()['plankton-controller']}/environ`, 'utf8').split('\0');
  const database = environment.find((entry) => entry.startsWith('PLANKTON_CONTROLLER_DATABASE=')).slice('PLANKTON_CONTROLLER_DATABASE='.length);
  const bench = (...args) => json(['bench', ...args, '--database', database]);
  const positive = (result, names) => { for (const name of names) assert.ok(result[name] > 0, `${name} of ${JSON.stringify(result)}`); };

  const tasks = await bench('tasks', '--tasks', '5000', '--batch', '500', '--window', '3');
  assert.deepEqual([tasks.n, tasks.finished], [5000, 5000]);
  positive(tasks, ['enqueue_s', 'e2e_s', 'p50_ms', 'p95_ms', 'p99_ms']);
  assert.ok(tasks.relay_lag_events >= 0 && tasks.sink_lag_s >= 0);
  const latency = await bench('latency', '--n', '20');
  assert.deepEqual([latency.n, latency.finished], [20, 20]);
  positive(latency, ['p50_ms', 'p95_ms', 'p99_ms']);
  const chain = await bench('chain', '--workflows', '20', '--concurrency', '5');
  assert.deepEqual([chain.n, chain.finished, chain.steps, chain.finished_steps], [20, 20, 200, 200]);
  positive(chain, ['e2e_s', 'steps_s', 'p50_ms']);
  const fanout = await bench('fanout', '--width', '50', '--runs', '2');
  assert.deepEqual([fanout.n, fanout.finished, fanout.finished_steps], [2, 2, 102]);
  positive(fanout, ['steps_s', 'p50_ms']);
});

test('a drained worker takes no more', async () => {
  const { workers } = await json(['workers', 'list']);
  const worker = workers.find((one) => one.state === 'WORKER_STATE_CONNECTED');
  assert.ok(worker.taskTypes.includes('noop'));
  assert.match((await ok(['workers'])).out, new RegExp(`${worker.id} +worker-1 +connected +\\d+/\\d+`));
  await ok(['workers', 'drain', worker.id]);
  await until('it is no longer connected as such', async () => {
    const now = (await json(['workers'])).workers.find((one) => one.id === worker.id);
    return !now || now.state !== 'WORKER_STATE_CONNECTED' || now.connectedAt !== worker.connectedAt;
  });
});
