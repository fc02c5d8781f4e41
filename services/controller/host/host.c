/* SPDX-License-Identifier: Apache-2.0 */
#include "host/host.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/planted.h"
#include "log/log.h"
#include "plans.h"
#include "tickets.h"

#define BATCH_FLUSH_ORDER 15 /* after the handlers of the turn, before the database's own flush */
#define BATCHES_POOLED 4
#define RANDOMS 64

struct host_batch {
    struct host *host;
    struct host_batch *next; /* in the pool */
    struct arena arena;
    struct engine_batch batch;
};

/* A read of the engine's own on its way. */
struct host_read {
    struct host *host;
    uint16_t shard;
    uint32_t epoch; /* an answer for an older epoch is thrown away */
};

struct host {
    struct loop *loop;
    struct engine *engine;
    struct store *store;
    struct host_callbacks callbacks;
    void *userdata;
    struct tickets tickets;
    struct plans plans;
    struct store_cluster cluster;
    int64_t base_us;       /* engine time at … */
    uint64_t base_mono_us; /* … this monotonic time */
    struct loop_flush *flush;
    struct loop_timer *timer;
    int64_t armed_us;
    struct host_batch *pool;
    size_t pooled;
    struct arena immediate;
    uint64_t randoms[RANDOMS];
    size_t randoms_left;
};

/* ---- time ---- */

int64_t host_now_us(struct host *host)
{
    return host->base_us + (int64_t)(clock_monotonic_us() - host->base_mono_us);
}

/* A jump forward may fire backoffs early; it never goes back. */
static void advance_time(struct host *host, int64_t at_least_us)
{
    if (at_least_us > host_now_us(host)) {
        host->base_us = at_least_us;
        host->base_mono_us = clock_monotonic_us();
        host->armed_us = 0; /* the timer was set by the old time */
    }
}

static void timer_due(void *userdata)
{
    struct host *host = userdata;
    struct engine_command tick = {.kind = ENGINE_TICK};

    host->armed_us = ENGINE_FOREVER;
    host_apply(host, &tick);
}

static void arm_timer(struct host *host)
{
    int64_t due_us = engine_next_due_us(host->engine);

    if (due_us == host->armed_us)
        return;
    host->armed_us = due_us;
    if (due_us == ENGINE_FOREVER) {
        loop_timer_stop(host->timer);
        return;
    }
    int64_t wait_us = due_us - host_now_us(host);
    loop_timer_start(host->timer, wait_us > 0 ? (uint64_t)(wait_us + 999) / 1000 : 0, 0);
}

/* ---- effects ---- */

static void read_answered(const struct engine_command *command, void *userdata)
{
    struct host_read *read = userdata;
    struct host *host = read->host;

    if (!command) {
        /* the engine must not wait for ever for what cannot be read: one recovery path */
        store_drop(host->store, read->shard, "a read has failed");
    } else if (engine_epoch(host->engine, read->shard) == read->epoch) {
        struct engine_command copy = *command;
        host_apply(host, &copy);
    }
    free(read);
}

static struct host_read *read_new(struct host *host, uint16_t shard)
{
    struct host_read *read = mem_zalloc(sizeof *read);

    *read = (struct host_read){
        .host = host, .shard = shard, .epoch = engine_epoch(host->engine, shard)};
    return read;
}

