/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include "base/arena.h"
#include "base/error.h"
#include "base/text.h"
#include "suites.h"

START_TEST(names_go_both_ways)
{
    for (unsigned i = 0; i <= STATUS_UNAUTHENTICATED; i++) {
        enum status status = STATUS_INTERNAL;

        ck_assert(status_from_name(status_name((enum status)i), &status));
        ck_assert_uint_eq(status, i);
    }
    ck_assert(!status_from_name("NOPE", &(enum status){0}));
    ck_assert(!status_from_name(NULL, &(enum status){0}));
    ck_assert_str_eq(status_name((enum status)99), "UNKNOWN");
}
END_TEST

START_TEST(errno_maps)
{
    ck_assert_int_eq(status_from_errno(0), STATUS_OK);
    ck_assert_int_eq(status_from_errno(ENOENT), STATUS_NOT_FOUND);
    ck_assert_int_eq(status_from_errno(EACCES), STATUS_PERMISSION_DENIED);
    ck_assert_int_eq(status_from_errno(ECONNREFUSED), STATUS_UNAVAILABLE);
    ck_assert_int_eq(status_from_errno(ENOSPC), STATUS_RESOURCE_EXHAUSTED);
    ck_assert_int_eq(status_from_errno(123456), STATUS_INTERNAL);
}
END_TEST

START_TEST(set_and_wrap_build_a_chain)
{
    struct error err = {0};

    ck_assert_int_eq(error_field(&err, STATUS_NOT_FOUND, "PLAN_NOT_FOUND", "plan", "no plan %d", 7),
                     STATUS_NOT_FOUND);
    ck_assert_int_eq(error_wrap(&err, STATUS_UNAVAILABLE, "starting run %s", "x"),
                     STATUS_UNAVAILABLE);
    ck_assert_str_eq(err.message, "starting run x: no plan 7");
    ck_assert_str_eq(err.reason, "PLAN_NOT_FOUND");
    ck_assert_str_eq(err.field, "plan");
    ck_assert_int_eq(err.status, STATUS_UNAVAILABLE);
    error_set(&err, STATUS_ABORTED, "again");
    ck_assert_str_eq(err.reason, "");
    error_reset(&err);
    ck_assert_int_eq(err.status, STATUS_OK);
    ck_assert_str_eq(err.message, "");
}
END_TEST

START_TEST(null_error_is_allowed)
{
    ck_assert_int_eq(error_set(NULL, STATUS_ABORTED, "x"), STATUS_ABORTED);
    ck_assert_int_eq(error_field(NULL, STATUS_ABORTED, "A", "b", "x"), STATUS_ABORTED);
    ck_assert_int_eq(error_wrap(NULL, STATUS_ABORTED, "x"), STATUS_ABORTED);
    error_reset(NULL);
}
END_TEST

START_TEST(message_may_be_built_from_itself)
{
    struct error err = {0};

    error_set(&err, STATUS_ABORTED, "inner");
    error_set(&err, STATUS_ABORTED, "outer: %s", err.message);
    ck_assert_str_eq(err.message, "outer: inner");
}
END_TEST

START_TEST(long_messages_are_cut_between_characters)
{
    struct error err = {0};
    char text[2000];

    for (size_t shift = 0; shift < 4; shift++) {
        memset(text, 'x', shift);
        for (size_t i = shift; i + 3 < sizeof(text); i += 3)
            memcpy(text + i, "\xe2\x82\xac", 3);
        text[shift + 900] = '\0';
        error_set(&err, STATUS_ABORTED, "%s", text);
        ck_assert_uint_lt(strlen(err.message), sizeof(err.message));
        ck_assert_uint_gt(strlen(err.message), sizeof(err.message) - 5);
        ck_assert(text_is_utf8(err.message, strlen(err.message)));
    }
}
END_TEST

START_TEST(violations_keep_their_order_and_the_first_is_the_message)
{
    struct arena arena;
    struct error err = {0};

    arena_init(&arena, 0);
    error_add_violation(&err, &arena, "steps[0].id", 3, 5, NULL, "missing");
    error_add_violation(&err, &arena, "steps[1].tsk", 7, 1, "did you mean task?", "unknown field");
    ck_assert_int_eq(err.status, STATUS_INVALID_ARGUMENT);
    ck_assert_str_eq(err.message, "missing");
    ck_assert_str_eq(err.field, "steps[0].id");
    ck_assert_uint_eq(err.violations->line, 3);
    ck_assert_ptr_null(err.violations->hint);
    ck_assert_str_eq(err.violations->next->hint, "did you mean task?");
    ck_assert_str_eq(err.violations->next->field, "steps[1].tsk");
    ck_assert_ptr_null(err.violations->next->next);
    arena_fini(&arena);
}
END_TEST

TCase *error_case(void)
{
    TCase *tc = tcase_create("error");

    tcase_add_test(tc, names_go_both_ways);
    tcase_add_test(tc, errno_maps);
    tcase_add_test(tc, set_and_wrap_build_a_chain);
    tcase_add_test(tc, null_error_is_allowed);
    tcase_add_test(tc, message_may_be_built_from_itself);
    tcase_add_test(tc, long_messages_are_cut_between_characters);
    tcase_add_test(tc, violations_keep_their_order_and_the_first_is_the_message);
    return tc;
}
