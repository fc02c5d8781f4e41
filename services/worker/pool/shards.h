/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POOL_SHARDS_H
#define POOL_SHARDS_H
/*
 * What the worker knows of each shard: the highest epoch seen (floor), the nonce of the current
 * session, the stream that carries it, and everything held of it. A lease counts only with the
 * current nonce on the current stream: that is what makes "the worker does not hold it" final for
 * the owner.
 */
#include "base/list.h"
#include "base/map.h"

/* What the pool sees of a stream to a controller; part of the session's own struct. */
struct uplink {
    struct list outbox; /* finished attempts whose results are to be sent on it */
};
struct shard {
    struct map_node node;
    uint32_t number;
    uint32_t floor;
    uint64_t nonce;        /* 0 = no session */
    struct uplink *uplink; /* that carries the session; NULL = none */
    uint64_t opened_us;    /* when the session began */
    struct list held;      /* attempts, oldest first */
    struct list gone; /* attempts that died with an earlier process and are not yet forgotten */
    size_t held_count, gone_count;
};
struct shards {
    struct map map;
};

void shards_init(struct shards *shards);
void shards_fini(struct shards *shards);                          /* nothing may be held any more */
struct shard *shards_get(struct shards *shards, uint32_t number); /* made when new */
struct shard *shards_find(const struct shards *shards, uint32_t number);

enum take_outcome { TAKE_ACCEPTED, TAKE_REFUSED };
/* A controller says that it owns the shard under this epoch. Accepted: a new session with a new
 * nonce; the old one is dead. */
enum take_outcome shard_take(struct shard *shard, uint32_t epoch, struct uplink *uplink,
                             uint64_t nonce, uint64_t now_us);
/* The stream is gone: its sessions end, what is held stays. */
void shards_lose(struct shards *shards, const struct uplink *uplink);
bool shard_accepts(const struct shard *shard, const struct uplink *uplink, uint64_t nonce);

#endif
