/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/slice.h"
#include "conf/conf.h"

struct settings {
    const char *listen, *database, *nothing;
    bool verify, plain;
    int64_t workers, lease_ms, cache_bytes;
};

static const struct conf_option OPTIONS[] = {
    CONF_OPTION("listen", CONF_TEXT, "127.0.0.1:8081", 0, 0, struct settings, listen,
                "address to listen on"),
    {.name = "database",
     .type = CONF_TEXT,
     .secret = true,
     .offset = offsetof(struct settings, database),
     .help = "URL"},
    CONF_OPTION("nothing", CONF_TEXT, NULL, 0, 0, struct settings, nothing, "has no default"),
    CONF_OPTION("verify", CONF_BOOL, "true", 0, 0, struct settings, verify, "check things"),
    CONF_OPTION("plain", CONF_BOOL, NULL, 0, 0, struct settings, plain, "no frills"),
    CONF_OPTION("workers", CONF_INT, "4", 1, 64, struct settings, workers, "how many"),
    CONF_OPTION("lease-time", CONF_DURATION, "8s", 100, 60000, struct settings, lease_ms,
                "of a lease"),
    CONF_OPTION("cache-size", CONF_BYTES, "64Mi", 0, 0, struct settings, cache_bytes,
                "of the cache"),
};
static const struct conf_program PROGRAM = {"controller", "runs things", OPTIONS,
                                            ARRAY_LEN(OPTIONS)};

static struct arena arena;
static struct settings settings;
static struct error err;
static enum conf_outcome outcome;
static char path[64];

static void setup(void)
{
    arena_init(&arena, 0);
    memset(&settings, 0, sizeof(settings));
    error_reset(&err);
}

static void teardown(void)
{
    arena_fini(&arena);
    if (path[0])
        unlink(path);
    path[0] = '\0';
}

/* Flags and variables, each list ended by NULL. */
static enum status load(char **flags, char **env)
{
    char *argv[16] = {"plankton-controller"};
    int argc = 1;

    for (; flags && *flags; flags++)
        argv[argc++] = *flags;
    return conf_load(&PROGRAM, argc, argv, env, &arena, &settings, &outcome, &err);
}
#define LIST(...) ((char *[]){__VA_ARGS__, NULL})

static char *file_flag(const char *text)
{
    int fd;

    snprintf(path, sizeof(path), "/tmp/plankton-conf-XXXXXX");
    fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    return arena_printf(&arena, "--config=%s", path);
}

#define ASSERT_REFUSED(status, part)                                                               \
    do {                                                                                           \
        ck_assert_int_eq((status), STATUS_INVALID_ARGUMENT);                                       \
        ck_assert_msg(strstr(err.message, (part)) != NULL, "no \"%s\" in: %s", (part),             \
                      err.message);                                                                \
    } while (0)

START_TEST(defaults_apply)
{
    ck_assert_int_eq(load(NULL, NULL), STATUS_OK);
    ck_assert_int_eq(outcome, CONF_RUN);
    ck_assert_str_eq(settings.listen, "127.0.0.1:8081");
    ck_assert_ptr_null(settings.database);
    ck_assert_ptr_null(settings.nothing);
    ck_assert(settings.verify && !settings.plain);
    ck_assert_int_eq(settings.workers, 4);
    ck_assert_int_eq(settings.lease_ms, 8000);
    ck_assert_int_eq(settings.cache_bytes, 64 << 20);
}
END_TEST

START_TEST(flags_in_both_forms)
{
    ck_assert_int_eq(load(LIST("--listen", "unix:/x", "--workers=7", "--no-verify", "--plain",
                               "--lease-time", "1.5s", "--nothing="),
                          NULL),
                     STATUS_OK);
    ck_assert_str_eq(settings.listen, "unix:/x");
    ck_assert_str_eq(settings.nothing, "");
    ck_assert_int_eq(settings.workers, 7);
    ck_assert(!settings.verify && settings.plain);
    ck_assert_int_eq(settings.lease_ms, 1500);
    ck_assert_int_eq(load(LIST("--verify=false", "--plain=true"), NULL), STATUS_OK);
    ck_assert(!settings.verify && settings.plain);
}
END_TEST

