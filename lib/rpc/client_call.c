/* SPDX-License-Identifier: Apache-2.0 */
/* One call on the client: queued until the channel is ready, then a stream, then a status. */
#include <stdarg.h>
#include <stdio.h>
#include "internal.h"

#define SLICE(text) ((struct slice){text, sizeof(text) - 1})
#define HEADERS_FIXED 11 /* at most, beside metadata */
#define USER_AGENT "grpc-c-plankton/" PLANKTON_VERSION

void rpc__client_abort(struct rpc_call *call, enum status status, const char *fmt, ...)
{
    va_list args;

    if (call->closed || call->failure)
        return;
    call->failure = ARENA_NEW(&call->arena, struct error);
    call->failure->status = status;
    va_start(args, fmt);
    vsnprintf(call->failure->message, sizeof call->failure->message, fmt, args);
    va_end(args);
    rpc__input_close(call);
    list_remove(&call->wait_node);
    if (call->stream.conn)
        h2_stream_rst(&call->stream, H2_CANCEL);
    rpc__end_pump_later(call);
}

/* Status and message from what came from the peer. */
static void final_error(struct rpc_call *call, struct error *err)
{
    if (call->failure) {
        *err = *call->failure;
        return;
    }
    if (call->grpc_status < 0) {
        if (call->final_status != STATUS_OK)
            error_set(err, call->final_status, "%s",
                      call->grpc_message ? call->grpc_message : "the stream was reset");
        else
            error_set(err, rpc__status_from_http(call->http_status),
                      "no grpc-status in the answer (HTTP status %d)", call->http_status);
        return;
    }
    err->status = (enum status)call->grpc_status;
    if (err->status == STATUS_OK)
        return;
    snprintf(err->message, sizeof err->message, "%s", call->grpc_message ? call->grpc_message : "");
    if (call->grpc_details)
        rpc__details_decode(&call->arena, call->grpc_details, err);
}

void rpc__client_close(struct rpc_call *call)
{
    struct error err = {0};

    if (call->closed)
        return;
    final_error(call, &err);
    if (err.status == STATUS_OK && call->messages_in == 0 &&
        (call->method->kind == RPC_UNARY || call->method->kind == RPC_CLIENT_STREAM))
        error_set(&err, STATUS_INTERNAL, "no response message");
    call->closed = true;
    rpc__input_close(call);
    rpc__call_unlist(call);
    list_remove(&call->wait_node);
    if (call->callbacks.on_close)
        call->callbacks.on_close(call, err.status, &err, call->userdata);
    rpc__cancel_children(call);
    rpc_call_unref(call);
}

void rpc__client_expired(struct rpc_call *call)
{
    rpc__client_abort(call, STATUS_DEADLINE_EXCEEDED, "deadline exceeded");
    rpc__client_close(call);
}

void rpc__client_input_failed(struct rpc_call *call, const struct error *err)
{
    rpc__client_abort(call, err->status, "%s", err->message);
}

void rpc__client_pump(struct rpc_call *call)
{
    if (call->closed)
        return;
    rpc_call_ref(call);
    rpc__input_pump(call);
    /* Messages that were paused go before the status that came behind them. */
    if (call->failure || (call->closing && (!call->paused || rpc__input_pending(call) == 0)))
        rpc__client_close(call);
    rpc_call_unref(call);
}

void rpc_call_cancel(struct rpc_call *call)
{
    if (call->channel)
        rpc__client_abort(call, STATUS_CANCELLED, "cancelled");
}

enum status rpc__client_send(struct rpc_call *call, const ProtobufCMessage *message)
{
    if (call->closed || call->closing || call->failure || call->half_closed)
        return STATUS_UNAVAILABLE;
    return rpc__send(call, message);
}

void rpc_call_half_close(struct rpc_call *call)
{
    if (call->half_closed || call->closed)
        return;
    call->half_closed = true;
    h2_stream_end(&call->stream, NULL, 0);
}

