/* SPDX-License-Identifier: Apache-2.0 */
/* Which shards are ours: taking, renewing, losing, giving up. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/planted.h"
#include "log/log.h"
#include "sql/shard.h"
#include "store_internal.h"

#define STANDBY_POLL_MS 1000 /* a standby looks for expired leases this often */
#define RETRY_MS 100         /* after a failed acquire */
#define PARTITION_CHECK_MS 3600000
#define SQLSTATE_LOCK_TIMEOUT "SQLSTATE_55P03"

/* An acquire or a renewal on its way: the lease counts from when it was sent. */
struct lease_op {
    struct store *store;
    uint64_t sent_us;
    size_t n;
    struct {
        uint16_t shard;
        uint32_t epoch;
    } shards[];
};

static struct lease_op *lease_op_new(struct store *store)
{
    struct lease_op *op =
        mem_zalloc(sizeof *op + store->cluster.shards * sizeof(((struct lease_op *)0)->shards[0]));

    op->store = store;
    op->sent_us = lease_clock_us();
    return op;
}

uint64_t lease_clock_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t lease_valid_us(const struct store *store, uint64_t sent_us)
{
    return sent_us +
           (uint64_t)(store->options.shard_lease_ms - store->options.lease_margin_ms) * 1000;
}

static size_t count_in(const struct store *store, enum shard_state state)
{
    size_t n = 0;

    for (uint16_t i = 0; i < store->cluster.shards; i++)
        n += store->shards[i].state == state;
    return n;
}

void keeper_health(struct store *store)
{
    const char *why = NULL;

    if (!store->up || !store->checked)
        why = store->down_why;
    else if (count_in(store, SHARD_OWNED) == 0 && count_in(store, SHARD_LOADING) > 0)
        why = "loading shards";
    else if (count_in(store, SHARD_OWNED) == 0)
        why = "standing by: another controller owns the shards";
    store->callbacks.on_health(why, store->userdata);
}

static void waits_for(struct store *store, const char *what, const char *why)
{
    snprintf(store->down_why, sizeof store->down_why, "%s%.200s", what, why);
    keeper_health(store);
}

/* ---- losing ---- */

bool keeper_give_up(struct store *store, uint16_t shard)
{
    struct shard_slot *slot = &store->shards[shard];
    bool had_memory = slot->state == SHARD_OWNED;

    if (slot->state != SHARD_OWNED && slot->state != SHARD_LOADING)
        return false;
    if (planted("memory_kept_after_error") && had_memory)
        return false;
    slot->state = SHARD_FREE;
    slot->was_ours = true;
    slot->valid_until_us = 0;
    slot->load = 0;
    return had_memory;
}

void keeper_lose(struct store *store, uint16_t shard, const char *why)
{
    if (keeper_give_up(store, shard))
        store->callbacks.on_lost(shard, why, store->userdata);
    keeper_acquire_soon(store, 0);
}

void store_drop(struct store *store, uint16_t shard, const char *why)
{
    if (store->shards[shard].state != SHARD_OWNED)
        return;
    log_warn("store.drop", LOG_U64("shard", shard), LOG_STR("why", why));
    keeper_lose(store, shard, why);
}

bool store_shard_valid(const struct store *store, uint16_t shard)
{
    return shard < store->cluster.shards && store->shards[shard].state == SHARD_OWNED &&
           (lease_clock_us() < store->shards[shard].valid_until_us || planted("no_fence"));
}

/* ---- partitions ---- */

static void partitions_done(enum db_outcome outcome, struct db_result *const *results, size_t n,
                            const struct error *err, void *userdata)
{
    if (outcome != DB_COMMITTED)
        log_warn("store.partitions", LOG_ERR(err));
}

/* By the time that ids are made from, which is not this machine's. */
static void ensure_partitions(struct store *store)
{
    struct db_param params[] = {DB_TIME_PARAM(store->clock_us)};

    db_query(store->writer, &SQL_partitions_ensure, params, 1, partitions_done, NULL);
}

static void partition_due(void *userdata)
{
    struct store *store = userdata;

    if (store->up && store->checked && count_in(store, SHARD_OWNED) > 0)
        ensure_partitions(store);
}

