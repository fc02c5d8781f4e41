/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lanes and pools: found by what their tasks ask for, made when the first such task comes, gone
 * with the last. Two packed texts say what that is: one what is asked of a worker (the pool's), one
 * what the tasks are limited by (the lane's).
 */
#include "base/buf.h"
#include "internal.h"

#define GROUP_SEED_0 UINT64_C(0x67726f7570730001)
#define GROUP_SEED_1 UINT64_C(0x706c616e6b746f6e)

#define ASKED_BYTES_MAX                                                                            \
    ((size_t)(ENGINE_LABELS_MAX + 2 * PLAN_SELECTORS_MAX) * 2 * (ENGINE_LABEL_BYTES_MAX + 9) + 64)
#define LIMITS_BYTES_MAX ((size_t)(2 * ENGINE_LIMITS_MAX + 1) * (ENGINE_LIMIT_KEY_BYTES_MAX + 32))

bool rank_before(const struct task *a, const struct task *b)
{
    int64_t x = engine_rank(a->priority, &a->id), y = engine_rank(b->priority, &b->id);

    return x != y ? x < y : id_cmp(&a->id, &b->id) < 0;
}

static bool ready_less(const struct heap_node *a, const struct heap_node *b)
{
    return ready_before(CONTAINER_OF(a, struct task, ready), CONTAINER_OF(b, struct task, ready));
}

/* ---- packed texts ---- */

static void put_text(struct buf *packed, const char *text, size_t bytes_max)
{
    buf_put(packed, text, strnlen(text, bytes_max));
    buf_putc(packed, '\0');
}

static void put_number(struct buf *packed, uint64_t number)
{
    buf_put(packed, &number, sizeof(number));
}

/* Key and value, each with its NUL, one after the other. */
static void pack_requires(struct buf *packed, const struct engine_spec *spec)
{
    for (uint32_t i = 0; i < MIN_OF(spec->requires_len, (uint32_t)ENGINE_LABELS_MAX); i++) {
        put_text(packed, spec->requires[i].key, ENGINE_LABEL_BYTES_MAX);
        put_text(packed, spec->requires[i].value, ENGINE_LABEL_BYTES_MAX);
    }
}

static void pack_selectors(struct buf *packed, const struct plan_selector *selectors, uint32_t len)
{
    put_number(packed, len);
    for (uint32_t i = 0; i < len; i++) {
        put_number(packed, selectors[i].op);
        put_text(packed, selectors[i].key, ENGINE_LABEL_BYTES_MAX);
        put_text(packed, selectors[i].value, ENGINE_LABEL_BYTES_MAX);
    }
}

static void pack_demands(struct buf *packed, const struct engine_demands *demands)
{
    if (!demands)
        return;
    pack_selectors(packed, demands->where,
                   MIN_OF(demands->where_len, (uint32_t)PLAN_SELECTORS_MAX));
    pack_selectors(packed, demands->prefers,
                   MIN_OF(demands->prefers_len, (uint32_t)PLAN_SELECTORS_MAX));
    buf_put(packed, demands->worker.bytes, ID_BYTES);
    put_number(packed, demands->only_that_worker);
    put_number(packed, demands->cost);
    put_number(packed, demands->resources.cpu_milli);
    put_number(packed, demands->resources.gpu_milli);
    put_number(packed, demands->resources.memory_bytes);
}

static bool has_fairness(const struct engine_limits *limits)
{
    return limits && limits->fairness_key && limits->fairness_key[0];
}

static void pack_limits(struct buf *packed, const struct engine_limits *limits)
{
    if (!limits)
        return;
    for (uint32_t i = 0; i < MIN_OF(limits->concurrency_len, (uint32_t)ENGINE_LIMITS_MAX); i++) {
        put_text(packed, "c", 1);
        put_text(packed, limits->concurrency[i].key, ENGINE_LIMIT_KEY_BYTES_MAX);
        put_number(packed, (uint64_t)limits->concurrency[i].limit << 8 |
                               (uint64_t)limits->concurrency[i].strategy);
    }
    for (uint32_t i = 0; i < MIN_OF(limits->rates_len, (uint32_t)ENGINE_LIMITS_MAX); i++) {
        put_text(packed, "r", 1);
        put_text(packed, limits->rates[i].key, ENGINE_LIMIT_KEY_BYTES_MAX);
        put_number(packed, (uint64_t)limits->rates[i].limit << 32 | limits->rates[i].units);
        put_number(packed, (uint64_t)limits->rates[i].per_ms);
    }
    if (has_fairness(limits)) {
        put_text(packed, "f", 1);
        put_text(packed, limits->fairness_key, ENGINE_LIMIT_KEY_BYTES_MAX);
        put_number(packed, limits->fairness_weight);
    }
}

/* ---- pools ---- */

static const char *own_text(char **at, const char *text)
{
    size_t len = strnlen(text, ENGINE_LABEL_BYTES_MAX);
    char *start = *at;

    memcpy(start, text, len);
    start[len] = '\0';
    *at = start + len + 1;
    return start;
}

static void copy_selectors(struct plan_selector *to, const struct plan_selector *from, uint32_t len,
                           char **at)
{
    for (uint32_t i = 0; i < len; i++)
        to[i] = (struct plan_selector){own_text(at, from[i].key), from[i].op,
                                       own_text(at, from[i].value)};
}

static void pool_demand(struct pool *pool, const struct engine_demands *demands)
{
    uint32_t where = MIN_OF(demands->where_len, (uint32_t)PLAN_SELECTORS_MAX);
    uint32_t prefers = MIN_OF(demands->prefers_len, (uint32_t)PLAN_SELECTORS_MAX);
    size_t texts = (size_t)(where + prefers) * 2 * (ENGINE_LABEL_BYTES_MAX + 1);
    char *at;

    pool->demands = *demands;
    pool->demands.where_len = where;
    pool->demands.prefers_len = prefers;
    pool->demands.where = pool->demands.prefers = NULL;
    if (where + prefers == 0)
        return;
    pool->selectors = mem_alloc((where + prefers) * sizeof(*pool->selectors) + texts);
    at = (char *)(pool->selectors + where + prefers);
    copy_selectors(pool->selectors, demands->where, where, &at);
    copy_selectors(pool->selectors + where, demands->prefers, prefers, &at);
    pool->demands.where = pool->selectors;
    pool->demands.prefers = pool->selectors + where;
}

static struct pool *pool_new(struct queue *queue, struct task_type *type, struct slice requires,
                             const struct engine_spec *spec)
{
    struct pool *pool = mem_zalloc(sizeof(*pool));
    uint32_t labels = MIN_OF(spec->requires_len, (uint32_t)ENGINE_LABELS_MAX);
    char *at;

    pool->queue = queue;
    pool->type = type;
    type->users++;
    queue->users++;
    pool->requires_bytes = requires.len;
    pool->demands.cost = 1;
    if (spec->demands) {
        pool_demand(pool, spec->demands);
        pool->demanding = true;
        queue->shard->engine->demanding++;
    }
    if (!requires.len)
        return pool;
    pool->requires_text = mem_alloc(requires.len);
    memcpy(pool->requires_text, requires.data, requires.len);
    pool->requires = mem_zalloc(ENGINE_LABELS_MAX * sizeof(*pool->requires));
    at = pool->requires_text;
    while (pool->requires_len < labels) {
        pool->requires[pool->requires_len].key = at;
        at += strlen(at) + 1;
        pool->requires[pool->requires_len++].value = at;
        at += strlen(at) + 1;
    }
    return pool;
}

static struct pool *pool_get(struct queue *queue, struct task_type *type, struct slice requires,
                             const struct engine_spec *spec)
{
    struct engine *engine = queue->shard->engine;
    uint64_t hash = hash_mix(hash_mix((uint64_t)(uintptr_t)queue, (uint64_t)(uintptr_t)type),
                             hash_bytes(requires.data, requires.len));
    struct pool *pool;

    for (struct map_node *n = map_first(&engine->pools, hash); n; n = map_next(n)) {
        pool = CONTAINER_OF(n, struct pool, by_key);
        if (pool->queue == queue && pool->type == type && pool->requires_bytes == requires.len &&
            (!requires.len || memcmp(pool->requires_text, requires.data, requires.len) == 0))
            return pool;
    }
    pool = pool_new(queue, type, requires, spec);
    map_insert(&engine->pools, &pool->by_key, hash);
    return pool;
}

static void pool_release(struct pool *pool)
{
    struct queue *queue = pool->queue;
    struct engine *engine = queue->shard->engine;

    if (--pool->lanes > 0)
        return;
    map_remove(&engine->pools, &pool->by_key);
    list_remove(&pool->of_type);
    list_remove(&pool->of_queue);
    list_remove(&pool->woken);
    engine->demanding -= pool->demanding;
    type_release(engine, pool->type);
    line_fini(&pool->line);
    free(pool->selectors);
    free(pool->requires);
    free(pool->requires_text);
    free(pool);
    queue->users--; /* the lane's window still uses the queue */
}

/* ---- lanes ---- */

static void add_need(struct lane *lane, struct gate *gate, uint32_t amount, uint8_t strategy)
{
    struct need *need = &lane->needs[lane->needs_len++];

    *need = (struct need){.gate = gate, .lane = lane, .amount = amount, .strategy = strategy};
    list_push(&gate->needs, &need->of_gate);
}

static void add_needs(struct lane *lane, const struct engine_limits *limits)
{
    struct shard *shard = lane->queue->shard;
    uint32_t namespace_id = lane->queue->namespace_id;
    uint32_t open = MIN_OF(limits->concurrency_len, (uint32_t)ENGINE_LIMITS_MAX);
    uint32_t rates = MIN_OF(limits->rates_len, (uint32_t)ENGINE_LIMITS_MAX);

    if (open + rates)
        lane->needs = mem_zalloc((open + rates) * sizeof(*lane->needs));
    for (uint32_t i = 0; i < open; i++) {
        const struct engine_concurrency *c = &limits->concurrency[i];

        add_need(lane, gate_get(shard, namespace_id, GATE_OPEN, c->key, 0, 0), c->limit,
                 (uint8_t)c->strategy);
    }
    for (uint32_t i = 0; i < rates; i++) {
        const struct engine_rate *r = &limits->rates[i];

        add_need(lane,
                 gate_get(shard, namespace_id, GATE_RATE, r->key, r->limit, r->per_ms * US_PER_MS),
                 r->units, 0);
    }
}

static struct lane *lane_new(struct pool *pool, const struct engine_spec *spec, struct slice limits,
                             uint8_t level)
{
    struct lane *lane = mem_zalloc(sizeof(*lane));
    uint64_t group =
        limits.len ? hash_keyed(GROUP_SEED_0, GROUP_SEED_1, limits.data, limits.len) | 1 : 0;

    lane->pool = pool;
    lane->queue = pool->queue;
    lane->type = pool->type;
    pool->lanes++;
    lane->window = window_get(pool->queue, pool->type, group);
    lane->window->users++;
    lane->level = level;
    heap_init(&lane->ready, ready_less);
    if (!limits.len)
        return lane;
    lane->text = mem_alloc(limits.len);
    memcpy(lane->text, limits.data, limits.len);
    lane->text_bytes = limits.len;
    add_needs(lane, spec->limits);
    if (has_fairness(spec->limits)) {
        lane->fair = fair_get(pool->queue, spec->limits->fairness_key);
        lane->weight = MAX_OF(spec->limits->fairness_weight, 1u);
    }
    return lane;
}

static struct lane *lane_find(struct engine *engine, const struct pool *pool, struct slice limits,
                              uint8_t level, uint64_t hash)
{
    for (struct map_node *n = map_first(&engine->lanes, hash); n; n = map_next(n)) {
        struct lane *lane = CONTAINER_OF(n, struct lane, by_key);

        if (lane->pool == pool && lane->level == level && lane->text_bytes == limits.len &&
            (!limits.len || memcmp(lane->text, limits.data, limits.len) == 0))
            return lane;
    }
    return NULL;
}

static struct lane *lane_seek(struct shard *shard, uint32_t namespace_id,
                              const struct engine_spec *spec)
{
    AUTO(buf_fini) struct buf asked = {0};
    AUTO(buf_fini) struct buf limited = {0};
    struct engine *engine = shard->engine;
    uint8_t level = has_fairness(spec->limits) ? (uint8_t)spec->priority : 0;
    struct task_type *type;
    struct lane *lane;
    struct pool *pool;
    uint64_t hash;

    buf_init(&asked, ASKED_BYTES_MAX);
    buf_init(&limited, LIMITS_BYTES_MAX);
    pack_requires(&asked, spec);
    pack_demands(&asked, spec->demands);
    pack_limits(&limited, spec->limits);
    type = type_get(engine, spec->type);
    pool = pool_get(queue_get(shard, namespace_id, spec->queue), type, buf_slice(&asked), spec);
    type_release(engine, type);
    hash =
        hash_mix(hash_mix((uint64_t)(uintptr_t)pool, level), hash_bytes(limited.data, limited.len));
    lane = lane_find(engine, pool, buf_slice(&limited), level, hash);
    if (!lane) {
        lane = lane_new(pool, spec, buf_slice(&limited), level);
        map_insert(&engine->lanes, &lane->by_key, hash);
    }
    engine->last_lane = !asked.len && !limited.len ? lane : NULL;
    return lane;
}

/* Most tasks are like the one before them. */
struct lane *lane_get(struct shard *shard, uint32_t namespace_id, const struct engine_spec *spec)
{
    struct lane *lane = shard->engine->last_lane;

    if (lane && !spec->requires_len && !spec->limits && !spec->demands &&
        lane->queue->shard == shard && lane->queue->namespace_id == namespace_id &&
        str_eq(lane->queue->name, spec->queue) && str_eq(lane->type->name, spec->type))
        return lane;
    return lane_seek(shard, namespace_id, spec);
}

void lane_release(struct lane *lane)
{
    struct window *window = lane->window;
    struct engine *engine = lane->queue->shard->engine;

    if (--lane->tasks > 0)
        return;
    if (engine->last_lane == lane)
        engine->last_lane = NULL;
    map_remove(&engine->lanes, &lane->by_key);
    for (uint32_t i = 0; i < lane->needs_len; i++) {
        list_remove(&lane->needs[i].of_gate);
        gate_release_unused(lane->needs[i].gate);
    }
    fair_release(lane->fair);
    heap_fini(&lane->ready);
    free(lane->needs);
    free(lane->text);
    pool_release(lane->pool);
    free(lane);
    window->users--;
    window_release_unused(window);
}

/* It has its first ready task: it stands in its pool's line until it is found to be held back. */
static void lane_begins(struct lane *lane)
{
    list_push(&lane->queue->lanes, &lane->of_queue);
    list_push(&lane->window->lanes, &lane->of_window);
    fair_wake(lane);
    line_push(&lane->pool->line, lane);
    pool_shown(lane->pool);
}

static void lane_ends(struct lane *lane)
{
    struct wait *wait = lane->wait;

    list_remove(&lane->of_queue);
    list_remove(&lane->of_window);
    fair_sleep(lane);
    if (wait) {
        lane_leave_wait(lane);
        return;
    }
    line_remove(lane);
    pool_shown(lane->pool);
    lane_wake_rest(lane);
}

void lane_push(struct task *task)
{
    struct lane *lane = task->lane;

    heap_push(&lane->ready, &task->ready);
    if (lane->ready.len == 1)
        lane_begins(lane);
    else if (task->ready.place == 1)
        line_touch(lane);
    if (!task->run)
        lane->window->ready_len++;
}

void lane_remove(struct task *task)
{
    struct lane *lane = task->lane;
    bool first = task->ready.place == 1;

    if (!task->ready.place)
        return;
    if (lane->ready.len == 1)
        lane_ends(lane); /* while it still has the task that its place follows from */
    heap_remove(&lane->ready, &task->ready);
    if (first && lane->ready.len > 0)
        line_touch(lane);
    if (!task->run) {
        lane->window->ready_len--;
        if (lane->window->bounded)
            window_refill(lane->window);
    }
}
