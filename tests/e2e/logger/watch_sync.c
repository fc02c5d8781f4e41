/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded into the logger: each fdatasync takes SYNC_DELAY_MS and is noted, when it returns, as
 * one byte in SYNC_NOTES. So a test can tell whether an acknowledgement waited for the disk, which
 * killing the process alone cannot show. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int fdatasync(int fd)
{
    int result = (int)syscall(SYS_fdatasync, fd);
    int notes = open(getenv("SYNC_NOTES"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    usleep((useconds_t)strtol(getenv("SYNC_DELAY_MS"), NULL, 10) * 1000);
    if (notes < 0 || write(notes, ".", 1) != 1)
        abort();
    close(notes);
    return result;
}
