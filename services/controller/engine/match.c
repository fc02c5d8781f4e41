/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The meeting of ready tasks with workers. A worker's types lead to pools and a pool's type to
 * workers with credit, so neither side looks at what cannot fit, and a pool that has nothing to
 * give (its queue is shut, its keys are at their limits) is in no list. Within a queue the order of
 * lanes is exact for each worker; between queues it goes round.
 */
#include "internal.h"

/* A task that needs much waits so long, then room is kept for it. */
#define RESERVE_US (10 * 1000 * US_PER_MS)

bool queue_is_shut(const struct queue *queue)
{
    const struct queue_setting *setting = queue->setting;

    if (!setting)
        return false;
    return setting->paused_us ||
           (setting->concurrency && queue->by_state[ENGINE_TASK_RUNNING] >= setting->concurrency) ||
           (setting->rate && !gate_is_open(setting->rate, 1));
}

void queue_shown(struct queue *queue)
{
    if (queue->setting && queue->setting->rate && !gate_is_open(queue->setting->rate, 1))
        gate_arm(queue->setting->rate, 1);
    LIST_EACH(&queue->pools, node)
    pool_shown(LIST_ENTRY(node, struct pool, of_queue));
}

void queue_match(struct queue *queue)
{
    LIST_EACH(&queue->pools, node)
    pool_match(LIST_ENTRY(node, struct pool, of_queue));
}

void queue_opens(struct queue *queue)
{
    queue->shard->engine->unsettled = true;
    if (!list_linked(&queue->dirty))
        list_push(&queue->shard->engine->queues, &queue->dirty);
}

static const char *label_of(const struct worker *worker, const char *key)
{
    for (uint32_t i = 0; i < worker->labels_len; i++) {
        if (str_eq(worker->labels[i].key, key))
            return worker->labels[i].value;
    }
    return NULL;
}

static bool label_meets(const char *value, const struct plan_selector *selector)
{
    double have, asked;

    switch (selector->op) {
    case PLAN_LABEL_EXISTS:
        return value != NULL;
    case PLAN_LABEL_EQUALS:
        return value && str_eq(value, selector->value);
    case PLAN_LABEL_DIFFERS:
        return !value || !str_eq(value, selector->value);
    case PLAN_LABEL_LESS:
    case PLAN_LABEL_GREATER:
        if (!value || !plan_label_number(value, &have) ||
            !plan_label_number(selector->value, &asked))
            return false;
        return selector->op == PLAN_LABEL_LESS ? have < asked : have > asked;
    default:
        return false;
    }
}

bool worker_meets(const struct worker *worker, const struct plan_selector *selectors, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        if (!label_meets(label_of(worker, selectors[i].key), &selectors[i]))
            return false;
    }
    return true;
}

/* What a worker does not say of cpu and memory is no limit; a device that it does not name is none.
 */
static bool has_room(const struct engine_resources *all, const struct engine_resources *used,
                     const struct engine_resources *need)
{
    return (!all->cpu_milli || used->cpu_milli + need->cpu_milli <= all->cpu_milli) &&
           (!all->memory_bytes || used->memory_bytes + need->memory_bytes <= all->memory_bytes) &&
           used->gpu_milli + need->gpu_milli <= all->gpu_milli;
}

bool pool_fits_now(const struct pool *pool, const struct worker *worker)
{
    uint32_t cost = pool->demands.cost;

    if (!pool->demanding && !worker->costly)
        return true;
    /* Leases that stand in a worker's line need no slot yet; where slots count all of them do. */
    if ((cost > 1 || worker->costly) && worker->cost + cost > worker->slots)
        return false;
    return has_room(&worker->resources, &worker->used, &pool->demands.resources);
}

void worker_occupy(struct worker *worker, const struct pool *pool)
{
    const struct engine_resources *need = &pool->demands.resources;

    worker->cost += pool->demands.cost;
    if (!pool->demanding)
        return;
    worker->costly += pool->demands.cost > 1;
    worker->used.cpu_milli += need->cpu_milli;
    worker->used.gpu_milli += need->gpu_milli;
    worker->used.memory_bytes += need->memory_bytes;
}

/* Looks again at what it can take, behind what is being done now. */
static void worker_free_again(struct engine *engine, struct worker *worker)
{
    engine->unsettled = true;
    if (!list_linked(&worker->freed))
        list_push(&engine->freed, &worker->freed);
}

/* What came free may be what others wait for, although no credit came. */
void worker_vacate(struct worker *worker, const struct pool *pool)
{
    const struct engine_resources *need = &pool->demands.resources;
    struct engine *engine = pool->queue->shard->engine;

    worker->cost -= pool->demands.cost;
    if (!engine->demanding)
        return;
    worker->costly -= pool->demands.cost > 1;
    worker->used.cpu_milli -= need->cpu_milli;
    worker->used.gpu_milli -= need->gpu_milli;
    worker->used.memory_bytes -= need->memory_bytes;
    worker_free_again(engine, worker);
}

