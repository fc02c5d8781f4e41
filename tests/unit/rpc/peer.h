/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEER_H
#define PEER_H
/*
 * A server that does what no library would: it answers with frames written by hand, as the test's
 * on_request says. By itself it sends SETTINGS and acknowledges SETTINGS and PING, unless told not
 * to. What the client sent is kept for the test to look at.
 */
#include <nghttp2/nghttp2.h>
#include "fixture.h"
#include "net/net.h"

#define PEER_CONNS_MAX 64
#define PEER_REQUESTS_MAX 64
#define PEER_HEADERS_BYTES 4096

enum {
    PEER_DATA,
    PEER_HEADERS,
    PEER_RST = 3,
    PEER_SETTINGS,
    PEER_PING = 6,
    PEER_GOAWAY,
    PEER_WINDOW_UPDATE
};
enum { PEER_END_STREAM = 1, PEER_ACK = 1, PEER_END_HEADERS = 4, PEER_PADDED = 8 };

struct peer;
struct peer_conn {
    struct peer *peer;
    size_t number; /* from 0 */
    struct net_stream *net;
    struct buf in;
    nghttp2_hd_inflater *inflater;
    bool greeted, closed;
};
struct peer_request {
    struct peer_conn *conn;
    uint32_t id;
    char headers[PEER_HEADERS_BYTES]; /* "name: value\n" each */
    size_t body_bytes;
    bool ended, reset;
    uint32_t reset_code;
};
struct peer {
    struct fixture *f;
    struct net_listener *listener;
    char address[128];
    struct peer_conn *conns[PEER_CONNS_MAX];
    size_t conn_count;
    uint64_t accepted_us[PEER_CONNS_MAX];
    struct peer_request *requests; /* stay after peer_end */
    uint64_t requested_us[PEER_REQUESTS_MAX];
    size_t request_count;
    bool silent;          /* sends no SETTINGS */
    bool deaf;            /* answers no PING */
    uint32_t streams_max; /* MAX_CONCURRENT_STREAMS; 0 = not said */
    /* May be NULL. HEADERS came; DATA came; END_STREAM came with either. */
    void (*on_request)(struct peer_request *request);
    void (*on_body)(struct peer_request *request);
    void (*on_end)(struct peer_request *request);
    void (*on_accept)(struct peer_conn *conn);
    size_t pings, pongs, goaways;
    uint64_t connection_credit; /* sum of WINDOW_UPDATE for the connection */
    uint64_t stream_credit;     /* and for streams */
    int step;                   /* the test's own */
};

void peer_begin(struct peer *peer, struct fixture *f); /* listens, makes f->channel to it */
void peer_listen(struct peer *peer, struct fixture *f, const char *address);
void peer_end(struct peer *peer);
/* What a request's header had, or "". */
const char *peer_header(const struct peer_request *request, const char *name);

void peer_bytes(struct peer_conn *conn, const void *data, size_t len);
void peer_frame(struct peer_conn *conn, int type, int flags, uint32_t id, const void *payload,
                size_t len);
/* name, value, …, NULL */
void peer_headers(struct peer_request *request, int flags, const char *const *headers);
void peer_response(struct peer_request *request); /* :status 200 and content-type */
void peer_data(struct peer_request *request, int flags, const void *data, size_t len);
void peer_message(struct peer_request *request, const char *text); /* an EchoReply */
void peer_trailers(struct peer_request *request, const char *status);
void peer_status(struct peer_request *request, const char *status); /* trailers only */
void peer_answer(struct peer_request *request);                     /* OK with a message "ok" */
void peer_rst(struct peer_request *request, uint32_t code);
void peer_goaway(struct peer_conn *conn, uint32_t last_id, uint32_t code, const char *debug);
void peer_close(struct peer_conn *conn);

#endif