/* True when it was for a worker. */
static bool effect_release(struct host *host, const struct engine_effect *effect)
{
    switch (effect->kind) {
    case ENGINE_REPLY:
        tickets_reply(&host->tickets, &effect->reply);
        return false;
    case ENGINE_WATCH_UPDATE:
    case ENGINE_WATCH_END:
        tickets_update(&host->tickets, effect);
        return false;
    case ENGINE_KEY_LOOKUP:
        store_key_lookup(host->store, &effect->key_lookup, read_answered,
                         read_new(host, effect->key_lookup.shard));
        return false;
    case ENGINE_TASK_LOOKUP:
        store_task_lookup(host->store, &effect->task_lookup, read_answered,
                          read_new(host, id_shard(&effect->task_lookup.id)));
        return false;
    case ENGINE_REFILL:
        store_refill(host->store, effect->refill.shard, &effect->refill, read_answered,
                     read_new(host, effect->refill.shard));
        return false;
    case ENGINE_SHARD_LOST:
        log_warn("shard.deposed", LOG_U64("shard", effect->take.shard),
                 LOG_U64("epoch_seen", effect->take.epoch));
        return false; /* the next fence fails and the store drops the shard */
    default:
        host->callbacks.on_worker_effect(effect, host->userdata);
        return true;
    }
}

/* The caller does not learn what has become of it, and repeats it by key. */
static void effect_withhold(struct host *host, const struct engine_effect *effect)
{
    if (effect->kind == ENGINE_REPLY)
        tickets_unavailable(&host->tickets, effect->reply.ticket);
    else if (effect->kind == ENGINE_WATCH_END)
        tickets_end(&host->tickets, effect->watch.ticket, STATUS_UNAVAILABLE);
}

/*
 * Past the lease nothing may leave: neither a read, which could be old, nor a dispatch. What is
 * withheld is owed by memory that thinks it has left, so the shard starts anew.
 */
static bool may_act(struct host *host, uint16_t shard)
{
    if (shard == ENGINE_NO_SHARD || store_shard_valid(host->store, shard))
        return true;
    store_drop(host->store, shard, "the lease has passed before its effects left");
    return false;
}

static void immediate_release(struct host *host)
{
    struct engine_effect *effects = NULL;
    bool for_workers = false;

    engine_take_immediate(host->engine, &host->immediate, &effects);
    for (const struct engine_effect *effect = effects; effect; effect = effect->next)
        for_workers |= effect_release(host, effect);
    if (for_workers)
        host->callbacks.on_worker_flush(host->userdata);
    arena_reset(&host->immediate);
}

/* ---- batches ---- */

static struct host_batch *batch_get(struct host *host)
{
    struct host_batch *batch = host->pool;

    if (batch) {
        host->pool = batch->next;
        host->pooled--;
        return batch;
    }
    batch = mem_zalloc(sizeof *batch);
    batch->host = host;
    arena_init(&batch->arena, 0);
    return batch;
}

static void batch_put(struct host_batch *batch)
{
    struct host *host = batch->host;

    arena_reset(&batch->arena);
    if (host->pooled < BATCHES_POOLED) {
        batch->next = host->pool;
        host->pool = batch;
        host->pooled++;
        return;
    }
    arena_fini(&batch->arena);
    free(batch);
}

/*
 * What is told of the shards of a batch, decided once for each. What a lost batch says of other
 * shards stands: it rests on batches before it.
 */
struct verdicts {
    struct host *host;
    const struct engine_batch *batch;
    bool *released; /* of each shard of the batch */
    uint16_t last_shard;
    bool last;
};

static bool verdict(struct verdicts *verdicts, uint16_t shard)
{
    if (shard == verdicts->last_shard)
        return verdicts->last;
    verdicts->last_shard = shard;
    for (uint32_t i = 0; i < verdicts->batch->shards_len; i++)
        if (verdicts->batch->shards[i].shard == shard)
            return verdicts->last = verdicts->released[i];
    return verdicts->last = may_act(verdicts->host, shard);
}

static void effects_release(struct verdicts *verdicts)
{
    struct host *host = verdicts->host;
    bool for_workers = false;

    for (const struct engine_effect *effect = verdicts->batch->effects; effect;
         effect = effect->next) {
        if (verdict(verdicts, effect->shard))
            for_workers |= effect_release(host, effect);
        else
            effect_withhold(host, effect);
    }
    if (for_workers)
        host->callbacks.on_worker_flush(host->userdata);
}

