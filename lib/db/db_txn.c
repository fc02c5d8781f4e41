/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transactions over libpq's pipeline. Answers come in the order of sending: for each statement the
 * results of its Prepare (when it had one) and of its execution, each closed by NULL; the Sync
 * closes the transaction, and only it makes it committed.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include "db_internal.h"

#define STATEMENT_GONE "26000"
#define STATEMENT_EXISTS "42P05"
#define STALE_PLAN "0A000" /* cached plan must not change result type */

struct db_txn *db_txn_new(struct db_conn *conn)
{
    struct db_txn *txn = mem_zalloc(sizeof(*txn));

    txn->conn = conn;
    txn->tail = &txn->first;
    arena_init(&txn->arena, 0);
    return txn;
}

struct arena *db_txn_arena(struct db_txn *txn)
{
    return &txn->arena;
}

void db_txn_add(struct db_txn *txn, const struct db_sql *sql, const struct db_param *params, int n)
{
    struct db_statement *st = ARENA_NEW(&txn->arena, struct db_statement);

    assert(n == sql->param_count);
    st->sql = sql;
    st->n = n;
    st->values = ARENA_ARRAY(&txn->arena, const char *, n);
    st->lengths = ARENA_ARRAY(&txn->arena, int, n);
    st->formats = ARENA_ARRAY(&txn->arena, int, n);
    for (int i = 0; i < n; i++) {
        st->values[i] = db__param_encode(&txn->arena, &params[i], &st->lengths[i]);
        st->formats[i] = 1;
        st->bytes += (size_t)st->lengths[i];
    }
    *txn->tail = st;
    txn->tail = &st->next;
    txn->n++;
}

static void txn_free(struct db_txn *txn)
{
    for (struct db_statement *st = txn->first; st; st = st->next)
        PQclear(st->result.pg);
    arena_fini(&txn->arena);
    free(txn);
}

void db_txn_discard(struct db_txn *txn)
{
    txn_free(txn);
}

void db_txn_send(struct db_txn *txn, db_done_fn done, void *userdata)
{
    struct db_conn *conn = txn->conn;

    txn->done = done;
    txn->userdata = userdata;
    conn->in_flight++;
    if (conn->state == DB_CONN_UP && !conn->dead && conn->in_flight <= DB_TXNS_MAX) {
        list_push(&conn->queued, &txn->node);
        loop_flush_mark(conn->flush);
        return;
    }
    if (conn->state == DB_CONN_UP)
        error_field(&txn->err, STATUS_RESOURCE_EXHAUSTED, "DATABASE_BUSY", NULL,
                    "%d transactions are open on this connection", DB_TXNS_MAX);
    else
        error_field(&txn->err, STATUS_UNAVAILABLE, "DATABASE_UNREACHABLE", NULL, "%s",
                    conn->last_error.message);
    list_push(&conn->refused, &txn->node);
    loop_timer_start(conn->refuse, 0, 0);
}

void db_query(struct db_conn *conn, const struct db_sql *sql, const struct db_param *params, int n,
              db_done_fn done, void *userdata)
{
    struct db_txn *txn = db_txn_new(conn);

    db_txn_add(txn, sql, params, n);
    db_txn_send(txn, done, userdata);
}

/* The one place where a transaction ends. It is on no list any more. */
static void txn_finish(struct db_txn *txn, enum db_outcome outcome)
{
    struct db_conn *conn = txn->conn;
    struct db_result **results = NULL;
    size_t n = 0;

    conn->in_flight--;
    if (outcome == DB_COMMITTED) {
        results = ARENA_ARRAY(&txn->arena, struct db_result *, txn->n);
        for (struct db_statement *st = txn->first; st; st = st->next)
            results[n++] = &st->result;
    }
    if (txn->done)
        txn->done(outcome, results, n, outcome == DB_COMMITTED ? NULL : &txn->err, txn->userdata);
    txn_free(txn);
}

void db__txns_fail(struct db_conn *conn, struct list *txns, enum db_outcome outcome,
                   const struct error *err)
{
    while (!list_empty(txns)) {
        struct db_txn *txn = LIST_FIRST(txns, struct db_txn, node);

        list_remove(&txn->node);
        if (err)
            txn->err = *err;
        txn_finish(txn, outcome);
    }
}

