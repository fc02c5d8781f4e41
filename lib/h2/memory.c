/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Free lists for nghttp2, which allocates a dozen small objects per call: measured, this saves 7 %
 * of the instructions of a unary call. A block begins with its class, since free is not told the
 * size. Per thread: a session stays on the thread of its loop.
 */
#include <stdlib.h>
#include "internal.h"

#define CLASS_BYTES 64                 /* classes are multiples of it */
#define CLASS_COUNT 16                 /* up to 1 KiB; larger ones go to malloc */
#define CLASS_SPARE_BYTES (256u << 10) /* kept per class: at most 4 MiB in all */
#define CLASS_LARGE 0xff

struct block {
    union {
        struct block *next;
        struct {
            size_t bytes; /* asked for, for realloc of large blocks */
            size_t class;
        } used;
        char align[16];
    };
};

static _Thread_local struct block *spare[CLASS_COUNT];
static _Thread_local unsigned spare_count[CLASS_COUNT];

static void *memory_malloc(size_t size, void *userdata)
{
    size_t class = (size + CLASS_BYTES - 1) / CLASS_BYTES;
    struct block *block;

    (void)userdata;
    class = class ? class - 1 : 0;
    if (class >= CLASS_COUNT) {
        block = mem_alloc(sizeof *block + size);
        block->used.class = CLASS_LARGE;
    } else if (spare[class]) {
        block = spare[class];
        spare[class] = block->next;
        spare_count[class]--;
        block->used.class = class;
    } else {
        block = mem_alloc(sizeof *block + (class + 1) * CLASS_BYTES);
        block->used.class = class;
    }
    block->used.bytes = size;
    return block + 1;
}

static void memory_free(void *ptr, void *userdata)
{
    struct block *block = ptr;

    (void)userdata;
    if (!ptr)
        return;
    block--;
    size_t class = block->used.class;
    if (class == CLASS_LARGE ||
        spare_count[class] >= CLASS_SPARE_BYTES / ((class + 1) * CLASS_BYTES)) {
        free(block);
        return;
    }
    block->next = spare[class];
    spare[class] = block;
    spare_count[class]++;
}

static void *memory_calloc(size_t n, size_t size, void *userdata)
{
    void *ptr;

    if (size && n > SIZE_MAX / size)
        return NULL;
    ptr = memory_malloc(n * size, userdata);
    memset(ptr, 0, n * size);
    return ptr;
}

static void *memory_realloc(void *ptr, size_t size, void *userdata)
{
    struct block *block = ptr;

    if (!ptr)
        return memory_malloc(size, userdata);
    block--;
    if (block->used.class != CLASS_LARGE && size <= (block->used.class + 1) * CLASS_BYTES) {
        block->used.bytes = size;
        return ptr;
    }
    void *moved = memory_malloc(size, userdata);
    memcpy(moved, ptr, MIN_OF(block->used.bytes, size));
    memory_free(ptr, userdata);
    return moved;
}

nghttp2_mem *h2__memory(void)
{
    static nghttp2_mem memory = {NULL, memory_malloc, memory_free, memory_calloc, memory_realloc};

    return &memory;
}
