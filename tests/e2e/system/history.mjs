// SPDX-License-Identifier: Apache-2.0
// What clients, readers and the executed tasks themselves have seen of a system, and whether the promises allow it. check() is pure: it
// gets everything that was recorded and gives the violations in words.

/**
 * history.submits: Map key → {ids: Set of acknowledged ids, kind: 'task' | 'run'}; a key that nobody acknowledged is not in it
 * history.conflicts: [{key, status}] of submits of a known key with another body
 * history.executed: lines of the file that all tasks append to, in the order of the file: [mark, task, attempt, nonce, parent, needs…]
 *   mark B: an attempt begins, E: it has ended; parent: its run or '-'; of a step also its name and those that it needs
 * history.observed: Map reader → [{id, state, attempt, result}] in the order in which one reader saw them, one at a time
 * history.cancelled: ids whose cancel was answered with the state `cancelled`
 * history.runTasks: [{run, state, tasks: [state]}]: tasks of a run, read after its state was
 * history.tasks, history.runs: Map id → what it is in the end
 * history.logs: [{task, attempt, nonce, lines, complete}] of succeeded tasks in the end
 */
export const emptyHistory = () => ({ submits: new Map(), conflicts: [], executed: [], observed: new Map(), cancelled: [], runTasks: [],
  tasks: new Map(), runs: new Map(), logs: [] });

const terminal = (state) => /_(SUCCEEDED|FAILED|CANCELLED|SKIPPED)$/.test(state);

/** Promise 1 and 3: what was acknowledged is there and has ended. Promise 4: one key, one thing. */
function checkSubmits({ submits, conflicts, tasks, runs }, say) {
  for (const [key, { ids, kind }] of submits) {
    if (ids.size !== 1) say(`key ${key} was acknowledged as ${[...ids].join(' and ')}`);
    for (const id of ids) {
      const it = (kind === 'run' ? runs : tasks).get(id);
      if (!it) say(`${kind} ${id} was acknowledged and is not there`);
      else if (!terminal(it.state)) say(`${kind} ${id} is ${it.state} in the end`);
    }
  }
  for (const { key, status } of conflicts) if (status !== 409) say(`key ${key} with another body was answered with ${status}`);
}

/** Promise 2: an attempt begins once, and the recorded result is what its attempt has made. */
function checkExecutions({ executed, tasks }, say) {
  const begun = new Map(), ended = new Map();
  for (const [mark, task, attempt, nonce] of executed) {
    const name = `${task}/${attempt}`;
    if (mark === 'B' && begun.has(name)) say(`attempt ${name} was begun twice`);
    (mark === 'B' ? begun : ended).set(name, nonce);
  }
  for (const [id, task] of tasks) {
    if (task.state !== 'TASK_STATE_SUCCEEDED') continue;
    const name = `${id}/${task.attempt}`;
    if (task.result?.attempt !== task.attempt) say(`task ${id} has the result of attempt ${task.result?.attempt} for attempt ${task.attempt}`);
    else if (!ended.has(name)) say(`task ${id} has a result that its attempt ${task.attempt} did not make`);
    else if (ended.get(name) !== task.result.nonce) say(`task ${id} has a result of another execution`);
  }
}

/** Promise 5, by one reader: no state goes back, no attempt gets smaller, what is final stays. */
function checkReaders({ observed, cancelled, tasks, runs, runTasks }, say) {
  for (const [reader, seen] of observed) {
    const last = new Map();
    for (const now of [...seen, ...[...tasks, ...runs].map(([id, it]) => ({ id, state: it.state, attempt: it.attempt, result: it.result }))]) {
      const before = last.get(now.id);
      last.set(now.id, now);
      if (!before) continue;
      if (now.attempt < before.attempt) say(`reader ${reader} saw attempt ${now.attempt} of ${now.id} after ${before.attempt}`);
      if (!terminal(before.state)) continue;
      if (now.state !== before.state) say(`reader ${reader} saw ${now.id} ${now.state} after ${before.state}`);
      else if (JSON.stringify(now.result) !== JSON.stringify(before.result)) say(`reader ${reader} saw two results of ${now.id}`);
    }
  }
  for (const id of cancelled) if (tasks.get(id)?.state !== 'TASK_STATE_CANCELLED') say(`task ${id} was cancelled and is ${tasks.get(id)?.state}`);
  for (const { run, state, tasks: states } of runTasks)
    if (terminal(state) && !states.every(terminal)) say(`run ${run} was ${state} with tasks ${states.join(', ')}`);
}

/** Promise 5, by what was executed: no step begins before one that it needs has ended. */
function checkOrder({ executed }, say) {
  const done = new Set();
  for (const [mark, task, attempt, , parent, step, ...needs] of executed) {
    if (parent === '-') continue;
    if (mark === 'E') done.add(`${parent}/${step}`);
    else for (const need of needs) if (!done.has(`${parent}/${need}`)) say(`step ${step} of run ${parent} began (${task}/${attempt}) before ${need} had ended`);
  }
}

/** Promise 6: the log of a recorded attempt is whole, in order, each line once. */
function checkLogs({ logs }, say) {
  for (const { task, attempt, nonce, lines, complete } of logs) {
    const want = [1, 2, 3, 4, 5].map((n) => `${nonce} ${n}`);
    if (!complete) say(`the log of ${task}/${attempt} is not complete`);
    else if (JSON.stringify(lines) !== JSON.stringify(want)) say(`the log of ${task}/${attempt} is ${JSON.stringify(lines)}`);
  }
}

export function check(history) {
  const violations = [];
  for (const part of [checkSubmits, checkExecutions, checkReaders, checkOrder, checkLogs]) part(history, (text) => violations.push(text));
  return violations;
}
