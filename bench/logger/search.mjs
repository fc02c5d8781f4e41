// SPDX-License-Identifier: Apache-2.0
// PLANKTON_BIN=… node bench/logger/search.mjs [LINES]: the time of a search in a run of so many stored lines (150 bytes, 4 tasks), as
// JSON; cpuMs: what the logger itself used for each, to 10 ms / 7 (elsewhere: PostgreSQL and this program). rare: one line in 100,000 has the text, and all are on one page; none: no line has it.
import { readFileSync } from 'node:fs';
import { Logger, block, idText, leaseToken, newId, stepId, until } from '../../tests/e2e/logger/fixture.mjs';

const total = Number(process.argv[2] ?? 1e6);
const BLOCK = 1000, TASKS = 4, REPEATS = 7;
const l = await Logger.start({});
try {
  const run = newId();
  const tokens = Array.from({ length: TASKS }, () => leaseToken(l.clusterKey, { task: stepId(run), run }));
  const stream = l.append();
  let n = 0;
  for (let first = 1; n < total; first += BLOCK) {
    const blocks = tokens.map((token) => {
      const texts = Array.from({ length: BLOCK }, () => `${(++n).toString(16)} request ${(n * 2654435761 % 2 ** 32).toString(36)} took ${n % 977} ms ${n % 1e5 ? '' : 'rare-one '}`.padEnd(150, `GET /api/${(n * 40503) % 65536} `));
      return block(token, first, texts);
    });
    await stream.sent(...blocks);
  }
  await until('all are stored', async () => await l.sql('select coalesce(sum(lines), 0) from log_chunk') === String(n), 60000);
  const { client, metadata } = l.client(l.adminKey);
  const cpuMs = () => readFileSync(`/proc/${l.child.pid}/stat`, 'utf8').split(' ').slice(13, 15).reduce((sum, ticks) => sum + Number(ticks) * 10, 0);
  const measure = async (request) => {
    const took = [];
    const before = cpuMs();
    let reply;
    for (let i = 0; i < REPEATS; i++) {
      const begin = performance.now();
      reply = await new Promise((done, fail) => client.searchRunLogs({ runId: idText(run), ...request }, metadata, (error, page) => (error ? fail(error) : done(page))));
      took.push(performance.now() - begin);
    }
    took.sort((a, b) => a - b);
    return { hits: reply.hits.length, stoppedEarly: reply.stoppedEarly, chunksRead: reply.chunksRead, medianMs: Math.round(took[REPEATS >> 1]), worstMs: Math.round(took.at(-1)), cpuMs: Math.round((cpuMs() - before) / REPEATS) };
  };
  console.log(JSON.stringify({ lines: n, bytes: Number(await l.sql('select sum(raw_bytes) from log_chunk')), storedBytes: Number(await l.sql('select sum(length(data)) from log_chunk')),
    rare: await measure({ text: 'rare-one' }), none: await measure({ text: 'not there' }), ignoringCase: await measure({ text: 'RARE-ONE', ignoreCase: true }),
    frequent: await measure({ text: 'request', pageSize: 100 }), gravest: await measure({ level: 'error' }), context: await measure({ text: 'rare-one', context: 3, pageSize: 100 }) }));
} finally {
  await l.stop();
}
