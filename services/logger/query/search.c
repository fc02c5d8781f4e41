/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SearchTaskLogs and SearchRunLogs. First what memory knows of, copied from the spool, then the
 * chunks of the database in the order of their first lines: a page of the index at a time, read and
 * searched in batches by a few lanes, so that one is read while others are searched by the pool. A
 * hit counts once no chunk is left that could hold an earlier line. What is kept is one page of
 * hits, whatever the size of the log.
 */
#include <limits.h>
#include <stdlib.h>
#include "query/search_internal.h"
#include "sql/logger.h"
#include "store/chunk.h"

#define INDEX_ROWS 4096                         /* chunks of one page of the index */
#define BATCH_CHUNKS 96                         /* read at once by a lane … */
#define BATCH_RAW_BYTES ((size_t)8 << 20)       /* … unless they are larger than this */
#define SPOOL_BYTES_MAX ((size_t)16 << 20)      /* copied from the spool for one page */
#define SEARCH_US_MAX (INT64_C(2) * 1000000)    /* then a page ends where it is */
#define SEARCH_TEXT_BYTES_MAX ((size_t)2 << 20) /* of the lines of one page */

static void lanes_start(struct search *search);
static void search_step(struct search *search);

/* ---- what is known to be searched ---- */

static struct page_key row_key(const struct index_row *row)
{
    return (struct page_key){.task = row->task,
                             .attempt = row->attempt,
                             .seq = row->first_seq,
                             .unix_us = row->first_us};
}

/* Where the first line may stand that was not searched. False: all were. */
static bool boundary(const struct search *search, struct page_key *ret)
{
    bool has = search->has_spool_boundary;

    if (has)
        *ret = search->spool_boundary;
    for (size_t i = 0; i <= SEARCH_LANES; i++) {
        struct page_key key;
        if (i < SEARCH_LANES && search->lanes[i].busy)
            key = search->lanes[i].first;
        else if (i == SEARCH_LANES && search->row_at < search->row_count)
            key = row_key(&search->rows[search->row_at]);
        else if (i == SEARCH_LANES && search->index_more)
            key = search->index_after;
        else
            continue;
        if (!has || page_key_cmp(search->scan.order, &key, ret) < 0)
            *ret = key;
        has = true;
    }
    return has;
}

/* Hits that no line still unread can come before. */
static size_t hits_settled(const struct search *search)
{
    struct page_key edge;
    size_t n = 0;

    if (!boundary(search, &edge))
        return search->hit_count;
    while (n < search->hit_count &&
           page_key_cmp(search->scan.order, &search->hits[n].key, &edge) < 0)
        n++;
    return n;
}

/* A page that ends now would go on behind where it began. */
static bool is_further(const struct search *search)
{
    struct page_key edge;

    return !search->scan.has_cursor || !boundary(search, &edge) ||
           page_key_cmp(search->scan.order, &edge, &search->scan.cursor) > 0;
}

static bool wants_more(const struct search *search)
{
    if (search->err.status != STATUS_OK || hits_settled(search) > search->page_size)
        return false;
    bool is_late = (int64_t)(clock_monotonic_us() - search->begun_us) > SEARCH_US_MAX;
    return !is_late || !is_further(search);
}

/* ---- hits ---- */

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

