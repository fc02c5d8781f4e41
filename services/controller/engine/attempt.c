/* SPDX-License-Identifier: Apache-2.0 */
/* Attempts: leases from their grant to their end, and what becomes of the task then. */
#include "internal.h"
#include "base/planted.h"

struct lease *lease_new(struct task *task, struct session *session,
                        const struct engine_lease *entry)
{
    struct engine *engine = task->shard->engine;
    struct lease *lease = engine->free_leases;

    if (lease)
        engine->free_leases = (struct lease *)(void *)lease->task;
    else
        lease = mem_alloc(sizeof(*lease));
    memset(lease, 0, sizeof(*lease));
    lease->task = task;
    lease->session = session;
    lease->entry = *entry;
    list_push(&session->leases, &lease->of_session);
    session->worker->leases++;
    worker_occupy(session->worker, task->lane->pool);
    task->lease = lease;
    if (task->lane->needs_len)
        lease_hold(lease);
    engine->stats.leases_open++;
    return lease;
}

/* Its credit comes back only if the worker is told, or if the shard is dropped. */
static void note_unsent(struct shard *shard, const struct lease *lease)
{
    struct session *session = lease->session;

    if (lease->entry.epoch != shard->epoch || lease->entry.seq <= shard->durable_seq)
        return;
    if (session->unsent_seq <= shard->durable_seq)
        session->unsent = 0;
    session->unsent++;
    session->unsent_seq = lease->entry.seq;
}

void lease_close(struct task *task, bool by_report)
{
    struct engine *engine = task->shard->engine;
    struct lease *lease = task->lease;

    task->attempt = lease->entry.attempt;
    task->worker = lease->entry.worker;
    task->closed_by_report = by_report;
    task->timed_out = task->silent = false;
    task->due_us = 0;
    if (lease->orphan)
        task->shard->orphans--;
    if (lease->holds)
        lease_unhold(lease);
    note_unsent(task->shard, lease);
    list_remove(&lease->of_session);
    list_remove(&lease->of_journal);
    lease->session->worker->leases--;
    worker_vacate(lease->session->worker, task->lane->pool);
    task->lease = NULL;
    /* The free list goes through the task pointer, which nobody reads any more. */
    lease->task = (struct task *)(void *)engine->free_leases;
    engine->free_leases = lease;
    engine->stats.leases_open--;
}

void lease_free_list(struct engine *engine)
{
    while (engine->free_leases) {
        struct lease *lease = engine->free_leases;

        engine->free_leases = (struct lease *)(void *)lease->task;
        free(lease);
    }
}

static void dispatch(struct task *task, struct lease *lease)
{
    struct engine *engine = task->shard->engine;
    struct engine_effect *effect = effect_new(engine, ENGINE_DISPATCH, task->shard->number);
    struct engine_dispatch *d = &effect->dispatch;

    lease->parameters = slice_copy(&engine->gather, task_parameters(task));
    d->stream = lease->session->stream;
    d->shard = task->shard->number;
    d->nonce = lease->session->nonce;
    d->lease = lease->entry;
    d->namespace_id = task->lane->queue->namespace_id;
    d->step = "";
    if (task->run) {
        d->run = task->run->id;
        d->step = arena_strdup(&engine->gather, task->run->plan.plan->steps[task->step].id);
    }
    d->type = lane_type_name(task->lane, engine);
    d->parameters = lease->parameters;
    d->environment = slice_copy(&engine->gather, task_environment(task));
    d->attempt_timeout_ms = task_timeouts(task)->attempt_ms;
}

void attempt_grant(struct task *task, struct session *session)
{
    struct shard *shard = task->shard;
    struct engine *engine = shard->engine;
    struct worker *worker = session->worker;
    struct lease *lease;

    assert(session->state == SESSION_LIVE && !task->cancel_requested && !task->lease);
    lease = lease_new(task, session,
                      &(struct engine_lease){.task = task->id,
                                             .attempt = task->attempt + 1,
                                             .worker = worker->id,
                                             .started_us = engine->now_us,
                                             .epoch = shard->epoch,
                                             .seq = shard->seq + 1});
    if (!lane_is_plain(task->lane))
        lane_charge(task->lane);
    lane_remove(task);
    list_push(&shard->fresh, &lease->of_journal);
    task->started_us = engine->now_us;
    if (task->run)
        run_stick(task, &worker->id, engine->now_us);
    task_move(task, ENGINE_TASK_RUNNING);
    if (task->more) {
        free(task->more->progress_message);
        task->more->progress_message = NULL;
        task->more->progress = 0;
    }
    assert(worker->credit > 0);
    if (--worker->credit == 0)
        worker_set_idle(worker);
    event_of_task(task, ENGINE_EVENT_TASK_STARTED);
    dispatch(task, lease);
    engine->stats.dispatched++;
    task_arm(task);
    task_notify(task);
}

