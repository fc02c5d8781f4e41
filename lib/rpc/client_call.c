/* SPDX-License-Identifier: Apache-2.0 */
/* One call on the client: queued until the channel is ready, then a stream, then a status, or
 * another try (retry.c). */
#include <stdarg.h>
#include <stdio.h>
#include "client.h"

#define SLICE(text) ((struct slice){text, sizeof(text) - 1})
#define HEADERS_FIXED 12 /* at most, beside metadata */
#define NUMBER_BYTES 12
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
    rpc__retry_fini(call);
    list_remove(&call->wait_node);
    h2_stream_release(&call->stream);
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

/* An OK of the peer must come with what it is about. */
static bool is_complete(const struct rpc_call *call)
{
    enum rpc_kind kind = call->method->kind;

    return rpc__input_pending(call) == 0 &&
           (call->messages_in > 0 || kind == RPC_SERVER_STREAM || kind == RPC_BIDI);
}

static void close_with(struct rpc_call *call, const struct error *err)
{
    call->closed = true;
    rpc__input_close(call);
    rpc__retry_fini(call);
    rpc__call_unlist(call);
    list_remove(&call->wait_node);
    if (call->callbacks.on_close)
        call->callbacks.on_close(call, err->status, err, call->userdata);
    rpc__cancel_children(call);
    rpc_call_unref(call);
}

/* The deadline is ours: what the peer says of it, or of the cancel that it saw, is hearsay. */
static void close_failed(struct rpc_call *call)
{
    struct error err = {0};

    final_error(call, &err);
    if (err.status == STATUS_OK)
        error_set(&err, STATUS_INTERNAL,
                  rpc__input_pending(call) > 0 ? "the answer ends within a message"
                                               : "no response message");
    else if (!call->failure && call->deadline_us != 0 && clock_monotonic_us() >= call->deadline_us)
        error_set(&err, STATUS_DEADLINE_EXCEEDED, "deadline exceeded");
    close_with(call, &err);
}

void rpc__client_close(struct rpc_call *call)
{
    static const struct error fine; /* an error is large: clearing one shows in a profile */

    if (call->closed)
        return;
    if (!call->failure && call->grpc_status == STATUS_OK && is_complete(call))
        close_with(call, &fine);
    else
        close_failed(call);
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
    if (call->again && !call->failure) {
        call->again = false;
        rpc__client_start(call);
        return;
    }
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
    enum status st = rpc__send(call, message);
    if (call->stream.keep && call->stream.out.len > RPC_RETRY_BYTES_MAX)
        h2_stream_release(&call->stream);
    return st;
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
    } else if (slice_eq(name, SLICE("content-type"))) {
        call->foreign = !rpc__content_type_is_grpc(value);
    } else if (name.len > 0 && name.data[0] != ':' && rpc__metadata_value_is_valid(value)) {
        rpc__header_add(call, &call->metadata_in, name, value);
    }
}

/* As if nothing had come from the peer. */
static void forget_answer(struct rpc_call *call)
{
    call->metadata_in = NULL;
    call->grpc_message = call->grpc_details = NULL;
    call->grpc_status = call->http_status = -1;
    call->final_status = STATUS_OK;
    call->encoding_in = RPC_IDENTITY;
    call->encoding_unknown = call->foreign = call->remote_ended = call->closing = false;
    call->input_closed = call->failure != NULL;
}

