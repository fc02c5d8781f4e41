/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROUTES_ROUTES_H
#define ROUTES_ROUTES_H
/*
 * The HTTP routes, made from the google.api.http rules of a descriptor set and from the generated
 * tables of methods; nobody writes a route by hand. A rule that cannot be served, or a method that
 * does not say who may call it, refuses the whole table, so that the program does not start.
 *
 * Templates: literals, {field}, {field=*}, {field=**} at the end, and a verb behind ":". A colon in
 * the last segment of a request's path always begins a verb (in an id it is written %3A). GET of
 * one path may be both a plain method and a server-streaming one; the client's Accept decides.
 */
#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"
#include "rpc/rpc.h"
#include "schema/schema.h"

#define ROUTE_SEGMENTS_MAX 32
#define ROUTE_VARIABLES_MAX 8

enum route_body {
    ROUTE_BODY_NONE,
    ROUTE_BODY_ALL,   /* body: "*" */
    ROUTE_BODY_FIELD, /* body: "field" */
};
struct route {
    const char *verb;     /* "GET" */
    const char *template; /* "/api/v1/tasks/{id}:cancel" */
    const char *service;  /* "plankton.v1.TaskController" */
    const struct schema_method *schema;
    const struct rpc_method *method;
    const char *variables[ROUTE_VARIABLES_MAX]; /* paths of the request's fields */
    size_t variable_count;
    enum route_body body;
    const struct schema_field *body_field; /* of ROUTE_BODY_FIELD */
    const char *response_body;             /* "" = the whole message */
    bool streams;                          /* the answer is a stream of events */
    /* The body is a document whose text is kept too: beside a Json body field stands a string field
     * `source`. Such a body may also be YAML. */
    bool takes_source;
    /* Fields of the request that travel in headers, and `wait`; NULL when it has none. */
    const struct schema_field *request_id, *etag, *after_event_id, *wait;
    bool has_etag; /* the answer has a field etag */
    /* POST on a collection: 201, and where the new thing is found: location_prefix + the answer's
     * id (location_id: its field, or "field.id"); NULL when that is nowhere. */
    bool creates;
    const char *location_prefix, *location_id;
};

struct routes;
MUST_USE enum status routes_new(const struct schema *schema,
                                const struct rpc_service_desc *const *services,
                                size_t service_count, struct routes **ret, struct error *err);
void routes_free(struct routes *routes); /* NULL allowed */
void routes_freep(struct routes **routes);
size_t routes_count(const struct routes *routes);
const struct route *routes_at(const struct routes *routes, size_t index);

enum route_outcome { ROUTE_FOUND, ROUTE_NO_PATH, ROUTE_NO_VERB };
struct route_match {
    const struct route *plain, *stream;       /* at least one when found */
    struct slice values[ROUTE_VARIABLES_MAX]; /* still escaped, within the path that was given */
    const char *allow;                        /* of ROUTE_NO_VERB, in the arena: "GET, PUT" */
};
/* path: escaped, without query. HEAD finds GET. */
enum route_outcome routes_match(const struct routes *routes, const char *verb, struct slice path,
                                struct arena *arena, struct route_match *ret);

#endif
