// SPDX-License-Identifier: Apache-2.0
// A whole system for end-to-end tests: private PostgreSQL, controller, logger, gateway, workers, each a process of its own that can be
// killed, stopped and started again. Loopback only, free ports, own directories; everything ends with stop().
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFileSync, chmodSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const top = resolve(fileURLToPath(new URL('../../..', import.meta.url)));
const bin = process.env.PLANKTON_BIN ?? join(top, 'build/ci/bin');

/** Short times, so that what takes seconds in production takes milliseconds here. */
export const quick = {
  controller: ['--lease=800ms', '--grace=800ms', '--heartbeat=100ms', '--cancel-grace=300ms', '--cancel-timeout=2s', '--shard-lease=1500ms',
    '--shard-renew=300ms', '--shard-margin=300ms', '--sweep=500ms'],
};

export function freePort() {
  return new Promise((done) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

/** Waits until check() gives something true; looks again after each tick, fails after ms. */
export async function until(what, check, ms = 20000) {
  const end = Date.now() + ms;
  let last;
  for (;;) {
    try {
      const value = await check();
      if (value) return value;
      last = value;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`${what}: not within ${ms} ms (last: ${last?.stack ?? last})`);
    await new Promise((next) => setTimeout(next, 20));
  }
}

function apiKey() {
  return `pk_${randomBytes(32).toString('base64url')}`;
}

/** An authority in a folder, and certificates of it for loopback: what the openssl command makes. */
export class Authority {
  constructor(dir) {
    this.dir = dir;
    mkdirSync(dir, { recursive: true });
    this.#openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1', '-subj', '/CN=test authority',
      '-addext', 'keyUsage=critical,keyCertSign,cRLSign', '-keyout', this.path('ca.key'), '-out', this.path('ca.pem'));
  }

  path(file) {
    return join(this.dir, file);
  }

  read(file) {
    return readFileSync(this.path(file));
  }

  #openssl(...args) {
    execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  }

  /** NAME.pem and NAME.key, with spiffe://test/NAME; written over those of before in one move each. */
  issue(name, days = 1) {
    const ext = this.path(`${name}.ext`);
    writeFileSync(ext, `subjectAltName=IP:127.0.0.1,DNS:localhost,URI:spiffe://test/${name}\n`);
    this.#openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', `/CN=${name}`, '-keyout', this.path('new.key'),
      '-out', this.path('new.csr'));
    this.#openssl('x509', '-req', '-in', this.path('new.csr'), '-CA', this.path('ca.pem'), '-CAkey', this.path('ca.key'), '-CAcreateserial',
      '-days', String(days), '-extfile', ext, '-out', this.path('new.pem'));
    renameSync(this.path('new.key'), this.path(`${name}.key`));
    renameSync(this.path('new.pem'), this.path(`${name}.pem`));
  }
}

