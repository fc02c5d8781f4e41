/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>

#include "document.h"

#define QUERY_DEPTH_MAX 3 /* of a.b.c parameters */
#define PROBLEM_REF "#/components/responses/Problem"

json_t *document_roles(const struct schema *schema, uint32_t access)
{
    const struct schema_enum *roles = schema_find_enum(schema, ROLE_ENUM);
    json_t *names = json_array();

    for (size_t i = 0; roles && i < roles->value_count; i++) {
        const char *name = roles->values[i].name;
        char word[32];
        size_t len = 0;

        if (roles->values[i].number < 0 || roles->values[i].number > 31 ||
            !(access & (1u << roles->values[i].number)))
            continue;
        if (strncmp(name, "ROLE_", 5) == 0)
            name += 5;
        while (name[len] && len < sizeof word - 1) {
            word[len] = (char)tolower((unsigned char)name[len]);
            len++;
        }
        json_array_append_new(names, json_stringn(word, len));
    }
    return names;
}

const struct schema_field *document_lines_field(const struct schema_message *message)
{
    const struct schema_field *lines = schema_find_field(message, "lines");

    return lines && lines->repeated && schema_find_field(lines->message, "text") ? lines : NULL;
}

static json_t *parameter(const char *name, const char *in, bool required, json_t *schema,
                         const char *description)
{
    json_t *json = json_pack("{s:s, s:s, s:b, s:o}", "name", name, "in", in, "required", required,
                             "schema", schema);

    if (description && description[0])
        json_object_set_new(json, "description", json_string(description));
    json_object_del(schema, "description");
    return json;
}

static const struct schema_field *path_field(const struct route *route, size_t i)
{
    const char *path = route->variables[i];

    return path ? schema_find_field(route->schema->input,
                                    path) /* fields of messages are never variables so far */
                : NULL;
}

static bool is_path_field(const struct route *route, const struct schema_field *field)
{
    for (size_t i = 0; i < route->variable_count; i++)
        if (path_field(route, i) == field)
            return true;
    return false;
}

static bool known_parameter(const json_t *parameters, const char *name)
{
    size_t i;
    json_t *item;

    json_array_foreach(parameters, i, item)
    {
        if (str_eq(json_string_value(json_object_get(item, "name")), name))
            return true;
    }
    return false;
}

static void add_query_field(struct document *document, json_t *parameters,
                            const struct schema_field *field, const char *prefix, unsigned depth)
{
    const char *name = arena_printf(document->arena, "%s%s", prefix, field->json_name);
    bool object = field->type == SCHEMA_MESSAGE && !document_is_well_known(field->type_name);

    if (object && (field->repeated || !field->message || depth == QUERY_DEPTH_MAX))
        return; /* has no place in a query */
    if (object) {
        prefix = arena_printf(document->arena, "%s.", name);
        for (size_t i = 0; i < field->message->field_count; i++)
            add_query_field(document, parameters, &field->message->fields[i], prefix, depth + 1);
        return;
    }
    if (!known_parameter(parameters, name))
        json_array_append_new(parameters,
                              parameter(name, "query", false,
                                        document_field_schema(document, field), field->comment));
}

static void add_header(json_t *parameters, const struct schema_field *field, const char *name,
                       const char *description)
{
    if (field && !known_parameter(parameters, name))
        json_array_append_new(
            parameters,
            parameter(name, "header", false, json_pack("{s:s}", "type", "string"), description));
}

static void add_parameters(struct document *document, json_t *parameters, const struct route *route)
{
    const struct schema_message *input = route->schema->input;

    for (size_t i = 0; i < route->variable_count; i++) {
        const struct schema_field *field = path_field(route, i);

        if (field && !known_parameter(parameters, route->variables[i]))
            json_array_append_new(parameters, parameter(route->variables[i], "path", true,
                                                        document_field_schema(document, field),
                                                        field->comment));
    }
    for (size_t i = 0; route->body != ROUTE_BODY_ALL && i < input->field_count; i++) {
        const struct schema_field *field = &input->fields[i];

        if (is_path_field(route, field) || field == route->body_field ||
            field == route->request_id || field == route->etag ||
            (route->takes_source && str_eq(field->name, "source")))
            continue;
        add_query_field(document, parameters, field, "", 0);
    }
    add_header(parameters, route->request_id, "Idempotency-Key",
               "The same key and body give the first answer again; kept 24 h.");
    add_header(parameters, route->etag, "If-Match",
               "ETag of the version that is to be changed; 412 when there is a newer one.");
    add_header(parameters, route->after_event_id, "Last-Event-ID",
               "Go on after this event; sent by browsers when they reconnect.");
}

static json_t *request_body(struct document *document, const struct route *route)
{
    const struct schema_message *input = route->schema->input;
    const struct schema_field *without[ROUTE_VARIABLES_MAX];
    json_t *schema, *content;
    bool required = route->body == ROUTE_BODY_FIELD;

    if (route->takes_source) {
        schema = json_pack("{s:s}", "type", "object");
        content = json_pack("{s:{s:o}, s:{s:{s:s}}}", "application/json", "schema", schema,
                            "application/yaml", "schema", "type", "string");
        return json_pack("{s:b, s:o}", "required", 1, "content", content);
    }
    if (route->body == ROUTE_BODY_FIELD) {
        schema = document_field_schema(document, route->body_field);
    } else if (route->variable_count) {
        for (size_t i = 0; i < route->variable_count; i++)
            without[i] = path_field(route, i);
        schema = document_object(document, input, without, route->variable_count);
    } else {
        schema = document_message_ref(document, input);
    }
    content = json_pack("{s:{s:o}}", "application/json", "schema", schema);
    return json_pack("{s:b, s:o}", "required", required, "content", content);
}

