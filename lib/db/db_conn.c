/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a connection: connect without blocking, lose it, connect again. What runs over it is
 * in db_txn.c. */
#include <assert.h>
#include <stdlib.h>
#include "db_internal.h"

#define JITTER_BITS 53
#define SSL_READS                                                                                  \
    3 /* OpenSSL may hold a decrypted record that poll does not see: read until it is empty */

struct db_resolve {
    struct db_conn *conn; /* NULL once the connection has gone */
    struct db_hosts hosts;
    enum status status;
    struct error err;
};

static void conn_start(struct db_conn *conn);
static void conn_destroy(struct db_conn *conn);

void db__conn_enter(struct db_conn *conn)
{
    conn->depth++;
}

void db__conn_leave(struct db_conn *conn)
{
    assert(conn->depth > 0);
    if (--conn->depth == 0 && conn->dead)
        conn_destroy(conn);
}

uint64_t db__backoff_ms(unsigned attempts, double jitter)
{
    double ms = DB_BACKOFF_MIN_MS;

    for (unsigned i = 1; i < attempts && ms < DB_BACKOFF_MAX_MS; i++)
        ms *= DB_BACKOFF_FACTOR;
    ms = MIN_OF(ms, DB_BACKOFF_MAX_MS);
    return (uint64_t)(ms * (1 - DB_BACKOFF_JITTER + 2 * DB_BACKOFF_JITTER * jitter));
}

static void conn_notify(struct db_conn *conn, bool up)
{
    if (conn->notified == up || conn->dead)
        return;
    conn->notified = up;
    if (conn->on_state)
        conn->on_state(conn, up, up ? NULL : &conn->last_error, conn->userdata);
}

static void conn_close(struct db_conn *conn)
{
    loop_timer_stop(conn->timer);
    if (conn->watch)
        loop_fd_free(conn->watch); /* before libpq closes the descriptor under it */
    conn->watch = NULL;
    if (conn->pg)
        PQfinish(conn->pg);
    conn->pg = NULL;
    if (conn->resolve)
        conn->resolve->conn = NULL;
    conn->resolve = NULL;
    conn->state = DB_CONN_DOWN;
    conn->blocked = conn->got_result = false;
    conn->unflushed_bytes = 0;
    conn->feeding = NULL;
}

static void list_take(struct list *from, struct list *to)
{
    list_init(to);
    LIST_EACH(from, node)
    {
        list_remove(node);
        list_push(to, node);
    }
}

/* Closes and answers everything that was open. What libpq never saw has surely not happened; the
 * rest may have. */
static void conn_drop(struct db_conn *conn)
{
    struct list flying, queued;
    struct error err = conn->last_error;

    conn_close(conn);
    list_take(&conn->flying, &flying);
    list_take(&conn->queued, &queued);
    conn_notify(conn, false);
    db__txns_fail(conn, &flying, DB_UNKNOWN, &err);
    db__txns_fail(conn, &queued, DB_FAILED, &err);
    db__prepared_clear(conn);
}

/* The first line of libpq's message, which ends in a newline and may have several. */
static void conn_set_error(struct db_conn *conn, const char *what)
{
    const char *message = conn->pg ? PQerrorMessage(conn->pg) : "";
    size_t len = strcspn(message, "\n");

    error_field(&conn->last_error, STATUS_UNAVAILABLE, "DATABASE_UNREACHABLE", NULL, "%s%s%.*s",
                what, len > 0 ? ": " : "", (int)len, message);
}

static void conn_retry(struct db_conn *conn)
{
    double jitter =
        (double)(random_u64() >> (64 - JITTER_BITS)) / (double)(UINT64_C(1) << JITTER_BITS);

    if (!conn->dead && conn->state == DB_CONN_DOWN)
        loop_timer_start(conn->timer, db__backoff_ms(conn->attempts, jitter), 0);
}

void db__conn_lost(struct db_conn *conn, const char *what)
{
    db__conn_enter(conn);
    conn_set_error(conn, what);
    conn->attempts++;
    conn_drop(conn);
    conn_retry(conn);
    db__conn_leave(conn);
}

static void conn_readable(struct db_conn *conn)
{
    int reads = PQsslInUse(conn->pg) ? SSL_READS : 1;
    bool alive = true;

    for (int i = 0; i < reads && alive; i++)
        alive = PQconsumeInput(conn->pg) == 1;
    /* What arrived before the end of the connection still counts, commits among it. */
    bool understood = db__conn_answers(conn);

    if (conn->dead || conn->state != DB_CONN_UP)
        return;
    if (!alive || PQstatus(conn->pg) == CONNECTION_BAD)
        db__conn_lost(conn, "connection lost");
    else if (!understood)
        db__conn_lost(conn, "unexpected answer");
}

