/* SPDX-License-Identifier: Apache-2.0 */
#include "peer.h"
#include <stdio.h>
#include <stdlib.h>

#define PREFACE_BYTES 24
#define FRAME_BYTES 9
#define IN_BYTES_MAX (64u << 20)

static uint32_t be32(const char *p)
{
    const uint8_t *u = (const uint8_t *)p;

    return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

static void put32(char *p, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        p[i] = (char)(value >> (24 - 8 * i));
}

/* ---- what is sent ---- */

void peer_bytes(struct peer_conn *conn, const void *data, size_t len)
{
    if (!conn->closed)
        ck_assert_int_eq(net_stream_write(conn->net, data, len), STATUS_OK);
}

void peer_frame(struct peer_conn *conn, int type, int flags, uint32_t id, const void *payload,
                size_t len)
{
    char head[FRAME_BYTES];

    put32(head, (uint32_t)len << 8);
    head[3] = (char)type;
    head[4] = (char)flags;
    put32(head + 5, id);
    peer_bytes(conn, head, sizeof head);
    if (len > 0)
        peer_bytes(conn, payload, len);
}

/* A string of HPACK without Huffman: the length has a prefix of 7 bits. */
static size_t put_text(char *out, const char *text)
{
    size_t len = strlen(text), rest = len, n = 0;

    if (len < 127) {
        out[n++] = (char)len;
    } else {
        out[n++] = 127;
        for (rest -= 127; rest >= 128; rest /= 128)
            out[n++] = (char)(rest % 128 | 128);
        out[n++] = (char)rest;
    }
    memcpy(out + n, text, len);
    return n + len;
}

void peer_headers(struct peer_request *request, int flags, const char *const *headers)
{
    size_t room = 0, n = 0;
    char *block;

    for (size_t i = 0; headers[i]; i++)
        room += strlen(headers[i]) + 8;
    block = mem_alloc(room + 1);
    for (size_t i = 0; headers[i]; i += 2) {
        block[n++] = 0; /* literal, never indexed */
        n += put_text(block + n, headers[i]);
        n += put_text(block + n, headers[i + 1]);
    }
    /* A block over the size of a frame goes on in CONTINUATION. */
    for (size_t at = 0; at == 0 || at < n;) {
        size_t len = MIN_OF(n - at, (size_t)16384);
        bool last = at + len == n;
        if (at == 0)
            peer_frame(request->conn, PEER_HEADERS, flags | (last ? PEER_END_HEADERS : 0),
                       request->id, block, len);
        else
            peer_frame(request->conn, 9, last ? PEER_END_HEADERS : 0, request->id, block + at, len);
        at += len;
    }
    free(block);
}

void peer_response(struct peer_request *request)
{
    peer_headers(request, 0,
                 (const char *const[]){":status", "200", "content-type", "application/grpc", NULL});
}

void peer_data(struct peer_request *request, int flags, const void *data, size_t len)
{
    peer_frame(request->conn, PEER_DATA, flags, request->id, data, len);
}

void peer_message(struct peer_request *request, const char *text)
{
    char out[256] = {0};
    size_t len = strlen(text);

    out[4] = (char)(len + 2);
    out[5] = 0x0a;
    out[6] = (char)len;
    memcpy(out + 7, text, len);
    peer_data(request, 0, out, len + 7);
}

void peer_trailers(struct peer_request *request, const char *status)
{
    peer_headers(request, PEER_END_STREAM, (const char *const[]){"grpc-status", status, NULL});
}

void peer_status(struct peer_request *request, const char *status)
{
    peer_headers(request, PEER_END_STREAM,
                 (const char *const[]){":status", "200", "content-type", "application/grpc",
                                       "grpc-status", status, NULL});
}

void peer_answer(struct peer_request *request)
{
    peer_response(request);
    peer_message(request, "ok");
    peer_trailers(request, "0");
}

void peer_rst(struct peer_request *request, uint32_t code)
{
    char payload[4];

    put32(payload, code);
    peer_frame(request->conn, PEER_RST, 0, request->id, payload, sizeof payload);
}

void peer_goaway(struct peer_conn *conn, uint32_t last_id, uint32_t code, const char *debug)
{
    char payload[64];
    size_t len = strlen(debug);

    put32(payload, last_id);
    put32(payload + 4, code);
    memcpy(payload + 8, debug, len);
    peer_frame(conn, PEER_GOAWAY, 0, 0, payload, len + 8);
}

void peer_close(struct peer_conn *conn)
{
    if (!conn->closed)
        net_stream_close_after_flush(conn->net);
}

/* ---- what comes ---- */

const char *peer_header(const struct peer_request *request, const char *name)
{
    static char value[PEER_HEADERS_BYTES];
    size_t len = strlen(name);

    for (const char *at = request->headers; *at; at = strchr(at, '\n') + 1) {
        if (strncmp(at, name, len) != 0 || at[len] != ':')
            continue;
        at += len + 2;
        snprintf(value, sizeof value, "%.*s", (int)strcspn(at, "\n"), at);
        return value;
    }
    return "";
}

static struct peer_request *request_of(struct peer_conn *conn, uint32_t id)
{
    struct peer *peer = conn->peer;

    for (size_t i = 0; i < peer->request_count; i++) {
        if (peer->requests[i].conn == conn && peer->requests[i].id == id)
            return &peer->requests[i];
    }
    return NULL;
}

static void read_headers(struct peer_conn *conn, struct peer_request *request, const uint8_t *data,
                         size_t len)
{
    size_t used = 0;

    for (;;) {
        nghttp2_nv nv;
        int flags = 0;
        ssize_t n = nghttp2_hd_inflate_hd2(conn->inflater, &nv, &flags, data, len, 1);
        ck_assert_int_ge(n, 0);
        data += n;
        len -= (size_t)n;
        if (flags & NGHTTP2_HD_INFLATE_EMIT)
            used += (size_t)snprintf(request->headers + used, sizeof request->headers - used,
                                     "%.*s: %.*s\n", (int)nv.namelen, nv.name, (int)nv.valuelen,
                                     nv.value);
        ck_assert_uint_lt(used, sizeof request->headers);
        if (flags & NGHTTP2_HD_INFLATE_FINAL) {
            nghttp2_hd_inflate_end_headers(conn->inflater);
            return;
        }
    }
}

static void stream_frame(struct peer_conn *conn, int type, int flags, uint32_t id, const char *data,
                         size_t len)
{
    struct peer *peer = conn->peer;
    struct peer_request *request = request_of(conn, id);

    if (type == PEER_HEADERS) {
        ck_assert_uint_lt(peer->request_count, PEER_REQUESTS_MAX);
        ck_assert(flags & PEER_END_HEADERS);
        peer->requested_us[peer->request_count] = clock_monotonic_us();
        request = &peer->requests[peer->request_count++];
        *request = (struct peer_request){.conn = conn, .id = id};
        read_headers(conn, request, (const uint8_t *)data, len);
        if (peer->on_request)
            peer->on_request(request);
    } else if (type == PEER_DATA) {
        request->body_bytes += len;
        if (peer->on_body)
            peer->on_body(request);
    }
    if (!(flags & PEER_END_STREAM))
        return;
    request->ended = true;
    if (peer->on_end)
        peer->on_end(request);
}

static void frame(struct peer_conn *conn, int type, int flags, uint32_t id, const char *data,
                  size_t len)
{
    struct peer *peer = conn->peer;
    struct peer_request *request;

    switch (type) {
    case PEER_HEADERS:
    case PEER_DATA:
        stream_frame(conn, type, flags, id, data, len);
        return;
    case PEER_RST:
        request = request_of(conn, id);
        ck_assert_ptr_nonnull(request);
        request->reset = true;
        request->reset_code = be32(data);
        return;
    case PEER_SETTINGS:
        if (!(flags & PEER_ACK) && !peer->silent)
            peer_frame(conn, PEER_SETTINGS, PEER_ACK, 0, NULL, 0);
        return;
    case PEER_PING:
        peer->pongs += flags & PEER_ACK;
        peer->pings += !(flags & PEER_ACK);
        if (!(flags & PEER_ACK) && !peer->deaf)
            peer_frame(conn, PEER_PING, PEER_ACK, 0, data, len);
        return;
    case PEER_GOAWAY:
        peer->goaways++;
        return;
    case PEER_WINDOW_UPDATE:
        *(id ? &peer->stream_credit : &peer->connection_credit) += be32(data);
        return;
    default:
        ck_abort_msg("the client sent a frame of type %d", type);
    }
}

static void net_read(struct net_stream *net, struct slice bytes, void *userdata)
{
    struct peer_conn *conn = userdata;

    ck_assert_int_eq(buf_append(&conn->in, bytes.data, bytes.len), STATUS_OK);
    if (!conn->greeted) {
        if (conn->in.len < PREFACE_BYTES)
            return;
        buf_consume(&conn->in, PREFACE_BYTES);
        conn->greeted = true;
    }
    while (conn->in.len >= FRAME_BYTES) {
        size_t len = be32(conn->in.data) >> 8;
        if (conn->in.len < FRAME_BYTES + len)
            return;
        frame(conn, conn->in.data[3], conn->in.data[4], be32(conn->in.data + 5),
              conn->in.data + FRAME_BYTES, len);
        buf_consume(&conn->in, FRAME_BYTES + len);
    }
}

static void net_close(struct net_stream *net, enum status status, const char *why, void *userdata)
{
    struct peer_conn *conn = userdata;

    conn->closed = true;
    net_stream_free(net);
}

static void on_accept(struct net_stream *net, void *userdata)
{
    static const struct net_callbacks callbacks = {.on_read = net_read, .on_close = net_close};
    struct peer *peer = userdata;
    struct peer_conn *conn = mem_zalloc(sizeof *conn);
    char settings[6] = {0, 3};

    ck_assert_uint_lt(peer->conn_count, PEER_CONNS_MAX);
    conn->peer = peer;
    conn->net = net;
    conn->number = peer->conn_count;
    buf_init(&conn->in, IN_BYTES_MAX);
    ck_assert_int_eq(nghttp2_hd_inflate_new(&conn->inflater), 0);
    peer->accepted_us[peer->conn_count] = clock_monotonic_us();
    peer->conns[peer->conn_count++] = conn;
    net_stream_start(net, &callbacks, conn);
    put32(settings + 2, peer->streams_max);
    if (!peer->silent)
        peer_frame(conn, PEER_SETTINGS, 0, 0, settings, peer->streams_max ? 6 : 0);
    if (peer->on_accept)
        peer->on_accept(conn);
}

/* A test looks at what came after its peer has gone. */
static struct requests {
    struct requests *next;
    struct peer_request requests[PEER_REQUESTS_MAX];
} * all_requests;

static struct peer_request *requests_new(void)
{
    struct requests *block = mem_zalloc(sizeof *block);

    block->next = all_requests;
    all_requests = block;
    return block->requests;
}

void peer_listen(struct peer *peer, struct fixture *f, const char *address)
{
    struct error err = {0};

    fixture_loop(f);
    peer->f = f;
    peer->requests = requests_new();
    peer->listener = net_listen(f->loop, address, NULL, PEER_CONNS_MAX, on_accept, peer, &err);
    ck_assert_msg(peer->listener != NULL, "%s", err.message);
    snprintf(peer->address, sizeof peer->address, "%s", net_listener_address(peer->listener));
}

void peer_begin(struct peer *peer, struct fixture *f)
{
    peer_listen(peer, f, "127.0.0.1:0");
    f->channel = rpc_channel_new(f->loop, peer->address, &f->channel_options);
}

void peer_end(struct peer *peer)
{
    for (size_t i = 0; i < peer->conn_count; i++) {
        struct peer_conn *conn = peer->conns[i];
        if (!conn->closed)
            net_stream_free(conn->net);
        nghttp2_hd_inflate_del(conn->inflater);
        buf_fini(&conn->in);
        free(conn);
    }
    net_listener_free(peer->listener);
}
