// SPDX-License-Identifier: Apache-2.0
// What the server's words for waiting ("no worker offers type X") mean to a person, and what can be done about it. The words are those
// of docs/states.md; words of a later version are shown as they are.

export type ReasonKind = "pause" | "worker" | "limit" | "busy" | "time" | "needs" | "recovery" | "other";

export interface Reason {
  kind: ReasonKind;
  /** The step that a run waits for; empty for a task's own reason. */
  step: string;
  /** As the server said it, without the step. */
  words: string;
  /** What to do; for what passes by itself: that it does. */
  advice: string;
  link?: { href: string; text: string };
  /** It goes on only when somebody does something. */
  stuck: boolean;
}

interface Rule {
  words: RegExp;
  kind: ReasonKind;
  stuck?: boolean;
  advice: (match: RegExpExecArray) => string;
  link?: (match: RegExpExecArray) => { href: string; text: string };
}

const workers = { href: "/workers", text: "Workers" };
const queue = (name: string | undefined) => ({ href: `/queues?name=${encodeURIComponent(name ?? "")}`, text: `Queue ${name}` });

const RULES: Rule[] = [
  { words: /^queue (\S+) is paused by /, kind: "pause", stuck: true, advice: () => "Resume the queue when the reason is gone. What runs goes on meanwhile.", link: (m) => queue(m[1]) },
  { words: /^(its run is )?paused by /, kind: "pause", stuck: true, advice: () => "Resume the run. What runs goes on meanwhile." },
  { words: /^no worker offers type (\S+)/, kind: "worker", stuck: true, advice: (m) => `Start a worker that offers ${m[1]}, or correct the type in the plan.`, link: () => workers },
  { words: /^no worker with label (\S+?=\S*) /, kind: "worker", stuck: true, advice: (m) => `Start a worker with --label ${m[1]}, or take the requirement out of the step.`, link: () => workers },
  { words: /^no worker has all labels/, kind: "worker", stuck: true, advice: () => "Each label is there, but no one worker has them all. Start one that has.", link: () => workers },
  { words: /no new work goes to (it|them)/, kind: "worker", stuck: true, advice: () => "All workers that fit are draining. Start another one.", link: () => workers },
  { words: /^limit of queue (\S+):/, kind: "limit", advice: () => "Goes on when one of those that run has finished. The limit can be raised.", link: (m) => queue(m[1]) },
  { words: /^rate of queue (\S+):/, kind: "limit", advice: () => "Goes on by itself at that time. The rate can be raised.", link: (m) => queue(m[1]) },
  { words: /^limit of key (\S+):/, kind: "limit", advice: (m) => `Goes on when one of the holders has finished. The limit of ${m[1]} stands in the plan.` },
  { words: /^rate of key (\S+):/, kind: "limit", advice: () => "Goes on by itself at that time. The rate stands in the plan." },
  { words: /(is|are) busy|^a free worker/, kind: "busy", advice: () => "Goes on when a slot is free. More workers or slots make it sooner.", link: () => workers },
  { words: /^behind at least /, kind: "busy", advice: () => "Older tasks of its queue go first. More workers or slots make it sooner.", link: () => workers },
  { words: /^retry backoff until /, kind: "time", advice: () => "The last attempt failed; the next one begins by itself." },
  { words: /^not before /, kind: "time", advice: () => "Begins by itself at that time." },
  { words: /^needs steps? /, kind: "needs", advice: () => "Begins when they have succeeded." },
  { words: /^its worker to come back|^its turn/, kind: "recovery", advice: () => "A controller was lost; this settles by itself within seconds." },
];

/** The reason in waitingFor, or undefined when there is none. */
export function explain(waitingFor: string | undefined): Reason | undefined {
  if (!waitingFor) return undefined;
  const [, step = "", words = waitingFor] = /^step ([\w.-]+): (.*)$/s.exec(waitingFor) ?? [];
  for (const rule of RULES) {
    const match = rule.words.exec(words);
    if (match) return { kind: rule.kind, step, words, advice: rule.advice(match), link: rule.link?.(match), stuck: rule.stuck ?? false };
  }
  return { kind: "other", step, words, advice: "", stuck: false };
}

const UTC = /\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\b/g;

/** The words with times as the reader's clock has them. */
export function localTimes(words: string, say: (time: string) => string): string {
  return words.replace(UTC, (time) => say(time));
}
