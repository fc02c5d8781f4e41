/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connecting: parse, resolve (host names in the thread pool), try each address until one answers,
 * with TLS until one's handshake is done. The state of the attempt outlives a stream that was freed
 * meanwhile only as long as the pool holds it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "internal.h"

struct net_connect {
    struct loop *loop;
    struct net_stream *stream; /* NULL: abandoned */
    void (*on_connect)(struct net_stream *stream, enum status status, const char *why,
                       void *userdata);
    void *userdata;
    struct net_target target, peer; /* where to connect, and who should be there */
    struct net_tls *tls;            /* NULL: plaintext */
    struct net_address addresses[NET_ADDRESSES_MAX];
    size_t address_count, next;
    struct loop_timer *timer;
    bool in_pool, deferred;
    struct error err;
    struct error resolve_err; /* the pool thread's own, since a timeout may write err meanwhile */
};

static void connect_try_next(struct net_connect *connect);

/* No callback follows. The pool or the deferred call may still hold the memory and then frees it.
 */
static void connect_detach(struct net_connect *connect)
{
    connect->stream->connect = NULL;
    connect->stream = NULL;
    loop_timer_free(connect->timer);
    connect->timer = NULL;
    net_tls_unref(connect->tls);
    connect->tls = NULL;
    if (!connect->in_pool && !connect->deferred)
        free(connect);
}

void net__connect_abandon(struct net_connect *connect)
{
    connect_detach(connect);
}

static void connect_finish(struct net_connect *connect, enum status status)
{
    struct net_stream *stream = connect->stream;
    struct error err = connect->err;
    void *userdata = connect->userdata;
    void (*on_connect)(struct net_stream *, enum status, const char *, void *) =
        connect->on_connect;

    connect_detach(connect);
    if (status != STATUS_OK) {
        loop_fd_free(stream->watch);
        stream->watch = NULL;
        stream->closed = true;
    }
    on_connect(stream, status, status == STATUS_OK ? "" : err.message, userdata);
}

static void connect_timeout_cb(void *userdata)
{
    struct net_connect *connect = userdata;

    error_set(&connect->err, STATUS_UNAVAILABLE, "%s took too long",
              connect->stream->tls ? "the TLS handshake" : "connecting");
    connect_finish(connect, STATUS_UNAVAILABLE);
}

static void connect_drop_socket(struct net_stream *stream)
{
    loop_fd_free(stream->watch);
    stream->watch = NULL;
    if (stream->fd >= 0)
        close(stream->fd);
    stream->fd = -1;
    net__tls_end_free(stream->tls);
    stream->tls = NULL;
    net__queue_clear(&stream->queue);
    stream->blocked = false;
}

static void connect_done(struct net_connect *connect)
{
    struct net_stream *stream = connect->stream;

    /* net_stream_start makes its own watch with the stream's callback. */
    loop_fd_free(stream->watch);
    stream->watch = NULL;
    connect_finish(connect, STATUS_OK);
}

/* Keeps why this address failed, for the case that all do. */
static void connect_note_failure(struct net_connect *connect, const char *why)
{
    char where[NET_PEER_TEXT_BYTES];

    net__address_format(&connect->addresses[connect->next - 1], where, sizeof where);
    error_set(&connect->err, STATUS_UNAVAILABLE, "cannot connect to %s: %s",
              connect->target.is_unix ? connect->target.host : where, why);
    connect_drop_socket(connect->stream);
}

static void connect_handshake(int events, void *userdata)
{
    struct net_connect *connect = userdata;
    struct error err = {0};

    switch (net__stream_handshake(connect->stream, events, &err)) {
    case NET_HANDSHAKE_GOES_ON:
        return;
    case NET_HANDSHAKE_DONE:
        connect_done(connect);
        return;
    case NET_HANDSHAKE_FAILED:
        connect_note_failure(connect, err.message);
        connect_try_next(connect);
    }
}

static void connect_succeeded(struct net_connect *connect)
{
    struct net_stream *stream = connect->stream;
    const struct net_address *peer = &connect->addresses[connect->next - 1];

    net__socket_options(stream->fd, peer->any.sa_family);
    net__address_format(peer, stream->peer, sizeof stream->peer);
    stream->local = net__address_is_local(peer);
    if (!connect->tls) {
        connect_done(connect);
        return;
    }
    stream->tls = net__tls_end_new(connect->tls, stream, &connect->peer);
    net__stream_watch_handshake(stream, connect_handshake, connect);
    connect_handshake(0, connect);
}

