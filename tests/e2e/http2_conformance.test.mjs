// SPDX-License-Identifier: Apache-2.0
// What RFC 9113 (HTTP/2; sections as in RFC 7540), RFC 7541 (HPACK) and plain use demand of a server, frame by frame. One test per case,
// each on a connection of its own. "1" to "5" are what every client does; the others name the section that asks for it.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  ACK, CANCEL, COMPRESSION_ERROR, CONTINUATION, Connection, DATA, ENABLE_PUSH, END_HEADERS, END_STREAM, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR,
  GET, GOAWAY, HEADERS, HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS, MAX_FRAME_SIZE, PADDED, PING, POST, PREFACE, PRIORITY,
  PROTOCOL_ERROR, PUSH_PROMISE, REFUSED_STREAM, RST_STREAM, SETTINGS, STREAM_CLOSED, WINDOW_UPDATE, WITH_PRIORITY, block, connect, frame,
  goaway, headers, integer, literal, padded, ping, priority, rst, settings, u32, windowUpdate,
} from './http2/frames.mjs';
import { startServer } from './http2/server.mjs';

let server;
before(async () => { server = await startServer(); });
after(async () => { await server.stop(); });

const OPEN = END_HEADERS; // flags of a HEADERS frame behind which a body follows
const TEST = Buffer.from('test');
const MAX_FRAME = 16384, MAX_WINDOW = 0x7fffffff;

/** A case: run(connection) behind a handshake with these SETTINGS. */
function check(name, run, entries) {
  test(name, async () => {
    const connection = await connect(server.port, entries);
    try {
      await run(connection);
    } finally {
      connection.destroy();
    }
  });
}
const answered = (c, stream = 1) => c.wait((f) => f.type === HEADERS && f.stream === stream, `the answer on stream ${stream}`);
const ended = (c, stream = 1) => c.wait((f) => f.stream === stream && f.flags & END_STREAM && (f.type === DATA || f.type === HEADERS), `the end of stream ${stream}`);
async function pong(c) {
  c.send(ping('aliveyet'));
  const found = await c.wait((f) => f.type === PING && f.flags & ACK, 'the PING');
  assert.equal(found.payload.toString(), 'aliveyet');
}
async function connectionError(c, ...codes) {
  const found = await c.wait((f) => f.type === GOAWAY, 'GOAWAY');
  assert.ok(codes.includes(found.code), `GOAWAY with ${found.code}, not ${codes}`);
}
async function streamError(c, ...codes) {
  const found = await c.wait((f) => f.type === GOAWAY || f.type === RST_STREAM, 'RST_STREAM');
  assert.ok(codes.includes(found.code), `the error is ${found.code}, not ${codes}`);
}
/** A request that must be refused for its header block. */
const refused = (name, fields, flags) => check(name, async (c) => {
  c.send(headers(1, fields, flags));
  await streamError(c, PROTOCOL_ERROR);
});
/** A request whose header block is as it should be, if strange. */
const accepted = (name, bytes) => check(name, async (c) => {
  c.send(headers(1, bytes));
  await answered(c);
});

