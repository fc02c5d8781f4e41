// SPDX-License-Identifier: Apache-2.0
// Search in the lines of a task or a run: what is found is what a plain filter over all lines finds, wherever the lines are.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Logger, block, grpc, idText, leaseToken, lines, newId, stepId, until } from './logger/fixture.mjs';

let l;
before(async () => { l = await Logger.start({ settings: ['--unknown-wait=100ms'] }); });
after(async () => { await l?.stop(); });

const level = { none: 0, debug: 1, info: 2, warn: 3, error: 4 };
const fails = (code, reason) => (error) => error.code === grpc.status[code] && error.metadata.get('grpc-status-details-bin').toString('latin1').includes(reason);

/** All hits, page by page. */
async function search(method, request) {
  const hits = [];
  let page = { nextPageToken: '' };
  do {
    page = await l.call(method, { ...request, pageToken: page.nextPageToken });
    hits.push(...page.hits);
  } while (page.nextPageToken);
  return hits;
}
const seqs = (hits) => hits.map((hit) => Number(hit.line.seq));
const stored = async (id, n) => until(`${n} lines are stored`, async () => await l.sql(`select coalesce(sum(lines), 0) from log_chunk where task_id = '${id}'`) === String(n));

test('a text is found in what is stored and in what is only in the spool, each line once', async () => {
  const task = newId(), id = idText(task), token = leaseToken(l.clusterKey, { task });
  const stream = l.append();
  const all = [];
  for (let first = 1; first <= 4000; first += 200) {
    const texts = lines(first, first + 199).map((text, i) => ((first + i) % 7 ? `${text} of ordinary length, nothing to see` : `${text} Needle here`));
    await stream.sent(block(token, first, texts));
    all.push(...texts);
    const expected = all.flatMap((text, i) => (text.includes('Needle') ? [i + 1] : []));
    assert.deepEqual(seqs(await search('searchTaskLogs', { taskId: id, text: 'Needle', pageSize: 1000 })), expected, 'as soon as it is acknowledged');
  }
  await stored(id, 4000);
  const expected = all.flatMap((text, i) => (text.includes('Needle') ? [i + 1] : []));
  assert.deepEqual(seqs(await search('searchTaskLogs', { taskId: id, text: 'Needle', pageSize: 9 })), expected, 'in small pages');
  assert.deepEqual(seqs(await search('searchTaskLogs', { taskId: id, text: 'needle' })), []);
  assert.deepEqual(seqs(await search('searchTaskLogs', { taskId: id, text: 'nEEDLE', ignoreCase: true })), expected);
  assert.deepEqual(seqs(await search('searchTaskLogs', { taskId: id, text: 'hereline' })), [], 'two lines are not one');
  assert.equal((await search('searchTaskLogs', { taskId: id, pageSize: 1000 })).length, 4000, 'no text: every line');
});

test('level, stream, time and attempt narrow it down; chunks that cannot fit are not read', async () => {
  const task = newId(), id = idText(task);
  const base = Date.now() * 1000 - 10e6;
  const stream = l.append();
  for (const attempt of [1, 2]) {
    const token = leaseToken(l.clusterKey, { task, attempt });
    await stream.sent({ ...block(token, 1, ['x debug', 'x info', 'x warn', 'x error', 'x none'], { baseUs: base + attempt * 1e6, dtUs: 1000 }),
      streamLevel: Buffer.from([level.debug << 4, level.info << 4 | 1, level.warn << 4, level.error << 4 | 1, 2]) });
  }
  await stored(id, 10);
  const texts = async (request) => (await search('searchTaskLogs', { taskId: id, text: 'x', ...request })).map((hit) => `${hit.line.attempt} ${hit.line.text.slice(2)}`);
  assert.deepEqual(await texts({ level: 'warn' }), ['1 warn', '1 error', '2 warn', '2 error']);
  assert.deepEqual(await texts({ level: 'debug', attempt: 2 }), ['2 debug', '2 info', '2 warn', '2 error']);
  assert.deepEqual(await texts({ stream: 'stderr' }), ['1 info', '1 error', '2 info', '2 error']);
  assert.deepEqual(await texts({ stream: 'system', level: 'info' }), []);
  const time = (us) => ({ seconds: Math.floor(us / 1e6), nanos: (us % 1e6) * 1000 });
  assert.deepEqual(await texts({ since: time(base + 1e6 + 3000), until: time(base + 2e6 + 1000) }), ['1 error', '1 none', '2 debug']);
  const quiet = newId();
  await l.append().sent(block(leaseToken(l.clusterKey, { task: quiet }), 1, lines(1, 10), { stream: level.info << 4 }));
  await stored(idText(quiet), 10);
  assert.equal(await l.sql(`select kinds from log_chunk where task_id = '${idText(quiet)}'`), String(1 << level.info | 1 << 8));
  assert.equal((await l.call('searchTaskLogs', { taskId: idText(quiet), level: 'error' })).chunksRead, 0);
  assert.equal((await l.call('searchTaskLogs', { taskId: idText(quiet), level: 'info' })).chunksRead, 1);
});

