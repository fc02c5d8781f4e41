// SPDX-License-Identifier: Apache-2.0
// Draws a graph on a canvas: only what is in view, and less of it when it is small.
import { colourOf, label, type Look } from "../format/state.ts";
import { icons } from "../ui/icons.ts";
import { type Layout, NODE_H, NODE_W, type Point } from "./layout.ts";

export interface GraphNode {
  id: string;
  needs: readonly string[];
  /** Second line: the task type. */
  note: string;
  look?: Look;
  /** Shown instead of the state's word, e.g. "attempt 2". */
  stateText?: string;
  bad?: boolean;
}

export interface Camera {
  scale: number;
  x: number;
  y: number;
}

export interface Scene {
  nodes: readonly GraphNode[];
  layout: Layout;
  camera: Camera;
  width: number;
  height: number;
  selected: string;
  focused: string;
  /** Angle of the running arcs. */
  turn: number;
}

export type Palette = (token: string) => string;

const TEXT_SCALE_MIN = 0.4;
const FONT = "system-ui, sans-serif";
const paths = new Map<string, Path2D>();

function iconPath(name: keyof typeof icons): Path2D {
  let path = paths.get(name);
  if (!path) {
    path = new Path2D(icons[name]);
    paths.set(name, path);
  }
  return path;
}

/** Colours by token, read once for each theme. */
export function readPalette(element: Element): Palette {
  const style = getComputedStyle(element);
  const known = new Map<string, string>();
  return (token) => {
    let value = known.get(token);
    if (value === undefined) {
      value = style.getPropertyValue(token).trim();
      known.set(token, value);
    }
    return value;
  };
}

export function paint(context: CanvasRenderingContext2D, scene: Scene, colour: Palette): void {
  const { camera, layout, width, height } = scene;
  context.clearRect(0, 0, width, height);
  context.save();
  context.translate(camera.x, camera.y);
  context.scale(camera.scale, camera.scale);
  const view = {
    left: -camera.x / camera.scale,
    top: -camera.y / camera.scale,
    right: (width - camera.x) / camera.scale,
    bottom: (height - camera.y) / camera.scale,
  };
  if (camera.scale < TEXT_SCALE_MIN) {
    paintFar(context, scene, colour, view);
    context.restore();
    return;
  }
  paintEdges(context, scene, colour, view);
  for (const [i, node] of scene.nodes.entries()) {
    const at = layout.nodes[i];
    if (!at || at.x > view.right || at.y > view.bottom || at.x + NODE_W < view.left || at.y + NODE_H < view.top) continue;
    paintNode(context, scene, node, at, colour);
  }
  context.restore();
}

const straight = new WeakMap<Layout, Path2D>();

/** All edges as straight lines, made once: far away nobody sees the curves. */
function straightEdges(layout: Layout): Path2D {
  let path = straight.get(layout);
  if (path) return path;
  path = new Path2D();
  for (const edge of layout.edges) {
    const from = layout.nodes[edge.from];
    const to = layout.nodes[edge.to];
    if (!from || !to) continue;
    path.moveTo(from.x + NODE_W, from.y + NODE_H / 2);
    for (const centre of edge.via) path.lineTo(centre.x, centre.y);
    path.lineTo(to.x, to.y + NODE_H / 2);
  }
  straight.set(layout, path);
  return path;
}

/** Too small for text: lines and blocks of colour, one fill for each colour. */
function paintFar(context: CanvasRenderingContext2D, scene: Scene, colour: Palette, view: View): void {
  context.lineWidth = 1 / scene.camera.scale;
  context.strokeStyle = colour("--line");
  context.stroke(straightEdges(scene.layout));
  const blocks = new Map<string, Path2D>();
  for (const [i, node] of scene.nodes.entries()) {
    const at = scene.layout.nodes[i];
    if (!at || at.x > view.right || at.y > view.bottom || at.x + NODE_W < view.left || at.y + NODE_H < view.top) continue;
    const strong = node.id === scene.selected || node.id === scene.focused;
    const tone = strong ? "--accent" : node.bad ? "--failed" : node.look ? colourOf(node.look) : "--border";
    let path = blocks.get(tone);
    if (!path) blocks.set(tone, (path = new Path2D()));
    path.rect(at.x, at.y, NODE_W, NODE_H);
  }
  for (const [tone, path] of blocks) {
    context.fillStyle = colour(tone);
    context.fill(path);
  }
}