static void on_header(struct h2_stream *stream, struct slice name, struct slice value)
{
    struct rpc_call *call = CONTAINER_OF(stream, struct rpc_call, stream);
    struct arena *arena = &call->arena;

    if (slice_eq(name, SLICE(":status"))) {
        call->http_status = 0;
        for (size_t i = 0; i < value.len && i < 3; i++)
            call->http_status = call->http_status * 10 + (value.data[i] - '0');
    } else if (slice_eq(name, SLICE("grpc-status"))) {
        if (!rpc__status_parse(value, &call->grpc_status))
            call->grpc_status = STATUS_UNKNOWN;
    } else if (slice_eq(name, SLICE("grpc-message"))) {
        call->grpc_message = rpc__percent_decode(arena, value);
    } else if (slice_eq(name, SLICE("grpc-status-details-bin"))) {
        call->grpc_details = arena_strndup(arena, value.data, value.len);
    } else if (slice_eq(name, SLICE("grpc-encoding"))) {
        enum rpc_compression compression = RPC_IDENTITY;
        call->encoding_unknown = !rpc__compression_parse(value, &compression);
        call->encoding_in = (uint8_t)compression;
    } else if (name.len > 0 && name.data[0] != ':' && rpc__metadata_value_is_valid(value)) {
        rpc__header_add(call, &call->metadata_in, name, value);
    }
}

static void on_headers(struct h2_stream *stream, enum h2_block block)
{
    struct rpc_call *call = CONTAINER_OF(stream, struct rpc_call, stream);

    if (block == H2_INFORMATIONAL)
        call->metadata_in = NULL; /* says nothing about the call */
    else if (call->http_status != 200)
        rpc__input_close(call); /* a page of a proxy, not messages */
    else if (call->encoding_unknown && call->grpc_status < 0)
        rpc__client_abort(call, STATUS_INTERNAL, "the answer has a grpc-encoding not known here");
}

static void on_data(struct h2_stream *stream, struct slice bytes)
{
    rpc__input(CONTAINER_OF(stream, struct rpc_call, stream), bytes);
}

static void on_end(struct h2_stream *stream)
{
    struct rpc_call *call = CONTAINER_OF(stream, struct rpc_call, stream);

    /* The server is done while we are not: it has no use for the rest. */
    call->remote_ended = true;
    if (!call->half_closed)
        h2_stream_rst(stream, H2_NO_ERROR);
}

static void on_writable(struct h2_stream *stream)
{
    struct rpc_call *call = CONTAINER_OF(stream, struct rpc_call, stream);

    if (!call->closed && !call->failure && call->callbacks.on_writable)
        call->callbacks.on_writable(call, call->userdata);
}

/* A request that never left the queue is as good as new: it waits for the next connection. */
static bool requeue(struct rpc_call *call, uint32_t error_code)
{
    struct rpc_channel *channel = call->channel;

    if (call->closed || call->failure || call->stream.on_the_wire || channel->freed ||
        (error_code != H2_REFUSED_STREAM && error_code != H2_CONNECTION_LOST))
        return false;
    struct rpc_conn *lost = call->conn;
    call->stream.submitted = call->stream.deferred = false;
    call->conn = NULL;
    if (channel->current && channel->current != lost)
        rpc__client_attach(call, channel->current);
    else
        list_push(&channel->waiting, &call->wait_node);
    return true;
}

static void on_closed(struct h2_stream *stream, uint32_t error_code)
{
    struct rpc_call *call = CONTAINER_OF(stream, struct rpc_call, stream);

    if (requeue(call, error_code)) {
        rpc_call_unref(call);
        return;
    }
    if (!call->closed) {
        call->closing = true;
        if (call->grpc_status < 0 && error_code == H2_CONNECTION_LOST) {
            call->final_status = STATUS_UNAVAILABLE;
            call->grpc_message = arena_strdup(&call->arena, call->channel->failure);
        } else if (call->grpc_status < 0 && error_code != H2_NO_ERROR && !call->remote_ended) {
            call->final_status = rpc__status_from_h2(error_code);
        }
        /* From a flush of the connection as well as from a read: the user hears of it from the
         * pump. */
        rpc__end_pump_later(call);
    }
    call->conn = NULL;
    rpc_call_unref(call);
}

