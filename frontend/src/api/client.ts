// SPDX-License-Identifier: Apache-2.0
// Calls of the API, typed by its generated description. Every failure is an ApiError.
import type { paths } from "./schema.d.ts";
import type { Problem } from "./types.ts";

type Method = "get" | "post" | "put" | "delete";
type Operation<P extends keyof paths, M extends Method> = NonNullable<paths[P][M]>;
type PathOf<M extends Method> = { [P in keyof paths]: paths[P][M] extends undefined ? never : P }[keyof paths];
type Json<C> = C extends { "application/json": infer T } ? T : never;
type Answer<O> = O extends { responses: { 200: { content: infer C } } } ? Json<C> : never;
/** Only calls that start something have a key that makes a repetition harmless; others refuse the header. */
type Once<O> = O extends { parameters: { header?: { "Idempotency-Key"?: string } } } ? boolean : never;
type Part<O, K extends "path" | "query"> = O extends { parameters: infer A } ? (K extends keyof A ? A[K] : never) : never;

export interface CallOptions<O> {
  path?: Part<O, "path">;
  query?: Part<O, "query">;
  body?: unknown;
  /** A request that comes twice, e.g. through a proxy, is to be carried out once. */
  once?: Once<O>;
  /** Save only over this version. */
  ifMatch?: string;
  signal?: AbortSignal;
}

export class ApiError extends Error {
  readonly status: number;
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail || problem.title);
    this.name = "ApiError";
    this.status = problem.status;
    this.problem = problem;
  }
}

/** Told of every answer: whether the server could be reached, and whether it knows us. */
export interface Observer {
  reached(ok: boolean): void;
  signedOut(): void;
}
let observer: Observer = { reached: () => undefined, signedOut: () => undefined };
export function observe(next: Observer): void {
  observer = next;
}

function problemOf(status: number, title: string, detail: string): Problem {
  return { type: "about:blank", title, status, detail, code: "", reason: "", requestId: "", violations: [] };
}

export async function readProblem(response: Response): Promise<Problem> {
  const known = problemOf(response.status, response.statusText || `HTTP ${response.status}`, "");
  if (!(response.headers.get("content-type") ?? "").includes("json")) return known;
  try {
    return { ...known, ...((await response.json()) as Partial<Problem>) };
  } catch {
    return known;
  }
}

export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new ApiError(problemOf(0, "The page met an error", text));
}

/** fetch, with failures as ApiError. An abort stays an AbortError. */
export async function fetchChecked(url: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { ...init, credentials: "same-origin" });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    observer.reached(false);
    throw new ApiError(problemOf(0, "Plankton cannot be reached", "The server does not answer. What is shown may be old."));
  }
  observer.reached(true);
  if (response.ok) return response;
  if (response.status === 401) observer.signedOut();
  throw new ApiError(await readProblem(response));
}

export function urlOf(path: string, pathParams: object = {}, query: object = {}): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(String((pathParams as Record<string, unknown>)[name] ?? "")),
  );
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    if (value !== undefined && value !== null && value !== "") search.set(name, String(value));
  return search.size ? `${filled}?${search}` : filled;
}

async function call<M extends Method, P extends PathOf<M>>(
  method: M,
  path: P,
  options: CallOptions<Operation<P, M>> = {},
): Promise<Answer<Operation<P, M>>> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (options.body !== undefined) headers["Content-Type"] = "application/json";
  if (options.ifMatch) headers["If-Match"] = `"${options.ifMatch}"`;
  if (options.once) headers["Idempotency-Key"] = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
  const response = await fetchChecked(urlOf(path, options.path, options.query), {
    method: method.toUpperCase(),
    headers,
    body: options.body === undefined ? undefined : JSON.stringify(options.body),
    signal: options.signal,
  });
  return (await response.json()) as Answer<Operation<P, M>>;
}

export const api = {
  get: <P extends PathOf<"get">>(path: P, options?: CallOptions<Operation<P, "get">>) => call("get", path, options),
  post: <P extends PathOf<"post">>(path: P, options?: CallOptions<Operation<P, "post">>) => call("post", path, options),
  put: <P extends PathOf<"put">>(path: P, options?: CallOptions<Operation<P, "put">>) => call("put", path, options),
  delete: <P extends PathOf<"delete">>(path: P, options?: CallOptions<Operation<P, "delete">>) =>
    call("delete", path, options),
};

/** Trades a key for a session cookie. */
export async function signIn(token: string): Promise<void> {
  await fetchChecked("/login", {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify({ token }),
  });
}

export async function signOut(): Promise<void> {
  await fetchChecked("/logout", { method: "POST", headers: { Accept: "application/json" } });
}
