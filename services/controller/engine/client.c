/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of clients: submit, cancel, force, read, watch. */
#include "internal.h"

static bool spec_ok(const struct engine_spec *spec, const char **ret_message)
{
    const struct engine_retry *retry = &spec->retry;
    const char *message = NULL;

    if (!spec->type || !spec->type[0] ||
        strnlen(spec->type, ENGINE_TYPE_BYTES_MAX + 1) > ENGINE_TYPE_BYTES_MAX)
        message = "type is missing or longer than 64 bytes";
    else if (!spec->queue || !spec->queue[0] ||
             strnlen(spec->queue, ENGINE_QUEUE_BYTES_MAX + 1) > ENGINE_QUEUE_BYTES_MAX)
        message = "queue is missing or longer than 64 bytes";
    else if (spec->priority > ENGINE_PRIORITY_MAX || spec->priority < 0)
        message = "priority is not between 0 and 9";
    else if (spec->parameters.len > ENGINE_PARAMETERS_BYTES_MAX)
        message = "parameters are larger than 256 KiB";
    else if (spec->spec_text.len > ENGINE_SPEC_TEXT_BYTES_MAX ||
             spec->environment.len > ENGINE_SPEC_TEXT_BYTES_MAX ||
             spec->labels.len > ENGINE_SPEC_TEXT_BYTES_MAX)
        message = "environment, labels and the rest are larger than 64 KiB";
    else if (spec->requires_len > ENGINE_LABELS_MAX)
        message = "more than 32 required labels";
    else if (retry->max_attempts < 1 || retry->max_attempts > ENGINE_ATTEMPTS_MAX ||
             retry->initial_backoff_ms < 0 || retry->max_backoff_ms < 0 || retry->budget_ms < 0 ||
             !(retry->multiplier >= 1) || !(retry->jitter >= 0 && retry->jitter <= 1) ||
             retry->non_retryable_len > ENGINE_NON_RETRYABLE_MAX)
        message = "retry is out of range";
    else if (spec->timeouts.queue_ms < 0 || spec->timeouts.attempt_ms < 0 ||
             spec->timeouts.total_ms < 0 || spec->timeouts.heartbeat_ms < 0 || spec->delay_ms < 0)
        message = "a timeout is negative";
    else if (spec->demands && (spec->demands->cost < 1 || spec->demands->cost > ENGINE_SLOTS_MAX ||
                               spec->demands->where_len > PLAN_SELECTORS_MAX ||
                               spec->demands->prefers_len > PLAN_SELECTORS_MAX))
        message = "what is asked of a worker is out of range";
    else if (spec->limits)
        message = gate_bad_limits(spec->limits);
    *ret_message = message;
    return message == NULL;
}

static struct shard *shard_or_refuse(struct engine *engine, uint64_t ticket, const struct id *id)
{
    struct shard *shard = shard_of(engine, id);

    if (!shard)
        reply_now(engine, ticket, STATUS_UNAVAILABLE, "NOT_OWNER",
                  "this controller does not own the shard");
    return shard;
}

static bool room_or_refuse(struct shard *shard, uint64_t ticket, const struct id *id,
                           const char *key)
{
    struct engine *engine = shard->engine;

    if (engine->stats.tasks_in_memory >= engine->config.tasks_max) {
        reply_error(engine, shard->number, ticket, STATUS_RESOURCE_EXHAUSTED, "TASKS_MAX",
                    "too many tasks are waiting");
        return false;
    }
    if (key && strlen(key) > ENGINE_KEY_BYTES_MAX) {
        reply_error(engine, shard->number, ticket, STATUS_INVALID_ARGUMENT, "REQUEST_ID_TOO_LONG",
                    "the request id is longer than 128 bytes");
        return false;
    }
    if (task_find(shard, id) || run_find(shard, id)) {
        reply_error(engine, shard->number, ticket, STATUS_INTERNAL, "ID_TAKEN",
                    "the new id is already in use");
        return false;
    }
    return true;
}

void submission_free(struct submission *submission)
{
    if (submission->task)
        task_free(submission->task);
    if (submission->run)
        run_free(submission->run);
    free(submission->actor);
    free(submission);
}

