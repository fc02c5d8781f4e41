/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DB_INTERNAL_H
#define DB_INTERNAL_H
/*
 * Private to lib/db. A connection moves DOWN -> RESOLVING -> CONNECTING -> UP -> DOWN; db_conn.c is
 * the only writer of that state. A transaction is on exactly one list of its connection: queued
 * (not handed to libpq), flying (handed over at least in part, answered in this order) or refused
 * (will fail at the next turn), or on none while it is built and while `done` runs.
 */
#include <libpq-fe.h>
#include "base/list.h"
#include "base/map.h"
#include "db/db.h"

#define DB_TXNS_MAX 4096 /* open transactions per connection */
#define DB_FLUSH_BYTES                                                                             \
    (256 * 1024) /* handed to libpq between two flushes: it memmoves what is left */
#define DB_CONNECT_TIMEOUT_MS 3000 /* one attempt, all steps */
#define DB_BACKOFF_MIN_MS 20.0
#define DB_BACKOFF_FACTOR 1.6
#define DB_BACKOFF_MAX_MS 2000.0
#define DB_BACKOFF_JITTER 0.2
#define DB_FLUSH_ORDER                                                                             \
    20                  /* after the handlers that make records, before connections are written    \
                         */
#define DB_HOSTS_MAX 32 /* after name resolution */
#define DB_ADDRESSES_PER_HOST_MAX 4
#define DB_EPOCH_UNIX_US INT64_C(946684800000000) /* 2000-01-01, PostgreSQL's zero */
#define DB_EPOCH_UNIX_DAYS 10957

enum db_oid {
    DB_OID_BOOL = 16,
    DB_OID_BYTEA = 17,
    DB_OID_INT8 = 20,
    DB_OID_INT2 = 21,
    DB_OID_INT4 = 23,
    DB_OID_TEXT = 25,
    DB_OID_OID = 26,
    DB_OID_FLOAT8 = 701,
    DB_OID_DATE = 1082,
    DB_OID_TIMESTAMPTZ = 1184,
    DB_OID_UUID = 2950,
    DB_OID_JSONB = 3802
};

struct db_result {
    PGresult *pg;
};

enum db_prepared_state {
    DB_PREPARED_NONE,
    DB_PREPARED_PENDING, /* a Prepare is in flight; until its answer others run it unnamed */
    DB_PREPARED_READY,
    DB_PREPARED_UNNAMED /* the stored plan went stale (the schema changed under it): never by name
                           again */
};
struct db_prepared {
    struct map_node node;
    const struct db_sql *sql;
    enum db_prepared_state state;
};

struct db_statement {
    struct db_statement *next;
    const struct db_sql *sql;
    const char **values;
    int *lengths, *formats, n;
    size_t bytes;                 /* of all values */
    struct db_prepared *prepared; /* NULL when it ran unnamed */
    bool awaits_prepare;          /* the answer of its own Prepare comes first */
    struct db_result result;
};

struct db_txn {
    struct list node;
    struct db_conn *conn;
    struct arena arena;
    struct db_statement *first, **tail;
    size_t n;
    struct db_statement *feed;   /* next one to hand to libpq */
    struct db_statement *answer; /* next one to be answered */
    bool failed;
    struct error err;
    db_done_fn done;
    void *userdata;
};

/* One place to connect to. address is NULL for a unix socket or where libpq's default is meant. */
struct db_host {
    char *host, *address, *port;
};
struct db_hosts {
    struct db_host list[DB_HOSTS_MAX];
    size_t n;
};

struct db_resolve; /* a name resolution in the pool; may outlive its connection */

enum db_conn_state { DB_CONN_DOWN, DB_CONN_RESOLVING, DB_CONN_CONNECTING, DB_CONN_UP };
struct db_conn {
    struct loop *loop;
    char *url, *application_name, *settings;
    int64_t statement_timeout_ms, lock_timeout_ms;
    bool pooler_transaction;
    void (*on_state)(struct db_conn *conn, bool up, const struct error *err, void *userdata);
    void *userdata;

    enum db_conn_state state;
    PGconn *pg;
    struct loop_fd *watch;
    struct loop_timer *timer;  /* backoff when DOWN, timeout while connecting */
    struct loop_timer *refuse; /* answers refused transactions, never from inside db_txn_send */
    struct loop_flush *flush;
    struct db_resolve *resolve;
    struct error last_error;
    unsigned attempts; /* since it was last up; also turns the list of hosts, so that one dead host
                          is not tried for ever */
    int notified;      /* last state told: -1 none, 0 down, 1 up */

    struct list queued, flying, refused;
    struct db_txn *feeding; /* the last of flying when not all of it was handed over */
    size_t in_flight, unflushed_bytes;
    bool got_result; /* of the command that is being answered; each has at least one before its NULL
                      */
    bool blocked;    /* libpq holds bytes that the socket did not take */
    struct map prepared;

    int depth; /* callbacks on the stack: a free waits for them */
    bool dead;
};

/* db_conn.c */
void db__conn_enter(struct db_conn *conn);
void db__conn_leave(struct db_conn *conn);
void db__conn_lost(
    struct db_conn *conn,
    const char *what); /* reads the reason from libpq, then reconnects with backoff */
uint64_t db__backoff_ms(unsigned attempts, double jitter); /* jitter in 0..1 */

/* db_txn.c */
void db__conn_pump(
    struct db_conn *conn); /* hands queued transactions to libpq, then takes answers */
bool db__conn_answers(
    struct db_conn *conn); /* takes what has arrived; false when libpq speaks out of turn */
void db__txns_fail(struct db_conn *conn, struct list *txns, enum db_outcome outcome,
                   const struct error *err);
void db__prepared_clear(struct db_conn *conn);

/* db_value.c */
const char *db__param_encode(struct arena *arena, const struct db_param *param, int *ret_length);

/* db_hosts.c */
MUST_USE enum status db__hosts_parse(const char *url, struct db_hosts *ret, struct error *err);
bool db__hosts_need_names(const struct db_hosts *hosts);
MUST_USE enum status db__hosts_resolve(struct db_hosts *hosts,
                                       struct error *err); /* blocks: pool only */
void db__hosts_fini(struct db_hosts *hosts);
/* Starts connecting; the caller checks PQstatus. NULL only on a malformed url. */
PGconn *db__connect_start(const struct db_conn *conn, const struct db_hosts *hosts,
                          struct error *err);

#endif
