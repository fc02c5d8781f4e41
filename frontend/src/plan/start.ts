// SPDX-License-Identifier: Apache-2.0
import { api, toApiError } from "../api/client.ts";
import type { Run } from "../api/types.ts";
import { HELLO_NAME, HELLO_PLAN } from "./hello.ts";

export function startRun(planId: string, input: unknown): Promise<Run> {
  return api.post("/api/v1/plans/{plan_id}/runs", { path: { plan_id: planId }, body: { input }, once: true });
}

/** Starts the hello plan, which is made if it is not there. */
export async function runHello(): Promise<Run> {
  try {
    await api.post("/api/v1/plans", { body: HELLO_PLAN, once: true });
  } catch (error) {
    if (toApiError(error).problem.reason !== "PLAN_NAME_TAKEN") throw error;
  }
  return startRun(HELLO_NAME, {});
}