static void unreserve(struct pool *pool)
{
    struct engine *engine = pool->queue->shard->engine;
    struct worker *worker = worker_find(engine, &pool->reserved);

    pool->reserved = (struct id){{0}};
    if (worker)
        worker_free_again(engine, worker);
}

/* Its places in the lists follow from what it has: only what may be dispatched is offered. */
void pool_shown(struct pool *pool)
{
    bool some = pool->line.len > 0, offered = some && !queue_is_shut(pool->queue);

    if (!some && !id_is_nil(&pool->reserved))
        unreserve(pool);
    if (some != list_linked(&pool->of_queue)) {
        if (some)
            list_push(&pool->queue->pools, &pool->of_queue);
        else
            list_remove(&pool->of_queue);
    }
    if (offered == list_linked(&pool->of_type))
        return;
    if (offered)
        list_push(&pool->type->pools, &pool->of_type);
    else
        list_remove(&pool->of_type);
}

static bool meets_demands(const struct pool *pool, const struct worker *worker)
{
    static const struct engine_resources NOTHING;
    const struct engine_demands *demands = &pool->demands;

    return demands->cost <= worker->slots &&
           (!demands->only_that_worker || id_eq(&demands->worker, &worker->id)) &&
           has_room(&worker->resources, &NOTHING, &demands->resources) &&
           worker_meets(worker, demands->where, demands->where_len);
}

/* A task that needs much would wait for ever beside many that need little: when it has waited long
 * one worker that could run it takes nothing else until it can. */
static bool pool_reserves(struct pool *pool, const struct worker *worker)
{
    struct engine *engine = pool->queue->shard->engine;
    const struct worker *holder = worker_find(engine, &pool->reserved);
    const struct lane *lane = line_best(&pool->line);

    if (!lane || (lane->needs_len && lane_closed(lane)) ||
        lane_top(lane)->created_us + RESERVE_US > engine->now_us)
        return false;
    if (!holder || !holder->stream || holder->draining || !pool_fits(pool, holder))
        pool->reserved = worker->id;
    return id_eq(&pool->reserved, &worker->id);
}

bool pool_fits(const struct pool *pool, const struct worker *worker)
{
    if (!pool->requires_bytes)
        return true;
    if (pool->demanding && !meets_demands(pool, worker))
        return false;
    for (uint32_t i = 0; i < pool->requires_len; i++) {
        bool found = false;

        for (uint32_t k = 0; k < worker->labels_len && !found; k++)
            found = str_eq(worker->labels[k].key, pool->requires[i].key) &&
                    str_eq(worker->labels[k].value, pool->requires[i].value);
        if (!found)
            return false;
    }
    return true;
}

/* The worker's session in the shard when leases may be granted to it now. */
static struct session *live_session(const struct worker *worker, const struct shard *shard)
{
    struct session *session =
        shard->number < worker->sessions_cap ? worker->sessions[shard->number] : NULL;

    return session && shard->open && session->state == SESSION_LIVE ? session : NULL;
}

/* The lane that goes next; those that are found to be held back leave the line for their gate. */
static struct lane *pool_best(struct pool *pool)
{
    for (;;) {
        struct lane *lane = line_best(&pool->line);
        const struct need *need = lane && lane->needs_len ? lane_closed(lane) : NULL;

        if (!need)
            return lane;
        lane_wait(lane, need);
    }
}

static inline void grant(struct lane *lane, struct session *session)
{
    if (!id_is_nil(&lane->pool->reserved))
        unreserve(lane->pool);
    struct queue *queue = lane->queue;
    struct queue_setting *setting = queue->setting;

    attempt_grant(lane_top(lane), session);
    if (!setting)
        return;
    if (setting->rate)
        gate_take(setting->rate, 1);
    if (queue_is_shut(queue))
        queue_shown(queue);
}

/* Another pool keeps this worker for itself. */
static bool is_reserved(const struct worker *worker, const struct pool *for_pool)
{
    LIST_EACH(&for_pool->type->pools, node)
    {
        const struct pool *pool = LIST_ENTRY(node, struct pool, of_type);

        if (pool != for_pool && id_eq(&pool->reserved, &worker->id) && !pool_fits_now(pool, worker))
            return true;
    }
    return false;
}

/* The free workers that the tasks prefer come to the head of the line of those that may be asked.
 */
