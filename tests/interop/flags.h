/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INTEROP_FLAGS_H
#define INTEROP_FLAGS_H
/*
 * Flags as the interoperability programs of all languages take them: --name=value, and --name or
 * --name=true for a bool. A flag that the table does not name is refused, so that a script never
 * believes in one that did nothing.
 */
#include "base/macros.h"

/* Exit statuses of both programs. */
enum { INTEROP_PASSED = 0, INTEROP_FAILED = 1, INTEROP_USAGE = 2 };

struct flag {
    const char *name;
    /* Exactly one of these; what they point to holds the default. */
    const char **text;
    int64_t *number; /* not negative */
    bool *yes;
};
/* False: what is wrong was printed to stderr. Texts point into argv. */
MUST_USE bool flags_read(const struct flag *flags, size_t count, int argc, char **argv);

#endif
