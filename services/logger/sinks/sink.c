/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/sink.h"

#include <stdio.h>
#include <stdlib.h>
#include "ingest/record.h"
#include "log/log.h"
#include "logger_metrics.h"

#define STEP_BYTES ((size_t)1 << 20)                         /* of the spool at once */
#define STEP_BYTES_MAX (RECORD_BYTES_MAX + FRAME_HEAD_BYTES) /* … when a record is larger */
#define RETRY_MS_MIN 1000
#define RETRY_MS_MAX 30000

struct sink {
    struct loop *loop;
    struct spool *spool;
    const struct sink_writer *writer;
    void *self;
    uint64_t lsn; /* all before it is written */
    bool is_open, busy;
    struct loop_timer *timer; /* of the retry, the pace and the wake */
    uint64_t begun_us;        /* the last step */
    uint64_t retry_ms;
    uint64_t wake_us; /* 0 = none */
    char error[sizeof(((struct error *)0)->message)];
    int64_t seen_us; /* when the last record written came in */
    void (*stopped)(void *userdata);
    void *stopped_userdata;
    /* the step under way, for the pool's thread */
    struct spool_range range;
    uint64_t next;
    char *data;
    size_t lines, events, step_bytes;
    uint64_t skipped;
    struct error err;
    enum status status;
};

/* ---- in the pool ---- */

static void take_records(struct sink *sink, struct slice frames)
{
    struct lines lines;
    struct events events;
    struct slice payload;
    uint64_t begin;
    enum frame_outcome outcome;

    while ((outcome = frame_next(&frames, &sink->next, &begin, &payload)) != FRAME_CUT) {
        if (outcome == FRAME_BAD) {
            size_t skip = frame_find(frames, sink->next);
            sink->skipped += skip;
            sink->next += skip;
            frames = (struct slice){frames.data + skip, frames.len - skip};
        } else if (lines_parse_record(payload, begin, &lines)) {
            sink->writer->lines(sink->self, &lines);
            sink->lines += lines.count;
            sink->seen_us = lines.received_us;
        } else if (events_parse_record(payload, begin, &events)) {
            sink->writer->events(sink->self, &events);
            sink->events += events.count;
            sink->seen_us = events.received_us;
        }
    }
}

static void step_work(void *userdata)
{
    struct sink *sink = userdata;

    sink->lines = sink->events = 0;
    sink->skipped = 0;
    sink->next = sink->lsn;
    sink->status =
        sink->is_open ? STATUS_OK : sink->writer->open(sink->self, &sink->next, &sink->err);
    if (sink->status != STATUS_OK)
        return;
    if (!sink->range.segment) {
        if (sink->is_open)
            sink->status = sink->writer->commit(sink->self, sink->next, &sink->err);
        return;
    }
    if (sink->range.lsn > sink->next) {
        sink->skipped = sink->range.lsn - sink->next;
        sink->writer->gap(sink->self, sink->skipped);
        sink->next = sink->range.lsn;
    }
    sink->status = spool_range_read(&sink->range, sink->data, &sink->err);
    if (sink->status != STATUS_OK)
        return;
    take_records(sink, (struct slice){sink->data, sink->range.len});
    sink->status = sink->writer->commit(sink->self, sink->next, &sink->err);
}

/* ---- on the loop ---- */

static void sink_step(struct sink *sink);

static void check_stopped(struct sink *sink)
{
    void (*stopped)(void *userdata) = sink->stopped;

    if (!stopped || sink->busy)
        return;
    sink->stopped = NULL;
    stopped(sink->stopped_userdata);
}

static void step_failed(struct sink *sink)
{
    if (!*sink->error)
        log_error("sink.failed", LOG_STR("sink", sink->writer->name), LOG_ERR(&sink->err));
    snprintf(sink->error, sizeof sink->error, "%s", sink->err.message);
    sink->is_open = false;
    sink->retry_ms = MIN_OF(MAX_OF(sink->retry_ms * 2, RETRY_MS_MIN), RETRY_MS_MAX);
    loop_timer_start(sink->timer, sink->retry_ms, 0);
}

static void arm(struct sink *sink, uint64_t due_us)
{
    uint64_t now_us = loop_now_us(sink->loop);

    loop_timer_start(sink->timer, due_us > now_us ? (due_us - now_us) / 1000 + 1 : 0, 0);
}

static void wake_later(struct sink *sink)
{
    uint64_t ms = sink->writer->wake_ms ? sink->writer->wake_ms(sink->self) : 0;

    sink->wake_us = ms ? loop_now_us(sink->loop) + ms * 1000 : 0;
}

