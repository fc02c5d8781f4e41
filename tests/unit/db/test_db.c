/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include "db_internal.h"
#include "db_suites.h"

START_TEST(sqlstates_map_to_one_status)
{
    ck_assert_int_eq(db_status_from_sqlstate("00000"), STATUS_OK);
    ck_assert_int_eq(db_status_from_sqlstate("22012"), STATUS_ABORTED);
    ck_assert_int_eq(db_status_from_sqlstate("22P02"), STATUS_INVALID_ARGUMENT);
    ck_assert_int_eq(db_status_from_sqlstate("23505"), STATUS_ALREADY_EXISTS);
    ck_assert_int_eq(db_status_from_sqlstate("40P01"), STATUS_ABORTED);
    ck_assert_int_eq(db_status_from_sqlstate("55P03"), STATUS_ABORTED);
    ck_assert_int_eq(db_status_from_sqlstate("57P01"), STATUS_UNAVAILABLE);
    ck_assert_int_eq(db_status_from_sqlstate("57014"), STATUS_DEADLINE_EXCEEDED);
    ck_assert_int_eq(db_status_from_sqlstate("25006"), STATUS_UNAVAILABLE);
    ck_assert_int_eq(db_status_from_sqlstate("08P01"), STATUS_INTERNAL);
    ck_assert_int_eq(db_status_from_sqlstate("42601"), STATUS_INTERNAL);
}
END_TEST

START_TEST(an_unknown_sqlstate_is_internal_and_none_is_unknown)
{
    ck_assert_int_eq(db_status_from_sqlstate("ZZ999"), STATUS_INTERNAL);
    ck_assert_int_eq(db_status_from_sqlstate(NULL), STATUS_UNKNOWN);
    ck_assert_int_eq(db_status_from_sqlstate("22"), STATUS_UNKNOWN);
}
END_TEST

START_TEST(backoff_grows_to_its_cap_and_jitters_by_a_fifth)
{
    ck_assert_uint_eq(db__backoff_ms(1, 0.5), 20);
    ck_assert_uint_eq(db__backoff_ms(2, 0.5), 32);
    ck_assert_uint_eq(db__backoff_ms(1, 0), 16);
    ck_assert_uint_eq(db__backoff_ms(1, 1), 24);
    ck_assert_uint_eq(db__backoff_ms(1000000, 0.5), 2000);
    for (unsigned i = 1; i < 20; i++)
        ck_assert_uint_le(db__backoff_ms(i, 0.5), db__backoff_ms(i + 1, 0.5));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("db");
    TCase *tcase = tcase_create("db");
    SRunner *runner;
    int failed;

    tcase_add_test(tcase, sqlstates_map_to_one_status);
    tcase_add_test(tcase, an_unknown_sqlstate_is_internal_and_none_is_unknown);
    tcase_add_test(tcase, backoff_grows_to_its_cap_and_jitters_by_a_fifth);
    suite_add_tcase(suite, tcase);
    suite_add_tcase(suite, value_tcase());
    suite_add_tcase(suite, hosts_tcase());
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
