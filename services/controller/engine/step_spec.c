/* SPDX-License-Identifier: Apache-2.0 */
/* The stored text of a step's specification, and the labels that it requires of a worker. */
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

struct slice spec_text_of_step(const struct plan_step *step, struct slice environment,
                               struct arena *arena)
{
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
    if (strcmp(step->labels, "{}") != 0) {
        put_name(&out, "labels");
        buf_puts(&out, step->labels);
    }
    buf_putc(&out, '}');
    if (out.len > 2)
        copy = slice_copy(arena, buf_slice(&out));
    buf_fini(&out);
    return copy;
}

void requires_of_environment(struct slice environment, struct arena *arena,
                             struct engine_spec *spec)
{
    AUTO(json_drop) json_t *doc = NULL;
    struct engine_label *labels;
    json_t *requires, *value;
    const char *key;

    if (!environment.len ||
        json_parse(environment, PLAN_PARAMETERS_BYTES_MAX, &doc, NULL) != STATUS_OK)
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
