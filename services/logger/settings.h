/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOGGER_SETTINGS_H
#define LOGGER_SETTINGS_H
/* Options of plankton-logger. */
#include "service/tls.h"

struct logger_settings {
    struct service_settings service; /* first */
    struct service_tls_settings tls;
    const char *listen, *controller, *cluster_key_file, *state_dir, *database, *file_sink,
        *file_sink_records, *file_sink_fsync;
    int64_t file_sink_rotate_bytes, file_sink_keep;
    int64_t segment_bytes, spool_bytes;
    int64_t tail_wait_ms, unknown_wait_ms, retention_ms, statement_timeout_ms, read_connections,
        store_pace_ms;
    bool pooler_transaction, sink_events, sink_fsync;
};
extern const struct conf_option logger_options[];
extern const size_t logger_option_count;
/* Words that conf does not know. */
MUST_USE enum status logger_settings_check(struct logger_settings *settings, struct error *err);

#endif
