/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIVE_H
#define LIVE_H
/* A loop and a connection to the test server for each test; answers are waited for, never slept
 * for. */
#include <check.h>
#include "db/db.h"

struct live_answer {
    bool done;
    enum db_outcome outcome;
    struct error err;
    int64_t value; /* first column of the last statement's first row, when it is an integer */
    size_t rows, results;
};

extern struct loop *live_loop;
extern struct db_conn *live_conn;

void live_setup(void);
void live_teardown(void);
struct db_conn *live_connect(const struct db_options *options); /* up when it returns */
const char *live_url(void);
void live_wait(const bool *flag); /* runs the loop until it is true; a test fails after 20 s */
void live_wait_state(struct db_conn *conn, bool up);
void live_done(enum db_outcome outcome, struct db_result *const *results, size_t n,
               const struct error *err, void *userdata); /* userdata: struct live_answer */
struct live_answer live_query(struct db_conn *conn, const struct db_sql *sql,
                              const struct db_param *params, int n);
void live_run(const char *command); /* a shell command that must succeed */

TCase *txn_tcase(void);
TCase *conn_tcase(void);
TCase *migrate_tcase(void);

#endif
