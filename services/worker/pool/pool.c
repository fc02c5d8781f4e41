/* SPDX-License-Identifier: Apache-2.0 */
/* Leases and slots: accepting, queueing, starting. */
#include <assert.h>
#include <stdlib.h>
#include "log/log.h"
#include "pool/internal.h"
#include "rpc/rpc.h"

static size_t pool_window_min(const struct pool *pool)
{
    size_t slots = (size_t)pool->worker->process_slots;

    return slots + MAX_OF(slots / 4, POOL_PREFETCH_MIN);
}

static void pool_flush_cb(void *userdata)
{
    struct pool *pool = userdata;

    pool__sync(pool);
    pool->changed(pool->userdata);
}

struct pool *pool_new(struct worker *worker, void (*changed)(void *userdata), void *userdata)
{
    struct pool *pool = mem_zalloc(sizeof *pool);

    pool->worker = worker;
    pool->changed = changed;
    pool->userdata = userdata;
    shards_init(&pool->shards);
    map_init(&pool->by_token);
    map_init(&pool->by_task);
    struct list *lists[] = {&pool->queued_process, &pool->queued_async, &pool->running,
                            &pool->unsynced,       &pool->in_sync,      &pool->free};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        list_init(lists[i]);
    pool->window = MIN_OF(pool_window_min(pool), (size_t)worker->settings->credit);
    pool->flush = loop_flush_new(worker->loop, POOL_FLUSH_ORDER, pool_flush_cb, pool);
    return pool;
}

void pool_free(struct pool *pool)
{
    struct map_cursor cursor = {0};

    if (!pool)
        return;
    pool__abandon_sync(pool);
    for (struct map_node *node; (node = map_walk(&pool->by_token, &cursor));)
        attempt_forget(CONTAINER_OF(node, struct attempt, by_token), false);
    LIST_EACH(&pool->running, node) /* the doomed ones are in no map */
    attempt_forget(LIST_ENTRY(node, struct attempt, state_node), false);
    LIST_EACH(&pool->free, node)
    {
        list_remove(node);
        free(LIST_ENTRY(node, struct attempt, state_node));
    }
    cursor = (struct map_cursor){0};
    for (struct map_node *node; (node = map_walk(&pool->shards.map, &cursor));) {
        struct shard *shard = CONTAINER_OF(node, struct shard, node);
        LIST_EACH(&shard->gone, gone)
        {
            list_remove(gone);
            free(LIST_ENTRY(gone, struct gone, node));
        }
    }
    shards_fini(&pool->shards);
    map_fini(&pool->by_token);
    map_fini(&pool->by_task);
    loop_flush_free(pool->flush);
    free(pool);
}

struct shards *pool_shards(struct pool *pool)
{
    return &pool->shards;
}

struct worker *pool_worker(struct pool *pool)
{
    return pool->worker;
}

void pool_changed(struct pool *pool)
{
    loop_flush_mark(pool->flush);
}

/* ---- attempts ---- */

struct attempt *pool_take_free(struct pool *pool)
{
    struct attempt *attempt = LIST_FIRST(&pool->free, struct attempt, state_node);

    if (!attempt)
        return mem_zalloc(sizeof *attempt);
    list_remove(&attempt->state_node);
    pool->free_count--;
    /* The token's bytes need no clearing; the rest starts as new. */
    *attempt = (struct attempt){0};
    return attempt;
}

void pool_index(struct pool *pool, struct attempt *attempt)
{
    attempt->pool = pool;
    map_insert(&pool->by_token, &attempt->by_token, hash_bytes(attempt->token, attempt->token_len));
    map_insert(&pool->by_task, &attempt->by_task, id_hash(&attempt->task));
    list_push(&attempt->shard->held, &attempt->held_node);
    attempt->shard->held_count++;
}

struct attempt *pool_find(const struct pool *pool, const ProtobufCBinaryData *token)
{
    for (struct map_node *n = map_first(&pool->by_token, hash_bytes(token->data, token->len)); n;
         n = map_next(n)) {
        struct attempt *attempt = CONTAINER_OF(n, struct attempt, by_token);
        if (attempt->token_len == token->len &&
            memcmp(attempt->token, token->data, token->len) == 0)
            return attempt;
    }
    return NULL;
}

static void attempt_unindex(struct attempt *attempt)
{
    struct pool *pool = attempt->pool;

    if (!list_linked(&attempt->held_node))
        return;
    map_remove(&pool->by_token, &attempt->by_token);
    map_remove(&pool->by_task, &attempt->by_task);
    list_remove(&attempt->held_node);
    attempt->shard->held_count--;
}

static size_t *attempt_slot(struct attempt *attempt)
{
    struct pool *pool = attempt->pool;

    return attempt->type->kind == TASK_PROCESS ? &pool->running_process : &pool->running_async;
}

