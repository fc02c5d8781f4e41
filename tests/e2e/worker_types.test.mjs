// SPDX-License-Identifier: Apache-2.0
// The built-in task types: results, failures, logs, environment, limits, and that nothing of a process survives it.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { within, alive } from './worker/plane.mjs';

const shell = (script, more = {}) => ({ type: 'shell', parameters: { script }, ...more });
const variables = (entries, more = {}) => ({ variables: entries, secrets: [], requires: {}, ...more });

test('noop gives its parameters back', within(async ({ plane, start }) => {
  start();
  assert.equal((await plane.run({ type: 'noop' })).output, null);
  assert.equal((await plane.run({ type: 'noop', parameters: {} })).output, null);
  assert.deepEqual((await plane.run({ type: 'noop', parameters: { a: [1, 'ü'] } })).output, { a: [1, 'ü'] });
}));

test('hello greets and logs one line', within(async ({ plane, start }) => {
  start();
  const { lease, result, output } = await plane.run({ type: 'hello', parameters: { name: 'Ada "A"' }, step: 'greet' });
  assert.deepEqual(output, { greeting: 'Hello, Ada "A"!' });
  assert.equal(result.lastLogSeq, '1');
  const [line] = await plane.until(() => plane.linesOf(lease.token).length && plane.linesOf(lease.token), 'its line');
  assert.deepEqual([line.text, line.seq, line.stream, line.level, line.step], ['Hello, Ada "A"!', 1, 'stdout', 2, 'greet']);
  assert.deepEqual((await plane.run({ type: 'hello' })).output, { greeting: 'Hello, World!' });
}));

test('sleep waits as long as it is told', within(async ({ plane, start }) => {
  start();
  for (const duration of ['250ms', 0.25]) {
    const began = process.hrtime.bigint();
    assert.equal((await plane.run({ type: 'sleep', parameters: { duration } })).output, null);
    const ms = Number(process.hrtime.bigint() - began) / 1e6;
    assert.ok(ms >= 249 && ms < 2000, `${ms} ms`);
  }
}));

test('parameters that are wrong are BAD_INPUT with their path, and not retryable', within(async ({ plane, start }) => {
  start();
  const cases = [
    [{ type: 'sleep', parameters: {} }, 'parameters.duration', /required/],
    [{ type: 'sleep', parameters: { duration: '5 apples' } }, 'parameters.duration', /must be/],
    [{ type: 'sleep', parameters: { duration: -1 } }, 'parameters.duration', /must be/],
    [{ type: 'hello', parameters: { nme: 'x' } }, 'parameters.nme', /did you mean name/],
    [{ type: 'hello', parameters: { name: 5 } }, 'parameters.name', /string/],
    [{ type: 'hello', parameters: [1] }, 'parameters', /object/],
    [shell(''), 'parameters.script', /not empty/],
    [{ type: 'shell', parameters: {} }, 'parameters', /either/],
    [{ type: 'shell', parameters: { script: 'x', command: ['x'] } }, 'parameters', /either/],
    [{ type: 'shell', parameters: { command: [] } }, 'parameters.command', /array/],
    [{ type: 'shell', parameters: { command: ['x', 5] } }, 'parameters.command[1]', /string/],
    [shell('x'.repeat(200000)), 'parameters.script', /longer/],
    [shell('true', { environment: variables({ PLANKTON_TASK_ID: 'x' }) }), 'environment.variables', /PLANKTON_/],
    [shell('true', { environment: variables({ 'A-B': 'x' }) }), 'environment.variables', /letters/],
    [shell('true', { environment: variables({}, { secrets: ['KEY'] }) }), 'environment.secrets', /secrets/],
    [shell('true', { environment: variables({}, { containerImage: 'x' }) }), 'environment.containerImage', /container/],
    [shell('true', { environment: variables({}, { sandbox: 'medium' }) }), 'environment.sandbox', /strict/],
  ];
  for (const [wanted, field, message] of cases) {
    const { result } = await plane.run(wanted);
    assert.equal(result.outcome, 'failure', field);
    assert.equal(result.failure.code, 'BAD_INPUT');
    assert.equal(result.failure.nonRetryable, true);
    assert.equal(JSON.parse(result.failure.details.text).field, field);
    assert.match(result.failure.message, message);
  }
}));