interface View {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

function paintEdges(context: CanvasRenderingContext2D, scene: Scene, colour: Palette, view: View): void {
  const near = new Set<number>();
  const lines = { plain: new Path2D(), strong: new Path2D() };
  const chosen = scene.selected || scene.focused;
  for (const [i, node] of scene.nodes.entries()) if (node.id === chosen) near.add(i);
  for (const edge of scene.layout.edges) {
    const from = scene.layout.nodes[edge.from];
    const to = scene.layout.nodes[edge.to];
    if (!from || !to) continue;
    const start = { x: from.x + NODE_W, y: from.y + NODE_H / 2 };
    const end = { x: to.x, y: to.y + NODE_H / 2 };
    if (Math.max(start.x, end.x) < view.left || Math.min(start.x, end.x) > view.right) continue;
    const strong = near.has(edge.from) || near.has(edge.to);
    addCurve(strong ? lines.strong : lines.plain, start, edge.via, end);
  }
  context.lineWidth = 1.5;
  context.strokeStyle = colour("--border");
  context.stroke(lines.plain);
  context.lineWidth = 2;
  context.strokeStyle = colour("--accent");
  context.stroke(lines.strong);
}

function addCurve(path: Path2D, start: Point, via: Point[], end: Point): void {
  path.moveTo(start.x, start.y);
  let last = start;
  for (const centre of via) {
    curveTo(path, last, { x: centre.x - NODE_W / 2, y: centre.y });
    path.lineTo(centre.x + NODE_W / 2, centre.y);
    last = { x: centre.x + NODE_W / 2, y: centre.y };
  }
  curveTo(path, last, end);
}

function curveTo(path: Path2D, from: Point, to: Point): void {
  const bend = Math.max(24, Math.abs(to.x - from.x) / 2);
  path.bezierCurveTo(from.x + bend, from.y, to.x - bend, to.y, to.x, to.y);
}

function paintNode(context: CanvasRenderingContext2D, scene: Scene, node: GraphNode, at: Point, colour: Palette): void {
  const look = node.look;
  const tone = colour(node.bad ? "--failed" : look ? colourOf(look) : "--border");
  const strong = node.id === scene.selected || node.id === scene.focused;
  context.beginPath();
  context.roundRect(at.x, at.y, NODE_W, NODE_H, 6);
  context.fillStyle = colour(strong ? "--bg3" : "--bg");
  context.fill();
  context.lineWidth = strong ? 2.5 : look === "running" || look === "failed" || node.bad ? 1.75 : 1;
  context.strokeStyle = strong ? colour("--accent") : tone;
  if (look === "pending" || look === "skipped") context.setLineDash([4, 3]);
  context.stroke();
  context.setLineDash([]);

  let left = at.x + 12;
  if (look) {
    paintIcon(context, look, left, at.y + 14, tone, scene.turn);
    left += 28;
  }
  const room = at.x + NODE_W - 10 - left;
  context.textBaseline = "middle";
  context.fillStyle = colour("--fg");
  context.font = `600 13px ${FONT}`;
  context.fillText(fitText(context, node.id, room), left, at.y + 17);
  context.font = `12px ${FONT}`;
  context.fillStyle = colour("--fg2");
  const note = look ? (node.stateText ?? label(look)) : node.note;
  if (look) {
    context.fillStyle = tone;
    const text = fitText(context, note, room);
    context.fillText(text, left, at.y + 34);
    const used = context.measureText(text).width;
    context.fillStyle = colour("--fg2");
    if (room - used > 24) context.fillText(fitText(context, ` · ${node.note}`, room - used), left + used, at.y + 34);
  } else {
    context.fillText(fitText(context, note, room), left, at.y + 34);
  }
}

function paintIcon(context: CanvasRenderingContext2D, look: Look, x: number, y: number, tone: string, turn: number): void {
  context.save();
  context.translate(x, y);
  context.scale(20 / 24, 20 / 24);
  context.strokeStyle = tone;
  context.lineWidth = 2;
  context.lineCap = "round";
  context.lineJoin = "round";
  if (look === "running") {
    context.globalAlpha = 0.4;
    context.stroke(iconPath("ring"));
    context.globalAlpha = 1;
    context.translate(12, 12);
    context.rotate(turn);
    context.translate(-12, -12);
  }
  context.stroke(iconPath(look));
  context.restore();
}

function fitText(context: CanvasRenderingContext2D, text: string, room: number): string {
  if (context.measureText(text).width <= room) return text;
  let low = 0;
  let high = text.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (context.measureText(`${text.slice(0, middle)}…`).width <= room) low = middle;
    else high = middle - 1;
  }
  return `${text.slice(0, low)}…`;
}
