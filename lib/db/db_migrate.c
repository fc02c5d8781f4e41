/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "base/text.h"
#include "db/migrate.h"
#include "db_internal.h"
#include "sql/migrate.h"

#define NUMBER_TEXT_BYTES 16
#define LOCK_POLL_MS 50
#define LOCK_WAIT_MS (10 * 60 * 1000)

static const char no_transaction_mark[] = "--! no-transaction";

enum { APPLIED_NUMBER, APPLIED_NAME, APPLIED_SHA256 };

static void pg_connp(PGconn **pg)
{
    PQfinish(*pg);
}

static void pg_resultp(PGresult **pg)
{
    PQclear(*pg);
}

static enum status pg_failed(const PGconn *pg, const PGresult *result, const char *what,
                             struct error *err)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *position = PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION);
    char reason[sizeof(((struct error *)0)->reason)];

    if (!message)
        message = PQerrorMessage(pg);
    snprintf(reason, sizeof(reason), "SQLSTATE_%s", sqlstate ? sqlstate : "08006");
    return error_field(err, sqlstate ? db_status_from_sqlstate(sqlstate) : STATUS_UNAVAILABLE,
                       reason, NULL, "%s: %.*s%s%s", what, (int)strcspn(message, "\n"), message,
                       position ? ", at character " : "", position ? position : "");
}

/* Runs text that may hold several statements; *ret gets the last result. */
static enum status pg_run(PGconn *pg, const char *text, const char *what, PGresult **ret,
                          struct error *err)
{
    PGresult *result = PQexec(pg, text);
    ExecStatusType status = PQresultStatus(result);
    enum status failed = STATUS_OK;

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY)
        failed = pg_failed(pg, result, what, err);
    if (failed == STATUS_OK && ret)
        *ret = result;
    else
        PQclear(result);
    return failed;
}

static enum status migrate_record(PGconn *pg, const struct db_migration *migration,
                                  struct error *err)
{
    char number[NUMBER_TEXT_BYTES];
    const char *values[] = {number, migration->name, migration->sha256};

    snprintf(number, sizeof(number), "%d", migration->number);
    AUTO(pg_resultp)
    PGresult *result =
        PQexecParams(pg, SQL_migrate_record.text, ARRAY_LEN(values), NULL, values, NULL, NULL, 0);

    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        return pg_failed(pg, result, migration->name, err);
    return STATUS_OK;
}

/* The mark counts only among the comments at the head of the file. */
static bool is_outside_transaction(const char *sql)
{
    while (strncmp(sql, "--", 2) == 0 || *sql == '\n') {
        if (strncmp(sql, no_transaction_mark, strlen(no_transaction_mark)) == 0)
            return true;
        sql += strcspn(sql, "\n");
        sql += *sql == '\n';
    }
    return false;
}

static enum status migrate_one(PGconn *pg, const struct db_migration *migration, struct error *err)
{
    bool outside = is_outside_transaction(migration->sql);
    enum status status = STATUS_OK;

    if (!outside)
        status = pg_run(pg, SQL_migrate_begin.text, migration->name, NULL, err);
    if (status == STATUS_OK)
        status = pg_run(pg, migration->sql, migration->name, NULL, err);
    if (status == STATUS_OK)
        status = migrate_record(pg, migration, err);
    if (status == STATUS_OK && !outside)
        status = pg_run(pg, SQL_migrate_commit.text, migration->name, NULL, err);
    if (status != STATUS_OK && !outside &&
        pg_run(pg, SQL_migrate_rollback.text, "rollback", NULL, NULL) != STATUS_OK)
        return status; /* the connection has gone, and the transaction with it */
    return status;
}

/* What was applied must be a prefix of what is known here, text by text. */
static enum status check_history(const PGresult *applied, const struct db_migration *migrations,
                                 size_t n, struct error *err)
{
    for (int row = 0; row < PQntuples(applied); row++) {
        const char *name = PQgetvalue(applied, row, APPLIED_NAME);
        int64_t number = 0;

        if (!text_to_i64(PQgetvalue(applied, row, APPLIED_NUMBER), &number))
            return error_set(err, STATUS_INTERNAL, "schema_migration has a row without a number");
        if ((size_t)row >= n)
            return error_field(
                err, STATUS_FAILED_PRECONDITION, "SCHEMA_NEWER", NULL,
                "the database has migration %s, which this program does not know: it is older "
                "than the schema; use a newer one",
                name);
        const struct db_migration *own = &migrations[row];

        if (number != own->number)
            return error_field(err, STATUS_FAILED_PRECONDITION, "SCHEMA_HISTORY", NULL,
                               "the database lacks migration %s but has the later %s", own->name,
                               name);
        if (!str_eq(own->sha256, PQgetvalue(applied, row, APPLIED_SHA256)))
            return error_field(
                err, STATUS_FAILED_PRECONDITION, "SCHEMA_HISTORY", NULL,
                "migration %s was edited after it was applied (as %s): history is never edited, "
                "add a new migration",
                own->name, name);
    }
    return STATUS_OK;
}

