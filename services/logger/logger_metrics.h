/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOGGER_METRICS_H
#define LOGGER_METRICS_H
/* What plankton-logger counts. Loop thread only. */
#include "metrics/metrics.h"

enum logger_metric {
    METRIC_LINES_IN,
    METRIC_BYTES_IN,
    METRIC_LINES_DUPLICATE,
    METRIC_LINES_GAP,
    METRIC_LINES_LATE,
    METRIC_BLOCKS_REFUSED_TOKEN,
    METRIC_BLOCKS_REFUSED_FORM,
    METRIC_EVENTS_IN,
    METRIC_EVENTS_DUPLICATE,
    METRIC_LINES_STORED,
    METRIC_EVENTS_STORED,
    METRIC_CHUNK_BYTES_RAW,
    METRIC_CHUNK_BYTES_STORED,
    METRIC_STORE_FAILURES,
    METRIC_SINK_LINES,
    METRIC_SINK_EVENTS,
    METRIC_SINK_BYTES_SKIPPED,
    /* gauges */
    METRIC_SPOOL_BYTES,
    METRIC_SINK_LAG_POSTGRES,
    METRIC_SINK_LAG_FILE,
    METRIC_SINK_LAG_WANDB,
    METRIC_RELAY_LAG,
    METRIC_APPEND_STREAMS,
    METRIC_TAILS,
    METRIC_ATTEMPTS,
    /* histograms */
    METRIC_FSYNC,
    METRIC_STORE_COMMIT,
    LOGGER_METRICS
};
void logger_count(enum logger_metric metric, double n);
void logger_gauge(enum logger_metric metric, double value);
void logger_observe_us(enum logger_metric metric, uint64_t us);
/* collect sets the gauges. */
void logger_metrics_start(void (*collect)(void *userdata), void *userdata);

#endif