/* The page and one more hit, of old and new; what stays is copied to a new arena. */
static void hits_merge(struct search *search, const struct scan_hits *more)
{
    enum page_order order = search->scan.order;
    size_t n = search->hit_count + more->count, kept = 0, text = 0;

    if (!more->count)
        return;
    struct arena *arena = arena_new(0);
    struct page_line *all = ARENA_ARRAY(arena, struct page_line, n);
    if (search->hit_count)
        memcpy(all, search->hits, search->hit_count * sizeof *all);
    memcpy(all + search->hit_count, more->lines, more->count * sizeof *all);
    qsort(all, n, sizeof *all, order == PAGE_RUN ? order_run : order_task);
    for (size_t i = 0; i < n && kept <= search->page_size; i++) {
        if (kept && page_key_cmp(order, &all[kept - 1].key, &all[i].key) == 0)
            continue;
        struct page_line *hit = &all[kept++];
        *hit = all[i];
        struct lines *lines = arena_memdup(arena, hit->lines, sizeof *lines);
        lines->step.data = arena_strndup(arena, lines->step.data, lines->step.len);
        hit->lines = lines;
        hit->text.data = arena_strndup(arena, hit->text.data, hit->text.len);
        text += hit->text.len;
        /* One more than fits: it says that the page ends here. */
        if (text > SEARCH_TEXT_BYTES_MAX && kept > 1) {
            search->page_size = MIN_OF(search->page_size, kept - 1);
            break;
        }
    }
    arena_free(search->hit_arena);
    search->hit_arena = arena;
    search->hits = all;
    search->hit_count = kept;
}

/* ---- a lane ---- */

static void lane_scan_spool(struct search_lane *lane)
{
    struct scan_hits *hits = &lane->hits;

    for (size_t i = 0; i < lane->spool_count; i++)
        scan_lines(&lane->search->scan, &lane->spool[i], &lane->room, hits->count, hits);
}

static void lane_scan(void *userdata)
{
    struct search_lane *lane = userdata;
    struct chunk_opener opener = {NULL, NULL, 0};

    lane->hits = (struct scan_hits){.arena = lane->arena};
    lane_scan_spool(lane);
    for (size_t i = 0; i < lane->chunk_count && lane->err.status == STATUS_OK; i++) {
        const struct lane_chunk *chunk = &lane->chunks[i];
        struct lines lines = {.task = chunk->task,
                              .attempt = chunk->attempt,
                              .namespace_id = chunk->namespace_id,
                              .step = chunk->step};
        struct slice raw;
        size_t begin = lane->hits.count;
        if (chunk_open_next(&opener, chunk->data, chunk->raw_bytes, &raw, &lane->err) != STATUS_OK)
            break;
        while (lines_next_chunk(&raw, &lines))
            if (!scan_lines(&lane->search->scan, &lines, &lane->room, begin, &lane->hits))
                break;
    }
    chunk_opener_fini(&opener);
    scan_room_fini(&lane->room);
}

static void lane_over(struct search_lane *lane)
{
    struct search *search = lane->search;

    if (lane->err.status != STATUS_OK && search->err.status == STATUS_OK)
        search->err = lane->err;
    lane->busy = false;
    if (search->err.status == STATUS_OK)
        hits_merge(search, &lane->hits);
    arena_free(lane->arena);
    lane->arena = NULL;
    search_step(search);
}

static void lane_scanned(void *userdata)
{
    lane_over(userdata);
}

static void lane_pool(struct search_lane *lane)
{
    if (loop_pool(lane->search->query->loop, lane_scan, lane_scanned, lane, &lane->err) !=
        STATUS_OK)
        lane_over(lane);
}

static void lane_rows(enum db_outcome outcome, struct db_result *const *results, size_t n,
                      const struct error *err, void *userdata)
{
    enum { R_TASK, R_ATTEMPT, R_NAMESPACE, R_STEP, R_RAW, R_DATA };
    struct search_lane *lane = userdata;
    struct arena *arena = lane->arena;

    if (outcome != DB_COMMITTED) {
        lane->err = *err;
        lane->hits = (struct scan_hits){.arena = arena};
        lane_over(lane);
        return;
    }
    /* What a result points to lives as long as this call. */
    lane->chunk_count = db_rows(results[0]);
    lane->chunks = ARENA_ARRAY(arena, struct lane_chunk, lane->chunk_count + 1);
    for (size_t i = 0; i < lane->chunk_count; i++) {
        struct slice data = db_slice(results[0], i, R_DATA), step = db_slice(results[0], i, R_STEP);
        lane->chunks[i] =
            (struct lane_chunk){.task = db_id(results[0], i, R_TASK),
                                .attempt = (uint32_t)db_i64(results[0], i, R_ATTEMPT),
                                .namespace_id = (uint32_t)db_i64(results[0], i, R_NAMESPACE),
                                .raw_bytes = (size_t)db_i64(results[0], i, R_RAW),
                                .step = {arena_strndup(arena, step.data, step.len), step.len},
                                .data = {arena_memdup(arena, data.data, data.len), data.len}};
    }
    lane->search->chunks_read += lane->chunk_count;
    lane_pool(lane);
}

