/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "internal.h"

#define NET_BACKLOG 1024 /* connections the kernel holds for us */

struct net_listener {
    struct loop *loop;
    int fd;
    int family;
    struct loop_fd *watch;
    struct loop_timer *retry; /* runs while accepting is stopped for want of descriptors */
    struct net_count *count;
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

struct net_listener *net_listen(struct loop *loop, const char *address, size_t streams_max,
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
    listener->on_accept = on_accept;
    listener->userdata = userdata;
    if (listener_bind(listener, &addresses[0], address, err) != STATUS_OK) {
        if (listener->fd >= 0)
            close(listener->fd);
        free(listener);
        return NULL;
    }
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
    net__count_unref(listener->count);
    if (!listener->accepting)
        free(listener);
}
