// SPDX-License-Identifier: Apache-2.0
import { type Layout, NODE_H, NODE_W } from "./layout.ts";
import type { Camera } from "./paint.ts";

export const MARGIN = 16;
const SCALE_MAX = 2;
const SCALE_MIN = 0.05;
/** Text below this size cannot be read: a graph that does not fit is rather moved than shrunk. */
const READABLE = 0.6;

/** The whole graph if it stays readable, else its beginning. */
export function fit(layout: Layout, width: number, height: number, smallest = READABLE): Camera {
  const across = (width - 2 * MARGIN) / Math.max(1, layout.width);
  const down = (height - 2 * MARGIN) / Math.max(1, layout.height);
  const scale = Math.max(smallest, Math.min(1, across, down));
  const x = Math.max(MARGIN, (width - layout.width * scale) / 2);
  const fits = layout.height * scale <= height - 2 * MARGIN;
  const y = fits ? (height - layout.height * scale) / 2 : MARGIN;
  return { scale, x, y };
}

export function zoom(camera: Camera, factor: number, x: number, y: number): Camera {
  const scale = Math.min(SCALE_MAX, Math.max(SCALE_MIN, camera.scale * factor));
  const ratio = scale / camera.scale;
  return { scale, x: x - (x - camera.x) * ratio, y: y - (y - camera.y) * ratio };
}

/** Keeps some of the graph in view. */
export function clamp(camera: Camera, layout: Layout, width: number, height: number): Camera {
  const keep = 60;
  return {
    scale: camera.scale,
    x: Math.min(width - keep, Math.max(keep - layout.width * camera.scale, camera.x)),
    y: Math.min(height - keep, Math.max(keep - layout.height * camera.scale, camera.y)),
  };
}

/** Moves as little as needed to show a node. */
export function reveal(camera: Camera, layout: Layout, node: number, width: number, height: number): Camera {
  const at = layout.nodes[node];
  if (!at) return camera;
  const left = at.x * camera.scale;
  const top = at.y * camera.scale;
  const x = Math.min(Math.max(camera.x, MARGIN - left), width - MARGIN - left - NODE_W * camera.scale);
  const y = Math.min(Math.max(camera.y, MARGIN - top), height - MARGIN - top - NODE_H * camera.scale);
  return { ...camera, x, y };
}

/** Index of the node at a point of the canvas, or -1. */
export function nodeAt(camera: Camera, layout: Layout, x: number, y: number): number {
  const gx = (x - camera.x) / camera.scale;
  const gy = (y - camera.y) / camera.scale;
  return layout.nodes.findIndex((at) => gx >= at.x && gx <= at.x + NODE_W && gy >= at.y && gy <= at.y + NODE_H);
}

/** The neighbour that an arrow key means: left and right along edges, up and down within the column. */
export function neighbour(layout: Layout, node: number, key: string): number {
  const at = layout.nodes[node];
  if (!at) return 0;
  const candidates: number[] = [];
  if (key === "ArrowRight") for (const edge of layout.edges) if (edge.from === node) candidates.push(edge.to);
  if (key === "ArrowLeft") for (const edge of layout.edges) if (edge.to === node) candidates.push(edge.from);
  if (key === "ArrowUp" || key === "ArrowDown") {
    const sign = key === "ArrowUp" ? -1 : 1;
    for (const [i, other] of layout.nodes.entries())
      if (layout.layers[i] === layout.layers[node] && (other.y - at.y) * sign > 0) candidates.push(i);
  }
  let best = node;
  let distance = Infinity;
  for (const i of candidates) {
    const other = layout.nodes[i];
    if (!other) continue;
    // The next column before a farther one, then the nearest row.
    const far = Math.abs((layout.layers[i] ?? 0) - (layout.layers[node] ?? 0)) * layout.height + Math.abs(other.y - at.y);
    if (far < distance) {
      distance = far;
      best = i;
    }
  }
  return best;
}
