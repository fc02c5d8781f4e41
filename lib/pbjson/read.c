/* SPDX-License-Identifier: Apache-2.0 */
/* JSON to messages: objects, lists, maps, oneofs. Scalars are in read_value.c. */
#include <stdarg.h>
#include <stdio.h>
#include "base/text.h"
#include "internal.h"
#include "json/json.h"

#define NAMES_MAX 128

static void put_path(struct buf *out, const struct at *at)
{
    char index[32];
    const char *text = at ? at->key : NULL;

    if (!at)
        return;
    put_path(out, at->parent);
    if (!text) {
        snprintf(index, sizeof(index), "[%zu]", at->index);
        text = index;
    } else if (out->len && out->len < out->max) {
        buf_putc(out, '.');
    }
    buf_put(out, text,
            MIN_OF(strlen(text), out->max - out->len)); /* a path that is too long is cut */
}

bool pbjson__fail(struct reader *reader, const struct at *at, const char *reason, const char *hint,
                  const char *fmt, ...)
{
    AUTO(buf_fini) struct buf path = {0};
    struct error places = {0};
    char text[256];
    va_list args;

    if (!reader->err)
        return false;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    buf_init(&path, FIELD_PATH_BYTES_MAX);
    put_path(&path, at);
    error_add_violation(&places, reader->arena, buf_cstr(&path), 0, 0, hint, "%s", text);
    error_field(reader->err, STATUS_INVALID_ARGUMENT, reason, buf_cstr(&path), "%s%s%s%s%s",
                buf_cstr(&path), path.len ? ": " : "", text, hint ? "; " : "", hint ? hint : "");
    reader->err->violations = places.violations;
    return false;
}

bool pbjson__invalid(struct reader *reader, const struct at *at, const char *fmt, ...)
{
    char text[256];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return pbjson__fail(reader, at, "INVALID_FIELD", NULL, "%s", text);
}

ProtobufCMessage *pbjson__new(struct arena *arena, const ProtobufCMessageDescriptor *desc)
{
    ProtobufCMessage *message = arena_alloc(arena, desc->sizeof_message);

    protobuf_c_message_init(desc, message);
    return message;
}

size_t pbjson__size_of(const ProtobufCFieldDescriptor *f)
{
    switch (f->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_ENUM:
        return 4;
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    default:
        return 8;
    }
}

