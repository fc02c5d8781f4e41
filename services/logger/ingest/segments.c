/* SPDX-License-Identifier: Apache-2.0 */
/* The spool's files: found and mended at the start, read by ranges, released. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "ingest/spool_internal.h"
#include "log/log.h"

#define SEGMENT_SUFFIX ".spool"
#define SEGMENT_NAME_DIGITS 16
#define SEGMENT_READ_BYTES_MAX ((uint64_t)2 << 30) /* a segment is read whole at the start */

/* ---- segments ---- */

struct segment *segment_new(struct spool *spool, uint64_t start)
{
    size_t len = strlen(spool->dir) + 1 + SEGMENT_NAME_DIGITS + sizeof SEGMENT_SUFFIX;
    struct segment *segment = mem_zalloc(sizeof *segment + len);

    snprintf(segment->path, len, "%s/%016" PRIx64 SEGMENT_SUFFIX, spool->dir, start);
    segment->start = start;
    segment->fd = -1;
    segment->refs = 1;
    list_push(&spool->segments, &segment->link);
    return segment;
}

static void segment_unref(struct segment *segment)
{
    if (--segment->refs)
        return;
    if (segment->doomed && unlink(segment->path) < 0)
        log_warn("spool.unlink_failed", LOG_STR("path", segment->path),
                 LOG_STR("error", strerror(errno)));
    close_fd(&segment->fd);
    free(segment);
}

void segment_drop(struct segment *segment)
{
    list_remove(&segment->link);
    segment_unref(segment);
}

void spool_release(struct spool *spool, uint64_t lsn)
{
    spool->released = MAX_OF(spool->released, lsn);
    LIST_EACH(&spool->segments, node)
    {
        struct segment *segment = LIST_ENTRY(node, struct segment, link);
        bool is_current =
            node->next == &spool->segments || (spool->busy && segment == spool->target);

        if (is_current || segment->start + segment->size > lsn)
            break;
        segment->doomed = true;
        segment_drop(segment);
    }
}

/* ---- ranges ---- */

bool spool_range(struct spool *spool, uint64_t lsn, size_t max, struct spool_range *ret)
{
    LIST_EACH(&spool->segments, node)
    {
        struct segment *segment = LIST_ENTRY(node, struct segment, link);
        if (segment->start + segment->size <= lsn)
            continue;
        ret->segment = segment;
        ret->lsn = MAX_OF(lsn, segment->start);
        ret->len = (size_t)MIN_OF((uint64_t)max, segment->start + segment->size - ret->lsn);
        segment->refs++;
        return true;
    }
    return false;
}

