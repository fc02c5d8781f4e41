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
#define H2_GOAWAY_DEBUG_BYTES 64  /* that are looked at */
#define H2_OUT_KEEP_BYTES 4096    /* capacity that a pooled stream keeps */
#define H2_OVERSIZED_BLOCKS_MAX 8 /* header blocks over the limit before the connection is cut */
/* Frames that cost us work and carry nothing: empty DATA, PING, SETTINGS, PRIORITY. A burst, then a
 * rate. */
#define H2_CHEAP_FRAMES_BURST 2000
#define H2_CHEAP_FRAMES_PER_S 200

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
    struct loop_timer *timer; /* preface first, write stall later */
    uint32_t header_bytes_max, consume_bytes;
    size_t queued;   /* body bytes that wait in streams */
    size_t received; /* body bytes of this read, to be given back to the connection's window */
    uint32_t cheap_frames, oversized_blocks;
    uint64_t cheap_since_us, reads;
    uint32_t busy; /* on the C stack: memory stays */
    bool server, ready, draining, shutting_down, lost, freed, stalled;
    char why[96];
    uint32_t goaway_code;
    char goaway_debug[H2_GOAWAY_DEBUG_BYTES];
};

void h2__mark(struct h2_conn *conn);
void h2__stream_attach(struct h2_conn *conn, struct h2_stream *stream);
void h2__stream_closed(struct h2_stream *stream, uint32_t error_code);
int h2__send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head,
                  size_t length, nghttp2_data_source *source, void *userdata);
/* nghttp2's allocations by size class from a per-thread list. */
nghttp2_mem *h2__memory(void);

#endif
