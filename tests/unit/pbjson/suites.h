/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_PBJSON_SUITES_H
#define TESTS_PBJSON_SUITES_H
#include <check.h>

Suite *suite_read(void);
Suite *suite_write(void);
Suite *suite_path(void);

#endif
