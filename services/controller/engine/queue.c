/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queues, their lanes, and the meeting of ready tasks with workers. A lane holds the ready tasks of
 * one queue that ask for the same of a worker (type and labels), best first. A worker's types lead
 * to lanes and a lane's type to workers with credit, so neither side looks at what cannot fit.
 * Within a queue the order (priority, id) is exact for each worker; between queues it goes round.
 */
#include "internal.h"

bool ready_before(const struct task *a, const struct task *b)
{
    if (a->priority != b->priority)
        return a->priority > b->priority;
    return id_cmp(&a->id, &b->id) < 0;
}

static bool ready_less(const struct heap_node *a, const struct heap_node *b)
{
    return ready_before(CONTAINER_OF(a, struct task, ready), CONTAINER_OF(b, struct task, ready));
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    a = (a ^ b) * UINT64_C(0x9e3779b97f4a7c15);
    return a ^ a >> 29;
}

struct task_type *type_get(struct engine *engine, const char *name)
{
    uint64_t hash = hash_text(name);
    struct task_type *type;

    for (struct map_node *n = map_first(&engine->types, hash); n; n = map_next(n)) {
        type = CONTAINER_OF(n, struct task_type, by_name);
        if (str_eq(type->name, name)) {
            type->users++;
            return type;
        }
    }
    type = mem_zalloc(sizeof(*type) + strlen(name) + 1);
    memcpy(type->name, name, strlen(name) + 1);
    list_init(&type->lanes);
    list_init(&type->idle);
    list_init(&type->offered);
    type->users = 1;
    map_insert(&engine->types, &type->by_name, hash);
    return type;
}

void type_release(struct engine *engine, struct task_type *type)
{
    if (--type->users > 0)
        return;
    map_remove(&engine->types, &type->by_name);
    free(type);
}

static uint64_t queue_hash(uint32_t namespace_id, const char *name)
{
    return mix(hash_text(name), namespace_id);
}

struct queue *queue_find(struct shard *shard, uint32_t namespace_id, const char *name)
{
    for (struct map_node *n = map_first(&shard->queues, queue_hash(namespace_id, name)); n;
         n = map_next(n)) {
        struct queue *queue = CONTAINER_OF(n, struct queue, by_name);

        if (queue->namespace_id == namespace_id && str_eq(queue->name, name))
            return queue;
    }
    return NULL;
}

struct queue *queue_get(struct shard *shard, uint32_t namespace_id, const char *name)
{
    struct queue *queue = queue_find(shard, namespace_id, name);

    if (queue)
        return queue;
    queue = mem_zalloc(sizeof(*queue) + strlen(name) + 1);
    memcpy(queue->name, name, strlen(name) + 1);
    queue->shard = shard;
    queue->namespace_id = namespace_id;
    list_init(&queue->lanes);
    map_insert(&shard->queues, &queue->by_name, queue_hash(namespace_id, name));
    return queue;
}

void queue_release_unused(struct queue *queue)
{
    if (queue->users > 0 || queue->setting || queue->disk_ready || queue->disk_due)
        return;
    map_remove(&queue->shard->queues, &queue->by_name);
    free(queue);
}

struct window *window_get(struct queue *queue, struct task_type *type)
{
    uint64_t hash = mix(queue->by_name.hash, type->by_name.hash);
    struct shard *shard = queue->shard;
    struct window *window;

    for (struct map_node *n = map_first(&shard->windows, hash); n; n = map_next(n)) {
        window = CONTAINER_OF(n, struct window, by_key);
        if (window->queue == queue && window->type == type)
            return window;
    }
    window = mem_zalloc(sizeof(*window));
    window->queue = queue;
    window->type = type;
    queue->users++;
    type->users++;
    map_insert(&shard->windows, &window->by_key, hash);
    return window;
}

void window_release_unused(struct window *window)
{
    struct queue *queue = window->queue;

    if (window->users > 0 || window->bounded || window->refill_read)
        return;
    map_remove(&queue->shard->windows, &window->by_key);
    type_release(queue->shard->engine, window->type);
    free(window);
    queue->users--;
    queue_release_unused(queue);
}

