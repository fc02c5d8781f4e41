/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H
/*
 * The heart of the controller: tasks, runs, leases, queues and sessions of the shards it owns, in
 * memory. Pure: no clock, no randomness, no I/O, no threads, no locks; the same commands give the
 * same batches. One engine a process, any number of shards.
 *
 * The host's turn: engine_apply for each thing that came in; engine_take_immediate, and act on it;
 * when the store has room for a batch (at most two are in flight) engine_cut, write it, and after
 * its commit release the effects and apply DURABLE for each of its shards. A timer at
 * engine_next_due_us applies TICK. On any error of a batch: DROP each of its shards, answer the
 * tickets of this batch and of all that were cut behind it for these shards UNAVAILABLE, take new
 * epochs, load anew.
 *
 * DURABLE goes with the release of a batch's effects. A DROP gives back the credit of leases that
 * were not durable (their dispatch has not left), so the host throws those effects away and no
 * others.
 *
 * Tickets still inside the engine at a DROP (replies not yet cut, watches, submits that wait for a
 * key) are answered UNAVAILABLE by the engine, as immediate effects.
 */
#include "base/arena.h"
#include "engine/engine_batch.h"
#include "engine/engine_command.h"
#include "engine/engine_types.h"

struct engine;

struct engine_config {
    int64_t lease_ms;      /* no heartbeat for so long: the worker's leases are lost */
    int64_t grace_ms;      /* of orphan leases after a load */
    int64_t cancel_ms;     /* longest wait for a worker that was asked to stop */
    int64_t carry_ms;      /* leases older than this are carried forward in the journal */
    int64_t park_ms;       /* older or later due than this: parked; ≤ ENGINE_YOUNG_MS / 2 */
    int64_t sweep_ms;      /* every non-terminal task is looked at so often */
    uint32_t lost_max;     /* a task whose workers were lost so often has failed */
    uint32_t window_tasks; /* ready tasks of one queue held in memory */
    uint32_t closed_max;   /* finished attempts remembered to answer repeats from memory */
    uint32_t tasks_max;    /* in memory; more submits are refused RESOURCE_EXHAUSTED */
    uint32_t unclean_max;  /* takeovers in a row without release before going carefully */
};
/* 8 s, 8 s, 30 s, 60 s, 60 s, 5 s, 3, 100,000, 65,536, 2,000,000, 3 */
void engine_config_default(struct engine_config *config);

struct engine *engine_new(const struct engine_config *config);
void engine_free(struct engine *engine); /* NULL allowed; tickets are not answered */

/* Takes one command; texts are copied. Never fails: refusals are replies. */
void engine_apply(struct engine *engine, const struct engine_command *command);

/*
 * Moves all immediate effects out; *ret is NULL when there are none. The arena must be empty (new
 * or reset): the engine swaps it for its own.
 */
void engine_take_immediate(struct engine *engine, struct arena *arena, struct engine_effect **ret);

/* True when a cut would give rows or effects. */
bool engine_has_batch(const struct engine *engine);
/*
 * Moves everything since the last cut out. The arena must be empty: the engine swaps it for its
 * own, and all pointers in *ret live as long as it. Gives an empty batch when there is nothing.
 */
void engine_cut(struct engine *engine, struct arena *arena, struct engine_batch *ret);

/* When TICK is next needed; ENGINE_FOREVER when never. */
int64_t engine_next_due_us(const struct engine *engine);

/* The hash by which load_begin.key_hashes is to be filled. */
uint64_t engine_key_hash(uint32_t namespace_id, const char *key);

bool engine_owns(const struct engine *engine, uint16_t shard);      /* loaded, door open */
uint32_t engine_epoch(const struct engine *engine, uint16_t shard); /* 0 = not loaded */

/* Why an unfinished lone task waits that is on disk only (a reply said not_in_memory). */
const char *engine_waiting_for(const struct engine *engine, const struct engine_task_row *row,
                               struct arena *arena);

/* What is wrong now: at most ENGINE_FINDINGS_MAX of a kind, and of queues without a worker those
 * whose first task has waited so long. */
const struct engine_finding *engine_findings(const struct engine *engine, int64_t no_worker_us,
                                             struct arena *arena, uint32_t *ret_len);

/* Live gauges and counters of the process, for metrics and pages; sums over its shards. */
struct engine_stats {
    uint64_t tasks_by_state[ENGINE_TASK_STATES]; /* in memory */
    uint64_t runs_live, tasks_in_memory, bytes_in_memory;
    uint64_t leases_open, workers_connected, streams;
    uint64_t stuck; /* found by the last complete pass of the sweep; must be 0 */
    uint64_t submitted, dispatched, succeeded, failed, cancelled, lost, stale, duplicates;
};
void engine_stats(const struct engine *engine, struct engine_stats *ret);

/* The transition table, for docs and tests: true when a task may move so. */
bool engine_task_may_move(enum engine_task_state from, enum engine_task_state to);
bool engine_run_may_move(enum engine_run_state from, enum engine_run_state to);

#endif
