/* SPDX-License-Identifier: Apache-2.0 */
/* Results: from the type's word to the disk to the outbox, and what a predecessor has left there.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/text.h"
#include "log/log.h"
#include "pool/internal.h"
#include "rpc/rpc.h"

#define MESSAGE_BYTES_MAX 4096
#define SYNC_FDS_MAX (2 * (SEGMENTS_UNSYNCED_MAX + 1)) /* of the journal and of the log spool */

/* ---- the end of an attempt ---- */

static void attempt_set_failure(struct attempt *attempt, const char *code, bool non_retryable,
                                const char *details, const char *message)
{
    struct arena *arena = attempt_arena(attempt);

    attempt->outcome = OUTCOME_FAILURE;
    attempt->failure_code = code;
    attempt->non_retryable = non_retryable;
    attempt->failure_details = arena_strdup(arena, details);
    attempt->failure_message = arena_strdup(arena, message);
    if (text_is_utf8(message, strlen(message)))
        return;
    for (char *c = (char *)attempt->failure_message; *c;
         c++) /* cut in the middle of a character, or a foreign path */
        *c = (unsigned char)*c < 0x80 ? *c : '?';
}

/* What was asked for decides: a process that ends because it was told to has not succeeded,
 * whatever it says. */
static void attempt_judge(struct attempt *attempt)
{
    char message[96];

    switch (attempt->stop) {
    case STOP_NONE:
        break;
    case STOP_CANCEL:
        attempt->outcome = OUTCOME_CANCELLED;
        break;
    case STOP_TIMEOUT:
        snprintf(message, sizeof message, "the attempt took longer than %u ms",
                 attempt->lease->attempt_timeout_ms);
        attempt_set_failure(attempt, "TIMEOUT", false, NULL, message);
        break;
    }
}

/* The packed Result message into the journal; false when the journal takes no more. */
static bool attempt_journal(struct attempt *attempt)
{
    Plankton__V1__Result result = PLANKTON__V1__RESULT__INIT;
    Plankton__V1__Json output = PLANKTON__V1__JSON__INIT, details = PLANKTON__V1__JSON__INIT;
    Plankton__V1__Failure failure = PLANKTON__V1__FAILURE__INIT;

    attempt_result(attempt, &result, &output, &failure, &details);
    size_t len = plankton__v1__result__get_packed_size(&result);
    AUTO(free_ptr) uint8_t *packed = mem_alloc(len + 1);
    plankton__v1__result__pack(&result, packed);
    enum status st = journal_result(attempt->pool->worker->journal, attempt->entry,
                                    (struct slice){(char *)packed, len});
    if (st != STATUS_OK)
        log_error("journal.full",
                  LOG_STR("effect", "a result is sent although it is not on the disk"));
    return st == STATUS_OK;
}

void attempt_ended(struct attempt *attempt)
{
    struct pool *pool = attempt->pool;

    attempt->work = NULL;
    if (attempt->state == ATTEMPT_DOOMED) {
        attempt_forget(attempt, true);
        pool_start_queued(pool);
        pool_changed(pool);
        return;
    }
    attempt_judge(attempt);
    attempt->last_log_seq = attempt->log.last_seq;
    attempt->lease = NULL;
    attempt->step = NULL;
    loop_timer_free(attempt->timeout);
    attempt->timeout = NULL;
    bool journaled = attempt->entry && attempt_journal(attempt);
    attempt_move(attempt, journaled ? ATTEMPT_SYNCING : ATTEMPT_FINISHED);
    pool_start_queued(pool);
    pool_changed(pool);
}

void attempt_succeed(struct attempt *attempt, struct slice output)
{
    attempt->outcome = OUTCOME_OUTPUT;
    attempt->output = output;
    attempt_ended(attempt);
}

void attempt_fail(struct attempt *attempt, const char *code, bool non_retryable,
                  const char *details, const char *fmt, ...)
{
    char message[MESSAGE_BYTES_MAX];
    va_list args;

    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    attempt_set_failure(attempt, code, non_retryable, details, message);
    attempt_ended(attempt);
}

void attempt_bad_input(struct attempt *attempt, const char *field, const char *fmt, ...)
{
    char message[MESSAGE_BYTES_MAX];
    char details[256];
    va_list args;

    int len = snprintf(message, sizeof message, "%s: ", field);
    va_start(args, fmt);
    vsnprintf(message + len, sizeof message - (size_t)len, fmt, args);
    va_end(args);
    snprintf(details, sizeof details, "{\"field\":\"%s\"}", field);
    attempt_set_failure(attempt, "BAD_INPUT", true, details, message);
    attempt_ended(attempt);
}

void attempt_result(const struct attempt *attempt, Plankton__V1__Result *result,
                    Plankton__V1__Json *output, Plankton__V1__Failure *failure,
                    Plankton__V1__Json *details)
{
    result->token = (ProtobufCBinaryData){attempt->token_len, (uint8_t *)attempt->token};
    result->last_log_seq = attempt->last_log_seq;
    switch (attempt->outcome) {
    case OUTCOME_NONE:
    case OUTCOME_OUTPUT:
        output->text = (char *)(attempt->output.data ? attempt->output.data : "null");
        result->outcome_case = PLANKTON__V1__RESULT__OUTCOME_OUTPUT;
        result->output = output;
        break;
    case OUTCOME_FAILURE:
        failure->code = (char *)attempt->failure_code;
        failure->message = (char *)attempt->failure_message;
        failure->non_retryable = attempt->non_retryable;
        details->text = (char *)attempt->failure_details;
        failure->details = attempt->failure_details ? details : NULL;
        result->outcome_case = PLANKTON__V1__RESULT__OUTCOME_FAILURE;
        result->failure = failure;
        break;
    case OUTCOME_CANCELLED:
        result->outcome_case = PLANKTON__V1__RESULT__OUTCOME_CANCELLED;
        result->cancelled = true;
        break;
    }
}