static void on_headers(struct h2_stream *stream, enum h2_block block)
{
    struct rpc_call *call = CONTAINER_OF(stream, struct rpc_call, stream);

    if (block == H2_INFORMATIONAL) {
        forget_answer(call); /* says nothing about the call */
        return;
    }
    if (block == H2_TRAILERS)
        return;
    /* With END_STREAM it is a status and nothing else, and there may be another try. */
    call->answered = !stream->block_ends;
    if (call->answered)
        h2_stream_release(stream);
    if (call->http_status != 200 || call->foreign)
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

bool rpc__client_rewind(struct rpc_call *call)
{
    if (!call->stream.submitted)
        return true; /* not sent yet */
    if (!h2_stream_replay(&call->stream))
        return false;
    forget_answer(call);
    return true;
}

/* How a stream ended that the peer gave no status. */
static void set_final(struct rpc_call *call, uint32_t error_code, const struct rpc_conn *conn)
{
    const char *why = h2_why(conn->h2);

    if (call->stream.oversized) {
        call->grpc_status = -1;
        call->final_status = STATUS_RESOURCE_EXHAUSTED;
        call->grpc_message = "the headers of the answer are too large";
    } else if (call->grpc_status >= 0 || call->remote_ended || call->http_status > 200) {
        return; /* what came says more than how it ended */
    } else if (error_code == H2_CONNECTION_LOST) {
        call->final_status = STATUS_UNAVAILABLE;
        call->grpc_message =
            why[0] ? arena_printf(&call->arena, "connection to %s lost: %s", conn->target, why)
                   : arena_strdup(&call->arena, call->channel->failure);
    } else {
        call->final_status = rpc__status_from_h2(error_code);
        call->grpc_message =
            arena_printf(&call->arena, "the stream was reset (HTTP/2 error %u)", error_code);
    }
}

static bool tried_later(struct rpc_call *call)
{
    struct error err = {0};

    final_error(call, &err);
    return err.status != STATUS_OK && rpc__retry_later(call, &err);
}

/* Whether the call begins anew. Its channel has not decided yet what to do about a lost connection,
 * so nothing is sent from here. */
static bool tried_again(struct rpc_call *call, uint32_t error_code)
{
    if (call->failure || call->answered || call->channel->freed)
        return false;
    return rpc__retry_at_once(call, error_code) || (call->attempts && tried_later(call));
}

static void on_closed(struct h2_stream *stream, uint32_t error_code)
{
    struct rpc_call *call = CONTAINER_OF(stream, struct rpc_call, stream);
    const struct rpc_conn *conn = call->conn;

    call->conn = NULL;
    if (!list_empty(&conn->channel->waiting))
        loop_flush_mark(conn->channel->feed);
    if (!call->closed) {
        set_final(call, error_code, conn);
        call->closing = !tried_again(call, error_code);
        /* From a flush of the connection as well as from a read: the user hears of it from the
         * pump. */
        if (call->closing)
            rpc__end_pump_later(call);
    }
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

static void on_settings(struct h2_conn *h2, void *userdata)
{
    struct rpc_conn *conn = userdata;

    loop_flush_mark(conn->channel->feed);
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
    .on_settings = on_settings,
};

static size_t fill_headers(struct rpc_call *call, const struct rpc_conn *conn,
                           struct h2_header *headers, char *numbers)
{
    size_t n = 0;

    headers[n++] = (struct h2_header){SLICE(":method"), SLICE("POST")};
    headers[n++] = (struct h2_header){SLICE(":scheme"),
                                      call->channel->options.tls ? SLICE("https") : SLICE("http")};
    headers[n++] = (struct h2_header){SLICE(":path"), slice_of(call->method->path)};
    headers[n++] = (struct h2_header){SLICE(":authority"), conn->authority};
    if (call->deadline_us != 0) {
        uint64_t now_us = clock_monotonic_us();
        rpc__timeout_format(call->deadline_us > now_us ? call->deadline_us - now_us : 0, numbers);
        headers[n++] = (struct h2_header){SLICE("grpc-timeout"), slice_of(numbers)};
    }
    headers[n++] = (struct h2_header){SLICE("te"), SLICE("trailers")};
    headers[n++] = (struct h2_header){SLICE("content-type"), SLICE("application/grpc")};
    headers[n++] = (struct h2_header){SLICE("user-agent"), SLICE(USER_AGENT)};
    headers[n++] = (struct h2_header){SLICE("grpc-accept-encoding"), SLICE(RPC_ACCEPT_ENCODING)};
    if (call->encoding_out != RPC_IDENTITY)
        headers[n++] = (struct h2_header){
            SLICE("grpc-encoding"),
            slice_of(rpc__compression_name((enum rpc_compression)call->encoding_out))};
    if (call->attempts && call->attempts->made > 1) {
        snprintf(numbers + NUMBER_BYTES, NUMBER_BYTES, "%u", call->attempts->made - 1);
        headers[n++] = (struct h2_header){SLICE("grpc-previous-rpc-attempts"),
                                          slice_of(numbers + NUMBER_BYTES)};
    }
    for (const struct rpc_header *header = call->headers_out; header; header = header->next)
        headers[n++] = (struct h2_header){header->name, header->value};
    return n;
}

static bool attach(struct rpc_call *call, struct rpc_conn *conn)
{
    size_t header_bytes =
        sizeof(struct h2_header) * (HEADERS_FIXED + rpc__header_count(call->headers_out));
    char *numbers;

    if (!call->request_headers)
        call->request_headers = arena_alloc(&call->arena, header_bytes + (size_t)2 * NUMBER_BYTES);
    numbers = (char *)call->request_headers + header_bytes;
    call->conn = conn;
    rpc_call_ref(call);
    if (h2_request(conn->h2, &call->stream, call->request_headers,
                   fill_headers(call, conn, call->request_headers, numbers)))
        return true;
    rpc_call_unref(call);
    call->conn = NULL;
    return false;
}

void rpc__client_feed(struct rpc_channel *channel)
{
    struct rpc_conn *conn = channel->current;

    while (conn && !list_empty(&channel->waiting) && h2_room(conn->h2) > 0) {
        struct rpc_call *call = LIST_FIRST(&channel->waiting, struct rpc_call, wait_node);
        list_remove(&call->wait_node);
        if (attach(call, conn))
            continue;
        /* Its stream ids are used up. */
        list_push_front(&channel->waiting, &call->wait_node);
        rpc__channel_retire(conn);
        rpc__channel_want(channel);
        return;
    }
}

void rpc__client_unreachable(struct rpc_call *call)
{
    struct error err = {0};

    list_remove(&call->wait_node);
    error_set(&err, STATUS_UNAVAILABLE, "%s", call->channel->failure);
    if (!rpc__retry_later(call, &err))
        rpc__client_abort(call, STATUS_UNAVAILABLE, "%s", err.message);
}

void rpc__client_start(struct rpc_call *call)
{
    struct rpc_channel *channel = call->channel;
    struct rpc_conn *conn = channel->current;

    /* Who waits already goes first. */
    if (conn && list_empty(&channel->waiting) && h2_room(conn->h2) > 0 && attach(call, conn))
        return;
    rpc__channel_want(channel);
    if (channel->state == RPC_FAILING && !call->wait_for_ready) {
        rpc__client_unreachable(call);
        return;
    }
    list_push(&channel->waiting, &call->wait_node);
    if (channel->current)
        loop_flush_mark(channel->feed);
}

static bool add_metadata(struct rpc_call *call, const char *name, const char *value)
{
    struct slice key = slice_of(name);
    struct slice text = rpc__metadata_to_wire(&call->arena, key, slice_of(value));

    if (!rpc__metadata_name_is_free(key)) {
        rpc__client_abort(call, STATUS_INTERNAL, "\"%.100s\" may not be a name of metadata", name);
        return false;
    }
    if (!rpc__metadata_value_is_valid(text)) {
        rpc__client_abort(call, STATUS_INTERNAL,
                          "the value of metadata \"%s\" is not printable ASCII", name);
        return false;
    }
    rpc__header_add(call, &call->headers_out, key, text);
    return true;
}

static void add_all_metadata(struct rpc_call *call, const struct rpc_call_options *options)
{
    const char *authorization = call->channel->authorization;
    size_t n = 0;

    if (options && options->authorization)
        authorization = options->authorization;
    if (authorization && !add_metadata(call, "authorization", authorization))
        return;
    if (!options || !options->metadata)
        return;
    for (const char *const *pair = options->metadata; pair[0] && pair[1]; pair += 2) {
        if (++n > RPC_METADATA_MAX)
            rpc__client_abort(call, STATUS_INTERNAL, "more than %d names of metadata",
                              RPC_METADATA_MAX);
        if (call->failure || !add_metadata(call, pair[0], pair[1]))
            return;
    }
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

static void apply_options(struct rpc_call *call, const struct rpc_call_options *options)
{
    static const struct rpc_call_options none;
    const struct rpc_retry *retry = &call->channel->options.retry;
    uint64_t deadline_us = 0;

    if (!options)
        options = &none;
    if (options->timeout_ms)
        deadline_us = clock_monotonic_us() + options->timeout_ms * 1000;
    deadline_us = inherit(call, options, deadline_us);
    if (deadline_us)
        rpc__call_set_deadline(call, deadline_us);
    call->wait_for_ready = options->wait_for_ready;
    call->encoding_out = call->compression = (uint8_t)options->compression;
    if (options->retry)
        rpc__retry_init(call, options->retry);
    else if (call->method->idempotent)
        rpc__retry_init(call, retry);
}

struct rpc_call *rpc_channel_call(struct rpc_channel *channel, const struct rpc_method *method,
                                  const struct rpc_call_options *options,
                                  const struct rpc_callbacks *callbacks, void *userdata)
{
    struct rpc_call *call = rpc__call_new(&channel->end);

    call->channel = channel;
    call->method = method;
    call->userdata = userdata;
    if (callbacks)
        call->callbacks = *callbacks;
    channel->calls_made++;
    h2_stream_keep(&call->stream);
    add_all_metadata(call, options);
    apply_options(call, options);
    if (channel->freed)
        rpc__client_abort(call, STATUS_UNAVAILABLE, "the channel is closed");
    if (channel->end.open_calls > RPC_CHANNEL_CALLS_MAX)
        rpc__client_abort(call, STATUS_RESOURCE_EXHAUSTED, "more than %d open calls",
                          RPC_CHANNEL_CALLS_MAX);
    if (!call->failure)
        rpc__client_start(call);
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
