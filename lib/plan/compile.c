/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include "base/map.h"
#include "internal.h"

static void release(void *json)
{
    json_decref(json);
}

static void add_id(struct compiler *compiler, uint32_t index)
{
    const char *id = compiler->steps[index].id;
    int64_t first = plan__find(compiler, id);
    struct at steps = {NULL, "steps", 0}, step = {&steps, NULL, index}, here = {&step, "id", 0};
    struct id_entry *entry;

    if (!*id)
        return;
    if (first >= 0) {
        plan__problem(&compiler->problems, &here, NULL,
                      "the id '%.64s' is already that of steps[%lld]", id, (long long)first);
        return;
    }
    entry = ARENA_NEW(compiler->scratch, struct id_entry);
    entry->id = id;
    entry->index = index;
    map_insert(&compiler->ids, &entry->node, hash_text(id));
}

static int by_id(const void *left, const void *right, void *steps)
{
    const struct plan_step *list = steps;

    return strcmp(list[*(const uint32_t *)left].id, list[*(const uint32_t *)right].id);
}

static void compile_steps(struct compiler *compiler)
{
    const json_t *list = json_object_get(compiler->document, "steps");
    uint32_t *by_name;

    if (json_array_size(list) > PLAN_STEPS_MAX) /* reported already */
        return;
    compiler->steps_len = (uint32_t)json_array_size(list);
    compiler->steps = ARENA_ARRAY(compiler->arena, struct plan_step, compiler->steps_len + 1);
    by_name = ARENA_ARRAY(compiler->arena, uint32_t, compiler->steps_len + 1);
    for (uint32_t i = 0; i < compiler->steps_len; i++) {
        plan__compile_step(compiler, i, json_array_get(list, i));
        add_id(compiler, i);
        by_name[i] = i;
    }
    qsort_r(by_name, compiler->steps_len, sizeof(*by_name), by_id, compiler->steps);
    compiler->compiled->plan.steps = compiler->steps;
    compiler->compiled->plan.steps_len = compiler->steps_len;
    compiler->compiled->by_id = by_name;
}

static const char *plan_text(struct compiler *compiler, const char *name)
{
    const char *text = json_string_value(json_object_get(compiler->document, name));

    return text ? arena_strdup(compiler->arena, text) : "";
}

static void compile_input(struct compiler *compiler, struct plan *plan)
{
    json_t *schema = json_object_get(compiler->document, "input");
    struct plan_schema *input;

    if (!schema)
        return;
    input = ARENA_NEW(compiler->arena, struct plan_schema);
    input->json = json_incref(schema);
    arena_on_reset(compiler->arena, release, input->json);
    plan->input = input;
    plan->input_schema = json_text(schema, compiler->arena);
}

static void compile_plan(struct compiler *compiler)
{
    struct plan *plan = &compiler->compiled->plan;
    const json_t *labels = json_object_get(compiler->document, "labels");
    const json_t *output = json_object_get(compiler->document, "output");

    plan->name = plan_text(compiler, "name");
    plan->description = plan_text(compiler, "description");
    plan->labels = json_is_object(labels) ? json_text(labels, compiler->arena) : "{}";
    compile_input(compiler, plan);
    plan__compile_defaults(compiler);
    compile_steps(compiler);
    if (output)
        plan->output = plan__compile_document(compiler, STEP_OUTPUT, "output", output);
    plan__references(compiler, plan__graph(compiler));
}

/* The first problem becomes the error's own message; the number of the others stands behind it. */
static enum status finish(struct compiler *compiler, struct error *err)
{
    struct error_violation *violations;
    char more[32] = "";

    if (!err)
        return STATUS_INVALID_ARGUMENT;
    violations = err->violations;
    if (compiler->problems.count > 1)
        snprintf(more, sizeof(more), " (and %u more)", compiler->problems.count - 1);
    error_field(err, STATUS_INVALID_ARGUMENT, "PLAN_INVALID", violations->field, "%s%s%.400s%s",
                violations->field, *violations->field ? ": " : "", violations->description, more);
    err->violations = violations;
    return STATUS_INVALID_ARGUMENT;
}

enum status plan__compile(json_t *document, const struct json_positions *positions,
                          const char *prefix, struct arena *arena, const struct plan **ret,
                          struct error *err)
{
    AUTO(arena_freep) struct arena *scratch = arena_new(0);
    struct compiler compiler = {
        .arena = arena,
        .scratch = scratch,
        .problems = {.arena = arena, .err = err, .positions = positions, .prefix = prefix},
        .document = document,
        .defaults = json_object_get(document, "defaults"),
    };

    error_reset(err);
    map_init(&compiler.ids);
    compiler.compiled = ARENA_NEW(arena, struct compiled);
    plan__check(&compiler.problems, NULL, document, &PLAN_OBJECT);
    if (json_is_object(document))
        compile_plan(&compiler);
    map_fini(&compiler.ids);
    if (compiler.problems.count)
        return finish(&compiler, err);
    compiler.compiled->plan.document = json_text(document, arena);
    compiler.compiled->plan.canonical = json_canonical(document, arena);
    *ret = &compiler.compiled->plan;
    return STATUS_OK;
}

static bool looks_like_json(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!strchr(" \t\r\n", text.data[i]) || !text.data[i])
            return text.data[i] == '{' || text.data[i] == '[';
    }
    return false;
}

enum status plan__parse(struct slice text, struct arena *scratch, struct arena *arena, json_t **ret,
                        struct json_positions **ret_positions, struct error *err)
{
    struct error why = {0};
    enum status status;

    if (looks_like_json(text))
        status = json_parse_with_positions(text, PLAN_BYTES_MAX, scratch, ret, ret_positions, &why);
    else
        status = yaml_parse(text, PLAN_BYTES_MAX, scratch, ret, ret_positions, &why);
    if (status == STATUS_OK)
        return status;
    if (status != STATUS_INVALID_ARGUMENT)
        return error_field(err, status, why.reason, NULL, "a plan must not be larger than 1 MiB");
    error_reset(err);
    error_add_violation(err, arena, "", why.violations ? why.violations->line : 0,
                        why.violations ? why.violations->column : 0, NULL, "%s",
                        why.violations ? why.violations->description : why.message);
    if (err) {
        struct error_violation *violations = err->violations;

        error_field(err, status, "PLAN_INVALID", NULL, "%s", why.message);
        err->violations = violations;
    }
    return status;
}

enum status plan_compile(struct slice text, struct arena *arena, const struct plan **ret,
                         struct error *err)
{
    AUTO(arena_freep) struct arena *scratch = arena_new(0);
    AUTO(json_drop) json_t *document = NULL;
    struct json_positions *positions = NULL;
    enum status status = plan__parse(text, scratch, arena, &document, &positions, err);

    if (status != STATUS_OK)
        return status;
    return plan__compile(document, positions, "", arena, ret, err);
}

int32_t plan_step_index(const struct plan *plan, const char *id)
{
    const struct compiled *compiled = CONTAINER_OF(plan, struct compiled, plan);
    uint32_t low = 0, high = plan->steps_len;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(id, plan->steps[compiled->by_id[middle]].id);

        if (order == 0)
            return (int32_t)compiled->by_id[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return -1;
}
