/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP1_HTTP1_H
#define HTTP1_HTTP1_H
/*
 * HTTP/1.1 server over lib/net. A request reaches on_request whole (head and body, bounded); the
 * handler finishes it exactly once, at once or later, by http1_respond or http1_stream_end (or
 * _abort). Until then the request and its arena stay valid, even when the peer has gone: on_close
 * tells so early, answers are then dropped silently. Requests of one connection are handled one
 * after another, so pipelined ones are answered in order. Strict on input: whatever two parsers
 * could read in two ways (bare LF, folded lines, space before a colon, two lengths, length beside
 * chunks, codings other than chunked) is answered with 400 and the connection closed.
 */
#include "base/arena.h"
#include "base/slice.h"
#include "net/net.h"

#define HTTP1_HEAD_BYTES_MAX (16u * 1024u) /* request line and headers; 431 past it */
#define HTTP1_HEADERS_MAX 100u             /* 431 past it */
#define HTTP1_BODY_BYTES_MAX (8u << 20)    /* default of body_bytes_max; 413 past it */
#define HTTP1_CONNECTIONS_MAX 1024u
#define HTTP1_HEADER_TIMEOUT_MS 10000u
#define HTTP1_IDLE_TIMEOUT_MS 60000u
#define HTTP1_BODY_WINDOW_MS 10000u   /* each such span of a body's arrival must bring … */
#define HTTP1_BODY_WINDOW_BYTES 1024u /* … so many bytes, or its end; else 408 */
#define HTTP1_WRITE_STALL_MS 30000u   /* a peer that takes no byte for so long is cut off */

struct http1_server;
struct http1_request;
struct http1_header {
    struct slice name, value; /* names of requests are lower case, values trimmed */
};

typedef void (*http1_request_fn)(struct http1_request *request, void *userdata);

struct http1_options { /* 0 = the default above */
    size_t body_bytes_max;
    size_t connections_max;
    uint64_t header_timeout_ms, idle_timeout_ms, body_window_ms, write_stall_ms;
    const char *server; /* value of the Server header, NULL = none */
    /* A connection that begins with the HTTP/2 preface: takes the stream over, with the bytes read
     * so far, and must call net_stream_start or net_stream_free on it. NULL: such connections are
     * answered 400. */
    void (*on_h2_preface)(struct net_stream *stream, struct slice bytes, void *userdata);
    void *h2_userdata;
};

struct http1_request {
    struct arena *arena; /* dies with the request */
    const char *method;  /* "GET"; upper case */
    const char *target;  /* as sent, e.g. "/a%20b?x=1" */
    const char *path;    /* of the target, still escaped, begins with "/" (or is "*") */
    const char *query;   /* behind the "?", still escaped; "" when none */
    struct slice host;   /* Host, or the authority of an absolute target */
    const struct http1_header *headers;
    size_t header_count;
    struct slice body;
    const char *peer; /* address of the client */
    bool peer_is_local;
    void *userdata; /* the handler's own */
};

struct http1_server *http1_server_new(struct loop *loop, const struct http1_options *options,
                                      http1_request_fn on_request, void *userdata);
/* May be called for several addresses. */
MUST_USE enum status http1_server_listen(struct http1_server *server, const char *address,
                                         struct error *err);
const char *http1_server_address(const struct http1_server *server,
                                 size_t index); /* real port; NULL past the last */
/* Serves a connection that was accepted elsewhere; takes the stream. first_bytes were already read
 * from it. */
void http1_server_take(struct http1_server *server, struct net_stream *stream,
                       struct slice first_bytes);
size_t http1_server_connections(const struct http1_server *server);
/* Stops listening, closes idle connections, lets the others finish their request; done is called
 * once, from the loop, when none is left. Streamed answers go on until their handler ends them. */
void http1_server_drain(struct http1_server *server, void (*done)(void *userdata), void *userdata);
/* Closes everything at once; open requests get their on_close and must still be finished by their
 * handlers. NULL allowed. */
void http1_server_free(struct http1_server *server);

/* Value of a header by its lower-case name; data NULL when absent. */
struct slice http1_header(const struct http1_request *request, const char *name);
/* Walks the query: unescaped (with + as a space) into the request's arena. *pos starts at 0. False
 * at the end; a bad escape gives false and *pos = SIZE_MAX. */
bool http1_query_next(const struct http1_request *request, size_t *pos, struct slice *ret_name,
                      struct slice *ret_value);
/* Percent-decodes into the arena. False for a broken escape. */
bool http1_unescape(struct arena *arena, struct slice text, struct slice *ret);

/* Answers whole. Content-Length, Date and Connection are added; the body is copied; HEAD gets no
 * body. A header name or value that could not stand in a message (CR, LF, NUL, …) turns the answer
 * into an empty 500. */
void http1_respond(struct http1_request *request, unsigned http_status,
                   const struct http1_header *headers, size_t header_count, struct slice body);
/* Answers with a body of unknown length (chunked; until close for HTTP/1.0). False when the answer
 * was refused as above, or the peer has gone: the request must be ended all the same. */
bool http1_stream_begin(struct http1_request *request, unsigned http_status,
                        const struct http1_header *headers, size_t header_count);
/* False when the peer has gone or does not read (its buffer of NET_WRITE_MAX_BYTES is full: the
 * connection is cut). on_close is not called for what this tells. */
bool http1_stream_write(struct http1_request *request, const void *data, size_t len);
bool http1_stream_writable(const struct http1_request *request); /* below the high-water mark */
void http1_stream_on_drain(struct http1_request *request, http1_request_fn fn, void *userdata);
void http1_stream_end(struct http1_request *request); /* finishes the request */
void http1_stream_abort(
    struct http1_request *request); /* the same, but the peer sees a cut connection */
/* Called once if the peer goes, or the server is freed, before the request is finished. */
void http1_request_on_close(struct http1_request *request, http1_request_fn fn, void *userdata);
const char *http1_reason(unsigned http_status); /* "Not Found" */

#endif