static struct db_prepared *prepared_get(struct db_conn *conn, const struct db_sql *sql)
{
    uint64_t hash = hash_text(sql->name);

    for (struct map_node *n = map_first(&conn->prepared, hash); n; n = map_next(n)) {
        struct db_prepared *prepared = CONTAINER_OF(n, struct db_prepared, node);

        if (prepared->sql == sql || str_eq(prepared->sql->name, sql->name))
            return prepared;
    }
    struct db_prepared *prepared = mem_zalloc(sizeof(*prepared));

    prepared->sql = sql;
    map_insert(&conn->prepared, &prepared->node, hash);
    return prepared;
}

void db__prepared_clear(struct db_conn *conn)
{
    struct map_cursor cursor = {0};
    struct map_node *node;

    while ((node = map_walk(&conn->prepared, &cursor))) {
        struct db_prepared *prepared = CONTAINER_OF(node, struct db_prepared, node);

        map_remove(&conn->prepared, node);
        free(prepared);
    }
}

/*
 * The Prepare goes into the transaction of its first use: no extra round trip. That transaction may
 * fail before it, so others run the statement unnamed until the server has answered; a prepared
 * statement itself outlives a rollback.
 */
static bool feed_statement(struct db_conn *conn, struct db_statement *st)
{
    struct db_prepared *prepared = conn->pooler_transaction ? NULL : prepared_get(conn, st->sql);
    const struct db_sql *sql = st->sql;

    conn->unflushed_bytes += st->bytes;
    if (prepared && prepared->state == DB_PREPARED_NONE) {
        if (!PQsendPrepare(conn->pg, sql->name, sql->text, 0, NULL))
            return false;
        prepared->state = DB_PREPARED_PENDING;
        st->prepared = prepared;
        st->awaits_prepare = true;
    } else if (prepared && prepared->state == DB_PREPARED_READY) {
        st->prepared = prepared;
    }
    const char *const *values = (const char *const *)st->values;

    if (st->prepared)
        return PQsendQueryPrepared(conn->pg, sql->name, st->n, values, st->lengths, st->formats,
                                   1) == 1;
    return PQsendQueryParams(conn->pg, sql->text, st->n, NULL, values, st->lengths, st->formats,
                             1) == 1;
}

static bool conn_push(struct db_conn *conn)
{
    int left = PQflush(conn->pg);

    conn->unflushed_bytes = 0;
    if (left < 0)
        return false;
    conn->blocked = left == 1;
    /* Always readable: if both sides only wrote, both would wait for ever. */
    loop_fd_watch(conn->watch, LOOP_READABLE | (conn->blocked ? LOOP_WRITABLE : 0));
    return true;
}

static bool send_sync(struct db_conn *conn)
{
#ifdef LIBPQ_HAS_SEND_PIPELINE_SYNC
    return PQsendPipelineSync(conn->pg) == 1; /* from 17 on: one send for all of the turn */
#else
    return PQpipelineSync(conn->pg) == 1;
#endif
}

/* Stops when the socket takes no more. */
static bool feed_txn(struct db_conn *conn, struct db_txn *txn)
{
    while (txn->feed) {
        if (!feed_statement(conn, txn->feed))
            return false;
        txn->feed = txn->feed->next;
        if (conn->unflushed_bytes < DB_FLUSH_BYTES)
            continue;
        if (!conn_push(conn))
            return false;
        if (conn->blocked)
            return true;
    }
    conn->feeding = NULL;
    return send_sync(conn);
}

static bool conn_feed(struct db_conn *conn)
{
    while (!conn->blocked) {
        if (!conn->feeding) {
            struct db_txn *txn = LIST_FIRST(&conn->queued, struct db_txn, node);

            if (!txn)
                break;
            list_remove(&txn->node);
            list_push(&conn->flying, &txn->node);
            txn->feed = txn->answer = txn->first;
            conn->feeding = txn;
        }
        if (!feed_txn(conn, conn->feeding))
            return false;
        if (conn->unflushed_bytes >= DB_FLUSH_BYTES && !conn->blocked && !conn_push(conn))
            return false;
    }
    return conn->blocked || conn_push(conn);
}

