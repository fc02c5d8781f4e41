// SPDX-License-Identifier: Apache-2.0
// The doctor: what keeps work from going on is named with how to mend it, and a task that is stuck by a planted bug is seen.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Cluster, quick, until } from './system/cluster.mjs';

const stuck = async (c) => Number(/^plankton_controller_stuck (\d+)$/m.exec((await c.request('GET', '/metrics', { port: c.ports.controllerOps })).text)[1]);
const findings = async (c, kind) => (await c.get('/doctor?noWorkerFor=0s')).json.findings?.filter((f) => f.kind === `FINDING_KIND_${kind}`) ?? [];

test('nothing is found in a sound system; a queue without a worker, a logger that is away and a journal that grows are', async () => {
  const c = await Cluster.start();
  try {
    await c.finished('tasks', (await c.submit({ type: 'noop' })).id);
    assert.deepEqual((await c.get('/doctor')).json.findings ?? [], []);
    const task = await c.submit({ type: 'no-worker-has-this', queue: 'lonely' });
    const [finding] = await until('it is found', async () => { const list = await findings(c, 'NO_WORKER'); return list.length && list; });
    assert.equal(finding.subject, 'lonely/no-worker-has-this');
    assert.equal(finding.message, 'no worker offers type no-worker-has-this');
    assert.equal(finding.count, '1');
    assert.ok(finding.mend && finding.since);
    await c.post('/queues/lonely:pause', { reason: 'it may wait' });
    assert.deepEqual(await findings(c, 'NO_WORKER'), []);
    await c.post(`/tasks/${task.id}:cancel`, {});
    await c.kill('logger');
    await c.finished('tasks', (await c.submit({ type: 'noop' })).id);
    await c.sql("update journal set written_at = written_at - interval '1 hour'");
    const [lag] = await findings(c, 'LOGGER_LAGS');
    assert.ok(Number(lag.count) >= 3, lag.count);
    const [journal] = await findings(c, 'JOURNAL_GROWS');
    assert.equal(journal.subject, lag.subject);
    c.spawn('logger');
    await until('the events are stored and the rows have gone', async () => {
      await c.submit({ type: 'noop' });
      return (await findings(c, 'LOGGER_LAGS')).length + (await findings(c, 'JOURNAL_GROWS')).length === 0;
    });
    assert.equal(await stuck(c), 0);
  } finally {
    await c.stop();
  }
});

test('a task that a planted bug has forgotten is counted and named, and a cancel ends it', async () => {
  const c = await Cluster.start({ settings: { ...quick, programs: { controller: 'plankton-controller-planted' }, env: { controller: { PLANKTON_PLANT: 'ready_forgotten' } } } });
  try {
    const { id } = await c.submit({ type: 'noop' });
    await until('the sweep has counted it', async () => (await stuck(c)) === 1);
    const [finding] = await findings(c, 'TASK_STUCK');
    assert.equal(finding.subject, id);
    assert.match(finding.message, /it is ready, and has neither an owner nor a deadline nor a reason to wait/);
    assert.equal((await c.post(`/tasks/${id}:cancel`, {})).status, 200);
    assert.deepEqual(await findings(c, 'TASK_STUCK'), []);
    await until('the sweep counts none', async () => (await stuck(c)) === 0);
  } finally {
    await c.stop();
  }
});