test('shell: the result is what is written to $PLANKTON_OUTPUT, else the exit status', within(async ({ plane, start }) => {
  start();
  assert.deepEqual((await plane.run(shell('true'))).output, { exitStatus: 0 });
  assert.deepEqual((await plane.run(shell('echo "{\\"a\\": [1]}" > "$PLANKTON_OUTPUT"'))).output, { a: [1] });
  assert.equal((await plane.run(shell('printf " 5 \\n\\n" > "$PLANKTON_OUTPUT"'))).result.output.text, ' 5');
  assert.deepEqual((await plane.run({ type: 'shell', parameters: { command: ['sh', '-c', 'printf "%s" "\\"$1\\"" > $PLANKTON_OUTPUT', 'sh', 'a b'] } })).output, 'a b');
  const bad = (await plane.run(shell('echo "{broken" > $PLANKTON_OUTPUT'))).result.failure;
  assert.equal(bad.code, 'BAD_OUTPUT');
  const large = (await plane.run(shell('head -c 300000 /dev/zero | tr "\\0" 1 > $PLANKTON_OUTPUT'))).result.failure;
  assert.deepEqual([large.code, large.nonRetryable], ['PAYLOAD_TOO_LARGE', true]);
  const link = (await plane.run(shell('ln -s /etc/passwd $PLANKTON_OUTPUT'))).result.failure;
  assert.equal(link.code, 'BAD_OUTPUT', 'links are not followed');
}));

test('shell: how it failed', within(async ({ plane, start }) => {
  start();
  const failure = async (wanted) => (await plane.run(wanted)).result.failure;
  const exit = await failure(shell('echo out; echo first >&2; echo "boom ü" >&2; exit 3'));
  assert.deepEqual([exit.code, exit.message, exit.nonRetryable], ['EXIT_STATUS', 'exit status 3: boom ü', false]);
  assert.deepEqual(JSON.parse(exit.details.text), { exitStatus: 3, stderr: 'boom ü' });
  const silent = await failure(shell('exit 1'));
  assert.equal(silent.message, 'exit status 1');
  const signal = await failure(shell('kill -SEGV $$'));
  assert.equal(signal.code, 'SIGNAL');
  assert.match(signal.message, /signal 11/);
  const absent = await failure({ type: 'shell', parameters: { command: ['./no-such-program'] } });
  assert.equal(absent.code, 'START_FAILED');
  assert.match(absent.message, /no-such-program.*No such file/);
  const nowhere = await failure(shell('true', { environment: variables({}, { workingDirectory: '/no/such/place' }) }));
  assert.match(nowhere.message, /\/no\/such\/place.*No such file/);
  const strict = await failure(shell('true', { environment: variables({}, { sandbox: 'strict' }) }));
  assert.deepEqual([strict.code, strict.nonRetryable], ['SANDBOX_UNAVAILABLE', true]);
}));

test('shell: environment, directory, input', within(async ({ plane, start }) => {
  const worker = start({ env: { LEAK: 'secret', PLANKTON_WORKER_NAME: 'w' } });
  const runId = '01890000-0000-7003-8000-000000000001';
  const { lease } = await plane.run(shell('env | sort; pwd; ls -A; cat; ls -l /proc/self/fd | wc -l; grep NoNewPrivs /proc/self/status; ulimit -c; ulimit -n',
    { runId, step: 's1', attempt: 7, environment: variables({ MODEL: 'small', LANG: 'C' }) }));
  const lines = plane.linesOf(lease.token).map((l) => l.text);
  const env = Object.fromEntries(lines.filter((l) => /^[A-Z_]+=/.test(l)).map((l) => [l.slice(0, l.indexOf('=')), l.slice(l.indexOf('=') + 1)]));
  assert.deepEqual(Object.keys(env).filter((k) => !['PWD', 'OLDPWD', '_', 'SHLVL'].includes(k)).sort(), ['HOME', 'LANG', 'MODEL', 'PATH', 'PLANKTON_ARTIFACTS',
    'PLANKTON_ATTEMPT', 'PLANKTON_METRICS', 'PLANKTON_OUTPUT', 'PLANKTON_PROGRESS', 'PLANKTON_RUN_ID', 'PLANKTON_STEP', 'PLANKTON_TASK_ID', 'TRACEPARENT']);
  assert.equal(env.LANG, 'C');
  assert.equal(env.PLANKTON_TASK_ID, lease.taskId);
  assert.equal(env.PLANKTON_RUN_ID, runId);
  assert.equal(env.PLANKTON_STEP, 's1');
  assert.equal(env.PLANKTON_ATTEMPT, '7');
  assert.match(env.TRACEPARENT, new RegExp(`^00-${runId.replaceAll('-', '')}-[0-9a-f]{16}-01$`));
  const rest = lines.filter((l) => !/^[A-Z_]+=/.test(l));
  assert.equal(rest[0], `${worker.dir}/attempts/${lease.taskId}-7/task/work`);
  assert.equal(rest[1], '5', 'no descriptor but 0, 1, 2 (and what ls opens), no file in the directory, nothing on stdin');
  assert.match(rest[2], /NoNewPrivs:\s1/);
  assert.equal(rest[3], '0');
  assert.equal(rest[4], '1024');
  await plane.until(() => readdirSync(`${worker.dir}/attempts`).length === 0, 'the removal of the directory');
}));

