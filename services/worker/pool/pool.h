/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POOL_POOL_H
#define POOL_POOL_H
/*
 * All attempts of this process. The session gives leases in and takes results out; types start and
 * end attempts. Results of journaled types are synced in groups: one job on another thread at a
 * time, which covers everything that finished before it began. How many leases to ask for is a
 * window: it grows by one for each lease that starts at once and falls back to what runs (and a
 * little ahead) when one has to wait, so that tasks that cost nothing flow by the thousand and long
 * ones do not gather here unserved.
 */
#include "pool/attempt.h"
#include "worker.h"

#define POOL_UNACKED_MAX                                                                           \
    50000 /* results waiting for their acknowledgement, before no more leases are asked for */

struct pool;
/* Attempts of a predecessor that died; in shard->gone. */
struct gone {
    struct list node;
    struct journal_entry *entry;
    uint64_t reported_nonce; /* session that was told; 0 = none */
};

/* changed: results are ready or slots are free; at most once a turn, from the loop. */
struct pool *pool_new(struct worker *worker, void (*changed)(void *userdata), void *userdata);
void pool_free(struct pool *pool);
void pool_recover(
    struct pool *pool); /* what the journal has left; once, before the first session */
struct shards *pool_shards(struct pool *pool);
struct worker *pool_worker(struct pool *pool);

/* ---- the session's side ---- */
enum pool_accept { POOL_ACCEPTED, POOL_DECLINED, POOL_IGNORED };
/* reason: set when declined. */
enum pool_accept pool_accept(struct pool *pool, struct shard *shard,
                             const Plankton__V1__Lease *lease, const char **ret_reason);
void pool_recorded(struct pool *pool,
                   const ProtobufCBinaryData *token);                 /* acknowledged: forgotten */
void pool_stale(struct pool *pool, const ProtobufCBinaryData *token); /* killed and forgotten */
void pool_cancel(struct pool *pool, const ProtobufCBinaryData *token, uint32_t grace_ms);
/* A new session of the shard: everything finished goes to its uplink's outbox again, oldest first.
 */
void pool_resend(struct pool *pool, struct shard *shard);
/* The uplink is gone: its outbox empties, its shards have no session. */
void pool_lose(struct pool *pool, struct uplink *uplink);
/* Sent: what the journal has need not stay in memory. */
void pool_sent(struct pool *pool, struct attempt *attempt);
/* How many leases may be under way or held unfinished. */
size_t pool_window(const struct pool *pool);
size_t pool_unfinished(const struct pool *pool); /* queued and running */
size_t pool_running(const struct pool *pool);
size_t pool_unacked(const struct pool *pool);
/* Fills in the message; the parts must be initialised and live as long as it is used. */
void attempt_result(const struct attempt *attempt, Plankton__V1__Result *result,
                    Plankton__V1__Json *output, Plankton__V1__Failure *failure,
                    Plankton__V1__Json *details);
void pool_forget_gone(struct pool *pool, struct shard *shard, struct gone *gone);
/* Looks at the progress files of what runs; calls fn for each change. */
void pool_progress(struct pool *pool, void (*fn)(struct attempt *attempt, void *userdata),
                   void *userdata);

/* ---- the types' side: each attempt ends by exactly one of these ---- */
struct arena *attempt_arena(struct attempt *attempt);
void attempt_succeed(struct attempt *attempt,
                     struct slice output); /* JSON in the attempt's arena, or constant */
/* code is constant; message and details (JSON or NULL) are copied. */
void attempt_fail(struct attempt *attempt, const char *code, bool non_retryable,
                  const char *details, const char *message, ...) PRINTF_LIKE(5, 6);
/* BAD_INPUT, not retryable, with the path of the field at fault. */
void attempt_bad_input(struct attempt *attempt, const char *field, const char *message, ...)
    PRINTF_LIKE(3, 4);
void attempt_log(struct attempt *attempt, enum log_source source, enum log_severity severity,
                 bool continued, struct slice text);
struct worker *attempt_worker(const struct attempt *attempt);

/* Log lines are about to leave the spool: the journal learns how far the logs of what runs have
 * come. */
void pool_note_sequences(struct pool *pool);

/* ---- shutdown ---- */
void pool_drain(
    struct pool *pool); /* no new starts: what waits is given back by pool_take_queued */
struct attempt *
pool_take_queued(struct pool *pool); /* next one that waits, to be declined; then pool_decline it */
void pool_decline(struct pool *pool, struct attempt *attempt);
/* Stops what runs without a report: the journal keeps it, the next process says that it is gone. */
void pool_abandon(struct pool *pool);
bool pool_is_empty(
    const struct pool *pool); /* nothing runs, waits, or has an unacknowledged result */

#endif
