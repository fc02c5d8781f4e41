/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FRAMES_H
#define FRAMES_H
/*
 * A peer that writes HTTP/2 frames by hand to the Echo server, over a socket in the same loop, and
 * keeps what comes back on the stream it looks at. Header blocks go out as literals without
 * Huffman, so that any name and value can be sent.
 */
#include <nghttp2/nghttp2.h>
#include "base/buf.h"
#include "fixture.h"

#define FRAME_END_STREAM NGHTTP2_FLAG_END_STREAM
#define FRAMES_HEADERS_MAX 24

struct frames_header {
    char name[48];
    char value[512];
    int block; /* counted from 1 */
};
struct frames {
    struct fixture f;
    int fd;
    struct loop_fd *watch;
    struct buf out, in;
    nghttp2_hd_inflater *inflater;
    uint32_t stream;  /* the one looked at; 1 at first */
    bool until_reset; /* frames_run waits for RST_STREAM, not for the end of the answer */
    bool until_pong;
    bool no_ack; /* of the server's SETTINGS */
    /* what came back on it */
    struct frames_header headers[FRAMES_HEADERS_MAX];
    size_t header_count;
    int blocks;
    struct buf body;
    bool ended, reset, lost, pong;
    uint32_t reset_code;
    /* windows that the server has given beyond the first ones */
    uint64_t connection_credit, stream_credit;
};

void frames_begin(struct frames *fr); /* server and connection; preface and SETTINGS are queued */
void frames_end(struct frames *fr);
void frames_put(struct frames *fr, uint8_t type, uint8_t flags, const void *data, size_t len);
/* name, value, …, NULL */
void frames_headers(struct frames *fr, uint8_t flags, const char *const *pairs);
/* DATA with that many bytes of padding; -1 = not padded. */
void frames_data(struct frames *fr, uint8_t flags, struct slice bytes, int padding);
/* Sends what is queued and waits for what is said above, or the end of the connection. */
void frames_run(struct frames *fr);
void frames_next_stream(struct frames *fr);
/* The value in that block (0 = any), or NULL. */
const char *frames_header(const struct frames *fr, int block, const char *name);

#endif
