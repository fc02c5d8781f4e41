/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdlib.h>
#include "base/map.h"

#define MAP_SIZE_MIN 16u

void map_init(struct map *map)
{
    *map = (struct map){0};
}

void map_fini(struct map *map)
{
    free(map->slots);
    map_init(map);
}

static void grow(struct map *map)
{
    size_t size = map->size ? map->size * 2 : MAP_SIZE_MIN;
    struct map_node **slots = mem_zalloc(size * sizeof(struct map_node *));

    for (size_t i = 0; i < map->size; i++) {
        struct map_node *node = map->slots[i];

        while (node) {
            struct map_node *next = node->next;
            struct map_node **slot = &slots[node->hash & (size - 1)];

            node->next = *slot;
            *slot = node;
            node = next;
        }
    }
    free(map->slots);
    map->slots = slots;
    map->size = size;
}

void map_insert(struct map *map, struct map_node *node, uint64_t hash)
{
    struct map_node **slot;

    if (map->used >= map->size)
        grow(map);
    slot = &map->slots[hash & (map->size - 1)];
    node->hash = hash;
    node->next = *slot;
    *slot = node;
    map->used++;
}

void map_remove(struct map *map, struct map_node *node)
{
    struct map_node **link;

    assert(map->size > 0);
    link = &map->slots[node->hash & (map->size - 1)];
    while (*link != node) {
        assert(*link); /* not in this map: a bug of the caller */
        link = &(*link)->next;
    }
    *link = node->next;
    node->next = NULL;
    map->used--;
}

struct map_node *map_first(const struct map *map, uint64_t hash)
{
    struct map_node *node = map->size ? map->slots[hash & (map->size - 1)] : NULL;

    while (node && node->hash != hash)
        node = node->next;
    return node;
}

struct map_node *map_next(const struct map_node *node)
{
    struct map_node *next = node->next;

    while (next && next->hash != node->hash)
        next = next->next;
    return next;
}

struct map_node *map_walk(const struct map *map, struct map_cursor *cursor)
{
    struct map_node *node = cursor->next;

    while (!node && cursor->slot < map->size)
        node = map->slots[cursor->slot++];
    cursor->next = node ? node->next : NULL;
    return node;
}
