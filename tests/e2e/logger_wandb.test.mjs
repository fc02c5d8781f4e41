// SPDX-License-Identifier: Apache-2.0
// The sink for Weights & Biases: directories that `wandb sync` takes, and live sending to a server that is strict and fails.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, test } from 'node:test';
import { Logger, block, idText, kinds, leaseToken, newId, stepId, until } from './logger/fixture.mjs';
import { readRun, records } from './logger/wandb_file.mjs';
import { WandbServer } from './logger/wandb_server.mjs';

const SUCCEEDED = 4, FAILED = 5;
let l, server;
afterEach(async () => { await l?.stop(); await server?.close(); l = server = undefined; });

const offline = ['--wandb=offline', '--wandb-linger=300ms', '--wandb-tags=nightly,gpu', '--wandb-entity=team', '--wandb-project=proj'];
const online = (more = []) => ({
  settings: ['--wandb=online', '--wandb-linger=300ms', '--wandb-project=proj', '--wandb-interval=100ms', '--wandb-heartbeat=300ms', '--wandb-backoff=50ms', ...more],
  beforeStart: async (logger) => {
    server ??= await new WandbServer('secret-key').listen();
    writeFileSync(join(logger.dir, 'wandb.key'), 'secret-key\n', { mode: 0o600 });
    logger.settings.push(`--wandb-base-url=${server.url}`, `--wandb-api-key-file=${join(logger.dir, 'wandb.key')}`);
  },
});

const directories = (prefix = 'offline-run-') => readdirSync(join(l.stateDir, 'wandb')).filter((name) => name.startsWith(prefix)).sort();
const wandbFile = (dir) => readFileSync(join(l.stateDir, 'wandb', dir, readdirSync(join(l.stateDir, 'wandb', dir)).find((name) => name.endsWith('.wandb'))));
const finishedRun = (dir) => { try { return readRun(wandbFile(dir)); } catch { return null; } };

/** A plan run of one step that logs and gives metrics. */
async function planRun({ run = newId(), plan = 'nightly', state = SUCCEEDED, from = 1, relay = l.relay(), texts } = {}) {
  const task = stepId(run);
  const token = leaseToken(l.clusterKey, { task, run });
  relay.events(0, from, [
    { kind: kinds.RUN_STARTED, runId: run, type: plan, actor: 'me' },
    { kind: kinds.TASK_STARTED, runId: run, taskId: task, step: 'train', attempt: 1, type: 'shell' }]);
  const stream = l.append();
  await stream.sent(block(token, 1, texts ?? ['begin', '{"metric": {"loss": 0.5, "eval": {"acc": 0.25}}}', '{"metric": {"loss": 0.125}}'], { step: 'train' }),
    block(token, 4, ['a warning'], { step: 'train', stream: 1 }));
  relay.events(0, from + 2, [
    { kind: kinds.TASK_FINISHED, runId: run, taskId: task, step: 'train', attempt: 1, type: 'shell', state, result: '{"score": 7, "note": "x"}', lastLogSeq: 4 },
    { kind: kinds.RUN_FINISHED, runId: run, type: plan, state: state === SUCCEEDED ? 3 : 4, result: '{"best": 9}' }]);
  await relay.relayed(0, from + 3);
  return { run, task, relay };
}

