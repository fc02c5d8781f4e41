/* SPDX-License-Identifier: Apache-2.0 */
/* Group commit: batches in flight, their answers, and what follows from a lost one. */
#include <stdlib.h>

#include "log/log.h"
#include "store_internal.h"

bool store_may_write(const struct store *store)
{
    return store->in_flight < STORE_BATCHES_IN_FLIGHT;
}

static void op_finish(struct store_op *op)
{
    struct store *store = op->store;

    store->in_flight--;
    op->done(op->durable, op->events, op->durable ? op->events_len : 0, op->userdata);
    arena_fini(&op->arena);
    free(op);
}

/* Hands over, in order, what has been answered. */
static void ops_drain(struct store *store)
{
    while (store->ops && store->ops->answered) {
        struct store_op *op = store->ops;
        store->ops = op->next;
        if (!store->ops)
            store->ops_tail = &store->ops;
        op_finish(op);
    }
    write_idle_check(store);
}

static void op_committed(struct store_op *op)
{
    struct store *store = op->store;
    uint64_t valid_us = lease_valid_us(store, op->sent_us);

    for (uint32_t s = 0; s < op->batch->shards_len; s++) {
        const struct engine_shard_batch *shard = &op->batch->shards[s];
        struct shard_slot *slot = &store->shards[shard->shard];

        store->clock_us = MAX_OF(store->clock_us, shard->clock_us);
        if (slot->epoch == shard->epoch && slot->state == SHARD_OWNED)
            slot->valid_until_us = MAX_OF(slot->valid_until_us, valid_us);
    }
    ops_drain(store);
}

/*
 * All its shards are given up before anybody hears of it: a batch without rows that waits behind
 * this one is done, but what it says of these shards comes from memory that is gone. Another batch
 * in flight behind it fails at its fence.
 */
static void op_lost(struct store_op *op, const char *why)
{
    struct store *store = op->store;
    uint16_t lost[SHARDS_MAX];
    uint32_t lost_len = 0;

    for (uint32_t s = 0; s < op->batch->shards_len; s++) {
        const struct engine_shard_batch *shard = &op->batch->shards[s];

        if (store->shards[shard->shard].epoch == shard->epoch &&
            keeper_give_up(store, shard->shard))
            lost[lost_len++] = shard->shard;
    }
    ops_drain(store); /* op is gone */
    for (uint32_t i = 0; i < lost_len; i++)
        store->callbacks.on_lost(lost[i], why, store->userdata);
    if (lost_len > 0)
        keeper_acquire_soon(store, 0);
}

static void op_answered(enum db_outcome outcome, struct db_result *const *results, size_t n,
                        const struct error *err, void *userdata)
{
    struct store_op *op = userdata;

    op->answered = true;
    if (outcome != DB_COMMITTED) {
        log_warn("store.batch_lost",
                 LOG_STR("outcome", outcome == DB_FAILED ? "failed" : "unknown"), LOG_ERR(err));
        op_lost(op, "a batch has failed");
    } else {
        op->durable = true;
        op_committed(op);
    }
}

static void op_send(struct store_op *op)
{
    struct db_txn *txn = db_txn_new(op->store->writer);

    op->sent_us = lease_clock_us();
    columns_add(op, txn);
    db_txn_send(txn, op_answered, op);
}

static void rowless_due(void *userdata)
{
    ops_drain(userdata);
}

void store_write(struct store *store, const struct engine_batch *batch, store_written_fn done,
                 void *userdata)
{
    struct store_op *op = mem_zalloc(sizeof *op);

    op->store = store;
    op->batch = batch;
    op->done = done;
    op->userdata = userdata;
    arena_init(&op->arena, 0);
    *store->ops_tail = op;
    store->ops_tail = &op->next;
    store->in_flight++;
    if (batch->shards_len) {
        op_send(op);
        return;
    }
    op->answered = op->durable = true;
    if (store->ops == op)
        loop_defer(store->loop, rowless_due, store);
}
