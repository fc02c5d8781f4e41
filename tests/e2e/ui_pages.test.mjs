// SPDX-License-Identifier: Apache-2.0
// Every page in light and dark, wide and narrow: no fault by axe, nothing wider than the screen, usable with the keyboard alone.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { open, runEnds, start } from './ui_browser.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const stamp = Date.now().toString(36);
let system;
let run;

before(async () => {
  system = await start();
  const { page, context, go, close } = await open(system);
  const steps = [
    { id: 'fetch-the-whole-archive-of-last-night', task: 'hello' },
    { id: 'score', task: 'shell', needs: ['fetch-the-whole-archive-of-last-night'], parameters: { script: 'for i in 9 4 2 1; do echo "{\\"metric\\": {\\"loss\\": 0.$i, \\"eval\\": {\\"acc\\": $i}}}"; done; for i in $(seq 200); do echo "line $i of a log that is long enough to scroll"; done; exit 3' }, retry: { maxAttempts: 1 } },
    { id: 'publish', task: 'noop', needs: ['score'] },
  ];
  const headers = { Origin: system.url }; // a session's cookie counts only from the site's own pages
  const created = await context.request.post(`${system.url}/api/v1/plans`, { headers, data: { name: `pages-${stamp}`, description: 'for the pages', steps } });
  assert.equal(created.status(), 201, await created.text());
  const started = await context.request.post(`${system.url}/api/v1/plans/pages-${stamp}/runs`, { headers, data: { input: {} } });
  assert.equal(started.status(), 201, await started.text());
  run = await started.json();
  await go(`/runs/${run.id}`);
  await runEnds(page, 'failed');
  // A second version, a paused queue and a task that waits in it: something to see on every page.
  const changed = await context.request.put(`${system.url}/api/v1/plans/${run.planId}`, { headers, data: { name: `pages-${stamp}`, description: 'for the pages, changed', steps: [steps[0], { ...steps[1], retry: { maxAttempts: 2 } }] } });
  assert.equal(changed.status(), 200, await changed.text());
  const paused = await context.request.post(`${system.url}/api/v1/queues/pages-${stamp}:pause`, { headers, data: { reason: 'the archive is being moved to another disk' } });
  assert.equal(paused.status(), 200, await paused.text());
  const task = await context.request.post(`${system.url}/api/v1/tasks`, { headers, data: { type: 'noop', queue: `pages-${stamp}` } });
  assert.equal(task.status(), 201, await task.text());
  await close();
});
after(() => system?.stop());

const pages = () => [
  ['overview', '/', 'Overview'],
  ['plans', '/plans', 'Plans'],
  ['plan', `/plans/${run.planId}`, `pages-${stamp}`],
  ['new-plan', '/plans/new', 'New plan'],
  ['edit-plan', `/plans/${run.planId}/edit`, 'Edit'],
  ['runs', '/runs', 'Runs'],
  ['run', `/runs/${run.id}`, `pages-${stamp}`],
  ['step', `/runs/${run.id}?step=score`, `pages-${stamp}`],
  ['step-error', `/runs/${run.id}?step=score&tab=error`, `pages-${stamp}`],
  ['run-timeline', `/runs/${run.id}?tab=timeline`, `pages-${stamp}`],
  ['run-metrics', `/runs/${run.id}?tab=metrics`, `pages-${stamp}`],
  ['changes', `/plans/${run.planId}/versions`, 'Changes'],
  ['changes-split', `/plans/${run.planId}/versions?view=split`, 'Changes'],
  ['queues', '/queues', 'Queues'],
  ['workers', '/workers', 'Workers'],
  ['system', '/system', 'System'],
  ['nowhere', '/nowhere', 'No such page'],
];

for (const [scheme, widths] of [['light', [1280, 820, 390, 320]], ['dark', [1280, 390]]]) {
  for (const width of widths) {
    test(`${scheme}, ${width} px`, async () => {
      const { page, go, picture, close } = await open(system, { width, height: 800, scheme });
      for (const [name, where, title] of pages()) {
        await go(where);
        await page.getByRole('heading', { level: 1, name: title }).waitFor();
        await page.waitForLoadState('networkidle');
        if (where.includes('/runs/')) await page.locator('table[aria-label=Steps] tbody tr').nth(2).waitFor();
        await picture(`${name}-${scheme}-${width}`);
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert.ok(overflow <= 0, `${name} is ${overflow} px wider than the screen`);
        // Grown to the page's height, so that nothing is judged by what the bar at the bottom happens to cover.
        const tall = await page.evaluate(() => document.documentElement.scrollHeight);
        await page.setViewportSize({ width, height: Math.max(800, tall) });
        // Through the debugger, which the page's policy does not concern.
        await page.evaluate(axe);
        const found = await page.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }));
        const faults = found.violations.map((fault) => `${name}: ${fault.id} ${fault.nodes.map((node) => `${node.html} ${node.failureSummary}`).join('\n')}`);
        assert.deepEqual(faults, []);
        await page.setViewportSize({ width, height: 800 });
      }
      await close();
    });
  }
}

test('the keyboard alone leads from the plans to a line of a log', async () => {
  const { page, go, close } = await open(system);
  await go('/plans');
  await page.getByRole('heading', { name: 'Plans' }).waitFor();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter'); // "Skip to the page"
  assert.equal(await page.evaluate(() => document.activeElement?.id), 'main');
  await page.keyboard.press('g');
  await page.keyboard.press('r');
  await page.getByRole('heading', { name: 'Runs' }).waitFor();
  await page.getByRole('row').nth(1).waitFor();
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/runs\//);
  await page.locator('table[aria-label=Steps] tbody tr').first().waitFor();
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  await page.waitForURL(/step=score/);
  await page.getByText('line 200 of').waitFor();
  await page.keyboard.press('/');
  await page.keyboard.type('line 17 of');
  await page.getByText('1 found').waitFor();
  await page.keyboard.press('Enter');
  await page.locator('mark', { hasText: 'line 17 of' }).waitFor();
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await page.waitForURL((url) => !url.search.includes('step='));
  await page.keyboard.press('?');
  await page.getByRole('dialog').getByText('Next failed step').waitFor();
  await page.keyboard.press('Escape');
  await page.keyboard.press(']');
  await page.waitForURL(/step=score/);
  await close();
});

test('the theme can be chosen and stays', async () => {
  const { page, go, close } = await open(system, { scheme: 'light' });
  await go('/plans');
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  assert.equal(await ground(), 'rgb(255, 255, 255)');
  await page.getByRole('button', { name: /Theme/ }).click();
  await page.getByRole('button', { name: /Theme/ }).click();
  assert.equal(await ground(), 'rgb(17, 21, 27)');
  await page.reload();
  assert.equal(await ground(), 'rgb(17, 21, 27)');
  await close();
});

test('what is not there is said, with a way on', async () => {
  const { page, go, close } = await open(system, { expect: [/^404 \/api\/v1\/(runs|plans)/, /^400 \/api\/v1\/(runs|plans)/] });
  await go(`/runs/${run.id.slice(0, -4)}0000`);
  await page.getByText('Not found').first().waitFor();
  await go('/plans/no-such-plan');
  await page.getByText('Not found').first().waitFor();
  await close();
});
