/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SUITES_H
#define WORKER_SUITES_H
#include <check.h>
#include <stddef.h>

TCase *segments_case(void);
TCase *journal_case(void);
TCase *lines_case(void);
TCase *shards_case(void);
TCase *exec_case(void);

/* A fresh directory of the test that runs; gone after it. */
const char *test_dir(void);
void test_dir_make(void);
void test_dir_remove(void);

#endif