static void accept_task(struct shard *shard, struct submission *submission, const char *actor)
{
    struct engine *engine = shard->engine;
    struct task *task = submission->task;
    struct engine_reply *reply;
    struct engine_event *event;

    task_enter(task);
    task_dirty(task);
    event = event_of_task(task, ENGINE_EVENT_TASK_SUBMITTED);
    event->actor = arena_strdup(&engine->gather, actor);
    event->state = task->due_us > engine->now_us ? ENGINE_TASK_PENDING : ENGINE_TASK_READY;
    event->due_us = task->due_us;
    engine->stats.submitted++;
    reply = reply_new(engine, shard->number, submission->ticket, &task->id);
    task_begin(task);
    if (!lane_is_plain(task->lane))
        gate_supersede(task);
    if (!submission->brief)
        reply->task = task_view(task, &engine->gather);
}

static void accept_run(struct shard *shard, struct submission *submission, const char *actor)
{
    struct engine *engine = shard->engine;
    struct run *run = submission->run;
    struct engine_reply *reply = reply_new(engine, shard->number, submission->ticket, &run->id);

    reply->is_run = true;
    run_enter(run);
    run_begin(run, actor);
    reply->run = run_view(run, &engine->gather);
}

void submission_accept(struct shard *shard, struct submission *submission)
{
    if (submission->task)
        accept_task(shard, submission, submission->actor);
    else
        accept_run(shard, submission, submission->actor);
    free(submission->actor);
    free(submission);
}

static void submit(struct engine *engine, const struct engine_command *command)
{
    const struct engine_submit *submit = &command->submit;
    struct shard *shard = shard_or_refuse(engine, command->ticket, &submit->id);
    struct submission lone = {.ticket = command->ticket, .brief = submit->brief}, *kept;
    const char *message, *refusal, *reason;

    if (!shard || !room_or_refuse(shard, command->ticket, &submit->id, submit->key))
        return;
    if (!spec_ok(&submit->spec, &message)) {
        reply_error(engine, shard->number, command->ticket, STATUS_INVALID_ARGUMENT, "SPEC_INVALID",
                    message);
        return;
    }
    refusal = submit->spec.limits ? gate_refuses(shard, submit->namespace_id, submit->spec.limits,
                                                 &engine->gather, &reason)
                                  : NULL;
    if (refusal) {
        reply_error(engine, shard->number, command->ticket,
                    str_eq(reason, "KEYS_MAX") ? STATUS_RESOURCE_EXHAUSTED
                                               : STATUS_FAILED_PRECONDITION,
                    reason, refusal);
        return;
    }
    lone.task = task_new(shard, &submit->id, submit->namespace_id, &submit->spec, engine->now_us);
    if (!id_is_nil(&submit->retry_of))
        task_more(lone.task)->retry_of = submit->retry_of;
    if (!submit->key || !submit->key[0]) {
        accept_task(shard, &lone, submit->actor);
        return;
    }
    kept = mem_alloc(sizeof(*kept));
    *kept = lone;
    kept->actor = text_cut(submit->actor, ENGINE_REASON_BYTES_MAX);
    memcpy(kept->digest, submit->digest, ENGINE_DIGEST_BYTES);
    key_submit(shard, kept, submit->namespace_id, submit->key);
}

static void start_run(struct engine *engine, const struct engine_command *command)
{
    const struct engine_start_run *start = &command->start_run;
    struct shard *shard = shard_or_refuse(engine, command->ticket, &start->id);
    struct engine_run_row row = {.id = start->id,
                                 .namespace_id = start->namespace_id,
                                 .plan_id = start->plan_id,
                                 .plan_name = start->plan_name,
                                 .plan_version = start->plan_version,
                                 .input = start->input,
                                 .labels = start->labels,
                                 .created_us = engine->now_us,
                                 .rerun_of = start->rerun_of};
    struct submission *kept;

    if (!shard || !room_or_refuse(shard, command->ticket, &start->id, start->key))
        return;
    kept = mem_zalloc(sizeof(*kept));
    kept->ticket = command->ticket;
    kept->actor = text_cut(start->actor, ENGINE_REASON_BYTES_MAX);
    memcpy(kept->digest, start->digest, ENGINE_DIGEST_BYTES);
    kept->run = run_new(shard, &row, &start->plan);
    if (!start->key || !start->key[0])
        submission_accept(shard, kept);
    else
        key_submit(shard, kept, start->namespace_id, start->key);
}

