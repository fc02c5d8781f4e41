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

/* Ends the stream once and says so. */
static void stream_close(struct net_stream *stream, enum status status, const char *why)
{
    if (stream->closed || stream->freed)
        return;
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

static void stream_read(struct net_stream *stream)
{
    for (int i = 0; i < NET_READS_PER_EVENT; i++) {
        if (stream->freed || stream->closed || (stream->paused && !stream->shut))
            return;
        ssize_t n = recv(stream->fd, read_buffer, sizeof read_buffer, 0);
        if (n == 0) {
            stream_close(stream, STATUS_OK, "closed by the peer");
            return;
        }
        if (n < 0) {
            if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
                stream_failed(stream, errno);
            return;
        }
        if (!stream->shut)
            stream->callbacks.on_read(stream, (struct slice){read_buffer, (size_t)n},
                                      stream->userdata);
        if ((size_t)n < sizeof read_buffer)
            return;
    }
}

/* Sends what the kernel takes. Returns 0 or the errno. */
static int stream_send(struct net_stream *stream)
{
    while (stream->queue.bytes > 0) {
        struct iovec iov[NET_IOV_MAX];
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

static void stream_flush_cb(void *userdata)
{
    struct net_stream *stream = userdata;

    if (stream->closed || stream->freed || stream->connect)
        return;
    stream->busy++;
    int errnum = stream->blocked ? 0 : stream_send(stream);
    if (errnum != 0) {
        stream_failed(stream, errnum);
    } else {
        if (stream->queue.bytes == 0 && stream->close_after_flush)
            stream_shut(stream);
        net__stream_update_watch(stream);
        if (stream->above_high_water && stream->queue.bytes <= NET_WRITE_HIGH_WATER_BYTES / 2) {
            stream->above_high_water = false;
            if (stream->callbacks.on_drain)
                stream->callbacks.on_drain(stream, stream->userdata);
        }
    }
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
}

enum status net_stream_write(struct net_stream *stream, const void *data, size_t len)
{
    if (stream->closed || stream->freed || stream->close_after_flush)
        return STATUS_UNAVAILABLE;
    if (len > NET_WRITE_MAX_BYTES - stream->queue.bytes)
        return STATUS_RESOURCE_EXHAUSTED;
    net__queue_add(&stream->queue, data, len);
    if (stream->queue.bytes > NET_WRITE_HIGH_WATER_BYTES)
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
    return stream->queue.bytes;
}

void net_stream_pause(struct net_stream *stream, bool paused)
{
    stream->paused = paused;
    net__stream_update_watch(stream);
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
    stream->freed = true;
    if (stream->connect)
        net__connect_abandon(stream->connect);
    loop_fd_free(stream->watch);
    loop_flush_free(stream->flush);
    loop_timer_free(stream->linger);
    net__queue_clear(&stream->queue);
    if (stream->count) {
        stream->count->open--;
        net__count_unref(stream->count);
    }
    if (stream->fd >= 0)
        close(stream->fd);
    if (stream->busy == 0)
        free(stream);
}

const char *net_stream_peer(const struct net_stream *stream)
{
    return stream->peer;
}

bool net_stream_is_local(const struct net_stream *stream)
{
    return stream->local;
}
