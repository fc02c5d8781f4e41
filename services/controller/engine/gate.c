/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits by key. A gate counts the open leases of a key, or is a token bucket; a lane that needs it
 * and finds it closed stands in a line at the gate, and no worker looks at it. When the gate opens
 * the first lane of each such line goes back to its pool, and with each start the next one, so that
 * a gate with many lanes costs no more than one of them at a time.
 *
 * Counts of leases are exact: they follow from the leases themselves, which are durable before
 * their dispatch and read at a takeover. Buckets are not written: after a takeover each is taken to
 * be empty, so that the promise (at most one bucket and the rate's share of any time) holds over
 * takeovers too.
 */
#include "internal.h"

static uint64_t gate_hash(uint32_t namespace_id, enum gate_kind kind, const char *key)
{
    return hash_mix(hash_text(key), (uint64_t)namespace_id << 2 | kind);
}

static struct gate *gate_new(struct shard *shard, enum gate_kind kind, const char *key,
                             uint32_t limit, int64_t per_us)
{
    struct gate *gate = mem_zalloc(sizeof(*gate) + strlen(key) + 1);

    memcpy(gate->key, key, strlen(key) + 1);
    gate->shard = shard;
    gate->kind = kind;
    gate->limit = limit;
    gate->per_us = per_us;
    gate->full_us = MAX_OF(shard->opened_us, shard->engine->now_us - per_us) + per_us;
    if (!shard->open)
        gate->full_us = shard->engine->now_us + per_us;
    list_init(&gate->needs);
    list_init(&gate->waits);
    list_init(&gate->holders);
    return gate;
}

static struct gate *gate_find(struct shard *shard, uint32_t namespace_id, enum gate_kind kind,
                              const char *key, uint32_t limit, int64_t per_us)
{
    uint64_t hash = gate_hash(namespace_id, kind, key);

    for (struct map_node *n = map_first(&shard->gates, hash); n; n = map_next(n)) {
        struct gate *gate = CONTAINER_OF(n, struct gate, by_key);

        if (gate->namespace_id == namespace_id && gate->kind == kind && str_eq(gate->key, key) &&
            (kind == GATE_OPEN || (gate->limit == limit && gate->per_us == per_us)))
            return gate;
    }
    return NULL;
}

struct gate *gate_get(struct shard *shard, uint32_t namespace_id, enum gate_kind kind,
                      const char *key, uint32_t limit, int64_t per_us)
{
    struct gate *gate = gate_find(shard, namespace_id, kind, key, limit, per_us);

    if (gate)
        return gate;
    gate = gate_new(shard, kind, key, limit, per_us);
    gate->namespace_id = namespace_id;
    map_insert(&shard->gates, &gate->by_key, gate_hash(namespace_id, kind, key));
    return gate;
}

struct gate *gate_of_queue(struct queue *queue, const struct engine_rate *rate)
{
    struct gate *gate =
        gate_new(queue->shard, GATE_RATE, "", rate->limit, rate->per_ms * US_PER_MS);

    gate->queue = queue;
    return gate;
}

static void gate_free(struct gate *gate)
{
    heap_remove(&gate->shard->engine->gate_timers, &gate->timer);
    list_remove(&gate->dirty);
    if (!gate->queue)
        map_remove(&gate->shard->gates, &gate->by_key);
    free(gate);
}

void gate_of_queue_free(struct gate *gate)
{
    if (gate)
        gate_free(gate);
}

/* ---- buckets ---- */

/* The time that so many units are worth; rounded up, so that the rate is never exceeded. */
static int64_t span_us(const struct gate *gate, uint32_t units)
{
    return (gate->per_us * units + gate->limit - 1) / gate->limit;
}

int64_t gate_opens_us(const struct gate *gate, uint32_t units)
{
    return gate->full_us + span_us(gate, units) - gate->per_us;
}

bool gate_is_open(const struct gate *gate, uint32_t amount)
{
    if (gate->kind == GATE_OPEN)
        return gate->open < amount;
    return gate_opens_us(gate, amount) <= gate->shard->engine->now_us;
}

void gate_take(struct gate *gate, uint32_t units)
{
    gate->full_us = MAX_OF(gate->full_us, gate->shard->engine->now_us) + span_us(gate, units);
}

static void arm_at(struct gate *gate, int64_t at_us)
{
    struct heap *timers = &gate->shard->engine->gate_timers;

    if (gate->timer.place && gate->timer_us <= at_us)
        return;
    gate->timer_us = at_us;
    if (gate->timer.place)
        heap_update(timers, &gate->timer);
    else
        heap_push(timers, &gate->timer);
}

void gate_arm(struct gate *gate, uint32_t units)
{
    if (gate->kind == GATE_RATE)
        arm_at(gate, gate_opens_us(gate, units));
}

void gate_release_unused(struct gate *gate)
{
    if (!list_empty(&gate->needs) || !list_empty(&gate->holders))
        return;
    if (gate->kind == GATE_RATE && gate->shard->open && gate->full_us > gate->shard->engine->now_us)
        arm_at(gate, gate->full_us);
    else
        gate_free(gate);
}

/* ---- lanes at gates ---- */

struct need *lane_closed(const struct lane *lane)
{
    for (uint32_t i = 0; i < lane->needs_len; i++) {
        if (!gate_is_open(lane->needs[i].gate, lane->needs[i].amount))
            return &lane->needs[i];
    }
    return NULL;
}

static struct wait *wait_get(struct gate *gate, struct pool *pool, uint32_t amount)
{
    struct wait *wait;

    LIST_EACH(&gate->waits, node)
    {
        wait = LIST_ENTRY(node, struct wait, of_gate);
        if (wait->pool == pool && wait->amount == amount)
            return wait;
    }
    wait = mem_zalloc(sizeof(*wait));
    wait->gate = gate;
    wait->pool = pool;
    wait->amount = amount;
    list_push(&gate->waits, &wait->of_gate);
    return wait;
}

void lane_leave_wait(struct lane *lane)
{
    struct wait *wait = lane->wait;

    line_remove(lane);
    lane->wait = NULL;
    if (wait->line.len > 0)
        return;
    line_fini(&wait->line);
    list_remove(&wait->of_gate);
    free(wait);
}

void lane_wait(struct lane *lane, const struct need *need)
{
    struct wait *wait = wait_get(need->gate, lane->pool, need->amount);

    line_remove(lane);
    lane->wait = wait;
    line_push(&wait->line, lane);
    gate_arm(need->gate, need->amount);
    pool_shown(lane->pool);
    lane_wake_rest(lane);
}

void gate_wake(struct gate *gate, struct pool *pool)
{
    LIST_EACH(&gate->waits, node)
    {
        struct wait *wait = LIST_ENTRY(node, struct wait, of_gate);
        struct pool *of = wait->pool;
        struct lane *lane;

        if (pool && of != pool)
            continue;
        if (!gate_is_open(gate, wait->amount)) {
            gate_arm(gate, wait->amount);
            continue;
        }
        lane = line_best(&wait->line);
        lane_leave_wait(lane);
        line_push(&of->line, lane);
        pool_shown(of);
        if (!pool && !list_linked(&of->woken))
            list_push(&gate->shard->engine->woken, &of->woken);
    }
}

void lane_wake_rest(struct lane *lane)
{
    for (uint32_t i = 0; i < lane->needs_len; i++)
        gate_wake(lane->needs[i].gate, lane->pool);
}

void lane_charge(struct lane *lane)
{
    fair_charge(lane);
    for (uint32_t i = 0; i < lane->needs_len; i++) {
        if (lane->needs[i].gate->kind == GATE_RATE)
            gate_take(lane->needs[i].gate, lane->needs[i].amount);
    }
    lane_wake_rest(lane);
}

/* ---- leases ---- */

void lease_hold(struct lease *lease)
{
    const struct lane *lane = lease->task->lane;
    uint32_t len = 0;

    lease->holds = mem_zalloc(lane->needs_len * sizeof(*lease->holds));
    for (uint32_t i = 0; i < lane->needs_len; i++) {
        struct hold *hold = &lease->holds[len];

        if (lane->needs[i].gate->kind != GATE_OPEN)
            continue;
        *hold = (struct hold){.lease = lease, .gate = lane->needs[i].gate};
        list_push(&hold->gate->holders, &hold->of_gate);
        hold->gate->open++;
        len++;
    }
}

static void gate_dirty(struct gate *gate)
{
    gate->shard->engine->unsettled = true;
    if (!list_linked(&gate->dirty))
        list_push(&gate->shard->engine->gates, &gate->dirty);
}

void lease_unhold(struct lease *lease)
{
    const struct lane *lane = lease->task->lane;

    for (uint32_t i = 0; i < lane->needs_len && lease->holds[i].gate; i++) {
        struct gate *gate = lease->holds[i].gate;

        list_remove(&lease->holds[i].of_gate);
        gate->open--;
        gate_dirty(gate);
    }
    free(lease->holds);
    lease->holds = NULL;
}

/* ---- at the door ---- */

static const char *bad_key(const char *key)
{
    size_t len = key ? strnlen(key, ENGINE_LIMIT_KEY_BYTES_MAX + 1) : 0;

    return len == 0 || len > ENGINE_LIMIT_KEY_BYTES_MAX
               ? "the key of a limit is missing or longer than 128 bytes"
               : NULL;
}

const char *gate_bad_limits(const struct engine_limits *limits)
{
    const char *bad = NULL;

    if (limits->concurrency_len > ENGINE_LIMITS_MAX || limits->rates_len > ENGINE_LIMITS_MAX)
        return "more than 8 limits of a kind";
    for (uint32_t i = 0; i < limits->concurrency_len && !bad; i++) {
        const struct engine_concurrency *c = &limits->concurrency[i];

        bad = c->limit < 1 || c->limit > ENGINE_LIMIT_MAX ? "a limit is not between 1 and 1000000"
                                                          : bad_key(c->key);
    }
    for (uint32_t i = 0; i < limits->rates_len && !bad; i++) {
        const struct engine_rate *r = &limits->rates[i];

        if (r->limit < 1 || r->limit > ENGINE_LIMIT_MAX || r->per_ms < 1 ||
            r->per_ms > ENGINE_PERIOD_MS_MAX || r->units < 1 || r->units > r->limit)
            bad = "a rate is out of range";
        else
            bad = bad_key(r->key);
    }
    if (!bad && limits->fairness_key && limits->fairness_key[0]) {
        bad = limits->fairness_weight > ENGINE_WEIGHT_MAX ? "a weight is not between 1 and 1000"
                                                          : bad_key(limits->fairness_key);
    }
    return bad;
}

/* Leases and what memory knows to wait for one. */
static uint32_t unfinished(const struct gate *gate)
{
    uint64_t waiting = 0;

    LIST_EACH(&gate->needs, node)
    waiting += LIST_ENTRY(node, struct need, of_gate)->lane->ready.len;
    return (uint32_t)MIN_OF(gate->open + waiting, (uint64_t)UINT32_MAX);
}

const char *gate_refuses(struct shard *shard, uint32_t namespace_id,
                         const struct engine_limits *limits, struct arena *arena,
                         const char **ret_reason)
{
    bool keys = limits->concurrency_len || limits->rates_len ||
                (limits->fairness_key && limits->fairness_key[0]);

    if (keys && shard->gates.used + shard->fairs.used >= ENGINE_KEYS_MAX) {
        *ret_reason = "KEYS_MAX";
        return "too many keys of limits and fairness are in use";
    }
    for (uint32_t i = 0; i < limits->concurrency_len; i++) {
        const struct engine_concurrency *c = &limits->concurrency[i];
        const struct gate *gate = c->strategy == ENGINE_STRATEGY_REJECT_NEW
                                      ? gate_find(shard, namespace_id, GATE_OPEN, c->key, 0, 0)
                                      : NULL;

        if (!gate || unfinished(gate) < c->limit)
            continue;
        *ret_reason = "LIMIT_REACHED";
        return arena_printf(arena, "key %s has the %u tasks that it may have", c->key, c->limit);
    }
    return NULL;
}

/* The oldest unfinished task of the key but this one. */
static struct task *oldest_other(const struct gate *gate, const struct task *but)
{
    struct task *oldest = NULL;

    LIST_EACH(&gate->holders, node)
    {
        struct task *task = LIST_ENTRY(node, struct hold, of_gate)->lease->task;

        if (task != but && !task->cancel_requested &&
            (!oldest || id_cmp(&task->id, &oldest->id) < 0))
            oldest = task;
    }
    LIST_EACH(&gate->needs, node)
    {
        const struct heap *ready = &LIST_ENTRY(node, struct need, of_gate)->lane->ready;

        for (size_t i = 0; i < ready->len; i++) {
            struct task *task = CONTAINER_OF(ready->nodes[i], struct task, ready);

            if (task != but && (!oldest || id_cmp(&task->id, &oldest->id) < 0))
                oldest = task;
        }
    }
    return oldest;
}

static uint32_t not_cancelled(const struct gate *gate)
{
    uint32_t n = unfinished(gate);

    LIST_EACH(&gate->holders, node)
    n -= LIST_ENTRY(node, struct hold, of_gate)->lease->task->cancel_requested;
    return n;
}

void gate_supersede(struct task *task)
{
    const struct lane *lane = task->lane;
    struct engine *engine = task->shard->engine;

    for (uint32_t i = 0; i < lane->needs_len; i++) {
        const struct need *need = &lane->needs[i];

        while (need->strategy == ENGINE_STRATEGY_CANCEL_RUNNING &&
               not_cancelled(need->gate) > need->amount) {
            struct task *old = oldest_other(need->gate, task);

            if (!old)
                break;
            task_cancel(old, "controller",
                        arena_printf(&engine->gather, "a newer task of key %s", need->gate->key),
                        0);
        }
    }
}

/* ---- time, and what has opened ---- */

void gates_due(struct engine *engine)
{
    struct heap_node *node;

    while ((node = heap_top(&engine->gate_timers))) {
        struct gate *gate = CONTAINER_OF(node, struct gate, timer);

        if (gate->timer_us > engine->now_us)
            return;
        heap_remove(&engine->gate_timers, node);
        if (gate->queue)
            queue_opens(gate->queue);
        else if (list_empty(&gate->needs) && list_empty(&gate->holders))
            gate_release_unused(gate);
        else
            gate_dirty(gate);
    }
}

void gates_settle(struct engine *engine)
{
    engine->unsettled = false;
    while (!list_empty(&engine->gates)) {
        struct gate *gate = LIST_FIRST(&engine->gates, struct gate, dirty);

        list_remove(&gate->dirty);
        gate_wake(gate, NULL);
    }
    while (!list_empty(&engine->freed)) {
        struct worker *worker = LIST_FIRST(&engine->freed, struct worker, freed);

        list_remove(&worker->freed);
        worker_match(worker);
    }
    while (!list_empty(&engine->woken)) {
        struct pool *pool = LIST_FIRST(&engine->woken, struct pool, woken);

        list_remove(&pool->woken);
        pool_match(pool);
    }
    while (!list_empty(&engine->queues)) {
        struct queue *queue = LIST_FIRST(&engine->queues, struct queue, dirty);

        list_remove(&queue->dirty);
        queue_shown(queue);
        queue_match(queue);
    }
}

void gates_free(struct shard *shard)
{
    struct map_cursor cursor = {0};
    struct map_node *node;

    while ((node = map_walk(&shard->gates, &cursor)))
        gate_free(CONTAINER_OF(node, struct gate, by_key));
    map_fini(&shard->gates);
    map_fini(&shard->fairs);
}