static void wrong_state(struct shard *shard, uint64_t ticket, const char *message)
{
    reply_error(shard->engine, shard->number, ticket, STATUS_FAILED_PRECONDITION, "WRONG_STATE",
                message);
}

void client_cancel(struct task *task, uint64_t ticket, const char *actor, const char *reason,
                   int64_t deadline_us)
{
    struct shard *shard = task->shard;
    struct engine_reply *reply;

    if (task_is_terminal(task)) {
        wrong_state(shard, ticket, "the task is already finished");
        return;
    }
    task_cancel(task, actor, reason, deadline_us);
    reply = reply_new(shard->engine, shard->number, ticket, &task->id);
    reply->cancel_requested = !task_is_terminal(task);
    reply->task = task_view(task, &shard->engine->gather);
}

void client_force(struct task *task, uint64_t ticket, enum engine_task_state state,
                  const char *actor, const char *reason)
{
    struct shard *shard = task->shard;
    struct engine_reply *reply;

    if (task_is_terminal(task)) {
        wrong_state(shard, ticket, "the task is already finished");
        return;
    }
    if (state != ENGINE_TASK_FAILED && state != ENGINE_TASK_CANCELLED) {
        reply_error(shard->engine, shard->number, ticket, STATUS_INVALID_ARGUMENT, "STATE_INVALID",
                    "a task can be forced to failed or cancelled only");
        return;
    }
    if (task->lease) {
        attempt_stop(task, reason);
        lease_close(task, false);
    }
    if (state == ENGINE_TASK_FAILED)
        task_set_failure(task, &(struct engine_failure){.code = "FORCE_FINISHED",
                                                        .message = reason,
                                                        .non_retryable = true,
                                                        .step = ""});
    task_finish(task, state, 0, reason, actor);
    reply = reply_new(shard->engine, shard->number, ticket, &task->id);
    reply->task = task_view(task, &shard->engine->gather);
}

void watch_add(struct engine *engine, uint64_t ticket, struct task *task, struct run *run)
{
    struct watch *watch = mem_zalloc(sizeof(*watch));

    watch->ticket = ticket;
    watch->task = task;
    watch->run = run;
    list_push(task ? &task_more(task)->watches : &run->watches, &watch->link);
    map_insert(&engine->watches, &watch->by_ticket, ticket);
}

void watch_free(struct engine *engine, struct watch *watch)
{
    list_remove(&watch->link);
    map_remove(&engine->watches, &watch->by_ticket);
    if (watch->task)
        task_unwatched(watch->task);
    free(watch);
}

static bool watch_refused(struct engine *engine, struct shard *shard, uint64_t ticket)
{
    if (engine->watches.used < ENGINE_WATCHES_MAX)
        return false;
    reply_error(engine, shard->number, ticket, STATUS_RESOURCE_EXHAUSTED, "WATCHES_MAX",
                "too many calls are waiting");
    return true;
}

void client_watch_task(struct task *task, uint64_t ticket)
{
    struct shard *shard = task->shard;
    struct engine_reply *reply;

    if (!task_is_terminal(task)) {
        if (!watch_refused(shard->engine, shard, ticket))
            watch_add(shard->engine, ticket, task, NULL);
        return;
    }
    reply = reply_new(shard->engine, shard->number, ticket, &task->id);
    if (task->is_closed)
        reply->not_in_memory = true;
    else
        reply->task = task_view(task, &shard->engine->gather);
}

static void unwatch(struct engine *engine, uint64_t ticket)
{
    struct map_node *node = map_first(&engine->watches, ticket);

    if (node)
        watch_free(engine, CONTAINER_OF(node, struct watch, by_ticket));
}

void task_notify(struct task *task)
{
    struct engine *engine = task->shard->engine;

    if (task->more && task_is_terminal(task)) {
        while (!list_empty(&task->more->watches)) {
            struct watch *watch = LIST_FIRST(&task->more->watches, struct watch, link);
            struct engine_reply *reply =
                reply_new(engine, task->shard->number, watch->ticket, &task->id);

            reply->task = task_view(task, &engine->gather);
            watch_free(engine, watch);
        }
    }
    if (!task->run || list_empty(&task->run->watches))
        return;
    LIST_EACH(&task->run->watches, node)
    {
        struct engine_effect *effect = effect_new(engine, ENGINE_WATCH_UPDATE, task->shard->number);

        effect->watch.ticket = LIST_ENTRY(node, struct watch, link)->ticket;
        effect->watch.event_number = task->shard->event_next - 1;
        effect->watch.task = task_view(task, &engine->gather);
    }
}

