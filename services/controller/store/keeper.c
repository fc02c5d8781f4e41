/* SPDX-License-Identifier: Apache-2.0 */
/* Which shards are ours: taking, renewing, losing, giving up. */
#include <stdio.h>
#include <stdlib.h>

#include "log/log.h"
#include "sql/shard.h"
#include "store_internal.h"

#define STANDBY_POLL_MS 1000 /* a standby looks for expired leases this often */
#define RETRY_MS 100         /* after a failed acquire */
#define PARTITION_CHECK_MS 3600000
#define SQLSTATE_LOCK_TIMEOUT "SQLSTATE_55P03"

void keeper_health(struct store *store, const char *why)
{
    store->callbacks.on_health(why, store->userdata);
}

static bool any_in(const struct store *store, enum shard_state state)
{
    for (uint16_t i = 0; i < store->cluster.shards; i++)
        if (store->shards[i].state == state)
            return true;
    return false;
}

/* ---- losing ---- */

void keeper_lose(struct store *store, uint16_t shard, const char *why)
{
    struct shard_slot *slot = &store->shards[shard];

    if (slot->state != SHARD_OWNED && slot->state != SHARD_LOADING)
        return;
    bool had_memory = slot->state == SHARD_OWNED || slot->load;
    slot->state = SHARD_FREE;
    slot->was_ours = true;
    slot->valid_until_us = 0;
    slot->load = 0;
    if (had_memory)
        store->callbacks.on_lost(shard, why, store->userdata);
    keeper_acquire_soon(store, 0);
}

void store_drop(struct store *store, uint16_t shard, const char *why)
{
    log_warn("store.drop", LOG_U64("shard", shard), LOG_STR("why", why));
    keeper_lose(store, shard, why);
}

bool store_shard_valid(const struct store *store, uint16_t shard)
{
    return shard < store->cluster.shards && store->shards[shard].state == SHARD_OWNED &&
           clock_monotonic_us() < store->shards[shard].valid_until_us;
}

/* ---- taking ---- */

static void acquired(enum db_outcome outcome, struct db_result *const *results, size_t n,
                     const struct error *err, void *userdata);

static void writers_ended(enum db_outcome outcome, struct db_result *const *results, size_t n,
                          const struct error *err, void *userdata)
{
    keeper_acquire_soon(userdata, RETRY_MS);
}

/* Somebody deposed holds the rows' locks and will never commit: its backend shows `active`, no
 * timeout of its own ends it. */
static void end_writers(struct store *store)
{
    AUTO(arena_freep) struct arena *arena = arena_new(0);
    struct db_array *ids = db_array_new(arena, DB_I16);

    for (uint16_t i = 0; i < store->cluster.shards; i++)
        if (store->shards[i].state == SHARD_FREE)
            db_array_add_i64(ids, i);
    struct db_param params[] = {db_array_param(ids)};
    log_warn("shard.lock_held", LOG_STR("action", "ending the backends of former owners"));
    db_query(store->writer, &SQL_shard_end_writers, params, 1, writers_ended, store);
}

static void acquire(struct store *store)
{
    struct db_txn *txn = db_txn_new(store->writer);
    struct db_array *ids = db_array_new(db_txn_arena(txn), DB_I16);
    bool was_ours = true;
    size_t n = 0;

    for (uint16_t i = 0; i < store->cluster.shards; i++)
        if (store->shards[i].state == SHARD_FREE) {
            store->shards[i].state = SHARD_ACQUIRING;
            was_ours &= store->shards[i].was_ours;
            db_array_add_i64(ids, i);
            n++;
        }
    if (!n) {
        db_txn_discard(txn);
        return;
    }
    struct db_param partitions[] = {DB_TIME_PARAM(clock_unix_us())};
    struct db_param params[] = {db_array_param(ids), DB_TEXT_PARAM(store->options.instance),
                                DB_TEXT_PARAM(store->options.address),
                                DB_I64_PARAM(store->options.shard_lease_ms),
                                DB_BOOL_PARAM(was_ours)};
    store->acquiring = true;
    store->renew_sent_us = clock_monotonic_us();
    db_txn_add(txn, &SQL_partitions_ensure, partitions, 1);
    db_txn_add(txn, &SQL_shard_acquire, params, ARRAY_LEN(params));
    db_txn_send(txn, acquired, store);
}

static void acquire_due(void *userdata)
{
    struct store *store = userdata;

    if (store->up && store->checked && !store->acquiring && !store->stopping)
        acquire(store);
}

void keeper_acquire_soon(struct store *store, uint64_t delay_ms)
{
    if (!store->stopping)
        loop_timer_start(store->acquire_timer, delay_ms, 0);
}

