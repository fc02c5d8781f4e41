/* SPDX-License-Identifier: Apache-2.0 */
/* What must hold, by what the outside has seen. */
#include "sim.h"

#define CONTACT_US (40 * SECOND) /* a fault of a worker excuses a lost lease for so long */

struct ghost_task *ghost(struct world *world, const struct id *id)
{
    for (uint32_t i = 0; i < world->ghosts_len; i++) {
        if (id_eq(&world->ghosts[i].id, id))
            return &world->ghosts[i];
    }
    assert(world->ghosts_len < TASKS_MAX);
    world->ghosts[world->ghosts_len].id = *id;
    return &world->ghosts[world->ghosts_len++];
}

static bool out_of_contact(const struct world *world, const struct worker_node *worker)
{
    for (int i = 0; i < world->controllers_len; i++) {
        if (worker->cut[i])
            return true;
    }
    return world->now - worker->node.fault_us < CONTACT_US ||
           world->now - worker->breaks[2] < CONTACT_US;
}

static bool was_lost(const struct db_task *task, uint32_t attempt)
{
    return task && attempt < 32 && (task->lost_mask & 1u << attempt);
}

/* Two attempts may run together when one was given up while its worker was out of contact, or
 * would not stop when its time was over. */
static bool excused(const struct world *world, const struct db_task *task,
                    const struct worker_node *worker, uint32_t attempt)
{
    return (was_lost(task, attempt) && out_of_contact(world, worker)) ||
           (attempt < 32 && (task->timed_mask & 1u << attempt));
}

void check_begin(struct world *world, struct worker_node *worker, const struct id *task,
                 uint32_t attempt)
{
    struct ghost_task *g = ghost(world, task);
    struct db_task *row = db_task(world, task);

    world->starts++;
    if (attempt < 32 && (g->begun & 1u << attempt))
        sim_fail(world, "I3: attempt %u of task %s is begun twice", attempt, sim_id(task));
    if (attempt < 32)
        g->begun |= 1u << attempt;
    if (!row) {
        sim_fail(world, "I1: task %s begins and is not in the database", sim_id(task));
        return;
    }
    if (g->cancelled_acked && !(was_lost(row, attempt) && out_of_contact(world, worker)))
        sim_fail(world, "I5: task %s begins after it was cancelled", sim_id(task));
    for (int i = 0; i < world->workers_len; i++) {
        struct worker_node *other = &world->workers[i];

        for (int k = 0; k < HOLD_MAX; k++) {
            struct hold *hold = &other->holds[k];

            if (hold->state != HOLD_RUNNING || !id_eq(&hold->task, task) ||
                hold->attempt == attempt)
                continue;
            if (other == worker)
                sim_fail(world, "P12: worker %d runs two attempts of task %s", worker->number,
                         sim_id(task));
            else if (!excused(world, row, other, hold->attempt) &&
                     !excused(world, row, worker, attempt))
                sim_fail(world, "I6: attempts %u and %u of task %s run together", hold->attempt,
                         attempt, sim_id(task));
        }
    }
}

void check_ack(struct world *world, const struct id *task, uint32_t attempt,
               enum engine_result_kind result)
{
    struct db_task *row = db_task(world, task);

    if (!row || row->row.change.attempt < attempt)
        sim_fail(world, "I2: the result of task %s attempt %u is acknowledged and not recorded",
                 sim_id(task), attempt);
    if (result == ENGINE_RESULT_SUCCESS)
        ghost(world, task)->acked_attempt = attempt;
}

void check_view(struct world *world, const struct engine_task_view *view)
{
    const struct db_task *task = db_task(world, &view->row.id);
    struct ghost_task *g;

    if (view->is_step_only)
        return;
    if (!task) {
        sim_fail(world, "P3: task %s is shown and is not in the database", sim_id(&view->row.id));
        return;
    }
    g = ghost(world, &view->row.id);
    if (engine_task_state_is_terminal(view->state) && task->row.change.state != view->state)
        sim_fail(world, "P3: task %s is shown %s and is %s in the database", sim_id(&view->row.id),
                 engine_task_state_name(view->state),
                 engine_task_state_name(task->row.change.state));
    if (g->seen && g->seen != view->state)
        sim_fail(world, "promise 5: task %s was shown %s, now it is shown %s",
                 sim_id(&view->row.id), engine_task_state_name(g->seen),
                 engine_task_state_name(view->state));
    if (engine_task_state_is_terminal(view->state))
        g->seen = view->state;
}

