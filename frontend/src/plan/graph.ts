// SPDX-License-Identifier: Apache-2.0
import type { GraphNode } from "../graph/paint.ts";
import { isObject } from "./model.ts";

/** The graph that a document describes. */
export function nodesOf(document: unknown): GraphNode[] {
  const steps = isObject(document) && Array.isArray(document["steps"]) ? document["steps"] : [];
  return steps.filter(isObject).map((step) => ({
    id: typeof step["id"] === "string" ? step["id"] : "",
    note: typeof step["task"] === "string" ? step["task"] : "",
    needs: Array.isArray(step["needs"]) ? step["needs"].filter((need) => typeof need === "string") : [],
  }));
}
