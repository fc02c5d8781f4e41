/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include "base/slice.h"
#include "types/types.h"

const struct task_type *const task_types[] = {
    &task_type_noop,
    &task_type_hello,
    &task_type_shell,
    &task_type_sleep,
};
const unsigned task_types_count = ARRAY_LEN(task_types);

const struct task_type *task_type_find(const char *name)
{
    for (unsigned i = 0; i < task_types_count; i++) {
        if (strcmp(task_types[i]->name, name) == 0)
            return task_types[i];
    }
    return NULL;
}
