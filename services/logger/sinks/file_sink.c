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
#include "ingest/record.h"
#include "log/log.h"
#include "logger_metrics.h"
#include "sinks/json_lines.h"

/* Of the spool at once; the JSON is some four times as long. */
#define STEP_BYTES ((size_t)1 << 20)
#define STEP_BYTES_MAX (RECORD_BYTES_MAX + FRAME_HEAD_BYTES) /* … when a record is larger */
#define PACE_MS 100 /* between two small steps: nobody waits for them */
#define RETRY_MS_MIN 1000
#define RETRY_MS_MAX 30000
#define PATH_BYTES 4096
#define CURSOR_MAGIC UINT64_C(0x31306b6e69736b70)

/* As it stands in its file. */
struct cursor {
    uint64_t magic, lsn, file, bytes;
    uint64_t crc; /* of what stands before */
};
struct file_sink {
    struct loop *loop;
    struct file_sink_options options;
    char *dir, *cursor_path;
    struct spool *spool;
    struct cursor cursor; /* what is written and said */
    int fd, cursor_fd;
    bool is_open; /* the directory was looked at */
    bool busy;
    struct loop_timer *retry; /* and the pace */
    uint64_t begun_us;        /* the last step */
    uint64_t retry_ms;
    char error[sizeof(((struct error *)0)->message)];
    int64_t seen_us; /* when the last record written came in */
    void (*stopped)(void *userdata);
    void *stopped_userdata;
    /* the step under way, for the pool's thread */
    struct spool_range range;
    struct cursor next;
    char *data;
    struct buf out;
    struct json_clock clock;
    size_t lines, events, step_bytes;
    uint64_t skipped;
    struct error err;
    enum status status;
    bool last; /* sync, whatever the policy */
};

/* ---- files; in the pool ---- */

static uint64_t cursor_crc(const struct cursor *cursor)
{
    return crc32(0, (const Bytef *)cursor, offsetof(struct cursor, crc));
}

static void file_path(const struct file_sink *sink, uint64_t number, char out[PATH_BYTES])
{
    snprintf(out, PATH_BYTES, "%s/plankton-%06" PRIu64 ".jsonl", sink->dir, number);
}