static void conn_up_event(int events, void *userdata);

/* libuv stops watching a descriptor when it reports an error on it, and tells so as both events at
 * once. A backend that dies with input unread leaves such an error behind its last words: after
 * these are read, the end must still be seen. */
static void conn_watch_anew(struct db_conn *conn)
{
    loop_fd_free(conn->watch);
    conn->watch = loop_fd_new(conn->loop, PQsocket(conn->pg), conn_up_event, conn);
    loop_fd_watch(conn->watch, LOOP_READABLE | (conn->blocked ? LOOP_WRITABLE : 0));
}

static void conn_up_event(int events, void *userdata)
{
    struct db_conn *conn = userdata;

    db__conn_enter(conn);
    if (events == (LOOP_READABLE | LOOP_WRITABLE))
        conn_watch_anew(conn);
    if (events & LOOP_READABLE)
        conn_readable(conn);
    if (!conn->dead && conn->state == DB_CONN_UP && (events & LOOP_WRITABLE))
        db__conn_pump(conn);
    db__conn_leave(conn);
}

static void conn_is_up(struct db_conn *conn)
{
    loop_timer_stop(conn->timer);
    if (PQsetnonblocking(conn->pg, 1) != 0 || PQenterPipelineMode(conn->pg) != 1) {
        db__conn_lost(conn, "entering pipeline mode");
        return;
    }
    conn->watch = loop_fd_new(conn->loop, PQsocket(conn->pg), conn_up_event, conn);
    loop_fd_watch(conn->watch, LOOP_READABLE);
    conn->state = DB_CONN_UP;
    conn->attempts = 0;
    error_reset(&conn->last_error);
    conn_notify(conn, true);
}

static void conn_connect_event(int events, void *userdata);

/* libpq may go on to another host, and so to another descriptor (perhaps of the same number), at
 * each step: the watch never outlives one. */
static void conn_poll(struct db_conn *conn)
{
    if (conn->watch)
        loop_fd_free(conn->watch);
    conn->watch = NULL;
    PostgresPollingStatusType status = PQconnectPoll(conn->pg);

    if (status == PGRES_POLLING_OK) {
        conn_is_up(conn);
        return;
    }
    if (status == PGRES_POLLING_FAILED) {
        db__conn_lost(conn, "connecting");
        return;
    }
    conn->watch = loop_fd_new(conn->loop, PQsocket(conn->pg), conn_connect_event, conn);
    loop_fd_watch(conn->watch, status == PGRES_POLLING_READING ? LOOP_READABLE : LOOP_WRITABLE);
}

static void conn_connect_event(int events, void *userdata)
{
    struct db_conn *conn = userdata;

    db__conn_enter(conn);
    conn_poll(conn);
    db__conn_leave(conn);
}

static void drop_notice(void *userdata, const PGresult *result)
{
}

static void conn_connect(struct db_conn *conn, const struct db_hosts *hosts)
{
    struct error err = {0};

    conn->state = DB_CONN_CONNECTING;
    conn->pg = db__connect_start(conn, hosts, &err);
    if (!conn->pg) {
        db__conn_lost(conn, err.message);
        return;
    }
    PQsetNoticeReceiver(conn->pg, drop_notice, NULL);
    if (PQstatus(conn->pg) == CONNECTION_BAD) {
        db__conn_lost(conn, "connecting");
        return;
    }
    loop_timer_start(conn->timer, DB_CONNECT_TIMEOUT_MS, 0);
    /* As if PQconnectPoll had said so, in the words of its manual: the first wait is for writing.
     */
    conn->watch = loop_fd_new(conn->loop, PQsocket(conn->pg), conn_connect_event, conn);
    loop_fd_watch(conn->watch, LOOP_WRITABLE);
}

static void resolve_work(void *userdata)
{
    struct db_resolve *resolve = userdata;

    resolve->status = db__hosts_resolve(&resolve->hosts, &resolve->err);
}

static void resolve_done(void *userdata)
{
    struct db_resolve *resolve = userdata;
    struct db_conn *conn = resolve->conn;

    if (conn) {
        db__conn_enter(conn);
        conn->resolve = NULL;
        if (resolve->status == STATUS_OK)
            conn_connect(conn, &resolve->hosts);
        else
            db__conn_lost(conn, resolve->err.message);
        db__conn_leave(conn);
    }
    db__hosts_fini(&resolve->hosts);
    free(resolve);
}

