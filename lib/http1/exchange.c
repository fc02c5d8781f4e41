/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdio.h>
#include "server.h"

static const char LAST_CHUNK[] = "0\r\n\r\n";

static struct exchange *exchange_of(const struct http1_request *request)
{
    return CONTAINER_OF(request, struct http1__message, request)->exchange;
}

void http1__exchange_open(struct conn *conn, struct http1__message *message)
{
    struct http1_server *server = conn->server;
    struct exchange *exchange = ARENA_NEW(message->request.arena, struct exchange);

    exchange->message = message;
    exchange->conn = conn;
    message->exchange = exchange;
    conn->exchange = exchange;
    server->on_request(&message->request, server->userdata);
}

void http1__exchange_cut(struct exchange *exchange)
{
    exchange->conn = NULL;
    if (exchange->on_close)
        exchange->on_close(&exchange->message->request, exchange->close_userdata);
}

/* Ends the exchange. The connection lives on, is closed behind the answer, or cut. */
enum ending { END_KEEP, END_CLOSE, END_CUT };

static void finish(struct exchange *exchange, enum ending ending)
{
    struct conn *conn = exchange->conn;

    if (conn) {
        conn->exchange = NULL;
        http1__conn_charge(conn, 0);
        if (ending == END_CUT)
            http1__conn_kill(conn);
        else if (ending == END_CLOSE)
            http1__conn_close_when_flushed(conn);
        else
            http1__conn_set_state(conn, CONN_IDLE);
    }
    http1__message_free(exchange->message); /* the exchange lies in its arena */
    if (conn && ending == END_KEEP) {
        http1__conn_arm(conn);
        http1__conn_resume(conn);
    }
}

static bool has_body(unsigned status)
{
    return status >= 200 && status != 204 && status != 304;
}

/* The head of an answer; a refused one becomes an empty 500, which is the handler's fault and shows
 * in tests. */
static enum status put_head(struct buf *out, struct http1_server *server,
                            struct http1__response_head *head)
{
    enum status status;

    head->date = http1__server_date(server);
    head->server = server->options.server;
    status = http1__put_response_head(out, head);
    if (status == STATUS_OK)
        return status;
    buf_clear(out);
    *head = (struct http1__response_head){.status = 500,
                                          .date = head->date,
                                          .has_length = true,
                                          .close = head->close,
                                          .keep_alive_10 = head->keep_alive_10};
    if (http1__put_response_head(out, head) != STATUS_OK)
        buf_clear(out); /* no room for a fixed text: impossible */
    return status;
}

/* Writes without telling the handler of a failure by on_close: it learns of it from what it is
 * calling right now. */
static bool write_quietly(struct exchange *exchange, const void *data, size_t len)
{
    http1_request_fn on_close = exchange->on_close;
    bool written;

    if (!exchange->conn)
        return false;
    exchange->on_close = NULL;
    written = len == 0 || http1__conn_write(exchange->conn, data, len);
    exchange->on_close = on_close;
    return written;
}

static bool must_close(const struct exchange *exchange)
{
    return !exchange->message->keep_alive || exchange->conn->server->draining;
}

void http1_respond(struct http1_request *request, unsigned http_status,
                   const struct http1_header *headers, size_t header_count, struct slice body)
{
    struct exchange *exchange = exchange_of(request);
    struct http1__response_head head = {.status = http_status,
                                        .headers = headers,
                                        .header_count = header_count,
                                        .has_length = has_body(http_status),
                                        .content_length = body.len};
    AUTO(buf_fini) struct buf out = {.max = RESPONSE_HEAD_BYTES_MAX};

    assert(!exchange->begun && http_status >= 200 && http_status <= 999);
    exchange->on_close = NULL;
    if (!exchange->conn) {
        finish(exchange, END_CUT);
        return;
    }
    head.close = must_close(exchange);
    head.keep_alive_10 = exchange->message->is_http10 && !head.close;
    if (put_head(&out, exchange->conn->server, &head) != STATUS_OK)
        body.len = 0;
    if (write_quietly(exchange, out.data, out.len) && has_body(head.status) &&
        !exchange->message->is_head)
        (void)write_quietly(exchange, body.data,
                            body.len); /* the connection is gone when it fails */
    finish(exchange, head.close ? END_CLOSE : END_KEEP);
}

