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
    OPTION("wandb", CONF_TEXT, "off", 0, 0, wandb,
           "Weights & Biases: off, offline (directories for `wandb sync`) or online"),
    OPTION("wandb-dir", CONF_TEXT, NULL, 0, 0, wandb_dir,
           "where its directories are made (default: STATE-DIR/wandb)"),
    OPTION("wandb-project", CONF_TEXT, "plankton", 0, 0, wandb_project, "project of the runs"),
    OPTION("wandb-entity", CONF_TEXT, "", 0, 0, wandb_entity,
           "user or team of the project (empty: the key's default)"),
    OPTION("wandb-tags", CONF_TEXT, "", 0, 0, wandb_tags, "tags of each run, separated by commas"),
    OPTION("wandb-per", CONF_TEXT, "run", 0, 0, wandb_per,
           "what one W&B run stands for: run (of a plan), plan-day or task"),
    OPTION("wandb-runs-per-minute", CONF_INT, "60", 1, 100000, wandb_runs_per_minute,
           "above it plan runs share the W&B run of their plan and day"),
    OPTION("wandb-linger", CONF_DURATION, "10s", 0, 3600000, wandb_linger_ms,
           "an ended run waits so long for the rest of its output"),
    OPTION("wandb-base-url", CONF_TEXT, "https://api.wandb.ai", 0, 0, wandb_base_url,
           "server of online runs"),
    OPTION("wandb-api-key-file", CONF_TEXT, NULL, 0, 0, wandb_api_key_file,
           "holds the API key for online runs"),
    OPTION("wandb-interval", CONF_DURATION, "15s", 10, 3600000, wandb_interval_ms,
           "between two sends of an online run"),
    OPTION("wandb-heartbeat", CONF_DURATION, "30s", 10, 3600000, wandb_heartbeat_ms,
           "an online run with nothing to send says that it lives"),
    OPTION("wandb-backoff", CONF_DURATION, "2s", 1, 60000, wandb_backoff_ms,
           "first wait after the server failed, doubled up to a minute"),
    OPTION("tail-wait", CONF_DURATION, "10s", 0, 3600000, tail_wait_ms,
           "how long a tail waits for missing lines when its task is over"),
    OPTION("unknown-wait", CONF_DURATION, "2s", 0, 60000, unknown_wait_ms,
           "how long a task that was made a moment ago may be unknown here"),
    SERVICE_TLS_LISTEN_OPTIONS(struct logger_settings, tls),
    SERVICE_TLS_OPTIONS(struct logger_settings, tls),
};
const size_t logger_option_count = ARRAY_LEN(logger_options);

/* One of the words, in their order. */
static enum status pick(const char *name, const char *value, const char *const *words, size_t n,
                        int *ret, struct error *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(0);
    const char *list = words[0];

    for (size_t i = 0; i < n; i++) {
        if (str_eq(value, words[i])) {
            *ret = (int)i;
            return STATUS_OK;
        }
        if (i > 0)
            list = arena_printf(arena, "%s, %s", list, words[i]);
    }
    return error_set(err, STATUS_INVALID_ARGUMENT, "--%s must be one of: %s", name, list);
}

enum status logger_settings_check(struct logger_settings *settings, struct error *err)
{
    static const char *const records[] = {"lines", "all"}, *const syncs[] = {"rotate", "always"},
                             *const modes[] = {"off", "offline", "online"},
                             *const pers[] = {"run", "plan-day", "task"};
    const struct {
        const char *name, *value, *const *words;
        size_t n;
        int *ret;
    } picks[] = {
        {"file-sink-records", settings->file_sink_records, records, ARRAY_LEN(records),
         &settings->sink_events},
        {"file-sink-fsync", settings->file_sink_fsync, syncs, ARRAY_LEN(syncs),
         &settings->sink_fsync},
        {"wandb", settings->wandb, modes, ARRAY_LEN(modes), &settings->wandb_mode},
        {"wandb-per", settings->wandb_per, pers, ARRAY_LEN(pers), &settings->wandb_per_word},
    };
    enum status st = STATUS_OK;

    if (!settings->database || !settings->cluster_key_file)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "--database and --cluster-key-file are needed");
    for (size_t i = 0; st == STATUS_OK && i < ARRAY_LEN(picks); i++)
        st = pick(picks[i].name, picks[i].value, picks[i].words, picks[i].n, picks[i].ret, err);
    if (st == STATUS_OK && settings->wandb_mode == WANDB_ONLINE && !settings->wandb_api_key_file)
        st = error_set(err, STATUS_INVALID_ARGUMENT, "--wandb=online needs --wandb-api-key-file");
    return st;
}