/* The next chunks of the index. */
static void lane_fetch(struct search_lane *lane)
{
    struct search *search = lane->search;
    struct db_txn *txn = db_txn_new(store_reader(search->query->store));
    struct db_array *tasks = db_array_new(db_txn_arena(txn), DB_UUID);
    struct db_array *attempts = db_array_new(db_txn_arena(txn), DB_I32);
    struct db_array *seqs = db_array_new(db_txn_arena(txn), DB_I64);
    size_t raw = 0;

    lane->first = row_key(&search->rows[search->row_at]);
    for (size_t n = 0; search->row_at < search->row_count && n < BATCH_CHUNKS; n++) {
        const struct index_row *row = &search->rows[search->row_at];
        raw += row->raw_bytes;
        if (n && raw > BATCH_RAW_BYTES)
            break;
        db_array_add_id(tasks, &row->task);
        db_array_add_i64(attempts, (int32_t)row->attempt);
        db_array_add_i64(seqs, (int64_t)row->first_seq);
        search->row_at++;
    }
    const struct db_param params[] = {DB_UUID_PARAM(search->low), DB_UUID_PARAM(search->high),
                                      db_array_param(tasks), db_array_param(attempts),
                                      db_array_param(seqs)};
    db_txn_add(txn, &SQL_log_chunks_read, params, ARRAY_LEN(params));
    db_txn_send(txn, lane_rows, lane);
}

static struct search_lane *lane_take(struct search *search)
{
    for (size_t i = 0; i < SEARCH_LANES; i++)
        if (!search->lanes[i].busy) {
            search->lanes[i] =
                (struct search_lane){.search = search, .busy = true, .arena = arena_new(0)};
            return &search->lanes[i];
        }
    return NULL;
}

static void lanes_start(struct search *search)
{
    struct search_lane *lane;

    while (search->row_at < search->row_count && (lane = lane_take(search)) != NULL)
        lane_fetch(lane);
}

static bool lanes_busy(const struct search *search)
{
    for (size_t i = 0; i < SEARCH_LANES; i++)
        if (search->lanes[i].busy)
            return true;
    return false;
}

/* ---- the index ---- */

static void index_rows(enum db_outcome outcome, struct db_result *const *results, size_t n,
                       const struct error *err, void *userdata)
{
    enum { I_TASK, I_ATTEMPT, I_FIRST_SEQ, I_FIRST_AT, I_RAW };
    struct search *search = userdata;

    search->index_busy = false;
    search->row_count = search->row_at = 0;
    if (outcome != DB_COMMITTED) {
        search->err = *err;
        search->index_more = false;
        search_step(search);
        return;
    }
    search->row_count = db_rows(results[0]);
    for (size_t i = 0; i < search->row_count; i++)
        search->rows[i] =
            (struct index_row){.task = db_id(results[0], i, I_TASK),
                               .attempt = (uint32_t)db_i64(results[0], i, I_ATTEMPT),
                               .first_seq = (uint64_t)db_i64(results[0], i, I_FIRST_SEQ),
                               .first_us = db_i64(results[0], i, I_FIRST_AT),
                               .raw_bytes = (size_t)db_i64(results[0], i, I_RAW)};
    search->index_more = search->row_count == INDEX_ROWS;
    if (search->row_count)
        search->index_after = row_key(&search->rows[search->row_count - 1]);
    search_step(search);
}

