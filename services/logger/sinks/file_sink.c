/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/file_sink.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include "log/log.h"
#include "sinks/json_lines.h"

#define PACE_MS 100
#define PATH_BYTES 4096
#define CURSOR_MAGIC UINT64_C(0x31306b6e69736b70)

/* As it stands in its file. */
struct cursor {
    uint64_t magic, lsn, file, bytes;
    uint64_t crc; /* of what stands before */
};
struct file_sink {
    struct file_sink_options options;
    char *dir, *cursor_path;
    struct cursor cursor; /* what is written and said */
    int fd, cursor_fd;
    struct buf out; /* not yet written */
    struct json_clock clock;
};

static uint64_t cursor_crc(const struct cursor *cursor)
{
    return crc32(0, (const Bytef *)cursor, offsetof(struct cursor, crc));
}

static void file_path(const struct file_sink *sink, uint64_t number, char out[PATH_BYTES])
{
    snprintf(out, PATH_BYTES, "%s/plankton-%06" PRIu64 ".jsonl", sink->dir, number);
}

static enum status os_failed(const struct file_sink *sink, const char *what, struct error *err)
{
    return error_set(err, status_from_errno(errno), "cannot %s %s: %s", what, sink->dir,
                     strerror(errno));
}

/* The largest number of a file there, and removal of those at or below `upto`. */
static uint64_t files_walk(const struct file_sink *sink, uint64_t upto)
{
    DIR *dir = opendir(sink->dir);
    uint64_t largest = 0;

    if (!dir)
        return 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        uint64_t number;
        char end = 0, path[PATH_BYTES];
        if (sscanf(entry->d_name, "plankton-%19" SCNu64 ".json%c", &number, &end) != 2 ||
            end != 'l')
            continue;
        largest = MAX_OF(largest, number);
        file_path(sink, number, path);
        if (number <= upto && unlink(path) < 0)
            log_debug("sink.unlink_failed", LOG_STR("path", path));
    }
    closedir(dir);
    return largest;
}

static enum status file_open(struct file_sink *sink, uint64_t number, struct error *err)
{
    char path[PATH_BYTES];

    close_fd(&sink->fd);
    file_path(sink, number, path);
    sink->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    return sink->fd < 0 ? os_failed(sink, "open a file in", err) : STATUS_OK;
}

/* Where did a predecessor, or a step that failed, stop? What its file has beyond that was not said
 * to be written. */
static enum status sink_open(void *self, uint64_t *lsn, struct error *err)
{
    struct file_sink *sink = self;
    struct cursor *cursor = &sink->cursor, found;
    struct stat info;

    buf_clear(&sink->out);
    if (mkdir(sink->dir, 0750) < 0 && errno != EEXIST)
        return os_failed(sink, "make", err);
    close_fd(&sink->cursor_fd);
    sink->cursor_fd = open(sink->cursor_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (sink->cursor_fd < 0)
        return os_failed(sink, "open the place of the sink", err);
    bool good = pread(sink->cursor_fd, &found, sizeof found, 0) == sizeof found &&
                found.magic == CURSOR_MAGIC && found.crc == cursor_crc(&found);
    if (good)
        *cursor = found;
    else
        *cursor =
            (struct cursor){.magic = CURSOR_MAGIC, .lsn = *lsn, .file = files_walk(sink, 0) + 1};
    enum status st = file_open(sink, cursor->file, err);
    if (st != STATUS_OK)
        return st;
    if (fstat(sink->fd, &info) < 0)
        return os_failed(sink, "look into", err);
    if ((uint64_t)info.st_size > cursor->bytes && ftruncate(sink->fd, (off_t)cursor->bytes) < 0)
        return os_failed(sink, "cut a file in", err);
    cursor->bytes = MIN_OF(cursor->bytes, (uint64_t)info.st_size);
    *lsn = cursor->lsn;
    return STATUS_OK;
}

static enum status sink_rotate(struct file_sink *sink, struct cursor *next, struct error *err)
{
    if (next->bytes == 0 || next->bytes + sink->out.len <= sink->options.rotate_bytes)
        return STATUS_OK;
    if (fdatasync(sink->fd) < 0)
        return os_failed(sink, "sync a file in", err);
    next->file++;
    next->bytes = 0;
    if (next->file > sink->options.keep)
        files_walk(sink, next->file - sink->options.keep);
    return file_open(sink, next->file, err);
}

static enum status write_out(struct file_sink *sink, struct cursor *next, struct error *err)
{
    size_t at = 0;

    while (at < sink->out.len) {
        ssize_t n =
            pwrite(sink->fd, sink->out.data + at, sink->out.len - at, (off_t)(next->bytes + at));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return os_failed(sink, "write into", err);
        at += (size_t)n;
    }
    next->bytes += at;
    return STATUS_OK;
}

static enum status sink_commit(void *self, uint64_t lsn, struct error *err)
{
    struct file_sink *sink = self;
    struct cursor next = sink->cursor;
    enum status st = sink_rotate(sink, &next, err);

    if (st == STATUS_OK)
        st = write_out(sink, &next, err);
    if (st != STATUS_OK)
        return st;
    if (sink->options.fsync && fdatasync(sink->fd) < 0)
        return os_failed(sink, "sync a file in", err);
    next.lsn = lsn;
    next.crc = cursor_crc(&next);
    if (pwrite(sink->cursor_fd, &next, sizeof next, 0) != sizeof next)
        return os_failed(sink, "write the place of the sink", err);
    sink->cursor = next;
    buf_fini(&sink->out); /* a burst's memory goes back */
    return STATUS_OK;
}

static void take_lines(void *self, const struct lines *lines)
{
    struct file_sink *sink = self;

    json_lines_put(&sink->out, &sink->clock, lines);
}

static void take_events(void *self, const struct events *events)
{
    struct file_sink *sink = self;

    if (sink->options.with_events)
        json_events_put(&sink->out, &sink->clock, events);
}

static void take_gap(void *self, uint64_t bytes)
{
    struct file_sink *sink = self;

    buf_putf(&sink->out, "{\"gapBytes\":%" PRIu64 "}\n", bytes);
}

const struct sink_writer file_sink_writer = {
    .name = "file",
    .pace_ms = PACE_MS,
    .open = sink_open,
    .lines = take_lines,
    .events = take_events,
    .gap = take_gap,
    .commit = sink_commit,
};

struct file_sink *file_sink_new(const struct file_sink_options *options)
{
    struct file_sink *sink = mem_zalloc(sizeof *sink);

    sink->options = *options;
    sink->dir = mem_strdup(options->dir);
    sink->cursor_path = mem_strdup(options->cursor_path);
    sink->fd = sink->cursor_fd = -1;
    buf_init(&sink->out, JSON_LINES_BYTES_MAX);
    return sink;
}

void file_sink_free(struct file_sink *sink)
{
    if (!sink)
        return;
    if (sink->fd >= 0)
        fdatasync(sink->fd);
    close_fd(&sink->fd);
    close_fd(&sink->cursor_fd);
    buf_fini(&sink->out);
    free(sink->dir);
    free(sink->cursor_path);
    free(sink);
}