/* The only writer of `state`: keeps the counts and the list that go with it. */
void attempt_move(struct attempt *attempt, enum attempt_state to)
{
    struct pool *pool = attempt->pool;
    enum attempt_state from = attempt->state;

    list_remove(&attempt->state_node);
    pool->unfinished -= from == ATTEMPT_QUEUED || from == ATTEMPT_RUNNING || from == ATTEMPT_DOOMED;
    pool->unfinished += to == ATTEMPT_QUEUED || to == ATTEMPT_RUNNING || to == ATTEMPT_DOOMED;
    pool->unacked -= from == ATTEMPT_SYNCING || from == ATTEMPT_FINISHED;
    pool->unacked += to == ATTEMPT_SYNCING || to == ATTEMPT_FINISHED;
    /* A doomed process keeps its slot until it is really gone. */
    bool had_slot = from == ATTEMPT_RUNNING || from == ATTEMPT_DOOMED;
    bool has_slot = to == ATTEMPT_RUNNING || to == ATTEMPT_DOOMED;
    if (had_slot != has_slot && attempt->type && attempt->type->kind != TASK_INSTANT)
        *attempt_slot(attempt) += has_slot ? 1 : (size_t)-1;
    attempt->state = to;
    switch (to) {
    case ATTEMPT_FREE:
        break;
    case ATTEMPT_QUEUED:
        list_push(attempt->type->kind == TASK_PROCESS ? &pool->queued_process : &pool->queued_async,
                  &attempt->state_node);
        break;
    case ATTEMPT_RUNNING:
    case ATTEMPT_DOOMED:
        list_push(&pool->running, &attempt->state_node);
        break;
    case ATTEMPT_SYNCING:
        list_push(&pool->unsynced, &attempt->state_node);
        break;
    case ATTEMPT_FINISHED:
        if (attempt->shard->uplink)
            list_push(&attempt->shard->uplink->outbox, &attempt->state_node);
        break;
    }
}

void attempt_forget(struct attempt *attempt, bool entry_done)
{
    struct pool *pool = attempt->pool;

    attempt_unindex(attempt);
    attempt_move(attempt, ATTEMPT_FREE);
    logs_detach(&attempt->log);
    if (entry_done && attempt->entry)
        journal_done(pool->worker->journal, attempt->entry);
    attempt->entry = NULL;
    loop_timer_free(attempt->timeout);
    attempt->timeout = NULL;
    arena_free(attempt->arena);
    attempt->arena = NULL;
    if (pool->free_count >= POOL_FREE_MAX) {
        free(attempt);
        return;
    }
    list_push_front(&pool->free, &attempt->state_node);
    pool->free_count++;
}

struct arena *attempt_arena(struct attempt *attempt)
{
    if (!attempt->arena)
        attempt->arena = arena_new(0);
    return attempt->arena;
}

struct worker *attempt_worker(const struct attempt *attempt)
{
    return attempt->pool->worker;
}

void attempt_log(struct attempt *attempt, enum log_source source, enum log_severity severity,
                 bool continued, struct slice text)
{
    struct log_origin origin = {attempt->token, attempt->token_len, attempt->step};

    logs_line(attempt->pool->worker->logs, &attempt->log, &origin, source, severity, continued,
              text);
}

/* ---- starting ---- */

static bool pool_has_slot(const struct pool *pool, const struct task_type *type)
{
    size_t running = pool->running_process + pool->running_async;

    if (running >= (size_t)pool->worker->settings->slots)
        return false;
    return type->kind != TASK_PROCESS ||
           pool->running_process < (size_t)pool->worker->process_slots;
}

/* The journal knows of it before its process exists, so that no crash can hide a side effect. */
static bool attempt_begin(struct attempt *attempt)
{
    struct error err = {0};

    if (attempt->type->kind != TASK_PROCESS)
        return true;
    if (journal_begin(attempt->pool->worker->journal, attempt->token, attempt->token_len,
                      attempt->shard->number, &attempt->task, attempt->number, attempt->step,
                      &attempt->entry, &err) == STATUS_OK)
        return true;
    log_error("journal.failed", LOG_ERR(&err));
    attempt_fail(attempt, "WORKER_DISK", false, NULL, "the worker cannot write its journal: %s",
                 err.message);
    return false;
}

static void attempt_start(struct attempt *attempt)
{
    attempt_move(attempt, ATTEMPT_RUNNING);
    if (attempt_begin(attempt))
        attempt->type->start(attempt);
}

void pool_start_queued(struct pool *pool)
{
    struct attempt *attempt;

    /* A start may fail at once and come back here: the loop that is under way goes on, the stack
     * does not grow. */
    if (pool->starting)
        return;
    pool->starting = true;
    while (!pool->draining) {
        attempt = LIST_FIRST(&pool->queued_process, struct attempt, state_node);
        if (!attempt || !pool_has_slot(pool, attempt->type))
            attempt = LIST_FIRST(&pool->queued_async, struct attempt, state_node);
        if (!attempt || !pool_has_slot(pool, attempt->type))
            break;
        attempt_start(attempt);
    }
    pool->starting = false;
}