static void watch_end(struct shard *shard, uint64_t ticket)
{
    struct engine_effect *effect = effect_new(shard->engine, ENGINE_WATCH_END, shard->number);

    effect->watch.ticket = ticket;
    effect->watch.event_number = shard->event_next - 1;
}

void run_notify(struct run *run)
{
    struct engine *engine = run->shard->engine;
    bool over = engine_run_state_is_terminal((enum engine_run_state)run->state);

    LIST_EACH(&run->watches, node)
    {
        struct watch *watch = LIST_ENTRY(node, struct watch, link);
        struct engine_effect *effect = effect_new(engine, ENGINE_WATCH_UPDATE, run->shard->number);

        effect->watch.ticket = watch->ticket;
        effect->watch.event_number = run->shard->event_next - 1;
        effect->watch.run = run_view(run, &engine->gather);
        if (!over)
            continue;
        watch_end(run->shard, watch->ticket);
        watch_free(engine, watch);
    }
}

static void lookup_for_client(struct shard *shard, enum lookup_kind kind, uint64_t ticket,
                              const struct engine_command *command)
{
    bool watch = kind == LOOKUP_WATCH;
    const struct id *id = watch                   ? &command->by_id.id
                          : kind == LOOKUP_CANCEL ? &command->cancel_task.id
                                                  : &command->force_finish.id;
    struct lookup *lookup = lookup_new(shard, kind, id);

    if (!lookup) {
        reply_error(shard->engine, shard->number, ticket, STATUS_RESOURCE_EXHAUSTED, "LOOKUPS_MAX",
                    "too many calls wait for the database");
        return;
    }
    lookup->ticket = ticket;
    if (kind == LOOKUP_CANCEL) {
        lookup->actor = text_cut(command->cancel_task.actor, ENGINE_REASON_BYTES_MAX);
        lookup->reason = text_cut(command->cancel_task.reason, ENGINE_REASON_BYTES_MAX);
        lookup->deadline_us = command->cancel_task.deadline_us;
    } else if (kind == LOOKUP_FORCE) {
        lookup->actor = text_cut(command->force_finish.actor, ENGINE_REASON_BYTES_MAX);
        lookup->reason = text_cut(command->force_finish.reason, ENGINE_REASON_BYTES_MAX);
        lookup->state = command->force_finish.state;
    }
}

static void on_task(struct engine *engine, const struct engine_command *command)
{
    const struct id *id = command->kind == ENGINE_CANCEL_TASK    ? &command->cancel_task.id
                          : command->kind == ENGINE_FORCE_FINISH ? &command->force_finish.id
                                                                 : &command->by_id.id;
    struct shard *shard = shard_or_refuse(engine, command->ticket, id);
    struct task *task = shard ? task_find(shard, id) : NULL;

    if (!shard)
        return;
    if (command->kind == ENGINE_READ_TASK) {
        struct engine_reply *reply = reply_new(engine, shard->number, command->ticket, id);

        if (task && !task->is_closed) {
            struct engine_task_view *view = ARENA_NEW(&engine->gather, struct engine_task_view);

            task_view_fill(task, WHY_PLACE, view, &engine->gather);
            reply->task = view;
        } else {
            reply->not_in_memory = true;
        }
        return;
    }
    if (command->kind == ENGINE_CANCEL_TASK) {
        const struct engine_cancel_task *c = &command->cancel_task;

        if (task)
            client_cancel(task, command->ticket, c->actor, c->reason, c->deadline_us);
        else
            lookup_for_client(shard, LOOKUP_CANCEL, command->ticket, command);
    } else if (command->kind == ENGINE_FORCE_FINISH) {
        const struct engine_force_finish *f = &command->force_finish;

        if (task)
            client_force(task, command->ticket, f->state, f->actor, f->reason);
        else
            lookup_for_client(shard, LOOKUP_FORCE, command->ticket, command);
    } else if (task) {
        client_watch_task(task, command->ticket);
    } else {
        lookup_for_client(shard, LOOKUP_WATCH, command->ticket, command);
    }
}

