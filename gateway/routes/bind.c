/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "base/text.h"
#include "routes/bind.h"
#include "unescape.h"

#define DURATION_TYPE "google.protobuf.Duration"
#define FIELD_PATH_BYTES_MAX 256

static enum status invalid(struct error *err, const char *reason, const char *field,
                           const char *message)
{
    return error_field(err, STATUS_INVALID_ARGUMENT, reason, field, "%s", message);
}

const char *bind_text(const ProtobufCMessage *message, const char *path)
{
    const char *dot = strchr(path, '.');
    char name[64];
    const ProtobufCFieldDescriptor *field;
    const void *member;

    if (dot) {
        if ((size_t)(dot - path) >= sizeof name)
            return NULL;
        memcpy(name, path, (size_t)(dot - path));
        name[dot - path] = '\0';
    }
    field = protobuf_c_message_descriptor_get_field_by_name(message->descriptor, dot ? name : path);
    if (!field || field->label == PROTOBUF_C_LABEL_REPEATED)
        return NULL;
    member = (const char *)message + field->offset;
    if (dot) {
        const ProtobufCMessage *inner = *(ProtobufCMessage *const *)member;

        return field->type == PROTOBUF_C_TYPE_MESSAGE && inner ? bind_text(inner, dot + 1) : NULL;
    }
    const char *text = *(const char *const *)member;

    return field->type == PROTOBUF_C_TYPE_STRING && text && text[0] ? text : NULL;
}

static void set_text(ProtobufCMessage *message, const char *name, const char *text)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);

    *(const char **)((char *)message + field->offset) = text;
}

/* ---- body ---- */

static enum status bind_document(struct pbjson_registry *registry,
                                 const struct bind_request *request, struct arena *arena,
                                 ProtobufCMessage *message, struct error *err)
{
    struct slice body = request->body;

    if (memchr(body.data, 0, body.len) || !text_is_utf8(body.data, body.len))
        return invalid(err, "INVALID_TEXT", "", "the body is not UTF-8 text without NUL");
    set_text(message, "source", arena_strndup(arena, body.data, body.len));
    if (request->content == BIND_YAML)
        return STATUS_OK;
    return pbjson_field_from_text(registry, message, request->route->body_field->name, body, arena,
                                  NULL, err);
}

static enum status bind_body(struct pbjson_registry *registry, const struct bind_request *request,
                             struct arena *arena, ProtobufCMessage **ret, struct error *err)
{
    const struct route *route = request->route;
    const ProtobufCMessageDescriptor *desc = route->method->input;
    ProtobufCMessage *message;

    if (route->body == ROUTE_BODY_ALL)
        return pbjson_from_text(registry, desc, request->body, arena, NULL, ret, err);
    message = arena_zalloc(arena, desc->sizeof_message);
    protobuf_c_message_init(desc, message);
    *ret = message;
    if (route->body == ROUTE_BODY_NONE)
        return request->body.len ? invalid(err, "UNEXPECTED_BODY", "", "this request has no body")
                                 : STATUS_OK;
    if (!request->body.len)
        return invalid(err, "INVALID_JSON", "", "the request needs a body");
    if (route->takes_source)
        return bind_document(registry, request, arena, message, err);
    return pbjson_field_from_text(registry, message, route->body_field->name, request->body, arena,
                                  NULL, err);
}

/* ---- path ---- */

static enum status bind_path(struct pbjson_registry *registry, const struct bind_request *request,
                             struct arena *arena, ProtobufCMessage *message, struct error *err)
{
    const struct route *route = request->route;

    for (size_t i = 0; i < route->variable_count; i++) {
        const char *field = route->variables[i], *value, *given;
        enum status st;

        if (!field)
            continue;
        st = unescape_text(request->values[i], strstr(route->template, "=**}") != NULL, arena,
                           &value, err);
        if (st != STATUS_OK)
            return st;
        given = bind_text(message, field);
        if (given && !str_eq(given, value))
            return invalid(err, "INVALID_FIELD", field, "the body and the path do not agree");
        st = pbjson_set_field(registry, message, field, value, arena, err);
        if (st != STATUS_OK)
            return st;
    }
    return STATUS_OK;
}

