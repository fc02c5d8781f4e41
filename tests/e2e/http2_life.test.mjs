// SPDX-License-Identifier: Apache-2.0
// How a server's connection lives and ends: graceful stop, age, idleness, keepalive, the policing of pings, and windows that are given back.
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { describe, test } from 'node:test';
import {
  ACK, CANCEL, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, GET, GOAWAY, HEADERS, MAX_CONCURRENT_STREAMS, NO_ERROR, PADDED, PING, POST, RST_STREAM,
  SETTINGS, Connection, PREFACE, connect, frame, grpc, headers, message, padded, ping, rst, settings, STREAM_CLOSED,
} from './http2/frames.mjs';
import { BIDI, CLIENT_STREAM, UNARY, delayed, normalCall, replyOf, startServer } from './http2/server.mjs';

const EVERY_STREAM = 0x7fffffff;
const UNAVAILABLE = '14';
const sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });
const call = (stream, ms = 0) => Buffer.concat([headers(stream, grpc(UNARY), END_HEADERS), frame(DATA, END_STREAM, stream, ms ? delayed(ms) : message())]);
const open = (stream) => headers(stream, grpc(BIDI), END_HEADERS);
const isAnswer = (stream) => (f) => f.type === DATA && f.stream === stream && f.payload.length >= 5;
const megabyte = replyOf(1000000);
const isGoaway = (f) => f.type === GOAWAY;
const isPing = (f) => f.type === PING && !(f.flags & ACK);
const pong = (f) => frame(PING, ACK, 0, f.payload);
const ended = async (c, waitMs) => assert.equal(await c.find(() => false, waitMs), null, 'the connection stays open');

/** run(server): with a server of these options, stopped in the end unless run has done so. */
function withServer(name, options, run) {
  test(name, async (t) => {
    const server = await startServer(options);
    try {
      await run(server, t);
    } finally {
      if (server.child.exitCode === null) server.child.kill('SIGKILL');
      await server.exited;
    }
  });
}

/** A unary call of node's own client that takes so long; gives its grpc-status. */
function statusOf(port, ms) {
  const session = http2.connect(`http://127.0.0.1:${port}`);
  session.on('error', () => {});
  const stream = session.request({ ':method': 'POST', ':path': UNARY, 'content-type': 'application/grpc', te: 'trailers' });
  stream.end(delayed(ms));
  stream.resume();
  const started = new Promise((done) => { session.once('localSettings', done); });
  const status = new Promise((done) => {
    const note = (fields) => { if (fields['grpc-status'] !== undefined) done(fields['grpc-status']); };
    stream.on('response', note);
    stream.on('trailers', note);
    stream.on('error', (error) => done(error.message));
    stream.on('close', () => done('no status'));
  }).finally(() => session.destroy());
  return { status, started };
}

