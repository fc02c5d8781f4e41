/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <ctype.h>
#include <strings.h>

#include "edge/edge.h"

#define HOSTS_MAX 64
#define HOST_BYTES_MAX 255

static bool is_name(struct slice name)
{
    if (!name.len || name.len > HOST_BYTES_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.data[i];

        if (!c || (!isalnum(c) && !strchr("-._:[]*", c)))
            return false;
    }
    return true;
}

static struct slice trim(struct slice text)
{
    while (text.len && text.data[0] == ' ') {
        text.data++;
        text.len--;
    }
    while (text.len && text.data[text.len - 1] == ' ')
        text.len--;
    return text;
}

enum status edge_hosts_parse(const char *list, struct arena *arena, struct edge_hosts *ret,
                             struct error *err)
{
    struct edge_hosts hosts = {.names = ARENA_ARRAY(arena, const char *, HOSTS_MAX)};

    while (list && *list) {
        size_t len = strcspn(list, ",");
        struct slice name = trim((struct slice){list, len});
        char *copy;

        if (!is_name(name) || hosts.count == HOSTS_MAX)
            return error_set(err, STATUS_INVALID_ARGUMENT, "not a list of at most %d host names",
                             HOSTS_MAX);
        copy = arena_strndup(arena, name.data, name.len);
        for (char *c = copy; *c; c++)
            *c = (char)tolower((unsigned char)*c);
        hosts.names[hosts.count++] = copy;
        list += len;
        list += *list == ',';
    }
    *ret = hosts;
    return STATUS_OK;
}

/* Cuts ":port" off; false when what is behind the colon is no port. */
static bool without_port(struct slice host, struct slice *ret)
{
    const char *colon = memrchr(host.data, ':', host.len);
    bool bracket = host.data[0] == '[';

    *ret = host;
    if (!colon || (bracket && host.data[host.len - 1] == ']'))
        return true;
    for (const char *c = colon + 1; c < host.data + host.len; c++)
        if (!isdigit((unsigned char)*c))
            return false;
    ret->len = (size_t)(colon - host.data);
    return ret->len > 0;
}

static bool same_name(struct slice a, const char *b)
{
    return a.len == strlen(b) && strncasecmp(a.data, b, a.len) == 0;
}

static bool is_loopback(struct slice name)
{
    static const char suffix[] = ".localhost";
    char text[INET_ADDRSTRLEN];
    struct in_addr address;

    if (same_name(name, "localhost") || same_name(name, "[::1]"))
        return true;
    if (name.len > sizeof suffix - 1 &&
        strncasecmp(name.data + name.len - (sizeof suffix - 1), suffix, sizeof suffix - 1) == 0)
        return true;
    if (name.len >= sizeof text)
        return false;
    memcpy(text, name.data, name.len);
    text[name.len] = '\0';
    return inet_pton(AF_INET, text, &address) == 1 && (ntohl(address.s_addr) >> 24) == 127;
}

bool edge_host_allowed(const struct edge_hosts *hosts, struct slice host)
{
    struct slice name;

    if (!is_name(host) || !without_port(host, &name))
        return false;
    if (is_loopback(name))
        return true;
    for (size_t i = 0; i < hosts->count; i++)
        if (str_eq(hosts->names[i], "*") || same_name(name, hosts->names[i]))
            return true;
    return false;
}

enum edge_origin edge_origin(struct slice origin, struct slice sec_fetch_site, struct slice host)
{
    const char *rest = NULL;

    /* Browsers set it themselves and pages cannot; a proxy's change of Host does not disturb it. */
    if (sec_fetch_site.data)
        return slice_is(sec_fetch_site, "same-origin") ? EDGE_ORIGIN_SAME : EDGE_ORIGIN_OTHER;
    if (!origin.data)
        return EDGE_ORIGIN_UNKNOWN;
    if (origin.len > 7 && strncasecmp(origin.data, "http://", 7) == 0)
        rest = origin.data + 7;
    else if (origin.len > 8 && strncasecmp(origin.data, "https://", 8) == 0)
        rest = origin.data + 8;
    if (!rest || !host.len)
        return EDGE_ORIGIN_OTHER;
    size_t len = (size_t)(origin.data + origin.len - rest);

    return len == host.len && strncasecmp(rest, host.data, len) == 0 ? EDGE_ORIGIN_SAME
                                                                     : EDGE_ORIGIN_OTHER;
}
