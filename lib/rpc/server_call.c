/* SPDX-License-Identifier: Apache-2.0 */
/* One call on the server: from request headers over authorizer and handler to the trailers. */
#include <stdio.h>
#include "internal.h"

#define SLICE(text) ((struct slice){text, sizeof(text) - 1})
#define HEADERS_FIXED 4  /* :status, content-type, grpc-encoding, grpc-accept-encoding */
#define TRAILERS_FIXED 4 /* grpc-status, grpc-message, details, grpc-accept-encoding */

static const struct slice status_texts[] = {
    SLICE("0"),  SLICE("1"),  SLICE("2"),  SLICE("3"),  SLICE("4"),  SLICE("5"),
    SLICE("6"),  SLICE("7"),  SLICE("8"),  SLICE("9"),  SLICE("10"), SLICE("11"),
    SLICE("12"), SLICE("13"), SLICE("14"), SLICE("15"), SLICE("16"),
};
static const struct h2_header ok_headers[] = {
    {SLICE(":status"), SLICE("200")},
    {SLICE("content-type"), SLICE("application/grpc")},
};
static const struct h2_header accept_encoding = {SLICE("grpc-accept-encoding"),
                                                 SLICE(RPC_ACCEPT_ENCODING)};
static const struct h2_header ok_trailers[] = {{SLICE("grpc-status"), SLICE("0")}};

static size_t add_headers(struct h2_header *out, size_t n, const struct rpc_header *list)
{
    for (; list; list = list->next)
        out[n++] = (struct h2_header){list->name, list->value};
    return n;
}

/* Response headers, once, before the first message or the trailers. */
static void send_headers(struct rpc_call *call)
{
    size_t n = 2;

    if (call->headers_sent)
        return;
    call->headers_sent = true;
    if (!call->headers_out && call->encoding_out == RPC_IDENTITY && !call->encoding_named) {
        h2_respond(&call->stream, ok_headers, ARRAY_LEN(ok_headers), false);
        return;
    }
    struct h2_header *headers = arena_alloc(
        &call->arena, (HEADERS_FIXED + rpc__header_count(call->headers_out)) * sizeof *headers);
    memcpy(headers, ok_headers, sizeof ok_headers);
    if (call->encoding_out != RPC_IDENTITY)
        headers[n++] = (struct h2_header){
            SLICE("grpc-encoding"),
            slice_of(rpc__compression_name((enum rpc_compression)call->encoding_out))};
    /* Of use only to a client that compresses. */
    if (call->encoding_named)
        headers[n++] = accept_encoding;
    n = add_headers(headers, n, call->headers_out);
    h2_respond(&call->stream, headers, n, false);
}

static bool can_end(const struct rpc_call *call)
{
    return !call->finished && !call->closed && call->stream.conn;
}

/* Marks the end of our side; the stream's close will tell the user. */
static void end_call(struct rpc_call *call, enum status status)
{
    call->finished = true;
    call->final_status = status;
    rpc__input_close(call);
}

void rpc_call_finish(struct rpc_call *call)
{
    size_t n = 1;

    if (!can_end(call))
        return;
    end_call(call, STATUS_OK);
    send_headers(call);
    if (!call->trailers_out) {
        h2_stream_end(&call->stream, ok_trailers, 1);
        return;
    }
    struct h2_header *trailers =
        arena_alloc(&call->arena, (1 + rpc__header_count(call->trailers_out)) * sizeof *trailers);
    trailers[0] = ok_trailers[0];
    n = add_headers(trailers, n, call->trailers_out);
    h2_stream_end(&call->stream, trailers, n);
}

void rpc_call_reply(struct rpc_call *call, const ProtobufCMessage *message)
{
    struct error err;

    if (!can_end(call))
        return;
    enum status st = rpc_call_send(call, message);
    if (st == STATUS_OK) {
        rpc_call_finish(call);
        return;
    }
    error_set(&err, st, "the response is larger than %u bytes, or too many bytes wait to be read",
              RPC_MESSAGE_BYTES_MAX);
    rpc_call_fail(call, &err);
}