static void batch_written(bool durable, const struct store_events *events, size_t n, void *userdata)
{
    struct host_batch *batch = userdata;
    struct host *host = batch->host;
    uint32_t shards_len = batch->batch.shards_len;
    struct verdicts verdicts = {.host = host,
                                .batch = &batch->batch,
                                .released = ARENA_ARRAY(&batch->arena, bool, shards_len + 1),
                                .last_shard = ENGINE_NO_SHARD,
                                .last = true};

    for (uint32_t i = 0; durable && i < shards_len; i++) {
        const struct engine_shard_batch *shard = &batch->batch.shards[i];
        struct engine_command command = {
            .kind = ENGINE_DURABLE,
            .durable = {.shard = shard->shard, .epoch = shard->epoch, .seq = shard->seq}};

        verdicts.released[i] = may_act(host, shard->shard);
        if (verdicts.released[i])
            host_apply(host, &command);
    }
    for (size_t i = 0; i < n; i++)
        host->callbacks.on_events(&events[i], host->userdata);
    effects_release(&verdicts);
    batch_put(batch);
    loop_flush_mark(host->flush);
}

/* What is said leaves before it is true. */
static void plant_early_effects(struct host_batch *batch)
{
    for (const struct engine_effect *effect = batch->batch.effects; effect; effect = effect->next)
        effect_release(batch->host, effect);
    batch->host->callbacks.on_worker_flush(batch->host->userdata);
    batch->batch.effects = NULL;
}

static void turn(void *userdata)
{
    struct host *host = userdata;

    immediate_release(host);
    while (store_may_write(host->store) && engine_has_batch(host->engine)) {
        struct host_batch *batch = batch_get(host);
        engine_cut(host->engine, &batch->arena, &batch->batch);
        if (planted("ack_before_commit"))
            plant_early_effects(batch);
        store_write(host->store, &batch->batch, batch_written, batch);
        immediate_release(host);
    }
    arm_timer(host);
}

/* ---- the store's callbacks ---- */

static void store_cluster_known(const struct store_cluster *cluster, void *userdata)
{
    struct host *host = userdata;

    host->cluster = *cluster;
    advance_time(host, cluster->now_us);
    host->callbacks.on_cluster(cluster, host->userdata);
}

static void store_load(const struct engine_command *command, void *userdata)
{
    struct host *host = userdata;
    struct engine_command copy = *command;

    if (copy.kind == ENGINE_LOAD_BEGIN)
        advance_time(host, copy.load_begin.clock_us);
    host_apply(host, &copy);
    if (copy.kind == ENGINE_LOAD_BEGIN)
        host->callbacks.on_shard(copy.load_begin.shard, copy.load_begin.epoch,
                                 copy.load_begin.event_acked, host->userdata);
}

static void store_lost(uint16_t shard, const char *why, void *userdata)
{
    struct host *host = userdata;
    struct engine_command drop = {.kind = ENGINE_DROP, .shard = {.shard = shard}};

    log_info("shard.lost", LOG_U64("shard", shard), LOG_STR("why", why));
    host_apply(host, &drop);
    host->callbacks.on_shard(shard, 0, 0, host->userdata);
}

static void store_health(const char *why, void *userdata)
{
    struct host *host = userdata;

    host->callbacks.on_health(why, host->userdata);
}

static enum status store_plan_of(const struct id *plan_id, uint32_t version, struct slice document,
                                 struct engine_plan *ret, void *userdata, struct error *err)
{
    return host_plan(userdata, plan_id, version, document, ret, err);
}

static void store_plan_done(struct engine_plan *plan, void *userdata)
{
    plan->release(plan->owner);
}

/* ---- public ---- */

static struct engine *make_engine(const struct engine_config *config)
{
    struct engine_config own = *config;

    if (planted("sweep_forgets")) /* a silent worker is waited for for ever */
        own.lease_ms = own.grace_ms = INT64_C(365) * 24 * 3600 * 1000;
    if (planted("no_grace"))
        own.grace_ms = 0;
    return engine_new(&own);
}

