/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H
/*
 * Bump allocator for things that die together (a call, a batch, a compiled plan). Nothing is freed
 * alone. Alignment 16. Not thread safe. bytes_max bounds what arena_try_alloc may hand out to input
 * of unknown size; plain allocations abort on out of memory like mem_alloc and ignore the bound.
 * Hooks run in reverse order at reset and fini.
 */
#include "base/macros.h"

struct arena_chunk;
struct arena_hook;
struct arena {
    struct arena_chunk *chunks;
    struct arena_hook *hooks;
    char *next, *end;
    size_t used_bytes;  /* handed out since init or reset */
    size_t bytes_max;   /* 0 = no bound */
    size_t chunk_bytes; /* size of the next chunk */
};

void arena_init(struct arena *arena, size_t bytes_max);
void arena_fini(struct arena *arena);  /* runs hooks, frees all; may be called twice */
void arena_reset(struct arena *arena); /* runs hooks, keeps one chunk for reuse */
struct arena *arena_new(size_t bytes_max);
void arena_free(struct arena *arena); /* NULL allowed */
void arena_freep(struct arena **arena);

void *arena_alloc(struct arena *arena, size_t bytes);
void *arena_zalloc(struct arena *arena, size_t bytes);
void *arena_try_alloc(struct arena *arena, size_t bytes); /* NULL when bytes_max would be passed */
void *arena_memdup(struct arena *arena, const void *data, size_t bytes);
char *arena_strdup(struct arena *arena, const char *text); /* NULL gives NULL */
char *arena_strndup(struct arena *arena, const char *text, size_t len);
char *arena_printf(struct arena *arena, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Ties another resource to the arena's life. */
void arena_on_reset(struct arena *arena, void (*fn)(void *ptr), void *ptr);

#define ARENA_NEW(arena, type) ((type *)arena_zalloc((arena), sizeof(type)))
#define ARENA_ARRAY(arena, type, n) ((type *)arena_zalloc((arena), sizeof(type) * (size_t)(n)))

#endif