describe('plain use', () => {
  test('1/1 a client preface is answered with SETTINGS', async () => {
    const c = new Connection(server.port);
    await c.opened;
    c.send(PREFACE, settings());
    const first = await c.wait(() => true, 'a frame');
    assert.equal(first.type, SETTINGS);
    assert.equal(first.flags & ACK, 0);
    c.destroy();
  });
  check('2/1 PRIORITY on an idle stream', async (c) => { c.send(priority(1)); await pong(c); });
  check('2/2 WINDOW_UPDATE on a half-closed stream', async (c) => {
    c.send(headers(1, GET), windowUpdate(1, 1));
    await c.wait((f) => f.type === DATA && f.stream === 1, 'DATA');
  }, { [INITIAL_WINDOW_SIZE]: 0 });
  check('2/3 PRIORITY on a half-closed stream', async (c) => {
    c.send(headers(1, GET), priority(1), windowUpdate(1, 1));
    await c.wait((f) => f.type === DATA && f.stream === 1, 'DATA');
  }, { [INITIAL_WINDOW_SIZE]: 0 });
  check('2/4 RST_STREAM on a half-closed stream', async (c) => { c.send(headers(1, GET), rst(1)); await pong(c); });
  check('2/5 PRIORITY on a closed stream', async (c) => {
    c.send(headers(1, GET));
    await ended(c);
    c.send(priority(1));
    await pong(c);
  });
  check('3.1/1 a DATA frame', async (c) => { c.send(headers(1, POST, OPEN), frame(DATA, END_STREAM, 1, TEST)); await answered(c); });
  check('3.1/2 several DATA frames', async (c) => {
    c.send(headers(1, POST, OPEN), frame(DATA, 0, 1, TEST), frame(DATA, END_STREAM, 1, TEST));
    await answered(c);
  });
  check('3.1/3 a padded DATA frame', async (c) => {
    c.send(headers(1, POST, OPEN), frame(DATA, PADDED | END_STREAM, 1, padded(TEST, 8)));
    await answered(c);
  });
  check('3.2/1 a HEADERS frame', async (c) => { c.send(headers(1, GET)); await answered(c); });
  check('3.2/2 a padded HEADERS frame', async (c) => {
    c.send(headers(1, padded(block(GET), 8), END_HEADERS | END_STREAM | PADDED));
    await answered(c);
  });
  check('3.2/3 a HEADERS frame with a priority', async (c) => {
    c.send(headers(1, Buffer.concat([u32(0), Buffer.from([255]), block(GET)]), END_HEADERS | END_STREAM | WITH_PRIORITY));
    await answered(c);
  });
  const prioritised = (name, ...frames) => check(name, async (c) => { c.send(...frames, headers(1, GET)); await answered(c); });
  prioritised('3.3/1 PRIORITY with weight 1', priority(1, 0, 0));
  prioritised('3.3/2 PRIORITY with weight 256', priority(1, 0, 255));
  prioritised('3.3/3 PRIORITY with a dependency', priority(3, 0), priority(1, 3));
  prioritised('3.3/4 PRIORITY with an exclusive dependency', priority(3, 0), priority(1, (0x80000000 | 3) >>> 0));
  prioritised('3.3/5 PRIORITY on an idle stream, then a request on a lower one', priority(3));
  check('3.4/1 RST_STREAM', async (c) => { c.send(headers(1, GET, OPEN), rst(1)); await pong(c); });
  check('3.5/1 SETTINGS is acknowledged', async (c) => {
    c.send(settings({ [MAX_CONCURRENT_STREAMS]: 100 }));
    await c.wait((f) => f.type === SETTINGS && f.flags & ACK, 'the acknowledgement');
  });
  check('3.7/1 PING comes back', pong);
  check('3.8/1 GOAWAY: what is said before still counts', async (c) => {
    c.send(goaway(0, 0), ping('aliveyet'));
    const found = await c.find((f) => f.type === PING && f.flags & ACK);
    assert.notEqual(found, undefined);
  });
  check('3.9/1 WINDOW_UPDATE of the connection', async (c) => {
    c.send(windowUpdate(0, 1), headers(1, GET));
    await answered(c);
  });
  check('3.9/2 WINDOW_UPDATE of a stream', async (c) => {
    c.send(headers(1, GET), windowUpdate(1, 1));
    await c.wait((f) => f.type === DATA && f.payload.length === 1, 'one byte of DATA');
  }, { [INITIAL_WINDOW_SIZE]: 0 });
  check('3.10/1 a CONTINUATION frame', async (c) => {
    c.send(headers(1, block(GET.slice(0, 2)), END_STREAM), frame(CONTINUATION, END_HEADERS, 1, block(GET.slice(2))));
    await answered(c);
  });
  check('3.10/2 several CONTINUATION frames', async (c) => {
    c.send(headers(1, block(GET.slice(0, 2)), END_STREAM), frame(CONTINUATION, 0, 1, block(GET.slice(2, 3))),
      frame(CONTINUATION, END_HEADERS, 1, block(GET.slice(3))));
    await answered(c);
  });
  accepted('4/1 GET', GET);
  accepted('4/2 HEAD', [[':method', 'HEAD'], ...GET.slice(1)]);
  check('4/3 POST', async (c) => { c.send(headers(1, POST, OPEN), frame(DATA, END_STREAM, 1, TEST)); await answered(c); });
  check('4/4 POST with trailers', async (c) => {
    c.send(headers(1, [...POST, ['trailer', 'x-test']], OPEN), frame(DATA, 0, 1, TEST), headers(1, [['x-test', 'ok']]));
    await answered(c);
  });

  // "user-agent" and "x-test" with "plankton", plain and in Huffman code
  const plain = { 'user-agent': '0a757365722d6167656e74', 'x-test': '06782d74657374', value: '06683273706563' };
  const huffman = { 'user-agent': '87b505b161cc5a93', 'x-test': '85f2b24a84ff', value: '849c48aca4' };
  const field = (first, code, name) => Buffer.concat([block(GET), Buffer.from(first + (name ? code[name] : '') + code.value, 'hex')]);
  accepted('5/1 an indexed field', Buffer.concat([block(GET), Buffer.from([0xba])]));
  accepted('5/2 a literal with indexing, indexed name', field('7a', plain));
  accepted('5/3 a literal with indexing, indexed name, Huffman', field('7a', huffman));
  accepted('5/4 a literal with indexing, new name', field('40', plain, 'x-test'));
  accepted('5/5 a literal with indexing, new name, Huffman', field('40', huffman, 'x-test'));
  accepted('5/6 a literal without indexing, indexed name', field('0f2b', plain));
  accepted('5/7 a literal without indexing, indexed name, Huffman', field('0f2b', huffman));
  accepted('5/8 a literal without indexing, new name', field('00', plain, 'user-agent'));
  accepted('5/9 a literal without indexing, new name, Huffman', field('00', huffman, 'user-agent'));
  accepted('5/10 a literal never indexed, indexed name', field('1f2b', plain));
  accepted('5/11 a literal never indexed, indexed name, Huffman', field('1f2b', huffman));
  accepted('5/12 a literal never indexed, new name', field('10', plain, 'x-test'));
  accepted('5/13 a literal never indexed, new name, Huffman', field('10', huffman, 'x-test'));
  accepted('5/14 an update of the dynamic table\'s size', Buffer.concat([Buffer.from([0x20]), block(GET)]));
  accepted('5/15 two updates of the dynamic table\'s size', Buffer.concat([Buffer.from([0x20]), integer(0x20, 5, 4096), block(GET)]));
});

