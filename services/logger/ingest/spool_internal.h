/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INGEST_SPOOL_INTERNAL_H
#define INGEST_SPOOL_INTERNAL_H
#include "base/list.h"
#include "ingest/record.h"
#include "ingest/spool.h"

#define SPOOL_GATHER_BYTES ((size_t)16 << 20) /* more than that waits elsewhere */
#define SPOOL_BUFFER_BYTES_MAX                                                                     \
    ((size_t)1 << 30) /* what was under way when the limit was met still fits */
#define SPOOL_BUFFER_KEPT_BYTES ((size_t)256 << 10) /* one of which more was used is given back */

struct segment {
    struct list link;
    uint64_t start; /* lsn of its first byte; its name */
    uint64_t size;  /* durable bytes */
    int fd;         /* -1 until it is written */
    bool named;     /* its entry in the directory is durable */
    uint32_t refs;  /* the list's and those of ranges */
    bool doomed;    /* unlink when the last reference goes */
    char path[];
};

struct spool {
    struct loop *loop;
    struct spool_options options;
    struct spool_callbacks callbacks;
    void *userdata;
    char *dir;
    struct list segments; /* oldest first */
    uint64_t durable;
    uint64_t released; /* all readers have passed everything before it */
    struct buf gather, writing, spare;
    size_t head; /* of the frame that is being appended */
    struct loop_flush *flush;
    struct loop_timer *retry;
    bool busy, is_fatal, in_trouble;
    /* of the group that is written */
    struct segment *target;
    int failed_errno;
    bool sync_failed;
    uint64_t write_us, fsyncs;
    void (*flush_done)(void *userdata);
    void *flush_userdata;
};

struct spool *spool_make(struct loop *loop, const struct spool_options *options,
                         const struct spool_callbacks *callbacks, void *userdata);
void spool_start_group(struct spool *spool);
struct segment *segment_new(struct spool *spool,
                            uint64_t start); /* at the end of the list; no file yet */
void segment_drop(struct segment *segment);  /* off the list */

#endif
