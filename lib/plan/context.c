/* SPDX-License-Identifier: Apache-2.0 */
/* What expressions see when a step begins: parsed only as far as they ask. */
#include <stdio.h>
#include "internal.h"

struct view {
    const struct plan *plan;
    const struct plan_context *context;
    json_t *input, *run;
    json_t *steps; /* id → {state, output}, as far as they were asked for */
};

static void view_fini(struct view *view)
{
    json_drop(&view->input);
    json_drop(&view->run);
    json_drop(&view->steps);
}

static enum status parse_once(struct slice text, json_t **kept, const char *what, struct error *err)
{
    enum status status;

    if (*kept || !text.len)
        return STATUS_OK;
    status = json_parse(text, SIZE_MAX, kept, err);
    return status == STATUS_OK ? status : error_wrap(err, STATUS_INTERNAL, "%s", what);
}

static enum status view_step(struct view *view, const char *id, json_t **ret, struct error *err)
{
    struct plan_step_result result = {0};
    int32_t index = plan_step_index(view->plan, id);
    json_t *output = NULL, *entry;
    enum status status;

    if (!view->steps)
        view->steps = json_object();
    *ret = json_object_get(view->steps, id);
    if (*ret || index < 0 || !view->context->step_result ||
        !view->context->step_result(view->context->userdata, (uint32_t)index, &result))
        return STATUS_OK;
    status = parse_once(result.output, &output, "output of a step", err);
    if (status != STATUS_OK)
        return status;
    entry = json_object();
    json_object_set_new(entry, "state", json_string(result.state ? result.state : ""));
    if (output)
        json_object_set_new(entry, "output", output);
    json_object_set_new(view->steps, id, entry);
    *ret = entry;
    return STATUS_OK;
}

static enum status resolve(void *userdata, const struct cel_path *path, uint32_t *ret_used,
                           json_t **ret_value, struct error *err)
{
    struct view *view = userdata;
    enum status status = STATUS_OK;

    *ret_used = 1;
    *ret_value = NULL;
    if (strcmp(path->parts[0], "input") == 0) {
        status = parse_once(view->context->input, &view->input, "input", err);
        *ret_value = view->input;
    } else if (strcmp(path->parts[0], "run") == 0) {
        status = parse_once(view->context->run, &view->run, "run", err);
        *ret_value = view->run;
    } else if (strcmp(path->parts[0], "steps") == 0 && path->parts_len > 1) {
        *ret_used = 2;
        status = view_step(view, path->parts[1], ret_value, err);
    }
    return status;
}

enum status plan_step_when(const struct plan *plan, uint32_t step,
                           const struct plan_context *context, bool *ret, struct error *err)
{
    AUTO(view_fini) struct view view = {.plan = plan, .context = context};
    AUTO(json_drop) json_t *json = NULL;
    struct cel_env env = {resolve, &view};
    enum status status;

    if (!plan->steps[step].when) {
        *ret = true;
        return STATUS_OK;
    }
    status = cel_template_eval(plan->steps[step].when, &env, &json, err);
    if (status != STATUS_OK)
        return error_wrap(err, status, "when");
    if (!json_is_boolean(json))
        return error_field(err, STATUS_INVALID_ARGUMENT, "EXPRESSION_FAILED", "when",
                           "when: the condition is neither true nor false");
    *ret = json_is_true(json);
    return STATUS_OK;
}

static enum status to_text(const json_t *json, const char *what, struct arena *arena,
                           struct slice *ret, struct error *err)
{
    AUTO(buf_fini) struct buf text = {0};
    enum status status;

    buf_init(&text, PLAN_PARAMETERS_BYTES_MAX);
    if (!json_is_object(json))
        return error_field(err, STATUS_INVALID_ARGUMENT, "EXPRESSION_FAILED", what,
                           "%s: the result is no object", what);
    if (json_append(&text, json) != STATUS_OK)
        return error_field(err, STATUS_RESOURCE_EXHAUSTED, "PAYLOAD_TOO_LARGE", what,
                           "%s: larger than 256 KiB", what);
    /* Values from several texts may together be nested deeper than each of them. */
    status = json_check(buf_slice(&text), PLAN_PARAMETERS_BYTES_MAX, err);
    if (status != STATUS_OK)
        return error_wrap(err, status, "%s", what);
    *ret = (struct slice){arena_strndup(arena, text.data, text.len), text.len};
    return STATUS_OK;
}

static enum status eval_document(const struct cel_document *document, struct view *view,
                                 const char *what, json_t **ret, struct error *err)
{
    struct cel_env env = {resolve, view};
    struct error why = {0};
    enum status status = cel_document_eval(document, &env, ret, &why);

    if (status == STATUS_OK)
        return status;
    return error_field(err, status, why.reason, *why.field ? why.field : what, "%s%s%s: %s", what,
                       *why.field && *why.field != '[' ? "." : "", why.field, why.message);
}

