// SPDX-License-Identifier: Apache-2.0
// The command line against a stand-in made with a stock gRPC library: what only happens now and then on a real system (servers that
// go away, ask to be asked again, send pages, refuse with many violations) is made to happen here.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import grpc from '@grpc/grpc-js';
import { failure, startBackend } from './gateway_fixture.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const bin = process.env.PLANKTON_BIN ?? path.join(root, 'build/ci/bin');
const id = '0190a000-0000-7000-8000-000000000001';
const run = '0190a000-0000-7000-8000-000000000002';

let backend;
let dir;
before(async () => {
  backend = await startBackend();
  dir = mkdtempSync(path.join(tmpdir(), 'plankton-cli-'));
});
after(() => {
  backend.stop();
  rmSync(dir, { recursive: true, force: true });
});
afterEach(() => { for (const name of Object.keys(backend.handlers)) delete backend.handlers[name]; });

/** Runs the program to its end: {code, out, err}. */
function plankton(args, { env = {}, input = '', onOut } = {}) {
  const child = spawn(path.join(bin, 'plankton'), args, {
    cwd: dir,
    env: { PATH: process.env.PATH, PLANKTON_CONTROLLER: backend.address, PLANKTON_LOGGER: backend.address, PLANKTON_KEY: 'pk_test', ...env },
  });
  const result = { out: '', err: '' };
  child.stdout.on('data', (chunk) => { result.out += chunk; onOut?.(result, child); });
  child.stderr.on('data', (chunk) => { result.err += chunk; });
  child.stdin.end(input);
  const timer = setTimeout(() => child.kill('SIGKILL'), 30_000);
  return new Promise((done) => child.once('close', (code, signal) => {
    clearTimeout(timer);
    done({ ...result, code, signal });
  }));
}

const task = (fields) => ({ id, type: 'hello', state: 'TASK_STATE_READY', queue: 'default', priority: 5, ...fields });
const succeeded = task({ state: 'TASK_STATE_SUCCEEDED', attempt: 1, result: { text: '{"a":1}' } });
const line = (seq, text) => ({ text, seq, stream: 'stdout', task_id: id, attempt: 1 });

test('task run sends what the flags say and prints the result', async () => {
  let request;
  let metadata;
  backend.handlers.SubmitTask = (call, reply) => { request = call.request; metadata = call.metadata; reply(null, task()); };
  backend.handlers.WaitTask = (call, reply) => reply(null, succeeded);
  backend.handlers.TailTaskLogs = (call) => { call.write({ lines: [line(1, 'one'), line(2, 'two')] }); call.end(); };
  const got = await plankton(['task', 'run', 'hello', '--param', 'name=World', '--param', 'n:=5', '--params', '{"n": 1, "z": [1]}', '--env', 'A=b=c',
    '--queue', 'fast', '--priority', '0', '--retry', '7', '--timeout', '1500ms', '--label', 'x=y', '--requires', 'gpu=true', '--request-id', 'key-1']);
  assert.deepEqual([got.code, got.out, got.err], [0, '{"a":1}\n', 'one\ntwo\n']);
  assert.equal(metadata.get('authorization')[0], 'Bearer pk_test');
  assert.equal(request.request_id, 'key-1');
  const { type, parameters, environment, queue, priority, retry, timeout, labels } = request.task;
  assert.deepEqual([type, queue, priority, retry.max_attempts, labels], ['hello', 'fast', 0, 7, { x: 'y' }]);
  assert.deepEqual(JSON.parse(parameters.text), { n: 5, z: [1], name: 'World' });
  assert.deepEqual([environment.variables, environment.requires], [{ A: 'b=c' }, { gpu: 'true' }]);
  assert.deepEqual([timeout.attempt.seconds, timeout.attempt.nanos], ['1', 500_000_000]);
});

test('task run ends with 1 and the failure when the task fails', async () => {
  backend.handlers.SubmitTask = (call, reply) => reply(null, task());
  backend.handlers.WaitTask = (call, reply) => reply(null, task({ state: 'TASK_STATE_FAILED', failure: { code: 'EXIT_STATUS', message: 'exit status 3' } }));
  backend.handlers.TailTaskLogs = (call) => call.end();
  const got = await plankton(['task', 'run', 'shell']);
  assert.deepEqual([got.code, got.out, got.err], [1, '', `plankton: task ${id} failed: EXIT_STATUS: exit status 3\n`]);
});

