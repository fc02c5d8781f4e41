/* SPDX-License-Identifier: Apache-2.0 */
/* SearchTaskLogs and SearchRunLogs as calls: what is asked for, the lines around hits, the answer.
 */
#include <stdio.h>
#include <stdlib.h>
#include "query/search_internal.h"
#include "token/token.h"

#define SEARCHES_MAX 4 /* at once */
#define SEARCHES_RETRY_MS 200
#define SEARCH_WORD_BYTES_MAX 1024
#define SEARCH_PAGE_DEFAULT 100
#define SEARCH_PAGE_MAX 1000
#define CONTEXT_LINES_MAX 20
#define CONTEXT_PAGE_MAX 100 /* hits of a page with context: each is one more question */
#define ANSWER_TEXT_BYTES_MAX ((size_t)2 << 20) /* with context */
#define TOKEN_BYTES 513
#define FILTER_BYTES 256
#define TOKEN_HASH_KEY 1, 2 /* a token outlives the program */

/* Where the next page begins. */
struct search_cursor {
    struct page_key key;
    uint64_t inclusive; /* as wide as the key's widest, so that no byte of it is left unset */
};
/* The fields that both requests have. */
struct search_ask {
    const char *text, *level, *stream, *page_token;
    bool ignore_case;
    const Google__Protobuf__Timestamp *since, *until;
    int32_t context, page_size;
};
#define SEARCH_ASK(r)                                                                              \
    ((struct search_ask){(r)->text, (r)->level, (r)->stream, (r)->page_token, (r)->ignore_case,    \
                         (r)->since, (r)->until, (r)->context, (r)->page_size})

struct search_op {
    struct search search;
    struct rpc_call *call; /* a reference; its arena holds this */
    struct arena *arena;
    char filter[FILTER_BYTES];
    size_t context;
    unsigned pending;
    const struct history *history;
    struct search_end end;
    struct error err;
    /* the answer, and the hit whose context is read */
    Plankton__V1__LogSearch reply;
    size_t at, text_bytes;
    struct arena *context_arena;
};

static void op_over(struct search_op *op)
{
    op->search.query->searches--;
    arena_free(op->search.hit_arena);
    rpc_call_unref(op->call);
}

static void op_fail(struct search_op *op)
{
    rpc_call_fail(op->call, &op->err);
    op_over(op);
}

/* ---- the answer ---- */

static void answer(struct search_op *op)
{
    Plankton__V1__LogSearch *reply = &op->reply;
    struct search_cursor cursor = {.inclusive = 0};
    bool is_cut = reply->n_hits < op->end.settled, more = true;

    if (op->end.is_full || is_cut) {
        cursor.key = op->search.hits[reply->n_hits - 1].key;
    } else if (op->end.has_edge) {
        cursor.key = op->end.edge;
        cursor.inclusive = 1;
        reply->stopped_early = true;
    } else {
        more = false;
    }
    if (more) {
        reply->next_page_token = arena_zalloc(op->arena, TOKEN_BYTES);
        if (page_token_make(op->search.query->options.cluster_key, op->filter,
                            (struct slice){(const char *)&cursor, sizeof cursor},
                            reply->next_page_token, TOKEN_BYTES) != STATUS_OK)
            *reply->next_page_token = 0;
    }
    reply->chunks_read = (int32_t)MIN_OF(op->search.chunks_read, (size_t)INT32_MAX);
    rpc_call_reply(op->call, &reply->base);
    op_over(op);
}

static void hits_next(struct search_op *op);

static Plankton__V1__LogHit *hit_make(struct search_op *op, const struct page_line *line)
{
    Plankton__V1__LogHit *hit = ARENA_NEW(op->arena, Plankton__V1__LogHit);

    plankton__v1__log_hit__init(hit);
    hit->line = log_line_make(op->arena, line, op->history);
    op->text_bytes += line->text.len;
    return hit;
}

/* Lines whose numbers are near that of the hit. */
static void context_done(const struct page *page, const struct error *err, void *userdata)
{
    struct search_op *op = userdata;
    Plankton__V1__LogHit *hit = op->reply.hits[op->at];
    uint64_t seq = op->search.hits[op->at].key.seq;
    size_t bytes = op->text_bytes;

    if (err) {
        op->err = *err;
        arena_free(op->context_arena);
        op_fail(op);
        return;
    }
    hit->before = ARENA_ARRAY(op->arena, Plankton__V1__LogLine *, op->context + 1);
    hit->after = ARENA_ARRAY(op->arena, Plankton__V1__LogLine *, op->context + 1);
    for (size_t i = 0; i < page->count; i++)
        bytes += page->lines[i].text.len;
    /* A hit whose context does not fit ends the page; the first one goes without. */
    if (bytes > ANSWER_TEXT_BYTES_MAX) {
        arena_free(op->context_arena);
        op->reply.n_hits = MAX_OF(op->at, (size_t)1);
        answer(op);
        return;
    }
    op->text_bytes = bytes;
    for (size_t i = 0; i < page->count; i++) {
        const struct page_line *line = &page->lines[i];
        if (line->key.seq < seq)
            hit->before[hit->n_before++] = log_line_make(op->arena, line, op->history);
        else if (line->key.seq > seq && line->key.seq - seq <= op->context)
            hit->after[hit->n_after++] = log_line_make(op->arena, line, op->history);
    }
    arena_free(op->context_arena);
    op->at++;
    hits_next(op);
}

