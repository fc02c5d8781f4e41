/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/text.h"
#include "json/json.h"

#define ESCAPE_BYTES_MAX 6
/* Strings are written in pieces, so that the room reserved is near to what is needed. */
#define PIECE_BYTES 1024
#define NUMBER_BYTES_MAX 32
#define KEYS_ON_STACK 24

enum key_order {
    KEYS_AS_THEY_ARE,
    KEYS_SORTED,
};

static size_t escape(unsigned char c, char *out)
{
    static const char HEX[] = "0123456789abcdef";

    out[0] = '\\';
    switch (c) {
    case '"':
    case '\\':
        out[1] = (char)c;
        return 2;
    case '\b':
        out[1] = 'b';
        return 2;
    case '\f':
        out[1] = 'f';
        return 2;
    case '\n':
        out[1] = 'n';
        return 2;
    case '\r':
        out[1] = 'r';
        return 2;
    case '\t':
        out[1] = 't';
        return 2;
    default:
        memcpy(out + 1, "u00", 3);
        out[4] = HEX[c >> 4];
        out[5] = HEX[c & 15];
        return 6;
    }
}

/* Bytes of the sequence at text: 0 when invalid. */
static size_t sequence(const char *text, size_t len)
{
    unsigned char c = (unsigned char)*text;
    size_t want = c < 0x80 ? 1 : c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : 2;

    if (c >= 0x80 && (c < 0xC2 || want > len || !text_is_utf8(text, want)))
        return 0;
    return want;
}

/* One piece of a string: *ret_used bytes of it were turned into the bytes returned. */
static size_t write_piece(const char *text, size_t len, char *out, size_t out_bytes,
                          size_t *ret_used)
{
    size_t used = 0, n = 0;

    while (used < len && n + ESCAPE_BYTES_MAX <= out_bytes) {
        unsigned char c = (unsigned char)text[used];
        size_t bytes;

        if (c >= 0x20 && c < 0x7F && c != '"' && c != '\\') {
            out[n++] = (char)c;
            used++;
            continue;
        }
        if (c < 0x80) {
            n += escape(c, out + n);
            used++;
            continue;
        }
        bytes = sequence(text + used, len - used);
        if (!bytes) {
            memcpy(out + n, "\xEF\xBF\xBD", 3);
            n += 3;
            used++;
            continue;
        }
        memcpy(out + n, text + used, bytes);
        n += bytes;
        used += bytes;
    }
    *ret_used = used;
    return n;
}

/* Most strings need no care: their bytes are taken as they are. */
static size_t plain_prefix(struct slice text)
{
    size_t n = 0;

    while (n < text.len && text.data[n] >= 0x20 && text.data[n] < 0x7F && text.data[n] != '"' &&
           text.data[n] != '\\')
        n++;
    return n;
}

enum status json_append_string(struct buf *out, struct slice text)
{
    char piece[PIECE_BYTES];
    size_t used;

    if (buf_append(out, "\"", 1) != STATUS_OK)
        return STATUS_RESOURCE_EXHAUSTED;
    used = plain_prefix(text);
    if (buf_append(out, text.data, used) != STATUS_OK)
        return STATUS_RESOURCE_EXHAUSTED;
    text.data += used;
    text.len -= used;
    while (text.len) {
        size_t n = write_piece(text.data, text.len, piece, sizeof(piece), &used);

        if (buf_append(out, piece, n) != STATUS_OK)
            return STATUS_RESOURCE_EXHAUSTED;
        text.data += used;
        text.len -= used;
    }
    return buf_append(out, "\"", 1);
}

void json_write_string(struct buf *out, struct slice text)
{
    enum status status = json_append_string(out, text);

    assert(status == STATUS_OK);
    (void)status;
}

static size_t format_i64(int64_t value, char out[NUMBER_BYTES_MAX])
{
    char *at = out + NUMBER_BYTES_MAX;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    size_t len;

    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (value < 0)
        *--at = '-';
    len = (size_t)(out + NUMBER_BYTES_MAX - at);
    memmove(out, at, len);
    return len;
}

static size_t format_double(double value, char out[NUMBER_BYTES_MAX])
{
    int len = 0;

    if (!isfinite(value)) {
        memcpy(out, "null", 4);
        return 4;
    }
    for (int digits = 15; digits <= 17; digits++) {
        len = snprintf(out, NUMBER_BYTES_MAX, "%.*g", digits, value);
        if (strtod(out, NULL) == value)
            break;
    }
    if (!strpbrk(out, ".e")) { /* so that it is read back as a double */
        memcpy(out + len, ".0", 3);
        len += 2;
    }
    return (size_t)len;
}

