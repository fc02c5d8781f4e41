// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { failure, grpc, request, startBackend, startGateway } from './gateway_fixture.mjs';

describe('gateway: browser sessions', () => {
  let backend; let gateway; let ended;
  const session = 'plk_abcDEF-123_xyz';
  const cookie = { cookie: `other=1; plankton_session=${session}` };

  before(async () => {
    backend = await startBackend({
      CreateSession: (call, callback) => {
        if (call.request.token !== 'good') return callback(failure(grpc.status.UNAUTHENTICATED, 'unknown token'));
        return callback(null, { key: { id: 'k', expires_at: { seconds: Math.floor(Date.now() / 1000) + 3600, nanos: 0 } }, secret: session });
      },
      EndSession: (call, callback) => { ended = call.metadata.get('authorization')[0]; callback(null, {}); },
      WhoAmI: (call, callback) => callback(null, { name: call.metadata.get('authorization')[0], role: 'ROLE_ADMIN' }),
      CancelTask: (call, callback) => callback(null, { id: call.request.id }),
    });
  });
  after(() => backend?.stop());
  beforeEach(async () => {
    gateway = await startGateway(backend.address);
  });
  afterEach(() => gateway.stop());

  it('trades a link for a cookie that no script can read', async () => {
    const got = await request(gateway, 'GET', '/login?token=good', { key: null });
    assert.equal(got.status, 303, got.text);
    assert.equal(got.headers.location, '/');
    assert.equal(got.headers['cache-control'], 'no-store');
    const [set] = got.headers['set-cookie'];
    assert.match(set, new RegExp(`^plankton_session=${session}; Path=/; HttpOnly; SameSite=Strict; Max-Age=(3600|35\\d\\d)$`));
  });

  it('sends a browser with a stale link to the login page, and a script an error', async () => {
    const browser = await request(gateway, 'GET', '/login?token=bad', { key: null, headers: { accept: 'text/html,*/*' } });
    assert.equal(browser.status, 303);
    assert.equal(browser.headers.location, '/login?failed=1');
    assert.equal(browser.headers['set-cookie'], undefined);
    assert.equal((await request(gateway, 'GET', '/login?token=bad', { key: null })).status, 401);
  });

  it('trades a key in a body', async () => {
    const got = await request(gateway, 'POST', '/login', { key: null, body: { token: 'good' } });
    assert.equal(got.status, 204, got.text);
    assert.match(got.headers['set-cookie'][0], /HttpOnly/);
    assert.equal((await request(gateway, 'POST', '/login', { key: null, body: { token: 'bad' } })).status, 401);
    assert.equal((await request(gateway, 'POST', '/login', { key: null, body: { tokn: 'good' } })).status, 400);
    assert.equal((await request(gateway, 'POST', '/login', { key: null, body: 'token=good', headers: { 'content-type': 'application/x-www-form-urlencoded' } })).status, 415);
    assert.equal((await request(gateway, 'POST', '/login', { key: null, body: { token: 'good' }, headers: { origin: 'http://evil.test' } })).status, 403);
  });

  it('marks the cookie Secure when told so', async () => {
    const secure = await startGateway(backend.address, ['--secure-cookies']);
    const got = await request(secure, 'POST', '/login', { key: null, body: { token: 'good' } });
    assert.match(got.headers['set-cookie'][0], /; Secure$/);
    await secure.stop();
  });

  it('forwards the session as a key', async () => {
    const got = await request(gateway, 'GET', '/api/v1/whoami', { headers: cookie });
    assert.equal(got.json.name, `Bearer ${session}`);
    const both = await request(gateway, 'GET', '/api/v1/whoami', { headers: { ...cookie, authorization: 'Bearer mine' } });
    assert.equal(both.json.name, 'Bearer mine');
  });

  it('changes nothing for a cookie unless our own page asks', async () => {
    const post = (headers, options = {}) => request(gateway, 'POST', '/api/v1/tasks/t1:cancel', { headers: { ...cookie, ...headers }, ...options });
    assert.equal((await post({})).status, 403);
    assert.equal((await post({ origin: 'http://evil.test' })).status, 403);
    assert.equal((await post({ origin: 'null' })).status, 403);
    assert.equal((await post({ origin: `http://127.0.0.1:${gateway.port}.evil.test` })).status, 403);
    assert.equal((await post({ 'sec-fetch-site': 'cross-site', origin: gateway.base })).status, 403);
    assert.equal((await post({ 'sec-fetch-site': 'same-site' })).status, 403);
    assert.equal((await post({ 'sec-fetch-site': 'same-origin' })).status, 200);
    assert.equal((await post({ origin: gateway.base })).status, 200);
    assert.equal((await post({ origin: gateway.base, 'content-type': 'text/plain' }, { body: '{}' })).status, 415);
    assert.equal((await request(gateway, 'DELETE', '/api/v1/plans/p', { headers: cookie })).status, 403);
  });

  it('ends the session', async () => {
    const got = await request(gateway, 'POST', '/logout', { headers: { ...cookie, 'sec-fetch-site': 'same-origin' } });
    assert.equal(got.status, 204, got.text);
    assert.equal(ended, `Bearer ${session}`);
    assert.match(got.headers['set-cookie'][0], /^plankton_session=; .*Max-Age=0$/);
    assert.equal((await request(gateway, 'POST', '/logout', { headers: cookie })).status, 403);
    assert.equal((await request(gateway, 'POST', '/logout', { key: null })).status, 204);
    assert.equal((await request(gateway, 'GET', '/logout', { key: null })).status, 405);
  });

  it('does not let an address guess', async () => {
    for (let i = 0; i < 10; i++) assert.equal((await request(gateway, 'POST', '/login', { key: null, body: { token: `bad${i}` } })).status, 401);
    const got = await request(gateway, 'POST', '/login', { key: null, body: { token: 'good' } });
    assert.equal(got.status, 429);
    assert.equal(got.json.reason, 'TOO_MANY_LOGINS');
  });
});
