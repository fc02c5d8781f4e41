// SPDX-License-Identifier: Apache-2.0
// Logic behind charts, metrics, timeline, reasons, queues and the difference of texts.
import assert from "node:assert/strict";
import { test } from "node:test";
import "./typescript.mjs";

const { histogram, linear, nearest, niceTicks, pathOf, say, thin } = await import("../src/chart/scale.ts");
const { MetricBook, metricsOf } = await import("../src/metrics/series.ts");
const { LogBuffer } = await import("../src/log/buffer.ts");
const { diffLines, fold, pairs } = await import("../src/plan/diff.ts");
const { explain, localTimes } = await import("../src/waiting/reasons.ts");
const { groupTasks, topReasons } = await import("../src/waiting/groups.ts");
const { extent, marks, sayRow, timelineOf } = await import("../src/timeline/timeline.ts");
const { apiDuration, formOf, limitsOf, sayLimits } = await import("../src/pages/queues/limits.ts");

test("ticks are round and enclose the values", () => {
  assert.deepEqual(niceTicks(0.03, 0.97, 3), [0, 0.5, 1]);
  assert.deepEqual(niceTicks(-3, 12, 3), [-5, 0, 5, 10, 15]);
  assert.deepEqual(niceTicks(NaN, 1, 3), []);
  for (const [low, high] of [[0, 1e-9], [5, 5], [0, 0], [-7e12, 3e12], [0.1, 0.3]]) {
    const ticks = niceTicks(low, high, 3);
    assert.ok(ticks.length >= 2 && ticks.length <= 8 && ticks[0] <= low && ticks.at(-1) >= high, `${low} to ${high}: ${ticks}`);
  }
  assert.deepEqual([0, 0.25, 0.00012, 1234, 12_345, 1_234_567, 2e12, -0.5].map(say), ["0", "0.25", "1.2e-4", "1234", "12.35k", "1.235M", "2e12", "-0.5"]);
  assert.equal(linear([5, 5], [0, 10])(5), 5);
  assert.equal(linear([0, 10], [100, 0])(2.5), 75);
});

