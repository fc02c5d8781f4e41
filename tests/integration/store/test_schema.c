/* SPDX-License-Identifier: Apache-2.0 */
/* The statements against the schema. */
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>
#include "sql/batch.h"
#include "sql/key.h"
#include "sql/load.h"
#include "sql/plan.h"
#include "sql/read.h"
#include "sql/shard.h"
#include "store_internal.h"
#include "world.h"

static void prepare_all(PGconn *pg, const struct db_sql *const *statements, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        PGresult *result = PQprepare(pg, statements[i]->name, statements[i]->text, 0, NULL);
        PGresult *described = PQdescribePrepared(pg, statements[i]->name);

        ck_assert_msg(PQresultStatus(result) == PGRES_COMMAND_OK, "%s: %s", statements[i]->name,
                      PQerrorMessage(pg));
        ck_assert_msg(PQnparams(described) == statements[i]->param_count,
                      "%s has %d parameters, its callers give %d", statements[i]->name,
                      PQnparams(described), statements[i]->param_count);
        PQclear(described);
        PQclear(result);
    }
}

START_TEST(every_statement_prepares)
{
    PGconn *pg = PQconnectdb(getenv("PLANKTON_TEST_DATABASE_URL"));

    ck_assert_int_eq(PQstatus(pg), CONNECTION_OK);
    prepare_all(pg, SQL_FILE_batch, SQL_FILE_batch_COUNT);
    prepare_all(pg, SQL_FILE_key, SQL_FILE_key_COUNT);
    prepare_all(pg, SQL_FILE_load, SQL_FILE_load_COUNT);
    prepare_all(pg, SQL_FILE_plan, SQL_FILE_plan_COUNT);
    prepare_all(pg, SQL_FILE_read, SQL_FILE_read_COUNT);
    prepare_all(pg, SQL_FILE_shard, SQL_FILE_shard_COUNT);
    PQfinish(pg);
}
END_TEST

/* The plan of a prepared statement, whatever its values, as the store's sessions make it. */
static void assert_follows_indexes(PGconn *pg, const struct db_sql *sql)
{
    static const char *const tables[] = {"task",   "run",     "outcome", "idempotency", "journal",
                                         "parked", "api_key", "plan",    "shard"};
    AUTO(arena_freep) struct arena *arena = arena_new(0);
    const char *values = sql->param_count ? "(null" : "";
    PGresult *plan;

    for (int i = 1; i < sql->param_count; i++)
        values = arena_printf(arena, "%s, null", values);
    plan = PQexec(pg, arena_printf(arena, "explain execute %s%s%s", sql->name, values,
                                   sql->param_count ? ")" : ""));
    ck_assert_msg(PQresultStatus(plan) == PGRES_TUPLES_OK, "%s: %s", sql->name, PQerrorMessage(pg));
    for (int row = 0; row < PQntuples(plan); row++) {
        const char *line = PQgetvalue(plan, row, 0), *scan = strstr(line, "Seq Scan on ");
        for (size_t i = 0; scan && i < ARRAY_LEN(tables); i++)
            ck_assert_msg(strncmp(scan + strlen("Seq Scan on "), tables[i], strlen(tables[i])) != 0,
                          "%s reads all of a table: %s", sql->name, line);
        ck_assert_msg(!strstr(line, "Hash Join") && !strstr(line, "Merge Join"), "%s: %s",
                      sql->name, line);
    }
    PQclear(plan);
}

static void assert_file_follows_indexes(PGconn *pg, const struct db_sql *const *statements,
                                        size_t n)
{
    prepare_all(pg, statements, n);
    for (size_t i = 0; i < n; i++)
        assert_follows_indexes(pg, statements[i]);
}

START_TEST(no_statement_reads_all_of_a_table)
{
    const char *keys[] = {"dbname", "options", NULL};
    const char *values[] = {getenv("PLANKTON_TEST_DATABASE_URL"), STORE_SESSION_SETTINGS, NULL};
    struct node *node = node_owning("first"); /* has made the partitions */
    PGconn *pg = PQconnectdbParams(keys, values, 1);

    ck_assert_int_eq(PQstatus(pg), CONNECTION_OK);
    assert_file_follows_indexes(pg, SQL_FILE_batch, SQL_FILE_batch_COUNT);
    assert_file_follows_indexes(pg, SQL_FILE_key, SQL_FILE_key_COUNT);
    assert_file_follows_indexes(pg, SQL_FILE_load, SQL_FILE_load_COUNT);
    assert_file_follows_indexes(pg, SQL_FILE_plan, SQL_FILE_plan_COUNT);
    assert_file_follows_indexes(pg, SQL_FILE_read, SQL_FILE_read_COUNT);
    assert_file_follows_indexes(pg, SQL_FILE_shard, SQL_FILE_shard_COUNT);
    PQfinish(pg);
    node_stop(node);
}
END_TEST

TCase *schema_tcase(void)
{
    TCase *tcase = tcase_create("schema");

    tcase_add_checked_fixture(tcase, world_setup, world_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, every_statement_prepares);
    tcase_add_test(tcase, no_statement_reads_all_of_a_table);
    return tcase;
}
