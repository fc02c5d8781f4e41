/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include "internal.h"

#define PING_BYTES 8
#define NOTICE_PING "shutdown" /* the PING behind the notice of a shutdown */

static struct h2_stream *stream_of(nghttp2_session *session, int32_t id)
{
    return nghttp2_session_get_stream_user_data(session, id);
}

void h2__mark(struct h2_conn *conn)
{
    if (!conn->lost && !conn->closing)
        loop_flush_mark(conn->flush);
}

static void conn_release(struct h2_conn *conn)
{
    if (--conn->busy > 0 || !conn->freed)
        return;
    h2__fields_free(conn);
    nghttp2_session_del(conn->session);
    net_stream_free(conn->net);
    loop_flush_free(conn->flush);
    loop_timer_free(conn->timer);
    free(conn);
}

static void conn_close_streams(struct h2_conn *conn)
{
    while (!list_empty(&conn->streams))
        h2__stream_closed(LIST_FIRST(&conn->streams, struct h2_stream, node), H2_CONNECTION_LOST);
}

/* The connection is over: says so once. nghttp2 gets no more input, so its callbacks do not come
 * back. The first reason stays. */
static void conn_lost(struct h2_conn *conn, enum h2_end end, const char *why)
{
    if (conn->lost || conn->freed)
        return;
    if (!conn->condemned && !conn->closing)
        conn->end = conn->shutting_down && end == H2_END_PEER ? H2_END_SHUTDOWN : end;
    conn->lost = conn->draining = true;
    if (!conn->why[0])
        snprintf(conn->why, sizeof conn->why, "%s", why);
    loop_timer_stop(conn->timer);
    net_stream_pause(conn->net, true);
    conn->busy++;
    conn_close_streams(conn);
    if (!conn->freed)
        conn->handlers->on_lost(conn, conn->why, conn->userdata);
    conn_release(conn);
}

/* The last frame was written. What is left: its way to the peer, and that the peer closes. */
static void conn_goodbye(struct h2_conn *conn)
{
    if (!conn->condemned) {
        conn->end = conn->shutting_down ? H2_END_SHUTDOWN : H2_END_PROTOCOL;
        snprintf(conn->why, sizeof conn->why, "%s",
                 conn->shutting_down ? "shut down" : "HTTP/2 protocol error");
    }
    conn->closing = conn->draining = true;
    net_stream_close_after_flush(conn->net);
    h2__wait(conn, H2_WAIT_GOODBYE, H2_GOODBYE_MS);
    conn_close_streams(conn);
}

static ssize_t send_cb(nghttp2_session *session, const uint8_t *data, size_t length, int flags,
                       void *userdata)
{
    struct h2_conn *conn = userdata;

    if (!net_stream_writable(conn->net))
        return NGHTTP2_ERR_WOULDBLOCK;
    if (net_stream_write(conn->net, data, length) != STATUS_OK)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    return (ssize_t)length;
}

static int begin_headers_cb(nghttp2_session *session, const nghttp2_frame *frame, void *userdata)
{
    struct h2_conn *conn = userdata;
    struct h2_stream *stream;

    if (h2__is_over(conn))
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    if (!conn->server || frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
        conn->receiving = stream = stream_of(session, frame->hd.stream_id);
        if (stream)
            stream->header_bytes = 0;
        return 0;
    }
    conn->receiving = stream = conn->handlers->on_open(conn, conn->userdata);
    if (!stream) {
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                  NGHTTP2_REFUSED_STREAM);
        return 0;
    }
    stream->id = frame->hd.stream_id;
    h2__stream_attach(conn, stream);
    nghttp2_session_set_stream_user_data(session, stream->id, stream);
    return 0;
}

/* A malformed request (RFC 9113 section 8.1.1): nothing more of it is shown. */
static void request_malformed(struct h2_conn *conn, struct h2_stream *stream)
{
    if (stream->malformed)
        return;
    stream->malformed = true;
    nghttp2_submit_rst_stream(conn->session, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_PROTOCOL_ERROR);
}

