/* SPDX-License-Identifier: Apache-2.0 */
/* The model of the database: what a batch does in one transaction, and what must hold then. */
#include "sim.h"

void db_init(struct world *world)
{
    struct db *db = &world->db;

    db->tasks = ARENA_ARRAY(&world->arena, struct db_task, TASKS_MAX);
    db->runs = ARENA_ARRAY(&world->arena, struct db_run, RUNS_MAX);
    db->keys_cap = TASKS_MAX;
    db->keys = ARENA_ARRAY(&world->arena, struct db_key, db->keys_cap);
    db->leases_cap = TASKS_MAX;
    db->leases = ARENA_ARRAY(&world->arena, struct db_lease, db->leases_cap);
    for (int i = 0; i < SHARDS; i++)
        db->shards[i] =
            (struct db_shard){.owner = -1,
                              .event_next = 1,
                              .starts = ARENA_ARRAY(&world->arena, int64_t, STARTS_MAX)};
}

struct db_task *db_task(struct world *world, const struct id *id)
{
    for (uint32_t i = 0; i < world->db.tasks_len; i++) {
        if (id_eq(&world->db.tasks[i].row.id, id))
            return &world->db.tasks[i];
    }
    return NULL;
}

struct db_run *db_run(struct world *world, const struct id *id)
{
    for (uint32_t i = 0; i < world->db.runs_len; i++) {
        if (id_eq(&world->db.runs[i].row.id, id))
            return &world->db.runs[i];
    }
    return NULL;
}

/* By definition: the entry of the highest journal attempt above the closed one. */
struct db_lease *db_open_lease(struct world *world, const struct db_task *task)
{
    struct db_lease *open = NULL;

    for (uint32_t i = 0; i < world->db.leases_len; i++) {
        struct db_lease *lease = &world->db.leases[i];

        if (id_eq(&lease->lease.task, &task->row.id) &&
            lease->lease.attempt > task->row.change.attempt &&
            (!open || lease->lease.attempt > open->lease.attempt ||
             (lease->lease.attempt == open->lease.attempt && lease->row_seq > open->row_seq)))
            open = lease;
    }
    return open;
}

static struct slice keep(struct world *world, struct slice text)
{
    if (!text.len)
        return (struct slice){NULL, 0};
    return (struct slice){arena_memdup(&world->arena, text.data, text.len), text.len};
}

static void keep_change(struct world *world, struct engine_task_change *change)
{
    change->cancel.actor = arena_strdup(&world->arena, change->cancel.actor);
    change->cancel.reason = arena_strdup(&world->arena, change->cancel.reason);
    change->failure.code = arena_strdup(&world->arena, change->failure.code);
    change->failure.message = arena_strdup(&world->arena, change->failure.message);
    change->failure.step = arena_strdup(&world->arena, change->failure.step);
    change->failure.details = keep(world, change->failure.details);
    change->result = keep(world, change->result);
}

static void check_needs(struct world *world, const struct engine_task_row *row)
{
    struct db_run *run = db_run(world, &row->run);
    const struct plan *plan;
    int32_t step;

    if (!run) {
        sim_fail(world, "I7: a step of a run that is not in the database");
        return;
    }
    plan = world->plans[run->plan].plan;
    step = plan_step_index(plan, row->step);
    for (uint32_t i = 0; i < plan->steps[step].needs_len; i++) {
        const char *need = plan->steps[plan->steps[step].needs[i]].id;
        struct id id = id_derive(&row->run, need, 0);
        const struct db_task *task = db_task(world, &id);

        if (!task || (task->row.change.state != ENGINE_TASK_SUCCEEDED &&
                      task->row.change.state != ENGINE_TASK_SKIPPED))
            sim_fail(world, "promise 5: step %s exists before its need %s has succeeded", row->step,
                     need);
    }
}

static void insert_task(struct world *world, const struct engine_task_row *row)
{
    struct db_task *task = &world->db.tasks[world->db.tasks_len];

    if (db_task(world, &row->id)) {
        sim_fail(world, "I7: task %s is inserted twice", sim_id(&row->id));
        return;
    }
    assert(world->db.tasks_len < TASKS_MAX);
    world->db.tasks_len++;
    task->row = *row;
    task->row.parked = 0;
    task->row.parked_due_us = 0;
    task->row.spec.type = arena_strdup(&world->arena, row->spec.type);
    task->row.spec.queue = arena_strdup(&world->arena, row->spec.queue);
    task->row.spec.parameters = keep(world, row->spec.parameters);
    task->row.spec.spec_text = keep(world, row->spec.spec_text);
    task->row.spec.retry = ENGINE_RETRY_DEFAULT; /* no task of the simulator has another */
    task->row.group = arena_strdup(&world->arena, row->group);
    sim_limits(sim_bits(&row->spec), &task->row.spec);
    task->row.spec.demands = sim_demands(world, &task->row.spec);
    task->row.step = arena_strdup(&world->arena, row->step);
    task->leased = row->change.attempt;
    keep_change(world, &task->row.change);
}

