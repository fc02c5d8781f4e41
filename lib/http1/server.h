/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP1_SERVER_H
#define HTTP1_SERVER_H
/*
 * Server, its connections, and on each at most one exchange (a request that its handler has not
 * finished yet). An exchange outlives its connection when the peer goes first: it is then cut loose
 * (conn NULL) and its handler's answers go nowhere.
 */
#include "base/list.h"
#include "parser.h"

#define PIPELINE_BYTES_MAX                                                                         \
    (64u * 1024u) /* of later requests kept while one is handled; then reading stops */
#define INPUT_BYTES_MAX (PIPELINE_BYTES_MAX + (1u << 20))
#define RESPONSE_HEAD_BYTES_MAX (32u * 1024u)
#define LISTENERS_MAX 8
#define BODIES_BYTES_MAX                                                                           \
    (256u << 20) /* of all request bodies a server holds at once; 503 past it */

struct exchange;

enum conn_state {
    CONN_SNIFFING, /* the first bytes may be the HTTP/2 preface */
    CONN_IDLE,     /* nothing of a request has come */
    CONN_HEAD,
    CONN_BODY,
    CONN_HANDLING, /* an exchange is open */
    CONN_CLOSING,  /* the last answer is on its way out */
};

struct conn {
    struct list link; /* server->conns */
    struct http1_server *server;
    struct net_stream *stream;
    struct loop_timer *timer;
    enum conn_state state;
    struct http1__parser parser;
    struct buf input; /* came while it could not be parsed */
    struct exchange *exchange;
    uint64_t state_since_us;
    uint64_t window_bytes; /* of the body, in the window that began at state_since_us */
    uint64_t timer_at_us;  /* when the timer fires; 0 = not running */
    uint64_t written_bytes, acknowledged_bytes, stalled_since_us; /* 0 = nothing waits to be sent */
    size_t body_charged_bytes;                                    /* of server->bodies_bytes */
    unsigned entered; /* callbacks of this connection on the stack */
    bool dead;        /* freed when entered is 0 */
    bool paused;      /* reading, since input is full */
};

struct exchange {
    struct http1__message *message; /* its request's arena holds this struct */
    struct conn *conn;              /* NULL: the peer has gone */
    http1_request_fn on_close, on_drain;
    void *close_userdata, *drain_userdata;
    bool begun;
    bool chunked;      /* data goes out in chunks */
    bool muted;        /* HEAD, or a refused head: data is dropped */
    bool refused_head; /* 500 was sent in place of the handler's head */
    bool close_at_end;
};

struct http1_server {
    struct loop *loop;
    struct http1_options options;
    http1_request_fn on_request;
    void *userdata;
    struct net_listener *listeners[LISTENERS_MAX];
    size_t listener_count;
    struct list conns;
    size_t conn_count;
    size_t bodies_bytes;
    bool draining;
    void (*drained)(void *userdata);
    void *drained_userdata;
    int64_t date_unix_s;
    char date[32];
};

void http1__conn_open(struct http1_server *server, struct net_stream *stream,
                      struct slice first_bytes);
/* Cuts the connection off at once; an open exchange hears of it. */
void http1__conn_kill(struct conn *conn);
void http1__conn_close_when_flushed(struct conn *conn);
/* Goes on with kept input once the exchange is done or the peer reads again. */
void http1__conn_resume(struct conn *conn);
/* False when the peer does not read: the connection is then dead. */
bool http1__conn_write(struct conn *conn, const void *data, size_t len);
/* Sets what the body in hand counts towards the server's limit. */
void http1__conn_charge(struct conn *conn, size_t bytes);
void http1__conn_set_state(struct conn *conn, enum conn_state state);
void http1__conn_arm(struct conn *conn);
void http1__server_left(struct http1_server *server); /* a connection has gone */
const char *http1__server_date(struct http1_server *server);

void http1__exchange_open(struct conn *conn, struct http1__message *message);
/* Tells the handler that the peer has gone. */
void http1__exchange_cut(struct exchange *exchange);
/* An answer that no handler gives; the connection closes behind it. */
void http1__conn_refuse(struct conn *conn, unsigned status, const char *why);

#endif
