// SPDX-License-Identifier: Apache-2.0
// A controller and a logger that a test plays by hand, on the stock gRPC library: what a worker says is recorded, what it hears is up to
// the test. `until` looks again whenever something has happened, so no test waits by the clock.
import { EventEmitter, once } from 'node:events';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';

const TOP = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
const BIN = process.env.PLANKTON_BIN ?? path.join(TOP, 'build/ci/bin');
const definition = loader.loadSync(['plankton/v1/task_worker.proto', 'plankton/v1/task_logger.proto'], {
  includeDirs: [path.join(TOP, 'proto')], longs: String, enums: String, oneofs: true, defaults: true,
});
const { TaskWorker, TaskLogger } = grpc.loadPackageDefinition(definition).plankton.v1;

export const tokenOf = (lease) => Buffer.from(lease.token).toString('hex');

/** A UUIDv7 whose rand_a is the shard. */
export function makeId(shard = 0) {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(Date.now(), 0, 6);
  bytes.writeUInt16BE(0x7000 | shard, 6);
  bytes[8] = 0x80 | (bytes[8] & 0x3f);
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** One stream of a worker, from the controller's side. */
class Session {
  constructor(plane, call) {
    this.plane = plane;
    this.call = call;
    this.messages = [];
    this.held = new Map(); // shard → {epoch, nonce, tokens, gone, end, floor} of the last complete list
    this.credit = 0;
    this.closed = false;
    call.on('data', (message) => this.#received(message));
    call.on('end', () => { this.halfClosed = true; call.end(); plane.changed(); });
    call.on('error', () => this.#close());
    call.on('cancelled', () => this.#close());
    call.on('close', () => this.#close());
  }
  #close() { this.closed = true; this.plane.changed(); }
  #received(message) {
    const body = message[message.body];
    this.messages.push({ kind: message.body, body });
    if (message.body === 'hello') {
      this.hello = body;
      if (this.plane.onHello) this.plane.onHello(this);
      else this.welcome();
    } else if (message.body === 'held') {
      const list = this.pending?.shard === body.shard && !this.pending.end ? this.pending : { ...body, tokens: [], gone: [] };
      list.tokens.push(...body.tokens.map((t) => t.toString('hex')));
      list.gone.push(...body.gone.map((t) => t.toString('hex')));
      list.end = body.end;
      this.pending = list;
      if (list.end) this.held.set(body.shard, list);
    } else if (message.body === 'credit') {
      this.credit += body.add;
    } else if (message.body === 'results') {
      for (const result of body.results) this.plane.results.push({ ...result, token: result.token.toString('hex'), session: this });
      if (this.plane.autoAck) this.ack(body.results.map((r) => r.token));
    } else if (message.body === 'declined') {
      for (const token of body.tokens) this.plane.declined.push({ token: token.toString('hex'), reason: body.reason });
    } else if (message.body === 'heartbeat') {
      this.plane.heartbeats.push(body);
    }
    this.plane.changed();
  }
  send(body) { this.call.write(body); }
  welcome() {
    this.send({ welcome: { protocol: 1, workerId: this.hello.workerId || this.plane.workerId, heartbeatMs: this.plane.heartbeatMs,
      leaseMs: this.plane.leaseMs, loggerAddress: this.plane.loggerAddress } });
    for (const shard of this.plane.shards) this.send({ take: { shard, epoch: this.plane.epoch } });
  }
  ack(tokens) { this.send({ acks: { recorded: tokens.map(toBytes), stale: [] } }); }
  stale(tokens) { this.send({ acks: { recorded: [], stale: tokens.map(toBytes) } }); }
  cancel(tokens, graceMs = 0) { this.send({ cancel: { tokens: tokens.map(toBytes), graceMs, reason: 'test' } }); }
  /** Grants leases with the session's nonce; each is filled in from {type, parameters, …}. */
  lease(...wanted) {
    const leases = wanted.map((w) => {
      const shard = w.shard ?? this.plane.shards[0];
      return {
        nonce: this.held.get(shard).nonce, token: randomBytes(40), shard, taskId: makeId(shard), attempt: 1, runId: '', step: '',
        attemptTimeoutMs: 0, ...w, parameters: w.parameters === undefined ? undefined : { text: JSON.stringify(w.parameters) },
      };
    });
    this.send({ leases: { leases } });
    return leases.map((lease) => ({ ...lease, token: lease.token.toString('hex') }));
  }
  /** Ends the stream as a failing controller does. */
  destroy() { this.call.emit('error', { code: grpc.status.UNAVAILABLE, details: 'cut by the test' }); }
}
const toBytes = (token) => (Buffer.isBuffer(token) ? token : Buffer.from(token.token ?? token, 'hex'));

/** The controller and logger. */
export class Plane extends EventEmitter {
  constructor(options = {}) {
    super();
    Object.assign(this, { shards: [3], epoch: 1, heartbeatMs: 100, leaseMs: 8000, autoAck: true, autoAckLogs: true, logger: true,
      workerId: makeId() }, options);
    this.setMaxListeners(0);
    Object.assign(this, { sessions: [], results: [], declined: [], heartbeats: [], lines: [], appends: [], logCalls: [] });
  }
  changed() { this.emit('change'); }
  async start(port = 0) {
    this.server = new grpc.Server();
    this.server.addService(TaskWorker.service, { connect: (call) => { this.sessions.push(new Session(this, call)); this.changed(); } });
    this.server.addService(TaskLogger.service, { append: (call) => this.#append(call) });
    this.port = await new Promise((resolve, reject) => this.server.bindAsync(`127.0.0.1:${port}`,
      grpc.ServerCredentials.createInsecure(), (error, got) => (error ? reject(error) : resolve(got))));
    this.address = `127.0.0.1:${this.port}`;
    this.loggerAddress = this.logger === true ? this.address : this.logger || '';
    return this;
  }
  /** Cuts every connection, as a crash would. */
  stop() { this.server?.forceShutdown(); this.server = undefined; }
  get session() { return this.sessions.at(-1); }
  #append(call) {
    if (this.refuseLogs) { call.on('error', () => {}); call.emit('error', { code: grpc.status.UNAVAILABLE, details: 'refused by the test' }); return; }
    this.logCalls.push(call);
    call.on('data', (request) => {
      this.appends.push(request);
      for (const block of request.blocks) this.#block(block);
      if (this.autoAckLogs) call.write({ acknowledged: request.number, refused: [] });
      this.changed();
    });
    call.on('end', () => call.end());
    call.on('error', () => {});
  }
  #block(block) {
    const token = block.token.toString('hex');
    let at = 0;
    let time = Number(block.baseUnixUs);
    block.length.forEach((length, i) => {
      const flags = block.streamLevel[i];
      time += block.dtUs[i];
      this.lines.push({ token, seq: Number(block.firstSeq) + i, text: block.text.subarray(at, at + length).toString(), time, step: block.step,
        stream: ['stdout', 'stderr', 'system'][flags & 3], continued: (flags & 8) !== 0, level: flags >> 4 });
      at += length;
    });
  }
  /** The lines of one attempt in order, each once. */
  linesOf(token) {
    const seen = new Map();
    for (const line of this.lines) if (line.token === token && !seen.has(line.seq)) seen.set(line.seq, line);
    return [...seen.values()].sort((a, b) => a.seq - b.seq);
  }
  resultOf(token) { return this.results.find((r) => r.token === (token.token ?? token)); }
  /** Resolves with what `look` returns once that is truthy. */
  async until(look, what, timeoutMs = 15000) {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const found = look();
      if (found) return found;
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`in ${timeoutMs} ms not seen: ${what}`);
      const stop = new AbortController();
      const timer = setTimeout(() => stop.abort(), Math.min(left, 250)); // also looks at what is not ours, such as /proc
      await once(this, 'change', { signal: stop.signal }).catch(() => {});
      clearTimeout(timer);
    }
  }
  /** A stream (newer than `after`) whose shards are all taken. */
  ready(after = undefined) {
    return this.until(() => {
      const s = this.session;
      return s && s !== after && !s.closed && this.shards.every((shard) => s.held.has(shard)) && s;
    }, 'a session that holds its shards');
  }
  result(lease) { return this.until(() => this.resultOf(lease), `the result of ${lease.type}`); }
  /** One lease, its result. */
  async run(wanted) {
    const session = await this.ready();
    const [lease] = session.lease(wanted);
    const result = await this.result(lease);
    return { lease, result, output: result.outcome === 'output' ? JSON.parse(result.output.text) : undefined };
  }
}

/** A worker process in its own directory. */
export class Worker {
  constructor(plane, { dir, args = [], env = {} } = {}) {
    this.dir = dir ?? mkdtempSync(path.join(tmpdir(), 'plankton-worker-'));
    this.stderr = '';
    this.child = spawn(path.join(BIN, 'plankton-worker'),
      [`--controller=${plane.address}`, `--state-dir=${this.dir}`, '--ops-listen=', '--reconnect=100ms', '--log-format=json', ...args],
      { stdio: ['ignore', 'ignore', 'pipe'], env: { PATH: process.env.PATH, ...env } });
    this.child.stderr.setEncoding('utf8').on('data', (text) => { this.stderr += text; });
    this.exited = once(this.child, 'exit').then(([code, signal]) => { plane.changed(); return { code, signal }; });
  }
  get pid() { return this.child.pid; }
  kill(signal) { this.child.kill(signal); }
  async stop(signal = 'SIGTERM') {
    this.kill('SIGCONT');
    this.kill(signal);
    return this.exited;
  }
  /** Problems that the worker has told. */
  complaints() {
    return this.stderr.split('\n').filter((line) => /"level":"(error|warn)"/.test(line) || /Sanitizer|runtime error/.test(line));
  }
}

/** test(name, within(async ({plane, start}) => …)): a plane and its workers, cleaned up in the end. */
export function within(options, body) {
  if (typeof options === 'function') [options, body] = [{}, options];
  return async (t) => {
    const workers = [];
    const plane = await new Plane(options).start();
    const start = (workerOptions) => { const w = new Worker(plane, workerOptions); workers.push(w); return w; };
    try {
      await body({ plane, start, t });
      for (const w of workers) {
        const bad = w.stderr.match(/.*(Sanitizer|runtime error).*/);
        if (bad) throw new Error(`the worker has a bug: ${w.stderr}`);
      }
    } catch (error) {
      error.message += workers.map((w, i) => `\n--- worker ${i}\n${w.stderr}`).join('');
      throw error;
    } finally {
      for (const w of workers) {
        if (w.child.exitCode === null && w.child.signalCode === null) await w.stop('SIGKILL');
      }
      plane.stop();
      for (const w of workers) rmSync(w.dir, { recursive: true, force: true });
    }
  };
}

/** Processes whose environment carries the marker. */
export function alive(pid) { return existsSync(`/proc/${pid}`); }
