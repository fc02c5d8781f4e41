/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DB_DB_H
#define DB_DB_H
/*
 * Asynchronous PostgreSQL (libpq, pipeline mode) on the loop. SQL text comes only from .sql files,
 * turned into `struct db_sql` by tools/sqlgen; statements are prepared lazily per connection under
 * their hashed name, and again after a reconnect. A transaction is a list of statements sent in one
 * flush with one Sync: all of them commit or none. Several transactions may be in flight on a
 * connection; they are answered in order. A failed one does not stop those behind it (fence against
 * that: see services/controller/store). Results belong to the transaction and die when `done`
 * returns. The types of $n are inferred by the server, so every parameter has a cast in the SQL
 * ($1::bigint) and its kind must fit it. Values other than arrays are copied by db_txn_add; arrays
 * are copied unless they were built in db_txn_arena. Names of hosts are resolved in the pool. One
 * thread: the loop's.
 */
#include "base/arena.h"
#include "base/error.h"
#include "base/id.h"
#include "loop/loop.h"

struct db_sql {
    const char *name; /* prepared statement's name: base name + hash of the text */
    const char *text;
    int param_count;
};

enum db_kind {
    DB_NULL,
    DB_BOOL,
    DB_I16,
    DB_I32,
    DB_I64,
    DB_TEXT,
    DB_BYTES,
    DB_UUID,
    DB_TIME,
    DB_F64,
    DB_ARRAY
};
/* One parameter. Arrays (for unnest) are built by db_array_*; data is borrowed until db_txn_send.
 */
struct db_param {
    enum db_kind kind;
    union {
        int64_t i64; /* bool and ints; DB_TIME: Unix microseconds -> timestamptz */
        double f64;
        struct slice slice; /* text, bytes, or a finished binary array */
        struct id id;
    };
    uint32_t array_oid;        /* DB_ARRAY: type oid of the array */
    const struct arena *arena; /* DB_ARRAY: where the data lives */
};
struct db_array; /* a binary one-dimensional array under construction; memory from the arena */
struct db_array *db_array_new(struct arena *arena, enum db_kind element);
void db_array_add_null(struct db_array *array);
void db_array_add_i64(struct db_array *array, int64_t value);        /* BOOL, I16, I32, I64, TIME */
void db_array_add_slice(struct db_array *array, struct slice value); /* TEXT, BYTES */
void db_array_add_id(struct db_array *array, const struct id *value);
void db_array_add_f64(struct db_array *array, double value);
void db_array_reserve(struct db_array *array,
                      size_t bytes); /* room for so many bytes more: elements + 4 each */
size_t db_array_count(const struct db_array *array);
struct db_param db_array_param(struct db_array *array);

/* An array in a result: `db_array_read(db_slice(…), &r)`, then db_array_next until false; a NULL
 * element has data NULL. */
struct db_array_reader {
    struct slice rest;
    size_t count; /* elements left */
};
bool db_array_read(struct slice wire,
                   struct db_array_reader *ret); /* false when it is no one-dimensional array */
bool db_array_next(struct db_array_reader *reader, struct slice *ret_element);
bool db_array_next_i64(struct db_array_reader *reader,
                       int64_t *ret_value); /* int2, int4, int8, bool */

#define DB_I64_PARAM(v) ((struct db_param){.kind = DB_I64, .i64 = (v)})
#define DB_I32_PARAM(v) ((struct db_param){.kind = DB_I32, .i64 = (v)})
#define DB_I16_PARAM(v) ((struct db_param){.kind = DB_I16, .i64 = (v)})
#define DB_BOOL_PARAM(v) ((struct db_param){.kind = DB_BOOL, .i64 = (v)})
#define DB_TEXT_PARAM(s) ((struct db_param){.kind = (s) ? DB_TEXT : DB_NULL, .slice = slice_of(s)})
#define DB_BYTES_PARAM(sl) ((struct db_param){.kind = DB_BYTES, .slice = (sl)})
#define DB_UUID_PARAM(v) ((struct db_param){.kind = DB_UUID, .id = (v)})
#define DB_TIME_PARAM(us) ((struct db_param){.kind = DB_TIME, .i64 = (us)})