static void conn_start(struct db_conn *conn)
{
    struct db_hosts hosts;
    struct error err = {0};

    if (db__hosts_parse(conn->url, &hosts, &err) != STATUS_OK) {
        db__conn_lost(conn, err.message);
        return;
    }
    if (!db__hosts_need_names(&hosts)) {
        conn_connect(conn, &hosts);
        db__hosts_fini(&hosts);
        return;
    }
    struct db_resolve *resolve = mem_zalloc(sizeof(*resolve));

    resolve->conn = conn;
    resolve->hosts = hosts;
    if (loop_pool(conn->loop, resolve_work, resolve_done, resolve, &err) != STATUS_OK) {
        db__hosts_fini(&resolve->hosts);
        free(resolve);
        db__conn_lost(conn, err.message);
        return;
    }
    conn->resolve = resolve;
    conn->state = DB_CONN_RESOLVING;
}

static void conn_timer(void *userdata)
{
    struct db_conn *conn = userdata;

    db__conn_enter(conn);
    if (conn->state == DB_CONN_DOWN)
        conn_start(conn);
    else
        db__conn_lost(conn, "connecting timed out");
    db__conn_leave(conn);
}

static void conn_flush(void *userdata)
{
    struct db_conn *conn = userdata;

    db__conn_enter(conn);
    db__conn_pump(conn);
    db__conn_leave(conn);
}

static void conn_refuse(void *userdata)
{
    struct db_conn *conn = userdata;
    struct list refused;

    db__conn_enter(conn);
    list_take(&conn->refused, &refused);
    db__txns_fail(conn, &refused, DB_FAILED, NULL); /* each has its own error */
    db__conn_leave(conn);
}

struct db_conn *db_connect(struct loop *loop, const struct db_options *options,
                           void (*on_state)(struct db_conn *conn, bool up, const struct error *err,
                                            void *userdata),
                           void *userdata)
{
    struct db_conn *conn = mem_zalloc(sizeof(*conn));

    conn->loop = loop;
    conn->url = mem_strdup(options->url);
    conn->application_name =
        options->application_name ? mem_strdup(options->application_name) : NULL;
    conn->settings = options->settings ? mem_strdup(options->settings) : NULL;
    conn->statement_timeout_ms = options->statement_timeout_ms;
    conn->lock_timeout_ms = options->lock_timeout_ms;
    conn->pooler_transaction = options->pooler_transaction;
    conn->on_state = on_state;
    conn->userdata = userdata;
    conn->notified = -1;
    list_init(&conn->queued);
    list_init(&conn->flying);
    list_init(&conn->refused);
    map_init(&conn->prepared);
    error_set(&conn->last_error, STATUS_UNAVAILABLE, "connecting");
    conn->timer = loop_timer_new(loop, conn_timer, conn);
    conn->refuse = loop_timer_new(loop, conn_refuse, conn);
    conn->flush = loop_flush_new(loop, DB_FLUSH_ORDER, conn_flush, conn);
    loop_timer_start(conn->timer, 0, 0); /* not here: on_state must not fire inside db_connect */
    return conn;
}

static void conn_destroy(struct db_conn *conn)
{
    struct list refused;

    conn->depth++; /* callbacks below may call db_conn_free again */
    error_set(&conn->last_error, STATUS_CANCELLED, "the connection was closed");
    conn_drop(conn);
    while (!list_empty(&conn->refused)) {
        list_take(&conn->refused, &refused);
        db__txns_fail(conn, &refused, DB_FAILED, NULL);
    }
    loop_timer_free(conn->timer);
    loop_timer_free(conn->refuse);
    loop_flush_free(conn->flush);
    map_fini(&conn->prepared);
    free(conn->url);
    free(conn->application_name);
    free(conn->settings);
    free(conn);
}

void db_conn_free(struct db_conn *conn)
{
    if (!conn || conn->dead)
        return;
    conn->dead = true;
    if (conn->depth == 0)
        conn_destroy(conn);
}

void db_conn_reset(struct db_conn *conn)
{
    if (conn->state != DB_CONN_DOWN)
        db__conn_lost(conn, "connection was reset");
}

bool db_conn_up(const struct db_conn *conn)
{
    return conn->state == DB_CONN_UP && !conn->dead;
}

size_t db_conn_in_flight(const struct db_conn *conn)
{
    return conn->in_flight;
}

int db_conn_backend_pid(const struct db_conn *conn)
{
    return conn->state == DB_CONN_UP ? PQbackendPID(conn->pg) : 0;
}

const struct error *db_conn_error(const struct db_conn *conn)
{
    return &conn->last_error;
}
