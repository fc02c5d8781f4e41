/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_JSON_SUITES_H
#define TESTS_JSON_SUITES_H
#include <check.h>

Suite *suite_check(void);
Suite *suite_dom(void);
Suite *suite_yaml(void);

#endif
