/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_DUTIES_H
#define WORKER_DUTIES_H
/*
 * Start and stop, in order: spool (state directory, journal, log spool), pool (attempts and
 * processes), session (streams). Stopping drains the session first, then waits a moment for the log
 * lines, then closes the files.
 */
#include "worker.h"

#define WORKER_DUTIES 3
extern const struct service_duty worker_duties[WORKER_DUTIES];

#endif
