/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>
#include "internal.h"

/* All streams of a thread read into one buffer: its bytes are handed on before the next read. */
static _Thread_local char read_buffer[NET_READ_BYTES];

void net__count_unref(struct net_count *count)
{
    if (count && --count->refs == 0)
        free(count);
}

void net__socket_options(int fd, int family)
{
    int on = 1, idle = NET_KEEPALIVE_IDLE_S, interval = NET_KEEPALIVE_INTERVAL_S;
    int probes = NET_KEEPALIVE_PROBES;
    unsigned timeout_ms = NET_USER_TIMEOUT_MS;

    if (family == AF_UNIX)
        return;
    /* None of these is needed for being right, so a refusal is no failure. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
}

static void stream_release(struct net_stream *stream)
{
    if (--stream->busy == 0 && stream->freed)
        free(stream);
}

static int stream_send(struct net_stream *stream);

/* The last word of TLS, where nothing is lost: a connection that breaks off without it was cut. */
static void stream_say_end(struct net_stream *stream)
{
    if (!stream->tls || stream->connect || !stream->started || stream->shut ||
        net_stream_pending_bytes(stream) > 0)
        return;
    net__tls_say_end(stream->tls);
    (void)stream_send(stream);
}

/* Ends the stream once and says so. */
static void stream_close(struct net_stream *stream, enum status status, const char *why)
{
    if (stream->closed || stream->freed)
        return;
    if (status == STATUS_OK)
        stream_say_end(stream);
    stream->closed = true;
    if (stream->watch)
        loop_fd_watch(stream->watch, 0);
    net__queue_clear(&stream->queue);
    stream->busy++;
    if (stream->callbacks.on_close)
        stream->callbacks.on_close(stream, status, why, stream->userdata);
    stream_release(stream);
}

static void stream_linger_cb(void *userdata)
{
    stream_close(userdata, STATUS_OK, "closed by us");
}

static void stream_failed(struct net_stream *stream, int errnum)
{
    char why[96];

    snprintf(why, sizeof why, "connection lost: %s", strerror(errnum));
    stream_close(stream, STATUS_UNAVAILABLE, why);
}

/* Hands on what TLS makes of the input (empty: of what came with the handshake). */
static void stream_open(struct net_stream *stream, struct slice input)
{
    struct error err = {0};
    bool ended = false;
    enum status st = net__tls_open(stream->tls, input, &ended, &err);

    if (stream->closed || stream->freed)
        return;
    if (st == STATUS_OK && stream->queue.bytes > NET_WRITE_MAX_BYTES)
        st = error_set(&err, STATUS_UNAVAILABLE, "TLS: the peer takes no answers");
    if (st != STATUS_OK) {
        (void)stream_send(stream); /* the alert */
        stream_close(stream, st, err.message);
    } else if (ended) {
        stream_close(stream, STATUS_OK, "closed by the peer");
    } else if (stream->queue.bytes > 0) {
        loop_flush_mark(stream->flush); /* an answer of TLS itself */
    }
}

static void stream_end_of_input(struct net_stream *stream)
{
    if (stream->tls && !stream->shut && !net__tls_peer_ended(stream->tls))
        stream_close(stream, STATUS_UNAVAILABLE,
                     "connection lost: it was cut off without a TLS end");
    else
        stream_close(stream, STATUS_OK, "closed by the peer");
}

static void stream_read(struct net_stream *stream)
{
    for (int i = 0; i < NET_READS_PER_EVENT; i++) {
        if (stream->freed || stream->closed || (stream->paused && !stream->shut))
            return;
        ssize_t n = recv(stream->fd, read_buffer, sizeof read_buffer, 0);
        if (n == 0) {
            stream_end_of_input(stream);
            return;
        }
        if (n < 0) {
            if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
                stream_failed(stream, errno);
            return;
        }
        if (!stream->shut && stream->tls)
            stream_open(stream, (struct slice){read_buffer, (size_t)n});
        else if (!stream->shut)
            stream->callbacks.on_read(stream, (struct slice){read_buffer, (size_t)n},
                                      stream->userdata);
        if ((size_t)n < sizeof read_buffer)
            return;
    }
}

/* Sends what the kernel takes. Returns 0 or the errno. */
static int stream_send(struct net_stream *stream)
{
    for (;;) {
        struct iovec iov[NET_IOV_MAX];
        if (stream->tls && stream->queue.bytes < NET_TLS_SEAL_BYTES && !net__tls_seal(stream->tls))
            return EPROTO;
        if (stream->queue.bytes == 0)
            break;
        struct msghdr msg = {.msg_iov = iov};
        msg.msg_iovlen = net__queue_iov(&stream->queue, iov);
        size_t offered = 0;
        for (size_t i = 0; i < msg.msg_iovlen; i++)
            offered += iov[i].iov_len;
        ssize_t n = sendmsg(stream->fd, &msg, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            stream->blocked = true;
            return 0;
        }
        if (n < 0)
            return errno;
        net__queue_consume(&stream->queue, (size_t)n);
        if ((size_t)n < offered) {
            stream->blocked = true;
            return 0;
        }
    }
    stream->blocked = false;
    return 0;
}

/* The end of a close_after_flush: our side is shut, what the peer still sends is dropped until it
 * closes too. Closing at once could make the kernel answer late input with a reset, which would
 * destroy bytes the peer has not read yet. */
static void stream_shut(struct net_stream *stream)
{
    if (stream->shut || stream->closed)
        return;
    stream->shut = true;
    shutdown(stream->fd, SHUT_WR);
    stream->linger = loop_timer_new(stream->loop, stream_linger_cb, stream);
    loop_timer_start(stream->linger, NET_LINGER_MS, 0);
}

static void stream_flush(struct net_stream *stream)
{
    int errnum = stream->blocked ? 0 : stream_send(stream);

    if (errnum == 0 && stream->close_after_flush && net_stream_pending_bytes(stream) == 0) {
        stream_say_end(stream);
        if (stream->queue.bytes == 0)
            stream_shut(stream);
    }
    if (errnum != 0) {
        stream_failed(stream, errnum);
        return;
    }
    net__stream_update_watch(stream);
    if (stream->above_high_water &&
        net_stream_pending_bytes(stream) <= NET_WRITE_HIGH_WATER_BYTES / 2) {
        stream->above_high_water = false;
        if (stream->callbacks.on_drain)
            stream->callbacks.on_drain(stream, stream->userdata);
    }
}

static void stream_flush_cb(void *userdata)
{
    struct net_stream *stream = userdata;

    if (stream->closed || stream->freed || stream->connect)
        return;
    stream->busy++;
    if (stream->tls && net__tls_has_early(stream->tls) && stream->started && !stream->paused &&
        !stream->shut)
        stream_open(stream, (struct slice){0});
    if (!stream->closed && !stream->freed)
        stream_flush(stream);
    stream_release(stream);
}

static void stream_event(int events, void *userdata)
{
    struct net_stream *stream = userdata;

    stream->busy++;
    if (events & LOOP_WRITABLE && !stream->closed) {
        stream->blocked = false;
        stream_flush_cb(stream);
    }
    if (events & LOOP_READABLE)
        stream_read(stream);
    stream_release(stream);
}

void net__stream_update_watch(struct net_stream *stream)
{
    int events = 0;

    if (stream->closed || stream->freed || !stream->watch)
        return;
    if (stream->started && (!stream->paused || stream->shut))
        events |= LOOP_READABLE;
    if (stream->blocked)
        events |= LOOP_WRITABLE;
    loop_fd_watch(stream->watch, events);
}

void net__stream_watch_handshake(struct net_stream *stream, void (*fn)(int events, void *userdata),
                                 void *userdata)
{
    loop_fd_free(stream->watch);
    stream->watch = loop_fd_new(stream->loop, stream->fd, fn, userdata);
    loop_fd_watch(stream->watch, LOOP_READABLE);
}

enum net_handshake_step net__stream_handshake(struct net_stream *stream, int events,
                                              struct error *err)
{
    ssize_t n = 0;

    if (events & LOOP_READABLE) {
        n = recv(stream->fd, read_buffer, sizeof read_buffer, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
            error_set(err, STATUS_UNAVAILABLE, "TLS: the handshake was broken off%s%s",
                      n == 0 ? "" : ": ", n == 0 ? "" : strerror(errno));
            return NET_HANDSHAKE_FAILED;
        }
    }
    enum net_handshake_step step = NET_HANDSHAKE_GOES_ON;
    if (n > 0 || !events)
        step =
            net__tls_handshake(stream->tls, (struct slice){read_buffer, (size_t)MAX_OF(n, 0)}, err);
    /* What follows the last flight leaves with it, from the stream's first flush. */
    if (step == NET_HANDSHAKE_DONE)
        return step;
    int errnum = stream_send(stream);
    if (errnum != 0 && step == NET_HANDSHAKE_GOES_ON) {
        error_set(err, STATUS_UNAVAILABLE, "TLS: the handshake was broken off: %s",
                  strerror(errnum));
        return NET_HANDSHAKE_FAILED;
    }
    loop_fd_watch(stream->watch, LOOP_READABLE | (stream->blocked ? LOOP_WRITABLE : 0));
    return step;
}

struct net_stream *net__stream_new(struct loop *loop, int fd, const struct net_address *peer)
{
    struct net_stream *stream = mem_zalloc(sizeof *stream);

    stream->loop = loop;
    stream->fd = fd;
    stream->flush = loop_flush_new(loop, NET_FLUSH_ORDER, stream_flush_cb, stream);
    if (peer) {
        net__address_format(peer, stream->peer, sizeof stream->peer);
        stream->local = net__address_is_local(peer);
    }
    return stream;
}

void net__stream_set_count(struct net_stream *stream, struct net_count *count)
{
    stream->count = count;
    count->refs++;
    count->open++;
}

void net_stream_start(struct net_stream *stream, const struct net_callbacks *callbacks,
                      void *userdata)
{
    stream->callbacks = *callbacks;
    stream->userdata = userdata;
    stream->started = true;
    if (!stream->watch)
        stream->watch = loop_fd_new(stream->loop, stream->fd, stream_event, stream);
    net__stream_update_watch(stream);
    /* The handshake may have left records to send, and some to read. */
    if (stream->tls)
        loop_flush_mark(stream->flush);
}

enum status net_stream_write(struct net_stream *stream, const void *data, size_t len)
{
    size_t pending_bytes = net_stream_pending_bytes(stream);

    if (stream->closed || stream->freed || stream->close_after_flush)
        return STATUS_UNAVAILABLE;
    /* Records are a little longer than what was written, so pending may be above the limit. */
    if (pending_bytes > NET_WRITE_MAX_BYTES || len > NET_WRITE_MAX_BYTES - pending_bytes)
        return STATUS_RESOURCE_EXHAUSTED;
    net__queue_add(stream->tls ? net__tls_plain(stream->tls) : &stream->queue, data, len);
    if (pending_bytes + len > NET_WRITE_HIGH_WATER_BYTES)
        stream->above_high_water = true;
    loop_flush_mark(stream->flush);
    return STATUS_OK;
}

bool net_stream_writable(const struct net_stream *stream)
{
    return !stream->closed && !stream->above_high_water;
}

size_t net_stream_pending_bytes(const struct net_stream *stream)
{
    return stream->queue.bytes + (stream->tls ? net__tls_plain(stream->tls)->bytes : 0);
}

void net_stream_pause(struct net_stream *stream, bool paused)
{
    stream->paused = paused;
    net__stream_update_watch(stream);
    if (!paused && stream->tls && net__tls_has_early(stream->tls))
        loop_flush_mark(stream->flush);
}

void net_stream_close_after_flush(struct net_stream *stream)
{
    stream->close_after_flush = true;
    loop_flush_mark(stream->flush);
}

void net_stream_free(struct net_stream *stream)
{
    if (!stream)
        return;
    if (!stream->closed)
        stream_say_end(stream);
    stream->freed = true;
    if (stream->connect)
        net__connect_abandon(stream->connect);
    loop_fd_free(stream->watch);
    loop_flush_free(stream->flush);
    loop_timer_free(stream->linger);
    net__queue_clear(&stream->queue);
    net__tls_end_free(stream->tls);
    if (stream->count) {
        stream->count->open--;
        net__count_unref(stream->count);
    }
    if (stream->fd >= 0)
        close(stream->fd);
    if (stream->busy == 0)
        free(stream);
}

const char *net_stream_peer_identity(const struct net_stream *stream)
{
    return stream->tls ? net__tls_identity(stream->tls) : "";
}

const char *net_stream_peer(const struct net_stream *stream)
{
    return stream->peer;
}

bool net_stream_is_local(const struct net_stream *stream)
{
    return stream->local;
}