static void connect_event(int events, void *userdata)
{
    struct net_connect *connect = userdata;
    int errnum = 0;
    socklen_t len = sizeof errnum;

    (void)events;
    if (getsockopt(connect->stream->fd, SOL_SOCKET, SO_ERROR, &errnum, &len) < 0)
        errnum = errno;
    if (errnum == 0) {
        connect_succeeded(connect);
    } else {
        connect_note_failure(connect, strerror(errnum));
        connect_try_next(connect);
    }
}

/* Starts connecting to one address: 0 = connected, EINPROGRESS, or what went wrong. */
static int connect_start(struct net_stream *stream, const struct net_address *address)
{
    stream->fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (stream->fd < 0)
        return errno;
    return connect(stream->fd, &address->any, address->len) == 0 ? 0 : errno;
}

/* Tries the addresses left. A loop, since a refusal may come at once. */
static void connect_try_next(struct net_connect *connect)
{
    struct net_stream *stream = connect->stream;

    while (connect->next < connect->address_count) {
        const struct net_address *address = &connect->addresses[connect->next++];
        int errnum = connect_start(stream, address);
        if (errnum == 0) {
            connect_succeeded(connect);
            return;
        }
        if (errnum == EINPROGRESS) {
            stream->watch = loop_fd_new(connect->loop, stream->fd, connect_event, connect);
            loop_fd_watch(stream->watch, LOOP_WRITABLE);
            return;
        }
        connect_note_failure(connect, strerror(errnum));
    }
    connect_finish(connect, STATUS_UNAVAILABLE);
}

static void connect_resolve_work(void *userdata)
{
    struct net_connect *connect = userdata;

    connect->address_count =
        net__resolve(&connect->target, false, connect->addresses, &connect->resolve_err);
}

static void connect_resolve_done(void *userdata)
{
    struct net_connect *connect = userdata;

    connect->in_pool = false;
    if (!connect->stream) {
        free(connect);
        return;
    }
    connect->err = connect->resolve_err;
    connect_try_next(connect);
}

/* A numeric address or a path needs no thread. */
static bool connect_needs_pool(const struct net_target *target)
{
    struct in6_addr scratch;

    return !target->is_unix && inet_pton(AF_INET, target->host, &scratch) != 1 &&
           inet_pton(AF_INET6, target->host, &scratch) != 1;
}

static void connect_begin(void *userdata)
{
    struct net_connect *connect = userdata;

    connect->deferred = false;
    if (!connect->stream) {
        free(connect);
        return;
    }
    if (connect->err.status != STATUS_OK) {
        connect_finish(connect, connect->err.status);
        return;
    }
    if (!connect_needs_pool(&connect->target)) {
        connect->address_count =
            net__resolve(&connect->target, false, connect->addresses, &connect->err);
        connect_try_next(connect);
        return;
    }
    enum status st = loop_pool(connect->loop, connect_resolve_work, connect_resolve_done, connect,
                               &connect->err);
    if (st != STATUS_OK)
        connect_finish(connect, st);
    else
        connect->in_pool = true;
}

struct net_stream *net_connect(struct loop *loop, const char *address,
                               const struct net_connect_options *options,
                               void (*on_connect)(struct net_stream *stream, enum status status,
                                                  const char *why, void *userdata),
                               void *userdata)
{
    struct net_connect *connect = mem_zalloc(sizeof *connect);
    struct net_stream *stream = net__stream_new(loop, -1, NULL);

    connect->loop = loop;
    connect->tls = net_tls_ref(options->tls);
    connect->stream = stream;
    connect->on_connect = on_connect;
    connect->userdata = userdata;
    stream->connect = connect;
    connect->timer = loop_timer_new(loop, connect_timeout_cb, connect);
    loop_timer_start(connect->timer, options->timeout_ms, 0);
    /* A malformed address fails the same way as an unreachable one: later, by the callback. */
    if (net__target_parse(address, &connect->target, &connect->err) == STATUS_OK) {
        connect->peer = connect->target;
        if (options->peer)
            (void)!net__target_parse(options->peer, &connect->peer, NULL);
    }
    connect->deferred = true;
    loop_defer(loop, connect_begin, connect);
    return stream;
}
