/* SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"

#define OPTION(name_, type_, fallback_, min_, max_, field_, help_)                                                                         \
    CONF_OPTION(name_, type_, fallback_, min_, max_, struct controller_settings, field_, help_)

const struct conf_option controller_options[] = {
    OPTION("listen", CONF_TEXT, "127.0.0.1:8081", 0, 0, listen, "address of the gRPC port"),
    OPTION("advertise", CONF_TEXT, NULL, 0, 0, advertise, "address by which other controllers reach this one (default: listen)"),
    {.name = "database", .type = CONF_TEXT, .secret = true, .offset = offsetof(struct controller_settings, database), .help = "PostgreSQL URL; may name several hosts"},
    OPTION("pooler-transaction", CONF_BOOL, "false", 0, 0, pooler_transaction, "a transaction-pooling proxy stands before PostgreSQL"),
    OPTION("read-connections", CONF_INT, "2", 1, 16, read_connections, "connections for reads"),
    OPTION("logger", CONF_TEXT, "", 0, 0, logger, "address of the logger; empty: none (the journal then grows)"),
    OPTION("cluster-key-file", CONF_TEXT, NULL, 0, 0, cluster_key_file, "32 bytes shared by controllers and loggers"),
    OPTION("admin-key-file", CONF_TEXT, NULL, 0, 0, admin_key_file, "API key that is made known as admin at start"),
    OPTION("worker-key-file", CONF_TEXT, NULL, 0, 0, worker_key_file, "API key that is made known as worker at start"),
    OPTION("state-dir", CONF_TEXT, ".plankton/controller", 0, 0, state_dir, "holds the instance's id, so that a restart takes its own shards back at once"),
    OPTION("lease", CONF_DURATION, "8s", 100, 3600000, lease_ms, "a worker that is silent for so long has lost its leases"),
    OPTION("grace", CONF_DURATION, "8s", 100, 3600000, grace_ms, "after a takeover leases wait so long for their workers"),
    OPTION("heartbeat", CONF_DURATION, "2s", 20, 600000, heartbeat_ms, "workers beat so often"),
    OPTION("cancel-timeout", CONF_DURATION, "30s", 100, 3600000, cancel_ms, "a cancel is final at the latest after this time"),
    OPTION("cancel-grace", CONF_DURATION, "5s", 0, 3600000, cancel_grace_ms, "between asking and forcing a task to stop"),
    OPTION("shard-lease", CONF_DURATION, "5s", 200, 600000, shard_lease_ms, "a silent controller loses its shards after this time"),
    OPTION("shard-renew", CONF_DURATION, "2s", 50, 600000, shard_renew_ms, "between two renewals of idle shards"),
    OPTION("shard-margin", CONF_DURATION, "1s", 20, 600000, shard_margin_ms, "a shard is not acted for in the last part of its lease"),
    OPTION("statement-timeout", CONF_DURATION, "10s", 100, 600000, statement_timeout_ms, "longest SQL statement"),
    OPTION("lock-timeout", CONF_DURATION, "1s", 50, 600000, lock_timeout_ms, "longest wait for a row lock"),
    OPTION("park-after", CONF_DURATION, "60s", 1000, 60000, park_ms, "tasks older than this are found through `parked` at a rebuild"),
    OPTION("sweep", CONF_DURATION, "5s", 100, 600000, sweep_ms, "every unfinished task is looked at so often"),
    OPTION("window-tasks", CONF_INT, "100000", 100, 10000000, window_tasks, "ready tasks of one queue held in memory"),
    OPTION("tasks-max", CONF_INT, "2000000", 1000, 100000000, tasks_max, "tasks held in memory; more submits are refused"),
    OPTION("lost-max", CONF_INT, "3", 1, 100, lost_max, "a task whose workers were lost so often has failed"),
};
const size_t controller_option_count = ARRAY_LEN(controller_options);
