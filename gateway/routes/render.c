/* SPDX-License-Identifier: Apache-2.0 */
#include "routes/bind.h"
#include "routes/render.h"

static bool is_set(const ProtobufCMessage *message, const struct schema_field *field)
{
    const ProtobufCFieldDescriptor *known =
        protobuf_c_message_descriptor_get_field_by_name(message->descriptor, field->name);
    const char *base = (const char *)message;

    return known && (known->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) &&
           *(const uint32_t *)(base + known->quantifier_offset) == known->id;
}

const char *render_event_name(const struct route *route, const ProtobufCMessage *message)
{
    const struct schema_message *output = route->schema->output;

    for (size_t i = 0; i < output->field_count; i++) {
        const struct schema_field *field = &output->fields[i];

        /* A oneof of one member only marks presence. */
        if (field->oneof >= 0 && output->oneofs[field->oneof].members > 1 && is_set(message, field))
            return field->json_name;
    }
    for (size_t i = 0; i < output->field_count; i++) {
        const struct schema_field *field = &output->fields[i];

        if (field->repeated && field->message && !field->message->map_entry)
            return field->json_name;
    }
    return "message";
}

enum status render_event(struct pbjson_registry *registry, const struct route *route,
                         const ProtobufCMessage *message, struct buf *out, struct error *err)
{
    static const struct pbjson_options options = {.defaults = true};
    const char *id = bind_text(message, "event_id");
    enum status st = STATUS_OK;

    /* An id with a line break would end the field and begin another. */
    if (id && !strpbrk(id, "\r\n"))
        st = buf_printf(out, "id: %s\n", id);
    if (st == STATUS_OK)
        st = buf_printf(out, "event: %s\ndata: ", render_event_name(route, message));
    if (st != STATUS_OK)
        return error_set(err, st, "an event is too large");
    st = pbjson_to_text(registry, message, &options, out, err);
    if (st == STATUS_OK && buf_append(out, "\n\n", 2) != STATUS_OK)
        st = error_set(err, STATUS_RESOURCE_EXHAUSTED, "an event is too large");
    return st;
}

bool render_has_lines(const struct route *route)
{
    const struct schema_field *lines = schema_find_field(route->schema->output, "lines");

    return lines && lines->repeated && schema_find_field(lines->message, "text");
}

static bool is_continued(const ProtobufCMessage *line)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(line->descriptor, "continued");

    return field && field->type == PROTOBUF_C_TYPE_BOOL &&
           *(const protobuf_c_boolean *)((const char *)line + field->offset);
}

enum status render_lines(const ProtobufCMessage *message, struct buf *out)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(message->descriptor, "lines");
    const char *base = (const char *)message;
    ProtobufCMessage *const *lines;
    size_t count;

    if (!field || field->label != PROTOBUF_C_LABEL_REPEATED ||
        field->type != PROTOBUF_C_TYPE_MESSAGE)
        return STATUS_INTERNAL;
    count = *(const size_t *)(base + field->quantifier_offset);
    lines = *(ProtobufCMessage *const *const *)(base + field->offset);
    for (size_t i = 0; i < count; i++) {
        const char *text = bind_text(lines[i], "text");
        bool joined = i + 1 < count && is_continued(lines[i + 1]);

        if (text && buf_append(out, text, strlen(text)) != STATUS_OK)
            return STATUS_RESOURCE_EXHAUSTED;
        if (!joined && buf_append(out, "\n", 1) != STATUS_OK)
            return STATUS_RESOURCE_EXHAUSTED;
    }
    return STATUS_OK;
}
