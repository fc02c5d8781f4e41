/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SPOOL_STATE_DIR_H
#define SPOOL_STATE_DIR_H
/*
 * The worker's directory: locked for as long as the process lives, so that one worker id is never
 * two processes of one machine. lock          taken with flock worker.id     issued by the
 * controller results.N     result journal      logs.N   log spool attempts/     a directory for
 * each running process
 */
#include "base/error.h"

#define WORKER_ID_BYTES 128 /* of text, with its NUL */

struct state_dir {
    char *path;
    int lock_fd;
    char worker_id[WORKER_ID_BYTES]; /* "" until the controller has issued one */
};

/* Makes what is missing. searchable: other users may pass through it to their own task directories.
 * FAILED_PRECONDITION when another process has it. */
MUST_USE enum status state_dir_open(struct state_dir *dir, const char *path, bool searchable,
                                    struct error *err);
MUST_USE enum status state_dir_set_worker_id(struct state_dir *dir, const char *worker_id,
                                             struct error *err);
void state_dir_close(struct state_dir *dir);

#endif
