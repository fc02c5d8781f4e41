/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROUTES_BIND_H
#define ROUTES_BIND_H
/*
 * From an HTTP request to the method's message: path variables, body, query and the headers that
 * stand for fields. By the rules of google.api.http: what is neither in the path nor in the body is
 * a query parameter, by proto or JSON name; anything else is refused with a hint.
 */
#include "pbjson/pbjson.h"
#include "routes/routes.h"

#define BIND_QUERY_MAX 256 /* parameters */

enum bind_content { BIND_NO_CONTENT, BIND_JSON, BIND_YAML };
struct bind_pair {
    struct slice name, value;
};
struct bind_request {
    const struct route *route;
    const struct slice *values;    /* of the match, escaped */
    const struct bind_pair *query; /* unescaped */
    size_t query_count;
    struct slice idempotency_key, if_match, last_event_id; /* data NULL = not given */
    struct slice body;
    enum bind_content content;
};
/* *ret_wait_ms: the value of `wait`, 0 when not given. Messages live in the arena. Error paths name
 * the parameter or the body's field. */
MUST_USE enum status bind_message(struct pbjson_registry *registry,
                                  const struct bind_request *request, struct arena *arena,
                                  ProtobufCMessage **ret, int64_t *ret_wait_ms, struct error *err);
/* A string field of a message by its proto name, or "field.id"; NULL when empty or absent. */
const char *bind_text(const ProtobufCMessage *message, const char *path);

#endif
