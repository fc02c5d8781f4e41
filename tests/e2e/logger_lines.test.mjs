// SPDX-License-Identifier: Apache-2.0
// Log lines from a worker to a reader: exactly once, in order, whatever is killed.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Logger, block, grpc, idText, kinds, leaseToken, lines, newId, stepId, until } from './logger/fixture.mjs';

let l;
before(async () => { l = await Logger.start({ settings: ['--unknown-wait=100ms', '--tail-wait=700ms'] }); });
after(async () => { await l?.stop(); });

const texts = (page) => page.map((line) => line.text);
const fails = (code, reason) => (error) => {
  assert.equal(error.code, grpc.status[code], error.message);
  if (reason) assert.ok(error.metadata.get('grpc-status-details-bin').toString('latin1').includes(reason), `${reason}: ${error.message}`);
  return true;
};

test('acknowledged lines survive kill -9 and resending, once each and in order', async () => {
  const task = newId();
  const token = leaseToken(l.clusterKey, { task });
  let stream = l.append();
  await stream.sent(block(token, 1, lines(1, 40)));
  await stream.sent(block(token, 41, lines(41, 60)));
  await l.kill();
  l.spawn();
  await l.ready();
  stream = l.append();
  // what a worker does that never saw the acknowledgement, with other cuts
  await stream.sent(block(token, 1, lines(1, 30)), block(token, 31, lines(31, 75)));
  await stream.sent(block(token, 61, lines(61, 100)));
  await l.restart();
  stream = l.append();
  await stream.sent(block(token, 1, lines(1, 110)));
  const got = await l.taskLines(idText(task), { pageSize: 17 });
  assert.deepEqual(texts(got), lines(1, 110));
  assert.deepEqual(got.map((line) => Number(line.seq)), lines(1, 110).map((_, i) => i + 1));
  await until('the database has each once', async () => (await l.sql(`select sum(lines) from log_chunk where task_id = '${idText(task)}'`)) === '110');
  const written = () => l.files().filter((row) => row.task === idText(task)).map((row) => row.text);
  await until('the file sink has the last one', () => written().includes('line 110'));
  assert.deepEqual(written(), lines(1, 110), 'the file sink has each once too');
});

test('what streams and levels were said is shown', async () => {
  const task = newId();
  const stream = l.append();
  const token = leaseToken(l.clusterKey, { task });
  const base = Date.now() * 1000;
  await stream.sent({ ...block(token, 1, ['out', 'err', 'sys', 'more'], { baseUs: base, step: 'fetch' }), streamLevel: Buffer.from([0x00, 0x41, 0x22, 0x18 | 0x00]) });
  const got = await l.taskLines(idText(task));
  assert.deepEqual(got.map((x) => [x.text, x.stream, x.level, x.continued, x.step]),
    [['out', 'stdout', '', false, 'fetch'], ['err', 'stderr', 'error', false, 'fetch'], ['sys', 'system', 'info', false, 'fetch'], ['more', 'stdout', 'debug', true, 'fetch']]);
  const micros = (time) => Number(time.seconds) * 1e6 + time.nanos / 1e3;
  assert.deepEqual(got.map((x) => micros(x.time)), [base, base + 10, base + 20, base + 30]);
});

test('a gap stays a gap; times never go back; a clock from the future is not believed', async () => {
  const task = newId();
  const token = leaseToken(l.clusterKey, { task });
  const stream = l.append();
  const now = Date.now() * 1000;
  await stream.sent(block(token, 1, lines(1, 2), { baseUs: now }));
  await stream.sent(block(token, 10, lines(10, 11), { baseUs: now - 60e6 }));
  await stream.sent(block(token, 12, lines(12, 12), { baseUs: now + 86400e6 }));
  await stream.sent(block(token, 5, lines(5, 6)));
  const got = await l.taskLines(idText(task));
  assert.deepEqual(got.map((line) => Number(line.seq)), [1, 2, 10, 11, 12], 'what comes after its followers is dropped');
  const times = got.map((x) => Number(x.time.seconds) * 1e6 + x.time.nanos / 1e3);
  assert.deepEqual(times, [...times].sort((a, b) => a - b));
  assert.ok(times.at(-1) < Date.now() * 1000 + 5e6);
});

