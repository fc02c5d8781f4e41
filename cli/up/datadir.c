/* SPDX-License-Identifier: Apache-2.0 */
#include "datadir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "loop/loop.h"
#include "token/token.h"

#define FILE_BYTES_MAX ((size_t)64 * 1024)

enum status datadir_open(const char *path, struct arena *arena, struct datadir *ret,
                         struct error *err)
{
    char real[PATH_MAX];

    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return error_set(err, status_from_errno(errno), "cannot make data directory %s: %s", path,
                         strerror(errno));
    if (!realpath(path, real))
        return error_set(err, status_from_errno(errno), "cannot use data directory %s: %s", path,
                         strerror(errno));
    ret->path = arena_strdup(arena, real);
    ret->lock_fd = -1;
    return STATUS_OK;
}

const char *datadir_path(const struct datadir *dir, struct arena *arena, const char *name)
{
    return arena_printf(arena, "%s/%s", dir->path, name);
}

static int lock_open(const struct datadir *dir, int flags)
{
    char path[PATH_MAX + 16];

    snprintf(path, sizeof path, "%s/lock", dir->path);
    return open(path, flags | O_CLOEXEC, 0600);
}

enum status datadir_lock(struct datadir *dir, struct error *err)
{
    char pid[16];
    int fd = lock_open(dir, O_RDWR | O_CREAT);

    if (fd < 0)
        return error_set(err, status_from_errno(errno), "cannot open %s/lock: %s", dir->path,
                         strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        close(fd);
        return error_set(err, STATUS_ALREADY_EXISTS, "Plankton is already running in %s (pid %d)",
                         dir->path, datadir_holder(dir));
    }
    snprintf(pid, sizeof pid, "%d\n", (int)getpid());
    if (ftruncate(fd, 0) < 0 || write(fd, pid, strlen(pid)) < 0) {
        close(fd);
        return error_set(err, STATUS_INTERNAL, "cannot write %s/lock: %s", dir->path,
                         strerror(errno));
    }
    dir->lock_fd = fd;
    return STATUS_OK;
}

int datadir_holder(const struct datadir *dir)
{
    char text[16] = "";
    int64_t pid = 0;
    AUTO(close_fd) int fd = lock_open(dir, O_RDONLY);

    if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) == 0)
        return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    while (n > 0 && text[n - 1] == '\n')
        text[--n] = 0;
    return text_to_i64(text, &pid) ? (int)pid : 0;
}

void datadir_close(struct datadir *dir)
{
    close_fd(&dir->lock_fd);
    dir->lock_fd = -1;
}

enum status datadir_read(const struct datadir *dir, struct arena *arena, const char *name,
                         char **ret, struct error *err)
{
    const char *path = datadir_path(dir, arena, name);
    AUTO(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t len = 0;

    if (fd < 0)
        return error_set(err, status_from_errno(errno), "cannot read %s: %s", path,
                         strerror(errno));
    char *text = arena_alloc(arena, FILE_BYTES_MAX + 1);
    for (ssize_t n; len < FILE_BYTES_MAX && (n = read(fd, text + len, FILE_BYTES_MAX - len)) > 0;)
        len += (size_t)n;
    while (len > 0 && text[len - 1] == '\n')
        len--;
    text[len] = 0;
    *ret = text;
    return STATUS_OK;
}

enum status datadir_write(const struct datadir *dir, struct arena *arena, const char *name,
                          const void *data, size_t len, struct error *err)
{
    const char *path = datadir_path(dir, arena, name);
    const char *beside = arena_printf(arena, "%s.new", path);
    AUTO(close_fd) int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, data, len) != (ssize_t)len || fsync(fd) < 0 || rename(beside, path) < 0)
        return error_set(err, status_from_errno(errno), "cannot write %s: %s", path,
                         strerror(errno));
    return STATUS_OK;
}

static enum status make_api_key(const struct datadir *dir, struct arena *arena, const char *name,
                                struct error *err)
{
    char key[API_KEY_TEXT_BYTES + 1];

    if (access(datadir_path(dir, arena, name), F_OK) == 0)
        return STATUS_OK;
    api_key_make(key);
    size_t len = strlen(key);
    key[len] = '\n';
    return datadir_write(dir, arena, name, key, len + 1, err);
}

enum status datadir_make_keys(const struct datadir *dir, struct arena *arena, struct error *err)
{
    enum status st = make_api_key(dir, arena, "admin.key", err);

    if (st == STATUS_OK)
        st = make_api_key(dir, arena, "worker.key", err);
    if (st == STATUS_OK && access(datadir_path(dir, arena, "cluster.key"), F_OK) != 0) {
        uint8_t key[CLUSTER_KEY_BYTES];
        random_bytes(key, sizeof key);
        st = datadir_write(dir, arena, "cluster.key", key, sizeof key, err);
    }
    return st;
}
