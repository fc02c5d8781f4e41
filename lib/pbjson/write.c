/* SPDX-License-Identifier: Apache-2.0 */
/* Messages to JSON text, straight into the buffer. */
#include <stdarg.h>
#include <stdio.h>
#include "base/text.h"
#include "internal.h"
#include "json/json.h"

bool pbjson__refuse(struct writer *writer, const char *fmt, ...)
{
    char text[256];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    error_set(writer->err, STATUS_INTERNAL, "%s", text);
    return false;
}

bool pbjson__put(struct writer *writer, const char *text, size_t len)
{
    if (buf_append(writer->out, text, len) == STATUS_OK)
        return true;
    error_set(writer->err, STATUS_RESOURCE_EXHAUSTED, "JSON text is larger than %zu bytes",
              writer->out->max);
    return false;
}

bool pbjson__puts(struct writer *writer, const char *text)
{
    return pbjson__put(writer, text, strlen(text));
}

bool pbjson__put_string(struct writer *writer, struct slice text)
{
    if (json_append_string(writer->out, text) == STATUS_OK)
        return true;
    error_set(writer->err, STATUS_RESOURCE_EXHAUSTED, "JSON text is larger than %zu bytes",
              writer->out->max);
    return false;
}

static bool write_list(struct writer *writer, struct field *field, const char *list, size_t n)
{
    size_t size = pbjson__size_of(field->f);

    if (!pbjson__puts(writer, "["))
        return false;
    for (size_t i = 0; i < n; i++) {
        if ((i && !pbjson__puts(writer, ",")) ||
            !pbjson__write_value(writer, field, list + i * size))
            return false;
    }
    return pbjson__puts(writer, "]");
}

/* A key's JSON text without its quotes, in a buffer. */
static bool key_text(struct writer *writer, struct field *key, const ProtobufCMessage *entry,
                     struct buf *out)
{
    const void *value = (const char *)entry + key->f->offset;
    struct writer plain = *writer;

    buf_clear(out);
    plain.out = out;
    if (key->f->type == PROTOBUF_C_TYPE_STRING) {
        const char *text = *(const char *const *)value;

        return pbjson__puts(&plain, text ? text : "");
    }
    if (!pbjson__write_value(&plain, key, value))
        return false;
    if (out->len >= 2 && out->data[0] == '"') { /* 64-bit numbers are strings already */
        buf_consume(out, 1);
        out->len--;
    }
    return true;
}

static bool same_key(const struct field *key, const ProtobufCMessage *a, const ProtobufCMessage *b)
{
    const void *left = (const char *)a + key->f->offset, *right = (const char *)b + key->f->offset;

    if (key->f->type == PROTOBUF_C_TYPE_STRING)
        return strcmp(*(const char *const *)left, *(const char *const *)right) == 0;
    return memcmp(left, right, pbjson__size_of(key->f)) == 0;
}

static uint64_t key_hash(const struct field *key, const ProtobufCMessage *entry)
{
    const void *value = (const char *)entry + key->f->offset;

    if (key->f->type == PROTOBUF_C_TYPE_STRING)
        return hash_text(*(const char *const *)value);
    return hash_bytes(value, pbjson__size_of(key->f));
}

struct seen {
    struct map_node node;
    const ProtobufCMessage *entry;
};

/* The wire may hold an entry twice: the last one counts. Marks those that a later one replaces. */
static void mark_replaced(const struct field *key, ProtobufCMessage *const *entries, size_t n,
                          bool *replaced)
{
    AUTO(free_ptr) struct seen *seen = mem_zalloc((n + 1) * sizeof(*seen));
    struct map map;

    map_init(&map);
    for (size_t i = n; i-- > 0;) {
        uint64_t hash = key_hash(key, entries[i]);

        for (struct map_node *node = map_first(&map, hash); node && !replaced[i];
             node = map_next(node))
            replaced[i] = same_key(key, CONTAINER_OF(node, struct seen, node)->entry, entries[i]);
        seen[i].entry = entries[i];
        if (!replaced[i])
            map_insert(&map, &seen[i].node, hash);
    }
    map_fini(&map);
}

static bool write_map(struct writer *writer, struct field *field, ProtobufCMessage *const *entries,
                      size_t n)
{
    struct type *type = pbjson__sub(writer->registry, field);
    struct field *key = pbjson__find(type, "key", 3), *value = pbjson__find(type, "value", 5);
    AUTO(free_ptr) bool *replaced = mem_zalloc(n + 1);
    AUTO(buf_fini) struct buf text = {0};
    bool first = true;

    buf_init(&text, writer->out->max);
    if (n > 1)
        mark_replaced(key, entries, n, replaced);
    if (!pbjson__puts(writer, "{"))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (replaced[i])
            continue;
        if (!key_text(writer, key, entries[i], &text) || (!first && !pbjson__puts(writer, ",")) ||
            !pbjson__put_string(writer, buf_slice(&text)) || !pbjson__puts(writer, ":") ||
            !pbjson__write_value(writer, value, (const char *)entries[i] + value->f->offset))
            return false;
        first = false;
    }
    return pbjson__puts(writer, "}");
}

static size_t count_of(const struct field *field, const ProtobufCMessage *message)
{
    return *(const size_t *)((const char *)message + field->f->quantifier_offset);
}

static bool is_default(const struct field *field, const void *value)
{
    static const char ZERO[8];

    switch (field->f->type) {
    case PROTOBUF_C_TYPE_STRING:
        return !*(const char *const *)value || !**(const char *const *)value;
    case PROTOBUF_C_TYPE_BYTES:
        return ((const ProtobufCBinaryData *)value)->len == 0;
    case PROTOBUF_C_TYPE_MESSAGE:
        return !*(const void *const *)value;
    default:
        return memcmp(value, ZERO, pbjson__size_of(field->f)) == 0;
    }
}

