/* SPDX-License-Identifier: Apache-2.0 */
/* The reference as one HTML page without scripts; its style sheet stands beside it. */
#include "base/buf.h"
#include "document.h"

#define PAGE_BYTES_MAX ((size_t)8 * 1024 * 1024)

static void put_text(struct buf *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&':
            buf_puts(out, "&amp;");
            break;
        case '<':
            buf_puts(out, "&lt;");
            break;
        case '>':
            buf_puts(out, "&gt;");
            break;
        case '"':
            buf_puts(out, "&quot;");
            break;
        default:
            buf_putc(out, *text);
        }
    }
}

static void put_type(struct buf *out, const struct schema_field *field)
{
    const struct schema_field *value = field;
    const char *word = "string";

    if (field->message && field->message->map_entry) {
        buf_puts(out, "map of ");
        value = schema_find_field(field->message, "value");
    } else if (field->repeated) {
        buf_puts(out, "list of ");
    }
    if (value->message && !document_is_well_known(value->type_name)) {
        buf_putf(out, "<a href=\"#%s\">", value->type_name);
        put_text(out, value->message->name);
        buf_puts(out, "</a>");
        return;
    }
    if (value->enumeration) {
        buf_putf(out, "<a href=\"#%s\">", value->type_name);
        put_text(out, value->enumeration->name);
        buf_puts(out, "</a>");
        return;
    }
    if (str_eq(value->type_name, ANY_JSON_TYPE))
        word = "any JSON";
    else if (str_eq(value->type_name, "google.protobuf.Timestamp"))
        word = "time (RFC 3339)";
    else if (str_eq(value->type_name, "google.protobuf.Duration"))
        word = "duration (1.5s)";
    else if (value->type == SCHEMA_BOOL)
        word = "boolean";
    else if (value->type == SCHEMA_INT32 || value->type == SCHEMA_UINT32)
        word = "integer";
    else if (value->type == SCHEMA_DOUBLE || value->type == SCHEMA_FLOAT)
        word = "number";
    else if (value->type == SCHEMA_BYTES)
        word = "base64 string";
    else if (value->type == SCHEMA_INT64 || value->type == SCHEMA_UINT64)
        word = "integer in a string";
    buf_puts(out, word);
}

static void put_field(struct buf *out, const struct schema_field *field, const char *where)
{
    buf_puts(out, "<tr><td><code>");
    put_text(out, field->json_name);
    buf_puts(out, "</code></td><td>");
    put_type(out, field);
    buf_putf(out, "</td><td>%s", where);
    put_text(out, field->comment);
    buf_puts(out, "</td></tr>\n");
}

static const char *place_of(const struct route *route, const struct schema_field *field)
{
    for (size_t i = 0; i < route->variable_count; i++)
        if (str_eq(route->variables[i], field->name))
            return "<b>path</b> ";
    if (field == route->body_field)
        return "<b>the body</b> ";
    if (field == route->request_id && route->body != ROUTE_BODY_ALL)
        return "<b>header Idempotency-Key</b> ";
    if (field == route->etag)
        return "<b>header If-Match</b> ";
    return route->body == ROUTE_BODY_ALL ? "<b>body</b> " : "<b>query</b> ";
}

static void put_route(struct buf *out, const struct schema *schema, const struct route *route)
{
    const struct schema_message *input = route->schema->input;
    json_t *roles = document_roles(schema, route->schema->access);
    size_t i;
    json_t *role;

    buf_putf(out, "<section id=\"%s\"><h3><span class=\"verb\">%s</span> <code>",
             route->schema->path + 1, route->verb);
    put_text(out, route->template);
    buf_puts(out, "</code></h3>\n<p>");
    put_text(out, route->schema->comment);
    buf_puts(out, "</p>\n<p class=\"facts\">");
    buf_putf(out, "gRPC <code>%s</code> · roles", route->schema->path);
    json_array_foreach(roles, i, role)
    {
        buf_putf(out, " <code>%s</code>", json_string_value(role));
    }
    json_decref(roles);
    buf_puts(out, route->streams ? " · server-sent events of " : " · answers ");
    buf_putf(out, "<a href=\"#%s\">", route->schema->output_name);
    put_text(out, route->schema->output->name);
    buf_puts(out, "</a></p>\n");
    if (input->field_count) {
        buf_puts(out, "<table>\n");
        for (size_t j = 0; j < input->field_count; j++)
            put_field(out, &input->fields[j], place_of(route, &input->fields[j]));
        buf_puts(out, "</table>\n");
    }
    buf_puts(out, "</section>\n");
}

