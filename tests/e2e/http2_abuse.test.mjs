// SPDX-License-Identifier: Apache-2.0
// Peers that mean harm. Each attack is bounded in bytes and seconds; the server must end the connection with the code that says why, keep
// its memory, cancel the handlers of what was reset, and answer a normal call on another connection at once.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  ACK, CONTINUATION, Connection, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR, GET, GOAWAY, HEADERS, INITIAL_WINDOW_SIZE,
  PING, PREFACE, PROTOCOL_ERROR, RST_STREAM, SETTINGS, SETTINGS_TIMEOUT, STREAM_CLOSED, block, connect, frame, grpc, headers, integer,
  literal, message, ping, priority, rst, settings, windowUpdate,
} from './http2/frames.mjs';
import { BIDI, UNARY, delayed, normalCall, replyOf, startServer } from './http2/server.mjs';

const MIB = 1 << 20;
const RSS_GROWTH_MAX = 6 * MIB; // at its peak, per attack, with the allocator's slack
const BOUND = 8 * MIB; // of a connection
const CALL_MS_MAX = 3000; // a normal call beside and behind an attack; machines that test are busy
const ATTACK_MS_MAX = 8000;
const BATCH = 64 << 10; // bytes of an attack per write

let server;
before(async () => {
  server = await startServer({ connection_bytes_max: BOUND });
  // what the first calls of a process allocate is nobody's growth
  for (let i = 0; i < 20; i++) await normalCall(server.port);
});
after(async () => { await server.stop(); });

/** Sends make(0), make(1), … until the connection ends or the bound is reached. */
async function flood(c, frames, make, { reads = true } = {}) {
  const until = Date.now() + ATTACK_MS_MAX;
  if (!reads) c.reads(false);
  let sent = 0;
  while (sent < frames && !c.closed && !c.socket.destroyed && Date.now() < until) {
    const parts = [];
    for (let bytes = 0; bytes < BATCH && sent < frames; sent++) {
      const part = make(sent);
      parts.push(part);
      bytes += part.length;
    }
    // A peer that does not read is not told either: a write that stays is the end of such an attack.
    const taken = await Promise.race([c.send(...parts), new Promise((done) => { setTimeout(done, reads ? ATTACK_MS_MAX : 1500, 'stuck'); })]);
    if (taken !== true) break;
    await new Promise(setImmediate); // else nothing that the server says would be read
  }
  c.reads(true);
  return sent;
}

/** The connection must end; with a GOAWAY that has one of the codes when it reads what it is sent. */
async function calmed(c, codes) {
  const found = await c.find((f) => f.type === GOAWAY && f.code !== 0);
  if (!found && c.closed) return 'closed';
  assert.ok(found, 'the connection goes on');
  assert.ok(codes.includes(found.code), `GOAWAY with ${found.code} (${found.debug}), not ${codes}`);
  assert.equal(await c.find(() => false), null, 'the connection does not close');
  return `GOAWAY ${found.code} ${found.debug}`;
}

/** run(connection) attacks; handlers: what those of its calls must have heard; `codes` are those of the GOAWAY that ends it, none when the connection may live. */
function attack(name, { run, codes, handlers = '', told = true, cpuMsMax = 2000, growthMax = RSS_GROWTH_MAX, entries }) {
  test(name, async (t) => {
    server.resetPeak();
    const [rss, cpu, seen] = [server.rss(), server.cpuMs(), await server.report()];
    const c = await connect(server.port, entries);
    const beside = run(c);
    const ms = await normalCall(server.port);
    const sent = await beside;
    if (codes) {
      const how = await calmed(c, codes);
      t.diagnostic(`${how} after ${sent} frames`);
      if (told) assert.notEqual(how, 'closed', 'closed without a word');
    }
    c.destroy();
    const msAfter = await normalCall(server.port);
    const now = await server.settled();
    const growth = server.peak() - rss;
    t.diagnostic(`peak +${Math.round(growth / 1024)} KiB, cpu ${server.cpuMs() - cpu} ms, calls ${ms.toFixed(1)} and ${msAfter.toFixed(1)} ms`);
    assert.ok(ms < CALL_MS_MAX && msAfter < CALL_MS_MAX, `normal calls took ${ms} and ${msAfter} ms`);
    assert.ok(growth < growthMax, `the server grew by ${growth} bytes`);
    assert.ok(server.cpuMs() - cpu < cpuMsMax, `${server.cpuMs() - cpu} ms of CPU`);
    assert.equal(now.open, 0, 'calls are still open');
    if (handlers) {
      const calls = now.calls - seen.calls - 2; // two are the normal ones
      assert.ok(calls > 100, 'the attack did not reach the handlers');
      assert.ok(now.closed - seen.closed >= calls, 'handlers were not told of the end');
      if (handlers === 'cancelled') assert.ok(now.cancelled - seen.cancelled >= calls, 'handlers were not cancelled');
    }
  });
}
const id = (i) => 2 * i + 1;
const CALM = [ENHANCE_YOUR_CALM];
const open = (stream) => headers(stream, grpc(BIDI), END_HEADERS);
const slow = (stream) => Buffer.concat([headers(stream, grpc(UNARY), END_HEADERS), frame(DATA, END_STREAM, stream, delayed(60000))]);

