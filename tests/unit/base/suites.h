/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUITES_H
#define SUITES_H
/* The test cases of lib/base, one function per module. */
#include <check.h>

TCase *arena_case(void);
TCase *buf_case(void);
TCase *containers_case(void);
TCase *error_case(void);
TCase *id_case(void);
TCase *text_case(void);

#endif
