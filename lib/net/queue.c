/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <sys/uio.h>
#include "internal.h"

/* Chunks are reused: under load each stream takes one and gives it back in every turn. */
static _Thread_local struct net_chunk *spare_chunks;
static _Thread_local size_t spare_count;

static struct net_chunk *chunk_take(void)
{
    struct net_chunk *chunk = spare_chunks;

    if (chunk) {
        spare_chunks = chunk->next;
        spare_count--;
    } else {
        chunk = mem_alloc(sizeof *chunk);
    }
    chunk->next = NULL;
    chunk->begin = chunk->end = 0;
    return chunk;
}

static void chunk_give(struct net_chunk *chunk)
{
    if (spare_count >= NET_CHUNKS_SPARE_MAX) {
        free(chunk);
        return;
    }
    chunk->next = spare_chunks;
    spare_chunks = chunk;
    spare_count++;
}

void net__queue_add(struct net_queue *queue, const void *data, size_t len)
{
    const char *from = data;

    queue->bytes += len;
    while (len > 0) {
        struct net_chunk *last = queue->last;
        if (!last || last->end == NET_CHUNK_BYTES) {
            struct net_chunk *chunk = chunk_take();
            if (last)
                last->next = chunk;
            else
                queue->first = chunk;
            queue->last = last = chunk;
        }
        size_t n = MIN_OF(len, (size_t)NET_CHUNK_BYTES - last->end);
        memcpy(last->data + last->end, from, n);
        last->end += (uint32_t)n;
        from += n;
        len -= n;
    }
}

size_t net__queue_iov(const struct net_queue *queue, struct iovec *iov)
{
    size_t n = 0;

    for (struct net_chunk *chunk = queue->first; chunk && n < NET_IOV_MAX; chunk = chunk->next)
        iov[n++] = (struct iovec){chunk->data + chunk->begin, chunk->end - chunk->begin};
    return n;
}

void net__queue_consume(struct net_queue *queue, size_t len)
{
    queue->bytes -= len;
    while (len > 0 || (queue->first && queue->first->begin == queue->first->end)) {
        struct net_chunk *chunk = queue->first;
        size_t n = MIN_OF(len, (size_t)(chunk->end - chunk->begin));
        chunk->begin += (uint32_t)n;
        len -= n;
        if (chunk->begin < chunk->end)
            break;
        queue->first = chunk->next;
        if (!queue->first)
            queue->last = NULL;
        chunk_give(chunk);
    }
}

void net__queue_clear(struct net_queue *queue)
{
    while (queue->first) {
        struct net_chunk *chunk = queue->first;
        queue->first = chunk->next;
        chunk_give(chunk);
    }
    *queue = (struct net_queue){0};
}
