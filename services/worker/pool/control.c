/* SPDX-License-Identifier: Apache-2.0 */
/* Orders from outside: acknowledgements, stale leases, cancels, drain and shutdown. */
#include <stdlib.h>
#include "base/planted.h"
#include "log/log.h"
#include "pool/internal.h"

/* Not ours any more. A running one is killed at once: its successor may run already. */
static void attempt_doom(struct attempt *attempt)
{
    if (attempt->state != ATTEMPT_RUNNING) {
        attempt_forget(attempt, true);
        return;
    }
    struct pool *pool = attempt->pool;
    map_remove(&pool->by_token, &attempt->by_token);
    map_remove(&pool->by_task, &attempt->by_task);
    list_remove(&attempt->held_node);
    attempt->shard->held_count--;
    attempt_move(attempt, ATTEMPT_DOOMED);
    attempt->type->stop(attempt, 0);
}

static struct gone *pool_find_gone(struct pool *pool, const ProtobufCBinaryData *token,
                                   struct shard **ret_shard)
{
    struct map_cursor cursor = {0};

    for (struct map_node *node; (node = map_walk(&pool->shards.map, &cursor));) {
        struct shard *shard = CONTAINER_OF(node, struct shard, node);
        LIST_EACH(&shard->gone, entry)
        {
            struct gone *gone = LIST_ENTRY(entry, struct gone, node);
            if (gone->entry->token_len != token->len ||
                memcmp(gone->entry->token, token->data, token->len) != 0)
                continue;
            *ret_shard = shard;
            return gone;
        }
    }
    return NULL;
}

void pool_forget_gone(struct pool *pool, struct shard *shard, struct gone *gone)
{
    list_remove(&gone->node);
    shard->gone_count--;
    journal_done(pool->worker->journal, gone->entry);
    free(gone);
    pool_changed(pool);
}

/* The owner has answered for an attempt that died with a predecessor: it knows. */
static void pool_settle_gone(struct pool *pool, const ProtobufCBinaryData *token)
{
    struct shard *shard = NULL;
    struct gone *gone = pool_find_gone(pool, token, &shard);

    if (gone)
        pool_forget_gone(pool, shard, gone);
}

void pool_recorded(struct pool *pool, const ProtobufCBinaryData *token)
{
    struct attempt *attempt = pool_find(pool, token);

    if (!attempt)
        pool_settle_gone(pool, token);
    else if (attempt->state == ATTEMPT_FINISHED || attempt->state == ATTEMPT_SYNCING)
        attempt_forget(attempt, true);
    else
        attempt_doom(attempt); /* recorded without our report: somebody has ended the task */
    pool_changed(pool);
}

void pool_stale(struct pool *pool, const ProtobufCBinaryData *token)
{
    struct attempt *attempt = pool_find(pool, token);

    if (planted("worker_ignores_stale"))
        return;
    if (attempt) {
        log_debug("attempt.stale", LOG_ID("task", &attempt->task),
                  LOG_U64("attempt", attempt->number));
        attempt_doom(attempt);
        pool_start_queued(pool);
    } else {
        pool_settle_gone(pool, token);
    }
    pool_changed(pool);
}

void pool_cancel(struct pool *pool, const ProtobufCBinaryData *token, uint32_t grace_ms)
{
    static const char message[] = "cancel was asked for, stopping";
    struct attempt *attempt = pool_find(pool, token);

    if (!attempt || attempt->stop == STOP_CANCEL)
        return;
    if (attempt->state == ATTEMPT_QUEUED) {
        attempt->stop = STOP_CANCEL;
        attempt_ended(attempt);
    } else if (attempt->state == ATTEMPT_RUNNING) {
        attempt->stop = STOP_CANCEL;
        attempt_log(attempt, LOG_SOURCE_SYSTEM, LOG_SEVERITY_WARN, false,
                    (struct slice){message, sizeof message - 1});
        attempt->type->stop(attempt,
                            grace_ms ? grace_ms : (uint32_t)pool->worker->settings->grace_ms);
    }
    /* Finished: its result was quicker and is on its way. */
}

void pool_lose(struct pool *pool, struct uplink *uplink)
{
    LIST_EACH(&uplink->outbox, node)
    list_remove(node);
    shards_lose(&pool->shards, uplink);
}

void pool_progress(struct pool *pool, void (*fn)(struct attempt *attempt, void *userdata),
                   void *userdata)
{
    LIST_EACH(&pool->running, node)
    {
        struct attempt *attempt = LIST_ENTRY(node, struct attempt, state_node);
        if (attempt->state != ATTEMPT_RUNNING || !attempt->type->poll)
            continue;
        attempt->type->poll(attempt);
        if (attempt->progress_changed)
            fn(attempt, userdata);
        attempt->progress_changed = false;
    }
}

void pool_note_sequences(struct pool *pool)
{
    LIST_EACH(&pool->running, node)
    {
        struct attempt *attempt = LIST_ENTRY(node, struct attempt, state_node);
        if (attempt->entry && attempt->log.last_seq > attempt->entry->last_log_seq)
            journal_seq(pool->worker->journal, attempt->entry, attempt->log.last_seq);
    }
}

void pool_drain(struct pool *pool)
{
    pool->draining = true;
    pool_changed(pool);
}

struct attempt *pool_take_queued(struct pool *pool)
{
    struct attempt *attempt = LIST_FIRST(&pool->queued_process, struct attempt, state_node);

    return attempt ? attempt : LIST_FIRST(&pool->queued_async, struct attempt, state_node);
}

void pool_decline(struct pool *pool, struct attempt *attempt)
{
    attempt_forget(attempt, true);
    pool_changed(pool);
}

void pool_abandon(struct pool *pool)
{
    LIST_EACH(&pool->running, node)
    {
        struct attempt *attempt = LIST_ENTRY(node, struct attempt, state_node);
        attempt->entry = NULL; /* stays in the journal without a result */
        if (attempt->state == ATTEMPT_RUNNING)
            attempt_doom(attempt);
    }
}

bool pool_is_empty(const struct pool *pool)
{
    return pool->unfinished == 0 && pool->unacked == 0;
}
