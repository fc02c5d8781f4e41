/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEMA_WIRE_H
#define SCHEMA_WIRE_H
/*
 * Reads protobuf wire format field by field: just enough for descriptors, whose extensions
 * protobuf-c would leave behind as unknown bytes. Bounds are checked at every step.
 */
#include "base/arena.h"
#include "base/slice.h"

struct wire {
    const char *next, *end;
    bool bad; /* the bytes were malformed; sticky */
};
struct wire_field {
    uint32_t number;
    uint8_t type; /* 0 varint, 1 fixed64, 2 bytes, 5 fixed32 */
    uint64_t value;
    struct slice bytes;
};

struct wire wire_of(struct slice bytes);
bool wire_next(struct wire *wire, struct wire_field *ret); /* false at the end or when bad */
bool wire_varint(struct wire *wire, uint64_t *ret);
/* Fields with this number, at this level. */
size_t wire_count(struct slice bytes, uint32_t number);
char *wire_text(struct arena *arena, struct slice bytes);

#endif
