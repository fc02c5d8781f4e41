/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdlib.h>
#include "server.h"

static const char H2_PREFACE[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"; /* RFC 9113, 3.4 */
#define H2_PREFACE_BYTES (sizeof(H2_PREFACE) - 1)
static const char CONTINUE[] = "HTTP/1.1 100 Continue\r\n\r\n";

void http1__conn_charge(struct conn *conn, size_t bytes)
{
    conn->server->bodies_bytes += bytes;
    conn->server->bodies_bytes -= conn->body_charged_bytes;
    conn->body_charged_bytes = bytes;
}

static void enter(struct conn *conn)
{
    conn->entered++;
}

/* The memory goes when no callback of the connection is on the stack any more. */
static void leave(struct conn *conn)
{
    if (--conn->entered > 0 || !conn->dead)
        return;
    http1__parser_fini(&conn->parser);
    buf_fini(&conn->input);
    free(conn);
}

/* Everything but the stream, which the caller frees or hands on. */
static void detach(struct conn *conn)
{
    struct http1_server *server = conn->server;

    conn->dead = true;
    loop_timer_free(conn->timer);
    conn->timer = NULL;
    http1__conn_charge(conn, 0);
    list_remove(&conn->link);
    server->conn_count--;
    http1__server_left(server);
}

void http1__conn_kill(struct conn *conn)
{
    struct exchange *exchange = conn->exchange;

    if (conn->dead)
        return;
    enter(conn);
    detach(conn);
    net_stream_free(conn->stream);
    conn->stream = NULL;
    conn->exchange = NULL;
    if (exchange)
        http1__exchange_cut(exchange);
    leave(conn);
}

void http1__conn_close_when_flushed(struct conn *conn)
{
    http1__conn_set_state(conn, CONN_CLOSING);
    net_stream_close_after_flush(conn->stream);
    http1__conn_arm(conn);
}

void http1__conn_set_state(struct conn *conn, enum conn_state state)
{
    conn->state = state;
    conn->state_since_us = loop_now_us(conn->server->loop);
    conn->window_bytes = 0;
}

/* When the present state has lasted too long; UINT64_MAX = never. */
static uint64_t state_deadline_us(const struct conn *conn)
{
    const struct http1_options *options = &conn->server->options;

    switch (conn->state) {
    case CONN_SNIFFING:
    case CONN_HEAD:
        return conn->state_since_us + options->header_timeout_ms * 1000;
    case CONN_IDLE:
        return conn->state_since_us + options->idle_timeout_ms * 1000;
    case CONN_BODY:
        return conn->state_since_us + options->body_window_ms * 1000;
    case CONN_HANDLING: /* the handler's own business */
    case CONN_CLOSING:  /* the stream's, and the stall's */
        break;
    }
    return UINT64_MAX;
}

/* Notes whether the peer takes bytes; the stall begins anew with each one it takes. */
static uint64_t stall_deadline_us(struct conn *conn)
{
    uint64_t sent = conn->written_bytes - net_stream_pending_bytes(conn->stream);

    if (sent == conn->written_bytes) {
        conn->stalled_since_us = 0;
        return UINT64_MAX;
    }
    if (conn->stalled_since_us == 0 || sent != conn->acknowledged_bytes)
        conn->stalled_since_us = loop_now_us(conn->server->loop);
    conn->acknowledged_bytes = sent;
    return conn->stalled_since_us + conn->server->options.write_stall_ms * 1000;
}

/* The timer is only ever started for something earlier than it has; firing too early it looks
 * again. That spares two heap operations per request. */
void http1__conn_arm(struct conn *conn)
{
    uint64_t deadline, stall, now;

    if (conn->dead)
        return;
    deadline = state_deadline_us(conn);
    stall = stall_deadline_us(conn);
    deadline = MIN_OF(deadline, stall);
    if (deadline == UINT64_MAX || (conn->timer_at_us && conn->timer_at_us <= deadline))
        return;
    now = loop_now_us(conn->server->loop);
    loop_timer_start(conn->timer, deadline > now ? (deadline - now) / 1000 + 1 : 1, 0);
    conn->timer_at_us = deadline;
}

static void state_timed_out(struct conn *conn)
{
    if (conn->state == CONN_BODY && conn->window_bytes >= HTTP1_BODY_WINDOW_BYTES) {
        http1__conn_set_state(conn, CONN_BODY); /* the next window */
        return;
    }
    /* Who has not begun a request is owed no answer. */
    if (conn->state == CONN_IDLE || (conn->state == CONN_SNIFFING && conn->input.len == 0))
        http1__conn_close_when_flushed(conn);
    else
        http1__conn_refuse(conn, 408, "the request did not come in time");
}

static void timer_cb(void *userdata)
{
    struct conn *conn = userdata;
    uint64_t now = loop_now_us(conn->server->loop);

    enter(conn);
    conn->timer_at_us = 0;
    if (stall_deadline_us(conn) <= now)
        http1__conn_kill(conn);
    else if (state_deadline_us(conn) <= now)
        state_timed_out(conn);
    http1__conn_arm(conn);
    leave(conn);
}

bool http1__conn_write(struct conn *conn, const void *data, size_t len)
{
    if (net_stream_write(conn->stream, data, len) != STATUS_OK) {
        http1__conn_kill(conn);
        return false;
    }
    conn->written_bytes += len;
    return true;
}

static void take_request(struct conn *conn)
{
    struct http1__message *message = http1__parser_take(&conn->parser);

    message->request.peer = arena_strdup(message->request.arena, net_stream_peer(conn->stream));
    message->request.peer_is_local = net_stream_is_local(conn->stream);
    http1__conn_set_state(conn, CONN_HANDLING);
    http1__exchange_open(conn, message);
}

/* The state that belongs to what the parser has seen. */
static void follow_parser(struct conn *conn)
{
    if (http1__parser_in_body(&conn->parser)) {
        if (conn->state != CONN_BODY)
            http1__conn_set_state(conn, CONN_BODY);
        http1__conn_charge(conn, conn->parser.message->body.cap);
    } else if (http1__parser_in_head(&conn->parser) && conn->state != CONN_HEAD) {
        http1__conn_set_state(conn, CONN_HEAD);
    }
}

/* One step of the parser. Returns what it used. */
static size_t parse_once(struct conn *conn, struct slice bytes)
{
    size_t used = 0;
    enum http1__step step = http1__parse(&conn->parser, bytes, &used);

    follow_parser(conn);
    conn->window_bytes += used;
    if (step == HTTP1_REFUSED)
        http1__conn_refuse(conn, conn->parser.refused, conn->parser.why);
    else if (conn->server->bodies_bytes > BODIES_BYTES_MAX)
        http1__conn_refuse(conn, 503, "too many request bodies at once");
    else if (step == HTTP1_CONTINUE && used == bytes.len)
        (void)http1__conn_write(conn, CONTINUE, sizeof(CONTINUE) - 1); /* dead when it fails */
    else if (step == HTTP1_REQUEST)
        take_request(conn);
    return used;
}

static bool can_parse(const struct conn *conn)
{
    return !conn->dead && !conn->exchange && conn->state != CONN_CLOSING &&
           net_stream_writable(conn->stream);
}

static size_t parse_all(struct conn *conn, struct slice bytes)
{
    size_t used = 0;

    while (used < bytes.len && can_parse(conn))
        used += parse_once(conn, (struct slice){bytes.data + used, bytes.len - used});
    return used;
}

static void keep_input(struct conn *conn, struct slice bytes)
{
    if (conn->dead || conn->state == CONN_CLOSING || bytes.len == 0)
        return;
    if (buf_append(&conn->input, bytes.data, bytes.len) != STATUS_OK) {
        http1__conn_kill(conn);
        return;
    }
    if (conn->input.len > PIPELINE_BYTES_MAX && !conn->paused) {
        conn->paused = true;
        net_stream_pause(conn->stream, true);
    }
}

/* Kept input first; then the stream may bring more. */
static void go_on(struct conn *conn)
{
    size_t used = parse_all(conn, buf_slice(&conn->input));

    if (conn->dead)
        return;
    buf_consume(&conn->input, used);
    if (conn->paused && conn->input.len <= PIPELINE_BYTES_MAX) {
        conn->paused = false;
        net_stream_pause(conn->stream, false);
    }
}

void http1__conn_resume(struct conn *conn)
{
    /* From inside a handler that answered at once: the loop that called the handler goes on by
     * itself. */
    if (conn->dead || conn->entered > 0)
        return;
    enter(conn);
    go_on(conn);
    http1__conn_arm(conn);
    leave(conn);
}

static void hand_over(struct conn *conn)
{
    struct http1_server *server = conn->server;
    struct net_stream *stream = conn->stream;

    conn->stream = NULL;
    detach(conn);
    server->options.on_h2_preface(stream, buf_slice(&conn->input), server->options.h2_userdata);
}

/* Until the first bytes differ from the HTTP/2 preface they are only gathered. */
static void sniff(struct conn *conn, struct slice bytes)
{
    struct buf *input = &conn->input;
    size_t n;

    keep_input(conn, bytes);
    if (conn->dead)
        return;
    n = MIN_OF(input->len, H2_PREFACE_BYTES);
    if (memcmp(input->data, H2_PREFACE, n) == 0) {
        if (n < H2_PREFACE_BYTES)
            return;
        if (conn->server->options.on_h2_preface && !conn->server->draining)
            hand_over(conn);
        else
            http1__conn_refuse(conn, 400, "HTTP/2 is not spoken here");
        return;
    }
    http1__conn_set_state(conn, CONN_HEAD);
    go_on(conn);
}

static void on_read(struct net_stream *stream, struct slice bytes, void *userdata)
{
    struct conn *conn = userdata;

    if (conn->state == CONN_CLOSING || bytes.len == 0)
        return;
    enter(conn);
    if (conn->state == CONN_SNIFFING) {
        sniff(conn, bytes);
    } else if (conn->input.len > 0 || !can_parse(conn)) {
        keep_input(conn, bytes);
    } else {
        size_t used = parse_all(conn, bytes);

        keep_input(conn, (struct slice){bytes.data + used, bytes.len - used});
    }
    http1__conn_arm(conn);
    leave(conn);
}

static void on_close(struct net_stream *stream, enum status status, const char *why, void *userdata)
{
    http1__conn_kill(userdata);
}

static void on_drain(struct net_stream *stream, void *userdata)
{
    struct conn *conn = userdata;
    struct exchange *exchange = conn->exchange;

    enter(conn);
    if (exchange && exchange->on_drain)
        exchange->on_drain(&exchange->message->request, exchange->drain_userdata);
    go_on(conn);
    http1__conn_arm(conn);
    leave(conn);
}

void http1__conn_open(struct http1_server *server, struct net_stream *stream,
                      struct slice first_bytes)
{
    static const struct net_callbacks CALLBACKS = {on_read, on_close, on_drain};
    struct conn *conn;

    if (server->draining || server->conn_count >= server->options.connections_max) {
        net_stream_free(stream);
        return;
    }
    conn = mem_zalloc(sizeof(*conn));
    conn->server = server;
    conn->stream = stream;
    conn->timer = loop_timer_new(server->loop, timer_cb, conn);
    http1__parser_init(&conn->parser, server->options.body_bytes_max);
    buf_init(&conn->input, INPUT_BYTES_MAX);
    list_push(&server->conns, &conn->link);
    server->conn_count++;
    http1__conn_set_state(conn, CONN_SNIFFING);
    http1__conn_arm(conn);
    net_stream_start(stream, &CALLBACKS, conn);
    if (first_bytes.len > 0)
        on_read(stream, first_bytes, conn);
}
