/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>
#include "suites.h"

int main(void)
{
    SRunner *runner = srunner_create(command_suite());
    int failed;

    srunner_add_suite(runner, discover_suite());
    srunner_add_suite(runner, values_suite());
    srunner_add_suite(runner, words_suite());
    srunner_add_suite(runner, errors_suite());
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
