/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include "suites.h"

int main(void)
{
    Suite *suite = suite_create("http1");
    SRunner *runner;
    int failed;

    suite_add_tcase(suite, message_case());
    suite_add_tcase(suite, parser_case());
    suite_add_tcase(suite, server_case());
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