START_TEST(bad_flags_are_refused)
{
    ASSERT_REFUSED(load(LIST("--lisen", "x"), NULL),
                   "unknown option --lisen, did you mean --listen?");
    ASSERT_REFUSED(load(LIST("--confg=x"), NULL), "did you mean --config?");
    ASSERT_REFUSED(load(LIST("--frobnicate"), NULL), "unknown option --frobnicate");
    ASSERT_REFUSED(load(LIST("--workers=1", "--workers=1"), NULL), "--workers is given twice");
    ASSERT_REFUSED(load(LIST("--verify", "--no-verify"), NULL), "--verify is given twice");
    ASSERT_REFUSED(load(LIST("--listen"), NULL), "--listen needs a value");
    ASSERT_REFUSED(load(LIST("--listen", "--plain"), NULL), "--listen needs a value");
    ASSERT_REFUSED(load(LIST("--no-listen"), NULL), "unknown option --no-listen");
    ASSERT_REFUSED(load(LIST("--no-verify=x"), NULL), "unknown option --no-verify");
    ASSERT_REFUSED(load(LIST("plan.yaml"), NULL), "unexpected argument");
    ASSERT_REFUSED(load(LIST("-v"), NULL), "unexpected argument");
    ASSERT_REFUSED(load(LIST("--"), NULL), "unexpected argument");
}
END_TEST

START_TEST(values_are_checked_and_the_source_is_named)
{
    ASSERT_REFUSED(load(LIST("--workers=0"), NULL),
                   "workers (flag --workers): \"0\" is not from 1 to 64");
    ASSERT_REFUSED(load(LIST("--workers=x"), NULL), "a whole number");
    ASSERT_REFUSED(load(LIST("--workers="), NULL), "a whole number");
    ASSERT_REFUSED(load(LIST("--lease-time=50ms"), NULL), "from 100ms to 1m");
    ASSERT_REFUSED(load(LIST("--lease-time=5"), NULL), "a duration");
    ASSERT_REFUSED(load(LIST("--cache-size=1KB"), NULL), "a size");
    ASSERT_REFUSED(load(LIST("--plain=yes"), NULL), "true or false");
    ASSERT_REFUSED(load(LIST("--listen=\xff"), NULL), "is not UTF-8");
    ASSERT_REFUSED(load(NULL, LIST("PLANKTON_CONTROLLER_WORKERS=99")),
                   "variable PLANKTON_CONTROLLER_WORKERS");
    ck_assert_str_eq(err.field, "workers");
}
END_TEST

START_TEST(variables_are_known_or_refused)
{
    ck_assert_int_eq(
        load(NULL, LIST("HOME=/", "PLANKTON_CONTROLLER_LEASE_TIME=2s", "PLANKTON_WORKER_FOO=1",
                        "PLANKTON_CONTROLLER_PLAIN=true", "PLANKTON_TASK_ID=x")),
        STATUS_OK);
    ck_assert_int_eq(settings.lease_ms, 2000);
    ck_assert(settings.plain);
    ASSERT_REFUSED(load(NULL, LIST("PLANKTON_CONTROLLER_LEASETIME=2s")),
                   "unknown variable PLANKTON_CONTROLLER_LEASETIME, did you mean lease-time?");
    ASSERT_REFUSED(load(NULL, LIST("PLANKTON_CONTROLLER_=2s")), "unknown variable");
    ASSERT_REFUSED(load(NULL, LIST("PLANKTON_CONTROLLER_plain=2s")), "unknown variable");
}
END_TEST