describe('RFC 9113 connection and frames', () => {
  check('3.5/1 the preface opens the connection', pong);
  test('3.5/2 a wrong preface ends it', async () => {
    const c = new Connection(server.port);
    await c.opened;
    c.send(Buffer.from('INVALID CONNECTION PREFACE\r\n\r\n'));
    assert.notEqual(await c.find((f) => f.type === GOAWAY), undefined);
    c.destroy();
  });
  check('4.1/1 a frame of unknown type is ignored', async (c) => { c.send(frame(0xff, 0, 0, Buffer.alloc(8))); await pong(c); });
  check('4.1/2 unknown flags are ignored', async (c) => {
    c.send(ping('flagflag', 0x16));
    await c.wait((f) => f.type === PING && f.flags & ACK, 'the PING');
  });
  check('4.1/3 the reserved bit is ignored', async (c) => {
    c.send(frame(PING, 0, 0x80000000, Buffer.from('reserved')));
    await c.wait((f) => f.type === PING && f.flags & ACK, 'the PING');
  });
  check('4.2/1 DATA of 2^14 bytes', async (c) => {
    c.send(headers(1, POST, OPEN), frame(DATA, END_STREAM, 1, Buffer.alloc(MAX_FRAME, 'x')));
    await answered(c);
  });
  check('4.2/2 DATA over the frame size', async (c) => {
    c.send(headers(1, POST, OPEN), frame(DATA, END_STREAM, 1, Buffer.alloc(MAX_FRAME + 1, 'x')));
    await streamError(c, FRAME_SIZE_ERROR);
  });
  check('4.2/3 HEADERS over the frame size', async (c) => {
    c.send(headers(1, [...GET, ...Array.from({ length: 5 }, (_, i) => [`x-dummy${i}`, 'x'.repeat(4096)])]));
    await connectionError(c, FRAME_SIZE_ERROR);
  });
  check('4.3/1 a header block that cannot be decoded', async (c) => {
    c.send(headers(1, Buffer.from([0x40])));
    await connectionError(c, COMPRESSION_ERROR);
  });
  check('4.3/2 PRIORITY within a header block', async (c) => {
    c.send(headers(1, GET, 0), priority(1), frame(CONTINUATION, END_HEADERS, 1, literal('x-a', 'b')));
    await connectionError(c, PROTOCOL_ERROR);
  });
  check('4.3/3 HEADERS of another stream within a header block', async (c) => {
    c.send(headers(1, GET, 0), headers(3, GET), frame(CONTINUATION, END_HEADERS, 1, literal('x-a', 'b')));
    await connectionError(c, PROTOCOL_ERROR);
  });
});