describe('header blocks', () => {
  const endless = (make) => (c) => flood(c, 100000, (i) => (i === 0 ? headers(1, GET, 0) : make(i)));
  attack('CONTINUATION flood', { codes: CALM, run: endless((i) => frame(CONTINUATION, 0, 1, literal(`x-${i}`, 'x'.repeat(1000)))) });
  attack('empty CONTINUATION flood', { codes: CALM, run: endless(() => frame(CONTINUATION, 0, 1)) });
  // One entry of 3.9 KB in the dynamic table, then 15,000 references of one byte to it: 58 MB of header list from 16 KB.
  const bomb = Buffer.concat([block(GET), literal('x-bomb', 'b'.repeat(3900), 0x40), Buffer.alloc(11000, 0xbe)]);
  const again = Buffer.concat([block(GET), Buffer.alloc(15000, 0xbe)]);
  attack('HPACK bomb', { codes: CALM, cpuMsMax: 300, run: (c) => flood(c, 100, (i) => headers(id(i), i === 0 ? bomb : again)) });
  attack('giant header blocks', {
    codes: CALM,
    run: (c) => flood(c, 200, (i) => Buffer.concat([headers(id(i), GET, END_STREAM),
      ...Array.from({ length: 6 }, (_, n) => frame(CONTINUATION, n === 5 ? END_HEADERS : 0, id(i), literal(`x-${n}`, 'y'.repeat(16000))))])),
  });
  attack('one header of 63 KB is refused alone', {
    run: async (c) => {
      const big = Buffer.concat([block(GET), Buffer.from([0]), integer(0, 7, 5), Buffer.from('x-big'), integer(0, 7, 63 << 10), Buffer.alloc(63 << 10, 'z')]);
      const parts = Array.from({ length: Math.ceil(big.length / 16384) }, (_, i) => big.subarray(i * 16384, (i + 1) * 16384));
      c.send(headers(1, parts[0], END_STREAM), ...parts.slice(1).map((part, i) => frame(CONTINUATION, i === parts.length - 2 ? END_HEADERS : 0, 1, part)));
      const found = await c.wait((f) => f.stream === 1 || f.type === GOAWAY, 'the refusal');
      assert.equal(found.type, RST_STREAM);
      c.send(headers(3, grpc(UNARY), END_HEADERS), frame(DATA, END_STREAM, 3, message()));
      await c.wait((f) => f.type === DATA && f.stream === 3, 'the reply to the next call');
    },
  });
});

describe('resets', () => {
  attack('rapid reset', { codes: CALM, handlers: 'cancelled', run: (c) => flood(c, 50000, (i) => Buffer.concat([open(id(i)), rst(id(i))])) });
  attack('rapid reset of whole requests', { codes: CALM, handlers: 'cancelled', run: (c) => flood(c, 50000, (i) => Buffer.concat([slow(id(i)), rst(id(i))])) });
  const provoked = (provoke) => ({ run: (c) => flood(c, 50000, (i) => Buffer.concat([slow(id(i)), provoke(id(i))])) });
  attack('provoked resets: WINDOW_UPDATE of 0', { codes: [PROTOCOL_ERROR, ...CALM], ...provoked((stream) => windowUpdate(stream, 0)) });
  attack('provoked resets: a window over 2^31-1', { codes: CALM, handlers: 'cancelled', ...provoked((stream) => windowUpdate(stream, 0x7fffffff)) });
  attack('provoked resets: DATA behind the end', { codes: [STREAM_CLOSED, ...CALM], ...provoked((stream) => frame(DATA, 0, stream, Buffer.alloc(1))) });
  attack('provoked resets: a bad header', { codes: CALM, run: (c) => flood(c, 50000, (i) => headers(id(i), [...GET, ['X', 'y']])) });
  attack('20,000 streams over the limit', { codes: [PROTOCOL_ERROR, ...CALM], handlers: 'told', run: (c) => flood(c, 21024, (i) => open(id(i))) });
});

