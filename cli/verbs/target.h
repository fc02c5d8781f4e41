/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_TARGET_H
#define CLI_TARGET_H
/* An id on the command line that may be a run's or a task's: the controller says which. */
#include "client/client.h"

struct target {
    const char *id;
    bool is_run;
};

/* With a step: the task of that step of the run. NOT_FOUND when neither is known, or no such step.
 */
MUST_USE enum status target_find(struct client *client, const char *id, const char *step,
                                 struct target *ret, struct error *err);

#endif
