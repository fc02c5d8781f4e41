/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUITES_H
#define SUITES_H
#include <check.h>

TCase *codec_tests(void);
TCase *wire_tests(void);
TCase *call_tests(void);
TCase *compress_tests(void);
TCase *service_tests(void);
TCase *readme_tests(void);
TCase *channel_tests(void);
TCase *raw_tests(void);
TCase *glue_tests(void);
TCase *tls_tests(void);
TCase *client_answer_tests(void);
TCase *client_retry_tests(void);
TCase *client_connection_tests(void);
TCase *client_call_tests(void);
TCase *server_conn_tests(void);

#endif
