/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUERY_QUERY_INTERNAL_H
#define QUERY_QUERY_INTERNAL_H
#include "base/list.h"
#include "query/query.h"

/* Whose lines or events are asked for. */
#define QUERY_UNIX_US_MAX                                                                          \
    (INT64_C(250000000000) * 1000000) /* later than any line, and a time for PostgreSQL */
struct target {
    struct id id;
    bool is_run;
    uint32_t namespace_id;
    uint32_t attempt; /* of a task; 0 = all */
};

/* Hears of everything durable about a task or run. */
struct watch {
    struct map_node node;
    struct id id;
    void (*on_lines)(struct watch *watch, const struct lines *lines);
    void (*on_event)(struct watch *watch, const struct event_ref *event);
};

struct query {
    struct loop *loop;
    struct query_options options;
    struct ingest *ingest;
    struct store *store;
    struct map watches;
    struct list tails;
    size_t watch_count, tail_count;
    size_t searches; /* under way */
};
void watch_add(struct query *query, struct watch *watch, const struct id *id);
void watch_remove(struct query *query, struct watch *watch); /* idempotent */

/* ---- pages of lines ---- */

enum page_order {
    PAGE_TASK,    /* attempt, seq */
    PAGE_RUN,     /* time, task, attempt, seq */
    PAGE_ARRIVAL, /* place in the spool */
};
struct page_key {
    struct id task;
    uint64_t seq, lsn;
    int64_t unix_us;
    uint32_t attempt, index; /* index: of the line within its record */
};
int page_key_cmp(enum page_order order, const struct page_key *a, const struct page_key *b);
struct page_key page_key_of(const struct lines *lines, const struct line *line);
struct page_line {
    struct page_key key;
    int64_t received_us;
    const struct lines *lines;
    uint8_t stream_level;
    struct slice text;
};
struct page {
    struct page_line *lines; /* oldest first */
    size_t count;
    bool more;
};
struct page_request {
    struct target target;
    enum page_order order;
    bool back; /* the last lines before the cursor instead of the first ones behind it */
    bool has_cursor;
    struct page_key cursor;
    size_t limit; /* lines */
};
/* page (in the arena) or err; from the loop. */
typedef void (*page_done_fn)(const struct page *page, const struct error *err, void *userdata);
void page_read(struct query *query, struct arena *arena, const struct page_request *request,
               page_done_fn done, void *userdata);

/* Sorts what was read, drops duplicates, what is not behind the cursor, and what the boundary (NULL
 * = none) forbids, and cuts. */
struct page_source {
    const struct lines *lines; /* array */
    size_t count;
};
void page_assemble(struct arena *arena, const struct page_request *request,
                   const struct page_source *sources, size_t n, const struct page_key *boundary,
                   bool more, struct page *ret);

/* ---- history and what is there ---- */

struct history_event {
    uint32_t timeline;
    uint16_t shard;
    int64_t received_us;
    struct event_ref event;
};
struct coverage {
    struct id task;
    uint32_t attempt;
    uint64_t lines, last_seq, last_lsn; /* how many there are; the highest of them */
    bool is_stored;
};
struct closed {
    struct id task;
    uint32_t attempt;
    int64_t received_us;
};
struct history {
    struct history_event *events; /* in order */
    size_t count;
    struct coverage *coverage; /* of attempts with lines */
    size_t coverage_count;
    struct closed *closed; /* attempts that were given up */
    size_t closed_count;
};
typedef void (*history_done_fn)(const struct history *history, const struct error *err,
                                void *userdata);
void history_read(struct query *query, struct arena *arena, const struct target *target,
                  history_done_fn done, void *userdata);
bool history_is_over(const struct history *history, const struct target *target); /* terminal */
const struct coverage *history_coverage(const struct history *history, const struct id *task,
                                        uint32_t attempt);
/* Terminal, and every line that the results say to exist is there. */
bool history_is_complete(const struct history *history, const struct target *target);
/* When the controller gave the attempt up; INT64_MAX = it did not. */
int64_t history_closed_us(const struct history *history, const struct id *task, uint32_t attempt);

/* ---- shared by the calls ---- */

/* ids that do not parse are unknown ones. */
MUST_USE enum status target_parse(const char *text, bool is_run, uint32_t namespace_id,
                                  uint32_t attempt, struct target *ret, struct error *err);
enum status target_unknown(const struct target *target, struct error *err);
/* Made so short a time ago that its events may not be here yet. */
bool target_is_young(const struct query *query, const struct target *target);
MUST_USE enum status page_size_check(int32_t page_size, size_t *ret_limit, struct error *err);
/* history may be NULL: then only what was known when the line came makes it late. */
Plankton__V1__LogLine *log_line_make(struct arena *arena, const struct page_line *line,
                                     const struct history *history);
void timestamp_set(struct arena *arena, int64_t unix_us, Google__Protobuf__Timestamp **ret);

#endif