static void prefer(struct pool *pool)
{
    struct list *idle = &pool->type->idle;

    LIST_EACH(idle, node)
    {
        const struct worker *worker = LIST_ENTRY(node, struct offer, idle)->worker;

        if (worker_meets(worker, pool->demands.prefers, pool->demands.prefers_len) &&
            (id_is_nil(&pool->demands.worker) || id_eq(&pool->demands.worker, &worker->id))) {
            list_remove(node);
            list_push_front(idle, node);
        }
    }
}

void pool_match(struct pool *pool)
{
    struct shard *shard = pool->queue->shard;
    struct list *at;

    if (!shard->open)
        return;
    if (pool->demands.prefers_len || !id_is_nil(&pool->demands.worker))
        prefer(pool);
    at = pool->type->idle.next;
    while (at != &pool->type->idle && pool->line.len > 0 && !queue_is_shut(pool->queue)) {
        struct offer *offer = LIST_ENTRY(at, struct offer, idle);
        struct session *session = live_session(offer->worker, shard);
        struct lane *lane;

        if (!session || !pool_fits(pool, offer->worker) || !pool_fits_now(pool, offer->worker) ||
            is_reserved(offer->worker, pool)) {
            at = at->next;
            continue;
        }
        lane = pool_best(pool);
        if (!lane)
            return;
        grant(lane, session);
        if (list_linked(&offer->idle)) { /* it has more credit: the next turn is another's */
            list_remove(&offer->idle);
            list_push(&pool->type->idle, &offer->idle);
        }
        at = pool->type->idle.next;
    }
}

void lane_match(struct lane *lane)
{
    pool_match(lane->pool);
}

static bool worker_offers(const struct worker *worker, const struct task_type *type)
{
    for (uint32_t i = 0; i < worker->offers_len; i++) {
        if (worker->offers[i].type == type)
            return true;
    }
    return false;
}

/* The best of the queue's lanes that this worker can serve; `found` is one of them. */
static struct lane *best_of_queue(const struct worker *worker, struct lane *found)
{
    if (found->queue->pools.next == found->queue->pools.prev)
        return found; /* the only pool */
    LIST_EACH(&found->queue->pools, node)
    {
        struct pool *pool = LIST_ENTRY(node, struct pool, of_queue);
        struct lane *lane;

        if (pool == found->pool || !worker_offers(worker, pool->type) || !pool_fits(pool, worker) ||
            !pool_fits_now(pool, worker))
            continue;
        lane = pool_best(pool);
        if (lane && lane_before(lane, found))
            found = lane;
    }
    return found;
}

/* Then a pool further on may have it reserved; else nothing can be too large for what is free. */
static bool has_scarce(const struct worker *worker)
{
    return worker->used.cpu_milli || worker->used.gpu_milli || worker->used.memory_bytes;
}

static struct lane *worker_pick(struct worker *worker)
{
    struct lane *found = NULL;

    for (uint32_t i = 0; i < worker->offers_len; i++) {
        struct task_type *type = worker->offers[(worker->turn + i) % worker->offers_len].type;

        LIST_EACH(&type->pools, node)
        {
            struct pool *pool = LIST_ENTRY(node, struct pool, of_type);
            struct lane *lane;

            if (queue_is_shut(pool->queue)) { /* leases that were loaded count too */
                pool_shown(pool);
                continue;
            }
            if (!live_session(worker, pool->queue->shard) || !pool_fits(pool, worker))
                continue;
            if (!pool_fits_now(pool, worker)) {
                if (pool_reserves(pool, worker))
                    return NULL;
                continue;
            }
            lane = found ? NULL : pool_best(pool);
            if (lane) {
                worker->turn += i + 1;
                found = lane;
                if (!pool->queue->shard->engine->demanding ||
                    (!worker->costly && !has_scarce(worker)))
                    return best_of_queue(worker, found);
            }
        }
    }
    return found ? best_of_queue(worker, found) : NULL;
}

void worker_match(struct worker *worker)
{
    while (worker->credit > 0 && worker->stream && !worker->draining) {
        struct lane *lane = worker_pick(worker);

        if (!lane)
            return;
        list_remove(&lane->pool->of_type); /* the other queues first, next time */
        list_push(&lane->type->pools, &lane->pool->of_type);
        grant(lane, live_session(worker, lane->queue->shard));
    }
}

void worker_set_idle(struct worker *worker)
{
    bool idle = worker->credit > 0 && worker->stream && !worker->draining;

    if (idle == worker->idle)
        return;
    worker->idle = idle;
    for (uint32_t i = 0; i < worker->offers_len; i++) {
        struct offer *offer = &worker->offers[i];

        if (idle)
            list_push(&offer->type->idle, &offer->idle);
        else
            list_remove(&offer->idle);
    }
}