bool http1_stream_begin(struct http1_request *request, unsigned http_status,
                        const struct http1_header *headers, size_t header_count)
{
    struct exchange *exchange = exchange_of(request);
    struct http1__message *message = exchange->message;
    struct http1__response_head head = {
        .status = http_status, .headers = headers, .header_count = header_count};
    AUTO(buf_fini) struct buf out = {.max = RESPONSE_HEAD_BYTES_MAX};
    enum status status;

    assert(!exchange->begun && has_body(http_status));
    exchange->begun = true;
    if (!exchange->conn)
        return false;
    /* A peer of HTTP/1.0 finds the end of the body by the end of the connection. */
    message->keep_alive = message->keep_alive && !message->is_http10;
    head.close = must_close(exchange);
    head.chunked = !message->is_http10;
    exchange->close_at_end = head.close;
    status = put_head(&out, exchange->conn->server, &head);
    exchange->chunked = status == STATUS_OK && !message->is_http10 && !message->is_head;
    exchange->refused_head = status != STATUS_OK;
    exchange->muted = exchange->refused_head || message->is_head;
    if (!write_quietly(exchange, out.data, out.len))
        return false;
    http1__conn_arm(exchange->conn);
    return status == STATUS_OK;
}

bool http1_stream_write(struct http1_request *request, const void *data, size_t len)
{
    struct exchange *exchange = exchange_of(request);
    char size[24];

    assert(exchange->begun);
    if (!exchange->conn)
        return false;
    if (exchange->muted || len == 0)
        return !exchange->refused_head;
    if (exchange->chunked) {
        int n = snprintf(size, sizeof(size), "%zx\r\n", len);

        if (!write_quietly(exchange, size, (size_t)n) || !write_quietly(exchange, data, len) ||
            !write_quietly(exchange, "\r\n", 2))
            return false;
    } else if (!write_quietly(exchange, data, len)) {
        return false;
    }
    http1__conn_arm(exchange->conn);
    return true;
}

bool http1_stream_writable(const struct http1_request *request)
{
    const struct exchange *exchange = exchange_of(request);

    return exchange->conn && net_stream_writable(exchange->conn->stream);
}

void http1_stream_on_drain(struct http1_request *request, http1_request_fn fn, void *userdata)
{
    struct exchange *exchange = exchange_of(request);

    exchange->on_drain = fn;
    exchange->drain_userdata = userdata;
}

void http1_request_on_close(struct http1_request *request, http1_request_fn fn, void *userdata)
{
    struct exchange *exchange = exchange_of(request);

    exchange->on_close = fn;
    exchange->close_userdata = userdata;
}

void http1_stream_end(struct http1_request *request)
{
    struct exchange *exchange = exchange_of(request);

    exchange->on_close = NULL;
    /* Without a beginning there is nothing that could be ended well. */
    if (exchange->conn && !exchange->begun) {
        http1_respond(request, 500, NULL, 0, slice_of(""));
        return;
    }
    if (exchange->chunked)
        (void)write_quietly(exchange, LAST_CHUNK, sizeof(LAST_CHUNK) - 1); /* cut when it fails */
    finish(exchange, exchange->close_at_end ? END_CLOSE : END_KEEP);
}

void http1_stream_abort(struct http1_request *request)
{
    struct exchange *exchange = exchange_of(request);

    exchange->on_close = NULL;
    finish(exchange, END_CUT);
}

void http1__conn_refuse(struct conn *conn, unsigned status, const char *why)
{
    static const struct http1_header TYPE = {{"Content-Type", 12},
                                             {"text/plain; charset=utf-8", 25}};
    struct http1__response_head head = {.status = status,
                                        .headers = &TYPE,
                                        .header_count = 1,
                                        .has_length = true,
                                        .close = true,
                                        .content_length = strlen(why) + 1};
    AUTO(buf_fini) struct buf out = {.max = RESPONSE_HEAD_BYTES_MAX};

    if (put_head(&out, conn->server, &head) == STATUS_OK)
        buf_putf(&out, "%s\n", why);
    if (http1__conn_write(conn, out.data, out.len))
        http1__conn_close_when_flushed(conn);
}
