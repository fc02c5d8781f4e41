/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROUTES_TABLE_H
#define ROUTES_TABLE_H
#include "template.h"

/* Routes of one path and verb word, by HTTP method. */
struct table_entry {
    const char *method; /* "GET" */
    const char *verb;   /* "cancel" or "" */
    const struct route *plain, *stream;
    struct table_entry *next;
};
/* Tree of segments: literals first, then the variable, then the rest. */
struct table_node {
    const char *text; /* literal that leads here */
    struct table_node *children, *next;
    struct table_node *one, *rest;
    struct table_entry *entries;
};
struct routes {
    struct arena *arena;
    struct route **list;
    size_t count;
    struct table_node root;
};
/* Refuses two routes for the same request. */
MUST_USE enum status table_add(struct routes *routes, const struct template *template,
                               const struct route *route, struct error *err);
/* Fills in what follows from the descriptors. */
MUST_USE enum status route_derive(struct route *route, const struct schema_rule *rule,
                                  const struct template *template, struct error *err);
/* After all routes are known: where created things are found. */
void route_derive_location(struct routes *routes, struct route *route);

#endif
