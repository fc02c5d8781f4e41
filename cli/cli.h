/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CLI_H
#define CLI_CLI_H
/* The verbs of `plankton`. Each gets argv from its own name on and returns the exit status: 0 done, 1 failed, 2 wrong usage. */
#include "base/error.h"

int verb_up(int argc, char **argv);
int verb_stop(int argc, char **argv);
int verb_status(int argc, char **argv);
int verb_migrate(int argc, char **argv);

/* Brings a database to the newest schema; prints nothing. */
MUST_USE enum status migrate_database(const char *url, struct error *err);
/* "plankton: message" on stderr; returns 1. */
int cli_fail(const struct error *err);

#endif
