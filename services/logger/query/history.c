/* SPDX-License-Identifier: Apache-2.0 */
/* Events of one task or run, and how much of its log is there. */
#include <stdlib.h>
#include "log/log.h"
#include "query/query_internal.h"
#include "sql/logger.h"
#include "store/chunk.h"

struct history_op {
    struct query *query;
    struct arena *arena;
    struct target target;
    struct id low, high; /* keys of its events */
    struct history history;
    size_t event_cap;
    struct coverage *refs; /* records of lines that are not stored yet */
    size_t ref_count;
    history_done_fn done;
    void *userdata;
};

/* ---- what events say ---- */

static bool is_end(const struct event_ref *event, const struct target *target)
{
    if (target->is_run)
        return event->kind == PLANKTON__V1__EVENT_KIND__EVENT_KIND_RUN_FINISHED;
    return event->kind == PLANKTON__V1__EVENT_KIND__EVENT_KIND_TASK_FINISHED;
}

bool history_is_over(const struct history *history, const struct target *target)
{
    for (size_t i = history->count; i--;)
        if (is_end(&history->events[i].event, target))
            return true;
    return false;
}

/* The result of this very attempt? A task may also end without one. */
static bool is_result(const struct event_ref *event)
{
    return event->last_log_seq &&
           (event->kind == PLANKTON__V1__EVENT_KIND__EVENT_KIND_TASK_FINISHED ||
            event->kind == PLANKTON__V1__EVENT_KIND__EVENT_KIND_TASK_RETRYING);
}

static int attempt_order(const struct id *task, uint32_t attempt, const struct id *task2,
                         uint32_t attempt2)
{
    int order = id_cmp(task, task2);

    return order ? order : (attempt > attempt2) - (attempt < attempt2);
}

static int coverage_order(const void *a, const void *b)
{
    const struct coverage *x = a, *y = b;

    return attempt_order(&x->task, x->attempt, &y->task, y->attempt);
}

static int closed_order(const void *a, const void *b)
{
    const struct closed *x = a, *y = b;

    return attempt_order(&x->task, x->attempt, &y->task, y->attempt);
}

int64_t history_closed_us(const struct history *history, const struct id *task, uint32_t attempt)
{
    const struct closed wanted = {.task = *task, .attempt = attempt};
    const struct closed *found =
        history->closed_count
            ? bsearch(&wanted, history->closed, history->closed_count, sizeof wanted, closed_order)
            : NULL;

    return found ? found->received_us : INT64_MAX;
}

const struct coverage *history_coverage(const struct history *history, const struct id *task,
                                        uint32_t attempt)
{
    const struct coverage wanted = {.task = *task, .attempt = attempt};

    return history->coverage_count ? bsearch(&wanted, history->coverage, history->coverage_count,
                                             sizeof wanted, coverage_order)
                                   : NULL;
}

bool history_is_complete(const struct history *history, const struct target *target)
{
    if (!history_is_over(history, target))
        return false;
    for (size_t i = 0; i < history->count; i++) {
        const struct event_ref *event = &history->events[i].event;
        if (!is_result(event) || (target->attempt && target->attempt != event->attempt))
            continue;
        const struct coverage *coverage = history_coverage(history, &event->task, event->attempt);
        if (!coverage || coverage->lines < event->last_log_seq)
            return false;
    }
    return true;
}

/* ---- gathering events ---- */

static void take_event(struct history_op *op, const struct stored_event *stored)
{
    struct history *history = &op->history;
    const struct target *target = &op->target;
    struct event_ref event;

    if (!event_scan(stored->bytes, &event) || event.namespace_id != target->namespace_id)
        return;
    if (!id_eq(target->is_run ? &event.run : &event.task, &target->id))
        return;
    if (history->count == op->event_cap) {
        op->event_cap = op->event_cap ? op->event_cap * 2 : 16;
        struct history_event *grown = ARENA_ARRAY(op->arena, struct history_event, op->event_cap);
        if (history->count)
            memcpy(grown, history->events, history->count * sizeof *grown);
        history->events = grown;
    }
    history->events[history->count++] =
        (struct history_event){stored->timeline, stored->shard, stored->received_us, event};
}