test('task run goes on when controller and logger were away, and repeats no line', async () => {
  const tails = [];
  let waits = 0;
  backend.handlers.SubmitTask = (call, reply) => reply(null, task());
  backend.handlers.WaitTask = (call, reply) => (++waits < 3 ? reply(failure(grpc.status.UNAVAILABLE, 'shard is moving')) : tails.length === 3 ? reply(null, succeeded) : setTimeout(() => reply(null, succeeded), 600));
  backend.handlers.TailTaskLogs = (call) => {
    tails.push(call.request.after_event_id);
    if (tails.length === 1) return call.emit('error', failure(grpc.status.NOT_FOUND, 'not yet'));
    if (tails.length === 2) {
      call.write({ event_id: 'e7', lines: [line(1, 'one')] });
      return setImmediate(() => call.emit('error', failure(grpc.status.UNAVAILABLE, 'going away')));
    }
    call.write({ event_id: 'e8', lines: [line(2, 'two')] });
    return call.end();
  };
  const got = await plankton(['task', 'run', 'hello']);
  assert.deepEqual([got.code, got.out, got.err], [0, '{"a":1}\n', 'one\ntwo\n']);
  assert.deepEqual([waits, tails], [3, ['', '', 'e7']]);
});

test('task run works without a logger', async () => {
  backend.handlers.SubmitTask = (call, reply) => reply(null, task());
  backend.handlers.WaitTask = (call, reply) => reply(null, succeeded);
  const got = await plankton(['task', 'run', 'hello', '-o', 'json'], { env: { PLANKTON_LOGGER: '' } });
  assert.equal(got.code, 0);
  const json = JSON.parse(got.out);
  assert.deepEqual([json.id, json.state, json.result], [id, 'TASK_STATE_SUCCEEDED', { a: 1 }]);
});

test('Ctrl-C leaves the task alone and says so', async () => {
  let waiting;
  const waits = new Promise((done) => { waiting = done; });
  backend.handlers.SubmitTask = (call, reply) => reply(null, task());
  backend.handlers.WaitTask = () => waiting();
  backend.handlers.TailTaskLogs = () => {};
  const child = spawn(path.join(bin, 'plankton'), ['task', 'run', 'sleep', '--controller', backend.address, '--logger', backend.address, '--key', 'k'], { cwd: dir });
  let err = '';
  child.stderr.on('data', (chunk) => { err += chunk; });
  await waits;
  child.kill('SIGINT');
  const code = await new Promise((done) => child.once('close', done));
  assert.equal(code, 130);
  assert.match(err, /the task goes on: plankton task get 0190a000/);
});

test('a wrong command line ends with 2 before anything is asked', async () => {
  for (const args of [['task', 'run'], ['task', 'run', 'hello', '--parm', 'a=b'], ['task', 'run', 'hello', '--param', 'a'], ['task', 'run', 'hello', '--params', '[1]'],
    ['task', 'run', 'hello', '--retry', '0'], ['task', 'run', 'hello', '--timeout', '5'], ['task', 'list', '--state', 'finished'], ['task', 'fly'], ['plan', 'apply'], ['nothing'], ['task']]) {
    const got = await plankton(args);
    assert.equal(got.code, 2, args.join(' '));
    assert.equal(got.out, '');
    assert.match(got.err, /plankton/);
  }
});

test('every command explains itself', async () => {
  const commands = [['task', 'run'], ['task', 'list'], ['task', 'get'], ['task', 'cancel'], ['task', 'retry'], ['plan', 'apply'], ['plan', 'list'], ['plan', 'get'], ['plan', 'validate'],
    ['plan', 'run'], ['plan', 'archive'], ['run', 'list'], ['run', 'get'], ['run', 'cancel'], ['run', 'rerun'], ['run', 'watch'], ['logs'], ['workers', 'list'], ['workers', 'drain'],
    ['keys', 'create'], ['keys', 'list'], ['keys', 'revoke'], ['whoami'], ['history'], ['bench', 'tasks'], ['bench', 'latency'], ['bench', 'chain'], ['bench', 'fanout']];
  for (const command of commands) {
    const got = await plankton([...command, '--help']);
    assert.equal(got.code, 0, command.join(' '));
    assert.ok(got.out.startsWith(`usage: plankton ${command.join(' ')}`), got.out);
    assert.match(got.out, /--controller ADDRESS/);
  }
});

test('errors have message, reason and a line for each violation', async () => {
  backend.handlers.CreatePlan = backend.handlers.ValidatePlan = (call, reply) => reply(failure(grpc.status.INVALID_ARGUMENT, 'steps[1].needs[0]: no step', {
    reason: 'PLAN_INVALID',
    violations: [{ field: 'steps[1].needs[0]', description: "line 5, column 12: there is no step 'fech' (did you mean 'fetch'?)" }, { field: 'name', description: 'is missing' }],
  }));
  writeFileSync(path.join(dir, 'plan.yaml'), 'steps: []\n');
  const got = await plankton(['plan', 'apply', '-f', 'plan.yaml']);
  assert.equal(got.code, 1);
  assert.equal(got.err, "plankton: the plan is not valid (PLAN_INVALID)\n  plan.yaml:5:12: steps[1].needs[0]: there is no step 'fech', did you mean 'fetch'?\n  name: is missing\n");
});

