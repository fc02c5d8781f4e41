/* SPDX-License-Identifier: Apache-2.0 */
/* Lines from the spool and the database, put in order. */
#include <stdlib.h>
#include "ingest/record.h"
#include "query/query_internal.h"
#include "sql/logger.h"
#include "store/chunk.h"

#define PAGE_TEXT_BYTES_MAX                                                                        \
    ((size_t)2 << 20) /* a page ends behind so much text: its message must fit 4 MiB */
#define PAGE_FETCH_MORE                                                                            \
    2048 /* lines fetched beyond the page: part of the first chunk is behind the cursor */

/* ---- pure part ---- */

static int cmp_u64(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int cmp_attempt(const struct page_key *a, const struct page_key *b)
{
    int order = cmp_u64(a->attempt, b->attempt);

    return order ? order : cmp_u64(a->seq, b->seq);
}

int page_key_cmp(enum page_order order, const struct page_key *a, const struct page_key *b)
{
    int result;

    if (order == PAGE_TASK)
        return cmp_attempt(a, b);
    if (order == PAGE_ARRIVAL) {
        result = cmp_u64(a->lsn, b->lsn);
        return result ? result : cmp_u64(a->index, b->index);
    }
    if (a->unix_us != b->unix_us)
        return a->unix_us < b->unix_us ? -1 : 1;
    result = id_cmp(&a->task, &b->task);
    return result ? result : cmp_attempt(a, b);
}

static int order_task(const void *a, const void *b)
{
    return page_key_cmp(PAGE_TASK, &((const struct page_line *)a)->key,
                        &((const struct page_line *)b)->key);
}

static int order_run(const void *a, const void *b)
{
    return page_key_cmp(PAGE_RUN, &((const struct page_line *)a)->key,
                        &((const struct page_line *)b)->key);
}

static int order_arrival(const void *a, const void *b)
{
    return page_key_cmp(PAGE_ARRIVAL, &((const struct page_line *)a)->key,
                        &((const struct page_line *)b)->key);
}

static bool is_wanted(const struct page_request *request, const struct page_key *key,
                      const struct page_key *boundary)
{
    int sign = request->back ? -1 : 1;

    if (request->target.attempt && key->attempt != request->target.attempt)
        return false;
    if (request->has_cursor && page_key_cmp(request->order, key, &request->cursor) * sign <= 0)
        return false;
    return !boundary || page_key_cmp(request->order, key, boundary) * sign < 0;
}

struct page_key page_key_of(const struct lines *lines, const struct line *line)
{
    return (struct page_key){.task = lines->task,
                             .seq = line->seq,
                             .lsn = lines->lsn,
                             .unix_us = line->unix_us,
                             .attempt = lines->attempt,
                             .index = (uint32_t)(line->seq - lines->first_seq)};
}

static size_t take_lines(const struct page_request *request, const struct lines *lines,
                         const struct page_key *boundary, struct page_line *out)
{
    struct line_walk walk = lines_walk(lines);
    struct line line;
    size_t n = 0;

    while (lines_next(&walk, &line)) {
        struct page_key key = page_key_of(lines, &line);
        if (is_wanted(request, &key, boundary))
            out[n++] =
                (struct page_line){key, lines->received_us, lines, line.stream_level, line.text};
    }
    return n;
}

/* Equal keys are one line that was met in the spool and in the database. */
static size_t drop_duplicates(enum page_order order, struct page_line *lines, size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++)
        if (!kept || page_key_cmp(order, &lines[kept - 1].key, &lines[i].key) != 0)
            lines[kept++] = lines[i];
    return kept;
}

void page_assemble(struct arena *arena, const struct page_request *request,
                   const struct page_source *sources, size_t n, const struct page_key *boundary,
                   bool more, struct page *ret)
{
    static int (*const orders[])(const void *, const void *) = {order_task, order_run,
                                                                order_arrival};
    size_t total = 0, count = 0, text = 0, take = 0;

    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < sources[i].count; j++)
            total += sources[i].lines[j].count;
    struct page_line *lines = ARENA_ARRAY(arena, struct page_line, total + 1);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < sources[i].count; j++)
            count += take_lines(request, &sources[i].lines[j], boundary, lines + count);
    qsort(lines, count, sizeof *lines, orders[request->order]);
    count = drop_duplicates(request->order, lines, count);
    while (take < count && take < request->limit) {
        text += lines[request->back ? count - 1 - take : take].text.len;
        if (take && text > PAGE_TEXT_BYTES_MAX)
            break;
        take++;
    }
    *ret = (struct page){.lines = request->back ? lines + (count - take) : lines,
                         .count = take,
                         .more = more || take < count};
}

/* ---- reading ---- */

struct page_op {
    struct query *query;
    struct arena *arena;
    struct page_request request;
    size_t fetch; /* lines asked of the database */
    struct page_source memory;
    page_done_fn done;
    void *userdata;
    struct page page;
    struct error err;
};

