/* SPDX-License-Identifier: Apache-2.0 */
/* QueryTaskLogs, QueryRunLogs, QueryTaskHistory, QueryRunHistory. */
#include <stdio.h>
#include <stdlib.h>
#include "query/query_internal.h"

#define PAGE_TOKEN_BYTES 513
#define FILTER_BYTES 160

struct logs_op {
    struct query *query;
    struct rpc_call *call; /* a reference; its arena holds this */
    struct arena *arena;
    struct target target;
    struct page_request request;
    char filter[FILTER_BYTES];
    bool wants_history, is_retry;
    struct history_cursor {
        int64_t unix_us;
        uint64_t number;
        uint32_t timeline, shard;
    } cursor;
    bool has_cursor;
    size_t limit;
    const struct page *page;
    const struct history *history;
    unsigned pending;
    struct error err; /* the first failure */
    struct watch watch;
    struct loop_timer *timer;
};

static void logs_start(struct logs_op *op);

static void op_fail(struct logs_op *op, const struct error *err)
{
    rpc_call_fail(op->call, err);
    rpc_call_unref(op->call);
}

/* ---- what was made a moment ago ---- */

static void wait_over(struct logs_op *op)
{
    watch_remove(op->query, &op->watch);
    loop_timer_free(op->timer);
    op->timer = NULL;
    op->is_retry = true;
    logs_start(op);
}

static void wait_timeout(void *userdata)
{
    wait_over(userdata);
}

static void wait_lines(struct watch *watch, const struct lines *lines)
{
    struct logs_op *op = CONTAINER_OF(watch, struct logs_op, watch);

    loop_timer_start(op->timer, 0, 0); /* not from inside the walk over the watches */
}

static void wait_event(struct watch *watch, const struct event_ref *event)
{
    wait_lines(watch, NULL);
}

/* Nothing is known. True when it is waited for. */
static bool wait_if_young(struct logs_op *op)
{
    if (op->is_retry || !op->query->options.unknown_wait_ms ||
        !target_is_young(op->query, &op->target))
        return false;
    op->timer = loop_timer_new(op->query->loop, wait_timeout, op);
    loop_timer_start(op->timer, (uint64_t)op->query->options.unknown_wait_ms, 0);
    op->watch.on_lines = wait_lines;
    op->watch.on_event = wait_event;
    watch_add(op->query, &op->watch, &op->target.id);
    return true;
}

/* ---- answers ---- */

static char *next_token(struct logs_op *op, const void *cursor, size_t bytes)
{
    char *token = arena_zalloc(op->arena, PAGE_TOKEN_BYTES);

    if (page_token_make(op->query->options.cluster_key, op->filter, (struct slice){cursor, bytes},
                        token, PAGE_TOKEN_BYTES) != STATUS_OK)
        *token = 0;
    return token;
}

static void answer_lines(struct logs_op *op)
{
    const struct page *page = op->page;
    Plankton__V1__LogPage reply = PLANKTON__V1__LOG_PAGE__INIT;

    reply.lines = ARENA_ARRAY(op->arena, Plankton__V1__LogLine *, page->count + 1);
    for (size_t i = 0; i < page->count; i++)
        reply.lines[reply.n_lines++] = log_line_make(op->arena, &page->lines[i], op->history);
    if (page->more && page->count) {
        const struct page_key *edge = &page->lines[op->request.back ? 0 : page->count - 1].key;
        reply.next_page_token = next_token(op, edge, sizeof *edge);
    }
    reply.complete = history_is_complete(op->history, &op->target);
    rpc_call_reply(op->call, &reply.base);
    rpc_call_unref(op->call);
}

static const char *state_name(const struct event_ref *event)
{
    static const char *const task_states[] = {"",          "pending", "ready",     "running",
                                              "succeeded", "failed",  "cancelled", "skipped",
                                              "retrying",  "waiting"};
    static const char *const run_states[] = {"",       "queued",    "running", "succeeded",
                                             "failed", "cancelled", "paused",  "waiting"};

    if (!id_is_nil(&event->task))
        return event->state < ARRAY_LEN(task_states) ? task_states[event->state] : "";
    return event->state < ARRAY_LEN(run_states) ? run_states[event->state] : "";
}

