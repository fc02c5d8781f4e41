/* SPDX-License-Identifier: Apache-2.0 */
/* What a step says of concurrency, rates and fairness. Faults of form are reported already. */
#include "base/text.h"
#include "internal.h"

static uint32_t number_or(const json_t *json, const char *name, uint32_t fallback)
{
    const json_t *number = json_object_get(json, name);

    return json_is_integer(number) ? (uint32_t)json_integer_value(number) : fallback;
}

static struct at at_item(const struct at *list, size_t i)
{
    return (struct at){list, NULL, i};
}

static void compile_concurrency(struct compiler *compiler, uint32_t index, const struct at *at,
                                const json_t *list, struct plan_step *step)
{
    static const char *const WORDS[] = {"queue", "cancelRunning", "rejectNew"};
    size_t len = MIN_OF(json_array_size(list), (size_t)PLAN_LIMITS_MAX);
    struct plan_concurrency *out = ARENA_ARRAY(compiler->arena, struct plan_concurrency, len + 1);

    for (size_t i = 0; i < len; i++) {
        const json_t *item = json_array_get(list, i);
        const char *word = json_string_value(json_object_get(item, "strategy"));
        struct at here = at_item(at, i);

        out[i].key =
            plan__compile_key(compiler, index, "concurrency", &here, json_object_get(item, "key"));
        out[i].limit = number_or(item, "limit", 1);
        for (size_t k = 0; word && k < ARRAY_LEN(WORDS); k++) {
            if (str_eq(word, WORDS[k]))
                out[i].strategy = (enum plan_strategy)k;
        }
    }
    step->concurrency = out;
    step->concurrency_len = (uint32_t)len;
}

static void compile_rates(struct compiler *compiler, uint32_t index, const struct at *at,
                          const json_t *list, struct plan_step *step)
{
    size_t len = MIN_OF(json_array_size(list), (size_t)PLAN_LIMITS_MAX);
    struct plan_rate *out = ARENA_ARRAY(compiler->arena, struct plan_rate, len + 1);

    for (size_t i = 0; i < len; i++) {
        const json_t *item = json_array_get(list, i);
        const json_t *per = json_object_get(item, "per");
        struct at here = at_item(at, i), units = {&here, "units", 0}, span = {&here, "per", 0};

        out[i].key =
            plan__compile_key(compiler, index, "rateLimits", &here, json_object_get(item, "key"));
        out[i].limit = number_or(item, "limit", 1);
        out[i].units = number_or(item, "units", 1);
        out[i].per_ms = 1;
        if (json_is_string(per) && text_to_duration_ms(json_string_value(per), &out[i].per_ms) &&
            out[i].per_ms > PLAN_PERIOD_MS_MAX)
            plan__problem(&compiler->problems, &span, NULL, "must be at most 31d");
        if (out[i].units > out[i].limit)
            plan__problem(&compiler->problems, &units, NULL, "must be at most the limit");
    }
    step->rates = out;
    step->rates_len = (uint32_t)len;
}

void plan__compile_limits(struct compiler *compiler, uint32_t index, const struct at *at,
                          const json_t *json, struct plan_step *step)
{
    const json_t *concurrency = json_object_get(json, "concurrency");
    const json_t *rates = json_object_get(json, "rateLimits");
    const json_t *fairness = json_object_get(json, "fairness");
    struct at at_concurrency = {at, "concurrency", 0}, at_rates = {at, "rateLimits", 0},
              at_fairness = {at, "fairness", 0};

    if (json_is_array(concurrency))
        compile_concurrency(compiler, index, &at_concurrency, concurrency, step);
    if (json_is_array(rates))
        compile_rates(compiler, index, &at_rates, rates, step);
    if (!json_is_object(fairness))
        return;
    step->fairness_key = plan__compile_key(compiler, index, "fairness", &at_fairness,
                                           json_object_get(fairness, "key"));
    step->fairness_weight = number_or(fairness, "weight", 1);
}
