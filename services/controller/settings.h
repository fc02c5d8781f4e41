/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_SETTINGS_H
#define CONTROLLER_SETTINGS_H
/* Options of plankton-controller. */
#include "service/tls.h"

struct controller_settings {
    struct service_settings service; /* first */
    struct service_tls_settings tls;
    const char *listen, *advertise, *database, *logger, *cluster_key_file, *admin_key_file,
        *worker_key_file, *state_dir;
    bool pooler_transaction;
    int64_t lease_ms, grace_ms, heartbeat_ms, cancel_ms, cancel_grace_ms;
    int64_t shard_lease_ms, shard_renew_ms, shard_margin_ms;
    int64_t statement_timeout_ms, lock_timeout_ms, park_ms, sweep_ms, window_tasks, lost_max,
        tasks_max, read_connections, retention_ms, key_retention_ms;
};

extern const struct conf_option controller_options[];
extern const size_t controller_option_count;

#endif
