/* SPDX-License-Identifier: Apache-2.0 */
/* The engine as a whole: made, given commands and time, freed. */
#include "internal.h"

void engine_config_default(struct engine_config *config)
{
    *config = (struct engine_config){
        .lease_ms = 8000,
        .grace_ms = 8000,
        .cancel_ms = 30000,
        .carry_ms = 60000,
        .park_ms = 60000,
        .sweep_ms = 5000,
        .lost_max = 3,
        .window_tasks = 100000,
        .closed_max = 65536,
        .tasks_max = 2000000,
        .unclean_max = 3,
    };
}

static bool task_timer_less(const struct heap_node *a, const struct heap_node *b)
{
    const struct task *x = CONTAINER_OF(a, struct task, timer);
    const struct task *y = CONTAINER_OF(b, struct task, timer);

    if (x->timer_us != y->timer_us)
        return x->timer_us < y->timer_us;
    return id_cmp(&x->id, &y->id) < 0; /* the same order in every run of the same commands */
}

static bool worker_timer_less(const struct heap_node *a, const struct heap_node *b)
{
    const struct worker *x = CONTAINER_OF(a, struct worker, timer);
    const struct worker *y = CONTAINER_OF(b, struct worker, timer);

    if (x->timer_us != y->timer_us)
        return x->timer_us < y->timer_us;
    return id_cmp(&x->id, &y->id) < 0;
}

static bool gate_timer_less(const struct heap_node *a, const struct heap_node *b)
{
    return CONTAINER_OF(a, struct gate, timer)->timer_us <
           CONTAINER_OF(b, struct gate, timer)->timer_us;
}

struct engine *engine_new(const struct engine_config *config)
{
    struct engine *engine = mem_zalloc(sizeof(*engine));

    assert(config->window_tasks >= 4 && config->park_ms <= ENGINE_YOUNG_MS / 2);
    engine->config = *config;
    list_init(&engine->dirty_shards);
    heap_init(&engine->task_timers, task_timer_less);
    heap_init(&engine->worker_timers, worker_timer_less);
    heap_init(&engine->gate_timers, gate_timer_less);
    list_init(&engine->gates);
    list_init(&engine->queues);
    list_init(&engine->woken);
    list_init(&engine->freed);
    arena_init(&engine->gather, 0);
    arena_init(&engine->urgent, 0);
    engine->effects_end = &engine->effects;
    engine->immediate_end = &engine->immediate;
    engine->cut_number = 1;
    return engine;
}

void engine_free(struct engine *engine)
{
    struct map_cursor cursor = {0};
    struct map_node *node;

    if (!engine)
        return;
    while (engine->loaded_len)
        shard_drop(engine, engine->loaded[0]);
    while ((node = map_walk(&engine->workers, &cursor)))
        worker_free(engine, CONTAINER_OF(node, struct worker, by_id));
    map_fini(&engine->lanes);
    map_fini(&engine->pools);
    map_fini(&engine->types);
    map_fini(&engine->workers);
    map_fini(&engine->streams);
    map_fini(&engine->watches);
    map_fini(&engine->reads);
    heap_fini(&engine->task_timers);
    heap_fini(&engine->worker_timers);
    heap_fini(&engine->gate_timers);
    arena_fini(&engine->gather);
    arena_fini(&engine->urgent);
    lease_free_list(engine);
    free(engine);
}

static void run_task_timers(struct engine *engine)
{
    struct heap_node *node;

    while ((node = heap_top(&engine->task_timers))) {
        struct task *task = CONTAINER_OF(node, struct task, timer);

        if (task->timer_us > engine->now_us)
            return;
        heap_remove(&engine->task_timers, node);
        task_timer(task);
    }
}

static void run_worker_timers(struct engine *engine)
{
    struct heap_node *node;

    while ((node = heap_top(&engine->worker_timers))) {
        struct worker *worker = CONTAINER_OF(node, struct worker, timer);

        if (worker->timer_us > engine->now_us)
            return;
        worker_timer(engine, worker);
    }
}

static void run_grace(struct engine *engine)
{
    for (uint32_t i = 0; i < engine->loaded_len; i++) {
        struct shard *shard = engine->shards[engine->loaded[i]];

        if (shard->open && shard->orphans && shard->grace_us <= engine->now_us)
            shard_grace_over(shard);
    }
}

/* A host that was stopped, or starved, has not heard its workers: their silence is its own. The
 * gap is nobody's fault, so no lease and no grace runs on in it. Ticks come often enough (see
 * engine_next_due_us) that a quiet time is told from a stall. */
static void forgive_stall(struct engine *engine, int64_t gap_us)
{
    struct map_cursor cursor = {0};
    struct map_node *node;

    if (gap_us < engine->config.lease_ms * US_PER_MS / STALL_SHARE)
        return;
    while ((node = map_walk(&engine->workers, &cursor))) {
        struct worker *worker = CONTAINER_OF(node, struct worker, by_id);

        if (worker->stream || worker->leases)
            worker->heartbeat_us += gap_us;
    }
    for (uint32_t i = 0; i < engine->loaded_len; i++) {
        struct shard *shard = engine->shards[engine->loaded[i]];

        shard->grace_us += gap_us;
        LIST_EACH(&shard->sessions, at)
        LIST_ENTRY(at, struct session, of_shard)->asked_us += gap_us;
    }
}

/* Before each command: what was due by then is done first, so that a row written at a time says
 * all that the sweep had to say at that time. */
