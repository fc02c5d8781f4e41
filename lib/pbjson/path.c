/* SPDX-License-Identifier: Apache-2.0 */
/* Single fields by their path: from the URL, or a body that is mapped to a field. */
#include "base/text.h"
#include "internal.h"
#include "json/json.h"

#define PATH_DEPTH_MAX 8

struct target {
    ProtobufCMessage *message;
    struct field *field;
    struct at at; /* the path as it was given */
};

/* Another member of the same oneof gives way. */
static void clear_oneof(const struct field *field, ProtobufCMessage *message)
{
    uint32_t *which = (uint32_t *)((char *)message + field->f->quantifier_offset);

    if (!(field->f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) || *which == field->f->id)
        return;
    memset((char *)message + field->f->offset, 0, pbjson__size_of(field->f));
    *which = 0;
}

/* Goes down to the last field of the path; messages on the way are made. */
static bool find_target(struct reader *reader, ProtobufCMessage *message, const char *path,
                        struct target *ret)
{
    uint32_t depth = 0;

    ret->at = (struct at){NULL, path, 0};
    for (;;) {
        struct type *type = pbjson__type(reader->registry, message->descriptor);
        size_t len = strcspn(path, ".");
        struct field *field = len ? pbjson__find(type, path, len) : NULL;
        ProtobufCMessage **sub;

        if (!field || depth++ == PATH_DEPTH_MAX)
            return pbjson__fail(reader, &ret->at, "UNKNOWN_FIELD", NULL, "unknown field");
        if (!path[len]) {
            ret->message = message;
            ret->field = field;
            return true;
        }
        if (field->f->type != PROTOBUF_C_TYPE_MESSAGE ||
            field->f->label == PROTOBUF_C_LABEL_REPEATED ||
            pbjson__sub(reader->registry, field)->wellknown != WELLKNOWN_NONE)
            return pbjson__fail(reader, &ret->at, "UNKNOWN_FIELD", NULL, "unknown field");
        clear_oneof(field, message);
        sub = (ProtobufCMessage **)((char *)message + field->f->offset);
        if (!*sub)
            *sub = pbjson__new(reader->arena, field->f->descriptor);
        pbjson__mark_set(field, message);
        message = *sub;
        path += len + 1;
    }
}

enum status pbjson_field_from_text(struct pbjson_registry *registry, ProtobufCMessage *message,
                                   const char *path, struct slice text, struct arena *arena,
                                   const struct pbjson_options *options, struct error *err)
{
    struct reader reader = {.registry = registry, .arena = arena, .err = err};
    AUTO(json_drop) json_t *json = NULL;
    struct target target;
    enum status status;

    if (options)
        reader.options = *options;
    status = json_parse(text, PBJSON_TEXT_BYTES_MAX, &json, err);
    if (status != STATUS_OK)
        return status;
    if (!find_target(&reader, message, path, &target))
        return STATUS_INVALID_ARGUMENT;
    if (json_is_null(json))
        return STATUS_OK;
    clear_oneof(target.field, target.message);
    return pbjson__read_field(&reader, &target.at, target.field, json, target.message)
               ? STATUS_OK
               : STATUS_INVALID_ARGUMENT;
}

/* Whether a message can be said in plain text. */
static bool is_plain_type(enum wellknown wellknown)
{
    return wellknown == WELLKNOWN_TIMESTAMP || wellknown == WELLKNOWN_DURATION ||
           wellknown == WELLKNOWN_FIELD_MASK || wellknown == WELLKNOWN_WRAPPER ||
           wellknown == WELLKNOWN_JSON;
}

/* The JSON value that the text stands for in a field of this kind. NULL: reported. */
static json_t *json_of_text(struct reader *reader, const struct at *at, struct field *field,
                            const char *text)
{
    struct type *sub =
        field->f->type == PROTOBUF_C_TYPE_MESSAGE ? pbjson__sub(reader->registry, field) : NULL;
    struct error why = {0};
    json_t *json = NULL;

    if (sub && sub->wellknown == WELLKNOWN_WRAPPER)
        return json_of_text(reader, at, &sub->fields[0], text);
    if (sub && sub->wellknown == WELLKNOWN_JSON) {
        if (json_parse(slice_of(text), PBJSON_TEXT_BYTES_MAX, &json, &why) != STATUS_OK)
            (void)pbjson__invalid(reader, at, "is not JSON: %s", why.message);
        return json;
    }
    if (field->f->type == PROTOBUF_C_TYPE_BOOL) {
        if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
            return json_boolean(*text == 't');
        (void)pbjson__invalid(reader, at, "must be true or false");
        return NULL;
    }
    if (field->f->type == PROTOBUF_C_TYPE_ENUM) {
        int64_t number;

        if (text_to_i64(text, &number))
            return json_integer(number);
    }
    json = json_string(text);
    if (!json)
        (void)pbjson__invalid(reader, at, "is not UTF-8");
    return json;
}

enum status pbjson_set_field(struct pbjson_registry *registry, ProtobufCMessage *message,
                             const char *path, const char *text, struct arena *arena,
                             struct error *err)
{
    struct reader reader = {.registry = registry, .arena = arena, .err = err};
    AUTO(json_drop) json_t *json = NULL;
    struct target target;
    bool ok;

    if (!find_target(&reader, message, path, &target))
        return STATUS_INVALID_ARGUMENT;
    if (target.field->is_map || (target.field->f->type == PROTOBUF_C_TYPE_MESSAGE &&
                                 !is_plain_type(pbjson__sub(registry, target.field)->wellknown))) {
        (void)pbjson__invalid(&reader, &target.at, "cannot be given as plain text");
        return STATUS_INVALID_ARGUMENT;
    }
    json = json_of_text(&reader, &target.at, target.field, text);
    if (!json)
        return STATUS_INVALID_ARGUMENT;
    clear_oneof(target.field, target.message);
    if (target.field->f->label == PROTOBUF_C_LABEL_REPEATED)
        ok = pbjson__append(&reader, &target.at, target.field, json, target.message);
    else
        ok = pbjson__read_field(&reader, &target.at, target.field, json, target.message);
    return ok ? STATUS_OK : STATUS_INVALID_ARGUMENT;
}
