/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_POSTGRES_H
#define CLI_POSTGRES_H
/*
 * The private PostgreSQL cluster of `plankton up`: made once, socket only, scram, under an
 * unprivileged user (as root: `postgres`). It is no child of the launcher: if the launcher dies the
 * database runs on, and the next start adopts it. Calls block; the launcher makes them before its
 * loop runs or when the database has died.
 */
#include "datadir.h"

struct postgres {
    const struct datadir *dir;
    const char *bin;    /* directory of initdb and pg_ctl */
    const char *data;   /* cluster directory */
    const char *socket; /* directory of the socket */
    const char *log;    /* server log */
    const char *password;
    const char *url; /* for libpq; holds the password */
    int uid, gid;    /* of the server; -1 = our own */
};

/* Finds the installation, makes the cluster when there is none. */
MUST_USE enum status postgres_prepare(struct postgres *pg, const struct datadir *dir,
                                      struct arena *arena, struct error *err);
/* Starts it, or adopts the one that runs; waits until it takes connections. *ret_pid: the
 * postmaster. */
MUST_USE enum status postgres_start(struct postgres *pg, struct arena *arena, int *ret_pid,
                                    struct error *err);
/* Fast shutdown; returns when it has ended. */
void postgres_stop(struct postgres *pg, struct arena *arena);

#endif
