/* SPDX-License-Identifier: Apache-2.0 */
/* The cut: what changed since the last one, as one image a row, with the effects that wait. */
#include "internal.h"

struct counts {
    uint32_t inserts, successes, updates, removes, adds, outcomes;
    uint32_t run_inserts, run_updates;
};

static bool parked_differs(const struct task *task)
{
    return task->parked != task->stored_parked || task->parked_due_us != task->stored_due_us;
}

/* A task that begins and ends within one batch never gets a parked row. */
static bool is_bad_end(const struct task *task)
{
    return task->state == ENGINE_TASK_FAILED || task->state == ENGINE_TASK_CANCELLED;
}

static bool is_narrow(const struct task *task)
{
    return task->state == ENGINE_TASK_SUCCEEDED && task->stored && !task->wide;
}

static void count(const struct shard *shard, struct counts *n)
{
    LIST_EACH(&shard->dirty_tasks, node)
    {
        const struct task *task = LIST_ENTRY(node, struct task, dirty);

        if (task->row_dirty) {
            n->inserts += !task->stored;
            n->successes += is_narrow(task);
            n->updates += task->stored && !is_narrow(task);
            n->outcomes += is_bad_end(task);
        }
        n->removes += parked_differs(task) && task->stored_parked;
        n->adds += parked_differs(task) && task->parked;
    }
    LIST_EACH(&shard->dirty_runs, node)
    {
        const struct run *run = LIST_ENTRY(node, struct run, dirty);

        if (run->row_dirty) {
            n->run_inserts += !run->stored;
            n->run_updates += run->stored;
            n->outcomes += run->state == ENGINE_RUN_FAILED || run->state == ENGINE_RUN_CANCELLED;
        }
        n->removes += run->stored_parked && !run->parked;
        n->adds += run->parked && !run->stored_parked;
    }
}

struct writer {
    struct arena *arena;
    struct engine_shard_batch *batch;
    struct engine_task_row *inserts;
    struct engine_task_success *successes;
    struct engine_task_change *updates;
    struct engine_parked *removes, *adds;
    struct engine_outcome *outcomes;
    struct engine_run_row *run_inserts;
    struct engine_run_change *run_updates;
};

static void write_task_row(struct writer *w, struct task *task)
{
    struct engine_shard_batch *batch = w->batch;

    if (!task->stored) {
        task_row_fill(task, &w->inserts[batch->tasks_insert_len++], w->arena);
    } else if (is_narrow(task)) {
        w->successes[batch->tasks_succeed_len++] = (struct engine_task_success){
            .id = task->id,
            .attempt = task->attempt,
            .worker = task->worker,
            .started_us = task->started_us,
            .finished_us = task->finished_us,
            .result = task->result_owned
                          ? slice_copy(w->arena, (struct slice){task->result, task->result_len})
                          : (struct slice){task->result, task->result_len},
        };
    } else {
        task_change_fill(task, &w->updates[batch->tasks_update_len++], w->arena);
    }
    if (is_bad_end(task))
        w->outcomes[batch->outcomes_len++] = (struct engine_outcome){
            .id = task->id,
            .namespace_id = task->lane->queue->namespace_id,
            .state = task->state,
            .finished_us = task->finished_us,
            .type = lane_type_name(task->lane, task->shard->engine),
            .run = task->run ? task->run->id : (struct id){{0}},
        };
    task->stored = true;
    task->row_dirty = task->wide = false;
}

static void write_parked(struct writer *w, struct task *task)
{
    struct engine_parked row;

    if (!parked_differs(task))
        return;
    row = (struct engine_parked){
        .id = task->id,
        .namespace_id = task->lane->queue->namespace_id,
        .queue = lane_window_name(task->lane, task->shard->engine),
        .priority = task->priority,
    };
    if (task->stored_parked) {
        row.reason = (enum engine_parked_reason)task->stored_parked;
        row.due_us = task->stored_due_us;
        w->removes[w->batch->parked_remove_len++] = row;
    }
    if (task->parked) {
        row.reason = (enum engine_parked_reason)task->parked;
        row.due_us = task->parked_due_us;
        w->adds[w->batch->parked_add_len++] = row;
    }
    task->stored_parked = task->parked;
    task->stored_due_us = task->parked_due_us;
}

/* Kept a while to answer repeats of its last report from memory; its texts are not. */
static void close_task(struct task *task)
{
    struct engine *engine = task->shard->engine;

    task->run = NULL;
    task->is_closed = true;
    if (task->result_owned) {
        engine->stats.bytes_in_memory -= task->result_len;
        free((void *)(uintptr_t)task->result);
    }
    task->result = NULL;
    task->result_len = 0;
    task->result_owned = false;
    task->seq = task->shard->seq;
    list_remove(&task->age);
    list_push(&task->shard->closed, &task->age);
    engine->closed_len++;
    engine->closed_bytes += task_bytes(task);
}

