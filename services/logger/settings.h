/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOGGER_SETTINGS_H
#define LOGGER_SETTINGS_H
/* Options of plankton-logger. */
#include "service/tls.h"

enum wandb_mode { WANDB_OFF, WANDB_OFFLINE, WANDB_ONLINE };

struct logger_settings {
    struct service_settings service; /* first */
    struct service_tls_settings tls;
    const char *listen, *controller, *cluster_key_file, *state_dir, *database, *file_sink,
        *file_sink_records, *file_sink_fsync;
    int64_t file_sink_rotate_bytes, file_sink_keep;
    int64_t segment_bytes, spool_bytes;
    int64_t tail_wait_ms, unknown_wait_ms, retention_ms, statement_timeout_ms, read_connections,
        store_pace_ms;
    const char *wandb, *wandb_dir, *wandb_entity, *wandb_project, *wandb_tags, *wandb_per,
        *wandb_base_url, *wandb_api_key_file;
    int64_t wandb_runs_per_minute, wandb_linger_ms, wandb_interval_ms, wandb_heartbeat_ms,
        wandb_backoff_ms;
    bool pooler_transaction;
    /* what the words above mean, from logger_settings_check */
    int sink_events, sink_fsync;
    int wandb_mode, wandb_per_word; /* enum wandb_mode, enum wandb_per */
};
extern const struct conf_option logger_options[];
extern const size_t logger_option_count;
/* Words that conf does not know. */
MUST_USE enum status logger_settings_check(struct logger_settings *settings, struct error *err);

#endif