/* Key and value, each with its NUL, one after the other. */
static size_t pack_requires(const struct engine_spec *spec, char *out)
{
    size_t at = 0;

    for (uint32_t i = 0; i < MIN_OF(spec->requires_len, (uint32_t)ENGINE_LABELS_MAX); i++) {
        const char *texts[2] = {spec->requires[i].key, spec->requires[i].value};

        for (int k = 0; k < 2; k++) {
            size_t len = strnlen(texts[k], ENGINE_LABEL_BYTES_MAX);

            memcpy(out + at, texts[k], len);
            out[at + len] = '\0';
            at += len + 1;
        }
    }
    return at;
}

static struct lane *lane_new(struct queue *queue, struct task_type *type, const char *requires,
                             size_t bytes)
{
    struct lane *lane = mem_zalloc(sizeof(*lane));
    uint32_t n = 0;

    lane->queue = queue;
    lane->type = type;
    lane->window = window_get(queue, type);
    lane->window->users++;
    lane->requires_bytes = bytes;
    heap_init(&lane->ready, ready_less);
    queue->users++;
    if (!bytes)
        return lane;
    lane->requires_text = mem_alloc(bytes);
    memcpy(lane->requires_text, requires, bytes);
    lane->requires = mem_zalloc(ENGINE_LABELS_MAX * sizeof(*lane->requires));
    for (char *at = lane->requires_text; at < lane->requires_text + bytes; n++) {
        lane->requires[n].key = at;
        at += strlen(at) + 1;
        lane->requires[n].value = at;
        at += strlen(at) + 1;
    }
    lane->requires_len = n;
    return lane;
}

struct lane *lane_get(struct shard *shard, uint32_t namespace_id, const struct engine_spec *spec)
{
    struct engine *engine = shard->engine;
    struct lane *lane = engine->last_lane;
    char requires[ENGINE_LABELS_MAX * 2 * (ENGINE_LABEL_BYTES_MAX + 1)];
    struct task_type *type;
    struct queue *queue;
    size_t bytes;
    uint64_t hash;

    if (lane && !spec->requires_len && !lane->requires_len && lane->queue->shard == shard &&
        lane->queue->namespace_id == namespace_id && str_eq(lane->queue->name, spec->queue) &&
        str_eq(lane->type->name, spec->type))
        return lane;
    bytes = pack_requires(spec, requires);
    queue = queue_get(shard, namespace_id, spec->queue);
    type = type_get(engine, spec->type);
    hash = mix(mix((uint64_t)(uintptr_t)queue, (uint64_t)(uintptr_t)type),
               hash_bytes(requires, bytes));
    for (struct map_node *n = map_first(&engine->lanes, hash); n; n = map_next(n)) {
        lane = CONTAINER_OF(n, struct lane, by_key);
        if (lane->queue == queue && lane->type == type && lane->requires_bytes == bytes &&
            (!bytes || memcmp(lane->requires_text, requires, bytes) == 0)) {
            type_release(engine, type);
            engine->last_lane = lane;
            return lane;
        }
    }
    lane = lane_new(queue, type, requires, bytes);
    map_insert(&engine->lanes, &lane->by_key, hash);
    engine->last_lane = lane;
    return lane;
}

void lane_release(struct lane *lane)
{
    struct queue *queue = lane->queue;
    struct window *window = lane->window;
    struct engine *engine = queue->shard->engine;

    if (--lane->tasks > 0)
        return;
    if (engine->last_lane == lane)
        engine->last_lane = NULL;
    map_remove(&engine->lanes, &lane->by_key);
    list_remove(&lane->of_type);
    list_remove(&lane->of_queue);
    type_release(engine, lane->type);
    heap_fini(&lane->ready);
    free(lane->requires);
    free(lane->requires_text);
    free(lane);
    queue->users--; /* the window still uses the queue */
    window->users--;
    window_release_unused(window);
}

