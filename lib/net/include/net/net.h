/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_NET_H
#define NET_NET_H
/*
 * Byte streams over TCP and unix sockets. Addresses are text: "127.0.0.1:8081", "[::1]:8081",
 * "unix:/path". Writes are buffered (bounded by write_max_bytes) and sent once per loop turn; above
 * the high-water mark net_stream_writable turns false and on_drain follows. TCP_NODELAY, keepalive
 * and TCP_USER_TIMEOUT (10 s) are set. The owner frees the stream; after free no callback fires.
 * With a TLS context (net/tls.h) a stream is handed out when its handshake is done, and is used
 * like any other one.
 */
#include "base/buf.h"
#include "loop/loop.h"

struct net_stream;
struct net_listener;
struct net_tls;

struct net_callbacks {
    void (*on_read)(struct net_stream *stream, struct slice bytes, void *userdata);
    /* Once: end of stream (status OK) or a failure. The stream must then be freed. */
    void (*on_close)(struct net_stream *stream, enum status status, const char *why,
                     void *userdata);
    void (*on_drain)(struct net_stream *stream, void *userdata); /* may be NULL */
};
#define NET_WRITE_MAX_BYTES (16u << 20)
#define NET_WRITE_HIGH_WATER_BYTES (1u << 20)

/* on_accept takes ownership of the stream and must call net_stream_start or net_stream_free. Port 0
 * picks a free one. tls: a server's context, or NULL for plaintext. streams_max: open streams,
 * those in their handshake too (further ones are closed at once). */
struct net_listener *net_listen(struct loop *loop, const char *address, struct net_tls *tls,
                                size_t streams_max,
                                void (*on_accept)(struct net_stream *stream, void *userdata),
                                void *userdata, struct error *err);
const char *net_listener_address(const struct net_listener *listener); /* with the real port */
void net_listener_free(struct net_listener *listener);

struct net_connect_options {
    uint64_t timeout_ms; /* spans the TLS handshake */
    struct net_tls *tls; /* a client's context, or NULL for plaintext */
    const char *peer;    /* "host:port" whose host the peer's certificate must name, where address
                            is one of those it was resolved to; NULL = address */
};
/* Connects; the result comes by on_connect (once, never from inside). On success start reading with
 * net_stream_start. */
struct net_stream *net_connect(struct loop *loop, const char *address,
                               const struct net_connect_options *options,
                               void (*on_connect)(struct net_stream *stream, enum status status,
                                                  const char *why, void *userdata),
                               void *userdata);
void net_stream_start(struct net_stream *stream, const struct net_callbacks *callbacks,
                      void *userdata);
/* RESOURCE_EXHAUSTED when the buffer is full: the caller closes, since the peer does not read. */
MUST_USE enum status net_stream_write(struct net_stream *stream, const void *data, size_t len);
bool net_stream_writable(const struct net_stream *stream);
size_t net_stream_pending_bytes(const struct net_stream *stream);
void net_stream_pause(struct net_stream *stream, bool paused); /* stop or go on reading */
void net_stream_close_after_flush(struct net_stream *stream);  /* on_close follows */
void net_stream_free(struct net_stream *stream);
const char *net_stream_peer(const struct net_stream *stream); /* "127.0.0.1:51234" or "unix" */
bool net_stream_is_local(const struct net_stream *stream);    /* loopback or unix socket */
/* Who the peer's verified certificate says it is: the first URI name that begins with spiffe://,
 * else the first DNS name, else the subject's common name. "" without such a certificate. */
const char *net_stream_peer_identity(const struct net_stream *stream);

#endif
