/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROUTES_TEMPLATE_H
#define ROUTES_TEMPLATE_H
/* Path templates of google.api.http, cut into segments. */
#include "routes/routes.h"

enum template_kind { TEMPLATE_LITERAL, TEMPLATE_ONE, TEMPLATE_REST };
struct template_segment {
    enum template_kind kind;
    const char *text;  /* of a literal, unescaped */
    const char *field; /* of a variable; NULL for a bare * or ** */
};
struct template
{
    struct template_segment segments[ROUTE_SEGMENTS_MAX];
    size_t count;
    const char *verb; /* behind the colon, "" when none */
};
MUST_USE enum status template_parse(const char *text, struct arena *arena, struct template *ret,
                                    struct error *err);

/* A request's path cut the same way; slices into the path, still escaped. False when it cannot
 * match anything: no leading slash, an empty segment, too many segments. */
struct path_parts {
    struct slice segments[ROUTE_SEGMENTS_MAX];
    size_t count;
    struct slice verb;
};
bool path_split(struct slice path, struct path_parts *ret);

#endif
