// SPDX-License-Identifier: Apache-2.0
// Crashes, pauses, lost connections, a logger that is away: what was finished is not lost, what has died is said, nothing runs twice.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { within, alive } from './worker/plane.mjs';

const shell = (script, more = {}) => ({ type: 'shell', parameters: { script }, ...more });
const firstLine = async (plane, lease) => (await plane.until(() => plane.linesOf(lease.token).length && plane.linesOf(lease.token), 'a line'))[0];
const spoolBytes = (dir) => readdirSync(dir).filter((f) => f.startsWith('logs.')).reduce((sum, f) => sum + statSync(`${dir}/${f}`).size, 0);

test('kill -9 with finished results: the next process holds them and sends them', within({ autoAck: false }, async ({ plane, start }) => {
  const worker = start();
  const session = await plane.ready();
  const leases = session.lease(shell('echo "\\"kept\\"" > $PLANKTON_OUTPUT'), shell('echo why >&2; exit 4'),
    shell(`printf '"%s"' $(head -c 100000 /dev/zero | tr '\\0' y) > $PLANKTON_OUTPUT`));
  for (const lease of leases) await plane.result(lease);
  await worker.stop('SIGKILL');
  plane.results.length = 0;
  start({ dir: worker.dir });
  const next = await plane.ready(session);
  assert.equal(next.hello.workerId, plane.workerId);
  assert.deepEqual(new Set(next.held.get(3).tokens), new Set(leases.map((l) => l.token)));
  assert.deepEqual(next.held.get(3).gone, []);
  const [output, failure, large] = [await plane.result(leases[0]), await plane.result(leases[1]), await plane.result(leases[2])];
  assert.equal(output.output.text.trim(), '"kept"');
  assert.equal(failure.failure.message, 'exit status 4: why');
  assert.equal(failure.lastLogSeq, '1');
  assert.equal(large.output.text.length, 100002);
  next.ack(leases);
  const [probe] = next.lease({ type: 'noop' });
  await plane.result(probe);
  next.ack([probe]);
  next.destroy();
  const last = await plane.ready(next);
  assert.deepEqual(last.held.get(3).tokens, []);
}));

test('kill -9 in the middle: the process tree dies, the next process tells what is gone, the log says cut', within(async ({ plane, start }) => {
  const worker = start();
  const session = await plane.ready();
  const [lease] = session.lease(shell('(setsid sleep 1000 & echo $!); echo $$; sleep 1000', { step: 'long' }));
  const [idle] = session.lease({ type: 'sleep', parameters: { duration: '1h' } });
  await plane.until(() => plane.linesOf(lease.token).length === 2, 'both pids');
  const pids = plane.linesOf(lease.token).map((l) => l.text);
  await worker.stop('SIGKILL');
  await plane.until(() => pids.every((pid) => !alive(pid)), 'the death of the tree');
  start({ dir: worker.dir });
  const next = await plane.ready(session);
  assert.deepEqual(next.held.get(3).gone, [lease.token]);
  assert.deepEqual(next.held.get(3).tokens, [], 'a sleep has no side effect: its lease never mattered');
  const cut = await plane.until(() => plane.linesOf(lease.token).find((l) => l.stream === 'system'), 'the cut');
  assert.deepEqual([cut.seq, cut.step], [3, 'long']);
  assert.match(cut.text, /^cut: /);
  assert.equal(plane.resultOf(idle), undefined);
  assert.equal(plane.resultOf(lease), undefined);
}));

test('what is gone is told in every session until it is known', within(async ({ plane, start }) => {
  const worker = start();
  const session = await plane.ready();
  const [lease] = session.lease(shell('echo up; sleep 1000'));
  await firstLine(plane, lease);
  await worker.stop('SIGKILL');
  const second = start({ dir: worker.dir });
  const next = await plane.ready(session);
  assert.deepEqual(next.held.get(3).gone, [lease.token]);
  await second.stop('SIGKILL');
  start({ dir: worker.dir });
  const third = await plane.ready(next);
  assert.deepEqual(third.held.get(3).gone, [lease.token]);
  const [retry] = third.lease(shell('exit 0', { taskId: lease.taskId, attempt: 2 }));
  await plane.result(retry);
  third.destroy();
  const fourth = await plane.ready(third);
  assert.deepEqual(fourth.held.get(3).gone, [], 'a later attempt proves that the owner knows');
}));

test('what is gone is forgotten when a session that was told has lasted', within(async ({ plane, start }) => {
  const worker = start();
  const session = await plane.ready();
  const [lease] = session.lease(shell('echo up; sleep 1000'));
  await firstLine(plane, lease);
  await worker.stop('SIGKILL');
  start({ dir: worker.dir, args: ['--gone-kept=200ms'] });
  const next = await plane.ready(session);
  assert.deepEqual(next.held.get(3).gone, [lease.token]);
  const heard = plane.heartbeats.length;
  await plane.until(() => plane.heartbeats.length >= heard + 5, 'five heartbeats');
  next.send({ take: { shard: 3, epoch: 9 } });
  await plane.until(() => next.held.get(3).epoch === 9, 'the next list');
  assert.deepEqual(next.held.get(3).gone, []);
}));

test('a worker that was stopped for longer than its lease asks anew what it holds', within({ leaseMs: 500, autoAck: false }, async ({ plane, start }) => {
  const worker = start();
  const session = await plane.ready();
  const [lease] = session.lease(shell('echo $$; sleep 0.9'));
  const line = await firstLine(plane, lease);
  worker.kill('SIGSTOP');
  await plane.until(() => !alive(line.text), 'more time than the lease');
  worker.kill('SIGCONT');
  const next = await plane.ready(session);
  assert.deepEqual(next.held.get(3).tokens, [lease.token]);
  await plane.until(() => session.closed, 'the end of the old stream');
}));