test('blocks that are not what they say are refused for good, the others taken', async () => {
  const task = newId();
  const token = leaseToken(l.clusterKey, { task });
  const forged = Buffer.from(token);
  forged[20] ^= 1;
  const stream = l.append();
  const bad = [
    [block(forged, 1, ['x']), 'TOKEN_INVALID'],
    [block(leaseToken(Buffer.alloc(32, 3), { task }), 1, ['x']), 'TOKEN_INVALID'],
    [{ ...block(token, 1, ['x', 'y']), length: [1] }, 'BLOCK_MALFORMED'],
    [{ ...block(token, 1, ['x', 'y']), length: [1, 2] }, 'BLOCK_MALFORMED'],
    [{ ...block(token, 1, ['x']), streamLevel: Buffer.alloc(2) }, 'BLOCK_MALFORMED'],
    [block(token, 0, ['x']), 'BLOCK_MALFORMED'],
    [block(token, 1, []), 'BLOCK_MALFORMED'],
    [block(token, 1, ['x'.repeat(65537)]), 'LINE_TOO_LONG'],
    [block(token, 1, Array(17).fill('x'.repeat(65536))), 'BLOCK_TOO_LARGE'],
  ];
  for (const [one] of bad) await stream.sent(one);
  await stream.sent(block(token, 1, ['good', 'x'.repeat(65536)]), block(forged, 1, ['bad']));
  assert.deepEqual(stream.refused.map((r) => [Number(r.number), r.reason]), [...bad.map(([, reason], i) => [i + 1, reason]), [bad.length + 1, 'TOKEN_INVALID']]);
  assert.deepEqual(texts(await l.taskLines(idText(task))), ['good', 'x'.repeat(65536)]);
  stream.call.write({ number: 3, blocks: [] });
  assert.equal((await stream.closed).code, grpc.status.INVALID_ARGUMENT, 'numbers grow');
});

test('bytes that are no UTF-8, and NUL, are replaced; the rest of the line stays', async () => {
  const task = newId();
  const stream = l.append();
  const euro = Buffer.from('€');
  await stream.sent(block(leaseToken(l.clusterKey, { task }), 1, [Buffer.from([0x61, 0xff, 0x62]), Buffer.from('a\0b'), euro.subarray(0, 2), euro.subarray(2), 'fine ✓', '']));
  assert.deepEqual(texts(await l.taskLines(idText(task))), ['a\ufffdb', 'a\ufffdb', '\ufffd\ufffd', '\ufffd', 'fine ✓', '']);
});

test('pages go forward and back, a run is merged by time, a token fits its own list alone', async () => {
  const run = newId();
  const [a, b] = [stepId(run), stepId(run)];
  const base = Date.now() * 1000 - 5e6;
  const stream = l.append();
  for (let i = 0; i < 50; i += 10) {
    await stream.sent(block(leaseToken(l.clusterKey, { task: a, run }), i + 1, lines(i + 1, i + 10, 'a'), { baseUs: base + i * 100, dtUs: 100, step: 'a' }),
      block(leaseToken(l.clusterKey, { task: b, run }), i + 1, lines(i + 1, i + 10, 'b'), { baseUs: base + 50 + i * 100, dtUs: 100, step: 'b' }));
  }
  const expected = lines(1, 50).flatMap((_, i) => [`a ${i + 1}`, `b ${i + 1}`]);
  // the next block's first line is 100 us after the last one's last: dt counts from the base of each block
  const forward = [], backward = [];
  for (let token = '', more = true; more;) {
    const page = await l.call('queryRunLogs', { runId: idText(run), pageSize: 7, pageToken: token });
    forward.push(...texts(page.lines));
    token = page.nextPageToken;
    more = token !== '';
  }
  assert.deepEqual(forward, expected);
  let first = '';
  for (let token = '', more = true; more;) {
    const page = await l.call('queryRunLogs', { runId: idText(run), pageSize: 9, last: true, pageToken: token });
    backward.unshift(...texts(page.lines));
    token = page.nextPageToken;
    first ||= token;
    more = token !== '';
  }
  assert.deepEqual(backward, expected);
  const last = await l.call('queryTaskLogs', { taskId: idText(a), pageSize: 3, last: true });
  assert.deepEqual(texts(last.lines), ['a 48', 'a 49', 'a 50']);
  await assert.rejects(l.call('queryRunLogs', { runId: idText(run), pageToken: first }), fails('INVALID_ARGUMENT', 'PAGE_TOKEN_INVALID'));
  await assert.rejects(l.call('queryRunLogs', { runId: idText(run), last: true, pageToken: `${first.slice(0, -2)}xx` }), fails('INVALID_ARGUMENT', 'PAGE_TOKEN_INVALID'));
  await assert.rejects(l.call('queryRunLogs', { runId: idText(run), pageSize: 10001 }), fails('INVALID_ARGUMENT'));
  await assert.rejects(l.call('queryTaskLogs', { taskId: idText(a), attempt: -1 }), fails('INVALID_ARGUMENT'));
});

