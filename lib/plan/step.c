/* SPDX-License-Identifier: Apache-2.0 */
/* One step of a document becomes one struct plan_step. Faults of form are reported already: what is
 * of a wrong type reads as absent here. */
#include "base/text.h"
#include "internal.h"

#define MAX_ATTEMPTS 3
#define INITIAL_BACKOFF_MS 1000
#define MULTIPLIER 2.0
#define MAX_BACKOFF_MS 60000
#define JITTER 0.2

static const char *text_or(struct compiler *compiler, const json_t *json, const char *fallback)
{
    return json_is_string(json) ? arena_strdup(compiler->arena, json_string_value(json)) : fallback;
}

/* The step's own value, else the plan's default. */
static const json_t *own_or_default(const struct compiler *compiler, const json_t *step,
                                    const char *group, const char *name)
{
    const json_t *own =
        group ? json_object_get(json_object_get(step, group), name) : json_object_get(step, name);
    const json_t *plans = group ? json_object_get(compiler->defaults, group) : compiler->defaults;

    return own ? own : json_object_get(plans, name);
}

static int64_t duration_or(const json_t *json, int64_t fallback_ms)
{
    int64_t ms;

    return json_is_string(json) && text_to_duration_ms(json_string_value(json), &ms) ? ms
                                                                                     : fallback_ms;
}

static void compile_codes(struct compiler *compiler, const json_t *codes, struct plan_retry *retry)
{
    size_t n = json_array_size(codes);
    const char **list = ARENA_ARRAY(compiler->arena, const char *, n + 1);

    for (size_t i = 0; i < n; i++)
        list[i] = text_or(compiler, json_array_get(codes, i), "");
    retry->non_retryable = list;
    retry->non_retryable_len = (uint32_t)n;
}

static void compile_retry(struct compiler *compiler, const json_t *json, struct plan_retry *retry)
{
    const json_t *attempts = own_or_default(compiler, json, "retry", "maxAttempts");
    const json_t *multiplier = own_or_default(compiler, json, "retry", "multiplier");
    const json_t *jitter = own_or_default(compiler, json, "retry", "jitter");
    const json_t *codes = json_object_get(json_object_get(json, "retry"), "nonRetryable");

    retry->max_attempts =
        json_is_integer(attempts) ? (uint32_t)json_integer_value(attempts) : MAX_ATTEMPTS;
    retry->multiplier = json_is_number(multiplier) ? json_number_value(multiplier) : MULTIPLIER;
    retry->jitter = json_is_number(jitter) ? json_number_value(jitter) : JITTER;
    retry->budget_ms = duration_or(own_or_default(compiler, json, "retry", "budget"), 0);
    retry->initial_backoff_ms =
        duration_or(own_or_default(compiler, json, "retry", "initialBackoff"), INITIAL_BACKOFF_MS);
    retry->max_backoff_ms =
        duration_or(own_or_default(compiler, json, "retry", "maxBackoff"), MAX_BACKOFF_MS);
    if (codes) {
        compile_codes(compiler, codes, retry);
    } else { /* one list for all steps: ten thousand copies of a long one would be much memory */
        retry->non_retryable = compiler->default_retry.non_retryable;
        retry->non_retryable_len = compiler->default_retry.non_retryable_len;
    }
}

void plan__compile_defaults(struct compiler *compiler)
{
    const json_t *environment = json_object_get(compiler->defaults, "environment");
    const json_t *retry = json_object_get(compiler->defaults, "retry");

    compile_codes(compiler, json_object_get(retry, "nonRetryable"), &compiler->default_retry);
    if (json_is_object(environment))
        compiler->compiled->default_environment =
            plan__compile_document(compiler, STEP_DEFAULTS, "environment", environment);
}

static void compile_timeout(struct compiler *compiler, const json_t *json,
                            struct plan_timeout *timeout)
{
    timeout->queue_ms = duration_or(own_or_default(compiler, json, "timeout", "queue"), 0);
    timeout->attempt_ms = duration_or(own_or_default(compiler, json, "timeout", "attempt"), 0);
    timeout->total_ms = duration_or(own_or_default(compiler, json, "timeout", "total"), 0);
    timeout->heartbeat_ms = duration_or(own_or_default(compiler, json, "timeout", "heartbeat"), 0);
}