void rpc_call_fail(struct rpc_call *call, const struct error *err)
{
    size_t n = 0, custom = rpc__header_count(call->trailers_out);
    enum status status = err->status;
    struct slice details;

    if (!can_end(call))
        return;
    if (status == STATUS_OK || status > STATUS_UNAUTHENTICATED)
        status = STATUS_UNKNOWN; /* a failure without a code must not look like success */
    end_call(call, status);
    struct h2_header *block =
        arena_alloc(&call->arena, (2 + TRAILERS_FIXED + custom) * sizeof *block);
    if (!call->headers_sent) {
        memcpy(block, ok_headers, sizeof ok_headers);
        n = ARRAY_LEN(ok_headers);
    }
    block[n++] = (struct h2_header){SLICE("grpc-status"), status_texts[status]};
    if (err->message[0])
        block[n++] = (struct h2_header){SLICE("grpc-message"),
                                        rpc__percent_encode(&call->arena, err->message)};
    details = rpc__details_encode(&call->arena, status, err);
    if (details.len > 0)
        block[n++] = (struct h2_header){SLICE("grpc-status-details-bin"), details};
    if (call->encoding_unknown)
        block[n++] = accept_encoding;
    n = add_headers(block, n, call->trailers_out);
    if (!call->headers_sent) {
        call->headers_sent = true;
        h2_respond(&call->stream, block, n, true);
    } else {
        h2_stream_end(&call->stream, block, n);
    }
}

enum status rpc__server_send(struct rpc_call *call, const ProtobufCMessage *message)
{
    enum status st;

    if (!can_end(call))
        return STATUS_UNAVAILABLE;
    st = rpc__send(call, message);
    if (st == STATUS_OK)
        send_headers(call);
    return st;
}

void rpc_call_set_header_bin(struct rpc_call *call, const char *name, struct slice value)
{
    if (!call->headers_sent)
        rpc__metadata_add(call, &call->headers_out, name, value);
}

void rpc_call_set_header(struct rpc_call *call, const char *name, const char *value)
{
    rpc_call_set_header_bin(call, name, slice_of(value));
}

void rpc_call_set_trailer_bin(struct rpc_call *call, const char *name, struct slice value)
{
    rpc__metadata_add(call, &call->trailers_out, name, value);
}

void rpc_call_set_trailer(struct rpc_call *call, const char *name, const char *value)
{
    rpc_call_set_trailer_bin(call, name, slice_of(value));
}

/* Tells the handler that it is over, once. */
void rpc__server_close(struct rpc_call *call, enum status status, const char *why)
{
    if (call->closed)
        return;
    call->closed = true;
    rpc__input_close(call);
    rpc__call_unlist(call);
    rpc__cancel_children(call);
    if (call->handed_out && call->callbacks.on_close) {
        struct error err = {0};
        if (status != STATUS_OK)
            error_set(&err, status, "%s", why);
        call->callbacks.on_close(call, status, &err, call->userdata);
    }
}

void rpc__server_expired(struct rpc_call *call)
{
    struct error err = {0};

    rpc_call_ref(call);
    if (call->finished) {
        /* The peer has had its time and does not take the answer. */
        h2_stream_rst(&call->stream, H2_CANCEL);
    } else {
        error_set(&err, STATUS_DEADLINE_EXCEEDED, "deadline exceeded");
        h2_stream_drop_output(&call->stream);
        rpc_call_fail(call, &err);
        rpc__server_close(call, STATUS_DEADLINE_EXCEEDED, err.message);
    }
    rpc_call_unref(call);
}

void rpc__server_input_failed(struct rpc_call *call, const struct error *err)
{
    rpc_call_fail(call, err);
}

static struct h2_stream *on_open(struct h2_conn *h2, void *userdata)
{
    struct rpc_conn *conn = userdata;
    struct rpc_call *call = rpc__call_new(&conn->server->end);

    call->server = conn->server;
    call->conn = conn;
    return &call->stream;
}

static void on_pseudo(struct rpc_call *call, struct slice name, struct slice value)
{
    if (slice_eq(name, SLICE(":path"))) {
        const struct rpc_route *route = rpc__server_find(call->server, value);
        if (!route)
            return;
        call->method = route->method;
        call->handler = route->handler;
        call->service = route->service;
        call->admitted = route->open;
    } else if (slice_eq(name, SLICE(":method"))) {
        call->is_post = slice_eq(value, SLICE("POST"));
        call->is_head = slice_eq(value, SLICE("HEAD"));
    }
}

