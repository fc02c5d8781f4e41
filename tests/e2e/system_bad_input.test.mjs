// SPDX-License-Identifier: Apache-2.0
// Bad input gets a clear error with the field's path, and nothing is harmed.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import net from 'node:net';
import { after, before, test } from 'node:test';
import { Cluster, until } from './system/cluster.mjs';
import { connect, grpc } from './system/grpc.mjs';

let c;
before(async () => { c = await Cluster.start(); });
after(async () => { await c?.stop(); });

const plan = (steps, more = {}) => ({ name: `p${randomBytes(4).toString('hex')}`, steps, ...more });

/** [name, body, status, reason, pattern] */
const plans = [
  ['an unknown field, with a hint', plan([{ id: 'a', tsk: 'noop' }]), 422, 'PLAN_INVALID', /steps\[0\]\.tsk.*did you mean 'task'/],
  ['a wrong type', plan([{ id: 'a', task: 5 }]), 422, 'PLAN_INVALID', /steps\[0\]\.task/],
  ['an unknown step in needs', plan([{ id: 'a', task: 'noop', needs: ['x'] }]), 422, 'PLAN_INVALID', /steps\[0\]\.needs\[0\]/],
  ['a cycle, named with its path', plan([{ id: 'a', task: 'noop', needs: ['b'] }, { id: 'b', task: 'noop', needs: ['a'] }]), 422, 'PLAN_INVALID', /a → b → a|b → a → b/],
  ['a duplicate step id', plan([{ id: 'a', task: 'noop' }, { id: 'a', task: 'noop' }]), 422, 'PLAN_INVALID', /steps\[1\]\.id/],
  ['a malformed task type', plan([{ id: 'a', task: 'No Type!' }]), 422, 'PLAN_INVALID', /steps\[0\]\.task/],
  ['a negative timeout', plan([{ id: 'a', task: 'noop', timeout: { attempt: '-5s' } }]), 422, 'PLAN_INVALID', /steps\[0\]\.timeout\.attempt/],
  ['no steps', plan([]), 422, 'PLAN_INVALID', /steps/],
];
for (const [name, body, status, reason, pattern] of plans)
  test(`plan: ${name}`, async () => {
    const answer = await c.post('/plans', body);
    assert.equal(answer.status, status, answer.text);
    assert.equal(answer.json.reason, reason);
    assert.match(JSON.stringify(answer.json.violations), pattern);
    assert.ok(answer.json.requestId);
  });

const tasks = [
  ['a malformed type', { type: 'No Type' }, /type/],
  ['no type', {}, /type/],
  ['a negative timeout', { type: 'noop', timeout: { attempt: '-1s' } }, /timeout\.attempt/],
  ['a priority out of range', { type: 'noop', priority: 77 }, /priority/],
  ['an unknown field', { type: 'noop', parametrs: {} }, /parametrs.*did you mean/],
  ['a wrong type', { type: 'noop', retry: { maxAttempts: 'many' } }, /retry\.maxAttempts/],
];
for (const [name, body, pattern] of tasks)
  test(`task: ${name}`, async () => {
    const answer = await c.post('/tasks', body);
    assert.equal(answer.status, 400, answer.text);
    assert.match(JSON.stringify(answer.json), pattern);
  });

test('a body of 10 MB is refused', async () => {
  const answer = await c.post('/tasks', JSON.stringify({ type: 'noop', parameters: { x: 'y'.repeat(10 * 1024 * 1024) } })).catch((error) => error);
  assert.ok(answer.status === 413 || /EPIPE|ECONNRESET/.test(answer.code), String(answer.status ?? answer));
});

test('JSON nested 10,000 deep is refused', async () => {
  const answer = await c.post('/tasks', `{"type":"noop","parameters":${'['.repeat(10000)}${']'.repeat(10000)}}`);
  assert.equal(answer.status, 400);
});

test('invalid UTF-8 and NUL are refused', async () => {
  assert.equal((await c.post('/tasks', Buffer.concat([Buffer.from('{"type":"noop","parameters":{"a":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}}')]))).status, 400);
  assert.equal((await c.post('/tasks', '{"type":"no\\u0000op"}')).status, 400);
  assert.equal((await c.post('/tasks', '{"type":"noop","parameters":{"a":"\\u0000"}}')).status, 400);
});

test('unknown ids and ids of a foreign shard are 404', async () => {
  for (const kind of ['tasks', 'runs', 'plans', 'workers'])
    for (const id of ['01a20e42-53b7-7001-b021-c3830733bc24', '01a20e42-53b7-7fff-b021-c3830733bc24', 'nonsense', 'x'.repeat(300)])
      assert.equal((await c.get(`/${kind}/${id}`)).status, 404, `${kind}/${id}`);
});

test('altered page tokens and bad page sizes are refused', async () => {
  for (let i = 0; i < 3; i++) await c.submit({ type: 'noop' });
  const { json } = await c.get('/tasks?pageSize=1');
  const token = json.nextPageToken;
  const altered = (token[5] === 'A' ? 'B' : 'A');
  for (const bad of ['nonsense', token.slice(0, 5) + altered + token.slice(6), `${token}x`]) {
    const answer = await c.get(`/tasks?pageSize=1&pageToken=${encodeURIComponent(bad)}`);
    assert.equal(answer.status, 400);
    assert.equal(answer.json.reason, 'PAGE_TOKEN_INVALID');
  }
  assert.equal((await c.get(`/runs?pageToken=${token}`)).status, 400, 'a token is bound to its list');
  assert.equal((await c.get(`/tasks?state=failed&pageToken=${token}`)).status, 400, 'and to its filter');
  assert.equal((await c.get('/tasks?pageSize=100000')).status, 400);
  assert.equal((await c.get('/tasks?pagesise=3')).status, 400, 'an unknown parameter');
});

