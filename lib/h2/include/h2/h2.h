/* SPDX-License-Identifier: Apache-2.0 */
#ifndef H2_H2_H
#define H2_H2_H
/*
 * One HTTP/2 connection, server or client, over a net_stream: a narrow face on nghttp2. A stream
 * object is embedded first in the user's own request object, which the user allocates (on_open,
 * h2_request) and may free once on_closed was called. All input of one read is taken before
 * anything is sent, and all frames of a turn leave in one write. The library's own limits against
 * abuse are on: header bytes, empty DATA, PING, SETTINGS, resets, continuations, and the memory of
 * a connection; what is left to the user is to read (h2_consume) and to say what it keeps
 * (h2_stream_hold). Callbacks of a connection come from its
 * reads and from the end of the turn, never from inside a call of these functions, except that
 * h2_free calls on_closed of the open streams.
 */
#include "base/buf.h"
#include "base/list.h"
#include "net/net.h"

struct h2_conn;

struct h2_header {
    struct slice name, value; /* name in lower case */
};

struct h2_stream {
    struct h2_conn *conn; /* NULL before it is submitted and from on_closed on */
    int32_t id;
    struct list node;
    struct buf out; /* body bytes that wait to be framed, from out_at on */
    size_t out_at;
    size_t framed;     /* bytes of out that a frame header already promised */
    size_t unconsumed; /* given back to the peer in pieces */
    size_t held;       /* h2_stream_hold */
    const struct h2_header *trailers;
    size_t trailer_count;
    uint32_t header_bytes;               /* of the block being received */
    uint32_t seen;                       /* what kinds of fields the request has had */
    uint64_t content_length, body_bytes; /* of the request, as it says and as it came */
    bool ending;                         /* END_STREAM follows what is queued */
    bool deferred;                       /* nothing was queued when the last frame was made */
    bool remote_ended, local_ended;
    bool submitted;   /* a response or request was submitted */
    bool on_the_wire; /* client: the request has left the queue */
    bool dropped;     /* output was taken back */
    bool above_high_water, status_seen, informational;
    bool malformed;  /* a request that is being reset: nothing of it is shown any more */
    bool oversized;  /* a header block was over the limit: the stream is reset */
    bool block_ends; /* the block that on_headers is about carries END_STREAM */
    bool keep;       /* what was sent stays in out, for h2_stream_replay */
};

enum h2_block { H2_REQUEST, H2_RESPONSE, H2_INFORMATIONAL, H2_TRAILERS };
/* Error code of on_closed when the connection went away under the stream. */
#define H2_CONNECTION_LOST 0x10000u
/* The codes of RFC 9113 section 7 that users need. */
enum {
    H2_NO_ERROR = 0,
    H2_PROTOCOL_ERROR = 1,
    H2_INTERNAL_ERROR = 2,
    H2_REFUSED_STREAM = 7,
    H2_SETTINGS_TIMEOUT = 4,
    H2_CANCEL = 8,
    H2_ENHANCE_YOUR_CALM = 11
};

struct h2_handlers {
    /* Server: a request begins; returns its h2_stream_init'ed stream, or NULL to refuse. */
    struct h2_stream *(*on_open)(struct h2_conn *conn, void *userdata);
    void (*on_header)(struct h2_stream *stream, struct slice name, struct slice value);
    void (*on_headers)(struct h2_stream *stream, enum h2_block block);
    void (*on_data)(struct h2_stream *stream, struct slice bytes);
    void (*on_end)(struct h2_stream *stream);      /* the peer's END_STREAM */
    void (*on_writable)(struct h2_stream *stream); /* queued output fell below the low-water mark
                                                      after it was above the high one */
    void (*on_closed)(struct h2_stream *stream, uint32_t error_code);
    /* The connection ended, after on_closed of its streams; the user frees it. */
    void (*on_lost)(struct h2_conn *conn, const char *why, void *userdata);
    /* The peer's first SETTINGS came. */
    void (*on_ready)(struct h2_conn *conn, void *userdata); /* may be NULL */
    void (*on_goaway)(struct h2_conn *conn,
                      void *userdata); /* may be NULL: no new streams from now on */
    void (*on_pong)(struct h2_conn *conn, void *userdata); /* may be NULL */
    /* Later SETTINGS of the peer: h2_room may have changed. */
    void (*on_settings)(struct h2_conn *conn, void *userdata); /* may be NULL */
};

/* Why a connection ended, or is about to. */
enum h2_end {
    H2_END_PEER,     /* the peer or the network closed it */
    H2_END_SHUTDOWN, /* h2_shutdown, all streams done */
    H2_END_PROTOCOL, /* frames that RFC 9113 forbids */
    H2_END_SILENT,   /* no preface, SETTINGS or acknowledgement of ours in time */
    H2_END_STALLED,  /* the peer took no byte for H2_WRITE_STALL_MS */
    H2_END_ABUSE,    /* floods of empty frames, of resets, of header blocks over the limit */
    H2_END_PINGS,    /* pinged more often than allowed */
    H2_END_MEMORY    /* bytes_max */
};

