// SPDX-License-Identifier: Apache-2.0
// HTTP/2 by hand: frames that are written byte by byte and read one by one, header blocks of HPACK literals. For what no client library
// would send.
import net from 'node:net';
import tls from 'node:tls';

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
export const DATA = 0, HEADERS = 1, PRIORITY = 2, RST_STREAM = 3, SETTINGS = 4, PUSH_PROMISE = 5, PING = 6, GOAWAY = 7, WINDOW_UPDATE = 8,
  CONTINUATION = 9;
export const END_STREAM = 1, ACK = 1, END_HEADERS = 4, PADDED = 8, WITH_PRIORITY = 32;
export const NO_ERROR = 0, PROTOCOL_ERROR = 1, INTERNAL_ERROR = 2, FLOW_CONTROL_ERROR = 3, SETTINGS_TIMEOUT = 4, STREAM_CLOSED = 5,
  FRAME_SIZE_ERROR = 6, REFUSED_STREAM = 7, CANCEL = 8, COMPRESSION_ERROR = 9, ENHANCE_YOUR_CALM = 11;
export const HEADER_TABLE_SIZE = 1, ENABLE_PUSH = 2, MAX_CONCURRENT_STREAMS = 3, INITIAL_WINDOW_SIZE = 4, MAX_FRAME_SIZE = 5;
const WAIT_MS = 4000; // for a frame that must come