test('what the server asks to repeat is repeated', async () => {
  let calls = 0;
  backend.handlers.GetTask = (call, reply) => (++calls < 3 ? reply(failure(grpc.status.UNAVAILABLE, 'loading', { reason: 'SHARD_LOADING', retrySeconds: 1 })) : reply(null, succeeded));
  const from = Date.now();
  const got = await plankton(['task', 'get', id, '-o', 'json']);
  assert.deepEqual([got.code, calls], [0, 3]);
  assert.ok(Date.now() - from >= 2000);
});

test('lists put pages together up to the limit', async () => {
  const asked = [];
  backend.handlers.ListTasks = (call, reply) => {
    asked.push([call.request.page_size, call.request.page_token, call.request.state]);
    const n = Math.min(call.request.page_size, 400);
    reply(null, { tasks: Array.from({ length: n }, () => succeeded), next_page_token: `p${asked.length}` });
  };
  const got = await plankton(['task', 'list', '--limit', '900', '--state', 'succeeded', '-o', 'json']);
  assert.equal(got.code, 0);
  assert.equal(JSON.parse(got.out).tasks.length, 900);
  assert.deepEqual(asked, [[500, '', 'TASK_STATE_SUCCEEDED'], [500, 'p1', 'TASK_STATE_SUCCEEDED'], [100, 'p2', 'TASK_STATE_SUCCEEDED']]);
  backend.handlers.ListTasks = (call, reply) => reply(null, {});
  assert.deepEqual(await plankton(['task', 'list']).then(({ code, out, err }) => [code, out, err]), [0, '', 'no tasks\n']);
});

test('a run is followed over a broken watch from where it was', async () => {
  const asked = [];
  const step = (name, state) => task({ id: `0190a000-0000-7000-8000-00000000000${name}`, step: `s${name}`, state });
  const of = (state) => ({ id: run, plan_name: 'demo', plan_version: 1, state });
  backend.handlers.WatchRun = (call) => {
    asked.push(call.request.after_event_id);
    if (asked.length === 1) {
      call.write({ event_id: '1', snapshot: { run: of('RUN_STATE_RUNNING'), tasks: [step('3', 'TASK_STATE_RUNNING'), step('4', 'TASK_STATE_PENDING'), step('5', 'TASK_STATE_PENDING')] } });
      call.write({ event_id: '2', task: step('3', 'TASK_STATE_SUCCEEDED') });
      setTimeout(() => call.emit('error', failure(grpc.status.UNAVAILABLE, 'going away')), 50);
    } else {
      call.write({ event_id: '3', task: step('4', 'TASK_STATE_FAILED') });
      call.write({ event_id: '4', run: { ...of('RUN_STATE_FAILED'), failure: { code: 'EXIT_STATUS', message: 'exit status 1', step: 's4' } } });
      call.end();
    }
  };
  const got = await plankton(['run', 'watch', run]);
  assert.equal(got.code, 1);
  assert.deepEqual(asked, ['', '2']);
  assert.deepEqual(got.out.split('\n').slice(0, 5), [`run ${run} of demo version 1: running`, '[0/3] s3 running', '[1/3] s3 succeeded', '[2/3] s4 failed', '[3/3] s5 skipped']);
  assert.match(got.err, /s4: EXIT_STATUS: exit status 1/);
});

