// SPDX-License-Identifier: Apache-2.0
// A plan being edited: as form or as source text, with what the server says of it.
import { api, type ApiError, toApiError } from "../api/client.ts";
import type { Plan } from "../api/types.ts";
import { toDocument } from "./document.ts";
import { emptyPlan, fromDocument, type Json, type PlanForm } from "./model.ts";
import { toYaml } from "./yaml.ts";

export interface DraftProblem {
  field: string;
  description: string;
  hint: string;
  line: number;
  column: number;
}
export type Mode = "form" | "source";

const CHECK_MS = 350;

export class Draft {
  form = $state<PlanForm>(emptyPlan());
  source = $state("");
  mode = $state<Mode>("form");
  message = $state("");
  private found = $state.raw<DraftProblem[]>([]);
  warnings = $state.raw<string[]>([]);
  checking = $state(false);
  /** The server has judged what is there now. */
  checked = $state(false);
  saving = $state(false);
  error = $state.raw<ApiError>();
  /** Until somebody tried to save, what is merely not filled in yet is no fault. */
  tried = $state(false);
  /** Somebody else has saved a version since. */
  conflict = $state(false);
  private plan: Plan | undefined;
  private saved = "";
  /** The author's text, and the form it stood for: unchanged, it is shown again as it was. */
  private authored: { text: string; form: string } | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private abort: AbortController | undefined;

  readonly written = $derived(toDocument(this.form));
  /** What the form says, as text: to see changes. */
  private readonly formText = $derived(JSON.stringify(this.written.document));

  constructor() {
    this.saved = this.formText;
  }

  get dirty(): boolean {
    return this.mode === "form" ? this.formText !== this.saved : this.source !== (this.authored?.text ?? "") || this.formText !== this.saved;
  }

  /** What is wrong, as far as it is time to say so. */
  get problems(): DraftProblem[] {
    if (this.tried || this.mode === "source") return this.found;
    return this.found.filter((problem) => !this.isBlank(problem.field));
  }

  private isBlank(field: string): boolean {
    const step = this.form.steps[Number(/^steps\[(\d+)\]/.exec(field)?.[1] ?? NaN)];
    if (field === "name") return this.form.name === "";
    if (field.endsWith(".id")) return step?.id === "";
    return /^steps\[\d+\](\.task)?$/.test(field) && step?.task === "";
  }

  open(plan: Plan): void {
    this.plan = plan;
    this.form = fromDocument(plan.document);
    this.saved = this.formText;
    this.authored = { text: plan.source || toYaml(this.written.document), form: this.formText };
    this.source = this.authored.text;
    this.conflict = false;
    this.error = undefined;
  }

  /** What the server is asked to check or to save. */
  private body(): Json {
    return this.mode === "source" ? { source: this.source } : { document: this.written.document, source: this.textOfForm() };
  }

  private textOfForm(): string {
    return this.authored?.form === this.formText ? this.authored.text : toYaml(this.written.document);
  }

  toSource(): void {
    this.source = this.textOfForm();
    this.mode = "source";
  }

  /** Fills the form from the text, if the server can read it. */
  async toForm(): Promise<void> {
    const document = await this.check();
    if (document === undefined) return;
    this.form = fromDocument(document);
    this.authored = { text: this.source, form: this.formText };
    this.mode = "form";
  }

  /** Checks a moment after the last change. */
  checkSoon(): void {
    this.checked = false;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.check(), CHECK_MS);
  }

  /** The canonical document when the plan is valid. */
  async check(): Promise<unknown> {
    clearTimeout(this.timer);
    this.abort?.abort();
    const abort = new AbortController();
    this.abort = abort;
    const local = this.mode === "form" ? this.written.problems : [];
    this.checking = true;
    try {
      const answer = await api.post("/api/v1/plans:validate", { body: this.body(), signal: abort.signal });
      if (abort.signal.aborted) return undefined;
      this.show(local, answer.problems);
      this.warnings = answer.warnings;
      this.checking = false;
      this.checked = true;
      return answer.valid && local.length === 0 ? answer.document : undefined;
    } catch (error) {
      if (abort.signal.aborted) return undefined;
      this.checking = false;
      this.checked = toApiError(error).problem.violations.length > 0;
      this.refuse(local, toApiError(error));
      return undefined;
    }
  }

  async save(): Promise<Plan | undefined> {
    this.tried = true;
    if (this.mode === "form" && this.written.problems.length > 0) {
      this.show(this.written.problems, []);
      return undefined;
    }
    clearTimeout(this.timer);
    this.saving = true;
    this.error = undefined;
    try {
      const query = { message: this.message };
      const plan = this.plan
        ? await api.put("/api/v1/plans/{id}", { path: { id: this.plan.id }, query, body: this.body(), ifMatch: this.conflict ? undefined : this.plan.etag })
        : await api.post("/api/v1/plans", { query, body: this.body(), once: true });
      this.saving = false;
      this.saved = this.formText;
      if (this.mode === "source") this.authored = { text: this.source, form: this.formText };
      return plan;
    } catch (error) {
      this.saving = false;
      const problem = toApiError(error);
      if (problem.status === 412) this.conflict = true;
      else this.refuse([], problem);
      return undefined;
    }
  }

  stop(): void {
    clearTimeout(this.timer);
    this.abort?.abort();
  }

  private refuse(local: { field: string; description: string }[], error: ApiError): void {
    if (error.problem.violations.length > 0) this.show(local, error.problem.violations);
    else if (error.problem.reason === "PLAN_NAME_TAKEN") this.show(local, [{ field: "name", description: error.message }]);
    else this.error = error;
  }

  private show(local: Partial<DraftProblem>[], remote: Partial<DraftProblem>[]): void {
    const all = [...local, ...remote.filter((problem) => !local.some((own) => own.field === problem.field))];
    this.found = all.map((problem) => ({ field: "", description: "", hint: "", line: 0, column: 0, ...problem }));
    this.error = undefined;
  }

  /** Problems of one field, or with `below` of everything under it. */
  of(field: string, below = false): DraftProblem[] {
    return this.problems.filter((problem) => problem.field === field || (below && problem.field.startsWith(field) && /^[.[]/.test(problem.field.slice(field.length))));
  }
}
