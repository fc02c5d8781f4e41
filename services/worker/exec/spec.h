/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXEC_SPEC_H
#define EXEC_SPEC_H
/*
 * What the supervisor of one attempt is told, in a file that only the worker can write:
 * NUL-terminated entries, the first character says what each is. The task's environment travels
 * here and not as the supervisor's own, so that LD_PRELOAD and its like reach the task only.
 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

#define SPEC_BYTES_MAX (4u << 20)

struct exec_spec {
    const char *cwd;
    long uid, gid; /* -1 = keep */
    bool narrow;   /* sandbox level standard; false: none */
    unsigned long files_max;
    char **argv, **env; /* NULL-terminated */
};

MUST_USE enum status exec_spec_write(const char *path, const struct exec_spec *spec,
                                     struct error *err);
MUST_USE enum status exec_spec_read(const char *path, struct arena *arena, struct exec_spec *ret,
                                    struct error *err);

#endif
