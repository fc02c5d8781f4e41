/* SPDX-License-Identifier: Apache-2.0 */
/* A submitted TaskSpec, checked and turned into what the engine and the database keep; and back,
 * when a row is loaded. */
#include "spec/spec.h"

#include <math.h>
#include <stdlib.h>

#include "base/text.h"
#include "json/json.h"

#define VARIABLE_NAME_BYTES_MAX 128
#define DURATION_S_MAX (INT64_C(366) * 24 * 3600)
#define MULTIPLIER_MAX 100.0
#define RESOURCE_MAX 4096.0 /* cores, devices */

struct spec_check {
    struct arena *arena;
    const char *prefix; /* of field paths */
    struct error *err;
};

static enum status refuse(const struct spec_check *check, const char *field, const char *what)
{
    return error_field(check->err, STATUS_INVALID_ARGUMENT, "INVALID_FIELD",
                       arena_printf(check->arena, "%s%s", check->prefix, field), "%s%s %s",
                       check->prefix, field, what);
}

static enum status check_name(const struct spec_check *check, const char *text, size_t bytes_max,
                              const char *field)
{
    if (!text_is_name(text, bytes_max))
        return refuse(check, field,
                      "must be lower-case letters, digits, dots, dashes and underscores, at most "
                      "64, beginning with a letter or digit");
    return STATUS_OK;
}

static enum status check_duration(const struct spec_check *check,
                                  const Google__Protobuf__Duration *duration, const char *field,
                                  int64_t *ret_ms)
{
    if (!duration)
        return STATUS_OK;
    if (duration->seconds < 0 || duration->nanos < 0)
        return refuse(check, field, "must not be negative");
    if (duration->seconds > DURATION_S_MAX || duration->nanos >= 1000000000)
        return refuse(check, field, "must be at most 366 days");
    *ret_ms = duration->seconds * 1000 + (duration->nanos + 999999) / 1000000;
    if (*ret_ms == 0)
        return refuse(check, field, "must be above zero; leave it out for none");
    return STATUS_OK;
}

static enum status convert_retry(const struct spec_check *check,
                                 const Plankton__V1__RetryPolicy *retry, struct engine_retry *ret)
{
    enum status st;

    *ret = ENGINE_RETRY_DEFAULT;
    if (!retry)
        return STATUS_OK;
    if (retry->max_attempts < 0 || retry->max_attempts > ENGINE_ATTEMPTS_MAX)
        return refuse(check, "retry.maxAttempts", "must be between 1 and 1000");
    if (retry->max_attempts)
        ret->max_attempts = (uint32_t)retry->max_attempts;
    st = check_duration(check, retry->initial_backoff, "retry.initialBackoff",
                        &ret->initial_backoff_ms);
    if (st == STATUS_OK)
        st = check_duration(check, retry->max_backoff, "retry.maxBackoff", &ret->max_backoff_ms);
    if (st == STATUS_OK)
        st = check_duration(check, retry->budget, "retry.budget", &ret->budget_ms);
    if (st != STATUS_OK)
        return st;
    if (!isfinite(retry->multiplier) ||
        (retry->multiplier != 0 && (retry->multiplier < 1 || retry->multiplier > MULTIPLIER_MAX)))
        return refuse(check, "retry.multiplier", "must be between 1 and 100");
    if (retry->multiplier != 0)
        ret->multiplier = retry->multiplier;
    if (retry->_jitter_case == PLANKTON__V1__RETRY_POLICY___JITTER_JITTER) {
        if (!(retry->jitter >= 0 && retry->jitter <= 1))
            return refuse(check, "retry.jitter", "must be between 0 and 1");
        ret->jitter = retry->jitter;
    }
    if (retry->n_non_retryable > ENGINE_NON_RETRYABLE_MAX)
        return refuse(check, "retry.nonRetryable", "must have at most 32 codes");
    ret->non_retryable = (const char *const *)retry->non_retryable;
    ret->non_retryable_len = (uint32_t)retry->n_non_retryable;
    return STATUS_OK;
}

