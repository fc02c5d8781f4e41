/* SPDX-License-Identifier: Apache-2.0 */
/* The states, the moves between them as data, and the only code that changes a state. */
#include "internal.h"

#define BIT(state) (1u << (state))
#define TASK_ENDS                                                                                  \
    (BIT(ENGINE_TASK_SUCCEEDED) | BIT(ENGINE_TASK_FAILED) | BIT(ENGINE_TASK_CANCELLED) |           \
     BIT(ENGINE_TASK_SKIPPED))
#define RUN_ENDS (BIT(ENGINE_RUN_SUCCEEDED) | BIT(ENGINE_RUN_FAILED) | BIT(ENGINE_RUN_CANCELLED))

static const struct {
    const char *name;
    uint32_t to;
} TASK_STATES[ENGINE_TASK_STATES] = {
    [ENGINE_TASK_NONE] = {"none", BIT(ENGINE_TASK_PENDING) | BIT(ENGINE_TASK_READY) |
                                      BIT(ENGINE_TASK_WAITING) | BIT(ENGINE_TASK_FAILED) |
                                      BIT(ENGINE_TASK_SKIPPED)},
    [ENGINE_TASK_PENDING] = {"pending", BIT(ENGINE_TASK_READY) | BIT(ENGINE_TASK_FAILED) |
                                            BIT(ENGINE_TASK_CANCELLED)},
    /* running back to ready: the lease never reached its worker, or was declined */
    [ENGINE_TASK_READY] = {"ready", BIT(ENGINE_TASK_RUNNING) | BIT(ENGINE_TASK_FAILED) |
                                        BIT(ENGINE_TASK_CANCELLED)},
    [ENGINE_TASK_RUNNING] = {"running", BIT(ENGINE_TASK_SUCCEEDED) | BIT(ENGINE_TASK_FAILED) |
                                            BIT(ENGINE_TASK_CANCELLED) | BIT(ENGINE_TASK_RETRYING) |
                                            BIT(ENGINE_TASK_READY)},
    [ENGINE_TASK_SUCCEEDED] = {"succeeded", 0},
    [ENGINE_TASK_FAILED] = {"failed", 0},
    [ENGINE_TASK_CANCELLED] = {"cancelled", 0},
    [ENGINE_TASK_SKIPPED] = {"skipped", 0},
    [ENGINE_TASK_RETRYING] = {"retrying", BIT(ENGINE_TASK_READY) | BIT(ENGINE_TASK_FAILED) |
                                              BIT(ENGINE_TASK_CANCELLED)},
    [ENGINE_TASK_WAITING] = {"waiting", TASK_ENDS},
};

#define RUN_STATES 8
static const struct {
    const char *name;
    uint32_t to;
} RUN_STATE[RUN_STATES] = {
    [ENGINE_RUN_NONE] = {"none", BIT(ENGINE_RUN_QUEUED) | BIT(ENGINE_RUN_RUNNING)},
    [ENGINE_RUN_QUEUED] = {"queued", BIT(ENGINE_RUN_RUNNING) | BIT(ENGINE_RUN_CANCELLED)},
    [ENGINE_RUN_RUNNING] = {"running", RUN_ENDS | BIT(ENGINE_RUN_PAUSED) | BIT(ENGINE_RUN_WAITING)},
    [ENGINE_RUN_SUCCEEDED] = {"succeeded", 0},
    [ENGINE_RUN_FAILED] = {"failed", 0},
    [ENGINE_RUN_CANCELLED] = {"cancelled", 0},
    /* succeeded: what was under way at the pause was all that was left */
    [ENGINE_RUN_PAUSED] = {"paused", BIT(ENGINE_RUN_RUNNING) | RUN_ENDS},
    [ENGINE_RUN_WAITING] = {"waiting", BIT(ENGINE_RUN_RUNNING) | BIT(ENGINE_RUN_CANCELLED) |
                                           BIT(ENGINE_RUN_FAILED)},
};

bool engine_task_state_is_terminal(enum engine_task_state state)
{
    return (BIT(state) & TASK_ENDS) != 0;
}

bool engine_run_state_is_terminal(enum engine_run_state state)
{
    return (BIT(state) & RUN_ENDS) != 0;
}

const char *engine_task_state_name(enum engine_task_state state)
{
    return (unsigned)state < ENGINE_TASK_STATES ? TASK_STATES[state].name : "unknown";
}

const char *engine_run_state_name(enum engine_run_state state)
{
    return (unsigned)state < RUN_STATES ? RUN_STATE[state].name : "unknown";
}

enum engine_task_state engine_task_state_from_name(const char *name)
{
    for (unsigned i = 1; i < ENGINE_TASK_STATES; i++) {
        if (str_eq(name, TASK_STATES[i].name))
            return (enum engine_task_state)i;
    }
    return ENGINE_TASK_NONE;
}

enum engine_run_state engine_run_state_from_name(const char *name)
{
    for (unsigned i = 1; i < RUN_STATES; i++) {
        if (str_eq(name, RUN_STATE[i].name))
            return (enum engine_run_state)i;
    }
    return ENGINE_RUN_NONE;
}

bool engine_task_may_move(enum engine_task_state from, enum engine_task_state to)
{
    return (TASK_STATES[from].to & BIT(to)) != 0;
}

bool engine_run_may_move(enum engine_run_state from, enum engine_run_state to)
{
    return (RUN_STATE[from].to & BIT(to)) != 0;
}

static inline void task_set_state(struct task *task, enum engine_task_state to)
{
    struct engine_stats *stats = &task->shard->engine->stats;
    uint32_t *in_queue = task->lane->queue->by_state;

    if (task->state != ENGINE_TASK_NONE) {
        stats->tasks_by_state[task->state]--;
        in_queue[task->state]--;
        if (task->state == ENGINE_TASK_RUNNING && task->lane->queue->setting)
            queue_opens(task->lane->queue);
    }
    stats->tasks_by_state[to]++;
    in_queue[to]++;
    if (task->run) {
        if (task->state != ENGINE_TASK_NONE)
            task->run->counts.by_state[task->state]--;
        task->run->counts.by_state[to]++;
    }
    task->state = (uint8_t)to;
}

void task_move(struct task *task, enum engine_task_state to)
{
    assert(engine_task_may_move((enum engine_task_state)task->state, to));
    assert((to == ENGINE_TASK_RUNNING) == (task->lease != NULL));
    task_set_state(task, to);
    if (engine_task_state_is_terminal(to))
        task->finished_us = task->shard->engine->now_us;
}

void task_restore(struct task *task, enum engine_task_state to)
{
    assert(task->state == ENGINE_TASK_NONE);
    task_set_state(task, to);
}

void run_move(struct run *run, enum engine_run_state to)
{
    assert(engine_run_may_move((enum engine_run_state)run->state, to));
    assert(!engine_run_state_is_terminal(to) || run->live == 0);
    run->state = (uint8_t)to;
    if (engine_run_state_is_terminal(to))
        run->finished_us = run->shard->engine->now_us;
}