static void attempt_timeout_cb(void *userdata)
{
    struct attempt *attempt = userdata;
    static const char message[] = "the attempt's time is over, stopping it";

    if (attempt->state == ATTEMPT_DOOMED || attempt->stop != STOP_NONE)
        return;
    attempt->stop = STOP_TIMEOUT;
    if (attempt->state == ATTEMPT_QUEUED) {
        attempt_ended(attempt);
        return;
    }
    attempt_log(attempt, LOG_SOURCE_SYSTEM, LOG_SEVERITY_WARN, false,
                (struct slice){message, sizeof message - 1});
    attempt->type->stop(attempt, (uint32_t)attempt->pool->worker->settings->grace_ms);
}

/* What must outlive the message: the whole lease, in the attempt's arena. */
static void attempt_copy_lease(struct attempt *attempt, const Plankton__V1__Lease *lease)
{
    struct arena *arena = attempt_arena(attempt);
    ProtobufCAllocator allocator = rpc_arena_allocator(arena);
    size_t len = plankton__v1__lease__get_packed_size(lease);
    AUTO(free_ptr) uint8_t *packed = mem_alloc(len + 1);

    plankton__v1__lease__pack(lease, packed);
    attempt->lease = plankton__v1__lease__unpack(&allocator, len, packed);
    assert(attempt->lease); /* it was a valid message a moment ago */
    attempt->step = attempt->lease->step;
    if (lease->attempt_timeout_ms == 0)
        return;
    attempt->timeout = loop_timer_new(attempt->pool->worker->loop, attempt_timeout_cb, attempt);
    loop_timer_start(attempt->timeout, lease->attempt_timeout_ms, 0);
}

/* Of one task only the highest attempt lives (the owner has given up the others). False: this lease
 * is not the highest. */
static bool pool_replace_lower(struct pool *pool, const struct id *task, uint32_t number)
{
    for (struct map_node *n = map_first(&pool->by_task, id_hash(task)); n;) {
        struct attempt *other = CONTAINER_OF(n, struct attempt, by_task);
        n = map_next(n);
        if (!id_eq(&other->task, task))
            continue;
        if (other->number >= number)
            return false;
        ProtobufCBinaryData token = {other->token_len, other->token};
        pool_stale(pool, &token);
    }
    return true;
}

/* An attempt that died with a predecessor and has been followed by another is known to the owner.
 */
static void pool_forget_older_gone(struct pool *pool, struct shard *shard, const struct id *task)
{
    if (shard->gone_count == 0)
        return;
    LIST_EACH(&shard->gone, node)
    {
        struct gone *gone = LIST_ENTRY(node, struct gone, node);
        if (id_eq(&gone->entry->task, task))
            pool_forget_gone(pool, shard, gone);
    }
}

static void pool_place(struct pool *pool, struct attempt *attempt, const Plankton__V1__Lease *lease)
{
    bool queue_empty = list_empty(&pool->queued_process) && list_empty(&pool->queued_async);

    if (attempt->type->kind == TASK_INSTANT) {
        attempt->lease = lease;
        attempt->step = lease->step;
        attempt_move(attempt, ATTEMPT_RUNNING);
        attempt->type->start(attempt);
    } else {
        attempt_copy_lease(attempt, lease);
        attempt_move(attempt, ATTEMPT_QUEUED);
        pool_start_queued(pool);
        if (attempt->state == ATTEMPT_QUEUED) {
            pool->window = MAX_OF(pool_window_min(pool),
                                  pool->running_process + pool->running_async + POOL_PREFETCH_MIN);
            return;
        }
    }
    if (queue_empty && pool->window < (size_t)pool->worker->settings->credit)
        pool->window++;
}

enum pool_accept pool_accept(struct pool *pool, struct shard *shard,
                             const Plankton__V1__Lease *lease, const char **ret_reason)
{
    const struct task_type *type = task_type_find(lease->type);
    struct id task;

    *ret_reason = NULL;
    if (lease->token.len == 0 || lease->token.len > TOKEN_BYTES_MAX || lease->attempt == 0 ||
        !id_parse(lease->task_id, &task))
        *ret_reason = "the lease is malformed";
    else if (!type)
        *ret_reason = "this worker does not know the task's type";
    else if (pool->draining)
        *ret_reason = "this worker is draining";
    if (*ret_reason)
        return POOL_DECLINED;
    if (!pool_replace_lower(pool, &task, lease->attempt))
        return POOL_IGNORED;
    pool_forget_older_gone(pool, shard, &task);
    struct attempt *attempt = pool_take_free(pool);
    attempt->shard = shard;
    attempt->type = type;
    attempt->task = task;
    attempt->number = lease->attempt;
    attempt->token_len = (uint8_t)lease->token.len;
    memcpy(attempt->token, lease->token.data, lease->token.len);
    pool_index(pool, attempt);
    pool_place(pool, attempt, lease);
    pool_changed(pool);
    return POOL_ACCEPTED;
}

size_t pool_window(const struct pool *pool)
{
    return pool->draining || pool->unacked > POOL_UNACKED_MAX ? 0 : pool->window;
}

size_t pool_unfinished(const struct pool *pool)
{
    return pool->unfinished;
}

size_t pool_running(const struct pool *pool)
{
    return pool->running_process + pool->running_async;
}

size_t pool_unacked(const struct pool *pool)
{
    return pool->unacked;
}
