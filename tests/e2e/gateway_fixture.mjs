// SPDX-License-Identifier: Apache-2.0
// A gateway with a stand-in for the services behind it, made with a stock gRPC library: what the gateway says on the wire is seen
// by somebody else's code. One server plays controller and logger.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const bin = process.env.PLANKTON_BIN ?? path.join(root, 'build/dev/bin');
const services = ['TaskController', 'PlanAPI', 'TaskWorker', 'TaskLogger', 'Keys'];
const START_MS = 10_000;

function load(files) {
  return loader.loadSync(files, {
    includeDirs: [path.join(root, 'proto'), '/usr/include'],
    keepCase: true, longs: String, enums: String, bytes: Buffer, defaults: true, oneofs: true,
  });
}
const definition = load(['task_controller', 'plan_api', 'task_worker', 'task_logger', 'keys'].map((f) => `plankton/v1/${f}.proto`));

/** A gRPC error with ErrorInfo, BadRequest and RetryInfo, as the services send it. */
export function failure(code, message, { reason = '', violations = [], retrySeconds = 0 } = {}) {
  const any = (name, value) => ({ type_url: `type.googleapis.com/${name}`, value: encode(name, value) });
  const list = [];
  if (reason) list.push(any('google.rpc.ErrorInfo', { reason, domain: 'plankton', metadata: {} }));
  if (violations.length) list.push(any('google.rpc.BadRequest', { fieldViolations: violations }));
  if (retrySeconds) list.push(any('google.rpc.RetryInfo', { retryDelay: { seconds: retrySeconds, nanos: 0 } }));
  const metadata = new grpc.Metadata();
  metadata.set('grpc-status-details-bin', Buffer.from(encode('google.rpc.Status', { code, message, details: list })));
  return { code, details: message, metadata };
}

// Just enough of the wire format for the messages above; field numbers are those of google/rpc.
function field(number, bytes) {
  return Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes]);
}
function varint(n) {
  const out = [];
  for (; n > 127; n = Math.floor(n / 128)) out.push((n % 128) | 128);
  out.push(n);
  return Buffer.from(out);
}
const text = (number, value) => (value ? field(number, Buffer.from(value)) : Buffer.alloc(0));
function encode(name, value) {
  switch (name) {
    case 'google.rpc.ErrorInfo':
      return Buffer.concat([text(1, value.reason), text(2, value.domain)]);
    case 'google.rpc.BadRequest':
      return Buffer.concat(value.fieldViolations.map((v) => field(1, Buffer.concat([text(1, v.field), text(2, v.description)]))));
    case 'google.rpc.RetryInfo':
      return field(1, Buffer.concat([Buffer.from([8]), varint(value.retryDelay.seconds)]));
    case 'google.rpc.Status':
      return Buffer.concat([Buffer.from([8]), varint(value.code), text(2, value.message),
        ...value.details.map((d) => field(3, Buffer.concat([text(1, d.type_url), field(2, Buffer.from(d.value))])))]);
    default:
      throw new Error(name);
  }
}

/** The services; handlers: {SubmitTask(call, callback), …}, may be changed at any time. */
export async function startBackend(handlers = {}, address = '127.0.0.1:0') {
  const server = new grpc.Server({ 'grpc.max_receive_message_length': 16 << 20 });
  for (const name of services) {
    const service = definition[`plankton.v1.${name}`];
    const implementation = {};
    for (const [method, { responseStream }] of Object.entries(service)) {
      implementation[method] = (call, callback) => {
        const handler = handlers[method];
        if (handler) return handler(call, callback);
        const error = { code: grpc.status.UNIMPLEMENTED, details: `no ${method} here` };
        return responseStream ? call.emit('error', error) : callback(error);
      };
    }
    server.addService(service, implementation);
  }
  const port = await new Promise((resolve, reject) => {
    server.bindAsync(address, grpc.ServerCredentials.createInsecure(), (err, bound) => (err ? reject(err) : resolve(bound)));
  });
  return { handlers, address: `127.0.0.1:${port}`, stop: () => server.forceShutdown() };
}