static enum status convert_timeouts(const struct spec_check *check,
                                    const Plankton__V1__Timeouts *timeout,
                                    struct engine_timeouts *ret)
{
    enum status st;

    *ret = (struct engine_timeouts){0};
    if (!timeout)
        return STATUS_OK;
    st = check_duration(check, timeout->queue, "timeout.queue", &ret->queue_ms);
    if (st == STATUS_OK)
        st = check_duration(check, timeout->attempt, "timeout.attempt", &ret->attempt_ms);
    if (st == STATUS_OK)
        st = check_duration(check, timeout->total, "timeout.total", &ret->total_ms);
    if (st == STATUS_OK)
        st = check_duration(check, timeout->heartbeat, "timeout.heartbeat", &ret->heartbeat_ms);
    return st;
}

static enum status check_key(const struct spec_check *check, const char *key, const char *field,
                             size_t i)
{
    if (!*key || strlen(key) > ENGINE_LIMIT_KEY_BYTES_MAX)
        return refuse(check, arena_printf(check->arena, "%s[%zu].key", field, i),
                      "must be 1 to 128 bytes");
    return STATUS_OK;
}

static enum status convert_concurrency(const struct spec_check *check,
                                       const Plankton__V1__TaskSpec *spec,
                                       struct engine_limits *ret)
{
    struct engine_concurrency *out;

    if (!spec->n_concurrency)
        return STATUS_OK;
    if (spec->n_concurrency > ENGINE_LIMITS_MAX)
        return refuse(check, "concurrency", "must have at most 8 limits");
    out = ARENA_ARRAY(check->arena, struct engine_concurrency, spec->n_concurrency);
    for (size_t i = 0; i < spec->n_concurrency; i++) {
        const Plankton__V1__ConcurrencyLimit *in = spec->concurrency[i];
        enum status st = check_key(check, in->key, "concurrency", i);

        if (st != STATUS_OK)
            return st;
        if (in->limit < 1 || in->limit > ENGINE_LIMIT_MAX)
            return refuse(check, arena_printf(check->arena, "concurrency[%zu].limit", i),
                          "must be between 1 and 1000000");
        out[i] = (struct engine_concurrency){in->key, (uint32_t)in->limit,
                                             in->strategy ? (enum engine_strategy)(in->strategy - 1)
                                                          : ENGINE_STRATEGY_QUEUE};
    }
    ret->concurrency = out;
    ret->concurrency_len = (uint32_t)spec->n_concurrency;
    return STATUS_OK;
}

static enum status convert_rates(const struct spec_check *check, const Plankton__V1__TaskSpec *spec,
                                 struct engine_limits *ret)
{
    struct engine_rate *out;

    if (!spec->n_rate_limits)
        return STATUS_OK;
    if (spec->n_rate_limits > ENGINE_LIMITS_MAX)
        return refuse(check, "rateLimits", "must have at most 8 limits");
    out = ARENA_ARRAY(check->arena, struct engine_rate, spec->n_rate_limits);
    for (size_t i = 0; i < spec->n_rate_limits; i++) {
        const Plankton__V1__RateLimit *in = spec->rate_limits[i];
        const char *per = arena_printf(check->arena, "rateLimits[%zu].per", i);
        int32_t units = in->units ? in->units : 1;
        int64_t per_ms = 0;
        enum status st = check_key(check, in->key, "rateLimits", i);

        if (st == STATUS_OK)
            st = check_duration(check, in->per, per, &per_ms);
        if (st != STATUS_OK)
            return st;
        if (!per_ms || per_ms > ENGINE_PERIOD_MS_MAX)
            return refuse(check, per, "is needed, and must be at most 31 days");
        if (in->limit < 1 || in->limit > ENGINE_LIMIT_MAX)
            return refuse(check, arena_printf(check->arena, "rateLimits[%zu].limit", i),
                          "must be between 1 and 1000000");
        if (units < 1 || units > in->limit)
            return refuse(check, arena_printf(check->arena, "rateLimits[%zu].units", i),
                          "must be between 1 and the limit");
        out[i] = (struct engine_rate){in->key, (uint32_t)in->limit, per_ms, (uint32_t)units};
    }
    ret->rates = out;
    ret->rates_len = (uint32_t)spec->n_rate_limits;
    return STATUS_OK;
}

