/* SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"

#define OPTION(name_, type_, fallback_, min_, max_, field_, help_)                                 \
    CONF_OPTION(name_, type_, fallback_, min_, max_, struct logger_settings, field_, help_)
#define KIB 1024
#define MIB (KIB * KIB)
#define DAY_MS (INT64_C(24) * 60 * 60 * 1000)

const struct conf_option logger_options[] = {
    OPTION("listen", CONF_TEXT, "127.0.0.1:8082", 0, 0, listen, "address of the gRPC port"),
    OPTION("controller", CONF_TEXT, "127.0.0.1:8081", 0, 0, controller,
           "address of a controller, which knows the API keys"),
    OPTION("cluster-key-file", CONF_TEXT, NULL, 0, 0, cluster_key_file,
           "32 bytes shared by controllers and loggers"),
    OPTION("state-dir", CONF_TEXT, ".plankton/logger", 0, 0, state_dir,
           "holds the spool and the instance's id; one process at a time"),
    {.name = "database",
     .type = CONF_TEXT,
     .secret = true,
     .offset = offsetof(struct logger_settings, database),
     .help = "PostgreSQL URL; may name several hosts"},
    OPTION("pooler-transaction", CONF_BOOL, "false", 0, 0, pooler_transaction,
           "a transaction-pooling proxy stands before PostgreSQL"),
    OPTION("read-connections", CONF_INT, "2", 1, 16, read_connections, "connections for queries"),
    OPTION("statement-timeout", CONF_DURATION, "30s", 100, 600000, statement_timeout_ms,
           "longest SQL statement"),
    OPTION("store-pace", CONF_DURATION, "200ms", 0, 60000, store_pace_ms,
           "small transactions begin no sooner after each other; nobody waits for them"),
    OPTION("retention", CONF_DURATION, "14d", 0, 3650 * DAY_MS, retention_ms,
           "logs and history of older tasks and runs are dropped, a day at a time; 0: never"),
    OPTION("segment-size", CONF_BYTES, "64Mi", 64 * KIB, 1024 * MIB, segment_bytes,
           "a file of the spool is closed at this size"),
    OPTION("spool-size", CONF_BYTES, "1Gi", MIB, INT64_C(1024) * 1024 * MIB, spool_bytes,
           "above it senders are held back until the database has caught up"),
    OPTION("file-sink", CONF_TEXT, NULL, 0, 0, file_sink,
           "directory of the JSON lines (default: STATE-DIR/files; empty: none)"),
    OPTION("file-sink-records", CONF_TEXT, "all", 0, 0, file_sink_records,
           "what the JSON lines hold: all (log lines and events) or lines"),
    OPTION("file-sink-rotate", CONF_BYTES, "64Mi", 64 * KIB, INT64_C(64) * 1024 * MIB,
           file_sink_rotate_bytes, "a file of JSON lines is closed at this size"),
    OPTION("file-sink-keep", CONF_INT, "10", 1, 100000, file_sink_keep,
           "files of JSON lines that are kept"),
    OPTION("file-sink-fsync", CONF_TEXT, "rotate", 0, 0, file_sink_fsync,
           "when files of JSON lines are synced: rotate, or always"),
    OPTION("tail-wait", CONF_DURATION, "10s", 0, 3600000, tail_wait_ms,
           "how long a tail waits for missing lines when its task is over"),
    OPTION("unknown-wait", CONF_DURATION, "2s", 0, 60000, unknown_wait_ms,
           "how long a task that was made a moment ago may be unknown here"),
    SERVICE_TLS_LISTEN_OPTIONS(struct logger_settings, tls),
    SERVICE_TLS_OPTIONS(struct logger_settings, tls),
};
const size_t logger_option_count = ARRAY_LEN(logger_options);

static enum status pick(const char *value, const char *one, const char *other, const char *name,
                        bool *ret_is_one, struct error *err)
{
    *ret_is_one = str_eq(value, one);
    if (*ret_is_one || str_eq(value, other))
        return STATUS_OK;
    return error_set(err, STATUS_INVALID_ARGUMENT, "--%s must be %s or %s", name, one, other);
}

enum status logger_settings_check(struct logger_settings *settings, struct error *err)
{
    if (!settings->database || !settings->cluster_key_file)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "--database and --cluster-key-file are needed");
    enum status st = pick(settings->file_sink_records, "all", "lines", "file-sink-records",
                          &settings->sink_events, err);
    if (st == STATUS_OK)
        st = pick(settings->file_sink_fsync, "always", "rotate", "file-sink-fsync",
                  &settings->sink_fsync, err);
    return st;
}