static int task_params(const struct search *search, struct db_param *params)
{
    const struct scan *scan = &search->scan;
    int n = 0;

    params[n++] = DB_UUID_PARAM(search->target.id);
    params[n++] = DB_I32_PARAM((int32_t)search->target.namespace_id);
    params[n++] = DB_I32_PARAM((int32_t)search->target.attempt);
    params[n++] = DB_I32_PARAM((int32_t)scan->cursor.attempt);
    params[n++] = DB_I64_PARAM((int64_t)scan->cursor.seq);
    params[n++] = DB_I32_PARAM((int32_t)search->index_after.attempt);
    params[n++] = DB_I64_PARAM((int64_t)search->index_after.seq);
    params[n++] = DB_TIME_PARAM(scan->since_us);
    return n;
}

static int run_params(const struct search *search, struct db_param *params)
{
    const struct scan *scan = &search->scan;
    int64_t since_us = scan->since_us;
    int n = 0;

    if (scan->has_cursor)
        since_us = MAX_OF(since_us, scan->cursor.unix_us);
    params[n++] = DB_UUID_PARAM(search->low);
    params[n++] = DB_UUID_PARAM(search->high);
    params[n++] = DB_UUID_PARAM(search->target.id);
    params[n++] = DB_I32_PARAM((int32_t)search->target.namespace_id);
    params[n++] = DB_TEXT_PARAM(scan->step.len ? scan->step.data : NULL);
    params[n++] = DB_TIME_PARAM(search->index_after.unix_us);
    params[n++] = DB_UUID_PARAM(search->index_after.task);
    params[n++] = DB_I32_PARAM((int32_t)search->index_after.attempt);
    params[n++] = DB_I64_PARAM((int64_t)search->index_after.seq);
    params[n++] = DB_TIME_PARAM(since_us);
    return n;
}

static void index_fetch(struct search *search)
{
    struct db_param params[16];
    bool is_run = search->target.is_run;
    int n = is_run ? run_params(search, params) : task_params(search, params);

    params[n++] = DB_TIME_PARAM(search->scan.until_us);
    params[n++] = DB_I32_PARAM((int32_t)search->scan.levels);
    params[n++] = DB_I32_PARAM((int32_t)search->scan.streams);
    params[n++] = DB_I64_PARAM(INDEX_ROWS);
    search->index_busy = true;
    db_query(store_reader(search->query->store),
             is_run ? &SQL_log_run_search : &SQL_log_task_search, params, n, index_rows, search);
}

/* ---- the spool ---- */

struct spool_pick {
    struct search *search;
    const struct line_ref **refs;
    size_t count, cap;
};

static void pick_attempt(struct spool_pick *pick, const struct attempt *attempt)
{
    const struct target *target = &pick->search->target;

    if (attempt->namespace_id != target->namespace_id ||
        (target->attempt && target->attempt != attempt->attempt))
        return;
    LIST_EACH(&attempt->refs, node)
    {
        const struct line_ref *ref = LIST_ENTRY(node, struct line_ref, of_attempt);
        if (ref->last_us < pick->search->scan.since_us ||
            ref->first_us >= pick->search->scan.until_us)
            continue;
        if (pick->count == pick->cap) {
            pick->cap = pick->cap ? pick->cap * 2 : 64;
            pick->refs = mem_realloc(pick->refs, pick->cap * sizeof(void *));
        }
        pick->refs[pick->count++] = ref;
    }
}

static struct page_key ref_key(const struct line_ref *ref)
{
    return (struct page_key){.task = ref->attempt->task,
                             .attempt = ref->attempt->attempt,
                             .seq = ref->first_seq,
                             .unix_us = ref->first_us};
}