describe('graceful stop', () => {
  withServer('h2_graceful_stop: notice, PING, the real last id, calls finish, close', {}, async (server) => {
    const c = await connect(server.port);
    c.send(call(1, 500));
    await sleep(50);
    const stopped = server.stop();
    const notice = await c.wait(isGoaway, 'the notice');
    assert.deepEqual([notice.last, notice.code], [EVERY_STREAM, NO_ERROR]);
    const asked = await c.wait(isPing, 'PING');
    c.send(call(3)); // was under way: the server must still take it
    await c.wait(isAnswer(3), 'the answer to a call behind the notice');
    c.send(pong(asked));
    const last = await c.wait(isGoaway, 'the last GOAWAY');
    assert.deepEqual([last.last, last.code, last.debug], [3, NO_ERROR, 'server_shutdown']);
    c.send(call(5)); // behind it: ignored
    const answer = await c.wait((f) => isAnswer(1)(f) || f.stream === 5, 'the answer to the call that was open');
    assert.equal(answer.stream, 1);
    await ended(c);
    assert.equal((await stopped).code, 0);
  });
  withServer('h2_graceful_stop without an answer to the PING', {}, async (server) => {
    const c = await connect(server.port);
    server.stop();
    await c.wait(isPing, 'PING');
    const last = await c.wait(isGoaway, 'the last GOAWAY', 2500);
    assert.equal(last.last, 0);
    await ended(c);
  });
  withServer('h2_after_the_grace calls end with UNAVAILABLE', {}, async (server) => {
    const { status, started } = statusOf(server.port, 60000);
    await started;
    await sleep(50);
    const began = Date.now();
    const stopped = server.stop();
    assert.equal(await status, UNAVAILABLE);
    assert.ok(Date.now() - began >= 1900, 'before the grace was over');
    assert.equal((await stopped).code, 0);
  });
  withServer('h2_after_the_grace what a client does not take is reset', {}, async (server) => {
    const c = await connect(server.port);
    c.send(open(1), frame(DATA, 0, 1, megabyte)); // its window is 64 KiB
    await c.wait(isAnswer(1), 'the first of it');
    const stopped = server.stop();
    c.send(pong(await c.wait(isPing, 'PING')));
    const end = await c.wait((f) => f.stream === 1 && (f.type === RST_STREAM || f.type === HEADERS), 'the end of the call', 4000);
    assert.ok(end.type === HEADERS ? end.flags & END_STREAM : end.code === CANCEL);
    await ended(c);
    assert.equal((await stopped).code, 0);
  });
  withServer('h2_stop before the preface closes at once', {}, async (server) => {
    const c = new Connection(server.port);
    await c.opened;
    await sleep(50);
    const stopped = server.stop();
    await ended(c, 1500);
    c.destroy();
    assert.equal((await stopped).code, 0);
  });
});

describe('age and idleness', () => {
  withServer('h3_max_connection_age: no new calls, open ones finish', { max_connection_age_ms: 300 }, async (server) => {
    const c = await connect(server.port);
    c.send(call(1, 700));
    const notice = await c.wait(isGoaway, 'the notice');
    assert.equal(notice.last, EVERY_STREAM);
    c.send(pong(await c.wait(isPing, 'PING')));
    const last = await c.wait(isGoaway, 'the last GOAWAY');
    assert.deepEqual([last.last, last.code, last.debug], [1, NO_ERROR, 'max_age']);
    await c.wait(isAnswer(1), 'the answer');
    await ended(c);
    await normalCall(server.port);
  });
  withServer('h3_max_connection_age_grace ends what is left', { max_connection_age_ms: 200, max_connection_age_grace_ms: 200 }, async (server) => {
    const began = Date.now();
    assert.equal(await statusOf(server.port, 60000).status, UNAVAILABLE);
    assert.ok(Date.now() - began >= 350 && Date.now() - began < 3000);
    assert.equal((await server.settled()).open, 0);
  });
  withServer('h3_age_has_jitter of 10 % either way', { max_connection_age_ms: 1000 }, async (server) => {
    const ages = await Promise.all(Array.from({ length: 24 }, async () => {
      const began = Date.now();
      const c = await connect(server.port);
      await c.wait(isGoaway, 'GOAWAY');
      c.destroy();
      return Date.now() - began;
    }));
    const [least, most] = [Math.min(...ages), Math.max(...ages)];
    assert.ok(least >= 895, `one ended after ${least} ms`);
    assert.ok(most - least > 50, `all ended within ${most - least} ms`);
  });
  withServer('h3_max_connection_idle: not while a call is open', { max_connection_idle_ms: 250 }, async (server) => {
    const c = await connect(server.port);
    const began = Date.now();
    c.send(call(1, 500));
    c.send(pong(await c.wait(isPing, 'PING')));
    assert.ok(Date.now() - began >= 700, 'idle while a call was open');
    const last = await c.wait(isGoaway, 'the last GOAWAY');
    assert.deepEqual([last.last, last.code, last.debug], [1, NO_ERROR, 'max_idle']);
    await ended(c);
  });
});