/* Json with an empty text is absent like no message at all. */
static bool is_absent_message(struct writer *writer, struct field *field, const void *value)
{
    const ProtobufCMessage *message = *(const ProtobufCMessage *const *)value;
    const char *text;

    if (!message)
        return true;
    if (pbjson__sub(writer->registry, field)->wellknown != WELLKNOWN_JSON)
        return false;
    text = *(const char **)pbjson__member(message, "text");
    return !text || !*text;
}

/* Whether a field is printed at all. */
static bool is_printed(struct writer *writer, struct field *field, const ProtobufCMessage *message)
{
    const void *value = (const char *)message + field->f->offset;
    const char *quantifier = (const char *)message + field->f->quantifier_offset;

    if (field->f->label == PROTOBUF_C_LABEL_REPEATED)
        return count_of(field, message) > 0 || writer->options.defaults;
    if (field->f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
        if (*(const uint32_t *)quantifier != field->f->id)
            return false;
        return field->f->type != PROTOBUF_C_TYPE_MESSAGE ||
               !is_absent_message(writer, field, value);
    }
    if (field->f->type == PROTOBUF_C_TYPE_MESSAGE)
        return !is_absent_message(writer, field, value);
    if (field->f->label == PROTOBUF_C_LABEL_OPTIONAL && field->f->quantifier_offset)
        return *(const protobuf_c_boolean *)quantifier != 0;
    return writer->options.defaults || !is_default(field, value);
}

bool pbjson__write_field(struct writer *writer, struct field *field,
                         const ProtobufCMessage *message)
{
    const void *value = (const char *)message + field->f->offset;

    if (field->is_map)
        return write_map(writer, field, *(ProtobufCMessage *const *const *)value,
                         count_of(field, message));
    if (field->f->label == PROTOBUF_C_LABEL_REPEATED)
        return write_list(writer, field, *(const char *const *)value, count_of(field, message));
    return pbjson__write_value(writer, field, value);
}

bool pbjson__write_members(struct writer *writer, struct type *type,
                           const ProtobufCMessage *message, bool *first)
{
    for (unsigned i = 0; i < type->desc->n_fields; i++) {
        struct field *field = &type->fields[i];
        struct slice key = writer->options.proto_names ? field->proto_key : field->json_key;

        if (!is_printed(writer, field, message))
            continue;
        if (!pbjson__put(writer, key.data + *first, key.len - *first) ||
            !pbjson__write_field(writer, field, message))
            return false;
        *first = false;
    }
    return true;
}

bool pbjson__write_message(struct writer *writer, struct type *type,
                           const ProtobufCMessage *message)
{
    bool first = true, ok;

    if (writer->depth == WRITE_DEPTH_MAX)
        return pbjson__refuse(writer, "message is nested deeper than %d levels", WRITE_DEPTH_MAX);
    writer->depth++;
    if (type->wellknown != WELLKNOWN_NONE)
        ok = pbjson__write_wellknown(writer, type, message);
    else
        ok = pbjson__puts(writer, "{") && pbjson__write_members(writer, type, message, &first) &&
             pbjson__puts(writer, "}");
    writer->depth--;
    return ok;
}

/* Every fault is told through err; the status is taken from there. */
static enum status run(struct writer *writer, struct type *type, struct field *field,
                       const ProtobufCMessage *message, struct error *err)
{
    struct error why = {0};
    bool ok;

    writer->err = &why;
    ok = field ? pbjson__write_field(writer, field, message)
               : pbjson__write_message(writer, type, message);
    if (ok)
        return STATUS_OK;
    return error_set(err, why.status, "%s", why.message);
}

enum status pbjson_to_text(struct pbjson_registry *registry, const ProtobufCMessage *message,
                           const struct pbjson_options *options, struct buf *buf, struct error *err)
{
    struct writer writer = {.registry = registry, .out = buf};

    if (options)
        writer.options = *options;
    return run(&writer, pbjson__type(registry, message->descriptor), NULL, message, err);
}

enum status pbjson_field_to_text(struct pbjson_registry *registry, const ProtobufCMessage *message,
                                 const char *path, const struct pbjson_options *options,
                                 struct buf *buf, struct error *err)
{
    struct writer writer = {.registry = registry, .out = buf};
    const ProtobufCMessage *at = message;

    if (options)
        writer.options = *options;
    for (;;) {
        size_t len = strcspn(path, ".");
        struct field *field = pbjson__find(pbjson__type(registry, at->descriptor), path, len);

        if (!field)
            return error_field(err, STATUS_INTERNAL, "UNKNOWN_FIELD", path,
                               "there is no field '%.100s'", path);
        if (!path[len]) {
            if (field->f->type == PROTOBUF_C_TYPE_MESSAGE &&
                field->f->label != PROTOBUF_C_LABEL_REPEATED &&
                is_absent_message(&writer, field, (const char *)at + field->f->offset))
                return pbjson__puts(&writer, "null") ? STATUS_OK : STATUS_RESOURCE_EXHAUSTED;
            return run(&writer, NULL, field, at, err);
        }
        if (field->f->type != PROTOBUF_C_TYPE_MESSAGE ||
            field->f->label == PROTOBUF_C_LABEL_REPEATED)
            return error_field(err, STATUS_INTERNAL, "UNKNOWN_FIELD", path,
                               "'%.100s' goes through no message", path);
        at = *(ProtobufCMessage *const *)((const char *)at + field->f->offset);
        if (!at)
            return pbjson__puts(&writer, "null") ? STATUS_OK : STATUS_RESOURCE_EXHAUSTED;
        path += len + 1;
    }
}
