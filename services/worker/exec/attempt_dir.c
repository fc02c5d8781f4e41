/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DIR/            the worker's: spec, pid, failure
 * DIR/task/       the task's user's: output.json, progress, metrics, artifacts/, work/ (where it
 * runs) What the task may have put there is opened without following links.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "exec/internal.h"
#include "json/json.h"

#define REMOVE_FDS 16
#define REMOVE_ROUNDS 8 /* a directory that could not be entered is opened up and tried again */
#define PROGRESS_TAIL_BYTES 4096

static enum status make(const char *path, mode_t mode, const struct task_user *user,
                        struct error *err)
{
    if (mkdir(path, mode) != 0)
        return error_set(err, status_from_errno(errno), "cannot make %s: %s", path,
                         strerror(errno));
    if (user && user->uid >= 0 && lchown(path, (uid_t)user->uid, (gid_t)user->gid) != 0)
        return error_set(err, status_from_errno(errno), "cannot give %s away: %s", path,
                         strerror(errno));
    return STATUS_OK;
}

enum status attempt_dir_make(const char *dir, const struct task_user *user, struct error *err)
{
    static const char *const inner[] = {"task", "task/work", "task/artifacts"};
    char path[PATH_MAX];

    enum status st = make(dir, user->uid >= 0 ? 0711 : 0700, NULL, err);
    for (size_t i = 0; st == STATUS_OK && i < ARRAY_LEN(inner); i++) {
        snprintf(path, sizeof path, "%s/%s", dir, inner[i]);
        st = make(path, 0700, user, err);
    }
    return st;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    if (kind == FTW_DNR)
        return chmod(path, 0700) == 0 ? 1 : 0;
    (void)remove(path); /* what cannot go is tried again at the next start */
    return 0;
}

void attempt_dir_remove(const char *dir)
{
    for (int round = 0; round < REMOVE_ROUNDS; round++) {
        if (nftw(dir, remove_entry, REMOVE_FDS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) == 0)
            return;
    }
}

/* A regular file of the task, opened so that a link or a pipe in its place can do no harm. */
static int open_task_file(const char *dir, const char *name, struct stat *ret)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/task/%s", dir, name);
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -1;
    if (fstat(fd, ret) == 0 && S_ISREG(ret->st_mode))
        return fd;
    close(fd);
    errno = EINVAL;
    return -1;
}

int attempt_dir_output(const char *dir, struct arena *arena, struct slice *ret, struct error *err)
{
    struct stat info;
    AUTO(close_fd) int fd = open_task_file(dir, "output.json", &info);

    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0) {
        error_set(err, STATUS_INVALID_ARGUMENT, "the output file cannot be read: %s",
                  strerror(errno));
        return -1;
    }
    if (info.st_size > EXEC_OUTPUT_BYTES_MAX) {
        error_field(err, STATUS_INVALID_ARGUMENT, "PAYLOAD_TOO_LARGE", NULL,
                    "the output has %lld bytes, at most %u are allowed", (long long)info.st_size,
                    EXEC_OUTPUT_BYTES_MAX);
        return -1;
    }
    char *text = arena_alloc(arena, (size_t)info.st_size + 1);
    ssize_t n = read(fd, text, (size_t)info.st_size);
    if (n < 0) {
        error_set(err, STATUS_INVALID_ARGUMENT, "the output file cannot be read: %s",
                  strerror(errno));
        return -1;
    }
    text[n] = '\0';
    struct slice slice = {text, (size_t)n};
    if (strspn(text, " \t\r\n") == (size_t)n)
        return 0; /* made but not written */
    while (text[slice.len - 1] == '\n' || text[slice.len - 1] == ' ' ||
           text[slice.len - 1] == '\r' || text[slice.len - 1] == '\t')
        slice.len--; /* echo's newline is no part of the value */
    text[slice.len] = '\0';
    if (json_check(slice, EXEC_OUTPUT_BYTES_MAX, err) != STATUS_OK)
        return -1;
    *ret = slice;
    return 1;
}

/* A line of the progress file: a number from 0 to 1, or {"progress": 0.5, "message": "…"}. */
static bool parse_progress(struct slice line, double *ret_progress, char *message,
                           size_t message_bytes)
{
    AUTO(json_drop) json_t *value = NULL;

    if (json_parse(line, PROGRESS_TAIL_BYTES, &value, NULL) != STATUS_OK)
        return false;
    const json_t *number = json_is_object(value) ? json_object_get(value, "progress") : value;
    const char *text =
        json_is_object(value) ? json_string_value(json_object_get(value, "message")) : NULL;
    if (!json_is_number(number) ||
        !(json_number_value(number) >= 0 && json_number_value(number) <= 1))
        return false;
    *ret_progress = json_number_value(number);
    snprintf(message, message_bytes, "%s", text ? text : "");
    return true;
}

bool attempt_dir_progress(const char *dir, int64_t *bytes, double *ret_progress, char *message,
                          size_t message_bytes)
{
    struct stat info;
    char tail[PROGRESS_TAIL_BYTES];
    AUTO(close_fd) int fd = open_task_file(dir, "progress", &info);

    if (fd < 0 || info.st_size == *bytes)
        return false;
    *bytes = info.st_size;
    ssize_t n = pread(fd, tail, sizeof tail, MAX_OF(info.st_size - (off_t)sizeof tail, 0));
    struct slice text = {tail, n > 0 ? (size_t)n : 0};
    /* The last whole line; what a program is still writing comes with the next look. */
    while (text.len && text.data[text.len - 1] != '\n')
        text.len--;
    while (text.len && text.data[text.len - 1] == '\n')
        text.len--;
    const char *start = memrchr(text.data, '\n', text.len);
    if (start)
        text = (struct slice){start + 1, text.len - (size_t)(start + 1 - text.data)};
    return text.len && parse_progress(text, ret_progress, message, message_bytes);
}

/* Whole lines of the buffer; returns the bytes that they had. */
static size_t each_line(struct slice text, void (*fn)(struct slice line, void *userdata),
                        void *userdata)
{
    size_t at = 0;

    for (const char *end; at < text.len && (end = memchr(text.data + at, '\n', text.len - at));) {
        struct slice line = {text.data + at, (size_t)(end - text.data) - at};
        at += line.len + 1;
        if (line.len > 0)
            fn(line, userdata);
    }
    return at;
}

void attempt_dir_metrics(const char *dir, int64_t *at,
                         void (*fn)(struct slice line, void *userdata), void *userdata)
{
    struct stat info;
    AUTO(close_fd) int fd = open_task_file(dir, "metrics", &info);

    if (fd < 0 || info.st_size <= *at)
        return;
    char *buffer = mem_alloc(EXEC_METRICS_BYTES_MAX);
    ssize_t n = pread(fd, buffer, EXEC_METRICS_BYTES_MAX, *at);
    if (n > 0) {
        size_t used = each_line((struct slice){buffer, (size_t)n}, fn, userdata);
        /* One line that fills the buffer is no metric: it is passed over. */
        *at += (int64_t)(used == 0 && n == EXEC_METRICS_BYTES_MAX ? (size_t)n : used);
    }
    free(buffer);
}

char *attempt_dir_failure(const char *dir, struct arena *arena)
{
    char path[PATH_MAX], text[1024];

    snprintf(path, sizeof path, "%s/failure", dir);
    AUTO(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    ssize_t n = read(fd, text, sizeof text);
    return arena_strndup(arena, text, n > 0 ? (size_t)n : 0);
}
