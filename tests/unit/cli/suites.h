/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_CLI_SUITES_H
#define TEST_CLI_SUITES_H
#include <check.h>

Suite *command_suite(void);
Suite *discover_suite(void);
Suite *values_suite(void);
Suite *words_suite(void);
Suite *errors_suite(void);

#endif
