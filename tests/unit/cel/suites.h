/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_CEL_SUITES_H
#define TESTS_CEL_SUITES_H
#include <check.h>

Suite *suite_expression(void);
Suite *suite_template(void);

#endif
