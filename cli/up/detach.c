/* SPDX-License-Identifier: Apache-2.0 */
#include "detach.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define READY_MARK '\x04' /* end of transmission: cannot be part of what is printed */

static int parent_fd = -1;

static int pass_on(int fd)
{
    char text[512];
    bool ready = false;

    for (ssize_t n; (n = read(fd, text, sizeof text)) > 0;) {
        char *mark = memchr(text, READY_MARK, (size_t)n);
        fwrite(text, 1, mark ? (size_t)(mark - text) : (size_t)n, stdout);
        fflush(stdout);
        if (mark) {
            ready = true;
            break;
        }
    }
    return ready ? 0 : 1;
}

bool detach_begin(const char *log, int *ret_status)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0) {
        *ret_status = 1;
        return true;
    }
    pid_t pid = fork();
    if (pid != 0) {
        close(fds[1]);
        *ret_status = pid < 0 ? 1 : pass_on(fds[0]);
        close(fds[0]);
        return true;
    }
    close(fds[0]);
    parent_fd = fds[1];
    setsid();
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    dup2(null, 0);
    dup2(out, 1);
    dup2(out, 2);
    close(null);
    close(out);
    return false;
}

void detach_print(const char *text)
{
    fputs(text, stdout);
    fflush(stdout);
    if (parent_fd >= 0 && write(parent_fd, text, strlen(text)) < 0)
        close_fd(&parent_fd); /* the parent has gone: nobody to tell */
}

void detach_ready(void)
{
    char mark = READY_MARK;

    if (parent_fd >= 0 && write(parent_fd, &mark, 1) < 0)
        parent_fd = -1;
    close_fd(&parent_fd);
    parent_fd = -1;
}
