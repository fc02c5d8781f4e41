// SPDX-License-Identifier: Apache-2.0
// Clients that submit, repeat, cancel and read, and a nemesis that kills, until they are told to stop; all that they see goes into a
// history (history.mjs). Random, from a seed; what a seed gives is the choices, not the timing.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from './cluster.mjs';
import { emptyHistory } from './history.mjs';

/** A small generator (mulberry32): the same choices for the same seed. */
export function random(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return { next, below: (n) => Math.floor(next() * n), pick: (list) => list[Math.floor(next() * list.length)], chance: (p) => next() < p };
}

/** What every task does: says that it begins, works, logs, says that it ends, and gives its attempt and a nonce as its result. */
function script(file, { seconds, fails = 0, parent = '-', step = '', needs = '' }) {
  const where = parent === '-' ? '-' : `$PLANKTON_RUN_ID ${step} ${needs}`;
  return `read nonce < /proc/sys/kernel/random/uuid; say() { echo "$1 $PLANKTON_TASK_ID $PLANKTON_ATTEMPT $nonce ${where}" >> ${file}; }
say B; for i in 1 2 3 4 5; do echo "$nonce $i"; done; sleep ${seconds}; [ $PLANKTON_ATTEMPT -gt ${fails} ] || exit 1
say E; echo '{"attempt":'$PLANKTON_ATTEMPT',"nonce":"'$nonce'"}' > $PLANKTON_OUTPUT`;
}

export class Load {
  constructor(cluster, seed) {
    this.c = cluster;
    this.random = random(seed);
    this.file = join(cluster.dir, 'executed');
    this.history = emptyHistory();
    this.ids = [];
    this.runIds = [];
    this.keys = 0;
    this.stopping = false;
    this.kills = [];
  }

  async plan() {
    const step = (id, needs, seconds) => ({ id, needs, task: 'shell', parameters: { script: script(this.file, { seconds, parent: 'run', step: id, needs: needs.join(' ') }) },
      retry: { maxAttempts: 5, initialBackoff: '50ms' } });
    const made = await this.c.post('/plans', { name: 'diamond', steps: [step('top', [], 0.05), step('left', ['top'], 0.1), step('right', ['top'], 0.02), step('end', ['left', 'right'], 0.01)] });
    if (made.status !== 201) throw new Error(`plan: ${made.status} ${made.text}`);
    this.planId = made.json.id;
  }

