/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include "suites.h"

int main(void)
{
    SRunner *runner = srunner_create(suite_compile());
    int failed;

    srunner_add_suite(runner, suite_context());
    srunner_add_suite(runner, suite_graph());
    srunner_add_suite(runner, suite_input());
    srunner_add_suite(runner, suite_schema());
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