describe('offline', () => {
  test('a plan run is a directory that wandb sync takes', async () => {
    l = await Logger.start({ settings: offline });
    const { run } = await planRun();
    const dir = await until('its file is finished', () => directories().find((name) => finishedRun(name)));
    assert.match(dir, /^offline-run-\d{8}_\d{6}-[0-9a-f]{32}$/);
    const id = run.toString('hex');
    assert.ok(dir.endsWith(id));
    const list = readRun(wandbFile(dir));
    const [, about] = list;
    assert.deepEqual({ ...about, start: 0 }, { kind: 'run', id, entity: 'team', project: 'proj', config: { plan: 'nightly', run_id: idText(run) }, group: 'nightly', jobType: 'run',
      name: `nightly ${idText(run).slice(-8)}`, tags: ['nightly', 'gpu'], start: 0 });
    assert.ok(Math.abs(about.start - Date.now() / 1000) < 60);
    const rows = list.filter((record) => record.kind === 'history').map((record) => record.row);
    const metrics = rows.filter((row) => 'train/loss' in row);
    assert.deepEqual(metrics.map((row) => row['train/loss']), [0.5, 0.125]);
    assert.equal(metrics[0]['train/eval/acc'], 0.25);
    const task = rows.find((row) => row['task/state']);
    assert.equal(task['task/state'], 'succeeded');
    assert.equal(task['train/score'], 7);
    assert.ok(!('train/note' in task), 'numbers alone');
    assert.deepEqual(list.filter((record) => record.kind === 'output').map(({ stream, line }) => [stream, line]).sort(),
      [['stderr', '[train] a warning\n'], ['stdout', '[train] begin\n']]);
    const { values } = list.find((record) => record.kind === 'summary');
    assert.equal(values['train/loss'], 0.125, 'the summary has the last value of each key');
    assert.equal(values['output/best'], 9);
    assert.equal(typeof values._wandb.runtime, 'number');
    assert.equal(list.find((record) => record.kind === 'exit').exitCode, 0);
  });

  test('a failed run has its exit code, lone tasks share a day, and long lines cross blocks', async () => {
    l = await Logger.start({ settings: offline });
    const long = ['x'.repeat(32761), 'y'.repeat(60000), ...Array.from({ length: 300 }, (_, i) => `${i} ${'z'.repeat(100 + i)}`)];
    const { relay } = await planRun({ state: FAILED, texts: [...long.slice(0, 3)] });
    const task = newId(), token = leaseToken(l.clusterKey, { task });
    await l.append().sent(block(token, 1, long.slice(2)));
    relay.events(0, 5, [{ kind: kinds.TASK_FINISHED, taskId: task, attempt: 1, type: 'shell', state: SUCCEEDED, result: '3', lastLogSeq: 300 }]);
    await relay.relayed(0, 5);
    await until('both are there', () => directories().length === 2 && directories().some((name) => finishedRun(name)));
    const failed = readRun(wandbFile(directories().find((name) => finishedRun(name))));
    assert.equal(failed.find((record) => record.kind === 'exit').exitCode, 1);
    assert.deepEqual(failed.filter((record) => record.kind === 'output' && record.stream === 'stdout').map((record) => record.line.length), [32761 + 9, 60000 + 9, long[2].length + 9]);
    const day = directories().find((name) => !finishedRun(name));
    assert.match(day, /-tasks-\d{8}$/);
    const open = await until('all its lines are there', () => {
      const list = readRun(wandbFile(day), { finished: false });
      return list.filter((record) => record.kind === 'output').length === 300 && list.some((record) => record.row?.result === 3) && list;
    });
    assert.deepEqual(open.filter((record) => record.kind === 'output').map((record) => record.line), long.slice(2).map((line) => `${line}\n`));
  });

  test('kill -9 in mid-run: no record twice, none lost', async () => {
    l = await Logger.start({ settings: offline });
    const run = newId(), task = stepId(run), token = leaseToken(l.clusterKey, { task, run });
    const relay = l.relay();
    relay.events(0, 1, [{ kind: kinds.RUN_STARTED, runId: run, type: 'nightly' }]);
    await relay.relayed(0, 1);
    for (let i = 0; i < 4; i++) {
      await l.append().sent(block(token, i * 50 + 1, Array.from({ length: 50 }, (_, k) => (k % 10 ? `line ${i * 50 + k}` : `{"metric": {"n": ${i * 50 + k}}}`)), { step: 's' }));
      if (i % 2) await until('some of it is in the file', () => directories().length === 1 && readRun(wandbFile(directories()[0]), { finished: false }).length > 3);
      await l.restart();
    }
    const last = l.relay();
    last.events(0, 2, [{ kind: kinds.RUN_FINISHED, runId: run, type: 'nightly', state: 3 }]);
    await last.relayed(0, 2);
    const list = await until('it is finished', () => directories().length === 1 && finishedRun(directories()[0]));
    const numbers = list.filter((record) => record.kind === 'output').map((record) => Number(/line (\d+)/.exec(record.line)[1]));
    assert.deepEqual(numbers, Array.from({ length: 200 }, (_, i) => i).filter((i) => i % 10));
    assert.deepEqual(list.filter((record) => record.row && 's/n' in record.row).map((record) => record.row['s/n']), Array.from({ length: 20 }, (_, i) => i * 10));
  });

  test('per task, per day of a plan, and too many runs at once', async () => {
    l = await Logger.start({ settings: [...offline, '--wandb-runs-per-minute=2'] });
    let relay = l.relay();
    const now = Date.now() * 1000; // one minute of the records' time
    const runs = Array.from({ length: 5 }, () => newId());
    relay.events(0, 1, runs.map((run) => ({ kind: kinds.RUN_STARTED, runId: run, type: 'many', unixUs: now })));
    await relay.relayed(0, 5);
    await until('two of their own and one for the rest', () => directories().length === 3 && directories().filter((name) => /-many-\d{8}$/.test(name)).length === 1);
    await l.kill('SIGTERM');
    for (const [per, pattern] of [['task', /-[0-9a-f]{32}$/], ['plan-day', /-other-\d{8}$/]]) {
      const before = directories();
      l.settings = [...offline, `--wandb-per=${per}`];
      l.spawn();
      await l.ready();
      relay = l.relay();
      const from = await relay.ask(0) + 1;
      await planRun({ plan: 'other', relay, from });
      await until(`a directory per ${per}`, () => directories().some((name) => !before.includes(name) && pattern.test(name)));
      await l.kill('SIGTERM');
    }
  });

  test('what is not the format is refused by the reader that these tests use', async () => {
    l = await Logger.start({ settings: offline });
    await planRun();
    const dir = await until('a finished file', () => directories().find((name) => finishedRun(name)));
    const good = wandbFile(dir);
    const spoiled = (change) => { const copy = Buffer.from(good); return change(copy) ?? copy; };
    assert.throws(() => readRun(spoiled((file) => { file[200] ^= 1; })), /checksum|chunk/);
    assert.throws(() => readRun(spoiled((file) => { file[4] = 0; })), /no header/);
    assert.throws(() => readRun(spoiled((file) => file.subarray(0, file.length - 20))), /cut|long|ends with/);
    assert.throws(() => readRun(spoiled((file) => { file.writeUInt32LE(0, 7); })), /checksum/);
    assert.ok([...records(good)].length > 5);
  });
});