static enum status convert_fairness(const struct spec_check *check,
                                    const Plankton__V1__Fairness *fairness,
                                    struct engine_limits *ret)
{
    if (!fairness)
        return STATUS_OK;
    if (!*fairness->key || strlen(fairness->key) > ENGINE_LIMIT_KEY_BYTES_MAX)
        return refuse(check, "fairness.key", "must be 1 to 128 bytes");
    if (fairness->weight < 0 || fairness->weight > ENGINE_WEIGHT_MAX)
        return refuse(check, "fairness.weight", "must be between 1 and 1000");
    ret->fairness_key = fairness->key;
    ret->fairness_weight = fairness->weight ? (uint32_t)fairness->weight : 1;
    return STATUS_OK;
}

static enum status convert_limits(const struct spec_check *check,
                                  const Plankton__V1__TaskSpec *spec, struct engine_spec *ret)
{
    struct engine_limits *limits;
    enum status st;

    if (!spec->n_concurrency && !spec->n_rate_limits && !spec->fairness)
        return STATUS_OK;
    limits = ARENA_NEW(check->arena, struct engine_limits);
    st = convert_concurrency(check, spec, limits);
    if (st == STATUS_OK)
        st = convert_rates(check, spec, limits);
    if (st == STATUS_OK)
        st = convert_fairness(check, spec->fairness, limits);
    ret->limits = limits;
    return st;
}

static bool variable_name(const char *name)
{
    size_t len = strlen(name);

    if (len == 0 || len > VARIABLE_NAME_BYTES_MAX || (name[0] >= '0' && name[0] <= '9') ||
        strncmp(name, "PLANKTON_", 9) == 0)
        return false;
    for (const char *c = name; *c; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
              *c == '_'))
            return false;
    return true;
}

static enum status check_environment(const struct spec_check *check,
                                     const Plankton__V1__Environment *environment)
{
    for (size_t i = 0; i < environment->n_variables; i++)
        if (!variable_name(environment->variables[i]->key))
            return refuse(check,
                          arena_printf(check->arena, "environment.variables.%s",
                                       environment->variables[i]->key),
                          "is not a name for a variable ([A-Za-z_][A-Za-z0-9_]*, not PLANKTON_*)");
    for (size_t i = 0; i < environment->n_secrets; i++)
        if (!variable_name(environment->secrets[i]))
            return refuse(check, arena_printf(check->arena, "environment.secrets[%zu]", i),
                          "is not a name for a secret");
    if (environment->n_requires > ENGINE_LABELS_MAX)
        return refuse(check, "environment.requires", "must have at most 32 labels");
    if (*environment->sandbox && !str_eq(environment->sandbox, "strict") &&
        !str_eq(environment->sandbox, "standard") && !str_eq(environment->sandbox, "none"))
        return refuse(check, "environment.sandbox", "must be strict, standard or none");
    return STATUS_OK;
}

static enum status convert_selectors(const struct spec_check *check, const char *field, size_t n,
                                     char *const *texts, const struct plan_selector **ret,
                                     uint32_t *ret_len)
{
    struct plan_selector *out = ARENA_ARRAY(check->arena, struct plan_selector, n);

    if (n > PLAN_SELECTORS_MAX)
        return refuse(check, arena_printf(check->arena, "environment.%s", field),
                      "must have at most 32 elements");
    for (size_t i = 0; i < n; i++)
        if (!plan_selector_parse(texts[i], check->arena, &out[i]))
            return refuse(check, arena_printf(check->arena, "environment.%s[%zu]", field, i),
                          "must be like zone = eu, zone != eu, memory > 16, memory < 64 or ssd");
    *ret = out;
    *ret_len = (uint32_t)n;
    return STATUS_OK;
}

