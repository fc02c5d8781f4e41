/* SPDX-License-Identifier: Apache-2.0 */
/* What expressions read must be there when they are evaluated: the input's declared fields, results
 * of steps upstream. */
#include <stdlib.h>
#include "base/text.h"
#include "internal.h"

/* Steps upstream are found for so many targets at once, by one pass over the graph with a bit for
 * each. */
#define TARGETS_AT_ONCE 64

struct question {
    const struct reference *reference;
    uint32_t target;
};

static void problem_at(struct compiler *compiler, const struct reference *reference,
                       const char *hint, const char *text)
{
    struct at list = {NULL, reference->step == STEP_DEFAULTS ? "defaults" : "steps", 0};
    struct at step = {&list, NULL, reference->step};
    struct at here = {reference->step == STEP_DEFAULTS ? &list
                      : reference->step == STEP_OUTPUT ? NULL
                                                       : &step,
                      reference->field, 0};

    plan__problem_below(&compiler->problems, &here, reference->below, hint, "%s", text);
}

static const char *column_text(struct compiler *compiler, const struct reference *reference,
                               const char *text)
{
    return arena_printf(compiler->scratch, "expression: column %u: %s", reference->path->column,
                        text);
}

/* `steps.fetch-data.output` is read as a subtraction: when a step has such a name, say how it is
 * written. */
static const char *unknown_step_hint(struct compiler *compiler, const char *id)
{
    const char **ids;
    size_t len = strlen(id);

    if (compiler->problems.count >= PLAN_PROBLEMS_MAX)
        return NULL;
    ids = ARENA_ARRAY(compiler->scratch, const char *, compiler->steps_len);
    for (uint32_t i = 0; i < compiler->steps_len; i++) {
        const char *candidate = compiler->steps[i].id;

        ids[i] = candidate;
        if (strncmp(candidate, id, len) == 0 && candidate[len] == '-')
            return arena_printf(compiler->problems.arena, "write steps[\"%s\"]", candidate);
    }
    return plan__nearest(&compiler->problems, id, ids, compiler->steps_len);
}

static void check_input_path(struct compiler *compiler, const struct reference *reference)
{
    const json_t *schema = json_object_get(compiler->document, "input");
    const json_t *properties = json_object_get(schema, "properties");
    const struct cel_path *path = reference->path;
    const char **names, *key;
    json_t *value;
    size_t n = 0;

    if (path->parts_len < 2 || !schema ||
        json_is_true(json_object_get(schema, "additionalProperties")) ||
        json_object_get(properties, path->parts[1]))
        return;
    names = ARENA_ARRAY(compiler->scratch, const char *, json_object_size(properties) + 1);
    json_object_foreach((json_t *)properties, key, value) names[n++] = key;
    problem_at(compiler, reference, plan__nearest(&compiler->problems, path->parts[1], names, n),
               column_text(compiler, reference,
                           arena_printf(compiler->scratch, "the input has no field '%.64s'",
                                        path->parts[1])));
}

static void check_run_path(struct compiler *compiler, const struct reference *reference)
{
    static const char *const FIELDS[] = {"id", "plan", "version"};
    const struct cel_path *path = reference->path;

    if (path->parts_len < 2)
        return;
    for (size_t i = 0; i < ARRAY_LEN(FIELDS); i++) {
        if (strcmp(FIELDS[i], path->parts[1]) == 0)
            return;
    }
    problem_at(compiler, reference, "run.id, run.plan and run.version are known",
               column_text(compiler, reference,
                           arena_printf(compiler->scratch, "the run has no field '%.64s'",
                                        path->parts[1])));
}

/* The step that the path reads; -1 when it reads none, which is reported. */
static int64_t step_of_path(struct compiler *compiler, const struct reference *reference)
{
    static const char *const FIELDS[] = {"output", "state"};
    const struct cel_path *path = reference->path;
    int64_t found;

    if (reference->step == STEP_DEFAULTS) {
        problem_at(compiler, reference, "say it in the step",
                   column_text(compiler, reference, "defaults cannot read the results of steps"));
        return -1;
    }
    if (path->parts_len < 2) {
        problem_at(compiler, reference, "write steps.ID.output",
                   column_text(compiler, reference, "a step must be named by its id"));
        return -1;
    }
    found = plan__find(compiler, path->parts[1]);
    if (found < 0) {
        problem_at(compiler, reference, unknown_step_hint(compiler, path->parts[1]),
                   column_text(compiler, reference,
                               arena_printf(compiler->scratch, "there is no step '%.64s'",
                                            path->parts[1])));
        return -1;
    }
    if (path->parts_len > 2 && strcmp(path->parts[2], "output") != 0 &&
        strcmp(path->parts[2], "state") != 0) {
        const char *hint =
            plan__nearest(&compiler->problems, path->parts[2], FIELDS, ARRAY_LEN(FIELDS));

        problem_at(compiler, reference, hint ? hint : "a step has output and state",
                   column_text(compiler, reference,
                               arena_printf(compiler->scratch, "a step has no field '%.64s'",
                                            path->parts[2])));
    }
    return found;
}

