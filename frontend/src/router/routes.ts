// SPDX-License-Identifier: Apache-2.0
// The pages, each in a chunk of its own.
import type { Component } from "svelte";
import { matchPath, type Params } from "./match.ts";

export type PageComponent = Component<{ params: Params }>;
interface Route {
  pattern: string;
  load: () => Promise<{ default: PageComponent }>;
}

/** A page whose address has no parameters. */
const plain = (load: () => Promise<{ default: Component }>) => () => load().then((module) => ({ default: module.default as PageComponent }));

const routes: Route[] = [
  { pattern: "/", load: plain(() => import("../pages/overview/OverviewPage.svelte")) },
  { pattern: "/plans", load: plain(() => import("../pages/plans/PlansPage.svelte")) },
  { pattern: "/plans/new", load: () => import("../pages/planform/PlanFormPage.svelte") },
  { pattern: "/plans/:id", load: () => import("../pages/plan/PlanPage.svelte") },
  { pattern: "/plans/:id/versions", load: () => import("../pages/plandiff/PlanDiffPage.svelte") },
  { pattern: "/plans/:id/edit", load: () => import("../pages/planform/PlanFormPage.svelte") },
  { pattern: "/runs", load: plain(() => import("../pages/runs/RunsPage.svelte")) },
  { pattern: "/runs/:id", load: () => import("../pages/run/RunPage.svelte") },
  { pattern: "/workers", load: plain(() => import("../pages/workers/WorkersPage.svelte")) },
  { pattern: "/queues", load: plain(() => import("../pages/queues/QueuesPage.svelte")) },
  { pattern: "/system", load: plain(() => import("../pages/system/SystemPage.svelte")) },
];
export const HOME = "/";

export interface Found {
  route: Route;
  params: Params;
}

export function findRoute(path: string): Found | undefined {
  for (const route of routes) {
    const params = matchPath(route.pattern, path);
    if (params) return { route, params };
  }
  return undefined;
}