static int header_cb(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name,
                     nghttp2_rcbuf *value, uint8_t flags, void *userdata)
{
    struct h2_conn *conn = userdata;
    struct h2_stream *stream = conn->receiving;
    struct h2_field scratch;

    if (h2__is_over(conn))
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    if (!stream || stream->id != frame->hd.stream_id || stream->malformed)
        return 0;
    const struct h2_field *field = h2__field(conn, name, value, &scratch);
    stream->header_bytes += (uint32_t)(field->name_text.len + field->value_text.len + 32);
    if (stream->header_bytes > conn->header_bytes_max) {
        /* The limit is ours to keep: what is advertised binds nobody. The rest of the block is
         * decoded but not looked at. */
        h2__count_oversized(conn);
        stream->oversized = true;
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    if (conn->server) {
        enum h2_fate fate =
            h2__request_field(stream, field, frame->headers.cat != NGHTTP2_HCAT_REQUEST);
        if (fate == H2_FIELD_BREAKS)
            request_malformed(conn, stream);
        if (fate != H2_FIELD_TAKEN)
            return 0;
    } else if (slice_is(field->name_text, ":status")) {
        stream->status_seen = true;
        stream->informational = field->value_text.len == 3 && field->value_text.data[0] == '1';
    }
    conn->handlers->on_header(stream, field->name_text, field->value_text);
    return 0;
}

/* On a client. A field with bytes that have no place in one is left out, since gRPC does not let it
 * fail a call. A bad name, or a value that could split a header, is malformed (RFC 9113
 * section 8.2.1): the stream is reset. */
static int invalid_header_cb(nghttp2_session *session, const nghttp2_frame *frame,
                             const uint8_t *name, size_t name_len, const uint8_t *value,
                             size_t value_len, uint8_t flags, void *userdata)
{
    bool malformed = !nghttp2_check_header_name(name, name_len) || memchr(value, 0, value_len) ||
                     memchr(value, '\r', value_len) || memchr(value, '\n', value_len);

    return malformed ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE : 0;
}

/* A block of HEADERS is complete. nghttp2 calls everything behind an informational block trailers,
 * so :status decides. */
static void headers_received(struct h2_conn *conn, struct h2_stream *stream,
                             const nghttp2_frame *frame)
{
    enum h2_block block = H2_TRAILERS;

    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        block = H2_REQUEST;
    else if (stream->status_seen)
        block = stream->informational ? H2_INFORMATIONAL : H2_RESPONSE;
    stream->status_seen = stream->informational = false;
    stream->block_ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    if (conn->server && !(block == H2_REQUEST ? h2__request_is_whole(stream) : stream->block_ends))
        request_malformed(conn, stream);
    if (!stream->malformed)
        conn->handlers->on_headers(stream, block);
}

static void stream_ended(struct h2_conn *conn, int32_t id)
{
    struct h2_stream *stream = stream_of(conn->session, id);

    if (!stream || stream->remote_ended || stream->malformed)
        return;
    if (!h2__body_fits(stream, 0, true)) {
        request_malformed(conn, stream);
        return;
    }
    stream->remote_ended = true;
    conn->handlers->on_end(stream);
}

static void settings_received(struct h2_conn *conn, const nghttp2_frame *frame)
{
    h2__count_cheap(conn);
    if (frame->hd.flags & NGHTTP2_FLAG_ACK)
        conn->greeted = true;
    if (conn->greeted || !conn->server)
        h2__wait_over(conn, H2_WAIT_PREFACE);
    if (frame->hd.flags & NGHTTP2_FLAG_ACK)
        return;
    if (conn->ready) {
        if (conn->handlers->on_settings)
            conn->handlers->on_settings(conn, conn->userdata);
        return;
    }
    conn->ready = true;
    if (conn->handlers->on_ready)
        conn->handlers->on_ready(conn, conn->userdata);
}

/* Names the real last stream: the peer has seen the notice, so no request of it is under way. */
static void conn_say_last(struct h2_conn *conn)
{
    h2__wait_over(conn, H2_WAIT_NOTICE);
    nghttp2_submit_goaway(conn->session, NGHTTP2_FLAG_NONE,
                          nghttp2_session_get_last_proc_stream_id(conn->session), NGHTTP2_NO_ERROR,
                          (const uint8_t *)conn->debug, conn->debug ? strlen(conn->debug) : 0);
    h2__mark(conn);
}

static void ping_received(struct h2_conn *conn, const nghttp2_frame *frame)
{
    if (!(frame->hd.flags & NGHTTP2_FLAG_ACK)) {
        h2__count_ping(conn);
    } else if (memcmp(frame->ping.opaque_data, NOTICE_PING, PING_BYTES) == 0) {
        if (conn->wait == H2_WAIT_NOTICE)
            conn_say_last(conn);
    } else if (conn->handlers->on_pong) {
        conn->handlers->on_pong(conn, conn->userdata);
    }
}

static void goaway_keep(struct h2_conn *conn, const nghttp2_goaway *goaway)
{
    size_t len = MIN_OF(goaway->opaque_data_len, sizeof conn->goaway_debug - 1);

    conn->draining = true;
    conn->goaway_code = goaway->error_code;
    if (len > 0)
        memcpy(conn->goaway_debug, goaway->opaque_data, len);
    conn->goaway_debug[len] = '\0';
}

static int frame_recv_cb(nghttp2_session *session, const nghttp2_frame *frame, void *userdata)
{
    struct h2_conn *conn = userdata;
    struct h2_stream *stream;

    if (h2__is_over(conn))
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        stream = stream_of(session, frame->hd.stream_id);
        if (stream)
            headers_received(conn, stream, frame);
        break;
    case NGHTTP2_DATA:
        if (frame->hd.length == 0 && !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
            h2__count_cheap(conn);
        break;
    case NGHTTP2_SETTINGS:
        settings_received(conn, frame);
        return 0;
    case NGHTTP2_PING:
        ping_received(conn, frame);
        return 0;
    case NGHTTP2_RST_STREAM:
        if (conn->server)
            h2__count_reset(conn);
        return 0;
    case NGHTTP2_PRIORITY:
        h2__count_cheap(conn);
        return 0;
    case NGHTTP2_GOAWAY:
        goaway_keep(conn, &frame->goaway);
        if (conn->handlers->on_goaway)
            conn->handlers->on_goaway(conn, conn->userdata);
        return 0;
    default:
        return 0;
    }
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM && !h2__is_over(conn))
        stream_ended(conn, frame->hd.stream_id);
    return 0;
}

