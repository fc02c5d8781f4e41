/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H
/*
 * The program's parts and one HTTP exchange. Everything runs on the loop thread. An exchange lives
 * in the arena of its request and ends with the one answer that is given to it.
 */
#include "base/list.h"
#include "edge/edge.h"
#include "http1/http1.h"
#include "pbjson/pbjson.h"
#include "routes/routes.h"
#include "service/tls.h"
#include "services/services.h"

#define GATEWAY_ANSWER_BYTES_MAX ((size_t)32 * 1024 * 1024) /* JSON of one answer or event */
#define GATEWAY_REQUEST_BYTES_MAX ((size_t)4 * 1024 * 1024) /* packed, to a service */
#define GATEWAY_STREAMS_MAX 1000u
#define GATEWAY_COOKIE "plankton_session"

struct gateway_settings {
    struct service_settings service; /* first */
    struct service_tls_settings tls;
    const char *listen, *controller, *logger, *ui_dir, *allowed_hosts;
    int64_t body_bytes_max, connections_max, streams_per_client;
    int64_t call_timeout_ms, wait_margin_ms, heartbeat_ms;
    int64_t header_timeout_ms, idle_timeout_ms, write_stall_ms;
    bool secure_cookies;
};

struct gateway_logins; /* src/session.c: failures by address */

struct gateway {
    struct service *service;
    struct loop *loop;
    const struct gateway_settings *settings;
    struct arena *arena; /* lives as long as the program */
    struct schema *schema;
    struct routes *routes;
    struct pbjson_registry *registry;
    struct rpc_channel *channels[SERVICES_BACKENDS];
    struct http1_server *server;
    struct edge_hosts hosts;
    struct list streams; /* open event streams */
    size_t stream_count;
    struct gateway_logins *logins;
    uint64_t id_prefix, id_next; /* of request ids */
};

struct exchange {
    struct gateway *gateway;
    struct http1_request *request;
    const char *request_id;
    const char *authorization; /* "Bearer …", NULL when there is no credential */
    bool by_cookie;            /* it came from the browser's session cookie */
    uint64_t started_us;
};

/* backends.c */
MUST_USE enum status backends_start(struct gateway *gateway, struct error *err);
void backends_stop(struct gateway *gateway);
/* NULL when all are connected, else which is not. */
const char *backends_missing(const struct gateway *gateway);

/* server.c */
MUST_USE enum status server_start(struct gateway *gateway, struct error *err);
void server_stop(struct gateway *gateway, void (*done)(void *userdata), void *userdata);
void server_free(struct gateway *gateway);

/* call.c: an exchange that is one method's call. */
void call_start(struct exchange *exchange, const struct route_match *match);
/* Metadata of every call made for an exchange: name, value, …, NULL; in the request's arena. */
const char *const *call_metadata(const struct exchange *exchange);

/* stream.c: a method whose answer is a stream of events. Takes the exchange over. */
void stream_start(struct exchange *exchange, const struct route *route,
                  const ProtobufCMessage *message);
void stream_end_all(struct gateway *gateway);

/* session.c */
void session_login(struct exchange *exchange);
void session_logout(struct exchange *exchange);
void session_init(struct gateway *gateway);

#endif