static void begin_of(struct store *store, const struct db_result *result, size_t row,
                     struct load_shard *ret)
{
    int64_t clock_us = row_time(result, row, 3), database_us = db_i64(result, row, 9);

    *ret = (struct load_shard){.shard = (uint16_t)db_i64(result, row, 0),
                               .epoch = (uint32_t)db_i64(result, row, 1)};
    ret->begin = (struct engine_load_begin){.shard = ret->shard,
                                            .epoch = ret->epoch,
                                            .seq = (uint64_t)db_i64(result, row, 2),
                                            .event_next = (uint64_t)db_i64(result, row, 4),
                                            .event_acked = (uint64_t)db_i64(result, row, 5),
                                            .journal_low = (uint64_t)db_i64(result, row, 6),
                                            .unclean = (uint32_t)db_i64(result, row, 7),
                                            .suspect = row_id(result, row, 8),
                                            .clock_us = MAX_OF(clock_us, database_us),
                                            .due_next_us = ENGINE_FOREVER};
}

static void acquired(enum db_outcome outcome, struct db_result *const *results, size_t n,
                     const struct error *err, void *userdata)
{
    struct store *store = userdata;

    store->acquiring = false;
    for (uint16_t i = 0; i < store->cluster.shards; i++)
        if (store->shards[i].state == SHARD_ACQUIRING)
            store->shards[i].state = SHARD_FREE;
    if (store->stopping) {
        write_idle_check(store);
        return;
    }
    if (outcome != DB_COMMITTED) {
        if (outcome == DB_FAILED && str_eq(err->reason, SQLSTATE_LOCK_TIMEOUT))
            end_writers(store);
        else
            keeper_acquire_soon(store, RETRY_MS);
        return;
    }
    AUTO(arena_freep) struct arena *arena = arena_new(0);
    size_t rows = db_rows(results[1]);
    struct load_shard *shards = ARENA_ARRAY(arena, struct load_shard, rows + 1);
    uint64_t valid_us =
        store->renew_sent_us +
        (uint64_t)(store->options.shard_lease_ms - store->options.lease_margin_ms) * 1000;
    for (size_t i = 0; i < rows; i++) {
        begin_of(store, results[1], i, &shards[i]);
        struct shard_slot *slot = &store->shards[shards[i].shard];
        slot->state = SHARD_LOADING;
        slot->epoch = shards[i].epoch;
        slot->journal_low = shards[i].begin.journal_low;
        slot->valid_until_us = valid_us;
    }
    if (rows)
        load_start(store, shards, rows);
    if (any_in(store, SHARD_FREE)) {
        /* somebody else's: stand by */
        if (!rows && !any_in(store, SHARD_OWNED))
            keeper_health(store, NULL);
        keeper_acquire_soon(store, STANDBY_POLL_MS);
    }
}

/* ---- renewing ---- */

static void renewed(enum db_outcome outcome, struct db_result *const *results, size_t n,
                    const struct error *err, void *userdata)
{
    struct store *store = userdata;
    bool kept[SHARDS_MAX] = {false};

    if (outcome != DB_COMMITTED)
        return; /* the lease runs on by its clock; the next renewal or the lost connection decides
                 */
    for (size_t i = 0; i < db_rows(results[0]); i++)
        kept[db_i64(results[0], i, 0)] = true;
    uint64_t valid_us =
        store->renew_sent_us +
        (uint64_t)(store->options.shard_lease_ms - store->options.lease_margin_ms) * 1000;
    for (uint16_t i = 0; i < store->cluster.shards; i++) {
        struct shard_slot *slot = &store->shards[i];
        if (slot->state != SHARD_OWNED && slot->state != SHARD_LOADING)
            continue;
        if (kept[i])
            slot->valid_until_us = MAX_OF(slot->valid_until_us, valid_us);
        else
            keeper_lose(store, i, "another controller has taken it");
    }
}

static void renew_due(void *userdata)
{
    struct store *store = userdata;

    if (!store->up || !store->checked || store->stopping || store->acquiring)
        return;
    struct db_txn *txn = db_txn_new(store->writer);
    struct db_array *ids = db_array_new(db_txn_arena(txn), DB_I16),
                    *epochs = db_array_new(db_txn_arena(txn), DB_I32);
    size_t n = 0;
    for (uint16_t i = 0; i < store->cluster.shards; i++)
        if (store->shards[i].state == SHARD_OWNED || store->shards[i].state == SHARD_LOADING) {
            db_array_add_i64(ids, i);
            db_array_add_i64(epochs, store->shards[i].epoch);
            n++;
        }
    if (!n) {
        db_txn_discard(txn);
        return;
    }
    struct db_param params[] = {db_array_param(ids), db_array_param(epochs),
                                DB_I64_PARAM(store->options.shard_lease_ms)};
    store->renew_sent_us = clock_monotonic_us();
    db_txn_add(txn, &SQL_shard_renew, params, 3);
    db_txn_send(txn, renewed, store);
}

