/* SPDX-License-Identifier: Apache-2.0 */
#include "ports.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static bool port_free(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    AUTO(close_fd) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    return fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
           bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 1) == 0;
}

static int group_taken(int port, int workers)
{
    for (int i = 0; i < PORT_STEP + workers; i++) {
        if (i < PORT_STEP && !port_free(port + i))
            return port + i;
        if (!port_free(port + PORT_OPS_OFFSET + i))
            return port + PORT_OPS_OFFSET + i;
    }
    return 0;
}

enum status ports_find(int wanted, int workers, int *ret_port, struct error *err)
{
    if (wanted) {
        int taken = group_taken(wanted, workers);
        if (taken)
            return error_set(err, STATUS_ALREADY_EXISTS,
                             "port %d is taken (--port %d needs %d to %d and %d to %d)", taken,
                             wanted, wanted, wanted + PORT_STEP - 1, wanted + PORT_OPS_OFFSET,
                             wanted + PORT_OPS_OFFSET + PORT_STEP + workers - 1);
        *ret_port = wanted;
        return STATUS_OK;
    }
    for (int i = 0, port = PORT_DEFAULT; i < PORT_TRIES; i++, port += PORT_STEP) {
        if (port + PORT_OPS_OFFSET + PORT_STEP + workers > 65535)
            break;
        if (!group_taken(port, workers)) {
            *ret_port = port;
            return STATUS_OK;
        }
    }
    return error_set(err, STATUS_RESOURCE_EXHAUSTED, "no free ports from %d on", PORT_DEFAULT);
}
