/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include "base/arena.h"
#include "cli.h"
#include "suites.h"

static struct arena arena;
static char *text;
static size_t len;
static FILE *before;

static void setup(void)
{
    arena_init(&arena, 0);
    before = stderr;
    stderr = open_memstream(&text, &len);
    ck_assert_ptr_nonnull(stderr);
}

static void teardown(void)
{
    arena_fini(&arena);
    free(text);
}

/* What has been printed. */
static const char *printed(void)
{
    fclose(stderr);
    stderr = before;
    return text;
}

START_TEST(a_plain_error_is_one_line)
{
    struct error err;

    error_set(&err, STATUS_UNAVAILABLE, "nobody is there");
    ck_assert_int_eq(cli_fail(&err), 1);
    ck_assert_str_eq(printed(), "plankton: nobody is there\n");
}
END_TEST

START_TEST(a_reason_stands_behind_and_a_field_before)
{
    struct error err;

    error_field(&err, STATUS_INVALID_ARGUMENT, "INVALID_FIELD", "task.priority",
                "must be between 0 and 9");
    cli_fail(&err);
    ck_assert_str_eq(printed(),
                     "plankton: task.priority: must be between 0 and 9 (INVALID_FIELD)\n");
}
END_TEST

START_TEST(a_plan_gets_a_line_for_each_problem)
{
    struct error err = {0};

    error_field(&err, STATUS_INVALID_ARGUMENT, "PLAN_INVALID", "steps[1].needs[0]",
                "there is no step 'fech'");
    /* as they come over the wire: place and hint are part of the sentence */
    error_add_violation(&err, &arena, "steps[1].needs[0]", 0, 0, NULL,
                        "line 7, column 12: there is no step 'fech' (did you mean 'fetch'?)");
    error_add_violation(&err, &arena, "name", 0, 0, NULL, "is missing");
    cli_fail_in(&err, "plan.yaml");
    ck_assert_str_eq(
        printed(),
        "plankton: the plan is not valid (PLAN_INVALID)\n"
        "  plan.yaml:7:12: steps[1].needs[0]: there is no step 'fech', did you mean 'fetch'?\n"
        "  name: is missing\n");
}
END_TEST

START_TEST(places_of_their_own_are_shown_too)
{
    cli_print_problem(NULL, "steps", "too many", "at most 10,000", 3, 1);
    ck_assert_str_eq(printed(), "  line 3:1: steps: too many, at most 10,000\n");
}
END_TEST

START_TEST(a_violation_that_repeats_the_message_is_not_shown_twice)
{
    struct error err = {0};

    error_set(&err, STATUS_NOT_FOUND, "there is no task with this id");
    error_add_violation(&err, &arena, "id", 0, 0, NULL, "there is no task with this id");
    cli_fail(&err);
    ck_assert_str_eq(printed(), "plankton: there is no task with this id\n");
}
END_TEST

Suite *errors_suite(void)
{
    Suite *suite = suite_create("errors");
    TCase *tc = tcase_create("all");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_plain_error_is_one_line);
    tcase_add_test(tc, a_reason_stands_behind_and_a_field_before);
    tcase_add_test(tc, a_plan_gets_a_line_for_each_problem);
    tcase_add_test(tc, places_of_their_own_are_shown_too);
    tcase_add_test(tc, a_violation_that_repeats_the_message_is_not_shown_twice);
    suite_add_tcase(suite, tc);
    return suite;
}
