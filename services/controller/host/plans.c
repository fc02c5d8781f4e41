/* SPDX-License-Identifier: Apache-2.0 */
#include "plans.h"

#include <stdlib.h>

#include "plan/plan.h"

struct cached_plan {
    struct map_node node;
    struct list idle;
    struct plans *plans;
    struct arena arena;
    struct id id;
    uint32_t version, references;
    const struct plan *plan;
};

static uint64_t plan_hash(const struct id *id, uint32_t version)
{
    return id_hash(id) ^ (version * UINT64_C(0x9e3779b97f4a7c15));
}

static void plan_free(struct cached_plan *cached)
{
    map_remove(&cached->plans->map, &cached->node);
    arena_fini(&cached->arena);
    free(cached);
}

static void plan_hold(void *owner)
{
    struct cached_plan *cached = owner;

    if (cached->references++ == 0 && list_linked(&cached->idle)) {
        list_remove(&cached->idle);
        cached->plans->idle_count--;
    }
}

static void plan_release(void *owner)
{
    struct cached_plan *cached = owner;
    struct plans *plans = cached->plans;

    if (--cached->references > 0)
        return;
    list_push(&plans->idle, &cached->idle);
    if (++plans->idle_count > PLANS_IDLE_MAX) {
        struct cached_plan *oldest = LIST_FIRST(&plans->idle, struct cached_plan, idle);
        list_remove(&oldest->idle);
        plans->idle_count--;
        plan_free(oldest);
    }
}

void plans_init(struct plans *plans)
{
    map_init(&plans->map);
    list_init(&plans->idle);
    plans->idle_count = 0;
}

void plans_fini(struct plans *plans)
{
    struct map_cursor cursor = {0};

    for (struct map_node *node; (node = map_walk(&plans->map, &cursor));)
        plan_free(CONTAINER_OF(node, struct cached_plan, node));
    map_fini(&plans->map);
}

static struct cached_plan *plan_find(const struct plans *plans, const struct id *id,
                                     uint32_t version)
{
    for (struct map_node *node = map_first(&plans->map, plan_hash(id, version)); node;
         node = map_next(node)) {
        struct cached_plan *cached = CONTAINER_OF(node, struct cached_plan, node);
        if (id_eq(&cached->id, id) && cached->version == version)
            return cached;
    }
    return NULL;
}

enum status plans_get(struct plans *plans, const struct id *plan_id, uint32_t version,
                      struct slice document, struct engine_plan *ret, struct error *err)
{
    struct cached_plan *cached = plan_find(plans, plan_id, version);

    if (!cached) {
        cached = mem_zalloc(sizeof *cached);
        arena_init(&cached->arena, 0);
        enum status st = plan_compile(document, &cached->arena, &cached->plan, err);
        if (st != STATUS_OK) {
            arena_fini(&cached->arena);
            free(cached);
            return error_wrap(err, st, "a stored plan does not compile");
        }
        cached->plans = plans;
        cached->id = *plan_id;
        cached->version = version;
        map_insert(&plans->map, &cached->node, plan_hash(plan_id, version));
    }
    plan_hold(cached);
    *ret = (struct engine_plan){
        .plan = cached->plan, .hold = plan_hold, .release = plan_release, .owner = cached};
    return STATUS_OK;
}
