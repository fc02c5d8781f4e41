/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROUTES_UNESCAPE_H
#define ROUTES_UNESCAPE_H
#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"

/* Percent-decodes a path value to text; refuses broken escapes, NUL, and what is no UTF-8. With
 * keep_reserved "%2F" stays as it is (values of several segments). */
MUST_USE enum status unescape_text(struct slice value, bool keep_reserved, struct arena *arena,
                                   const char **ret, struct error *err);

#endif