static void on_ready(struct h2_conn *h2, void *userdata)
{
    rpc__channel_conn_ready(userdata);
}

static void on_goaway(struct h2_conn *h2, void *userdata)
{
    rpc__channel_conn_goaway(userdata);
}

static void on_pong(struct h2_conn *h2, void *userdata)
{
    rpc__channel_pong(userdata);
}

static void on_lost(struct h2_conn *h2, const char *why, void *userdata)
{
    rpc__channel_conn_lost(userdata, why);
}

const struct h2_handlers rpc__client_handlers = {
    .on_header = on_header,
    .on_headers = on_headers,
    .on_data = on_data,
    .on_end = on_end,
    .on_writable = on_writable,
    .on_closed = on_closed,
    .on_lost = on_lost,
    .on_ready = on_ready,
    .on_goaway = on_goaway,
    .on_pong = on_pong,
};

/* A host that may stand in :authority: the address, or localhost for a unix socket. */
static struct slice authority_of(const struct rpc_channel *channel)
{
    const char *address = channel->addresses[channel->address_used];

    return strncmp(address, "unix:", 5) == 0 ? SLICE("localhost") : slice_of(address);
}

void rpc__client_attach(struct rpc_call *call, struct rpc_conn *conn)
{
    struct h2_header *headers = arena_alloc(
        &call->arena, (HEADERS_FIXED + rpc__header_count(call->headers_out)) * sizeof *headers);
    size_t n = 0;

    headers[n++] = (struct h2_header){SLICE(":method"), SLICE("POST")};
    headers[n++] = (struct h2_header){SLICE(":scheme"), SLICE("http")};
    headers[n++] = (struct h2_header){SLICE(":path"), slice_of(call->method->path)};
    headers[n++] = (struct h2_header){SLICE(":authority"), authority_of(call->channel)};
    if (call->deadline_us != 0) {
        uint64_t now_us = clock_monotonic_us();
        char *text = arena_alloc(&call->arena, 12);
        rpc__timeout_format(call->deadline_us > now_us ? call->deadline_us - now_us : 0, text);
        headers[n++] = (struct h2_header){SLICE("grpc-timeout"), slice_of(text)};
    }
    headers[n++] = (struct h2_header){SLICE("te"), SLICE("trailers")};
    headers[n++] = (struct h2_header){SLICE("content-type"), SLICE("application/grpc")};
    headers[n++] = (struct h2_header){SLICE("user-agent"), SLICE(USER_AGENT)};
    headers[n++] = (struct h2_header){SLICE("grpc-accept-encoding"), SLICE(RPC_ACCEPT_ENCODING)};
    if (call->encoding_out != RPC_IDENTITY)
        headers[n++] = (struct h2_header){
            SLICE("grpc-encoding"),
            slice_of(rpc__compression_name((enum rpc_compression)call->encoding_out))};
    for (const struct rpc_header *header = call->headers_out; header; header = header->next)
        headers[n++] = (struct h2_header){header->name, header->value};
    call->conn = conn;
    rpc_call_ref(call);
    if (h2_request(conn->h2, &call->stream, headers, n))
        return;
    rpc_call_unref(call);
    call->conn = NULL;
    rpc__client_abort(call, STATUS_UNAVAILABLE, "the connection takes no more calls");
}

static void add_metadata(struct rpc_call *call, const struct rpc_call_options *options)
{
    const char *authorization = call->channel->authorization;

    if (options && options->authorization)
        authorization = options->authorization;
    if (authorization)
        rpc__header_add(call, &call->headers_out, SLICE("authorization"), slice_of(authorization));
    if (!options || !options->metadata)
        return;
    for (const char *const *pair = options->metadata; pair[0] && pair[1]; pair += 2)
        rpc__metadata_add(call, &call->headers_out, pair[0], slice_of(pair[1]));
}

