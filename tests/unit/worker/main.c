/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "exec/internal.h"
#include "suites.h"

static char dir[64];

const char *test_dir(void)
{
    return dir;
}

void test_dir_make(void)
{
    snprintf(dir, sizeof dir, "/tmp/plankton-test-worker-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

void test_dir_remove(void)
{
    attempt_dir_remove(dir);
    ck_assert_int_ne(access(dir, F_OK), 0);
}

int main(void)
{
    Suite *suite = suite_create("worker");
    SRunner *runner = srunner_create(suite);

    suite_add_tcase(suite, segments_case());
    suite_add_tcase(suite, journal_case());
    suite_add_tcase(suite, lines_case());
    suite_add_tcase(suite, shards_case());
    suite_add_tcase(suite, exec_case());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