static void step_succeeded(struct sink *sink)
{
    sink->step_bytes = sink->next > sink->lsn ? STEP_BYTES : STEP_BYTES_MAX;
    sink->lsn = sink->next;
    sink->is_open = true;
    if (*sink->error)
        log_info("sink.recovered", LOG_STR("sink", sink->writer->name));
    *sink->error = 0;
    sink->retry_ms = 0;
    logger_count(METRIC_SINK_LINES, (double)sink->lines);
    logger_count(METRIC_SINK_EVENTS, (double)sink->events);
    logger_count(METRIC_SINK_BYTES_SKIPPED, (double)sink->skipped);
    if (sink->writer->committed)
        sink->writer->committed(sink->self);
    if (sink->stopped)
        return;
    wake_later(sink);
    sink_step(sink);
}

static void range_end(struct sink *sink)
{
    spool_range_done(sink->spool, &sink->range);
    free(sink->data);
    sink->data = NULL;
    sink->busy = false;
}

static void step_done(void *userdata)
{
    struct sink *sink = userdata;

    range_end(sink);
    if (sink->status != STATUS_OK)
        step_failed(sink);
    else
        step_succeeded(sink);
    check_stopped(sink);
}

static void sink_submit(struct sink *sink)
{
    sink->busy = true;
    sink->begun_us = loop_now_us(sink->loop);
    sink->data = mem_alloc(sink->range.len + 1);
    if (loop_pool(sink->loop, step_work, step_done, sink, NULL) == STATUS_OK)
        return;
    range_end(sink);
    loop_timer_start(sink->timer, RETRY_MS_MIN, 0);
}

/* When there is something to do: at once, or at *ret_due_us (0 = never, as things are). */
static bool is_due(struct sink *sink, uint64_t *ret_due_us)
{
    uint64_t now_us = loop_now_us(sink->loop);
    uint64_t pending = spool_durable(sink->spool) - sink->lsn;

    *ret_due_us = sink->wake_us;
    if (pending > 0) {
        uint64_t pace_us = sink->begun_us + sink->writer->pace_ms * 1000;
        *ret_due_us = *ret_due_us ? MIN_OF(*ret_due_us, pace_us) : pace_us;
    }
    return !sink->is_open || pending >= STEP_BYTES || (*ret_due_us && now_us >= *ret_due_us);
}

static void sink_step(struct sink *sink)
{
    uint64_t due_us;

    if (sink->busy || sink->stopped)
        return;
    if (!is_due(sink, &due_us)) {
        if (due_us)
            arm(sink, due_us);
        return;
    }
    /* Opening is a step of its own, and so is a wake when nothing came. */
    if (sink->is_open)
        (void)spool_range(sink->spool, sink->lsn, sink->step_bytes, &sink->range);
    sink_submit(sink);
}

static void timer_cb(void *userdata)
{
    sink_step(userdata);
}

void sink_kick(struct sink *sink)
{
    if (!*sink->error)
        sink_step(sink);
}

const char *sink_name(const struct sink *sink)
{
    return sink->writer->name;
}

uint64_t sink_position(const struct sink *sink)
{
    return sink->lsn;
}

double sink_lag_s(const struct sink *sink)
{
    if (sink->lsn >= spool_durable(sink->spool) || !sink->seen_us)
        return 0;
    return (double)MAX_OF(clock_unix_us() - sink->seen_us, 0) / 1e6;
}

const char *sink_error(const struct sink *sink)
{
    return sink->error;
}

struct sink *sink_new(struct loop *loop, struct spool *spool, const struct sink_writer *writer,
                      void *self)
{
    struct sink *sink = mem_zalloc(sizeof *sink);

    sink->loop = loop;
    sink->spool = spool;
    sink->writer = writer;
    sink->self = self;
    sink->step_bytes = STEP_BYTES;
    sink->lsn = spool_first(spool);
    sink->seen_us = clock_unix_us();
    sink->timer = loop_timer_new(loop, timer_cb, sink);
    sink_step(sink);
    return sink;
}

void sink_stop(struct sink *sink, void (*stopped)(void *userdata), void *userdata)
{
    sink->stopped = stopped;
    sink->stopped_userdata = userdata;
    check_stopped(sink);
}

void sink_free(struct sink *sink)
{
    if (!sink)
        return;
    loop_timer_free(sink->timer);
    free(sink);
}
