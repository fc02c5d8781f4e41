// SPDX-License-Identifier: Apache-2.0
// Every route of the API with every kind of caller. The list is the gateway's own OpenAPI document, so a new route is tested as soon
// as it exists; what must happen follows from the roles that its method declares.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Cluster } from './system/cluster.mjs';

const NOWHERE = '0199c0de-0000-7000-8000-0000000000ff';
const withLogger = !process.env.NO_LOGGER;

describe('gateway: who may call what', () => {
  let cluster; let routes;
  before(async () => {
    cluster = await Cluster.start({ workers: 0 });
    const { paths } = (await cluster.get('/openapi.json')).json;
    routes = Object.entries(paths).flatMap(([template, verbs]) => Object.entries(verbs).flatMap(([verb, operation]) => {
      const route = { verb: verb.toUpperCase(), path: template.replace(/\{[^}]*\}/g, NOWHERE), operation, roles: operation['x-plankton-roles'] };
      const streams = Object.values(operation.responses).some((r) => r.content?.['text/event-stream']);
      return streams ? [route, { ...route, headers: { accept: 'text/event-stream' } }] : [route];
    })).filter(({ operation }) => withLogger || operation.tags[0] !== 'TaskLogger');
    assert.ok(routes.length > 20);
  });
  after(() => cluster?.stop());

  async function statusOf(route, key) {
    const { status } = await cluster.request(route.verb, route.path, { key, headers: route.headers, body: route.operation.requestBody ? {} : undefined });
    return status;
  }
  const name = (route) => `${route.verb} ${route.path}`;

  it('refuses who has no key, or a wrong one', async () => {
    for (const route of routes.filter((r) => !r.roles.includes('public'))) {
      assert.equal(await statusOf(route, undefined), 401, name(route));
      assert.equal(await statusOf(route, `pk_${'A'.repeat(43)}`), 401, name(route));
      assert.equal(await statusOf(route, `${cluster.adminKey}x`), 401, name(route));
    }
  });

  for (const role of ['admin', 'worker']) {
    it(`lets ${role} in where its role is named, and nowhere else`, async () => {
      for (const route of routes) {
        const status = await statusOf(route, cluster[`${role}Key`]);
        if (route.roles.includes(role)) assert.ok(status !== 401 && status !== 403 && status < 500, `${name(route)}: ${status}`);
        else assert.equal(status, 403, name(route));
      }
    });
  }
});
