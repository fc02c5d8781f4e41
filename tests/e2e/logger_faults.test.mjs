// SPDX-License-Identifier: Apache-2.0
// What the logger does when something is away: the database, the disk's patience, a sink, the controller, itself.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync, openSync, writeSync, closeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, test } from 'node:test';
import { Logger, block, grpc, idText, kinds, leaseToken, lines, newId, stepId, until } from './logger/fixture.mjs';

let l;
afterEach(async () => { await l?.stop(); l = undefined; });
const texts = (page) => page.map((line) => line.text);
const spoolFiles = () => readdirSync(join(l.stateDir, 'spool')).sort().map((name) => join(l.stateDir, 'spool', name));
const stored = (task) => l.sql(`select coalesce(sum(lines), 0) from log_chunk where task_id = '${idText(task)}'`).then(Number);

test('events are relayed exactly once: acknowledged after kill -9, dropped when they come again, refused with a gap', async () => {
  l = await Logger.start();
  const tasks = Array.from({ length: 300 }, () => newId(2));
  let relay = l.relay();
  assert.equal(await relay.ask(2), 0);
  const submitted = tasks.map((taskId) => ({ kind: kinds.TASK_SUBMITTED, taskId, state: 2, type: 'noop' }));
  relay.events(2, 1, submitted.slice(0, 200));
  relay.events(2, 201, submitted.slice(200));
  await relay.relayed(2, 300);
  await l.kill();
  l.spawn();
  await l.ready();
  relay = l.relay();
  assert.equal(await relay.ask(2), 300);
  assert.equal(await relay.ask(2, 8), 0, 'another timeline is another source');
  const finished = tasks.map((taskId) => ({ kind: kinds.TASK_FINISHED, taskId, state: 4, attempt: 1, actor: 'me', result: '{}' }));
  relay.events(2, 251, [...submitted.slice(250), ...finished.slice(0, 100)]);
  await relay.relayed(2, 400);
  relay.events(2, 402, finished.slice(101));
  assert.equal((await relay.closed).code, grpc.status.FAILED_PRECONDITION);
  relay = l.relay();
  assert.equal(await relay.ask(2), 400);
  relay.events(2, 401, finished.slice(100));
  await relay.relayed(2, 600);
  await l.restart();
  for (const task of [tasks[0], tasks[150], tasks[299]]) {
    const { events } = await l.call('queryTaskHistory', { taskId: idText(task) });
    assert.deepEqual(events.map((e) => [e.kind, e.state]), [['EVENT_KIND_TASK_SUBMITTED', 'ready'], ['EVENT_KIND_TASK_FINISHED', 'succeeded']]);
    const { events: first, nextPageToken } = await l.call('queryTaskHistory', { taskId: idText(task), pageSize: 1 });
    const { events: second } = await l.call('queryTaskHistory', { taskId: idText(task), pageSize: 1, pageToken: nextPageToken });
    assert.deepEqual([...first, ...second], events);
  }
  await until('all is stored', async () => (await l.sql('select coalesce(sum(events), 0) from event_chunk')) === '600');
  assert.ok(Number(await l.sql('select count(*) from event_chunk')) < 20, 'no row per event');
  await until('the file sink has them', () => l.files().filter((row) => row.event).length === 600);
  assert.deepEqual(l.files().filter((row) => row.event).map((row) => row.number), Array.from({ length: 600 }, (_, i) => i + 1));
});

test('a gap that the controller cannot fill is told and kept as a gap', async () => {
  l = await Logger.start();
  const task = newId(1);
  let relay = l.relay();
  const event = { kind: kinds.TASK_STARTED, taskId: task, attempt: 1, state: 3 };
  await relay.ask(1);
  relay.events(1, 50, [event]);
  assert.equal((await relay.closed).code, grpc.status.FAILED_PRECONDITION);
  relay = l.relay();
  assert.equal(await relay.ask(1), 0);
  relay.events(1, 50, [event]);
  await relay.relayed(1, 50);
  relay.events(1, 53, [event]);
  assert.equal((await relay.closed).code, grpc.status.FAILED_PRECONDITION);
  assert.match(l.output, /relay.events_lost.* first=1 last=49/);
});

