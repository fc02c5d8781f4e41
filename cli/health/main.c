/* SPDX-License-Identifier: Apache-2.0 */
/* plankton-health [HOST:PORT]: exit status 0 when GET /readyz of an ops port answers 200. For
 * container health checks: no curl needed. */
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define TIMEOUT_S 3

static int dial(const char *host, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    struct timeval timeout = {.tv_sec = TIMEOUT_S};
    int fd = -1;

    if (getaddrinfo(host, port, &hints, &list) != 0)
        return -1;
    for (struct addrinfo *a = list; a && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, 0);
        if (fd < 0)
            continue;
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
        if (connect(fd, a->ai_addr, a->ai_addrlen) < 0) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(list);
    return fd;
}

int main(int argc, char **argv)
{
    char host[256] = "127.0.0.1", port[16] = "9081", answer[64] = "";
    static const char request[] =
        "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

    if (argc > 2 || (argc == 2 && sscanf(argv[1], "%255[^:]:%15[0-9]", host, port) != 2)) {
        fprintf(stderr, "usage: plankton-health [HOST:PORT]\n");
        return 2;
    }
    int fd = dial(host, port);
    if (fd < 0 || write(fd, request, sizeof request - 1) < 0 ||
        read(fd, answer, sizeof answer - 1) <= 0)
        return 1;
    close(fd);
    return strncmp(answer, "HTTP/1.1 200", 12) == 0 ? 0 : 1;
}
