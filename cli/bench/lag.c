/* SPDX-License-Identifier: Apache-2.0 */
/* How far the logger is behind when a measurement ends. */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/buf.h"
#include "bench.h"
#include "plankton/v1/task_logger.rpc.h"

#define METRICS_BYTES_MAX ((size_t)4 * 1024 * 1024)
#define READ_BYTES ((size_t)16 * 1024)
#define SCRAPE_TIMEOUT_S 2

static int connect_to(const char *address)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    const struct timeval timeout = {.tv_sec = SCRAPE_TIMEOUT_S};
    const char *colon = strrchr(address, ':');
    char host[256];
    struct addrinfo *found;
    int fd = -1;

    if (!colon || (size_t)(colon - address) >= sizeof host)
        return -1;
    snprintf(host, sizeof host, "%.*s", (int)(colon - address), address);
    if (getaddrinfo(host, colon + 1, &hints, &found) != 0)
        return -1;
    fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    }
    if (fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) < 0) {
        close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}

bool bench_relay_lag(const char *ops_address, double *ret)
{
    static const char REQUEST[] = "GET /metrics HTTP/1.1\r\nHost: ops\r\nConnection: close\r\n\r\n";
    static const char NAME[] = "\nplankton_controller_relay_lag_events ";
    AUTO(close_fd) int fd = connect_to(ops_address);
    AUTO(buf_fini) struct buf text;
    char *room;

    buf_init(&text, METRICS_BYTES_MAX);
    if (fd < 0 || write(fd, REQUEST, sizeof REQUEST - 1) < 0)
        return false;
    while ((room = buf_reserve(&text, READ_BYTES)) != NULL) {
        ssize_t n = read(fd, room, READ_BYTES);
        if (n <= 0)
            break;
        text.len += (size_t)n;
    }
    const char *line = strstr(buf_cstr(&text), NAME);
    if (!line)
        return false;
    *ret = strtod(line + sizeof NAME - 1, NULL);
    return true;
}

bool bench_sink_lag(struct client *client, double *ret)
{
    Plankton__V1__ListSinksRequest request = PLANKTON__V1__LIST_SINKS_REQUEST__INIT;
    Plankton__V1__ListSinksResponse *response;

    if (CLIENT_CALL(client, task_logger_list_sinks, &request, &response, NULL) != STATUS_OK)
        return false;
    *ret = 0;
    for (size_t i = 0; i < response->n_sinks; i++)
        *ret = MAX_OF(*ret, response->sinks[i]->lag_seconds);
    return true;
}
