/* SPDX-License-Identifier: Apache-2.0 */
#include "logger_metrics.h"

#define COUNTER(name_, help_)                                                                      \
    {                                                                                              \
        .name = "plankton_logger_" name_, .help = (help_), .kind = METRIC_COUNTER                  \
    }
#define COUNTER_OF(name_, labels_, help_)                                                          \
    {                                                                                              \
        .name = "plankton_logger_" name_, .help = (help_), .kind = METRIC_COUNTER,                 \
        .labels = (labels_)                                                                        \
    }
#define GAUGE(name_, help_)                                                                        \
    {                                                                                              \
        .name = "plankton_logger_" name_, .help = (help_), .kind = METRIC_GAUGE                    \
    }
#define GAUGE_OF(name_, labels_, help_)                                                            \
    {                                                                                              \
        .name = "plankton_logger_" name_, .help = (help_), .kind = METRIC_GAUGE,                   \
        .labels = (labels_)                                                                        \
    }
#define HISTOGRAM(name_, help_)                                                                    \
    {                                                                                              \
        .name = "plankton_logger_" name_, .help = (help_), .kind = METRIC_HISTOGRAM                \
    }

static struct metric metrics[LOGGER_METRICS] = {
    [METRIC_LINES_IN] = COUNTER("lines_total", "Log lines taken."),
    [METRIC_BYTES_IN] = COUNTER("text_bytes_total", "Bytes of the lines taken."),
    [METRIC_LINES_DUPLICATE] = COUNTER("lines_duplicate_total", "Lines that were there already."),
    [METRIC_LINES_GAP] = COUNTER("lines_missing_total", "Lines that senders skipped."),
    [METRIC_LINES_LATE] = COUNTER("lines_late_total", "Lines of attempts that had been given up."),
    [METRIC_BLOCKS_REFUSED_TOKEN] =
        COUNTER_OF("blocks_refused_total", "reason=\"token\"", "Blocks refused for good."),
    [METRIC_BLOCKS_REFUSED_FORM] =
        COUNTER_OF("blocks_refused_total", "reason=\"form\"", "Blocks refused for good."),
    [METRIC_EVENTS_IN] = COUNTER("events_total", "Events taken from controllers."),
    [METRIC_EVENTS_DUPLICATE] =
        COUNTER("events_duplicate_total", "Events that were there already."),
    [METRIC_LINES_STORED] = COUNTER("lines_stored_total", "Lines committed to the database."),
    [METRIC_EVENTS_STORED] = COUNTER("events_stored_total", "Events committed to the database."),
    [METRIC_CHUNK_BYTES_RAW] =
        COUNTER("chunk_raw_bytes_total", "Bytes of chunks before compression."),
    [METRIC_CHUNK_BYTES_STORED] =
        COUNTER("chunk_stored_bytes_total", "Bytes of chunks committed to the database."),
    [METRIC_STORE_FAILURES] = COUNTER(
        "store_failures_total", "Transactions that failed or were lost, and were tried again."),
    [METRIC_SINK_LINES] = COUNTER_OF("sink_lines_total", "", "Lines written by sinks."),
    [METRIC_SINK_EVENTS] = COUNTER_OF("sink_events_total", "", "Events written by sinks."),
    [METRIC_SINK_BYTES_SKIPPED] =
        COUNTER_OF("sink_skipped_bytes_total", "", "Spool bytes that a failing sink lost."),
    [METRIC_SPOOL_BYTES] = GAUGE("spool_bytes", "Bytes in the spool."),
    [METRIC_SINK_LAG_POSTGRES] = GAUGE_OF("sink_lag_seconds", "sink=\"postgres\"",
                                          "Age of the oldest record that a sink has not written."),
    [METRIC_SINK_LAG_FILE] = GAUGE_OF("sink_lag_seconds", "sink=\"file\"",
                                      "Age of the oldest record that a sink has not written."),
    [METRIC_SINK_LAG_WANDB] = GAUGE_OF("sink_lag_seconds", "sink=\"wandb\"",
                                       "Age of the oldest record that a sink has not written."),
    [METRIC_RELAY_LAG] = GAUGE("relay_lag_seconds", "Age of the newest event when it came."),
    [METRIC_APPEND_STREAMS] = GAUGE("append_streams", "Open streams of workers."),
    [METRIC_TAILS] = GAUGE("tails", "Open tails."),
    [METRIC_ATTEMPTS] =
        GAUGE("attempts", "Attempts whose last line is known without asking the database."),
    [METRIC_FSYNC] = HISTOGRAM("spool_write_seconds", "Time of one group's write and fsync."),
    [METRIC_STORE_COMMIT] =
        HISTOGRAM("store_commit_seconds", "Time of one transaction of the store."),
};

void logger_count(enum logger_metric metric, double n)
{
    metric_add(&metrics[metric], n);
}

void logger_gauge(enum logger_metric metric, double value)
{
    metric_set(&metrics[metric], value);
}

void logger_observe_us(enum logger_metric metric, uint64_t us)
{
    metric_observe_us(&metrics[metric], us);
}

void logger_metrics_start(void (*collect)(void *userdata), void *userdata)
{
    metrics_register(metrics, LOGGER_METRICS);
    metrics_on_collect(collect, userdata);
}
