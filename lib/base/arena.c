/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/arena.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#define POISON(ptr, bytes) ASAN_POISON_MEMORY_REGION((ptr), (bytes))
#define UNPOISON(ptr, bytes) ASAN_UNPOISON_MEMORY_REGION((ptr), (bytes))
#define REDZONE_BYTES 16u /* stays poisoned between two allocations, so that overruns are seen */
#else
#define POISON(ptr, bytes) ((void)(ptr), (void)(bytes))
#define UNPOISON(ptr, bytes) ((void)(ptr), (void)(bytes))
#define REDZONE_BYTES 0u
#endif

#define ARENA_ALIGN 16u
#define CHUNK_BYTES_FIRST 1024u
#define CHUNK_BYTES_MAX (64u * 1024u)
/* A larger chunk is given back at reset, so that one huge call does not hold its memory for ever.
 */
#define CHUNK_BYTES_KEEP_MAX CHUNK_BYTES_MAX

struct arena_chunk {
    struct arena_chunk *next;
    size_t bytes; /* of data */
    _Alignas(16) char data[];
};

struct arena_hook {
    struct arena_hook *next;
    void (*fn)(void *ptr);
    void *ptr;
};

void arena_init(struct arena *arena, size_t bytes_max)
{
    *arena = (struct arena){.bytes_max = bytes_max, .chunk_bytes = CHUNK_BYTES_FIRST};
}

static void run_hooks(struct arena *arena)
{
    /* A hook may tie a further resource, so the head is read again each time. */
    while (arena->hooks) {
        struct arena_hook *hook = arena->hooks;

        arena->hooks = hook->next;
        hook->fn(hook->ptr);
    }
}

static void chunk_free(struct arena_chunk *chunk)
{
    UNPOISON(chunk->data, chunk->bytes);
    free(chunk);
}

void arena_fini(struct arena *arena)
{
    run_hooks(arena);
    while (arena->chunks) {
        struct arena_chunk *chunk = arena->chunks;

        arena->chunks = chunk->next;
        chunk_free(chunk);
    }
    arena_init(arena, arena->bytes_max);
}

void arena_reset(struct arena *arena)
{
    struct arena_chunk *keep = NULL;

    run_hooks(arena);
    while (arena->chunks) {
        struct arena_chunk *chunk = arena->chunks;

        arena->chunks = chunk->next;
        if (chunk->bytes <= CHUNK_BYTES_KEEP_MAX && (!keep || chunk->bytes > keep->bytes)) {
            if (keep)
                chunk_free(keep);
            keep = chunk;
        } else {
            chunk_free(chunk);
        }
    }
    arena->used_bytes = 0;
    arena->next = arena->end = NULL;
    if (!keep)
        return;
    keep->next = NULL;
    arena->chunks = keep;
    arena->next = keep->data;
    arena->end = keep->data + keep->bytes;
    POISON(keep->data, keep->bytes);
}

struct arena *arena_new(size_t bytes_max)
{
    struct arena *arena = mem_alloc(sizeof(*arena));

    arena_init(arena, bytes_max);
    return arena;
}

void arena_free(struct arena *arena)
{
    if (!arena)
        return;
    arena_fini(arena);
    free(arena);
}

void arena_freep(struct arena **arena)
{
    arena_free(*arena);
    *arena = NULL;
}

static struct arena_chunk *chunk_new(size_t bytes)
{
    struct arena_chunk *chunk = mem_alloc(sizeof(*chunk) + bytes);

    chunk->bytes = bytes;
    POISON(chunk->data, bytes);
    return chunk;
}

/* Large blocks get a chunk of their own behind the current one, whose free tail stays in use. */
static char *alloc_slow(struct arena *arena, size_t bytes)
{
    struct arena_chunk *chunk;

    if (arena->chunk_bytes == 0)
        arena->chunk_bytes = CHUNK_BYTES_FIRST; /* a zeroed arena works too */
    if (bytes > arena->chunk_bytes / 4 && arena->chunks) {
        chunk = chunk_new(bytes);
        chunk->next = arena->chunks->next;
        arena->chunks->next = chunk;
        return chunk->data;
    }
    while (arena->chunk_bytes < bytes && arena->chunk_bytes < CHUNK_BYTES_MAX)
        arena->chunk_bytes *= 2;
    chunk = chunk_new(MAX_OF(bytes, arena->chunk_bytes));
    if (arena->chunk_bytes < CHUNK_BYTES_MAX)
        arena->chunk_bytes *= 2;
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    arena->next = chunk->data + bytes;
    arena->end = chunk->data + chunk->bytes;
    return chunk->data;
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
    size_t room;
    char *ptr;

    assert(bytes < SIZE_MAX / 2); /* a negative length that was cast */
    room = (MAX_OF(bytes, 1u) + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    arena->used_bytes += room;
    room += REDZONE_BYTES;
    if ((size_t)(arena->end - arena->next) >= room) {
        ptr = arena->next;
        arena->next += room;
    } else {
        ptr = alloc_slow(arena, room);
    }
    UNPOISON(ptr, bytes);
    return ptr;
}

void *arena_zalloc(struct arena *arena, size_t bytes)
{
    void *ptr = arena_alloc(arena, bytes);

    memset(ptr, 0, bytes);
    return ptr;
}

void *arena_try_alloc(struct arena *arena, size_t bytes)
{
    if (arena->bytes_max &&
        (arena->used_bytes > arena->bytes_max || bytes > arena->bytes_max - arena->used_bytes))
        return NULL;
    if (bytes >= SIZE_MAX / 2)
        return NULL;
    return arena_alloc(arena, bytes);
}

void *arena_memdup(struct arena *arena, const void *data, size_t bytes)
{
    void *copy = arena_alloc(arena, bytes);

    if (bytes)
        memcpy(copy, data, bytes);
    return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
    return text ? arena_memdup(arena, text, strlen(text) + 1) : NULL;
}

char *arena_strndup(struct arena *arena, const char *text, size_t len)
{
    size_t n = text ? strnlen(text, len) : 0;
    char *copy = arena_alloc(arena, n + 1);

    if (n)
        memcpy(copy, text, n);
    copy[n] = '\0';
    return copy;
}

char *arena_printf(struct arena *arena, const char *fmt, ...)
{
    va_list args;
    char *text;
    int len;

    va_start(args, fmt);
    len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    assert(len >= 0); /* only a broken format can fail */
    text = arena_alloc(arena, (size_t)len + 1);
    va_start(args, fmt);
    vsnprintf(text, (size_t)len + 1, fmt, args);
    va_end(args);
    return text;
}

void arena_on_reset(struct arena *arena, void (*fn)(void *ptr), void *ptr)
{
    struct arena_hook *hook = ARENA_NEW(arena, struct arena_hook);

    hook->fn = fn;
    hook->ptr = ptr;
    hook->next = arena->hooks;
    arena->hooks = hook;
}
