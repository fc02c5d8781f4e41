/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why something waits, in words for people: the one thing that has to change next. What is said
 * is true at the moment of reading and names what an operator can look up: a queue, a label, a
 * time, a step.
 */
#include "internal.h"

#define NAMES_SHOWN 5 /* of steps */
#define HOLDERS_SHOWN 3
#define AHEAD_MAX 1000 /* tasks before a waiting one are counted so far */
#define SECONDS_A_DAY 86400

/* RFC 3339 in UTC, to the second. The civil date from a count of days: no clock and no zone. */
static const char *time_text(int64_t us, struct arena *arena)
{
    int64_t seconds = us / 1000000, days = seconds / SECONDS_A_DAY + 719468;
    int64_t era = days / 146097, of_era = days - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t shifted = (5 * of_year + 2) / 153, month = shifted < 10 ? shifted + 3 : shifted - 9;
    int64_t rest = seconds % SECONDS_A_DAY;

    return arena_printf(arena, "%04d-%02d-%02dT%02d:%02d:%02dZ",
                        (int)(year + era * 400 + (month <= 2)), (int)month,
                        (int)(of_year - (153 * shifted + 2) / 5 + 1), (int)(rest / 3600),
                        (int)(rest / 60 % 60), (int)(rest % 60));
}

static bool has_label(const struct worker *worker, const struct engine_label *label)
{
    for (uint32_t i = 0; i < worker->labels_len; i++) {
        if (str_eq(worker->labels[i].key, label->key) &&
            str_eq(worker->labels[i].value, label->value))
            return true;
    }
    return false;
}

/* The first label that no worker of the type has, or that all together are too much. */
static const char *no_labels(const struct lane *lane, struct arena *arena)
{
    for (uint32_t i = 0; i < lane->pool->requires_len; i++) {
        const struct engine_label *label = &lane->pool->requires[i];
        bool found = false;

        LIST_EACH(&lane->type->offered, node)
        found |= has_label(LIST_ENTRY(node, struct offer, of_type)->worker, label);
        if (!found)
            return arena_printf(arena, "no worker with label %s=%s (%u offer%s type %s)",
                                label->key, label->value, lane->type->offers,
                                lane->type->offers == 1 ? "s" : "", lane->type->name);
    }
    return arena_printf(arena, "no worker has all labels that it requires (%u offer%s type %s)",
                        lane->type->offers, lane->type->offers == 1 ? "s" : "", lane->type->name);
}

/* How many go before it, as far as memory knows; a heap's subtree behind it need not be entered. */
static uint32_t ahead_in(const struct heap *heap, const struct task *task)
{
    size_t open[AHEAD_MAX + 2], open_len = 0;
    uint32_t ahead = 0;

    if (heap->len)
        open[open_len++] = 1;
    while (open_len > 0 && ahead < AHEAD_MAX) {
        size_t place = open[--open_len];

        if (!ready_before(CONTAINER_OF(heap->nodes[place - 1], struct task, ready), task))
            continue;
        ahead++;
        for (size_t child = 2 * place; child <= 2 * place + 1 && child <= heap->len; child++)
            open[open_len++] = child;
    }
    return ahead;
}

/* What of a worker's room is missing, when no worker at all has so much. */
static const char *no_room(const struct pool *pool, struct arena *arena)
{
    const struct engine_resources *need = &pool->demands.resources;

    return arena_printf(arena, "no worker is large enough: cost %u, cpu %g, memory %llu, gpu %g",
                        pool->demands.cost, need->cpu_milli / 1000.0,
                        (unsigned long long)need->memory_bytes, need->gpu_milli / 1000.0);
}

static const char *no_where(const struct pool *pool, struct arena *arena)
{
    static const char *const SIGNS[] = {[PLAN_LABEL_EQUALS] = "=",
                                        [PLAN_LABEL_DIFFERS] = "!=",
                                        [PLAN_LABEL_LESS] = "<",
                                        [PLAN_LABEL_GREATER] = ">",
                                        [PLAN_LABEL_EXISTS] = ""};

    for (uint32_t i = 0; i < pool->demands.where_len; i++) {
        const struct plan_selector *selector = &pool->demands.where[i];
        bool found = false;

        LIST_EACH(&pool->type->offered, node)
        found |= worker_meets(LIST_ENTRY(node, struct offer, of_type)->worker, selector, 1);
        if (!found)
            return arena_printf(arena, "no worker with %s%s%s (%u offer%s type %s)", selector->key,
                                SIGNS[selector->op], selector->value, pool->type->offers,
                                pool->type->offers == 1 ? "s" : "", pool->type->name);
    }
    return NULL;
}