static void write_tasks(struct writer *w, struct shard *shard)
{
    LIST_EACH(&shard->dirty_tasks, node)
    {
        struct task *task = LIST_ENTRY(node, struct task, dirty);

        if (task->row_dirty)
            write_task_row(w, task);
        write_parked(w, task);
    }
}

static void write_runs(struct writer *w, struct shard *shard)
{
    LIST_EACH(&shard->dirty_runs, node)
    {
        struct run *run = LIST_ENTRY(node, struct run, dirty);
        struct engine_parked parked = {.id = run->id,
                                       .reason = ENGINE_PARKED_RUN,
                                       .namespace_id = run->namespace_id,
                                       .queue = ""};

        if (run->row_dirty && !run->stored)
            run_row_fill(run, &w->run_inserts[w->batch->runs_insert_len++], w->arena);
        else if (run->row_dirty)
            run_change_fill(run, &w->run_updates[w->batch->runs_update_len++], w->arena);
        if (run->row_dirty &&
            (run->state == ENGINE_RUN_FAILED || run->state == ENGINE_RUN_CANCELLED))
            w->outcomes[w->batch->outcomes_len++] =
                (struct engine_outcome){.id = run->id,
                                        .namespace_id = run->namespace_id,
                                        .is_run = true,
                                        .state = run->state,
                                        .finished_us = run->finished_us,
                                        .type = arena_strdup(w->arena, run_plan_name(run))};
        if (run->stored_parked && !run->parked)
            w->removes[w->batch->parked_remove_len++] = parked;
        if (run->parked && !run->stored_parked)
            w->adds[w->batch->parked_add_len++] = parked;
        run->stored_parked = run->parked;
        run->stored = true;
        run->row_dirty = false;
    }
}

static void write_keys(struct writer *w, struct shard *shard)
{
    struct engine_key_row *rows;
    uint32_t len = 0;

    LIST_EACH(&shard->fresh_keys, node)
    len++;
    w->batch->keys_insert = rows = ARENA_ARRAY(w->arena, struct engine_key_row, len + 1);
    LIST_EACH(&shard->fresh_keys, node)
    {
        struct key *key = LIST_ENTRY(node, struct key, link);
        struct engine_key_row *row = &rows[w->batch->keys_insert_len++];

        row->namespace_id = key->namespace_id;
        row->key = arena_strdup(w->arena, key->text);
        row->id = key->id;
        row->is_run = key->is_run;
        memcpy(row->digest, key->digest, ENGINE_DIGEST_BYTES);
        key->fresh = false;
        key->seq = w->batch->seq;
        list_remove(&key->link);
        list_push(&shard->known_keys, &key->link);
    }
}

static void write_queues(struct writer *w, struct shard *shard)
{
    struct engine_queue_row *rows;
    uint32_t len = 0;

    LIST_EACH(&shard->dirty_queues, node)
    len++;
    w->batch->queues = rows = ARENA_ARRAY(w->arena, struct engine_queue_row, len);
    LIST_EACH(&shard->dirty_queues, node)
    {
        queue_row_fill(LIST_ENTRY(node, struct queue_setting, dirty), &rows[w->batch->queues_len++],
                       w->arena);
        list_remove(node);
    }
}

/* P1: leases of old journal rows move into this batch's row, so that the old rows can go. */
static void carry_forward(struct shard *shard, int64_t before_us)
{
    uint32_t carried = 0;

    LIST_EACH(&shard->journals, node)
    {
        struct journal *journal = LIST_ENTRY(node, struct journal, link);

        if (journal->at_us > before_us)
            return;
        while (!list_empty(&journal->leases)) {
            struct list *lease = journal->leases.next;

            if (++carried > CARRY_BATCH_MAX)
                return;
            list_remove(lease);
            list_push(&shard->fresh, lease);
        }
    }
}

static void write_journal(struct writer *w, struct shard *shard)
{
    struct engine *engine = shard->engine;
    struct engine_shard_batch *batch = w->batch;
    struct engine_lease *leases;
    struct engine_event *events;
    struct journal *journal;
    uint32_t len = 0;

    carry_forward(shard, engine->now_us - engine->config.carry_ms * US_PER_MS);
    LIST_EACH(&shard->fresh, node)
    len++;
    if (len || shard->events_len) {
        journal = mem_zalloc(sizeof(*journal));
        journal->seq = batch->seq;
        journal->at_us = engine->now_us;
        journal->last_event = shard->events_len ? shard->event_next - 1 : 0;
        list_init(&journal->leases);
        list_push(&shard->journals, &journal->link);
        batch->leases = leases = ARENA_ARRAY(w->arena, struct engine_lease, len + 1);
        LIST_EACH(&shard->fresh, node)
        {
            leases[batch->leases_len++] = LIST_ENTRY(node, struct lease, of_journal)->entry;
            list_remove(node);
            list_push(&journal->leases, node);
        }
        batch->events = events = ARENA_ARRAY(w->arena, struct engine_event, shard->events_len + 1);
        for (struct event_node *node = shard->events; node; node = node->next)
            events[batch->events_len++] = node->event;
        shard->events = shard->events_last = NULL;
        shard->events_len = 0;
    }
    journal_advance(shard);
    journal = LIST_FIRST(&shard->journals, struct journal, link);
    shard->journal_low = journal ? journal->seq : batch->seq + 1;
    batch->journal_low = shard->journal_low;
}

