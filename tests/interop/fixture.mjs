// SPDX-License-Identifier: Apache-2.0
// Runs the interoperability programs, ours and those in peers/, against each other: a test for each case, direction and transport. A peer is
// one process for all cases; ours, in C, is started for each.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const here = fileURLToPath(new URL('.', import.meta.url));
const bin = process.env.PLANKTON_BIN ?? join(here, '../../build/ci/bin');
const LIMIT_MS = 60000;

export const CORE = ['empty_unary', 'large_unary', 'client_streaming', 'server_streaming', 'ping_pong', 'half_duplex', 'empty_stream',
  'custom_metadata', 'status_code_and_message', 'special_status_message', 'unimplemented_method', 'unimplemented_service', 'cancel_after_begin',
  'cancel_after_first_response', 'timeout_on_sleeping_server'];
export const COMPRESSED = ['client_compressed_unary', 'server_compressed_unary', 'client_compressed_streaming', 'server_compressed_streaming'];
export const SOAK = ['rpc_soak', 'channel_soak'];
export const ours = { server: [join(bin, 'grpc-interop-server')], client: [join(bin, 'grpc-interop-client')] };
const python = process.env.PLANKTON_PYTHON ?? '/usr/bin/python3';
export const inPython = { server: [python, join(here, 'peers/server.py')], client: [python, join(here, 'peers/client.py')] };
export const inNode = { server: [process.execPath, join(here, 'peers/server.mjs')], client: [process.execPath, join(here, 'peers/client.mjs')] };
const SOAK_FLAGS = ['--soak_iterations=25', '--soak_overall_timeout_seconds=30', '--soak_per_iteration_max_acceptable_latency_ms=2000'];

/** A certificate for "interop.test", which is not where the servers are, by an authority of its own. */
export async function makeCertificates() {
  const dir = mkdtempSync(join(tmpdir(), 'interop-'));
  const at = (name) => join(dir, name);
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  await run('openssl', [...request, '-subj', '/CN=interop authority', '-keyout', at('ca.key'), '-out', at('ca.pem')]);
  await run('openssl', [...request, '-subj', '/CN=interop.test', '-addext', 'subjectAltName=DNS:interop.test', '-addext', 'basicConstraints=critical,CA:FALSE',
    '-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-keyout', at('server.key'), '-out', at('server.pem')]);
  return {
    server: ['--use_tls=true', `--tls_cert_file=${at('server.pem')}`, `--tls_key_file=${at('server.key')}`],
    client: ['--use_tls=true', `--ca_file=${at('ca.pem')}`, '--server_host_override=interop.test'],
    at,
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}

/** Starts a server and waits for its address; {port, stop}. */
export async function startServer([program, ...args], flags) {
  const child = spawn(program, [...args, ...flags], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const address = once(createInterface(child.stdout), 'line').then(([line]) => line);
  const line = await Promise.race([address, exited.then(([code]) => { throw new Error(`${program} ended with ${code}`); })]);
  return {
    port: line.split(':').at(-1),
    async stop() {
      child.stdin.end();
      child.kill('SIGTERM');
      return (await exited)[0];
    },
  };
}

/** Runs our client for one case: {code, said}. */
export async function runOurs(port, name, flags) {
  const [program] = ours.client;
  return run(program, [`--server_port=${port}`, `--test_case=${name}`, ...SOAK_FLAGS, ...flags], { timeout: LIMIT_MS })
    .then(({ stdout, stderr }) => ({ code: 0, said: stdout + stderr }), (error) => ({ code: error.code ?? error.signal, said: error.stdout + error.stderr }));
}

/** Runs a peer's client for all cases: name -> its line. */
async function runPeer([program, ...args], port, names, flags) {
  const { stdout } = await run(program, [...args, `--server_port=${port}`, `--test_case=${names.join(',')}`, ...flags], { timeout: LIMIT_MS })
    .catch((error) => ({ stdout: `${error.stdout}\n${error.stderr}` }));
  const lines = stdout.split('\n');
  return new Map(names.map((name) => [name, lines.find((line) => line === `ok ${name}` || line.startsWith(`FAILED ${name}:`)) ?? `no word of it: ${stdout}`]));
}

const TRANSPORTS = ['h2c', 'tls'];

/** Declares the tests: our client against the peer's server, and theirs against ours. */
export function declare(peerName, peer, { toTheirs, toOurs }) {
  for (const transport of TRANSPORTS) {
    describe(transport, () => {
      let certificates, theirServer, ourServer, theirWords;
      const flags = (side) => (transport === 'tls' ? certificates[side] : []);
      before(async () => {
        if (transport === 'tls') certificates = await makeCertificates();
        [theirServer, ourServer] = await Promise.all([startServer(peer.server, flags('server')), startServer(ours.server, flags('server'))]);
        theirWords = peer === ours ? undefined : runPeer(peer.client, ourServer.port, toOurs, flags('client'));
      });
      after(async () => {
        await theirServer?.stop();
        assert.equal(await ourServer?.stop(), 0, 'our server ends well');
        certificates?.remove();
      });
      for (const name of toTheirs) {
        test(`our client, ${peerName} server, ${transport}: ${name}`, async () => {
          const { code, said } = await runOurs(theirServer.port, name, flags('client'));
          assert.equal(code, 0, said);
          assert.ok(said.includes(`${name}: passed`), said);
        });
      }
      for (const name of toOurs) {
        test(`${peerName} client, our server, ${transport}: ${name}`, async () => {
          assert.equal((await theirWords).get(name), `ok ${name}`);
        });
      }
    });
  }
}
