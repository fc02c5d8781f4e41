/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TYPES_TYPES_H
#define TYPES_TYPES_H
/*
 * The table of task types. A type starts an attempt and ends it, then or later, by exactly one of
 * the attempt_* calls of pool/pool.h. instant   ends within start; costs no slot, no journal, no
 * copy of its lease (attempt->lease is valid within start only) async     ends later without a
 * process of its own; losing it costs a repetition and no side effect, so it is not journaled
 *   process   has side effects: its beginning is journaled, its result is on the disk before it is
 * sent
 */
#include <stdint.h>

struct attempt;
enum task_kind { TASK_INSTANT, TASK_ASYNC, TASK_PROCESS };
struct task_type {
    const char *name;
    enum task_kind kind;
    void (*start)(struct attempt *attempt);
    /* Ends it early; grace_ms 0 = at once. May come again with a shorter grace. NULL for instant
     * types. */
    void (*stop)(struct attempt *attempt, uint32_t grace_ms);
    /* Looks for news of its progress and sets attempt->progress_changed; may be NULL. */
    void (*poll)(struct attempt *attempt);
};

extern const struct task_type *const task_types[];
extern const unsigned task_types_count;
const struct task_type *task_type_find(const char *name); /* or NULL */

extern const struct task_type task_type_hello, task_type_noop, task_type_shell, task_type_sleep;

#endif
