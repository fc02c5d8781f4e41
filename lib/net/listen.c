/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "log/log.h"
#include "internal.h"

#define NET_BACKLOG 1024 /* connections the kernel holds for us */

/* A connection that has not shown itself yet. The listener owns it until its handshake is done. */
struct net_handshake {
    struct list node;
    struct net_listener *listener;
    struct net_stream *stream;
    struct loop_timer *timer; /* the handshake's limit, then the linger's */
    bool refused;             /* the alert is out, what still comes is dropped */
};

struct net_listener {
    struct loop *loop;
    int fd;
    int family;
    struct loop_fd *watch;
    struct loop_timer *retry; /* runs while accepting is stopped for want of descriptors */
    struct net_count *count;
    struct net_tls *tls; /* NULL: plaintext */
    struct list handshakes;
    uint64_t refusal_logged_us, refusals_unlogged;
    bool accepting, freed; /* freed from inside on_accept: memory stays until it returns */
    void (*on_accept)(struct net_stream *stream, void *userdata);
    void *userdata;
    char unix_path[sizeof((struct sockaddr_un *)0)->sun_path];
    char address[sizeof((struct sockaddr_un *)0)->sun_path + 8];
};

static void listener_retry_cb(void *userdata)
{
    struct net_listener *listener = userdata;

    loop_fd_watch(listener->watch, LOOP_READABLE);
}

static void handshake_free(struct net_handshake *handshake)
{
    list_remove(&handshake->node);
    loop_timer_free(handshake->timer);
    net_stream_free(handshake->stream);
    free(handshake);
}

/* An operator must see why a client cannot connect; a flood of them must not fill the log. */
static void log_refusal(struct net_handshake *handshake, const char *why)
{
    struct net_listener *listener = handshake->listener;
    uint64_t now_us = loop_now_us(listener->loop);

    if (listener->refusal_logged_us &&
        now_us - listener->refusal_logged_us < NET_TLS_REFUSALS_LOGGED_MS * 1000) {
        listener->refusals_unlogged++;
        return;
    }
    log_info("tls.refused", LOG_STR("peer", net_stream_peer(handshake->stream)),
             LOG_STR("why", why), LOG_U64("unlogged", listener->refusals_unlogged));
    listener->refusal_logged_us = now_us;
    listener->refusals_unlogged = 0;
}

/* Closing at once could destroy the alert on its way, as a reset answers what the peer still sends.
 */
static void handshake_refuse(struct net_handshake *handshake, const char *why)
{
    log_refusal(handshake, why);
    handshake->refused = true;
    shutdown(handshake->stream->fd, SHUT_WR);
    loop_fd_watch(handshake->stream->watch, LOOP_READABLE);
    loop_timer_start(handshake->timer, NET_LINGER_MS, 0);
}

static void handshake_timeout_cb(void *userdata)
{
    struct net_handshake *handshake = userdata;

    if (!handshake->refused)
        log_refusal(handshake, "TLS: the handshake took too long");
    handshake_free(handshake);
}

static void handshake_done(struct net_handshake *handshake)
{
    struct net_listener *listener = handshake->listener;
    struct net_stream *stream = handshake->stream;

    loop_fd_free(stream->watch); /* net_stream_start makes its own */
    stream->watch = NULL;
    handshake->stream = NULL;
    handshake_free(handshake);
    listener->on_accept(stream, listener->userdata);
}

static void handshake_event(int events, void *userdata)
{
    struct net_handshake *handshake = userdata;
    struct error err = {0};
    char scratch[4096];

    if (handshake->refused) {
        ssize_t n = recv(handshake->stream->fd, scratch, sizeof scratch, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
            handshake_free(handshake);
        return;
    }
    switch (net__stream_handshake(handshake->stream, events, &err)) {
    case NET_HANDSHAKE_GOES_ON:
        return;
    case NET_HANDSHAKE_DONE:
        handshake_done(handshake);
        return;
    case NET_HANDSHAKE_FAILED:
        handshake_refuse(handshake, err.message);
    }
}

static void handshake_start(struct net_listener *listener, struct net_stream *stream)
{
    struct net_handshake *handshake = mem_zalloc(sizeof *handshake);

    handshake->listener = listener;
    handshake->stream = stream;
    list_push(&listener->handshakes, &handshake->node);
    handshake->timer = loop_timer_new(listener->loop, handshake_timeout_cb, handshake);
    loop_timer_start(handshake->timer, net__tls_handshake_timeout_ms(listener->tls), 0);
    stream->tls = net__tls_end_new(listener->tls, stream, NULL);
    net__stream_watch_handshake(stream, handshake_event, handshake);
}

/* Accepts one connection; false when there is none for now. */
static bool listener_accept_one(struct net_listener *listener)
{
    struct net_address peer = {.len = sizeof peer.un};
    int fd = accept4(listener->fd, &peer.any, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)) {
        /* The connection stays in the backlog: spinning on it would only burn the processor. */
        loop_fd_watch(listener->watch, 0);
        loop_timer_start(listener->retry, NET_ACCEPT_RETRY_MS, 0);
        return false;
    }
    if (fd < 0)
        return errno == EINTR || errno == ECONNABORTED;
    if (listener->count->open >= listener->count->max) {
        close(fd);
        return true;
    }
    if (listener->family == AF_UNIX)
        peer.any.sa_family = AF_UNIX; /* an unnamed peer has no address */
    net__socket_options(fd, listener->family);
    struct net_stream *stream = net__stream_new(listener->loop, fd, &peer);
    net__stream_set_count(stream, listener->count);
    if (listener->tls)
        handshake_start(listener, stream);
    else
        listener->on_accept(stream, listener->userdata);
    return true;
}

