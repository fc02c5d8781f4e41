/* SPDX-License-Identifier: Apache-2.0 */
/* Types, queues, and the windows of their ready tasks: found by name, gone when nothing uses them.
 */
#include "internal.h"

/* Ready tasks of one group held in memory when there are many groups: all of them together stay
 * within the window, and each has some. */
#define GROUP_TASKS_LEAST 16u

uint64_t hash_mix(uint64_t a, uint64_t b)
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
    list_init(&type->pools);
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
    return hash_mix(hash_text(name), namespace_id);
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
    list_init(&queue->pools);
    map_insert(&shard->queues, &queue->by_name, queue_hash(namespace_id, name));
    return queue;
}

void queue_release_unused(struct queue *queue)
{
    if (queue->users > 0 || queue->setting || queue->disk_ready || queue->disk_due)
        return;
    map_remove(&queue->shard->queues, &queue->by_name);
    list_remove(&queue->dirty);
    free(queue);
}

struct window *window_get(struct queue *queue, struct task_type *type, uint64_t group)
{
    uint64_t hash = hash_mix(hash_mix(queue->by_name.hash, type->by_name.hash), group);
    struct shard *shard = queue->shard;
    struct window *window;

    for (struct map_node *n = map_first(&shard->windows, hash); n; n = map_next(n)) {
        window = CONTAINER_OF(n, struct window, by_key);
        if (window->queue == queue && window->type == type && window->group == group)
            return window;
    }
    window = mem_zalloc(sizeof(*window));
    window->queue = queue;
    window->type = type;
    window->group = group;
    list_init(&window->lanes);
    shard->grouped += group != 0;
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
    queue->shard->grouped -= window->group != 0;
    type_release(queue->shard->engine, window->type);
    free(window);
    queue->users--;
    queue_release_unused(queue);
}

uint32_t window_most(const struct window *window)
{
    const struct shard *shard = window->queue->shard;
    uint32_t most = shard->engine->config.window_tasks;

    if (!window->group)
        return most;
    return MAX_OF(most / shard->grouped, MIN_OF(most, GROUP_TASKS_LEAST));
}
