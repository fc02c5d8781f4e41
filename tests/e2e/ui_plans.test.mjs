// SPDX-License-Identifier: Apache-2.0
// Plans made, changed and run in the page, without a brace being typed.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { open, runEnds, start, stepIs } from './ui_browser.mjs';

let system;
before(async () => {
  system = await start();
});
after(() => system?.stop());

const stamp = Date.now().toString(36);
const name = (what) => `${what}-${stamp}`;
const card = (page, n) => page.locator('[data-step]').nth(n);

async function fillStep(page, n, { id, task, label, value, needs = [] }) {
  await card(page, n).getByLabel('Id', { exact: true }).fill(id);
  await card(page, n).getByLabel('Task type').fill(task);
  if (label) await card(page, n).getByLabel(label, { exact: true }).fill(value);
  for (const chip of await card(page, n).locator('fieldset button[aria-pressed=true]').all()) await chip.click();
  for (const need of needs) await card(page, n).locator('fieldset').getByRole('button', { name: need, exact: true }).click();
}

test('a plan with an input is made in the form, listed, and run', async () => {
  const { page, go, picture, close } = await open(system);
  await go('/plans');
  await page.getByRole('link', { name: 'New plan' }).click();
  await page.getByLabel('Name', { exact: true }).first().fill(name('report'));
  await page.getByLabel('Description').fill('fetch, work in parallel, publish');
  await page.getByRole('button', { name: 'Add input' }).click();
  await page.locator('[data-field=input]').getByLabel('Name', { exact: true }).fill('who');
  await page.locator('[data-field=input]').getByLabel('Default').fill('nobody');
  await fillStep(page, 0, { id: 'fetch', task: 'hello' });
  await card(page, 0).getByLabel('Insert a value into Name').selectOption('input.who');
  for (const [n, step] of [
    { id: 'left', task: 'shell', label: 'Script', value: 'for i in 1 2 3; do echo "left $i"; sleep 0.2; done', needs: ['fetch'] },
    { id: 'right', task: 'sleep', label: 'Duration', value: '300ms', needs: ['fetch'] },
    { id: 'publish', task: 'noop', needs: ['left', 'right'] },
  ].entries()) {
    await page.getByRole('button', { name: 'Add step' }).click();
    await fillStep(page, n + 1, step);
  }
  await page.getByText('no problems').waitFor();
  await picture('form');
  await page.getByRole('button', { name: 'Create plan' }).click();
  await page.getByRole('heading', { name: name('report') }).waitFor();
  await picture('plan');

  await page.getByRole('link', { name: 'Plans', exact: true }).click();
  await page.getByRole('searchbox', { name: 'Search plans' }).fill(name('report'));
  await page.waitForURL(/q=report/);
  await page.getByRole('button', { name: `Run ${name('report')}` }).click();
  const dialog = page.getByRole('dialog');
  assert.equal(await dialog.getByLabel('who').inputValue(), 'nobody');
  await dialog.getByLabel('who').fill('Ada');
  await dialog.getByRole('button', { name: 'Run', exact: true }).click();
  await page.waitForURL(/\/runs\//);
  await page.getByText('Hello, Ada!').waitFor();
  await page.getByText('left 3').waitFor();
  await runEnds(page, 'succeeded');
  await page.getByRole('tab', { name: 'Input and output' }).click();
  await page.getByText('"who": "Ada"').waitFor();

  // Again, with the same input unless it is changed.
  await page.getByRole('button', { name: 'Run again' }).click();
  assert.equal(await page.getByRole('dialog').getByLabel('who').inputValue(), 'Ada');
  await page.getByRole('dialog').getByRole('button', { name: 'Run', exact: true }).click();
  await page.getByText('re-run of').waitFor();
  await runEnds(page, 'succeeded');
  await close();
});

test('a failing step shows its error, its log and its retries', async () => {
  const { page, go, picture, close } = await open(system);
  await go('/plans/new');
  await page.getByLabel('Name', { exact: true }).first().fill(name('broken'));
  await fillStep(page, 0, { id: 'bad', task: 'shell', label: 'Script', value: 'echo about to fail; echo "no such luck" >&2; exit 3' });
  await card(page, 0).getByText('Condition, retries').click();
  await card(page, 0).getByLabel('Attempts at most').fill('2');
  await card(page, 0).getByLabel('Wait before the second').fill('200ms');
  await page.getByRole('button', { name: 'Add step' }).click();
  await fillStep(page, 1, { id: 'after', task: 'noop', needs: ['bad'] });
  await page.getByRole('button', { name: 'Create plan' }).click();
  await page.getByRole('heading', { name: name('broken') }).waitFor();
  await page.getByRole('button', { name: `Run ${name('broken')}` }).click();
  await page.waitForURL(/\/runs\//);
  await runEnds(page, 'failed');
  await stepIs(page, 'bad', 'failed');
  await stepIs(page, 'after', 'skipped');
  await page.locator('.failure').getByText('EXIT_STATUS').first().waitFor();
  await picture('failed');
  await page.locator('.failure').getByRole('button', { name: 'Step bad' }).click();
  await page.getByText('no such luck').first().waitFor();
  assert.equal(await page.getByText('about to fail', { exact: true }).count(), 2, 'a line of each attempt');
  await page.getByRole('tab', { name: /^Error/ }).click();
  await page.locator('#step-panel').getByText('EXIT_STATUS').waitFor();
  await page.getByRole('tab', { name: 'Attempts' }).click();
  await page.getByText(/will be tried again/).waitFor();
  await picture('failed-attempts');
  await close();
});

test('a run is cancelled after a question', async () => {
  const { page, go, close } = await open(system);
  await go('/plans/new');
  await page.getByLabel('Name', { exact: true }).first().fill(name('long'));
  await fillStep(page, 0, { id: 'wait', task: 'shell', label: 'Script', value: 'echo waiting; sleep 600' });
  await page.getByRole('button', { name: 'Create plan' }).click();
  await page.getByRole('button', { name: `Run ${name('long')}` }).click();
  await page.waitForURL(/\/runs\//);
  await stepIs(page, 'wait', 'running');
  await page.getByText('waiting', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Cancel run' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Back' }).click();
  await stepIs(page, 'wait', 'running');
  await page.getByRole('button', { name: 'Cancel run' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel run' }).click();
  await runEnds(page, 'cancelled');
  await stepIs(page, 'wait', 'cancelled');
  await page.getByRole('link', { name: 'Runs', exact: true }).click();
  await page.getByRole('button', { name: 'cancelled', exact: true }).click();
  await page.waitForURL(/state=cancelled/);
  await page.getByRole('link', { name: name('long') }).waitFor();
  await close();
});

test('what is wrong is said at its place while the form is filled in', async () => {
  const { page, go, close } = await open(system, { expect: [/^422 \/api\/v1\/plans/] });
  await go('/plans/new');
  await page.getByLabel('Name', { exact: true }).first().fill('Not A Name');
  await page.locator('[data-field=name]').locator('.problem').first().waitFor();
  await page.getByRole('button', { name: 'Create plan' }).click();
  assert.match(page.url(), /\/plans\/new$/);
  await page.getByLabel('Name', { exact: true }).first().fill(name('fine'));
  await page.locator('[data-field=name]').locator('.problem').first().waitFor({ state: 'detached' });
  await card(page, 0).getByLabel('Id', { exact: true }).fill('twice');
  await page.getByRole('button', { name: 'Add step' }).click();
  await card(page, 1).getByLabel('Id', { exact: true }).fill('twice');
  await page.getByText(/twice/).first().waitFor();
  await page.locator('[data-problems] button').first().click();
  await close();
});

test('a change is a new version; a change by somebody else in between is not lost', async () => {
  const { page, go, close } = await open(system, { expect: [/^412 \/api\/v1\/plans/] });
  await go('/plans/new');
  await page.getByLabel('Name', { exact: true }).first().fill(name('shared'));
  await page.getByRole('button', { name: 'Create plan' }).click();
  await page.getByRole('heading', { name: name('shared') }).waitFor();
  await page.getByRole('link', { name: 'Edit', exact: true }).click();
  await page.getByLabel('Description').fill('mine');

  const other = await page.context().newPage();
  await other.goto(page.url());
  await other.getByLabel('Description').fill('theirs');
  await other.getByPlaceholder('What was changed (optional)').fill('described');
  await other.getByRole('button', { name: 'Save new version' }).click();
  await other.getByRole('heading', { name: /version 2/ }).waitFor();
  await other.getByRole('cell', { name: 'described' }).waitFor();
  await other.close();

  await page.getByRole('button', { name: 'Save new version' }).click();
  await page.getByText('Somebody else has saved a newer version.').waitFor();
  await page.getByRole('button', { name: 'Save mine as the newest' }).click();
  await page.getByRole('heading', { name: /version 3/ }).waitFor();
  await page.getByText('mine', { exact: true }).waitFor();
  await page.getByRole('link', { name: '2', exact: true }).click();
  await page.getByText('theirs', { exact: true }).waitFor();
  await close();
});

test('the source can be edited as text, and an archived plan is out of the list', async () => {
  const { page, go, close } = await open(system);
  await go('/plans/new');
  await page.getByRole('tab', { name: 'Source' }).click();
  const text = JSON.stringify({ name: name('written'), steps: [{ id: 'only', task: 'hello', parameters: { name: 'Source' } }] }, null, 2);
  await page.getByLabel('Plan source').fill(text);
  await page.getByRole('tab', { name: 'Form' }).click();
  await page.getByLabel('Name', { exact: true }).first().waitFor();
  assert.equal(await page.getByLabel('Name', { exact: true }).first().inputValue(), name('written'));
  await page.getByRole('button', { name: 'Create plan' }).click();
  await page.getByRole('heading', { name: name('written') }).waitFor();
  await page.getByRole('button', { name: 'Archive' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Archive' }).click();
  await page.waitForURL(`${system.url}/plans`);
  await page.getByRole('link', { name: 'Archived plans' }).click();
  await page.getByRole('link', { name: name('written') }).waitFor();
  await close();
});