/* False: refused, and answered. */
static bool change_run(struct run *run, const struct engine_command *command)
{
    const struct engine_by_id *ask = &command->by_id;

    if (engine_run_state_is_terminal((enum engine_run_state)run->state)) {
        wrong_state(run->shard, command->ticket, "the run is already finished");
        return false;
    }
    if (command->kind == ENGINE_CANCEL_RUN) {
        run_cancel(run, ask->actor, ask->reason);
    } else if (command->kind == ENGINE_RESUME_RUN) {
        run_unpause(run, ask->actor, ask->reason);
    } else if (run->ending) {
        wrong_state(run->shard, command->ticket, "the run is about to end");
        return false;
    } else {
        run_pause(run, ask->actor, ask->reason);
    }
    return true;
}

static void on_run(struct engine *engine, const struct engine_command *command)
{
    const struct id *id = &command->by_id.id;
    struct shard *shard = shard_or_refuse(engine, command->ticket, id);
    struct run *run = shard ? run_find(shard, id) : NULL;
    bool watch = command->kind == ENGINE_WATCH_RUN;
    bool change = command->kind == ENGINE_CANCEL_RUN || command->kind == ENGINE_PAUSE_RUN ||
                  command->kind == ENGINE_RESUME_RUN;
    struct engine_reply *reply;

    if (!shard || (watch && watch_refused(engine, shard, command->ticket)))
        return;
    if (change && run && !change_run(run, command))
        return;
    reply = reply_new(engine, shard->number, command->ticket, id);
    reply->is_run = true;
    reply->event_number = shard->event_next - 1;
    if (!run) { /* all runs that live are in memory: it is finished, or never was */
        reply->not_in_memory = true;
        if (watch)
            watch_end(shard, command->ticket);
        if (change) {
            reply->status = STATUS_FAILED_PRECONDITION;
            reply->reason = "WRONG_STATE";
            reply->message = "the run is already finished";
        }
        return;
    }
    reply->run = run_view(run, &engine->gather);
    reply->cancel_requested =
        run->cancel.at_us && !engine_run_state_is_terminal((enum engine_run_state)run->state);
    if (watch || command->kind == ENGINE_READ_RUN_TASKS)
        reply->tasks = run_task_views(run, &engine->gather, &reply->tasks_len);
    if (watch && engine_run_state_is_terminal((enum engine_run_state)run->state))
        watch_end(shard, command->ticket);
    else if (watch)
        watch_add(engine, command->ticket, NULL, run);
}

static void read_workers(struct engine *engine, const struct engine_command *command)
{
    struct engine_reply *reply = reply_new(engine, ENGINE_NO_SHARD, command->ticket, NULL);

    reply->workers = worker_views(engine, &command->worker.worker, &reply->workers_len);
}

void client_apply(struct engine *engine, const struct engine_command *command)
{
    switch (command->kind) {
    case ENGINE_SUBMIT:
        submit(engine, command);
        break;
    case ENGINE_START_RUN:
        start_run(engine, command);
        break;
    case ENGINE_CANCEL_TASK:
    case ENGINE_FORCE_FINISH:
    case ENGINE_READ_TASK:
    case ENGINE_WATCH_TASK:
        on_task(engine, command);
        break;
    case ENGINE_CANCEL_RUN:
    case ENGINE_PAUSE_RUN:
    case ENGINE_RESUME_RUN:
    case ENGINE_READ_RUN:
    case ENGINE_READ_RUN_TASKS:
    case ENGINE_WATCH_RUN:
        on_run(engine, command);
        break;
    case ENGINE_UNWATCH:
        unwatch(engine, command->ticket);
        break;
    case ENGINE_READ_WORKERS:
        read_workers(engine, command);
        break;
    case ENGINE_DRAIN_WORKER:
        worker_drain(engine, command);
        break;
    case ENGINE_PAUSE_QUEUE:
    case ENGINE_RESUME_QUEUE:
    case ENGINE_LIMIT_QUEUE:
    case ENGINE_READ_QUEUES:
        queue_apply(engine, command);
        break;
    default:
        break;
    }
}
