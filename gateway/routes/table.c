/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/buf.h"
#include "table.h"

#define ALLOW_BYTES_MAX 256

static struct table_node *literal_child(struct routes *routes, struct table_node *node,
                                        const char *text)
{
    struct table_node *child = node->children;

    while (child && !str_eq(child->text, text))
        child = child->next;
    if (!child) {
        child = ARENA_NEW(routes->arena, struct table_node);
        child->text = text;
        child->next = node->children;
        node->children = child;
    }
    return child;
}

static struct table_node *descend(struct routes *routes, struct table_node *node,
                                  const struct template_segment *segment)
{
    struct table_node **next = segment->kind == TEMPLATE_ONE ? &node->one : &node->rest;

    if (segment->kind == TEMPLATE_LITERAL)
        return literal_child(routes, node, segment->text);
    if (!*next)
        *next = ARENA_NEW(routes->arena, struct table_node);
    return *next;
}

enum status table_add(struct routes *routes, const struct template *template,
                      const struct route *route, struct error *err)
{
    struct table_node *node = &routes->root;
    struct table_entry *entry;
    const struct route **place;

    for (size_t i = 0; i < template->count; i++)
        node = descend(routes, node, &template->segments[i]);
    entry = node->entries;
    while (entry && !(str_eq(entry->method, route->verb) && str_eq(entry->verb, template->verb)))
        entry = entry->next;
    if (!entry) {
        entry = ARENA_NEW(routes->arena, struct table_entry);
        entry->method = route->verb;
        entry->verb = template->verb;
        entry->next = node->entries;
        node->entries = entry;
    }
    place = route->streams ? &entry->stream : &entry->plain;
    if (*place)
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s and %s both answer %s %s",
                         (*place)->schema->path, route->schema->path, route->verb, route->template);
    *place = route;
    return STATUS_OK;
}

static bool has_verb(const struct table_node *node, struct slice verb)
{
    for (const struct table_entry *entry = node->entries; entry; entry = entry->next)
        if (slice_is(verb, entry->verb))
            return true;
    return false;
}

/* The most specific node that knows the path and the verb word. Depth is bounded by the template's
 * segments, breadth by literal, one, rest. */
static const struct table_node *find(const struct table_node *node, const struct path_parts *parts,
                                     size_t at, struct slice *values, size_t value_count)
{
    const struct table_node *found;

    if (at == parts->count)
        return has_verb(node, parts->verb) ? node : NULL;
    for (const struct table_node *child = node->children; child; child = child->next) {
        if (!slice_is(parts->segments[at], child->text))
            continue;
        found = find(child, parts, at + 1, values, value_count);
        if (found)
            return found;
    }
    if (node->one && value_count < ROUTE_VARIABLES_MAX) {
        values[value_count] = parts->segments[at];
        found = find(node->one, parts, at + 1, values, value_count + 1);
        if (found)
            return found;
    }
    if (node->rest && value_count < ROUTE_VARIABLES_MAX && has_verb(node->rest, parts->verb)) {
        const struct slice *last = &parts->segments[parts->count - 1];

        values[value_count].data = parts->segments[at].data;
        values[value_count].len = (size_t)(last->data + last->len - parts->segments[at].data);
        return node->rest;
    }
    return NULL;
}

static const char *allow_list(const struct table_node *node, struct slice verb, struct arena *arena)
{
    struct buf out;
    const char *text;

    buf_init(&out, ALLOW_BYTES_MAX);
    for (const struct table_entry *entry = node->entries; entry; entry = entry->next) {
        if (!slice_is(verb, entry->verb))
            continue;
        /* Custom methods that would not fit are left out of a list that is only advice. */
        if (buf_printf(&out, "%s%s%s", out.len ? ", " : "", entry->method,
                       str_eq(entry->method, "GET") ? ", HEAD" : "") != STATUS_OK)
            break;
    }
    text = arena_strndup(arena, out.data, out.len);
    buf_fini(&out);
    return text;
}

enum route_outcome routes_match(const struct routes *routes, const char *verb, struct slice path,
                                struct arena *arena, struct route_match *ret)
{
    const char *method = str_eq(verb, "HEAD") ? "GET" : verb;
    const struct table_node *node;
    struct path_parts parts;

    *ret = (struct route_match){0};
    if (!path_split(path, &parts))
        return ROUTE_NO_PATH;
    node = find(&routes->root, &parts, 0, ret->values, 0);
    if (!node)
        return ROUTE_NO_PATH;
    for (const struct table_entry *entry = node->entries; entry; entry = entry->next) {
        if (str_eq(entry->method, method) && slice_is(parts.verb, entry->verb)) {
            ret->plain = entry->plain;
            ret->stream = entry->stream;
            return ROUTE_FOUND;
        }
    }
    ret->allow = allow_list(node, parts.verb, arena);
    return ROUTE_NO_VERB;
}
