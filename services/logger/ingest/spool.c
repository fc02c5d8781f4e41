/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/spool_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/planted.h"
#include "ingest/record.h"
#include "log/log.h"
#include "logger_metrics.h"

#define FLUSH_ORDER 20
#define PLANTED_GATHER_BYTES 4096 /* acknowledged and not written, in a build that lies */
#define RETRY_MS 500
#define WRITE_BYTES_MAX ((size_t)1 << 30) /* of one write */

/* ---- the group that is written: all but the last function runs in the pool ---- */

static bool write_all(int fd, const char *data, size_t len, uint64_t offset)
{
    while (len) {
        ssize_t n = pwrite(fd, data, MIN_OF(len, WRITE_BYTES_MAX), (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return true;
}

static bool sync_dir(const char *dir)
{
    AUTO(close_fd) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd >= 0 && fsync(fd) == 0;
}

static void group_work(void *userdata)
{
    struct spool *spool = userdata;
    struct segment *segment = spool->target;
    uint64_t begin = clock_monotonic_us();

    spool->failed_errno = 0;
    spool->sync_failed = false;
    frames_seal(spool->writing.data, spool->writing.len, spool->durable);
    if (segment->fd < 0)
        segment->fd = open(segment->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (segment->fd < 0 || !write_all(segment->fd, spool->writing.data, spool->writing.len,
                                      spool->durable - segment->start)) {
        spool->failed_errno = errno;
    } else if (fdatasync(segment->fd) < 0 || (!segment->named && !sync_dir(spool->dir))) {
        spool->failed_errno = errno;
        spool->sync_failed = true;
    } else {
        segment->named = true;
    }
    spool->write_us = clock_monotonic_us() - begin;
}

static void flush_check(struct spool *spool)
{
    void (*done)(void *userdata) = spool->flush_done;

    if (!done || spool->busy || (spool->gather.len && !spool->is_fatal))
        return;
    spool->flush_done = NULL;
    done(spool->flush_userdata);
}

static void group_failed(struct spool *spool)
{
    struct error err;

    error_set(&err, status_from_errno(spool->failed_errno), "cannot %s %s: %s",
              spool->sync_failed ? "sync" : "write", spool->target->path,
              strerror(spool->failed_errno));
    log_error("spool.write_failed", LOG_ERR(&err));
    spool->is_fatal = spool->sync_failed;
    spool->in_trouble = true;
    spool->callbacks.on_trouble(err.message, spool->is_fatal, spool->userdata);
    if (spool->is_fatal)
        spool->busy = false;
    else
        loop_timer_start(spool->retry, RETRY_MS, 0);
    flush_check(spool);
}

static void group_done(void *userdata)
{
    struct spool *spool = userdata;

    if (spool->failed_errno) {
        group_failed(spool);
        return;
    }
    uint64_t lsn = spool->durable;
    spool->target->size += spool->writing.len;
    spool->durable += spool->writing.len;
    spool->fsyncs++;
    logger_observe_us(METRIC_FSYNC, spool->write_us);
    spool->busy = false;
    if (spool->in_trouble) {
        spool->in_trouble = false;
        spool->callbacks.on_trouble(NULL, false, spool->userdata);
    }
    /* The next group is on its way before anybody looks at this one. */
    struct buf group = spool->writing;
    spool->writing = spool->spare;
    spool_start_group(spool);
    spool->callbacks.on_durable(buf_slice(&group), lsn, spool->userdata);
    if (group.len > SPOOL_BUFFER_KEPT_BYTES)
        buf_fini(&group);
    buf_clear(&group);
    spool->spare = group;
    flush_check(spool);
}

static void group_submit(void *userdata)
{
    struct spool *spool = userdata;

    if (loop_pool(spool->loop, group_work, group_done, spool, NULL) != STATUS_OK)
        loop_timer_start(spool->retry, RETRY_MS, 0); /* the pool is full: once more later */
}

void spool_start_group(struct spool *spool)
{
    if (spool->busy || !spool->gather.len || spool->is_fatal)
        return;
    if (planted("log_ack_before_write") && spool->gather.len < PLANTED_GATHER_BYTES)
        return;
    struct segment *last = LIST_ENTRY(spool->segments.prev, struct segment, link);
    if (list_empty(&spool->segments) || last->size >= spool->options.segment_bytes ||
        last->start + last->size != spool->durable)
        last = segment_new(spool, spool->durable);
    struct buf empty = spool->writing;
    spool->writing = spool->gather;
    spool->gather = empty;
    spool->target = last;
    spool->busy = true;
    group_submit(spool);
}

static void spool_turn_end(void *userdata)
{
    spool_start_group(userdata);
}

/* ---- appending ---- */

struct buf *spool_begin(struct spool *spool)
{
    spool->head = frame_begin(&spool->gather);
    return &spool->gather;
}

uint64_t spool_commit(struct spool *spool)
{
    frame_end(&spool->gather, spool->head);
    loop_flush_mark(spool->flush);
    return spool_end(spool);
}

uint64_t spool_durable(const struct spool *spool)
{
    return spool->durable;
}

uint64_t spool_end(const struct spool *spool)
{
    return spool->durable + (spool->busy ? spool->writing.len : 0) + spool->gather.len;
}

uint64_t spool_first(const struct spool *spool)
{
    return list_empty(&spool->segments)
               ? spool->durable
               : LIST_ENTRY(spool->segments.next, struct segment, link)->start;
}

uint64_t spool_bytes(const struct spool *spool)
{
    return spool_end(spool) - spool_first(spool);
}

bool spool_is_full(const struct spool *spool)
{
    return spool->gather.len > SPOOL_GATHER_BYTES ||
           spool_end(spool) - MAX_OF(spool->released, spool_first(spool)) >
               spool->options.bytes_max ||
           spool->is_fatal;
}

uint64_t spool_fsyncs(const struct spool *spool)
{
    return spool->fsyncs;
}

void spool_flush(struct spool *spool, void (*done)(void *userdata), void *userdata)
{
    spool->flush_done = done;
    spool->flush_userdata = userdata;
    spool_start_group(spool);
    flush_check(spool);
}

/* ---- life ---- */

struct spool *spool_make(struct loop *loop, const struct spool_options *options,
                         const struct spool_callbacks *callbacks, void *userdata)
{
    struct spool *spool = mem_zalloc(sizeof *spool);

    spool->loop = loop;
    spool->options = *options;
    /* The file that is written to cannot go, so it must not be a large part of what may be kept. */
    spool->options.segment_bytes = MIN_OF(options->segment_bytes, options->bytes_max / 8);
    spool->callbacks = *callbacks;
    spool->userdata = userdata;
    spool->dir = mem_strdup(options->dir);
    spool->durable = options->first_lsn;
    list_init(&spool->segments);
    for (size_t i = 0; i < 3; i++)
        buf_init((struct buf *[]){&spool->gather, &spool->writing, &spool->spare}[i],
                 SPOOL_BUFFER_BYTES_MAX);
    spool->flush = loop_flush_new(loop, FLUSH_ORDER, spool_turn_end, spool);
    spool->retry = loop_timer_new(loop, group_submit, spool);
    return spool;
}

void spool_close(struct spool *spool)
{
    if (!spool)
        return;
    LIST_EACH(&spool->segments, node)
    segment_drop(LIST_ENTRY(node, struct segment, link));
    loop_flush_free(spool->flush);
    loop_timer_free(spool->retry);
    buf_fini(&spool->gather);
    buf_fini(&spool->writing);
    buf_fini(&spool->spare);
    free(spool->dir);
    free(spool);
}