test('keys and roles: who may append, relay and read; foreign namespaces and unknown ids are not found', async () => {
  const task = newId();
  await l.append().sent(block(leaseToken(l.clusterKey, { task, namespaceId: 2 }), 1, ['secret']));
  const denied = async (open, code) => assert.equal((await open.closed).code, grpc.status[code]);
  await denied(l.append(l.adminKey), 'PERMISSION_DENIED');
  await denied(l.append('pk_wrong'), 'UNAUTHENTICATED');
  await denied(l.append(null), 'UNAUTHENTICATED');
  await denied(l.relay(l.workerKey), 'PERMISSION_DENIED');
  await denied(l.relay(`${l.serviceKey}x`), 'UNAUTHENTICATED');
  await assert.rejects(l.call('queryTaskLogs', { taskId: idText(task) }, { key: l.workerKey }), fails('PERMISSION_DENIED'));
  for (const method of ['queryTaskLogs', 'queryTaskHistory'])
    for (const id of [idText(task), idText(newId(0, Date.now() - 3600e3)), 'nonsense', ''])
      await assert.rejects(l.call(method, { taskId: id }), fails('NOT_FOUND'));
  await assert.rejects(l.call('queryRunLogs', { runId: idText(newId()) }), fails('NOT_FOUND'));
  assert.equal((await l.tail('tailTaskLogs', { taskId: idText(task) }).closed).code, grpc.status.NOT_FOUND);
  const other = l.keys.make('ROLE_ADMIN', 2);
  assert.deepEqual(texts((await l.call('queryTaskLogs', { taskId: idText(task) }, { key: other })).lines), ['secret']);
  const asked = l.keys.asked;
  for (let i = 0; i < 5; i++) await l.call('listSinks', {}, { key: other });
  assert.equal(l.keys.asked, asked, 'the answer about a key is kept for a while');
});

test('a tail has the backlog, then lines as they come, and ends with the task when its log is complete', async () => {
  const task = newId(3);
  const token = leaseToken(l.clusterKey, { task });
  const stream = l.append(), relay = l.relay();
  const start = (await relay.ask(3)) + 1;
  relay.events(3, start, [{ kind: kinds.TASK_SUBMITTED, taskId: task, type: 'shell', state: 2 }, { kind: kinds.TASK_STARTED, taskId: task, attempt: 1, state: 3 }]);
  await stream.sent(block(token, 1, lines(1, 2500)));
  const tail = l.tail('tailTaskLogs', { taskId: idText(task) });
  await until('the backlog', () => tail.lines.length === 2500);
  const sent = performance.now();
  await stream.sent(block(token, 2501, lines(2501, 2510)));
  await until('live lines', () => tail.lines.length === 2510);
  assert.ok(tail.messages.at(-1).at - sent < 500, 'live');
  relay.events(3, start + 2, [{ kind: kinds.TASK_FINISHED, taskId: task, attempt: 1, state: 4, lastLogSeq: 2515 }]);
  await relay.relayed(3, start + 2);
  let page = await l.call('queryTaskLogs', { taskId: idText(task), pageSize: 1 });
  assert.equal(page.complete, false, 'lines are missing');
  assert.equal(tail.ended, false, 'it waits for them');
  await stream.sent(block(token, 2511, lines(2511, 2515)));
  assert.equal((await tail.closed).code, grpc.status.OK);
  assert.deepEqual(texts(tail.lines), lines(1, 2515));
  page = await l.call('queryTaskLogs', { taskId: idText(task), pageSize: 1 });
  assert.equal(page.complete, true);
  // Resuming in the middle gives the rest, no more and no less; garbage is refused.
  const middle = tail.messages[2];
  const rest = l.tail('tailTaskLogs', { taskId: idText(task), afterEventId: middle.eventId });
  await rest.closed;
  const seen = Number(middle.lines.at(-1).seq);
  assert.deepEqual(texts(rest.lines), lines(seen + 1, 2515));
  assert.equal((await l.tail('tailTaskLogs', { taskId: idText(task), afterEventId: '12-' }).closed).code, grpc.status.INVALID_ARGUMENT);
});

test('a tail of a finished task whose lines never come ends after its wait', async () => {
  const task = newId(4);
  const relay = l.relay();
  const start = (await relay.ask(4)) + 1;
  relay.events(4, start, [{ kind: kinds.TASK_SUBMITTED, taskId: task, state: 2 }, { kind: kinds.TASK_FINISHED, taskId: task, attempt: 1, state: 5, lastLogSeq: 9 }]);
  await relay.relayed(4, start + 1);
  const begin = performance.now();
  const tail = l.tail('tailTaskLogs', { taskId: idText(task) });
  assert.equal((await tail.closed).code, grpc.status.OK);
  const took = performance.now() - begin;
  assert.ok(took >= 650 && took < 5000, `${took} ms`);
});

