/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INGEST_LINES_H
#define INGEST_LINES_H
/*
 * Consecutive lines of one attempt: the form in which they stand in the spool, in the chunks of the
 * database and in memory while they are worked on. Made from a LogBlock that was checked; text is
 * valid UTF-8 without NUL from then on, and the times of an attempt never go back (a worker's clock
 * is not trusted: an earlier time becomes that of the line before, one from the future the
 * logger's). Pure: no I/O, no clock. Parsing is safe for any bytes.
 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/id.h"
#include "plankton/v1/task_logger.pb-c.h"

#define LOG_TEXT_BYTES_MAX ((size_t)1 << 20)  /* of one block */
#define LOG_LINE_BYTES_MAX ((size_t)64 << 10) /* of one line, before invalid bytes are replaced */
#define LOG_BLOCK_LINES_MAX ((size_t)65536)   /* of one block */
#define LOG_STEP_BYTES_MAX ((size_t)256)      /* of a step's id */
#define LOG_FUTURE_US_MAX (INT64_C(600) * 1000000) /* a worker's clock may be so far ahead */
/* Largest form of one block: three bytes for each invalid one, and the numbers of each line. */
#define LINES_BYTES_MAX (3 * LOG_TEXT_BYTES_MAX + LOG_BLOCK_LINES_MAX * 24 + 1024)

enum {
    LINES_LATE = 1,       /* of an attempt that was known to be closed when they came */
    LINES_UNVERIFIED = 2, /* taken while the database could not say whether it has them */
};

struct lines {
    uint64_t lsn;        /* place of their record in the spool: the order of arrival */
    struct id task, run; /* run: nil for a lone task */
    uint32_t namespace_id, attempt;
    uint64_t first_seq;
    int64_t received_us, first_us, last_us;
    uint32_t count;
    uint8_t flags;
    struct slice step;
    struct slice meta; /* packed lengths and times, then a byte a line */
    struct slice text;
};

struct line {
    uint64_t seq;
    int64_t unix_us;
    uint8_t stream_level; /* as in LogBlock */
    struct slice text;
};
/* for (struct line_walk walk = lines_walk(lines); lines_next(&walk, &line);) */
struct line_walk {
    const struct lines *lines;
    const uint8_t *numbers, *levels, *levels_end;
    size_t text_at;
    uint32_t index;
    int64_t unix_us;
};
struct line_walk lines_walk(const struct lines *lines);
bool lines_next(struct line_walk *walk,
                struct line *ret); /* false at the end or at what is malformed */

/* Is the block what the contract says? INVALID_ARGUMENT with a reason when not. The token is looked
 * at elsewhere. */
MUST_USE enum status lines_check(const Plankton__V1__LogBlock *block, struct error *err);

/* What the block itself does not say. */
struct lines_origin {
    struct id task, run;
    uint32_t namespace_id, attempt;
    uint32_t skip;         /* so many lines at the front are there already */
    int64_t not_before_us; /* time of the attempt's last line, INT64_MIN = none */
    int64_t received_us;
    uint8_t flags;
};
/* Appends the payload of a spool record to out, which must have room for LINES_BYTES_MAX; ret
 * describes it (pointing into out, lsn 0). */
void lines_put_record(struct buf *out, const Plankton__V1__LogBlock *block,
                      const struct lines_origin *origin, struct lines *ret);
/* payload: with its type byte (RECORD_LINES). */
bool lines_parse_record(struct slice payload, uint64_t lsn, struct lines *ret);

/* Levels and streams of the lines, a bit each; LINES_KINDS_ALL where it is not known. */
#define LINES_LEVEL_BIT(level) (UINT32_C(1) << (level))
#define LINES_STREAM_BIT(stream) (UINT32_C(1) << (8 + (stream)))
#define LINES_LEVELS UINT32_C(0x1f)
#define LINES_STREAMS UINT32_C(0x700)
uint32_t lines_kinds(const struct lines *lines);

/* Drops n < count lines at the front; memory from the arena. */
void lines_skip(struct arena *arena, struct lines *lines, uint32_t n);

/* The form within a chunk, which says for all its lines task, run, attempt, namespace and step. */
size_t lines_chunk_bytes(const struct lines *lines);
uint8_t *lines_put_chunk(uint8_t *at, const struct lines *lines);
/* Takes one from the front; what the chunk says stays in ret as it was. False at the end or at what
 * is malformed. */
bool lines_next_chunk(struct slice *chunk, struct lines *ret);

#endif
