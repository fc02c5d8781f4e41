// SPDX-License-Identifier: Apache-2.0
// Short names for the messages of the API.
import type { components } from "./schema.d.ts";

type Schemas = components["schemas"];
export type Plan = Schemas["Plan"];
export type PlanProblem = Schemas["PlanProblem"];
export type Problem = Schemas["Problem"];
export type Run = Schemas["Run"];
export type RunBrief = Schemas["RunBrief"];
export type RunState = Schemas["RunState"];
export type RunUpdate = Schemas["RunUpdate"];
export type GraphStep = Schemas["GraphStep"];
export type StepCounts = Schemas["StepCounts"];
export type Failure = Schemas["Failure"];
export type Task = Schemas["Task"];
export type TaskState = Schemas["TaskState"];
export type LogLine = Schemas["LogLine"];
export type LogLines = Schemas["LogLines"];
export type HistoryEvent = Schemas["HistoryEvent"];
export type Worker = Schemas["Worker"];
export type Queue = Schemas["Queue"];
export type QueueLimits = Schemas["QueueLimits"];
export type Sink = Schemas["Sink"];