test('malformed batches are refused and leave nothing behind', async () => {
  l = await Logger.start();
  const bad = [{ first: 1, events: Buffer.from([0x0a, 0x05, 1]) }, { first: 1, events: Buffer.from('garbage') }, { first: 0, events: Buffer.from([0x0a, 0]) },
    { first: 1, shard: 4096, events: Buffer.alloc(0) }];
  for (const one of bad) {
    const relay = l.relay();
    relay.call.write({ timeline: 7, shard: 0, ...one });
    assert.equal((await relay.closed).code, grpc.status.INVALID_ARGUMENT);
  }
  const relay = l.relay();
  relay.events(0, 5, [{ kind: 1, taskId: newId() }, { kind: 1, taskId: newId(), number: 9 }]);
  assert.equal((await relay.closed).code, grpc.status.FAILED_PRECONDITION);
  assert.equal(await l.relay().ask(0), 0);
});

test('lines and events are acknowledged while the database is away, and stored once when it is back', async () => {
  l = await Logger.start();
  const [known, fresh, resent] = [newId(), newId(), newId()];
  const token = (task) => leaseToken(l.clusterKey, { task });
  let stream = l.append();
  await stream.sent(block(token(known), 1, lines(1, 10)), block(token(resent), 1, lines(1, 20)));
  await until('stored', async () => (await stored(resent)) === 20);
  await l.postgres('kill');
  await stream.sent(block(token(known), 11, lines(11, 20)));
  // after a restart nothing is known and nobody can be asked
  await l.kill();
  l.spawn();
  await until('the logger listens', async () => (await l.ops('/livez')).status === 200);
  assert.equal((await l.ops('/readyz')).status, 503, 'and says that the database is away');
  stream = l.append();
  await stream.sent(block(token(known), 5, lines(5, 30)), block(token(fresh), 1, lines(1, 7)));
  await stream.sent(block(token(resent), 1, lines(1, 12)));
  await stream.sent(block(token(resent), 13, lines(13, 25)));
  await assert.rejects(l.call('queryTaskLogs', { taskId: idText(known) }, { deadlineMs: 3000 }), (error) => error.code === grpc.status.UNAVAILABLE);
  await l.postgres('start');
  await l.ready();
  await stream.sent(block(token(fresh), 8, lines(8, 9)), block(token(resent), 20, lines(20, 30)));
  await until('all is stored', async () => (await stored(known)) + (await stored(fresh)) + (await stored(resent)) === 30 + 9 + 30);
  assert.deepEqual(texts(await l.taskLines(idText(known))), lines(1, 30));
  assert.deepEqual(texts(await l.taskLines(idText(fresh))), lines(1, 9));
  assert.deepEqual(texts(await l.taskLines(idText(resent))), lines(1, 30));
});

test('a database that crashes under load costs no line and doubles none', async () => {
  l = await Logger.start({ fsync: true });
  const task = newId();
  const token = leaseToken(l.clusterKey, { task });
  const stream = l.append();
  let next = 1;
  for (let round = 0; round < 3; round++) {
    const crash = l.postgres('crash');
    let down = true;
    crash.then(() => { down = false; });
    while (down) {
      await stream.sent(block(token, next, lines(next, next + 49)));
      next += 50;
    }
  }
  await l.ready();
  await until('all is stored', async () => (await stored(task)) === next - 1);
  // the connection for reads may come back a moment after the one that stores
  const read = await until('lines are read', () => l.taskLines(idText(task), { pageSize: 10000 }).catch(() => null));
  assert.deepEqual(texts(read), lines(1, next - 1));
});

test('a full spool holds senders back, and lets them go when the database is back', async () => {
  l = await Logger.start({ settings: ['--spool-size=1Mi', '--file-sink='] });
  const task = newId();
  const token = leaseToken(l.clusterKey, { task });
  const stream = l.append();
  await stream.sent(block(token, 1, ['first']));
  await until('stored', async () => (await stored(task)) === 1);
  await l.postgres('kill');
  const big = 'x'.repeat(10000);
  let next = 2;
  for (; next <= 400; next++) stream.send(block(token, next, [`${next} ${big}`]));
  await until('the spool is full', async () => (await l.metric('spool_bytes')) > 1e6);
  const held = stream.acknowledged;
  assert.ok(held < 300, `${held}`);
  assert.ok((await l.metric('spool_bytes')) < 3e6, 'and no fuller');
  await l.postgres('start');
  await stream.reached(400);
  assert.deepEqual((await l.taskLines(idText(task), { pageSize: 10000 })).map((line) => Number(line.seq)), Array.from({ length: 400 }, (_, i) => i + 1));
  await until('the spool is emptied', async () => (await l.metric('spool_bytes')) < 1e6);
});