describe('online', () => {
  const complete = async (run) => until('the server has all of it', () => server.runs.get(run.toString('hex'))?.exitCode !== null && server.runs.get(run.toString('hex')));

  test('a run is sent while it goes on, and ended', async () => {
    l = await Logger.start(online());
    const run = newId(), task = stepId(run), token = leaseToken(l.clusterKey, { task, run }), relay = l.relay();
    relay.events(0, 1, [{ kind: kinds.RUN_STARTED, runId: run, type: 'nightly' }]);
    await l.append().sent(block(token, 1, ['early'], { step: 's' }));
    const live = await until('its first line is at the server while it runs', () => server.runs.get(run.toString('hex'))?.output.length && server.runs.get(run.toString('hex')));
    assert.match(live.output[0], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6} \[s\] early$/);
    assert.equal(live.exitCode, null);
    await until('it says that it lives', () => live.beats >= 2);
    relay.events(0, 2, [{ kind: kinds.TASK_FINISHED, runId: run, taskId: task, step: 's', attempt: 1, type: 'shell', state: FAILED, failureCode: 'EXIT' },
      { kind: kinds.RUN_FINISHED, runId: run, type: 'nightly', state: 4 }]);
    const done = await complete(run);
    assert.equal(done.exitCode, 1);
    assert.equal(done.summary['task/failure'], 'EXIT');
    assert.equal(JSON.parse(done.history[0])['task/state'], 'failed');
    assert.deepEqual(server.violations, []);
    const [dir] = directories('run-');
    await until('it is marked as sent', () => existsSync(join(l.stateDir, 'wandb', dir, `run-${run.toString('hex')}.wandb.synced`)));
    assert.equal((await l.call('listSinks', {})).sinks.find((sink) => sink.name === 'wandb').error, '');
  });

  const faults = {
    'rate limits with Retry-After': [{ status: 429, headers: { 'retry-after': '0.05' } }, { status: 429, headers: { 'retry-after': '0' } }],
    'errors of the server': [{ status: 503 }, { status: 500 }, { status: 502 }],
    'a dropped connection': ['drop', 'drop'],
    'an answer that is lost after it was taken': ['lost', 'lost', 'lost', 'lost'],
    'a malformed answer': [{ status: 200, body: '<html>' }],
  };
  for (const [name, list] of Object.entries(faults))
    test(`${name}: complete, without gap or duplicate`, async () => {
      server = await new WandbServer('secret-key').listen();
      server.faults.push(...list);
      l = await Logger.start(online());
      const { run } = await planRun();
      const done = await complete(run);
      assert.deepEqual(server.violations, []);
      assert.equal(server.faults.length, 0, 'the faults have happened');
      assert.deepEqual(done.output.map((line) => line.replace(/^.*\[train\] /, '')).sort(), ['a warning', 'begin']);
      assert.deepEqual(done.history.map((line) => JSON.parse(line)._step), done.history.map((_, i) => i));
      assert.equal(done.exitCode, 0);
    });

  test('kill -9 of the logger and a server that is away: goes on where it was', async () => {
    l = await Logger.start(online());
    const run = newId(), task = stepId(run), token = leaseToken(l.clusterKey, { task, run }), relay = l.relay();
    relay.events(0, 1, [{ kind: kinds.RUN_STARTED, runId: run, type: 'nightly' }]);
    await l.append().sent(block(token, 1, ['one', 'two'], { step: 's' }));
    const at = await until('two lines are there', () => server.runs.get(run.toString('hex'))?.output.length === 2 && server.runs.get(run.toString('hex')));
    await l.kill();
    await server.close();
    l.spawn();
    await l.ready();
    await l.append().sent(block(token, 3, ['three'], { step: 's' }));
    await l.restart();
    await server.listen(server.port);
    const again = l.relay();
    again.events(0, 2, [{ kind: kinds.RUN_FINISHED, runId: run, type: 'nightly', state: 3 }]);
    await complete(run);
    assert.deepEqual(at.output.map((line) => line.split('] ')[1]), ['one', 'two', 'three']);
    assert.deepEqual(server.violations, []);
  });

  test('a wrong key stops it, without a storm, and nobody else', async () => {
    server = await new WandbServer('another').listen();
    l = await Logger.start(online());
    const { run, task } = await planRun();
    const sink = await until('it says so', async () => (await l.call('listSinks', {})).sinks.find(({ name, error }) => name === 'wandb' && error));
    assert.match(sink.error, /refuses the key/);
    const asked = server.requests.length;
    await planRun({ from: 5 });
    await until('the other sink goes on', () => l.files().filter((row) => row.task === idText(task)).length > 0);
    assert.ok(asked <= 2, `${asked} requests`);
    assert.ok(server.requests.length <= 2, `${server.requests.length} requests`);
    assert.equal((await l.ops('/readyz')).status, 200);
    assert.ok(existsSync(join(l.stateDir, 'wandb', directories('run-').find((name) => name.endsWith(run.toString('hex'))))), 'the directory stays for wandb sync');
  });

  test('what is refused for good stays on the disk', async () => {
    l = await Logger.start(online());
    const first = newId();
    server.faults.push({ status: 404 });
    await planRun({ run: first });
    await until('the log says how to send it', () => /wandb sync/.test(l.output));
    const { run } = await planRun({ from: 5 });
    await complete(run);
    assert.ok(!server.runs.has(first.toString('hex')));
    assert.ok(directories('run-').some((name) => name.endsWith(first.toString('hex'))));
  });
});
