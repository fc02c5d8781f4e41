/* SPDX-License-Identifier: Apache-2.0 */
#include "schema_internal.h"

/* Extensions of google.protobuf.MethodOptions. */
#define OPTION_HTTP 72295728u
#define OPTION_ACCESS 50010u
#define ROLES_MAX 32u

/* google.api.HttpRule */
enum {
    RULE_GET = 2,
    RULE_PUT = 3,
    RULE_POST = 4,
    RULE_DELETE = 5,
    RULE_PATCH = 6,
    RULE_BODY = 7,
    RULE_CUSTOM = 8,
    RULE_ADDITIONAL = 11,
    RULE_RESPONSE_BODY = 12,
};

static const char *const verb_names[] = {[RULE_GET] = "GET",
                                         [RULE_PUT] = "PUT",
                                         [RULE_POST] = "POST",
                                         [RULE_DELETE] = "DELETE",
                                         [RULE_PATCH] = "PATCH"};

static bool read_custom(struct arena *arena, struct slice bytes, struct schema_rule *rule)
{
    struct wire wire = wire_of(bytes);
    struct wire_field field;

    while (wire_next(&wire, &field)) {
        if (field.number == 1)
            rule->verb = wire_text(arena, field.bytes);
        else if (field.number == 2)
            rule->path = wire_text(arena, field.bytes);
    }
    return !wire.bad;
}

/* Reads one rule into rules[*n]; additional bindings follow it (one level, as the annotation says).
 */
static bool read_rule(struct arena *arena, struct slice bytes, struct schema_rule *rules, size_t *n)
{
    struct schema_rule *rule = &rules[(*n)++];
    struct wire wire = wire_of(bytes);
    struct wire_field field;

    *rule = (struct schema_rule){.verb = "", .path = "", .body = "", .response_body = ""};
    while (wire_next(&wire, &field)) {
        switch (field.number) {
        case RULE_GET:
        case RULE_PUT:
        case RULE_POST:
        case RULE_DELETE:
        case RULE_PATCH:
            rule->verb = verb_names[field.number];
            rule->path = wire_text(arena, field.bytes);
            break;
        case RULE_BODY:
            rule->body = wire_text(arena, field.bytes);
            break;
        case RULE_RESPONSE_BODY:
            rule->response_body = wire_text(arena, field.bytes);
            break;
        case RULE_CUSTOM:
            if (!read_custom(arena, field.bytes, rule))
                return false;
            break;
        default:
            break;
        }
    }
    return !wire.bad;
}

static bool read_http(struct arena *arena, struct slice bytes, struct schema_method *method)
{
    size_t additional = wire_count(bytes, RULE_ADDITIONAL);
    struct wire wire = wire_of(bytes);
    struct wire_field field;

    method->rules = ARENA_ARRAY(arena, struct schema_rule, 1 + additional);
    method->rule_count = 0;
    if (!read_rule(arena, bytes, method->rules, &method->rule_count))
        return false;
    while (wire_next(&wire, &field)) {
        if (field.number == RULE_ADDITIONAL &&
            !read_rule(arena, field.bytes, method->rules, &method->rule_count))
            return false;
    }
    return true;
}

static void add_role(struct schema_method *method, uint64_t role)
{
    if (role < ROLES_MAX)
        method->access |= 1u << role;
}

static bool read_access(struct slice bytes, struct schema_method *method)
{
    struct wire wire = wire_of(bytes);
    struct wire_field field;
    uint64_t role;

    method->access_given = true;
    while (wire_next(&wire, &field)) {
        if (field.number != 1)
            continue;
        if (field.type == 0) {
            add_role(method, field.value);
            continue;
        }
        struct wire packed = wire_of(field.bytes);

        while (packed.next < packed.end && wire_varint(&packed, &role))
            add_role(method, role);
        wire.bad |= packed.bad;
    }
    return !wire.bad;
}

bool schema__read_options(struct arena *arena, struct slice options, struct schema_method *method)
{
    struct wire wire = wire_of(options);
    struct wire_field field;

    while (wire_next(&wire, &field)) {
        if (field.number == OPTION_HTTP && !read_http(arena, field.bytes, method))
            return false;
        if (field.number == OPTION_ACCESS && !read_access(field.bytes, method))
            return false;
    }
    return !wire.bad;
}
