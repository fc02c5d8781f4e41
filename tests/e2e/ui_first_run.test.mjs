// SPDX-License-Identifier: Apache-2.0
// A new user: opens the printed address, is signed in, runs the hello plan and watches it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { open, runEnds, start, stepIs } from './ui_browser.mjs';

let system;
before(async () => {
  system = await start();
});
after(() => system?.stop());

test('a stranger is asked for a key; a wrong one is refused in words, the right one opens the page', { skip: !process.env.PLANKTON_URL || process.env.PLANKTON_KEY ? false : 'needs PLANKTON_KEY' }, async () => {
  const context = await system.browser.newContext();
  const page = await context.newPage();
  await page.goto(`${system.url}/workers`);
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  await page.getByLabel('API key').fill('pk_wrong');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('This key is not known').waitFor();
  await page.getByLabel('API key').fill(system.key);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Workers' }).waitFor();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  await context.close();
});

test('the printed address signs in; the hello plan runs live without further requests', async () => {
  const { page, faults, picture, close } = await open({ ...system, key: undefined });
  await page.waitForURL(`${system.url}/`);
  await page.locator('[data-tile=Workers]').getByText('connected').waitFor();
  await picture('first-overview');
  const requests = [];
  let counting = false;
  page.on('request', (request) => counting && requests.push(request.url()));

  await page.getByRole('button', { name: 'Run the hello plan' }).click();
  await page.waitForURL(/\/runs\/[0-9a-f-]{36}$/);
  await stepIs(page, 'greet', 'succeeded');
  await page.getByText('Hello, World!').waitFor();
  await page.getByText('counting 1 of 5').waitFor();
  counting = true; // all that the page asks for has been asked for
  await stepIs(page, 'count', 'running');
  await picture('first-run-live');
  assert.equal(await page.getByText('counting 5 of 5').count(), 0, 'the log was there at once: it is not live');
  await page.getByText('counting 5 of 5').waitFor();
  await page.getByText(/all done on/).waitFor();
  await runEnds(page, 'succeeded');
  assert.deepEqual(requests, [], 'requests while the run was live');
  for (const step of ['greet', 'count', 'rest', 'finish']) await stepIs(page, step, 'succeeded');
  await page.getByText('4/4').waitFor();
  await picture('first-run-done');
  counting = false;

  // The whole can be read again later, and in pieces.
  await page.reload();
  await runEnds(page, 'succeeded');
  await page.getByText('counting 5 of 5').waitFor();
  await page.getByRole('button', { name: 'greet', exact: true }).click();
  await page.getByRole('tab', { name: 'Result' }).click();
  await page.getByText('"greeting": "Hello, World!"').waitFor();
  await page.getByRole('tab', { name: 'Attempts' }).click();
  await page.locator('#step-panel').getByRole('cell', { name: 'succeeded', exact: true }).waitFor();
  await page.getByRole('tab', { name: 'Log', exact: true }).click();
  assert.equal(await page.getByText('counting 1 of 5').count(), 0, "another step's line in the step's log");
  await page.getByRole('link', { name: 'Plans', exact: true }).click();
  await page.getByRole('cell', { name: /^hello/ }).waitFor();
  assert.deepEqual(faults, []);
  await close();
});

test('the printed address works once', { skip: process.env.PLANKTON_URL ? 'the given system may allow more' : false }, async () => {
  const context = await system.browser.newContext();
  const page = await context.newPage();
  await page.goto(system.loginUrl);
  await page.getByText('That link was used already').waitFor();
  await context.close();
});
