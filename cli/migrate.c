/* SPDX-License-Identifier: Apache-2.0 */
/* `plankton migrate`: the one job that changes the schema; services only check it. */
#include <stdio.h>
#include <unistd.h>

#include "cli.h"
#include "conf/conf.h"
#include "db/migrate.h"
#include "migrations.h"

struct migrate_settings {
    const char *database;
};

static const struct conf_option migrate_options[] = {
    {.name = "database",
     .type = CONF_TEXT,
     .secret = true,
     .offset = offsetof(struct migrate_settings, database),
     .help = "PostgreSQL URL"},
};

static void print_migration(const struct db_migration *migration, void *userdata)
{
    printf("applied %s\n", migration->name);
}

enum status migrate_database(const char *url, struct error *err)
{
    size_t applied;

    return db_migrate(url, plankton_migrations, PLANKTON_MIGRATIONS_COUNT, NULL, NULL, &applied,
                      err);
}

int verb_migrate(int argc, char **argv)
{
    static const struct conf_program program = {.program = "migrate",
                                                .summary = "bring a database to the newest schema",
                                                .options = migrate_options,
                                                .option_count = 1};
    AUTO(arena_freep) struct arena *arena = arena_new(0);
    struct migrate_settings settings = {0};
    struct error error = {0};
    enum conf_outcome outcome = CONF_RUN;
    size_t applied = 0;
    enum status st = conf_load(&program, argc, argv, environ, arena, &settings, &outcome, &error);

    if (st == STATUS_OK && outcome == CONF_EXIT)
        return 0;
    if (st == STATUS_OK && !settings.database)
        st = error_set(&error, STATUS_INVALID_ARGUMENT, "--database is needed");
    if (st == STATUS_OK)
        st = db_migrate(settings.database, plankton_migrations, PLANKTON_MIGRATIONS_COUNT,
                        print_migration, NULL, &applied, &error);
    if (st != STATUS_OK)
        return cli_fail(&error);
    printf("the schema is up to date (%zu applied)\n", applied);
    return 0;
}