struct db_result; /* rows of one statement, binary format */
size_t db_rows(const struct db_result *result);
bool db_is_null(const struct db_result *result, size_t row, int column);
int64_t db_i64(const struct db_result *result, size_t row,
               int column); /* int2, int4, int8, bool, timestamptz (Unix µs), date (Unix days) */
double db_f64(const struct db_result *result, size_t row, int column);
struct slice db_slice(const struct db_result *result, size_t row,
                      int column); /* text, bytea, json, jsonb */
struct id db_id(const struct db_result *result, size_t row, int column);
int64_t
db_affected(const struct db_result *result); /* rows touched by a statement without RETURNING */
/* Columns are found by position; their order is the SQL file's. */

enum db_outcome {
    DB_COMMITTED,
    DB_FAILED, /* rolled back; err has the SQLSTATE as reason "SQLSTATE_22012" and a mapped status
                */
    DB_UNKNOWN /* the connection was lost before the answer: it may have committed */
};
struct db_conn;
struct db_txn;
typedef void (*db_done_fn)(enum db_outcome outcome, struct db_result *const *results, size_t n,
                           const struct error *err, void *userdata);

struct db_options {
    const char *url;              /* libpq URI or key=value text; may name several hosts */
    const char *application_name; /* shown in pg_stat_activity */
    int64_t statement_timeout_ms, lock_timeout_ms; /* 0 = none */
    const char *settings;    /* for the session, "-c name=value -c …"; NULL = none; not behind a
                                transaction pooler */
    bool pooler_transaction; /* a transaction-pooling proxy is between: unnamed statements only */
};
/* Connects in the background and reconnects with backoff (20 ms × 1.6, ±20 %, at most 2 s) for
 * ever. on_state is called on each change, and once when the first attempt fails; on_state and done
 * may free the connection. Strings are copied. */
struct db_conn *db_connect(struct loop *loop, const struct db_options *options,
                           void (*on_state)(struct db_conn *conn, bool up, const struct error *err,
                                            void *userdata),
                           void *userdata);
void db_conn_free(struct db_conn *conn); /* NULL allowed; transactions that were sent get
                                            DB_UNKNOWN, the others DB_FAILED */
void db_conn_reset(
    struct db_conn *conn); /* drops the connection as if it had been lost, and connects anew */
const struct error *
db_conn_error(const struct db_conn *conn); /* why it is down; OK when it is up */
bool db_conn_up(const struct db_conn *conn);
size_t db_conn_in_flight(const struct db_conn *conn);
int db_conn_backend_pid(const struct db_conn *conn);

struct db_txn *db_txn_new(struct db_conn *conn);
struct arena *db_txn_arena(struct db_txn *txn);
void db_txn_add(struct db_txn *txn, const struct db_sql *sql, const struct db_param *params, int n);
void db_txn_discard(struct db_txn *txn); /* instead of db_txn_send */
/* Sends at the end of the loop turn; done exactly once, never from inside. When the connection is
 * down: DB_FAILED, UNAVAILABLE; with 4,096 transactions open: DB_FAILED, RESOURCE_EXHAUSTED.
 * results are given for DB_COMMITTED only, err for the other two. A violated constraint's name is
 * in err->field. */
void db_txn_send(struct db_txn *txn, db_done_fn done, void *userdata);
/* One statement, one transaction. */
void db_query(struct db_conn *conn, const struct db_sql *sql, const struct db_param *params, int n,
              db_done_fn done, void *userdata);

/* A few read connections, the least busy one is picked. */
struct db_pool;
struct db_pool *db_pool_new(struct loop *loop, const struct db_options *options,
                            size_t connections);
struct db_conn *db_pool_pick(struct db_pool *pool);
void db_pool_free(struct db_pool *pool);

/* SQLSTATE -> status, in one table (db_sqlstate.c). */
enum status db_status_from_sqlstate(const char *sqlstate);

#endif
