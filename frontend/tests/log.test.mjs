// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import "./typescript.mjs";

const { pieces, strip } = await import("../src/log/ansi.ts");
const { LINES_MAX, LogBuffer, SHOW_ALL } = await import("../src/log/buffer.ts");
const { LogView } = await import("../src/log/view.ts");
const { cut, mark } = await import("../src/log/mark.ts");
const { ROW_PX, scrollFor, windowOf } = await import("../src/log/window.ts");

const ESC = "\u001b";
const line = (seq, text, more = {}) => ({
  time: "2026-01-02T03:04:05.006Z", text, stream: "stdout", level: "", taskId: "t", attempt: 1, seq: String(seq), step: "a", continued: false, late: false, ...more,
});

test("colours become classes, everything else of a terminal is dropped", () => {
  assert.deepEqual(pieces("plain"), [{ text: "plain", style: "" }]);
  assert.deepEqual(pieces(`${ESC}[1;31mred${ESC}[0m then ${ESC}[92mgreen`), [
    { text: "red", style: "bold c1" }, { text: " then ", style: "" }, { text: "green", style: "c2" },
  ]);
  assert.deepEqual(pieces(`${ESC}[38;5;4mblue${ESC}[38;2;1;2;3mtrue${ESC}[48;5;1mground`).map((piece) => piece.style), ["c4", "", ""]);
  assert.equal(strip(`a${ESC}]0;title\u0007b${ESC}[2Kc${ESC}[?25ld`), "abcd");
  assert.equal(pieces("<img src=x onerror=alert(1)>")[0].text, "<img src=x onerror=alert(1)>");
});

test("what is searched for is marked across colours", () => {
  assert.deepEqual(mark(`one ${ESC}[31mtwo${ESC}[0m one`, "e t").filter((piece) => piece.hit).map((piece) => piece.text), ["e ", "t"]);
  assert.equal(mark("aXbxc", "x").filter((piece) => piece.hit).length, 2);
  assert.equal(mark("aaa", "aa").map((piece) => piece.text).join(""), "aaa");
  assert.equal(cut("x".repeat(5000)).hidden, 904);
});

test("lines that come again after a reconnect are not shown twice", () => {
  const buffer = new LogBuffer();
  buffer.append([line(1, "one"), line(2, "two")]);
  buffer.append([line(2, "two"), line(3, "three"), line(1, "one of attempt 2", { attempt: 2 })]);
  assert.deepEqual([0, 1, 2, 3].map((i) => buffer.line(i).text), ["one", "two", "three", "one of attempt 2"]);
  assert.equal(buffer.length, 4);
  assert.equal(buffer.line(0).time, Date.parse("2026-01-02T03:04:05.006Z"));
});

test("filters and search follow a growing log", () => {
  const buffer = new LogBuffer();
  buffer.append([line(1, "Alpha"), line(2, "beta", { stream: "stderr", level: "error" }), line(3, `${ESC}[31mal${ESC}[0mpha`, { step: "b", taskId: "u" })]);
  const all = new LogView(buffer, SHOW_ALL, "alpha");
  const step = new LogView(buffer, { ...SHOW_ALL, step: "b" }, "");
  const bad = new LogView(buffer, { ...SHOW_ALL, level: "warn" }, "");
  assert.deepEqual([all.rows, step.rows, bad.rows], [3, 1, 1]);
  assert.deepEqual(all.matches, [0, 2]);
  buffer.append([line(4, "alphabet", { step: "b", taskId: "u" })]);
  for (const view of [all, step, bad]) view.update();
  assert.deepEqual([all.rows, step.rows, bad.rows], [4, 2, 1]);
  assert.deepEqual(all.matches, [0, 2, 3]);
  assert.equal(step.lineAt(1), 3);
  assert.deepEqual([all.matchFrom(2, true), all.matchFrom(3, true), all.matchFrom(0, false)], [2, 0, 2]);
});

test("memory is bounded: the oldest lines go", () => {
  const buffer = new LogBuffer();
  const view = new LogView(buffer, { ...SHOW_ALL, step: "a" }, "");
  for (let at = 0; at <= LINES_MAX; at += 50_000) buffer.append(Array.from({ length: 50_000 }, (_, i) => line(at + i + 1, "x")));
  assert.ok(buffer.length <= LINES_MAX);
  assert.equal(buffer.length + buffer.dropped, LINES_MAX + 50_000);
  view.update();
  assert.equal(view.rows, buffer.length);
});

test("every row of a million can be reached, and few are in the page", () => {
  const rows = 1_000_000;
  const viewport = 440;
  for (const row of [0, 1, 400_000, rows - 1]) {
    const shown = windowOf(rows, scrollFor(row, rows, viewport), viewport);
    assert.ok(row >= shown.first && row < shown.first + shown.count, `row ${row}`);
    assert.ok(shown.count < 60);
  }
  const end = windowOf(rows, windowOf(rows, 0, viewport).height - viewport, viewport);
  assert.equal(end.first + end.count, rows);
  assert.ok(Math.abs(end.offset + end.count * ROW_PX - end.height) < 1, "the last row ends where the list ends");
  assert.deepEqual(windowOf(0, 0, 440).count, 0);
  assert.equal(windowOf(10, 0, 440).count, 10);
  assert.ok(windowOf(rows, 0, 1e9).count <= 400);
});