static void advance_time(struct engine *engine, int64_t now_us)
{
    int64_t before_us = engine->now_us;

    engine->now_us = MAX_OF(engine->now_us, now_us);
    forgive_stall(engine, engine->now_us - before_us);
    run_grace(engine);
    run_worker_timers(engine);
    run_task_timers(engine);
    if (engine->gate_timers.len)
        gates_due(engine);
    if (engine->sweep_us <= engine->now_us)
        engine_sweep(engine);
}

int64_t engine_next_due_us(const struct engine *engine)
{
    int64_t due = ENGINE_FOREVER;
    struct heap_node *node = heap_top(&engine->task_timers);

    if (node)
        due = MIN_OF(due, CONTAINER_OF(node, struct task, timer)->timer_us);
    node = heap_top(&engine->worker_timers);
    if (node)
        due = MIN_OF(due, CONTAINER_OF(node, struct worker, timer)->timer_us);
    node = heap_top(&engine->gate_timers);
    if (node)
        due = MIN_OF(due, CONTAINER_OF(node, struct gate, timer)->timer_us);
    for (uint32_t i = 0; i < engine->loaded_len; i++) {
        const struct shard *shard = engine->shards[engine->loaded[i]];

        if (shard->open && shard->orphans)
            due = MIN_OF(due, shard->grace_us);
    }
    if (engine->loaded_len)
        due = MIN_OF(due, engine->sweep_us);
    if (engine->streams.used || engine->stats.leases_open)
        due = MIN_OF(due, engine->now_us + engine->config.lease_ms * US_PER_MS / (2 * STALL_SHARE));
    return due;
}

static struct shard *loaded(const struct engine *engine, uint16_t number)
{
    return number < SHARDS_MAX ? engine->shards[number] : NULL;
}

static void on_durable(struct engine *engine, const struct engine_durable *durable)
{
    struct shard *shard = loaded(engine, durable->shard);

    if (!shard || shard->epoch != durable->epoch || durable->seq > shard->seq)
        return;
    shard->durable_seq = MAX_OF(shard->durable_seq, durable->seq);
    careful_durable(shard);
    shard_evict(shard);
}

static void on_events_acked(struct engine *engine, const struct engine_events_acked *acked)
{
    struct shard *shard = loaded(engine, acked->shard);

    if (!shard || acked->number <= shard->event_acked)
        return;
    shard->event_acked = MIN_OF(acked->number, shard->event_next - 1);
    shard->fence_only = true; /* written with the next batch, or by the sweep */
    journal_advance(shard);
}

static void apply_shard(struct engine *engine, const struct engine_command *command)
{
    switch (command->kind) {
    case ENGINE_LOAD_BEGIN:
        shard_load_begin(engine, &command->load_begin);
        break;
    case ENGINE_LOAD_ROWS:
        shard_load_rows(engine, &command->load_rows);
        break;
    case ENGINE_LOAD_END:
        shard_load_end(engine, command->shard.shard);
        break;
    case ENGINE_DROP:
        shard_drop(engine, command->shard.shard);
        break;
    case ENGINE_DURABLE:
        on_durable(engine, &command->durable);
        break;
    case ENGINE_EVENTS_ACKED:
        on_events_acked(engine, &command->events_acked);
        break;
    case ENGINE_KEY_ROW:
        key_answer(engine, &command->key_row);
        break;
    case ENGINE_TASK_ROW:
        lookup_answer(engine, &command->task_row);
        break;
    case ENGINE_REFILL_ROWS:
        refill_answer(engine, &command->refill_rows);
        break;
    default:
        break;
    }
}

static void apply_stream(struct engine *engine, const struct engine_command *command)
{
    switch (command->kind) {
    case ENGINE_STREAM_OPEN:
        worker_open(engine, &command->stream_open);
        break;
    case ENGINE_STREAM_CLOSED:
        worker_closed(engine, command->stream.stream);
        break;
    case ENGINE_HELD:
        worker_held(engine, &command->held);
        break;
    case ENGINE_CREDIT:
        worker_credit(engine, &command->credit);
        break;
    case ENGINE_HEARTBEAT:
        worker_beat(engine, command->stream.stream);
        break;
    case ENGINE_RESULT:
        attempt_result(engine, command);
        break;
    case ENGINE_DECLINED:
        worker_declined(engine, &command->declined);
        break;
    case ENGINE_PROGRESS:
        worker_progress(engine, &command->progress);
        break;
    default:
        break;
    }
}

void engine_apply(struct engine *engine, const struct engine_command *command)
{
    advance_time(engine, command->now_us);
    if (command->kind <= ENGINE_REFILL_ROWS)
        apply_shard(engine, command);
    else if (command->kind < ENGINE_STREAM_OPEN)
        client_apply(engine, command);
    else
        apply_stream(engine, command);
    while (engine->unsettled)
        gates_settle(engine);
}

bool engine_owns(const struct engine *engine, uint16_t shard)
{
    const struct shard *s = loaded(engine, shard);

    return s && s->open;
}

uint32_t engine_epoch(const struct engine *engine, uint16_t shard)
{
    const struct shard *s = loaded(engine, shard);

    return s ? s->epoch : 0;
}

void engine_stats(const struct engine *engine, struct engine_stats *ret)
{
    *ret = engine->stats;
    ret->workers_connected = ret->streams = engine->streams.used;
}
