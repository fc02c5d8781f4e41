/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frame headers as they come, before nghttp2 has them. After its own END_STREAM or RST_STREAM a
 * peer may send nothing more on a stream (RFC 9113 section 5.1). nghttp2 can tell such a frame from
 * one that crossed our own reset only by keeping closed streams: 1,024 of them, 300 KB for each
 * connection that has worked. The last few ids are enough.
 */
#include "internal.h"

static void note_ended(struct h2_scan *scan, uint32_t id)
{
    scan->ended[scan->ended_next++ % H2_ENDED_KEPT] = id;
    scan->ended_highest = MAX_OF(scan->ended_highest, id);
}

static bool was_ended(const struct h2_scan *scan, uint32_t id)
{
    if (id > scan->ended_highest)
        return false;
    for (size_t i = 0; i < H2_ENDED_KEPT; i++) {
        if (scan->ended[i] == id)
            return true;
    }
    return false;
}

/* False for a frame that must not be. */
static bool frame_may_come(struct h2_scan *scan, const uint8_t *head)
{
    uint8_t type = head[3], flags = head[4];
    uint32_t id = (uint32_t)head[5] << 24 | (uint32_t)head[6] << 16 | (uint32_t)head[7] << 8 |
                  (uint32_t)head[8];

    id &= INT32_MAX; /* the reserved bit */
    if (scan->in_block || id == 0) {
        /* Within a header block only CONTINUATION may come: nghttp2 sees to that. */
        scan->in_block =
            scan->in_block && !(type == NGHTTP2_CONTINUATION && flags & NGHTTP2_FLAG_END_HEADERS);
        return true;
    }
    scan->in_block = type == NGHTTP2_HEADERS && !(flags & NGHTTP2_FLAG_END_HEADERS);
    if (type == NGHTTP2_RST_STREAM) {
        note_ended(scan, id);
    } else if (type == NGHTTP2_DATA || type == NGHTTP2_HEADERS) {
        if (was_ended(scan, id))
            return false;
        if (flags & NGHTTP2_FLAG_END_STREAM)
            note_ended(scan, id);
    }
    return true;
}

/* The next frame header at the bytes, or NULL while a part of it is still to come. */
static const uint8_t *next_head(struct h2_scan *scan, const uint8_t *data, size_t left,
                                size_t *ret_used)
{
    size_t n = H2_FRAME_HEAD_BYTES - scan->have;

    *ret_used = n = MIN_OF(left, n);
    if (n == H2_FRAME_HEAD_BYTES)
        return data;
    memcpy(scan->head + scan->have, data, n);
    scan->have = (uint8_t)(scan->have + n);
    if (scan->have < H2_FRAME_HEAD_BYTES)
        return NULL;
    scan->have = 0;
    return scan->head;
}

size_t h2__scan(struct h2_scan *scan, struct slice bytes)
{
    const uint8_t *data = (const uint8_t *)bytes.data, *head;
    size_t at = 0, used;

    while (at < bytes.len) {
        if (scan->skip > 0) {
            used = MIN_OF(bytes.len - at, (size_t)scan->skip);
            scan->skip -= (uint32_t)used;
            at += used;
            continue;
        }
        head = next_head(scan, data + at, bytes.len - at, &used);
        if (head) {
            scan->skip = (uint32_t)head[0] << 16 | (uint32_t)head[1] << 8 | head[2];
            if (!frame_may_come(scan, head))
                return at;
        }
        at += used;
    }
    return bytes.len;
}
