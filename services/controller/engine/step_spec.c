/* SPDX-License-Identifier: Apache-2.0 */
/* The stored text of a step's specification, and the labels that it requires of a worker. */
#include "base/text.h"
#include "internal.h"

#define SPEC_TEXT_ROOM (ENGINE_SPEC_TEXT_BYTES_MAX + 64 * 1024)

static void put_name(struct buf *out, const char *name)
{
    if (out->len > 1 && out->data[out->len - 1] != '{')
        buf_putc(out, ',');
    buf_putf(out, "\"%s\":", name);
}

/* A google.protobuf.Duration in JSON: seconds with three digits when they are needed. */
static void put_duration(struct buf *out, const char *name, int64_t ms)
{
    put_name(out, name);
    if (ms % 1000)
        buf_putf(out, "\"%lld.%03llds\"", (long long)(ms / 1000), (long long)(ms % 1000));
    else
        buf_putf(out, "\"%llds\"", (long long)(ms / 1000));
}

static bool differs(double a, double b)
{
    return a < b || a > b;
}

static void put_retry(struct buf *out, const struct plan_retry *retry)
{
    const struct engine_retry *def = &ENGINE_RETRY_DEFAULT;
    size_t start = out->len, inner;

    put_name(out, "retry");
    buf_putc(out, '{');
    inner = out->len;
    if (retry->max_attempts != def->max_attempts) {
        put_name(out, "maxAttempts");
        buf_putf(out, "%u", retry->max_attempts);
    }
    if (retry->initial_backoff_ms != def->initial_backoff_ms)
        put_duration(out, "initialBackoff", retry->initial_backoff_ms);
    if (differs(retry->multiplier, def->multiplier)) {
        put_name(out, "multiplier");
        json_write_double(out, retry->multiplier);
    }
    if (retry->max_backoff_ms != def->max_backoff_ms)
        put_duration(out, "maxBackoff", retry->max_backoff_ms);
    if (differs(retry->jitter, def->jitter)) {
        put_name(out, "jitter");
        json_write_double(out, retry->jitter);
    }
    if (retry->budget_ms)
        put_duration(out, "budget", retry->budget_ms);
    if (retry->non_retryable_len) {
        put_name(out, "nonRetryable");
        for (uint32_t i = 0; i < retry->non_retryable_len; i++) {
            buf_putc(out, i ? ',' : '[');
            json_write_string(out, slice_of(retry->non_retryable[i]));
        }
        buf_putc(out, ']');
    }
    if (out->len == inner)
        out->len = start;
    else
        buf_putc(out, '}');
}

static void put_timeouts(struct buf *out, const struct plan_timeout *timeout)
{
    if (!timeout->queue_ms && !timeout->attempt_ms && !timeout->total_ms && !timeout->heartbeat_ms)
        return;
    put_name(out, "timeout");
    buf_putc(out, '{');
    if (timeout->queue_ms)
        put_duration(out, "queue", timeout->queue_ms);
    if (timeout->attempt_ms)
        put_duration(out, "attempt", timeout->attempt_ms);
    if (timeout->total_ms)
        put_duration(out, "total", timeout->total_ms);
    if (timeout->heartbeat_ms)
        put_duration(out, "heartbeat", timeout->heartbeat_ms);
    buf_putc(out, '}');
}

static void put_key(struct buf *out, const char *key)
{
    buf_puts(out, "{\"key\":");
    json_write_string(out, slice_of(key));
}

static void put_limits(struct buf *out, const struct engine_limits *limits)
{
    static const char *const STRATEGIES[] = {"QUEUE", "CANCEL_RUNNING", "REJECT_NEW"};

    for (uint32_t i = 0; i < limits->concurrency_len; i++) {
        const struct engine_concurrency *c = &limits->concurrency[i];

        if (i == 0)
            put_name(out, "concurrency");
        buf_putc(out, i ? ',' : '[');
        put_key(out, c->key);
        buf_putf(out, ",\"limit\":%u,\"strategy\":\"CONCURRENCY_STRATEGY_%s\"}", c->limit,
                 STRATEGIES[c->strategy]);
    }
    if (limits->concurrency_len)
        buf_putc(out, ']');
    for (uint32_t i = 0; i < limits->rates_len; i++) {
        const struct engine_rate *r = &limits->rates[i];

        if (i == 0)
            put_name(out, "rateLimits");
        buf_putc(out, i ? ',' : '[');
        put_key(out, r->key);
        put_duration(out, "per", r->per_ms);
        buf_putf(out, ",\"limit\":%u,\"units\":%u}", r->limit, r->units);
    }
    if (limits->rates_len)
        buf_putc(out, ']');
    if (!limits->fairness_key)
        return;
    put_name(out, "fairness");
    put_key(out, limits->fairness_key);
    buf_putf(out, ",\"weight\":%u}", limits->fairness_weight);
}

bool limits_of_step(struct run *run, const struct plan_step *step,
                    const struct plan_context *context, struct arena *arena,
                    struct engine_spec *spec, struct error *err)
{
    struct engine_concurrency *open =
        ARENA_ARRAY(arena, struct engine_concurrency, step->concurrency_len);
    struct engine_rate *rates = ARENA_ARRAY(arena, struct engine_rate, step->rates_len);
    struct engine_limits *limits = ARENA_NEW(arena, struct engine_limits);
    const struct plan *plan = run->plan.plan;