static void partitions_done(enum db_outcome outcome, struct db_result *const *results, size_t n,
                            const struct error *err, void *userdata)
{
    if (outcome != DB_COMMITTED)
        log_warn("store.partitions", LOG_ERR(err));
}

static void partition_due(void *userdata)
{
    struct store *store = userdata;
    struct db_param params[] = {DB_TIME_PARAM(clock_unix_us())};

    if (store->up && store->checked)
        db_query(store_reader(store), &SQL_partitions_ensure, params, 1, partitions_done, store);
}

/* ---- the connection ---- */

static void cluster_read(enum db_outcome outcome, struct db_result *const *results, size_t n,
                         const struct error *err, void *userdata)
{
    struct store *store = userdata;

    if (outcome != DB_COMMITTED || db_rows(results[0]) != 1) {
        if (outcome == DB_COMMITTED)
            keeper_health(store, "the database has no cluster row: run `plankton migrate`");
        return; /* the connection's next life asks again */
    }
    bool first = !store->cluster.shards;
    store->cluster.timeline = (uint32_t)db_i64(results[0], 0, 0);
    store->cluster.shards = (uint16_t)db_i64(results[0], 0, 1);
    store->checked = true;
    if (first)
        store->callbacks.on_cluster(&store->cluster, store->userdata);
    keeper_acquire_soon(store, 0);
}

static void schema_checked(enum status status, const struct error *err, void *userdata)
{
    struct store *store = userdata;

    if (status == STATUS_OK) {
        db_query(store->writer, &SQL_cluster_read, NULL, 0, cluster_read, store);
        return;
    }
    keeper_health(store, err->message);
    if (status != STATUS_UNAVAILABLE)
        loop_timer_start(store->acquire_timer, STANDBY_POLL_MS,
                         0); /* not migrated yet: look again */
}

/* While the schema is not there the acquire timer asks for it again. */
static void acquire_or_check_due(void *userdata)
{
    struct store *store = userdata;

    if (store->up && !store->checked && !store->stopping)
        db_schema_check(store->writer, STORE_SCHEMA_NEEDED, schema_checked, store);
    else
        acquire_due(store);
}

void keeper_connection(struct store *store, bool up, const struct error *err)
{
    char why[400];

    store->up = up;
    if (up) {
        log_info("store.connected", LOG_I64("backend", db_conn_backend_pid(store->writer)));
        if (store->checked)
            keeper_acquire_soon(store, 0);
        else
            db_schema_check(store->writer, STORE_SCHEMA_NEEDED, schema_checked, store);
        return;
    }
    snprintf(why, sizeof why, "waiting for PostgreSQL: %.300s", err ? err->message : "connecting");
    keeper_health(store, why);
    for (uint16_t i = 0; i < store->cluster.shards; i++)
        keeper_lose(store, i, "the connection to PostgreSQL is lost");
}

void keeper_start(struct store *store)
{
    store->acquire_timer = loop_timer_new(store->loop, acquire_or_check_due, store);
    store->renew_timer = loop_timer_new(store->loop, renew_due, store);
    store->partition_timer = loop_timer_new(store->loop, partition_due, store);
    loop_timer_start(store->renew_timer, (uint64_t)store->options.renew_ms,
                     (uint64_t)store->options.renew_ms);
    loop_timer_start(store->partition_timer, PARTITION_CHECK_MS, PARTITION_CHECK_MS);
}

/* ---- giving up ---- */

static void released(enum db_outcome outcome, struct db_result *const *results, size_t n,
                     const struct error *err, void *userdata)
{
    struct store *store = userdata;

    if (outcome != DB_COMMITTED)
        log_warn("store.release", LOG_ERR(err)); /* the leases expire by themselves */
    store->stopped(store->stopped_userdata);
}

void keeper_release(struct store *store)
{
    struct db_txn *txn = db_txn_new(store->writer);
    struct db_array *ids = db_array_new(db_txn_arena(txn), DB_I16),
                    *epochs = db_array_new(db_txn_arena(txn), DB_I32);

    for (uint16_t i = 0; i < store->cluster.shards; i++)
        if (store->shards[i].state == SHARD_OWNED || store->shards[i].state == SHARD_LOADING) {
            db_array_add_i64(ids, i);
            db_array_add_i64(epochs, store->shards[i].epoch);
            store->shards[i].state = SHARD_FREE;
        }
    struct db_param params[] = {db_array_param(ids), db_array_param(epochs)};
    db_txn_add(txn, &SQL_shard_release, params, 2);
    db_txn_send(txn, released, store);
}