struct walked {
    const void **seen;
    size_t count, max;
};

static bool first_visit(struct walked *walked, const void *thing)
{
    for (size_t i = 0; i < walked->count; i++)
        if (walked->seen[i] == thing)
            return false;
    if (walked->count == walked->max)
        return false;
    walked->seen[walked->count++] = thing;
    return true;
}

static void put_enum(struct buf *out, const struct schema_enum *decl)
{
    buf_putf(out, "<section id=\"%s\"><h3>", decl->full_name);
    put_text(out, decl->name);
    buf_puts(out, "</h3>\n<p>");
    put_text(out, decl->comment);
    buf_puts(out, "</p>\n<table>\n");
    for (size_t i = 0; i < decl->value_count; i++) {
        buf_puts(out, "<tr><td><code>");
        put_text(out, decl->values[i].name);
        buf_puts(out, "</code></td><td>");
        put_text(out, decl->values[i].comment);
        buf_puts(out, "</td></tr>\n");
    }
    buf_puts(out, "</table></section>\n");
}

static void put_message(struct buf *out, struct walked *walked,
                        const struct schema_message *message)
{
    if (document_is_well_known(message->full_name) || !first_visit(walked, message))
        return;
    if (!message->map_entry) {
        buf_putf(out, "<section id=\"%s\"><h3>", message->full_name);
        put_text(out, message->name);
        buf_puts(out, "</h3>\n<p>");
        put_text(out, message->comment);
        buf_puts(out, "</p>\n<table>\n");
        for (size_t i = 0; i < message->field_count; i++)
            put_field(out, &message->fields[i], "");
        buf_puts(out, "</table></section>\n");
    }
    for (size_t i = 0; i < message->field_count; i++) {
        const struct schema_field *field = &message->fields[i];

        if (field->message)
            put_message(out, walked, field->message);
        if (field->enumeration && first_visit(walked, field->enumeration))
            put_enum(out, field->enumeration);
    }
}

static void put_head(struct buf *out, const struct openapi_info *info)
{
    buf_puts(out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n<meta "
                  "name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>");
    put_text(out, info->title);
    buf_puts(out, "</title>\n<link rel=\"stylesheet\" href=\"/api/docs.css\"></head>\n<body>\n"
                  "<main>\n<h1>");
    put_text(out, info->title);
    buf_puts(out, " <small>");
    put_text(out, info->version);
    buf_puts(out, "</small></h1>\n<p>");
    put_text(out, info->description);
    buf_puts(out, "</p>\n<p>For programs: <a href=\"/api/v1/openapi.json\">OpenAPI 3.1</a>, <a "
                  "href=\"/api/v1/schema/plan.json\">JSON Schema of a plan</a>.</p>\n");
}

char *openapi_page(const struct schema *schema, const struct routes *routes,
                   const struct openapi_info *info, struct arena *arena)
{
    struct walked walked = {.max = schema->messages.used + schema->enums.used};
    const char *service = NULL;
    struct buf out;
    char *copy;

    walked.seen = ARENA_ARRAY(arena, const void *, walked.max);
    buf_init(&out, PAGE_BYTES_MAX);
    put_head(&out, info);
    for (size_t i = 0; i < routes_count(routes); i++) {
        const struct route *route = routes_at(routes, i);

        if (!str_eq(service, route->service)) {
            service = route->service;
            buf_puts(&out, "<h2>");
            put_text(&out, strrchr(service, '.') ? strrchr(service, '.') + 1 : service);
            buf_puts(&out, "</h2>\n");
        }
        put_route(&out, schema, route);
    }
    buf_puts(&out, "<h2>Types</h2>\n");
    for (size_t i = 0; i < routes_count(routes); i++)
        put_message(&out, &walked, routes_at(routes, i)->schema->output);
    for (size_t i = 0; i < routes_count(routes); i++)
        put_message(&out, &walked, routes_at(routes, i)->schema->input);
    buf_puts(&out, "</main>\n</body></html>\n");
    copy = arena_strndup(arena, out.data, out.len);
    buf_fini(&out);
    return copy;
}
