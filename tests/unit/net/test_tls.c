/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include "tls_fixture.h"

int main(void)
{
    Suite *suite = suite_create("net_tls");
    SRunner *runner = srunner_create(suite);

    suite_add_tcase(suite, tls_handshake_tests());
    suite_add_tcase(suite, tls_stream_tests());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
