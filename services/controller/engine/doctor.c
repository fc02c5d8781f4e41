/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nothing is ever stuck: what is not finished has an owner, a deadline, or a named reason to wait.
 * The sweep looks at a slice of all tasks each time and counts those that have none of these; that
 * count is always 0. Who asks gets them by name, with the queues that no worker serves.
 */
#include "internal.h"

#define DOCTOR_SLICE 20000 /* tasks looked at in a sweep: a few milliseconds */

static bool lease_is_watched(const struct lease *lease)
{
    const struct worker *worker = lease->session->worker;

    return lease->orphan || worker->timer.place;
}

/* Waits of control steps have their reason in their state. */
static bool task_is_stuck(const struct task *task)
{
    if (task_is_terminal(task) || task->state == ENGINE_TASK_NONE ||
        task->state == ENGINE_TASK_WAITING)
        return false;
    if (task->away) /* its parked row says when it comes back */
        return !task->parked;
    if (task->lease)
        return !lease_is_watched(task->lease);
    if (task->state == ENGINE_TASK_READY)
        return !task->ready.place && !task_is_withheld(task) &&
               !(task->more && task->more->careful);
    return !task->timer.place;
}

static bool run_is_stuck(const struct run *run)
{
    return !engine_run_state_is_terminal((enum engine_run_state)run->state) && run->live == 0 &&
           !run->pause.at_us;
}

static void pass_ends(struct engine *engine)
{
    for (uint32_t i = 0; i < engine->loaded_len; i++) {
        struct shard *shard = engine->shards[engine->loaded[i]];

        LIST_EACH(&shard->all_runs, node)
        engine->doctor.found += run_is_stuck(LIST_ENTRY(node, struct run, all));
    }
    engine->stats.stuck = engine->doctor.found;
    engine->doctor.found = 0;
    engine->doctor.shard = 0;
    engine->doctor.slot = 0;
}

/* Slots, not nodes: between two slices tasks come and go. One that moves meanwhile, because the map
 * has grown, is looked at in the next pass. */
void doctor_sweep(struct engine *engine)
{
    struct doctor *doctor = &engine->doctor;
    uint32_t left = DOCTOR_SLICE;

    while (left > 0 && doctor->shard < engine->loaded_len) {
        const struct shard *shard = engine->shards[engine->loaded[doctor->shard]];

        while (left > 0 && shard->open && doctor->slot < shard->tasks.size) {
            for (const struct map_node *n = shard->tasks.slots[doctor->slot]; n; n = n->next) {
                doctor->found += task_is_stuck(CONTAINER_OF(n, struct task, by_id));
                left -= left > 0;
            }
            doctor->slot++;
            left -= left > 0;
        }
        if (!shard->open || doctor->slot >= shard->tasks.size) {
            doctor->shard++;
            doctor->slot = 0;
        }
    }
    if (doctor->shard >= engine->loaded_len)
        pass_ends(engine);
}

struct findings {
    const struct engine *engine;
    struct arena *arena;
    struct engine_finding *list;
    uint32_t len, of_kind[ENGINE_FINDING_KINDS];
};

static struct engine_finding *add(struct findings *findings, enum engine_finding_kind kind)
{
    struct engine_finding *finding;

    if (findings->of_kind[kind] >= ENGINE_FINDINGS_MAX)
        return NULL;
    findings->of_kind[kind]++;
    finding = &findings->list[findings->len++];
    *finding = (struct engine_finding){.kind = kind, .queue = "", .type = "", .why = ""};
    return finding;
}

static void stuck_tasks(struct findings *findings, const struct shard *shard)
{
    struct map_cursor cursor = {0};
    struct map_node *node;

    while ((node = map_walk(&shard->tasks, &cursor))) {
        const struct task *task = CONTAINER_OF(node, struct task, by_id);
        struct engine_finding *finding =
            task_is_stuck(task) ? add(findings, ENGINE_FINDING_TASK_STUCK) : NULL;

        if (!finding)
            continue;
        finding->namespace_id = task->lane->queue->namespace_id;
        finding->id = task->id;
        finding->since_us = task->created_us;
        finding->why = engine_task_state_name((enum engine_task_state)task->state);
    }
    LIST_EACH(&shard->all_runs, at)
    {
        const struct run *run = LIST_ENTRY(at, struct run, all);
        struct engine_finding *finding =
            run_is_stuck(run) ? add(findings, ENGINE_FINDING_RUN_STUCK) : NULL;

        if (!finding)
            continue;
        finding->namespace_id = run->namespace_id;
        finding->id = run->id;
        finding->since_us = run->created_us;
        finding->why = engine_run_state_name((enum engine_run_state)run->state);
    }
}

static bool has_worker(const struct lane *lane)
{
    LIST_EACH(&lane->type->offered, node)
    {
        if (pool_fits(lane->pool, LIST_ENTRY(node, struct offer, of_type)->worker))
            return true;
    }
    return false;
}

/* A paused queue has its reason. */
static void unserved(struct findings *findings, const struct lane *lane, int64_t before_us)
{
    const struct task *top = lane->ready.len ? lane_top(lane) : NULL;
    int64_t since_us = top ? MAX_OF(top->created_us, top->due_us) : 0;
    struct engine_finding *finding;

    if (!top || since_us > before_us || (lane->queue->setting && lane->queue->setting->paused_us) ||
        has_worker(lane))
        return;
    finding = add(findings, ENGINE_FINDING_NO_WORKER);
    if (!finding)
        return;
    finding->namespace_id = lane->queue->namespace_id;
    finding->queue = arena_strdup(findings->arena, lane->queue->name);
    finding->type = arena_strdup(findings->arena, lane->type->name);
    finding->count = lane->ready.len;
    finding->since_us = since_us;
    finding->why = task_waiting_for(top, WHY_EXACT, findings->arena);
}

const struct engine_finding *engine_findings(const struct engine *engine, int64_t no_worker_us,
                                             struct arena *arena, uint32_t *ret_len)
{
    struct findings findings = {.engine = engine, .arena = arena};
    struct map_cursor cursor = {0};
    struct map_node *node;

    findings.list =
        ARENA_ARRAY(arena, struct engine_finding, ENGINE_FINDINGS_MAX * ENGINE_FINDING_KINDS);
    for (uint32_t i = 0; i < engine->loaded_len; i++) {
        if (engine->shards[engine->loaded[i]]->open)
            stuck_tasks(&findings, engine->shards[engine->loaded[i]]);
    }
    while ((node = map_walk(&engine->lanes, &cursor)))
        unserved(&findings, CONTAINER_OF(node, struct lane, by_key), engine->now_us - no_worker_us);
    *ret_len = findings.len;
    return findings.list;
}