START_TEST(addresses_that_kubernetes_injects_are_no_settings)
{
    ck_assert_int_eq(load(NULL, LIST("PLANKTON_CONTROLLER_SERVICE_HOST=10.0.0.1",
                                     "PLANKTON_CONTROLLER_SERVICE_PORT=8081",
                                     "PLANKTON_CONTROLLER_SERVICE_PORT_GRPC=8081",
                                     "PLANKTON_CONTROLLER_PORT=tcp://10.0.0.1:8081",
                                     "PLANKTON_CONTROLLER_PORT_8081_TCP=tcp://10.0.0.1:8081",
                                     "PLANKTON_CONTROLLER_PORT_8081_TCP_PROTO=tcp",
                                     "PLANKTON_CONTROLLER_PORT_8081_TCP_PORT=8081",
                                     "PLANKTON_CONTROLLER_PORT_8081_TCP_ADDR=10.0.0.1")),
                     STATUS_OK);
    ASSERT_REFUSED(load(NULL, LIST("PLANKTON_CONTROLLER_PORT=8081")), "unknown variable");
}
END_TEST

START_TEST(flag_overrules_variable_overrules_file_overrules_default)
{
    char *flag = file_flag("workers: 10\nlease-time: 10s\ncache-size: 1Mi\nplain: true\n");

    ck_assert_int_eq(load(LIST(flag, "--workers=12"), LIST("PLANKTON_CONTROLLER_WORKERS=11",
                                                           "PLANKTON_CONTROLLER_LEASE_TIME=11s")),
                     STATUS_OK);
    ck_assert_int_eq(settings.workers, 12);
    ck_assert_int_eq(settings.lease_ms, 11000);
    ck_assert_int_eq(settings.cache_bytes, 1 << 20);
    ck_assert(settings.plain && settings.verify);
}
END_TEST

START_TEST(variable_may_name_the_file)
{
    char *flag = file_flag("workers: 10\n");
    char *variable = arena_printf(&arena, "PLANKTON_CONTROLLER_CONFIG=%s", strchr(flag, '=') + 1);

    ck_assert_int_eq(load(NULL, LIST(variable)), STATUS_OK);
    ck_assert_int_eq(settings.workers, 10);
    ck_assert_int_eq(load(LIST("--config", "/nonexistent/x.yaml"), LIST(variable)),
                     STATUS_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.message, "/nonexistent/x.yaml"));
}
END_TEST

static void check_file(const char *text, const char *part)
{
    char *flag = file_flag(text);

    ASSERT_REFUSED(load(LIST(flag), NULL), part);
    unlink(path);
}

START_TEST(bad_files_are_refused_with_line_and_column)
{
    check_file("workers: 3\nlease_time: 3s\n",
               ":2:1: unknown key lease_time, did you mean lease-time?");
    check_file("workers: 3\nworkers: 3\n", ":2:1: workers is given twice");
    check_file("workers: [1, 2]\n", ":1:10: a plain value is expected");
    check_file("listen: {a: b}\n", "a plain value is expected");
    check_file("- workers\n", "flat mapping");
    check_file("workers\n", "flat mapping");
    check_file("workers: 3\n---\nworkers: 4\n", "one document");
    check_file("listen: &a x\n", "anchors");
    check_file("listen: !!str x\n", "anchors and tags");
    check_file("listen: x\nnothing: *listen\n", ":2:10:");
    check_file("listen: \"a\\0b\"\n", "NUL");
    check_file("listen:\n", "listen has no value");
    check_file("listen: null\n", "listen has no value");
    check_file("listen: \"unclosed\n", ":");
    check_file("workers: many\n", ":1): \"many\" is not a whole number");
}
END_TEST

START_TEST(harmless_files_are_taken)
{
    char *flag = file_flag("# nothing here\n");

    ck_assert_int_eq(load(LIST(flag), NULL), STATUS_OK);
    unlink(path);
    flag = file_flag("listen: \"null\" # quoted\nnothing: \"\"\ndatabase: 'it''s'\n");
    ck_assert_int_eq(load(LIST(flag), NULL), STATUS_OK);
    ck_assert_str_eq(settings.listen, "null");
    ck_assert_str_eq(settings.nothing, "");
    ck_assert_str_eq(settings.database, "it's");
}
END_TEST

START_TEST(oversized_file_is_refused)
{
    char *text = arena_alloc(&arena, 70000);

    memset(text, '#', 69999);
    text[69999] = '\0';
    check_file(text, "is larger than 65536 bytes");
}
END_TEST