static const char *nobody(const struct lane *lane, struct arena *arena)
{
    const struct engine_demands *demands = &lane->pool->demands;
    const char *where = no_where(lane->pool, arena);
    bool asks = demands->cost > 1 || demands->resources.cpu_milli || demands->resources.gpu_milli ||
                demands->resources.memory_bytes;

    if (where)
        return where;
    if (demands->only_that_worker) {
        char id[ID_TEXT_BYTES];

        id_format(&demands->worker, id);
        return arena_printf(arena, "worker %s, which it is bound to, is not connected", id);
    }
    LIST_EACH(&lane->type->offered, node)
    {
        const struct worker *worker = LIST_ENTRY(node, struct offer, of_type)->worker;

        if (asks && lane->pool->requires_len == 0 &&
            worker_meets(worker, demands->where, demands->where_len))
            return no_room(lane->pool, arena);
    }
    return no_labels(lane, arena);
}

static const char *busy(const struct task *task, enum why why, struct arena *arena)
{
    const struct lane *lane = task->lane;
    uint32_t fit = 0, draining = 0, ahead;

    LIST_EACH(&lane->type->offered, node)
    {
        const struct worker *worker = LIST_ENTRY(node, struct offer, of_type)->worker;

        if (pool_fits(lane->pool, worker)) {
            fit++;
            draining += worker->draining;
        }
    }
    if (!fit)
        return nobody(lane, arena);
    if (draining == fit)
        return arena_printf(arena, "%u worker%s could run it, and no new work goes to %s", fit,
                            fit == 1 ? "" : "s", fit == 1 ? "it: it drains" : "them: they drain");
    ahead = why == WHY_PLACE ? ahead_in(&lane->ready, task) : 0;
    return arena_printf(arena, "%s that can run it %s busy%s",
                        fit == 1 ? "the worker" : arena_printf(arena, "all %u workers", fit),
                        fit == 1 ? "is" : "are",
                        !ahead ? ""
                               : arena_printf(arena, "; %s%u %s before it",
                                              ahead == AHEAD_MAX ? "more than " : "", ahead,
                                              ahead == 1 ? "goes" : "go"));
}

/* Some of those that hold the leases of a key. */
static const char *holders(const struct gate *gate, struct arena *arena)
{
    const char *ids = "";
    uint32_t n = 0;

    LIST_EACH(&gate->holders, node)
    {
        char id[ID_TEXT_BYTES];

        if (n++ == HOLDERS_SHOWN)
            return arena_printf(arena, "%s and others", ids);
        id_format(&LIST_ENTRY(node, struct hold, of_gate)->lease->task->id, id);
        ids = arena_printf(arena, "%s%s%s", ids, *ids ? ", " : "", id);
    }
    return ids;
}

static const char *rate_text(const struct gate *gate, struct arena *arena)
{
    return arena_printf(arena, "%u in %g s", gate->limit, (double)gate->per_us / 1e6);
}

/* The first limit of a key that holds its lane back, or NULL. */
static const char *at_gate(const struct lane *lane, struct arena *arena)
{
    const struct need *need = lane_closed(lane);

    if (!need)
        return NULL;
    if (need->gate->kind == GATE_OPEN)
        return arena_printf(arena, "limit of key %s: %u of %u held by %s", need->gate->key,
                            need->gate->open, need->amount, holders(need->gate, arena));
    return arena_printf(arena, "rate of key %s: %s, next at %s", need->gate->key,
                        rate_text(need->gate, arena),
                        time_text(gate_opens_us(need->gate, need->amount) + 999999, arena));
}

static const char *paused(const struct queue *queue, struct arena *arena)
{
    return arena_printf(arena, "queue %s is paused by %s: %s", queue->name, queue->setting->actor,
                        queue->setting->reason);
}

static const char *queue_waits(const struct queue *queue, struct arena *arena)
{
    const struct queue_setting *setting = queue->setting;

    if (setting->paused_us)
        return paused(queue, arena);
    if (setting->concurrency && queue->by_state[ENGINE_TASK_RUNNING] >= setting->concurrency)
        return arena_printf(arena, "limit of queue %s: %u of %u running", queue->name,
                            queue->by_state[ENGINE_TASK_RUNNING], setting->concurrency);
    return arena_printf(arena, "rate of queue %s: %s, next at %s", queue->name,
                        rate_text(setting->rate, arena),
                        time_text(gate_opens_us(setting->rate, 1) + 999999, arena));
}