static void take_record(struct history_op *op, const struct event_record_ref *ref)
{
    struct arena scratch;
    struct events events;
    struct event_ref event;
    struct error err;
    bool bad;

    arena_init(&scratch, 0);
    char *payload = arena_alloc(&scratch, ref->payload_bytes);
    if (spool_read_payload(ingest_spool(op->query->ingest), ref->lsn, ref->payload_bytes, payload,
                           &err) != STATUS_OK) {
        log_error("history.read_failed", LOG_ERR(&err));
    } else if (events_parse_record((struct slice){payload, ref->payload_bytes}, ref->lsn,
                                   &events)) {
        for (struct slice rest = events.batch; events_next(&rest, &event, &bad);) {
            const struct id *key = op->target.is_run ? &event.run : &event.task;
            if (!id_eq(key, &op->target.id))
                continue;
            struct stored_event stored = {
                .timeline = events.timeline,
                .shard = events.shard,
                .received_us = events.received_us,
                .bytes = {arena_memdup(op->arena, event.bytes.data, event.bytes.len),
                          event.bytes.len}};
            take_event(op, &stored);
        }
    }
    arena_fini(&scratch);
}

static void copy_refs(struct history_op *op, const struct attempt *attempt, size_t *cap)
{
    if (attempt->namespace_id != op->target.namespace_id)
        return;
    LIST_EACH(&attempt->refs, node)
    {
        const struct line_ref *ref = LIST_ENTRY(node, struct line_ref, of_attempt);
        if (op->ref_count == *cap) {
            *cap = *cap ? *cap * 2 : 16;
            struct coverage *grown = ARENA_ARRAY(op->arena, struct coverage, *cap);
            if (op->ref_count)
                memcpy(grown, op->refs, op->ref_count * sizeof *grown);
            op->refs = grown;
        }
        op->refs[op->ref_count++] = (struct coverage){.task = attempt->task,
                                                      .attempt = attempt->attempt,
                                                      .lines = ref->count,
                                                      .last_seq = ref->first_seq + ref->count - 1,
                                                      .last_lsn = ref->lsn};
    }
}

static void memory_snapshot(struct history_op *op)
{
    const struct attempts *attempts = ingest_attempts(op->query->ingest);
    const struct id *id = &op->target.id;
    size_t cap = 0;

    LIST_EACH(&ingest_sources(op->query->ingest)->refs, node)
    {
        const struct event_record_ref *ref = LIST_ENTRY(node, struct event_record_ref, all);
        if (id_cmp(&ref->max, &op->low) >= 0 && id_cmp(&ref->min, &op->high) <= 0)
            take_record(op, ref);
    }
    if (op->target.is_run)
        for (struct attempt *a = attempts_of_run(attempts, id); a; a = attempt_next_of_run(a))
            copy_refs(op, a, &cap);
    else
        for (struct attempt *a = attempts_of_task(attempts, id); a; a = attempt_next_of_task(a))
            copy_refs(op, a, &cap);
}

/* ---- putting together ---- */

static int event_order(const void *a, const void *b)
{
    const struct history_event *x = a, *y = b;

    if (x->event.unix_us != y->event.unix_us)
        return x->event.unix_us < y->event.unix_us ? -1 : 1;
    if (x->timeline != y->timeline)
        return x->received_us < y->received_us ? -1 : 1;
    if (x->shard != y->shard)
        return x->shard < y->shard ? -1 : 1;
    return x->event.number < y->event.number ? -1 : x->event.number > y->event.number;
}

static void sort_events(struct history *history)
{
    size_t kept = 0;

    if (history->count)
        qsort(history->events, history->count, sizeof *history->events, event_order);
    for (size_t i = 0; i < history->count; i++) {
        const struct history_event *last = kept ? &history->events[kept - 1] : NULL,
                                   *event = &history->events[i];
        if (!last || last->event.number != event->event.number ||
            last->timeline != event->timeline || last->shard != event->shard)
            history->events[kept++] = *event;
    }
    history->count = kept;
}

/* What the database says comes first of each attempt: a record that it has by now was copied
 * before. */
static int coverage_fold_order(const void *a, const void *b)
{
    const struct coverage *x = a, *y = b;
    int order = coverage_order(a, b);

    if (order == 0)
        order = y->is_stored - x->is_stored;
    return order ? order : (x->last_lsn > y->last_lsn) - (x->last_lsn < y->last_lsn);
}