#define H2_OFF UINT64_MAX
struct h2_options {
    uint32_t streams_max;             /* 0 = 1,024; of the peer */
    uint32_t header_bytes_max;        /* 0 = 16 KiB per block, counted name + value + 32 */
    uint32_t stream_window_bytes;     /* 0 = 1 MiB */
    uint32_t connection_window_bytes; /* 0 = 4 MiB */
    uint32_t first_stream_id;         /* client; 0 = 1. For tests of what comes after the last */
    /* What the connection may hold: queued output, input that the user holds (h2_stream_hold), and
     * 2 KiB per open stream. 0 = 64 MiB. Above it the connection ends with ENHANCE_YOUR_CALM; on a
     * client, output above it is only refused. */
    size_t bytes_max;
    /* 0 = 10 s, to the peer's SETTINGS; on a server also to its acknowledgement of ours. H2_OFF =
     * for ever. */
    uint64_t preface_timeout_ms;
    /* Server: a PING that follows another one sooner, with no HEADERS or DATA sent between them, is
     * a strike; the third one ends the connection with ENHANCE_YOUR_CALM "too_many_pings". 0 =
     * 5 min, H2_OFF = any. While no stream is open 2 h, unless pings_without_streams. */
    uint64_t ping_interval_min_ms;
    bool pings_without_streams;
};
#define H2_STREAM_OUT_MAX_BYTES (16u << 20)
#define H2_CONNECTION_BYTES_MAX (64u << 20)
#define H2_STREAM_HIGH_WATER_BYTES (256u << 10)
#define H2_WRITE_STALL_MS 30000 /* a peer that takes no byte for so long is cut off */

/* Takes the stream over (also one whose first bytes were looked at: pass them to h2_feed). */
struct h2_conn *h2_server_new(struct loop *loop, struct net_stream *stream,
                              const struct h2_options *options, const struct h2_handlers *handlers,
                              void *userdata);
struct h2_conn *h2_client_new(struct loop *loop, struct net_stream *stream,
                              const struct h2_options *options, const struct h2_handlers *handlers,
                              void *userdata);
void h2_feed(struct h2_conn *conn, struct slice bytes);
/* Lets open streams end, then closes; on_lost follows. RFC 9113 section 6.8: a server first gives
 * notice (GOAWAY 2^31-1), so that requests under way are still taken, and names its real last
 * stream once a PING has come back. debug: a constant text for the last GOAWAY, or NULL. */
void h2_shutdown(struct h2_conn *conn, const char *debug);
void h2_free(struct h2_conn *conn); /* closes at once */
enum h2_end h2_end(const struct h2_conn *conn);
uint64_t h2_read_ms(const struct h2_conn *conn); /* when bytes last came, by loop_turn_ms */
size_t h2_bytes(const struct h2_conn *conn);     /* what counts against bytes_max */
void *h2_userdata(const struct h2_conn *conn);
struct net_stream *h2_net(const struct h2_conn *conn);
size_t h2_stream_count(const struct h2_conn *conn);
bool h2_is_draining(const struct h2_conn *conn); /* either side said GOAWAY */
void h2_ping(struct h2_conn *conn);
/* Client: how many requests the peer takes now, by its MAX_CONCURRENT_STREAMS. */
size_t h2_room(const struct h2_conn *conn);
uint64_t h2_reads(const struct h2_conn *conn); /* how often bytes came: whether the peer is alive */
const char *h2_why(const struct h2_conn *conn); /* it was lost; "" before */
/* The peer's GOAWAY: its error code, and whether its debug data is the text given. */
bool h2_goaway_is(const struct h2_conn *conn, uint32_t error_code, const char *debug);

void h2_stream_init(struct h2_stream *stream); /* keeps nothing; call once per life of the object */
void h2_stream_fini(struct h2_stream *stream);
void h2_stream_reset_for_reuse(
    struct h2_stream *stream); /* for pools: keeps a small output buffer */

/* Header slices must stay until on_closed, except constants. end: no body follows. */
void h2_respond(struct h2_stream *stream, const struct h2_header *headers, size_t n, bool end);
/* False when no stream can be made any more (GOAWAY, ids used up). */
bool h2_request(struct h2_conn *conn, struct h2_stream *stream, const struct h2_header *headers,
                size_t n);
/* Body bytes: reserve, fill, commit; NULL when the stream would have more than
 * H2_STREAM_OUT_MAX_BYTES waiting, or the connection more than its bytes_max. Works before
 * h2_request too. */
void *h2_stream_reserve(struct h2_stream *stream, size_t len);
void h2_stream_commit(struct h2_stream *stream, size_t len);
size_t h2_stream_pending_bytes(const struct h2_stream *stream);
bool h2_stream_writable(const struct h2_stream *stream);
/* END_STREAM after the queued bytes, in a trailer block when n > 0 (kept until on_closed by the
 * caller). */
void h2_stream_end(struct h2_stream *stream, const struct h2_header *trailers, size_t n);
void h2_stream_drop_output(struct h2_stream *stream);
void h2_stream_rst(struct h2_stream *stream, uint32_t error_code);
/* A request that may have to be sent again: from h2_stream_keep to h2_stream_release what was sent
 * stays in the output buffer, nothing is copied. After on_closed h2_stream_replay makes the stream
 * as it was before h2_request, with all its body bytes; false when they are not all there. */
void h2_stream_keep(struct h2_stream *stream);
void h2_stream_release(struct h2_stream *stream);
bool h2_stream_replay(struct h2_stream *stream);
/* Received body bytes that were dealt with: the peer may send as many more. */
void h2_consume(struct h2_stream *stream, size_t len);
/* So many bytes of memory are kept for the stream by the user now: they count against bytes_max. */
void h2_stream_hold(struct h2_stream *stream, size_t bytes);

#endif
