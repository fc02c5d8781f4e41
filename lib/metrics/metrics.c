/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "base/slice.h"
#include "metrics/metrics.h"

#define COLLECTORS_MAX 32

static struct metric *first;
static struct {
    void (*fn)(void *userdata);
    void *userdata;
} collectors[COLLECTORS_MAX];
static size_t collector_count;

static bool is_metric_name(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");

    return len > 0 && name[len] == '\0' && (name[0] < '0' || name[0] > '9');
}

void metrics_register(struct metric *metrics, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct metric *metric = &metrics[i];
        struct metric **link;

        assert(is_metric_name(metric->name));
        /* Beside others of its name: the format wants all series of one metric in one group. */
        for (link = &first; *link; link = &(*link)->next) {
            struct metric *next = (*link)->next;

            assert(*link != metric);
            if (str_eq((*link)->name, metric->name) &&
                !(next && str_eq(next->name, metric->name))) {
                link = &(*link)->next;
                break;
            }
        }
        metric->next = *link;
        *link = metric;
    }
}

void metrics_on_collect(void (*fn)(void *userdata), void *userdata)
{
    assert(collector_count < COLLECTORS_MAX);
    collectors[collector_count].fn = fn;
    collectors[collector_count++].userdata = userdata;
}

void metric_observe_us(struct metric *metric, uint64_t us)
{
    /* Bucket i holds what is at most 2^i microseconds; what is above the last counts only in +Inf.
     */
    unsigned bucket = us <= 1 ? 0 : 64 - (unsigned)__builtin_clzll(us - 1);

    if (bucket < METRIC_BUCKETS)
        metric->buckets[bucket]++;
    metric->count++;
    metric->sum_s += (double)us / 1e6;
}

static enum status put_number(struct buf *out, double value)
{
    if (isnan(value))
        return buf_printf(out, "NaN\n");
    if (isinf(value))
        return buf_printf(out, value > 0 ? "+Inf\n" : "-Inf\n");
    /* Whole numbers without exponent, so that counters stay readable and exact. */
    if (fabs(value) < 9007199254740992.0 && value == floor(value))
        return buf_printf(out, "%.0f\n", value);
    return buf_printf(out, "%.17g\n", value);
}

static enum status put_series(struct buf *out, const struct metric *metric, const char *suffix)
{
    if (metric->labels && metric->labels[0])
        return buf_printf(out, "%s%s{%s} ", metric->name, suffix, metric->labels);
    return buf_printf(out, "%s%s ", metric->name, suffix);
}

static enum status put_bucket(struct buf *out, const struct metric *metric, const char *bound,
                              uint64_t count)
{
    bool labelled = metric->labels && metric->labels[0];

    return buf_printf(out, "%s_bucket{%s%sle=\"%s\"} %" PRIu64 "\n", metric->name,
                      labelled ? metric->labels : "", labelled ? "," : "", bound, count);
}

static enum status put_histogram(struct buf *out, const struct metric *metric)
{
    uint64_t total = 0;
    enum status status = STATUS_OK;

    for (unsigned i = 0; i < METRIC_BUCKETS && status == STATUS_OK; i++) {
        char bound[24];

        total += metric->buckets[i];
        snprintf(bound, sizeof(bound), "%.9g", (double)(UINT64_C(1) << i) / 1e6);
        status = put_bucket(out, metric, bound, total);
    }
    if (status == STATUS_OK)
        status = put_bucket(out, metric, "+Inf", metric->count);
    if (status == STATUS_OK)
        status = put_series(out, metric, "_sum");
    if (status == STATUS_OK)
        status = put_number(out, metric->sum_s);
    if (status == STATUS_OK)
        status = put_series(out, metric, "_count");
    if (status == STATUS_OK)
        status = buf_printf(out, "%" PRIu64 "\n", metric->count);
    return status;
}

static enum status put_head(struct buf *out, const struct metric *metric)
{
    static const char *const KINDS[] = {"counter", "gauge", "histogram"};
    enum status status = buf_printf(out, "# HELP %s ", metric->name);

    for (const char *c = metric->help ? metric->help : ""; *c && status == STATUS_OK; c++) {
        if (*c == '\\')
            status = buf_append(out, "\\\\", 2);
        else if (*c == '\n')
            status = buf_append(out, "\\n", 2);
        else
            status = buf_append(out, c, 1);
    }
    if (status == STATUS_OK)
        status = buf_printf(out, "\n# TYPE %s %s\n", metric->name, KINDS[metric->kind]);
    return status;
}

enum status metrics_render(struct buf *out)
{
    const char *name = NULL;

    for (size_t i = 0; i < collector_count; i++)
        collectors[i].fn(collectors[i].userdata);
    for (const struct metric *metric = first; metric; metric = metric->next) {
        enum status status = STATUS_OK;

        if (!str_eq(name, metric->name))
            status = put_head(out, metric);
        name = metric->name;
        if (status == STATUS_OK && metric->kind == METRIC_HISTOGRAM) {
            status = put_histogram(out, metric);
        } else if (status == STATUS_OK) {
            status = put_series(out, metric, "");
            if (status == STATUS_OK)
                status = put_number(out, metric->value);
        }
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}
