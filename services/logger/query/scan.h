/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUERY_SCAN_H
#define QUERY_SCAN_H
/*
 * Looks for a text in blocks of lines. A block's text is searched as a whole, and only where it
 * holds what is looked for are its lines walked. Runs on threads of the pool; pure.
 */
#include "query/query_internal.h"

struct scan {
    enum page_order order;
    struct slice text;        /* empty: every line fits; lower case when ignores_case */
    bool ignores_case;        /* of A to Z */
    uint32_t levels, streams; /* LINES_…_BIT of those that fit */
    uint32_t attempt;         /* 0 = all */
    struct slice step;        /* empty = all */
    int64_t since_us, until_us;
    bool has_cursor, from_cursor; /* lines behind the cursor; the cursor's own, too */
    struct page_key cursor;
    size_t limit; /* no more of one chunk are wanted */
};
struct scan_hits {
    struct arena *arena;
    struct page_line *lines; /* their text and lines are copies in the arena */
    size_t count, cap;
};
/* Room that is used again from block to block. */
struct scan_room {
    char *data;
    size_t bytes;
};
void scan_room_fini(struct scan_room *room);

void scan_lower(char *out, const char *text, size_t len); /* A to Z become a to z */
/* Adds the lines of the block that fit; chunk_begin: hits->count before the chunk. False: no more
 * of this chunk are wanted. */
bool scan_lines(const struct scan *scan, const struct lines *lines, struct scan_room *room,
                size_t chunk_begin, struct scan_hits *hits);

#endif