test('no acknowledgement before the disk has it', async () => {
  const source = fileURLToPath(new URL('./logger/watch_sync.c', import.meta.url));
  let notes;
  l = await Logger.start({ settings: ['--file-sink='], beforeStart: (logger) => {
    const library = join(logger.dir, 'watch_sync.so');
    execFileSync('cc', ['-shared', '-fPIC', '-o', library, source]);
    notes = join(logger.dir, 'syncs');
    writeFileSync(notes, '');
    Object.assign(logger.env, { LD_PRELOAD: library, SYNC_NOTES: notes, SYNC_DELAY_MS: '150', ASAN_OPTIONS: 'verify_asan_link_order=0' });
  } });
  const stream = l.append(), relay = l.relay();
  await relay.ask(0);
  for (let i = 1; i <= 4; i++) {
    const before = statSync(notes).size;
    const number = stream.send(block(leaseToken(l.clusterKey, { task: newId() }), 1, ['line']));
    await stream.reached(number);
    assert.ok(statSync(notes).size > before, 'lines: acknowledged before fdatasync returned');
    const again = statSync(notes).size;
    relay.events(0, i, [{ kind: kinds.TASK_STARTED, taskId: newId(), attempt: 1 }]);
    await relay.relayed(0, i);
    assert.ok(statSync(notes).size > again, 'events: acknowledged before fdatasync returned');
  }
  // group commit: what comes while the disk is busy shares the next sync
  const before = statSync(notes).size;
  const task = newId();
  for (let i = 1; i <= 200; i++) stream.send(block(leaseToken(l.clusterKey, { task }), i, [`line ${i}`]));
  await stream.reached(204);
  assert.ok(statSync(notes).size - before <= 6, `${statSync(notes).size - before} syncs for 200 requests`);
  // nothing is shown before either
  const tail = l.tail('tailTaskLogs', { taskId: idText(task) });
  await until('the backlog', () => tail.lines.length === 200);
  const last = statSync(notes).size;
  stream.send(block(leaseToken(l.clusterKey, { task }), 201, ['line 201']));
  await until('the live line', () => tail.lines.length === 201);
  assert.ok(statSync(notes).size > last);
  tail.call.cancel();
  await tail.closed;
});

test('a torn tail is cut, damage in the middle is passed over and told', async () => {
  l = await Logger.start({ settings: ['--file-sink='] });
  const tasks = [newId(), newId(), newId()];
  await l.postgres('kill');
  const stream = l.append();
  for (const task of tasks) await stream.sent(block(leaseToken(l.clusterKey, { task }), 1, lines(1, 5)));
  await l.kill();
  const file = spoolFiles().at(-1);
  const data = readFileSync(file);
  const second = data.indexOf(tasks[1]);
  const fd = openSync(file, 'r+');
  writeSync(fd, Buffer.from([data[second + 100] ^ 0xff]), 0, 1, second + 100);
  writeSync(fd, data.subarray(0, 60), 0, 60, data.length); // a record whose end was never written
  closeSync(fd);
  l.spawn();
  await until('the logger listens', async () => (await l.ops('/livez')).status === 200);
  await l.postgres('start');
  await l.ready();
  assert.match(l.output, /spool.damaged/);
  assert.match(l.output, /spool.tail_cut.*bytes=60/);
  assert.equal(statSync(file).size, data.length);
  for (const task of [tasks[0], tasks[2]]) assert.deepEqual(texts(await l.taskLines(idText(task))), lines(1, 5));
  await l.append().sent(block(leaseToken(l.clusterKey, { task: tasks[2] }), 6, lines(6, 6)));
  assert.deepEqual(texts(await l.taskLines(idText(tasks[2]))), lines(1, 6));
});