static char *id_text(struct arena *arena, ProtobufCBinaryData bytes)
{
    char *text = arena_zalloc(arena, ID_TEXT_BYTES);
    struct id id;

    if (bytes.len == ID_BYTES) {
        memcpy(id.bytes, bytes.data, ID_BYTES);
        id_format(&id, text);
    }
    return text;
}

static Plankton__V1__HistoryEvent *event_make(struct arena *arena, const struct history_event *from)
{
    Plankton__V1__HistoryEvent *ret = ARENA_NEW(arena, Plankton__V1__HistoryEvent);
    ProtobufCMessage *message;
    struct error err;

    plankton__v1__history_event__init(ret);
    ret->shard = from->shard;
    ret->number = from->event.number;
    timestamp_set(arena, from->event.unix_us, &ret->time);
    if (rpc_unpack(&plankton__v1__event__descriptor, from->event.bytes, false, arena, &message,
                   &err) != STATUS_OK)
        return ret;
    const Plankton__V1__Event *event = (const Plankton__V1__Event *)message;
    ret->kind = event->kind;
    ret->task_id = id_text(arena, event->task_id);
    ret->run_id = id_text(arena, event->run_id);
    ret->worker_id = id_text(arena, event->worker_id);
    ret->step = event->step;
    ret->attempt = (int32_t)event->attempt;
    ret->actor = event->actor;
    ret->reason = event->reason;
    ret->type = event->type;
    ret->state = (char *)state_name(&from->event);
    if (*event->failure_code) {
        ret->failure = ARENA_NEW(arena, Plankton__V1__Failure);
        plankton__v1__failure__init(ret->failure);
        ret->failure->code = event->failure_code;
        ret->failure->message = event->failure_message;
    }
    if (event->due_unix_us)
        timestamp_set(arena, event->due_unix_us, &ret->due_at);
    return ret;
}

/* Is the event behind the cursor in the order of history_read? */
static bool event_is_behind(const struct history_event *event, const struct history_cursor *cursor)
{
    if (event->event.unix_us != cursor->unix_us)
        return event->event.unix_us > cursor->unix_us;
    if (event->timeline != cursor->timeline)
        return true;
    if (event->shard != cursor->shard)
        return event->shard > cursor->shard;
    return event->event.number > cursor->number;
}

static void answer_history(struct logs_op *op)
{
    const struct history *history = op->history;
    Plankton__V1__History reply = PLANKTON__V1__HISTORY__INIT;
    size_t i = 0;

    while (op->has_cursor && i < history->count &&
           !event_is_behind(&history->events[i], &op->cursor))
        i++;
    reply.events = ARENA_ARRAY(op->arena, Plankton__V1__HistoryEvent *, op->limit + 1);
    for (; i < history->count && reply.n_events < op->limit; i++)
        reply.events[reply.n_events++] = event_make(op->arena, &history->events[i]);
    if (i < history->count) {
        const struct history_event *last = &history->events[i - 1];
        struct history_cursor cursor = {last->event.unix_us, last->event.number, last->timeline,
                                        last->shard};
        reply.next_page_token = next_token(op, &cursor, sizeof cursor);
    }
    rpc_call_reply(op->call, &reply.base);
    rpc_call_unref(op->call);
}

static void part_done(struct logs_op *op, const struct error *err)
{
    if (err && op->err.status == STATUS_OK)
        op->err = *err;
    if (--op->pending)
        return;
    if (op->err.status != STATUS_OK) {
        op_fail(op, &op->err);
        return;
    }
    if (!op->history->count && !op->history->coverage_count) {
        if (wait_if_young(op))
            return;
        target_unknown(&op->target, &op->err);
        op_fail(op, &op->err);
        return;
    }
    if (op->wants_history)
        answer_history(op);
    else
        answer_lines(op);
}

static void page_done(const struct page *page, const struct error *err, void *userdata)
{
    struct logs_op *op = userdata;

    op->page = page;
    part_done(op, err);
}

static void history_done(const struct history *history, const struct error *err, void *userdata)
{
    struct logs_op *op = userdata;

    op->history = history;
    part_done(op, err);
}

static void logs_start(struct logs_op *op)
{
    op->pending = op->wants_history ? 1 : 2;
    if (!op->wants_history)
        page_read(op->query, op->arena, &op->request, page_done, op);
    history_read(op->query, op->arena, &op->target, history_done, op);
}