/* ---- group sync ---- */

struct sync_job {
    struct pool *pool; /* NULL = it is gone */
    int fds[SYNC_FDS_MAX];
    size_t count;
    int failed; /* errno of the first failure */
};

static void sync_work(void *userdata)
{
    struct sync_job *job = userdata;

    for (size_t i = 0; i < job->count; i++) {
        if (fdatasync(job->fds[i]) != 0 && !job->failed)
            job->failed = errno;
    }
}

static void sync_done(void *userdata)
{
    struct sync_job *job = userdata;
    struct pool *pool = job->pool;

    /* The disk has failed: to hold results back would only add a repetition of the work to its
     * loss. */
    if (job->failed)
        log_error("journal.sync_failed", LOG_STR("why", strerror(job->failed)),
                  LOG_STR("effect", "results are sent all the same"));
    for (size_t i = 0; i < job->count; i++)
        close(job->fds[i]);
    free(job);
    if (!pool)
        return;
    LIST_EACH(&pool->in_sync, node)
    attempt_move(LIST_ENTRY(node, struct attempt, state_node), ATTEMPT_FINISHED);
    pool->sync = NULL;
    pool_changed(pool);
}

void pool__abandon_sync(struct pool *pool)
{
    if (pool->sync)
        pool->sync->pool = NULL;
    pool->sync = NULL;
}

void pool__sync(struct pool *pool)
{
    struct segments *journal = journal_segments(pool->worker->journal);
    struct segments *logs = logs_segments(pool->worker->logs);
    struct error err = {0};

    if (pool->sync || list_empty(&pool->unsynced)) {
        /* `done` notes need no sync, but must not gather for ever. */
        if (segments_write(journal, &err) != STATUS_OK)
            log_error("journal.write_failed", LOG_ERR(&err));
        return;
    }
    /* The lines that a result counts are on the disk when it says so. */
    logs_flush(pool->worker->logs);
    if (segments_write(journal, &err) != STATUS_OK)
        log_error("journal.write_failed", LOG_ERR(&err),
                  LOG_STR("effect", "results are sent all the same"));
    struct sync_job *job = mem_zalloc(sizeof *job);
    job->pool = pool;
    job->count = segments_take_unsynced(logs, job->fds);
    job->count += segments_take_unsynced(journal, job->fds + job->count);
    LIST_EACH(&pool->unsynced, node)
    {
        list_remove(node);
        list_push(&pool->in_sync, node);
    }
    pool->sync = job;
    if (loop_pool(pool->worker->loop, sync_work, sync_done, job, NULL) == STATUS_OK)
        return;
    sync_work(job); /* every thread is taken: wait here */
    sync_done(job);
}

void pool_sent(struct pool *pool, struct attempt *attempt)
{
    list_remove(&attempt->state_node);
    if (!attempt->entry || !attempt->entry->has_result || !attempt->arena ||
        attempt->arena->used_bytes < POOL_DROP_BYTES)
        return;
    attempt->in_journal_only = true;
    attempt->output = (struct slice){0};
    attempt->failure_message = attempt->failure_details = NULL;
    arena_free(attempt->arena);
    attempt->arena = NULL;
}

/* ---- a new session, a new process ---- */

void pool_resend(struct pool *pool, struct shard *shard)
{
    LIST_EACH(&shard->held, node)
    {
        struct attempt *attempt = LIST_ENTRY(node, struct attempt, held_node);
        if (attempt->state == ATTEMPT_FINISHED)
            attempt_move(attempt, ATTEMPT_FINISHED);
    }
    pool_changed(pool);
}

static const char CUT[] = "cut: the worker's process ended here, later output is lost";

static void recover_gone(struct pool *pool, struct shard *shard, struct journal_entry *entry)
{
    struct gone *gone = mem_zalloc(sizeof *gone);
    struct log_writer writer = {.last_seq = entry->last_log_seq};
    struct log_origin origin = {entry->token, entry->token_len, entry->step};

    gone->entry = entry;
    list_push(&shard->gone, &gone->node);
    shard->gone_count++;
    logs_line(pool->worker->logs, &writer, &origin, LOG_SOURCE_SYSTEM, LOG_SEVERITY_WARN, false,
              (struct slice){CUT, sizeof CUT - 1});
    logs_detach(&writer);
    /* Should this process die too, the next one must not give the number again. */
    journal_seq(pool->worker->journal, entry, writer.last_seq);
}

static void recover_finished(struct pool *pool, struct shard *shard, struct journal_entry *entry)
{
    struct attempt *attempt = pool_take_free(pool);

    attempt->shard = shard;
    attempt->task = entry->task;
    attempt->number = entry->attempt;
    attempt->token_len = entry->token_len;
    memcpy(attempt->token, entry->token, entry->token_len);
    attempt->entry = entry;
    attempt->in_journal_only = true;
    pool_index(pool, attempt);
    attempt_move(attempt, ATTEMPT_FINISHED);
}

void pool_recover(struct pool *pool)
{
    struct map_cursor cursor = {0};
    size_t finished = 0, gone = 0;

    for (struct journal_entry *entry; (entry = journal_walk(pool->worker->journal, &cursor));) {
        struct shard *shard = shards_get(&pool->shards, entry->shard);
        if (entry->has_result) {
            recover_finished(pool, shard, entry);
            finished++;
        } else {
            recover_gone(pool, shard, entry);
            gone++;
        }
    }
    if (finished || gone)
        log_info("pool.recovered", LOG_U64("finished", finished), LOG_U64("gone", gone));
}
