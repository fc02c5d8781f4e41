/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "log/log.h"
#include "service_internal.h"

void service__notify(const char *text)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = path ? strlen(path) : 0;
    AUTO(close_fd) int fd = -1;

    if (len == 0)
        return;
    if ((path[0] != '/' && path[0] != '@') || len >= sizeof(address.sun_path)) {
        log_warn("notify.failed", LOG_STR("socket", path),
                 LOG_STR("why", "not an address, ignoring"));
        return;
    }
    memcpy(address.sun_path, path, len);
    if (path[0] == '@')
        address.sun_path[0] = '\0'; /* the abstract name space */
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&address,
                         (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
        log_warn("notify.failed", LOG_STR("socket", path), LOG_STR("why", strerror(errno)));
}