/* ---- query ---- */

static bool in_path(const struct route *route, const struct schema_field *field)
{
    for (size_t i = 0; i < route->variable_count; i++) {
        const char *variable = route->variables[i];

        if (variable &&
            schema_find_field_by_either(route->schema->input,
                                        (struct slice){variable, strcspn(variable, ".")}) == field)
            return true;
    }
    return false;
}

/* A top-level field that may stand in the query. */
static bool is_query_field(const struct route *route, const struct schema_field *field)
{
    if (in_path(route, field) || field == route->body_field)
        return false;
    /* The author's text is the body itself: it has no second place. */
    return !(route->takes_source && str_eq(field->name, "source"));
}

static enum status unknown_parameter(const struct route *route, const char *name,
                                     struct arena *arena, struct error *err)
{
    const struct schema_message *input = route->schema->input;
    const char **known = ARENA_ARRAY(arena, const char *, input->field_count);
    const char *near;
    size_t n = 0;

    for (size_t i = 0; route->body != ROUTE_BODY_ALL && i < input->field_count; i++)
        if (is_query_field(route, &input->fields[i]))
            known[n++] = input->fields[i].json_name;
    near = text_nearest(name, known, n);
    error_field(err, STATUS_INVALID_ARGUMENT, "UNKNOWN_FIELD", name, "unknown query parameter");
    if (err)
        error_add_violation(err, arena, name, 0, 0,
                            near ? arena_printf(arena, "did you mean \"%s\"?", near) : NULL,
                            "unknown query parameter");
    return STATUS_INVALID_ARGUMENT;
}

/* Durations may also be written as everywhere else: 500ms, 2m. */
static const char *duration_text(const char *value, struct arena *arena)
{
    int64_t ms;

    if (!text_to_duration_ms(value, &ms))
        return value;
    return arena_printf(arena, "%" PRId64 ".%03ds", ms / 1000, (int)(ms % 1000));
}

static bool seen_before(const struct bind_request *request, size_t index,
                        const struct schema_field *field)
{
    for (size_t i = 0; i < index; i++)
        if (schema_find_field_by_either(request->route->schema->input, request->query[i].name) ==
            field)
            return true;
    return false;
}

static enum status bind_pair_value(struct pbjson_registry *registry,
                                   const struct bind_request *request, size_t index,
                                   struct arena *arena, ProtobufCMessage *message,
                                   struct error *err)
{
    const struct route *route = request->route;
    struct slice raw = request->query[index].name, top = raw;
    const char *name = arena_strndup(arena, raw.data, raw.len);
    const char *value =
        arena_strndup(arena, request->query[index].value.data, request->query[index].value.len);
    const struct schema_field *field;

    top.len = strcspn(name, ".");
    field = schema_find_field_by_either(route->schema->input, top);
    if (route->body == ROUTE_BODY_ALL || !field || !is_query_field(route, field) ||
        memchr(raw.data, 0, raw.len) || raw.len >= FIELD_PATH_BYTES_MAX)
        return unknown_parameter(route, name, arena, err);
    if (strlen(value) != request->query[index].value.len ||
        !text_is_utf8(value, request->query[index].value.len))
        return invalid(err, "INVALID_FIELD", name, "not UTF-8 text without NUL");
    if (!field->repeated && top.len == raw.len && seen_before(request, index, field))
        return invalid(err, "INVALID_FIELD", name, "given more than once");
    if (schema_is_message(field, DURATION_TYPE))
        value = duration_text(value, arena);
    return pbjson_set_field(registry, message, name, value, arena, err);
}

static enum status bind_query(struct pbjson_registry *registry, const struct bind_request *request,
                              struct arena *arena, ProtobufCMessage *message, struct error *err)
{
    if (request->query_count > BIND_QUERY_MAX)
        return invalid(err, "INVALID_FIELD", "", "too many query parameters");
    for (size_t i = 0; i < request->query_count; i++) {
        enum status st = bind_pair_value(registry, request, i, arena, message, err);

        if (st != STATUS_OK)
            return st;
    }
    return STATUS_OK;
}

/* ---- headers ---- */