static int data_cb(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t len, void *userdata)
{
    struct h2_conn *conn = userdata;
    struct h2_stream *stream = stream_of(session, id);

    if (h2__is_over(conn))
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    conn->received += len;
    if (!stream || stream->malformed)
        return 0;
    if (!h2__body_fits(stream, len, false))
        request_malformed(conn, stream);
    else
        conn->handlers->on_data(stream, (struct slice){(const char *)data, len});
    return 0;
}

static int stream_close_cb(nghttp2_session *session, int32_t id, uint32_t error_code,
                           void *userdata)
{
    struct h2_stream *stream = stream_of(session, id);

    if (!stream)
        return 0;
    nghttp2_session_set_stream_user_data(session, id, NULL);
    h2__stream_closed(stream, error_code);
    return 0;
}

static int frame_send_cb(nghttp2_session *session, const nghttp2_frame *frame, void *userdata)
{
    struct h2_conn *conn = userdata;
    struct h2_stream *stream;

    switch (frame->hd.type) {
    case NGHTTP2_RST_STREAM:
        /* Resets that the peer provokes by bad frames cost us as much as those it sends. */
        if (conn->server && frame->rst_stream.error_code != NGHTTP2_NO_ERROR &&
            frame->rst_stream.error_code != NGHTTP2_CANCEL)
            h2__count_reset(conn);
        return 0;
    case NGHTTP2_GOAWAY:
        /* Only now: a PING overtakes what is queued, and its answer must mean that the notice was
         * seen. */
        if (conn->wait == H2_WAIT_NOTICE)
            nghttp2_submit_ping(session, NGHTTP2_FLAG_NONE, (const uint8_t *)NOTICE_PING);
        return 0;
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA:
        conn->pinged_us = conn->ping_strikes = 0;
        break;
    default:
        return 0;
    }
    stream = stream_of(session, frame->hd.stream_id);
    if (!stream)
        return 0;
    stream->on_the_wire = true;
    /* We are done and the peer is not: it need not send the rest. */
    if (conn->server && frame->hd.flags & NGHTTP2_FLAG_END_STREAM && !stream->remote_ended)
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                  NGHTTP2_NO_ERROR);
    return 0;
}