export function u32(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

export function frame(type, flags, stream, payload = Buffer.alloc(0)) {
  const body = Buffer.from(payload);
  const head = Buffer.alloc(9);
  head.writeUIntBE(body.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream >>> 0, 5);
  return Buffer.concat([head, body]);
}

export const settings = (entries = {}) => frame(SETTINGS, 0, 0, Buffer.concat(Object.entries(entries).map(([id, value]) => {
  const entry = Buffer.alloc(6);
  entry.writeUInt16BE(Number(id));
  entry.writeUInt32BE(value, 2);
  return entry;
})));
export const ping = (text = 'pingpong', flags = 0) => frame(PING, flags, 0, Buffer.from(text));
export const windowUpdate = (stream, n) => frame(WINDOW_UPDATE, 0, stream, u32(n));
export const rst = (stream, code = CANCEL) => frame(RST_STREAM, 0, stream, u32(code));
export const goaway = (last, code) => frame(GOAWAY, 0, 0, Buffer.concat([u32(last), u32(code)]));
export const priority = (stream, on = 0, weight = 255) => frame(PRIORITY, 0, stream, Buffer.concat([u32(on), Buffer.from([weight])]));
export const padded = (body, n) => Buffer.concat([Buffer.from([n]), body, Buffer.alloc(n)]);

/** An HPACK integer behind the bits of its first byte. */
export function integer(first, bits, value) {
  const max = (1 << bits) - 1;
  if (value < max) return Buffer.from([first | value]);
  const bytes = [first | max];
  for (value -= max; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  return Buffer.from([...bytes, value]);
}
const string = (text) => Buffer.concat([integer(0, 7, Buffer.byteLength(text)), Buffer.from(text)]);
/** A literal field; first: 0x00 without indexing, 0x40 with, 0x10 never. */
export const literal = (name, value, first = 0) => Buffer.concat([Buffer.from([first]), string(name), string(value)]);
export const block = (fields, first = 0) => Buffer.concat(fields.map(([name, value]) => literal(name, value, first)));
export const headers = (stream, fields, flags = END_HEADERS | END_STREAM) =>
  frame(HEADERS, flags, stream, Buffer.isBuffer(fields) ? fields : block(fields));

export const GET = [[':method', 'GET'], [':scheme', 'http'], [':path', '/'], [':authority', 'test']];
export const POST = [[':method', 'POST'], ...GET.slice(1)];
export const grpc = (path) => [[':method', 'POST'], [':scheme', 'http'], [':path', path], [':authority', 'test'],
  ['content-type', 'application/grpc'], ['te', 'trailers']];
export function message(body = Buffer.alloc(0)) {
  return Buffer.concat([Buffer.from([0]), u32(body.length), body]);
}

/** One connection: send() bytes, next() frame, wait() for one that fits. What the peer sends before its end is kept for reading. */
export class Connection {
  frames = [];
  closed = false;
  window = 65535; // bytes of DATA that the peer takes on the connection
  #buffer = Buffer.alloc(0);
  #wake = () => {};

  /** With secure over TLS, whoever the server is. */
  constructor(port, secure = false) {
    const to = { port, host: '127.0.0.1', noDelay: true };
    this.socket = secure ? tls.connect({ ...to, ALPNProtocols: ['h2'], rejectUnauthorized: false }) : net.connect(to);
    this.socket.on('data', (bytes) => this.#take(bytes));
    this.socket.on('error', () => {});
    this.socket.on('close', () => { this.closed = true; this.#wake(); });
    this.socket.on('end', () => { this.closed = true; this.#wake(); });
    this.opened = new Promise((done) => { this.socket.once(secure ? 'secureConnect' : 'connect', done); this.socket.once('close', done); });
  }

  #take(bytes) {
    this.#buffer = Buffer.concat([this.#buffer, bytes]);
    while (this.#buffer.length >= 9) {
      const length = this.#buffer.readUIntBE(0, 3);
      if (this.#buffer.length < 9 + length) break;
      const [type, flags, stream] = [this.#buffer[3], this.#buffer[4], this.#buffer.readUInt32BE(5) & 0x7fffffff];
      const payload = Buffer.from(this.#buffer.subarray(9, 9 + length));
      this.#buffer = this.#buffer.subarray(9 + length);
      const found = { type, flags, stream, payload };
      if (type === RST_STREAM) found.code = payload.readUInt32BE(0);
      if (type === GOAWAY) Object.assign(found, { last: payload.readUInt32BE(0) & 0x7fffffff, code: payload.readUInt32BE(4), debug: payload.toString('latin1', 8) });
      if (type === SETTINGS && !(flags & ACK) && !this.silent) this.send(frame(SETTINGS, ACK, 0));
      if (type === WINDOW_UPDATE && stream === 0) this.window += payload.readUInt32BE(0);
      this.frames.push(found);
    }
    this.#wake();
  }

  /** True once the bytes are with the kernel; false when the connection is gone. */
  send(...parts) {
    return new Promise((done) => {
      if (this.socket.destroyed) done(false);
      else this.socket.write(Buffer.concat(parts), (error) => done(!error));
    });
  }

  /** The preface with our SETTINGS; waits for the server's and its acknowledgement. */
  async handshake(entries = {}) {
    await this.opened;
    this.send(PREFACE, settings(entries));
    await this.wait((f) => f.type === SETTINGS && f.flags & ACK, 'the acknowledgement of SETTINGS');
    return this;
  }

  /** The first frame that fits, taken out together with those before it; null when the connection ends first. */
  async find(fits, waitMs = WAIT_MS) {
    const until = Date.now() + waitMs;
    for (;;) {
      while (this.frames.length > 0) {
        const found = this.frames.shift();
        if (fits(found)) return found;
      }
      if (this.closed) return null;
      const left = until - Date.now();
      if (left <= 0) return undefined;
      await new Promise((done) => {
        const timer = setTimeout(done, left);
        this.#wake = () => { clearTimeout(timer); done(); };
      });
    }
  }

  async wait(fits, what, waitMs) {
    const found = await this.find(fits, waitMs);
    if (!found) throw new Error(`${what} did not come: ${found === null ? 'the connection ended' : 'silence'}`);
    return found;
  }

  /** Waits for so much window of the connection and takes it; false when it does not come. */
  async spend(bytes, waitMs = WAIT_MS) {
    const until = Date.now() + waitMs;
    while (this.window < bytes && !this.closed && Date.now() < until) await new Promise((done) => { setTimeout(done, 2); });
    if (this.window < bytes) return false;
    this.window -= bytes;
    return true;
  }

  reads(yes) {
    if (yes) this.socket.resume(); else this.socket.pause();
  }

  destroy() {
    this.socket.destroy();
  }
}

export async function connect(port, entries) {
  return new Connection(port).handshake(entries);
}