describe('keepalive', () => {
  withServer('h4_server_keepalive: who answers stays, who does not is cut off', { keepalive_ms: 150, keepalive_timeout_ms: 1000 }, async (server) => {
    const c = await connect(server.port);
    for (let i = 0; i < 3; i++) c.send(pong(await c.wait(isPing, 'PING')));
    await c.wait(isPing, 'PING');
    const began = Date.now();
    await ended(c);
    assert.ok(Date.now() - began >= 900, 'cut off too early');
  });
  withServer('h4_server_keepalive: who speaks is not asked', { keepalive_ms: 400 }, async (server) => {
    const c = await connect(server.port);
    for (let i = 0; i < 8; i++) {
      c.send(call(2 * i + 1));
      await sleep(100);
    }
    assert.equal(await c.find(isPing, 1), undefined);
    await c.wait(isPing, 'PING', 1500);
  });
  withServer('h4_pings_without_data: the third strike', {}, async (server) => {
    const c = await connect(server.port);
    c.send(open(1));
    for (let i = 0; i < 3; i++) {
      c.send(ping());
      await c.wait((f) => f.type === PING && f.flags & ACK, 'PING'); // the first is free, then two strikes
    }
    c.send(ping());
    const last = await c.wait(isGoaway, 'GOAWAY');
    assert.deepEqual([last.code, last.debug], [ENHANCE_YOUR_CALM, 'too_many_pings']);
    await ended(c);
  });
  withServer('h4_pings beside what the server sends do not count', {}, async (server) => {
    const c = await connect(server.port);
    for (let i = 0; i < 20; i++) {
      c.send(call(2 * i + 1));
      await c.wait(isAnswer(2 * i + 1), 'the answer');
      c.send(ping());
      await c.wait((f) => f.type === PING && f.flags & ACK, 'PING');
    }
  });
  withServer('h4_ping_interval is a setting; without a call it is 2 h', { ping_interval_min_ms: 20 }, async (server) => {
    const c = await connect(server.port);
    c.send(open(1));
    for (let i = 0; i < 8; i++) {
      c.send(ping());
      await c.wait((f) => f.type === PING && f.flags & ACK, 'PING');
      await sleep(40);
    }
    c.send(rst(1));
    for (let i = 0; i < 4; i++) {
      c.send(ping());
      await sleep(40);
    }
    assert.equal((await c.wait(isGoaway, 'GOAWAY')).debug, 'too_many_pings');
  });
});