/* A header that stands for a field; when the field was given too, both must agree. */
static enum status bind_header(const struct schema_field *field, struct slice value,
                               const char *header, struct arena *arena, ProtobufCMessage *message,
                               struct error *err)
{
    const char *text, *given;

    if (!value.data)
        return STATUS_OK;
    if (!field)
        return error_field(err, STATUS_INVALID_ARGUMENT, "UNKNOWN_FIELD", header,
                           "header %s means nothing here", header);
    if (memchr(value.data, 0, value.len) || !text_is_utf8(value.data, value.len))
        return invalid(err, "INVALID_FIELD", header, "not UTF-8 text");
    text = arena_strndup(arena, value.data, value.len);
    given = bind_text(message, field->name);
    if (given && !str_eq(given, text))
        return error_field(err, STATUS_INVALID_ARGUMENT, "INVALID_FIELD", header,
                           "header %s and field %s do not agree", header, field->json_name);
    set_text(message, field->name, text);
    return STATUS_OK;
}

/* "abc", W/"abc" and abc name the same version here; * is any, which is what no etag means. */
static struct slice entity_tag(struct slice value)
{
    if (value.len > 2 && value.data[0] == 'W' && value.data[1] == '/')
        value = (struct slice){value.data + 2, value.len - 2};
    if (value.len >= 2 && value.data[0] == '"' && value.data[value.len - 1] == '"')
        value = (struct slice){value.data + 1, value.len - 2};
    else if (slice_is(value, "*"))
        value = (struct slice){NULL, 0};
    return value;
}

static enum status bind_headers(const struct bind_request *request, struct arena *arena,
                                ProtobufCMessage *message, struct error *err)
{
    const struct route *route = request->route;
    enum status st = bind_header(route->request_id, request->idempotency_key, "Idempotency-Key",
                                 arena, message, err);

    if (st == STATUS_OK && request->if_match.data)
        st = bind_header(route->etag, entity_tag(request->if_match), "If-Match", arena, message,
                         err);
    /* Browsers send it with every reconnect, also to routes that know nothing of it. */
    if (st == STATUS_OK && route->after_event_id && request->last_event_id.len) {
        set_text(message, route->after_event_id->name,
                 arena_strndup(arena, request->last_event_id.data, request->last_event_id.len));
        if (!text_is_utf8(request->last_event_id.data, request->last_event_id.len))
            return invalid(err, "INVALID_FIELD", "Last-Event-ID", "not UTF-8 text");
    }
    return st;
}

static int64_t wait_ms(const struct route *route, const ProtobufCMessage *message)
{
    const ProtobufCFieldDescriptor *field, *seconds, *nanos;
    const ProtobufCMessage *duration;
    int64_t s;
    int32_t ns;

    if (!route->wait)
        return 0;
    field = protobuf_c_message_descriptor_get_field_by_name(message->descriptor, route->wait->name);
    duration = *(ProtobufCMessage *const *)((const char *)message + field->offset);
    if (!duration)
        return 0;
    seconds = protobuf_c_message_descriptor_get_field_by_name(duration->descriptor, "seconds");
    nanos = protobuf_c_message_descriptor_get_field_by_name(duration->descriptor, "nanos");
    s = *(const int64_t *)((const char *)duration + seconds->offset);
    ns = *(const int32_t *)((const char *)duration + nanos->offset);
    if (s < 0 || s > INT64_MAX / 2000)
        return 0; /* the method itself refuses it */
    return s * 1000 + ns / 1000000;
}

enum status bind_message(struct pbjson_registry *registry, const struct bind_request *request,
                         struct arena *arena, ProtobufCMessage **ret, int64_t *ret_wait_ms,
                         struct error *err)
{
    ProtobufCMessage *message = NULL;
    enum status st = bind_body(registry, request, arena, &message, err);

    if (st == STATUS_OK)
        st = bind_path(registry, request, arena, message, err);
    if (st == STATUS_OK)
        st = bind_query(registry, request, arena, message, err);
    if (st == STATUS_OK)
        st = bind_headers(request, arena, message, err);
    if (st != STATUS_OK)
        return st;
    *ret = message;
    *ret_wait_ms = wait_ms(request->route, message);
    return STATUS_OK;
}
