// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { after, before, beforeEach, describe, it } from 'node:test';
import { failure, grpc, request, startBackend, startGateway } from './gateway_fixture.mjs';

describe('gateway: JSON over HTTP', () => {
  let backend; let gateway; let seen;
  const task = { id: '0190a5d2-7e4b-7000-8000-000000000001', type: 'hello', state: 'TASK_STATE_READY', parameters: { text: '{"a":1}' } };

  before(async () => {
    backend = await startBackend();
    gateway = await startGateway(backend.address);
  });
  after(async () => {
    const status = await gateway?.stop();
    backend?.stop();
    assert.equal(status, 0);
  });
  beforeEach(() => {
    seen = null;
    for (const name of Object.keys(backend.handlers)) delete backend.handlers[name];
  });
  const answer = (value, trailer) => (call, callback) => {
    seen = call;
    callback(null, value, trailer);
  };

  it('creates: 201, Location, the bare resource, the key of the caller', async () => {
    backend.handlers.SubmitTask = answer(task);
    const got = await request(gateway, 'POST', '/api/v1/tasks', {
      body: { type: 'hello', parameters: { name: 'x' }, priority: 7, retry: { maxAttempts: 2 } },
      headers: { 'idempotency-key': 'k-1', 'x-request-id': 'r-77' },
    });
    assert.equal(got.status, 201, got.text);
    assert.equal(got.headers.location, `/api/v1/tasks/${task.id}`);
    assert.equal(got.headers['x-request-id'], 'r-77');
    assert.equal(got.json.id, task.id);
    assert.deepEqual(got.json.parameters, { a: 1 });
    assert.equal(got.json.queue, '');
    assert.equal(seen.request.request_id, 'k-1');
    assert.equal(seen.request.task.priority, 7);
    assert.equal(seen.request.task.parameters.text, '{"name":"x"}');
    assert.equal(seen.metadata.get('authorization')[0], 'Bearer test-key');
    assert.equal(seen.metadata.get('x-request-id')[0], 'r-77');
  });

  it('says 200 when the service replays', async () => {
    const trailer = new grpc.Metadata();
    trailer.set('x-plankton-replayed', '1');
    backend.handlers.SubmitTask = answer(task, trailer);
    assert.equal((await request(gateway, 'POST', '/api/v1/tasks', { body: { type: 'hello' } })).status, 200);
  });

  it('starts a run and says where the run is', async () => {
    backend.handlers.StartRun = answer({ id: 'r1', plan_id: 'p1' });
    const got = await request(gateway, 'POST', '/api/v1/plans/my%20plan/runs', { body: { input: { n: 1 } } });
    assert.equal(got.status, 201, got.text);
    assert.equal(got.headers.location, '/api/v1/runs/r1');
    assert.equal(seen.request.plan_id, 'my plan');
    assert.equal(seen.request.input.text, '{"n":1}');
  });

  it('waits longer than ?wait asks for', async () => {
    backend.handlers.GetTask = answer(task);
    const got = await request(gateway, 'GET', `/api/v1/tasks/${task.id}?wait=45s`);
    assert.equal(got.status, 200, got.text);
    assert.equal(seen.request.wait.seconds, '45');
    const left = seen.getDeadline() - Date.now();
    assert.ok(left > 45_000 && left < 60_000, `${left} ms`);
  });

  it('lists with a page, in both spellings, enums by their tail', async () => {
    backend.handlers.ListTasks = answer({ tasks: [], next_page_token: '' });
    const got = await request(gateway, 'GET', '/api/v1/tasks?pageSize=7&include_steps=true&state=succeeded');
    assert.deepEqual(got.json, { tasks: [], nextPageToken: '' });
    assert.equal(seen.request.page_size, 7);
    assert.equal(seen.request.include_steps, true);
    assert.equal(seen.request.state, 'TASK_STATE_SUCCEEDED');
  });

  it('takes actions without a body', async () => {
    backend.handlers.CancelTask = answer(task);
    assert.equal((await request(gateway, 'POST', '/api/v1/tasks/t1:cancel')).status, 200);
    assert.equal(seen.request.id, 't1');
    assert.equal((await request(gateway, 'POST', '/api/v1/tasks/t1:cancel', { body: { reason: 'why' } })).status, 200);
    assert.equal(seen.request.reason, 'why');
  });

  it('passes a plan as document and as text', async () => {
    backend.handlers.CreatePlan = answer({ id: 'p1', name: 'n', etag: 'v1' });
    const source = '{ "name": "n", "steps": [] }';
    const json = await request(gateway, 'POST', '/api/v1/plans?message=first', { body: source });
    assert.equal(json.status, 201, json.text);
    assert.equal(json.headers.etag, '"v1"');
    assert.equal(seen.request.document.text, '{"name":"n","steps":[]}');
    assert.equal(seen.request.source, source);
    assert.equal(seen.request.message, 'first');
    const yaml = await request(gateway, 'POST', '/api/v1/plans', { body: 'name: n # mine\n', headers: { 'content-type': 'application/yaml' } });
    assert.equal(yaml.status, 201, yaml.text);
    assert.equal(seen.request.document, null);
    assert.equal(seen.request.source, 'name: n # mine\n');
  });

  it('knows versions by ETag', async () => {
    backend.handlers.GetPlan = answer({ id: 'p1', etag: 'v1' });
    backend.handlers.UpdatePlan = (call, callback) => {
      seen = call;
      callback(call.request.etag === 'v1' ? null : failure(grpc.status.ABORTED, 'there is a newer version', { reason: 'ETAG_MISMATCH' }), { id: 'p1', etag: 'v2' });
    };
    assert.equal((await request(gateway, 'GET', '/api/v1/plans/p1', { headers: { 'if-none-match': '"v1"' } })).status, 304);
    assert.equal((await request(gateway, 'GET', '/api/v1/plans/p1', { headers: { 'if-none-match': '"v0"' } })).status, 200);
    assert.equal((await request(gateway, 'PUT', '/api/v1/plans/p1', { body: {}, headers: { 'if-match': '"v1"' } })).headers.etag, '"v2"');
    assert.equal((await request(gateway, 'PUT', '/api/v1/plans/p1', { body: {}, headers: { 'if-match': '"v0"' } })).status, 412);
  });

  it('tells errors as problems', async () => {
    const cases = [
      [grpc.status.INVALID_ARGUMENT, 'PLAN_INVALID', 422], [grpc.status.INVALID_ARGUMENT, '', 400], [grpc.status.NOT_FOUND, '', 404],
      [grpc.status.ALREADY_EXISTS, 'REQUEST_ID_CONFLICT', 409], [grpc.status.FAILED_PRECONDITION, 'WRONG_STATE', 409],
      [grpc.status.PERMISSION_DENIED, '', 403], [grpc.status.UNAUTHENTICATED, '', 401], [grpc.status.RESOURCE_EXHAUSTED, '', 429],
      [grpc.status.UNAVAILABLE, '', 503], [grpc.status.INTERNAL, '', 500],
    ];
    for (const [code, reason, status] of cases) {
      backend.handlers.CreatePlan = (call, callback) => callback(failure(code, 'it is so', { reason, retrySeconds: 3,
        violations: [{ field: 'steps[0].needs[1]', description: 'no such step' }] }));
      const got = await request(gateway, 'POST', '/api/v1/plans', { body: {}, headers: { 'x-request-id': 'r-1' } });
      assert.equal(got.status, status);
      assert.equal(got.headers['content-type'], 'application/problem+json');
      assert.equal(got.json.status, status);
      assert.equal(got.json.code, grpc.status[code]);
      assert.equal(got.json.reason, reason);
      assert.equal(got.json.detail, 'it is so');
      assert.equal(got.json.requestId, 'r-1');
      assert.equal(got.json.violations[0].field, 'steps[0].needs[1]');
      if (status === 429 || status === 503) assert.equal(got.headers['retry-after'], '3');
      if (status === 401) assert.match(got.headers['www-authenticate'], /^Bearer/);
    }
  });

  it('refuses what it does not understand', async () => {
    backend.handlers.ListTasks = answer({});
    backend.handlers.SubmitTask = answer(task);
    const unknown = await request(gateway, 'GET', '/api/v1/tasks?pageSze=1');
    assert.equal(unknown.status, 400);
    assert.equal(unknown.json.violations[0].field, 'pageSze');
    assert.match(unknown.json.violations[0].hint, /pageSize/);
    const body = await request(gateway, 'POST', '/api/v1/tasks', { body: { tpye: 'hello' } });
    assert.equal(body.status, 400);
    assert.equal(body.json.reason, 'UNKNOWN_FIELD');
    assert.equal((await request(gateway, 'POST', '/api/v1/tasks', { body: '{"type":' })).status, 400);
    assert.equal((await request(gateway, 'POST', '/api/v1/tasks', { body: '{"type":"a","type":"b"}' })).status, 400);
    assert.equal((await request(gateway, 'POST', '/api/v1/tasks', { body: '{"type":5}' })).status, 400);
    assert.equal((await request(gateway, 'POST', '/api/v1/tasks', { body: Buffer.from('{"type":"\xff"}', 'latin1') })).status, 400);
    assert.equal((await request(gateway, 'POST', '/api/v1/tasks', { body: '{"type":"a\\u0000b"}' })).status, 400);
    assert.equal((await request(gateway, 'POST', '/api/v1/tasks', { body: '{"type":"a","parameters":1e309}' })).status, 400);
    assert.equal((await request(gateway, 'POST', '/api/v1/tasks', {})).status, 400);
    assert.equal((await request(gateway, 'GET', '/api/v1/tasks?page%zz=1')).status, 400);
    assert.equal((await request(gateway, 'GET', '/api/v1/tasks', { body: '{}' })).status, 400);
    assert.equal(seen, null);
  });

  it('refuses depth and size before any service sees them', async () => {
    const deep = '['.repeat(10_000) + ']'.repeat(10_000);
    const began = Date.now();
    assert.equal((await request(gateway, 'POST', '/api/v1/tasks', { body: `{"type":"a","parameters":${deep}}` })).status, 400);
    assert.equal((await request(gateway, 'POST', '/api/v1/plans', { body: '['.repeat(1_000_000) })).status, 400);
    assert.ok(Date.now() - began < 1000);
    const large = await request(gateway, 'POST', '/api/v1/plans', { body: JSON.stringify({ a: 'x'.repeat(3 << 20) }) });
    assert.equal(large.status, 413);
    assert.equal(large.json.reason, 'PAYLOAD_TOO_LARGE');
    const huge = await request(gateway, 'POST', '/api/v1/plans', { body: 'x'.repeat(10 << 20) }).catch((err) => err);
    assert.ok(huge.status === 413 || huge.code === 'EPIPE' || huge.code === 'ECONNRESET', String(huge));
  });

  it('uses 401, 404, 405, 415 and 421 rightly', async () => {
    assert.equal((await request(gateway, 'GET', '/api/v1/tasks', { key: null })).status, 401);
    assert.equal((await request(gateway, 'GET', '/api/v1/nothing')).status, 404);
    assert.equal((await request(gateway, 'POST', '/api/v1/tasks/t1:explode')).status, 404);
    const method = await request(gateway, 'DELETE', '/api/v1/tasks');
    assert.equal(method.status, 405);
    assert.match(method.headers.allow, /GET/);
    assert.match(method.headers.allow, /POST/);
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/yaml'])
      assert.equal((await request(gateway, 'POST', '/api/v1/tasks', { body: '{}', headers: { 'content-type': type } })).status, 415, type);
    assert.equal((await request(gateway, 'GET', '/api/v1/tasks', { headers: { host: 'evil.test' } })).status, 421);
    assert.equal((await request(gateway, 'GET', '/livez', { headers: { host: '10.0.0.9:8080' }, key: null })).status, 200);
    assert.equal((await request(gateway, 'GET', '/livez/x/health', { key: null })).text.includes('ok\n'), false);
  });

  it('does not echo an unfit request id', async () => {
    backend.handlers.ListTasks = answer({});
    const got = await request(gateway, 'GET', '/api/v1/tasks', { headers: { 'x-request-id': 'a b"c' } });
    assert.match(got.headers['x-request-id'], /^[0-9a-f]{16}-[0-9a-f]+$/);
  });

  it('gives the headers of a careful server, and no CORS', async () => {
    backend.handlers.ListTasks = answer({});
    const { headers } = await request(gateway, 'GET', '/api/v1/tasks', { headers: { origin: 'http://evil.test' } });
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(headers['cache-control'], 'no-store');
    assert.match(headers['content-security-policy'], /default-src 'none'/);
    assert.equal(headers['access-control-allow-origin'], undefined);
    assert.equal((await request(gateway, 'OPTIONS', '/api/v1/tasks')).status, 405);
  });

  it('gives log lines as plain text when asked', async () => {
    backend.handlers.QueryTaskLogs = answer({ lines: [{ text: 'one ' }, { text: 'line', continued: true }, { text: 'two' }] });
    const plain = await request(gateway, 'GET', '/api/v1/tasks/t1/logs', { headers: { accept: 'text/plain' } });
    assert.equal(plain.text, 'one line\ntwo\n');
    assert.match(plain.headers['content-type'], /^text\/plain/);
    assert.equal((await request(gateway, 'GET', '/api/v1/tasks/t1/logs')).json.lines.length, 3);
  });

  it('cancels the call when the client goes', async () => {
    let arrived; const cancelled = new Promise((resolve) => {
      backend.handlers.GetTask = (call) => { call.on('cancelled', resolve); arrived(); };
    });
    const waiting = new Promise((resolve) => { arrived = resolve; });
    const socket = net.connect(gateway.port, '127.0.0.1');
    socket.write('GET /api/v1/tasks/t1?wait=50s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer k\r\n\r\n');
    await waiting;
    socket.destroy();
    await cancelled;
  });

  it('answers 504 when a service takes too long, and 503 when it has gone', async () => {
    const other = await startBackend({ GetTask: () => {} });
    const hasty = await startGateway(other.address, ['--call-timeout', '200ms', '--wait-margin', '0s']);
    assert.equal((await request(hasty, 'GET', '/api/v1/tasks/t1')).status, 504);
    other.stop();
    while ((await request(hasty, 'GET', '/readyz')).status !== 503) await new Promise((resolve) => { setTimeout(resolve, 10); });
    const gone = await request(hasty, 'GET', '/api/v1/tasks/t1');
    assert.equal(gone.status, 503);
    assert.ok(gone.headers['retry-after']);
    const again = await startBackend({ GetTask: answer(task) }, other.address);
    const until = Date.now() + 10_000;
    while ((await request(hasty, 'GET', '/api/v1/tasks/t1')).status !== 200) assert.ok(Date.now() < until, hasty.log);
    assert.equal(await hasty.stop(), 0);
    again.stop();
  });

  it('keeps connections and answers pipelined requests in order', async () => {
    backend.handlers.GetTask = (call, callback) => {
      setTimeout(() => callback(null, { id: call.request.id }), call.request.id === 'slow' ? 50 : 0);
    };
    const socket = net.connect(gateway.port, '127.0.0.1');
    const get = (id) => `GET /api/v1/tasks/${id} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer k\r\n\r\n`;
    socket.write(get('slow') + get('quick'));
    let text = '';
    while (!text.includes('"quick"')) text += (await once(socket, 'data'))[0];
    assert.ok(text.indexOf('"slow"') < text.indexOf('"quick"'));
    socket.destroy();
  });

  it('refuses to start with settings that make no sense', async () => {
    await assert.rejects(startGateway(backend.address, ['--allowed-hosts', 'http://x']), /did not start/);
    await assert.rejects(startGateway(backend.address, ['--no-such-option', '1']), /did not start/);
  });
});
