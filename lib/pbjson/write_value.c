/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/text.h"
#include "internal.h"
#include "json/json.h"

static bool write_special(struct writer *writer, double value)
{
    if (isnan(value))
        return pbjson__puts(writer, "\"NaN\"");
    return pbjson__puts(writer, value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
}

static bool write_float(struct writer *writer, float value)
{
    char text[32];

    if (!isfinite(value))
        return write_special(writer, (double)value);
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value)
            break;
    }
    return pbjson__puts(writer, text);
}

static bool write_double(struct writer *writer, double value)
{
    char text[40];

    if (!isfinite(value))
        return write_special(writer, value);
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    return pbjson__puts(writer, text);
}

static bool write_enum(struct writer *writer, const struct field *field, int32_t value)
{
    const ProtobufCEnumValue *known =
        protobuf_c_enum_descriptor_get_value(field->f->descriptor, value);
    char text[16];

    if (known)
        return pbjson__puts(writer, "\"") && pbjson__puts(writer, known->name) &&
               pbjson__puts(writer, "\"");
    snprintf(text, sizeof(text), "%" PRId32, value);
    return pbjson__puts(writer, text);
}

static bool write_bytes(struct writer *writer, const ProtobufCBinaryData *value)
{
    size_t bytes = text_base64_bytes(value->len);
    char *room;

    if (!pbjson__puts(writer, "\""))
        return false;
    room = buf_reserve(writer->out, bytes);
    if (!room) {
        error_set(writer->err, STATUS_RESOURCE_EXHAUSTED, "JSON text is larger than %zu bytes",
                  writer->out->max);
        return false;
    }
    text_to_base64(value->data, value->len, false, true, room);
    writer->out->len += strlen(room);
    return pbjson__puts(writer, "\"");
}

/* Digits from the end of a buffer; much faster than snprintf, and half of all fields are numbers.
 */
static bool write_decimal(struct writer *writer, uint64_t magnitude, bool negative, bool quoted)
{
    char text[32], *end = text + sizeof(text), *at = end;

    if (quoted)
        *--at = '"';
    do {
        *--at = (char)('0' + magnitude % 10);
        magnitude /= 10;
    } while (magnitude);
    if (negative)
        *--at = '-';
    if (quoted)
        *--at = '"';
    return pbjson__put(writer, at, (size_t)(end - at));
}

static bool write_integer(struct writer *writer, const struct field *field, const void *value)
{
    int64_t integer;

    switch (field->f->type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        integer = *(const int64_t *)value;
        return write_decimal(writer, integer < 0 ? 0 - (uint64_t)integer : (uint64_t)integer,
                             integer < 0, true);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return write_decimal(writer, *(const uint64_t *)value, false, true);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return write_decimal(writer, *(const uint32_t *)value, false, false);
    default:
        integer = *(const int32_t *)value;
        return write_decimal(writer, (uint64_t)(integer < 0 ? -integer : integer), integer < 0,
                             false);
    }
}

bool pbjson__write_value(struct writer *writer, struct field *field, const void *value)
{
    switch (field->f->type) {
    case PROTOBUF_C_TYPE_FLOAT:
        return write_float(writer, *(const float *)value);
    case PROTOBUF_C_TYPE_DOUBLE:
        return write_double(writer, *(const double *)value);
    case PROTOBUF_C_TYPE_BOOL:
        return pbjson__puts(writer, *(const protobuf_c_boolean *)value ? "true" : "false");
    case PROTOBUF_C_TYPE_ENUM:
        return write_enum(writer, field, *(const int32_t *)value);
    case PROTOBUF_C_TYPE_STRING: {
        const char *text = *(const char *const *)value;

        return pbjson__put_string(writer, slice_of(text ? text : ""));
    }
    case PROTOBUF_C_TYPE_BYTES:
        return write_bytes(writer, value);
    case PROTOBUF_C_TYPE_MESSAGE: {
        const ProtobufCMessage *message = *(const ProtobufCMessage *const *)value;

        if (!message) /* a map's entry from the wire may lack its value */
            return pbjson__puts(writer, "{}");
        return pbjson__write_message(writer, pbjson__sub(writer->registry, field), message);
    }
    default:
        return write_integer(writer, field, value);
    }
}
