// SPDX-License-Identifier: Apache-2.0
// The public interoperability cases of gRPC between our own two ends, and what the programs do with what they do not know.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COMPRESSED, CORE, SOAK, declare, makeCertificates, ours, runOurs, startServer } from '../interop/fixture.mjs';

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

test('over TLS a server of another authority, name or protocol is refused at once, by name', async () => {
  const [certificates, others] = await Promise.all([makeCertificates(), makeCertificates()]);
  const server = await startServer(ours.server, certificates.server);
  const plain = await startServer(ours.server, []);
  const ca = `--ca_file=${certificates.at('ca.pem')}`;
  for (const [what, port, flags, why] of [
    ['another authority', server.port, others.client, /certificate/],
    ['another name', server.port, ['--use_tls', ca, '--server_host_override=other.test'], /certificate|name/],
    ['the host itself as name', server.port, ['--use_tls', ca], /certificate|name/],
    ['a server without TLS', plain.port, certificates.client, /TLS|connection/],
    ['a client without TLS', server.port, [], /connection/],
  ]) {
    const { code, said } = await runOurs(port, 'empty_unary', flags);
    assert.equal(code, 1, `${what}: ${said}`);
    assert.match(said, why, what);
  }
  assert.equal((await runOurs(server.port, 'empty_unary', certificates.client)).code, 0);
  assert.equal(await server.stop(), 0);
  assert.equal(await plain.stop(), 0);
  certificates.remove();
  others.remove();
});