  /** Sends by key until it is acknowledged, as clients do. */
  async #acknowledged(key, kind, path, body) {
    for (;;) {
      const got = await this.c.post(path, body, { headers: { 'idempotency-key': key }, timeout: 5000 }).catch(() => null);
      if (got && (got.status === 200 || got.status === 201)) {
        const entry = this.history.submits.get(key) ?? { ids: new Set(), kind, path, body };
        entry.ids.add(got.json.id);
        this.history.submits.set(key, entry);
        return got.json.id;
      }
      if (got && got.status < 500 && got.status !== 429) throw new Error(`submit: ${got.status} ${got.text}`);
      await new Promise((next) => setTimeout(next, 50)); // the client's own backoff
    }
  }

  async submitter() {
    const { random } = this;
    while (!this.stopping) {
      const key = `key-${this.keys++}`;
      if (random.chance(0.15)) {
        this.runIds.push(await this.#acknowledged(key, 'run', `/plans/${this.planId}/runs`, { input: { n: this.keys } }));
      } else {
        const task = { type: 'shell', parameters: { script: script(this.file, { seconds: random.pick([0, 0.01, 0.05, 0.2]), fails: random.chance(0.1) ? 1 : 0 }) },
          retry: { maxAttempts: 4, initialBackoff: '0.05s' } };
        this.ids.push(await this.#acknowledged(key, 'task', '/tasks', task));
      }
      if (random.chance(0.2)) await this.#again(random.pick([...this.history.submits.keys()]));
    }
  }

  async #again(key) {
    const { path, body, kind } = this.history.submits.get(key);
    await this.#acknowledged(key, kind, path, body);
    if (!this.random.chance(0.3) || kind === 'run') return;
    const other = await this.c.post(path, { ...body, priority: 7 }, { headers: { 'idempotency-key': key }, timeout: 5000 }).catch(() => null);
    if (other && other.status < 500 && other.status !== 429) this.history.conflicts.push({ key, status: other.status });
  }

  async reader(name) {
    const seen = [];
    this.history.observed.set(name, seen);
    while (!this.stopping) {
      const recent = this.random.chance(0.2) ? this.runIds : this.ids;
      if (recent.length === 0) { await new Promise((next) => setTimeout(next, 20)); continue; }
      const id = recent[Math.max(0, recent.length - 1 - this.random.below(40))];
      const got = await this.c.get(`/${recent === this.runIds ? 'runs' : 'tasks'}/${id}`, { timeout: 5000 }).catch(() => null);
      if (got?.status !== 200) continue;
      seen.push({ id, state: got.json.state, attempt: got.json.attempt, result: got.json.result });
      if (recent === this.runIds) await this.#runTasks(id, got.json.state);
    }
  }

  async #runTasks(run, state) {
    const got = await this.c.get(`/runs/${run}/tasks`, { timeout: 5000 }).catch(() => null);
    if (got?.status === 200) this.history.runTasks.push({ run, state, tasks: got.json.tasks.map((task) => task.state) });
  }

  async canceller() {
    while (!this.stopping) {
      await new Promise((next) => setTimeout(next, 200));
      if (this.ids.length === 0) continue;
      const id = this.random.pick(this.ids.slice(-10));
      const got = await this.c.post(`/tasks/${id}:cancel`, { reason: 'by the test' }, { timeout: 5000 }).catch(() => null);
      if (got?.status === 200 && got.json.state === 'TASK_STATE_CANCELLED') this.history.cancelled.push(id);
    }
  }

  /** One fault after the other, each healed before the next. */
  async nemesis(faults) {
    while (!this.stopping) {
      await new Promise((next) => setTimeout(next, 300 + this.random.below(1200)));
      const fault = this.random.pick(faults);
      this.kills.push(fault);
      await this.#fault(...fault.split(' '));
    }
  }

  async #fault(verb, name) {
    const { c } = this;
    if (verb === 'crash') return c.postgres('crash');
    if (verb === 'kill') {
      await c.kill(name);
      c.spawn(name);
      return undefined;
    }
    c.signal(name, 'SIGSTOP');
    await new Promise((next) => setTimeout(next, 500 + this.random.below(2500))); // some shorter, some longer than a lease
    return c.signal(name, 'SIGCONT');
  }

  async run(ms, faults) {
    await this.plan();
    const parts = [1, 2, 3, 4, 5, 6].map(() => this.submitter());
    for (let i = 1; i <= 4; i++) parts.push(this.reader(`reader ${i}`));
    parts.push(this.canceller());
    parts.push(this.nemesis(faults));
    const all = Promise.all(parts);
    const timer = setTimeout(() => { this.stopping = true; }, ms);
    await all.finally(() => { clearTimeout(timer); this.stopping = true; });
  }

  /** Waits until all that was acknowledged has ended, and reads what it has become. */
  async settle(ms) {
    const { c, history } = this;
    await c.ready();
    const runs = new Set(this.runIds), tasks = new Set(this.ids);
    for (const id of runs) {
      history.runs.set(id, await c.finished('runs', id, ms));
      for (const { id: task } of (await c.get(`/runs/${id}/tasks`)).json.tasks) tasks.add(task);
    }
    for (const id of tasks) history.tasks.set(id, await c.finished('tasks', id, ms));
    history.executed = existsSync(this.file) ? readFileSync(this.file, 'utf8').split('\n').filter(Boolean).map((line) => line.trim().split(' ')) : [];
    const done = [...history.tasks].filter(([, task]) => task.state === 'TASK_STATE_SUCCEEDED').slice(-60);
    for (const [id, { attempt, result }] of done) history.logs.push(await this.#log(id, attempt, result.nonce, ms));
  }

  async #log(task, attempt, nonce, ms) {
    let json;
    await until(`the log of ${task} is complete`, async () => {
      ({ json } = await this.c.get(`/tasks/${task}/logs?pageSize=1000`));
      return json?.complete;
    }, ms).catch(() => {}); // the history says so
    const lines = (json?.lines ?? []).filter((line) => (line.attempt ?? 1) === attempt && line.stream === 'stdout').map((line) => line.text);
    return { task, attempt, nonce, lines, complete: json?.complete === true };
  }
}
