// SPDX-License-Identifier: Apache-2.0
// A browser on a running Plankton: its own (`plankton up` in a temporary folder), or the one that PLANKTON_URL names, with
// PLANKTON_LOGIN_URL or PLANKTON_KEY to sign in. Whatever the browser's console says, an error of the page, a breach of the content
// security policy or an answer that nobody expects makes the test fail.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const bin = process.env.PLANKTON_BIN ?? path.join(root, 'build/dev/bin');
const START_MS = 60_000;
const STOP_MS = 20_000;
const PATIENCE_MS = 20_000;
/** Folder for pictures of the pages; empty: none are taken. */
const pictures = process.env.PLANKTON_UI_PICTURES ?? '';

async function ownSystem() {
  const folder = mkdtempSync(path.join(tmpdir(), 'plankton-ui-'));
  const child = spawn(path.join(bin, 'plankton'), ['up', '--data-dir', path.join(folder, 'data')], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const ready = new Promise((resolve, reject) => {
    const read = (data) => {
      output += data;
      const url = /ready: (http\S+)/.exec(output)?.[1];
      if (url) resolve(url);
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.on('exit', () => reject(new Error(`plankton up ended:\n${output}`)));
    child.on('error', reject);
    setTimeout(() => reject(new Error(`plankton up is not ready after ${START_MS} ms:\n${output}`)), START_MS).unref();
  });
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGINT');
      const force = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      await once(child, 'exit');
      clearTimeout(force);
    }
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const loginUrl = await ready;
    return { url: new URL(loginUrl).origin, loginUrl, key: readFileSync(path.join(folder, 'data/admin.key'), 'utf8').trim(), pid: child.pid, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A Plankton and a browser; `stop` ends both. */
export async function start() {
  const given = process.env.PLANKTON_URL;
  const system = given
    ? { url: given.replace(/\/$/, ''), loginUrl: process.env.PLANKTON_LOGIN_URL, key: process.env.PLANKTON_KEY, stop: async () => undefined }
    : await ownSystem();
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
  });
  return {
    ...system,
    browser,
    stop: async () => {
      await browser.close();
      await system.stop();
    },
  };
}

/** What a page was not to do; `check` fails the test with it. */
function watch(page, expected) {
  const faults = [];
  page.on('console', (message) => {
    if (!['error', 'warning'].includes(message.type())) return;
    // Chromium reports every status above 399 by itself; those are judged below.
    if (/Failed to load resource: the server responded with a status of/.test(message.text())) return;
    if (expected.some((one) => one.test(message.text()))) return;
    faults.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => faults.push(`error: ${error.stack}`));
  page.on('response', (response) => {
    const { pathname } = new URL(response.url());
    if (response.status() >= 400 && !expected.some((one) => one.test(`${response.status()} ${pathname}`))) faults.push(`${response.status()} ${response.url()}`);
  });
  return faults;
}

/** A signed-in page. `expect` lists answers that are part of the test, as /^404 \/api\/v1\/runs/. */
export async function open(system, { width = 1280, height = 800, scheme = 'light', expect = [] } = {}) {
  const context = await system.browser.newContext({ viewport: { width, height }, colorScheme: scheme, reducedMotion: 'reduce' });
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => console.error(`CSP: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`));
  });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const faults = watch(page, expect);
  if (system.key) {
    const answer = await context.request.post(`${system.url}/login`, { data: { token: system.key } });
    assert.equal(answer.status(), 204);
  } else {
    await page.goto(system.loginUrl);
  }
  return {
    page,
    context,
    faults,
    go: (where) => page.goto(system.url + where),
    picture: async (name) => {
      if (pictures) await page.screenshot({ path: path.join(pictures, `${name}.png`) });
    },
    close: async () => {
      await context.close();
      assert.deepEqual(faults, []);
    },
  };
}

/** Process id of one of the system's services. */
export function pidOf(system, service) {
  const children = readFileSync(`/proc/${system.pid}/task/${system.pid}/children`, 'utf8').trim().split(' ');
  const found = children.find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0].endsWith(service));
  assert.ok(found, `no process of ${service}`);
  return Number(found);
}

/** Waits until the run that is shown has ended in a state. */
export async function runEnds(page, state) {
  try {
    await page.locator(`main header [data-state=${state}]`).waitFor();
  } catch (error) {
    error.message += `\nThe page shows:\n${await page.locator('main').innerText()}`;
    throw error;
  }
}

/** Waits until a step's row shows a state. */
export async function stepIs(page, step, state) {
  await page.locator('table[aria-label=Steps] tr', { has: page.getByRole('button', { name: step, exact: true }) }).locator(`[data-state=${state}]`).waitFor();
}
