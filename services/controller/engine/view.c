/* SPDX-License-Identifier: Apache-2.0 */
/* Images of tasks and runs: rows for the store, views for readers. All texts are copied. */
#include "internal.h"

static struct engine_cancel cancel_in(const struct engine_cancel *cancel, const char *text,
                                      struct arena *arena)
{
    if (!text)
        return (struct engine_cancel){.actor = "", .reason = ""};
    return (struct engine_cancel){.at_us = cancel->at_us,
                                  .actor = arena_strdup(arena, cancel->actor),
                                  .reason = arena_strdup(arena, cancel->reason)};
}

static struct engine_failure failure_in(const struct engine_failure *failure, const char *text,
                                        struct arena *arena)
{
    if (!text)
        return (struct engine_failure){.code = "", .message = "", .step = ""};
    return (struct engine_failure){.code = arena_strdup(arena, failure->code),
                                   .message = arena_strdup(arena, failure->message),
                                   .details = slice_copy(arena, failure->details),
                                   .non_retryable = failure->non_retryable,
                                   .step = arena_strdup(arena, failure->step)};
}

void task_change_fill(const struct task *task, struct engine_task_change *change,
                      struct arena *arena)
{
    const struct task_more *more = task->more;

    *change = (struct engine_task_change){
        .id = task->id,
        .state = (enum engine_task_state)task->state,
        .attempt = task->attempt,
        .failures = task->failures,
        .lost = task->lost,
        .recorded_by = task_is_terminal(task) && task->closed_by_report ? task->attempt : 0,
        .worker = task->worker,
        .closed_by_report = task->closed_by_report,
        .due_us = !task->lease                        ? task->due_us
                  : task->parked == ENGINE_PARKED_DUE ? task->parked_due_us
                                                      : 0,
        .started_us = task->started_us,
        .finished_us = task->finished_us,
        .cancel = cancel_in(more ? &more->cancel : NULL, more ? more->cancel_text : NULL, arena),
        .failure =
            failure_in(more ? &more->failure : NULL, more ? more->failure_text : NULL, arena),
        .result = slice_copy(arena, (struct slice){task->result, task->result_len}),
    };
}

void task_row_fill(const struct task *task, struct engine_task_row *row, struct arena *arena)
{
    struct engine *engine = task->shard->engine;
    struct lease *lease = task->lease;
    struct lane *lane = task->lane;
    bool gather = arena == &engine->gather;

    *row = (struct engine_task_row){
        .id = task->id,
        .namespace_id = lane->queue->namespace_id,
        .spec.type = gather ? lane_type_name(lane, engine) : arena_strdup(arena, lane->type->name),
        .spec.queue =
            gather ? lane_queue_name(lane, engine) : arena_strdup(arena, lane->queue->name),
        .group = lane->window->group ? window_group(lane->window, arena) : "",
        .spec.priority = task->priority,
        .spec.spec_text = slice_copy(arena, task_spec_text(task)),
        .spec.run_at_us = task->attempt ? 0 : task->due_us,
        .created_us = task->created_us,
        .step = "",
        .retry_of = task->more ? task->more->retry_of : (struct id){{0}},
        .parked = (enum engine_parked_reason)task->parked,
        .parked_due_us = task->parked_due_us,
    };
    /* A lease of this very batch has put the parameters into the arena already. */
    if (gather && lease && lease->entry.seq == task->shard->seq + 1 &&
        lease->entry.epoch == task->shard->epoch)
        row->spec.parameters = lease->parameters;
    else
        row->spec.parameters = slice_copy(arena, task_parameters(task));
    if (task->run) {
        row->run = task->run->id;
        row->step = arena_strdup(arena, task->run->plan.plan->steps[task->step].id);
    }
    task_change_fill(task, &row->change, arena);
}

