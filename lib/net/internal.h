/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_INTERNAL_H
#define NET_INTERNAL_H
#include <sys/socket.h>
#include <sys/un.h>
#include <netinet/in.h>
#include "base/list.h"
#include "net/net.h"
#include "net/tls.h"

#define NET_READ_BYTES (64u << 10) /* per recv */
#define NET_READS_PER_EVENT 4      /* then the other streams have their turn */
#define NET_CHUNK_BYTES (32u << 10)
#define NET_CHUNKS_SPARE_MAX 32 /* kept per thread for reuse: 1 MiB */
#define NET_IOV_MAX 32
#define NET_ACCEPTS_PER_EVENT 64
#define NET_ACCEPT_RETRY_MS 100 /* after running out of descriptors */
#define NET_LINGER_MS 2000      /* for the peer to read our last bytes and close */
#define NET_FLUSH_ORDER 30
#define NET_TLS_HANDSHAKE_MS 10000
#define NET_TLS_SEAL_BYTES (256u << 10) /* plaintext made into records ahead of one send */
#define NET_TLS_REFUSALS_LOGGED_MS 1000 /* one line at most in this time per listener */
#define NET_ADDRESSES_MAX 8             /* tried per host name */
#define NET_PEER_TEXT_BYTES 80
#define NET_USER_TIMEOUT_MS 10000
#define NET_KEEPALIVE_IDLE_S 30
#define NET_KEEPALIVE_INTERVAL_S 5
#define NET_KEEPALIVE_PROBES 3

struct net_address {
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    };
    socklen_t len;
};

/* "host:port", "[v6]:port" or "unix:/path" in its parts. Points into the given buffers. */
struct net_target {
    bool is_unix;
    char host[256]; /* or the path */
    char port[6];
};
MUST_USE enum status net__target_parse(const char *text, struct net_target *ret, struct error *err);
/* Blocking for host names. Returns how many were found; 0 sets err. */
size_t net__resolve(const struct net_target *target, bool passive,
                    struct net_address out[NET_ADDRESSES_MAX], struct error *err);
void net__address_format(const struct net_address *address, char *out, size_t out_bytes);
bool net__address_is_local(const struct net_address *address);

/* Bytes that wait to be sent: a chain of chunks, so that a partial send moves nothing. */
struct net_chunk {
    struct net_chunk *next;
    uint32_t begin, end;
    char data[NET_CHUNK_BYTES];
};
struct net_queue {
    struct net_chunk *first, *last;
    size_t bytes;
};
void net__queue_add(struct net_queue *queue, const void *data, size_t len);
size_t net__queue_iov(const struct net_queue *queue, struct iovec *iov); /* at most NET_IOV_MAX */
void net__queue_consume(struct net_queue *queue, size_t len);
void net__queue_clear(struct net_queue *queue);

/* What TLS adds to a stream. The stream's queue then holds records, `plain` what waits to be made
 * into them. Everything here is in memory: stream.c moves the bytes. */
struct net_tls_end;
struct net_tls_end *net__tls_end_new(struct net_tls *tls, struct net_stream *stream,
                                     const struct net_target *target);
void net__tls_end_free(struct net_tls_end *end);
uint64_t net__tls_handshake_timeout_ms(const struct net_tls *tls);
struct net_queue *net__tls_plain(struct net_tls_end *end);
const char *net__tls_identity(const struct net_tls_end *end);
enum net_handshake_step { NET_HANDSHAKE_GOES_ON, NET_HANDSHAKE_DONE, NET_HANDSHAKE_FAILED };
/* FAILED: err says why, and an alert for the peer may be queued. */
enum net_handshake_step net__tls_handshake(struct net_tls_end *end, struct slice input,
                                           struct error *err);
bool net__tls_seal(struct net_tls_end *end); /* false: broken */
/* Opens what was received, or what came behind the handshake when input is empty, and hands it to
 * on_read. ret_ended: the peer has said its end, and the reader takes it. */
MUST_USE enum status net__tls_open(struct net_tls_end *end, struct slice input, bool *ret_ended,
                                   struct error *err);
bool net__tls_has_early(const struct net_tls_end *end); /* net__tls_open has something of before */
bool net__tls_peer_ended(const struct net_tls_end *end);
void net__tls_say_end(struct net_tls_end *end); /* queues close_notify, once */

/* Open streams of one listener; outlives the listener while streams do. */
struct net_count {
    size_t open, max;
    size_t refs;
};
void net__count_unref(struct net_count *count);

/* A connected descriptor becomes a stream. It owns the fd. */
struct net_stream *net__stream_new(struct loop *loop, int fd, const struct net_address *peer);
void net__stream_set_count(struct net_stream *stream, struct net_count *count);
void net__socket_options(int fd, int family);
void net__stream_watch_handshake(struct net_stream *stream, void (*fn)(int events, void *userdata),
                                 void *userdata);
/* What a handshake has to do after these events (0 at its begin): receives, sends, watches. */
enum net_handshake_step net__stream_handshake(struct net_stream *stream, int events,
                                              struct error *err);

/* The connecting part of a stream, in connect.c; freed with the stream or when it is connected. */
struct net_connect;
void net__connect_abandon(struct net_connect *connect);

struct net_stream {
    struct loop *loop;
    int fd;
    struct loop_fd *watch;
    struct loop_flush *flush;
    struct loop_timer *linger;
    struct net_connect *connect;
    struct net_count *count;
    struct net_callbacks callbacks;
    void *userdata;
    struct net_queue queue;  /* for the kernel: what was written, or TLS records of it */
    struct net_tls_end *tls; /* NULL: plaintext */
    uint32_t busy;           /* callbacks or loops of this stream on the C stack: memory stays */
    bool started, paused, blocked, freed, closed;
    bool above_high_water; /* on_drain is owed */
    bool close_after_flush, shut;
    enum status failure; /* found while sending, reported from the flush */
    bool local;
    char peer[NET_PEER_TEXT_BYTES];
};
void net__stream_update_watch(struct net_stream *stream);

#endif
