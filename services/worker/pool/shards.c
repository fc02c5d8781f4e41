/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdlib.h>
#include "pool/shards.h"

void shards_init(struct shards *shards)
{
    map_init(&shards->map);
}

void shards_fini(struct shards *shards)
{
    struct map_cursor cursor = {0};

    for (struct map_node *node; (node = map_walk(&shards->map, &cursor));) {
        struct shard *shard = CONTAINER_OF(node, struct shard, node);
        assert(list_empty(&shard->held) && list_empty(&shard->gone));
        map_remove(&shards->map, node);
        free(shard);
    }
    map_fini(&shards->map);
}

struct shard *shards_find(const struct shards *shards, uint32_t number)
{
    for (struct map_node *node = map_first(&shards->map, number); node; node = map_next(node)) {
        struct shard *shard = CONTAINER_OF(node, struct shard, node);
        if (shard->number == number)
            return shard;
    }
    return NULL;
}

struct shard *shards_get(struct shards *shards, uint32_t number)
{
    struct shard *shard = shards_find(shards, number);

    if (shard)
        return shard;
    shard = mem_zalloc(sizeof *shard);
    shard->number = number;
    list_init(&shard->held);
    list_init(&shard->gone);
    map_insert(&shards->map, &shard->node, number);
    return shard;
}

enum take_outcome shard_take(struct shard *shard, uint32_t epoch, struct uplink *uplink,
                             uint64_t nonce, uint64_t now_us)
{
    if (epoch < shard->floor)
        return TAKE_REFUSED;
    shard->floor = epoch;
    shard->uplink = uplink;
    shard->nonce = nonce;
    shard->opened_us = now_us;
    return TAKE_ACCEPTED;
}

void shards_lose(struct shards *shards, const struct uplink *uplink)
{
    struct map_cursor cursor = {0};

    for (struct map_node *node; (node = map_walk(&shards->map, &cursor));) {
        struct shard *shard = CONTAINER_OF(node, struct shard, node);
        if (shard->uplink != uplink)
            continue;
        shard->uplink = NULL;
        shard->nonce = 0;
    }
}

bool shard_accepts(const struct shard *shard, const struct uplink *uplink, uint64_t nonce)
{
    return nonce != 0 && shard->uplink == uplink && shard->nonce == nonce;
}
