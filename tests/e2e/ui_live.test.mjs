// SPDX-License-Identifier: Apache-2.0
// A page that watches a run while parts of the system die: nothing is lost, nothing is shown twice, and the page says how it is.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { open, pidOf, runEnds, start } from './ui_browser.mjs';

const own = process.env.PLANKTON_URL ? 'kills processes of a system of its own' : false;
const LINES = 40;
let system;
before(async () => {
  if (!own) system = await start();
});
after(() => system?.stop());

async function startRun(context, name, script) {
  const headers = { Origin: system.url };
  const plan = { name, steps: [{ id: 'count', task: 'shell', parameters: { script } }, { id: 'after', task: 'noop', needs: ['count'] }] };
  const created = await context.request.post(`${system.url}/api/v1/plans`, { headers, data: plan });
  assert.equal(created.status(), 201, await created.text());
  const started = await context.request.post(`${system.url}/api/v1/plans/${name}/runs`, { headers, data: {} });
  assert.equal(started.status(), 201, await started.text());
  return started.json();
}

async function linesShown(page) {
  return page.locator('[aria-label="Log lines"] .text').allInnerTexts();
}

for (const service of ['plankton-gateway', 'plankton-logger', 'plankton-controller']) {
  test(`${service} is killed while a run is watched`, { skip: own }, async () => {
    const { page, context, go, close } = await open(system, { height: 1400, expect: [/net::ERR_/, /^503 /] });
    const run = await startRun(context, `live-${service}`, `for i in $(seq ${LINES}); do echo "line $i."; sleep 0.2; done`);
    await go(`/runs/${run.id}`);
    await page.getByText('line 5.', { exact: true }).waitFor();
    await page.getByRole('status').getByText('live', { exact: true }).waitFor();
    process.kill(pidOf(system, service), 'SIGKILL');
    await page.getByRole('status').getByText(/reconnecting|live/).waitFor();
    await runEnds(page, 'succeeded');
    await page.getByText(`line ${LINES}.`, { exact: true }).waitFor();
    await page.getByRole('status').getByText('connected', { exact: true }).waitFor();
    // The box shows some twenty lines; all of them are looked at, from the top.
    const seen = new Set();
    const box = page.locator('[aria-label="Log lines"]');
    for (const top of [0, 300, 100_000]) {
      await box.evaluate((element, y) => (element.scrollTop = y), top);
      await page.waitForFunction(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve(true)))));
      for (const text of await linesShown(page)) seen.add(text);
    }
    assert.deepEqual([...seen].map((text) => Number(/\d+/.exec(text)[0])).sort((a, b) => a - b), Array.from({ length: LINES }, (_, i) => i + 1));
    await page.getByText(`${LINES} lines`, { exact: true }).waitFor(); // and none twice
    await close();
  });
}