static void after_cut(struct shard *shard)
{
    LIST_EACH(&shard->dirty_tasks, node)
    {
        struct task *task = LIST_ENTRY(node, struct task, dirty);

        list_remove(&task->dirty);
        if (task_is_terminal(task) && !task->run)
            close_task(task);
    }
    LIST_EACH(&shard->dirty_runs, node)
    {
        struct run *run = LIST_ENTRY(node, struct run, dirty);

        list_remove(&run->dirty);
        if (!engine_run_state_is_terminal((enum engine_run_state)run->state))
            continue;
        for (uint32_t i = 0; i < run->plan.plan->steps_len; i++) {
            if (run->steps[i].task)
                close_task(run->steps[i].task);
        }
        run_free(run);
    }
}

static uint32_t cut_shard(struct shard *shard, struct engine_shard_batch *batch,
                          struct arena *arena)
{
    struct writer w = {.arena = arena, .batch = batch};
    struct counts n = {0};

    count(shard, &n);
    batch->shard = shard->number;
    batch->epoch = shard->epoch;
    batch->seq = shard->seq + 1;
    batch->clock_us = shard->engine->now_us;
    batch->event_next = shard->event_next;
    batch->event_acked = shard->event_acked;
    batch->unclean = shard->unclean;
    batch->suspect = shard->suspect;
    batch->tasks_insert = w.inserts = ARENA_ARRAY(arena, struct engine_task_row, n.inserts);
    batch->tasks_succeed = w.successes =
        ARENA_ARRAY(arena, struct engine_task_success, n.successes);
    batch->tasks_update = w.updates = ARENA_ARRAY(arena, struct engine_task_change, n.updates);
    batch->parked_remove = w.removes = ARENA_ARRAY(arena, struct engine_parked, n.removes);
    batch->parked_add = w.adds = ARENA_ARRAY(arena, struct engine_parked, n.adds);
    batch->outcomes = w.outcomes = ARENA_ARRAY(arena, struct engine_outcome, n.outcomes);
    batch->runs_insert = w.run_inserts = ARENA_ARRAY(arena, struct engine_run_row, n.run_inserts);
    batch->runs_update = w.run_updates =
        ARENA_ARRAY(arena, struct engine_run_change, n.run_updates);
    write_tasks(&w, shard);
    write_runs(&w, shard);
    write_keys(&w, shard);
    write_queues(&w, shard);
    write_journal(&w, shard);
    shard->seq = batch->seq; /* only now: images of this batch compare with the old one */
    after_cut(shard);
    shard->is_dirty = shard->fence_only = false;
    list_remove(&shard->dirty_link);
    return n.inserts + n.successes + n.updates + n.removes + n.adds + n.outcomes + n.run_inserts +
           n.run_updates + batch->keys_insert_len + batch->queues_len + batch->leases_len +
           batch->events_len;
}

bool engine_has_batch(const struct engine *engine)
{
    return engine->effects || !list_empty(&engine->dirty_shards);
}

void engine_cut(struct engine *engine, struct arena *arena, struct engine_batch *ret)
{
    struct engine_shard_batch *shards;
    struct arena swap;
    uint32_t len = 0;

    assert(arena->used_bytes == 0);
    LIST_EACH(&engine->dirty_shards, node)
    len++;
    *ret = (struct engine_batch){0};
    ret->shards = shards = ARENA_ARRAY(&engine->gather, struct engine_shard_batch, len + 1);
    LIST_EACH(&engine->dirty_shards, node)
    {
        struct shard *shard = LIST_ENTRY(node, struct shard, dirty_link);

        ret->rows += cut_shard(shard, &shards[ret->shards_len++], &engine->gather);
    }
    ret->effects = engine->effects;
    ret->effects_len = engine->effects_len;
    engine->effects = NULL;
    engine->effects_end = &engine->effects;
    engine->effects_len = 0;
    engine->cut_number++; /* names that lanes have copied are the old arena's */
    swap = *arena;
    *arena = engine->gather;
    engine->gather = swap;
}

void engine_take_immediate(struct engine *engine, struct arena *arena, struct engine_effect **ret)
{
    struct arena swap;

    *ret = engine->immediate;
    if (!engine->immediate)
        return;
    assert(arena->used_bytes == 0);
    engine->immediate = NULL;
    engine->immediate_end = &engine->immediate;
    swap = *arena;
    *arena = engine->urgent;
    engine->urgent = swap;
}
