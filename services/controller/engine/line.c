/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of lanes. By itself it is that of their first tasks: by age, a step of priority being
 * worth a minute of it. Lanes with a fairness key share among themselves, within each priority, by
 * stride scheduling: a key's pass grows with each start by the inverse of its weight, and the least
 * pass goes first. A key that had nothing to do begins behind those that wait, so that it cannot
 * save up its turns.
 */
#include "internal.h"

#define STRIDE (UINT64_C(1) << 20) /* of weight 1 */

bool lane_before(const struct lane *a, const struct lane *b)
{
    if (a->fair && b->fair && a->level == b->level && a->queue == b->queue &&
        a->fair->pass != b->fair->pass)
        return a->fair->pass < b->fair->pass;
    return ready_before(lane_top(a), lane_top(b));
}

static bool older(const struct heap_node *a, const struct heap_node *b)
{
    return ready_before(lane_top(CONTAINER_OF(a, struct lane, node)),
                        lane_top(CONTAINER_OF(b, struct lane, node)));
}

static bool behind_its_share(const struct heap_node *a, const struct heap_node *b)
{
    const struct lane *x = CONTAINER_OF(a, struct lane, node);
    const struct lane *y = CONTAINER_OF(b, struct lane, node);

    return x->pass != y->pass ? x->pass < y->pass : ready_before(lane_top(x), lane_top(y));
}

static struct heap *heap_of(struct line *line, const struct lane *lane)
{
    if (!lane->fair) {
        if (!line->by_age.less)
            heap_init(&line->by_age, older);
        return &line->by_age;
    }
    if (!line->levels) {
        line->levels = mem_zalloc(ENGINE_PRIORITIES * sizeof(*line->levels));
        for (int i = 0; i < ENGINE_PRIORITIES; i++)
            heap_init(&line->levels[i], behind_its_share);
    }
    return &line->levels[lane->level];
}

void line_push(struct line *line, struct lane *lane)
{
    assert(!lane->line);
    lane->line = line;
    lane->pass = lane->fair ? lane->fair->pass : 0;
    heap_push(heap_of(line, lane), &lane->node);
    line->len++;
}

void line_remove(struct lane *lane)
{
    heap_remove(heap_of(lane->line, lane), &lane->node);
    lane->line->len--;
    lane->line = NULL;
}

void line_touch(struct lane *lane)
{
    if (lane->line->len == 1) /* the only one is the first */
        return;
    heap_update(heap_of(lane->line, lane), &lane->node);
}

/* The pass of a key moves while its lanes stand in several heaps; each learns of it when the lane
 * comes to the top. Passes only grow, so what is at the top then is the least. */
static struct lane *level_best(struct heap *level)
{
    for (;;) {
        struct heap_node *node = heap_top(level);
        struct lane *lane;

        if (!node)
            return NULL;
        lane = CONTAINER_OF(node, struct lane, node);
        if (lane->pass == lane->fair->pass)
            return lane;
        lane->pass = lane->fair->pass;
        heap_update(level, node);
    }
}

struct lane *line_best(struct line *line)
{
    struct heap_node *node = heap_top(&line->by_age);
    struct lane *best = node ? CONTAINER_OF(node, struct lane, node) : NULL;

    for (int i = 0; line->levels && i < ENGINE_PRIORITIES; i++) {
        struct lane *lane = level_best(&line->levels[i]);

        if (lane && (!best || lane_before(lane, best)))
            best = lane;
    }
    return best;
}

void line_fini(struct line *line)
{
    assert(line->len == 0);
    if (line->by_age.less)
        heap_fini(&line->by_age);
    for (int i = 0; line->levels && i < ENGINE_PRIORITIES; i++)
        heap_fini(&line->levels[i]);
    free(line->levels);
    line->levels = NULL;
}

struct fair *fair_get(struct queue *queue, const char *key)
{
    struct map *fairs = &queue->shard->fairs;
    uint64_t hash = hash_mix(hash_text(key), queue->by_name.hash);
    struct fair *fair;

    for (struct map_node *n = map_first(fairs, hash); n; n = map_next(n)) {
        fair = CONTAINER_OF(n, struct fair, by_key);
        if (fair->queue == queue && str_eq(fair->key, key)) {
            fair->lanes++;
            return fair;
        }
    }
    fair = mem_zalloc(sizeof(*fair) + strlen(key) + 1);
    memcpy(fair->key, key, strlen(key) + 1);
    fair->queue = queue;
    fair->lanes = 1;
    map_insert(fairs, &fair->by_key, hash);
    return fair;
}

void fair_release(struct fair *fair)
{
    if (!fair || --fair->lanes > 0)
        return;
    map_remove(&fair->queue->shard->fairs, &fair->by_key);
    free(fair);
}

void fair_wake(struct lane *lane)
{
    struct line *line = &lane->pool->line;
    struct fair *fair = lane->fair;
    struct lane *first;

    if (!fair || fair->active++ > 0)
        return;
    fair->pass = MAX_OF(fair->pass, lane->queue->pass);
    first = line->levels ? level_best(&line->levels[lane->level]) : NULL;
    if (first)
        fair->pass = MAX_OF(fair->pass, first->pass);
}

void fair_sleep(struct lane *lane)
{
    if (lane->fair)
        lane->fair->active--;
}

void fair_charge(struct lane *lane)
{
    struct fair *fair = lane->fair;

    if (!fair)
        return;
    lane->queue->pass = MAX_OF(lane->queue->pass, fair->pass);
    fair->pass += STRIDE / lane->weight;
}
