// SPDX-License-Identifier: Apache-2.0
// A whole system that speaks mutual TLS between all its parts, and stock clients of it.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import tls from 'node:tls';
import { promisify } from 'node:util';
import { Cluster, until } from './system/cluster.mjs';
import { connect, grpc } from './system/grpc.mjs';

const plankton = join(process.env.PLANKTON_BIN ?? 'build/ci/bin', 'plankton');
let c;
before(async () => { c = await Cluster.start({ tls: true }); });
after(async () => { await c?.stop(); });

const address = () => `127.0.0.1:${c.ports.controller}`;
const credentials = () => grpc.credentials.createSsl(c.authority.read('ca.pem'), c.authority.read('client.key'), c.authority.read('client.pem'));

test('a task passes from the gateway to the worker, and its lines and history come back', async () => {
  const task = await c.submit({ type: 'shell', parameters: { script: 'echo over TLS' } });
  const done = await c.get(`/tasks/${task.id}?wait=10s`);
  assert.equal(done.json.state, 'TASK_STATE_SUCCEEDED');
  const lines = await until('the line is there', async () => {
    const { json } = await c.get(`/tasks/${task.id}/logs`);
    return json.lines?.length && json.lines;
  });
  assert.equal(lines[0].text, 'over TLS');
  await until('the history has come from the controller to the logger', async () => /succeeded/i.test((await c.get(`/tasks/${task.id}/history`)).text));
  for (const name of ['controller', 'logger', 'gateway', 'worker-1']) assert.match(c.log(name), /tls\.loaded .*expires=20/);
});

test('hello, by a stock gRPC client', async () => {
  const client = connect('TaskController', address(), c.adminKey, credentials());
  const task = await client.call('SubmitTask', { task: { type: 'hello', parameters: { text: '{"name":"TLS"}' } } });
  const done = await c.finished('tasks', task.id);
  assert.deepEqual(done.result, { greeting: 'Hello, TLS!' });
  client.close();
});

test('the command line', async () => {
  const path = (file) => c.authority.path(file);
  const { stdout } = await promisify(execFile)(plankton, ['workers', '-o', 'json'], { env: { PATH: process.env.PATH, HOME: c.dir, PLANKTON_CONTROLLER: address(),
    PLANKTON_KEY: c.adminKey, PLANKTON_TLS_CA: path('ca.pem'), PLANKTON_TLS_CERTIFICATE: path('client.pem'), PLANKTON_TLS_KEY: path('client.key') } });
  assert.match(stdout, /worker-1/);
});

async function refused(made, pattern) {
  const client = connect('TaskController', address(), c.adminKey, made);
  await assert.rejects(client.call('ListTasks', {}, { deadlineMs: 3000 }), (error) => pattern.test(error.details));
  client.close();
}

test('plaintext, and a client without a certificate, are refused and the log says why', async () => {
  await refused(grpc.credentials.createInsecure(), /connect|reset|dropped|lost/i);
  await until('the log says so', () => /tls\.refused .*does not speak it/.test(c.log('controller')));
  await until('a second has passed since that line', async () => {
    await refused(grpc.credentials.createSsl(c.authority.read('ca.pem')), /certificate required/);
    return /tls\.refused .*gave no certificate/.test(c.log('controller'));
  });
});

/** The serial number that a new connection sees. */
function serial() {
  return new Promise((done, fail) => {
    const socket = tls.connect({ host: '127.0.0.1', port: c.ports.controller, ca: c.authority.read('ca.pem'), key: c.authority.read('client.key'),
      cert: c.authority.read('client.pem'), ALPNProtocols: ['h2'] }, () => {
      assert.equal(socket.alpnProtocol, 'h2');
      done(socket.getPeerCertificate().serialNumber);
      socket.end();
    });
    socket.on('error', fail);
  });
}

test('certificates change under traffic at SIGHUP, and no call is lost', async () => {
  const standing = connect('TaskController', address(), c.adminKey, credentials());
  let going = true, calls = 0;
  const caller = async (fresh) => {
    while (going) {
      const client = fresh ? connect('TaskController', address(), c.adminKey, credentials()) : standing;
      await client.call('ListTasks', {});
      calls++;
      if (fresh) client.close();
    }
  };
  const callers = [caller(false), caller(false), caller(false), caller(true)];
  const before = await serial();
  const before_reload = calls;
  await until('calls pass', () => calls > before_reload + 20);

  for (const kind of ['controller', 'logger', 'worker', 'gateway']) c.authority.issue(kind, 2);
  for (const name of ['controller', 'logger', 'worker-1', 'gateway']) c.signal(name, 'SIGHUP');
  for (const name of ['controller', 'logger', 'worker-1', 'gateway'])
    await until(`${name} has reloaded`, () => /tls\.reloaded .*expires=20/.test(c.log(name)));
  const renewed = await serial();
  assert.notEqual(renewed, before);
  const after_reload = calls;
  await until('calls pass', () => calls > after_reload + 20);

  writeFileSync(c.authority.path('controller.pem'), 'no certificate at all');
  c.signal('controller', 'SIGHUP');
  await until('the log says what is wrong', () => /level=error .*tls\.reload_failed .*controller\.pem/.test(c.log('controller')));
  assert.equal(await serial(), renewed);
  const after_failure = calls;
  await until('calls pass', () => calls > after_failure + 20);

  going = false;
  await Promise.all(callers); // any call that failed rejects here
  const task = await c.submit({ type: 'hello', parameters: { name: 'again' } });
  assert.equal((await c.finished('tasks', task.id)).state, 'TASK_STATE_SUCCEEDED');
  standing.close();
});

test('what dials comes back by TLS after its peer was killed', async () => {
  await c.kill('logger');
  c.spawn('logger');
  await until('the logger is ready', async () => (await c.request('GET', '/readyz', { port: c.ports.loggerOps })).status === 200);
  const task = await c.submit({ type: 'shell', parameters: { script: 'echo second logger' } });
  await c.finished('tasks', task.id);
  await until('the line is there', async () => (await c.get(`/tasks/${task.id}/logs`)).json.lines?.[0]?.text === 'second logger');
});
