/* SPDX-License-Identifier: Apache-2.0 */
#ifndef METRICS_METRICS_H
#define METRICS_METRICS_H
/*
 * Counters, gauges and histograms of one service, declared as static structs and registered once;
 * rendered as Prometheus text. Names: component_noun_unit[_total]. Single-threaded (the loop
 * thread).
 */
#include "base/buf.h"

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
#define METRIC_BUCKETS                                                                             \
    24 /* histogram: powers of two of microseconds, 1 µs … 8 s, exported in seconds */
struct metric {
    const char *name, *help;
    enum metric_kind kind;
    const char *labels; /* constant label text such as `kind="grpc"`, or NULL */
    double value;
    uint64_t buckets[METRIC_BUCKETS], count;
    double sum_s;
    struct metric *next;
};
void metrics_register(struct metric *metrics, size_t n);
static inline void metric_add(struct metric *metric, double n)
{
    metric->value += n;
}
static inline void metric_set(struct metric *metric, double value)
{
    metric->value = value;
}
void metric_observe_us(struct metric *metric, uint64_t us);
/* Called before rendering, to set gauges that are cheaper to compute than to keep. */
void metrics_on_collect(void (*fn)(void *userdata), void *userdata);
MUST_USE enum status metrics_render(struct buf *out); /* text/plain; version=0.0.4 */

#endif