test('on a terminal the list of steps is drawn over itself', async () => {
  const of = (state) => ({ id: run, plan_name: 'demo', plan_version: 1, state });
  const step = (n, state) => task({ id: `0190a000-0000-7000-8000-00000000000${n}`, step: `s${n}`, state });
  backend.handlers.WatchRun = (call) => {
    call.write({ event_id: '1', snapshot: { run: of('RUN_STATE_RUNNING'), tasks: [step(3, 'TASK_STATE_RUNNING'), step(4, 'TASK_STATE_PENDING')] } });
    setTimeout(() => {
      call.write({ event_id: '2', task: step(3, 'TASK_STATE_SUCCEEDED') });
      call.write({ event_id: '3', task: step(4, 'TASK_STATE_SUCCEEDED') });
      call.write({ event_id: '4', run: of('RUN_STATE_SUCCEEDED') });
      call.end();
    }, 500);
  };
  for (const [env, coloured] of [[{}, true], [{ NO_COLOR: '1' }, false]]) {
    const child = spawn('script', ['-qec', `${path.join(bin, 'plankton')} run watch ${run}`, '/dev/null'], { cwd: dir, stdio: ['ignore', 'pipe', 'inherit'],
      env: { PATH: process.env.PATH, TERM: 'xterm', PLANKTON_CONTROLLER: backend.address, PLANKTON_KEY: 'k', ...env } });
    let out = '';
    child.stdout.on('data', (chunk) => { out += chunk; });
    assert.equal(await new Promise((done) => child.once('close', done)), 0);
    assert.match(out, /s3 [^\n]*running[^\n]*\r\n[^\n]*s4 [^\n]*pending[^\n]*\r\n[^\n]*\[\.{20}\] 0\/2 steps/);
    assert.match(out, /\x1b\[3A[^\n]*s3 [^\n]*succeeded[^\n]*\r\n[^\n]*s4 [^\n]*succeeded[^\n]*\r\n[^\n]*\[#{20}\] 2\/2 steps/);
    assert.equal(/\x1b\[\d+m/.test(out), coloured);
  }
});

test('logs -f shows the last lines once and goes on', async () => {
  const us = (seconds, seq, text) => ({ ...line(seq, text), time: { seconds, nanos: 0 } });
  backend.handlers.GetRun = (call, reply) => reply(failure(grpc.status.NOT_FOUND, 'no run', { reason: 'NOT_FOUND' }));
  backend.handlers.GetTask = (call, reply) => reply(null, task());
  backend.handlers.QueryTaskLogs = (call, reply) => {
    assert.deepEqual([call.request.page_size, call.request.last], [2, true]);
    reply(null, { lines: [us(102, 3, 'three'), us(103, 4, 'four')] });
  };
  backend.handlers.TailTaskLogs = (call) => {
    call.write({ lines: [us(100, 1, 'one'), us(101, 2, 'two'), us(102, 3, 'three'), us(103, 4, 'four'), us(104, 5, 'five')] });
    call.end();
  };
  const got = await plankton(['logs', id, '-f', '--last', '2']);
  assert.deepEqual([got.code, got.out, got.err], [0, 'three\nfour\nfive\n', '']);
});

test('logs --search prints hits with their places, page after page', async () => {
  backend.handlers.GetRun = (call, reply) => reply(failure(grpc.status.NOT_FOUND, 'no run', { reason: 'NOT_FOUND' }));
  backend.handlers.GetTask = (call, reply) => reply(null, task());
  const asked = [];
  backend.handlers.SearchTaskLogs = (call, reply) => {
    const { text, ignore_case, level, stream, context, page_token } = call.request;
    asked.push([text, ignore_case, level, stream, context, page_token]);
    reply(null, page_token ? { hits: [{ line: { ...line(90, 'boom again'), attempt: 2 } }] }
      : { hits: [{ before: [line(6, 'calm')], line: line(7, 'boom'), after: [line(8, 'dust')] }], next_page_token: 'more' });
  };
  const got = await plankton(['logs', id, '--search', 'Boom', '-i', '--level', 'warn', '--stream', 'stderr', '-C', '1']);
  assert.deepEqual([got.code, got.err], [0, '']);
  assert.match(got.out, /^\d\.6-calm\n\d\.7:boom\n\d\.8-dust\n--\n2\.90:boom again\n$/);
  assert.deepEqual(asked, [['Boom', true, 'warn', 'stderr', 1, ''], ['Boom', true, 'warn', 'stderr', 1, 'more']]);
  const misused = await plankton(['logs', id, '--level', 'warn']);
  assert.equal(misused.code, 2);
  assert.match(misused.err, /need --search/);
});

test('an unknown id is said to be neither', async () => {
  backend.handlers.GetRun = backend.handlers.GetTask = (call, reply) => reply(failure(grpc.status.NOT_FOUND, 'none', { reason: 'NOT_FOUND' }));
  const got = await plankton(['logs', id]);
  assert.deepEqual([got.code, got.err], [1, `plankton: there is no run and no task with the id ${id} (NOT_FOUND)\n`]);
});

test('nothing to connect to is said in words', async () => {
  const alone = await plankton(['task', 'list'], { env: { PLANKTON_CONTROLLER: '', PLANKTON_KEY: '' } });
  assert.equal(alone.code, 1);
  assert.match(alone.err, /no controller is known.*plankton up.*\(NO_ADDRESS\)/);
  const away = await plankton(['task', 'list', '--controller', '127.0.0.1:1']);
  assert.equal(away.code, 1);
  assert.match(away.err, /cannot reach the controller at 127\.0\.0\.1:1: .*refused.*\(UNAVAILABLE\)/);
});
