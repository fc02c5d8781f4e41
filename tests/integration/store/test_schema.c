/* SPDX-License-Identifier: Apache-2.0 */
/* The statements against the schema. */
#include <libpq-fe.h>
#include <stdlib.h>
#include "sql/batch.h"
#include "sql/key.h"
#include "sql/load.h"
#include "sql/plan.h"
#include "sql/read.h"
#include "sql/shard.h"
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

TCase *schema_tcase(void)
{
    TCase *tcase = tcase_create("schema");

    tcase_add_checked_fixture(tcase, world_setup, world_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, every_statement_prepares);
    return tcase;
}
