/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXEC_TREE_H
#define EXEC_TREE_H
/* The process tree below a process, from /proc. With a subreaper at its root no descendant can
 * leave it, whatever sessions it makes. */
#include <sys/types.h>
#include <stdbool.h>
#include <stddef.h>

/* Signals every descendant of root (not root itself). Returns how many there were; 0 also when
 * /proc cannot be read. */
size_t tree_signal(pid_t root, int signum);
/* Calls fn for each child of root. */
void tree_children(pid_t root, void (*fn)(pid_t pid, void *userdata), void *userdata);

#endif
