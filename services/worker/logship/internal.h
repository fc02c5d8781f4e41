/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOGSHIP_INTERNAL_H
#define LOGSHIP_INTERNAL_H
/* What logs.c (lines into the spool), overflow.c (the spool's limit) and sender.c (the spool to the
 * logger) share. */
#include "logship/logs.h"
#include "plankton/v1/task_logger.pb-c.h"
#include "rpc/rpc.h"

#define SENDER_CHUNK_BYTES (512u << 10) /* read at a time; at least one record fits */
#define SENDER_REQUESTS_MAX 32          /* sent and not acknowledged */
#define SENDER_RETRY_MIN_MS 20

struct log_position {
    uint64_t segment, offset;
};
struct log_request {
    uint64_t number;
    struct log_position end;
};
/* What a call's callbacks hold: the sender may be stopped before the last of them comes. */
struct sender_call {
    struct logs *logs; /* NULL = stopped */
    struct rpc_call *call;
};
struct sender {
    struct rpc_channel *channel;
    struct sender_call *call; /* NULL while down */
    struct loop_timer *retry;
    uint64_t backoff_ms;
    uint64_t next_number;
    struct log_position sent, acknowledged;
    struct log_request requests[SENDER_REQUESTS_MAX]; /* a ring */
    size_t first, count;
    char *chunk; /* SENDER_CHUNK_BYTES, while a call is up */
    bool failed_before;
};
struct logs {
    struct loop *loop;
    struct logs_options options;
    char *authorization;
    struct segments *segments;
    struct journal *journal; /* only while the spool of a predecessor is read */
    struct loop_flush *flush;
    struct list dirty; /* batches with lines of this turn */
    struct list spare; /* batches for reuse */
    size_t spare_count;
    struct buf scratch;
    char *address;       /* NULL = not known yet, "" = nowhere */
    uint64_t gaps_until; /* segments up to here hold only what tells of dropped lines */
    uint64_t lines_total;
    bool drop_told; /* lines were dropped since the logger last answered: said once */
    bool refused;   /* the disk refuses: said once */
    struct sender sender;
    void (*on_settled)(void *userdata);
    void *settled_userdata;
};

/* A block into the spool; false when it takes no more (the lines are missing from then on, and
 * their numbers show it). */
bool logs__append_block(struct logs *logs, const Plankton__V1__LogBlock *block);
void logs__limit(struct logs *logs); /* drops what is over spool_bytes */

void sender_start(struct logs *logs);
void sender_stop(struct logs *logs);
void sender_pump(struct logs *logs); /* sends what it may */
/* The segment was rewritten: what was sent of it is sent again. */
void sender_rewind(struct logs *logs, uint64_t segment);
void sender_check_settled(struct logs *logs);

#endif
