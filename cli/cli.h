/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CLI_H
#define CLI_CLI_H
/* The verbs of `plankton`. Each gets argv from its own name on and returns the exit status: 0 done,
 * 1 failed, 2 wrong usage. */
#include "base/error.h"

int verb_up(int argc, char **argv);
int verb_stop(int argc, char **argv);
int verb_status(int argc, char **argv);
int verb_migrate(int argc, char **argv);
int verb_admin(int argc, char **argv);
/* Of a running system; cli/verbs has a file for each noun. */
int verb_task(int argc, char **argv);
int verb_plan(int argc, char **argv);
int verb_run(int argc, char **argv);
int verb_bulk(int argc, char **argv);
int verb_doctor(int argc, char **argv);
int verb_logs(int argc, char **argv);
int verb_history(int argc, char **argv);
int verb_workers(int argc, char **argv);
int verb_keys(int argc, char **argv);
int verb_whoami(int argc, char **argv);
int verb_bench(int argc, char **argv);

/* Brings a database to the newest schema; prints nothing. */
MUST_USE enum status migrate_database(const char *url, struct error *err);
/* "plankton: message (REASON)" on stderr and a line for each violation; returns 1. */
int cli_fail(const struct error *err);
/* The same where lines and columns are those of a file. */
int cli_fail_in(const struct error *err, const char *file);
/* One such line: "  file:line:column: field: description, hint"; file may be NULL. */
void cli_print_problem(const char *file, const char *field, const char *description,
                       const char *hint, unsigned line, unsigned column);

#endif