/* ---- taking ---- */

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
    struct db_param params[] = {db_array_param(ids), DB_TEXT_PARAM(store->options.instance)};
    log_warn("shard.lock_held", LOG_STR("action", "ending the backends of former owners"));
    db_query(store->writer, &SQL_shard_end_writers, params, ARRAY_LEN(params), writers_ended,
             store);
}

static void begin_of(const struct db_result *result, size_t row, struct load_shard *ret)
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

static void take(struct store *store, const struct db_result *result, uint64_t sent_us)
{
    AUTO(arena_freep) struct arena *arena = arena_new(0);
    size_t rows = db_rows(result);
    struct load_shard *shards = ARENA_ARRAY(arena, struct load_shard, rows + 1);

    for (size_t i = 0; i < rows; i++) {
        begin_of(result, i, &shards[i]);
        store->clock_us = MAX_OF(store->clock_us, shards[i].begin.clock_us);
        store->shards[shards[i].shard] =
            (struct shard_slot){.state = SHARD_LOADING,
                                .was_ours = true,
                                .epoch = shards[i].epoch,
                                .journal_low = shards[i].begin.journal_low,
                                .valid_until_us = lease_valid_us(store, sent_us)};
    }
    if (rows > 0) {
        ensure_partitions(store); /* on the writer, so before every batch */
        retention_start(store);
        load_start(store, shards, rows);
    }
    keeper_health(store);
    if (count_in(store, SHARD_FREE) > 0)
        keeper_acquire_soon(store, STANDBY_POLL_MS);
}

static void acquired(enum db_outcome outcome, struct db_result *const *results, size_t n,
                     const struct error *err, void *userdata)
{
    struct lease_op *op = userdata;
    struct store *store = op->store;
    uint64_t sent_us = op->sent_us;

    free(op);
    store->acquiring = false;
    for (uint16_t i = 0; i < store->cluster.shards; i++)
        if (store->shards[i].state == SHARD_ACQUIRING)
            store->shards[i].state = SHARD_FREE;
    if (store->stopping)
        write_idle_check(store); /* what was taken expires by itself */
    else if (outcome == DB_COMMITTED)
        take(store, results[0], sent_us);
    else if (outcome == DB_FAILED && str_eq(err->reason, SQLSTATE_LOCK_TIMEOUT))
        end_writers(store);
    else
        keeper_acquire_soon(store, RETRY_MS);
}

static void acquire(struct store *store)
{
    struct db_txn *txn = db_txn_new(store->writer);
    struct db_array *ids = db_array_new(db_txn_arena(txn), DB_I16),
                    *ours = db_array_new(db_txn_arena(txn), DB_I16);

    for (uint16_t i = 0; i < store->cluster.shards; i++) {
        if (store->shards[i].state != SHARD_FREE)
            continue;
        store->shards[i].state = SHARD_ACQUIRING;
        db_array_add_i64(ids, i);
        if (store->shards[i].was_ours)
            db_array_add_i64(ours, i);
    }
    if (db_array_count(ids) == 0) {
        db_txn_discard(txn);
        return;
    }
    struct db_param params[] = {db_array_param(ids), DB_TEXT_PARAM(store->options.instance),
                                DB_TEXT_PARAM(store->options.address),
                                DB_I64_PARAM(store->options.shard_lease_ms), db_array_param(ours)};
    store->acquiring = true;
    db_txn_add(txn, &SQL_shard_acquire, params, ARRAY_LEN(params));
    db_txn_send(txn, acquired, lease_op_new(store));
}

void keeper_acquire_soon(struct store *store, uint64_t delay_ms)
{
    if (!store->stopping)
        loop_timer_start(store->acquire_timer, delay_ms, 0);
}

/* ---- renewing ---- */

static void renewed(enum db_outcome outcome, struct db_result *const *results, size_t n,
                    const struct error *err, void *userdata)
{
    struct lease_op *op = userdata;
    struct store *store = op->store;
    bool kept[SHARDS_MAX] = {false};

    /* otherwise the lease runs on by its clock: the next renewal or the lost connection decides */
    for (size_t i = 0; outcome == DB_COMMITTED && i < db_rows(results[0]); i++) {
        kept[db_i64(results[0], i, 0)] = true;
        store->clock_us = MAX_OF(store->clock_us, db_i64(results[0], i, 1));
    }
    for (size_t i = 0; outcome == DB_COMMITTED && i < op->n; i++) {
        struct shard_slot *slot = &store->shards[op->shards[i].shard];
        if (slot->epoch != op->shards[i].epoch)
            continue;
        if (kept[op->shards[i].shard] || planted("no_fence"))
            slot->valid_until_us = MAX_OF(slot->valid_until_us, lease_valid_us(store, op->sent_us));
        else
            keeper_lose(store, op->shards[i].shard, "another controller has taken it");
    }
    free(op);
}

