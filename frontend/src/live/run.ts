// SPDX-License-Identifier: Apache-2.0
// One run as it stands now: plain data, changed by the events of its stream. Who watches is told once for a batch of events: in a
// microtask, and not again for a while, so that a flood of them costs few drawings.
import type { GraphStep, Run, RunUpdate, StepCounts, Task, TaskState } from "../api/types.ts";
import { isTerminal, word } from "../format/state.ts";

const TELL_MS = 50;

export interface StepView {
  id: string;
  type: string;
  needs: readonly string[];
  state: TaskState;
  attempt: number;
  task: Task | undefined;
}

export class RunStore {
  run: Run | undefined;
  private readonly tasks = new Map<string, Task>();
  private graph: GraphStep[] = [];
  private readonly listeners = new Set<() => void>();
  private told = true;
  private toldAt = -TELL_MS;
  private cached: StepView[] | undefined;

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  setGraph(steps: GraphStep[]): void {
    this.graph = steps;
    this.changed();
  }

  apply(update: RunUpdate): void {
    if (update.snapshot) {
      this.run = update.snapshot.run;
      this.tasks.clear();
      for (const task of update.snapshot.tasks) this.tasks.set(task.step, task);
    } else if (update.run) {
      // What is absent in an update is gone (a pause), but for the bodies.
      this.run = { ...update.run, input: update.run.input ?? this.run?.input, output: update.run.output ?? this.run?.output };
    } else if (update.task) {
      // Updates carry result and failure only when they change.
      this.tasks.set(update.task.step, { ...this.tasks.get(update.task.step), ...update.task });
    }
    this.changed();
  }

  /** The answer to a question; a run that has ended meanwhile stays ended. */
  setRun(run: Run): void {
    if (this.run && isTerminal(this.run.state) && !isTerminal(run.state)) return;
    this.run = run;
    this.changed();
  }

  setTask(task: Task): void {
    const known = this.tasks.get(task.step);
    if (known && isTerminal(known.state) && !isTerminal(task.state)) return;
    this.tasks.set(task.step, { ...this.tasks.get(task.step), ...task });
    this.changed();
  }

  task(step: string): Task | undefined {
    return this.tasks.get(step);
  }

  /** In the plan's order. */
  steps(): StepView[] {
    this.cached ??= this.makeSteps();
    return this.cached;
  }

  private makeSteps(): StepView[] {
    const seen = new Set<string>();
    const over = this.run !== undefined && isTerminal(this.run.state);
    const steps = this.graph.map((step): StepView => {
      seen.add(step.id);
      const task = this.tasks.get(step.id);
      const state = task?.state ?? step.state;
      const idle = state === "TASK_STATE_UNSPECIFIED" || state === "TASK_STATE_PENDING";
      return {
        id: step.id, type: step.type, needs: step.needs, attempt: task?.attempt ?? step.attempt, task,
        state: idle ? (over ? "TASK_STATE_SKIPPED" : "TASK_STATE_PENDING") : state,
      };
    });
    for (const task of this.tasks.values())
      if (!seen.has(task.step)) steps.push({ id: task.step, type: task.type, needs: [], state: task.state, attempt: task.attempt, task });
    return steps;
  }

  counts(): Partial<StepCounts> & { total: number } {
    const counts: Record<string, number> = {};
    const steps = this.steps();
    for (const step of steps) counts[word(step.state)] = (counts[word(step.state)] ?? 0) + 1;
    return { total: steps.length, ...counts };
  }

  private changed(): void {
    this.cached = undefined;
    if (!this.told) return;
    this.told = false;
    const wait = this.toldAt + TELL_MS - performance.now();
    // Not a frame callback: a hidden tab gets none.
    if (wait > 0) setTimeout(() => this.tell(), wait);
    else queueMicrotask(() => this.tell());
  }

  private tell(): void {
    this.told = true;
    this.toldAt = performance.now();
    for (const listener of this.listeners) listener();
  }
}