test('SIGSTOP past its lease: the late result meets stale and is forgotten', within({ autoAck: false }, async ({ plane, start }) => {
  const worker = start();
  const session = await plane.ready();
  const [lease] = session.lease(shell('echo $$; sleep 0.4; echo late'));
  const line = await firstLine(plane, lease);
  worker.kill('SIGSTOP');
  session.destroy();
  await plane.until(() => !alive(line.text), 'the end of the task while its worker sleeps');
  plane.onHello = (s) => { s.welcome(); s.stale([lease]); };
  worker.kill('SIGCONT');
  const next = await plane.ready(session);
  const [probe] = next.lease({ type: 'noop' });
  await plane.result(probe);
  next.ack([probe]);
  next.send({ take: { shard: 3, epoch: 2 } });
  await plane.until(() => next.held.get(3).epoch === 2, 'the next list');
  assert.deepEqual(next.held.get(3).tokens, []);
}));

test('a worker that can reach nobody works on and holds its results', within(async ({ plane, start }) => {
  const worker = start();
  const session = await plane.ready();
  const leases = session.lease(...Array.from({ length: 5 }, (_, i) => shell(`echo begun; sleep 0.3; echo ${i} > $PLANKTON_OUTPUT`)));
  await plane.until(() => leases.every((l) => plane.linesOf(l.token).length), 'that all run');
  plane.stop();
  await plane.until(() => readdirSync(`${worker.dir}/attempts`).length === 0, 'the end of the tasks');
  assert.equal(plane.results.length, 0);
  await plane.start(plane.port);
  const next = await plane.ready(session);
  assert.equal(next.held.get(3).tokens.length, 5);
  for (const [i, lease] of leases.entries()) assert.equal((await plane.result(lease)).output.text.trim(), String(i));
}));

test('a logger that is away: lines stay in the spool and arrive in order, each once', within(async ({ plane, start }) => {
  plane.refuseLogs = true;
  const worker = start();
  const { lease, result } = await plane.run(shell('i=0; while [ $i -lt 3000 ]; do echo "line $i"; i=$((i+1)); done'));
  assert.equal(result.lastLogSeq, '3000');
  assert.equal(plane.lines.length, 0);
  assert.ok(spoolBytes(worker.dir) > 3000);
  await worker.stop('SIGKILL');
  plane.refuseLogs = false;
  start({ dir: worker.dir });
  await plane.until(() => plane.linesOf(lease.token).length === 3000, 'all lines');
  plane.linesOf(lease.token).forEach((line, i) => assert.deepEqual([line.seq, line.text], [i + 1, `line ${i}`]));
}));

test('lines without an acknowledgement are sent again after a reconnect', within({ autoAckLogs: false }, async ({ plane, start }) => {
  start();
  const { lease } = await plane.run(shell('echo a; echo b'));
  await plane.until(() => plane.linesOf(lease.token).length === 2, 'both lines');
  plane.lines.length = 0;
  plane.autoAckLogs = true;
  plane.logCalls.at(-1).emit('error', { code: 14, details: 'cut' });
  await plane.until(() => plane.linesOf(lease.token).length === 2, 'both lines again');
}));

test('a full spool drops the oldest lines and says so where they were', within(async ({ plane, start }) => {
  plane.refuseLogs = true;
  const worker = start({ args: ['--spool-bytes=256Ki'] });
  const { lease, result } = await plane.run(shell('i=0; while [ $i -lt 20000 ]; do echo "line $i of many, some text to fill the spool"; i=$((i+1)); done'));
  assert.equal(result.lastLogSeq, '20000');
  assert.ok(spoolBytes(worker.dir) < 400 * 1024, `${spoolBytes(worker.dir)} bytes`);
  plane.refuseLogs = false;
  await plane.until(() => plane.linesOf(lease.token).at(-1)?.seq === 20000, 'the last line');
  const lines = plane.linesOf(lease.token);
  const cuts = lines.filter((l) => l.stream === 'system');
  assert.ok(cuts.length > 0);
  assert.match(cuts[0].text, /^cut: lines 1 to \d+ were dropped/);
  const dropped = cuts.reduce((sum, l) => { const [, a, b] = l.text.match(/(\d+) to (\d+)/); return sum + Number(b) - Number(a) + 1; }, 0);
  assert.equal(dropped + lines.length - cuts.length, 20000, 'what is told as dropped and what came are all');
  assert.ok(worker.complaints().some((line) => line.includes('logs.dropped')));
}));

test('long output while the logger is slow stays bounded in memory', within({ autoAckLogs: false }, async ({ plane, start }) => {
  const worker = start();
  const { result } = await plane.run(shell('head -c 60000000 /dev/zero | tr "\\0" "a" | fold -w 99'));
  assert.equal(result.lastLogSeq, String(Math.ceil(60000000 / 99)));
  const status = Number(readFileSync(`/proc/${worker.pid}/status`, 'utf8').match(/VmRSS:\s+(\d+)/)[1]);
  assert.ok(status < 40 * 1024 || process.env.PLANKTON_SANITIZED, `${status} kB`);
}));

test('without a logger lines go nowhere and nothing gathers', within({ logger: '' }, async ({ plane, start }) => {
  const worker = start();
  const { result } = await plane.run(shell('seq 1 20000'));
  assert.equal(result.lastLogSeq, '20000');
  assert.equal(spoolBytes(worker.dir), 0);
}));
