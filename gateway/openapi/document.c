/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdlib.h>

#include "document.h"

static const char problem_schema[] =
    "{\"type\": \"object\","
    " \"description\": \"An error (RFC 9457).\","
    " \"properties\": {"
    "  \"type\": {\"type\": \"string\", \"description\": \"urn:plankton:error:REASON, or "
    "about:blank.\"},"
    "  \"title\": {\"type\": \"string\"},"
    "  \"status\": {\"type\": \"integer\", \"description\": \"The HTTP status.\"},"
    "  \"detail\": {\"type\": \"string\"},"
    "  \"code\": {\"type\": \"string\", \"description\": \"The gRPC code, e.g. NOT_FOUND.\"},"
    "  \"reason\": {\"type\": \"string\", \"description\": \"Stable, for programs; may be "
    "empty.\"},"
    "  \"requestId\": {\"type\": \"string\"},"
    "  \"violations\": {\"type\": \"array\", \"items\": {\"type\": \"object\", \"properties\": {"
    "   \"field\": {\"type\": \"string\", \"description\": \"Path, e.g. steps[2].needs[0].\"},"
    "   \"description\": {\"type\": \"string\"},"
    "   \"hint\": {\"type\": \"string\"},"
    "   \"line\": {\"type\": \"integer\", \"description\": \"In the document, from 1.\"},"
    "   \"column\": {\"type\": \"integer\"}},"
    "  \"required\": [\"field\", \"description\"]}}},"
    " \"required\": [\"type\", \"title\", \"status\", \"detail\", \"code\", \"reason\", "
    "\"requestId\", \"violations\"]}";

static json_t *components(struct document *document)
{
    json_t *problem =
        json_pack("{s:s, s:{s:{s:{s:s}}}}", "description", "An error.", "content",
                  "application/problem+json", "schema", "$ref", "#/components/schemas/Problem");
    json_t *bearer = json_pack("{s:s, s:s, s:s}", "type", "http", "scheme", "bearer", "description",
                               "An API key.");
    json_t *session = json_pack("{s:s, s:s, s:s, s:s}", "type", "apiKey", "in", "cookie", "name",
                                "plankton_session", "description", "Set by POST /login.");

    json_object_set_new(document->schemas, "Problem", json_loads(problem_schema, 0, NULL));
    return json_pack("{s:O, s:{s:o}, s:{s:o, s:o}}", "schemas", document->schemas, "responses",
                     "Problem", problem, "securitySchemes", "bearer", bearer, "session", session);
}

static void add_operation(struct document *document, json_t *paths, const struct route *plain,
                          const struct route *stream)
{
    const struct route *any = plain ? plain : stream;
    json_t *path = json_object_get(paths, any->template);
    char verb[16];
    size_t len = 0;

    while (any->verb[len] && len < sizeof verb - 1) {
        verb[len] = (char)tolower((unsigned char)any->verb[len]);
        len++;
    }
    verb[len] = '\0';
    if (!path) {
        path = json_object();
        json_object_set_new(paths, any->template, path);
    }
    json_object_set_new(path, verb, document_operation(document, plain, stream));
}

/* The stream that is asked for at the same place. */
static const struct route *partner(const struct routes *routes, const struct route *route)
{
    for (size_t i = 0; i < routes_count(routes); i++) {
        const struct route *other = routes_at(routes, i);

        if (other->streams != route->streams && str_eq(other->verb, route->verb) &&
            str_eq(other->template, route->template))
            return other;
    }
    return NULL;
}

static json_t *make_paths(struct document *document)
{
    const struct routes *routes = document->routes;
    json_t *paths = json_object();

    for (size_t i = 0; i < routes_count(routes); i++)
        document_mark_given(document, routes_at(routes, i)->schema->input);
    for (size_t i = 0; i < routes_count(routes); i++) {
        const struct route *route = routes_at(routes, i);
        const struct route *other = partner(routes, route);

        if (!route->streams)
            add_operation(document, paths, route, other);
        else if (!other)
            add_operation(document, paths, NULL, route);
    }
    return paths;
}

static json_t *make_tags(const struct document *document)
{
    json_t *tags = json_array();

    for (size_t i = 0; i < document->schema->service_count; i++) {
        const struct schema_service *service = document->schema->services[i];
        bool used = false;

        for (size_t j = 0; j < service->method_count; j++)
            used |= service->methods[j].rule_count > 0;
        if (used)
            json_array_append_new(tags, json_pack("{s:s, s:s}", "name", service->name,
                                                  "description", service->comment));
    }
    return tags;
}

char *openapi_document(const struct schema *schema, const struct routes *routes,
                       const struct openapi_info *info, struct arena *arena)
{
    struct document document = {
        .schema = schema, .routes = routes, .arena = arena, .schemas = json_object()};
    json_t *paths = make_paths(&document);
    json_t *license = json_pack("{s:s, s:s}", "name", "Apache-2.0", "identifier", "Apache-2.0");
    json_t *root = json_pack("{s:s, s:{s:s, s:s, s:s, s:o}, s:[{s:s}], s:[{s:[]}, {s:[]}]}",
                             "openapi", "3.1.0", "info", "title", info->title, "version",
                             info->version, "description", info->description, "license", license,
                             "servers", "url", "/", "security", "bearer", "session");
    char *text, *copy;

    json_object_set_new(root, "tags", make_tags(&document));
    json_object_set_new(root, "paths", paths);
    json_object_set_new(root, "components", components(&document));
    text = json_dumps(root, JSON_INDENT(1));
    copy = arena_strdup(arena, text);
    free(text);
    json_decref(document.schemas);
    json_decref(root);
    return copy;
}