test('a sink that fails holds nobody up, says so, and goes on where it stopped', async () => {
  l = await Logger.start();
  const dir = join(l.stateDir, 'files');
  const task = newId();
  const token = leaseToken(l.clusterKey, { task });
  const stream = l.append();
  await stream.sent(block(token, 1, lines(1, 3)));
  await until('written', () => l.files().length === 3);
  const before = l.files();
  await l.kill();
  rmSync(dir, { recursive: true });
  writeFileSync(dir, 'in the way');
  l.spawn();
  await l.ready();
  const again = l.append();
  await again.sent(block(token, 4, lines(4, 6)));
  const sinks = async () => Object.fromEntries((await l.call('listSinks', {})).sinks.map((s) => [s.name, s]));
  await until('the sink says so', async () => (await sinks()).file.error !== '');
  await until('the others go on', async () => (await stored(task)) === 6);
  assert.equal((await sinks()).postgres.error, '');
  assert.deepEqual(texts(await l.taskLines(idText(task))), lines(1, 6));
  assert.equal((await l.ops('/readyz')).status, 200);
  rmSync(dir);
  await until('the sink goes on', () => existsSync(dir) && l.files().length === 3);
  assert.deepEqual([...before, ...l.files()].map((row) => row.text), lines(1, 6));
  assert.equal((await sinks()).file.error, '');
});

test('files of the sink are rotated and old ones removed', async () => {
  l = await Logger.start({ settings: ['--file-sink-rotate=64Ki', '--file-sink-keep=3'] });
  const task = newId();
  const stream = l.append();
  for (let i = 0; i < 60; i++) await stream.sent(block(leaseToken(l.clusterKey, { task }), i * 10 + 1, Array.from({ length: 10 }, (_, k) => `${i * 10 + k + 1} ${'y'.repeat(500)}`)));
  await until('all is written', () => { const rows = l.files(); return rows.at(-1)?.seq === 600; });
  const names = readdirSync(join(l.stateDir, 'files')).sort();
  assert.ok(names.length <= 4 && names.length >= 3, names.join());
  const seqs = l.files().map((row) => row.seq);
  assert.deepEqual(seqs, Array.from({ length: seqs.length }, (_, i) => 600 - seqs.length + i + 1), 'what is left has no hole');
});

test('the database at its first start away is waited for; an emptied state directory loses nothing stored', async () => {
  l = await Logger.start();
  const task = newId(), token = leaseToken(l.clusterKey, { task });
  const relay = l.relay();
  await relay.ask(0);
  relay.events(0, 1, [{ kind: kinds.TASK_STARTED, taskId: task, attempt: 1 }]);
  await relay.relayed(0, 1);
  await l.append().sent(block(token, 1, lines(1, 4)));
  await until('stored', async () => (await stored(task)) === 4 && (await l.sql('select count(*) from event_chunk')) === '1');
  await l.kill();
  rmSync(l.stateDir, { recursive: true });
  mkdirSync(l.stateDir, { mode: 0o700 });
  await l.postgres('stop').catch(() => l.postgres('kill'));
  l.spawn();
  await until('it lives without', async () => (await l.ops('/livez')).status === 200 && (await l.ops('/readyz')).status === 503);
  await l.postgres('start');
  await l.ready();
  assert.equal(await l.relay().ask(0), 1);
  await l.append().sent(block(token, 1, lines(1, 6)));
  assert.deepEqual(texts(await l.taskLines(idText(task))), lines(1, 6));
  const other = new Promise((done) => {
    const child = Object.assign(Object.create(Object.getPrototypeOf(l)), l);
    child.opsPort = 0; child.port = 0; child.output = '';
    child.spawn();
    child.exited.then((exit) => done({ exit, output: child.output }));
  });
  const { exit, output } = await other;
  assert.notEqual(exit.code, 0);
  assert.match(output, /another logger uses/);
});

