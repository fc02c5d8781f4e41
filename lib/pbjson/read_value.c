/* SPDX-License-Identifier: Apache-2.0 */
/* One JSON value to one scalar, enum, string, bytes or message. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include "base/text.h"
#include "internal.h"

/* 2^63 and 2^64, which doubles hold exactly. */
#define INT64_END 9223372036854775808.0
#define UINT64_END 18446744073709551616.0
#define ENUM_PREFIX_BYTES_MAX 128

/* Decimal without a plus, blanks or leading zeros. */
static bool plain_integer(const char *text)
{
    const char *digits = text + (*text == '-');

    return digits[0] && !(digits[0] == '0' && digits[1]) && strcmp(text, "-0") != 0;
}

static bool read_signed(struct reader *reader, const struct at *at, const json_t *json, int64_t low,
                        int64_t high, int64_t *ret)
{
    const char *text = json_string_value(json);
    double real;

    if (json_is_integer(json)) {
        *ret = json_integer_value(json);
    } else if (json_is_real(json)) {
        real = json_real_value(json);
        if (real != trunc(real))
            return pbjson__invalid(reader, at, "must be a whole number");
        if (real >= INT64_END || real < -INT64_END)
            return pbjson__invalid(reader, at, "number is out of range");
        *ret = (int64_t)real;
    } else if (!text || !plain_integer(text) || !text_to_i64(text, ret)) {
        return pbjson__invalid(reader, at,
                               text ? "is not a whole number in range" : "must be a whole number");
    }
    if (*ret < low || *ret > high)
        return pbjson__invalid(reader, at, "number is out of range");
    return true;
}

static bool read_unsigned(struct reader *reader, const struct at *at, const json_t *json,
                          uint64_t high, uint64_t *ret)
{
    const char *text = json_string_value(json);
    double real;

    if (json_is_integer(json)) {
        if (json_integer_value(json) < 0)
            return pbjson__invalid(reader, at, "must not be negative");
        *ret = (uint64_t)json_integer_value(json);
    } else if (json_is_real(json)) {
        real = json_real_value(json);
        if (real != trunc(real))
            return pbjson__invalid(reader, at, "must be a whole number");
        if (real < 0 || real >= UINT64_END)
            return pbjson__invalid(reader, at, "number is out of range");
        *ret = (uint64_t)real;
    } else if (!text || !plain_integer(text) || !text_to_u64(text, ret)) {
        return pbjson__invalid(reader, at,
                               text ? "is not a whole number in range" : "must be a whole number");
    }
    if (*ret > high)
        return pbjson__invalid(reader, at, "number is out of range");
    return true;
}

static bool read_double(struct reader *reader, const struct at *at, const json_t *json, double *ret)
{
    const char *text = json_string_value(json);
    char *end;

    if (json_is_number(json)) {
        *ret = json_number_value(json);
        return true;
    }
    if (!text)
        return pbjson__invalid(reader, at, "must be a number");
    if (strcmp(text, "NaN") == 0) {
        *ret = (double)NAN;
        return true;
    }
    if (strcmp(text, "Infinity") == 0 || strcmp(text, "-Infinity") == 0) {
        *ret = *text == '-' ? -(double)INFINITY : (double)INFINITY;
        return true;
    }
    if (!(*text >= '0' && *text <= '9') && *text != '-')
        return pbjson__invalid(reader, at, "is not a number");
    if (strspn(text, "0123456789+-.eE") != strlen(text))
        return pbjson__invalid(reader, at, "is not a number");
    *ret = strtod(text, &end);
    if (*end || !isfinite(*ret))
        return pbjson__invalid(reader, at, "is not a number in range");
    return true;
}

static bool read_float(struct reader *reader, const struct at *at, const json_t *json, float *ret)
{
    double value;

    if (!read_double(reader, at, json, &value))
        return false;
    /* What rounds to the largest float is fine; beyond is out of range. */
    if (isfinite(value) && fabs(value) > (double)FLT_MAX && isinf((float)value))
        return pbjson__invalid(reader, at, "number is out of range");
    *ret = (float)value;
    return true;
}

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

/* TaskState → TASK_STATE_: what the names of its values begin with. */
static size_t enum_prefix(const ProtobufCEnumDescriptor *desc, char out[ENUM_PREFIX_BYTES_MAX])
{
    const char *name = desc->short_name;
    size_t n = 0;

    for (size_t i = 0; name[i] && n + 3 < ENUM_PREFIX_BYTES_MAX; i++) {
        if (i && name[i] >= 'A' && name[i] <= 'Z' && !(name[i - 1] >= 'A' && name[i - 1] <= 'Z'))
            out[n++] = '_';
        out[n++] = upper(name[i]);
    }
    out[n++] = '_';
    return n;
}