test('no key, a wrong key and a wrong role are refused', async () => {
  assert.equal((await c.get('/plans', { key: undefined })).status, 401);
  assert.equal((await c.get('/plans', { key: `pk_${'A'.repeat(43)}` })).status, 401);
  const worker = await c.get('/plans', { key: c.workerKey });
  assert.equal(worker.status, 403);
  const stream = connect('TaskWorker', `127.0.0.1:${c.ports.controller}`, c.adminKey);
  const code = await new Promise((done) => {
    const call = stream.client.Connect(stream.metadata);
    call.on('error', (error) => done(error.code));
    call.on('data', () => {});
    call.write({ hello: { protocol: 1, slots: 1, taskTypes: ['x'] } });
  });
  stream.close();
  assert.equal(code, grpc.status.PERMISSION_DENIED, 'an admin key cannot register');
});

test('a gRPC message nested 10,000 deep is refused and the server lives', async () => {
  // ListTasksRequest has no nested messages; an unknown group of length-delimited fields inside a nested one is built by hand
  let inner = Buffer.alloc(0);
  for (let i = 0; i < 10000; i++) {
    const length = [];
    for (let n = inner.length; ; n >>>= 7) { length.push(n > 127 ? (n & 127) | 128 : n); if (n <= 127) break; }
    inner = Buffer.concat([Buffer.from([0x0a, ...length]), inner]);
  }
  const client = new grpc.Client(`127.0.0.1:${c.ports.controller}`, grpc.credentials.createInsecure());
  const metadata = new grpc.Metadata();
  metadata.set('authorization', `Bearer ${c.adminKey}`);
  const error = await new Promise((done) => client.makeUnaryRequest('/plankton.v1.TaskController/SubmitTasks', (b) => b, (b) => b, inner, metadata, {}, (e, r) => done(e ?? r)));
  client.close();
  assert.ok(error instanceof Error && [grpc.status.INVALID_ARGUMENT, grpc.status.INTERNAL].includes(error.code), String(error));
  assert.equal((await c.get('/plans')).status, 200);
});

test('unknown fields of a binary request that creates are refused with their number', async () => {
  const client = new grpc.Client(`127.0.0.1:${c.ports.controller}`, grpc.credentials.createInsecure());
  const metadata = new grpc.Metadata();
  metadata.set('authorization', `Bearer ${c.adminKey}`);
  const error = await new Promise((done) => client.makeUnaryRequest('/plankton.v1.TaskController/SubmitTask', (b) => b, (b) => b, Buffer.from([0x0a, 0x06, 0x0a, 0x04, ...Buffer.from('noop'), 0xf8, 0x07, 0x01]), metadata, {}, (e, r) => done(e ?? r)));
  client.close();
  assert.equal(error.code, grpc.status.INVALID_ARGUMENT);
  assert.match(error.details, /127/);
});

test('garbage on every port does no harm', async () => {
  const ports = [c.ports.gateway, c.ports.controller, c.ports.logger, c.ports.controllerOps, c.ports.gatewayOps, c.ports.loggerOps];
  for (const port of ports)
    for (const bytes of [randomBytes(4096), Buffer.from('GET / HTTP/1.1\r\nHost: a\nX : y\r\n\r\n'), Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + 'x'.repeat(1000)), Buffer.alloc(100000, 0)])
      await new Promise((done) => {
        const socket = net.connect(port, '127.0.0.1', () => socket.end(bytes));
        socket.on('error', () => done());
        socket.on('close', () => done());
        socket.setTimeout(3000, () => socket.destroy());
        socket.resume();
      });
  const task = await c.submit({ type: 'noop' });
  await c.finished('tasks', task.id);
  for (const name of ['controller', 'logger', 'gateway', 'worker-1']) assert.equal(c.procs.get(name).exitCode, null, name);
});

test('PostgreSQL away: refused as unavailable, healed by itself', async () => {
  await c.postgres('stop');
  const refused = await c.post('/tasks', { type: 'noop' });
  assert.equal(refused.status, 503, refused.text);
  await until('the controller says why', async () => /PostgreSQL/.test((await c.request('GET', '/readyz', { port: c.ports.controllerOps })).text));
  await c.postgres('start');
  await c.ready();
  const task = await until('a submit is taken again', async () => (await c.post('/tasks', { type: 'noop' })).json?.id);
  assert.equal((await c.finished('tasks', task)).state, 'TASK_STATE_SUCCEEDED');
});

test('PostgreSQL away at start: the controller waits and says so', async () => {
  await c.kill('controller', 'SIGTERM');
  await c.postgres('stop');
  c.spawn('controller');
  await until('it says what it waits for', async () => /waiting for PostgreSQL/.test((await c.request('GET', '/readyz', { port: c.ports.controllerOps })).text));
  await c.postgres('start');
  await c.ready();
  const task = await until('a submit is taken', async () => (await c.post('/tasks', { type: 'noop' })).json?.id);
  await c.finished('tasks', task);
});
