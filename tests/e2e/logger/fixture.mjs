// SPDX-License-Identifier: Apache-2.0
// A logger over a private PostgreSQL, with a stand-in for the controller (who knows the keys) made with a stock gRPC library.
// Everything that a worker, a controller and a reader say to the logger is said by somebody else's code.
import { spawn } from 'node:child_process';
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';
import protobuf from 'protobufjs';
import { freePort, until } from '../system/cluster.mjs';

export { grpc, until };
const top = resolve(fileURLToPath(new URL('../../..', import.meta.url)));
const bin = process.env.PLANKTON_BIN ?? join(top, 'build/ci/bin');
const definition = loader.loadSync(['task_logger', 'keys'].map((name) => `plankton/v1/${name}.proto`),
  { includeDirs: [join(top, 'proto'), '/usr/include'], keepCase: false, longs: String, enums: String, defaults: true, oneofs: true });
const { v1 } = grpc.loadPackageDefinition(definition).plankton;
const root = new protobuf.Root();
root.resolvePath = (_, target) => [join(top, 'proto', target), join('/usr/include', target)].find((path) => { try { readFileSync(path); return true; } catch { return false; } });
root.loadSync('plankton/v1/event.proto');
const EventBatch = root.lookupType('plankton.v1.EventBatch');

export const START_WAIT_MS = 20000;
export const kinds = Object.fromEntries(Object.entries(root.lookupEnum('plankton.v1.EventKind').values).map(([name, value]) => [name.replace('EVENT_KIND_', ''), value]));

// ---- ids and tokens

/** A UUIDv7 with the shard in rand_a, as 16 bytes. */
export function newId(shard = 0, ms = Date.now()) {
  const id = randomBytes(16);
  id.writeUIntBE(ms, 0, 6);
  id.writeUInt16BE(0x7000 | shard, 6);
  id[8] = (id[8] & 0x3f) | 0x80;
  return id;
}
export function stepId(run) {
  const id = Buffer.from(run);
  randomBytes(8).copy(id, 8);
  id[8] = (id[8] & 0x3f) | 0x80;
  return id;
}
export function idText(id) {
  return id.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** How a controller signs a lease (docs/decisions: lease tokens). */
export function leaseToken(clusterKey, { task, run = Buffer.alloc(16), attempt = 1, namespaceId = 1, worker = Buffer.alloc(16, 7), timeline = 7 }) {
  const head = Buffer.alloc(10);
  head[0] = 1;
  head[1] = createHash('sha256').update(clusterKey).digest()[0];
  head.writeUInt32BE(timeline, 2);
  head.writeUInt32BE(namespaceId, 6);
  const number = Buffer.alloc(4);
  number.writeUInt32BE(attempt);
  const body = Buffer.concat([head, task, run, number, worker, Buffer.alloc(12)]);
  return Buffer.concat([body, mac(clusterKey, 'plankton lease token', [body]).subarray(0, 16)]);
}
function mac(key, label, parts) {
  const hmac = createHmac('sha256', key).update(`${label}\0`);
  for (const part of parts) {
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(part.length));
    hmac.update(length).update(part);
  }
  return hmac.digest();
}

/** A block of lines; texts: strings or buffers. */
export function block(token, firstSeq, texts, { baseUs = Date.now() * 1000, dtUs = 10, stream = 0, step = '' } = {}) {
  const lines = texts.map((text) => Buffer.from(text));
  return { token, firstSeq, baseUnixUs: baseUs, text: Buffer.concat(lines), length: lines.map((line) => line.length),
    dtUs: lines.map((_, i) => (i ? dtUs : 0)), streamLevel: Buffer.alloc(lines.length, stream), step };
}
export function lines(from, to, name = 'line') {
  return Array.from({ length: to - from + 1 }, (_, i) => `${name} ${from + i}`);
}
export function packEvents(events) {
  return Buffer.from(EventBatch.encode(EventBatch.fromObject({ events })).finish());
}

// ---- the stand-in

class Keys {
  constructor() {
    this.known = new Map();
    this.asked = 0;
  }

  async listen(port = 0) {
    this.server = new grpc.Server();
    this.server.addService(v1.Keys.service, {
      introspect: (call, callback) => {
        this.asked++;
        const identity = this.known.get(call.request.key);
        callback(identity ? null : { code: grpc.status.UNAUTHENTICATED, details: 'the key is not valid' }, identity);
      },
    });
    this.port = await new Promise((done, fail) => this.server.bindAsync(`127.0.0.1:${port}`, grpc.ServerCredentials.createInsecure(), (error, got) => (error ? fail(error) : done(got))));
  }

