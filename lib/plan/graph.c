/* SPDX-License-Identifier: Apache-2.0 */
/* The graph: needs by index, cycles by name, dependents, an order. All of it O(steps + needs). */
#include "base/map.h"
#include "internal.h"

#define CYCLE_STEPS_SHOWN 12

int64_t plan__find(const struct compiler *compiler, const char *id)
{
    for (struct map_node *node = map_first(&compiler->ids, hash_text(id)); node;
         node = map_next(node)) {
        struct id_entry *entry = CONTAINER_OF(node, struct id_entry, node);

        if (strcmp(entry->id, id) == 0)
            return entry->index;
    }
    return -1;
}

static const char *nearest_id(struct compiler *compiler, const char *id)
{
    const char **ids;

    if (compiler->problems.count >= PLAN_PROBLEMS_MAX)
        return NULL;
    ids = ARENA_ARRAY(compiler->scratch, const char *, compiler->steps_len);
    for (uint32_t i = 0; i < compiler->steps_len; i++)
        ids[i] = compiler->steps[i].id;
    return plan__nearest(&compiler->problems, id, ids, compiler->steps_len);
}

/* One entry of a step's needs; false when it is none. */
static bool resolve_need(struct compiler *compiler, const struct at *at, uint32_t step,
                         const char *id, const uint32_t *seen, uint32_t *ret)
{
    int64_t found = plan__find(compiler, id);

    if (found < 0)
        plan__problem(&compiler->problems, at, nearest_id(compiler, id), "there is no step '%.64s'",
                      id);
    else if (found == step)
        plan__problem(&compiler->problems, at, NULL, "a step cannot need itself");
    else if (seen[found] == step + 1)
        plan__problem(&compiler->problems, at, NULL, "'%.64s' is named twice", id);
    else {
        *ret = (uint32_t)found;
        return true;
    }
    return false;
}

static void resolve_needs(struct compiler *compiler, uint32_t index, uint32_t *seen)
{
    const json_t *json = json_array_get(json_object_get(compiler->document, "steps"), index);
    const json_t *list = json_object_get(json, "needs");
    struct plan_step *step = &compiler->steps[index];
    uint32_t *needs = ARENA_ARRAY(compiler->arena, uint32_t, json_array_size(list) + 1);
    struct at steps = {NULL, "steps", 0}, at_step = {&steps, NULL, index},
              at_needs = {&at_step, "needs", 0};

    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *id = json_string_value(json_array_get(list, i));
        struct at here = {&at_needs, NULL, i};
        uint32_t need;

        if (!id || !resolve_need(compiler, &here, index, id, seen, &need))
            continue;
        seen[need] = index + 1;
        needs[step->needs_len++] = need;
    }
    step->needs = needs;
}

static void fill_dependents(struct compiler *compiler)
{
    uint32_t *counts = ARENA_ARRAY(compiler->scratch, uint32_t, compiler->steps_len);

    for (uint32_t i = 0; i < compiler->steps_len; i++) {
        for (uint32_t j = 0; j < compiler->steps[i].needs_len; j++)
            counts[compiler->steps[i].needs[j]]++;
    }
    for (uint32_t i = 0; i < compiler->steps_len; i++)
        compiler->steps[i].dependents = ARENA_ARRAY(compiler->arena, uint32_t, counts[i] + 1);
    for (uint32_t i = 0; i < compiler->steps_len; i++) {
        for (uint32_t j = 0; j < compiler->steps[i].needs_len; j++) {
            struct plan_step *need = &compiler->steps[compiler->steps[i].needs[j]];

            ((uint32_t *)need->dependents)[need->dependents_len++] = i;
        }
    }
}

/* Steps in an order in which every need comes first (Kahn); the number of those that could be
 * ordered. */
