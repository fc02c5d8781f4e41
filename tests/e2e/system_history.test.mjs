// SPDX-License-Identifier: Apache-2.0
// A loaded system under a loop of kills: what clients, readers and the tasks themselves saw must be what the promises allow.
// PLANKTON_FAULT_SECONDS (20) says how long, PLANKTON_SEED which choices (printed).
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Cluster, quick } from './system/cluster.mjs';
import { check, emptyHistory } from './system/history.mjs';
import { Load } from './system/load.mjs';

const seconds = Number(process.env.PLANKTON_FAULT_SECONDS ?? 20);
const seed = Number(process.env.PLANKTON_SEED ?? Date.now() % 1000000);
const faults = ['kill controller', 'kill controller', 'kill worker-1', 'kill worker-2', 'kill logger', 'kill gateway', 'crash postgres', 'stop controller', 'stop worker-1', 'stop logger'];

test(`${seconds} s of kills of each kind of process, seed ${seed}`, { timeout: (seconds + 180) * 1000 }, async (t) => {
  const cluster = await Cluster.start({ fsync: true, workers: 2, settings: { ...quick, worker: ['--process-slots=8'] } });
  try {
    const load = new Load(cluster, seed);
    await load.run(seconds * 1000, faults);
    await load.settle(30000);
    const { history } = load;
    t.diagnostic(`${history.tasks.size} tasks, ${history.runs.size} runs, ${[...history.observed.values()].flat().length} reads, ${history.cancelled.length} cancelled, ` +
      `${history.logs.length} logs, faults: ${load.kills.join(', ')}`);
    assert.ok(history.tasks.size > 20 && history.runs.size > 2 && load.kills.length >= 3 && history.logs.length > 5, 'enough has happened');
    assert.deepEqual(check(history), []);
    const [rows, keys] = (await cluster.sql("select (select count(*) from task where run_id is null), (select count(*) from idempotency)")).split('|').map(Number);
    assert.ok(rows <= keys, `${rows} lone tasks of ${keys} keys`);
  } finally {
    await cluster.stop();
  }
});

describe('a history that breaks a promise is seen', () => {
  const task = (state, attempt, nonce) => ({ state: `TASK_STATE_${state}`, attempt, result: state === 'SUCCEEDED' ? { attempt, nonce } : undefined });
  const good = () => {
    const h = emptyHistory();
    h.submits.set('k1', { ids: new Set(['a']), kind: 'task' }).set('k2', { ids: new Set(['r']), kind: 'run' });
    h.executed = [['B', 'a', '1', 'n1', '-'], ['E', 'a', '1', 'n1', '-'], ['B', 'b', '1', 'n2', 'r', 'one'], ['E', 'b', '1', 'n2', 'r', 'one'],
      ['B', 'c', '1', 'n3', 'r', 'two', 'one'], ['E', 'c', '1', 'n3', 'r', 'two', 'one']];
    h.tasks.set('a', task('SUCCEEDED', 1, 'n1')).set('b', task('SUCCEEDED', 1, 'n2')).set('c', task('SUCCEEDED', 1, 'n3'));
    h.runs.set('r', { state: 'RUN_STATE_SUCCEEDED' });
    h.observed.set('reader', [{ id: 'a', state: 'TASK_STATE_RUNNING', attempt: 1 }, { id: 'a', ...task('SUCCEEDED', 1, 'n1') }]);
    h.runTasks.push({ run: 'r', state: 'RUN_STATE_SUCCEEDED', tasks: ['TASK_STATE_SUCCEEDED'] });
    h.logs.push({ task: 'a', attempt: 1, nonce: 'n1', lines: ['n1 1', 'n1 2', 'n1 3', 'n1 4', 'n1 5'], complete: true });
    h.conflicts.push({ key: 'k1', status: 409 });
    return h;
  };
  const bad = [
    ['a lost submit', (h) => h.tasks.delete('a'), /task a was acknowledged and is not there/],
    ['a task that never ends', (h) => h.tasks.set('a', task('RUNNING', 1)), /task a is TASK_STATE_RUNNING in the end/],
    ['two tasks of a key', (h) => h.submits.get('k1').ids.add('b'), /key k1 was acknowledged as a and b/],
    ['a conflict that is taken', (h) => { h.conflicts[0].status = 200; }, /another body was answered with 200/],
    ['an attempt begun twice', (h) => h.executed.push(['B', 'a', '1', 'n9', '-']), /attempt a\/1 was begun twice/],
    ['a result of no execution', (h) => h.executed.splice(1, 1), /did not make/],
    ['a result of another execution', (h) => { h.executed[1][3] = 'n9'; }, /another execution/],
    ['a result of an older attempt', (h) => { h.tasks.get('a').attempt = 2; }, /result of attempt 1 for attempt 2/],
    ['a state that goes back', (h) => h.observed.get('reader').push({ id: 'a', state: 'TASK_STATE_RUNNING', attempt: 1 }), /saw a TASK_STATE_RUNNING after TASK_STATE_SUCCEEDED/],
    ['an attempt that gets smaller', (h) => { h.observed.get('reader')[0].attempt = 2; }, /saw attempt 1 of a after 2/],
    ['two results', (h) => { h.observed.get('reader')[1].result = { attempt: 1, nonce: 'n8' }; }, /saw two results of a/],
    ['a cancelled task that succeeds', (h) => h.cancelled.push('a'), /was cancelled and is TASK_STATE_SUCCEEDED/],
    ['a finished run with an unfinished task', (h) => h.runTasks[0].tasks.push('TASK_STATE_RUNNING'), /run r was RUN_STATE_SUCCEEDED with tasks/],
    ['a step before its needs', (h) => h.executed.splice(3, 1), /step two of run r began/],
    ['a line that is lost', (h) => h.logs[0].lines.splice(2, 1), /the log of a\/1 is/],
    ['a log that is not complete', (h) => { h.logs[0].complete = false; }, /not complete/],
  ];
  test('a good one is not', () => assert.deepEqual(check(good()), []));
  for (const [name, spoil, violation] of bad)
    test(name, () => {
      const history = good();
      spoil(history);
      assert.match(check(history).join('\n'), violation);
    });
});
