// SPDX-License-Identifier: Apache-2.0
// The same over TLS: what goes wrong is told before the connection ends, silence is cut off, and a graceful stop loses nothing.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  ACK, Connection, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, GOAWAY, PING, PREFACE, PROTOCOL_ERROR, frame, grpc, headers, message, priority, rst,
} from './http2/frames.mjs';
import { BIDI, UNARY, delayed, replyOf, startServer } from './http2/server.mjs';

const folder = mkdtempSync(join(tmpdir(), 'plankton-http2-'));
const pem = join(folder, 'server.pem');
let server;
before(async () => {
  const key = join(folder, 'key.pem');
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key, '-out', pem,
    '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-days', '2'], { stdio: 'ignore' });
  writeFileSync(pem, readFileSync(key), { flag: 'a' });
  server = await startServer({ preface_timeout_ms: 1000, tls: pem });
});
after(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

/** run(connection) over a TLS connection; spoken: with the handshake of HTTP/2 done. */
function check(name, spoken, run) {
  test(name, async () => {
    const c = new Connection(server.port, true);
    c.silent = !spoken; // acknowledges no SETTINGS
    if (spoken) await c.handshake();
    else await c.opened;
    await run(c);
    c.destroy();
  });
}
const ended = async (c) => assert.equal(await c.find(() => false), null, 'the connection stays open');
const isAnswer = (stream, bytes = 5) => (f) => f.type === DATA && f.stream === stream && f.payload.length >= bytes;
const call = (stream, body = message()) => Buffer.concat([headers(stream, grpc(UNARY), END_HEADERS), frame(DATA, END_STREAM, stream, body)]);

check('a call is answered', true, async (c) => {
  c.send(call(1));
  await c.wait(isAnswer(1), 'the answer');
});
check('an answer over many records arrives whole', true, async (c) => {
  c.send(call(1, replyOf(60000)));
  let bytes = 0;
  while (bytes < 60000) bytes += (await c.wait((f) => f.type === DATA && f.stream === 1, 'DATA')).payload.length;
});
async function cutOff(c) {
  const began = Date.now();
  await ended(c);
  assert.ok(Date.now() - began > 800, 'cut off at once');
}
check('silence behind the handshake of TLS', false, cutOff);
check('half a preface', false, async (c) => { c.send(PREFACE.subarray(0, 10)); await cutOff(c); });
check('a protocol error is told', true, async (c) => {
  c.send(frame(PING, 0, 1, Buffer.alloc(8)));
  assert.equal((await c.wait((f) => f.type === GOAWAY, 'GOAWAY')).code, PROTOCOL_ERROR);
  await ended(c);
});
const flood = (name, make) => check(`a flood of ${name} is told to calm`, true, async (c) => {
  for (let i = 0; i < 50000 && !c.closed;) {
    const parts = Array.from({ length: 500 }, () => make(i++));
    await c.send(...parts);
    await new Promise(setImmediate);
  }
  assert.equal((await c.wait((f) => f.type === GOAWAY, 'GOAWAY')).code, ENHANCE_YOUR_CALM);
  await ended(c);
  assert.equal((await server.settled()).open, 0);
});
flood('resets', (i) => Buffer.concat([headers(2 * i + 1, grpc(BIDI), END_HEADERS), rst(2 * i + 1)]));
flood('PRIORITY', () => priority(1));

test('a graceful stop loses nothing', async () => {
  const own = await startServer({ tls: pem });
  const c = new Connection(own.port, true);
  await c.handshake();
  c.send(call(1, delayed(300)));
  await new Promise((done) => { setTimeout(done, 50); });
  const stopped = own.stop();
  const notice = await c.wait((f) => f.type === PING, 'PING');
  c.send(call(3, replyOf(50000)), frame(PING, ACK, 0, notice.payload));
  let bytes = 0;
  const seen = new Set();
  while (bytes < 50000 || !seen.has(1)) {
    const data = await c.wait((f) => f.type === DATA, 'DATA');
    seen.add(data.stream);
    if (data.stream === 3) bytes += data.payload.length;
  }
  await ended(c);
  assert.equal((await stopped).code, 0);
});
