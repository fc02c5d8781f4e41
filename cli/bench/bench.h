/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H
/*
 * `plankton bench`: measures a running system from outside, over gRPC, with the built-in task type
 * noop. What counts as finished is what the client was told; with --database it is read back from
 * PostgreSQL too, and a difference fails the measurement. Rates are per second of this machine's
 * monotonic clock, latencies of `tasks` are the controller's (submitted to finished).
 */
#include "base/id.h"
#include "client/client.h"

struct bench_settings {
    int64_t tasks, batch, window;          /* tasks */
    int64_t n;                             /* latency */
    int64_t workflows, concurrency, width; /* chain, fanout */
    int64_t runs;
    int64_t timeout_ms;
    const char *database, *ops;
};

/* Microseconds of each measured thing. */
struct samples {
    uint64_t *us;
    size_t len, cap;
};

struct bench_result {
    const char *name;
    uint64_t n;                       /* tasks, or runs of `steps` steps in all */
    uint64_t steps;                   /* 0 = does not apply */
    double enqueue_s, e2e_s, steps_s; /* per second; 0 = does not apply */
    struct samples samples;           /* of p50, p95, p99 */
    int64_t finished, finished_steps; /* read back; -1 = not asked */
};

struct bench {
    struct invocation *in;
    const struct bench_settings *settings;
    struct client client;
    struct bench_result result;
    struct loop_timer *deadline;
    bool expired;
};

void samples_add(struct samples *samples, uint64_t us);
/* In milliseconds; 0 ≤ part ≤ 1. Sorts. */
double samples_percentile_ms(struct samples *samples, double part);

/* The measurements; each fills bench->result but for `finished` and the lag. */
MUST_USE enum status bench_tasks(struct bench *bench, struct error *err);
MUST_USE enum status bench_latency(struct bench *bench, struct error *err);
MUST_USE enum status bench_chain(struct bench *bench, struct error *err);
MUST_USE enum status bench_fanout(struct bench *bench, struct error *err);

/* Counts in PostgreSQL what of these has succeeded; adds to result.finished and finished_steps. */
MUST_USE enum status bench_count_tasks(struct bench *bench, const struct id *ids, size_t n,
                                       struct error *err);
MUST_USE enum status bench_count_runs(struct bench *bench, const struct id *runs, size_t n,
                                      struct error *err);

/* Events that the logger has not acknowledged, from the controller's /metrics; false when it cannot
 * be read. */
bool bench_relay_lag(const char *ops_address, double *ret);
/* The slowest sink's lag in seconds; false when the logger does not say. */
bool bench_sink_lag(struct client *client, double *ret);

#endif