struct ending {
    uint64_t last_log_seq;
    const char *reason, *actor;
    struct slice outcome; /* for the event; longer than its limit: left out */
};

static void finish(struct task *task, enum engine_task_state to, const struct ending *ending)
{
    struct engine *engine = task->shard->engine;
    struct engine_event *event;

    assert(!task->lease);
    if (task->ready.place)
        lane_remove(task);
    careful_free(task);
    task->away = AWAY_NO;
    list_remove(&task->age);
    task_move(task, to);
    task_unpark(task);
    task_arm(task);
    event = event_of_task(task, ENGINE_EVENT_TASK_FINISHED);
    event->attempt = task->attempt;
    event->worker = task->worker;
    event->last_log_seq = ending->last_log_seq;
    event->reason = arena_strdup(&engine->gather, ending->reason);
    event->actor = arena_strdup(&engine->gather, ending->actor);
    if (ending->outcome.len <= ENGINE_EVENT_RESULT_BYTES_MAX)
        event->result = slice_copy(&engine->gather, ending->outcome);
    if (to == ENGINE_TASK_SUCCEEDED) {
        engine->stats.succeeded++;
        task_dirty_success(task);
    } else {
        engine->stats.failed += to == ENGINE_TASK_FAILED;
        engine->stats.cancelled += to == ENGINE_TASK_CANCELLED;
        task_dirty(task);
    }
    task_notify(task);
    if (task->run)
        run_task_done(task);
}

void task_finish(struct task *task, enum engine_task_state to, uint64_t last_log_seq,
                 const char *reason, const char *actor)
{
    finish(task, to, &(struct ending){last_log_seq, reason, actor, {NULL, 0}});
}

void task_begin(struct task *task)
{
    if (task->due_us > task->shard->engine->now_us) {
        task_move(task, ENGINE_TASK_PENDING);
        if (!task_place_due(task))
            task_arm(task);
        return;
    }
    task_move(task, ENGINE_TASK_READY);
    task_arm(task);
    task_place(task);
}

void task_make_ready(struct task *task)
{
    if (task->away == AWAY_DUE) { /* its row on disk says when; now it is due in memory */
        task->away = AWAY_NO;
        list_remove(&task->age);
    }
    task_move(task, ENGINE_TASK_READY);
    task_arm(task);
    task_notify(task);
    task_place(task);
}

static void retry_at(struct task *task, int64_t due_us)
{
    task->due_us = due_us;
    task_move(task, ENGINE_TASK_RETRYING);
    if (task->parked == ENGINE_PARKED_DUE)
        task_park(task, ENGINE_PARKED_DUE); /* its key is the row's time */
    task_dirty(task);
}

static void retry_wait(struct task *task)
{
    task_notify(task);
    if (!task_place_due(task))
        task_arm(task);
}

/* Without randomness of its own: the jitter comes from the id and the attempt. */
static int64_t backoff_us(const struct task *task, uint32_t tries)
{
    const struct engine_retry *retry = task_retry(task);
    double ms = (double)retry->initial_backoff_ms;
    uint64_t seed = id_hash(&task->id) ^ (uint64_t)task->attempt * UINT64_C(0x9e3779b97f4a7c15);
    double random;

    for (uint32_t i = 1; i < tries && ms < (double)retry->max_backoff_ms; i++)
        ms *= retry->multiplier;
    ms = MIN_OF(ms, (double)retry->max_backoff_ms);
    seed = (seed ^ seed >> 32) * UINT64_C(0xd6e8feb86659fd93);
    random = (double)(seed >> 40) / (double)(1u << 24);
    ms *= 1 + retry->jitter * (2 * random - 1);
    return ms > 0 ? (int64_t)(ms * (double)US_PER_MS) : 0;
}

static bool is_non_retryable(const struct task *task, const struct engine_failure *failure)
{
    const struct engine_retry *retry = task_retry(task);

    if (failure->non_retryable)
        return true;
    for (uint32_t i = 0; i < retry->non_retryable_len; i++) {
        if (str_eq(retry->non_retryable[i], failure->code))
            return true;
    }
    return false;
}