static enum status convert_resources(const struct spec_check *check,
                                     const Plankton__V1__Resources *resources,
                                     struct engine_resources *ret)
{
    int64_t bytes = 0;

    if (!(resources->cpu >= 0 && resources->cpu <= RESOURCE_MAX))
        return refuse(check, "environment.resources.cpu", "must be between 0 and 4096");
    if (!(resources->gpu >= 0 && resources->gpu <= RESOURCE_MAX))
        return refuse(check, "environment.resources.gpu", "must be between 0 and 4096");
    if (*resources->memory && (!text_to_bytes(resources->memory, &bytes) || bytes < 0))
        return refuse(check, "environment.resources.memory", "must be a size such as 512Mi");
    ret->cpu_milli = (uint32_t)(resources->cpu * 1000 + 0.5);
    ret->gpu_milli = (uint32_t)(resources->gpu * 1000 + 0.5);
    ret->memory_bytes = (uint64_t)bytes;
    return STATUS_OK;
}

static enum status convert_demands(const struct spec_check *check,
                                   const Plankton__V1__TaskSpec *spec, struct engine_spec *ret)
{
    const Plankton__V1__Environment *environment = spec->environment;
    struct engine_demands *demands;
    enum status st = STATUS_OK;

    if (spec->cost < 0 || spec->cost > ENGINE_SLOTS_MAX)
        return refuse(check, "cost", "must be between 1 and 10000");
    if (spec->cost <= 1 && !spec->worker &&
        (!environment ||
         (!environment->n_where && !environment->n_prefers && !environment->resources)))
        return STATUS_OK;
    demands = ARENA_NEW(check->arena, struct engine_demands);
    demands->cost = spec->cost ? (uint32_t)spec->cost : 1;
    if (spec->worker && !id_parse(spec->worker->id, &demands->worker))
        return refuse(check, "worker.id", "is not an id");
    demands->only_that_worker = spec->worker && spec->worker->only;
    ret->demands = demands;
    if (!environment)
        return STATUS_OK;
    st = convert_selectors(check, "where", environment->n_where, environment->where,
                           &demands->where, &demands->where_len);
    if (st == STATUS_OK)
        st = convert_selectors(check, "prefers", environment->n_prefers, environment->prefers,
                               &demands->prefers, &demands->prefers_len);
    if (st == STATUS_OK && environment->resources)
        st = convert_resources(check, environment->resources, &demands->resources);
    return st;
}

static void convert_requires(struct arena *arena, const Plankton__V1__Environment *environment,
                             struct engine_spec *ret)
{
    if (!environment || !environment->n_requires)
        return;
    struct engine_label *labels = ARENA_ARRAY(arena, struct engine_label, environment->n_requires);
    for (size_t i = 0; i < environment->n_requires; i++)
        labels[i] = (struct engine_label){environment->requires[i] -> key,
                                          environment -> requires[i] -> value};
    ret->requires = labels;
    ret->requires_len = (uint32_t)environment->n_requires;
}

static struct slice message_text(struct pbjson_registry *registry, struct arena *arena,
                                 const ProtobufCMessage *message)
{
    struct buf buf;

    buf_init(&buf, ENGINE_SPEC_TEXT_BYTES_MAX + 1);
    struct slice text = {0};
    if (pbjson_to_text(registry, message, NULL, &buf, NULL) == STATUS_OK)
        text = (struct slice){arena_memdup(arena, buf.data, buf.len), buf.len};
    buf_fini(&buf);
    return text;
}