  make(role, namespaceId = 1) {
    const key = `pk_${randomBytes(32).toString('base64url')}`;
    this.known.set(key, { role, namespaceId, namespace: `ns${namespaceId}`, name: role, keyId: '' });
    return key;
  }
}

// ---- the logger

export class Logger {
  static async start({ settings = [], env = {}, fsync = false, beforeStart } = {}) {
    const logger = new Logger();
    logger.settings = settings;
    logger.env = env;
    logger.dir = mkdtempSync(join(tmpdir(), 'plankton-logger-'));
    logger.stateDir = join(logger.dir, 'state');
    logger.clusterKey = randomBytes(32);
    writeFileSync(join(logger.dir, 'cluster.key'), logger.clusterKey, { mode: 0o600 });
    mkdirSync(logger.stateDir, { mode: 0o700 });
    logger.output = '';
    logger.clients = [];
    logger.keys = new Keys();
    try {
      await logger.keys.listen();
      logger.workerKey = logger.keys.make('ROLE_WORKER');
      logger.adminKey = logger.keys.make('ROLE_ADMIN');
      logger.serviceKey = `ps_${mac(logger.clusterKey, 'service', []).toString('base64url')}`;
      logger.port = await freePort();
      logger.opsPort = await freePort();
      await logger.#postgres(fsync);
      await run(join(bin, 'plankton'), ['migrate', '--database', logger.database]);
      await beforeStart?.(logger);
      logger.spawn();
      await logger.ready();
    } catch (error) {
      await logger.stop();
      throw error;
    }
    return logger;
  }

  async #postgres(fsync) {
    this.pg = spawn(join(top, 'tests/integration/with-postgres'), [...(fsync ? ['--fsync'] : []), 'bash', '-c', 'env -0; exec cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.pgEnded = new Promise((done) => this.pg.once('exit', done));
    let text = '';
    this.pgEnv = await new Promise((done, fail) => {
      this.pg.stdout.on('data', (chunk) => {
        text += chunk;
        if (text.includes('PLANKTON_TEST_DATABASE_URL=') && text.endsWith('\0'))
          done(Object.fromEntries(text.split('\0').filter(Boolean).map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)])));
      });
      this.pg.once('exit', () => fail(new Error('with-postgres has ended')));
    });
    this.database = this.pgEnv.PLANKTON_TEST_DATABASE_URL;
  }

  /** start | stop | kill | restart | crash */
  postgres(verb) {
    return run(join(top, 'tests/integration/postgres-ctl'), [verb], { env: this.pgEnv });
  }

  sql(query) {
    return run('psql', ['-X', '-A', '-t', '-d', this.database, '-c', query]);
  }

  spawn() {
    const args = [`--listen=127.0.0.1:${this.port}`, `--ops-listen=127.0.0.1:${this.opsPort}`, `--cluster-key-file=${join(this.dir, 'cluster.key')}`,
      `--controller=127.0.0.1:${this.keys.port}`, `--state-dir=${this.stateDir}`, ...this.settings];
    this.child = spawn(join(bin, 'plankton-logger'), args, { env: { PATH: process.env.PATH, PLANKTON_LOGGER_DATABASE: this.database, ...this.env }, stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stdout.on('data', (chunk) => (this.output += chunk));
    this.child.stderr.on('data', (chunk) => (this.output += chunk));
    this.exited = new Promise((done) => this.child.once('exit', (code, signal) => done({ code, signal })));
  }

  async ready() {
    await until('the logger is ready', async () => (await this.ops('/readyz')).status === 200, START_WAIT_MS).catch((error) => {
      throw new Error(`${error.message}\n${this.output}`);
    });
  }

  ops(path) {
    return new Promise((done, fail) => {
      http.get({ host: '127.0.0.1', port: this.opsPort, path, agent: false }, (response) => {
        let text = '';
        response.on('data', (chunk) => (text += chunk));
        response.on('end', () => done({ status: response.statusCode, text }));
      }).on('error', fail);
    });
  }

  async metric(name) {
    const { text } = await this.ops('/metrics');
    const line = text.split('\n').find((l) => l.startsWith(`plankton_logger_${name} `));
    return Number(line?.split(' ').at(-1));
  }

  async kill(signal = 'SIGKILL') {
    this.child.kill(signal);
    return this.exited;
  }

  async restart(signal = 'SIGKILL') {
    const exit = await this.kill(signal);
    this.spawn();
    await this.ready();
    return exit;
  }

  client(key) {
    // a channel of its own, which does not wait long before it tries again
    const client = new v1.TaskLogger(`127.0.0.1:${this.port}`, grpc.credentials.createInsecure(),
      { 'grpc.use_local_subchannel_pool': 1, 'grpc.initial_reconnect_backoff_ms': 50, 'grpc.max_reconnect_backoff_ms': 200, 'grpc.max_receive_message_length': 16 << 20 });
    const metadata = new grpc.Metadata();
    if (key) metadata.set('authorization', `Bearer ${key}`);
    this.clients.push(client);
    return { client, metadata };
  }

  call(method, request, { key = this.adminKey, deadlineMs = 20000 } = {}) {
    const { client, metadata } = this.client(key);
    return new Promise((done, fail) => client[method](request, metadata, { deadline: Date.now() + deadlineMs }, (error, reply) => {
      client.close();
      if (error) fail(error); else done(reply);
    }));
  }

  append(key = this.workerKey) {
    return new Stream(this.client(key), 'append', (reply, stream) => {
      stream.acknowledged = Number(reply.acknowledged);
      stream.refused.push(...reply.refused);
    });
  }

  relay(key = this.serviceKey) {
    return new Stream(this.client(key), 'relayEvents', (reply, stream) => stream.acked.set(reply.shard, Number(reply.acknowledged)));
  }

  tail(method, request, key = this.adminKey) {
    const { client, metadata } = this.client(key);
    const tail = { lines: [], messages: [], ended: false, error: null, call: client[method](request, metadata) };
    tail.call.on('data', (message) => { tail.messages.push({ ...message, at: performance.now() }); tail.lines.push(...message.lines); });
    tail.call.on('error', (error) => { tail.error = error; });
    tail.closed = new Promise((done) => tail.call.on('status', (status) => { tail.ended = true; tail.status = status; client.close(); done(status); }));
    return tail;
  }

  /** All lines of a task, by pages. */
  async taskLines(taskId, request = {}) {
    const all = [];
    let page = { nextPageToken: '' };
    do {
      page = await this.call('queryTaskLogs', { taskId, ...request, pageToken: page.nextPageToken });
      all.push(...page.lines);
    } while (page.nextPageToken);
    return Object.assign(all, { complete: page.complete });
  }

  files() {
    const dir = join(this.stateDir, 'files');
    return readdirSync(dir).sort().flatMap((name) => readFileSync(join(dir, name), 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line)));
  }

  async stop() {
    for (const client of this.clients) client.close();
    if (this.child && this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill('SIGCONT');
      await this.kill('SIGTERM');
    }
    this.keys.server?.forceShutdown();
    this.pg?.stdin.end();
    await this.pgEnded;
    if (!process.env.PLANKTON_KEEP) rmSync(this.dir, { recursive: true, force: true });
  }
}

