/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_DATADIR_H
#define CLI_DATADIR_H
/*
 * The data directory of `plankton up`: keys, endpoints.json, logs, the lock that makes two
 * launchers of one directory impossible. Everything in it is private to its owner (0700, files
 * 0600).
 */
#include "base/arena.h"
#include "base/error.h"

#define DATADIR_DEFAULT ".plankton"

struct datadir {
    const char *path; /* absolute */
    int lock_fd;      /* -1 = not held; closed on exec */
};

/* Makes the directory if needed; all paths come from the arena. */
MUST_USE enum status datadir_open(const char *path, struct arena *arena, struct datadir *ret,
                                  struct error *err);
/* ALREADY_EXISTS when another launcher holds it. The lock file holds the launcher's pid. */
MUST_USE enum status datadir_lock(struct datadir *dir, struct error *err);
/* Pid of the launcher that holds the directory, 0 when nobody does. */
int datadir_holder(const struct datadir *dir);
void datadir_close(struct datadir *dir);
const char *datadir_path(const struct datadir *dir, struct arena *arena, const char *name);
/* Makes what is missing of admin.key, worker.key (API keys) and cluster.key (32 bytes). */
MUST_USE enum status datadir_make_keys(const struct datadir *dir, struct arena *arena,
                                       struct error *err);
/* Whole file as text without its last newline; NOT_FOUND. At most 64 KiB. */
MUST_USE enum status datadir_read(const struct datadir *dir, struct arena *arena, const char *name,
                                  char **ret, struct error *err);
/* Written beside and renamed, 0600. */
MUST_USE enum status datadir_write(const struct datadir *dir, struct arena *arena, const char *name,
                                   const void *data, size_t len, struct error *err);

#endif
