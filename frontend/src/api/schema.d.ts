// SPDX-License-Identifier: Apache-2.0
// Generated from the contracts by `npm run api`; do not edit.
export interface paths {
    "/api/v1/bulk": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Newest first
         * @description Newest first.
         */
        get: operations["Bulk_ListBulk"];
        put?: never;
        /**
         * Starts a job
         * @description Starts a job. Only tasks that were submitted before it are looked at. RESOURCE_EXHAUSTED (BULK_MAX) while 4 of the namespace run.
         */
        post: operations["Bulk_StartBulk"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/bulk/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** GetBulk */
        get: operations["Bulk_GetBulk"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/bulk/{id}:cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Nothing more is begun
         * @description Nothing more is begun; what was done stays done. FAILED_PRECONDITION (WRONG_STATE) when the job is over.
         */
        post: operations["Bulk_CancelBulk"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/doctor": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Everything that is wrong now
         * @description Everything that is wrong now; an empty answer means that nothing is. At most 100 findings of a kind. UNAVAILABLE when the database
         *     does not answer.
         */
        get: operations["Doctor_Diagnose"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/keys": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** ListKeys */
        get: operations["Keys_ListKeys"];
        put?: never;
        /** CreateKey */
        post: operations["Keys_CreateKey"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/keys/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** RevokeKey */
        delete: operations["Keys_RevokeKey"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/whoami": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Who the caller is
         * @description Who the caller is.
         */
        get: operations["Keys_WhoAmI"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/plans": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** ListPlans */
        get: operations["PlanAPI_ListPlans"];
        put?: never;
        /**
         * INVALID_ARGUMENT with reason PLAN_INVALID (HTTP 422) and a violation for each problem, with path, line and column.
         * @description INVALID_ARGUMENT with reason PLAN_INVALID (HTTP 422) and a violation for each problem, with path, line and column.
         *     ALREADY_EXISTS (PLAN_NAME_TAKEN) when another plan has the name.
         */
        post: operations["PlanAPI_CreatePlan"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/plans/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * id may also be the plan's name
         * @description id may also be the plan's name.
         */
        get: operations["PlanAPI_GetPlan"];
        /**
         * Saves a new version
         * @description Saves a new version. ABORTED (ETAG_MISMATCH, HTTP 412) when etag is given and not the current one. The name may change.
         */
        put: operations["PlanAPI_UpdatePlan"];
        post?: never;
        /**
         * No new runs from now on
         * @description No new runs from now on; the history stays and the name is free again.
         */
        delete: operations["PlanAPI_ArchivePlan"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/plans:validate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Checks a document without saving it
         * @description Checks a document without saving it. The answer lists the problems; only malformed requests are errors.
         */
        post: operations["PlanAPI_ValidatePlan"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/plans/{id}/versions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** ListPlanVersions */
        get: operations["PlanAPI_ListPlanVersions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/plans/{plan_id}/runs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Starts a run
         * @description Starts a run; the answer comes after it is durable. plan_id may be the plan's name. INVALID_ARGUMENT (INPUT_INVALID) when the
         *     input does not fit the plan's schema; FAILED_PRECONDITION (PLAN_ARCHIVED).
         */
        post: operations["PlanAPI_StartRun"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** GetRun */
        get: operations["PlanAPI_GetRun"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/tasks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The steps of a run as tasks, in the plan's order
         * @description The steps of a run as tasks, in the plan's order; also those that have not begun (state pending, or skipped when the run is over).
         */
        get: operations["PlanAPI_ListRunTasks"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/graph": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The plan's structure with the state of each step
         * @description The plan's structure with the state of each step; without bodies.
         */
        get: operations["PlanAPI_GetRunGraph"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Newest first
         * @description Newest first.
         */
        get: operations["PlanAPI_ListRuns"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * A snapshot, then every change of the run and its steps
         * @description A snapshot, then every change of the run and its steps; ends when the run is terminal. In HTTP server-sent events.
         */
        get: operations["PlanAPI_WatchRun"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}:cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Asks for a cancel of the run and all its steps
         * @description Asks for a cancel of the run and all its steps. FAILED_PRECONDITION (WRONG_STATE) when terminal.
         */
        post: operations["PlanAPI_CancelRun"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}:pause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * No step of the run is started until it is resumed
         * @description No step of the run is started until it is resumed; attempts that run go on to their end, and their results are recorded. Limits of
         *     time run on. Pausing again with another reason replaces the reason. FAILED_PRECONDITION (WRONG_STATE) when it is terminal or about
         *     to end.
         */
        post: operations["PlanAPI_PauseRun"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}:resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Starts what became ready meanwhile
         * @description Starts what became ready meanwhile. Resuming a run that is not paused changes nothing. FAILED_PRECONDITION (WRONG_STATE) when
         *     terminal.
         */
        post: operations["PlanAPI_ResumeRun"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}:rerun": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Starts a new run of the same plan version and input (or an edited one)
         * @description Starts a new run of the same plan version and input (or an edited one). FAILED_PRECONDITION (WRONG_STATE) unless terminal.
         */
        post: operations["PlanAPI_RerunRun"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/queues": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * By name
         * @description By name.
         */
        get: operations["Queues_ListQueues"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/queues/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * NOT_FOUND (QUEUE_UNKNOWN) when nothing is in it and nothing was set for it
         * @description NOT_FOUND (QUEUE_UNKNOWN) when nothing is in it and nothing was set for it.
         */
        get: operations["Queues_GetQueue"];
        /**
         * Replaces the limits of the queue
         * @description Replaces the limits of the queue; an empty body takes them away.
         */
        put: operations["Queues_UpdateQueue"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/queues/{name}:pause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Nothing more is dispatched from the queue until it is resumed
         * @description Nothing more is dispatched from the queue until it is resumed; what runs goes on, and tasks are still taken. Pausing again with
         *     another reason replaces the reason.
         */
        post: operations["Queues_PauseQueue"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/queues/{name}:resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Resuming a queue that is not paused changes nothing
         * @description Resuming a queue that is not paused changes nothing.
         */
        post: operations["Queues_ResumeQueue"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Newest first
         * @description Newest first.
         */
        get: operations["TaskController_ListTasks"];
        put?: never;
        /**
         * Records a task
         * @description Records a task; the answer comes after it is durable. INVALID_ARGUMENT with the field's path; ALREADY_EXISTS (reason
         *     REQUEST_ID_CONFLICT) when request_id was used with another body; the first task again when with the same.
         */
        post: operations["TaskController_SubmitTask"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks:batch": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Up to 10,000 tasks and 4 MiB in one call
         * @description Up to 10,000 tasks and 4 MiB in one call; a status for each, in order.
         */
        post: operations["TaskController_SubmitTasks"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * NOT_FOUND for an unknown id
         * @description NOT_FOUND for an unknown id. With `wait` it answers when the task is terminal or the time is over, whichever is first.
         */
        get: operations["TaskController_GetTask"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks/{id}:cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Asks for a cancel
         * @description Asks for a cancel. A task that has not begun is cancelled at once. FAILED_PRECONDITION (reason WRONG_STATE) when terminal.
         */
        post: operations["TaskController_CancelTask"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks/{id}:retry": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Makes a new task with the same content (retry_of)
         * @description Makes a new task with the same content (retry_of). FAILED_PRECONDITION (WRONG_STATE) unless terminal, or when it is a run's step.
         */
        post: operations["TaskController_RetryTask"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks/{task_id}/logs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Lines of a task or a run, oldest first
         * @description Lines of a task or a run, oldest first. NOT_FOUND when neither is known; with text/plain asked for in HTTP: the lines alone.
         */
        get: operations["TaskLogger_QueryTaskLogs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{run_id}/logs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** QueryRunLogs */
        get: operations["TaskLogger_QueryRunLogs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks/{task_id}/logs:search": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Lines that hold a text, in the order of QueryTaskLogs and QueryRunLogs
         * @description Lines that hold a text, in the order of QueryTaskLogs and QueryRunLogs. A call reads for two seconds at most and then says
         *     stopped_early; so many at once as the logger searches (4) the next is refused with RESOURCE_EXHAUSTED and asked to come again.
         */
        get: operations["TaskLogger_SearchTaskLogs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{run_id}/logs:search": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** SearchRunLogs */
        get: operations["TaskLogger_SearchRunLogs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks/{task_id}/history": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Everything that happened to a task or a run, in order
         * @description Everything that happened to a task or a run, in order.
         */
        get: operations["TaskLogger_QueryTaskHistory"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{run_id}/history": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** QueryRunHistory */
        get: operations["TaskLogger_QueryRunHistory"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/sinks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** ListSinks */
        get: operations["TaskLogger_ListSinks"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/workers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** ListWorkers */
        get: operations["TaskWorker_ListWorkers"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/workers/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** GetWorker */
        get: operations["TaskWorker_GetWorker"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/workers/{id}:drain": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * No new leases
         * @description No new leases; it finishes what it has.
         */
        post: operations["TaskWorker_DrainWorker"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        StartBulkRequest: {
            action?: components["schemas"]["BulkAction"];
            filter?: components["schemas"]["TaskFilter"];
            /** @description Only count what matches. */
            dryRun?: boolean;
            /** @description At most 512 bytes; the reason of each cancel. */
            reason?: string;
        };
        /** @enum {string} */
        BulkAction: "BULK_ACTION_UNSPECIFIED" | "BULK_ACTION_CANCEL" | "BULK_ACTION_RETRY";
        /** @description All that is set must hold. */
        TaskFilter: {
            state?: components["schemas"]["TaskState"];
            type?: string;
            queue?: string;
            /** @description Of the last failure, e.g. TIMEOUT. */
            failureCode?: string;
            /**
             * Format: date-time
             * @description Submitted at this time or later.
             */
            createdAfter?: string;
            /**
             * Format: date-time
             * @description Submitted before this time.
             */
            createdBefore?: string;
        };
        /**
         * @description States of a task. Terminal ones (succeeded, failed, cancelled, skipped) never change.
         * @enum {string}
         */
        TaskState: "TASK_STATE_UNSPECIFIED" | "TASK_STATE_PENDING" | "TASK_STATE_READY" | "TASK_STATE_RUNNING" | "TASK_STATE_SUCCEEDED" | "TASK_STATE_FAILED" | "TASK_STATE_CANCELLED" | "TASK_STATE_SKIPPED" | "TASK_STATE_RETRYING" | "TASK_STATE_WAITING";
        BulkJob: {
            id: string;
            action: components["schemas"]["BulkAction"];
            filter?: components["schemas"]["TaskFilter"];
            dryRun: boolean;
            state: components["schemas"]["BulkState"];
            /**
             * Format: int64
             * @description Tasks found so far; all of them when the job has succeeded.
             */
            matched: string;
            /**
             * Format: int64
             * @description Of these: cancelled or asked to; retried.
             */
            done: string;
            /**
             * Format: int64
             * @description Nothing was to be done: it has ended meanwhile, was retried before, or has gone.
             */
            skipped: string;
            /** Format: int64 */
            failed: string;
            /** @description The first of the failures, or why the job could not go on. */
            failure: string;
            /** @description The name of the key that started it; the actor of all that it does. */
            actor: string;
            reason: string;
            /** Format: date-time */
            startedAt?: string;
            /** Format: date-time */
            finishedAt?: string;
        };
        /** @enum {string} */
        BulkState: "BULK_STATE_UNSPECIFIED" | "BULK_STATE_RUNNING" | "BULK_STATE_SUCCEEDED" | "BULK_STATE_CANCELLED" | "BULK_STATE_FAILED" | "BULK_STATE_LOST";
        ListBulkResponse: {
            jobs: components["schemas"]["BulkJob"][];
        };
        Diagnosis: {
            findings: components["schemas"]["Finding"][];
        };
        Finding: {
            kind: components["schemas"]["FindingKind"];
            /** @description Id of a task or run, queue/type, shard, or day. */
            subject: string;
            /** @description What is wrong. */
            message: string;
            /** @description What to do about it. */
            mend: string;
            /** Format: date-time */
            since?: string;
            /**
             * Format: int64
             * @description Of what there is more than one: tasks, rows, events.
             */
            count: string;
        };
        /** @enum {string} */
        FindingKind: "FINDING_KIND_UNSPECIFIED" | "FINDING_KIND_TASK_STUCK" | "FINDING_KIND_RUN_STUCK" | "FINDING_KIND_NO_WORKER" | "FINDING_KIND_SHARD_UNOWNED" | "FINDING_KIND_JOURNAL_GROWS" | "FINDING_KIND_LOGGER_LAGS" | "FINDING_KIND_DAY_HELD";
        CreateKeyRequest: {
            /** @description At most 64 bytes. */
            name?: string;
            /** @description ROLE_ADMIN or ROLE_WORKER. */
            role?: components["schemas"]["Role"];
            /**
             * @description Absent = never expires.
             * @example 1.5s
             */
            lifetime?: string;
            /** @description A login token: usable once, for CreateSession only; lifetime at most 1 h (default 10 min). */
            singleUse?: boolean;
        };
        /**
         * @description Who a caller is. One role a key.
         * @enum {string}
         */
        Role: "ROLE_UNSPECIFIED" | "ROLE_ADMIN" | "ROLE_WORKER" | "ROLE_SERVICE" | "ROLE_PUBLIC";
        CreatedKey: {
            key?: components["schemas"]["Key"];
            /** @description Shown only here. */
            secret: string;
        };
        Key: {
            id: string;
            name: string;
            role: components["schemas"]["Role"];
            /** Format: date-time */
            createdAt?: string;
            /**
             * Format: date-time
             * @description Absent = never.
             */
            expiresAt?: string;
            /** Format: date-time */
            revokedAt?: string;
            /** Format: date-time */
            lastUsedAt?: string;
        };
        ListKeysResponse: {
            keys: components["schemas"]["Key"][];
            nextPageToken: string;
        };
        Identity: {
            keyId: string;
            name: string;
            role: components["schemas"]["Role"];
            namespace: string;
            namespaceId: number;
        };
        /** @description A named, versioned graph of steps. Versions are immutable; a run is pinned to one. */
        Plan: {
            id: string;
            /** @description [a-z0-9][a-z0-9._-]*, at most 64 bytes; unique among plans that are not archived. */
            name: string;
            description: string;
            /**
             * Format: int32
             * @description Of this content; the newest unless another was asked for. From 1.
             */
            version: number;
            /** @description Canonical content. */
            document?: unknown;
            /** @description The author's text, JSON or YAML, as it was given. */
            source: string;
            /** Format: date-time */
            createdAt?: string;
            /**
             * Format: date-time
             * @description When this version was saved.
             */
            updatedAt?: string;
            /** Format: date-time */
            archivedAt?: string;
            /** @description Changes with each version; in HTTP the header ETag. */
            etag: string;
            /** @description Not errors, e.g. a task type that no worker offers yet. */
            warnings: string[];
            /** Format: int32 */
            stepCount: number;
            /** @description The newest runs, at most 10, newest first (lists and single gets). */
            recentRuns: components["schemas"]["RunBrief"][];
            /** @description What was changed, as the author said it. */
            message: string;
        };
        RunBrief: {
            id: string;
            state: components["schemas"]["RunState"];
            /** Format: date-time */
            createdAt?: string;
            /** Format: date-time */
            finishedAt?: string;
        };
        /**
         * @description States of a run. succeeded, failed and cancelled are terminal.
         * @enum {string}
         */
        RunState: "RUN_STATE_UNSPECIFIED" | "RUN_STATE_QUEUED" | "RUN_STATE_RUNNING" | "RUN_STATE_SUCCEEDED" | "RUN_STATE_FAILED" | "RUN_STATE_CANCELLED" | "RUN_STATE_PAUSED" | "RUN_STATE_WAITING";
        ValidatePlanResponse: {
            valid: boolean;
            problems: components["schemas"]["PlanProblem"][];
            warnings: string[];
            /** @description The canonical document when valid. */
            document?: unknown;
        };
        PlanProblem: {
            /** @description JSON path, e.g. steps[2].needs[0]. */
            field: string;
            description: string;
            hint: string;
            /**
             * Format: int32
             * @description In the source, from 1; 0 = unknown.
             */
            line: number;
            /** Format: int32 */
            column: number;
        };
        ListPlansResponse: {
            /** @description Without document and source. */
            plans: components["schemas"]["Plan"][];
            nextPageToken: string;
        };
        ListPlanVersionsResponse: {
            /** @description Newest first, without document and source. */
            versions: components["schemas"]["Plan"][];
            nextPageToken: string;
        };
        /** @description One execution of a plan version with an input. */
        Run: {
            id: string;
            planId: string;
            planName: string;
            /** Format: int32 */
            planVersion: number;
            state: components["schemas"]["RunState"];
            /** @description Any JSON value. */
            input?: unknown;
            /** @description Any JSON value. */
            output?: unknown;
            failure?: components["schemas"]["Failure"];
            labels: {
                [key: string]: string;
            };
            /** Format: date-time */
            createdAt?: string;
            /** Format: date-time */
            startedAt?: string;
            /** Format: date-time */
            finishedAt?: string;
            counts?: components["schemas"]["StepCounts"];
            cancelRequested?: components["schemas"]["CancelRequest"];
            /** @description The run that this one repeats. */
            rerunOf: string;
            waitingFor: string;
            /** @description Absent when it is not paused. */
            pause?: components["schemas"]["RunPause"];
        };
        /** @description Why an attempt, a task or a run failed. */
        Failure: {
            /** @description Stable, UPPER_SNAKE: what `retry.nonRetryable` names. E.g. EXIT_STATUS, TIMEOUT, WORKER_LOST, BAD_INPUT. */
            code: string;
            message: string;
            /** @description Any JSON value. */
            details?: unknown;
            /** @description The worker asks not to try again. */
            nonRetryable: boolean;
            /** @description The step that failed (runs only). */
            step: string;
            /**
             * @description Said by a worker: do not try again before so long, e.g. because a server told it so. Not shown in tasks: see runAt.
             * @example 1.5s
             */
            retryAfter?: string;
        };
        /** @description Steps of a run by state. */
        StepCounts: {
            /** Format: int32 */
            total: number;
            /** Format: int32 */
            pending: number;
            /** Format: int32 */
            ready: number;
            /** Format: int32 */
            running: number;
            /** Format: int32 */
            succeeded: number;
            /** Format: int32 */
            failed: number;
            /** Format: int32 */
            cancelled: number;
            /** Format: int32 */
            skipped: number;
            /** Format: int32 */
            retrying: number;
            /** Format: int32 */
            waiting: number;
        };
        /** @description A cancel is first a request; the state follows when the worker confirms or its lease ends. */
        CancelRequest: {
            /** Format: date-time */
            at?: string;
            actor: string;
            reason: string;
        };
        /** @description Nothing more of a run is started. */
        RunPause: {
            /** Format: date-time */
            at?: string;
            /** @description The name of the key that paused it. */
            actor: string;
            reason: string;
        };
        ListRunTasksResponse: {
            tasks: components["schemas"]["Task"][];
            nextPageToken: string;
        };
        /** @description One unit of work. */
        Task: {
            id: string;
            type: string;
            /** @description Any JSON value. */
            parameters?: unknown;
            environment?: components["schemas"]["Environment"];
            queue: string;
            /** Format: int32 */
            priority: number;
            retry?: components["schemas"]["RetryPolicy"];
            timeout?: components["schemas"]["Timeouts"];
            labels: {
                [key: string]: string;
            };
            /** Format: date-time */
            runAt?: string;
            state: components["schemas"]["TaskState"];
            /**
             * Format: int32
             * @description Highest attempt begun; 0 = none yet. Numbers may have gaps.
             */
            attempt: number;
            /**
             * Format: int32
             * @description Attempts that ended in failure, and attempts whose worker was lost.
             */
            failures: number;
            /** Format: int32 */
            lost: number;
            /** @description The recorded result of a succeeded task. */
            result?: unknown;
            /** @description The last failure, also while it is retrying. */
            failure?: components["schemas"]["Failure"];
            cancelRequested?: components["schemas"]["CancelRequest"];
            /** Format: date-time */
            createdAt?: string;
            /**
             * Format: date-time
             * @description Start of the latest attempt.
             */
            startedAt?: string;
            /** Format: date-time */
            finishedAt?: string;
            /** @description Run and step it belongs to; empty for a lone task. */
            runId: string;
            step: string;
            /** @description The task that this one tries again. */
            retryOf: string;
            /** @description Worker of the latest attempt. */
            workerId: string;
            /** @description Why it waits, in words; empty when it does not. */
            waitingFor: string;
            /** @description Progress of the running attempt, 0 to 1, and its message; live only. */
            progress: number;
            progressMessage: string;
            concurrency: components["schemas"]["ConcurrencyLimit"][];
            rateLimits: components["schemas"]["RateLimit"][];
            fairness?: components["schemas"]["Fairness"];
            /**
             * Format: int32
             * @description 0 = 1.
             */
            cost: number;
            worker?: components["schemas"]["WorkerChoice"];
        };
        /** @description What a task runs in. */
        Environment: {
            /** @description Variables given to the task. Names: [A-Za-z_][A-Za-z0-9_]*, at most 128; PLANKTON_* is reserved. */
            variables?: {
                [key: string]: string;
            };
            /** @description Secrets by name; their values are given to the task as variables of that name. */
            secrets?: string[];
            /** @description Absolute, or relative to the attempt's own directory. Empty: that directory. */
            workingDirectory?: string;
            /** @description Labels that a worker must have, all of them. */
            requires?: {
                [key: string]: string;
            };
            resources?: components["schemas"]["Resources"];
            /** @description "strict", "standard" (default) or "none". */
            sandbox?: string;
            /** @description Image of a container task. */
            containerImage?: string;
            /**
             * @description More that a worker's labels must meet, all of it; at most 32: "zone = eu", "zone != eu" (or it has no such label), "memory > 16",
             *     "memory < 64" (decimal numbers), "ssd" (it has the label).
             */
            where?: string[];
            /** @description Written like `where`: of the workers that are free one that meets all of it goes first. Nobody waits for one. */
            prefers?: string[];
        };
        /** @description What a task needs, and what a worker has: the needs of the leases that a worker holds never add up to more than it has announced. */
        Resources: {
            /** @description Cores, e.g. 0.5. 0 = not said. */
            cpu?: number;
            /** @description Bytes, written like 512Mi. Empty = not said. */
            memory?: string;
            /** @description Devices. 0 = none. */
            gpu?: number;
        };
        /** @description When and how often a failed task is tried again. */
        RetryPolicy: {
            /**
             * Format: int32
             * @description Attempts that may fail, 1 to 1,000. Default 3. Lost workers are counted apart.
             */
            maxAttempts?: number;
            /**
             * @description Before the second attempt. Default 1 s.
             * @example 1.5s
             */
            initialBackoff?: string;
            /** @description Default 2, 1 to 100. */
            multiplier?: number;
            /**
             * @description Default 60 s.
             * @example 1.5s
             */
            maxBackoff?: string;
            jitter?: number;
            /** @description Failure codes that end the task at once. */
            nonRetryable?: string[];
            /**
             * @description No retry begins later than so long after the task's creation; the last failure is then final. Absent = no such limit.
             * @example 1.5s
             */
            budget?: string;
        };
        /** @description Limits of time. Absent = none, except that a lost worker is always noticed. */
        Timeouts: {
            /**
             * @description Waiting in the queue, from ready to the first attempt's start.
             * @example 1.5s
             */
            queue?: string;
            /**
             * @description One attempt, from its lease.
             * @example 1.5s
             */
            attempt?: string;
            /**
             * @description The whole task, from its creation.
             * @example 1.5s
             */
            total?: string;
            /**
             * @description Between two reports of progress, from the first one of an attempt on: for programs that give signs of life themselves. The attempt
             *     fails with HEARTBEAT_TIMEOUT. Reports travel with the worker's own heartbeats (every 2 s): less than three of those is no sensible limit.
             * @example 1.5s
             */
            heartbeat?: string;
        };
        /**
         * @description So many leases of a key at a time, in all queues of the namespace. Exact, over takeovers too. Each task says its own limit: it starts
         *     while fewer leases of the key are open than that.
         */
        ConcurrencyLimit: {
            /** @description 1 to 128 bytes. */
            key?: string;
            /**
             * Format: int32
             * @description 1 to 1,000,000.
             */
            limit?: number;
            strategy?: components["schemas"]["ConcurrencyStrategy"];
        };
        /**
         * @description What is done with a new task when a key has all the leases that it may have.
         * @enum {string}
         */
        ConcurrencyStrategy: "CONCURRENCY_STRATEGY_UNSPECIFIED" | "CONCURRENCY_STRATEGY_QUEUE" | "CONCURRENCY_STRATEGY_CANCEL_RUNNING" | "CONCURRENCY_STRATEGY_REJECT_NEW";
        /**
         * @description A token bucket by key: at most `limit` starts at once, and `limit` more in each period. After a takeover buckets are empty, so that
         *     no time sees more than that. Tasks that say another limit or period under the same key have a bucket of their own.
         */
        RateLimit: {
            /** @description 1 to 128 bytes. */
            key?: string;
            /**
             * Format: int32
             * @description 1 to 1,000,000.
             */
            limit?: number;
            /**
             * @description Above 0, at most 31 days.
             * @example 1.5s
             */
            per?: string;
            /**
             * Format: int32
             * @description That one start takes, 1 to limit; 0 = 1.
             */
            units?: number;
        };
        /**
         * @description Tasks of one priority in one queue are taken from their keys in turn, in the proportion of the weights, however many tasks each key
         *     has. Tasks without a key go by their age.
         */
        Fairness: {
            /** @description 1 to 128 bytes. */
            key?: string;
            /**
             * Format: int32
             * @description 1 to 1,000; 0 = 1.
             */
            weight?: number;
        };
        WorkerChoice: {
            /** @description Of a worker. It goes first when it is free. */
            id?: string;
            /** @description No other will do: the task waits for it, also when it is gone for ever. */
            only?: boolean;
        };
        RunGraph: {
            runId: string;
            steps: components["schemas"]["GraphStep"][];
        };
        GraphStep: {
            /** @description Step id in the plan. */
            id: string;
            name: string;
            /** @description "task", "approval", … */
            kind: string;
            /** @description Task type. */
            type: string;
            needs: string[];
            taskId: string;
            state: components["schemas"]["TaskState"];
            /** Format: int32 */
            attempt: number;
        };
        ListRunsResponse: {
            /** @description Without input and output. */
            runs: components["schemas"]["Run"][];
            nextPageToken: string;
        };
        /** @description One change. Tasks come without environment and parameters; result and failure are given when they change. */
        RunUpdate: {
            /** @description Opaque, grows within a run. */
            eventId: string;
            /** @description First message of a fresh watch. */
            snapshot?: components["schemas"]["RunSnapshot"];
            run?: components["schemas"]["Run"];
            task?: components["schemas"]["Task"];
        };
        RunSnapshot: {
            run?: components["schemas"]["Run"];
            tasks: components["schemas"]["Task"][];
        };
        ListQueuesResponse: {
            queues: components["schemas"]["Queue"][];
            nextPageToken: string;
        };
        Queue: {
            name: string;
            /** @description Absent when it is not paused. */
            pause?: components["schemas"]["QueuePause"];
            /**
             * Format: int64
             * @description Tasks that wait for their turn, those on disk included.
             */
            ready: string;
            /**
             * Format: int64
             * @description Tasks that a worker holds.
             */
            running: string;
            /**
             * Format: int64
             * @description Tasks that wait for their time: runAt, or the backoff of a retry.
             */
            delayed: string;
            /**
             * Format: date-time
             * @description Creation of the oldest task that is next in turn; absent when none waits. No task of the queue is older than this by more than
             *     the steps of priority make up for.
             */
            oldestReadyAt?: string;
            /** @description Absent when there are none. */
            limits?: components["schemas"]["QueueLimits"];
        };
        QueuePause: {
            /** Format: date-time */
            at?: string;
            /** @description The name of the key that paused it. */
            actor: string;
            reason: string;
        };
        QueueLimits: {
            /**
             * Format: int32
             * @description Leases at a time, at most 1,000,000. 0 = no limit. When it is set below what runs, nothing is started until less runs.
             */
            concurrency?: number;
            /** @description Absent = no limit. A bucket, as in RateLimit. */
            rate?: components["schemas"]["QueueRate"];
        };
        QueueRate: {
            /**
             * Format: int32
             * @description Starts at once, and in each period. 1 to 1,000,000.
             */
            limit?: number;
            /**
             * @description Above 0, at most 31 days.
             * @example 1.5s
             */
            per?: string;
        };
        /** @description A task as it is submitted. */
        TaskSpec: {
            /** @description [a-z0-9][a-z0-9._-]*, at most 64 bytes. A type that no worker has registered waits. */
            type?: string;
            /** @description At most 256 KiB of JSON. Default {}. */
            parameters?: unknown;
            environment?: components["schemas"]["Environment"];
            /** @description [a-z0-9][a-z0-9._-]*, at most 64 bytes. Default "default". */
            queue?: string;
            /** Format: int32 */
            priority?: number;
            retry?: components["schemas"]["RetryPolicy"];
            timeout?: components["schemas"]["Timeouts"];
            /** @description At most 32 of 256 bytes. */
            labels?: {
                [key: string]: string;
            };
            /**
             * Format: date-time
             * @description Not before this time.
             */
            runAt?: string;
            /** @description At most 8. */
            concurrency?: components["schemas"]["ConcurrencyLimit"][];
            /** @description At most 8. */
            rateLimits?: components["schemas"]["RateLimit"][];
            fairness?: components["schemas"]["Fairness"];
            /**
             * @description Not before so long after the submit, by the controller's clock. With run_at the later of the two counts.
             * @example 1.5s
             */
            delay?: string;
            /**
             * Format: int32
             * @description Slots of a worker that it takes, 1 to 10,000; 0 = 1. While a task of a cost above 1 is with a worker, what the worker holds costs no
             *     more than its slots together.
             */
            cost?: number;
            /** @description The worker that is to run it, as the controller writes it for sticky steps. */
            worker?: components["schemas"]["WorkerChoice"];
        };
        SubmitTasksRequest: {
            items?: components["schemas"]["SubmitTasksItem"][];
        };
        SubmitTasksItem: {
            task?: components["schemas"]["TaskSpec"];
            requestId?: string;
        };
        SubmitTasksResponse: {
            results: components["schemas"]["SubmitTasksResult"][];
        };
        SubmitTasksResult: {
            /** @description Set when code is 0. */
            id: string;
            /**
             * Format: int32
             * @description gRPC status code.
             */
            code: number;
            message: string;
        };
        ListTasksResponse: {
            /** @description Without parameters, environment and result. */
            tasks: components["schemas"]["Task"][];
            nextPageToken: string;
        };
        LogPage: {
            lines: components["schemas"]["LogLine"][];
            nextPageToken: string;
            /** @description Every line that the results say to exist is stored. */
            complete: boolean;
        };
        LogLine: {
            /** Format: date-time */
            time?: string;
            text: string;
            /** @description "stdout", "stderr" or "system". */
            stream: string;
            /** @description "debug", "info", "warn", "error" or empty. */
            level: string;
            taskId: string;
            /** Format: int32 */
            attempt: number;
            /**
             * Format: int64
             * @description Within the attempt, from 1.
             */
            seq: string;
            step: string;
            /** @description Goes on where the line before ended. */
            continued: boolean;
            /** @description Of an attempt that had been given up when the line came. */
            late: boolean;
        };
        LogLines: {
            /** @description Opaque resume point. */
            eventId: string;
            lines: components["schemas"]["LogLine"][];
        };
        LogSearch: {
            hits: components["schemas"]["LogHit"][];
            nextPageToken: string;
            /** @description It has read for as long as it may and has not filled its page; next_page_token goes on where it stopped. */
            stoppedEarly: boolean;
            /**
             * Format: int32
             * @description Stored chunks of lines read for this page (64 KiB of lines each, before compression).
             */
            chunksRead: number;
        };
        LogHit: {
            line?: components["schemas"]["LogLine"];
            /** @description Lines of the same attempt, oldest first. */
            before: components["schemas"]["LogLine"][];
            after: components["schemas"]["LogLine"][];
        };
        History: {
            events: components["schemas"]["HistoryEvent"][];
            nextPageToken: string;
        };
        HistoryEvent: {
            /** @description Source and number: gapless per source. */
            shard: number;
            /** Format: uint64 */
            number: string;
            /** Format: date-time */
            time?: string;
            kind: components["schemas"]["EventKind"];
            taskId: string;
            runId: string;
            step: string;
            /** Format: int32 */
            attempt: number;
            workerId: string;
            actor: string;
            reason: string;
            /** @description Lower-case name of the state after the event, or empty. */
            state: string;
            failure?: components["schemas"]["Failure"];
            /** Format: date-time */
            dueAt?: string;
            type: string;
        };
        /**
         * @description What happened, in the form in which controllers keep it in their journal and hand it to the logger.
         *     Events are numbered without gaps per source (timeline, shard).
         * @enum {string}
         */
        EventKind: "EVENT_KIND_UNSPECIFIED" | "EVENT_KIND_TASK_SUBMITTED" | "EVENT_KIND_TASK_STARTED" | "EVENT_KIND_TASK_FINISHED" | "EVENT_KIND_TASK_RETRYING" | "EVENT_KIND_ATTEMPT_CLOSED" | "EVENT_KIND_TASK_CANCEL_REQUESTED" | "EVENT_KIND_STALE_RESULT" | "EVENT_KIND_RUN_STARTED" | "EVENT_KIND_RUN_FINISHED" | "EVENT_KIND_RUN_CANCEL_REQUESTED" | "EVENT_KIND_QUEUE_PAUSED" | "EVENT_KIND_QUEUE_RESUMED" | "EVENT_KIND_QUEUE_CHANGED" | "EVENT_KIND_RUN_PAUSED" | "EVENT_KIND_RUN_RESUMED";
        ListSinksResponse: {
            sinks: components["schemas"]["Sink"][];
        };
        Sink: {
            name: string;
            /** @description "file" or "postgres". */
            kind: string;
            /** @description How far it is behind what is durable. */
            lagSeconds: number;
            /** @description Empty = healthy. */
            error: string;
        };
        ListWorkersResponse: {
            workers: components["schemas"]["Worker"][];
            nextPageToken: string;
        };
        Worker: {
            id: string;
            name: string;
            version: string;
            state: components["schemas"]["WorkerState"];
            taskTypes: string[];
            labels: {
                [key: string]: string;
            };
            /** Format: int32 */
            slots: number;
            /** Format: int32 */
            running: number;
            /** Format: date-time */
            connectedAt?: string;
            /** Format: date-time */
            lastHeartbeatAt?: string;
            address: string;
            /** @description As announced, and what the leases that it holds need of it. */
            resources?: components["schemas"]["Resources"];
            used?: components["schemas"]["Resources"];
        };
        /** @enum {string} */
        WorkerState: "WORKER_STATE_UNSPECIFIED" | "WORKER_STATE_CONNECTED" | "WORKER_STATE_DRAINING" | "WORKER_STATE_DISCONNECTED";
        /** @description An error (RFC 9457). */
        Problem: {
            /** @description urn:plankton:error:REASON, or about:blank. */
            type: string;
            title: string;
            /** @description The HTTP status. */
            status: number;
            detail: string;
            /** @description The gRPC code, e.g. NOT_FOUND. */
            code: string;
            /** @description Stable, for programs; may be empty. */
            reason: string;
            requestId: string;
            violations: {
                /** @description Path, e.g. steps[2].needs[0]. */
                field: string;
                description: string;
                hint?: string;
                /** @description In the document, from 1. */
                line?: number;
                column?: number;
            }[];
        };
    };
    responses: {
        /** @description An error. */
        Problem: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
    };
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    Bulk_ListBulk: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListBulkResponse"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    Bulk_StartBulk: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["StartBulkRequest"];
            };
        };
        responses: {
            /** @description Created. */
            201: {
                headers: {
                    /** @description Where the new thing is. */
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BulkJob"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    Bulk_GetBulk: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BulkJob"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            404: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    Bulk_CancelBulk: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": Record<string, never>;
            };
        };
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BulkJob"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            404: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    Doctor_Diagnose: {
        parameters: {
            query?: {
                /** @description How long tasks may wait for a worker before it is said. Default 60 s, at most 31 days. */
                noWorkerFor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Diagnosis"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    Keys_ListKeys: {
        parameters: {
            query?: {
                pageSize?: number;
                pageToken?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListKeysResponse"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    Keys_CreateKey: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["CreateKeyRequest"];
            };
        };
        responses: {
            /** @description Created. */
            201: {
                headers: {
                    /** @description Where the new thing is. */
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CreatedKey"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    Keys_RevokeKey: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Key"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            404: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    Keys_WhoAmI: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Identity"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    PlanAPI_ListPlans: {
        parameters: {
            query?: {
                pageSize?: number;
                pageToken?: string;
                /** @description Only plans whose name or description contains this text. */
                q?: string;
                archived?: boolean;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListPlansResponse"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    PlanAPI_CreatePlan: {
        parameters: {
            query?: {
                /** @description What was changed; at most 512 bytes. */
                message?: string;
            };
            header?: {
                /** @description The same key and body give the first answer again; kept 24 h. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": Record<string, never>;
                "application/yaml": string;
            };
        };
        responses: {
            /** @description Repeats an earlier request with the same key. */
            200: {
                headers: {
                    /** @description Version, for If-Match. */
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Plan"];
                };
            };
            /** @description Created. */
            201: {
                headers: {
                    /** @description Where the new thing is. */
                    Location?: string;
                    /** @description Version, for If-Match. */
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Plan"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            409: components["responses"]["Problem"];
            422: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    PlanAPI_GetPlan: {
        parameters: {
            query?: {
                /** @description 0 = the newest. */
                version?: number;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    /** @description Version, for If-Match. */
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Plan"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            404: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    PlanAPI_UpdatePlan: {
        parameters: {
            query?: {
                message?: string;
            };
            header?: {
                /** @description ETag of the version that is to be changed; 412 when there is a newer one. */
                "If-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": Record<string, never>;
                "application/yaml": string;
            };
        };
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    /** @description Version, for If-Match. */
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Plan"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            404: components["responses"]["Problem"];
            412: components["responses"]["Problem"];
            422: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    PlanAPI_ArchivePlan: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    /** @description Version, for If-Match. */
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Plan"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            404: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    PlanAPI_ValidatePlan: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": Record<string, never>;
                "application/yaml": string;
            };
        };
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ValidatePlanResponse"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            422: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    PlanAPI_ListPlanVersions: {
        parameters: {
            query?: {
                pageSize?: number;
                pageToken?: string;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListPlanVersionsResponse"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            404: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    PlanAPI_StartRun: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body give the first answer again; kept 24 h. */
                "Idempotency-Key"?: string;
            };
            path: {
                plan_id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description Default {}. */
                    input?: unknown;
                    labels?: {
                        [key: string]: string;
                    };
                    /**
                     * Format: int32
                     * @description 0 = the newest.
                     */
                    version?: number;
                    requestId?: string;
                };
            };
        };
        responses: {
            /** @description Repeats an earlier request with the same key. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Run"];
                };
            };
            /** @description Created. */
            201: {
                headers: {
                    /** @description Where the new thing is. */
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Run"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            404: components["responses"]["Problem"];
            409: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    PlanAPI_GetRun: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Run"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            404: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    PlanAPI_ListRunTasks: {
        parameters: {
            query?: {
                /** @description 1 to 500, default 500. */
                pageSize?: number;
                pageToken?: string;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListRunTasksResponse"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            404: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    PlanAPI_GetRunGraph: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RunGraph"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            404: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    PlanAPI_ListRuns: {
        parameters: {
            query?: {
                pageSize?: number;
                pageToken?: string;
                state?: components["schemas"]["RunState"];
                /** @description Id or name of a plan. */
                planId?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListRunsResponse"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    PlanAPI_WatchRun: {
        parameters: {
            query?: {
                /** @description Go on after this event (RunUpdate.event_id). Empty or too old: from a new snapshot. In HTTP the header Last-Event-ID. */
                afterEventId?: string;
            };
            header?: {
                /** @description Go on after this event; sent by browsers when they reconnect. */
                "Last-Event-ID"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": string;
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            404: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    PlanAPI_CancelRun: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body give the first answer again; kept 24 h. */
                "Idempotency-Key"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    reason?: string;
                    requestId?: string;
                };
            };
        };
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Run"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            404: components["responses"]["Problem"];
            409: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    PlanAPI_PauseRun: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description At most 512 bytes; shown on all that waits. */
                    reason?: string;
                };
            };
        };
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Run"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            404: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    PlanAPI_ResumeRun: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description At most 512 bytes; kept in the history. */
                    reason?: string;
                };
            };
        };
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Run"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            404: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    PlanAPI_RerunRun: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body give the first answer again; kept 24 h. */
                "Idempotency-Key"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description Absent: the input of the repeated run. */
                    input?: unknown;
                    requestId?: string;
                };
            };
        };
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Run"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            404: components["responses"]["Problem"];
            409: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    Queues_ListQueues: {
        parameters: {
            query?: {
                /** @description 1 to 500; 0 = 50. */
                pageSize?: number;
                pageToken?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListQueuesResponse"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    Queues_GetQueue: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Queue"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            404: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    Queues_UpdateQueue: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description [a-z0-9][a-z0-9._-]*, at most 64 bytes. */
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["QueueLimits"];
            };
        };
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Queue"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            404: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    Queues_PauseQueue: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description [a-z0-9][a-z0-9._-]*, at most 64 bytes. */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description At most 512 bytes; shown on all that waits. */
                    reason?: string;
                };
            };
        };
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Queue"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            404: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    Queues_ResumeQueue: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description At most 512 bytes; kept in the history. */
                    reason?: string;
                };
            };
        };
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Queue"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            404: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    TaskController_ListTasks: {
        parameters: {
            query?: {
                /** @description 1 to 500, default 50. */
                pageSize?: number;
                pageToken?: string;
                /** @description Filters, all optional. */
                state?: components["schemas"]["TaskState"];
                type?: string;
                queue?: string;
                /** @description Also the steps of runs; default lone tasks only. */
                includeSteps?: boolean;
                /** @description Code of the last failure, e.g. TIMEOUT. With state failed: the dead letters. */
                failureCode?: string;
                /** @description Submitted at this time or later; before that time. */
                createdAfter?: string;
                createdBefore?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListTasksResponse"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    TaskController_SubmitTask: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body give the first answer again; kept 24 h. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TaskSpec"];
            };
        };
        responses: {
            /** @description Repeats an earlier request with the same key. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Task"];
                };
            };
            /** @description Created. */
            201: {
                headers: {
                    /** @description Where the new thing is. */
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Task"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            409: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    TaskController_SubmitTasks: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["SubmitTasksRequest"];
            };
        };
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SubmitTasksResponse"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    TaskController_GetTask: {
        parameters: {
            query?: {
                /** @description At most 60 s. */
                wait?: string;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Task"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            404: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    TaskController_CancelTask: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body give the first answer again; kept 24 h. */
                "Idempotency-Key"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description At most 512 bytes. */
                    reason?: string;
                    requestId?: string;
                };
            };
        };
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Task"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            404: components["responses"]["Problem"];
            409: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    TaskController_RetryTask: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body give the first answer again; kept 24 h. */
                "Idempotency-Key"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    requestId?: string;
                };
            };
        };
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Task"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            404: components["responses"]["Problem"];
            409: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    TaskLogger_QueryTaskLogs: {
        parameters: {
            query?: {
                /** @description 0 = all attempts. */
                attempt?: number;
                /** @description 1 to 10,000, default 1,000. */
                pageSize?: number;
                pageToken?: string;
                /** @description The last page_size lines instead of the first. */
                last?: boolean;
                afterEventId?: string;
            };
            header?: {
                /** @description Go on after this event; sent by browsers when they reconnect. */
                "Last-Event-ID"?: string;
            };
            path: {
                task_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LogPage"];
                    "text/plain": string;
                    "text/event-stream": string;
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            404: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    TaskLogger_QueryRunLogs: {
        parameters: {
            query?: {
                pageSize?: number;
                pageToken?: string;
                last?: boolean;
                afterEventId?: string;
            };
            header?: {
                /** @description Go on after this event; sent by browsers when they reconnect. */
                "Last-Event-ID"?: string;
            };
            path: {
                run_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LogPage"];
                    "text/plain": string;
                    "text/event-stream": string;
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            404: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    TaskLogger_SearchTaskLogs: {
        parameters: {
            query?: {
                /** @description 0 = all attempts. */
                attempt?: number;
                /** @description At most 1,024 bytes, within one line. Empty: every line that the other fields let through. */
                text?: string;
                /** @description A to Z like a to z; other letters stay what they are. */
                ignoreCase?: boolean;
                /** @description "debug", "info", "warn" or "error": lines of this level and graver ones. Empty: all, also lines without a level. */
                level?: string;
                /** @description "stdout", "stderr" or "system"; empty: all. */
                stream?: string;
                /** @description Lines of this time and later, and before `until`. */
                since?: string;
                until?: string;
                /** @description Lines of the same attempt around each hit, 0 to 20 on either side; then page_size is at most 100. */
                context?: number;
                /** @description 1 to 1,000, default 100. */
                pageSize?: number;
                pageToken?: string;
            };
            header?: never;
            path: {
                task_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LogSearch"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            404: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    TaskLogger_SearchRunLogs: {
        parameters: {
            query?: {
                /** @description Of this step alone; empty: of all. */
                step?: string;
                /** @description At most 1,024 bytes, within one line. Empty: every line that the other fields let through. */
                text?: string;
                /** @description A to Z like a to z; other letters stay what they are. */
                ignoreCase?: boolean;
                /** @description "debug", "info", "warn" or "error": lines of this level and graver ones. Empty: all, also lines without a level. */
                level?: string;
                /** @description "stdout", "stderr" or "system"; empty: all. */
                stream?: string;
                /** @description Lines of this time and later, and before `until`. */
                since?: string;
                until?: string;
                /** @description Lines of the same attempt around each hit, 0 to 20 on either side; then page_size is at most 100. */
                context?: number;
                /** @description 1 to 1,000, default 100. */
                pageSize?: number;
                pageToken?: string;
            };
            header?: never;
            path: {
                run_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LogSearch"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            404: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    TaskLogger_QueryTaskHistory: {
        parameters: {
            query?: {
                pageSize?: number;
                pageToken?: string;
            };
            header?: never;
            path: {
                task_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["History"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            404: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    TaskLogger_QueryRunHistory: {
        parameters: {
            query?: {
                pageSize?: number;
                pageToken?: string;
            };
            header?: never;
            path: {
                run_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["History"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            404: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    TaskLogger_ListSinks: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListSinksResponse"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    TaskWorker_ListWorkers: {
        parameters: {
            query?: {
                pageSize?: number;
                pageToken?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListWorkersResponse"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    TaskWorker_GetWorker: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Worker"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            404: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
    TaskWorker_DrainWorker: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": Record<string, never>;
            };
        };
        responses: {
            /** @description OK. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Worker"];
                };
            };
            400: components["responses"]["Problem"];
            401: components["responses"]["Problem"];
            403: components["responses"]["Problem"];
            404: components["responses"]["Problem"];
            default: components["responses"]["Problem"];
        };
    };
}