/** A bidirectional call that remembers what was answered. */
class Stream {
  constructor({ client, metadata }, method, take) {
    this.acknowledged = 0;
    this.refused = [];
    this.acked = new Map();
    this.number = 0;
    this.call = client[method](metadata);
    this.call.on('data', (reply) => take(reply, this));
    this.call.on('error', (error) => { this.error = error; });
    this.closed = new Promise((done) => this.call.on('status', (status) => { this.status = status; client.close(); done(status); }));
  }

  /** Sends blocks; the number they have. */
  send(...blocks) {
    this.call.write({ number: ++this.number, blocks });
    return this.number;
  }

  async sent(...blocks) {
    const number = this.send(...blocks);
    await this.reached(number);
  }

  reached(number) {
    return until(`number ${number} is acknowledged`, () => {
      if (this.status) throw new Error(`the stream has ended: ${this.status.details}`);
      return this.acknowledged >= number;
    });
  }

  events(shard, first, events, timeline = 7) {
    this.call.write({ timeline, shard, first, events: packEvents(events.map((event, i) => ({ number: first + i, unixUs: Date.now() * 1000, namespaceId: 1, ...event }))) });
  }

  ask(shard, timeline = 7) {
    this.acked.delete(shard);
    this.call.write({ timeline, shard, first: 0, events: Buffer.alloc(0) });
    return until(`shard ${shard} is answered`, () => this.acked.has(shard) && { number: this.acked.get(shard) }).then(({ number }) => number);
  }

  relayed(shard, number) {
    return until(`event ${number} of shard ${shard} is acknowledged`, () => (this.acked.get(shard) ?? 0) >= number);
  }

  end() {
    this.call.end();
    return this.closed;
  }
}

function run(program, args, options = {}) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  let out = '', err = '';
  child.stdout.on('data', (chunk) => (out += chunk));
  child.stderr.on('data', (chunk) => (err += chunk));
  // postgres-ctl leaves a server behind that keeps the pipes, so the end of the program counts, not of its output
  return new Promise((done, fail) => child.once('exit', (code) => setImmediate(() => (code === 0 ? done(out.trim()) : fail(new Error(`${program} ended with ${code}: ${err}`))))));
}
