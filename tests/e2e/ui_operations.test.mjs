// SPDX-License-Identifier: Apache-2.0
// What operators do: see what runs, what waits and why, pause and limit queues and runs, read metrics and the run over time, compare
// versions, look whether all is well.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { open, runEnds, start, stepIs } from './ui_browser.mjs';

const stamp = Date.now().toString(36);
const name = (text) => `${text}-${stamp}`;
let system;
before(async () => {
  system = await start();
});
after(() => system?.stop());

async function send(context, method, where, data) {
  const answer = await context.request.fetch(`${system.url}/api/v1${where}`, { method, headers: { Origin: system.url }, data });
  assert.ok(answer.ok(), `${where}: ${answer.status()} ${await answer.text()}`);
  return answer.json();
}
async function startRun(context, plan) {
  await send(context, 'POST', '/plans', plan);
  return send(context, 'POST', `/plans/${plan.name}/runs`, {});
}

test('a queue is paused with a reason that everything in it shows, and resumed', async () => {
  const { page, context, go, picture, close } = await open(system);
  const queue = name('nightly');
  await send(context, 'PUT', `/queues/${queue}`, { concurrency: 7 });
  await go('/queues');
  await page.getByRole('button', { name: `Pause ${queue}` }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Pause' }).click();
  await page.getByText('Say why').waitFor();
  await page.getByLabel('Reason').fill('the disk is full');
  await picture('pause-dialog');
  await page.getByRole('dialog').getByRole('button', { name: 'Pause' }).click();
  await page.locator('[data-paused]', { hasText: 'the disk is full' }).waitFor();

  const run = await startRun(context, { name: name('held'), steps: [{ id: 'first', task: 'noop', queue }, { id: 'second', task: 'noop', needs: ['first'] }] });
  await go(`/runs/${run.id}`);
  await page.locator('[data-reason=pause]', { hasText: 'the disk is full' }).waitFor();
  await page.getByRole('button', { name: 'second', exact: true }).click();
  await page.locator('[data-reason=needs]', { hasText: 'needs step first' }).waitFor();
  await page.getByRole('button', { name: 'step first' }).click();
  await page.waitForURL(/step=first/);
  await picture('run-waits');
  await go('/');
  await page.locator('[data-reason=pause]', { hasText: '1 task: queue ' }).waitFor();
  await page.locator('[data-tile="Paused queues"] strong', { hasText: '1' }).waitFor();
  await picture('overview-waits');
  await page.locator('[data-reason=pause]').getByRole('link', { name: 'the oldest' }).click();
  await page.locator('section[aria-label="Step first"] [data-reason=pause]').getByRole('link', { name: `Queue ${queue}` }).click();
  await page.getByRole('row', { name: queue }).getByRole('cell', { name: '1', exact: true }).first().waitFor();
  await page.getByRole('button', { name: `Resume ${queue}` }).click();
  await page.locator('[data-paused]', { hasText: 'the disk is full' }).waitFor({ state: 'detached' });
  await go(`/runs/${run.id}`);
  await runEnds(page, 'succeeded');
  assert.equal(await page.locator('[data-reason]').count(), 0, 'a run that is over waits for nothing');
  await close();
});

test('limits of a queue are set, refused when they are none, and taken away', async () => {
  const { page, context, go, picture, close } = await open(system);
  const queue = name('limited');
  await send(context, 'PUT', `/queues/${queue}`, { concurrency: 7 });
  await go('/queues');
  const row = page.getByRole('row', { name: queue });
  await row.getByRole('cell', { name: '7 at a time', exact: true }).waitFor();
  await page.getByRole('button', { name: `Limits of ${queue}` }).click();
  await page.getByLabel('Tasks at a time').fill('none');
  await page.getByRole('button', { name: 'Save limits' }).click();
  await page.getByText('A whole number').waitFor();
  await page.getByLabel('Tasks at a time').fill('3');
  await page.getByLabel('Starts').fill('30');
  await page.getByLabel('in each').fill('1m');
  await picture('limits-dialog');
  await page.getByRole('button', { name: 'Save limits' }).click();
  await row.getByRole('cell', { name: '3 at a time, 30 in 1 m 00 s', exact: true }).waitFor();
  await picture('queues-limited');
  await page.getByRole('button', { name: `Limits of ${queue}` }).click();
  assert.equal(await page.getByLabel('in each').inputValue(), '1m');
  await page.getByLabel('Tasks at a time').fill('');
  await page.getByLabel('Starts').fill('');
  await page.getByRole('button', { name: 'Save limits' }).click();
  await page.getByText('3 at a time').first().waitFor({ state: 'detached' });
  await row.getByRole('cell', { name: 'none', exact: true }).waitFor();
  await close();
});

test('a run is paused with a reason and resumed', async () => {
  const { page, context, go, picture, close } = await open(system);
  const run = await startRun(context, { name: name('break'), steps: [{ id: 'one', task: 'sleep', parameters: { duration: '2s' } }, { id: 'two', task: 'noop', needs: ['one'] }] });
  await go(`/runs/${run.id}`);
  await page.getByRole('button', { name: 'Pause run' }).click();
  await page.getByLabel('Reason').fill('lunch');
  await page.getByRole('dialog').getByRole('button', { name: 'Pause' }).click();
  await page.locator('[data-reason=pause]', { hasText: 'lunch' }).waitFor();
  await stepIs(page, 'one', 'succeeded');
  await picture('run-paused');
  await page.getByRole('button', { name: 'Resume run' }).click();
  await runEnds(page, 'succeeded');
  await close();
});

test('metrics grow while the step runs; the timeline shows its attempts', async () => {
  const { page, context, go, picture, close } = await open(system, { height: 900 });
  const script = `if [ "$PLANKTON_ATTEMPT" = 1 ]; then echo '{"metric": {"loss": 99}}'; exit 3; fi
for i in $(seq 20); do echo "{\\"loss\\": 0.$((60 - i)), \\"eval\\": {\\"acc\\": $((i * i))}}" >> $PLANKTON_METRICS; sleep 0.2; done`;
  const run = await startRun(context, { name: name('train'), steps: [{ id: 'prepare', task: 'sleep', parameters: { duration: '5s' } }, { id: 'train', task: 'shell', needs: ['prepare'], parameters: { script }, retry: { maxAttempts: 2, initialBackoff: '1s' } }, { id: 'publish', task: 'noop', needs: ['train'] }] });
  await go(`/runs/${run.id}?tab=metrics`);
  await page.getByText('No metrics yet').waitFor();
  const loss = page.getByRole('img', { name: /^train\/loss: \d+ values/ });
  await loss.waitFor();
  const values = async () => Number(/(\d+) values/.exec(await loss.getAttribute('aria-label'))[1]);
  const early = await values();
  assert.ok(early < 20, 'all values were there at once: it is not live');
  await page.getByRole('img', { name: /^train\/loss: 20 values, lowest 0.4, highest 0.59, last 0.4/ }).waitFor();
  await page.getByRole('img', { name: /^train\/eval\/acc: 20 values, lowest 1, highest 400/ }).waitFor();
  await runEnds(page, 'succeeded');
  await picture('metrics');
  await page.getByText('no. 20').first().waitFor();
  await page.getByRole('button', { name: 'by time' }).click();
  await page.getByText('start', { exact: true }).first().waitFor();
  await page.getByRole('tab', { name: 'Timeline' }).click();
  const row = page.getByRole('list', { name: 'Steps over time' }).getByRole('button', { name: /^train ?: queued .*attempt 1 failed after .*backoff .*attempt 2 succeeded after/ });
  await row.waitFor();
  await picture('timeline');
  await row.click();
  await page.waitForURL(/step=train/);
  await page.getByRole('tab', { name: 'Metrics' }).click();
  await page.getByRole('img', { name: /^loss: 20 values/ }).waitFor();
  await picture('step-metrics');
  await close();
});

test('two versions of a plan are compared, unified and side by side', async () => {
  const { page, context, go, picture, close } = await open(system);
  const source = (more) => ['name: ' + name('compared'), '# a comment of the author', 'steps:', ...Array.from({ length: 12 }, (_, i) => `  - {id: s${i}, task: noop}`), ...more].join('\n');
  const plan = await send(context, 'POST', '/plans', { source: source(['  - {id: last, task: noop}']) });
  await send(context, 'PUT', `/plans/${plan.id}`, { source: source(['  - {id: last, task: hello}', '  - {id: more, task: noop}']) });
  await go(`/plans/${plan.id}`);
  await page.getByRole('link', { name: 'Changes of version 2' }).click();
  await page.getByRole('heading', { name: /Changes of compared/ }).waitFor();
  await page.getByText('+2').waitFor();
  await page.locator('td.removed', { hasText: '{id: last, task: noop}' }).waitFor();
  await page.locator('td.added', { hasText: '{id: more, task: noop}' }).waitFor();
  await picture('changes-unified');
  await page.getByRole('button', { name: '12 lines without a change' }).click();
  await page.getByText('# a comment of the author').waitFor();
  await page.getByRole('button', { name: 'side by side' }).click();
  await page.waitForURL(/view=split/);
  const pair = page.getByRole('row').filter({ has: page.locator('td.removed', { hasText: 'task: noop' }) });
  await pair.locator('td.added', { hasText: 'task: hello' }).waitFor();
  await picture('changes-split-open');
  await page.getByRole('combobox', { name: /^From version/ }).selectOption('2');
  await page.getByText('one and the same version').waitFor();
  await close();
});

test('the overview shows what runs and what failed; the system page that all is well', async () => {
  const { page, context, go, picture, close } = await open(system);
  const failed = await startRun(context, { name: name('wrong'), steps: [{ id: 'bad', task: 'shell', parameters: { script: 'exit 9' }, retry: { maxAttempts: 1 } }] });
  const long = await startRun(context, { name: name('long'), steps: [{ id: 'wait', task: 'sleep', parameters: { duration: '60s' } }] });
  await send(context, 'POST', '/tasks', { type: 'noop', environment: { requires: { gpu: 'true' } } });
  await go('/');
  const main = page.locator('main');
  await main.getByRole('region', { name: 'Runs under way' }).getByRole('link', { name: name('long') }).waitFor();
  await main.getByRole('region', { name: 'Recent failures' }).getByRole('link', { name: name('wrong') }).waitFor();
  await main.locator('[data-reason=worker]', { hasText: 'no worker with label gpu=true' }).waitFor();
  await main.getByRole('img', { name: /tasks? finished in the last/ }).waitFor();
  await picture('overview');
  await main.getByRole('link', { name: name('wrong') }).click();
  await page.waitForURL(new RegExp(`/runs/${failed.id}.*step=bad`));
  await send(context, 'POST', `/runs/${failed.id}:rerun`, {});
  await send(context, 'POST', `/runs/${long.id}:cancel`, { reason: 'enough' });
  await go('/system');
  await page.getByRole('row', { name: /Controller/ }).getByText('answers').waitFor();
  await page.getByRole('row', { name: /Logger/ }).getByText('answers').waitFor();
  await page.getByRole('row', { name: /postgres|file/ }).first().getByText('healthy').waitFor();
  await picture('system');
  await close();
});