static void context_read(struct search_op *op)
{
    const struct page_key *key = &op->search.hits[op->at].key;
    struct page_request request = {
        .target = {.id = key->task,
                   .namespace_id = op->search.target.namespace_id,
                   .attempt = key->attempt},
        .order = PAGE_TASK,
        .has_cursor = true,
        .cursor = {.task = key->task, .attempt = key->attempt},
        .limit = 2 * op->context + 1,
    };

    /* Behind the cursor: what begins with the first line wanted. */
    request.cursor.seq = key->seq > op->context ? key->seq - op->context - 1 : 0;
    op->context_arena = arena_new(0);
    page_read(op->search.query, op->context_arena, &request, context_done, op);
}

static void hits_next(struct search_op *op)
{
    while (op->at < op->end.settled) {
        op->reply.hits[op->reply.n_hits++] = hit_make(op, &op->search.hits[op->at]);
        if (op->context) {
            context_read(op);
            return;
        }
        op->at++;
    }
    answer(op);
}

static void part_done(struct search_op *op)
{
    if (--op->pending)
        return;
    if (op->err.status == STATUS_OK && !op->history->count && !op->history->coverage_count)
        target_unknown(&op->search.target, &op->err);
    if (op->err.status != STATUS_OK) {
        op_fail(op);
        return;
    }
    op->reply.hits = ARENA_ARRAY(op->arena, Plankton__V1__LogHit *, op->end.settled + 1);
    hits_next(op);
}

static void search_done(struct search *search, const struct search_end *end)
{
    struct search_op *op = CONTAINER_OF(search, struct search_op, search);

    op->end = *end;
    if (search->err.status != STATUS_OK)
        op->err = search->err;
    part_done(op);
}

static void history_done(const struct history *history, const struct error *err, void *userdata)
{
    struct search_op *op = userdata;

    op->history = history;
    if (err)
        op->err = *err;
    part_done(op);
}

/* ---- the request ---- */

static enum status invalid(struct search_op *op, const char *field, const char *why)
{
    return error_field(&op->err, STATUS_INVALID_ARGUMENT, "INVALID_FIELD", field, "%s", why);
}

static int word_index(const char *word, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(word, words[i]))
            return (int)i;
    return -1;
}

static enum status kinds_read(struct search_op *op, const struct search_ask *ask)
{
    static const char *const streams[] = {"stdout", "stderr", "system"};
    static const char *const levels[] = {"", "debug", "info", "warn", "error"};
    struct scan *scan = &op->search.scan;
    int level = word_index(ask->level, levels, ARRAY_LEN(levels));
    int stream = word_index(ask->stream, streams, ARRAY_LEN(streams));

    if (level < 0)
        return invalid(op, "level", "level must be debug, info, warn or error");
    if (*ask->stream && stream < 0)
        return invalid(op, "stream", "stream must be stdout, stderr or system");
    scan->levels = LINES_LEVELS & ~(LINES_LEVEL_BIT(level) - 1);
    scan->streams = stream < 0 ? LINES_STREAMS : LINES_STREAM_BIT(stream);
    return STATUS_OK;
}

static enum status times_read(struct search_op *op, const struct search_ask *ask)
{
    const Google__Protobuf__Timestamp *times[] = {ask->since, ask->until};
    int64_t us[] = {0, QUERY_UNIX_US_MAX};
    static const char *const fields[] = {"since", "until"};

    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        if (!times[i])
            continue;
        if (times[i]->seconds < 0 || times[i]->seconds >= QUERY_UNIX_US_MAX / 1000000 ||
            times[i]->nanos < 0 || times[i]->nanos > 999999999)
            return invalid(op, fields[i], "the time is out of range");
        us[i] = times[i]->seconds * 1000000 + times[i]->nanos / 1000;
    }
    op->search.scan.since_us = us[0];
    op->search.scan.until_us = us[1];
    return STATUS_OK;
}

static enum status sizes_read(struct search_op *op, const struct search_ask *ask)
{
    int32_t max = ask->context ? CONTEXT_PAGE_MAX : SEARCH_PAGE_MAX;