static void on_reserved(struct rpc_call *call, struct slice name, struct slice value)
{
    uint64_t timeout_us;

    if (slice_eq(name, SLICE("grpc-timeout"))) {
        if (call->deadline_us != 0 || !rpc__timeout_parse(value, &timeout_us))
            call->timeout_bad = true;
        else
            rpc__call_set_deadline(call, clock_monotonic_us() + timeout_us);
    } else if (slice_eq(name, SLICE("grpc-encoding"))) {
        enum rpc_compression compression = RPC_IDENTITY;
        call->encoding_unknown = !rpc__compression_parse(value, &compression);
        call->encoding_in = (uint8_t)compression;
        call->encoding_named = true;
    } else if (slice_eq(name, SLICE("grpc-accept-encoding"))) {
        call->peer_accepts = (uint8_t)rpc__compression_list_parse(value);
    } else if (rpc__metadata_value_is_valid(value)) {
        rpc__header_add(call, &call->metadata_in, name, value); /* e.g. grpc-trace-bin */
    }
}

static void on_header(struct h2_stream *stream, struct slice name, struct slice value)
{
    struct rpc_call *call = CONTAINER_OF(stream, struct rpc_call, stream);

    if (name.len == 0 || call->headers_done)
        return;
    if (name.data[0] == ':') {
        on_pseudo(call, name, value);
    } else if (name.len > 5 && memcmp(name.data, "grpc-", 5) == 0) {
        on_reserved(call, name, value);
    } else if (slice_eq(name, SLICE("content-type"))) {
        call->content_type_ok = rpc__content_type_is_grpc(value);
    } else if (!slice_eq(name, SLICE("te")) && rpc__metadata_value_is_valid(value)) {
        /* What is not a legal value is dropped, so that nobody can pass it on. nghttp2 has checked
         * the name. */
        rpc__header_add(call, &call->metadata_in, name, value);
    }
}

/* The answer to what is not gRPC, as any web server would give it. */
static void respond_plain(struct rpc_call *call, struct slice status, const char *body)
{
    size_t len = strlen(body), n = 0;
    struct h2_header *headers = arena_alloc(&call->arena, 3 * sizeof *headers);
    char *out = call->is_head ? NULL : h2_stream_reserve(&call->stream, len);

    headers[n++] = (struct h2_header){SLICE(":status"), status};
    headers[n++] = (struct h2_header){SLICE("content-type"), SLICE("text/plain; charset=utf-8")};
    if (slice_eq(status, SLICE("405")))
        headers[n++] = (struct h2_header){SLICE("allow"), SLICE("POST")};
    end_call(call, STATUS_UNKNOWN);
    h2_respond(&call->stream, headers, n, !out);
    if (!out)
        return;
    memcpy(out, body, len);
    h2_stream_commit(&call->stream, len);
    h2_stream_end(&call->stream, NULL, 0);
}

/* False when the request was refused for its headers. */
static bool headers_are_good(struct rpc_call *call)
{
    struct error err;

    err.status = STATUS_OK;
    if (!call->content_type_ok && !call->method)
        respond_plain(call, SLICE("404"), "not found\n");
    else if (!call->is_post)
        respond_plain(call, SLICE("405"), "method POST expected\n");
    else if (!call->content_type_ok)
        respond_plain(call, SLICE("415"), "content-type application/grpc expected\n");
    else if (call->timeout_bad)
        error_set(&err, STATUS_INTERNAL, "malformed grpc-timeout");
    else if (!call->method)
        error_set(&err, STATUS_UNIMPLEMENTED, "unknown service or method");
    else if (!call->handler)
        error_set(&err, STATUS_UNIMPLEMENTED, "method %s is not implemented", call->method->name);
    else if (call->encoding_unknown)
        error_set(&err, STATUS_UNIMPLEMENTED, "this grpc-encoding is not supported");
    if (err.status != STATUS_OK)
        rpc_call_fail(call, &err);
    return !call->finished;
}

/* Streaming input: the handler is called before the first message. */
static void hand_out_stream(struct rpc_call *call)
{
    call->handed_out = true;
    ((void (*)(struct rpc_call *))call->handler)(call);
}

static void hand_out_request(struct rpc_call *call)
{
    call->handed_out = true;
    ((void (*)(struct rpc_call *, const ProtobufCMessage *))call->handler)(call, call->request);
}

static bool streams_in(const struct rpc_call *call)
{
    return call->method->kind == RPC_CLIENT_STREAM || call->method->kind == RPC_BIDI;
}