test('shell: lines with their stream and order, split, repaired, and as they come', within(async ({ plane, start }) => {
  start();
  const session = await plane.ready();
  const [lease] = session.lease(shell(`echo one; echo two >&2; printf 'crlf\\r\\n'; printf 'bad \\377\\000 byte\\n'; head -c 150000 /dev/zero | tr '\\0' x; echo; printf 'no newline'; while [ ! -e go ]; do sleep 0.02; done`));
  const got = await plane.until(() => {
    const lines = plane.linesOf(lease.token);
    return lines.length >= 7 && lines;
  }, 'lines while it runs');
  assert.equal(plane.resultOf(lease), undefined, 'they came while the task runs');
  session.cancel([lease]);
  const result = await plane.result(lease);
  await plane.until(() => plane.linesOf(lease.token).length === Number(result.lastLogSeq), 'the whole log');
  const all = plane.linesOf(lease.token);
  all.forEach((line, i) => assert.equal(line.seq, i + 1));
  const out = all.filter((l) => l.stream === 'stdout');
  assert.deepEqual(all.filter((l) => l.stream === 'stderr').map((l) => l.text), ['two']);
  assert.deepEqual(out.slice(0, 3).map((l) => l.text), ['one', 'crlf', 'bad \ufffd\ufffd byte']);
  assert.deepEqual(out.slice(3, 6).map((l) => [l.text.length, l.continued]), [[65536, false], [65536, true], [150000 - 131072, true]]);
  assert.equal(out[6].text, 'no newline');
  assert.match(all.find((l) => l.stream === 'system').text, /cancel/);
  const now = Date.now() * 1000;
  assert.ok(all.every((l) => Math.abs(l.time - now) < 60e6));
  assert.ok(got.length > 0);
}));

test('shell: metrics go into the log, as they come and at the end', within(async ({ plane, start }) => {
  start();
  const session = await plane.ready();
  const [lease] = session.lease(shell(`echo '{"loss": 0.5}' >> $PLANKTON_METRICS; while [ ! -e go ]; do sleep 0.02; [ -e ../go ] && break; done`));
  await plane.until(() => plane.linesOf(lease.token).length === 1, 'a metric while it runs');
  session.cancel([lease]);
  await plane.result(lease);
  const { lease: other, result } = await plane.run(shell(`printf '%s\\n' '{"metric": {"a": 1}}' 'no json' '{"b": 2' '[3]' "{\\"long\\": \\"$(head -c 5000 /dev/zero | tr '\\0' x)\\"}" '{"c": {"d": 3}}' >> $PLANKTON_METRICS; printf '{"cut": 1}' >> $PLANKTON_METRICS`));
  assert.equal(plane.linesOf(lease.token)[0].text, '{"metric": {"loss": 0.5}}');
  await plane.until(() => plane.linesOf(other.token).length === Number(result.lastLogSeq), 'the whole log');
  assert.deepEqual(plane.linesOf(other.token).map((line) => line.text), ['{"metric": {"a": 1}}', '{"metric": {"c": {"d": 3}}}'], 'whole lines that are JSON objects');
}));

test('an attempt past its time is stopped and fails with TIMEOUT', within(async ({ plane, start }) => {
  start({ args: ['--grace=100ms'] });
  for (const wanted of [shell('trap "" TERM; echo $$; while :; do sleep 0.01; done'), { type: 'sleep', parameters: { duration: 60 } }]) {
    const { lease, result } = await plane.run({ ...wanted, attemptTimeoutMs: 300 });
    assert.equal(result.failure.code, 'TIMEOUT');
    assert.equal(result.failure.nonRetryable, false);
    for (const line of plane.linesOf(lease.token).filter((l) => /^\d+$/.test(l.text))) assert.ok(!alive(line.text));
  }
}));

