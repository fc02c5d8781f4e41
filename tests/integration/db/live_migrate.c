/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include "db/migrate.h"
#include "live.h"
#include "sql/live.h"

/* Each test has its own database: schema_migration is one table per database. */
#define FRESH "psql -q -d postgres -c 'drop database if exists fresh' -c 'create database fresh'"

static const struct db_migration history[] = {
    {1, "0001_create_one", "create table one (id bigint primary key);\ninsert into one values (1);",
     "a1"},
    {2, "0002_add_two", "alter table one add column two text;", "b2"},
    {3, "0003_index_two",
     "-- why\n--! no-transaction\ncreate index concurrently if not exists one_two on one (two);",
     "c3"},
};

static const char *fresh_url(char *out, size_t out_bytes)
{
    snprintf(out, out_bytes, "dbname=fresh host=%s user=plankton", getenv("PLANKTON_TEST_PG_DIR"));
    return out;
}

static enum status migrate(const struct db_migration *migrations, size_t n, size_t *ret_applied,
                           struct error *err)
{
    char url[512];

    return db_migrate(fresh_url(url, sizeof(url)), migrations, n, NULL, NULL, ret_applied, err);
}

static void fresh_setup(void)
{
    live_loop = loop_new();
    live_run(FRESH);
}

static void fresh_teardown(void)
{
    loop_free(live_loop);
}

START_TEST(files_are_applied_once_in_order)
{
    struct error err = {0};
    size_t applied = 0;

    ck_assert_int_eq(migrate(history, 1, &applied, &err), STATUS_OK);
    ck_assert_uint_eq(applied, 1);
    ck_assert_msg(migrate(history, 3, &applied, &err) == STATUS_OK, "%s", err.message);
    ck_assert_uint_eq(applied, 2);
    ck_assert_int_eq(migrate(history, 3, &applied, &err), STATUS_OK);
    ck_assert_uint_eq(applied, 0);
    live_run("test \"$(psql -d fresh -Atc 'select id, two from one')\" = '1|'");
}
END_TEST

START_TEST(an_edited_file_is_refused)
{
    struct db_migration edited[3];
    struct error err = {0};
    size_t applied = 0;

    ck_assert_int_eq(migrate(history, 2, &applied, &err), STATUS_OK);
    memcpy(edited, history, sizeof(edited));
    edited[1].sha256 = "other";
    ck_assert_int_eq(migrate(edited, 3, &applied, &err), STATUS_FAILED_PRECONDITION);
    ck_assert_str_eq(err.reason, "SCHEMA_HISTORY");
    ck_assert_ptr_nonnull(strstr(err.message, "0002_add_two"));
    ck_assert_uint_eq(applied, 0);
}
END_TEST

START_TEST(a_newer_database_is_refused)
{
    struct error err = {0};
    size_t applied = 0;

    ck_assert_int_eq(migrate(history, 3, &applied, &err), STATUS_OK);
    ck_assert_int_eq(migrate(history, 2, &applied, &err), STATUS_FAILED_PRECONDITION);
    ck_assert_str_eq(err.reason, "SCHEMA_NEWER");
    ck_assert_ptr_nonnull(strstr(err.message, "0003_index_two"));
}
END_TEST

START_TEST(a_file_that_fails_leaves_nothing)
{
    static const struct db_migration failing[] = {
        {1, "0001_create_one", "create table one (id bigint);\ncreate table one (id bigint);",
         "a1"},
    };
    struct error err = {0};
    size_t applied = 0;

    ck_assert_int_ne(migrate(failing, 1, &applied, &err), STATUS_OK);
    ck_assert_str_eq(err.reason, "SQLSTATE_42P07");
    ck_assert_ptr_nonnull(strstr(err.message, "0001_create_one"));
    ck_assert_uint_eq(applied, 0);
    ck_assert_int_eq(migrate(history, 3, &applied, &err), STATUS_OK);
    ck_assert_uint_eq(applied, 3);
}
END_TEST

static void *migrate_thread(void *userdata)
{
    struct error err = {0};

    ck_assert_msg(migrate(history, 3, userdata, &err) == STATUS_OK, "%s", err.message);
    return NULL;
}

START_TEST(two_migrators_at_once_apply_each_file_once)
{
    size_t applied[2] = {0};
    pthread_t threads[2];

    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, migrate_thread, &applied[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(applied[0] + applied[1], 3);
}
END_TEST

START_TEST(an_absent_server_is_unavailable)
{
    struct error err = {0};
    size_t applied = 0;

    ck_assert_int_eq(db_migrate("host=/nonexistent/socket", history, 3, NULL, NULL, &applied, &err),
                     STATUS_UNAVAILABLE);
}
END_TEST

struct checked {
    bool done;
    enum status status;
    struct error err;
};

static void checked_done(enum status status, const struct error *err, void *userdata)
{
    struct checked *checked = userdata;

    checked->status = status;
    checked->done = true;
    if (err)
        checked->err = *err;
}

static struct checked check(struct db_conn *conn, int needed)
{
    struct checked checked = {0};

    db_schema_check(conn, needed, checked_done, &checked);
    live_wait(&checked.done);
    return checked;
}

START_TEST(a_service_sees_whether_the_schema_is_there)
{
    char url[512];
    struct db_options options = {.url = fresh_url(url, sizeof(url))};
    struct db_conn *conn = live_connect(&options);
    struct error err = {0};
    size_t applied = 0;
    struct checked none = check(conn, 1);

    ck_assert_int_eq(none.status, STATUS_FAILED_PRECONDITION);
    ck_assert_str_eq(none.err.reason, "SCHEMA_OLDER");
    ck_assert_ptr_nonnull(strstr(none.err.message, "plankton migrate"));
    ck_assert_int_eq(migrate(history, 2, &applied, &err), STATUS_OK);
    ck_assert_int_eq(check(conn, 2).status, STATUS_OK);
    ck_assert_int_eq(check(conn, 1).status, STATUS_OK);
    ck_assert_str_eq(check(conn, 3).err.reason, "SCHEMA_OLDER");
    db_conn_free(conn);
}
END_TEST

TCase *migrate_tcase(void)
{
    TCase *tcase = tcase_create("migrate");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, fresh_setup, fresh_teardown);
    tcase_add_test(tcase, files_are_applied_once_in_order);
    tcase_add_test(tcase, an_edited_file_is_refused);
    tcase_add_test(tcase, a_newer_database_is_refused);
    tcase_add_test(tcase, a_file_that_fails_leaves_nothing);
    tcase_add_test(tcase, two_migrators_at_once_apply_each_file_once);
    tcase_add_test(tcase, an_absent_server_is_unavailable);
    tcase_add_test(tcase, a_service_sees_whether_the_schema_is_there);
    return tcase;
}
