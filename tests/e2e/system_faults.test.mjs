// SPDX-License-Identifier: Apache-2.0
// Every fault against the system as it is. system_planted runs them against programs in which a promise is broken.
import { test } from 'node:test';
import { Cluster } from './system/cluster.mjs';
import { scenarios } from './system/scenarios.mjs';

for (const { name, run, settings, standby } of Object.values(scenarios))
  test(name, async () => {
    const cluster = await Cluster.start({ fsync: true, ...(settings && { settings }), standby });
    try {
      await run(cluster);
    } finally {
      await cluster.stop();
    }
  });
