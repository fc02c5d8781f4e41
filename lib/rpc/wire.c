/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A walk over the wire bytes before protobuf-c sees them: it neither bounds recursion nor checks
 * UTF-8, and cuts strings at NUL. The walk allocates nothing and its stack is bounded by
 * RPC_DEPTH_MAX.
 */
#include <ctype.h>
#include <stdio.h>
#include "base/text.h"
#include "internal.h"

enum wire_type { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

/* Where we are, for error messages: built by the recursion, read only when something is wrong. */
struct wire_place {
    const struct wire_place *parent;
    const ProtobufCFieldDescriptor *field;
    uint32_t index;
    uint32_t depth;
};
struct wire_walk {
    bool reject_unknown;
    uint32_t elements;
    struct error *err;
};

static void place_format(const struct wire_place *place, char *out, size_t out_bytes)
{
    size_t n;

    if (!place || !place->field) {
        out[0] = '\0';
        return;
    }
    place_format(place->parent, out, out_bytes);
    n = strlen(out);
    if (n > 0 && n + 1 < out_bytes)
        out[n++] = '.';
    /* snake_case to the lowerCamelCase of the JSON form */
    for (const char *c = place->field->name; *c && n + 1 < out_bytes; c++) {
        if (*c == '_' && c[1])
            out[n++] = (char)toupper((unsigned char)*++c);
        else
            out[n++] = *c;
    }
    out[n] = '\0';
    if (place->field->label == PROTOBUF_C_LABEL_REPEATED)
        snprintf(out + n, out_bytes - n, "[%u]", place->index);
}

static enum status wire_refuse(const struct wire_walk *walk, const struct wire_place *place,
                               enum status status, const char *reason, const char *what)
{
    char field[sizeof walk->err->field];

    place_format(place, field, sizeof field);
    return error_field(walk->err, status, reason, field, "%s%s%s", field, field[0] ? ": " : "",
                       what);
}

static enum status wire_malformed(const struct wire_walk *walk, const char *what)
{
    return error_set(walk->err, STATUS_INTERNAL, "malformed protobuf message: %s", what);
}

static bool read_varint(const uint8_t **at, const uint8_t *end, uint64_t *ret)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 70 && *at < end; shift += 7) {
        uint8_t byte = *(*at)++;
        value |= (uint64_t)(byte & 0x7f) << (shift & 63);
        if (!(byte & 0x80)) {
            *ret = value;
            return true;
        }
    }
    return false;
}

static const ProtobufCFieldDescriptor *find_field(const ProtobufCMessageDescriptor *desc,
                                                  uint32_t number, unsigned *hint)
{
    /* Fields mostly come in order, or the same again when repeated. */
    for (unsigned i = *hint; i < desc->n_fields && i <= *hint + 1; i++) {
        if (desc->fields[i].id == number) {
            *hint = i;
            return &desc->fields[i];
        }
    }
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(desc, number);
    if (field)
        *hint = (unsigned)(field - desc->fields);
    return field;
}

static bool type_is_scalar_of(const ProtobufCFieldDescriptor *field, enum wire_type type)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return type == WIRE_32;
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return type == WIRE_64;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return false;
    default:
        return type == WIRE_VARINT;
    }
}

static enum status wire_message(struct wire_walk *walk, const ProtobufCMessageDescriptor *desc,
                                const uint8_t *at, const uint8_t *end,
                                const struct wire_place *place);

/* A length-delimited field: text, bytes, a message, or packed numbers. */
static enum status wire_delimited(struct wire_walk *walk, const uint8_t *at, size_t len,
                                  const struct wire_place *place)
{
    const ProtobufCFieldDescriptor *field = place->field;

    if (++walk->elements > RPC_ELEMENTS_MAX)
        return wire_refuse(walk, place, STATUS_RESOURCE_EXHAUSTED, "TOO_MANY_ELEMENTS",
                           "more than 1000000 elements");
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        if (memchr(at, 0, len))
            return wire_refuse(walk, place, STATUS_INTERNAL, "NUL_IN_STRING",
                               "a NUL character in a string");
        if (!text_is_utf8((const char *)at, len))
            return wire_refuse(walk, place, STATUS_INTERNAL, "INVALID_UTF8", "not valid UTF-8");
        return STATUS_OK;
    case PROTOBUF_C_TYPE_BYTES:
        return STATUS_OK;
    case PROTOBUF_C_TYPE_MESSAGE:
        if (place->depth >= RPC_DEPTH_MAX)
            return wire_refuse(walk, place, STATUS_INTERNAL, "TOO_DEEP", "nested deeper than 32");
        return wire_message(walk, field->descriptor, at, at + len, place);
    default:
        /* Packed numbers; protobuf-c checks them. */
        if (field->label != PROTOBUF_C_LABEL_REPEATED)
            return wire_malformed(walk, "wrong wire type");
        return STATUS_OK;
    }
}