test('a tail of a run has the lines of its tasks, and a slow reader gets all of them', async () => {
  const run = newId(5);
  const relay = l.relay(), stream = l.append();
  const start = (await relay.ask(5)) + 1;
  relay.events(5, start, [{ kind: kinds.RUN_STARTED, runId: run, state: 2, type: 'plan' }]);
  await relay.relayed(5, start);
  const tail = l.tail('tailRunLogs', { runId: idText(run) });
  tail.call.pause();
  const tasks = [stepId(run), stepId(run)];
  const big = 'x'.repeat(2000);
  for (let i = 0; i < 40; i++)
    for (const task of tasks) stream.send(block(leaseToken(l.clusterKey, { task, run }), i * 100 + 1, Array.from({ length: 100 }, (_, k) => `${i * 100 + k + 1} ${big}`)));
  await stream.reached(80);
  tail.call.resume();
  relay.events(5, start + 1, [...tasks.map((task) => ({ kind: kinds.TASK_FINISHED, taskId: task, runId: run, attempt: 1, state: 4, lastLogSeq: 4000 })), { kind: kinds.RUN_FINISHED, runId: run, state: 3 }]);
  assert.equal((await tail.closed).code, grpc.status.OK);
  for (const task of tasks)
    assert.deepEqual(tail.lines.filter((line) => line.taskId === idText(task)).map((line) => Number(line.seq)), Array.from({ length: 4000 }, (_, i) => i + 1));
});

test('a task that was made a moment ago is waited for', async () => {
  const task = newId(6);
  const tail = l.tail('tailTaskLogs', { taskId: idText(task) });
  const query = l.call('queryTaskLogs', { taskId: idText(task) });
  await l.append().sent(block(leaseToken(l.clusterKey, { task }), 1, ['early']));
  assert.deepEqual(texts((await query).lines), ['early']);
  await until('the line', () => tail.lines.length === 1);
  tail.call.cancel();
  await tail.closed;
});

test('lines of an attempt that was given up are late, whoever knew it when', async () => {
  const task = newId(8);
  const relay = l.relay(), stream = l.append();
  const start = (await relay.ask(8)) + 1;
  await stream.sent(block(leaseToken(l.clusterKey, { task }), 1, ['in time']));
  relay.events(8, start, [{ kind: kinds.TASK_STARTED, taskId: task, attempt: 1, state: 3 }, { kind: kinds.ATTEMPT_CLOSED, taskId: task, attempt: 1, reason: 'WORKER_LOST', state: 2 }]);
  await relay.relayed(8, start + 1);
  await stream.sent(block(leaseToken(l.clusterKey, { task }), 2, ['too late']), block(leaseToken(l.clusterKey, { task, attempt: 2 }), 1, ['again']));
  assert.deepEqual((await l.taskLines(idText(task))).map((x) => [x.text, x.attempt, x.late]), [['in time', 1, false], ['too late', 1, true], ['again', 2, false]]);
  await until('all is stored', async () => (await l.metric('spool_bytes')) >= 0 && (await l.sql(`select count(*) from log_chunk where task_id = '${idText(task)}'`)) !== '0');
  await l.restart();
  const late = l.append();
  await late.sent(block(leaseToken(l.clusterKey, { task }), 3, ['later still']));
  assert.deepEqual((await l.taskLines(idText(task), { attempt: 1 })).map((x) => [x.text, x.late]), [['in time', false], ['too late', true], ['later still', true]]);
});

test('SIGTERM ends at once with all acknowledged, and nothing is missing afterwards', async () => {
  const task = newId();
  const token = leaseToken(l.clusterKey, { task });
  const stream = l.append(), relay = l.relay();
  await stream.sent(block(token, 1, ['first']));
  const tail = l.tail('tailTaskLogs', { taskId: idText(task) });
  for (let i = 2; i <= 200; i++) stream.send(block(token, i, [`line ${i}`]));
  await stream.reached(2);
  const begin = performance.now();
  const exit = await l.kill('SIGTERM');
  assert.deepEqual(exit, { code: 0, signal: null });
  assert.ok(performance.now() - begin < 3000, `${performance.now() - begin} ms`);
  for (const call of [stream, relay, tail]) assert.equal((await call.closed).code, grpc.status.UNAVAILABLE);
  l.spawn();
  await l.ready();
  const got = await l.taskLines(idText(task));
  assert.ok(got.length >= stream.acknowledged, `${got.length} of ${stream.acknowledged}`);
  assert.deepEqual(got.map((line) => Number(line.seq)), got.map((_, i) => i + 1));
  assert.doesNotMatch(l.output, /level=error/);
});