/* ---- requests ---- */

static struct logs_op *op_new(struct query *query, struct rpc_call *call)
{
    struct logs_op *op = ARENA_NEW(rpc_call_arena(call), struct logs_op);

    op->query = query;
    op->call = rpc_call_ref(call);
    op->arena = rpc_call_arena(call);
    return op;
}

static enum status cursor_open(struct logs_op *op, const char *token, void *cursor, size_t bytes,
                               bool *ret_has, struct error *err)
{
    size_t len = 0;

    *ret_has = *token != 0;
    if (!*token)
        return STATUS_OK;
    enum status st = page_token_open(op->query->options.cluster_key, op->filter, token, cursor,
                                     bytes, &len, err);
    if (st == STATUS_OK && len != bytes)
        st = error_field(err, STATUS_INVALID_ARGUMENT, "PAGE_TOKEN_INVALID", "pageToken",
                         "the page token is not of this list");
    return st;
}

static void logs_begin(struct logs_op *op, enum page_order order, bool last, int32_t page_size,
                       const char *page_token, enum status st)
{
    struct page_request *request = &op->request;

    *request = (struct page_request){.target = op->target, .order = order, .back = last};
    if (st == STATUS_OK)
        st = page_size_check(page_size, &request->limit, &op->err);
    if (st == STATUS_OK) {
        char id[ID_TEXT_BYTES];
        id_format(&op->target.id, id);
        snprintf(op->filter, sizeof op->filter, "%s %s %u %d %u", rpc_call_method(op->call)->path,
                 id, op->target.attempt, last, op->target.namespace_id);
        st = cursor_open(op, page_token, &request->cursor, sizeof request->cursor,
                         &request->has_cursor, &op->err);
    }
    if (st == STATUS_OK)
        logs_start(op);
    else
        op_fail(op, &op->err);
}

void query_task_logs(struct query *query, struct rpc_call *call, uint32_t namespace_id,
                     const Plankton__V1__QueryTaskLogsRequest *request)
{
    struct logs_op *op = op_new(query, call);
    enum status st = STATUS_OK;

    if (request->attempt < 0)
        st = error_field(&op->err, STATUS_INVALID_ARGUMENT, "INVALID_FIELD", "attempt",
                         "attempt must be 0 (all) or more");
    if (st == STATUS_OK)
        st = target_parse(request->task_id, false, namespace_id, (uint32_t)request->attempt,
                          &op->target, &op->err);
    logs_begin(op, PAGE_TASK, request->last, request->page_size, request->page_token, st);
}

void query_run_logs(struct query *query, struct rpc_call *call, uint32_t namespace_id,
                    const Plankton__V1__QueryRunLogsRequest *request)
{
    struct logs_op *op = op_new(query, call);
    enum status st = target_parse(request->run_id, true, namespace_id, 0, &op->target, &op->err);

    logs_begin(op, PAGE_RUN, request->last, request->page_size, request->page_token, st);
}

static void history_begin(struct query *query, struct rpc_call *call, uint32_t namespace_id,
                          const char *id, bool is_run, int32_t page_size, const char *page_token)
{
    struct logs_op *op = op_new(query, call);
    enum status st = target_parse(id, is_run, namespace_id, 0, &op->target, &op->err);

    op->wants_history = true;
    if (st == STATUS_OK)
        st = page_size_check(page_size, &op->limit, &op->err);
    if (st == STATUS_OK) {
        snprintf(op->filter, sizeof op->filter, "%s %s %u", rpc_call_method(call)->path, id,
                 namespace_id);
        st = cursor_open(op, page_token, &op->cursor, sizeof op->cursor, &op->has_cursor, &op->err);
    }
    if (st == STATUS_OK)
        logs_start(op);
    else
        op_fail(op, &op->err);
}

void query_task_history(struct query *query, struct rpc_call *call, uint32_t namespace_id,
                        const Plankton__V1__QueryTaskHistoryRequest *request)
{
    history_begin(query, call, namespace_id, request->task_id, false, request->page_size,
                  request->page_token);
}

void query_run_history(struct query *query, struct rpc_call *call, uint32_t namespace_id,
                       const Plankton__V1__QueryRunHistoryRequest *request)
{
    history_begin(query, call, namespace_id, request->run_id, true, request->page_size,
                  request->page_token);
}