static void renew_due(void *userdata)
{
    struct store *store = userdata;

    if (!store->up || !store->checked || store->stopping || store->acquiring)
        return;
    struct db_txn *txn = db_txn_new(store->writer);
    struct db_array *ids = db_array_new(db_txn_arena(txn), DB_I16),
                    *epochs = db_array_new(db_txn_arena(txn), DB_I32);
    struct lease_op *op = lease_op_new(store);
    for (uint16_t i = 0; i < store->cluster.shards; i++) {
        if (store->shards[i].state != SHARD_OWNED && store->shards[i].state != SHARD_LOADING)
            continue;
        db_array_add_i64(ids, i);
        db_array_add_i64(epochs, store->shards[i].epoch);
        op->shards[op->n].shard = i;
        op->shards[op->n++].epoch = store->shards[i].epoch;
    }
    if (op->n == 0) {
        db_txn_discard(txn);
        free(op);
        return;
    }
    struct db_param params[] = {db_array_param(ids), db_array_param(epochs),
                                DB_I64_PARAM(store->options.shard_lease_ms)};
    db_txn_add(txn, &SQL_shard_renew, params, ARRAY_LEN(params));
    db_txn_send(txn, renewed, op);
}

/* ---- the connection ---- */

static void look_again(struct store *store)
{
    loop_timer_start(store->acquire_timer, STANDBY_POLL_MS, 0);
}

static void cluster_read(enum db_outcome outcome, struct db_result *const *results, size_t n,
                         const struct error *err, void *userdata)
{
    struct store *store = userdata;

    if (outcome != DB_COMMITTED) {
        waits_for(store, "reading the cluster's row: ", err->message);
        look_again(store);
        return;
    }
    if (db_rows(results[0]) != 1) {
        waits_for(store, "the database has no cluster row: run `plankton migrate`", "");
        look_again(store);
        return;
    }
    bool first = !store->cluster.shards;
    store->cluster.timeline = (uint32_t)db_i64(results[0], 0, 0);
    store->cluster.shards = (uint16_t)db_i64(results[0], 0, 1);
    store->cluster.now_us = db_i64(results[0], 0, 2);
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
    waits_for(store, "", err->message);
    look_again(store);
}

/* While the schema is not there the acquire timer asks for it again. */
static void acquire_due(void *userdata)
{
    struct store *store = userdata;

    if (!store->up || store->stopping)
        return;
    if (!store->checked)
        db_schema_check(store->writer, STORE_SCHEMA_NEEDED, schema_checked, store);
    else if (!store->acquiring)
        acquire(store);
}

void keeper_connection(struct store *store, bool up, const struct error *err)
{
    store->up = up;
    if (up) {
        log_info("store.connected", LOG_I64("backend", db_conn_backend_pid(store->writer)));
        keeper_acquire_soon(store, 0);
        return;
    }
    waits_for(store, "waiting for PostgreSQL: ", err ? err->message : "connecting");
    for (uint16_t i = 0; i < store->cluster.shards; i++)
        keeper_lose(store, i, "the connection to PostgreSQL is lost");
}

void keeper_start(struct store *store)
{
    store->acquire_timer = loop_timer_new(store->loop, acquire_due, store);
    store->renew_timer = loop_timer_new(store->loop, renew_due, store);
    store->partition_timer = loop_timer_new(store->loop, partition_due, store);
    loop_timer_start(store->renew_timer, (uint64_t)store->options.renew_ms,
                     (uint64_t)store->options.renew_ms);
    loop_timer_start(store->partition_timer, PARTITION_CHECK_MS, PARTITION_CHECK_MS);
    snprintf(store->down_why, sizeof store->down_why, "waiting for PostgreSQL: connecting");
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
