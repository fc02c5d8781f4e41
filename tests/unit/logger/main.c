/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include "log/log.h"
#include "suites.h"

int main(void)
{
    Suite *suite = suite_create("logger");
    SRunner *runner;
    int failed;

    log_init("test", LOG_ERROR + 1, "logfmt");
    suite_add_tcase(suite, lines_tcase());
    suite_add_tcase(suite, record_tcase());
    suite_add_tcase(suite, events_tcase());
    suite_add_tcase(suite, chunk_tcase());
    suite_add_tcase(suite, attempts_tcase());
    suite_add_tcase(suite, page_tcase());
    suite_add_tcase(suite, scan_tcase());
    suite_add_tcase(suite, json_tcase());
    suite_add_tcase(suite, spool_tcase());
    suite_add_tcase(suite, wandb_tcase());
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
