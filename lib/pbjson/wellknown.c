/* SPDX-License-Identifier: Apache-2.0 */
/* Messages whose JSON is not an object of their fields. */
#include "base/text.h"
#include "internal.h"
#include "json/json.h"

/* Of one path of a field mask in JSON; in the message each capital is two bytes. */
#define MASK_PATH_BYTES_MAX 128

static bool read_time(struct reader *reader, const struct at *at, struct type *type,
                      const json_t *json, ProtobufCMessage *message)
{
    bool timestamp = type->wellknown == WELLKNOWN_TIMESTAMP;
    const char *text = json_string_value(json);
    int64_t *seconds = pbjson__member(message, "seconds");
    int32_t *nanos = pbjson__member(message, "nanos");

    if (!text)
        return pbjson__invalid(reader, at, "must be a string such as \"%s\"",
                               timestamp ? "2024-01-31T12:00:00Z" : "1.5s");
    if (timestamp ? !pbjson__parse_timestamp(text, seconds, nanos)
                  : !pbjson__parse_duration(text, seconds, nanos))
        return pbjson__invalid(reader, at, "is not a %s such as \"%s\"",
                               timestamp ? "time" : "duration",
                               timestamp ? "2024-01-31T12:00:00Z" : "1.5s");
    return true;
}

/* fooBar.baz → foo_bar.baz; false for what would not come back the same. */
static bool to_snake(const char *from, size_t len, char *out)
{
    for (size_t i = 0; i < len; i++) {
        bool letter = (from[i] >= 'a' && from[i] <= 'z') || (from[i] >= 'A' && from[i] <= 'Z');

        if (!letter && !(from[i] >= '0' && from[i] <= '9') && from[i] != '.')
            return false;
        if (from[i] >= 'A' && from[i] <= 'Z') {
            *out++ = '_';
            *out++ = (char)(from[i] - 'A' + 'a');
        } else {
            *out++ = from[i];
        }
    }
    *out = '\0';
    return true;
}

static bool read_mask(struct reader *reader, const struct at *at, const json_t *json,
                      ProtobufCMessage *message)
{
    const char *text = json_string_value(json);
    size_t *n = (size_t *)((char *)message + message->descriptor->fields[0].quantifier_offset);
    char ***paths = pbjson__member(message, "paths");
    size_t count = 1;

    if (!text)
        return pbjson__invalid(reader, at, "must be a string of field names with commas");
    for (const char *p = text; *p; p++)
        count += *p == ',';
    *paths = ARENA_ARRAY(reader->arena, char *, count);
    while (*text) {
        size_t len = strcspn(text, ",");
        char *path = arena_alloc(reader->arena, 2 * len + 1);

        if (!len || len > MASK_PATH_BYTES_MAX || !to_snake(text, len, path))
            return pbjson__invalid(reader, at, "is not a list of field names");
        (*paths)[(*n)++] = path;
        text += len + (text[len] == ',');
    }
    return true;
}

/* The value itself, kept as its text. */
static bool read_json(struct reader *reader, const json_t *json, ProtobufCMessage *message)
{
    *(char **)pbjson__member(message, "text") = json_text(json, reader->arena);
    return true;
}

bool pbjson__read_wellknown(struct reader *reader, const struct at *at, struct type *type,
                            const json_t *json, ProtobufCMessage *message)
{
    switch (type->wellknown) {
    case WELLKNOWN_TIMESTAMP:
    case WELLKNOWN_DURATION:
        return read_time(reader, at, type, json, message);
    case WELLKNOWN_FIELD_MASK:
        return read_mask(reader, at, json, message);
    case WELLKNOWN_WRAPPER:
        return pbjson__read_value(reader, at, &type->fields[0], json,
                                  (char *)message + type->fields[0].f->offset);
    case WELLKNOWN_ANY:
        return pbjson__read_any(reader, at, type, json, message);
    case WELLKNOWN_JSON:
        return read_json(reader, json, message);
    default:
        return pbjson__invalid(reader, at, "fields of type %s are not supported", type->desc->name);
    }
}

static bool write_time(struct writer *writer, struct type *type, const ProtobufCMessage *message)
{
    bool timestamp = type->wellknown == WELLKNOWN_TIMESTAMP;
    int64_t seconds = *(int64_t *)pbjson__member(message, "seconds");
    int32_t nanos = *(int32_t *)pbjson__member(message, "nanos");
    char text[64];

    if (timestamp ? !pbjson__format_timestamp(seconds, nanos, text)
                  : !pbjson__format_duration(seconds, nanos, text))
        return pbjson__refuse(writer, "%s is out of range", timestamp ? "a time" : "a duration");
    return pbjson__put_string(writer, slice_of(text));
}

/* What comes from the wire may hold anything: only names with dots have a JSON form. */
static bool to_camel(const char *from, char *out)
{
    for (; *from; from++) {
        bool plain =
            (*from >= 'a' && *from <= 'z') || (*from >= '0' && *from <= '9') || *from == '.';

        if (plain) {
            *out++ = *from;
            continue;
        }
        if (*from++ != '_' || *from < 'a' || *from > 'z')
            return false;
        *out++ = (char)(*from - 'a' + 'A');
    }
    *out = '\0';
    return true;
}

static bool write_mask(struct writer *writer, const ProtobufCMessage *message)
{
    size_t n = *(size_t *)((char *)message + message->descriptor->fields[0].quantifier_offset);
    char **paths = *(char ***)pbjson__member(message, "paths");

    if (!pbjson__puts(writer, "\""))
        return false;
    for (size_t i = 0; i < n; i++) {
        char path[2 * MASK_PATH_BYTES_MAX + 1];

        if (strlen(paths[i]) >= sizeof(path) || !to_camel(paths[i], path))
            return pbjson__refuse(writer, "a field mask's path has no JSON form");
        if ((i && !pbjson__puts(writer, ",")) || !pbjson__puts(writer, path))
            return false;
    }
    return pbjson__puts(writer, "\"");
}

/* Checked, since the text came from elsewhere and would break all that stands around it. */
static bool write_json(struct writer *writer, const ProtobufCMessage *message)
{
    const char *text = *(const char **)pbjson__member(message, "text");
    size_t len = text ? strlen(text) : 0;
    struct error why = {0};

    if (!len)
        return pbjson__puts(writer, "null");
    if (json_check((struct slice){text, len}, SIZE_MAX, &why) != STATUS_OK)
        return pbjson__refuse(writer, "a Json field holds what is not JSON: %s", why.message);
    return pbjson__put(writer, text, len);
}

bool pbjson__write_wellknown(struct writer *writer, struct type *type,
                             const ProtobufCMessage *message)
{
    switch (type->wellknown) {
    case WELLKNOWN_TIMESTAMP:
    case WELLKNOWN_DURATION:
        return write_time(writer, type, message);
    case WELLKNOWN_FIELD_MASK:
        return write_mask(writer, message);
    case WELLKNOWN_WRAPPER:
        return pbjson__write_value(writer, &type->fields[0],
                                   (const char *)message + type->fields[0].f->offset);
    case WELLKNOWN_ANY:
        return pbjson__write_any(writer, type, message);
    case WELLKNOWN_JSON:
        return write_json(writer, message);
    default:
        return pbjson__refuse(writer, "fields of type %s are not supported", type->desc->name);
    }
}
