/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H
/* A borrowed run of bytes. Never owns, never NUL-terminated by promise. */
#include <string.h>
#include "base/macros.h"

struct slice {
    const char *data;
    size_t len;
};

static inline struct slice slice_of(const char *text)
{
    return (struct slice){text, text ? strlen(text) : 0};
}
static inline bool slice_eq(struct slice a, struct slice b)
{
    /* b is the constant where there is one: its length tells the compiler how to compare. */
    return a.len == b.len && (b.len == 0 || memcmp(a.data, b.data, b.len) == 0);
}
static inline bool slice_is(struct slice a, const char *text)
{
    return slice_eq(a, slice_of(text));
}
static inline bool str_eq(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

#endif