static void conn_flush_cb(void *userdata)
{
    struct h2_conn *conn = userdata;

    if (conn->lost || conn->freed || conn->closing)
        return;
    conn->busy++;
    int rc = nghttp2_session_send(conn->session);
    if (!conn->lost && !conn->freed) {
        if (rc != 0)
            conn_lost(conn, H2_END_STALLED, nghttp2_strerror(rc));
        else if (conn->condemned || (!nghttp2_session_want_read(conn->session) &&
                                     !nghttp2_session_want_write(conn->session)))
            conn_goodbye(conn);
        else if (!net_stream_writable(conn->net) && conn->wait == H2_WAIT_NONE)
            h2__wait(conn, H2_WAIT_STALL, H2_WRITE_STALL_MS);
    }
    conn_release(conn);
}

static void conn_timer_cb(void *userdata)
{
    struct h2_conn *conn = userdata;
    enum h2_wait wait = conn->wait;

    conn->wait = H2_WAIT_NONE;
    if (wait == H2_WAIT_NOTICE)
        conn_say_last(conn);
    else if (wait == H2_WAIT_PREFACE && conn->ready)
        h2__condemn(conn, H2_END_SILENT, NGHTTP2_SETTINGS_TIMEOUT,
                    "no acknowledgement of SETTINGS in time");
    else if (wait == H2_WAIT_PREFACE)
        conn_lost(conn, H2_END_SILENT, "no HTTP/2 preface in time");
    else
        conn_lost(conn, H2_END_STALLED, "the peer takes no bytes");
}

static void net_drain_cb(struct net_stream *net, void *userdata)
{
    struct h2_conn *conn = userdata;

    h2__wait_over(conn, H2_WAIT_STALL);
    h2__mark(conn);
}

/* What nghttp2 gives up on without a GOAWAY of its own: a peer that does not speak HTTP/2, or
 * floods (the codes for those differ between versions). */
static void conn_input_failed(struct h2_conn *conn, int rc)
{
    if (rc == NGHTTP2_ERR_BAD_CLIENT_MAGIC)
        conn_lost(conn, H2_END_PROTOCOL, nghttp2_strerror(rc));
    else
        h2__condemn(conn, H2_END_ABUSE, NGHTTP2_ENHANCE_YOUR_CALM, nghttp2_strerror(rc));
}

