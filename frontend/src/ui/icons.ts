// SPDX-License-Identifier: Apache-2.0
// Outlines on a grid of 24, drawn with a stroke of 2. The page shows them as SVG, the graph draws them on its canvas.

const ring = "M21 12a9 9 0 1 1-18 0a9 9 0 0 1 18 0z";

export const icons = {
  pending: `${ring}M12 7v5l3 2`,
  queued: `${ring}M12 7v5l3 2`,
  running: "M12 3a9 9 0 0 1 9 9",
  succeeded: `${ring}M8 12.5l2.7 2.7L16 9.5`,
  failed: `${ring}M9 9l6 6M15 9l-6 6`,
  cancelled: `${ring}M5.8 18.2L18.2 5.8`,
  skipped: "M5 6l6 6-6 6M13 6l6 6-6 6",
  retrying: "M20 12a8 8 0 1 1-2.4-5.7L20 8.5M20 3.5v5h-5",
  waiting: `${ring}M10 9v6M14 9v6`,
  paused: `${ring}M10 9v6M14 9v6`,
  ring,

  overview: "M4 4h7v7H4zM13 4h7v4h-7zM13 10h7v10h-7zM4 13h7v7H4z",
  queues: "M4 5h16M4 10h16M4 15h10M4 20h6",
  health: "M3 12h4l3-7 4 14 3-7h4",
  plans: "M4 4h6v6H4zM14 14h6v6h-6zM7 10v4a3 3 0 0 0 3 3h4",
  runs: "M4 6h2M4 12h2M4 18h2M10 6h10M10 12h10M10 18h10",
  workers: "M4 4h16v6H4zM4 14h16v6H4zM8 7h.01M8 17h.01",
  book: "M12 6c-2-1.5-5-2-8-2v14c3 0 6 .5 8 2 2-1.5 5-2 8-2V4c-3 0-6 .5-8 2zM12 6v14",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  play: "M7 4.5v15l12-7.5z",
  close: "M6 6l12 12M18 6L6 18",
  rerun: "M4 12a8 8 0 1 0 2.4-5.7L4 8.5M4 3.5v5h5",
  edit: "M4 20h4L19 9l-4-4L4 16zM13 7l4 4",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  trash: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5",
  up: "M12 19V5M6 11l6-6 6 6",
  down: "M12 5v14M6 13l6 6 6-6",
  search: "M18 11a7 7 0 1 1-14 0a7 7 0 0 1 14 0zM16.5 16.5L21 21",
  sun: "M16 12a4 4 0 1 1-8 0a4 4 0 0 1 8 0zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6L19 19M19 5l-1.4 1.4M6.4 17.6L5 19",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z",
  system: "M3 5h18v11H3zM9 20h6M12 16v4",
  keyboard: "M2 6h20v12H2zM6 10h.01M10 10h.01M14 10h.01M18 10h.01M7 14h10",
  archive: "M3 4h18v4H3zM5 8v12h14V8M10 12h4",
  alert: "M12 3L2 20h20zM12 10v4M12 17h.01",
  left: "M14 6l-6 6 6 6",
  right: "M10 6l6 6-6 6",
  fit: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  signout: "M10 4H4v16h6M15 8l4 4-4 4M19 12H9",
  pauseDrain: "M12 4v10M7 10l5 5 5-5M4 20h16",
  check: "M5 12.5l4.5 4.5L19 7.5",
} as const;

export type IconName = keyof typeof icons;