static bool ref_is_wanted(const struct page_request *request, const struct line_ref *ref)
{
    const struct page_key *cursor = &request->cursor;
    const struct attempt *attempt = ref->attempt;

    if (!request->has_cursor)
        return true;
    if (request->order == PAGE_ARRIVAL)
        return ref->lsn >= cursor->lsn;
    if (request->order == PAGE_RUN)
        return request->back ? ref->first_us <= cursor->unix_us : ref->last_us >= cursor->unix_us;
    if (attempt->attempt != cursor->attempt)
        return request->back ? attempt->attempt < cursor->attempt
                             : attempt->attempt > cursor->attempt;
    return request->back ? ref->first_seq < cursor->seq
                         : ref->first_seq + ref->count - 1 > cursor->seq;
}

/* Lines of the record that the page may show. */
static size_t memory_take(struct page_op *op, const struct line_ref *ref, size_t *cap)
{
    struct page_source *memory = &op->memory;
    char *payload = arena_alloc(op->arena, ref->payload_bytes);
    struct lines lines;
    struct line line;
    size_t wanted = 0;

    if (spool_read_payload(ingest_spool(op->query->ingest), ref->lsn, ref->payload_bytes, payload,
                           &op->err) != STATUS_OK)
        return 0;
    if (!lines_parse_record((struct slice){payload, ref->payload_bytes}, ref->lsn, &lines)) {
        error_set(&op->err, STATUS_DATA_LOSS, "a record of the spool is malformed");
        return 0;
    }
    if (memory->count == *cap) {
        *cap = *cap ? *cap * 2 : 16;
        struct lines *grown = ARENA_ARRAY(op->arena, struct lines, *cap);
        if (memory->count)
            memcpy(grown, memory->lines, memory->count * sizeof *grown);
        memory->lines = grown;
    }
    ((struct lines *)memory->lines)[memory->count++] = lines;
    for (struct line_walk walk = lines_walk(&lines); lines_next(&walk, &line);) {
        struct page_key key = page_key_of(&lines, &line);
        wanted += is_wanted(&op->request, &key, NULL);
    }
    return wanted;
}

/* No attempt can give more than the page and one line, which says that there is more. What counts
 * is what is behind the cursor: the first records may be partly before it. */
static void memory_take_attempt(struct page_op *op, const struct attempt *attempt, size_t *cap)
{
    const struct page_request *request = &op->request;
    size_t lines = 0;

    if (attempt->namespace_id != request->target.namespace_id ||
        (request->target.attempt && request->target.attempt != attempt->attempt))
        return;
    for (struct list *node = request->back ? attempt->refs.prev : attempt->refs.next;
         node != &attempt->refs && lines <= request->limit;
         node = request->back ? node->prev : node->next) {
        const struct line_ref *ref = LIST_ENTRY(node, struct line_ref, of_attempt);
        if (ref_is_wanted(request, ref))
            lines += memory_take(op, ref, cap);
    }
}

static void memory_snapshot(struct page_op *op)
{
    const struct target *target = &op->request.target;
    const struct attempts *attempts = ingest_attempts(op->query->ingest);
    size_t cap = 0;

    if (target->is_run)
        for (struct attempt *a = attempts_of_run(attempts, &target->id); a;
             a = attempt_next_of_run(a))
            memory_take_attempt(op, a, &cap);
    else
        for (struct attempt *a = attempts_of_task(attempts, &target->id); a;
             a = attempt_next_of_task(a))
            memory_take_attempt(op, a, &cap);
}

/* Columns of all pages of log_chunk. */
enum {
    C_TASK,
    C_RUN,
    C_ATTEMPT,
    C_NAMESPACE,
    C_STEP,
    C_FIRST_SEQ,
    C_LAST_SEQ,
    C_FIRST_AT,
    C_LAST_AT,
    C_FIRST_LSN,
    C_LINES,
    C_RAW,
    C_DATA
};

static enum status chunk_take(struct page_op *op, const struct db_result *rows, size_t row,
                              struct page_source *ret)
{
    struct slice data = db_slice(rows, row, C_DATA), raw, step = db_slice(rows, row, C_STEP);
    struct lines lines = {.task = db_id(rows, row, C_TASK),
                          .attempt = (uint32_t)db_i64(rows, row, C_ATTEMPT),
                          .namespace_id = (uint32_t)db_i64(rows, row, C_NAMESPACE)};
    size_t cap = 0;

    enum status st = chunk_open(op->arena, data, (size_t)db_i64(rows, row, C_RAW), &raw, &op->err);
    if (st != STATUS_OK)
        return st;
    lines.step = (struct slice){arena_strndup(op->arena, step.data, step.len), step.len};
    struct lines *all = NULL;
    for (*ret = (struct page_source){NULL, 0}; lines_next_chunk(&raw, &lines); ret->count++) {
        if (ret->count == cap) {
            cap = cap ? cap * 2 : 8;
            struct lines *grown = ARENA_ARRAY(op->arena, struct lines, cap);
            if (ret->count)
                memcpy(grown, all, ret->count * sizeof *grown);
            all = grown;
        }
        all[ret->count] = lines;
    }
    ret->lines = all;
    return STATUS_OK;
}

