/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DB_SUITES_H
#define DB_SUITES_H
#include <check.h>

TCase *value_tcase(void);
TCase *hosts_tcase(void);

#endif