void h2_feed(struct h2_conn *conn, struct slice bytes)
{
    if (h2__is_over(conn))
        return;
    conn->busy++;
    conn->reads++;
    conn->read_ms = loop_turn_ms(conn->loop);
    size_t take = conn->server ? h2__scan(&conn->scan, bytes) : bytes.len;
    ssize_t n = nghttp2_session_mem_recv(conn->session, (const uint8_t *)bytes.data, take);
    if (n < 0 && !h2__is_over(conn)) {
        conn_input_failed(conn, (int)n);
    } else if (!h2__is_over(conn)) {
        if (conn->received > 0)
            nghttp2_session_consume_connection(conn->session, conn->received);
        conn->received = 0;
        if (take < bytes.len)
            h2__condemn(conn, H2_END_PROTOCOL, NGHTTP2_STREAM_CLOSED, "a frame on a closed stream");
        h2__check_bytes(conn);
        h2__mark(conn);
    }
    conn_release(conn);
}

static void net_read_cb(struct net_stream *net, struct slice bytes, void *userdata)
{
    h2_feed(userdata, bytes);
}

static void net_close_cb(struct net_stream *net, enum status status, const char *why,
                         void *userdata)
{
    conn_lost(userdata, H2_END_PEER, why);
}

static nghttp2_session_callbacks *make_callbacks(void)
{
    nghttp2_session_callbacks *callbacks;

    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        abort();
    nghttp2_session_callbacks_set_send_callback(callbacks, send_cb);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, h2__send_data);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, begin_headers_cb);
    nghttp2_session_callbacks_set_on_header_callback2(callbacks, header_cb);
    nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, invalid_header_cb);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, frame_recv_cb);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, data_cb);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, stream_close_cb);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, frame_send_cb);
    return callbacks;
}

/* Our half of the preface: SETTINGS, and the connection's window, which SETTINGS cannot set. */
static void conn_greet(struct h2_conn *conn, const struct h2_options *options)
{
    uint32_t window =
        options->stream_window_bytes ? options->stream_window_bytes : H2_STREAM_WINDOW_BYTES;
    uint32_t streams = options->streams_max ? options->streams_max : H2_STREAMS_MAX;
    nghttp2_settings_entry entries[] = {
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, conn->header_bytes_max},
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, streams},
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
    };

    if (!conn->server)
        entries[2] = entries[3]; /* a client takes no streams at all */
    conn->consume_bytes = window / H2_CONSUME_SHARE;
    nghttp2_submit_settings(conn->session, NGHTTP2_FLAG_NONE, entries, 3);
    nghttp2_session_set_local_window_size(conn->session, NGHTTP2_FLAG_NONE, 0,
                                          (int32_t)(options->connection_window_bytes
                                                        ? options->connection_window_bytes
                                                        : H2_CONNECTION_WINDOW_BYTES));
}

static struct h2_conn *conn_new(struct loop *loop, struct net_stream *net,
                                const struct h2_options *options,
                                const struct h2_handlers *handlers, void *userdata, bool server)
{
    static const struct net_callbacks net_callbacks = {
        .on_read = net_read_cb, .on_close = net_close_cb, .on_drain = net_drain_cb};
    static _Thread_local nghttp2_session_callbacks *callbacks;
    struct h2_conn *conn = mem_zalloc(sizeof *conn);
    nghttp2_option *option;

    if (!callbacks)
        callbacks = make_callbacks();
    conn->loop = loop;
    conn->net = net;
    conn->handlers = handlers;
    conn->userdata = userdata;
    conn->server = server;
    conn->header_bytes_max =
        options->header_bytes_max ? options->header_bytes_max : H2_HEADER_BYTES_MAX;
    conn->bytes_max = options->bytes_max ? options->bytes_max : H2_CONNECTION_BYTES_MAX;
    conn->ping_interval_min_ms =
        options->ping_interval_min_ms ? options->ping_interval_min_ms : H2_PING_INTERVAL_MIN_MS;
    conn->pings_without_streams = options->pings_without_streams;
    conn->cheap.since_us = conn->resets.since_us = clock_monotonic_us();
    conn->read_ms = loop_turn_ms(loop);
    conn->scan.skip = NGHTTP2_CLIENT_MAGIC_LEN;
    list_init(&conn->streams);
    conn->flush = loop_flush_new(loop, H2_FLUSH_ORDER, conn_flush_cb, conn);
    conn->timer = loop_timer_new(loop, conn_timer_cb, conn);
    h2__wait(conn, H2_WAIT_PREFACE,
             options->preface_timeout_ms ? options->preface_timeout_ms : H2_PREFACE_TIMEOUT_MS);
    if (nghttp2_option_new(&option) != 0)
        abort();
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);      /* see scan.c */
    nghttp2_option_set_no_http_messaging(option, server); /* see fields.c */
    int rc =
        server ? nghttp2_session_server_new3(&conn->session, callbacks, conn, option, h2__memory())
               : nghttp2_session_client_new3(&conn->session, callbacks, conn, option, h2__memory());
    nghttp2_option_del(option);
    if (rc != 0)
        abort();
    if (options->first_stream_id)
        nghttp2_session_set_next_stream_id(conn->session, (int32_t)options->first_stream_id);
    conn_greet(conn, options);
    net_stream_start(net, &net_callbacks, conn);
    h2__mark(conn);
    return conn;
}