/* Reports what a compiled part's strings say wrongly. */
struct faults {
    struct compiler *compiler;
    const struct at *at;
};

static void on_fault(void *userdata, const char *below, uint32_t column, const char *message)
{
    struct faults *faults = userdata;

    plan__problem_below(&faults->compiler->problems, faults->at, below, NULL, "expression: %s",
                        message);
}

static void note_reference(struct compiler *compiler, uint32_t step, const char *field,
                           const char *below, const struct cel_path *path)
{
    if (compiler->references_len == compiler->references_cap) {
        size_t cap = MAX_OF(compiler->references_cap * 2, (size_t)64);
        struct reference *more = ARENA_ARRAY(compiler->scratch, struct reference, cap);

        if (compiler->references_len)
            memcpy(more, compiler->references, sizeof(*more) * compiler->references_len);
        compiler->references = more;
        compiler->references_cap = cap;
    }
    compiler->references[compiler->references_len++] = (struct reference){step, field, below, path};
}

struct note {
    struct compiler *compiler;
    uint32_t step;
    const char *field;
};

static void on_document_path(void *userdata, const char *place, const struct cel_path *path)
{
    struct note *note = userdata;

    note_reference(note->compiler, note->step, note->field, place, path);
}

static void on_path(void *userdata, const struct cel_path *path)
{
    on_document_path(userdata, "", path);
}

const struct cel_document *plan__compile_document(struct compiler *compiler, uint32_t step,
                                                  const char *field, const json_t *json)
{
    struct at list = {NULL, step == STEP_DEFAULTS ? "defaults" : "steps", 0};
    struct at index = {&list, NULL, step};
    struct at here = {step == STEP_DEFAULTS ? &list
                      : step == STEP_OUTPUT ? NULL
                                            : &index,
                      field, 0};
    struct faults faults = {compiler, &here};
    struct note note = {compiler, step, field};
    const struct cel_document *document = NULL;

    if (cel_document_compile(json, compiler->arena, &document, on_fault, &faults, NULL) !=
        STATUS_OK)
        return NULL;
    cel_document_each_path(document, on_document_path, &note);
    return document;
}

static void compile_parameters(struct compiler *compiler, uint32_t index, const json_t *json)
{
    AUTO(json_drop) json_t *empty = json_object();
    const json_t *parameters = json_object_get(json, "parameters");
    bool fits = json_is_object(parameters) || json_is_string(parameters);

    compiler->steps[index].parameters =
        plan__compile_document(compiler, index, "parameters", fits ? parameters : empty);
}

static void compile_environment(struct compiler *compiler, uint32_t index, const json_t *json)
{
    const json_t *environment = json_object_get(json, "environment");

    if (json_is_object(environment))
        compiler->steps[index].environment =
            plan__compile_document(compiler, index, "environment", environment);
}

static void compile_when(struct compiler *compiler, uint32_t index, const json_t *when)
{
    struct at steps = {NULL, "steps", 0};
    struct at step = {&steps, NULL, index};
    struct at here = {&step, "when", 0};
    struct note note = {compiler, index, "when"};
    const struct cel_template *tmpl;
    struct error why = {0};
    const char *text;

    if (!when || json_is_true(when) || (!json_is_string(when) && !json_is_false(when)))
        return;
    text = json_is_false(when) ? "${{ false }}" : json_string_value(when);
    if (cel_template_compile(slice_of(text), compiler->arena, &tmpl, NULL, &why) != STATUS_OK) {
        plan__problem(&compiler->problems, &here, NULL, "expression: %s", why.message);
        return;
    }
    if (!cel_template_is_single(tmpl)) {
        plan__problem(&compiler->problems, &here, "write ${{ … }}",
                      "must be true, false or one expression");
        return;
    }
    cel_template_each_path(tmpl, on_path, &note);
    compiler->steps[index].when = tmpl;
}