void pbjson__mark_set(const struct field *field, ProtobufCMessage *message)
{
    char *quantifier = (char *)message + field->f->quantifier_offset;

    if (field->f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        *(uint32_t *)quantifier = field->f->id;
    else if (field->f->label == PROTOBUF_C_LABEL_OPTIONAL && field->f->quantifier_offset)
        *(protobuf_c_boolean *)quantifier = 1;
}

static const char *nearest_name(struct reader *reader, const struct type *type, const char *key)
{
    const char *names[NAMES_MAX], *nearest;
    size_t n = MIN_OF((size_t)type->desc->n_fields, (size_t)NAMES_MAX);

    for (size_t i = 0; i < n; i++)
        names[i] = type->fields[i].json_name;
    nearest = text_nearest(key, names, n);
    return nearest ? arena_printf(reader->arena, "did you mean '%s'?", nearest) : NULL;
}

/* The list grows by one. Copied each time: only single fields from a URL come this way. */
bool pbjson__append(struct reader *reader, const struct at *at, struct field *field,
                    const json_t *json, ProtobufCMessage *message)
{
    size_t *n = (size_t *)((char *)message + field->f->quantifier_offset);
    void **list = (void **)((char *)message + field->f->offset);
    size_t size = pbjson__size_of(field->f);
    char *more;

    if (*n >= PBJSON_ELEMENTS_MAX)
        return pbjson__invalid(reader, at, "more than %d elements", PBJSON_ELEMENTS_MAX);
    more = arena_zalloc(reader->arena, size * (*n + 1));
    if (*n)
        memcpy(more, *list, size * *n);
    if (!pbjson__read_value(reader, at, field, json, more + size * *n))
        return false;
    *list = more;
    (*n)++;
    return true;
}

static bool read_list(struct reader *reader, const struct at *at, struct field *field,
                      const json_t *json, ProtobufCMessage *message)
{
    size_t size = pbjson__size_of(field->f), n = json_array_size(json);
    char *list;

    if (!json_is_array(json))
        return pbjson__invalid(reader, at, "must be a list");
    if (n > PBJSON_ELEMENTS_MAX)
        return pbjson__invalid(reader, at, "more than %d elements", PBJSON_ELEMENTS_MAX);
    list = arena_zalloc(reader->arena, size * (n + 1));
    for (size_t i = 0; i < n; i++) {
        struct at here = {at, NULL, i};
        const json_t *element = json_array_get(json, i);

        if (json_is_null(element) &&
            (field->f->type != PROTOBUF_C_TYPE_MESSAGE ||
             pbjson__sub(reader->registry, field)->wellknown != WELLKNOWN_JSON))
            return pbjson__invalid(reader, &here, "must not be null");
        if (!pbjson__read_value(reader, &here, field, element, list + size * i))
            return false;
    }
    *(size_t *)((char *)message + field->f->quantifier_offset) = n;
    *(void **)((char *)message + field->f->offset) = list;
    return true;
}

/* Keys are strings in JSON whatever they are in the message. */
static bool read_map_key(struct reader *reader, const struct at *at, struct field *field,
                         const char *key, ProtobufCMessage *entry)
{
    AUTO(json_drop) json_t *json = NULL;
    void *to = (char *)entry + field->f->offset;

    if (field->f->type == PROTOBUF_C_TYPE_BOOL &&
        (strcmp(key, "true") == 0 || strcmp(key, "false") == 0))
        json = json_boolean(key[0] == 't');
    else
        json = json_string(key);
    return pbjson__read_value(reader, at, field, json, to);
}

static bool read_map(struct reader *reader, const struct at *at, struct field *field,
                     const json_t *json, ProtobufCMessage *message)
{
    struct type *type = pbjson__sub(reader->registry, field);
    ProtobufCMessage **list;
    const char *key;
    json_t *value;
    size_t n = 0;

    if (!json_is_object(json))
        return pbjson__invalid(reader, at, "must be an object");
    list = ARENA_ARRAY(reader->arena, ProtobufCMessage *, json_object_size(json) + 1);
    json_object_foreach((json_t *)json, key, value)
    {
        struct at here = {at, key, 0};
        struct field *entry_value = pbjson__find(type, "value", 5);

        if (json_is_null(value) &&
            (entry_value->f->type != PROTOBUF_C_TYPE_MESSAGE ||
             pbjson__sub(reader->registry, entry_value)->wellknown != WELLKNOWN_JSON))
            return pbjson__invalid(reader, &here, "must not be null");
        list[n] = pbjson__new(reader->arena, type->desc);
        if (!read_map_key(reader, &here, pbjson__find(type, "key", 3), key, list[n]) ||
            !pbjson__read_value(reader, &here, entry_value, value,
                                (char *)list[n] + entry_value->f->offset))
            return false;
        n++;
    }
    *(size_t *)((char *)message + field->f->quantifier_offset) = n;
    *(void **)((char *)message + field->f->offset) = list;
    return true;
}

bool pbjson__read_field(struct reader *reader, const struct at *at, struct field *field,
                        const json_t *json, ProtobufCMessage *message)
{
    if (field->is_map)
        return read_map(reader, at, field, json, message);
    if (field->f->label == PROTOBUF_C_LABEL_REPEATED)
        return read_list(reader, at, field, json, message);
    /* Unknown names of enums are skipped like unknown fields. */
    if (field->f->type == PROTOBUF_C_TYPE_ENUM && reader->options.ignore_unknown &&
        json_is_string(json)) {
        struct reader probe = *reader;
        int32_t value;

        probe.err = NULL;
        if (!pbjson__read_value(&probe, at, field, json, &value))
            return true;
    }
    if (!pbjson__read_value(reader, at, field, json, (char *)message + field->f->offset))
        return false;
    pbjson__mark_set(field, message);
    return true;
}

static bool read_member(struct reader *reader, const struct at *at, struct type *type,
                        const char *key, const json_t *json, ProtobufCMessage *message,
                        uint8_t *seen)
{
    struct field *field = pbjson__find(type, key, strlen(key));
    size_t index;

    if (!field)
        return reader->options.ignore_unknown ||
               pbjson__fail(reader, at, "UNKNOWN_FIELD", nearest_name(reader, type, key),
                            "unknown field");
    index = (size_t)(field - type->fields);
    if (index < NAMES_MAX && seen[index]++)
        return pbjson__invalid(reader, at, "given twice, as '%s' and as '%s'", field->json_name,
                               field->f->name);
    if (json_is_null(json))
        return true;
    if ((field->f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) &&
        *(uint32_t *)((char *)message + field->f->quantifier_offset) != 0)
        return pbjson__invalid(reader, at, "excludes another field that is given too");
    return pbjson__read_field(reader, at, field, json, message);
}

bool pbjson__read_members(struct reader *reader, const struct at *at, struct type *type,
                          const json_t *json, ProtobufCMessage *message, const char *skipped_key)
{
    uint8_t seen[NAMES_MAX] = {0};
    const char *key;
    json_t *value;

    if (!json_is_object(json))
        return pbjson__invalid(reader, at, "must be an object");
    json_object_foreach((json_t *)json, key, value)
    {
        struct at here = {at, key, 0};

        if (skipped_key && strcmp(key, skipped_key) == 0)
            continue;
        if (!read_member(reader, &here, type, key, value, message, seen))
            return false;
    }
    return true;
}

bool pbjson__read_message(struct reader *reader, const struct at *at, struct type *type,
                          const json_t *json, ProtobufCMessage **ret)
{
    ProtobufCMessage *message = pbjson__new(reader->arena, type->desc);

    if (type->wellknown != WELLKNOWN_NONE) {
        if (!pbjson__read_wellknown(reader, at, type, json, message))
            return false;
    } else if (!pbjson__read_members(reader, at, type, json, message, NULL)) {
        return false;
    }
    *ret = message;
    return true;
}

enum status pbjson_from_text(struct pbjson_registry *registry,
                             const ProtobufCMessageDescriptor *desc, struct slice text,
                             struct arena *arena, const struct pbjson_options *options,
                             ProtobufCMessage **ret, struct error *err)
{
    struct reader reader = {.registry = registry, .arena = arena, .err = err};
    AUTO(json_drop) json_t *json = NULL;
    enum status status;

    if (options)
        reader.options = *options;
    if (!text.len)
        text = slice_of("{}");
    status = json_parse(text, PBJSON_TEXT_BYTES_MAX, &json, err);
    if (status != STATUS_OK)
        return status;
    return pbjson__read_message(&reader, NULL, pbjson__type(registry, desc), json, ret)
               ? STATUS_OK
               : STATUS_INVALID_ARGUMENT;
}