struct h2_conn *h2_server_new(struct loop *loop, struct net_stream *stream,
                              const struct h2_options *options, const struct h2_handlers *handlers,
                              void *userdata)
{
    return conn_new(loop, stream, options, handlers, userdata, true);
}

struct h2_conn *h2_client_new(struct loop *loop, struct net_stream *stream,
                              const struct h2_options *options, const struct h2_handlers *handlers,
                              void *userdata)
{
    return conn_new(loop, stream, options, handlers, userdata, false);
}

void h2_shutdown(struct h2_conn *conn, const char *debug)
{
    if (h2__is_over(conn) || conn->shutting_down)
        return;
    conn->shutting_down = conn->draining = true;
    conn->debug = debug;
    if (!conn->ready) {
        net_stream_close_after_flush(conn->net);
        return;
    }
    if (conn->server) {
        nghttp2_submit_shutdown_notice(conn->session);
        conn->wait = H2_WAIT_NONE;
        h2__wait(conn, H2_WAIT_NOTICE, H2_NOTICE_MS);
        h2__mark(conn);
    } else {
        conn_say_last(conn);
    }
}

void h2_free(struct h2_conn *conn)
{
    if (!conn || conn->freed)
        return;
    conn->freed = true;
    conn->busy++;
    net_stream_pause(conn->net, true);
    conn_close_streams(conn);
    conn_release(conn);
}

void *h2_userdata(const struct h2_conn *conn)
{
    return conn->userdata;
}

struct net_stream *h2_net(const struct h2_conn *conn)
{
    return conn->net;
}

size_t h2_stream_count(const struct h2_conn *conn)
{
    return conn->stream_count;
}

bool h2_is_draining(const struct h2_conn *conn)
{
    return conn->draining;
}

enum h2_end h2_end(const struct h2_conn *conn)
{
    return conn->end;
}

uint64_t h2_read_ms(const struct h2_conn *conn)
{
    return conn->read_ms;
}

void h2_ping(struct h2_conn *conn)
{
    if (h2__is_over(conn))
        return;
    nghttp2_submit_ping(conn->session, NGHTTP2_FLAG_NONE, NULL);
    h2__mark(conn);
}

size_t h2_room(const struct h2_conn *conn)
{
    size_t max =
        nghttp2_session_get_remote_settings(conn->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);

    return max > conn->stream_count ? max - conn->stream_count : 0;
}

uint64_t h2_reads(const struct h2_conn *conn)
{
    return conn->reads;
}

bool h2_goaway_is(const struct h2_conn *conn, uint32_t error_code, const char *debug)
{
    return conn->goaway_code == error_code && str_eq(conn->goaway_debug, debug);
}

const char *h2_why(const struct h2_conn *conn)
{
    return conn->why;
}