void db__conn_pump(struct db_conn *conn)
{
    if (conn->dead || conn->state != DB_CONN_UP)
        return;
    bool sent = conn_push(conn) && conn_feed(conn);
    /* A flush that meets a full socket reads, to avoid a deadlock; poll will not tell of what it
     * has read. */
    bool understood = sent && db__conn_answers(conn);

    if (!understood && !conn->dead && conn->state == DB_CONN_UP)
        db__conn_lost(conn, sent ? "unexpected answer" : "sending");
}

static void txn_fail(struct db_txn *txn, const PGresult *pg)
{
    const char *sqlstate = PQresultErrorField(pg, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(pg, PG_DIAG_MESSAGE_PRIMARY);
    const char *constraint = PQresultErrorField(pg, PG_DIAG_CONSTRAINT_NAME);
    char reason[sizeof(txn->err.reason)];

    if (txn->failed)
        return;
    txn->failed = true;
    snprintf(reason, sizeof(reason), "SQLSTATE_%s", sqlstate ? sqlstate : "NONE");
    error_field(&txn->err, db_status_from_sqlstate(sqlstate), reason, constraint, "%s%s%s",
                txn->answer ? txn->answer->sql->name : "commit", ": ",
                message ? message : "no message");
}

/* An error tells what the server knows of the statement's name. */
static void prepared_learn(struct db_prepared *prepared, const PGresult *pg)
{
    const char *sqlstate = PQresultErrorField(pg, PG_DIAG_SQLSTATE);

    if (str_eq(sqlstate, STATEMENT_GONE))
        prepared->state = DB_PREPARED_NONE;
    else if (str_eq(sqlstate, STATEMENT_EXISTS))
        prepared->state = DB_PREPARED_READY;
    else if (str_eq(sqlstate, STALE_PLAN) && prepared->state == DB_PREPARED_READY)
        prepared->state = DB_PREPARED_UNNAMED;
}

static void answer_result(struct db_txn *txn, PGresult *pg)
{
    struct db_statement *st = txn->answer;

    switch (PQresultStatus(pg)) {
    case PGRES_PIPELINE_ABORTED: /* an earlier statement of the transaction failed */
        PQclear(pg);
        break;
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_EMPTY_QUERY:
        if (st && st->awaits_prepare) {
            st->prepared->state = DB_PREPARED_READY;
            PQclear(pg);
        } else if (st) {
            PQclear(st->result.pg);
            st->result.pg = pg;
        } else {
            PQclear(pg);
        }
        break;
    default:
        txn_fail(txn, pg);
        if (st && st->prepared)
            prepared_learn(st->prepared, pg);
        PQclear(pg);
    }
}

/* NULL: the Prepare, or the statement, is answered. */
static void answer_end(struct db_txn *txn)
{
    struct db_statement *st = txn->answer;

    if (!st)
        return;
    if (!st->awaits_prepare) {
        txn->answer = st->next;
        return;
    }
    st->awaits_prepare = false;
    if (st->prepared->state == DB_PREPARED_PENDING) /* it failed, or was skipped */
        st->prepared->state = DB_PREPARED_NONE;
}

bool db__conn_answers(struct db_conn *conn)
{
    while (!conn->dead && conn->state == DB_CONN_UP && !list_empty(&conn->flying) &&
           !PQisBusy(conn->pg)) {
        struct db_txn *txn = LIST_FIRST(&conn->flying, struct db_txn, node);
        PGresult *pg = PQgetResult(conn->pg);

        if (!pg && !conn->got_result)
            break; /* no end of a command: what was handed over so far is answered */
        if (!pg) {
            conn->got_result = false;
            answer_end(txn);
        } else if (PQresultStatus(pg) == PGRES_PIPELINE_SYNC) {
            PQclear(pg);
            if (txn->answer || txn == conn->feeding)
                return false;
            list_remove(&txn->node);
            txn_finish(txn, txn->failed ? DB_FAILED : DB_COMMITTED);
        } else {
            conn->got_result = true;
            answer_result(txn, pg);
        }
    }
    for (PGnotify *note; conn->pg && (note = PQnotifies(conn->pg)); PQfreemem(note))
        ;
    return true;
}