/* The peer's half-close, once every message before it was delivered. */
static void deliver_end(struct rpc_call *call)
{
    struct error err;

    if (!call->remote_ended || call->end_told || call->input_closed || call->paused ||
        !call->admitted)
        return;
    if (rpc__input_pending(call) > 0) {
        if (streams_in(call) && !call->callbacks.on_message)
            return;
        error_set(&err, STATUS_INTERNAL, "the request ends in the middle of a message");
        rpc_call_fail(call, &err);
        return;
    }
    call->end_told = true;
    if (streams_in(call)) {
        if (call->callbacks.on_end)
            call->callbacks.on_end(call, call->userdata);
    } else if (call->request) {
        hand_out_request(call);
    } else {
        error_set(&err, STATUS_UNIMPLEMENTED, "no request message");
        rpc_call_fail(call, &err);
    }
}

/* Goes on with a call that was admitted, resumed or given callbacks. */
static void proceed(struct rpc_call *call)
{
    if (call->finished || call->closed || !call->admitted)
        return;
    if (streams_in(call) && !call->handed_out)
        hand_out_stream(call);
    rpc__input_pump(call);
    deliver_end(call);
}

void rpc__server_pump(struct rpc_call *call)
{
    proceed(call);
}

static void on_headers(struct h2_stream *stream, enum h2_block block)
{
    struct rpc_call *call = CONTAINER_OF(stream, struct rpc_call, stream);
    struct rpc_server *server = call->server;

    if (block != H2_REQUEST)
        return;
    call->headers_done = true;
    rpc__input_account(call);
    if (!headers_are_good(call))
        return;
    if (server->options.compression != RPC_IDENTITY) {
        rpc_call_set_compression(call, server->options.compression);
        call->compress_small = false;
    }
    rpc_call_ref(call);
    if (!call->admitted && server->authorize) {
        call->authorizing = true;
        server->authorize(call, server->authorize_userdata);
        call->authorizing = false;
    } else {
        call->admitted = true;
    }
    proceed(call);
    rpc_call_unref(call);
}

void rpc_call_admit(struct rpc_call *call, void *principal)
{
    call->principal = principal;
    call->admitted = true;
    if (!call->authorizing)
        rpc__end_pump_later(call);
}

void *rpc_call_principal(const struct rpc_call *call)
{
    return call->principal;
}

void *rpc_call_service(const struct rpc_call *call)
{
    return call->service;
}

void rpc_call_set_callbacks(struct rpc_call *call, const struct rpc_callbacks *callbacks,
                            void *userdata)
{
    call->callbacks = *callbacks;
    call->userdata = userdata;
    rpc__end_pump_later(call);
}

static void on_data(struct h2_stream *stream, struct slice bytes)
{
    rpc__input(CONTAINER_OF(stream, struct rpc_call, stream), bytes);
}

static void on_end(struct h2_stream *stream)
{
    struct rpc_call *call = CONTAINER_OF(stream, struct rpc_call, stream);

    rpc_call_ref(call);
    call->remote_ended = true;
    if (call->method)
        deliver_end(call);
    rpc_call_unref(call);
}

static void on_writable(struct h2_stream *stream)
{
    struct rpc_call *call = CONTAINER_OF(stream, struct rpc_call, stream);

    if (!call->finished && !call->closed && call->callbacks.on_writable)
        call->callbacks.on_writable(call, call->userdata);
}

static void on_closed(struct h2_stream *stream, uint32_t error_code)
{
    struct rpc_call *call = CONTAINER_OF(stream, struct rpc_call, stream);
    struct rpc_server *server = call->server;

    call->conn->life.idle_since_ms = loop_turn_ms(server->end.loop);
    if (call->finished && error_code == H2_NO_ERROR)
        rpc__server_close(call, call->final_status, "finished");
    else if (error_code == H2_CONNECTION_LOST)
        rpc__server_close(call, STATUS_UNAVAILABLE, "the connection was lost");
    else
        rpc__server_close(call, STATUS_CANCELLED, "cancelled by the client");
    call->finished = true;
    call->conn = NULL;
    call->end = NULL;
    rpc_call_unref(call);
    rpc__server_check_drained(server);
}

static void on_pong(struct h2_conn *h2, void *userdata)
{
    struct rpc_conn *conn = userdata;

    conn->life.pinged_ms = 0;
}

static void on_lost(struct h2_conn *h2, const char *why, void *userdata)
{
    rpc__server_conn_lost(userdata);
}

const struct h2_handlers rpc__server_handlers = {
    .on_open = on_open,
    .on_header = on_header,
    .on_headers = on_headers,
    .on_data = on_data,
    .on_end = on_end,
    .on_writable = on_writable,
    .on_closed = on_closed,
    .on_lost = on_lost,
    .on_pong = on_pong,
};