static json_t *answer_content(struct document *document, const struct route *plain,
                              const struct route *stream)
{
    json_t *content = json_object();

    if (plain) {
        const struct schema_message *output = plain->schema->output;
        const struct schema_field *field = schema_find_field(output, plain->response_body);
        json_t *schema =
            field ? document_field_schema(document, field) : document_message_ref(document, output);

        json_object_set_new(content, "application/json", json_pack("{s:o}", "schema", schema));
        if (document_lines_field(output))
            json_object_set_new(content, "text/plain",
                                json_pack("{s:{s:s}}", "schema", "type", "string"));
    }
    if (stream) {
        json_decref(document_message_ref(document, stream->schema->output));
        json_object_set_new(
            content, "text/event-stream",
            json_pack("{s:{s:s, s:s, s:s}}", "schema", "type", "string", "description",
                      "Server-sent events; `data` of each is the schema named by "
                      "x-plankton-event, as JSON. The last is `end`, or `error` with a Problem.",
                      "x-plankton-event", stream->schema->output->name));
    }
    return content;
}

static json_t *answer_headers(const struct route *route, bool created)
{
    json_t *headers = json_object();
    const char *text = "{s:s, s:{s:s}}";

    if (created && route->location_prefix)
        json_object_set_new(
            headers, "Location",
            json_pack(text, "description", "Where the new thing is.", "schema", "type", "string"));
    if (route->has_etag)
        json_object_set_new(
            headers, "ETag",
            json_pack(text, "description", "Version, for If-Match.", "schema", "type", "string"));
    return headers;
}

static void add_answer(struct document *document, json_t *responses, const char *code,
                       const char *description, const struct route *plain,
                       const struct route *stream)
{
    const struct route *any = plain ? plain : stream;
    json_t *answer = json_pack("{s:s, s:o}", "description", description, "content",
                               answer_content(document, plain, stream));
    json_t *headers = answer_headers(any, str_eq(code, "201"));

    if (json_object_size(headers))
        json_object_set(answer, "headers", headers);
    json_decref(headers);
    json_object_set_new(responses, code, answer);
}

static void add_problem(json_t *responses, const char *code, bool wanted)
{
    if (wanted)
        json_object_set_new(responses, code, json_pack("{s:s}", "$ref", PROBLEM_REF));
}

static json_t *responses_of(struct document *document, const struct route *plain,
                            const struct route *stream)
{
    const struct route *any = plain ? plain : stream;
    json_t *responses = json_object();
    bool public = (any->schema->access & ROLE_PUBLIC_BIT) != 0;

    if (any->creates)
        add_answer(document, responses, "201", "Created.", plain, stream);
    if (!any->creates || any->request_id)
        add_answer(document, responses, "200",
                   any->creates ? "Repeats an earlier request with the same key." : "OK.", plain,
                   stream);
    add_problem(responses, "400", true);
    add_problem(responses, "401", !public);
    add_problem(responses, "403", !public);
    add_problem(responses, "404", any->variable_count > 0);
    add_problem(responses, "409", any->request_id != NULL);
    add_problem(responses, "412", any->etag != NULL);
    add_problem(responses, "422", any->takes_source);
    add_problem(responses, "default", true);
    return responses;
}

/* The first sentence of the comment. */
static const char *summary_of(struct document *document, const char *comment)
{
    size_t len = 0;

    while (comment[len] && comment[len] != '\n' &&
           !(comment[len] == '.' && (comment[len + 1] == ' ' || !comment[len + 1])) &&
           comment[len] != ';')
        len++;
    return arena_strndup(document->arena, comment, len);
}

json_t *document_operation(struct document *document, const struct route *plain,
                           const struct route *stream)
{
    const struct route *any = plain ? plain : stream;
    const char *short_service = strrchr(any->service, '.');
    const char *service = short_service ? short_service + 1 : any->service;
    const struct schema_method *method = any->schema;
    json_t *parameters = json_array();
    json_t *operation = json_pack(
        "{s:o, s:[s], s:o}", "operationId",
        json_string(arena_printf(document->arena, "%s_%s", service, method->name)), "tags", service,
        "x-plankton-roles", document_roles(document->schema, method->access));

    json_object_set_new(operation, "x-plankton-method", json_string(method->path));
    if (stream)
        json_object_set_new(operation, "x-plankton-stream", json_string(stream->schema->path));
    json_object_set_new(
        operation, "summary",
        json_string(method->comment[0] ? summary_of(document, method->comment) : method->name));
    if (method->comment[0])
        json_object_set_new(operation, "description", json_string(method->comment));
    if (plain)
        add_parameters(document, parameters, plain);
    if (stream)
        add_parameters(document, parameters, stream);
    if (json_array_size(parameters))
        json_object_set(operation, "parameters", parameters);
    json_decref(parameters);
    if (any->body != ROUTE_BODY_NONE)
        json_object_set_new(operation, "requestBody", request_body(document, any));
    if (method->access & ROLE_PUBLIC_BIT)
        json_object_set_new(operation, "security", json_array());
    json_object_set_new(operation, "responses", responses_of(document, plain, stream));
    return operation;
}
