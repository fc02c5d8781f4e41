/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "base/slice.h"
#include "client/command.h"
#include "suites.h"

struct settings {
    const char *name;
    bool wet;
    int64_t count, wait_ms;
    struct text_list pairs;
};

static const struct option OPTIONS[] = {
    {"name", 'n', OPTION_TEXT, offsetof(struct settings, name), "NAME", "a name", 0, 0, 0},
    {"wet", 0, OPTION_FLAG, offsetof(struct settings, wet), NULL, "with water", 0, 0, 0},
    {"count", 'c', OPTION_INT, offsetof(struct settings, count), "N", "how many", 1, 10, 7},
    {"wait", 0, OPTION_DURATION, offsetof(struct settings, wait_ms), "TIME", "how long", 0, 60000,
     -1},
    {"pair", 'p', OPTION_LIST, offsetof(struct settings, pairs), "A=B", "pairs", 0, 0, 0},
};
static const struct command COMMAND = {.name = "try",
                                       .operands = "THING",
                                       .summary = "tries",
                                       .options = OPTIONS,
                                       .option_count = ARRAY_LEN(OPTIONS),
                                       .settings_bytes = sizeof(struct settings),
                                       .operands_min = 1,
                                       .operands_max = 2};

static struct arena arena;
static struct invocation in;
static struct error err;
static bool help;

static enum status read_args(char **argv)
{
    int argc = 0;

    while (argv[argc])
        argc++;
    in = (struct invocation){.arena = &arena};
    err = (struct error){0};
    return command_read(&COMMAND, argc, argv, &in, &help, &err);
}
#define READ(...) read_args((char *[]){__VA_ARGS__, NULL})

static void setup(void)
{
    arena_init(&arena, 0);
}

static void teardown(void)
{
    arena_fini(&arena);
}

START_TEST(options_come_in_every_usual_form)
{
    ck_assert_int_eq(READ("thing", "--name=x", "--wet", "-c3", "--wait", "1.5s", "-p", "a=1",
                          "--pair", "b=2", "more"),
                     STATUS_OK);
    const struct settings *settings = in.settings;
    ck_assert_str_eq(settings->name, "x");
    ck_assert(settings->wet);
    ck_assert_int_eq(settings->count, 3);
    ck_assert_int_eq(settings->wait_ms, 1500);
    ck_assert_uint_eq(settings->pairs.len, 2);
    ck_assert_str_eq(settings->pairs.items[1], "b=2");
    ck_assert_uint_eq(in.operand_count, 2);
    ck_assert_str_eq(in.operands[1], "more");
}
END_TEST

START_TEST(what_is_not_given_has_its_fallback)
{
    ck_assert_int_eq(READ("thing"), STATUS_OK);
    const struct settings *settings = in.settings;
    ck_assert_int_eq(settings->count, 7);
    ck_assert_int_eq(settings->wait_ms, -1);
    ck_assert_ptr_null(settings->name);
    ck_assert(!in.json && !help);
}
END_TEST

START_TEST(a_value_may_begin_with_a_dash)
{
    ck_assert_int_eq(READ("thing", "--name", "-x"), STATUS_OK);
    ck_assert_str_eq(((struct settings *)in.settings)->name, "-x");
    ck_assert_int_eq(READ("--", "--wet"), STATUS_OK);
    ck_assert_str_eq(in.operands[0], "--wet");
    ck_assert_int_eq(READ("-"), STATUS_OK);
}
END_TEST

START_TEST(connection_and_output_are_everywhere)
{
    ck_assert_int_eq(
        READ("thing", "-o", "json", "--controller", "h:1", "--key", "k", "--data-dir", "d"),
        STATUS_OK);
    ck_assert(in.json);
    ck_assert_str_eq(in.connection.controller, "h:1");
    ck_assert_str_eq(in.connection.key, "k");
    ck_assert_str_eq(in.connection.data_dir, "d");
    ck_assert_int_eq(READ("thing", "-o", "yaml"), STATUS_INVALID_ARGUMENT);
}
END_TEST

START_TEST(what_is_not_understood_is_refused)
{
    ck_assert_int_eq(READ("thing", "--naem", "x"), STATUS_INVALID_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "did you mean --name"));
    ck_assert_int_eq(READ("thing", "-x"), STATUS_INVALID_ARGUMENT);
    ck_assert_int_eq(READ("thing", "--name"), STATUS_INVALID_ARGUMENT);
    ck_assert_int_eq(READ("thing", "--wet=yes"), STATUS_INVALID_ARGUMENT);
    ck_assert_int_eq(READ("thing", "--name=a", "--name=b"), STATUS_INVALID_ARGUMENT);
    ck_assert_int_eq(READ("--wet"), STATUS_INVALID_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "THING"));
    ck_assert_int_eq(READ("a", "b", "c"), STATUS_INVALID_ARGUMENT);
}
END_TEST

START_TEST(numbers_have_bounds)
{
    ck_assert_int_eq(READ("thing", "--count", "11"), STATUS_INVALID_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "between 1 and 10"));
    ck_assert_int_eq(READ("thing", "--count", "0"), STATUS_INVALID_ARGUMENT);
    ck_assert_int_eq(READ("thing", "--count", "3x"), STATUS_INVALID_ARGUMENT);
    ck_assert_int_eq(READ("thing", "--wait", "5"), STATUS_INVALID_ARGUMENT);
    ck_assert_int_eq(READ("thing", "--wait", "61s"), STATUS_INVALID_ARGUMENT);
}
END_TEST

START_TEST(help_wins_over_what_is_missing)
{
    ck_assert_int_eq(READ("--help"), STATUS_OK);
    ck_assert(help);
}
END_TEST

Suite *command_suite(void)
{
    Suite *suite = suite_create("command");
    TCase *tc = tcase_create("all");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, options_come_in_every_usual_form);
    tcase_add_test(tc, what_is_not_given_has_its_fallback);
    tcase_add_test(tc, a_value_may_begin_with_a_dash);
    tcase_add_test(tc, connection_and_output_are_everywhere);
    tcase_add_test(tc, what_is_not_understood_is_refused);
    tcase_add_test(tc, numbers_have_bounds);
    tcase_add_test(tc, help_wins_over_what_is_missing);
    suite_add_tcase(suite, tc);
    return suite;
}