static enum status read_exactly(int fd, uint64_t offset, char *out, size_t len, const char *path,
                                struct error *err)
{
    while (len) {
        ssize_t n = pread(fd, out, len, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set(err, status_from_errno(errno), "cannot read %s: %s", path,
                             strerror(errno));
        if (n == 0)
            return error_set(err, STATUS_DATA_LOSS, "%s ends too early", path);
        out += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return STATUS_OK;
}

enum status spool_range_read(const struct spool_range *range, char *out, struct error *err)
{
    const struct segment *segment = range->segment;

    return read_exactly(segment->fd, range->lsn - segment->start, out, range->len, segment->path,
                        err);
}

void spool_range_done(struct spool *spool, struct spool_range *range)
{
    if (range->segment)
        segment_unref(range->segment);
    range->segment = NULL;
}

enum status spool_read_payload(struct spool *spool, uint64_t lsn, size_t len, char *out,
                               struct error *err)
{
    LIST_EACH(&spool->segments, node)
    {
        struct segment *segment = LIST_ENTRY(node, struct segment, link);
        if (lsn < segment->start || lsn + FRAME_HEAD_BYTES + len > segment->start + segment->size)
            continue;
        return read_exactly(segment->fd, lsn + FRAME_HEAD_BYTES - segment->start, out, len,
                            segment->path, err);
    }
    return error_set(err, STATUS_DATA_LOSS, "the spool has no record at this place");
}

/* ---- the start ---- */

static int segment_order(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static bool segment_name(const char *name, uint64_t *ret_start)
{
    char *end;

    if (strlen(name) != SEGMENT_NAME_DIGITS + strlen(SEGMENT_SUFFIX) ||
        !str_eq(name + SEGMENT_NAME_DIGITS, SEGMENT_SUFFIX))
        return false;
    *ret_start = strtoull(name, &end, 16);
    return end == name + SEGMENT_NAME_DIGITS;
}

static enum status segments_find(struct spool *spool, struct error *err)
{
    DIR *dir = opendir(spool->dir);
    uint64_t *starts = NULL;
    size_t n = 0, cap = 0;

    if (!dir)
        return error_set(err, status_from_errno(errno), "cannot open %s: %s", spool->dir,
                         strerror(errno));
    for (struct dirent *entry; (entry = readdir(dir));) {
        uint64_t start;
        if (!segment_name(entry->d_name, &start))
            continue;
        if (n == cap)
            starts = mem_realloc(starts, (cap = cap ? cap * 2 : 16) * sizeof *starts);
        starts[n++] = start;
    }
    closedir(dir);
    if (n)
        qsort(starts, n, sizeof *starts, segment_order);
    for (size_t i = 0; i < n; i++)
        segment_new(spool, starts[i]);
    free(starts);
    return STATUS_OK;
}

enum status spool_open(struct loop *loop, const struct spool_options *options,
                       const struct spool_callbacks *callbacks, void *userdata, struct spool **ret,
                       struct error *err)
{
    if (mkdir(options->dir, 0700) < 0 && errno != EEXIST)
        return error_set(err, status_from_errno(errno), "cannot make %s: %s", options->dir,
                         strerror(errno));
    struct spool *spool = spool_make(loop, options, callbacks, userdata);
    enum status st = segments_find(spool, err);
    if (st == STATUS_OK)
        *ret = spool;
    else
        spool_close(spool);
    return st;
}

static enum status segment_mend(struct segment *segment, char *data, size_t from, size_t to,
                                struct error *err)
{
    log_error("spool.damaged", LOG_STR("path", segment->path), LOG_U64("offset", from),
              LOG_U64("bytes", to - from));
    frames_void(data + from, to - from, segment->start + from);
    if (pwrite(segment->fd, data + from, to - from, (off_t)from) != (ssize_t)(to - from) ||
        fdatasync(segment->fd) < 0)
        return error_set(err, status_from_errno(errno), "cannot mend %s: %s", segment->path,
                         strerror(errno));
    return STATUS_OK;
}

/* Where the good frames end. What is damaged before a good one is voided, so that every later
 * reader passes over it. */
static enum status segment_check(struct segment *segment, char *data, size_t len, size_t *ret_good,
                                 struct error *err)
{
    struct slice rest = {data, len}, payload;
    uint64_t lsn = segment->start, begin;
    enum status st = STATUS_OK;

    *ret_good = 0;
    while (st == STATUS_OK && rest.len) {
        if (frame_next(&rest, &lsn, &begin, &payload) == FRAME_OK) {
            *ret_good = len - rest.len;
            continue;
        }
        size_t skip = frame_find(rest, lsn);
        if (skip == rest.len)
            break;
        st = segment_mend(segment, data, *ret_good, *ret_good + skip, err);
        rest = (struct slice){rest.data + skip, rest.len - skip};
        lsn += skip;
    }
    return st;
}

/* The tail behind the last good frame was never acknowledged when this is the last segment;
 * elsewhere it is damage. */
static enum status segment_cut(struct segment *segment, size_t good, size_t len, bool is_last,
                               struct error *err)
{
    if (good == len)
        return STATUS_OK;
    if (is_last)
        log_info("spool.tail_cut", LOG_STR("path", segment->path), LOG_U64("bytes", len - good));
    else
        log_error("spool.damaged", LOG_STR("path", segment->path), LOG_U64("offset", good),
                  LOG_U64("bytes", len - good));
    if (ftruncate(segment->fd, (off_t)good) < 0 || fsync(segment->fd) < 0)
        return error_set(err, status_from_errno(errno), "cannot cut %s: %s", segment->path,
                         strerror(errno));
    return STATUS_OK;
}

static enum status segment_replay(struct spool *spool, struct segment *segment, bool is_last,
                                  struct error *err)
{
    struct stat info;
    size_t good = 0;

    segment->fd = open(segment->path, O_RDWR | O_CLOEXEC);
    if (segment->fd < 0 || fstat(segment->fd, &info) < 0)
        return error_set(err, status_from_errno(errno), "cannot open %s: %s", segment->path,
                         strerror(errno));
    if ((uint64_t)info.st_size > SEGMENT_READ_BYTES_MAX)
        return error_set(err, STATUS_DATA_LOSS, "%s is too large", segment->path);
    size_t len = (size_t)info.st_size;
    AUTO(free_ptr) char *data = mem_alloc(len + 1);
    enum status st = read_exactly(segment->fd, 0, data, len, segment->path, err);
    if (st == STATUS_OK)
        st = segment_check(segment, data, len, &good, err);
    if (st == STATUS_OK)
        st = segment_cut(segment, good, len, is_last, err);
    if (st != STATUS_OK)
        return st;
    segment->named = true;
    segment->size = good;
    spool->durable = segment->start + good;
    if (good)
        spool->callbacks.on_durable((struct slice){data, good}, segment->start, spool->userdata);
    return STATUS_OK;
}

enum status spool_replay(struct spool *spool, struct error *err)
{
    enum status st = STATUS_OK;

    LIST_EACH(&spool->segments, node)
    if (st == STATUS_OK)
        st = segment_replay(spool, LIST_ENTRY(node, struct segment, link),
                            node->next == &spool->segments, err);
    return st;
}