describe('RFC 9113 streams', () => {
  check('5.1/1 idle: DATA', async (c) => { c.send(frame(DATA, END_STREAM, 1, TEST)); await connectionError(c, PROTOCOL_ERROR); });
  check('5.1/2 idle: RST_STREAM', async (c) => { c.send(rst(1)); await connectionError(c, PROTOCOL_ERROR); });
  check('5.1/3 idle: WINDOW_UPDATE', async (c) => { c.send(windowUpdate(1, 100)); await connectionError(c, PROTOCOL_ERROR); });
  check('5.1/4 idle: CONTINUATION', async (c) => {
    c.send(frame(CONTINUATION, END_HEADERS, 1, block(GET)));
    await connectionError(c, PROTOCOL_ERROR);
  });
  check('5.1/5 half-closed: DATA', async (c) => {
    c.send(headers(1, GET), frame(DATA, END_STREAM, 1, TEST));
    await streamError(c, STREAM_CLOSED);
  });
  check('5.1/6 half-closed: HEADERS', async (c) => { c.send(headers(1, GET), headers(1, GET)); await streamError(c, STREAM_CLOSED); });
  check('5.1/7 half-closed: CONTINUATION', async (c) => {
    c.send(headers(1, GET), frame(CONTINUATION, END_HEADERS, 1, block(GET)));
    await streamError(c, STREAM_CLOSED, PROTOCOL_ERROR);
  });
  check('5.1/8 reset: DATA', async (c) => {
    c.send(headers(1, GET, OPEN), rst(1), frame(DATA, END_STREAM, 1, TEST));
    await streamError(c, STREAM_CLOSED);
  });
  check('5.1/9 reset: HEADERS', async (c) => {
    c.send(headers(1, GET, OPEN), rst(1), headers(1, GET));
    await streamError(c, STREAM_CLOSED);
  });
  check('5.1/10 reset: CONTINUATION', async (c) => {
    c.send(headers(1, GET, OPEN), rst(1), frame(CONTINUATION, END_HEADERS, 1, literal('x-a', 'b')));
    await streamError(c, STREAM_CLOSED, PROTOCOL_ERROR);
  });
  const closed = (name, late, ...codes) => check(name, async (c) => {
    c.send(headers(1, GET));
    await ended(c);
    c.send(late);
    await connectionError(c, ...codes);
  });
  closed('5.1/11 closed: DATA', frame(DATA, END_STREAM, 1, TEST), STREAM_CLOSED);
  closed('5.1/12 closed: HEADERS', headers(1, GET), STREAM_CLOSED);
  closed('5.1/13 closed: CONTINUATION', frame(CONTINUATION, END_HEADERS, 1, block(GET)), STREAM_CLOSED, PROTOCOL_ERROR);
  check('5.1.1/1 an even stream id', async (c) => { c.send(headers(2, GET)); await connectionError(c, PROTOCOL_ERROR); });
  // The one exception: RFC 9113 asks for a connection error of type PROTOCOL_ERROR. nghttp2 ignores such a HEADERS frame on purpose, since
  // it cannot tell it from one for a stream that it has forgotten. Nothing may come of it, and the connection must go on.
  check('5.1.1/2 a smaller stream id is ignored', async (c) => {
    c.send(headers(5, GET));
    await answered(c, 5);
    await ended(c, 5);
    c.send(headers(3, GET));
    c.send(ping('aliveyet'));
    const found = await c.wait((f) => f.stream === 3 || f.type === GOAWAY || (f.type === PING && f.flags & ACK), 'a frame');
    assert.equal(found.type, PING);
    c.send(headers(7, GET));
    await answered(c, 7);
  });
  test('5.1.2/1 more streams than allowed', async () => {
    const c = new Connection(server.port);
    await c.opened;
    c.send(PREFACE, settings({ [INITIAL_WINDOW_SIZE]: 0 }));
    const own = await c.wait((f) => f.type === SETTINGS && !(f.flags & ACK), 'SETTINGS');
    let limit = 0;
    for (let at = 0; at < own.payload.length; at += 6)
      if (own.payload.readUInt16BE(at) === MAX_CONCURRENT_STREAMS) limit = own.payload.readUInt32BE(at + 2);
    assert.ok(limit >= 100);
    await c.send(...Array.from({ length: limit + 1 }, (_, i) => headers(2 * i + 1, GET)));
    await streamError(c, PROTOCOL_ERROR, REFUSED_STREAM);
    c.destroy();
  });
  check('5.3.1/1 HEADERS that depends on itself', async (c) => {
    c.send(headers(1, Buffer.concat([u32(1), Buffer.from([255]), block(GET)]), END_HEADERS | END_STREAM | WITH_PRIORITY));
    await streamError(c, PROTOCOL_ERROR);
  });
  check('5.3.1/2 PRIORITY that depends on itself', async (c) => { c.send(priority(2, 2)); await streamError(c, PROTOCOL_ERROR); });
  check('5.4.1/1 a connection error closes the connection', async (c) => {
    c.send(frame(PING, 0, 3, Buffer.alloc(8)));
    const found = await c.find(() => false);
    assert.equal(found, null);
  });
  check('5.4.1/2 a connection error is told by GOAWAY', async (c) => {
    c.send(frame(PING, 0, 3, Buffer.alloc(8)));
    await connectionError(c, PROTOCOL_ERROR);
  });
  check('5.5/1 an unknown extension frame', async (c) => { c.send(frame(0x16, 0, 0, Buffer.alloc(8))); await pong(c); });
  check('5.5/2 an unknown extension frame within a header block', async (c) => {
    c.send(headers(1, GET, END_STREAM), frame(0x16, 0, 0, Buffer.alloc(8)), frame(CONTINUATION, END_HEADERS, 1, literal('x-a', 'b')));
    await connectionError(c, PROTOCOL_ERROR);
  });
});