static enum status wire_skip(struct wire_walk *walk, enum wire_type type, const uint8_t **at,
                             const uint8_t *end, const uint8_t **ret_data, size_t *ret_len)
{
    uint64_t value;

    *ret_data = *at;
    *ret_len = 0;
    switch (type) {
    case WIRE_VARINT:
        return read_varint(at, end, &value) ? STATUS_OK : wire_malformed(walk, "cut short");
    case WIRE_64:
    case WIRE_32:
        *ret_len = type == WIRE_64 ? 8 : 4;
        break;
    case WIRE_BYTES:
        if (!read_varint(at, end, &value) || value > (uint64_t)(end - *at))
            return wire_malformed(walk, "cut short");
        *ret_data = *at;
        *ret_len = (size_t)value;
        break;
    default:
        return wire_malformed(walk, "groups are not supported");
    }
    if (*ret_len > (size_t)(end - *at))
        return wire_malformed(walk, "cut short");
    *at += *ret_len;
    return STATUS_OK;
}

static enum status wire_unknown(struct wire_walk *walk, const ProtobufCMessageDescriptor *desc,
                                const struct wire_place *place, uint64_t number)
{
    char what[160];

    if (!walk->reject_unknown)
        return STATUS_OK;
    snprintf(what, sizeof what, "%s has no field with number %llu", desc->name,
             (unsigned long long)number);
    return wire_refuse(walk, place, STATUS_INVALID_ARGUMENT, "UNKNOWN_FIELD", what);
}

static enum status wire_message(struct wire_walk *walk, const ProtobufCMessageDescriptor *desc,
                                const uint8_t *at, const uint8_t *end,
                                const struct wire_place *place)
{
    struct wire_place here = {.parent = place, .depth = place->depth + 1};
    unsigned hint = 0;

    while (at < end) {
        const uint8_t *data;
        uint64_t tag;
        size_t len;
        enum status st;
        if (!read_varint(&at, end, &tag) || tag >> 3 == 0 || tag >> 3 > (1u << 29) - 1)
            return wire_malformed(walk, "bad tag");
        enum wire_type type = (enum wire_type)(tag & 7);
        st = wire_skip(walk, type, &at, end, &data, &len);
        if (st != STATUS_OK)
            return st;
        const ProtobufCFieldDescriptor *field = find_field(desc, (uint32_t)(tag >> 3), &hint);
        here.index = field && field == here.field ? here.index + 1 : 0;
        here.field = field;
        if (!field)
            st = wire_unknown(walk, desc, place, tag >> 3);
        else if (type == WIRE_BYTES)
            st = wire_delimited(walk, data, len, &here);
        else if (!type_is_scalar_of(field, type))
            st = wire_malformed(walk, "wrong wire type");
        if (st != STATUS_OK)
            return st;
    }
    return STATUS_OK;
}

enum status rpc_wire_check(const ProtobufCMessageDescriptor *desc, struct slice bytes,
                           bool reject_unknown, struct error *err)
{
    struct error scratch; /* written only */
    struct wire_walk walk = {.reject_unknown = reject_unknown, .err = err ? err : &scratch};
    struct wire_place top = {0};

    return wire_message(&walk, desc, (const uint8_t *)bytes.data,
                        (const uint8_t *)bytes.data + bytes.len, &top);
}

static void *allocator_alloc(void *arena, size_t size)
{
    return arena_try_alloc(arena, size);
}

static void allocator_free(void *arena, void *ptr)
{
    (void)arena; /* dies with the arena */
    (void)ptr;
}

ProtobufCAllocator rpc_arena_allocator(struct arena *arena)
{
    return (ProtobufCAllocator){allocator_alloc, allocator_free, arena};
}

enum status rpc_unpack(const ProtobufCMessageDescriptor *desc, struct slice bytes,
                       bool reject_unknown, struct arena *arena, ProtobufCMessage **ret,
                       struct error *err)
{
    ProtobufCAllocator allocator = rpc_arena_allocator(arena);
    size_t bound = arena->bytes_max;
    ProtobufCMessage *message;
    enum status st;

    st = rpc_wire_check(desc, bytes, reject_unknown, err);
    if (st != STATUS_OK)
        return st;
    /* An empty submessage takes 2 bytes on the wire and its whole struct in memory. */
    arena->bytes_max = arena->used_bytes + bytes.len * (size_t)RPC_AMPLIFY + RPC_AMPLIFY_BASE_BYTES;
    message = protobuf_c_message_unpack(desc, &allocator, bytes.len, (const uint8_t *)bytes.data);
    bool full = !message && arena->used_bytes + RPC_AMPLIFY_BASE_BYTES / 2 > arena->bytes_max;
    arena->bytes_max = bound;
    if (!message && full)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED,
                         "the message takes too much memory for its size");
    if (!message)
        return error_set(err, STATUS_INTERNAL, "malformed protobuf message");
    *ret = message;
    return STATUS_OK;
}
