/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

int main(void)
{
    SRunner *runner = srunner_create(states_suite());
    int failed;

    srunner_add_suite(runner, task_suite());
    srunner_add_suite(runner, session_suite());
    srunner_add_suite(runner, load_suite());
    srunner_add_suite(runner, key_suite());
    srunner_add_suite(runner, queue_suite());
    srunner_add_suite(runner, queue_setting_suite());
    srunner_add_suite(runner, limit_suite());
    srunner_add_suite(runner, demand_suite());
    srunner_add_suite(runner, window_suite());
    srunner_add_suite(runner, run_suite());
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
