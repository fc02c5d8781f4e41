/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_MAP_H
#define BASE_MAP_H
/*
 * Intrusive hash map: the entry embeds a map_node, the caller compares keys. Chained, grows by
 * doubling, never shrinks. for (struct map_node *n = map_first(&m, hash); n; n = map_next(n)) if
 * (key matches CONTAINER_OF(n, …)) …
 */
#include "base/macros.h"

struct map_node {
    struct map_node *next;
    uint64_t hash;
};
struct map {
    struct map_node **slots;
    size_t size, used; /* size: a power of two, or 0 */
};

void map_init(struct map *map);
void map_fini(struct map *map); /* frees the table, not the entries */
void map_insert(struct map *map, struct map_node *node, uint64_t hash);
void map_remove(struct map *map, struct map_node *node); /* must be in the map */
struct map_node *map_first(const struct map *map, uint64_t hash);
struct map_node *map_next(const struct map_node *node); /* next with the same hash */
/* Walks everything: `size_t pos = 0; while ((n = map_walk(map, &pos)))`; the entry just returned
 * may be removed. */
struct map_cursor {
    size_t slot;
    struct map_node *next;
};
struct map_node *map_walk(const struct map *map,
                          struct map_cursor *cursor); /* start from a zeroed cursor */

/* SipHash-1-3 keyed by a process-wide seed (0 until hash_seed is called once at start): safe for
 * keys from outside. */
void hash_seed(uint64_t k0, uint64_t k1);
uint64_t hash_bytes(const void *data, size_t len);
uint64_t hash_text(const char *text);
/* The same with a given key, for values that must not change between processes. */
uint64_t hash_keyed(uint64_t k0, uint64_t k1, const void *data, size_t len);

#endif