/* Its places in the lists follow from what it has: only what may be dispatched is offered. */
static void lane_shown(struct lane *lane)
{
    bool some = lane->ready.len > 0, offered = some && !queue_is_shut(lane->queue);

    if (some != list_linked(&lane->of_queue)) {
        if (some)
            list_push(&lane->queue->lanes, &lane->of_queue);
        else
            list_remove(&lane->of_queue);
    }
    if (offered == list_linked(&lane->of_type))
        return;
    if (offered)
        list_push(&lane->type->lanes, &lane->of_type);
    else
        list_remove(&lane->of_type);
}

void queue_shown(struct queue *queue)
{
    LIST_EACH(&queue->lanes, node)
    lane_shown(LIST_ENTRY(node, struct lane, of_queue));
    if (queue_is_shut(queue))
        return;
    LIST_EACH(&queue->lanes, node)
    lane_match(LIST_ENTRY(node, struct lane, of_queue));
}

void lane_push(struct task *task)
{
    struct lane *lane = task->lane;

    heap_push(&lane->ready, &task->ready);
    if (lane->ready.len == 1)
        lane_shown(lane);
    if (!task->run)
        lane->window->ready_len++;
}

void lane_remove(struct task *task)
{
    struct lane *lane = task->lane;

    if (!task->ready.place)
        return;
    heap_remove(&lane->ready, &task->ready);
    if (lane->ready.len == 0)
        lane_shown(lane);
    if (!task->run) {
        lane->window->ready_len--;
        window_refill(lane->window);
    }
}

bool lane_fits(const struct lane *lane, const struct worker *worker)
{
    for (uint32_t i = 0; i < lane->requires_len; i++) {
        bool found = false;

        for (uint32_t k = 0; k < worker->labels_len && !found; k++)
            found = str_eq(worker->labels[k].key, lane->requires[i].key) &&
                    str_eq(worker->labels[k].value, lane->requires[i].value);
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

static struct task *lane_top(const struct lane *lane)
{
    struct heap_node *node = heap_top(&lane->ready);

    return node ? CONTAINER_OF(node, struct task, ready) : NULL;
}

void lane_match(struct lane *lane)
{
    struct shard *shard = lane->queue->shard;
    struct list *at = lane->type->idle.next;

    if (!shard->open || queue_is_shut(lane->queue))
        return;
    while (lane->ready.len > 0 && at != &lane->type->idle) {
        struct offer *offer = LIST_ENTRY(at, struct offer, idle);
        struct session *session = live_session(offer->worker, shard);

        if (!session || !lane_fits(lane, offer->worker)) {
            at = at->next;
            continue;
        }
        attempt_grant(lane_top(lane), session);
        if (list_linked(&offer->idle)) { /* it has more credit: the next turn is another's */
            list_remove(&offer->idle);
            list_push(&lane->type->idle, &offer->idle);
        }
        at = lane->type->idle.next;
    }
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
    LIST_EACH(&found->queue->lanes, node)
    {
        struct lane *lane = LIST_ENTRY(node, struct lane, of_queue);

        if (lane != found && lane->ready.len > 0 && worker_offers(worker, lane->type) &&
            lane_fits(lane, worker) && ready_before(lane_top(lane), lane_top(found)))
            found = lane;
    }
    return found;
}

static struct lane *worker_pick(struct worker *worker)
{
    for (uint32_t i = 0; i < worker->offers_len; i++) {
        struct task_type *type = worker->offers[(worker->turn + i) % worker->offers_len].type;

        LIST_EACH(&type->lanes, node)
        {
            struct lane *lane = LIST_ENTRY(node, struct lane, of_type);

            if (live_session(worker, lane->queue->shard) && lane_fits(lane, worker)) {
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
        list_remove(&lane->of_type); /* the other queues first, next time */
        list_push(&lane->type->lanes, &lane->of_type);
        attempt_grant(lane_top(lane), live_session(worker, lane->queue->shard));
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