test('a run is searched in the order of time, a step alone too, with the lines around a hit', async () => {
  const run = newId();
  const [a, b] = [stepId(run), stepId(run)];
  const base = Date.now() * 1000 - 5e6;
  const stream = l.append();
  for (let i = 0; i < 3000; i += 100) {
    const mark = (name) => lines(i + 1, i + 100, name).map((text, n) => ((i + n + 1) % 50 === 0 ? `${text} hit` : text));
    await stream.sent(block(leaseToken(l.clusterKey, { task: a, run }), i + 1, mark('a'), { baseUs: base + i * 100, dtUs: 100, step: 'one' }),
      block(leaseToken(l.clusterKey, { task: b, run }), i + 1, mark('b'), { baseUs: base + 50 + i * 100, dtUs: 100, step: 'two' }));
  }
  const expected = lines(1, 60).flatMap((_, i) => [`a ${(i + 1) * 50} hit`, `b ${(i + 1) * 50} hit`]);
  const runId = idText(run);
  const texts = (hits) => hits.map((hit) => hit.line.text);
  assert.deepEqual(texts(await search('searchRunLogs', { runId, text: 'hit', pageSize: 7 })), expected);
  await stored(idText(a), 3000);
  await stored(idText(b), 3000);
  assert.deepEqual(texts(await search('searchRunLogs', { runId, text: 'hit', pageSize: 7 })), expected);
  assert.deepEqual(texts(await search('searchRunLogs', { runId, text: 'hit', step: 'two' })), expected.filter((text) => text.startsWith('b')));
  const hits = await search('searchRunLogs', { runId, text: 'hit', step: 'one', context: 2, pageSize: 50 });
  assert.equal(hits.length, 60);
  for (const hit of hits) {
    const seq = Number(hit.line.seq);
    assert.deepEqual(hit.before.map((line) => Number(line.seq)), [seq - 2, seq - 1]);
    assert.deepEqual(hit.after.map((line) => Number(line.seq)), [seq + 1, seq + 2].filter((n) => n <= 3000));
    assert.ok([...hit.before, ...hit.after].every((line) => line.taskId === idText(a)));
  }
});

test('what is asked wrongly is refused; foreign and unknown logs are not found', async () => {
  const task = newId(), taskId = idText(task);
  await l.append().sent(block(leaseToken(l.clusterKey, { task }), 1, lines(1, 5)));
  for (const [field, value] of [['level', 'loud'], ['stream', 'out'], ['context', 21], ['pageSize', 1001], ['attempt', -1], ['text', 'x'.repeat(1025)], ['since', { seconds: -1 }]])
    await assert.rejects(l.call('searchTaskLogs', { taskId, [field]: value }), fails('INVALID_ARGUMENT', field), field);
  await assert.rejects(l.call('searchTaskLogs', { taskId, context: 1, pageSize: 101 }), fails('INVALID_ARGUMENT', 'pageSize'));
  const page = await l.call('searchTaskLogs', { taskId, text: 'line', pageSize: 2 });
  assert.deepEqual(seqs(page.hits), [1, 2]);
  await assert.rejects(l.call('searchTaskLogs', { taskId, text: 'Line', pageToken: page.nextPageToken }), fails('INVALID_ARGUMENT', 'PAGE_TOKEN_INVALID'));
  await assert.rejects(l.call('searchTaskLogs', { taskId: idText(newId(0, Date.now() - 1e6)) }), fails('NOT_FOUND', 'NOT_FOUND'));
  const foreign = l.keys.make('ROLE_ADMIN', 2);
  await assert.rejects(l.call('searchTaskLogs', { taskId }, { key: foreign }), fails('NOT_FOUND', 'NOT_FOUND'));
  await assert.rejects(l.call('searchTaskLogs', { taskId }, { key: l.workerKey }), (error) => error.code === grpc.status.PERMISSION_DENIED);
});
