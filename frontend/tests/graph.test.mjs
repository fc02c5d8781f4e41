// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import "./typescript.mjs";

const { assignLayers, layOut, NODE_H, NODE_W } = await import("../src/graph/layout.ts");
const { fit, neighbour, nodeAt, reveal, zoom } = await import("../src/graph/camera.ts");

const diamond = [
  { id: "a", needs: [] },
  { id: "b", needs: ["a"] },
  { id: "c", needs: ["a"] },
  { id: "d", needs: ["b", "c", "a"] },
];

function overlaps(layout) {
  const pairs = [];
  layout.nodes.forEach((one, i) => layout.nodes.forEach((two, j) => {
    if (i < j && Math.abs(one.x - two.x) < NODE_W && Math.abs(one.y - two.y) < NODE_H) pairs.push([i, j]);
  }));
  return pairs;
}

test("columns follow the longest path", () => {
  assert.deepEqual(assignLayers(diamond).layers, [0, 1, 1, 2]);
  assert.deepEqual(layOut([]).nodes, []);
});

test("nodes do not overlap, every need is an edge to the left", () => {
  const layout = layOut(diamond);
  assert.deepEqual(overlaps(layout), []);
  assert.equal(layout.edges.length, 5);
  for (const edge of layout.edges) assert.ok(layout.nodes[edge.from].x < layout.nodes[edge.to].x);
  assert.equal(layout.edges.find((edge) => edge.from === 0 && edge.to === 3).via.length, 1, "the long edge goes round its column");
  for (const at of layout.nodes) assert.ok(at.y >= -0.01 && at.y + NODE_H <= layout.height + 0.01);
});

test("cycles, unknown steps and steps that need themselves are drawn too", () => {
  const layout = layOut([{ id: "a", needs: ["b"] }, { id: "b", needs: ["a", "gone", "b"] }, { id: "c", needs: ["b"] }]);
  assert.equal(layout.nodes.length, 3);
  assert.deepEqual(overlaps(layout), []);
  for (const at of layout.nodes) assert.ok(Number.isFinite(at.x) && Number.isFinite(at.y));
});

test("ten thousand steps are laid out within a second", () => {
  const nodes = [{ id: "start", needs: [] }];
  for (let i = 0; i < 9998; i++) nodes.push({ id: `n${i}`, needs: i < 100 ? ["start"] : [`n${i - 100}`, ...(i % 4 ? [] : [`n${i - 99}`])] });
  nodes.push({ id: "end", needs: ["n9997", "n9996"] });
  const start = performance.now();
  const layout = layOut(nodes);
  assert.ok(performance.now() - start < 1000);
  assert.equal(layout.nodes.length, 10_000);
});

test("a graph that fits is in the middle, one that does not stays readable", () => {
  const layout = layOut(diamond);
  const camera = fit(layout, 1000, 300);
  assert.equal(camera.scale, 1);
  assert.ok(Math.abs(camera.x - (1000 - layout.width) / 2) < 1);
  assert.equal(fit(layout, 200, 300).scale, 0.6);
  const near = zoom(camera, 2, 500, 100);
  assert.equal((500 - near.x) / near.scale, (500 - camera.x) / camera.scale, "the point under the pointer stays");
  const moved = reveal(fit(layout, 200, 300), layout, 3, 200, 300);
  assert.equal(nodeAt(moved, layout, moved.x + (layout.nodes[3].x + 5) * moved.scale, moved.y + (layout.nodes[3].y + 5) * moved.scale), 3);
});

test("arrow keys go along edges", () => {
  const layout = layOut(diamond);
  const upper = layout.nodes[1].y < layout.nodes[2].y ? 1 : 2;
  assert.equal(layout.layers[neighbour(layout, 0, "ArrowRight")], 1);
  assert.equal(neighbour(layout, upper, "ArrowDown"), 3 - upper);
  assert.equal(neighbour(layout, 3 - upper, "ArrowUp"), upper);
  assert.equal(neighbour(layout, upper, "ArrowLeft"), 0);
  assert.equal(neighbour(layout, 0, "ArrowLeft"), 0);
});
