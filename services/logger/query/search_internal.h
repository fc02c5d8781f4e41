/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUERY_SEARCH_INTERNAL_H
#define QUERY_SEARCH_INTERNAL_H
#include "query/scan.h"

#define SEARCH_LANES 3 /* batches of one search that are read or searched at once */

/* A chunk that may hold what is looked for. */
struct index_row {
    struct id task;
    uint32_t attempt;
    uint64_t first_seq;
    int64_t first_us;
    size_t raw_bytes;
};
struct lane_chunk {
    struct id task;
    uint32_t attempt, namespace_id;
    size_t raw_bytes;
    struct slice step, data;
};
struct search_lane {
    struct search *search;
    bool busy;
    struct page_key first; /* no line of the batch comes before it */
    struct arena *arena;
    struct lines *spool; /* records, instead of chunks */
    size_t spool_count;
    struct lane_chunk *chunks;
    size_t chunk_count;
    struct scan_room room;
    struct scan_hits hits;
    struct error err;
};
struct search_end {
    size_t settled; /* hits of the page */
    bool is_full;   /* there are more, behind the last of these */
    bool has_edge;  /* lines were left unread; the first of them stands here or behind it */
    struct page_key edge;
};
struct search {
    struct query *query;
    struct arena *arena;
    struct target target;
    struct scan scan;
    size_t page_size;
    void (*done)(struct search *search, const struct search_end *end); /* or err is set */
    struct error err;
    /* hits so far, in order: a page and one more */
    struct page_line *hits;
    size_t hit_count;
    struct arena *hit_arena;
    size_t chunks_read;
    /* under way */
    struct id low, high; /* between which the ids of its tasks lie */
    uint64_t begun_us;
    struct index_row *rows;
    size_t row_count, row_at;
    bool index_more, index_busy;
    struct page_key index_after; /* the last row of the index that was read */
    bool has_spool_boundary;
    struct page_key spool_boundary;
    struct search_lane lanes[SEARCH_LANES];
};
/* target, scan (but limit), page_size, arena, done are set; hit_arena is the caller's to free. */
void search_start(struct search *search);

#endif
