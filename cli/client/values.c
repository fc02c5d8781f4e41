/* SPDX-License-Identifier: Apache-2.0 */
#include "values.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "output.h"

#define READ_BYTES ((size_t)64 * 1024)
#define ENUM_WORDS_MAX 32

/* ---- files ---- */

static enum status read_all(int fd, const char *path, struct buf *to, struct error *err)
{
    for (;;) {
        char *room = buf_reserve(to, READ_BYTES);
        ssize_t n;

        if (!room)
            return error_field(err, STATUS_RESOURCE_EXHAUSTED, "PAYLOAD_TOO_LARGE", NULL,
                               "%s is longer than %zu bytes", path, to->max - READ_BYTES);
        n = read(fd, room, READ_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set(err, status_from_errno(errno), "cannot read %s: %s", path,
                             strerror(errno));
        if (n == 0)
            return STATUS_OK;
        to->len += (size_t)n;
    }
}

enum status file_read(const char *path, size_t bytes_max, struct arena *arena, struct slice *ret,
                      struct error *err)
{
    bool standard_input = str_eq(path, "-");
    AUTO(close_fd) int opened = standard_input ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    AUTO(buf_fini) struct buf text;

    buf_init(&text, bytes_max + READ_BYTES);
    if (!standard_input && opened < 0)
        return error_set(err, status_from_errno(errno), "cannot read %s: %s", path,
                         strerror(errno));
    enum status st = read_all(standard_input ? STDIN_FILENO : opened, path, &text, err);
    if (st != STATUS_OK)
        return st;
    *ret = (struct slice){arena_strndup(arena, text.data ? text.data : "", text.len), text.len};
    return STATUS_OK;
}

char *text_line(struct arena *arena, struct slice text)
{
    size_t from = 0, to;

    while (from < text.len && isspace((unsigned char)text.data[from]))
        from++;
    for (to = from; to < text.len && !isspace((unsigned char)text.data[to]);)
        to++;
    return arena_strndup(arena, text.data + from, to - from);
}

/* ---- JSON ---- */

static enum status parse(const char *option, struct slice text, json_t **ret, struct error *err)
{
    enum status st = json_parse(text, VALUE_BYTES_MAX, ret, err);

    return st == STATUS_OK ? st : error_wrap(err, st, "%s", option);
}

enum status value_json(const char *option, const char *text, struct arena *arena, json_t **ret,
                       struct error *err)
{
    struct slice content = slice_of(text);

    if (text[0] == '@') {
        enum status st = file_read(text + 1, VALUE_BYTES_MAX, arena, &content, err);
        if (st != STATUS_OK)
            return st;
    }
    return parse(option, content, ret, err);
}

enum status value_object(const char *option, const char *text, struct arena *arena, json_t **ret,
                         struct error *err)
{
    enum status st;

    if (!text) {
        *ret = json_object();
        return STATUS_OK;
    }
    st = value_json(option, text, arena, ret, err);
    if (st == STATUS_OK && !json_is_object(*ret)) {
        json_drop(ret);
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s must be a JSON object", option);
    }
    return st;
}

enum status value_add_pair(const char *option, const char *pair, struct arena *arena,
                           json_t *object, struct error *err)
{
    const char *equals = strchr(pair, '=');
    json_t *value;

    if (!equals || equals == pair || (equals == pair + 1 && *pair == ':'))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "%s must be name=text or name:=JSON, not `%s`", option, pair);
    bool is_json = equals[-1] == ':';
    const char *name = arena_strndup(arena, pair, (size_t)(equals - pair) - (is_json ? 1 : 0));
    if (is_json) {
        enum status st =
            parse(arena_printf(arena, "%s %s", option, name), slice_of(equals + 1), &value, err);
        if (st != STATUS_OK)
            return st;
    } else {
        value = json_string(equals + 1);
        if (!value)
            return error_set(err, STATUS_INVALID_ARGUMENT, "%s %s is not valid UTF-8", option,
                             name);
    }
    json_object_set_new(object, name, value);
    return STATUS_OK;
}

enum status value_map(const char *option, const struct text_list *pairs, struct arena *arena,
                      json_t **ret, struct error *err)
{
    json_t *map = pairs->len ? json_object() : NULL;

    for (size_t i = 0; i < pairs->len; i++) {
        const char *equals = strchr(pairs->items[i], '=');
        json_t *text = equals ? json_string(equals + 1) : NULL;
        if (!text || equals == pairs->items[i]) {
            json_decref(text);
            json_decref(map);
            return error_set(err, STATUS_INVALID_ARGUMENT, "%s must be name=text, not `%s`", option,
                             pairs->items[i]);
        }
        const char *name =
            arena_strndup(arena, pairs->items[i], (size_t)(equals - pairs->items[i]));
        json_object_set_new(map, name, text);
    }
    *ret = map;
    return STATUS_OK;
}

void value_set(json_t *object, const char *name, json_t *value)
{
    if (value)
        json_object_set_new(object, name, value);
}

enum status request_from_json(const ProtobufCMessageDescriptor *desc, json_t *json,
                              struct arena *arena, ProtobufCMessage **ret, struct error *err)
{
    const char *text = json_text(json, arena);

    json_decref(json);
    return pbjson_from_text(output_registry(), desc, slice_of(text), arena, NULL, ret, err);
}

/* ---- enums ---- */

/* Names are UPPER_SNAKE of the type with the word behind: the first value's name ends in
 * UNSPECIFIED. */
static size_t prefix_length(const ProtobufCEnumDescriptor *desc)
{
    const char *zero = protobuf_c_enum_descriptor_get_value(desc, 0)->name;
    size_t len = strlen(zero), tail = strlen("UNSPECIFIED");

    return len > tail ? len - tail : 0;
}

const char *enum_word(const ProtobufCEnumDescriptor *desc, int value, struct arena *arena)
{
    const ProtobufCEnumValue *found = protobuf_c_enum_descriptor_get_value(desc, value);
    char *word;

    if (!found)
        return arena_printf(arena, "%d", value);
    if (value == 0)
        return "";
    word = arena_strdup(arena, found->name + prefix_length(desc));
    for (char *c = word; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return word;
}

enum status enum_parse(const ProtobufCEnumDescriptor *desc, const char *option, const char *word,
                       struct arena *arena, int *ret, struct error *err)
{
    char known[256] = "";

    for (unsigned i = 0; i < desc->n_values && i < ENUM_WORDS_MAX; i++) {
        const char *candidate = enum_word(desc, desc->values[i].value, arena);
        size_t len = strlen(known);

        if (!*candidate)
            continue;
        if (str_eq(candidate, word) || str_eq(desc->values[i].name, word)) {
            *ret = desc->values[i].value;
            return STATUS_OK;
        }
        snprintf(known + len, sizeof known - len, "%s%s", len ? ", " : "", candidate);
    }
    return error_set(err, STATUS_INVALID_ARGUMENT, "%s must be one of %s, not `%s`", option, known,
                     word);
}
