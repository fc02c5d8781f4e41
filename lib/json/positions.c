/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include "scan.h"

/* A second, light pass over text that json_check has accepted: it cannot fail. */
struct walk {
    struct arena *arena;
    const char *at;
    const char *mark; /* column belongs to this place: columns are counted on from here, not from
                         the line's begin */
    uint32_t line, column;
};

static void walk_value(struct walk *walk, struct json_place *place);

struct json_place *json__place_add(struct arena *arena, struct json_place *parent, struct slice key,
                                   uint32_t line, uint32_t column)
{
    struct json_place *place = ARENA_NEW(arena, struct json_place);

    place->key = key;
    place->line = line;
    place->column = column;
    if (!parent)
        return place;
    if (parent->last)
        parent->last->next = place;
    else
        parent->first = place;
    parent->last = place;
    return place;
}

static void walk_space(struct walk *walk)
{
    for (;; walk->at++) {
        if (*walk->at == '\n') {
            walk->line++;
            walk->mark = walk->at + 1;
            walk->column = 1;
        } else if (*walk->at != ' ' && *walk->at != '\r' && *walk->at != '\t') {
            return;
        }
    }
}

static uint32_t walk_column(struct walk *walk)
{
    for (; walk->mark < walk->at; walk->mark++)
        walk->column += ((unsigned char)*walk->mark & 0xC0) != 0x80;
    return walk->column;
}

static struct slice walk_string(struct walk *walk) /* decoded, in the arena */
{
    const char *begin = ++walk->at;
    char *plain;
    size_t len;

    while (*walk->at != '"')
        walk->at += *walk->at == '\\' ? 2 : 1;
    len = (size_t)(walk->at - begin);
    walk->at++;
    plain = arena_alloc(walk->arena, len + 1);
    len = json__unescape(begin, len, plain);
    return (struct slice){plain, len};
}

static void walk_members(struct walk *walk, struct json_place *place)
{
    char close = *walk->at == '{' ? '}' : ']';

    place->array = close == ']';
    walk->at++;
    walk_space(walk);
    while (*walk->at != close) {
        struct slice key = {0};
        uint32_t line = walk->line, column = walk_column(walk);

        if (!place->array) {
            key = walk_string(walk);
            walk_space(walk);
            walk->at++; /* the colon */
            walk_space(walk);
        }
        walk_value(walk, json__place_add(walk->arena, place, key, line, column));
        walk_space(walk);
        if (*walk->at == ',') {
            walk->at++;
            walk_space(walk);
        }
    }
    walk->at++;
}

static void walk_value(struct walk *walk, struct json_place *place)
{
    switch (*walk->at) {
    case '{':
    case '[':
        walk_members(walk, place);
        return;
    case '"':
        walk->at++;
        while (*walk->at != '"')
            walk->at += *walk->at == '\\' ? 2 : 1;
        walk->at++;
        return;
    default:
        while (*walk->at && !strchr(",]} \t\r\n", *walk->at))
            walk->at++;
    }
}

static void positions_scan(struct json_positions *positions)
{
    struct walk walk = {
        .arena = positions->arena, .at = positions->text.data, .line = 1, .column = 1};

    walk.mark = walk.at;
    walk_space(&walk);
    positions->root =
        json__place_add(positions->arena, NULL, (struct slice){0}, walk.line, walk_column(&walk));
    walk_value(&walk, positions->root);
}

static const struct json_place *place_index(const struct json_place *place, const char **path)
{
    char *end;
    unsigned long index = strtoul(*path + 1, &end, 10);
    const struct json_place *child = place->array ? place->first : NULL;

    *path = *end == ']' ? end + 1 : end;
    while (child && index--)
        child = child->next;
    return child;
}

static const struct json_place *place_member(const struct json_place *place, const char **path)
{
    const struct json_place *best = NULL;

    if (place->array)
        return NULL;
    if (**path == '.')
        (*path)++;
    /* A key may itself hold a dot or a bracket: the longest key that the path goes on behind wins.
     */
    for (const struct json_place *child = place->first; child; child = child->next) {
        char after;

        if (strncmp(*path, child->key.data, child->key.len) != 0)
            continue;
        after = (*path)[child->key.len];
        if ((after == '\0' || after == '.' || after == '[') &&
            (!best || child->key.len > best->key.len))
            best = child;
    }
    if (best)
        *path += best->key.len;
    return best;
}

void json_position(const struct json_positions *positions, const char *path, uint32_t *ret_line,
                   uint32_t *ret_column)
{
    const struct json_place *place;

    *ret_line = *ret_column = 0;
    if (!positions)
        return;
    if (!positions->root && positions->text.data)
        positions_scan((struct json_positions *)positions);
    place = positions->root;
    while (place) {
        *ret_line = place->line;
        *ret_column = place->column;
        if (*path == '\0')
            return;
        place = *path == '[' ? place_index(place, &path) : place_member(place, &path);
    }
}

enum status json__report_at(const struct json_fault *fault, size_t bytes_max, enum status status,
                            struct arena *arena, struct error *err)
{
    struct error places = {0};

    status = json__report(fault, bytes_max, status, err);
    if (err && fault->line) {
        error_add_violation(&places, arena, "", fault->line, fault->column, NULL, "%s",
                            fault->text);
        err->violations = places.violations;
    }
    return status;
}

enum status json_parse_with_positions(struct slice text, size_t bytes_max, struct arena *arena,
                                      json_t **ret, struct json_positions **ret_positions,
                                      struct error *err)
{
    struct json_fault fault;
    enum status status = json__check(text, bytes_max, &fault);
    struct json_positions *positions;

    if (status != STATUS_OK)
        return json__report_at(&fault, bytes_max, status, arena, err);
    status = json__bound(&fault, err);
    if (status == STATUS_OK)
        status = json__build(text, ret, err);
    if (status != STATUS_OK)
        return status;
    positions = ARENA_NEW(arena, struct json_positions);
    positions->arena = arena;
    /* A copy with a NUL behind it lets the second pass do without end checks. */
    positions->text = (struct slice){arena_strndup(arena, text.data, text.len), text.len};
    *ret_positions = positions;
    return STATUS_OK;
}
