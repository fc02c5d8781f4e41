/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_STORE_H
#define STORE_STORE_H
/*
 * From the spool to PostgreSQL, in the background: while one batch commits the spool grows, and
 * what it has grown by is the next batch. Each transaction moves the instance's place in the spool
 * along, so nothing is stored twice or left out, whatever crashes and whatever the fate of a commit
 * whose answer was lost. When the database is away the spool keeps everything and the store goes on
 * by itself as soon as it is back.
 */
#include "db/db.h"
#include "ingest/ingest.h"

struct store;
struct store_options {
    const char *database;
    struct id instance; /* of the state directory: one row in log_spool */
    struct spool *spool;
    int64_t retention_ms; /* days before it are dropped; 0 = never */
    int64_t statement_timeout_ms;
    int64_t pace_ms; /* between two beginnings of a batch, unless there is much to store */
    size_t read_connections;
    bool pooler_transaction;
};
struct store_callbacks {
    /* The last event stored of one source; all of them before on_ready. */
    void (*on_source)(uint32_t timeline, uint16_t shard, uint64_t last, void *userdata);
    void (*on_ready)(void *userdata); /* at each connection */
    void (*on_stored)(uint64_t lsn, void *userdata);
    void (*on_health)(const char *why, void *userdata); /* NULL = well */
};
struct store *store_new(struct loop *loop, const struct store_options *options,
                        const struct store_callbacks *callbacks, void *userdata);
void store_kick(struct store *store); /* more is durable */
uint64_t
store_position(const struct store *store); /* everything before it in the spool is stored */
const char *store_trouble(const struct store *store); /* NULL = well */
/* Age of what the store stored last, while there is more; 0 when it has everything. */
double store_lag_s(const struct store *store);
/* For queries: a connection, the least busy. */
struct db_conn *store_reader(struct store *store);
void store_lookup(struct store *store, struct ingest_lookup *lookups, size_t n,
                  ingest_lookup_done_fn done, void *userdata);
/* The transaction under way is waited for. */
void store_stop(struct store *store, void (*stopped)(void *userdata), void *userdata);
void store_free(struct store *store); /* NULL allowed */

#endif
