/* SPDX-License-Identifier: Apache-2.0 */
#ifndef H2_INTERNAL_H
#define H2_INTERNAL_H
#include <nghttp2/nghttp2.h>
#include "h2/h2.h"

#define H2_STREAMS_MAX 1024
#define H2_HEADER_BYTES_MAX (16u << 10)
#define H2_STREAM_WINDOW_BYTES (1u << 20)
#define H2_CONNECTION_WINDOW_BYTES (4u << 20)
#define H2_PREFACE_TIMEOUT_MS 10000
#define H2_CONSUME_SHARE 4 /* a stream's window is given back in quarters */
#define H2_FLUSH_ORDER 28  /* before the streams of lib/net write */
#define H2_HEADERS_PER_BLOCK_MAX 80
#define H2_GOAWAY_DEBUG_BYTES 64 /* that are looked at */
#define H2_OUT_KEEP_BYTES 4096   /* capacity that a pooled stream keeps */
#define H2_OVERSIZED_BURST 8     /* header blocks over the limit: decoding them costs most */
#define H2_OVERSIZED_PER_S 1
#define H2_FRAMES_WAITING_MAX 8192 /* in nghttp2, for a peer that does not read */
/* Frames that cost us work and carry nothing: empty DATA, PING, SETTINGS, PRIORITY. A burst, then a
 * rate. */
#define H2_CHEAP_FRAMES_BURST 2000
#define H2_CHEAP_FRAMES_PER_S 200
/* Streams that end by RST_STREAM, the peer's or one that it provoked. The burst is below that of
 * nghttp2 (1,000), which ends the connection with a less telling code and whose versions differ. */
#define H2_RESETS_BURST 900
#define H2_RESETS_PER_S 33
#define H2_PING_INTERVAL_MIN_MS 300000u
#define H2_PING_INTERVAL_IDLE_MS 7200000u /* while no stream is open */
#define H2_PING_STRIKES_MAX 2
#define H2_NOTICE_MS 1000    /* for the peer to acknowledge the notice of a shutdown */
#define H2_GOODBYE_MS 3000   /* for the last bytes to leave and the peer to close */
#define H2_STREAM_BYTES 2048 /* a stream beside its bytes */
#define H2_FRAME_BYTES 256   /* what a frame that waits in nghttp2 costs */

#define H2_FIELDS_KEPT 16           /* verdicts on fields of requests, by connection */
#define H2_FIELD_KEPT_BYTES_MAX 256 /* name and value of one */

/* A field as HPACK handed it out, and what is wrong with it. */
struct h2_field {
    nghttp2_rcbuf *name, *value;
    struct slice name_text, value_text;
    uint32_t verdict;
};
enum h2_fate { H2_FIELD_TAKEN, H2_FIELD_LEFT_OUT, H2_FIELD_BREAKS };

/* A count that leaks: so many at once, then so many a second. */
struct h2_bucket {
    uint32_t level;
    uint64_t since_us;
};

/* Where in the peer's frames a server is, and the last streams that the peer has ended. */
#define H2_ENDED_KEPT 32
#define H2_FRAME_HEAD_BYTES 9
struct h2_scan {
    uint32_t skip; /* of the payload, or of the preface */
    uint32_t ended[H2_ENDED_KEPT], ended_next, ended_highest;
    uint8_t head[H2_FRAME_HEAD_BYTES], have; /* a frame header that is split between reads */
    bool in_block;
};

/* What the connection's one timer waits for; a later one of these replaces an earlier one. */
enum h2_wait { H2_WAIT_NONE, H2_WAIT_STALL, H2_WAIT_PREFACE, H2_WAIT_NOTICE, H2_WAIT_GOODBYE };

struct h2_conn {
    struct loop *loop;
    struct net_stream *net;
    nghttp2_session *session;
    const struct h2_handlers *handlers;
    void *userdata;
    struct list streams;
    struct h2_stream *receiving; /* whose header block is being read: saves a lookup per field */
    size_t stream_count;
    struct loop_flush *flush;
    struct loop_timer *timer;
    enum h2_wait wait;
    enum h2_end end;
    uint32_t header_bytes_max, consume_bytes;
    size_t bytes_max;
    size_t queued;   /* body bytes that wait in streams */
    size_t held;     /* bytes that the user keeps for streams (h2_stream_hold) */
    size_t received; /* body bytes of this read, to be given back to the connection's window */
    struct h2_bucket cheap, resets, oversized;
    uint32_t ping_strikes;
    struct h2_scan scan;
    uint64_t pinged_us; /* the peer's last PING since anything was sent; 0 = none */
    uint64_t ping_interval_min_ms;
    uint64_t read_ms, reads;
    const char *debug; /* of the last GOAWAY of a shutdown */
    uint32_t busy;     /* on the C stack: memory stays */
    bool server, ready, greeted, draining, shutting_down, lost, freed, pings_without_streams;
    bool condemned; /* a GOAWAY with an error is queued: nothing more is read */
    bool closing;   /* the last frame was written, the streams are closed */
    char why[64];
    uint32_t goaway_code;
    struct h2_field fields[H2_FIELDS_KEPT];
    unsigned field_next, field_given_up;
    char goaway_debug[H2_GOAWAY_DEBUG_BYTES];
};

static inline bool h2__is_over(const struct h2_conn *conn)
{
    return conn->lost || conn->freed || conn->condemned || conn->closing;
}

void h2__mark(struct h2_conn *conn);
void h2__stream_attach(struct h2_conn *conn, struct h2_stream *stream);
void h2__stream_closed(struct h2_stream *stream, uint32_t error_code);
int h2__send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head,
                  size_t length, nghttp2_data_source *source, void *userdata);

/* ---- fields.c ---- */
/* The field with its verdict, kept for the next request or in scratch. */
const struct h2_field *h2__field(struct h2_conn *conn, nghttp2_rcbuf *name, nghttp2_rcbuf *value,
                                 struct h2_field *scratch);
void h2__fields_free(struct h2_conn *conn);
enum h2_fate h2__request_field(struct h2_stream *stream, const struct h2_field *field,
                               bool trailers);
bool h2__request_is_whole(const struct h2_stream *stream); /* its header block has ended */
/* Whether these bytes, and with `last` all, are as many as content-length has said. */
bool h2__body_fits(struct h2_stream *stream, size_t len, bool last);

/* ---- guard.c ---- */
/* Ends the connection for a reason, from wherever frames are read or made: GOAWAY with the code and
 * the text leaves with the flush, then all streams are closed. */
void h2__condemn(struct h2_conn *conn, enum h2_end end, uint32_t code, const char *why);
void h2__count_cheap(struct h2_conn *conn);
void h2__count_reset(struct h2_conn *conn);
void h2__count_oversized(struct h2_conn *conn);
void h2__count_ping(struct h2_conn *conn);
void h2__check_bytes(struct h2_conn *conn);
void h2__wait(struct h2_conn *conn, enum h2_wait wait, uint64_t ms);
void h2__wait_over(struct h2_conn *conn, enum h2_wait wait);

/* ---- scan.c ---- */
/* How many of the bytes may be given to nghttp2: all, or those before a frame on a stream that the
 * peer itself has ended. */
size_t h2__scan(struct h2_scan *scan, struct slice bytes);

/* nghttp2's allocations by size class from a per-thread list. */
nghttp2_mem *h2__memory(void);

#endif