START_TEST(secrets_stay_out_of_messages)
{
    static const struct conf_option SECRET[] = {{.name = "pin",
                                                 .type = CONF_INT,
                                                 .secret = true,
                                                 .offset = offsetof(struct settings, workers),
                                                 .help = "PIN"}};
    static const struct conf_program ONE = {"controller", "x", SECRET, 1};

    ck_assert_int_eq(
        conf_load(&ONE, 2, LIST("x", "--pin=hunter2"), NULL, &arena, &settings, &outcome, &err),
        STATUS_INVALID_ARGUMENT);
    ck_assert_ptr_null(strstr(err.message, "hunter2"));
}
END_TEST

/* Runs a load with stdout in a file and gives back what was printed. */
static const char *printed(char **flags, char **env)
{
    static char text[16384];
    FILE *capture = tmpfile();
    int saved;
    size_t n;

    fflush(stdout);
    saved = dup(STDOUT_FILENO);
    dup2(fileno(capture), STDOUT_FILENO);
    ck_assert_int_eq(load(flags, env), STATUS_OK);
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    rewind(capture);
    n = fread(text, 1, sizeof(text) - 1, capture);
    text[n] = '\0';
    fclose(capture);
    ck_assert_int_eq(outcome, CONF_EXIT);
    return text;
}

START_TEST(print_config_shows_values_sources_and_no_secret)
{
    const char *text =
        printed(LIST("--print-config", "--workers=9", "--database=postgres://u:pw@h/d"),
                LIST("PLANKTON_CONTROLLER_LEASE_TIME=2s"));
    char *again;

    ck_assert_ptr_nonnull(strstr(text, "listen: \"127.0.0.1:8081\" # default\n"));
    ck_assert_ptr_nonnull(strstr(text, "workers: 9 # flag --workers\n"));
    ck_assert_ptr_nonnull(
        strstr(text, "lease-time: 2s # variable PLANKTON_CONTROLLER_LEASE_TIME\n"));
    ck_assert_ptr_nonnull(strstr(text, "database: *** # flag --database\n"));
    ck_assert_ptr_nonnull(strstr(text, "# nothing: not set\n"));
    ck_assert_ptr_null(strstr(text, "pw"));
    /* Without secrets the output is a file that gives the same settings. */
    text = printed(LIST("--print-config", "--workers=9", "--listen=a \"b\" \\c\n"), NULL);
    again = file_flag(text);
    ck_assert_int_eq(load(LIST(again), NULL), STATUS_OK);
    ck_assert_int_eq(settings.workers, 9);
    ck_assert_str_eq(settings.listen, "a \"b\" \\c\n");
}
END_TEST

START_TEST(help_and_version_print_and_exit)
{
    const char *text = printed(LIST("--help", "--whatever"), NULL);

    ck_assert_ptr_nonnull(strstr(text, "runs things"));
    ck_assert_ptr_nonnull(strstr(text, "--[no-]verify"));
    ck_assert_ptr_nonnull(strstr(text, "[default: 8s] [100ms to 1m]"));
    ck_assert_ptr_nonnull(strstr(text, "PLANKTON_CONTROLLER_LEASE_TIME"));
    text = printed(LIST("--version"), NULL);
    ck_assert_str_eq(text, "plankton-controller " PLANKTON_VERSION "\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("conf");
    TCase *tc = tcase_create("conf");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, defaults_apply);
    tcase_add_test(tc, flags_in_both_forms);
    tcase_add_test(tc, bad_flags_are_refused);
    tcase_add_test(tc, values_are_checked_and_the_source_is_named);
    tcase_add_test(tc, variables_are_known_or_refused);
    tcase_add_test(tc, addresses_that_kubernetes_injects_are_no_settings);
    tcase_add_test(tc, flag_overrules_variable_overrules_file_overrules_default);
    tcase_add_test(tc, variable_may_name_the_file);
    tcase_add_test(tc, bad_files_are_refused_with_line_and_column);
    tcase_add_test(tc, harmless_files_are_taken);
    tcase_add_test(tc, oversized_file_is_refused);
    tcase_add_test(tc, secrets_stay_out_of_messages);
    tcase_add_test(tc, print_config_shows_values_sources_and_no_secret);
    tcase_add_test(tc, help_and_version_print_and_exit);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
