// SPDX-License-Identifier: Apache-2.0
// Workers that are not ours: the example on plain gRPC and the Python library, against a controller played by the test.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { within } from './worker/plane.mjs';

const TOP = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const PYTHON = process.env.PLANKTON_PYTHON ?? '/usr/bin/python3'; // Debian's: it has python3-grpcio

function python(t, script, ...args) {
  const child = spawn(PYTHON, [path.join(TOP, script), ...args], { stdio: ['ignore', 'inherit', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  return child;
}

test('the example is under 100 lines', () => {
  assert.ok(readFileSync(path.join(TOP, 'sdk/examples/worker.py'), 'utf8').split('\n').length <= 100);
});

test('the example: registers, executes, reports, logs, sends again', within({ autoAck: false }, async ({ plane, t }) => {
  python(t, 'sdk/examples/worker.py', plane.address);
  const session = await plane.ready();
  assert.deepEqual(session.hello.taskTypes, ['reverse']);
  const [good, bad, foreign] = session.lease({ type: 'reverse', parameters: { text: 'abc ü' }, step: 's' }, { type: 'reverse', parameters: {} },
    { type: 'reverse', parameters: { text: 'x' }, nonce: '99' });
  assert.deepEqual(JSON.parse((await plane.result(good)).output.text), { text: 'ü cba' });
  assert.equal((await plane.result(bad)).failure.code, 'BAD_INPUT');
  assert.equal(plane.resultOf(foreign), undefined);
  const [line] = await plane.until(() => plane.linesOf(good.token).length && plane.linesOf(good.token), 'its line');
  assert.deepEqual([line.seq, line.text, line.step, line.level], [1, 'reversing 5 characters', 's', 2]);
  await plane.until(() => plane.heartbeats.length > 1, 'heartbeats');
  plane.results.length = 0;
  session.ack([bad]);
  session.destroy();
  const next = await plane.ready(session);
  assert.equal(next.hello.workerId, plane.workerId);
  assert.deepEqual(next.held.get(3).tokens, [good.token]);
  await plane.result(good);
  assert.equal(plane.results.length, 1);
}));

test('the library: results, failures, logs, progress, cancel, timeout, drain', within(async ({ plane, t }) => {
  const child = python(t, 'tests/e2e/worker/sdk_worker.py', plane.address);
  const session = await plane.ready();
  assert.deepEqual(session.hello.taskTypes, ['double', 'fail', 'wait']);
  assert.equal(session.hello.labels.zone, 'a');
  const double = await plane.run({ type: 'double', parameters: { n: 21 }, environment: { variables: { V: 'v' } } });
  assert.deepEqual(double.output, { n: 42, variable: 'v' });
  assert.equal(double.result.lastLogSeq, '3');
  await plane.until(() => plane.linesOf(double.lease.token).length === 3, 'its lines');
  assert.deepEqual(plane.linesOf(double.lease.token).map((l) => [l.text, l.level]), [['doubling 21', 2], ['second', 3], ['third', 3]]);
  const named = (await plane.run({ type: 'fail', parameters: { how: 'named' } })).result.failure;
  assert.deepEqual([named.code, named.message, named.nonRetryable, JSON.parse(named.details.text)], ['BAD_INPUT', 'not this', true, { field: 'how' }]);
  const other = (await plane.run({ type: 'fail', parameters: {} })).result.failure;
  assert.deepEqual([other.code, other.nonRetryable], ['EXCEPTION', false]);
  assert.match(other.message, /ZeroDivisionError/);
  const late = (await plane.run({ type: 'wait', parameters: {}, attemptTimeoutMs: 200 })).result.failure;
  assert.equal(late.code, 'TIMEOUT');
  const [waiting] = session.lease({ type: 'wait', parameters: {} });
  const told = await plane.until(() => plane.heartbeats.find((h) => h.progress.some((p) => p.token.toString('hex') === waiting.token)), 'progress');
  assert.equal(told.progress.at(-1).progress, 0.5);
  session.cancel([waiting]);
  assert.equal((await plane.result(waiting)).cancelled, true);
  const [unknown] = session.lease({ type: 'noop' });
  await plane.until(() => plane.declined.some((d) => d.token === unknown.token), 'a decline');
  session.destroy();
  const next = await plane.ready(session);
  assert.deepEqual(next.held.get(3).tokens, []);
  const exited = new Promise((resolve) => { child.on('exit', (code) => { plane.changed(); resolve(code); }); });
  next.send({ drain: {} });
  assert.equal(await exited, 0);
}));
