/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include "suites.h"

int main(void)
{
    Suite *suite = suite_create("base");
    SRunner *runner;
    int failed;

    suite_add_tcase(suite, arena_case());
    suite_add_tcase(suite, buf_case());
    suite_add_tcase(suite, containers_case());
    suite_add_tcase(suite, error_case());
    suite_add_tcase(suite, id_case());
    suite_add_tcase(suite, text_case());
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
