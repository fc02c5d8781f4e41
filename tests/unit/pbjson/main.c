/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include "suites.h"

int main(void)
{
    SRunner *runner = srunner_create(suite_read());
    int failed;

    srunner_add_suite(runner, suite_write());
    srunner_add_suite(runner, suite_path());
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
