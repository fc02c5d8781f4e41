// SPDX-License-Identifier: Apache-2.0
// The tests of the promises can fail: each is run against a program in which its promise is broken on purpose (the *-planted programs,
// PLANKTON_PLANT=name), and must fail in the way that this bug makes it fail.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Cluster, quick } from './system/cluster.mjs';
import { scenarios } from './system/scenarios.mjs';

const PATIENCE_MS = 6000; // for what will never come

const plants = [
  // bug, program, scenario, how it fails
  ['ack_before_commit', 'controller', 'unsaved', /an acknowledged task is there/],
  ['submit_not_idempotent', 'controller', 'repeated', /the key stands for the first task/],
  ['no_fence', 'controller', 'deposed', /it acknowledges nothing/],
  ['memory_kept_after_error', 'controller', 'postgresKilled', /is acknowledged|is terminal/],
  ['load_forgets', 'controller', 'controllerKilled', /is terminal/],
  ['volatile_lease', 'controller', 'controllerKilled', /no attempt was begun twice/],
  ['no_grace', 'controller', 'controllerKilled', /no task had a second attempt/],
  ['sweep_forgets', 'controller', 'workerStopped', /another attempt begins/],
  ['stale_result_accepted', 'controller', 'workerStopped', /the late result is refused/],
  ['worker_ignores_stale', 'worker', 'workerStopped', /the old process is killed/],
  ['log_ack_before_write', 'logger', 'loggerKilled', /the log is complete|Expected values to be strictly deep-equal/],
];

describe('a broken promise is seen', { concurrency: 2 }, () => {
  for (const [plant, program, scenario, failure] of plants)
    test(`${plant}: ${scenarios[scenario].name}`, async () => {
      const { run, settings = quick, standby } = scenarios[scenario];
      const cluster = await Cluster.start({ fsync: true, standby, settings: { ...settings, programs: { [program]: `plankton-${program}-planted` },
        env: { [program]: { PLANKTON_PLANT: plant } } } });
      cluster.patience = PATIENCE_MS;
      try {
        await assert.rejects(run(cluster), failure);
      } finally {
        await cluster.stop({ patience: 500 });
      }
    });
});
