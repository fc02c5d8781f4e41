// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import "./typescript.mjs";

const { duration, parseDuration, relative, span } = await import("../src/format/time.ts");
const { colourOf, isTerminal, label, lookOf } = await import("../src/format/state.ts");
const { matchPath } = await import("../src/router/match.ts");
const { SseParser } = await import("../src/api/sse.ts");
const { urlOf } = await import("../src/api/client.ts");
const { RunStore } = await import("../src/live/run.ts");
const { sayEvent } = await import("../src/pages/run/history.ts");

const top = join(dirname(fileURLToPath(import.meta.url)), "..");

test("durations and ages", () => {
  assert.deepEqual([0, 999, 1234, 9999, 12_345, 65_000, 3_700_000, 90_000_000].map(duration), ["0 ms", "999 ms", "1.2 s", "9.9 s", "12 s", "1 m 05 s", "1 h 01 m", "1 d 1 h"]);
  assert.deepEqual(["250ms", "5s", "1.5m", "2h", "7d", "5", "s"].map(parseDuration), [250, 5000, 90_000, 7_200_000, 604_800_000, undefined, undefined]);
  const at = "2026-01-01T00:00:00Z";
  const now = Date.parse(at);
  assert.deepEqual([relative(at, now + 500), relative(at, now + 61_000), relative(at, now - 10_000), relative(undefined, now)], ["just now", "1 min ago", "in 10 s", ""]);
  assert.equal(span(at, undefined, now + 2000), "2.0 s");
});

test("states have words, icons and colours", () => {
  assert.equal(label("TASK_STATE_READY"), "queued");
  assert.equal(lookOf("RUN_STATE_WAITING"), "waiting");
  assert.equal(lookOf("TASK_STATE_NEW_IN_A_LATER_VERSION"), "pending");
  assert.equal(colourOf("skipped"), "--queued");
  assert.ok(isTerminal("TASK_STATE_SKIPPED") && !isTerminal("TASK_STATE_RETRYING"));
});

test("addresses", () => {
  assert.deepEqual(matchPath("/plans/:id/edit", "/plans/a%20b/edit/"), { id: "a b" });
  assert.equal(matchPath("/plans/:id", "/plans"), undefined);
  assert.equal(matchPath("/plans/:id", "/plans/%E0%A4%A"), undefined);
  assert.equal(urlOf("/api/v1/plans/{id}/runs", { id: "a/b" }, { pageSize: 5, q: "", x: undefined }), "/api/v1/plans/a%2Fb/runs?pageSize=5");
});

test("server-sent events, however they are cut", () => {
  const text = ': hi\n\nevent: task\nid: 7\ndata: {"a":\ndata: 1}\n\ndata: x\r\n\r\nevent: end\ndata: {}\n\n';
  for (const size of [1, 3, 1000]) {
    const parser = new SseParser();
    const found = [];
    for (let i = 0; i < text.length; i += size) found.push(...parser.feed(text.slice(i, i + size)));
    assert.deepEqual(found, [
      { event: "task", data: '{"a":\n1}', id: "7" }, { event: "message", data: "x", id: "7" }, { event: "end", data: "{}", id: "7" },
    ]);
  }
});

test("a run follows its events; listeners are told once for many", async () => {
  const store = new RunStore();
  let told = 0;
  store.subscribe(() => told++);
  const task = (step, state, more = {}) => ({ step, state, type: "noop", attempt: 1, ...more });
  store.setGraph([{ id: "a", type: "noop", needs: [], state: "TASK_STATE_PENDING", attempt: 0 }, { id: "b", type: "noop", needs: ["a"], state: "TASK_STATE_PENDING", attempt: 0 }]);
  store.apply({ snapshot: { run: { id: "r", state: "RUN_STATE_RUNNING" }, tasks: [task("a", "TASK_STATE_RUNNING")] } });
  store.apply({ task: task("a", "TASK_STATE_RETRYING", { failure: { code: "X" } }) });
  store.apply({ task: task("a", "TASK_STATE_SUCCEEDED", { result: 1 }) });
  store.apply({ run: { id: "r", state: "RUN_STATE_FAILED" } });
  await Promise.resolve();
  assert.equal(told, 1);
  assert.deepEqual(store.steps().map((step) => step.state), ["TASK_STATE_SUCCEEDED", "TASK_STATE_SKIPPED"]);
  assert.equal(store.task("a").failure.code, "X", "a failure is kept until another comes");
  assert.deepEqual(store.counts(), { total: 2, succeeded: 1, skipped: 1 });
});

test("history in words", () => {
  const event = { time: "2026-01-01T00:00:00Z", actor: "", reason: "", state: "", kind: "EVENT_KIND_TASK_RETRYING", dueAt: "2026-01-01T00:00:01Z", failure: { code: "EXIT_STATUS", message: "exit status 3" } };
  assert.equal(sayEvent(event), "failed, will be tried again in 1.0 s (EXIT_STATUS: exit status 3)");
  assert.equal(sayEvent({ ...event, kind: "EVENT_KIND_TASK_FINISHED", dueAt: undefined, failure: undefined, state: "succeeded" }), "succeeded");
  assert.equal(sayEvent({ ...event, kind: "EVENT_KIND_SOMETHING_NEW", dueAt: undefined, failure: undefined }), "something new");
});

/** Contrast by the WCAG formula. */
function contrast(one, two) {
  const light = (hex) => {
    const [r, g, b] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255).map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [high, low] = [light(one), light(two)].sort((a, b) => b - a);
  return (high + 0.05) / (low + 0.05);
}

test("every colour of text can be read on every ground, in light and dark", () => {
  const css = readFileSync(join(top, "src/styles/app.css"), "utf8");
  const blocks = [...css.matchAll(/(?::root|:root\[data-theme="dark"\]|:root:not\(\[data-theme="light"\]\)) \{([^}]*)\}/g)];
  assert.equal(blocks.length, 3);
  const themes = blocks.map((block) => Object.fromEntries([...block[1].matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map((match) => [match[1], match[2]])));
  assert.deepEqual(themes[1], themes[2], "dark by choice is dark by the system");
  for (const theme of themes) {
    for (const ground of ["bg", "bg2", "bg3"]) {
      for (const text of ["fg", "fg2", "accent", "queued", "running", "succeeded", "failed", "waiting", "cancelled", "retrying"])
        assert.ok(contrast(theme[text], theme[ground]) >= 4.5, `${text} on ${ground}`);
      assert.ok(contrast(theme.border, theme[ground]) >= 3, `border on ${ground}`);
    }
    assert.ok(contrast(theme["on-accent"], theme.accent) >= 4.5);
    assert.ok(contrast(theme["on-mark"], theme.mark) >= 4.5);
  }
});

const built = existsSync(join(top, "../build"))
  ? readdirSync(join(top, "../build")).map((preset) => join(top, "../build", preset, "openapi.json")).filter(existsSync)
  : [];
test("the API's types are those of the contracts", { skip: built.length > 0 ? false : "no build has written openapi.json" }, async () => {
  const { generate } = await import("../scripts/api.mjs");
  assert.equal(await generate(), readFileSync(join(top, "src/api/schema.d.ts"), "utf8"), "run ./dev api");
});