/** A frame behind the handshake that must end the connection. */
const broken = (name, bytes, ...codes) => check(name, async (c) => { c.send(bytes); await connectionError(c, ...codes); });

describe('RFC 9113 frame definitions', () => {
  broken('6.1/1 DATA on stream 0', frame(DATA, END_STREAM, 0, TEST), PROTOCOL_ERROR);
  check('6.1/2 DATA on a stream that is not open', async (c) => {
    c.send(headers(1, GET), frame(DATA, END_STREAM, 1, TEST));
    await streamError(c, STREAM_CLOSED);
  });
  check('6.1/3 DATA with more padding than payload', async (c) => {
    c.send(headers(1, POST, OPEN), frame(DATA, END_STREAM | PADDED, 1, Buffer.from([6, ...TEST])));
    await connectionError(c, PROTOCOL_ERROR);
  });
  check('6.2/1 HEADERS without END_HEADERS, then PRIORITY', async (c) => {
    c.send(headers(1, GET, END_STREAM), priority(1));
    await connectionError(c, PROTOCOL_ERROR);
  });
  check('6.2/2 HEADERS without END_HEADERS, then HEADERS of another stream', async (c) => {
    c.send(headers(1, GET, END_STREAM), headers(3, GET));
    await connectionError(c, PROTOCOL_ERROR);
  });
  broken('6.2/3 HEADERS on stream 0', headers(0, GET), PROTOCOL_ERROR);
  broken('6.2/4 HEADERS with more padding than payload',
    headers(1, Buffer.concat([Buffer.from([255]), block(GET)]), END_HEADERS | END_STREAM | PADDED), PROTOCOL_ERROR);
  broken('6.3/1 PRIORITY on stream 0', priority(0), PROTOCOL_ERROR);
  check('6.3/2 PRIORITY of a wrong length', async (c) => {
    c.send(headers(1, POST, OPEN), frame(PRIORITY, 0, 1, Buffer.from([0x80, 0, 0, 1])));
    await streamError(c, FRAME_SIZE_ERROR);
  });
  broken('6.4/1 RST_STREAM on stream 0', rst(0), PROTOCOL_ERROR);
  broken('6.4/2 RST_STREAM on an idle stream', rst(1), PROTOCOL_ERROR);
  check('6.4/3 RST_STREAM of a wrong length', async (c) => {
    c.send(headers(1, POST, OPEN), frame(RST_STREAM, 0, 1, Buffer.from([0, 0, 0])));
    await connectionError(c, FRAME_SIZE_ERROR);
  });
  broken('6.5/1 an acknowledgement of SETTINGS with a payload', frame(SETTINGS, ACK, 0, Buffer.from([0])), FRAME_SIZE_ERROR);
  broken('6.5/2 SETTINGS on a stream', frame(SETTINGS, 0, 1, Buffer.from([0, 3, 0, 0, 0, 100])), PROTOCOL_ERROR);
  broken('6.5/3 SETTINGS of a wrong length', frame(SETTINGS, 0, 0, Buffer.from([0, 3, 0])), FRAME_SIZE_ERROR);
  broken('6.5.2/1 ENABLE_PUSH that is neither 0 nor 1', settings({ [ENABLE_PUSH]: 2 }), PROTOCOL_ERROR);
  broken('6.5.2/2 INITIAL_WINDOW_SIZE over 2^31-1', settings({ [INITIAL_WINDOW_SIZE]: 0x80000000 }), FLOW_CONTROL_ERROR);
  broken('6.5.2/3 MAX_FRAME_SIZE below 2^14', settings({ [MAX_FRAME_SIZE]: 16383 }), PROTOCOL_ERROR);
  broken('6.5.2/4 MAX_FRAME_SIZE over 2^24-1', settings({ [MAX_FRAME_SIZE]: 16777216 }), PROTOCOL_ERROR);
  check('6.5.2/5 an unknown setting', async (c) => { c.send(settings({ 255: 1 })); await pong(c); });
  check('6.5.3/1 of two values of a setting the last counts', async (c) => {
    c.send(frame(SETTINGS, 0, 0, Buffer.from([0, 4, 0, 0, 0, 100, 0, 4, 0, 0, 0, 1])), headers(1, GET));
    const data = await c.wait((f) => f.type === DATA && f.stream === 1, 'DATA');
    assert.equal(data.payload.length, 1);
  });
  check('6.5.3/2 SETTINGS is acknowledged', async (c) => {
    c.send(settings({ [ENABLE_PUSH]: 0 }));
    await c.wait((f) => f.type === SETTINGS && f.flags & ACK, 'the acknowledgement');
  });
  check('6.7/1 PING comes back with its bytes', pong);
  check('6.7/2 an acknowledgement of a PING is not answered', async (c) => {
    c.send(ping('unwanted', ACK), ping('wanted!!'));
    const found = await c.wait((f) => f.type === PING, 'a PING');
    assert.equal(found.payload.toString(), 'wanted!!');
  });
  broken('6.7/3 PING on a stream', frame(PING, 0, 1, Buffer.alloc(8)), PROTOCOL_ERROR);
  broken('6.7/4 PING of a wrong length', frame(PING, 0, 0, Buffer.alloc(6)), FRAME_SIZE_ERROR);
  broken('6.8/1 GOAWAY on a stream', frame(GOAWAY, 0, 1, Buffer.concat([u32(0), u32(0)])), PROTOCOL_ERROR);
  broken('6.9/1 WINDOW_UPDATE of 0', windowUpdate(0, 0), PROTOCOL_ERROR);
  check('6.9/2 WINDOW_UPDATE of 0 on a stream', async (c) => {
    c.send(headers(1, GET, OPEN), windowUpdate(1, 0));
    await streamError(c, PROTOCOL_ERROR);
  });
  broken('6.9/3 WINDOW_UPDATE of a wrong length', frame(WINDOW_UPDATE, 0, 0, Buffer.from([0, 0, 1])), FRAME_SIZE_ERROR);
  check('6.9.1/1 no more DATA than the window', async (c) => {
    c.send(headers(1, GET));
    const data = await c.wait((f) => f.type === DATA && f.stream === 1, 'DATA');
    assert.equal(data.payload.length, 1);
  }, { [INITIAL_WINDOW_SIZE]: 1 });
  broken('6.9.1/2 a connection window over 2^31-1', Buffer.concat([windowUpdate(0, MAX_WINDOW), windowUpdate(0, MAX_WINDOW)]), FLOW_CONTROL_ERROR);
  check('6.9.1/3 a stream window over 2^31-1', async (c) => {
    c.send(headers(1, GET, OPEN), windowUpdate(1, MAX_WINDOW), windowUpdate(1, MAX_WINDOW));
    await streamError(c, FLOW_CONTROL_ERROR);
  });
  check('6.9.2/1 a new INITIAL_WINDOW_SIZE changes open streams', async (c) => {
    c.send(headers(1, GET));
    await answered(c);
    c.send(settings({ [INITIAL_WINDOW_SIZE]: 1 }));
    const data = await c.wait((f) => f.type === DATA && f.stream === 1, 'DATA');
    assert.equal(data.payload.length, 1);
  }, { [INITIAL_WINDOW_SIZE]: 0 });
  check('6.9.2/2 a window may become negative', async (c) => {
    c.send(headers(1, GET));
    const first = await c.wait((f) => f.type === DATA && f.stream === 1, 'DATA');
    assert.equal(first.payload.length, 3);
    c.send(settings({ [INITIAL_WINDOW_SIZE]: 2 }), windowUpdate(1, 2));
    const data = await c.wait((f) => f.type === DATA && f.stream === 1, 'DATA');
    assert.equal(data.payload.length, 1);
  }, { [INITIAL_WINDOW_SIZE]: 3 });
  broken('6.9.2/3 INITIAL_WINDOW_SIZE over the maximum', settings({ [INITIAL_WINDOW_SIZE]: 0x80000000 }), FLOW_CONTROL_ERROR);
  check('6.10/1 HEADERS, then several CONTINUATION', async (c) => {
    c.send(headers(1, GET, END_STREAM), frame(CONTINUATION, 0, 1, literal('x-a', 'b')), frame(CONTINUATION, END_HEADERS, 1, literal('x-c', 'd')));
    await answered(c);
  });
  check('6.10/2 CONTINUATION, then something else', async (c) => {
    c.send(headers(1, GET, END_STREAM), frame(CONTINUATION, 0, 1, literal('x-a', 'b')), frame(DATA, END_STREAM, 1, TEST));
    await connectionError(c, PROTOCOL_ERROR);
  });
  check('6.10/3 CONTINUATION on stream 0', async (c) => {
    c.send(headers(1, GET, END_STREAM), frame(CONTINUATION, END_HEADERS, 0, literal('x-a', 'b')));
    await connectionError(c, PROTOCOL_ERROR);
  });
  broken('6.10/4 CONTINUATION behind HEADERS with END_HEADERS',
    Buffer.concat([headers(1, GET, OPEN), frame(CONTINUATION, END_HEADERS, 1, literal('x-a', 'b'))]), PROTOCOL_ERROR);
  broken('6.10/5 CONTINUATION behind CONTINUATION with END_HEADERS',
    Buffer.concat([headers(1, GET, 0), frame(CONTINUATION, END_HEADERS, 1, literal('x-a', 'b')), frame(CONTINUATION, END_HEADERS, 1, literal('x-c', 'd'))]),
    PROTOCOL_ERROR);
  broken('6.10/6 CONTINUATION behind DATA',
    Buffer.concat([headers(1, POST, OPEN), frame(DATA, 0, 1, TEST), frame(CONTINUATION, END_HEADERS, 1, literal('x-a', 'b'))]), PROTOCOL_ERROR);
  check('7/1 GOAWAY with an unknown code', async (c) => {
    c.send(goaway(0, 0xff), ping('aliveyet'));
    assert.notEqual(await c.find((f) => f.type === PING && f.flags & ACK), undefined);
  });
  check('7/2 RST_STREAM with an unknown code', async (c) => { c.send(headers(1, GET, OPEN), rst(1, 0xff)); await pong(c); });
});

