// SPDX-License-Identifier: Apache-2.0
// The history of a system in which a promise is broken on purpose shows it. Long: run by `./test faults` only.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Cluster, quick } from './system/cluster.mjs';
import { check } from './system/history.mjs';
import { Load } from './system/load.mjs';

const plants = [
  ['ack_before_commit', 'controller', ['crash postgres', 'kill controller'], /acknowledged and is not there|saw attempt/],
  ['volatile_lease', 'controller', ['kill controller'], /was begun twice/],
  ['stale_result_accepted', 'controller', ['stop worker-1', 'stop worker-2'], /has the result of attempt 1 for attempt 2/],
  ['submit_not_idempotent', 'controller', ['kill controller'], /was acknowledged as .* and /],
  ['memory_kept_after_error', 'controller', ['crash postgres'], /acknowledged and is not there/],
];

for (const [plant, program, faults, violation] of plants)
  test(plant, async () => {
    const cluster = await Cluster.start({ fsync: true, workers: 2, settings: { ...quick, worker: ['--process-slots=8'],
      programs: { [program]: `plankton-${program}-planted` }, env: { [program]: { PLANKTON_PLANT: plant } } } });
    try {
      const load = new Load(cluster, 7);
      await load.run(15000, faults);
      await load.settle(8000).catch(() => {}); // some of what was broken never ends
      assert.match(check(load.history).join('\n'), violation);
    } finally {
      await cluster.stop({ patience: 500 });
    }
  });
