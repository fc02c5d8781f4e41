/* SPDX-License-Identifier: Apache-2.0 */
/* `plankton admin new-timeline`: after a restore, so that nothing of the lost future is believed.
 */
#include <stdio.h>
#include <unistd.h>

#include "cli.h"
#include "client/client.h"
#include "conf/conf.h"
#include "db/db.h"
#include "sql/admin.h"

struct admin_settings {
    const char *database;
};

static const struct conf_option admin_options[] = {
    {.name = "database",
     .type = CONF_TEXT,
     .secret = true,
     .offset = offsetof(struct admin_settings, database),
     .help = "PostgreSQL URL of the database that was restored"},
};

struct renewal {
    struct loop *loop;
    struct arena *arena;
    int64_t controllers, timeline, shards;
    struct error error;
};

static void on_state(struct db_conn *conn, bool up, const struct error *err, void *userdata)
{
    struct renewal *renewal = userdata;

    if (!up)
        error_keep(&renewal->error, err, renewal->arena);
    loop_stop(renewal->loop);
}

static void renewed(enum db_outcome outcome, struct db_result *const *results, size_t n,
                    const struct error *err, void *userdata)
{
    struct renewal *renewal = userdata;

    if (outcome == DB_COMMITTED && db_rows(results[0]) == 1) {
        renewal->controllers = db_i64(results[0], 0, 0);
        renewal->timeline = db_is_null(results[0], 0, 1) ? 0 : db_i64(results[0], 0, 1);
        renewal->shards = db_i64(results[0], 0, 2);
    } else if (outcome != DB_COMMITTED) {
        error_keep(&renewal->error, err, renewal->arena);
    }
    loop_stop(renewal->loop);
}

static enum status renew(const char *url, struct renewal *renewal, struct error *err)
{
    const struct db_options options = {.url = url, .application_name = "plankton admin"};
    struct db_conn *conn;

    renewal->loop = loop_new();
    conn = db_connect(renewal->loop, &options, on_state, renewal);
    loop_run(renewal->loop);
    if (renewal->error.status == STATUS_OK) {
        db_query(conn, &SQL_admin_new_timeline, NULL, 0, renewed, renewal);
        loop_run(renewal->loop);
    }
    db_conn_free(conn);
    loop_free(renewal->loop);
    if (renewal->error.status != STATUS_OK) {
        *err = renewal->error;
        return err->status;
    }
    if (!renewal->timeline)
        return error_set(err, STATUS_FAILED_PRECONDITION,
                         "%lld connections of controllers are open: stop all services first",
                         (long long)renewal->controllers);
    return STATUS_OK;
}

static int new_timeline(int argc, char **argv)
{
    static const struct conf_program program = {
        .program = "new-timeline",
        .summary = "after a restore: refuse leases, results and cursors of what was lost",
        .options = admin_options,
        .option_count = 1};
    AUTO(arena_freep) struct arena *arena = arena_new(0);
    struct admin_settings settings = {0};
    struct renewal renewal = {.arena = arena};
    struct error error = {0};
    enum conf_outcome outcome = CONF_RUN;
    enum status st = conf_load(&program, argc, argv, environ, arena, &settings, &outcome, &error);

    if (st == STATUS_OK && outcome == CONF_EXIT)
        return 0;
    if (st == STATUS_OK && !settings.database)
        st = error_set(&error, STATUS_INVALID_ARGUMENT, "--database is needed");
    if (st == STATUS_OK)
        st = renew(settings.database, &renewal, &error);
    if (st != STATUS_OK)
        return cli_fail(&error);
    printf("timeline %lld begins, %lld shards have new epochs; the services can be started\n",
           (long long)renewal.timeline, (long long)renewal.shards);
    return 0;
}

int verb_admin(int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "new-timeline") == 0)
        return new_timeline(argc - 1, argv + 1);
    fprintf(argc >= 2 && strcmp(argv[1], "--help") == 0 ? stdout : stderr,
            "usage: plankton admin new-timeline --database URL\n");
    return argc >= 2 && strcmp(argv[1], "--help") == 0 ? 0 : 2;
}