/* What ends a task whatever its lease came to: a cancel that was asked for, or no time left. */
static bool finish_if_over(struct task *task, uint64_t last_log_seq)
{
    if (task->cancel_requested) {
        task_finish(task, ENGINE_TASK_CANCELLED, last_log_seq, task->more->cancel.reason,
                    task->more->cancel.actor);
        return true;
    }
    if (!task->total_over)
        return false;
    if (!task->more || !task->more->failure_text)
        task_set_failure(
            task, &(struct engine_failure){.code = "TOTAL_TIMEOUT",
                                           .message = "the task took longer than its total timeout",
                                           .step = ""});
    task_finish(task, ENGINE_TASK_FAILED, last_log_seq, "TOTAL_TIMEOUT", "controller");
    return true;
}

void attempt_fail(struct task *task, const struct engine_failure *failure,
                  const struct engine_result *report)
{
    const struct engine_retry *retry = task_retry(task);
    uint64_t last_log_seq = report ? report->last_log_seq : 0;
    int64_t now = task->shard->engine->now_us, due_us;
    struct engine_event *event;
    const char *spent;

    lease_close(task, report != NULL);
    task->failures++;
    task_set_failure(task, failure);
    if (finish_if_over(task, last_log_seq))
        return;
    due_us = now + MAX_OF(backoff_us(task, task->failures),
                          report ? report->retry_after_ms * US_PER_MS : 0);
    spent = retry->budget_ms && due_us > task->created_us + retry->budget_ms * US_PER_MS
                ? "its retry budget is spent"
                : "";
    if (*spent || task->failures >= retry->max_attempts || is_non_retryable(task, failure)) {
        task_finish(task, ENGINE_TASK_FAILED, last_log_seq, spent, report ? "" : "controller");
        return;
    }
    retry_at(task, due_us);
    event = event_of_task(task, ENGINE_EVENT_TASK_RETRYING);
    event->attempt = task->attempt;
    event->worker = task->worker;
    event->last_log_seq = last_log_seq;
    retry_wait(task);
}

static struct engine_event *closed_event(struct task *task, const char *reason)
{
    struct engine_event *event = event_of_task(task, ENGINE_EVENT_ATTEMPT_CLOSED);

    event->attempt = task->attempt;
    event->worker = task->worker;
    event->actor = "controller";
    event->reason = arena_strdup(&task->shard->engine->gather, reason);
    return event;
}

void attempt_void(struct task *task, const char *reason)
{
    struct engine_event *event;

    lease_close(task, false);
    event = closed_event(task, reason);
    if (finish_if_over(task, 0))
        return;
    task_move(task, ENGINE_TASK_READY);
    event->state = task->state;
    if (task->parked == ENGINE_PARKED_DUE)
        task_park(task, ENGINE_PARKED_READY);
    task_dirty(task);
    task_arm(task);
    task_notify(task);
    task_place(task);
}

void attempt_lost(struct task *task, const char *reason)
{
    struct engine *engine = task->shard->engine;
    struct engine_event *event;
    int64_t wait_ms;

    lease_close(task, false);
    task->lost++;
    engine->stats.lost++;
    event = closed_event(task, reason);
    if (finish_if_over(task, 0))
        return;
    if (task->lost >= engine->config.lost_max) {
        task_set_failure(task,
                         &(struct engine_failure){
                             .code = "WORKER_LOST",
                             .message = arena_printf(&engine->gather,
                                                     "the worker was lost %u times while it ran "
                                                     "the task",
                                                     task->lost),
                             .step = ""});
        task_finish(task, ENGINE_TASK_FAILED, 0, reason, "controller");
        return;
    }
    wait_ms = (int64_t)LOST_BACKOFF_MS << (task->lost - 1);
    retry_at(task, engine->now_us + wait_ms * US_PER_MS);
    event->state = task->state;
    event->due_us = task->due_us;
    retry_wait(task);
}

void attempt_stop(struct task *task, const char *reason)
{
    struct engine *engine = task->shard->engine;
    struct lease *lease = task->lease;
    struct engine_effect *effect;

    /* A worker that is away is told when it is back and shows that it holds the lease. */
    if (!lease->session->worker->stream)
        return;
    effect = effect_new(engine, ENGINE_CANCEL_WORK, task->shard->number);
    effect->cancel.stream = lease->session->worker->stream;
    effect->cancel.lease = lease->entry;
    effect->cancel.namespace_id = task->lane->queue->namespace_id;
    if (task->run)
        effect->cancel.run = task->run->id;
    effect->cancel.reason = arena_strdup(&engine->gather, reason);
}

