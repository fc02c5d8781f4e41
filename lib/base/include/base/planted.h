/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_PLANTED_H
#define BASE_PLANTED_H
/*
 * Bugs planted on purpose, so that a test of a promise can be seen to fail when the promise is
 * broken. They exist only in programs built with PLANKTON_PLANTED, which are never installed;
 * there PLANKTON_PLANT=name breaks one promise. Everywhere else planted() is false, and the
 * compiler leaves nothing of it.
 */
#include <stdbool.h>

#ifdef PLANKTON_PLANTED
#include <stdlib.h>
#include <string.h>

static inline bool planted(const char *name)
{
    const char *plant = getenv("PLANKTON_PLANT");

    return plant && strcmp(plant, name) == 0;
}
#else
#define planted(name) false
#endif

#endif
