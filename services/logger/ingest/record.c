/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/record.h"

#include <assert.h>
#include <zlib.h>
#include "ingest/bytes.h"

size_t frame_begin(struct buf *out)
{
    size_t head = out->len;

    char *room = buf_reserve(out, FRAME_HEAD_BYTES);
    assert(room);
    out->len += FRAME_HEAD_BYTES;
    return head;
}

void frame_end(struct buf *out, size_t head)
{
    size_t len = out->len - head - FRAME_HEAD_BYTES;

    assert(len && len <= RECORD_BYTES_MAX);
    write_u32(write_u32((uint8_t *)out->data + head, (uint32_t)len), 0);
}

static uint32_t frame_crc(uint64_t lsn, const char *payload, size_t len)
{
    uLong crc = crc32(0, (const Bytef *)&lsn, sizeof lsn);

    return (uint32_t)crc32(crc, (const Bytef *)payload, (uInt)len);
}

void frames_seal(char *data, size_t len, uint64_t lsn)
{
    for (size_t at = 0; at < len;) {
        uint32_t payload;
        memcpy(&payload, data + at, sizeof payload);
        uint32_t crc = frame_crc(lsn + at, data + at + FRAME_HEAD_BYTES, payload);
        memcpy(data + at + sizeof payload, &crc, sizeof crc);
        at += FRAME_HEAD_BYTES + payload;
    }
}

static enum frame_outcome frame_take(struct slice *data, uint64_t *lsn, uint64_t *ret_lsn,
                                     struct slice *ret_payload, uint32_t *ret_crc)
{
    struct reader reader = reader_of(*data);
    uint32_t len = read_u32(&reader);

    *ret_crc = read_u32(&reader);
    if (reader.bad)
        return FRAME_CUT;
    if (len == 0 || len > RECORD_BYTES_MAX)
        return FRAME_BAD;
    if (reader_left(&reader) < len)
        return FRAME_CUT;
    *ret_payload = (struct slice){data->data + FRAME_HEAD_BYTES, len};
    *ret_lsn = *lsn;
    data->data += FRAME_HEAD_BYTES + len;
    data->len -= FRAME_HEAD_BYTES + len;
    *lsn += FRAME_HEAD_BYTES + len;
    return FRAME_OK;
}

enum frame_outcome frame_next(struct slice *data, uint64_t *lsn, uint64_t *ret_lsn,
                              struct slice *ret_payload)
{
    struct slice before = *data;
    uint64_t lsn_before = *lsn;
    uint32_t crc;
    enum frame_outcome outcome = frame_take(data, lsn, ret_lsn, ret_payload, &crc);

    if (outcome == FRAME_OK && crc != frame_crc(*ret_lsn, ret_payload->data, ret_payload->len)) {
        *data = before;
        *lsn = lsn_before;
        return FRAME_BAD;
    }
    return outcome;
}

enum frame_outcome frame_next_unchecked(struct slice *data, uint64_t *lsn, uint64_t *ret_lsn,
                                        struct slice *ret_payload)
{
    uint32_t crc;

    return frame_take(data, lsn, ret_lsn, ret_payload, &crc);
}

size_t frame_find(struct slice data, uint64_t lsn)
{
    for (size_t at = 0; at + FRAME_BYTES_MIN <= data.len; at++) {
        struct slice rest = {data.data + at, data.len - at}, payload;
        uint64_t here = lsn + at, begin;
        if (frame_next(&rest, &here, &begin, &payload) == FRAME_OK)
            return at;
    }
    return data.len;
}

void frames_void(char *data, size_t len, uint64_t lsn)
{
    for (size_t at = 0; at < len;) {
        size_t part = MIN_OF(len - at, RECORD_BYTES_MAX);
        if (len - at - part > 0 && len - at - part < FRAME_BYTES_MIN)
            part -= FRAME_BYTES_MIN;
        memset(data + at, 0, part);
        write_u32((uint8_t *)data + at, (uint32_t)(part - FRAME_HEAD_BYTES));
        data[at + FRAME_HEAD_BYTES] = RECORD_VOID;
        at += part;
    }
    frames_seal(data, len, lsn);
}
