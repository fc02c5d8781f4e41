// SPDX-License-Identifier: Apache-2.0
// What a worker says and does on its stream, against a controller played by the test.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { makeId, within, alive } from './worker/plane.mjs';

test('hello names what the worker is; the id it is given is kept for the next process', within(async ({ plane, start }) => {
  const worker = start({ args: ['--name=w', '--label=gpu=true,zone=a', '--slots=7'] });
  const session = await plane.ready();
  assert.equal(session.hello.protocol, 1);
  assert.equal(session.hello.workerId, '');
  assert.equal(session.hello.name, 'w');
  assert.equal(session.hello.slots, 7);
  assert.deepEqual([...session.hello.taskTypes].sort(), ['hello', 'noop', 'shell', 'sleep']);
  assert.equal(session.hello.labels.gpu, 'true');
  assert.equal(session.hello.labels.zone, 'a');
  assert.equal(session.hello.labels.sandbox, 'standard');
  assert.match(session.hello.labels['sandbox.missing'], /seccomp/);
  assert.equal(readFileSync(`${worker.dir}/worker.id`, 'utf8'), plane.workerId);
  assert.deepEqual(await worker.stop(), { code: 0, signal: null });
  start({ dir: worker.dir });
  const next = await plane.ready(session);
  assert.equal(next.hello.workerId, plane.workerId);
  assert.deepEqual(worker.complaints(), []);
}));

test('a state directory belongs to one process', within(async ({ plane, start }) => {
  const worker = start();
  await plane.ready();
  const second = start({ dir: worker.dir });
  assert.equal((await second.exited).code, 1);
  assert.match(second.stderr, /another worker uses/);
}));

test('each take is answered with a list and a nonce of its own', within({ shards: [0, 5, 4095] }, async ({ plane, start }) => {
  start();
  const session = await plane.ready();
  const nonces = new Set(plane.shards.map((shard) => session.held.get(shard).nonce));
  assert.equal(nonces.size, 3);
  for (const shard of plane.shards) {
    const held = session.held.get(shard);
    assert.deepEqual([held.epoch, held.floor, held.tokens, held.gone], [1, 0, [], []]);
    assert.notEqual(held.nonce, '0');
  }
}));

test('a take below the highest epoch seen is refused with the floor', within({ epoch: 4 }, async ({ plane, start }) => {
  start();
  const session = await plane.ready();
  session.send({ take: { shard: 3, epoch: 3 } });
  const refused = await plane.until(() => session.messages.find((m) => m.kind === 'held' && m.body.epoch === 3), 'a refusal');
  assert.equal(refused.body.floor, 4);
  assert.equal(refused.body.end, true);
  const nonce = session.messages.find((m) => m.kind === 'held' && m.body.epoch === 4).body.nonce;
  const [lease] = session.lease({ type: 'noop', nonce });
  assert.equal((await plane.result(lease)).outcome, 'output', 'the session of the higher epoch goes on');
}));

test('leases with another nonce are thrown away, also those of the session before', within(async ({ plane, start }) => {
  start();
  const session = await plane.ready();
  const old = session.held.get(3).nonce;
  session.send({ take: { shard: 3, epoch: 2 } });
  await plane.until(() => session.held.get(3).nonce !== old, 'a new nonce');
  const [stale] = session.lease({ type: 'noop', nonce: old });
  const [wrong] = session.lease({ type: 'noop', nonce: '12345' });
  const [good] = session.lease({ type: 'noop' });
  await plane.result(good);
  assert.equal(plane.resultOf(stale), undefined);
  assert.equal(plane.resultOf(wrong), undefined);
  assert.deepEqual(plane.declined, []);
}));

test('a type that the worker does not know is declined', within(async ({ plane, start }) => {
  start();
  const session = await plane.ready();
  const [lease] = session.lease({ type: 'unheard-of' });
  const declined = await plane.until(() => plane.declined[0], 'a decline');
  assert.equal(declined.token, lease.token);
  assert.match(declined.reason, /type/);
}));

test('credits come back as leases end, and grow while tasks cost nothing', within(async ({ plane, start }) => {
  start({ args: ['--credit=500', '--process-slots=4'] });
  const session = await plane.ready();
  await plane.until(() => session.credit > 0, 'first credits');
  const first = session.credit;
  assert.ok(first <= 10, `starts low, got ${first}`);
  let given = 0;
  while (given < 3000) {
    await plane.until(() => session.credit > given, 'more credits');
    const n = session.credit - given;
    session.lease(...Array.from({ length: n }, () => ({ type: 'noop' })));
    given += n;
  }
  await plane.until(() => plane.results.length === given, 'all results');
  await plane.until(() => session.credit === given + 500, 'the whole window again');
}));

test('results are sent again in each session until they are acknowledged', within({ autoAck: false }, async ({ plane, start }) => {
  start();
  const session = await plane.ready();
  const leases = session.lease({ type: 'noop' }, { type: 'shell', parameters: { script: 'exit 0' } });
  for (const lease of leases) await plane.result(lease);
  plane.results.length = 0;
  session.destroy();
  const again = await plane.ready(session);
  assert.deepEqual(new Set(again.held.get(3).tokens), new Set(leases.map((l) => l.token)));
  for (const lease of leases) await plane.result(lease);
  again.ack([leases[0]]);
  again.stale([leases[1]]);
  again.destroy();
  const last = await plane.ready(again);
  assert.deepEqual(last.held.get(3).tokens, []);
}));