static bool has_foreach(const struct compiler *compiler, uint32_t step)
{
    return json_object_get(json_array_get(json_object_get(compiler->document, "steps"), step),
                           "foreach") != NULL;
}

static void unknown_root(struct compiler *compiler, const struct reference *reference)
{
    static const char *const ROOTS[] = {"input", "steps", "run", "item", "index"};
    const char *root = reference->path->parts[0];
    bool of_foreach = strcmp(root, "item") == 0 || strcmp(root, "index") == 0;

    if (of_foreach && reference->step < PLAN_STEPS_MAX && has_foreach(compiler, reference->step))
        return;
    problem_at(
        compiler, reference,
        of_foreach ? NULL : plan__nearest(&compiler->problems, root, ROOTS, ARRAY_LEN(ROOTS)),
        column_text(compiler, reference,
                    arena_printf(compiler->scratch,
                                 of_foreach
                                     ? "'%.64s' is only known in a step with foreach"
                                     : "'%.64s' is not known: expressions see input, steps and run",
                                 root)));
}

static bool is_direct_need(const struct plan_step *step, uint32_t target)
{
    for (uint32_t i = 0; i < step->needs_len; i++) {
        if (step->needs[i] == target)
            return true;
    }
    return false;
}

static void not_upstream(struct compiler *compiler, const struct reference *reference,
                         uint32_t target)
{
    const char *id = compiler->steps[target].id;
    bool itself = target == reference->step;

    problem_at(
        compiler, reference,
        itself ? NULL
               : arena_printf(compiler->problems.arena, "add '%s' to the needs of this step", id),
        column_text(
            compiler, reference,
            itself
                ? "a step cannot read its own result"
                : arena_printf(
                      compiler->scratch,
                      "step '%s' is not among the needs of this step, nor of those it needs", id)));
}

static int by_target(const void *left, const void *right)
{
    const struct question *a = left, *b = right;

    if (a->target != b->target)
        return a->target < b->target ? -1 : 1;
    return a->reference < b->reference ? -1 : a->reference > b->reference;
}

/* Answers the questions of up to 64 targets: which of them is upstream of which step. Gives the
 * number answered. */
static size_t answer_batch(struct compiler *compiler, const struct question *questions, size_t n,
                           uint64_t *bits)
{
    uint64_t *upstream = bits, *own = bits + compiler->steps_len;
    const uint32_t *order = compiler->compiled->plan.order;
    uint32_t targets = 0;
    size_t used = 0;

    memset(bits, 0, sizeof(*bits) * 2 * compiler->steps_len);
    for (; used < n; used++) {
        if (used && questions[used].target == questions[used - 1].target)
            continue;
        if (targets == TARGETS_AT_ONCE)
            break;
        own[questions[used].target] = (uint64_t)1 << targets++;
    }
    for (uint32_t i = 0; i < compiler->steps_len; i++) {
        const struct plan_step *step = &compiler->steps[order[i]];

        for (uint32_t j = 0; j < step->needs_len; j++)
            upstream[order[i]] |= upstream[step->needs[j]] | own[step->needs[j]];
    }
    for (size_t i = 0; i < used; i++) {
        if (!(upstream[questions[i].reference->step] & own[questions[i].target]))
            not_upstream(compiler, questions[i].reference, questions[i].target);
    }
    return used;
}

void plan__references(struct compiler *compiler, bool acyclic)
{
    struct question *questions =
        ARENA_ARRAY(compiler->scratch, struct question, compiler->references_len + 1);
    uint64_t *bits;
    size_t n = 0;

    for (size_t i = 0; i < compiler->references_len; i++) {
        const struct reference *reference = &compiler->references[i];
        const char *root = reference->path->parts[0];
        int64_t target;

        if (strcmp(root, "input") == 0) {
            check_input_path(compiler, reference);
        } else if (strcmp(root, "run") == 0) {
            check_run_path(compiler, reference);
        } else if (strcmp(root, "steps") != 0) {
            unknown_root(compiler, reference);
        } else {
            target = step_of_path(compiler, reference);
            /* The plan's output may read every step: all have ended when it is made. */
            if (target >= 0 && reference->step != STEP_OUTPUT &&
                !is_direct_need(&compiler->steps[reference->step], (uint32_t)target))
                questions[n++] = (struct question){reference, (uint32_t)target};
        }
    }
    if (!acyclic || !n)
        return;
    qsort(questions, n, sizeof(*questions), by_target);
    bits = ARENA_ARRAY(compiler->scratch, uint64_t, 2 * compiler->steps_len);
    for (size_t at = 0; at < n;)
        at += answer_batch(compiler, questions + at, n - at, bits);
}