static enum status os_failed(struct file_sink *sink, const char *what)
{
    return error_set(&sink->err, status_from_errno(errno), "cannot %s %s: %s", what, sink->dir,
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

static enum status file_open(struct file_sink *sink, uint64_t number)
{
    char path[PATH_BYTES];

    close_fd(&sink->fd);
    file_path(sink, number, path);
    sink->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    return sink->fd < 0 ? os_failed(sink, "open a file in") : STATUS_OK;
}

/* Where did a predecessor stop? What its file has beyond that was not said to be written. */
static enum status sink_open(struct file_sink *sink)
{
    struct cursor *cursor = &sink->cursor, found;
    struct stat info;

    if (mkdir(sink->dir, 0750) < 0 && errno != EEXIST)
        return os_failed(sink, "make");
    close_fd(&sink->cursor_fd);
    sink->cursor_fd = open(sink->cursor_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (sink->cursor_fd < 0)
        return os_failed(sink, "open the place of the sink");
    bool good = pread(sink->cursor_fd, &found, sizeof found, 0) == sizeof found &&
                found.magic == CURSOR_MAGIC && found.crc == cursor_crc(&found);
    if (good)
        *cursor = found;
    else
        *cursor = (struct cursor){
            .magic = CURSOR_MAGIC, .lsn = cursor->lsn, .file = files_walk(sink, 0) + 1};
    enum status st = file_open(sink, cursor->file);
    if (st != STATUS_OK)
        return st;
    if (fstat(sink->fd, &info) < 0)
        return os_failed(sink, "look into");
    if ((uint64_t)info.st_size > cursor->bytes && ftruncate(sink->fd, (off_t)cursor->bytes) < 0)
        return os_failed(sink, "cut a file in");
    cursor->bytes = MIN_OF(cursor->bytes, (uint64_t)info.st_size);
    sink->is_open = true;
    return STATUS_OK;
}

static enum status sink_rotate(struct file_sink *sink, struct cursor *next)
{
    if (next->bytes == 0 || next->bytes + sink->out.len <= sink->options.rotate_bytes)
        return STATUS_OK;
    if (fdatasync(sink->fd) < 0)
        return os_failed(sink, "sync a file in");
    next->file++;
    next->bytes = 0;
    if (next->file > sink->options.keep)
        files_walk(sink, next->file - sink->options.keep);
    return file_open(sink, next->file);
}

static enum status sink_write(struct file_sink *sink, struct cursor *next)
{
    size_t at = 0;
    enum status st = sink_rotate(sink, next);

    while (st == STATUS_OK && at < sink->out.len) {
        ssize_t n =
            pwrite(sink->fd, sink->out.data + at, sink->out.len - at, (off_t)(next->bytes + at));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return os_failed(sink, "write into");
        at += (size_t)n;
    }
    if (st != STATUS_OK)
        return st;
    next->bytes += at;
    if ((sink->options.fsync || sink->last) && fdatasync(sink->fd) < 0)
        return os_failed(sink, "sync a file in");
    next->crc = cursor_crc(next);
    return pwrite(sink->cursor_fd, next, sizeof *next, 0) == sizeof *next
               ? STATUS_OK
               : os_failed(sink, "write the place of the sink");
}

/* ---- records; in the pool ---- */

static void put_records(struct file_sink *sink, struct slice frames, struct cursor *next)
{
    struct lines lines;
    struct events events;
    struct slice payload;
    uint64_t begin;
    enum frame_outcome outcome;

    while ((outcome = frame_next(&frames, &next->lsn, &begin, &payload)) != FRAME_CUT) {
        if (outcome == FRAME_BAD) {
            size_t skip = frame_find(frames, next->lsn);
            sink->skipped += skip;
            next->lsn += skip;
            frames = (struct slice){frames.data + skip, frames.len - skip};
        } else if (lines_parse_record(payload, begin, &lines)) {
            sink->lines += json_lines_put(&sink->out, &sink->clock, &lines);
            sink->seen_us = lines.received_us;
        } else if (events_parse_record(payload, begin, &events)) {
            if (sink->options.with_events)
                sink->events += json_events_put(&sink->out, &sink->clock, &events);
            sink->seen_us = events.received_us;
        }
    }
}

static void step_work(void *userdata)
{
    struct file_sink *sink = userdata;

    sink->status = sink->is_open ? STATUS_OK : sink_open(sink);
    sink->next = sink->cursor;
    sink->lines = sink->events = 0;
    sink->skipped = 0;
    buf_clear(&sink->out);
    if (sink->status != STATUS_OK || !sink->range.segment)
        return;
    if (sink->range.lsn > sink->next.lsn) {
        sink->skipped = sink->range.lsn - sink->next.lsn;
        buf_putf(&sink->out, "{\"gapBytes\":%" PRIu64 "}\n", sink->skipped);
        sink->next.lsn = sink->range.lsn;
    }
    sink->status = spool_range_read(&sink->range, sink->data, &sink->err);
    if (sink->status != STATUS_OK)
        return;
    put_records(sink, (struct slice){sink->data, sink->range.len}, &sink->next);
    sink->status = sink_write(sink, &sink->next);
}

/* ---- on the loop ---- */

static void sink_step(struct file_sink *sink);

static void check_stopped(struct file_sink *sink)
{
    void (*stopped)(void *userdata) = sink->stopped;

    if (!stopped || sink->busy)
        return;
    sink->stopped = NULL;
    stopped(sink->stopped_userdata);
}

static void step_done(void *userdata)
{
    struct file_sink *sink = userdata;

    spool_range_done(sink->spool, &sink->range);
    free(sink->data);
    sink->data = NULL;
    buf_fini(&sink->out);
    sink->busy = false;
    if (sink->status != STATUS_OK) {
        if (!*sink->error)
            log_error("sink.failed", LOG_STR("sink", "file"), LOG_ERR(&sink->err));
        snprintf(sink->error, sizeof sink->error, "%s", sink->err.message);
        sink->is_open = false;
        sink->retry_ms = MIN_OF(MAX_OF(sink->retry_ms * 2, RETRY_MS_MIN), RETRY_MS_MAX);
        loop_timer_start(sink->retry, sink->retry_ms, 0);
    } else {
        bool moved = sink->next.lsn > sink->cursor.lsn;
        sink->step_bytes = moved ? STEP_BYTES : STEP_BYTES_MAX;
        sink->cursor = sink->next;
        if (*sink->error)
            log_info("sink.recovered", LOG_STR("sink", "file"));
        *sink->error = 0;
        sink->retry_ms = 0;
        logger_count(METRIC_SINK_LINES, (double)sink->lines);
        logger_count(METRIC_SINK_EVENTS, (double)sink->events);
        logger_count(METRIC_SINK_BYTES_SKIPPED, (double)sink->skipped);
        if (!sink->stopped)
            sink_step(sink);
    }
    check_stopped(sink);
}

static void sink_submit(struct file_sink *sink)
{
    sink->busy = true;
    sink->begun_us = loop_now_us(sink->loop);
    sink->data = mem_alloc(sink->range.len + 1);
    if (loop_pool(sink->loop, step_work, step_done, sink, NULL) == STATUS_OK)
        return;
    spool_range_done(sink->spool, &sink->range);
    free(sink->data);
    sink->data = NULL;
    sink->busy = false;
    loop_timer_start(sink->retry, RETRY_MS_MIN, 0);
}

static bool paced(struct file_sink *sink)
{
    uint64_t now = loop_now_us(sink->loop), due = sink->begun_us + PACE_MS * 1000;
    uint64_t pending = spool_durable(sink->spool) - sink->cursor.lsn;

    if (now >= due || pending >= STEP_BYTES)
        return false;
    if (pending)
        loop_timer_start(sink->retry, (due - now) / 1000 + 1, 0);
    return true;
}

static void sink_step(struct file_sink *sink)
{
    if (sink->busy || sink->stopped || paced(sink))
        return;
    if (!sink->is_open ||
        spool_range(sink->spool, sink->cursor.lsn, sink->step_bytes, &sink->range))
        sink_submit(sink);
}

static void retry(void *userdata)
{
    sink_step(userdata);
}

void file_sink_kick(struct file_sink *sink)
{
    if (!*sink->error)
        sink_step(sink);
}

uint64_t file_sink_position(const struct file_sink *sink)
{
    return sink->cursor.lsn;
}

double file_sink_lag_s(const struct file_sink *sink)
{
    if (sink->cursor.lsn >= spool_durable(sink->spool) || !sink->seen_us)
        return 0;
    return (double)MAX_OF(clock_unix_us() - sink->seen_us, 0) / 1e6;
}

const char *file_sink_error(const struct file_sink *sink)
{
    return sink->error;
}

struct file_sink *file_sink_new(struct loop *loop, const struct file_sink_options *options,
                                struct spool *spool)
{
    struct file_sink *sink = mem_zalloc(sizeof *sink);

    sink->loop = loop;
    sink->options = *options;
    sink->dir = mem_strdup(options->dir);
    sink->cursor_path = mem_strdup(options->cursor_path);
    sink->spool = spool;
    sink->fd = sink->cursor_fd = -1;
    sink->step_bytes = STEP_BYTES;
    sink->cursor.lsn = spool_first(spool);
    sink->seen_us = clock_unix_us();
    buf_init(&sink->out, JSON_LINES_BYTES_MAX);
    sink->retry = loop_timer_new(loop, retry, sink);
    sink_step(sink);
    return sink;
}

void file_sink_stop(struct file_sink *sink, void (*stopped)(void *userdata), void *userdata)
{
    sink->stopped = stopped;
    sink->stopped_userdata = userdata;
    check_stopped(sink);
}

void file_sink_free(struct file_sink *sink)
{
    if (!sink)
        return;
    if (sink->fd >= 0)
        fdatasync(sink->fd);
    close_fd(&sink->fd);
    close_fd(&sink->cursor_fd);
    loop_timer_free(sink->retry);
    buf_fini(&sink->out);
    free(sink->dir);
    free(sink->cursor_path);
    free(sink);
}