static bool is_tail(const char *tail, const char *word)
{
    for (; *tail && *word; tail++, word++) {
        if (*tail != upper(*word) || (*word >= 'A' && *word <= 'Z'))
            return false;
    }
    return !*tail && !*word;
}

static const char *enum_hint(struct reader *reader, const ProtobufCEnumDescriptor *desc,
                             const char *word)
{
    const char *names[64], *nearest;
    size_t n = MIN_OF((size_t)desc->n_value_names, ARRAY_LEN(names));

    for (size_t i = 0; i < n; i++)
        names[i] = desc->values_by_name[i].name;
    nearest = text_nearest(word, names, n);
    return nearest ? arena_printf(reader->arena, "did you mean '%s'?", nearest) : NULL;
}

static bool read_enum(struct reader *reader, const struct at *at, struct field *field,
                      const json_t *json, int32_t *ret)
{
    const ProtobufCEnumDescriptor *desc = field->f->descriptor;
    const char *word = json_string_value(json);
    const ProtobufCEnumValue *value;
    char prefix[ENUM_PREFIX_BYTES_MAX];
    size_t prefix_len;
    int64_t number;

    if (!word) {
        if (!read_signed(reader, at, json, INT32_MIN, INT32_MAX, &number))
            return false;
        *ret = (int32_t)number;
        return true;
    }
    value = protobuf_c_enum_descriptor_get_value_by_name(desc, word);
    if (value) {
        *ret = value->value;
        return true;
    }
    prefix_len = enum_prefix(desc, prefix);
    for (unsigned i = 0; i < desc->n_values; i++) {
        const char *name = desc->values[i].name;

        if (strncmp(name, prefix, prefix_len) == 0 && is_tail(name + prefix_len, word)) {
            *ret = desc->values[i].value;
            return true;
        }
    }
    return pbjson__fail(reader, at, "INVALID_FIELD", enum_hint(reader, desc, word),
                        "'%.64s' is not one of %s", word, desc->short_name);
}

static bool read_string(struct reader *reader, const struct at *at, const json_t *json, char **ret)
{
    if (!json_is_string(json))
        return pbjson__invalid(reader, at, "must be a string");
    *ret = arena_memdup(reader->arena, json_string_value(json), json_string_length(json) + 1);
    return true;
}

static bool read_bytes(struct reader *reader, const struct at *at, const json_t *json,
                       ProtobufCBinaryData *ret)
{
    size_t len = json_string_length(json);

    if (!json_is_string(json))
        return pbjson__invalid(reader, at, "must be a string in base64");
    ret->data = arena_alloc(reader->arena, len + 1);
    if (!text_from_base64(json_string_value(json), len, ret->data, &ret->len))
        return pbjson__invalid(reader, at, "is not base64");
    return true;
}

static bool read_32(struct reader *reader, const struct at *at, struct field *field,
                    const json_t *json, void *ret)
{
    int64_t number;
    uint64_t natural;

    if (field->f->type == PROTOBUF_C_TYPE_UINT32 || field->f->type == PROTOBUF_C_TYPE_FIXED32) {
        if (!read_unsigned(reader, at, json, UINT32_MAX, &natural))
            return false;
        *(uint32_t *)ret = (uint32_t)natural;
        return true;
    }
    if (!read_signed(reader, at, json, INT32_MIN, INT32_MAX, &number))
        return false;
    *(int32_t *)ret = (int32_t)number;
    return true;
}

bool pbjson__read_value(struct reader *reader, const struct at *at, struct field *field,
                        const json_t *json, void *ret)
{
    switch (field->f->type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return read_signed(reader, at, json, INT64_MIN, INT64_MAX, ret);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return read_unsigned(reader, at, json, UINT64_MAX, ret);
    case PROTOBUF_C_TYPE_FLOAT:
        return read_float(reader, at, json, ret);
    case PROTOBUF_C_TYPE_DOUBLE:
        return read_double(reader, at, json, ret);
    case PROTOBUF_C_TYPE_BOOL:
        if (!json_is_boolean(json))
            return pbjson__invalid(reader, at, "must be true or false");
        *(protobuf_c_boolean *)ret = json_is_true(json);
        return true;
    case PROTOBUF_C_TYPE_ENUM:
        return read_enum(reader, at, field, json, ret);
    case PROTOBUF_C_TYPE_STRING:
        return read_string(reader, at, json, ret);
    case PROTOBUF_C_TYPE_BYTES:
        return read_bytes(reader, at, json, ret);
    case PROTOBUF_C_TYPE_MESSAGE:
        return pbjson__read_message(reader, at, pbjson__sub(reader->registry, field), json, ret);
    default:
        return read_32(reader, at, field, json, ret);
    }
}
