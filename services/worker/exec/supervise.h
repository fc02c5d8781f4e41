/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXEC_SUPERVISE_H
#define EXEC_SUPERVISE_H
/*
 * The supervisor of one attempt: this program run again as `plankton-worker __exec DIR`, between
 * the worker and the task. It is the subreaper of whatever the task starts, so that nothing escapes
 * by forking twice or making sessions, and it outlives the worker just long enough to kill the task
 * when the worker dies. Files in DIR: `spec` (in), `pid` and `failure` (out: why the task could not
 * start). Signals from the worker: SIGTERM is passed on to the task and its descendants;
 * SUPERVISE_KILL kills them all. It ends as the task ended, after no descendant is left;
 * SUPERVISE_NOT_STARTED with a `failure` file when the task could not start.
 */
#include <signal.h>

#define SUPERVISE_COMMAND "__exec"
#define SUPERVISE_KILL SIGUSR1
#define SUPERVISE_NOT_STARTED 125

int supervise_main(const char *dir);

#endif
