/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"

/* {"document": …} or {"source": …}, told from a plan by having none of a plan's own fields. */
static bool is_envelope(const json_t *json)
{
    return json_is_object(json) &&
           (json_object_get(json, "document") || json_object_get(json, "source")) &&
           !json_object_get(json, "name") && !json_object_get(json, "steps");
}

static enum status check_envelope(const json_t *json, struct arena *arena, struct error *err)
{
    struct problems problems = {.arena = arena, .err = err, .prefix = ""};
    static const char *const NAMES[] = {"document", "source"};
    struct error_violation *violations;
    const char *key;
    json_t *value;

    error_reset(err);
    json_object_foreach((json_t *)json, key, value)
    {
        struct at here = {NULL, key, 0};

        if (strcmp(key, "document") == 0 && !json_is_object(value))
            plan__problem(&problems, &here, NULL, "must be an object");
        else if (strcmp(key, "source") == 0 && !json_is_string(value))
            plan__problem(&problems, &here, NULL, "must be a string");
        else if (strcmp(key, "document") != 0 && strcmp(key, "source") != 0)
            plan__problem(&problems, &here, plan__nearest(&problems, key, NAMES, ARRAY_LEN(NAMES)),
                          "unknown field '%.64s'", key);
    }
    if (!problems.count)
        return STATUS_OK;
    if (!err)
        return STATUS_INVALID_ARGUMENT;
    violations = err->violations;
    error_field(err, STATUS_INVALID_ARGUMENT, "PLAN_INVALID", violations->field, "%s: %s",
                violations->field, violations->description);
    err->violations = violations;
    return STATUS_INVALID_ARGUMENT;
}

static enum status from_source(const json_t *json, struct arena *arena, struct plan_request *ret,
                               struct error *err)
{
    json_t *source = json_object_get(json, "source");
    json_t *document = json_object_get(json, "document");
    struct slice text = {json_string_value(source), json_string_length(source)};
    const struct plan *plan;
    enum status status = plan_compile(text, arena, &plan, err);

    if (status != STATUS_OK)
        return status;
    if (document && strcmp(json_canonical(document, arena), plan->canonical) != 0)
        return error_field(err, STATUS_INVALID_ARGUMENT, "PLAN_INVALID", "document",
                           "document and source do not mean the same plan");
    ret->plan = plan;
    ret->source = (struct slice){arena_strndup(arena, text.data, text.len), text.len};
    return STATUS_OK;
}

enum status plan_document_from_request(struct slice text, struct arena *arena,
                                       struct plan_request *ret, struct error *err)
{
    AUTO(arena_freep) struct arena *scratch = arena_new(0);
    AUTO(json_drop) json_t *json = NULL;
    struct json_positions *positions = NULL;
    const struct plan *plan;
    json_t *document;
    enum status status = plan__parse(text, scratch, arena, &json, &positions, err);

    if (status != STATUS_OK)
        return status;
    if (!is_envelope(json)) {
        status = plan__compile(json, positions, "", arena, &plan, err);
        if (status != STATUS_OK)
            return status;
        ret->plan = plan;
        ret->source = (struct slice){arena_strndup(arena, text.data, text.len), text.len};
        return STATUS_OK;
    }
    status = check_envelope(json, arena, err);
    if (status != STATUS_OK)
        return status;
    if (json_object_get(json, "source"))
        return from_source(json, arena, ret, err);
    document = json_object_get(json, "document");
    status = plan__compile(document, positions, "document", arena, &plan, err);
    if (status != STATUS_OK)
        return status;
    ret->plan = plan;
    ret->source = slice_of(plan->document);
    return STATUS_OK;
}