static int ref_order_task(const void *a, const void *b)
{
    struct page_key x = ref_key(*(const struct line_ref *const *)a),
                    y = ref_key(*(const struct line_ref *const *)b);

    return page_key_cmp(PAGE_TASK, &x, &y);
}

static int ref_order_run(const void *a, const void *b)
{
    struct page_key x = ref_key(*(const struct line_ref *const *)a),
                    y = ref_key(*(const struct line_ref *const *)b);

    return page_key_cmp(PAGE_RUN, &x, &y);
}

/* Copies the records, the first ones when they are too many; those left out are for the next page.
 */
static void spool_copy(struct spool_pick *pick, struct search_lane *lane)
{
    struct search *search = pick->search;
    const struct scan *scan = &search->scan;
    size_t bytes = 0;

    lane->spool = ARENA_ARRAY(lane->arena, struct lines, pick->count + 1);
    for (size_t i = 0; i < pick->count; i++) {
        const struct line_ref *ref = pick->refs[i];
        struct page_key key = ref_key(ref);
        if (bytes > SPOOL_BYTES_MAX &&
            (!scan->has_cursor || page_key_cmp(scan->order, &key, &scan->cursor) > 0)) {
            search->has_spool_boundary = true;
            search->spool_boundary = key;
            return;
        }
        char *payload = arena_alloc(lane->arena, ref->payload_bytes);
        bytes += ref->payload_bytes;
        if (spool_read_payload(ingest_spool(search->query->ingest), ref->lsn, ref->payload_bytes,
                               payload, &search->err) != STATUS_OK)
            return;
        if (!lines_parse_record((struct slice){payload, ref->payload_bytes}, ref->lsn,
                                &lane->spool[lane->spool_count++])) {
            error_set(&search->err, STATUS_DATA_LOSS, "a record of the spool is malformed");
            return;
        }
    }
}

static void spool_start(struct search *search)
{
    const struct target *target = &search->target;
    const struct attempts *attempts = ingest_attempts(search->query->ingest);
    struct spool_pick pick = {.search = search};

    if (target->is_run)
        for (struct attempt *a = attempts_of_run(attempts, &target->id); a;
             a = attempt_next_of_run(a))
            pick_attempt(&pick, a);
    else
        for (struct attempt *a = attempts_of_task(attempts, &target->id); a;
             a = attempt_next_of_task(a))
            pick_attempt(&pick, a);
    if (!pick.count)
        return;
    qsort(pick.refs, pick.count, sizeof(void *),
          search->scan.order == PAGE_RUN ? ref_order_run : ref_order_task);
    struct search_lane *lane = lane_take(search);
    lane->first = ref_key(pick.refs[0]);
    spool_copy(&pick, lane);
    free(pick.refs);
    lane_pool(lane);
}

/* ---- as a whole ---- */

static void search_step(struct search *search)
{
    if (search->index_busy)
        return;
    if (wants_more(search)) {
        lanes_start(search);
        if (search->row_at == search->row_count && search->index_more) {
            index_fetch(search);
            return;
        }
    }
    if (lanes_busy(search))
        return;
    struct search_end end = {.settled = hits_settled(search)};
    struct page_key edge;
    if (boundary(search, &edge)) {
        end.has_edge = true;
        end.edge = edge;
    }
    end.settled = MIN_OF(end.settled, search->page_size);
    end.is_full = hits_settled(search) > end.settled;
    search->done(search, &end);
}

void search_start(struct search *search)
{
    search->low = search->high = search->target.id;
    if (search->target.is_run)
        chunk_run_range(&search->target.id, &search->low, &search->high);
    search->begun_us = clock_monotonic_us();
    search->scan.limit = search->page_size + 1;
    search->rows = ARENA_ARRAY(search->arena, struct index_row, INDEX_ROWS);
    search->index_more = search->index_busy = true;
    spool_start(search); /* before the database is asked */
    index_fetch(search);
}