static struct db_task *live(struct world *world, const struct id *id)
{
    struct db_task *task = db_task(world, id);

    if (!task)
        sim_fail(world, "I7: update of task %s, which is not there", sim_id(id));
    else if (engine_task_state_is_terminal(task->row.change.state))
        sim_fail(world, "I4: task %s changes after its end", sim_id(id));
    else
        return task;
    return NULL;
}

static void check_report(struct world *world, struct db_task *task, uint32_t attempt,
                         const struct id *worker)
{
    struct db_lease *open = db_open_lease(world, task);

    if (!open || open->lease.attempt != attempt || !id_eq(&open->lease.worker, worker))
        sim_fail(world, "I4: a result of task %s attempt %u that is not the open lease's",
                 sim_id(&task->row.id), attempt);
}

static void succeed(struct world *world, const struct engine_task_success *success)
{
    struct db_task *task = live(world, &success->id);
    struct engine_task_change *change;

    if (!task)
        return;
    check_report(world, task, success->attempt, &success->worker);
    if (success->attempt < 32 && !(ghost(world, &success->id)->succeeded & 1u << success->attempt))
        sim_fail(world, "I4: task %s: attempt %u is recorded with a result that it did not give",
                 sim_id(&success->id), success->attempt);
    change = &task->row.change;
    if (change->cancel.at_us)
        sim_fail(world, "I5: task %s succeeds after a cancel", sim_id(&success->id));
    change->state = ENGINE_TASK_SUCCEEDED;
    change->attempt = change->recorded_by = success->attempt;
    change->closed_by_report = true;
    change->worker = success->worker;
    change->started_us = success->started_us;
    change->finished_us = success->finished_us;
    change->result = keep(world, success->result);
    world->results++;
}

static void count_close(struct world *world, const struct db_task *task,
                        const struct engine_task_change *next)
{
    const struct engine_task_change *was = &task->row.change;
    const struct db_lease *open = db_open_lease(world, task);
    bool failed = next->state == ENGINE_TASK_FAILED, more = next->failures > was->failures;

    world->hits[HIT_RETRY] += more && next->state == ENGINE_TASK_RETRYING;
    world->hits[HIT_FAILURES_SPENT] += more && failed;
    world->hits[HIT_ATTEMPT_TIMEOUT] += more && !next->closed_by_report;
    world->hits[HIT_LOST] += next->lost > was->lost;
    world->hits[HIT_LOST_LIMIT] += failed && str_eq(next->failure.code, "WORKER_LOST");
    world->hits[HIT_CONTROLLER_LOST] += failed && str_eq(next->failure.code, "CONTROLLER_LOST");
    world->hits[HIT_GRACE_OVER] += next->lost > was->lost && open &&
                                   open->lease.epoch < world->db.shards[id_shard(&next->id)].epoch;
    world->hits[HIT_BURNT] += next->attempt > was->attempt && !more && next->lost == was->lost &&
                              !next->closed_by_report &&
                              !engine_task_state_is_terminal(next->state);
}

static void update(struct world *world, const struct engine_task_change *next)
{
    struct db_task *task = live(world, &next->id);
    struct engine_task_change *change;

    if (!task)
        return;
    change = &task->row.change;
    if (next->attempt < change->attempt || next->failures < change->failures ||
        next->lost < change->lost)
        sim_fail(world, "I7: task %s: numbers go back", sim_id(&next->id));
    if (change->cancel.at_us && !next->cancel.at_us)
        sim_fail(world, "I5: task %s: a cancel is forgotten", sim_id(&next->id));
    count_close(world, task, next);
    if (next->closed_by_report && next->attempt > change->attempt)
        check_report(world, task, next->attempt, &next->worker);
    if (next->lost > change->lost && next->attempt < 32)
        task->lost_mask |= 1u << next->attempt;
    if (next->failures > change->failures && !next->closed_by_report && next->attempt < 32)
        task->timed_mask |= 1u << next->attempt;
    task->leased = MAX_OF(task->leased, next->attempt);
    *change = *next;
    keep_change(world, change);
}