/** A running gateway: {base, port, process, log, stop()}. */
export async function startGateway(backend, options = []) {
  const child = spawn(path.join(bin, 'plankton-gateway'),
    ['--listen', '127.0.0.1:0', '--controller', backend, '--logger', backend, '--ops-listen', '', '--log-format', 'json', ...options],
    { stdio: ['ignore', 'ignore', 'pipe'] });
  const gateway = { process: child, log: '', stop: () => stop(child) };
  child.on('error', (err) => { gateway.log += String(err); });
  const deadline = setTimeout(() => child.kill('SIGKILL'), START_MS);
  child.stderr.setEncoding('utf8');
  for await (const chunk of child.stderr.iterator({ destroyOnReturn: false })) {
    gateway.log += chunk;
    const line = gateway.log.split('\n').find((l) => l.includes('gateway.listening') && l.endsWith('}'));
    if (line) {
      gateway.port = Number(JSON.parse(line).address.split(':').pop());
      break;
    }
  }
  clearTimeout(deadline);
  if (!gateway.port) throw new Error(`the gateway did not start: ${gateway.log}`);
  child.stderr.on('data', (chunk) => { gateway.log += chunk; });
  gateway.base = `http://127.0.0.1:${gateway.port}`;
  await ready(gateway);
  return gateway;
}

async function ready(gateway) {
  const until = Date.now() + START_MS;
  while ((await request(gateway, 'GET', '/readyz')).status !== 200) {
    if (Date.now() > until) throw new Error(`the gateway does not become ready: ${gateway.log}`);
    await new Promise((resolve) => { setTimeout(resolve, 20); });
  }
}

async function stop(child) {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  child.kill('SIGTERM');
  const [code] = await once(child, 'exit');
  return code;
}

export const KEY = 'test-key';

/** One request without any cleverness of fetch: {status, headers, text, json}. body: a string or an object. */
export function request(gateway, method, target, { headers = {}, body, key = KEY } = {}) {
  const all = { ...headers };
  if (key && !Object.keys(all).some((h) => /^(authorization|cookie)$/i.test(h))) all.authorization = `Bearer ${key}`;
  let payload = body;
  if (body !== undefined && typeof body !== 'string' && !Buffer.isBuffer(body)) payload = JSON.stringify(body);
  if (payload !== undefined && !Object.keys(all).some((h) => /^content-type$/i.test(h))) all['content-type'] = 'application/json';
  if (payload !== undefined) all['content-length'] = Buffer.byteLength(payload);
  return new Promise((resolve, reject) => {
    const outgoing = http.request({ host: '127.0.0.1', port: gateway.port, method, path: target, headers: all, agent: false }, async (incoming) => {
      const chunks = [];
      try {
        for await (const chunk of incoming) chunks.push(chunk);
      } catch (err) {
        return reject(err);
      }
      const bytes = Buffer.concat(chunks);
      const answer = { status: incoming.statusCode, headers: incoming.headers, bytes, text: bytes.toString() };
      if (/json/.test(incoming.headers['content-type'] ?? '') && bytes.length && !incoming.headers['content-encoding']) answer.json = JSON.parse(answer.text);
      return resolve(answer);
    });
    outgoing.on('error', reject);
    outgoing.end(payload);
  });
}

/** Opens an event stream; events() yields {id, event, data} and comments as {comment}. */
export async function openEvents(gateway, target, { headers = {}, key = KEY } = {}) {
  const outgoing = http.get({ host: '127.0.0.1', port: gateway.port, path: target, agent: false,
    headers: { accept: 'text/event-stream', authorization: `Bearer ${key}`, ...headers } });
  const [incoming] = await once(outgoing, 'response');
  incoming.setEncoding('utf8');
  return {
    status: incoming.statusCode, headers: incoming.headers, incoming,
    close: () => { incoming.on('error', () => {}); outgoing.destroy(); },
    async *events() {
      let rest = '';
      for await (const chunk of incoming) {
        rest += chunk;
        for (let at; (at = rest.indexOf('\n\n')) >= 0; rest = rest.slice(at + 2)) yield parseEvent(rest.slice(0, at));
      }
    },
  };
}

function parseEvent(block) {
  const event = {};
  for (const line of block.split('\n')) {
    if (line.startsWith(':')) event.comment = line;
    const match = /^(id|event|data|retry): (.*)$/.exec(line);
    if (match) event[match[1]] = match[2];
  }
  if (event.data) event.data = JSON.parse(event.data);
  return event;
}

export { grpc };