describe('RFC 9113 requests', () => {
  check('8.1/1 a second HEADERS frame without END_STREAM', async (c) => {
    c.send(headers(1, POST, OPEN), frame(DATA, 0, 1, TEST), headers(1, [['x-test', 'ok']], OPEN));
    await streamError(c, PROTOCOL_ERROR);
  });
  refused('8.1.2/1 an upper-case name', [...GET, ['X-TEST', 'ok']]);
  refused('8.1.2.1/1 an unknown pseudo-header', [...GET, [':test', 'ok']]);
  refused('8.1.2.1/2 a pseudo-header of responses', [...GET, [':status', '200']]);
  check('8.1.2.1/3 a pseudo-header in the trailers', async (c) => {
    c.send(headers(1, POST, OPEN), frame(DATA, 0, 1, TEST), headers(1, [[':method', 'GET']]));
    await streamError(c, PROTOCOL_ERROR);
  });
  refused('8.1.2.1/4 a pseudo-header behind a field', [...GET.slice(0, 3), ['x-test', 'ok'], GET[3]]);
  refused('8.1.2.2/1 connection', [...GET, ['connection', 'keep-alive']]);
  refused('8.1.2.2/2 te that is not trailers', [...GET, ['te', 'trailers, deflate;q=0.5']]);
  refused('8.1.2.3/1 an empty :path', [...GET.filter(([name]) => name !== ':path'), [':path', '']]);
  for (const [i, name] of [':method', ':scheme', ':path'].entries()) {
    refused(`8.1.2.3/${i + 2} no ${name}`, GET.filter(([other]) => other !== name));
    refused(`8.1.2.3/${i + 5} ${name} twice`, [...GET, GET.find(([other]) => other === name)]);
  }
  check('8.1.2.6/1 content-length that is not that of DATA', async (c) => {
    c.send(headers(1, [...POST, ['content-length', '1']], OPEN), frame(DATA, END_STREAM, 1, TEST));
    await streamError(c, PROTOCOL_ERROR);
  });
  check('8.1.2.6/2 content-length that is not that of several DATA', async (c) => {
    c.send(headers(1, [...POST, ['content-length', '1']], OPEN), frame(DATA, 0, 1, TEST), frame(DATA, END_STREAM, 1, TEST));
    await streamError(c, PROTOCOL_ERROR);
  });
  broken('8.2/1 PUSH_PROMISE of a client', Buffer.concat([headers(1, GET, OPEN), frame(PUSH_PROMISE, END_HEADERS, 1, Buffer.concat([u32(3), block(GET)]))]),
    PROTOCOL_ERROR);
});