static void listener_event(int events, void *userdata)
{
    struct net_listener *listener = userdata;

    (void)events;
    listener->accepting = true;
    for (int i = 0; i < NET_ACCEPTS_PER_EVENT; i++) {
        if (!listener_accept_one(listener) || listener->freed)
            break;
    }
    listener->accepting = false;
    if (listener->freed)
        free(listener);
}

/* A socket file that a crashed process left behind would make bind fail for ever; one that answers
 * belongs to a live process. */
static void remove_stale_socket(const struct net_address *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return;
    if (connect(fd, &address->any, address->len) != 0 && errno == ECONNREFUSED)
        unlink(address->un.sun_path);
    close(fd);
}

static enum status listener_bind(struct net_listener *listener, const struct net_address *address,
                                 const char *text, struct error *err)
{
    int on = 1;

    listener->family = address->any.sa_family;
    listener->fd = socket(listener->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener->fd < 0)
        return error_set(err, status_from_errno(errno), "cannot make a socket: %s",
                         strerror(errno));
    if (listener->family == AF_UNIX)
        remove_stale_socket(address);
    else
        (void)setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener->fd, &address->any, address->len) != 0 ||
        listen(listener->fd, NET_BACKLOG) != 0) {
        int errnum = errno;
        return error_field(err,
                           errnum == EADDRINUSE ? STATUS_ALREADY_EXISTS : status_from_errno(errnum),
                           errnum == EADDRINUSE ? "ADDRESS_IN_USE" : NULL, NULL,
                           "cannot listen on %.120s: %s", text, strerror(errnum));
    }
    if (listener->family == AF_UNIX) {
        memcpy(listener->unix_path, address->un.sun_path, sizeof listener->unix_path);
        snprintf(listener->address, sizeof listener->address, "unix:%s", listener->unix_path);
        return STATUS_OK;
    }
    struct net_address bound = {.len = sizeof bound.un};
    getsockname(listener->fd, &bound.any, &bound.len);
    net__address_format(&bound, listener->address, sizeof listener->address);
    return STATUS_OK;
}

struct net_listener *net_listen(struct loop *loop, const char *address, struct net_tls *tls,
                                size_t streams_max,
                                void (*on_accept)(struct net_stream *stream, void *userdata),
                                void *userdata, struct error *err)
{
    struct net_address addresses[NET_ADDRESSES_MAX];
    struct net_target target;

    if (net__target_parse(address, &target, err) != STATUS_OK)
        return NULL;
    if (net__resolve(&target, true, addresses, err) == 0)
        return NULL;
    struct net_listener *listener = mem_zalloc(sizeof *listener);
    listener->loop = loop;
    list_init(&listener->handshakes);
    listener->on_accept = on_accept;
    listener->userdata = userdata;
    if (listener_bind(listener, &addresses[0], address, err) != STATUS_OK) {
        if (listener->fd >= 0)
            close(listener->fd);
        free(listener);
        return NULL;
    }
    listener->tls = net_tls_ref(tls);
    listener->count = mem_zalloc(sizeof *listener->count);
    *listener->count = (struct net_count){.max = streams_max, .refs = 1};
    listener->retry = loop_timer_new(loop, listener_retry_cb, listener);
    listener->watch = loop_fd_new(loop, listener->fd, listener_event, listener);
    loop_fd_watch(listener->watch, LOOP_READABLE);
    return listener;
}

const char *net_listener_address(const struct net_listener *listener)
{
    return listener->address;
}

void net_listener_free(struct net_listener *listener)
{
    if (!listener)
        return;
    listener->freed = true;
    loop_fd_free(listener->watch);
    loop_timer_free(listener->retry);
    close(listener->fd);
    if (listener->unix_path[0])
        unlink(listener->unix_path);
    while (!list_empty(&listener->handshakes))
        handshake_free(LIST_FIRST(&listener->handshakes, struct net_handshake, node));
    net_tls_unref(listener->tls);
    net__count_unref(listener->count);
    if (!listener->accepting)
        free(listener);
}
