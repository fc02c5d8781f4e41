/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_DETACH_H
#define CLI_DETACH_H
/*
 * `--detach`: the launcher goes on in a child of its own session while the parent passes on what it
 * prints until it is ready. Without detach_begin, detach_print is plain standard output.
 */
#include "base/macros.h"

/* True in the parent (with the exit status to return), false in the child, whose output goes on to
 * `log`. */
bool detach_begin(const char *log, int *ret_status);
void detach_print(const char *text);
void detach_ready(void); /* the parent returns 0 */

#endif
