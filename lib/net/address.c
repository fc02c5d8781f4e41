/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include "base/text.h"
#include "internal.h"

#define UNIX_PREFIX "unix:"

enum status net__target_parse(const char *text, struct net_target *ret, struct error *err)
{
    struct net_target target = {0};
    const char *host = text, *host_end, *colon;
    uint64_t port;

    if (strncmp(text, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0) {
        const char *path = text + strlen(UNIX_PREFIX);
        size_t len = strlen(path);
        if (len == 0 || len >= sizeof((struct sockaddr_un *)0)->sun_path)
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "a unix socket's path has 1 to 107 bytes, not %zu", len);
        memcpy(target.host, path, len);
        target.is_unix = true;
        *ret = target;
        return STATUS_OK;
    }
    colon = strrchr(text, ':');
    if (!colon)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "\"%.100s\" is no address: host:port or unix:/path expected", text);
    host_end = colon;
    if (*text == '[' && colon > text && colon[-1] == ']') {
        host++;
        host_end--;
    }
    if ((size_t)(host_end - host) >= sizeof target.host)
        return error_set(err, STATUS_INVALID_ARGUMENT, "the host name is too long");
    if (!text_to_u64(colon + 1, &port) || port > UINT16_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "\"%.100s\" has no port from 0 to 65535",
                         text);
    memcpy(target.host, host, (size_t)(host_end - host));
    snprintf(target.port, sizeof target.port, "%u", (unsigned)port);
    *ret = target;
    return STATUS_OK;
}

size_t net__resolve(const struct net_target *target, bool passive,
                    struct net_address out[NET_ADDRESSES_MAX], struct error *err)
{
    struct addrinfo *list = NULL, hints = {.ai_socktype = SOCK_STREAM};
    size_t n = 0;
    int rc;

    memset(out, 0, sizeof *out);
    if (target->is_unix) {
        out->un.sun_family = AF_UNIX;
        memcpy(out->un.sun_path, target->host, strlen(target->host) + 1);
        out->len = sizeof out->un;
        return 1;
    }
    hints.ai_flags = AI_NUMERICSERV | (passive ? AI_PASSIVE : AI_ADDRCONFIG);
    rc = getaddrinfo(target->host[0] ? target->host : NULL, target->port, &hints, &list);
    if (rc != 0) {
        error_set(err, STATUS_UNAVAILABLE, "cannot resolve %s: %s", target->host, gai_strerror(rc));
        return 0;
    }
    for (struct addrinfo *ai = list; ai && n < NET_ADDRESSES_MAX; ai = ai->ai_next) {
        if (ai->ai_addrlen > sizeof(struct sockaddr_in6))
            continue;
        memcpy(&out[n].any, ai->ai_addr, ai->ai_addrlen);
        out[n++].len = ai->ai_addrlen;
    }
    freeaddrinfo(list);
    if (n == 0)
        error_set(err, STATUS_UNAVAILABLE, "%s has no usable address", target->host);
    return n;
}

void net__address_format(const struct net_address *address, char *out, size_t out_bytes)
{
    char text[INET6_ADDRSTRLEN] = "?";

    switch (address->any.sa_family) {
    case AF_INET:
        inet_ntop(AF_INET, &address->in.sin_addr, text, sizeof text);
        snprintf(out, out_bytes, "%s:%u", text, ntohs(address->in.sin_port));
        return;
    case AF_INET6:
        inet_ntop(AF_INET6, &address->in6.sin6_addr, text, sizeof text);
        snprintf(out, out_bytes, "[%s]:%u", text, ntohs(address->in6.sin6_port));
        return;
    default:
        snprintf(out, out_bytes, "unix");
    }
}

bool net__address_is_local(const struct net_address *address)
{
    switch (address->any.sa_family) {
    case AF_INET:
        return (ntohl(address->in.sin_addr.s_addr) >> 24) == 127;
    case AF_INET6:
        if (IN6_IS_ADDR_V4MAPPED(&address->in6.sin6_addr))
            return address->in6.sin6_addr.s6_addr[12] == 127;
        return IN6_IS_ADDR_LOOPBACK(&address->in6.sin6_addr);
    default:
        return address->any.sa_family == AF_UNIX;
    }
}