describe('RFC 7541', () => {
  const undecodable = (name, tail, entries) => check(name, async (c) => {
    c.send(headers(1, Buffer.concat([block(GET), Buffer.from(tail)])));
    await connectionError(c, COMPRESSION_ERROR);
  }, entries);
  undecodable('2.3.3/1 an index outside the tables', [0xc6]);
  undecodable('2.3.3/2 a literal whose name has an index outside the tables', [0x7f, 0x07, 0x05, ...Buffer.from('value')]);
  undecodable('4.2/1 a size update at the end of a block', [0x21], { [HEADER_TABLE_SIZE]: 0 });
  const text = (...bytes) => [0x00, 0x01, 0x78, 0x80 | bytes.length, ...bytes];
  undecodable('5.2/1 Huffman padding of more than 7 bits', text(0x1c, 0x64, 0xff, 0xff, 0xff));
  undecodable('5.2/2 Huffman padding of zeros', text(0x00));
  undecodable('5.2/3 the Huffman end of string', text(0xff, 0xff, 0xff, 0xfa, 0x8d));
  undecodable('6.1/1 index 0', [0x80]);
  check('6.3/1 a size update over SETTINGS_HEADER_TABLE_SIZE', async (c) => {
    c.send(headers(1, Buffer.concat([integer(0x20, 5, 65536), block(GET)])));
    await connectionError(c, COMPRESSION_ERROR);
  });
});