/* What is not in columns of its own: nothing at all in the common case. */
static enum status convert_texts(struct pbjson_registry *registry, const struct spec_check *check,
                                 const Plankton__V1__TaskSpec *spec, struct engine_spec *ret)
{
    Plankton__V1__TaskSpec rest = *spec;

    rest.type = rest.queue = (char *)protobuf_c_empty_string;
    rest.parameters = NULL;
    rest._priority_case = PLANKTON__V1__TASK_SPEC___PRIORITY__NOT_SET;
    if (plankton__v1__task_spec__get_packed_size(&rest) == 0)
        return STATUS_OK;
    ret->spec_text = message_text(registry, check->arena, &rest.base);
    if (!ret->spec_text.len || ret->spec_text.len > ENGINE_SPEC_TEXT_BYTES_MAX)
        return refuse(check, "environment",
                      "and the other settings must be at most 64 KiB of JSON");
    if (spec->environment && plankton__v1__environment__get_packed_size(spec->environment))
        ret->environment = message_text(registry, check->arena, &spec->environment->base);
    return STATUS_OK;
}

static enum status convert_parameters(const struct spec_check *check,
                                      const Plankton__V1__Json *parameters, struct slice *ret)
{
    struct error error = {0};
    struct slice text = slice_of(parameters && *parameters->text ? parameters->text : "{}");

    if (json_check(text, ENGINE_PARAMETERS_BYTES_MAX, &error) != STATUS_OK) {
        if (text.len > ENGINE_PARAMETERS_BYTES_MAX)
            return error_field(check->err, STATUS_INVALID_ARGUMENT, "PAYLOAD_TOO_LARGE",
                               arena_printf(check->arena, "%sparameters", check->prefix),
                               "%sparameters are %zu bytes, at most %zu are allowed", check->prefix,
                               text.len, ENGINE_PARAMETERS_BYTES_MAX);
        return error_field(check->err, STATUS_INVALID_ARGUMENT, "INVALID_JSON",
                           arena_printf(check->arena, "%sparameters", check->prefix), "%s",
                           error.message);
    }
    *ret = text;
    return STATUS_OK;
}

enum status spec_from_message(struct pbjson_registry *registry, struct arena *arena,
                              const Plankton__V1__TaskSpec *spec, const char *prefix,
                              struct engine_spec *ret, struct error *err)
{
    struct spec_check check = {arena, prefix, err};
    enum status st;

    *ret = (struct engine_spec){0};
    if (!spec)
        return error_field(err, STATUS_INVALID_ARGUMENT, "INVALID_FIELD", "task",
                           "a task is needed");
    if (!*spec->type)
        return refuse(&check, "type", "is needed");
    st = check_name(&check, spec->type, ENGINE_TYPE_BYTES_MAX, "type");
    if (st == STATUS_OK && *spec->queue)
        st = check_name(&check, spec->queue, ENGINE_QUEUE_BYTES_MAX, "queue");
    if (st != STATUS_OK)
        return st;
    ret->type = spec->type;
    ret->queue = *spec->queue ? spec->queue : "default";
    ret->priority = spec->_priority_case == PLANKTON__V1__TASK_SPEC___PRIORITY_PRIORITY
                        ? spec->priority
                        : SPEC_PRIORITY_DEFAULT;
    if (ret->priority < 0 || ret->priority > SPEC_PRIORITY_MAX)
        return refuse(&check, "priority", "must be between 0 and 9");
    st = convert_parameters(&check, spec->parameters, &ret->parameters);
    if (st == STATUS_OK)
        st = convert_retry(&check, spec->retry, &ret->retry);
    if (st == STATUS_OK)
        st = convert_timeouts(&check, spec->timeout, &ret->timeouts);
    if (st == STATUS_OK)
        st = check_duration(&check, spec->delay, "delay", &ret->delay_ms);
    if (st == STATUS_OK)
        st = convert_limits(&check, spec, ret);
    if (st == STATUS_OK)
        st = convert_demands(&check, spec, ret);
    if (st == STATUS_OK && spec->environment)
        st = check_environment(&check, spec->environment);
    if (st == STATUS_OK && spec->n_labels > SPEC_LABELS_MAX)
        st = refuse(&check, "labels", "must have at most 32 entries");
    for (size_t i = 0; st == STATUS_OK && i < spec->n_labels; i++)
        if (strlen(spec->labels[i]->key) > SPEC_LABEL_BYTES_MAX ||
            strlen(spec->labels[i]->value) > SPEC_LABEL_BYTES_MAX)
            st = refuse(&check, "labels", "must have keys and values of at most 256 bytes");
    if (st != STATUS_OK)
        return st;
    if (spec->run_at)
        ret->run_at_us = spec->run_at->seconds * 1000000 + spec->run_at->nanos / 1000;
    convert_requires(arena, spec->environment, ret);
    return convert_texts(registry, &check, spec, ret);
}