static uint32_t fill_order(struct compiler *compiler, uint32_t *order)
{
    uint32_t *open = ARENA_ARRAY(compiler->scratch, uint32_t, compiler->steps_len);
    uint32_t len = 0;

    for (uint32_t i = 0; i < compiler->steps_len; i++) {
        open[i] = compiler->steps[i].needs_len;
        if (!open[i])
            order[len++] = i;
    }
    for (uint32_t at = 0; at < len; at++) {
        const struct plan_step *step = &compiler->steps[order[at]];

        for (uint32_t i = 0; i < step->dependents_len; i++) {
            if (--open[step->dependents[i]] == 0)
                order[len++] = step->dependents[i];
        }
    }
    return len;
}

enum color {
    WHITE = 0,
    GREY,
    BLACK,
};

struct search {
    uint8_t *colors;
    uint32_t *stack; /* the way from the start to here */
    uint32_t *next;  /* for each step the need to look at next */
    uint32_t stack_len;
};

/* a → b → a: each step needs the one behind its arrow. */
static void report_cycle(struct compiler *compiler, const struct search *search, uint32_t step,
                         uint32_t need_at)
{
    uint32_t closing = compiler->steps[step].needs[need_at];
    struct at steps = {NULL, "steps", 0}, at_step = {&steps, NULL, step},
              at_needs = {&at_step, "needs", 0};
    struct at here = {&at_needs, NULL, need_at};
    AUTO(buf_fini) struct buf text = {0};
    uint32_t from = search->stack_len;
    uint32_t shown = 0;

    while (search->stack[from - 1] != closing)
        from--;
    buf_init(&text, 4096);
    for (uint32_t i = from - 1; i < search->stack_len; i++) {
        if (shown++ == CYCLE_STEPS_SHOWN) {
            buf_putf(&text, "… (%u steps) → ", search->stack_len - from + 1);
            break;
        }
        buf_putf(&text, "%s → ", compiler->steps[search->stack[i]].id);
    }
    buf_puts(&text, compiler->steps[closing].id);
    plan__problem(&compiler->problems, &here, NULL, "the steps need each other in a cycle: %s",
                  buf_cstr(&text));
}

static void search_from(struct compiler *compiler, struct search *search, uint32_t start)
{
    search->stack[search->stack_len++] = start;
    search->colors[start] = GREY;
    while (search->stack_len) {
        uint32_t at = search->stack[search->stack_len - 1];
        const struct plan_step *step = &compiler->steps[at];
        uint32_t need;

        if (search->next[at] == step->needs_len) {
            search->colors[at] = BLACK;
            search->stack_len--;
            continue;
        }
        need = step->needs[search->next[at]++];
        if (search->colors[need] == GREY)
            report_cycle(compiler, search, at, search->next[at] - 1);
        if (search->colors[need] != WHITE)
            continue;
        search->colors[need] = GREY;
        search->stack[search->stack_len++] = need;
    }
}

static void report_cycles(struct compiler *compiler)
{
    struct search search = {
        .colors = ARENA_ARRAY(compiler->scratch, uint8_t, compiler->steps_len),
        .stack = ARENA_ARRAY(compiler->scratch, uint32_t, compiler->steps_len),
        .next = ARENA_ARRAY(compiler->scratch, uint32_t, compiler->steps_len),
    };

    for (uint32_t i = 0; i < compiler->steps_len; i++) {
        if (search.colors[i] == WHITE)
            search_from(compiler, &search, i);
    }
}

bool plan__graph(struct compiler *compiler)
{
    uint32_t *seen = ARENA_ARRAY(compiler->scratch, uint32_t, compiler->steps_len + 1);
    uint32_t *order = ARENA_ARRAY(compiler->arena, uint32_t, compiler->steps_len + 1);

    for (uint32_t i = 0; i < compiler->steps_len; i++)
        resolve_needs(compiler, i, seen);
    fill_dependents(compiler);
    compiler->compiled->plan.order = order;
    if (fill_order(compiler, order) == compiler->steps_len)
        return true;
    report_cycles(compiler);
    return false;
}
