/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROUTES_RENDER_H
#define ROUTES_RENDER_H
/* From a method's answer to what goes over HTTP besides plain JSON: server-sent events, bare text.
 */
#include "pbjson/pbjson.h"
#include "routes/routes.h"

/* One event: `id` from the field event_id, `event` the name of the oneof's case that is set, or
 * else of the first list of messages, or else "message"; `data` the whole message as JSON. */
MUST_USE enum status render_event(struct pbjson_registry *registry, const struct route *route,
                                  const ProtobufCMessage *message, struct buf *out,
                                  struct error *err);
/* The name alone. */
const char *render_event_name(const struct route *route, const ProtobufCMessage *message);
/* Whether the answer has a list `lines` of messages with `text`. */
bool render_has_lines(const struct route *route);
/* Their texts, a newline after each but before one that is marked `continued`. */
MUST_USE enum status render_lines(const ProtobufCMessage *message, struct buf *out);

#endif