static enum status migrate_lock(PGconn *pg, struct error *err)
{
    const struct timespec pause = {.tv_nsec = LOCK_POLL_MS * 1000000L};

    for (int waited_ms = 0; waited_ms < LOCK_WAIT_MS; waited_ms += LOCK_POLL_MS) {
        AUTO(pg_resultp) PGresult *result = NULL;
        enum status status = pg_run(pg, SQL_migrate_lock.text, "locking", &result, err);

        if (status != STATUS_OK || *PQgetvalue(result, 0, 0) == 't')
            return status;
        nanosleep(&pause, NULL);
    }
    return error_field(err, STATUS_DEADLINE_EXCEEDED, "SCHEMA_LOCKED", NULL,
                       "another migrator has been at work for %d s", LOCK_WAIT_MS / 1000);
}

static void ignore_notice(void *userdata, const PGresult *result)
{
}

enum status db_migrate(const char *url, const struct db_migration *migrations, size_t n,
                       db_migrated_fn migrated, void *userdata, size_t *ret_applied,
                       struct error *err)
{
    const char *keywords[] = {"dbname", "fallback_application_name", "client_encoding", NULL};
    const char *values[] = {url, "plankton-migrate", "UTF8", NULL};
    AUTO(pg_connp) PGconn *pg = PQconnectdbParams(keywords, values, 1);
    AUTO(pg_resultp) PGresult *applied = NULL;
    enum status status;

    *ret_applied = 0;
    if (PQstatus(pg) != CONNECTION_OK)
        return pg_failed(pg, NULL, "connecting", err);
    PQsetNoticeReceiver(pg, ignore_notice, NULL);
    status = migrate_lock(pg, err);
    if (status == STATUS_OK)
        status = pg_run(pg, SQL_migrate_create_table.text, "schema_migration", NULL, err);
    if (status == STATUS_OK)
        status = pg_run(pg, SQL_migrate_applied.text, "schema_migration", &applied, err);
    if (status == STATUS_OK)
        status = check_history(applied, migrations, n, err);
    for (size_t i = (size_t)PQntuples(applied); status == STATUS_OK && i < n; i++) {
        status = migrate_one(pg, &migrations[i], err);
        if (status != STATUS_OK)
            break;
        ++*ret_applied;
        if (migrated)
            migrated(&migrations[i], userdata);
    }
    return status; /* closing the session gives the lock back */
}

struct schema_check {
    int needed;
    db_schema_fn done;
    void *userdata;
};

static void schema_checked(enum db_outcome outcome, struct db_result *const *results, size_t n,
                           const struct error *err, void *userdata)
{
    AUTO(free_ptr) struct schema_check *check = userdata;
    struct error own = {0};
    int64_t version = 0;

    if (outcome != DB_COMMITTED && !str_eq(err->reason, "SQLSTATE_42P01")) {
        check->done(err->status, err, check->userdata);
        return;
    }
    if (outcome == DB_COMMITTED)
        version = db_i64(results[0], 0, 0);
    if (version < check->needed)
        error_field(&own, STATUS_FAILED_PRECONDITION, "SCHEMA_OLDER", NULL,
                    "the database's schema is at %" PRId64
                    ", this program needs %d: run `plankton migrate`",
                    version, check->needed);
    check->done(own.status, own.status == STATUS_OK ? NULL : &own, check->userdata);
}

void db_schema_check(struct db_conn *conn, int needed, db_schema_fn done, void *userdata)
{
    struct schema_check *check = mem_zalloc(sizeof(*check));

    *check = (struct schema_check){needed, done, userdata};
    db_query(conn, &SQL_migrate_version, NULL, 0, schema_checked, check);
}
