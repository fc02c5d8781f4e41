/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdlib.h>
#include "suites.h"

int main(void)
{
    Suite *suite = suite_create("rpc");
    SRunner *runner = srunner_create(suite);

    suite_add_tcase(suite, codec_tests());
    suite_add_tcase(suite, wire_tests());
    suite_add_tcase(suite, glue_tests());
    suite_add_tcase(suite, call_tests());
    suite_add_tcase(suite, compress_tests());
    suite_add_tcase(suite, service_tests());
    suite_add_tcase(suite, readme_tests());
    suite_add_tcase(suite, channel_tests());
    suite_add_tcase(suite, raw_tests());
    suite_add_tcase(suite, tls_tests());
    suite_add_tcase(suite, client_answer_tests());
    suite_add_tcase(suite, client_retry_tests());
    suite_add_tcase(suite, client_connection_tests());
    suite_add_tcase(suite, client_call_tests());
    suite_add_tcase(suite, server_conn_tests());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