/* Nothing of an older epoch can commit any more: what was promised and is missing now is lost. */
void check_takeover(struct world *world)
{
    for (uint32_t i = 0; i < world->ops_len; i++) {
        const struct op *op = &world->ops[i];
        const struct id *stored;

        if (!op->answered || (op->kind != OP_SUBMIT && op->kind != OP_RUN))
            continue;
        stored = db_key_find(world, op->shard, op->key);
        if (!stored || !id_eq(stored, &op->id) ||
            (op->kind == OP_SUBMIT ? !db_task(world, &op->id) : !db_run(world, &op->id)))
            sim_fail(world, "I1: %s was acknowledged and is lost", op->key);
    }
    for (uint32_t i = 0; i < world->ghosts_len; i++) {
        const struct ghost_task *g = &world->ghosts[i];
        const struct db_task *task = db_task(world, &g->id);

        if (g->acked_attempt && (!task || task->row.change.recorded_by != g->acked_attempt ||
                                 (task->row.change.state != ENGINE_TASK_SUCCEEDED &&
                                  task->row.change.state != ENGINE_TASK_CANCELLED)))
            sim_fail(world, "I2: the acknowledged result of task %s is not the recorded one",
                     sim_id(&g->id));
        if (g->cancelled_acked && (!task || task->row.change.state != ENGINE_TASK_CANCELLED))
            sim_fail(world, "I2: the acknowledged cancel of task %s is lost", sim_id(&g->id));
    }
}

static void tell(struct world *world)
{
    for (uint32_t i = 0; i < world->db.tasks_len; i++) {
        const struct engine_task_row *row = &world->db.tasks[i].row;

        if (!engine_task_state_is_terminal(row->change.state) || row->parked)
            sim_log(world, "task %s is %s, parked %d, due in %lld us, attempt %u", sim_id(&row->id),
                    engine_task_state_name(row->change.state), (int)row->parked,
                    (long long)(row->change.due_us - world->now), row->change.attempt);
    }
}

static void tell_workers(struct world *world)
{
    for (int i = 0; i < world->workers_len; i++) {
        struct worker_node *worker = &world->workers[i];

        for (int k = 0; k < HOLD_MAX; k++) {
            const struct hold *hold = &worker->holds[k];

            if (hold->state != HOLD_FREE)
                sim_log(world, "w%d holds %s attempt %u, state %d, shard %u, session %s",
                        worker->number, sim_id(&hold->task), hold->attempt, (int)hold->state,
                        id_shard(&hold->task),
                        worker->session[id_shard(&hold->task)] ? "open" : "none");
        }
    }
}

static const char *unfinished(struct world *world)
{
    for (uint32_t i = 0; i < world->ops_len; i++) {
        if (!world->ops[i].answered) {
            sim_log(world, "op %u kind %d of %s %s: %u tries", i, (int)world->ops[i].kind,
                    world->ops[i].key, sim_id(&world->ops[i].subject), world->ops[i].tries);
            return "a call is never answered";
        }
    }
    for (uint32_t i = 0; i < world->db.tasks_len; i++) {
        const struct engine_task_row *row = &world->db.tasks[i].row;

        if (!engine_task_state_is_terminal(row->change.state)) {
            return "a task does not end";
        }
        if (row->parked)
            return "a parked row stays";
    }
    for (uint32_t i = 0; i < world->db.runs_len; i++) {
        if (!engine_run_state_is_terminal(world->db.runs[i].row.change.state))
            return "a run does not end";
    }
    for (int i = 0; i < world->workers_len; i++) {
        if (!worker_is_idle(&world->workers[i]))
            return "a worker still holds something";
    }
    return NULL;
}

bool world_is_quiet(struct world *world)
{
    return unfinished(world) == NULL;
}

/* When all has ended nothing is counted in any queue, in memory or on disk. */
static void check_counts(struct world *world, struct controller *controller, uint16_t shard)
{
    uint64_t ticket = ++world->next_ticket;
    struct engine_batch batch;
    struct arena arena;

    if (!controller->engine || !engine_owns(controller->engine, shard))
        return;
    host_apply(controller,
               &(struct engine_command){.kind = ENGINE_READ_QUEUES,
                                        .ticket = ticket,
                                        .queue = {.shard = shard, .namespace_id = 1, .queue = ""}});
    arena_init(&arena, 0);
    engine_cut(controller->engine, &arena, &batch);
    for (const struct engine_effect *e = batch.effects; e; e = e->next) {
        for (uint32_t i = 0;
             e->kind == ENGINE_REPLY && e->reply.ticket == ticket && i < e->reply.queues_len; i++) {
            const struct engine_queue_view *view = &e->reply.queues[i];

            if (view->ready || view->running || view->delayed)
                sim_fail(world, "queue %s counts %lu ready, %lu running, %lu delayed",
                         view->row.name, (unsigned long)view->ready, (unsigned long)view->running,
                         (unsigned long)view->delayed);
        }
    }
    arena_fini(&arena);
}

void check_end(struct world *world)
{
    const char *why = unfinished(world);

    check_takeover(world);
    if (why) {
        tell(world);
        tell_workers(world);
    }
    if (why)
        sim_fail(world, "I8: faults have stopped, and %s", why);
    for (int i = 0; !why && i < world->controllers_len; i++) {
        for (uint16_t shard = 0; shard < SHARDS; shard++)
            check_counts(world, &world->controllers[i], shard);
    }
}
