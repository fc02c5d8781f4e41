/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DB_MIGRATE_H
#define DB_MIGRATE_H
/*
 * Schema migrations: forward only, each file once, in the order of their numbers. The files are
 * compiled in (plankton_migrations); what was applied stands in the table schema_migration with the
 * SHA-256 of its text. A file runs in one transaction with its row; one whose first comment lines
 * hold `--! no-transaction` is one statement that runs outside (CREATE INDEX CONCURRENTLY): it must
 * be written so that it can be run again. An advisory lock lets one migrator in at a time; others
 * wait for it. db_migrate blocks: it is run by a command, or before the loop runs. Services only
 * check.
 */
#include "db/db.h"

struct db_migration {
    int number;
    const char *name; /* the file's name without ending */
    const char *sql;
    const char *sha256; /* hex */
};

/* Called after each file that was applied. */
typedef void (*db_migrated_fn)(const struct db_migration *migration, void *userdata);

/* Refuses (FAILED_PRECONDITION) when an applied file was edited or is unknown here, because it is
 * of a newer version; a file that fails is rolled back and named. ret_applied counts the files
 * applied now; it is set on failure too. */
MUST_USE enum status db_migrate(const char *url, const struct db_migration *migrations, size_t n,
                                db_migrated_fn migrated, void *userdata, size_t *ret_applied,
                                struct error *err);

/* Answers once over conn whether the schema is there: the newest applied number is `needed` or
 * higher. FAILED_PRECONDITION with what to do when it is not, UNAVAILABLE when the database cannot
 * be asked. */
typedef void (*db_schema_fn)(enum status status, const struct error *err, void *userdata);
void db_schema_check(struct db_conn *conn, int needed, db_schema_fn done, void *userdata);

#endif