describe('frames that carry nothing', () => {
  for (const reads of [true, false]) {
    const how = reads ? 'read' : 'unread';
    attack(`PING flood, ${how}`, { codes: CALM, told: reads, run: (c) => flood(c, 200000, () => ping(), { reads }) });
    attack(`SETTINGS flood, ${how}`, { codes: CALM, told: reads, run: (c) => flood(c, 200000, () => settings(), { reads }) });
  }
  attack('SETTINGS of 2,700 entries', { codes: CALM, run: (c) => flood(c, 1, () => frame(SETTINGS, 0, 0, Buffer.alloc(2700 * 6, Buffer.from([0, 3, 0, 0, 0, 100])))) });
  attack('acknowledgements of SETTINGS that nobody sent', { codes: [PROTOCOL_ERROR, ...CALM], run: (c) => flood(c, 200000, () => frame(SETTINGS, ACK, 0)) });
  attack('empty DATA flood', { codes: CALM, run: (c) => flood(c, 400000, (i) => (i === 0 ? open(1) : frame(DATA, 0, 1))) });
  attack('PRIORITY flood', { codes: CALM, run: (c) => flood(c, 200000, (i) => priority(id(i % 1000))) });
  attack('WINDOW_UPDATE overflow', { codes: [FLOW_CONTROL_ERROR], run: (c) => flood(c, 2, () => windowUpdate(0, 0x7fffffff)) });
});

// Every way to make a connection hold more than its bound. A buffer may be twice what is in it.
describe('the memory of a connection', () => {
  const growthMax = 2 * BOUND + 4 * MIB;
  /** Requests with bodies that stay within the windows. */
  const fill = (body, n) => async (c) => {
    for (let i = 0; i < n && !c.closed; i++) {
      c.send(open(id(i)));
      for (let at = 0; at < body.length && !c.closed; at += 16384) {
        const part = body.subarray(at, at + 16384);
        if (!await c.spend(part.length)) break;
        await c.send(frame(DATA, 0, id(i), part));
      }
    }
    return n;
  };
  attack('output: window 0 and 100 replies', {
    entries: { [INITIAL_WINDOW_SIZE]: 0 }, codes: CALM, growthMax,
    run: (c) => flood(c, 100, (i) => Buffer.concat([headers(id(i), grpc(UNARY), END_HEADERS), frame(DATA, END_STREAM, id(i), replyOf(1000000))])),
  });
  // a prefix that promises 4 MB, and 200 KB of it
  attack('input: messages that do not end', { codes: CALM, growthMax, run: fill(message(Buffer.alloc(4000000)).subarray(0, 200000), 100) });
  const metadata = Array.from({ length: 12 }, (_, i) => [`x-${i}`, 'm'.repeat(1200)]);
  attack('header blocks of open calls', {
    codes: CALM, growthMax, run: (c) => flood(c, 1000, (i) => headers(id(i), [...grpc(BIDI), ...metadata], END_HEADERS)),
  });
  test('the state of open calls', async () => {
    const own = await startServer({ connection_bytes_max: MIB });
    const c = await connect(own.port);
    await flood(c, 1000, (i) => open(id(i)));
    assert.match(await calmed(c, CALM), /^GOAWAY/);
    assert.equal((await own.settled()).open, 0);
    await own.stop();
  });
  test('answers within the bound are dropped in time', async () => {
    const own = await startServer({ answer_timeout_ms: 300 });
    const c = await connect(own.port, { [INITIAL_WINDOW_SIZE]: 0 });
    c.send(...Array.from({ length: 100 }, (_, i) => Buffer.concat([headers(id(i), grpc(UNARY), END_HEADERS), frame(DATA, END_STREAM, id(i), replyOf(1000))])));
    for (let i = 0; i < 100; i++) await c.wait((f) => f.type === RST_STREAM, `reset ${i}`);
    assert.equal((await own.settled()).open, 0);
    c.destroy();
    await own.stop();
  });
});

describe('silence', () => {
  let quiet;
  before(async () => { quiet = await startServer({ preface_timeout_ms: 1000 }); });
  after(async () => { await quiet.stop(); });
  const silence = (name, bytes, then) => test(name, async () => {
    const c = new Connection(quiet.port);
    c.silent = true; // acknowledges no SETTINGS
    await c.opened;
    if (bytes.length > 0) c.send(bytes);
    await then(c);
    c.destroy();
  });
  const cut = async (c) => {
    const began = Date.now();
    assert.equal(await c.find(() => false), null, 'the connection stays open');
    assert.ok(Date.now() - began > 800, 'cut off at once');
  };
  silence('not a byte', Buffer.alloc(0), cut);
  silence('half a preface', PREFACE.subarray(0, 12), cut);
  silence('a preface without SETTINGS', PREFACE, cut);
  silence('SETTINGS are never acknowledged', Buffer.concat([PREFACE, settings()]), async (c) => {
    const found = await c.wait((f) => f.type === GOAWAY, 'GOAWAY');
    assert.equal(found.code, SETTINGS_TIMEOUT);
    assert.equal(await c.find(() => false), null, 'the connection stays open');
  });
  test('who has spoken may be silent for long', async () => {
    const c = await connect(quiet.port);
    await new Promise((done) => { setTimeout(done, 1500); });
    c.send(ping());
    await c.wait((f) => f.type === PING, 'the PING');
    c.destroy();
  });
});
