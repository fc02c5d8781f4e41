/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_VERBS_H
#define CLI_VERBS_H
/* What the nouns share: how a task looks, how a run is followed. */
#include "client/client.h"
#include "plankton/v1/plan.pb-c.h"
#include "plankton/v1/task.pb-c.h"

#define LIST_DEFAULT 50
#define LIST_MAX 100000
#define PRIORITY_MAX 9

const char *task_state_word(Plankton__V1__TaskState state, struct arena *arena);
const char *run_state_word(Plankton__V1__RunState state, struct arena *arena);
bool task_is_over(Plankton__V1__TaskState state);
bool run_is_over(Plankton__V1__RunState state);
/* All of a task, for people. */
void task_show(const Plankton__V1__Task *task, struct arena *arena);
/* "3.2 s": from start to end, or to now; "" when it has not begun. */
const char *task_span(const Plankton__V1__Task *task, struct arena *arena);
/* "CODE: message", or "" for NULL. */
const char *failure_text(const Plankton__V1__Failure *failure, struct arena *arena);

/* `task run`: see task_run.c. */
int task_run(struct invocation *in);
extern const struct command task_run_command;

/* Shows the run live until it is over: on a terminal a list that updates itself, else a line per
 * change; with -o json every update as it came. Ctrl-C leaves the run alone. The exit status: 0 the
 * run succeeded, 1 it did not. */
int run_follow(struct client *client, const char *run_id, bool json);

#endif