static void take_coverage(struct history_op *op, const struct db_result *rows)
{
    struct history *history = &op->history;
    struct coverage *all =
        ARENA_ARRAY(op->arena, struct coverage, db_rows(rows) + op->ref_count + 1);
    size_t n = 0, kept = 0;

    for (size_t i = 0; i < db_rows(rows); i++)
        all[n++] = (struct coverage){.task = db_id(rows, i, 0),
                                     .attempt = (uint32_t)db_i64(rows, i, 1),
                                     .lines = (uint64_t)db_i64(rows, i, 2),
                                     .last_seq = (uint64_t)db_i64(rows, i, 3),
                                     .last_lsn = (uint64_t)db_i64(rows, i, 4),
                                     .is_stored = true};
    for (size_t i = 0; i < op->ref_count; i++)
        all[n++] = op->refs[i];
    qsort(all, n, sizeof *all, coverage_fold_order);
    for (size_t i = 0; i < n; i++) {
        struct coverage *last = kept ? &all[kept - 1] : NULL;
        if (!last || coverage_order(last, &all[i]) != 0) {
            all[kept++] = all[i];
        } else if (all[i].last_lsn > last->last_lsn) {
            last->lines += all[i].lines;
            last->last_seq = MAX_OF(last->last_seq, all[i].last_seq);
            last->last_lsn = all[i].last_lsn;
        }
    }
    history->coverage = all;
    history->coverage_count = kept;
}

static void find_closed(struct history_op *op)
{
    struct history *history = &op->history;

    history->closed = ARENA_ARRAY(op->arena, struct closed, history->count + 1);
    for (size_t i = 0; i < history->count; i++) {
        const struct history_event *event = &history->events[i];
        if (event->event.kind == PLANKTON__V1__EVENT_KIND__EVENT_KIND_ATTEMPT_CLOSED)
            history->closed[history->closed_count++] =
                (struct closed){event->event.task, event->event.attempt, event->received_us};
    }
    qsort(history->closed, history->closed_count, sizeof *history->closed, closed_order);
}

static void history_rows(enum db_outcome outcome, struct db_result *const *results, size_t n,
                         const struct error *db_err, void *userdata)
{
    struct history_op *op = userdata;
    struct stored_event stored;
    struct error err;

    if (outcome != DB_COMMITTED) {
        op->done(NULL, db_err, op->userdata);
        return;
    }
    for (size_t i = 0; i < db_rows(results[0]); i++) {
        struct slice raw;
        if (chunk_open(op->arena, db_slice(results[0], i, 1), (size_t)db_i64(results[0], i, 0),
                       &raw, &err) != STATUS_OK) {
            op->done(NULL, &err, op->userdata);
            return;
        }
        while (stored_event_next(&raw, &stored))
            take_event(op, &stored);
    }
    sort_events(&op->history);
    find_closed(op);
    take_coverage(op, results[1]);
    op->done(&op->history, NULL, op->userdata);
}

void history_read(struct query *query, struct arena *arena, const struct target *target,
                  history_done_fn done, void *userdata)
{
    struct history_op *op = ARENA_NEW(arena, struct history_op);
    struct db_txn *txn = db_txn_new(store_reader(query->store));

    *op = (struct history_op){
        .query = query, .arena = arena, .target = *target, .done = done, .userdata = userdata};
    op->low = op->high = target->id;
    if (target->is_run)
        chunk_run_range(&target->id, &op->low, &op->high);
    memory_snapshot(op);
    const struct db_param events[] = {DB_UUID_PARAM(chunk_span_floor(&op->low)),
                                      DB_UUID_PARAM(op->low), DB_UUID_PARAM(op->high)};
    db_txn_add(txn, &SQL_log_events_find, events, ARRAY_LEN(events));
    if (target->is_run) {
        const struct db_param params[] = {DB_UUID_PARAM(op->low), DB_UUID_PARAM(op->high),
                                          DB_UUID_PARAM(target->id),
                                          DB_I32_PARAM((int32_t)target->namespace_id)};
        db_txn_add(txn, &SQL_log_run_coverage, params, ARRAY_LEN(params));
    } else {
        const struct db_param params[] = {DB_UUID_PARAM(target->id),
                                          DB_I32_PARAM((int32_t)target->namespace_id)};
        db_txn_add(txn, &SQL_log_task_coverage, params, ARRAY_LEN(params));
    }
    db_txn_send(txn, history_rows, op);
}
