/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_PLAN_SUITES_H
#define TESTS_PLAN_SUITES_H
#include <check.h>

Suite *suite_compile(void);
Suite *suite_context(void);
Suite *suite_graph(void);
Suite *suite_input(void);
Suite *suite_schema(void);

#endif
