/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "folder.h"
#include "site/site.h"
#include "types.h"

const char *site__type_of(const char *path)
{
    return site_type_by_extension(path);
}

/* The kernel keeps the path inside the folder, whatever links or dots it has. */
static int open_beneath(int folder, const char *path)
{
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};

    return (int)syscall(SYS_openat2, folder, path, &how, sizeof how);
}

bool site__read(const char *folder, const char *path, struct arena *arena, struct slice *ret)
{
    AUTO(close_fd) int root = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO(close_fd) int fd = -1;
    struct stat info;
    size_t len = 0;
    char *data;

    if (root < 0 || path[0] != '/' || !path[1])
        return false;
    fd = open_beneath(root, path + 1);
    if (fd < 0 || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) ||
        (size_t)info.st_size > SITE_FILE_BYTES_MAX)
        return false;
    data = arena_alloc(arena, (size_t)info.st_size + 1);
    while (len < (size_t)info.st_size) {
        ssize_t n = read(fd, data + len, (size_t)info.st_size - len);

        if (n <= 0)
            return false;
        len += (size_t)n;
    }
    *ret = (struct slice){data, len};
    return true;
}
