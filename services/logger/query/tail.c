/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TailTaskLogs and TailRunLogs: the backlog in pages, then lines as they become durable, in the
 * order of arrival. Nothing is kept for a reader who does not read: he falls back to pages, from
 * where he stands. A tail ends when its task or run is over and all lines that results say to exist
 * were sent, or did not come in time.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "log/log.h"
#include "query/query_internal.h"

#define TAIL_PAGE_LINES 2000
#define TAIL_MESSAGE_LINES 500 /* of one LogLines */
#define EVENT_ID_BYTES 48
#define RETRY_MS 300

enum tail_state {
    TAIL_CATCHING, /* a page is being read */
    TAIL_BLOCKED,  /* the reader does not read */
    TAIL_LIVE,     /* all that is durable was sent */
    TAIL_CLOSED,
};
/* A line that a result says to exist and that is not here yet. */
struct missing {
    struct id task;
    uint32_t attempt;
    uint64_t seq;
};
struct tail {
    struct list link;
    struct query *query;
    struct rpc_call *call; /* NULL once it is over */
    struct target target;
    enum tail_state state;
    struct watch watch;
    struct loop_timer *timer; /* bounds waiting, or retries */
    bool has_cursor;
    struct page_key cursor;        /* everything up to it was sent */
    bool is_behind;                /* something became durable while a page was read */
    bool is_known;                 /* the task or run exists */
    bool is_checking, check_again; /* is it over? */
    bool is_over, ending;          /* over; nothing more is waited for */
    bool wait_expired;
    struct missing *missing;
    size_t missing_count;
    unsigned reads; /* under way; the tail lives until they are done */
    struct arena *page_arena;
    const struct page *page; /* being sent */
    size_t page_at;
};

static void tail_read(struct tail *tail);
static void tail_check(struct tail *tail);

/* ---- sending ---- */

static bool tail_send(struct tail *tail, const struct page_line *lines, size_t n)
{
    Plankton__V1__LogLines message = PLANKTON__V1__LOG_LINES__INIT;
    const struct page_key *last = &lines[n - 1].key;
    char event_id[EVENT_ID_BYTES];
    struct arena arena;

    arena_init(&arena, 0);
    message.lines = ARENA_ARRAY(&arena, Plankton__V1__LogLine *, n);
    for (size_t i = 0; i < n; i++)
        message.lines[message.n_lines++] = log_line_make(&arena, &lines[i], NULL);
    snprintf(event_id, sizeof event_id, "%" PRIx64 "-%" PRIx32, last->lsn, last->index);
    message.event_id = event_id;
    enum status st = rpc_call_send(tail->call, &message.base);
    arena_fini(&arena);
    if (st != STATUS_OK)
        return false;
    tail->cursor = *last;
    tail->has_cursor = true;
    return true;
}

static void tail_end(struct tail *tail)
{
    tail->state = TAIL_CLOSED;
    rpc_call_finish(tail->call);
}

static void tail_fail(struct tail *tail, const struct error *err)
{
    tail->state = TAIL_CLOSED;
    rpc_call_fail(tail->call, err);
}

/* ---- pages ---- */

static void page_drop(struct tail *tail)
{
    arena_free(tail->page_arena);
    tail->page_arena = NULL;
    tail->page = NULL;
}

/* Sends what was read; goes on with the next page, or lives. */
static void tail_pump(struct tail *tail)
{
    const struct page *page = tail->page;

    while (page && tail->page_at < page->count) {
        size_t n = MIN_OF(page->count - tail->page_at, TAIL_MESSAGE_LINES);
        if (!rpc_call_writable(tail->call) || !tail_send(tail, &page->lines[tail->page_at], n)) {
            tail->state = TAIL_BLOCKED;
            return;
        }
        tail->page_at += n;
    }
    bool more = tail->is_behind || (page && page->more);
    page_drop(tail);
    tail->is_behind = false;
    if (more) {
        tail_read(tail);
    } else if (tail->ending) {
        tail_end(tail);
    } else {
        tail->state = TAIL_LIVE;
    }
}

static void tail_unref(struct tail *tail)
{
    if (--tail->reads || tail->state != TAIL_CLOSED || tail->call)
        return;
    page_drop(tail);
    free(tail->missing);
    free(tail);
}

static void tail_retry(struct tail *tail)
{
    if (tail->state != TAIL_CLOSED)
        loop_timer_start(tail->timer, RETRY_MS, 0);
}

static void page_done(const struct page *page, const struct error *err, void *userdata)
{
    struct tail *tail = userdata;

    if (tail->state == TAIL_CLOSED) {
        tail_unref(tail);
        return;
    }
    tail->page = page;
    tail->page_at = 0;
    if (err)
        tail_fail(tail, err);
    else
        tail_pump(tail);
    tail_unref(tail);
}

static void tail_read(struct tail *tail)
{
    struct page_request request = {.target = tail->target,
                                   .order = PAGE_ARRIVAL,
                                   .has_cursor = tail->has_cursor,
                                   .cursor = tail->cursor,
                                   .limit = TAIL_PAGE_LINES};

    tail->state = TAIL_CATCHING;
    tail->is_behind = false;
    tail->reads++;
    tail->page_arena = arena_new(0);
    page_read(tail->query, tail->page_arena, &request, page_done, tail);
}