    if (strlen(ask->text) > SEARCH_WORD_BYTES_MAX)
        return invalid(op, "text", "text must not be longer than 1,024 bytes");
    if (ask->context < 0 || ask->context > CONTEXT_LINES_MAX)
        return invalid(op, "context", "context must be between 0 and 20");
    if (ask->page_size < 0 || ask->page_size > max)
        return invalid(op, "pageSize",
                       "pageSize must be between 1 and 1,000, with context at most 100");
    op->context = (size_t)ask->context;
    op->search.page_size = ask->page_size ? (size_t)ask->page_size : SEARCH_PAGE_DEFAULT;
    struct scan *scan = &op->search.scan;
    char *text = arena_strdup(op->arena, ask->text);
    scan->text = slice_of(text);
    scan->ignores_case = ask->ignore_case;
    if (scan->ignores_case)
        scan_lower(text, text, scan->text.len);
    return STATUS_OK;
}

/* A token goes on with the search that it came from. */
static enum status cursor_read(struct search_op *op, const struct search_ask *ask)
{
    const struct target *target = &op->search.target;
    struct scan *scan = &op->search.scan;
    struct search_cursor cursor;
    char id[ID_TEXT_BYTES];
    size_t len = 0;
    uint64_t words = hash_keyed(TOKEN_HASH_KEY, scan->text.data, scan->text.len);

    words = words * 31 + hash_keyed(TOKEN_HASH_KEY, scan->step.data, scan->step.len);
    id_format(&target->id, id);
    snprintf(op->filter, sizeof op->filter, "search %s %u %u %llx %d %x %x %lld %lld", id,
             target->attempt, target->namespace_id, (unsigned long long)words, scan->ignores_case,
             scan->levels, scan->streams, (long long)scan->since_us, (long long)scan->until_us);
    if (!*ask->page_token)
        return STATUS_OK;
    enum status st = page_token_open(op->search.query->options.cluster_key, op->filter,
                                     ask->page_token, &cursor, sizeof cursor, &len, &op->err);
    if (st == STATUS_OK && len != sizeof cursor)
        st = error_field(&op->err, STATUS_INVALID_ARGUMENT, "PAGE_TOKEN_INVALID", "pageToken",
                         "the page token is not of this search");
    if (st != STATUS_OK)
        return st;
    scan->has_cursor = true;
    scan->from_cursor = cursor.inclusive;
    scan->cursor = cursor.key;
    return STATUS_OK;
}

static struct search_op *op_new(struct query *query, struct rpc_call *call, enum page_order order)
{
    struct search_op *op = ARENA_NEW(rpc_call_arena(call), struct search_op);

    query->searches++;
    op->call = rpc_call_ref(call);
    op->arena = op->search.arena = rpc_call_arena(call);
    op->search.query = query;
    op->search.scan.order = order;
    op->search.done = search_done;
    plankton__v1__log_search__init(&op->reply);
    return op;
}

static void search_begin(struct search_op *op, const struct search_ask *ask, enum status st)
{
    if (st == STATUS_OK && op->search.query->searches > SEARCHES_MAX) {
        st = error_field(&op->err, STATUS_RESOURCE_EXHAUSTED, "TOO_MANY_SEARCHES", NULL,
                         "%d searches are under way", SEARCHES_MAX);
        op->err.retry_after_ms = SEARCHES_RETRY_MS;
    }
    if (st == STATUS_OK)
        st = kinds_read(op, ask);
    if (st == STATUS_OK)
        st = times_read(op, ask);
    if (st == STATUS_OK)
        st = sizes_read(op, ask);
    if (st == STATUS_OK)
        st = cursor_read(op, ask);
    if (st != STATUS_OK) {
        op_fail(op);
        return;
    }
    op->pending = 2;
    history_read(op->search.query, op->arena, &op->search.target, history_done, op);
    search_start(&op->search);
}

void query_search_task_logs(struct query *query, struct rpc_call *call, uint32_t namespace_id,
                            const Plankton__V1__SearchTaskLogsRequest *request)
{
    struct search_op *op = op_new(query, call, PAGE_TASK);
    struct search_ask ask = SEARCH_ASK(request);
    enum status st = STATUS_OK;

    if (request->attempt < 0)
        st = invalid(op, "attempt", "attempt must be 0 (all) or more");
    if (st == STATUS_OK)
        st = target_parse(request->task_id, false, namespace_id, (uint32_t)request->attempt,
                          &op->search.target, &op->err);
    op->search.scan.attempt = op->search.target.attempt;
    search_begin(op, &ask, st);
}

void query_search_run_logs(struct query *query, struct rpc_call *call, uint32_t namespace_id,
                           const Plankton__V1__SearchRunLogsRequest *request)
{
    struct search_op *op = op_new(query, call, PAGE_RUN);
    struct search_ask ask = SEARCH_ASK(request);
    enum status st =
        target_parse(request->run_id, true, namespace_id, 0, &op->search.target, &op->err);

    op->search.scan.step = slice_of(arena_strdup(op->arena, request->step));
    search_begin(op, &ask, st);
}