/* Where a row that was not fetched may begin (end, when going back). */
static struct page_key row_edge(const struct page_request *request, const struct db_result *rows,
                                size_t row)
{
    return (struct page_key){
        .task = db_id(rows, row, C_TASK),
        .seq = (uint64_t)db_i64(rows, row, request->back ? C_LAST_SEQ : C_FIRST_SEQ),
        .lsn = (uint64_t)db_i64(rows, row, C_FIRST_LSN),
        .unix_us = db_i64(rows, row, request->back ? C_LAST_AT : C_FIRST_AT),
        .attempt = (uint32_t)db_i64(rows, row, C_ATTEMPT)};
}

static void page_fetch(struct page_op *op);

static void page_rows(enum db_outcome outcome, struct db_result *const *results, size_t n,
                      const struct error *err, void *userdata)
{
    struct page_op *op = userdata;

    if (outcome != DB_COMMITTED) {
        op->done(NULL, err, op->userdata);
        return;
    }
    const struct db_result *rows = results[0];
    size_t count = db_rows(rows), lines = 0;
    struct page_source *sources = ARENA_ARRAY(op->arena, struct page_source, count + 1);
    struct page_key boundary;
    for (size_t i = 0; i < count; i++) {
        if (chunk_take(op, rows, i, &sources[i]) != STATUS_OK) {
            op->done(NULL, &op->err, op->userdata);
            return;
        }
        lines += (size_t)db_i64(rows, i, C_LINES);
    }
    /* With all that there is, the rows would not fill what was asked for. */
    bool more = lines > op->fetch;
    if (more)
        boundary = row_edge(&op->request, rows, count - 1);
    sources[count] = op->memory;
    page_assemble(op->arena, &op->request, sources, count + 1, more ? &boundary : NULL, more,
                  &op->page);
    if (more && !op->page.count) {
        op->fetch *= 4;
        page_fetch(op);
        return;
    }
    op->done(&op->page, NULL, op->userdata);
}

/* No cursor: before or behind everything. */
static struct page_key start_of(const struct page_request *request)
{
    if (request->has_cursor)
        return request->cursor;
    if (request->back)
        return (struct page_key){
            .attempt = INT32_MAX, .seq = INT64_MAX, .unix_us = QUERY_UNIX_US_MAX, .lsn = INT64_MAX};
    return (struct page_key){.unix_us = 0};
}

static void page_fetch(struct page_op *op)
{
    static const struct db_sql *const of_task[] = {&SQL_log_task_page, NULL,
                                                   &SQL_log_task_arrivals};
    static const struct db_sql *const of_run[] = {NULL, &SQL_log_run_page, &SQL_log_run_arrivals};
    const struct page_request *request = &op->request;
    const struct target *target = &request->target;
    struct page_key from = start_of(request);
    struct db_param params[8];
    int n = 0;
    const struct db_sql *sql = target->is_run ? of_run[request->order] : of_task[request->order];

    if (request->back)
        sql = target->is_run ? &SQL_log_run_page_back : &SQL_log_task_page_back;
    if (target->is_run) {
        struct id low, high;
        chunk_run_range(&target->id, &low, &high);
        params[n++] = DB_UUID_PARAM(low);
        params[n++] = DB_UUID_PARAM(high);
    }
    params[n++] = DB_UUID_PARAM(target->id);
    params[n++] = DB_I32_PARAM((int32_t)target->namespace_id);
    if (!target->is_run)
        params[n++] = DB_I32_PARAM((int32_t)target->attempt);
    if (request->order == PAGE_TASK) {
        params[n++] = DB_I32_PARAM((int32_t)from.attempt);
        params[n++] = DB_I64_PARAM((int64_t)from.seq);
    } else if (request->order == PAGE_RUN) {
        params[n++] = DB_TIME_PARAM(from.unix_us);
    } else {
        params[n++] = DB_I64_PARAM((int64_t)from.lsn);
    }
    params[n++] = DB_I64_PARAM((int64_t)op->fetch);
    db_query(store_reader(op->query->store), sql, params, n, page_rows, op);
}

static void page_from_memory(void *userdata)
{
    struct page_op *op = userdata;

    if (op->err.status != STATUS_OK) {
        op->done(NULL, &op->err, op->userdata);
        return;
    }
    page_assemble(op->arena, &op->request, &op->memory, 1, NULL, false, &op->page);
    op->done(&op->page, NULL, op->userdata);
}

void page_read(struct query *query, struct arena *arena, const struct page_request *request,
               page_done_fn done, void *userdata)
{
    struct page_op *op = ARENA_NEW(arena, struct page_op);

    *op = (struct page_op){.query = query,
                           .arena = arena,
                           .request = *request,
                           .fetch = request->limit + PAGE_FETCH_MORE,
                           .done = done,
                           .userdata = userdata};
    memory_snapshot(op);
    /* All that came behind the cursor is still in the spool: a tail that keeps up does not ask the
     * database. */
    bool in_spool = request->order == PAGE_ARRIVAL && request->has_cursor &&
                    request->cursor.lsn >= store_position(query->store);
    if (in_spool || op->err.status != STATUS_OK)
        loop_defer(query->loop, page_from_memory, op);
    else
        page_fetch(op);
}
