/* SPDX-License-Identifier: Apache-2.0 */
/* google.protobuf.Any: {"@type": url, fields…}, or {"@type": url, "value": …} for types that are no
 * objects in JSON. */
#include "base/text.h"
#include "internal.h"

static void *arena_allocate(void *arena, size_t bytes)
{
    return arena_alloc(arena, bytes);
}

static void arena_ignore(void *arena, void *ptr)
{
}

/* What stands behind the last slash. */
static const char *type_name(const char *url)
{
    const char *slash = strrchr(url, '/');

    return slash ? slash + 1 : url;
}

static bool read_payload(struct reader *reader, const struct at *at, struct type *type,
                         const json_t *json, ProtobufCMessage **ret)
{
    struct at here = {at, "value", 0};

    if (type->wellknown != WELLKNOWN_NONE) {
        json_t *value = json_object_get(json, "value");

        if (!value || json_object_size(json) != 2)
            return pbjson__invalid(reader, at, "must have exactly @type and value");
        return pbjson__read_message(reader, &here, type, value, ret);
    }
    *ret = pbjson__new(reader->arena, type->desc);
    return pbjson__read_members(reader, at, type, json, *ret, "@type");
}

bool pbjson__read_any(struct reader *reader, const struct at *at, struct type *type,
                      const json_t *json, ProtobufCMessage *message)
{
    const char *url = json_string_value(json_object_get(json, "@type"));
    ProtobufCBinaryData *value = pbjson__member(message, "value");
    const ProtobufCMessageDescriptor *desc;
    ProtobufCMessage *payload;
    struct at here = {at, "@type", 0};

    if (json_is_object(json) && json_object_size(json) == 0)
        return true;
    if (!url)
        return pbjson__invalid(reader, at, "must be an object with @type");
    desc = strchr(url, '/') ? pbjson_find_message(reader->registry, type_name(url)) : NULL;
    if (!desc)
        return pbjson__invalid(reader, &here, "type '%.100s' is not known", url);
    if (!read_payload(reader, at, pbjson__type(reader->registry, desc), json, &payload))
        return false;
    *(char **)pbjson__member(message, "type_url") = arena_strdup(reader->arena, url);
    value->len = protobuf_c_message_get_packed_size(payload);
    value->data = arena_alloc(reader->arena, value->len + 1);
    protobuf_c_message_pack(payload, value->data);
    return true;
}

static bool write_unknown(struct writer *writer, struct type *type, const ProtobufCMessage *message)
{
    return pbjson__puts(writer, ",\"value\":") &&
           pbjson__write_value(writer, pbjson__find(type, "value", 5),
                               pbjson__member(message, "value")) &&
           pbjson__puts(writer, "}");
}

static bool write_payload(struct writer *writer, struct type *type, const ProtobufCMessage *payload)
{
    bool first = false;

    if (type->wellknown != WELLKNOWN_NONE)
        return pbjson__puts(writer, ",\"value\":") &&
               pbjson__write_message(writer, type, payload) && pbjson__puts(writer, "}");
    return pbjson__write_members(writer, type, payload, &first) && pbjson__puts(writer, "}");
}

bool pbjson__write_any(struct writer *writer, struct type *type, const ProtobufCMessage *message)
{
    const char *url = *(const char **)pbjson__member(message, "type_url");
    const ProtobufCBinaryData *value = pbjson__member(message, "value");
    const ProtobufCMessageDescriptor *desc =
        pbjson_find_message(writer->registry, type_name(url ? url : ""));
    struct arena scratch;
    ProtobufCAllocator allocator = {arena_allocate, arena_ignore, &scratch};
    ProtobufCMessage *payload;
    bool ok;

    if (!url || !*url)
        return pbjson__puts(writer, "{}");
    if (!pbjson__puts(writer, "{\"@type\":") || !pbjson__put_string(writer, slice_of(url)))
        return false;
    if (!desc)
        return write_unknown(writer, type, message);
    arena_init(&scratch, 0);
    payload = protobuf_c_message_unpack(desc, &allocator, value->len, value->data);
    ok = payload ? write_payload(writer, pbjson__type(writer->registry, desc), payload)
                 : pbjson__refuse(writer, "the value of an Any cannot be read");
    arena_fini(&scratch);
    return ok;
}
