// SPDX-License-Identifier: Apache-2.0
// Layered layout from left to right: longest path for the columns, dummy nodes for edges that cross columns, barycentre sweeps
// for the order within a column, then rows pulled towards their neighbours. O(sweeps × (V + E)); 10,000 nodes take tens of ms.

export interface LayoutInput {
  id: string;
  needs: readonly string[];
}
export interface Point {
  x: number;
  y: number;
}
export interface LaidEdge {
  from: number;
  to: number;
  /** Centres of the dummy nodes on the way, left to right. */
  via: Point[];
}
export interface Layout {
  /** Top left corner of each node, in the input's order. */
  nodes: Point[];
  edges: LaidEdge[];
  width: number;
  height: number;
  /** Column of each node. */
  layers: number[];
}

export const NODE_W = 184;
export const NODE_H = 48;
const GAP_X = 56;
const GAP_Y = 16;
const DUMMY_H = 10;
const ORDER_SWEEPS = 8;
const PULL_SWEEPS = 6;
/** Above this many edges long ones are drawn straight: dummies would cost more than they give. */
const DUMMIES_FOR_EDGES_MAX = 5000;

interface Slot {
  layer: number;
  /** Index of the node, -1 for a dummy. */
  node: number;
  before: number[];
  after: number[];
  order: number;
  /** Centre. */
  y: number;
}

interface Edge {
  from: number;
  to: number;
}

/** Columns by longest path. Edges that close a cycle are left out and returned. */
export function assignLayers(nodes: readonly LayoutInput[]): { layers: number[]; edges: Edge[]; cyclic: Set<number> } {
  const index = new Map(nodes.map((node, i) => [node.id, i]));
  const edges: Edge[] = [];
  const after: number[][] = nodes.map(() => []);
  const open = nodes.map(() => 0);
  for (const [to, node] of nodes.entries()) {
    for (const need of new Set(node.needs)) {
      const from = index.get(need);
      if (from === undefined || from === to) continue;
      edges.push({ from, to });
      after[from]?.push(to);
      open[to] = (open[to] ?? 0) + 1;
    }
  }
  const layers = nodes.map(() => 0);
  const done = new Set<number>();
  const queue = nodes.map((_, i) => i).filter((i) => open[i] === 0);
  const takeAll = (): void => {
    for (let head = queue.pop(); head !== undefined; head = queue.pop()) {
      done.add(head);
      for (const next of after[head] ?? []) {
        if (done.has(next)) continue;
        layers[next] = Math.max(layers[next] ?? 0, (layers[head] ?? 0) + 1);
        open[next] = (open[next] ?? 0) - 1;
        if (open[next] === 0) queue.push(next);
      }
    }
  };
  takeAll();
  const cyclic = new Set<number>();
  for (const i of nodes.keys()) {
    if (done.has(i)) continue;
    cyclic.add(i);
    queue.push(i);
    takeAll();
  }
  return { layers, edges, cyclic };
}

function makeSlots(layers: number[], edges: Edge[]): { slots: Slot[]; chains: number[][] } {
  const slots: Slot[] = layers.map((layer, node) => ({ layer, node, before: [], after: [], order: 0, y: 0 }));
  const withDummies = edges.length <= DUMMIES_FOR_EDGES_MAX;
  const chains = edges.map((edge) => {
    const chain: number[] = [];
    const from = slots[edge.from];
    const to = slots[edge.to];
    if (!from || !to || from.layer >= to.layer) return chain;
    let last = edge.from;
    for (let layer = from.layer + 1; withDummies && layer < to.layer; layer++) {
      const dummy: Slot = { layer, node: -1, before: [last], after: [], order: 0, y: 0 };
      slots[last]?.after.push(slots.length);
      last = slots.length;
      chain.push(last);
      slots.push(dummy);
    }
    slots[last]?.after.push(edge.to);
    to.before.push(last);
    return chain;
  });
  return { slots, chains };
}

function mean(slots: Slot[], indexes: readonly number[], of: "order" | "y", fallback: number): number {
  if (indexes.length === 0) return fallback;
  let sum = 0;
  for (const i of indexes) sum += slots[i]?.[of] ?? 0;
  return sum / indexes.length;
}

function orderColumns(slots: Slot[], columns: Slot[][]): void {
  for (const column of columns) for (const [i, slot] of column.entries()) slot.order = i;
  for (let sweep = 0; sweep < ORDER_SWEEPS; sweep++) {
    const down = sweep % 2 === 0;
    const list = down ? columns : [...columns].reverse();
    for (const column of list) {
      const keyed = column.map((slot) => ({ slot, key: mean(slots, down ? slot.before : slot.after, "order", slot.order) }));
      keyed.sort((a, b) => a.key - b.key || a.slot.order - b.slot.order);
      for (const [i, entry] of keyed.entries()) {
        column[i] = entry.slot;
        entry.slot.order = i;
      }
    }
  }
}

const heightOf = (slot: Slot): number => (slot.node < 0 ? DUMMY_H : NODE_H);

/** Puts a column's slots as near to their wishes as their order and sizes allow. */
function placeColumn(column: Slot[], wishes: number[]): void {
  let shift = 0;
  let edge = -Infinity;
  for (const [i, slot] of column.entries()) {
    const half = heightOf(slot) / 2;
    const wish = wishes[i] ?? 0;
    slot.y = Math.max(wish, edge + half);
    shift += wish - slot.y;
    edge = slot.y + half + GAP_Y;
  }
  if (column.length > 0) for (const slot of column) slot.y += shift / column.length;
}

function placeRows(slots: Slot[], columns: Slot[][]): void {
  for (const column of columns) placeColumn(column, column.map(() => 0));
  for (let sweep = 0; sweep < PULL_SWEEPS; sweep++) {
    const down = sweep % 2 === 0;
    for (const column of down ? columns : [...columns].reverse())
      placeColumn(column, column.map((slot) => mean(slots, down ? slot.before : slot.after, "y", slot.y)));
  }
}

export function layOut(nodes: readonly LayoutInput[]): Layout {
  const { layers, edges } = assignLayers(nodes);
  const { slots, chains } = makeSlots(layers, edges);
  const columns: Slot[][] = [];
  for (const slot of slots) (columns[slot.layer] ??= []).push(slot);
  for (let i = 0; i < columns.length; i++) columns[i] ??= [];
  orderColumns(slots, columns);
  placeRows(slots, columns);

  let top = Infinity;
  let bottom = -Infinity;
  for (const slot of slots) {
    top = Math.min(top, slot.y - heightOf(slot) / 2);
    bottom = Math.max(bottom, slot.y + heightOf(slot) / 2);
  }
  if (slots.length === 0) top = bottom = 0;
  const x = (slot: Slot): number => slot.layer * (NODE_W + GAP_X);
  const centre = (i: number): Point => {
    const slot = slots[i];
    return slot ? { x: x(slot) + NODE_W / 2, y: slot.y - top } : { x: 0, y: 0 };
  };
  return {
    nodes: nodes.map((_, i) => ({ x: (layers[i] ?? 0) * (NODE_W + GAP_X), y: centre(i).y - NODE_H / 2 })),
    edges: edges.map((edge, i) => ({ ...edge, via: (chains[i] ?? []).map(centre) })),
    width: Math.max(0, columns.length * (NODE_W + GAP_X) - GAP_X),
    height: bottom - top,
    layers,
  };
}
