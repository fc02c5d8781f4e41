/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/slice.h"
#include "spool/state_dir.h"

static enum status make_directory(const char *path, mode_t mode, struct error *err)
{
    char part[PATH_MAX + 16];
    size_t len = strlen(path);

    if (len >= sizeof part)
        return error_set(err, STATUS_INVALID_ARGUMENT, "path is too long: %s", path);
    memcpy(part, path, len + 1);
    for (size_t i = 1; i <= len; i++) {
        if (part[i] != '/' && part[i] != '\0')
            continue;
        char kept = part[i];
        part[i] = '\0';
        if (mkdir(part, kept ? 0755 : mode) != 0 && errno != EEXIST)
            return error_set(err, status_from_errno(errno), "cannot make %s: %s", part,
                             strerror(errno));
        part[i] = kept;
    }
    if (chmod(path, mode) != 0)
        return error_set(err, status_from_errno(errno), "cannot use %s: %s", path, strerror(errno));
    return STATUS_OK;
}

static void read_worker_id(struct state_dir *dir)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/worker.id", dir->path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t n = read(fd, dir->worker_id, sizeof dir->worker_id - 1);
    close(fd);
    dir->worker_id[n > 0 ? n : 0] = '\0';
    dir->worker_id[strcspn(dir->worker_id, "\r\n")] = '\0';
}

enum status state_dir_open(struct state_dir *dir, const char *path, bool searchable,
                           struct error *err)
{
    char full[PATH_MAX], name[PATH_MAX + 16];
    mode_t mode = searchable ? 0711 : 0700;

    *dir = (struct state_dir){.lock_fd = -1};
    enum status st = make_directory(path, mode, err);
    if (st != STATUS_OK)
        return st;
    /* Tasks run elsewhere: what they are told must be absolute. */
    if (!realpath(path, full))
        return error_set(err, status_from_errno(errno), "cannot use %s: %s", path, strerror(errno));
    dir->path = mem_strdup(full);
    snprintf(name, sizeof name, "%s/lock", full);
    dir->lock_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (dir->lock_fd < 0)
        return error_set(err, status_from_errno(errno), "cannot open %s: %s", name,
                         strerror(errno));
    if (flock(dir->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return error_set(err, STATUS_FAILED_PRECONDITION, "another worker uses %s", full);
    snprintf(name, sizeof name, "%s/attempts", full);
    st = make_directory(name, mode, err);
    if (st != STATUS_OK)
        return st;
    read_worker_id(dir);
    return STATUS_OK;
}

enum status state_dir_set_worker_id(struct state_dir *dir, const char *worker_id, struct error *err)
{
    char path[PATH_MAX], temporary[PATH_MAX];
    size_t len = strlen(worker_id);
    AUTO(close_fd) int fd = -1;

    if (len == 0 || len >= sizeof dir->worker_id)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a worker id has 1 to %d bytes",
                         WORKER_ID_BYTES - 1);
    if (str_eq(worker_id, dir->worker_id))
        return STATUS_OK;
    snprintf(path, sizeof path, "%s/worker.id", dir->path);
    snprintf(temporary, sizeof temporary, "%s/worker.id.new", dir->path);
    fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, worker_id, len) != (ssize_t)len || fsync(fd) != 0 ||
        rename(temporary, path) != 0)
        return error_set(err, status_from_errno(errno), "cannot write %s: %s", path,
                         strerror(errno));
    memcpy(dir->worker_id, worker_id, len + 1);
    return STATUS_OK;
}

void state_dir_close(struct state_dir *dir)
{
    if (!dir->path)
        return;
    close_fd(&dir->lock_fd);
    free(dir->path);
    dir->path = NULL;
}
