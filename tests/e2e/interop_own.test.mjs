// SPDX-License-Identifier: Apache-2.0
// The public interoperability cases of gRPC between our own two ends, and what the programs do with what they do not know.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COMPRESSED, CORE, SOAK, declare, ours, runOurs, startServer } from '../interop/fixture.mjs';

declare('our', ours, { toTheirs: [...CORE, ...COMPRESSED, ...SOAK], toOurs: [] });

test('an unknown case, flag or value is refused with exit status 2', async () => {
  for (const [name, flag] of [['no_such_case', '--server_port=1'], ['empty_unary', '--no_such_flag=1'], ['empty_unary', '--soak_iterations=x']]) {
    assert.equal((await runOurs('1', name, [flag])).code, 2, `${name} ${flag}`);
  }
});

test('a case that does not hold has exit status 1 and says what was wrong', async () => {
  const server = await startServer(ours.server, []);
  const { code, said } = await runOurs(server.port, 'rst_after_header', []);
  assert.equal(code, 1);
  assert.match(said, /rst_after_header: .*response/);
  assert.equal(await server.stop(), 0);
});
