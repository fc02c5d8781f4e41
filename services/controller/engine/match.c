/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The meeting of ready tasks with workers. A worker's types lead to pools and a pool's type to
 * workers with credit, so neither side looks at what cannot fit, and a pool that has nothing to
 * give (its queue is shut, its keys are at their limits) is in no list. Within a queue the order of
 * lanes is exact for each worker; between queues it goes round.
 */
#include "internal.h"

bool queue_is_shut(const struct queue *queue)
{
    const struct queue_setting *setting = queue->setting;

    if (!setting)
        return false;
    return setting->paused_us ||
           (setting->concurrency && queue->by_state[ENGINE_TASK_RUNNING] >= setting->concurrency) ||
           (setting->rate && !gate_is_open(setting->rate, 1));
}

/* Its places in the lists follow from what it has: only what may be dispatched is offered. */
void pool_shown(struct pool *pool)
{
    bool some = pool->line.len > 0, offered = some && !queue_is_shut(pool->queue);

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

bool pool_fits(const struct pool *pool, const struct worker *worker)
{
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

static void grant(struct lane *lane, struct session *session)
{
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

void pool_match(struct pool *pool)
{
    struct shard *shard = pool->queue->shard;
    struct list *at = pool->type->idle.next;

    if (!shard->open)
        return;
    while (at != &pool->type->idle && pool->line.len > 0 && !queue_is_shut(pool->queue)) {
        struct offer *offer = LIST_ENTRY(at, struct offer, idle);
        struct session *session = live_session(offer->worker, shard);
        struct lane *lane;

        if (!session || !pool_fits(pool, offer->worker)) {
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
    LIST_EACH(&found->queue->pools, node)
    {
        struct pool *pool = LIST_ENTRY(node, struct pool, of_queue);
        struct lane *lane;

        if (pool == found->pool || !worker_offers(worker, pool->type) || !pool_fits(pool, worker))
            continue;
        lane = pool_best(pool);
        if (lane && lane_before(lane, found))
            found = lane;
    }
    return found;
}

static struct lane *worker_pick(struct worker *worker)
{
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
            lane = pool_best(pool);
            if (lane) {
                worker->turn += i + 1;
                return best_of_queue(worker, lane);
            }
        }
    }
    return NULL;
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
