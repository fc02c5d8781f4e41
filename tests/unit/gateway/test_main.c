/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "fixture.h"

int main(void)
{
    SRunner *runner = srunner_create(schema_suite());
    int failed;

    srunner_add_suite(runner, routes_suite());
    srunner_add_suite(runner, bind_suite());
    srunner_add_suite(runner, render_suite());
    srunner_add_suite(runner, problem_suite());
    srunner_add_suite(runner, openapi_suite());
    srunner_add_suite(runner, edge_suite());
    srunner_add_suite(runner, site_suite());
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