static void on_writable(struct rpc_call *call, void *userdata)
{
    struct tail *tail = userdata;

    if (tail->state != TAIL_BLOCKED)
        return;
    if (tail->page)
        tail_pump(tail);
    else
        tail_read(tail);
}

/* ---- is it over? ---- */

/* Nothing more is waited for: what is durable and not sent yet is the rest. */
static void tail_finish_up(struct tail *tail)
{
    tail->ending = true;
    if (tail->state == TAIL_LIVE)
        tail_end(tail);
}

static void missing_set(struct tail *tail, const struct history *history)
{
    const struct target *target = &tail->target;

    free(tail->missing);
    tail->missing = mem_zalloc((history->count + 1) * sizeof *tail->missing);
    tail->missing_count = 0;
    for (size_t i = 0; i < history->count; i++) {
        const struct event_ref *event = &history->events[i].event;
        if (!event->last_log_seq || (target->attempt && target->attempt != event->attempt))
            continue;
        const struct coverage *coverage = history_coverage(history, &event->task, event->attempt);
        if (!coverage || coverage->last_seq < event->last_log_seq)
            tail->missing[tail->missing_count++] =
                (struct missing){event->task, event->attempt, event->last_log_seq};
    }
}

static void missing_found(struct tail *tail, const struct lines *lines)
{
    for (size_t i = 0; i < tail->missing_count; i++) {
        const struct missing *missing = &tail->missing[i];
        if (missing->attempt == lines->attempt &&
            lines->first_seq + lines->count - 1 >= missing->seq &&
            id_eq(&missing->task, &lines->task))
            tail->missing[i--] = tail->missing[--tail->missing_count];
    }
}

struct check {
    struct tail *tail;
    struct arena *arena;
};

static void tail_unknown(struct tail *tail)
{
    struct error err;

    if (!tail->wait_expired && tail->query->options.unknown_wait_ms &&
        target_is_young(tail->query, &tail->target)) {
        loop_timer_start(tail->timer, (uint64_t)tail->query->options.unknown_wait_ms, 0);
        return;
    }
    target_unknown(&tail->target, &err);
    tail_fail(tail, &err);
}

static void tail_checked(struct tail *tail, const struct history *history)
{
    bool was_known = tail->is_known;

    tail->is_known = was_known || history->count || history->coverage_count;
    if (!tail->is_known) {
        tail_unknown(tail);
        return;
    }
    if (!was_known) {
        loop_timer_stop(tail->timer);
        tail_read(tail);
    }
    tail->is_over = history_is_over(history, &tail->target);
    if (!tail->is_over)
        return;
    missing_set(tail, history);
    if (tail->missing_count)
        loop_timer_start(tail->timer, (uint64_t)tail->query->options.tail_wait_ms, 0);
    else
        tail_finish_up(tail);
}

static void check_done(const struct history *history, const struct error *err, void *userdata)
{
    struct check check = *(struct check *)userdata;
    struct tail *tail = check.tail;

    tail->is_checking = false;
    if (tail->state != TAIL_CLOSED) {
        if (err && !tail->is_known)
            tail_fail(tail, err);
        else if (err)
            tail_retry(tail);
        else
            tail_checked(tail, history);
        if (tail->check_again && tail->state != TAIL_CLOSED)
            tail_check(tail);
    }
    arena_free(check.arena);
    tail_unref(tail);
}

static void tail_check(struct tail *tail)
{
    if (tail->is_checking) {
        tail->check_again = true;
        return;
    }
    struct arena *arena = arena_new(0);
    struct check *check = ARENA_NEW(arena, struct check);

    *check = (struct check){tail, arena};
    tail->is_checking = true;
    tail->check_again = false;
    tail->reads++;
    history_read(tail->query, arena, &tail->target, check_done, check);
}

static void on_timer(void *userdata)
{
    struct tail *tail = userdata;

    if (tail->state == TAIL_CLOSED)
        return;
    if (tail->is_over) {
        log_warn("tail.lines_missing", LOG_ID("id", &tail->target.id),
                 LOG_U64("attempts", tail->missing_count));
        tail_finish_up(tail);
        return;
    }
    tail->wait_expired = !tail->is_known;
    tail_check(tail);
}

/* ---- live ---- */

/* The lines of one record, as the page would give them. */
static void send_live(struct tail *tail, const struct lines *lines)
{
    struct page_request request = {.target = tail->target,
                                   .order = PAGE_ARRIVAL,
                                   .has_cursor = tail->has_cursor,
                                   .cursor = tail->cursor,
                                   .limit = SIZE_MAX};
    const struct page_source source = {lines, 1};
    struct arena arena;
    struct page page;

    arena_init(&arena, 0);
    page_assemble(&arena, &request, &source, 1, NULL, false, &page);
    for (size_t at = 0; at < page.count;) {
        size_t n = MIN_OF(page.count - at, TAIL_MESSAGE_LINES);
        if (!rpc_call_writable(tail->call) || !tail_send(tail, &page.lines[at], n)) {
            tail->state = TAIL_BLOCKED;
            break;
        }
        at += n;
    }
    if (page.more && tail->state == TAIL_LIVE)
        tail_read(tail);
    arena_fini(&arena);
}