void json_write_i64(struct buf *out, int64_t value)
{
    char text[NUMBER_BYTES_MAX];

    buf_put(out, text, format_i64(value, text));
}

void json_write_double(struct buf *out, double value)
{
    char text[NUMBER_BYTES_MAX];

    buf_put(out, text, format_double(value, text));
}

static enum status append_value(struct buf *out, const json_t *json, enum key_order order);

static enum status append_array(struct buf *out, const json_t *json, enum key_order order)
{
    size_t n = json_array_size(json);

    if (buf_append(out, "[", 1) != STATUS_OK)
        return STATUS_RESOURCE_EXHAUSTED;
    for (size_t i = 0; i < n; i++) {
        if (i && buf_append(out, ",", 1) != STATUS_OK)
            return STATUS_RESOURCE_EXHAUSTED;
        if (append_value(out, json_array_get(json, i), order) != STATUS_OK)
            return STATUS_RESOURCE_EXHAUSTED;
    }
    return buf_append(out, "]", 1);
}

static int key_compare(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static enum status append_member(struct buf *out, const char *key, const json_t *value,
                                 enum key_order order, size_t index)
{
    if (index && buf_append(out, ",", 1) != STATUS_OK)
        return STATUS_RESOURCE_EXHAUSTED;
    if (json_append_string(out, slice_of(key)) != STATUS_OK || buf_append(out, ":", 1) != STATUS_OK)
        return STATUS_RESOURCE_EXHAUSTED;
    return append_value(out, value, order);
}

static enum status append_sorted(struct buf *out, const json_t *json)
{
    size_t count = json_object_size(json);
    AUTO(free_ptr)
    const char **many = count > KEYS_ON_STACK ? mem_alloc(count * sizeof(*many)) : NULL;
    const char *few[KEYS_ON_STACK], **keys = many ? many : few;
    enum status status = STATUS_OK;
    const char *key;
    json_t *value;
    size_t n = 0;

    json_object_foreach((json_t *)json, key, value) keys[n++] = key;
    qsort(keys, n, sizeof(*keys), key_compare);
    for (size_t i = 0; i < n && status == STATUS_OK; i++)
        status = append_member(out, keys[i], json_object_get(json, keys[i]), KEYS_SORTED, i);
    return status;
}

static enum status append_object(struct buf *out, const json_t *json, enum key_order order)
{
    enum status status = buf_append(out, "{", 1);
    size_t index = 0;
    const char *key;
    json_t *value;

    if (status != STATUS_OK)
        return status;
    if (order == KEYS_SORTED) {
        status = append_sorted(out, json);
    } else {
        json_object_foreach((json_t *)json, key, value)
        {
            status = append_member(out, key, value, order, index++);
            if (status != STATUS_OK)
                break;
        }
    }
    return status == STATUS_OK ? buf_append(out, "}", 1) : status;
}

static enum status append_value(struct buf *out, const json_t *json, enum key_order order)
{
    char number[NUMBER_BYTES_MAX];

    switch (json_typeof(json)) {
    case JSON_OBJECT:
        return append_object(out, json, order);
    case JSON_ARRAY:
        return append_array(out, json, order);
    case JSON_STRING:
        return json_append_string(
            out, (struct slice){json_string_value(json), json_string_length(json)});
    case JSON_INTEGER:
        return buf_append(out, number, format_i64(json_integer_value(json), number));
    case JSON_REAL:
        return buf_append(out, number, format_double(json_real_value(json), number));
    case JSON_TRUE:
        return buf_append(out, "true", 4);
    case JSON_FALSE:
        return buf_append(out, "false", 5);
    case JSON_NULL:
    default:
        return buf_append(out, "null", 4);
    }
}

enum status json_append(struct buf *out, const json_t *json)
{
    return append_value(out, json, KEYS_AS_THEY_ARE);
}

static char *text_in(const json_t *json, struct arena *arena, enum key_order order)
{
    AUTO(buf_fini) struct buf out = {0};
    enum status status;

    buf_init(&out, SIZE_MAX / 2);
    status = append_value(&out, json, order);
    assert(status == STATUS_OK);
    (void)status;
    return arena_strndup(arena, out.data, out.len);
}

char *json_text(const json_t *json, struct arena *arena)
{
    return text_in(json, arena, KEYS_AS_THEY_ARE);
}

char *json_canonical(const json_t *json, struct arena *arena)
{
    return text_in(json, arena, KEYS_SORTED);
}
