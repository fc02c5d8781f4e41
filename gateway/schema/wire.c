/* SPDX-License-Identifier: Apache-2.0 */
#include "wire.h"

#define VARINT_BYTES_MAX 10

struct wire wire_of(struct slice bytes)
{
    return (struct wire){.next = bytes.data, .end = bytes.data + bytes.len};
}

bool wire_varint(struct wire *wire, uint64_t *ret)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < VARINT_BYTES_MAX && wire->next < wire->end; i++) {
        uint8_t byte = (uint8_t)*wire->next++;

        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (!(byte & 0x80)) {
            *ret = value;
            return true;
        }
    }
    wire->bad = true;
    return false;
}

static bool take(struct wire *wire, uint64_t len, struct slice *ret)
{
    if (len > (uint64_t)(wire->end - wire->next)) {
        wire->bad = true;
        return false;
    }
    *ret = (struct slice){wire->next, (size_t)len};
    wire->next += len;
    return true;
}

bool wire_next(struct wire *wire, struct wire_field *ret)
{
    uint64_t tag, len;

    if (wire->bad || wire->next >= wire->end || !wire_varint(wire, &tag))
        return false;
    *ret = (struct wire_field){.number = (uint32_t)(tag >> 3), .type = (uint8_t)(tag & 7)};
    switch (ret->type) {
    case 0:
        return wire_varint(wire, &ret->value);
    case 1:
        return take(wire, 8, &ret->bytes);
    case 2:
        return wire_varint(wire, &len) && take(wire, len, &ret->bytes);
    case 5:
        return take(wire, 4, &ret->bytes);
    default: /* groups are not used by descriptors */
        wire->bad = true;
        return false;
    }
}

size_t wire_count(struct slice bytes, uint32_t number)
{
    struct wire wire = wire_of(bytes);
    struct wire_field field;
    size_t n = 0;

    while (wire_next(&wire, &field))
        n += field.number == number;
    return n;
}

char *wire_text(struct arena *arena, struct slice bytes)
{
    return arena_strndup(arena, bytes.len ? bytes.data : "", bytes.len);
}
