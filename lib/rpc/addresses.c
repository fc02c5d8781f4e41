/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a channel may connect to. Names are resolved in the thread pool, anew each time the walk
 * comes to them. One job at a time: a resolver that hangs must not take a thread with each round.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include "client.h"

#define HOST_BYTES 256
#define PORT_BYTES 8

struct rpc_resolve {
    struct rpc_addresses *addresses; /* NULL: nobody waits for it any more */
    const char *target;
    char host[HOST_BYTES], port[PORT_BYTES];
    char found[RPC_ADDRESSES_PER_NAME_MAX][RPC_ADDRESS_BYTES];
    size_t found_count;
    struct error err;
};

static size_t resolve_by_system(const char *host, const char *port, char out[][RPC_ADDRESS_BYTES],
                                size_t max, struct error *err)
{
    struct addrinfo *list = NULL, hints = {.ai_socktype = SOCK_STREAM,
                                           .ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG};
    size_t n = 0;
    int rc = getaddrinfo(host, port, &hints, &list);

    if (rc != 0) {
        error_set(err, STATUS_UNAVAILABLE, "cannot resolve %s: %s", host, gai_strerror(rc));
        return 0;
    }
    for (struct addrinfo *ai = list; ai && n < max; ai = ai->ai_next) {
        char text[INET6_ADDRSTRLEN + 16]; /* with a scope */
        if (getnameinfo(ai->ai_addr, ai->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST))
            continue;
        snprintf(out[n++], RPC_ADDRESS_BYTES, ai->ai_family == AF_INET6 ? "[%s]:%s" : "%s:%s", text,
                 port);
    }
    freeaddrinfo(list);
    if (n == 0)
        error_set(err, STATUS_UNAVAILABLE, "%s has no usable address", host);
    return n;
}

rpc_resolver_fn rpc__resolver = resolve_by_system;

/* Schemes of the gRPC naming convention; lib/net knows addresses only. "dns:53" is a host and a
 * port. */
static char *without_scheme(char *target)
{
    static const char *const schemes[] = {"dns:///", "dns:", "ipv4:", "ipv6:"};

    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        size_t len = strlen(schemes[i]);
        if (strncmp(target, schemes[i], len) == 0 && target[len] != '/' &&
            strchr(target + len, ':'))
            return target + len;
    }
    if (strncmp(target, "unix:///", 8) == 0)
        memmove(target + 5, target + 7, strlen(target + 7) + 1);
    return target;
}

void rpc__addresses_init(struct rpc_addresses *addresses, struct loop *loop, const char *targets,
                         void (*on_resolved)(void *userdata), void *userdata)
{
    char *at = mem_strdup(targets);

    *addresses = (struct rpc_addresses){
        .loop = loop, .text = at, .on_resolved = on_resolved, .userdata = userdata};
    while (at && addresses->target_count < RPC_CHANNEL_TARGETS_MAX) {
        char *comma = strchr(at, ',');
        if (comma)
            *comma = '\0';
        while (*at == ' ')
            at++;
        if (*at)
            addresses->targets[addresses->target_count++] = without_scheme(at);
        at = comma ? comma + 1 : NULL;
    }
}

void rpc__addresses_fini(struct rpc_addresses *addresses)
{
    if (addresses->resolve)
        addresses->resolve->addresses = NULL; /* the pool holds it, and frees it */
    addresses->resolve = NULL;
    free(addresses->text);
    addresses->text = NULL;
}

void rpc__addresses_restart(struct rpc_addresses *addresses)
{
    addresses->waiting = false;
    addresses->next_target = addresses->found_count = addresses->next_found = 0;
}

/* Splits "host:port". False for what needs no resolving, or is no address at all: lib/net says so
 * then. */
static bool split_name(const char *target, char host[HOST_BYTES], char port[PORT_BYTES])
{
    const char *colon = strrchr(target, ':');
    struct in6_addr scratch;

    if (strncmp(target, "unix:", 5) == 0 || !colon || colon == target || target[0] == '[')
        return false;
    if ((size_t)(colon - target) >= HOST_BYTES || strlen(colon + 1) >= PORT_BYTES)
        return false;
    snprintf(host, HOST_BYTES, "%.*s", (int)(colon - target), target);
    snprintf(port, PORT_BYTES, "%s", colon + 1);
    return inet_pton(AF_INET, host, &scratch) != 1 && inet_pton(AF_INET6, host, &scratch) != 1;
}

static void resolve_work(void *userdata)
{
    struct rpc_resolve *resolve = userdata;

    resolve->found_count = rpc__resolver(resolve->host, resolve->port, resolve->found,
                                         RPC_ADDRESSES_PER_NAME_MAX, &resolve->err);
}

static void resolve_done(void *userdata)
{
    struct rpc_resolve *resolve = userdata;
    struct rpc_addresses *addresses = resolve->addresses;

    if (!addresses) {
        free(resolve);
        return;
    }
    addresses->resolve = NULL;
    if (!addresses->waiting) {
        free(resolve);
        return;
    }
    addresses->waiting = false;
    /* The walk may have gone on meanwhile, and wait for another name now. */
    if (rpc__addresses_target(addresses) == resolve->target) {
        addresses->found_count = resolve->found_count;
        addresses->next_found = 0;
        memcpy(addresses->found, resolve->found, sizeof addresses->found);
        addresses->err = resolve->err;
    } else {
        addresses->next_target--;
    }
    free(resolve);
    addresses->on_resolved(addresses->userdata);
}

static enum rpc_next resolve_begin(struct rpc_addresses *addresses, const char *host,
                                   const char *port)
{
    struct rpc_resolve *resolve;

    addresses->waiting = true;
    if (addresses->resolve)
        return RPC_NEXT_LATER;
    resolve = mem_zalloc(sizeof *resolve);
    resolve->addresses = addresses;
    resolve->target = rpc__addresses_target(addresses);
    snprintf(resolve->host, sizeof resolve->host, "%s", host);
    snprintf(resolve->port, sizeof resolve->port, "%s", port);
    if (loop_pool(addresses->loop, resolve_work, resolve_done, resolve, &addresses->err) !=
        STATUS_OK) {
        free(resolve);
        addresses->waiting = false;
        return RPC_NEXT_NONE;
    }
    addresses->resolve = resolve;
    return RPC_NEXT_LATER;
}

enum rpc_next rpc__addresses_next(struct rpc_addresses *addresses, const char **ret)
{
    char host[HOST_BYTES], port[PORT_BYTES];

    addresses->waiting = false;
    if (addresses->next_found < addresses->found_count) {
        *ret = addresses->found[addresses->next_found++];
        return RPC_NEXT_FOUND;
    }
    while (addresses->next_target < addresses->target_count) {
        const char *target = addresses->targets[addresses->next_target++];
        addresses->found_count = addresses->next_found = 0;
        if (!split_name(target, host, port)) {
            *ret = target;
            return RPC_NEXT_FOUND;
        }
        if (resolve_begin(addresses, host, port) == RPC_NEXT_LATER)
            return RPC_NEXT_LATER;
    }
    return RPC_NEXT_NONE;
}

const char *rpc__addresses_target(const struct rpc_addresses *addresses)
{
    return addresses->next_target > 0 ? addresses->targets[addresses->next_target - 1] : "";
}
