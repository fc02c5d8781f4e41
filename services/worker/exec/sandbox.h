/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXEC_SANDBOX_H
#define EXEC_SANDBOX_H
/*
 * What a task's process may do. Level `standard` narrows part by part, as far as this version goes;
 * what it lacks is named by sandbox_missing and told to the controller. Level `none` keeps the
 * session and the kill of the whole tree only.
 */
#include "exec/spec.h"

/* In the task's process, between fork and exec: own session, default signals, limits, user,
 * directory. NULL, or what failed (errno). */
const char *sandbox_enter(const struct exec_spec *spec, pid_t parent);
const char *sandbox_have(bool drops_user); /* comma-separated parts, for the worker's labels */
const char *sandbox_missing(bool drops_user);

#endif
