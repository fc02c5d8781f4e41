/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INGEST_SPOOL_H
#define INGEST_SPOOL_H
/*
 * The spool: append-only segment files of frames (record.h), written by group commit. While one
 * group is written and fsynced by a thread of the pool the next gathers; there is no timer, so a
 * lone record pays one fsync and a flood shares it. What is durable is handed to on_durable, in
 * order, and is read again from the files by whoever keeps a position (lsn) of his own. Segments go
 * when all readers have passed them. After a crash a torn tail is cut off; damage elsewhere is
 * reported and passed over. All but spool_range_read is for the loop's thread.
 */
#include "base/buf.h"
#include "base/error.h"
#include "loop/loop.h"

struct spool;
struct spool_options {
    const char *dir;        /* made when it is not there */
    uint64_t segment_bytes; /* a segment this large is closed */
    uint64_t bytes_max;     /* above it spool_is_full */
    uint64_t first_lsn;     /* of a spool without files */
};
struct spool_callbacks {
    /* Frames that are durable now; valid until it returns. At a replay too. */
    void (*on_durable)(struct slice frames, uint64_t lsn, void *userdata);
    /* Writing fails and is tried again (why), or works again (NULL). After a failed fsync nothing
     * can be trusted: fatal. */
    void (*on_trouble)(const char *why, bool fatal, void *userdata);
};
MUST_USE enum status spool_open(struct loop *loop, const struct spool_options *options,
                                const struct spool_callbacks *callbacks, void *userdata,
                                struct spool **ret, struct error *err);
/* Reads what a predecessor left and hands it to on_durable; once, before the first append. Blocks.
 */
MUST_USE enum status spool_replay(struct spool *spool, struct error *err);
/* Append one record: its payload to the buffer, which has room for RECORD_BYTES_MAX. spool_commit
 * returns the lsn behind it: durable once spool_durable has reached it. */
struct buf *spool_begin(struct spool *spool);
uint64_t spool_commit(struct spool *spool);

uint64_t spool_first(const struct spool *spool);   /* lsn of the oldest byte kept */
uint64_t spool_durable(const struct spool *spool); /* lsn behind the last durable record */
uint64_t spool_end(const struct spool *spool);     /* lsn behind the last record appended */
uint64_t spool_bytes(const struct spool *spool);   /* on the disk and gathered */
/* Too much is not released, or too much gathers: take no more for now. on_durable or spool_release
 * follows when that changes. */
bool spool_is_full(const struct spool *spool);
uint64_t spool_fsyncs(const struct spool *spool);

/* A run of durable bytes of one segment: taken on the loop, read on any thread, given back on the
 * loop. */
struct spool_range {
    struct segment *segment;
    uint64_t lsn;
    size_t len;
};
/* At most max bytes from lsn on, or from the next kept byte when those are gone; false when nothing
 * is durable behind lsn. */
bool spool_range(struct spool *spool, uint64_t lsn, size_t max, struct spool_range *ret);
MUST_USE enum status spool_range_read(const struct spool_range *range, char *out,
                                      struct error *err);
void spool_range_done(struct spool *spool, struct spool_range *range);
/* One frame's payload; for records that are known to be there. */
MUST_USE enum status spool_read_payload(struct spool *spool, uint64_t lsn, size_t len, char *out,
                                        struct error *err);

/* Segments that end at or before lsn may go. */
void spool_release(struct spool *spool, uint64_t lsn);
/* Calls done once all that was appended is durable, or cannot be made so. */
void spool_flush(struct spool *spool, void (*done)(void *userdata), void *userdata);
void spool_close(struct spool *spool); /* NULL allowed; nothing may be in flight */

#endif