static enum status document_text(const struct plan *plan, const struct cel_document *document,
                                 const struct plan_context *context, const char *what,
                                 struct arena *arena, struct slice *ret, struct error *err)
{
    AUTO(view_fini) struct view view = {.plan = plan, .context = context};
    AUTO(json_drop) json_t *json = NULL;
    const char *constant = cel_document_constant(document);
    enum status status;

    if (constant) {
        *ret = slice_of(constant);
        return STATUS_OK;
    }
    status = eval_document(document, &view, what, &json, err);
    if (status != STATUS_OK)
        return status;
    return to_text(json, what, arena, ret, err);
}

enum status plan_step_parameters(const struct plan *plan, uint32_t step,
                                 const struct plan_context *context, struct arena *arena,
                                 struct slice *ret, struct error *err)
{
    return document_text(plan, plan->steps[step].parameters, context, "parameters", arena, ret,
                         err);
}

enum status plan_output(const struct plan *plan, const struct plan_context *context,
                        struct arena *arena, struct slice *ret, struct error *err)
{
    if (!plan->output) {
        *ret = slice_of("{}");
        return STATUS_OK;
    }
    return document_text(plan, plan->output, context, "output", arena, ret, err);
}

/* Variables and labels are strings: what an expression gave as a number or the like becomes its
 * text. */
static void stringify(json_t *environment, const char *name)
{
    json_t *members = json_object_get(environment, name), *copy, *value;
    const char *key;

    if (!json_is_object(members))
        return;
    copy = json_object();
    json_object_foreach(members, key, value)
    {
        AUTO(buf_fini) struct buf text = {0};

        buf_init(&text, PLAN_PARAMETERS_BYTES_MAX);
        if (json_is_string(value) ||
            (!json_is_null(value) && json_append(&text, value) != STATUS_OK))
            json_object_set(copy, key, value);
        else
            json_object_set_new(copy, key, json_stringn(text.data ? text.data : "", text.len));
    }
    json_object_set_new(environment, name, copy);
}

/* The step's own fields over the defaults: variables and requires name by name. */
static json_t *merge(const json_t *defaults, const json_t *own)
{
    json_t *merged = json_is_object(defaults) ? json_copy((json_t *)defaults) : json_object();
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)own, key, value)
    {
        json_t *base = json_object_get(merged, key);

        if (json_is_object(base) && json_is_object(value)) {
            json_t *both = json_copy(base);

            json_object_update(both, value);
            json_object_set_new(merged, key, both);
        } else {
            json_object_set(merged, key, value);
        }
    }
    return merged;
}

enum status plan_step_environment(const struct plan *plan, uint32_t step,
                                  const struct plan_context *context, struct arena *arena,
                                  struct slice *ret, struct error *err)
{
    const struct cel_document *defaults =
        CONTAINER_OF(plan, struct compiled, plan)->default_environment;
    const struct cel_document *own = plan->steps[step].environment;
    AUTO(view_fini) struct view view = {.plan = plan, .context = context};
    AUTO(json_drop) json_t *left = NULL;
    AUTO(json_drop) json_t *right = NULL;
    AUTO(json_drop) json_t *merged = NULL;
    enum status status = STATUS_OK;

    if (!defaults || !own) {
        const struct cel_document *only = own ? own : defaults;
        const char *constant = only ? cel_document_constant(only) : "";

        if (constant) {
            *ret = slice_of(constant);
            return STATUS_OK;
        }
    }
    if (defaults)
        status = eval_document(defaults, &view, "environment", &left, err);
    if (status == STATUS_OK && own)
        status = eval_document(own, &view, "environment", &right, err);
    if (status != STATUS_OK)
        return status;
    merged = merge(left, right);
    stringify(merged, "variables");
    stringify(merged, "requires");
    return to_text(merged, "environment", arena, ret, err);
}

enum status plan_step_key(const struct plan *plan, const struct cel_template *key, const char *what,
                          const struct plan_context *context, struct arena *arena, const char **ret,
                          struct error *err)
{
    AUTO(view_fini) struct view view = {.plan = plan, .context = context};
    AUTO(json_drop) json_t *json = NULL;
    AUTO(buf_fini) struct buf text = {0};
    struct cel_env env = {resolve, &view};
    struct slice value;
    enum status status = cel_template_eval(key, &env, &json, err);

    if (status != STATUS_OK)
        return error_wrap(err, status, "%s", what);
    buf_init(&text, PLAN_LIMIT_KEY_BYTES_MAX + 1);
    if (json_is_string(json))
        value = (struct slice){json_string_value(json), json_string_length(json)};
    else if (json_append(&text, json) == STATUS_OK)
        value = buf_slice(&text);
    else
        value = (struct slice){"", PLAN_LIMIT_KEY_BYTES_MAX + 1};
    if (value.len == 0 || value.len > PLAN_LIMIT_KEY_BYTES_MAX)
        return error_field(err, STATUS_INVALID_ARGUMENT, "EXPRESSION_FAILED", what,
                           "%s: a key has 1 to %d bytes", what, PLAN_LIMIT_KEY_BYTES_MAX);
    *ret = arena_strndup(arena, value.data, value.len);
    return STATUS_OK;
}
