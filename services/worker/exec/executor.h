/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXEC_EXECUTOR_H
#define EXEC_EXECUTOR_H
/*
 * Runs processes for attempts: each in a fresh directory STATE/attempts/TASK-N, under a supervisor
 * (exec/supervise.h), its output read line by line. A process is stopped by SIGTERM, then the kill
 * of its whole tree; should a supervisor itself be killed, what it leaves behind comes to this
 * process (a subreaper) and is swept.
 */
#include "pool/pool.h"

#define EXEC_OUTPUT_BYTES_MAX (256u << 10)
#define EXEC_KILL_MS 2000     /* from the order to kill the tree to the kill of the supervisor */
#define EXEC_DRAIN_MS 1000    /* for output still in the pipes when everything has ended */
#define EXEC_LEFTOVER_MS 5000 /* for supervisors of a dead predecessor */

struct executor;
struct task_user {
    long uid, gid; /* -1 = the worker's own */
};

/* Clears what a predecessor left; waits for its supervisors to end. */
MUST_USE enum status executor_new(struct worker *worker, struct executor **ret, struct error *err);
void executor_free(struct executor *executor);
bool executor_drops_user(const struct executor *executor);

/* Starts argv for the attempt, or ends the attempt with a failure. */
void process_start(struct executor *executor, struct attempt *attempt, char **argv);
void process_stop(struct attempt *attempt, uint32_t grace_ms);
void process_poll(struct attempt *attempt);

#endif