export class Cluster {
  static async start({ workers = 1, settings = quick, logger = !process.env.NO_LOGGER, fsync = false, standby = false, tls = false } = {}) {
    const cluster = new Cluster();
    cluster.settings = settings;
    cluster.dir = mkdtempSync(join(tmpdir(), 'plankton-e2e-'));
    cluster.procs = new Map();
    cluster.exits = new Map();
    cluster.adminKey = apiKey();
    cluster.workerKey = apiKey();
    const secret = (name, data) => writeFileSync(join(cluster.dir, name), data, { mode: 0o600 });
    secret('admin.key', `${cluster.adminKey}\n`);
    secret('worker.key', `${cluster.workerKey}\n`);
    secret('cluster.key', randomBytes(32));
    mkdirSync(join(cluster.dir, 'log'));
    if (tls) {
      cluster.authority = new Authority(join(cluster.dir, 'tls'));
      for (const name of ['controller', 'logger', 'gateway', 'worker', 'client']) cluster.authority.issue(name);
    }
    chmodSync(cluster.dir, 0o700);
    try {
      await cluster.#postgres(fsync);
      await cluster.#run('plankton', ['migrate', '--database', cluster.database]);
      cluster.ports = { gateway: await freePort(), controller: await freePort(), logger: await freePort(), controllerOps: await freePort(),
        gatewayOps: await freePort(), loggerOps: await freePort() };
      cluster.hasLogger = logger;
      if (standby) cluster.standby = { port: await freePort(), ops: await freePort() };
      if (logger) cluster.spawn('logger');
      cluster.spawn('controller');
      cluster.spawn('gateway');
      for (let i = 1; i <= workers; i++) cluster.spawn(`worker-${i}`);
      await cluster.ready();
      if (workers) await until('workers are connected', async () => (await cluster.get('/workers')).json.workers.length >= workers);
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  async ready() {
    await until('the controller is ready', async () => (await this.request('GET', '/readyz', { port: this.ports.controllerOps })).status === 200);
    if (this.hasLogger && this.procs.has('logger'))
      await until('the logger is ready', async () => (await this.request('GET', '/readyz', { port: this.ports.loggerOps })).status === 200);
    await until('the gateway answers', async () => (await this.get('/plans')).status === 200);
  }

  // ---- PostgreSQL

  async #postgres(fsync) {
    const args = [...(fsync ? ['--fsync'] : []), 'bash', '-c', 'env -0; exec cat'];
    this.pg = spawn(join(top, 'tests/integration/with-postgres'), args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.pgEnded = new Promise((done) => this.pg.once('exit', done));
    let text = '';
    const env = await new Promise((done, fail) => {
      this.pg.stdout.on('data', (chunk) => {
        text += chunk;
        if (text.includes('PLANKTON_TEST_DATABASE_URL=') && text.endsWith('\0'))
          done(Object.fromEntries(text.split('\0').filter(Boolean).map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)])));
      });
      this.pg.once('exit', () => fail(new Error('with-postgres has ended')));
    });
    this.pgEnv = env;
    this.database = env.PLANKTON_TEST_DATABASE_URL;
  }

  /** start | stop | kill | restart | crash */
  postgres(verb) {
    return this.#spawned(spawn(join(top, 'tests/integration/postgres-ctl'), [verb], { env: this.pgEnv, stdio: ['ignore', 'ignore', 'inherit'] }));
  }

  async sql(query) {
    const psql = spawn('psql', ['-X', '-A', '-t', '-d', this.database, '-c', query], { stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    psql.stdout.on('data', (chunk) => (out += chunk));
    await this.#spawned(psql);
    return out.trim();
  }

  // ---- processes

  #spawned(child) {
    let err = '';
    child.stderr?.on('data', (chunk) => (err += chunk));
    return new Promise((done, fail) => child.once('exit', (code) => (code === 0 ? done() : fail(new Error(`${child.spawnfile} ended with ${code}: ${err}`)))));
  }

  #run(program, args) {
    return this.#spawned(spawn(join(bin, program), args, { stdio: ['ignore', 'ignore', 'pipe'] }));
  }

  #args(name) {
    const path = (file) => join(this.dir, file);
    const at = (port) => `127.0.0.1:${port}`;
    const p = this.ports;
    const controllers = this.standby ? `${at(p.controller)},${at(this.standby.port)}` : at(p.controller);
    if (name === 'standby')
      return ['plankton-controller', [`--listen=${at(this.standby.port)}`, `--ops-listen=${at(this.standby.ops)}`, `--cluster-key-file=${path('cluster.key')}`,
        `--state-dir=${path('standby')}`, ...(this.hasLogger ? [`--logger=${at(p.logger)}`] : []), ...this.settings.controller], { PLANKTON_CONTROLLER_DATABASE: this.database }];
    if (name === 'controller')
      return ['plankton-controller', [`--listen=${at(p.controller)}`, `--ops-listen=${at(p.controllerOps)}`, `--cluster-key-file=${path('cluster.key')}`,
        `--admin-key-file=${path('admin.key')}`, `--worker-key-file=${path('worker.key')}`, `--state-dir=${path('controller')}`,
        ...(this.hasLogger ? [`--logger=${at(p.logger)}`] : [])], { PLANKTON_CONTROLLER_DATABASE: this.database }];
    if (name === 'logger')
      return ['plankton-logger', [`--listen=${at(p.logger)}`, `--ops-listen=${at(p.loggerOps)}`, `--cluster-key-file=${path('cluster.key')}`,
        `--controller=${controllers}`, `--state-dir=${path('logger')}`], { PLANKTON_LOGGER_DATABASE: this.database }];
    if (name === 'gateway')
      return ['plankton-gateway', [`--listen=${at(p.gateway)}`, `--ops-listen=${at(p.gatewayOps)}`, `--controller=${controllers}`,
        `--logger=${at(p.logger)}`], {}];
    return ['plankton-worker', [`--controller=${controllers}`, `--key-file=${path('worker.key')}`, `--state-dir=${path(name)}`, `--name=${name}`], {}];
  }

  /** Mutual TLS everywhere: each kind of program has its certificate. */
  #tls(kind) {
    const path = (file) => this.authority.path(file);
    if (!this.authority) return [];
    return [`--tls-ca=${path('ca.pem')}`, `--tls-certificate=${path(`${kind}.pem`)}`, `--tls-key=${path(`${kind}.key`)}`,
      ...(kind === 'controller' || kind === 'logger' ? [`--tls-client-ca=${path('ca.pem')}`] : [])];
  }

  spawn(name) {
    const [program, args, env] = this.#args(name);
    const kind = name.split('-')[0];
    const log = join(this.dir, 'log', `${name}.log`);
    const child = spawn(join(bin, this.settings.programs?.[kind] ?? program), [...args, ...this.#tls(kind), ...(this.settings[kind] ?? [])], {
      env: { PATH: process.env.PATH, HOME: this.dir, ...env, ...(this.settings.env?.[kind] ?? {}) }, stdio: ['ignore', 'pipe', 'pipe'] });
    const keep = (chunk) => appendFileSync(log, chunk);
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    this.exits.set(child, new Promise((done) => child.once('exit', (code, signal) => done({ code, signal }))));
    this.procs.set(name, child);
    return child;
  }

  signal(name, signal) {
    this.procs.get(name).kill(signal);
  }

  /** Kills and waits for the end. */
  async kill(name, signal = 'SIGKILL') {
    const child = this.procs.get(name);
    this.procs.delete(name);
    child.kill(signal);
    if (signal !== 'SIGKILL') child.kill('SIGCONT');
    return this.exits.get(child);
  }

  log(name) {
    return readFileSync(join(this.dir, 'log', `${name}.log`), 'utf8');
  }

  async stop({ patience = 8000 } = {}) {
    for (const name of [...this.procs.keys()].reverse()) {
      const child = this.procs.get(name);
      child.kill('SIGCONT');
      const timer = setTimeout(() => child.kill('SIGKILL'), patience);
      await this.kill(name, 'SIGTERM');
      clearTimeout(timer);
    }
    this.pg?.stdin.end();
    await this.pgEnded;
    if (!process.env.PLANKTON_KEEP) rmSync(this.dir, { recursive: true, force: true });
  }

  // ---- REST

  request(method, path, { port = this.ports.gateway, headers = {}, body, key, timeout = 20000, raw = false } = {}) {
    return new Promise((done, fail) => {
      const data = body === undefined || Buffer.isBuffer(body) || typeof body === 'string' ? body : JSON.stringify(body);
      const request = http.request({ host: '127.0.0.1', port, method, path, agent: false, timeout, headers: {
        ...(key ? { authorization: `Bearer ${key}` } : {}), ...(data !== undefined ? { 'content-type': 'application/json', 'content-length': Buffer.byteLength(data) } : {}),
        ...headers } }, (response) => {
        const chunks = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('error', fail);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          let json;
          if (!raw && /json/.test(response.headers['content-type'] ?? '')) json = JSON.parse(text);
          done({ status: response.statusCode, headers: response.headers, text, json });
        });
      });
      request.on('timeout', () => request.destroy(new Error(`${method} ${path}: no answer in ${timeout} ms`)));
      request.on('error', fail);
      request.end(data);
    });
  }

  get(path, options = {}) {
    return this.request('GET', `/api/v1${path}`, { key: this.adminKey, ...options });
  }

  post(path, body, options = {}) {
    return this.request('POST', `/api/v1${path}`, { key: this.adminKey, body: body ?? {}, ...options });
  }

  put(path, body, options = {}) {
    return this.request('PUT', `/api/v1${path}`, { key: this.adminKey, body, ...options });
  }

  async submit(task, options) {
    const answer = await this.post('/tasks', task, options);
    if (answer.status >= 300) throw new Error(`submit: ${answer.status} ${answer.text}`);
    return answer.json;
  }

  async finished(kind, id, ms = 30000) {
    return until(`${kind} ${id} is terminal`, async () => {
      const { json } = await this.get(`/${kind}/${id}`);
      return /_(SUCCEEDED|FAILED|CANCELLED|SKIPPED)$/.test(json.state) && json;
    }, ms);
  }

  async run(plan, input = {}) {
    const created = await this.post('/plans', plan);
    if (created.status !== 201) throw new Error(`plan: ${created.status} ${created.text}`);
    const started = await this.post(`/plans/${created.json.id}/runs`, { input });
    if (started.status !== 201) throw new Error(`run: ${started.status} ${started.text}`);
    return started.json;
  }

  /** Server-sent events as an async iterator of {event, id, data}; ends with the stream. */
  async *events(path, headers = {}) {
    const response = await new Promise((done, fail) => {
      const request = http.get({ host: '127.0.0.1', port: this.ports.gateway, path: `/api/v1${path}`, agent: false,
        headers: { authorization: `Bearer ${this.adminKey}`, accept: 'text/event-stream', ...headers } }, done);
      request.on('error', fail);
    });
    let text = '';
    try {
      for await (const chunk of response) {
        text += chunk;
        for (let end; (end = text.indexOf('\n\n')) >= 0; text = text.slice(end + 2)) {
          const event = { event: 'message', data: '' };
          for (const line of text.slice(0, end).split('\n')) {
            const colon = line.indexOf(':');
            if (colon <= 0) continue;
            const value = line.slice(colon + 1).replace(/^ /, '');
            if (line.startsWith('data')) event.data += (event.data && '\n') + value;
            else event[line.slice(0, colon)] = value;
          }
          if (event.data) yield { ...event, json: JSON.parse(event.data) };
        }
      }
    } finally {
      response.destroy();
    }
  }
}
