/* SPDX-License-Identifier: Apache-2.0 */
#include "controller_metrics.h"

#include "metrics/metrics.h"

static struct host *the_host;
static struct relay *the_relay;

enum {
    METRIC_TASKS_IN_MEMORY,
    METRIC_MEMORY_BYTES,
    METRIC_RUNS_LIVE,
    METRIC_LEASES_OPEN,
    METRIC_WORKERS,
    METRIC_SUBMITTED,
    METRIC_DISPATCHED,
    METRIC_SUCCEEDED,
    METRIC_FAILED,
    METRIC_CANCELLED,
    METRIC_LOST,
    METRIC_STALE,
    METRIC_RELAY_LAG,
    METRIC_STUCK,
};

static struct metric metrics[] = {
    [METRIC_TASKS_IN_MEMORY] = {.name = "plankton_controller_tasks",
                                .help = "Tasks held in memory.",
                                .kind = METRIC_GAUGE},
    [METRIC_MEMORY_BYTES] = {.name = "plankton_controller_engine_bytes",
                             .help = "Memory of tasks and runs.",
                             .kind = METRIC_GAUGE},
    [METRIC_RUNS_LIVE] = {.name = "plankton_controller_runs",
                          .help = "Unfinished runs in memory.",
                          .kind = METRIC_GAUGE},
    [METRIC_LEASES_OPEN] = {.name = "plankton_controller_leases",
                            .help = "Open leases.",
                            .kind = METRIC_GAUGE},
    [METRIC_WORKERS] = {.name = "plankton_controller_workers",
                        .help = "Connected workers.",
                        .kind = METRIC_GAUGE},
    [METRIC_SUBMITTED] = {.name = "plankton_controller_tasks_submitted_total",
                          .help = "Tasks submitted.",
                          .kind = METRIC_COUNTER},
    [METRIC_DISPATCHED] = {.name = "plankton_controller_leases_granted_total",
                           .help = "Leases granted.",
                           .kind = METRIC_COUNTER},
    [METRIC_SUCCEEDED] = {.name = "plankton_controller_tasks_succeeded_total",
                          .help = "Tasks succeeded.",
                          .kind = METRIC_COUNTER},
    [METRIC_FAILED] = {.name = "plankton_controller_tasks_failed_total",
                       .help = "Tasks failed.",
                       .kind = METRIC_COUNTER},
    [METRIC_CANCELLED] = {.name = "plankton_controller_tasks_cancelled_total",
                          .help = "Tasks cancelled.",
                          .kind = METRIC_COUNTER},
    [METRIC_LOST] = {.name = "plankton_controller_attempts_lost_total",
                     .help = "Attempts whose worker was lost.",
                     .kind = METRIC_COUNTER},
    [METRIC_STALE] = {.name = "plankton_controller_results_stale_total",
                      .help = "Results refused as stale.",
                      .kind = METRIC_COUNTER},
    [METRIC_RELAY_LAG] = {.name = "plankton_controller_relay_lag_events",
                          .help = "Events the logger has not acknowledged.",
                          .kind = METRIC_GAUGE},
    [METRIC_STUCK] = {.name = "plankton_controller_stuck",
                      .help = "Unfinished tasks and runs without an owner, a deadline or a reason "
                              "to wait; must be 0.",
                      .kind = METRIC_GAUGE},
};

static void collect(void *userdata)
{
    struct engine_stats stats;

    engine_stats(host_engine(the_host), &stats);
    metric_set(&metrics[METRIC_TASKS_IN_MEMORY], (double)stats.tasks_in_memory);
    metric_set(&metrics[METRIC_MEMORY_BYTES], (double)stats.bytes_in_memory);
    metric_set(&metrics[METRIC_RUNS_LIVE], (double)stats.runs_live);
    metric_set(&metrics[METRIC_LEASES_OPEN], (double)stats.leases_open);
    metric_set(&metrics[METRIC_WORKERS], (double)stats.workers_connected);
    metric_set(&metrics[METRIC_SUBMITTED], (double)stats.submitted);
    metric_set(&metrics[METRIC_DISPATCHED], (double)stats.dispatched);
    metric_set(&metrics[METRIC_SUCCEEDED], (double)stats.succeeded);
    metric_set(&metrics[METRIC_FAILED], (double)stats.failed);
    metric_set(&metrics[METRIC_CANCELLED], (double)stats.cancelled);
    metric_set(&metrics[METRIC_LOST], (double)stats.lost);
    metric_set(&metrics[METRIC_STALE], (double)stats.stale);
    metric_set(&metrics[METRIC_STUCK], (double)stats.stuck);
    metric_set(&metrics[METRIC_RELAY_LAG], the_relay ? (double)relay_lag(the_relay) : 0);
}

void controller_metrics_start(struct host *host, struct relay *relay)
{
    the_host = host;
    the_relay = relay;
    metrics_register(metrics, ARRAY_LEN(metrics));
    metrics_on_collect(collect, NULL);
}