void task_view_fill(struct task *task, enum why why, struct engine_task_view *view,
                    struct arena *arena)
{
    task_row_fill(task, &view->row, arena);
    view->row.spec.environment = slice_copy(arena, task_environment(task));
    view->row.spec.labels = slice_copy(arena, task_labels(task));
    view->state = (enum engine_task_state)task->state;
    view->attempt = task->lease ? task->lease->entry.attempt : task->attempt;
    view->worker = task->lease ? task->lease->entry.worker : task->worker;
    view->started_us = task->started_us;
    view->waiting_for = task_waiting_for(task, why, arena);
    view->progress_message = "";
    if (task->more && task->more->progress_message) {
        view->progress = task->more->progress;
        view->progress_message = arena_strdup(arena, task->more->progress_message);
    }
}

struct engine_task_view *task_view(struct task *task, struct arena *arena)
{
    struct engine_task_view *view = ARENA_NEW(arena, struct engine_task_view);

    task_view_fill(task, WHY_BRIEF, view, arena);
    return view;
}

void run_change_fill(const struct run *run, struct engine_run_change *change, struct arena *arena)
{
    *change = (struct engine_run_change){
        .id = run->id,
        .state = (enum engine_run_state)run->state,
        .started_us = run->started_us,
        .finished_us = run->finished_us,
        .cancel = cancel_in(&run->cancel, run->cancel_text, arena),
        .pause = cancel_in(&run->pause, run->pause.at_us ? run->pause_text : NULL, arena),
        .failure = failure_in(&run->failure, run->failure_text, arena),
        .output = slice_copy(arena, (struct slice){run->output, run->output_len}),
        .counts = run->counts,
    };
}

void run_row_fill(const struct run *run, struct engine_run_row *row, struct arena *arena)
{
    *row = (struct engine_run_row){
        .id = run->id,
        .namespace_id = run->namespace_id,
        .plan_id = run->plan_id,
        .plan_name = arena_strdup(arena, run_plan_name(run)),
        .plan_version = run->plan_version,
        .input = slice_copy(arena, run_input(run)),
        .labels = slice_copy(arena, run_labels(run)),
        .created_us = run->created_us,
        .rerun_of = run->rerun_of,
        .parked = run->parked,
    };
    run_change_fill(run, &row->change, arena);
}

struct engine_run_view *run_view(struct run *run, struct arena *arena)
{
    struct engine_run_view *view = ARENA_NEW(arena, struct engine_run_view);

    run_row_fill(run, &view->row, arena);
    view->waiting_for = run_waiting_for(run, arena);
    return view;
}

struct engine_task_view *run_task_views(struct run *run, struct arena *arena, uint32_t *ret_len)
{
    const struct plan *plan = run->plan.plan;
    struct engine_task_view *views = ARENA_ARRAY(arena, struct engine_task_view, plan->steps_len);

    for (uint32_t i = 0; i < plan->steps_len; i++) {
        const struct plan_step *step = &plan->steps[i];
        struct engine_task_view *view = &views[i];

        if (run->steps[i].task) {
            task_view_fill(run->steps[i].task, WHY_EXACT, view, arena);
            continue;
        }
        view->row.namespace_id = run->namespace_id;
        view->row.run = run->id;
        view->row.step = arena_strdup(arena, step->id);
        view->row.spec.type = arena_strdup(arena, step->task_type ? step->task_type : "");
        view->row.spec.queue = arena_strdup(arena, step->queue);
        view->row.spec.priority = step->priority;
        view->row.change.failure = failure_in(NULL, NULL, arena);
        view->row.change.cancel = cancel_in(NULL, NULL, arena);
        view->is_step_only = true;
        view->state = run->ending ? ENGINE_TASK_SKIPPED : ENGINE_TASK_PENDING;
        view->row.change.state = view->state;
        view->waiting_for = run->ending ? "" : step_waiting_for(run, i, arena);
        view->progress_message = "";
    }
    *ret_len = plan->steps_len;
    return views;
}