describe('settings and windows', () => {
  withServer('h5_h6 the first SETTINGS: at least 100 streams; unknown settings are taken', {}, async (server) => {
    const c = new Connection(server.port);
    await c.opened;
    c.send(PREFACE, settings({ 4660: 1 }));
    const own = await c.wait((f) => f.type === SETTINGS && !(f.flags & ACK), 'SETTINGS');
    const values = {};
    for (let at = 0; at < own.payload.length; at += 6) values[own.payload.readUInt16BE(at)] = own.payload.readUInt32BE(at + 2);
    assert.ok(values[MAX_CONCURRENT_STREAMS] >= 1000);
    await c.wait((f) => f.type === SETTINGS && f.flags & ACK, 'the acknowledgement');
    c.destroy();
  });
  withServer('d2_deadline reaches a client that gives no window', {}, async (server) => {
    const c = await connect(server.port);
    c.send(headers(1, [...grpc(BIDI), ['grpc-timeout', '300m']], END_HEADERS), frame(DATA, 0, 1, megabyte));
    await c.wait(isAnswer(1), 'the first of the reply');
    await c.wait((f) => f.type === HEADERS && f.stream === 1 && f.flags & END_STREAM, 'the trailers');
    assert.equal((await server.settled()).open, 0);
  });
  // What nobody reads counts against the connection's window too: it must come back, or the connection dies slowly.
  const returned = (name, begin, { flags = 0, part, end = () => Buffer.alloc(0) } = {}) => withServer(`h7_window_comes_back: ${name}`, {}, async (server) => {
    const c = await connect(server.port);
    const body = part ?? Buffer.alloc(16000, 'x');
    const most = part && part.length < 1000 ? 5 << 20 : 12 << 20; // more than the window of 4 MiB
    let stream = -1, sent = 0, inStream = Infinity;
    while (sent < most) {
      if (inStream + body.length > 500000) {
        stream += 2;
        inStream = 0;
        c.send(end(stream - 2), begin(stream));
      }
      assert.ok(await c.spend(body.length), `no window after ${sent} bytes`);
      c.send(frame(DATA, flags, stream, body));
      if (c.window < (1 << 20)) await sleep(1);
      inStream += body.length;
      sent += body.length;
    }
    c.send(call(stream + 2));
    await c.wait(isAnswer(stream + 2), 'the answer to a call behind all that');
    c.destroy();
  });
  const clientStream = (stream) => headers(stream, grpc(CLIENT_STREAM), END_HEADERS);
  returned('streams that were refused', (stream) => headers(stream, POST, END_HEADERS));
  // a message that never ends: its bytes are kept, and dropped with the stream
  const unfinished = (stream) => Buffer.concat([clientStream(stream), frame(DATA, 0, stream, Buffer.from([0, 0, 0x3d, 0x09, 0]))]);
  returned('streams that were reset', unfinished, { end: (stream) => (stream > 0 ? rst(stream) : Buffer.alloc(0)) });
  returned('streams without such a method', (stream) => headers(stream, grpc('/plankton.test.Echo/Nothing'), END_HEADERS));
  returned('streams whose message is too large', clientStream, { part: Buffer.alloc(16000, 0xff) });
  returned('padding', clientStream, { flags: PADDED, part: padded(Buffer.alloc(1, 0), 255) });
});

withServer('a frame on a closed stream is found wherever reads split it', {}, async (server) => {
  const late = frame(DATA, 0, 1, Buffer.from('late'));
  for (let cut = 1; cut < late.length; cut++) {
    const c = await connect(server.port);
    c.send(headers(1, GET));
    await c.wait((f) => f.stream === 1 && f.flags & END_STREAM, 'the end of the answer');
    await c.send(ping('to split'), late.subarray(0, cut));
    await sleep(2);
    c.send(late.subarray(cut), ping('to split'));
    assert.equal((await c.wait(isGoaway, `GOAWAY at ${cut}`)).code, STREAM_CLOSED);
    await ended(c);
  }
});

withServer('connections that have worked are as small again', {}, async (server, t) => {
  const work = async (c) => {
    for (let i = 0; i < 300; i++) {
      c.send(call(2 * i + 1));
      await c.wait((f) => f.type === HEADERS && f.flags & END_STREAM, 'the end of the call');
    }
  };
  const n = 60, first = await connect(server.port);
  await work(first);
  const rss = server.rss(), connections = [first];
  for (let i = 0; i < n; i++) {
    const c = await connect(server.port);
    await work(c);
    connections.push(c);
  }
  const each = (server.rss() - rss) / n;
  t.diagnostic(`${Math.round(each)} bytes each`);
  for (const c of connections) c.destroy();
  assert.ok(each <= 24 * 1024, `${each} bytes each`);
});

withServer('idle connections cost at most 20 KB each, also behind a call', {}, async (server, t) => {
  const n = 2000, before = [];
  for (let i = 0; i < 200; i++) before.push(await connect(server.port)); // what grows once
  const rss = server.rss();
  const idle = [];
  for (let i = 0; i < n; i++) {
    const c = await connect(server.port);
    c.send(call(1));
    await c.wait((f) => f.type === HEADERS && f.flags & END_STREAM, 'the end of the call');
    idle.push(c);
  }
  const each = (server.rss() - rss) / n;
  t.diagnostic(`${Math.round(each)} bytes each`);
  for (const c of [...before, ...idle]) c.destroy();
  assert.ok(each <= 20 * 1024, `${each} bytes each`);
});