struct host *host_new(struct loop *loop, const struct engine_config *config,
                      const struct store_options *options, const struct host_callbacks *callbacks,
                      void *userdata)
{
    static const struct store_callbacks store_callbacks = {
        .on_cluster = store_cluster_known,
        .on_load = store_load,
        .on_lost = store_lost,
        .on_health = store_health,
        .plan_of = store_plan_of,
        .plan_done = store_plan_done,
    };
    struct host *host = mem_zalloc(sizeof *host);

    host->loop = loop;
    host->callbacks = *callbacks;
    host->userdata = userdata;
    host->base_us =
        0; /* until the database has said what time it is: this machine's is not asked */
    host->base_mono_us = clock_monotonic_us();
    host->armed_us = ENGINE_FOREVER;
    tickets_init(&host->tickets);
    plans_init(&host->plans);
    arena_init(&host->immediate, 0);
    host->engine = make_engine(config);
    host->flush = loop_flush_new(loop, BATCH_FLUSH_ORDER, turn, host);
    host->timer = loop_timer_new(loop, timer_due, host);
    host->store = store_new(loop, options, &store_callbacks, host);
    return host;
}

void host_stop(struct host *host, void (*stopped)(void *userdata), void *userdata)
{
    store_stop(host->store, stopped, userdata);
}

void host_free(struct host *host)
{
    if (!host)
        return;
    store_free(host->store);
    engine_free(host->engine);
    loop_flush_free(host->flush);
    loop_timer_free(host->timer);
    for (struct host_batch *batch; (batch = host->pool);) {
        host->pool = batch->next;
        arena_fini(&batch->arena);
        free(batch);
    }
    arena_fini(&host->immediate);
    plans_fini(&host->plans);
    tickets_fini(&host->tickets);
    free(host);
}

struct store *host_store(struct host *host)
{
    return host->store;
}

const struct engine *host_engine(const struct host *host)
{
    return host->engine;
}

bool host_has_cluster(const struct host *host)
{
    return host->cluster.shards != 0;
}

uint32_t host_timeline(const struct host *host)
{
    return host->cluster.timeline;
}

bool host_has_shard(const struct host *host, uint16_t shard)
{
    return shard < host->cluster.shards;
}

uint16_t host_home_shard(const struct host *host, uint32_t namespace_id)
{
    return (uint16_t)(host->cluster.shards ? namespace_id % host->cluster.shards : 0);
}

/* The kernel is asked once for many. */
static uint64_t host_random(struct host *host)
{
    if (host->randoms_left == 0) {
        random_bytes(host->randoms, sizeof host->randoms);
        host->randoms_left = ARRAY_LEN(host->randoms);
    }
    return host->randoms[--host->randoms_left];
}

struct id host_new_id(struct host *host, uint16_t shard)
{
    return id_make((uint64_t)host_now_us(host) / 1000, shard, host_random(host));
}

void host_apply(struct host *host, struct engine_command *command)
{
    command->now_us = host_now_us(host);
    engine_apply(host->engine, command);
    loop_flush_mark(host->flush);
}

uint64_t host_ask(struct host *host, struct engine_command *command, host_reply_fn on_reply,
                  host_update_fn on_update, void *userdata)
{
    uint64_t ticket = tickets_add(&host->tickets, on_reply, on_update, userdata);

    command->ticket = ticket;
    host_apply(host, command);
    return ticket;
}

void host_unwatch(struct host *host, uint64_t ticket)
{
    struct engine_command command = {.kind = ENGINE_UNWATCH, .ticket = ticket};

    tickets_remove(&host->tickets, ticket);
    host_apply(host, &command);
}

enum status host_plan(struct host *host, const struct id *plan_id, uint32_t version,
                      struct slice document, struct engine_plan *ret, struct error *err)
{
    return plans_get(&host->plans, plan_id, version, document, ret, err);
}