test("many points are drawn as few with the same outline", () => {
  const points = Array.from({ length: 10_000 }, (_, x) => ({ x, y: x === 5000 ? 99 : x === 7001 ? -99 : x % 7 }));
  const few = thin(points, 200);
  assert.ok(few.length <= 202, String(few.length));
  assert.deepEqual([few[0], few.at(-1)], [points[0], points.at(-1)]);
  assert.ok(few.some(({ y }) => y === 99) && few.some(({ y }) => y === -99), "peaks are kept");
  assert.ok(few.every((point, i) => i === 0 || point.x > few[i - 1].x), "in order");
  assert.deepEqual([-5, 2.4, 2.6, 1e9].map((x) => nearest(points.slice(0, 5), x)), [0, 2, 3, 4]);
  assert.equal(nearest([], 1), -1);
  assert.equal(pathOf([{ x: 0, y: 1 }, { x: 2.25, y: 3 }]), "M0.0 1.0L2.3 3.0");
  assert.deepEqual(histogram([0, 9, 10, 99, 100, -1], 0, 100, 10), [2, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
});

test("metric lines become series by step; a new attempt begins anew", () => {
  assert.deepEqual(metricsOf('{"metric": {"loss": 0.5, "eval": {"acc": 1, "best": "x"}, "list": [1]}}'), [["loss", 0.5], ["eval/acc", 1]]);
  for (const text of ["loss 1", '{"metric": 3}', '{"metric": [1]}', '{"metric": {"a": 1}', '{"other": {"a": 1}}']) assert.equal(metricsOf(text), undefined, text);
  const buffer = new LogBuffer();
  const line = (step, attempt, seq, text) => ({ step, attempt, seq, text, taskId: step, time: new Date(1000 * seq).toISOString(), stream: "stdout", level: "" });
  const book = new MetricBook();
  buffer.append([line("a", 1, 1, '{"metric": {"loss": 1}}'), line("a", 1, 2, "words"), line("b", 1, 1, '{"metric": {"loss": 7}}')]);
  book.update(buffer);
  buffer.append([line("a", 1, 3, '{"metric": {"loss": 0.5}}')]);
  book.update(buffer);
  assert.deepEqual(book.list("a").map(({ name, points }) => [name, points]), [["loss", [{ x: 1000, y: 1 }, { x: 3000, y: 0.5 }]]]);
  buffer.append([line("a", 2, 1, '{"metric": {"loss": 2}}'), line("a", 1, 4, '{"metric": {"loss": 9}}')]);
  book.update(buffer);
  assert.deepEqual(book.list().map(({ step, attempt, points }) => [step, attempt, points.map(({ y }) => y)]), [["a", 2, [2]], ["b", 1, [7]]]);
});

test("lines that differ", () => {
  const kinds = (a, b) => diffLines(a, b).map(({ kind, text }) => ({ same: " ", added: "+", removed: "-" })[kind] + text);
  assert.deepEqual(kinds("a\nb\nc\n", "a\nx\nc\n"), [" a", "-b", "+x", " c"]);
  assert.deepEqual(kinds("", "a\n"), ["+a"]);
  assert.deepEqual(kinds("a\r\nb", "a\nb\n"), [" a", " b"]);
  assert.deepEqual(kinds("a\nb\nc\na\nb\nb\na", "c\nb\na\nb\na\nc").filter((row) => row[0] !== " ").length, 5, "the shortest edit");
  assert.deepEqual(diffLines("a\nb", "a\nc\nb").map(({ a, b }) => [a, b]), [[1, 1], [0, 2], [2, 3]]);
  let seed = 7;
  const random = (n) => (seed = (seed * 1103515245 + 12345) % 2147483648) % n;
  for (let round = 0; round < 200; round++) {
    const [a, b] = [0, 1].map(() => Array.from({ length: random(12) }, () => "xyz"[random(3)]));
    const rows = diffLines(a.join("\n"), b.join("\n"));
    assert.deepEqual(rows.filter(({ kind }) => kind !== "added").map(({ text }) => text), a);
    assert.deepEqual(rows.filter(({ kind }) => kind !== "removed").map(({ text }) => text), b);
  }
  const long = diffLines(Array.from({ length: 3000 }, (_, i) => `a${i}`).join("\n"), Array.from({ length: 3000 }, (_, i) => `b${i}`).join("\n"));
  assert.equal(long.length, 6000, "too much to compare is shown as replaced");
});

test("what has not changed is folded, and sides are paired", () => {
  const text = Array.from({ length: 30 }, (_, i) => `line ${i}`);
  const parts = fold(diffLines(text.join("\n"), text.with(15, "other").join("\n")), 3);
  assert.deepEqual(parts.map(({ folded, rows }) => [folded, rows.length]), [[true, 12], [false, 8], [true, 11]]);
  const sides = pairs(diffLines("a\nb\nc\nd", "a\nx\nd\ne")).map(([left, right]) => [left?.text, right?.text]);
  assert.deepEqual(sides, [["a", "a"], ["b", "x"], ["c", undefined], ["d", "d"], [undefined, "e"]]);
});

test("every reason of the server's is explained, with what can be done", () => {
  const kinds = {
    "queue nightly is paused by admin: the disk is full": "pause", "paused by admin: x": "pause", "its run is paused by admin: x": "pause",
    "no worker offers type shell": "worker", "no worker with label gpu=true (1 offers type noop)": "worker", "no worker has all labels that it requires (2 offer type x)": "worker",
    "1 worker could run it, and no new work goes to it: it drains": "worker", "all 3 workers that can run it are busy; 5 go before it": "busy", "the worker that can run it is busy": "busy", "a free worker": "busy",
    "behind at least 20 others of its queue": "busy", "limit of key db: 2 of 2 held by X": "limit", "rate of key db: 10 in 60 s, next at 2026-01-01T00:00:00Z": "limit",
    "limit of queue q: 5 of 5 running": "limit", "rate of queue q: 1 in 60 s, next at 2026-01-01T00:00:00Z": "limit", "retry backoff until 2026-01-01T00:00:00Z": "time",
    "not before 2026-01-01T00:00:00Z": "time", "needs steps a, b": "needs", "its worker to come back": "recovery",
  };
  for (const [words, kind] of Object.entries(kinds)) {
    const reason = explain(words);
    assert.equal(reason.kind, kind, words);
    assert.ok(reason.advice, words);
  }
  assert.deepEqual([explain(""), explain(undefined)], [undefined, undefined]);
  const step = explain("step train: no worker with label gpu=true (1 offers type noop)");
  assert.deepEqual([step.step, step.stuck, step.link.href], ["train", true, "/workers"]);
  assert.match(step.advice, /gpu=true/);
  assert.equal(explain("something new").words, "something new");
  assert.equal(localTimes("until 2026-01-01T00:00:00Z.", () => "noon"), "until noon.");
});

test("many waiting tasks are few reasons; what needs a person comes first", () => {
  const task = (id, queue, type) => ({ id, queue, type });
  const groups = groupTasks([task(4, "q", "shell"), task(3, "q", "gpu"), task(2, "q", "shell"), task(1, "r", "shell")], 5);
  assert.deepEqual(groups.map(({ queue, type, count, oldest }) => [queue, type, count, oldest.id]), [["q", "shell", 2, 2], ["q", "gpu", 1, 3], ["r", "shell", 1, 1]]);
  const busy = (n) => `all 2 workers that can run it are busy; ${n} go before it`;
  const top = topReasons([{ group: groups[0], waitingFor: busy(7) }, { group: groups[1], waitingFor: "no worker offers type gpu" }, { group: groups[2], waitingFor: busy(9) }, { group: groups[2], waitingFor: "" }]);
  assert.deepEqual(top.map(({ reason, count }) => [reason.kind, count]), [["worker", 1], ["busy", 3]]);
});

test("a timeline from the history, and from the task where the history is behind", () => {
  const at = (second) => new Date(second * 1000).toISOString();
  const event = (kind, second, more = {}) => ({ kind: `EVENT_KIND_${kind}`, step: "a", time: at(second), attempt: 0, state: "", ...more });
  const step = (id, state, task) => ({ id, type: "noop", needs: [], attempt: 0, state: `TASK_STATE_${state}`, task });
  const events = [event("TASK_SUBMITTED", 0), event("TASK_STARTED", 1, { attempt: 1 }), event("TASK_RETRYING", 3, { attempt: 1, dueAt: at(5) }), event("TASK_STARTED", 6, { attempt: 2 }), event("TASK_FINISHED", 8, { state: "succeeded" })];
  const [row] = timelineOf([step("a", "SUCCEEDED")], events);
  assert.deepEqual(row.bars.map(({ kind, from, to, attempt }) => [kind, from / 1000, to / 1000, attempt]), [["queued", 0, 1, 0], ["failed", 1, 3, 1], ["retrying", 3, 5, 0], ["queued", 5, 6, 0], ["succeeded", 6, 8, 2]]);
  assert.equal(sayRow(row, 0), "queued 1.0 s, attempt 1 failed after 2.0 s, backoff 2.0 s, queued 1.0 s, attempt 2 succeeded after 2.0 s");
  const [lost] = timelineOf([step("a", "READY")], [...events.slice(0, 2), event("ATTEMPT_CLOSED", 4, { attempt: 1 })]);
  assert.deepEqual(lost.bars.map(({ kind, to }) => [kind, to]), [["queued", 1000], ["lost", 4000], ["queued", undefined]]);
  const behind = timelineOf([step("a", "RUNNING", { createdAt: at(0), startedAt: at(2), attempt: 1 }), step("b", "PENDING")], []);
  assert.deepEqual(behind[0].bars.map(({ kind, from, to }) => [kind, from, to]), [["queued", 0, 2000], ["running", 2000, undefined]]);
  assert.deepEqual(extent(behind, 9000), [0, 9000]);
  assert.equal(extent([{ step: "b", bars: [] }], 1), undefined);
  assert.equal(sayRow(behind[1], 0), "not begun");
  assert.deepEqual(marks(9000, 6), [0, 2000, 4000, 6000, 8000]);
});

test("limits of a queue between the form and the API", () => {
  assert.equal(sayLimits({ concurrency: 5, rate: { limit: 10, per: "60s" } }), "5 at a time, 10 in 1 m 00 s");
  assert.equal(sayLimits(undefined), "none");
  assert.equal(apiDuration("1.5s"), 1500);
  assert.deepEqual(formOf({ rate: { limit: 3, per: "3600s" } }), { concurrency: "", limit: "3", per: "1h" });
  assert.deepEqual(limitsOf({ concurrency: "4", limit: "3", per: "90s" }), { limits: { concurrency: 4, rate: { limit: 3, per: "90s" } }, problems: {} });
  assert.deepEqual(limitsOf({ concurrency: "", limit: "", per: "nonsense" }), { limits: {}, problems: {} });
  assert.deepEqual(Object.keys(limitsOf({ concurrency: "0", limit: "x", per: "soon" }).problems), ["concurrency", "limit", "per"]);
});