test('after the retention time partitions go, younger ones stay', async () => {
  l = await Logger.start({ settings: ['--retention=7d'] });
  const [old, young] = [newId(0, Date.now() - 9 * 86400e3), newId()];
  const stream = l.append();
  await stream.sent(block(leaseToken(l.clusterKey, { task: old }), 1, ['old']), block(leaseToken(l.clusterKey, { task: young }), 1, ['young']));
  await until('stored', async () => (await stored(old)) === 1 && (await stored(young)) === 1);
  await l.restart();
  await until('dropped', async () => (await stored(old)) === 0);
  assert.deepEqual(texts(await l.taskLines(idText(young))), ['young']);
  await assert.rejects(l.call('queryTaskLogs', { taskId: idText(old) }), (error) => error.code === grpc.status.NOT_FOUND);
  await l.append().sent(block(leaseToken(l.clusterKey, { task: old }), 2, ['old again']));
  await until('stored anew', async () => (await stored(old)) === 1);
});

test('pages and tails of what only the spool has miss nothing, however the records lie', async () => {
  l = await Logger.start({ settings: ['--file-sink='] });
  const [run, other] = [newId(1), newId(2)];
  const tasks = [stepId(run), stepId(run)];
  const stream = l.append();
  await stream.sent(block(leaseToken(l.clusterKey, { task: other }), 1, ['first']));
  await until('stored', async () => (await stored(other)) === 1);
  // readers pass, the store waits
  const lock = spawn('psql', ['-X', '-q', '-d', l.database], { stdio: ['pipe', 'ignore', 'inherit'] });
  lock.stdin.write('begin; lock table log_chunk in share mode;\n');
  await until('the table is locked', async () => (await l.sql("select count(*) from pg_locks where mode = 'ShareLock' and relation = 'log_chunk'::regclass")) === '1');
  const base = Date.now() * 1000;
  for (let i = 0; i < 10; i++)
    for (const [k, task] of tasks.entries())
      await stream.sent(block(leaseToken(l.clusterKey, { task, run }), i * 20 + 1, lines(i * 20 + 1, i * 20 + 20, k ? 'b' : 'a'), { baseUs: base + i * 200 + k * 5 }));
  const page = async (method, request) => {
    const all = [];
    for (let token = '', more = true; more; more = token !== '') {
      const answer = await l.call(method, { ...request, pageToken: token });
      if (request.last) all.unshift(...answer.lines); else all.push(...answer.lines);
      token = answer.nextPageToken;
    }
    return texts(all);
  };
  const merged = lines(1, 200).flatMap((_, i) => [`a ${i + 1}`, `b ${i + 1}`]);
  for (const pageSize of [1, 7, 19, 20, 21, 40, 1000]) {
    assert.deepEqual(await page('queryTaskLogs', { taskId: idText(tasks[0]), pageSize }), lines(1, 200, 'a'), `${pageSize}`);
    assert.deepEqual(await page('queryTaskLogs', { taskId: idText(tasks[0]), pageSize, last: true }), lines(1, 200, 'a'), `last ${pageSize}`);
    assert.deepEqual(await page('queryRunLogs', { runId: idText(run), pageSize }), merged, `run ${pageSize}`);
    assert.deepEqual(await page('queryRunLogs', { runId: idText(run), pageSize, last: true }), merged, `run, last ${pageSize}`);
    if (pageSize === 19) { lock.stdin.end('commit;\n'); await until('stored', async () => (await stored(tasks[0])) === 200); }
  }
});

test('a tail of a flood misses nothing and repeats nothing', async () => {
  l = await Logger.start({ settings: ['--file-sink='] });
  const [task, noise] = [newId(), newId()];
  const stream = l.append();
  const total = 60000, per = 500;
  await stream.sent(block(leaseToken(l.clusterKey, { task }), 1, ['first']));
  const tail = l.tail('tailTaskLogs', { taskId: idText(task) });
  for (let i = 0; i < total / per; i++) {
    stream.send(block(leaseToken(l.clusterKey, { task }), i * per + 2, lines(i * per + 2, i * per + 1 + per)));
    const number = stream.send(block(leaseToken(l.clusterKey, { task: noise }), i * per + 1, lines(i * per + 1, i * per + per)));
    if (i % 12 === 11) await stream.reached(number);
  }
  await until('all lines', () => tail.lines.length >= total + 1);
  assert.deepEqual(tail.lines.map((line) => Number(line.seq)), Array.from({ length: total + 1 }, (_, i) => i + 1));
  tail.call.cancel();
  await tail.closed;
});
