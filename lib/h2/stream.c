/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"

void h2_stream_init(struct h2_stream *stream)
{
    *stream = (struct h2_stream){0};
    buf_init(&stream->out, H2_STREAM_OUT_MAX_BYTES);
}

void h2_stream_fini(struct h2_stream *stream)
{
    buf_fini(&stream->out);
}

void h2_stream_reset_for_reuse(struct h2_stream *stream)
{
    struct buf out = stream->out;

    if (out.cap > H2_OUT_KEEP_BYTES) {
        buf_fini(&out);
        buf_init(&out, H2_STREAM_OUT_MAX_BYTES);
    }
    buf_clear(&out);
    *stream = (struct h2_stream){.out = out};
}

void h2__stream_attach(struct h2_conn *conn, struct h2_stream *stream)
{
    stream->conn = conn;
    list_push(&conn->streams, &stream->node);
    conn->stream_count++;
    conn->queued += h2_stream_pending_bytes(stream);
}

void h2__stream_closed(struct h2_stream *stream, uint32_t error_code)
{
    struct h2_conn *conn = stream->conn;

    if (conn->receiving == stream)
        conn->receiving = NULL;
    list_remove(&stream->node);
    conn->stream_count--;
    conn->queued -= h2_stream_pending_bytes(stream);
    conn->held -= stream->held;
    stream->held = 0;
    stream->conn = NULL;
    conn->handlers->on_closed(stream, error_code);
}

static ssize_t stream_read_cb(nghttp2_session *session, int32_t id, uint8_t *out, size_t length,
                              uint32_t *flags, nghttp2_data_source *source, void *userdata);