struct db_queue *db_queue(struct world *world, uint16_t shard, const char *name)
{
    for (uint32_t i = 0; i < world->db.queues_len; i++) {
        if (world->db.queues[i].shard == shard && str_eq(world->db.queues[i].row.name, name))
            return &world->db.queues[i];
    }
    return NULL;
}

bool db_sets_queue(const struct engine_shard_batch *batch, const char *name)
{
    for (uint32_t i = 0; i < batch->queues_len; i++) {
        if (str_eq(batch->queues[i].name, name))
            return true;
    }
    return false;
}

static void queues(struct world *world, const struct engine_shard_batch *batch)
{
    struct db *db = &world->db;

    for (uint32_t i = 0; i < batch->queues_len; i++) {
        const struct engine_queue_row *row = &batch->queues[i];
        struct db_queue *queue = db_queue(world, batch->shard, row->name);

        if (!queue) {
            assert(db->queues_len < DB_QUEUES_MAX);
            queue = &db->queues[db->queues_len++];
        }
        queue->shard = batch->shard;
        queue->row = *row;
        queue->row.name = arena_strdup(&world->arena, row->name);
        queue->row.actor = arena_strdup(&world->arena, row->actor);
        queue->row.reason = arena_strdup(&world->arena, row->reason);
    }
}

/* Whether a run is paused follows from the events, not from what its row says. */
static void pauses(struct world *world, const struct engine_shard_batch *batch)
{
    for (uint32_t i = 0; i < batch->events_len; i++) {
        const struct engine_event *event = &batch->events[i];
        bool pause = event->kind == ENGINE_EVENT_RUN_PAUSED;
        struct db_run *run =
            pause || event->kind == ENGINE_EVENT_RUN_RESUMED ? db_run(world, &event->run) : NULL;

        if (!run)
            continue;
        run->pauses += pause;
        if (!pause)
            run->paused_seq = 0;
        else if (!run->paused_seq)
            run->paused_seq = batch->seq;
    }
}

static void lease(struct world *world, const struct engine_shard_batch *batch,
                  const struct engine_lease *lease)
{
    struct db_task *task = db_task(world, &lease->task);
    struct ghost_task *g = ghost(world, &lease->task);
    struct db *db = &world->db;

    if (!task || engine_task_state_is_terminal(task->row.change.state)) {
        sim_fail(world, "I7: a lease of task %s, which does not live", sim_id(&lease->task));
        return;
    }
    if (lease->epoch == batch->epoch && lease->seq == batch->seq) {
        const struct db_queue *queue = db_queue(world, batch->shard, task->row.spec.queue);
        const struct db_run *run = db_run(world, &task->row.run);

        if (run && run->paused_seq && batch->seq > run->paused_seq)
            sim_fail(world, "task %s is leased, and its run %s is paused", sim_id(&lease->task),
                     sim_id(&run->row.id));
        /* Within one batch a queue may have been resumed, or been dispatched from and then paused.
         */
        if (queue && queue->row.paused_us && !db_sets_queue(batch, queue->row.name))
            sim_fail(world, "task %s is leased from queue %s, which is paused",
                     sim_id(&lease->task), queue->row.name);
        if (lease->attempt != task->leased + 1)
            sim_fail(world, "I3: task %s: attempt %u follows %u", sim_id(&lease->task),
                     lease->attempt, task->leased);
        if (g->cancel_acked || g->cancelled_acked)
            sim_fail(world, "I5: task %s is leased after its cancel was acknowledged",
                     sim_id(&lease->task));
        task->leased = lease->attempt;
    } else {
        world->hits[HIT_CARRIED]++;
        world->hits[HIT_CARRIED_OVER_TAKEOVER] += lease->epoch != batch->epoch;
    }
    assert(db->leases_len < db->leases_cap);
    db->leases[db->leases_len++] = (struct db_lease){*lease, batch->seq};
}

static void trim_journal(struct world *world, uint16_t shard)
{
    struct db *db = &world->db;
    uint32_t kept = 0;

    for (uint32_t i = 0; i < db->leases_len; i++) {
        struct db_lease *lease = &db->leases[i];
        struct db_task *task = db_task(world, &lease->lease.task);
        bool goes =
            id_shard(&lease->lease.task) == shard &&
            (lease->row_seq < db->shards[shard].journal_low ||
             (world->bug == BUG_LOSE_CARRIED && lease->row_seq + 20 < db->shards[shard].seq));

        if (!goes)
            db->leases[kept++] = *lease;
        else if (task && lease->lease.attempt > task->row.change.attempt &&
                 !engine_task_state_is_terminal(task->row.change.state) &&
                 lease == db_open_lease(world, task))
            sim_fail(world, "P1: the journal loses the open lease of task %s",
                     sim_id(&lease->lease.task));
    }
    world->hits[HIT_JOURNAL_TRIMMED] += kept < db->leases_len;
    db->leases_len = kept;
}