static const char *run_paused(const struct run *run, struct arena *arena)
{
    return arena_printf(arena, "its run is paused by %s: %s", run->pause.actor, run->pause.reason);
}

static const char *ready_waits(const struct task *task, enum why why, struct arena *arena)
{
    const struct lane *lane = task->lane;
    const struct queue *queue = lane->queue;
    const char *limit;

    if (task_is_withheld(task))
        return run_paused(task->run, arena);
    if (queue_is_shut(queue))
        return queue_waits(queue, arena);
    if (lane->type->offers == 0)
        return arena_printf(arena, "no worker offers type %s", lane->type->name);
    if (task->more && task->more->careful)
        return "its turn: controllers were lost when it was handled";
    limit = at_gate(lane, arena);
    if (limit)
        return limit;
    if (task->away)
        return arena_printf(arena, "behind at least %u others of its queue",
                            lane->window->ready_len);
    return why == WHY_BRIEF ? "a free worker" : busy(task, why, arena);
}

const char *task_waiting_for(const struct task *task, enum why why, struct arena *arena)
{
    switch (task->state) {
    case ENGINE_TASK_PENDING:
        return arena_printf(arena, "not before %s", time_text(task->due_us, arena));
    case ENGINE_TASK_RETRYING:
        return arena_printf(arena, "retry backoff until %s", time_text(task->due_us, arena));
    case ENGINE_TASK_READY:
        return ready_waits(task, why, arena);
    case ENGINE_TASK_RUNNING:
        return task->lease && task->lease->orphan ? "its worker to come back" : "";
    default:
        return "";
    }
}

const char *step_waiting_for(const struct run *run, uint32_t index, struct arena *arena)
{
    const struct plan *plan = run->plan.plan;
    const struct plan_step *step = &plan->steps[index];
    const char *names = "";
    uint32_t open = 0;

    for (uint32_t i = 0; i < step->needs_len; i++) {
        if (run->steps[step->needs[i]].state == STEP_DONE)
            continue;
        if (open++ < NAMES_SHOWN)
            names = arena_printf(arena, "%s%s%s", names, *names ? ", " : "",
                                 plan->steps[step->needs[i]].id);
    }
    if (!open)
        return run->pause.at_us ? run_paused(run, arena) : "";
    if (open > NAMES_SHOWN)
        return arena_printf(arena, "needs steps %s and %u more", names, open - NAMES_SHOWN);
    return arena_printf(arena, "needs step%s %s", open == 1 ? "" : "s", names);
}

/* A run waits when it is paused, or nothing of it is under way; the first of its steps says for
 * what. */
const char *run_waiting_for(const struct run *run, struct arena *arena)
{
    if (run->pause.at_us)
        return arena_printf(arena, "paused by %s: %s", run->pause.actor, run->pause.reason);
    if (run->live == 0 || run->counts.by_state[ENGINE_TASK_RUNNING])
        return "";
    for (uint32_t i = 0; i < run->plan.plan->steps_len; i++) {
        const struct task *task = run->steps[i].task;
        const char *why =
            task && !task_is_terminal(task) ? task_waiting_for(task, WHY_EXACT, arena) : "";

        if (*why)
            return arena_printf(arena, "step %s: %s", run->plan.plan->steps[i].id, why);
    }
    return "";
}

const char *engine_waiting_for(const struct engine *engine, const struct engine_task_row *row,
                               struct arena *arena)
{
    const struct engine_task_change *change = &row->change;
    struct shard *shard = shard_of(engine, &row->id);
    const struct queue *queue;

    if (engine_task_state_is_terminal(change->state))
        return "";
    if (change->due_us > engine->now_us)
        return arena_printf(arena, "%s %s",
                            change->failures || change->lost ? "retry backoff until" : "not before",
                            time_text(change->due_us, arena));
    queue = shard ? queue_find(shard, row->namespace_id, row->spec.queue) : NULL;
    if (!queue)
        return "its turn to be read from disk";
    if (queue_is_shut(queue))
        return queue_waits(queue, arena);
    return arena_printf(arena, "behind at least %u others of its queue",
                        queue->by_state[ENGINE_TASK_READY]);
}
