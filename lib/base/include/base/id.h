/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ID_H
#define BASE_ID_H
/*
 * Ids are UUIDv7 (RFC 9562, 5.7): 48 bits of Unix milliseconds, then the 12 bits of rand_a hold the
 * shard, then 62 bits of rand_b. Text form is the canonical lower-case one. The shard and the time
 * are read from the id, never looked up.
 */
#include "base/macros.h"

#define ID_BYTES 16
#define ID_TEXT_BYTES 37 /* 36 characters and a NUL */
#define SHARDS_MAX 4096

struct id {
    uint8_t bytes[ID_BYTES];
};

struct id id_make(uint64_t unix_ms, uint16_t shard,
                  uint64_t random); /* the low 62 bits of random are used */
/* A child's id: time and shard of the parent, the rest from hashing the parent's id, text and
 * index: the same every time. */
struct id id_derive(const struct id *parent, const char *text, uint64_t index);
bool id_parse(const char *text, struct id *ret); /* strict: 36 characters, version 7, variant 10 */
void id_format(const struct id *id, char out[ID_TEXT_BYTES]);
uint16_t id_shard(const struct id *id);
uint64_t id_unix_ms(const struct id *id);
uint64_t id_hash(const struct id *id);
bool id_is_nil(const struct id *id);
static inline bool id_eq(const struct id *a, const struct id *b)
{
    return __builtin_memcmp(a->bytes, b->bytes, ID_BYTES) == 0;
}
static inline int id_cmp(const struct id *a, const struct id *b)
{
    return __builtin_memcmp(a->bytes, b->bytes, ID_BYTES);
}

#endif