test('losing the connection stops no work', within(async ({ plane, start }) => {
  start();
  const session = await plane.ready();
  const [lease] = session.lease({ type: 'shell', parameters: { script: 'echo $$; sleep 0.8; echo "\\"done\\"" > $PLANKTON_OUTPUT' } });
  await plane.until(() => plane.linesOf(lease.token).length > 0, 'the first line');
  plane.stop();
  await plane.start(plane.port);
  const next = await plane.ready(session);
  assert.deepEqual(next.held.get(3).tokens, [lease.token]);
  const result = await plane.result(lease);
  assert.equal(result.output.text.trim(), '"done"');
  assert.equal(result.session, next);
}));

test('stale kills the work and forgets its result', within(async ({ plane, start }) => {
  start();
  const session = await plane.ready();
  const [lease] = session.lease({ type: 'shell', parameters: { script: 'echo $$; sleep 1000' } });
  const [line] = await plane.until(() => plane.linesOf(lease.token).length && plane.linesOf(lease.token), 'its pid');
  session.stale([lease]);
  await plane.until(() => !alive(line.text), 'the death of the process');
  const [probe] = session.lease({ type: 'noop' });
  await plane.result(probe);
  assert.equal(plane.resultOf(lease), undefined);
}));

test('a cancel ends running and waiting work as cancelled', within(async ({ plane, start }) => {
  start({ args: ['--process-slots=1'] });
  const session = await plane.ready();
  const leases = session.lease({ type: 'shell', parameters: { script: 'echo $$; sleep 1000' } }, { type: 'shell', parameters: { script: 'exit 0' } },
    { type: 'sleep', parameters: { duration: '1h' } });
  const [line] = await plane.until(() => plane.linesOf(leases[0].token).length && plane.linesOf(leases[0].token), 'its pid');
  session.cancel([leases[2], leases[1], leases[0]]);
  for (const lease of leases) {
    const result = await plane.result(lease);
    assert.equal(result.outcome, 'cancelled');
    assert.equal(result.cancelled, true);
  }
  assert.ok(!alive(line.text));
}));

test('accepting a higher attempt kills the lower one of the same task', within(async ({ plane, start }) => {
  start();
  const session = await plane.ready();
  const taskId = makeId(3);
  const [first] = session.lease({ type: 'shell', taskId, parameters: { script: 'echo $$; sleep 1000' } });
  const [line] = await plane.until(() => plane.linesOf(first.token).length && plane.linesOf(first.token), 'its pid');
  const [third] = session.lease({ type: 'shell', taskId, attempt: 3, parameters: { script: 'exit 0' } });
  assert.equal((await plane.result(third)).outcome, 'output');
  await plane.until(() => !alive(line.text), 'the death of the first attempt');
  const [second] = session.lease({ type: 'noop', taskId: makeId(3) });
  await plane.result(second);
  assert.equal(plane.resultOf(first), undefined);
}));

test('drain: finishes what runs, gives back what waits, ends', within(async ({ plane, start }) => {
  const worker = start({ args: ['--process-slots=1'] });
  const session = await plane.ready();
  const [running, waiting] = session.lease({ type: 'shell', parameters: { script: 'echo up; sleep 0.3; exit 0' } },
    { type: 'shell', parameters: { script: 'exit 0' } });
  await plane.until(() => plane.linesOf(running.token).length, 'that it runs');
  session.send({ drain: {} });
  assert.deepEqual(await worker.exited, { code: 0, signal: null });
  assert.equal(plane.resultOf(running).outcome, 'output');
  assert.deepEqual(plane.declined.map((d) => d.token), [waiting.token]);
  assert.deepEqual(worker.complaints(), []);
}));

test('SIGTERM: what does not end in time is killed and told by the next process', within(async ({ plane, start }) => {
  const worker = start({ args: ['--drain-timeout=1s'] });
  const session = await plane.ready();
  const [lease] = session.lease({ type: 'shell', parameters: { script: 'echo $$; sleep 1000' } });
  const [line] = await plane.until(() => plane.linesOf(lease.token).length && plane.linesOf(lease.token), 'its pid');
  assert.equal((await worker.stop()).signal, null);
  assert.ok(!alive(line.text));
  start({ dir: worker.dir });
  const next = await plane.ready(session);
  assert.deepEqual(next.held.get(3).gone, [lease.token]);
}));

test('heartbeats tell what runs and its progress', within(async ({ plane, start }) => {
  start();
  const session = await plane.ready();
  const [lease] = session.lease({ type: 'shell', parameters: {
    script: 'echo 0.25 >> $PLANKTON_PROGRESS; read x < /proc/self/fd/0; while [ ! -e go ]; do sleep 0.05; done', } });
  const told = await plane.until(() => plane.heartbeats.find((h) => h.progress.length), 'progress');
  assert.equal(told.progress[0].token.toString('hex'), lease.token);
  assert.equal(told.progress[0].progress, 0.25);
  assert.equal(told.running, 1);
  session.cancel([lease]);
  await plane.result(lease);
}));

test('the controller away at start is waited for', within(async ({ plane, start }) => {
  plane.stop();
  const worker = start();
  await plane.until(() => worker.stderr.includes('session.disconnected'), 'that it says so');
  await plane.start(plane.port);
  await plane.ready();
  assert.deepEqual(worker.complaints(), []);
}));

test('a key that is refused: told once, when it lasts, and tried again', within(async ({ plane, start }) => {
  plane.onHello = (s) => s.call.emit('error', { code: 16, details: 'the key is not valid' });
  const worker = start();
  await plane.until(() => worker.stderr.includes('session.refused'), 'that it says so');
  const tries = plane.sessions.length;
  await plane.until(() => plane.sessions.length > tries + 3, 'more tries');
  assert.equal(worker.complaints().filter((line) => line.includes('session.refused')).length, 1);
  plane.onHello = undefined;
  await plane.ready();
}));