    for (uint32_t i = 0; i < step->concurrency_len; i++) {
        const struct plan_concurrency *c = &step->concurrency[i];

        open[i].limit = c->limit;
        open[i].strategy = (enum engine_strategy)c->strategy;
        if (plan_step_key(plan, c->key, "concurrency", context, arena, &open[i].key, err) !=
            STATUS_OK)
            return false;
    }
    for (uint32_t i = 0; i < step->rates_len; i++) {
        const struct plan_rate *r = &step->rates[i];

        rates[i] = (struct engine_rate){NULL, r->limit, r->per_ms, r->units};
        if (plan_step_key(plan, r->key, "rateLimits", context, arena, &rates[i].key, err) !=
            STATUS_OK)
            return false;
    }
    *limits = (struct engine_limits){.concurrency = open,
                                     .concurrency_len = step->concurrency_len,
                                     .rates = rates,
                                     .rates_len = step->rates_len,
                                     .fairness_weight = step->fairness_weight};
    spec->limits = limits;
    return !step->fairness_key || plan_step_key(plan, step->fairness_key, "fairness", context,
                                                arena, &limits->fairness_key, err) == STATUS_OK;
}

struct slice spec_text_of_step(const struct plan_step *step, const struct engine_spec *spec,
                               struct arena *arena)
{
    struct slice environment = spec->environment;
    struct slice copy = {NULL, 0};
    struct buf out;

    buf_init(&out, SPEC_TEXT_ROOM + environment.len + strlen(step->labels));
    buf_putc(&out, '{');
    if (environment.len) {
        put_name(&out, "environment");
        buf_put(&out, environment.data, environment.len);
    }
    put_retry(&out, &step->retry);
    put_timeouts(&out, &step->timeout);
    if (spec->demands && !id_is_nil(&spec->demands->worker)) {
        char worker[ID_TEXT_BYTES];

        id_format(&spec->demands->worker, worker);
        put_name(&out, "worker");
        buf_putf(&out, "{\"id\":\"%s\"%s}", worker,
                 spec->demands->only_that_worker ? ",\"only\":true" : "");
    }
    if (step->cost > 1) {
        put_name(&out, "cost");
        buf_putf(&out, "%u", step->cost);
    }
    if (strcmp(step->labels, "{}") != 0) {
        put_name(&out, "labels");
        buf_puts(&out, step->labels);
    }
    if (spec->limits)
        put_limits(&out, spec->limits);
    buf_putc(&out, '}');
    if (out.len > 2)
        copy = slice_copy(arena, buf_slice(&out));
    buf_fini(&out);
    return copy;
}

/* A text that is none after all, from an expression, is one that no worker meets. */
static const struct plan_selector *selectors_of(const json_t *list, struct arena *arena,
                                                uint32_t *ret_len)
{
    size_t len = MIN_OF(json_array_size(list), (size_t)PLAN_SELECTORS_MAX);
    struct plan_selector *out = ARENA_ARRAY(arena, struct plan_selector, len);

    for (size_t i = 0; i < len; i++) {
        const char *text = json_string_value(json_array_get(list, i));

        if (!text || !plan_selector_parse(text, arena, &out[i]))
            out[i] = (struct plan_selector){"malformed", PLAN_LABEL_MALFORMED, ""};
    }
    *ret_len = (uint32_t)len;
    return out;
}

static uint32_t milli(const json_t *number)
{
    return json_is_number(number) ? (uint32_t)(json_number_value(number) * 1000 + 0.5) : 0;
}

static void demands_of(const json_t *environment, uint32_t cost, struct arena *arena,
                       struct engine_spec *spec)
{
    const json_t *where = json_object_get(environment, "where");
    const json_t *prefers = json_object_get(environment, "prefers");
    const json_t *resources = json_object_get(environment, "resources");
    const char *memory = json_string_value(json_object_get(resources, "memory"));
    struct engine_demands *demands;
    int64_t bytes = 0;

    if (cost <= 1 && !json_array_size(where) && !json_array_size(prefers) && !resources)
        return;
    demands = ARENA_NEW(arena, struct engine_demands);
    demands->where = selectors_of(where, arena, &demands->where_len);
    demands->prefers = selectors_of(prefers, arena, &demands->prefers_len);
    demands->cost = MAX_OF(cost, 1u);
    demands->resources.cpu_milli = milli(json_object_get(resources, "cpu"));
    demands->resources.gpu_milli = milli(json_object_get(resources, "gpu"));
    if (memory && text_to_bytes(memory, &bytes))
        demands->resources.memory_bytes = (uint64_t)bytes;
    spec->demands = demands;
}

void requires_of_environment(struct slice environment, uint32_t cost, struct arena *arena,
                             struct engine_spec *spec)
{
    AUTO(json_drop) json_t *doc = NULL;
    struct engine_label *labels;
    json_t *requires, *value;
    const char *key;

    if (environment.len &&
        json_parse(environment, PLAN_PARAMETERS_BYTES_MAX, &doc, NULL) != STATUS_OK)
        return;
    demands_of(doc, cost, arena, spec);
    if (!doc)
        return;
    requires = json_object_get(doc, "requires");
    labels = ARENA_ARRAY(arena, struct engine_label, ENGINE_LABELS_MAX);
    spec->requires = labels;
    json_object_foreach(requires, key, value)
    {
        if (spec->requires_len == ENGINE_LABELS_MAX || !json_is_string(value))
            break;
        labels[spec->requires_len++] = (struct engine_label){
            arena_strdup(arena, key), arena_strdup(arena, json_string_value(value))};
    }
}
