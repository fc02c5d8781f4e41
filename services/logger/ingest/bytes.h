/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INGEST_BYTES_H
#define INGEST_BYTES_H
/* Reading and writing of the logger's own binary forms: little-endian words and varints, always
 * within bounds. A reader that ran past its end reads zeros from then on and says so once, at the
 * end, by `bad`. */
#include <string.h>
#include "base/id.h"
#include "base/slice.h"

#define VARINT_BYTES_MAX 10

struct reader {
    const uint8_t *at, *end;
    bool bad;
};

static inline struct reader reader_of(struct slice data)
{
    return (struct reader){(const uint8_t *)data.data, (const uint8_t *)data.data + data.len,
                           false};
}

static inline size_t reader_left(const struct reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

static inline bool reader_has(struct reader *reader, size_t len)
{
    if (!reader->bad && reader_left(reader) >= len)
        return true;
    reader->bad = true;
    return false;
}

static inline struct slice read_slice(struct reader *reader, size_t len)
{
    if (!reader_has(reader, len))
        return (struct slice){NULL, 0};
    struct slice part = {(const char *)reader->at, len};
    reader->at += len;
    return part;
}

/* The machine is little-endian (checked where the program is built, see lines.c). */
#define READ_WORD(name_, type_)                                                                    \
    static inline type_ name_(struct reader *reader)                                               \
    {                                                                                              \
        type_ value = 0;                                                                           \
        if (reader_has(reader, sizeof value)) {                                                    \
            memcpy(&value, reader->at, sizeof value);                                              \
            reader->at += sizeof value;                                                            \
        }                                                                                          \
        return value;                                                                              \
    }
READ_WORD(read_u8, uint8_t)
READ_WORD(read_u16, uint16_t)
READ_WORD(read_u32, uint32_t)
READ_WORD(read_u64, uint64_t)
#undef READ_WORD

static inline struct id read_id(struct reader *reader)
{
    struct slice part = read_slice(reader, ID_BYTES);
    struct id id = {{0}};

    if (part.len)
        memcpy(id.bytes, part.data, ID_BYTES);
    return id;
}

static inline uint64_t read_varint(struct reader *reader)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (!reader_has(reader, 1))
            return 0;
        uint8_t byte = *reader->at++;
        value |= (uint64_t)(byte & 0x7f) << (shift & 63);
        if (!(byte & 0x80))
            return value;
    }
    reader->bad = true;
    return 0;
}

/* Writers return the place behind what they wrote; the caller has made room. */
static inline uint8_t *write_bytes(uint8_t *at, const void *data, size_t len)
{
    if (len)
        memcpy(at, data, len);
    return at + len;
}

static inline uint8_t *write_u16(uint8_t *at, uint16_t value)
{
    return write_bytes(at, &value, sizeof value);
}

static inline uint8_t *write_u32(uint8_t *at, uint32_t value)
{
    return write_bytes(at, &value, sizeof value);
}

static inline uint8_t *write_u64(uint8_t *at, uint64_t value)
{
    return write_bytes(at, &value, sizeof value);
}

static inline uint8_t *write_varint(uint8_t *at, uint64_t value)
{
    while (value >= 0x80) {
        *at++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *at++ = (uint8_t)value;
    return at;
}

#endif