const struct cel_template *plan__compile_key(struct compiler *compiler, uint32_t index,
                                             const char *field, const struct at *at,
                                             const json_t *json)
{
    struct note note = {compiler, index, field};
    struct at here = {at, "key", 0};
    const struct cel_template *tmpl = NULL;
    struct error why = {0};

    if (!json_is_string(json))
        return NULL;
    if (!*json_string_value(json)) {
        plan__problem(&compiler->problems, &here, NULL, "must not be empty");
        return NULL;
    }
    if (cel_template_compile(slice_of(json_string_value(json)), compiler->arena, &tmpl, NULL,
                             &why) != STATUS_OK) {
        plan__problem(&compiler->problems, &here, NULL, "expression: %s", why.message);
        return NULL;
    }
    cel_template_each_path(tmpl, on_path, &note);
    return tmpl;
}

/* Exactly one of the fields that say what a step is; those of another kind are out of place. */
static void compile_kind(struct compiler *compiler, const struct at *at, const json_t *json,
                         struct plan_step *step)
{
    static const char *const KINDS[] = {
        [PLAN_STEP_TASK] = "task",   [PLAN_STEP_APPROVAL] = "approval",
        [PLAN_STEP_SLEEP] = "sleep", [PLAN_STEP_SIGNAL] = "signal",
        [PLAN_STEP_PLAN] = "plan",
    };
    const char *found = NULL;

    for (size_t i = 0; i < ARRAY_LEN(KINDS); i++) {
        struct at here = {at, KINDS[i], 0};

        if (!json_object_get(json, KINDS[i]))
            continue;
        if (found) {
            plan__problem(&compiler->problems, &here, NULL, "a step is either '%s' or '%s'", found,
                          KINDS[i]);
            continue;
        }
        found = KINDS[i];
        step->kind = (enum plan_step_kind)i;
    }
    if (!found)
        plan__problem(&compiler->problems, at, NULL, "'task' is missing");
    step->task_type = text_or(compiler, json_object_get(json, "task"), "");
    if (found && step->kind != PLAN_STEP_TASK) {
        static const char *const OF_TASKS[] = {"parameters",  "environment", "retry",
                                               "concurrency", "rateLimits",  "fairness",
                                               "delay",       "cost",        "sticky"};

        for (size_t i = 0; i < ARRAY_LEN(OF_TASKS); i++) {
            struct at here = {at, OF_TASKS[i], 0};

            if (json_object_get(json, OF_TASKS[i]))
                plan__problem(&compiler->problems, &here, NULL,
                              "is of no use in a step that is no task");
        }
    }
}

void plan__compile_step(struct compiler *compiler, uint32_t index, const json_t *json)
{
    struct plan_step *step = &compiler->steps[index];
    struct at steps = {NULL, "steps", 0};
    struct at at = {&steps, NULL, index};
    const json_t *priority = own_or_default(compiler, json, NULL, "priority");
    const json_t *labels = json_object_get(json, "labels"), *cost = json_object_get(json, "cost");
    const char *sticky = json_string_value(json_object_get(json, "sticky"));

    step->id = text_or(compiler, json_object_get(json, "id"), "");
    step->name = text_or(compiler, json_object_get(json, "name"), step->id);
    step->description = text_or(compiler, json_object_get(json, "description"), "");
    step->queue = text_or(compiler, own_or_default(compiler, json, NULL, "queue"), "default");
    step->priority =
        json_is_integer(priority) ? (int32_t)json_integer_value(priority) : PLAN_PRIORITY_DEFAULT;
    step->cost = json_is_integer(cost) ? (uint32_t)json_integer_value(cost) : 1;
    step->sticky = !sticky                  ? PLAN_STICKY_NOT
                   : str_eq(sticky, "hard") ? PLAN_STICKY_HARD
                                            : PLAN_STICKY_SOFT;
    step->delay_ms = duration_or(json_object_get(json, "delay"), 0);
    step->labels = json_is_object(labels) ? json_text(labels, compiler->arena) : "{}";
    if (!json_is_object(json))
        return;
    compile_kind(compiler, &at, json, step);
    compile_retry(compiler, json, &step->retry);
    compile_timeout(compiler, json, &step->timeout);
    compile_parameters(compiler, index, json);
    compile_environment(compiler, index, json);
    compile_when(compiler, index, json_object_get(json, "when"));
    plan__compile_limits(compiler, index, &at, json, step);
}
