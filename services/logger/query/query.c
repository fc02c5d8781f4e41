/* SPDX-License-Identifier: Apache-2.0 */
/* What the calls share: watches, ids, the form of a line. */
#include <stdlib.h>
#include "query/query_internal.h"

#define YOUNG_US_MAX (INT64_C(60) * 1000000)

struct query *query_new(struct loop *loop, const struct query_options *options)
{
    struct query *query = mem_zalloc(sizeof *query);

    query->loop = loop;
    query->options = *options;
    map_init(&query->watches);
    list_init(&query->tails);
    return query;
}

void query_attach(struct query *query, struct ingest *ingest, struct store *store)
{
    query->ingest = ingest;
    query->store = store;
}

void query_free(struct query *query)
{
    if (!query)
        return;
    map_fini(&query->watches);
    free(query);
}

size_t query_tail_count(const struct query *query)
{
    return query->tail_count;
}

/* ---- watches ---- */

void watch_add(struct query *query, struct watch *watch, const struct id *id)
{
    watch->id = *id;
    map_insert(&query->watches, &watch->node, id_hash(id));
    query->watch_count++;
}

void watch_remove(struct query *query, struct watch *watch)
{
    if (id_is_nil(&watch->id))
        return;
    map_remove(&query->watches, &watch->node);
    watch->id = (struct id){{0}};
    query->watch_count--;
}

bool query_wants_events(const struct query *query)
{
    return query->watch_count > 0;
}

static void watch_lines(struct query *query, const struct id *id, const struct lines *lines)
{
    for (struct map_node *node = map_first(&query->watches, id_hash(id)), *next; node;
         node = next) {
        struct watch *watch = CONTAINER_OF(node, struct watch, node);
        next = map_next(node);
        if (id_eq(&watch->id, id))
            watch->on_lines(watch, lines);
    }
}

static void watch_event(struct query *query, const struct id *id, const struct event_ref *event)
{
    for (struct map_node *node = map_first(&query->watches, id_hash(id)), *next; node;
         node = next) {
        struct watch *watch = CONTAINER_OF(node, struct watch, node);
        next = map_next(node);
        if (id_eq(&watch->id, id))
            watch->on_event(watch, event);
    }
}

void query_on_lines(struct query *query, const struct lines *lines)
{
    if (!query->watch_count)
        return;
    watch_lines(query, &lines->task, lines);
    if (!id_is_nil(&lines->run))
        watch_lines(query, &lines->run, lines);
}

void query_on_event(struct query *query, const struct event_ref *event)
{
    if (!id_is_nil(&event->task))
        watch_event(query, &event->task, event);
    if (!id_is_nil(&event->run))
        watch_event(query, &event->run, event);
}

/* ---- ids and pages ---- */

enum status target_unknown(const struct target *target, struct error *err)
{
    return error_field(err, STATUS_NOT_FOUND, "NOT_FOUND", target->is_run ? "runId" : "taskId",
                       "there is no %s with this id", target->is_run ? "run" : "task");
}

enum status target_parse(const char *text, bool is_run, uint32_t namespace_id, uint32_t attempt,
                         struct target *ret, struct error *err)
{
    *ret = (struct target){.is_run = is_run, .namespace_id = namespace_id, .attempt = attempt};
    if (!id_parse(text, &ret->id))
        return target_unknown(ret, err);
    return STATUS_OK;
}

bool target_is_young(const struct query *query, const struct target *target)
{
    int64_t age_us = clock_unix_us() - (int64_t)id_unix_ms(&target->id) * 1000;

    return age_us < YOUNG_US_MAX && age_us > -YOUNG_US_MAX;
}

enum status page_size_check(int32_t page_size, size_t *ret_limit, struct error *err)
{
    if (page_size < 0 || page_size > QUERY_PAGE_MAX)
        return error_field(err, STATUS_INVALID_ARGUMENT, "INVALID_FIELD", "pageSize",
                           "pageSize must be between 1 and %d", QUERY_PAGE_MAX);
    *ret_limit = page_size ? (size_t)page_size : QUERY_PAGE_DEFAULT;
    return STATUS_OK;
}

/* ---- the form of a line ---- */

void timestamp_set(struct arena *arena, int64_t unix_us, Google__Protobuf__Timestamp **ret)
{
    Google__Protobuf__Timestamp *time = ARENA_NEW(arena, Google__Protobuf__Timestamp);
    int64_t us = unix_us % 1000000;

    google__protobuf__timestamp__init(time);
    if (us < 0)
        us += 1000000;
    time->seconds = (unix_us - us) / 1000000;
    time->nanos = (int32_t)us * 1000;
    *ret = time;
}

Plankton__V1__LogLine *log_line_make(struct arena *arena, const struct page_line *line,
                                     const struct history *history)
{
    static const char *const streams[] = {"stdout", "stderr", "system"};
    static const char *const levels[] = {"", "debug", "info", "warn", "error"};
    const struct lines *lines = line->lines;
    Plankton__V1__LogLine *ret = ARENA_NEW(arena, Plankton__V1__LogLine);
    size_t stream = line->stream_level & 7, level = line->stream_level >> 4;

    plankton__v1__log_line__init(ret);
    timestamp_set(arena, line->key.unix_us, &ret->time);
    ret->text = arena_strndup(arena, line->text.data, line->text.len);
    ret->stream = (char *)streams[stream < ARRAY_LEN(streams) ? stream : 0];
    ret->level = (char *)levels[level < ARRAY_LEN(levels) ? level : 0];
    ret->task_id = arena_alloc(arena, ID_TEXT_BYTES);
    id_format(&line->key.task, ret->task_id);
    ret->attempt = (int32_t)line->key.attempt;
    ret->seq = (int64_t)line->key.seq;
    ret->step = arena_strndup(arena, lines->step.data, lines->step.len);
    ret->continued = line->stream_level & 8;
    ret->late = lines->flags & LINES_LATE ||
                (history && history_closed_us(history, &line->key.task, line->key.attempt) <
                                line->received_us);
    return ret;
}