static void parked(struct world *world, const struct engine_shard_batch *batch)
{
    for (uint32_t i = 0; i < batch->parked_remove_len; i++) {
        const struct engine_parked *row = &batch->parked_remove[i];
        struct db_task *task = db_task(world, &row->id);
        struct db_run *run = db_run(world, &row->id);

        if (run && run->row.parked)
            run->row.parked = false;
        else if (!task || task->row.parked != row->reason || task->row.parked_due_us != row->due_us)
            sim_fail(world, "P16: a parked row of %s is removed that is not there",
                     sim_id(&row->id));
        else
            task->row.parked = 0;
        world->hits[HIT_UNPARKED]++;
    }
    for (uint32_t i = 0; i < batch->parked_add_len; i++) {
        const struct engine_parked *row = &batch->parked_add[i];
        struct db_task *task = db_task(world, &row->id);
        struct db_run *run = db_run(world, &row->id);

        world->hits[row->reason == ENGINE_PARKED_READY ? HIT_PARKED_READY : HIT_PARKED_DUE]++;
        if (run && !run->row.parked) {
            run->row.parked = true;
        } else if (!task || task->row.parked) {
            sim_fail(world, "P16: a parked row of %s is added that cannot be", sim_id(&row->id));
        } else {
            task->row.parked = row->reason;
            task->row.parked_due_us = row->due_us;
            if (strcmp(row->queue, db_parked_queue(world, task)) != 0)
                sim_fail(world, "P16: task %s is parked under %s", sim_id(&row->id), row->queue);
        }
    }
}

static void runs(struct world *world, const struct engine_shard_batch *batch)
{
    struct db *db = &world->db;

    for (uint32_t i = 0; i < batch->runs_insert_len; i++) {
        const struct engine_run_row *row = &batch->runs_insert[i];
        struct db_run *run = &db->runs[db->runs_len++];

        assert(db->runs_len < RUNS_MAX);
        run->row = *row;
        run->row.plan_name = arena_strdup(&world->arena, row->plan_name);
        run->row.input = keep(world, row->input);
        run->row.labels = keep(world, row->labels);
        run->row.parked = false;
        run->plan = row->plan_version;
        run->row.change.cancel.actor = run->row.change.cancel.reason = "";
        run->row.change.pause.actor = run->row.change.pause.reason = "";
    }
    for (uint32_t i = 0; i < batch->runs_update_len; i++) {
        const struct engine_run_change *change = &batch->runs_update[i];
        struct db_run *run = db_run(world, &change->id);

        if (!run || engine_run_state_is_terminal(run->row.change.state)) {
            sim_fail(world, "I7: update of run %s, which does not live", sim_id(&change->id));
            continue;
        }
        run->row.change = *change;
        run->row.change.output = keep(world, change->output);
        run->row.change.cancel.actor = arena_strdup(&world->arena, change->cancel.actor);
        run->row.change.cancel.reason = arena_strdup(&world->arena, change->cancel.reason);
        run->row.change.pause.actor = arena_strdup(&world->arena, change->pause.actor);
        run->row.change.pause.reason = arena_strdup(&world->arena, change->pause.reason);
    }
}

/* Promise 5: a run that has ended has no task that has not. */
static void check_runs(struct world *world, const struct engine_shard_batch *batch)
{
    for (uint32_t i = 0; i < world->db.runs_len; i++) {
        const struct db_run *run = &world->db.runs[i];

        if (id_shard(&run->row.id) != batch->shard ||
            !engine_run_state_is_terminal(run->row.change.state))
            continue;
        for (uint32_t k = 0; k < world->db.tasks_len; k++) {
            const struct engine_task_row *row = &world->db.tasks[k].row;

            if (id_eq(&row->run, &run->row.id) && !engine_task_state_is_terminal(row->change.state))
                sim_fail(world, "promise 5: run %s has ended, its step %s has not",
                         sim_id(&run->row.id), row->step);
        }
    }
}

