/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One method's call for one request. The exchange ends in closed_cb, whatever happens: the client
 * may go, the service may not answer, the deadline may pass; the call always closes.
 */
#include "reply.h"
#include "routes/bind.h"
#include "routes/render.h"

#define REPLAYED_METADATA "x-plankton-replayed"

struct call {
    struct exchange *exchange;
    const struct route *route;
    struct rpc_call *rpc;
    struct buf body;
    const char *etag, *location;
    bool as_lines; /* text/plain was asked for */
    bool answered; /* body holds the answer */
    bool failed;   /* the answer has no HTTP form: err says why */
    struct error err;
};

static const char *body_field(const struct route *route)
{
    return route->body_field ? route->body_field->name : NULL;
}

/* ---- the answer ---- */

static const char *quoted(const char *etag, struct arena *arena)
{
    return etag && etag[0] != '"' ? arena_printf(arena, "\"%s\"", etag) : etag;
}

static bool is_plain_id(const char *id)
{
    return id[strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")] ==
           '\0';
}

static void take_headers(struct call *call, const ProtobufCMessage *message)
{
    const struct route *route = call->route;
    struct arena *arena = call->exchange->request->arena;
    const char *id;

    if (route->has_etag)
        call->etag = quoted(arena_strdup(arena, bind_text(message, "etag")), arena);
    if (!route->creates || !route->location_prefix)
        return;
    id = bind_text(message, route->location_id);
    if (id && is_plain_id(id))
        call->location = arena_printf(arena, "%s%s", route->location_prefix, id);
}

static enum status render(struct call *call, const ProtobufCMessage *message)
{
    static const struct pbjson_options options = {.defaults = true};
    struct pbjson_registry *registry = call->exchange->gateway->registry;
    const char *field = call->route->response_body;

    if (call->as_lines)
        return render_lines(message, &call->body);
    if (field[0])
        return pbjson_field_to_text(registry, message, field, &options, &call->body, &call->err);
    return pbjson_to_text(registry, message, &options, &call->body, &call->err);
}

static void message_cb(struct rpc_call *rpc, const ProtobufCMessage *message, void *userdata)
{
    struct call *call = userdata;

    if (call->answered || call->failed)
        return;
    take_headers(call, message);
    call->answered = render(call, message) == STATUS_OK;
    call->failed = !call->answered;
}

static bool not_modified(const struct call *call)
{
    const struct http1_request *request = call->exchange->request;

    return call->etag && (str_eq(request->method, "GET") || str_eq(request->method, "HEAD")) &&
           edge_matches_etag(http1_header(request, "if-none-match"), call->etag);
}

static void answer(struct call *call, struct rpc_call *rpc)
{
    bool replayed = str_eq(rpc_call_metadata(rpc, REPLAYED_METADATA), "1");
    bool created = call->route->creates && !replayed;
    const char *type = call->as_lines ? "text/plain; charset=utf-8" : "application/json";
    bool unchanged = not_modified(call);
    struct reply reply;

    reply_init(&reply, call->exchange, unchanged ? 304 : created ? 201 : 200, type);
    reply_header(&reply, "Location", call->location);
    reply_header(&reply, "ETag", call->etag);
    if (call->etag)
        reply_header(&reply, "Cache-Control", "private, no-cache");
    if (!unchanged)
        reply.body = buf_slice(&call->body);
    reply_send(call->exchange, &reply);
}

static void closed_cb(struct rpc_call *rpc, enum status status, const struct error *err,
                      void *userdata)
{
    struct call *call = userdata;
    struct buf body = call->body; /* outlives the exchange, which ends with its answer */

    call->rpc = NULL;
    if (status != STATUS_OK)
        reply_problem_about(call->exchange, err, body_field(call->route));
    else if (call->answered)
        answer(call, rpc);
    else
        reply_error(call->exchange, STATUS_INTERNAL, NULL,
                    call->failed ? "the answer has no JSON form" : "the service gave no answer");
    buf_fini(&body);
}

/* The client has gone: the call is not worth going on with. closed_cb still ends the exchange. */
static void client_gone_cb(struct http1_request *request, void *userdata)
{
    struct call *call = userdata;

    if (call->rpc)
        rpc_call_cancel(call->rpc);
}

/* ---- the request ---- */

static enum status read_content(struct exchange *exchange, const struct route *route,
                                enum bind_content *ret, struct error *err)
{
    switch (edge_content(http1_header(exchange->request, "content-type"))) {
    case EDGE_JSON:
        *ret = BIND_JSON;
        return STATUS_OK;
    case EDGE_YAML:
        *ret = BIND_YAML;
        if (route->takes_source)
            return STATUS_OK;
        break;
    case EDGE_NONE:
        *ret = BIND_NO_CONTENT;
        if (!exchange->request->body.len)
            return STATUS_OK;
        break;
    default:
        if (!exchange->request->body.len && route->body == ROUTE_BODY_NONE)
            return STATUS_OK;
        break;
    }
    return error_field(err, STATUS_INVALID_ARGUMENT, "UNSUPPORTED_TYPE", NULL,
                       route->takes_source
                           ? "Content-Type must be application/json or application/yaml"
                           : "Content-Type must be application/json");
}

static enum status read_query(const struct http1_request *request, struct bind_request *bind,
                              struct error *err)
{
    struct bind_pair *pairs;
    size_t pos = 0, count = 0;
    struct slice name, value;

    if (!request->query[0])
        return STATUS_OK;
    pairs = ARENA_ARRAY(request->arena, struct bind_pair, BIND_QUERY_MAX + 1);
    while (count <= BIND_QUERY_MAX && http1_query_next(request, &pos, &name, &value))
        pairs[count++] = (struct bind_pair){.name = name, .value = value};
    if (pos == SIZE_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "broken escape in the query");
    bind->query = pairs;
    bind->query_count = count;
    return STATUS_OK;
}

static enum status read_message(struct exchange *exchange, const struct route_match *match,
                                const struct route *route, ProtobufCMessage **ret,
                                int64_t *ret_wait_ms, struct error *err)
{
    const struct http1_request *request = exchange->request;
    struct bind_request bind = {
        .route = route,
        .values = match->values,
        .idempotency_key = http1_header(request, "idempotency-key"),
        .if_match = http1_header(request, "if-match"),
        .last_event_id = http1_header(request, "last-event-id"),
        .body = request->body,
    };
    enum status st = read_content(exchange, route, &bind.content, err);

    if (st == STATUS_OK)
        st = read_query(request, &bind, err);
    if (st == STATUS_OK)
        st =
            bind_message(exchange->gateway->registry, &bind, request->arena, ret, ret_wait_ms, err);
    if (st == STATUS_OK && protobuf_c_message_get_packed_size(*ret) > GATEWAY_REQUEST_BYTES_MAX)
        st = error_field(err, STATUS_RESOURCE_EXHAUSTED, "PAYLOAD_TOO_LARGE", NULL,
                         "the request is larger than 4 MiB");
    return st;
}

const char *const *call_metadata(const struct exchange *exchange)
{
    const struct http1_request *request = exchange->request;
    struct slice trace = http1_header(request, "traceparent");
    const char **metadata = ARENA_ARRAY(request->arena, const char *, 5);

    metadata[0] = "x-request-id";
    metadata[1] = exchange->request_id;
    if (trace.data && edge_request_id_valid(trace)) {
        metadata[2] = "traceparent";
        metadata[3] = arena_strndup(request->arena, trace.data, trace.len);
    }
    return metadata;
}

static void start_unary(struct exchange *exchange, const struct route *route,
                        const ProtobufCMessage *message, int64_t wait_ms, bool as_lines)
{
    static const struct rpc_callbacks callbacks = {.on_message = message_cb, .on_close = closed_cb};
    struct gateway *gateway = exchange->gateway;
    const struct gateway_settings *settings = gateway->settings;
    struct call *call = ARENA_NEW(exchange->request->arena, struct call);
    int64_t timeout_ms = MAX_OF(settings->call_timeout_ms, wait_ms + settings->wait_margin_ms);
    struct rpc_call_options options = {
        .timeout_ms = (uint64_t)timeout_ms,
        .authorization = exchange->authorization,
        .metadata = call_metadata(exchange),
    };

    call->exchange = exchange;
    call->route = route;
    call->as_lines = as_lines;
    buf_init(&call->body, GATEWAY_ANSWER_BYTES_MAX);
    call->rpc = rpc_channel_call_with(gateway->channels[services_backend_of(route->service)],
                                      route->method, &options, message, &callbacks, call);
    http1_request_on_close(exchange->request, client_gone_cb, call);
}

void call_start(struct exchange *exchange, const struct route_match *match)
{
    struct slice accept = http1_header(exchange->request, "accept");
    bool events = edge_accepts(accept, "text/event-stream");
    const struct route *route =
        match->stream && (events || !match->plain) ? match->stream : match->plain;
    bool as_lines = !route->streams && edge_accepts(accept, "text/plain") &&
                    !edge_accepts(accept, "application/json") && render_has_lines(route);
    ProtobufCMessage *message = NULL;
    struct error err = {0};
    int64_t wait_ms = 0;

    if (route->streams && str_eq(exchange->request->method, "HEAD")) {
        reply_not_allowed(exchange, "GET"); /* a stream has no head that is known beforehand */
        return;
    }
    if (read_message(exchange, match, route, &message, &wait_ms, &err) != STATUS_OK) {
        reply_problem_about(exchange, &err, body_field(route));
        return;
    }
    if (route->streams)
        stream_start(exchange, route, message);
    else
        start_unary(exchange, route, message, wait_ms, as_lines);
}
