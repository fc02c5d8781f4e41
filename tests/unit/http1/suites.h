/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUITES_H
#define SUITES_H
/* The test cases of lib/http1, one function per module. */
#include <check.h>

TCase *message_case(void);
TCase *parser_case(void);
TCase *server_case(void);

#endif