static void watch_lines(struct watch *watch, const struct lines *lines)
{
    struct tail *tail = CONTAINER_OF(watch, struct tail, watch);

    if (tail->state == TAIL_CLOSED || lines->namespace_id != tail->target.namespace_id)
        return;
    if (!tail->is_known) {
        tail_check(tail);
        return;
    }
    if (tail->target.attempt && tail->target.attempt != lines->attempt)
        return;
    if (tail->state == TAIL_LIVE)
        send_live(tail, lines);
    else
        tail->is_behind = true;
    if (!tail->is_over || !tail->missing_count)
        return;
    missing_found(tail, lines);
    if (!tail->missing_count)
        tail_finish_up(tail);
}

static void watch_event(struct watch *watch, const struct event_ref *event)
{
    struct tail *tail = CONTAINER_OF(watch, struct tail, watch);
    bool ends = tail->target.is_run
                    ? event->kind == PLANKTON__V1__EVENT_KIND__EVENT_KIND_RUN_FINISHED
                    : event->kind == PLANKTON__V1__EVENT_KIND__EVENT_KIND_TASK_FINISHED;

    if (tail->state != TAIL_CLOSED && (ends || !tail->is_known))
        tail_check(tail);
}

/* ---- the call ---- */

static void on_close(struct rpc_call *call, enum status status, const struct error *err,
                     void *userdata)
{
    struct tail *tail = userdata;

    tail->state = TAIL_CLOSED;
    watch_remove(tail->query, &tail->watch);
    loop_timer_free(tail->timer);
    tail->timer = NULL;
    list_remove(&tail->link);
    tail->query->tail_count--;
    tail->call = NULL;
    tail_unref(tail);
}

static enum status cursor_parse(struct tail *tail, const char *event_id, struct error *err)
{
    unsigned long long lsn = 0;
    unsigned index = 0;
    char again[EVENT_ID_BYTES];

    if (!*event_id)
        return STATUS_OK;
    bool good = strlen(event_id) < EVENT_ID_BYTES && sscanf(event_id, "%llx-%x", &lsn, &index) == 2;
    if (good)
        snprintf(again, sizeof again, "%llx-%x", lsn, index);
    if (!good || !str_eq(again, event_id) || lsn > INT64_MAX)
        return error_field(err, STATUS_INVALID_ARGUMENT, "EVENT_ID_INVALID", "afterEventId",
                           "afterEventId is not one of a tail");
    tail->has_cursor = true;
    tail->cursor = (struct page_key){.lsn = lsn, .index = index};
    return STATUS_OK;
}

void query_end(struct query *query)
{
    struct error err;

    error_set(&err, STATUS_UNAVAILABLE, "the logger is shutting down");
    LIST_EACH(&query->tails, node)
    {
        struct tail *tail = LIST_ENTRY(node, struct tail, link);
        if (tail->state != TAIL_CLOSED)
            tail_fail(tail, &err);
    }
}

static void tail_begin(struct query *query, struct rpc_call *call, const char *id,
                       const struct target *like, const char *after_event_id)
{
    static const struct rpc_callbacks callbacks = {.on_writable = on_writable,
                                                   .on_close = on_close};
    struct tail *tail = mem_zalloc(sizeof *tail);
    struct error err;

    tail->query = query;
    tail->call = call;
    tail->state = TAIL_LIVE;
    tail->watch.on_lines = watch_lines;
    tail->watch.on_event = watch_event;
    tail->timer = loop_timer_new(query->loop, on_timer, tail);
    tail->reads = 1; /* the call's own */
    list_push(&query->tails, &tail->link);
    query->tail_count++;
    rpc_call_set_callbacks(call, &callbacks, tail);
    enum status st =
        target_parse(id, like->is_run, like->namespace_id, like->attempt, &tail->target, &err);
    if (st == STATUS_OK)
        st = cursor_parse(tail, after_event_id, &err);
    if (st != STATUS_OK) {
        tail_fail(tail, &err);
        return;
    }
    watch_add(query, &tail->watch, &tail->target.id);
    tail_check(tail);
}

void query_tail_task_logs(struct query *query, struct rpc_call *call, uint32_t namespace_id,
                          const Plankton__V1__TailTaskLogsRequest *request)
{
    struct target like = {.namespace_id = namespace_id,
                          .attempt = request->attempt > 0 ? (uint32_t)request->attempt : 0};

    tail_begin(query, call, request->task_id, &like, request->after_event_id);
}

void query_tail_run_logs(struct query *query, struct rpc_call *call, uint32_t namespace_id,
                         const Plankton__V1__TailRunLogsRequest *request)
{
    struct target like = {.namespace_id = namespace_id, .is_run = true};

    tail_begin(query, call, request->run_id, &like, request->after_event_id);
}