/* The call ends with its parent, and no later. */
static uint64_t inherit(struct rpc_call *call, const struct rpc_call_options *options,
                        uint64_t deadline_us)
{
    struct rpc_call *parent = (struct rpc_call *)options->parent;

    if (!parent)
        return deadline_us;
    if (parent->closed)
        rpc__client_abort(call, STATUS_CANCELLED, "the call this one belongs to is over");
    else
        list_push(&parent->children, &call->child_node);
    if (parent->deadline_us == 0)
        return deadline_us;
    return deadline_us == 0 ? parent->deadline_us : MIN_OF(deadline_us, parent->deadline_us);
}

struct rpc_call *rpc_channel_call(struct rpc_channel *channel, const struct rpc_method *method,
                                  const struct rpc_call_options *options,
                                  const struct rpc_callbacks *callbacks, void *userdata)
{
    struct rpc_call *call = rpc__call_new(&channel->end);
    uint64_t deadline_us = 0;

    call->channel = channel;
    call->method = method;
    call->userdata = userdata;
    if (callbacks)
        call->callbacks = *callbacks;
    add_metadata(call, options);
    if (options) {
        if (options->timeout_ms)
            deadline_us = clock_monotonic_us() + options->timeout_ms * 1000;
        deadline_us = inherit(call, options, deadline_us);
        call->wait_for_ready = options->wait_for_ready;
        call->encoding_out = call->compression = (uint8_t)options->compression;
    }
    if (deadline_us)
        rpc__call_set_deadline(call, deadline_us);
    rpc__channel_want(channel);
    if (call->failure)
        return call;
    if (channel->current)
        rpc__client_attach(call, channel->current);
    else if (channel->state == RPC_FAILING && !call->wait_for_ready)
        rpc__client_abort(call, STATUS_UNAVAILABLE, "%s", channel->failure);
    else
        list_push(&channel->waiting, &call->wait_node);
    return call;
}

struct rpc_call *rpc_channel_call_with(struct rpc_channel *channel, const struct rpc_method *method,
                                       const struct rpc_call_options *options,
                                       const ProtobufCMessage *request,
                                       const struct rpc_callbacks *callbacks, void *userdata)
{
    struct rpc_call *call = rpc_channel_call(channel, method, options, callbacks, userdata);
    enum status st;

    if (call->failure)
        return call;
    st = rpc__client_send(call, request);
    if (st != STATUS_OK)
        rpc__client_abort(call, st, "the request is larger than %u bytes", RPC_MESSAGE_BYTES_MAX);
    else
        rpc_call_half_close(call);
    return call;
}

struct unary {
    rpc_unary_done_fn done;
    void *userdata;
    const ProtobufCMessage *response;
};

static void unary_message(struct rpc_call *call, const ProtobufCMessage *message, void *userdata)
{
    struct unary *unary = userdata;

    unary->response = message; /* in the call's arena, which outlives on_close */
}

static void unary_close(struct rpc_call *call, enum status status, const struct error *err,
                        void *userdata)
{
    struct unary *unary = userdata;

    unary->done(status == STATUS_OK ? unary->response : NULL, err, unary->userdata);
}

void rpc_channel_unary(struct rpc_channel *channel, const struct rpc_method *method,
                       const struct rpc_call_options *options, const ProtobufCMessage *request,
                       rpc_unary_done_fn done, void *userdata)
{
    static const struct rpc_callbacks callbacks = {.on_message = unary_message,
                                                   .on_close = unary_close};
    struct rpc_call *call =
        rpc_channel_call_with(channel, method, options, request, &callbacks, NULL);
    struct unary *unary = ARENA_NEW(&call->arena, struct unary);

    unary->done = done;
    unary->userdata = userdata;
    call->userdata = unary;
}
