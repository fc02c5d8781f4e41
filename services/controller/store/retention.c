/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Retention: days of tasks and runs that are past it, and have nothing unfinished, go as a whole;
 * so do days of idempotency keys. Once after the first takeover and then every hour, by every
 * controller that owns something; the database lets one at a time. On a connection of its own, for
 * a day is read before it goes, and nobody's read may wait behind that.
 */
#include "log/log.h"
#include "sql/shard.h"
#include "store_internal.h"

#define RETENTION_FIRST_MS 2000
#define RETENTION_EVERY_MS 3600000
#define RETENTION_TIMEOUT_MS 600000 /* of the statement: a day of 100 M tasks is read in it */
#define DAY_MS INT64_C(86400000)

static void retention_end(struct store *store)
{
    struct db_conn *conn = store->retention_conn;

    store->retention_conn = NULL;
    db_conn_free(conn);
}

static void hold_day(struct store *store, struct slice day, const struct id *by)
{
    log_warn("store.day_held", LOG_SLICE("day", day), LOG_ID("by", by));
    if (store->held_len == STORE_HELD_MAX || day.len >= sizeof store->held[0].day)
        return;
    struct store_held_day *held = &store->held[store->held_len++];
    *held = (struct store_held_day){.by = *by};
    memcpy(held->day, day.data, day.len);
}

const struct store_held_day *store_held_days(const struct store *store, size_t *ret_len)
{
    *ret_len = store->held_len;
    return store->held;
}

static void days_done(enum db_outcome outcome, struct db_result *const *results, size_t n,
                      const struct error *err, void *userdata)
{
    struct store *store = userdata;

    if (!store->retention_conn)
        return; /* being freed */
    if (outcome != DB_COMMITTED)
        log_warn("store.retention", LOG_ERR(err)); /* in an hour again */
    else
        store->held_len = 0;
    for (size_t i = 0; outcome == DB_COMMITTED && i < db_rows(results[0]); i++) {
        struct slice day = db_slice(results[0], i, 0);
        struct id holder = row_id(results[0], i, 1);

        if (id_is_nil(&holder))
            log_info("store.day_dropped", LOG_SLICE("day", day));
        else /* it has not ended */
            hold_day(store, day, &holder);
    }
    retention_end(store);
}

/* What is older goes, by whole days. */
static int64_t first_kept_us(const struct store *store, int64_t keep_ms)
{
    return keep_ms ? store->clock_us - keep_ms * 1000 : INT64_MIN;
}

static void connected(struct db_conn *conn, bool up, const struct error *err, void *userdata)
{
    struct store *store = userdata;
    struct db_param params[] = {
        DB_TIME_PARAM(first_kept_us(store, store->options.retention_ms)),
        DB_TIME_PARAM(first_kept_us(store, store->options.key_retention_ms))};

    if (!store->retention_conn)
        return; /* the end of it */
    if (up)
        db_query(conn, &SQL_partitions_drop, params, ARRAY_LEN(params), days_done, store);
    else
        retention_end(store); /* in an hour again */
}

static void retention_due(void *userdata)
{
    struct store *store = userdata;
    struct db_options options = {.url = store->options.database,
                                 .application_name = "plankton-controller-retention",
                                 .statement_timeout_ms = RETENTION_TIMEOUT_MS,
                                 .lock_timeout_ms = store->options.lock_timeout_ms,
                                 .pooler_transaction = store->options.pooler_transaction};

    if (!store->up || !store->checked || store->stopping || store->retention_conn)
        return;
    store->retention_conn = db_connect(store->loop, &options, connected, store);
}

void retention_start(struct store *store)
{
    if (store->retention_timer)
        return;
    store->retention_timer = loop_timer_new(store->loop, retention_due, store);
    loop_timer_start(store->retention_timer, RETENTION_FIRST_MS, RETENTION_EVERY_MS);
}

void retention_free(struct store *store)
{
    loop_timer_free(store->retention_timer);
    retention_end(store);
}

bool store_is_expired(const struct store *store, const struct id *id)
{
    int64_t kept_ms = first_kept_us(store, store->options.retention_ms) / 1000;

    return store->options.retention_ms && (int64_t)id_unix_ms(id) < kept_ms - kept_ms % DAY_MS;
}
