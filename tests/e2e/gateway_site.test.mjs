// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { request, startBackend, startGateway } from './gateway_fixture.mjs';

describe('gateway: pages and reference', () => {
  let backend; let gateway; let folder;
  before(async () => {
    backend = await startBackend();
    gateway = await startGateway(backend.address);
    folder = mkdtempSync(path.join(tmpdir(), 'plankton-gateway-'));
  });
  after(async () => {
    const status = await gateway?.stop();
    backend?.stop();
    assert.equal(status, 0);
    rmSync(folder, { recursive: true });
  });
  const get = (target, headers = {}) => request(gateway, 'GET', target, { headers, key: null });

  it('answers every page with the index, under a strict policy', async () => {
    for (const target of ['/', '/plans', '/runs/0190', '/login']) {
      const got = await get(target);
      assert.equal(got.status, 200);
      assert.match(got.headers['content-type'], /^text\/html/);
      assert.equal(got.headers['cache-control'], 'no-cache');
      assert.match(got.headers['content-security-policy'], /default-src 'none'; script-src 'self'/);
      assert.match(got.headers['content-security-policy'], /frame-ancestors 'none'/);
      assert.equal(got.headers['x-content-type-options'], 'nosniff');
      assert.equal(got.headers['referrer-policy'], 'no-referrer');
    }
  });

  it('has no index for files that are not there', async () => {
    for (const target of ['/assets/gone.js', '/gone.css', '/%2e%2e/etc/passwd', '/a/../../etc/passwd.x', '/..%5cwin.ini', '/a%00b'])
      assert.notEqual((await get(target)).status, 200, target);
    assert.equal((await request(gateway, 'POST', '/plans', { key: null })).status, 405);
  });

  it('answers HEAD without a body and knows what the browser has', async () => {
    const head = await request(gateway, 'HEAD', '/api/v1/openapi.json', { key: null });
    assert.equal(head.status, 200);
    assert.equal(head.bytes.length, 0);
    assert.ok(Number(head.headers['content-length']) > 1000);
    const again = await get('/api/v1/openapi.json', { 'if-none-match': head.headers.etag });
    assert.equal(again.status, 304);
  });

  it('sends compressed forms of the same bytes', async () => {
    const plain = await get('/api/v1/openapi.json');
    const gzip = await get('/api/v1/openapi.json', { 'accept-encoding': 'gzip' });
    assert.equal(gzip.headers['content-encoding'], 'gzip');
    assert.equal(gzip.headers.vary, 'Accept-Encoding');
    assert.deepEqual(gunzipSync(gzip.bytes), plain.bytes);
    const br = await get('/api/v1/openapi.json', { 'accept-encoding': 'gzip, br' });
    if (br.headers['content-encoding'] === 'br') assert.deepEqual(brotliDecompressSync(br.bytes), plain.bytes);
  });

  it('has a valid OpenAPI document with every route that is promised', async () => {
    const document = (await get('/api/v1/openapi.json')).json;
    assert.equal(document.openapi, '3.1.0');
    for (const [verb, template] of [['post', '/api/v1/plans'], ['get', '/api/v1/plans'], ['put', '/api/v1/plans/{id}'], ['delete', '/api/v1/plans/{id}'],
      ['get', '/api/v1/plans/{id}/versions'], ['post', '/api/v1/plans:validate'], ['post', '/api/v1/plans/{plan_id}/runs'], ['get', '/api/v1/runs'],
      ['get', '/api/v1/runs/{id}'], ['get', '/api/v1/runs/{id}/tasks'], ['get', '/api/v1/runs/{id}/graph'], ['post', '/api/v1/runs/{id}:cancel'],
      ['post', '/api/v1/runs/{id}:rerun'], ['get', '/api/v1/runs/{id}/events'], ['get', '/api/v1/runs/{run_id}/logs'], ['post', '/api/v1/tasks'],
      ['get', '/api/v1/tasks'], ['get', '/api/v1/tasks/{id}'], ['post', '/api/v1/tasks/{id}:cancel'], ['post', '/api/v1/tasks/{id}:retry'],
      ['get', '/api/v1/tasks/{task_id}/logs'], ['get', '/api/v1/workers'], ['post', '/api/v1/workers/{id}:drain'], ['get', '/api/v1/keys']]) {
      const operation = document.paths[template]?.[verb];
      assert.ok(operation, `${verb} ${template}`);
      assert.ok(operation['x-plankton-roles'].length > 0, `${verb} ${template} has roles`);
      assert.ok(operation.responses.default);
    }
    const ids = Object.values(document.paths).flatMap((p) => Object.values(p).map((o) => o.operationId));
    assert.equal(new Set(ids).size, ids.length);
  });

  it('passes a linter of OpenAPI', async (t) => {
    let cli;
    try {
      cli = createRequire(import.meta.url).resolve('@redocly/cli/bin/cli.js');
    } catch {
      t.skip('@redocly/cli is not installed');
      return;
    }
    const file = path.join(folder, 'openapi.json');
    writeFileSync(file, (await get('/api/v1/openapi.json')).bytes);
    const lint = spawnSync(process.execPath, [cli, 'lint', '--extends=spec', file], { encoding: 'utf8', env: { ...process.env, REDOCLY_TELEMETRY: 'off' } });
    assert.equal(lint.status, 0, lint.stdout + lint.stderr);
  });

  it('has a reference for people, without scripts', async () => {
    const page = await get('/api/docs');
    assert.equal(page.status, 200);
    assert.match(page.text, /\/api\/v1\/tasks\/\{id\}:cancel/);
    assert.doesNotMatch(page.text, /<script|style=/);
    assert.match((await get('/api/docs.css')).headers['content-type'], /^text\/css/);
  });

  it('has the schema of a plan', async () => {
    const got = await get('/api/v1/schema/plan.json');
    assert.equal(got.status, 200);
    assert.equal(got.json.type, 'object');
    assert.ok(got.json.properties.steps);
  });

  it('serves a folder in development', async () => {
    writeFileSync(path.join(folder, 'index.html'), 'from the folder');
    const dev = await startGateway(backend.address, ['--ui-dir', folder]);
    assert.equal((await request(dev, 'GET', '/plans', { key: null })).text, 'from the folder');
    assert.equal((await request(dev, 'GET', '/api/v1/nothing', { key: null })).status, 404);
    assert.equal(await dev.stop(), 0);
  });

  it('does not show metrics on the main port', async () => {
    assert.doesNotMatch((await get('/metrics')).text, /gateway_requests_total/);
  });
});
