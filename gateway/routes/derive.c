/* SPDX-License-Identifier: Apache-2.0 */
#include "table.h"

#define JSON_TYPE "plankton.v1.Json"
#define DURATION_TYPE "google.protobuf.Duration"

static enum status refuse(const struct route *route, struct error *err, const char *why)
{
    return error_set(err, STATUS_INVALID_ARGUMENT, "%s %s (%s): %s", route->verb, route->template,
                     route->schema->path, why);
}

/* Path variables are singular scalars, at most one message deep in each step. */
static const struct schema_field *resolve_path(const struct schema_message *message,
                                               const char *path)
{
    const struct schema_field *field = NULL;

    while (*path) {
        const char *dot = strchrnul(path, '.');

        field = schema_find_field_by_either(message, (struct slice){path, (size_t)(dot - path)});
        if (!field || field->repeated)
            return NULL;
        message = field->message;
        path = *dot ? dot + 1 : dot;
    }
    return field;
}

static enum status derive_variables(struct route *route, const struct template *template,
                                    struct error *err)
{
    for (size_t i = 0; i < template->count; i++) {
        const struct template_segment *segment = &template->segments[i];
        const struct schema_field *field;

        if (segment->kind == TEMPLATE_LITERAL)
            continue;
        if (route->variable_count == ROUTE_VARIABLES_MAX)
            return refuse(route, err, "too many variables");
        route->variables[route->variable_count++] = segment->field;
        if (!segment->field)
            continue;
        field = resolve_path(route->schema->input, segment->field);
        if (!field || field->type == SCHEMA_MESSAGE)
            return refuse(route, err, "a path variable is no singular field of the request");
    }
    return STATUS_OK;
}

static enum status derive_body(struct route *route, const struct schema_rule *rule,
                               struct error *err)
{
    const struct schema_message *input = route->schema->input;
    const struct schema_field *source;

    if (!rule->body[0])
        return STATUS_OK;
    if (str_eq(route->verb, "GET") || str_eq(route->verb, "DELETE"))
        return refuse(route, err, "this method has no body");
    if (str_eq(rule->body, "*")) {
        route->body = ROUTE_BODY_ALL;
        return STATUS_OK;
    }
    route->body = ROUTE_BODY_FIELD;
    route->body_field = schema_find_field(input, rule->body);
    if (!route->body_field)
        return refuse(route, err, "the body is no field of the request");
    source = schema_find_field(input, "source");
    route->takes_source = schema_is_message(route->body_field, JSON_TYPE) && source &&
                          source->type == SCHEMA_STRING && !source->repeated;
    return STATUS_OK;
}

static const struct schema_field *text_field(const struct schema_message *message, const char *name)
{
    const struct schema_field *field = schema_find_field(message, name);

    return field && field->type == SCHEMA_STRING && !field->repeated ? field : NULL;
}

enum status route_derive(struct route *route, const struct schema_rule *rule,
                         const struct template *template, struct error *err)
{
    const struct schema_method *method = route->schema;
    const struct schema_field *wait;
    enum status st;

    if (!method->input || !method->output)
        return refuse(route, err, "request or answer is not in the descriptor set");
    if (method->client_streaming)
        return refuse(route, err, "a stream of requests cannot come over HTTP");
    if (!method->access_given || !method->access)
        return refuse(route, err, "option plankton.v1.access does not say who may call it");
    route->streams = method->server_streaming;
    if (route->streams && !str_eq(route->verb, "GET"))
        return refuse(route, err, "event streams are asked for with GET");
    if (rule->response_body[0] && !schema_find_field(method->output, rule->response_body))
        return refuse(route, err, "response_body is no field of the answer");
    route->response_body = rule->response_body;
    st = derive_variables(route, template, err);
    if (st == STATUS_OK)
        st = derive_body(route, rule, err);
    if (st != STATUS_OK)
        return st;
    route->request_id = text_field(method->input, "request_id");
    route->after_event_id = text_field(method->input, "after_event_id");
    route->has_etag = text_field(method->output, "etag") != NULL;
    wait = schema_find_field(method->input, "wait");
    route->wait = schema_is_message(wait, DURATION_TYPE) && !wait->repeated ? wait : NULL;
    route->etag = text_field(method->input, "etag");
    route->creates = str_eq(route->verb, "POST") && !template->verb[0] && template->count &&
                     template->segments[template->count - 1].kind == TEMPLATE_LITERAL;
    return STATUS_OK;
}

/* GET of one thing by its id, answering with this message. */
static const struct route *getter_of(const struct routes *routes,
                                     const struct schema_message *message)
{
    for (size_t i = 0; i < routes->count; i++) {
        const struct route *route = routes->list[i];
        size_t len = strlen(route->template);

        if (str_eq(route->verb, "GET") && !route->streams && route->variable_count == 1 &&
            route->schema->output == message && route->template[len - 1] == '}' &&
            !route->response_body[0])
            return route;
    }
    return NULL;
}

static void set_location(struct routes *routes, struct route *route,
                         const struct schema_message *message, const char *id)
{
    const struct route *getter = getter_of(routes, message);
    const char *template = getter ? getter->template : NULL;

    route->location_id = id;
    if (template)
        route->location_prefix =
            arena_strndup(routes->arena, template, (size_t)(strrchr(template, '{') - template));
    else if (!route->variable_count) /* its place in the collection it was posted to */
        route->location_prefix = arena_printf(routes->arena, "%s/", route->template);
}

void route_derive_location(struct routes *routes, struct route *route)
{
    const struct schema_message *output = route->schema->output;

    if (!route->creates)
        return;
    if (text_field(output, "id")) {
        set_location(routes, route, output, "id");
        return;
    }
    for (size_t i = 0; i < output->field_count; i++) {
        const struct schema_field *field = &output->fields[i];

        if (field->repeated || !field->message || !text_field(field->message, "id"))
            continue;
        set_location(routes, route, field->message,
                     arena_printf(routes->arena, "%s.id", field->name));
        return;
    }
}