test('cancel asks first, then forces', within(async ({ plane, start }) => {
  start({ args: ['--grace=20s'] });
  const session = await plane.ready();
  const [polite] = session.lease(shell('trap "echo cleaning; exit 0" TERM; echo up; while :; do sleep 0.01; done'));
  await plane.until(() => plane.linesOf(polite.token).length, 'up');
  session.cancel([polite]);
  assert.equal((await plane.result(polite)).outcome, 'cancelled');
  assert.ok(plane.linesOf(polite.token).some((l) => l.text === 'cleaning'));
  const [deaf] = session.lease(shell('trap "" TERM; echo up; while :; do sleep 0.01; done'));
  await plane.until(() => plane.linesOf(deaf.token).length, 'up');
  session.cancel([deaf], 200);
  assert.equal((await plane.result(deaf)).outcome, 'cancelled');
}));

// Everything that a program can do to escape: its own session, a double fork, an empty environment.
const escape = `env -i setsid sh -c '(setsid sh -c "echo \\$\\$; trap \\"\\" TERM HUP; exec </dev/null; while :; do sleep 0.05; done" &) ; exit 0'`;

test('descendants that left the session die with the task', within(async ({ plane, start }) => {
  start({ args: ['--grace=100ms'] });
  const session = await plane.ready();
  const leases = session.lease(shell(`${escape}; sleep 1000`), shell(`${escape} >$HOME/pid; sleep 0.1; cat $HOME/pid; exit 0`));
  const escaped = async (lease) => Number((await plane.until(() => plane.linesOf(lease.token).length && plane.linesOf(lease.token), 'the pid'))[0].text);
  const first = await escaped(leases[0]);
  assert.ok(alive(first));
  session.cancel([leases[0]]);
  await plane.result(leases[0]);
  assert.ok(!alive(first), 'killed with the cancel');
  const second = await escaped(leases[1]);
  assert.equal((await plane.result(leases[1])).outcome, 'output');
  assert.ok(!alive(second), 'killed when the task had ended by itself');
}));

test('a task that kills its supervisor leaves nothing behind', within(async ({ plane, start }) => {
  const worker = start();
  const { lease, result } = await plane.run(shell(`${escape} >$HOME/pid; until [ -s $HOME/pid ]; do sleep 0.01; done; cat $HOME/pid; kill -9 $PPID; sleep 1000`));
  assert.equal(result.failure.code, 'SIGNAL');
  const [line] = await plane.until(() => plane.linesOf(lease.token).length && plane.linesOf(lease.token), 'the pid');
  await plane.until(() => !alive(line.text), 'the end of the descendant');
  assert.ok(alive(worker.pid));
  assert.equal((await plane.run({ type: 'noop' })).output, null);
}));

test('output that somebody else keeps open does not hold the task up', within(async ({ plane, start }) => {
  start();
  const { output } = await plane.run(shell('(sleep 1000 &) ; echo done'));
  assert.deepEqual(output, { exitStatus: 0 });
}));

test('many processes at a time, no more than allowed', within(async ({ plane, start }) => {
  start({ args: ['--process-slots=3', '--slots=20'] });
  const session = await plane.ready();
  const leases = session.lease(...Array.from({ length: 12 }, () => shell('echo begin; sleep 0.1; echo end')));
  for (const lease of leases) assert.equal((await plane.result(lease)).outcome, 'output');
  const events = plane.lines.filter((l) => l.stream === 'stdout').sort((a, b) => a.time - b.time);
  let running = 0;
  let most = 0;
  for (const event of events) {
    running += event.text === 'begin' ? 1 : -1;
    most = Math.max(most, running);
  }
  assert.equal(most, 3);
  assert.equal(running, 0);
}));

test('root gives its processes the user that is asked for', { skip: process.getuid() !== 0 }, within(async ({ plane, start }) => {
  const worker = start({ args: ['--task-user=nobody'] });
  const { lease, output } = await plane.run(shell('id -un; id -G; touch here; ls -ld . | cut -d" " -f3; cat ../../spec; echo \'"ok"\' > $PLANKTON_OUTPUT'));
  assert.equal(output, 'ok');
  const lines = plane.linesOf(lease.token);
  assert.deepEqual(lines.filter((l) => l.stream === 'stdout').map((l) => l.text).filter((text) => !/^\d+$/.test(text)), ['nobody', 'nobody']);
  assert.match(lines.find((l) => l.stream === 'stderr').text, /denied/);
  assert.ok(existsSync(worker.dir));
}));