enum status spec_labels_text(struct arena *arena, size_t n, char *const *keys, char *const *values,
                             const char *field, struct slice *ret, struct error *err)
{
    struct buf buf;

    *ret = (struct slice){0};
    if (!n)
        return STATUS_OK;
    if (n > SPEC_LABELS_MAX)
        return error_field(err, STATUS_INVALID_ARGUMENT, "INVALID_FIELD", field,
                           "%s must have at most %d entries", field, SPEC_LABELS_MAX);
    buf_init(&buf, SPEC_LABELS_MAX * (2 * 6 * SPEC_LABEL_BYTES_MAX + 8));
    buf_putc(&buf, '{');
    for (size_t i = 0; i < n; i++) {
        if (strlen(keys[i]) > SPEC_LABEL_BYTES_MAX || strlen(values[i]) > SPEC_LABEL_BYTES_MAX) {
            buf_fini(&buf);
            return error_field(err, STATUS_INVALID_ARGUMENT, "INVALID_FIELD", field,
                               "%s must have keys and values of at most %d bytes", field,
                               SPEC_LABEL_BYTES_MAX);
        }
        if (i)
            buf_putc(&buf, ',');
        json_write_string(&buf, slice_of(keys[i]));
        buf_putc(&buf, ':');
        json_write_string(&buf, slice_of(values[i]));
    }
    buf_putc(&buf, '}');
    *ret = (struct slice){arena_memdup(arena, buf.data, buf.len), buf.len};
    buf_fini(&buf);
    return STATUS_OK;
}

const Plankton__V1__TaskSpec *spec_message(struct pbjson_registry *registry, struct arena *arena,
                                           struct slice spec_text)
{
    static const struct pbjson_options options = {.ignore_unknown = true};
    ProtobufCMessage *message = NULL;

    if (!spec_text.len || pbjson_from_text(registry, &plankton__v1__task_spec__descriptor,
                                           spec_text, arena, &options, &message, NULL) != STATUS_OK)
        return NULL;
    return (const Plankton__V1__TaskSpec *)message;
}

void spec_complete(struct pbjson_registry *registry, struct arena *arena, struct engine_spec *spec)
{
    struct spec_check check = {arena, "", NULL};
    const Plankton__V1__TaskSpec *stored = spec_message(registry, arena, spec->spec_text);

    spec->retry = ENGINE_RETRY_DEFAULT;
    if (!stored)
        return;
    /* what was accepted once is taken as it is: a limit that has become tighter must not lose a
     * task */
    (void)!convert_retry(&check, stored->retry, &spec->retry);
    (void)!convert_timeouts(&check, stored->timeout, &spec->timeouts);
    (void)!convert_limits(&check, stored, spec);
    (void)!convert_demands(&check, stored, spec);
    convert_requires(arena, stored->environment, spec);
    if (stored->run_at)
        spec->run_at_us = stored->run_at->seconds * 1000000 + stored->run_at->nanos / 1000;
    if (stored->environment && plankton__v1__environment__get_packed_size(stored->environment))
        spec->environment = message_text(registry, arena, &stored->environment->base);
}