static void keys(struct world *world, const struct engine_shard_batch *batch)
{
    struct db *db = &world->db;

    for (uint32_t i = 0; i < batch->keys_insert_len; i++) {
        const struct engine_key_row *row = &batch->keys_insert[i];

        if (db_key_find(world, batch->shard, row->key)) {
            sim_fail(world, "I1: two rows for key %s", row->key);
            continue;
        }
        assert(db->keys_len < db->keys_cap);
        db->keys[db->keys_len].shard = batch->shard;
        db->keys[db->keys_len].row = *row;
        db->keys[db->keys_len].row.key = arena_strdup(&world->arena, row->key);
        db->keys_len++;
    }
}

static void events(struct world *world, const struct engine_shard_batch *batch)
{
    struct db_shard *shard = &world->db.shards[batch->shard];

    if (batch->event_next != shard->event_next + batch->events_len)
        sim_fail(world, "P2: %u events between numbers %lu and %lu", batch->events_len,
                 (unsigned long)shard->event_next, (unsigned long)batch->event_next);
    for (uint32_t i = 0; i < batch->events_len; i++) {
        if (batch->events[i].number != shard->event_next + i)
            sim_fail(world, "P2: event number %lu after %lu",
                     (unsigned long)batch->events[i].number,
                     (unsigned long)(shard->event_next + i - 1));
    }
    if (batch->event_acked > shard->logged)
        sim_fail(world, "P2: events are acknowledged that the logger does not have");
    for (uint32_t i = 0; world->verbose && i < batch->events_len; i++) {
        const struct engine_event *event = &batch->events[i];

        sim_log(world, "db: event %d of %s attempt %u: %s", (int)event->kind, sim_id(&event->task),
                event->attempt, event->reason);
    }
    shard->event_next = batch->event_next;
    world->hits[HIT_EVENTS_ACKED] += batch->event_acked > shard->event_acked;
    shard->event_acked = MAX_OF(shard->event_acked, batch->event_acked);
}

static bool fence(const struct world *world, const struct engine_shard_batch *batch,
                  uint64_t seq_shift)
{
    const struct db_shard *shard = &world->db.shards[batch->shard];
    bool epoch = shard->epoch == batch->epoch, seq = shard->seq + 1 == batch->seq - seq_shift;

    return (epoch || world->bug == BUG_NO_FENCE_EPOCH) && (seq || world->bug == BUG_NO_FENCE_SEQ);
}

static void write_shard(struct world *world, const struct engine_shard_batch *batch,
                        uint64_t seq_shift)
{
    struct db_shard *shard = &world->db.shards[batch->shard];

    shard->seq = batch->seq - seq_shift;
    shard->clock = MAX_OF(shard->clock, batch->clock_us);
    shard->lease_until = db_now(world) + TTL_US;
    shard->unclean = batch->unclean;
    world->hits[HIT_SUSPECT] += !id_is_nil(&batch->suspect);
    shard->suspect = batch->suspect;
    events(world, batch);
    runs(world, batch);
    pauses(world, batch);
    for (uint32_t i = 0; i < batch->tasks_insert_len; i++)
        insert_task(world, &batch->tasks_insert[i]);
    for (uint32_t i = 0; i < batch->tasks_succeed_len; i++)
        succeed(world, &batch->tasks_succeed[i]);
    for (uint32_t i = 0; i < batch->tasks_update_len; i++)
        update(world, &batch->tasks_update[i]);
    for (uint32_t i = 0; i < batch->tasks_insert_len; i++) {
        if (id_is_nil(&batch->tasks_insert[i].run))
            continue;
        world->hits[HIT_STEP_IN_BATCH] += batch->tasks_succeed_len > 0;
        check_needs(world, &batch->tasks_insert[i]);
    }
    keys(world, batch);
    parked(world, batch);
    for (uint32_t i = 0; i < batch->leases_len && world->bug != BUG_VOLATILE_LEASE; i++)
        lease(world, batch, &batch->leases[i]);
    queues(world, batch);
    limits_check(world, batch);
    shard->journal_low = MAX_OF(shard->journal_low, batch->journal_low);
    trim_journal(world, batch->shard);
    check_runs(world, batch);
}

bool db_commit(struct world *world, const struct engine_batch *batch, const uint64_t *seq_shift)
{
    for (uint32_t i = 0; i < batch->shards_len; i++) {
        if (!fence(world, &batch->shards[i], seq_shift[batch->shards[i].shard]))
            return false;
    }
    for (uint32_t i = 0; i < batch->shards_len; i++)
        write_shard(world, &batch->shards[i], seq_shift[batch->shards[i].shard]);
    world->commits++;
    world->hits[HIT_SHARDS_IN_BATCH] += batch->shards_len > 1;
    return true;
}