static void to_nv(const struct h2_header *headers, size_t n, nghttp2_nv *nv)
{
    for (size_t i = 0; i < n; i++)
        nv[i] = (nghttp2_nv){(uint8_t *)headers[i].name.data, (uint8_t *)headers[i].value.data,
                             headers[i].name.len, headers[i].value.len,
                             NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
}

void h2_respond(struct h2_stream *stream, const struct h2_header *headers, size_t n, bool end)
{
    nghttp2_data_provider body = {.source.ptr = stream, .read_callback = stream_read_cb};
    nghttp2_nv nv[H2_HEADERS_PER_BLOCK_MAX];

    if (!stream->conn || stream->submitted)
        return;
    n = MIN_OF(n, (size_t)H2_HEADERS_PER_BLOCK_MAX);
    to_nv(headers, n, nv);
    stream->submitted = true;
    stream->local_ended = end;
    nghttp2_submit_response(stream->conn->session, stream->id, nv, n, end ? NULL : &body);
    h2__mark(stream->conn);
}

bool h2_request(struct h2_conn *conn, struct h2_stream *stream, const struct h2_header *headers,
                size_t n)
{
    nghttp2_data_provider body = {.source.ptr = stream, .read_callback = stream_read_cb};
    nghttp2_nv nv[H2_HEADERS_PER_BLOCK_MAX];
    int32_t id;

    if (conn->draining || conn->lost || !nghttp2_session_check_request_allowed(conn->session))
        return false;
    n = MIN_OF(n, (size_t)H2_HEADERS_PER_BLOCK_MAX);
    to_nv(headers, n, nv);
    id = nghttp2_submit_request(conn->session, NULL, nv, n, &body, stream);
    if (id < 0)
        return false;
    stream->id = id;
    stream->submitted = true;
    h2__stream_attach(conn, stream);
    h2__mark(conn);
    return true;
}

static void stream_resume(struct h2_stream *stream)
{
    if (!stream->conn || !stream->submitted)
        return;
    if (stream->deferred) {
        stream->deferred = false;
        nghttp2_session_resume_data(stream->conn->session, stream->id);
    }
    h2__mark(stream->conn);
}

static void stream_compact(struct h2_stream *stream)
{
    buf_consume(&stream->out, stream->out_at);
    stream->out_at = 0;
}

void *h2_stream_reserve(struct h2_stream *stream, size_t len)
{
    void *room;

    if (stream->conn && len + stream->conn->queued + stream->conn->held > stream->conn->bytes_max) {
        if (stream->conn->server)
            h2__condemn(stream->conn, H2_END_MEMORY, NGHTTP2_ENHANCE_YOUR_CALM,
                        "too many bytes wait to be read");
        return NULL;
    }
    /* Moving what waits to the front only when it is less than what has gone keeps this linear. */
    if (!stream->keep && stream->out_at > 0 && stream->out_at >= stream->out.len - stream->out_at)
        stream_compact(stream);
    room = buf_reserve(&stream->out, len);
    if (room || stream->out_at == 0 || stream->keep)
        return room;
    /* Full, but only with what has gone already. */
    stream_compact(stream);
    return buf_reserve(&stream->out, len);
}

void h2_stream_commit(struct h2_stream *stream, size_t len)
{
    stream->out.len += len;
    if (stream->conn)
        stream->conn->queued += len;
    if (h2_stream_pending_bytes(stream) > H2_STREAM_HIGH_WATER_BYTES)
        stream->above_high_water = true;
    stream_resume(stream);
}

size_t h2_stream_pending_bytes(const struct h2_stream *stream)
{
    return stream->out.len - stream->out_at;
}

bool h2_stream_writable(const struct h2_stream *stream)
{
    return !stream->above_high_water;
}

void h2_stream_end(struct h2_stream *stream, const struct h2_header *trailers, size_t n)
{
    nghttp2_nv nv[H2_HEADERS_PER_BLOCK_MAX];

    stream->trailers = trailers;
    stream->trailer_count = n = MIN_OF(n, (size_t)H2_HEADERS_PER_BLOCK_MAX);
    stream->ending = true;
    if (stream->conn && stream->conn->server && stream->submitted && stream->dropped && n > 0 &&
        h2_stream_pending_bytes(stream) == 0) {
        /* The peer may give no window, and nghttp2 asks for no body without one: it would wait for
         * ever, but trailers need no window. */
        to_nv(trailers, n, nv);
        stream->local_ended = true;
        nghttp2_submit_trailer(stream->conn->session, stream->id, nv, n);
        h2__mark(stream->conn);
        return;
    }
    stream_resume(stream);
}

void h2_stream_drop_output(struct h2_stream *stream)
{
    size_t drop = h2_stream_pending_bytes(stream) - stream->framed;

    stream->dropped = stream->dropped || drop > 0;
    if (stream->conn)
        stream->conn->queued -= drop;
    /* A frame whose header may be out must still get its bytes. */
    stream->out.len = stream->out_at + stream->framed;
    if (stream->framed == 0)
        stream->out.len = stream->out_at = 0;
}

void h2_stream_rst(struct h2_stream *stream, uint32_t error_code)
{
    if (!stream->conn)
        return;
    if (!stream->keep)
        h2_stream_drop_output(stream);
    nghttp2_submit_rst_stream(stream->conn->session, NGHTTP2_FLAG_NONE, stream->id, error_code);
    h2__mark(stream->conn);
}

void h2_stream_keep(struct h2_stream *stream)
{
    stream->keep = true;
}

void h2_stream_release(struct h2_stream *stream)
{
    if (!stream->keep)
        return;
    stream->keep = false;
    if (h2_stream_pending_bytes(stream) == 0)
        h2_stream_drop_output(stream);
}

bool h2_stream_replay(struct h2_stream *stream)
{
    struct buf out = stream->out;
    bool keep = stream->keep, ending = stream->ending;

    /* What was not kept is still whole as long as nothing has left. */
    if (stream->conn || (!keep && stream->on_the_wire))
        return false;
    *stream = (struct h2_stream){.out = out, .keep = keep, .ending = ending};
    stream->above_high_water = out.len > H2_STREAM_HIGH_WATER_BYTES;
    return true;
}

void h2_consume(struct h2_stream *stream, size_t len)
{
    stream->unconsumed += len;
    /* Nothing more can come on an ended stream, so most unary calls never get here twice. */
    if (!stream->conn || stream->remote_ended || stream->unconsumed < stream->conn->consume_bytes)
        return;
    nghttp2_session_consume_stream(stream->conn->session, stream->id, stream->unconsumed);
    stream->unconsumed = 0;
    h2__mark(stream->conn);
}

void h2_stream_hold(struct h2_stream *stream, size_t bytes)
{
    if (!stream->conn || bytes == stream->held)
        return;
    stream->conn->held += bytes - stream->held;
    stream->held = bytes;
    if (stream->conn->held > stream->conn->bytes_max)
        h2__check_bytes(stream->conn);
}

/* The stream's queue is empty and it is ending: the last frame, or the trailers behind it. */
static void stream_finish_body(struct h2_stream *stream, uint32_t *flags)
{
    nghttp2_nv nv[H2_HEADERS_PER_BLOCK_MAX];
    size_t n = MIN_OF(stream->trailer_count, (size_t)H2_HEADERS_PER_BLOCK_MAX);

    *flags |= NGHTTP2_DATA_FLAG_EOF;
    stream->local_ended = true;
    if (n == 0)
        return;
    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    to_nv(stream->trailers, n, nv);
    nghttp2_submit_trailer(stream->conn->session, stream->id, nv, n);
}

static ssize_t stream_read_cb(nghttp2_session *session, int32_t id, uint8_t *out, size_t length,
                              uint32_t *flags, nghttp2_data_source *source, void *userdata)
{
    struct h2_stream *stream = source->ptr;
    size_t n = MIN_OF(h2_stream_pending_bytes(stream), length);

    if (n == 0 && !stream->ending) {
        stream->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    if (n > 0)
        *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    stream->framed = n;
    if (n == h2_stream_pending_bytes(stream) && stream->ending)
        stream_finish_body(stream, flags);
    return (ssize_t)n;
}

/* Puts one DATA frame straight from the stream's queue into the connection's. */
int h2__send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head,
                  size_t length, nghttp2_data_source *source, void *userdata)
{
    struct h2_stream *stream = source->ptr;
    struct h2_conn *conn = userdata;

    if (!net_stream_writable(conn->net))
        return NGHTTP2_ERR_WOULDBLOCK;
    if (net_stream_write(conn->net, head, 9) != STATUS_OK ||
        net_stream_write(conn->net, stream->out.data + stream->out_at, length) != STATUS_OK)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    stream->out_at += length;
    conn->queued -= length;
    stream->framed = 0;
    if (stream->out_at == stream->out.len && !stream->keep)
        h2_stream_drop_output(stream);
    if (stream->above_high_water &&
        h2_stream_pending_bytes(stream) <= H2_STREAM_HIGH_WATER_BYTES / 2) {
        stream->above_high_water = false;
        if (!stream->ending && conn->handlers->on_writable)
            conn->handlers->on_writable(stream);
    }
    return 0;
}