bool task_cancel(struct task *task, const char *actor, const char *reason, int64_t deadline_us)
{
    struct engine *engine = task->shard->engine;
    struct engine_event *event;

    if (task->cancel_requested)
        return false;
    task_set_cancel(task, engine->now_us, actor, reason);
    task->cancel_requested = true;
    if (!task->lease) {
        task_finish(task, ENGINE_TASK_CANCELLED, 0, reason, actor);
        return true;
    }
    task->more->cancel_deadline_us =
        deadline_us ? deadline_us : engine->now_us + engine->config.cancel_ms * US_PER_MS;
    event = event_of_task(task, ENGINE_EVENT_TASK_CANCEL_REQUESTED);
    event->actor = arena_strdup(&engine->gather, actor);
    event->reason = arena_strdup(&engine->gather, reason);
    task_dirty(task);
    attempt_stop(task, task->more->cancel.reason);
    task_arm(task);
    task_notify(task);
    return false;
}

static void answer(struct engine *engine, enum engine_effect_kind kind,
                   const struct engine_result *result)
{
    struct engine_effect *effect = effect_new(engine, kind, id_shard(&result->task));

    effect->answer.stream = result->stream;
    effect->answer.task = result->task;
    effect->answer.attempt = result->attempt;
    effect->answer.token = slice_copy(&engine->gather, result->token);
}

static void record_success(struct task *task, const struct engine_result *result)
{
    struct ending ending = {result->last_log_seq, "", "", result->output};

    lease_close(task, true);
    if (task->cancel_requested) {
        /* The outcome is kept in the event alone: the promise of a cancel was given first. */
        ending.reason = task->more->cancel.reason;
        ending.actor = task->more->cancel.actor;
        finish(task, ENGINE_TASK_CANCELLED, &ending);
        return;
    }
    task_set_result(task, result->output);
    finish(task, ENGINE_TASK_SUCCEEDED, &ending);
}

static void record(struct task *task, const struct engine_result *result)
{
    struct engine_failure failure = result->failure;

    if (result->kind == ENGINE_RESULT_SUCCESS && result->output.len <= ENGINE_RESULT_BYTES_MAX) {
        record_success(task, result);
        return;
    }
    if (result->kind == ENGINE_RESULT_SUCCESS)
        failure = (struct engine_failure){.code = "RESULT_TOO_LARGE",
                                          .message = "the result is larger than 256 KiB",
                                          .non_retryable = true,
                                          .step = ""};
    if (result->kind == ENGINE_RESULT_CANCELLED && task->timed_out)
        failure = task->silent ? FAILURE_SILENT : FAILURE_TIMEOUT;
    else if (result->kind == ENGINE_RESULT_CANCELLED)
        failure = (struct engine_failure){
            .code = "STOPPED", .message = "the worker stopped the work by itself", .step = ""};
    attempt_fail(task, &failure, result);
}

void attempt_result(struct engine *engine, const struct engine_command *command)
{
    const struct engine_result *result = &command->result;
    struct worker *worker = worker_beat(engine, result->stream);
    struct shard *shard = shard_of(engine, &result->task);
    struct task *task = shard ? task_find(shard, &result->task) : NULL;

    if (!worker || !shard || result->token.len > ENGINE_TOKEN_BYTES_MAX)
        return;
    if (!task) {
        struct lookup *lookup = lookup_new(shard, LOOKUP_RESULT, &result->task);

        if (!lookup)
            return; /* not answered: the worker sends it again in its next session */
        lookup->stream = result->stream;
        lookup->worker = worker->id;
        lookup->attempt = result->attempt;
        lookup->token_len = result->token.len;
        memcpy(lookup->token, result->token.data, result->token.len);
        return;
    }
    if (task->lease && ((task->lease->entry.attempt == result->attempt &&
                         id_eq(&task->lease->entry.worker, &worker->id)) ||
                        planted("stale_result_accepted"))) {
        if (careful_holds_result(task, result))
            return;
        record(task, result);
        answer(engine, ENGINE_RESULT_ACK, result);
    } else if (task->closed_by_report && task->attempt == result->attempt &&
               id_eq(&task->worker, &worker->id)) {
        engine->stats.duplicates++;
        answer(engine, ENGINE_RESULT_ACK, result);
    } else {
        struct engine_event *event = event_of_task(task, ENGINE_EVENT_STALE_RESULT);

        event->attempt = result->attempt;
        event->worker = worker->id;
        engine->stats.stale++;
        answer(engine, ENGINE_STALE, result);
    }
}
