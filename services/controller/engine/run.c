/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs: a step's task is made in the batch that makes the step ready, its parameters from the input
 * and the outputs before it. A step that failed fails the run: what has not begun is not begun,
 * what is under way is cancelled, and the run ends when all its tasks have. A step whose condition
 * is false is skipped; a step with a skipped need is skipped too unless it has a condition of its
 * own. A step cancelled by itself cancels the run.
 */
#include "internal.h"

#define RUN_TEXT_BYTES_MAX 1024 /* JSON of run.id, run.plan, run.version */

struct run *run_new(struct shard *shard, const struct engine_run_row *row,
                    const struct engine_plan *plan)
{
    size_t name = strlen(row->plan_name) + 1;
    struct run *run = mem_zalloc(sizeof(*run) + name + row->input.len + row->labels.len);
    uint32_t steps = plan->plan->steps_len;

    run->id = row->id;
    run->shard = shard;
    run->plan = *plan;
    if (plan->hold)
        plan->hold(plan->owner);
    run->steps = mem_zalloc(steps * sizeof(*run->steps));
    run->todo = mem_zalloc(steps * sizeof(*run->todo));
    for (uint32_t i = 0; i < steps; i++)
        run->steps[i].needs_left = plan->plan->steps[i].needs_len;
    run->counts.total = steps;
    run->counts.by_state[ENGINE_TASK_PENDING] = steps;
    run->namespace_id = row->namespace_id;
    run->plan_version = row->plan_version;
    run->plan_id = row->plan_id;
    run->rerun_of = row->rerun_of;
    run->created_us = row->created_us;
    run->input_len = (uint32_t)row->input.len;
    run->labels_len = (uint32_t)row->labels.len;
    memcpy(run->text, row->plan_name, name);
    if (row->input.len)
        memcpy(run->text + name, row->input.data, row->input.len);
    if (row->labels.len)
        memcpy(run->text + name + row->input.len, row->labels.data, row->labels.len);
    list_init(&run->watches);
    return run;
}

const char *run_plan_name(const struct run *run)
{
    return run->text;
}

struct slice run_input(const struct run *run)
{
    return (struct slice){run->text + strlen(run->text) + 1, run->input_len};
}

struct slice run_labels(const struct run *run)
{
    return (struct slice){run->text + strlen(run->text) + 1 + run->input_len, run->labels_len};
}

struct run *run_find(const struct shard *shard, const struct id *id)
{
    for (struct map_node *n = map_first(&shard->runs, id_hash(id)); n; n = map_next(n)) {
        struct run *run = CONTAINER_OF(n, struct run, by_id);

        if (id_eq(&run->id, id))
            return run;
    }
    return NULL;
}

void run_enter(struct run *run)
{
    struct shard *shard = run->shard;

    map_insert(&shard->runs, &run->by_id, id_hash(&run->id));
    list_push(&shard->all_runs, &run->all);
    list_push(&shard->young_runs, &run->age);
    run->entered = true;
    shard->engine->stats.runs_live++;
}

/* Its tasks must be gone or no longer its own. */
void run_free(struct run *run)
{
    struct engine *engine = run->shard->engine;

    LIST_EACH(&run->watches, node)
    watch_free(engine, LIST_ENTRY(node, struct watch, link));
    list_remove(&run->dirty);
    list_remove(&run->age);
    list_remove(&run->all);
    if (run->entered) {
        map_remove(&run->shard->runs, &run->by_id);
        engine->stats.runs_live--;
    }
    if (run->plan.release)
        run->plan.release(run->plan.owner);
    free(run->steps);
    free(run->todo);
    free(run->failure_text);
    free(run->cancel_text);
    free(run->pause_text);
    free(run->output);
    free(run);
}

void run_dirty(struct run *run)
{
    if (!list_linked(&run->dirty))
        list_push(&run->shard->dirty_runs, &run->dirty);
    shard_dirty(run->shard);
}

static void run_row_dirty(struct run *run)
{
    run->row_dirty = true;
    run_dirty(run);
}

static bool step_result(void *userdata, uint32_t index, struct plan_step_result *ret)
{
    const struct run *run = userdata;
    const struct task *task = run->steps[index].task;

    if (!task || !task_is_terminal(task))
        return false;
    ret->state = engine_task_state_name((enum engine_task_state)task->state);
    ret->output = (struct slice){task->result, task->result_len};
    return true;
}

static struct plan_context context_of(struct run *run, struct arena *arena)
{
    char id[ID_TEXT_BYTES];
    struct buf text;
    struct slice copy;

    id_format(&run->id, id);
    buf_init(&text, RUN_TEXT_BYTES_MAX);
    buf_putf(&text, "{\"id\":\"%s\",\"plan\":", id);
    json_write_string(&text, slice_of(run_plan_name(run)));
    buf_putf(&text, ",\"version\":%u}", run->plan_version);
    copy = slice_copy(arena, buf_slice(&text));
    buf_fini(&text);
    return (struct plan_context){
        .input = run_input(run), .run = copy, .step_result = step_result, .userdata = run};
}

void run_attach(struct run *run, struct task *task)
{
    struct step *step = &run->steps[task->step];

    assert(!step->task);
    step->task = task;
    step->state = STEP_TASK;
    run->counts.by_state[ENGINE_TASK_PENDING]--;
    run->live++;
}

static struct task *step_task(struct run *run, uint32_t index, const struct engine_spec *spec)
{
    struct shard *shard = run->shard;
    struct id id = id_derive(&run->id, run->plan.plan->steps[index].id, 0);
    struct task *task = task_new(shard, &id, run->namespace_id, spec, shard->engine->now_us);
    struct engine_event *event;

    task->run = run;
    task->step = index;
    run_attach(run, task);
    task_enter(task);
    task_dirty(task);
    event = event_of_task(task, ENGINE_EVENT_TASK_SUBMITTED);
    event->actor = "controller";
    event->state = task->due_us > shard->engine->now_us ? ENGINE_TASK_PENDING : ENGINE_TASK_READY;
    event->due_us = task->due_us;
    shard->engine->stats.submitted++;
    return task;
}

static struct engine_spec bare_spec(const struct plan_step *step)
{
    return (struct engine_spec){.type = step->task_type ? step->task_type : "none",
                                .queue = step->queue,
                                .priority = step->priority,
                                .retry = ENGINE_RETRY_DEFAULT,
                                .parameters = slice_of("{}")};
}

static void step_skip(struct run *run, uint32_t index, const char *reason)
{
    struct engine_spec spec = bare_spec(&run->plan.plan->steps[index]);

    task_finish(step_task(run, index, &spec), ENGINE_TASK_SKIPPED, 0, reason, "controller");
}

static void step_fail(struct run *run, uint32_t index, const char *code, const struct error *err)
{
    struct engine_spec spec = bare_spec(&run->plan.plan->steps[index]);
    struct task *task = step_task(run, index, &spec);
    const char *message = err->message;

    if (err->field[0])
        message = arena_printf(&run->shard->engine->gather, "%s: %s", err->field, err->message);
    task_set_failure(task,
                     &(struct engine_failure){
                         .code = code, .message = message, .non_retryable = true, .step = ""});
    task_finish(task, ENGINE_TASK_FAILED, 0, code, "controller");
}

void run_stick(struct task *task, const struct id *worker, int64_t started_us)
{
    struct run *run = task->run;

    if (!run->plan.plan->steps[task->step].sticky || id_is_nil(worker) ||
        started_us < run->sticky_us)
        return;
    run->sticky = *worker;
    run->sticky_us = started_us;
}

/* Where the run's sticky steps were is where this one goes. */
static void stick(const struct run *run, const struct plan_step *step, struct arena *arena,
                  struct engine_spec *spec)
{
    struct engine_demands *demands;

    if (!step->sticky || id_is_nil(&run->sticky))
        return;
    demands = ARENA_NEW(arena, struct engine_demands);
    demands->cost = 1;
    if (spec->demands)
        *demands = *spec->demands;
    demands->worker = run->sticky;
    demands->only_that_worker = step->sticky == PLAN_STICKY_HARD;
    spec->demands = demands;
}

static bool step_texts(struct run *run, uint32_t index, const struct plan_context *context,
                       struct arena *arena, struct engine_spec *spec, struct error *err)
{
    const struct plan *plan = run->plan.plan;
    const struct plan_step *step = &plan->steps[index];

    if (plan_step_parameters(plan, index, context, arena, &spec->parameters, err) != STATUS_OK ||
        plan_step_environment(plan, index, context, arena, &spec->environment, err) != STATUS_OK)
        return false;
    spec->queue = step->queue;
    spec->priority = step->priority;
    spec->delay_ms = step->delay_ms;
    spec->retry = (struct engine_retry){.max_attempts = step->retry.max_attempts,
                                        .initial_backoff_ms = step->retry.initial_backoff_ms,
                                        .max_backoff_ms = step->retry.max_backoff_ms,
                                        .multiplier = step->retry.multiplier,
                                        .jitter = step->retry.jitter,
                                        .budget_ms = step->retry.budget_ms,
                                        .non_retryable = step->retry.non_retryable,
                                        .non_retryable_len = step->retry.non_retryable_len};
    spec->timeouts = (struct engine_timeouts){.queue_ms = step->timeout.queue_ms,
                                              .attempt_ms = step->timeout.attempt_ms,
                                              .total_ms = step->timeout.total_ms,
                                              .heartbeat_ms = step->timeout.heartbeat_ms};
    if (strcmp(step->labels, "{}") != 0)
        spec->labels = slice_of(step->labels);
    requires_of_environment(spec->environment, step->cost, arena, spec);
    stick(run, step, arena, spec);
    if ((step->concurrency_len || step->rates_len || step->fairness_key) &&
        !limits_of_step(run, step, context, arena, spec, err))
        return false;
    spec->spec_text = spec_text_of_step(step, spec, arena);
    return true;
}

static void step_begin(struct run *run, uint32_t index, const struct engine_spec *spec)
{
    struct error err = {0};
    const char *reason, *refusal = NULL;
    struct task *task;

    if (spec->limits)
        refusal = gate_refuses(run->shard, run->namespace_id, spec->limits,
                               &run->shard->engine->gather, &reason);
    if (refusal) {
        error_set(&err, STATUS_FAILED_PRECONDITION, "%s", refusal);
        step_fail(run, index, reason, &err);
        return;
    }
    task = step_task(run, index, spec);
    task_begin(task);
    gate_supersede(task);
    task_notify(task);
}

static void step_start(struct run *run, uint32_t index)
{
    const struct plan *plan = run->plan.plan;
    const struct plan_step *step = &plan->steps[index];
    struct engine_spec spec = bare_spec(step);
    struct plan_context context;
    struct error err = {0};
    struct arena arena;
    bool when = true;

    if (run->steps[index].need_skipped && !step->when) {
        step_skip(run, index, "a step it needs was skipped");
        return;
    }
    arena_init(&arena, 0);
    context = context_of(run, &arena);
    if (step->kind != PLAN_STEP_TASK) {
        error_set(&err, STATUS_UNIMPLEMENTED, "steps of this kind cannot be run yet");
        step_fail(run, index, "STEP_UNSUPPORTED", &err);
    } else if (plan_step_when(plan, index, &context, &when, &err) != STATUS_OK) {
        step_fail(run, index, "TEMPLATE_ERROR", &err);
    } else if (!when) {
        step_skip(run, index, "its condition is false");
    } else if (!step_texts(run, index, &context, &arena, &spec, &err)) {
        step_fail(run, index, "TEMPLATE_ERROR", &err);
    } else {
        step_begin(run, index, &spec);
    }
    arena_fini(&arena);
}

static void set_failure(struct run *run, const struct engine_failure *failure)
{
    if (!run->failure_text)
        failure_copy(&run->failure, &run->failure_text, failure);
    run->ending = true;
}

static void fail_by_step(struct run *run, const struct task *task)
{
    struct engine_failure failure = task->more->failure;

    failure.step = run->plan.plan->steps[task->step].id;
    set_failure(run, &failure);
}

/* Counts a finished step and puts into todo what it makes ready. */
static void step_done(struct run *run, struct task *task)
{
    const struct plan_step *step = &run->plan.plan->steps[task->step];

    run->steps[task->step].state = STEP_DONE;
    run->live--;
    run->done++;
    if (task->state == ENGINE_TASK_FAILED) {
        fail_by_step(run, task);
        return;
    }
    if (task->state == ENGINE_TASK_CANCELLED) {
        if (!run->cancel.at_us && !run->ending)
            cancel_copy(&run->cancel, &run->cancel_text, run->shard->engine->now_us,
                        task->more ? task->more->cancel.actor : "",
                        "one of its steps was cancelled");
        run->ending = true;
        return;
    }
    for (uint32_t i = 0; i < step->dependents_len; i++) {
        struct step *next = &run->steps[step->dependents[i]];

        if (task->state == ENGINE_TASK_SKIPPED)
            next->need_skipped = true;
        assert(next->needs_left > 0);
        if (--next->needs_left == 0)
            run->todo[run->todo_len++] = step->dependents[i];
    }
}

void run_task_done(struct task *task)
{
    step_done(task->run, task);
    run_advance(task->run);
}

static void cancel_rest(struct run *run)
{
    const char *actor = run->failure_text ? "controller" : run->cancel.actor;
    const char *reason = run->failure_text ? "another step of the run failed" : run->cancel.reason;

    for (uint32_t i = 0; run->live > 0 && i < run->plan.plan->steps_len; i++) {
        struct task *task = run->steps[i].task;

        if (task && !task_is_terminal(task))
            task_cancel(task, actor, reason, 0);
    }
}

/* A run whose row was inserted in a state that its output then fails keeps that failure. */
static void make_output(struct run *run)
{
    struct plan_context context;
    struct error err = {0};
    struct slice output;
    struct arena arena;

    arena_init(&arena, 0);
    context = context_of(run, &arena);
    if (plan_output(run->plan.plan, &context, &arena, &output, &err) != STATUS_OK) {
        const char *message =
            err.field[0] ? arena_printf(&arena, "%s: %s", err.field, err.message) : err.message;

        set_failure(run, &(struct engine_failure){.code = "TEMPLATE_ERROR",
                                                  .message = message,
                                                  .non_retryable = true,
                                                  .step = ""});
    } else if (output.len) {
        run->output = mem_alloc(output.len);
        memcpy(run->output, output.data, output.len);
        run->output_len = (uint32_t)output.len;
    }
    arena_fini(&arena);
}

static void run_finish(struct run *run)
{
    struct engine *engine = run->shard->engine;
    struct engine_event *event;

    if (!run->ending)
        make_output(run);
    run->ending = true;
    run->pause.at_us = 0;
    /* Steps that were never begun are reported as skipped. */
    run->counts.by_state[ENGINE_TASK_SKIPPED] += run->counts.by_state[ENGINE_TASK_PENDING];
    run->counts.by_state[ENGINE_TASK_PENDING] = 0;
    run_move(run, run->failure_text   ? ENGINE_RUN_FAILED
                  : run->cancel.at_us ? ENGINE_RUN_CANCELLED
                                      : ENGINE_RUN_SUCCEEDED);
    event = event_of_run(run, ENGINE_EVENT_RUN_FINISHED);
    if (run->output_len <= ENGINE_EVENT_RESULT_BYTES_MAX)
        event->result = slice_copy(&engine->gather, (struct slice){run->output, run->output_len});
    if (run->cancel.at_us && !run->failure_text) {
        event->actor = arena_strdup(&engine->gather, run->cancel.actor);
        event->reason = arena_strdup(&engine->gather, run->cancel.reason);
    }
    list_remove(&run->age);
    run_unpark(run);
    run_row_dirty(run);
    run_notify(run);
}

/* Starts what can start and ends what must end. A task that finishes on the way calls it again:
 * the call under way goes on, so that a chain of skipped steps needs no depth of stack. */
void run_advance(struct run *run)
{
    if (run->advancing || engine_run_state_is_terminal((enum engine_run_state)run->state))
        return;
    run->advancing = true;
    while (!run->ending && !run->pause.at_us && run->todo_head < run->todo_len)
        step_start(run, run->todo[run->todo_head++]);
    if (run->ending)
        cancel_rest(run);
    run->advancing = false;
    if (run->live == 0 && (run->ending || run->done == run->plan.plan->steps_len))
        run_finish(run);
}

static void put_first_steps(struct run *run)
{
    for (uint32_t i = 0; i < run->plan.plan->steps_len; i++) {
        if (run->steps[i].needs_left == 0 && run->steps[i].state == STEP_PENDING)
            run->todo[run->todo_len++] = i;
    }
}

void run_begin(struct run *run, const char *actor)
{
    struct engine_event *event;

    run_move(run, ENGINE_RUN_RUNNING);
    run->started_us = run->shard->engine->now_us;
    event = event_of_run(run, ENGINE_EVENT_RUN_STARTED);
    event->actor = arena_strdup(&run->shard->engine->gather, actor);
    run_row_dirty(run);
    put_first_steps(run);
    run_advance(run);
}

void run_cancel(struct run *run, const char *actor, const char *reason)
{
    struct engine *engine = run->shard->engine;
    struct engine_event *event;

    if (run->cancel.at_us)
        return;
    cancel_copy(&run->cancel, &run->cancel_text, engine->now_us, actor, reason);
    run->ending = true;
    event = event_of_run(run, ENGINE_EVENT_RUN_CANCEL_REQUESTED);
    event->actor = arena_strdup(&engine->gather, actor);
    event->reason = arena_strdup(&engine->gather, reason);
    run_row_dirty(run);
    run_notify(run);
    run_advance(run);
}

static void paused_or_resumed(struct run *run, enum engine_event_kind kind, const char *actor,
                              const char *reason)
{
    struct engine_event *event = event_of_run(run, kind);
    struct arena *arena = &run->shard->engine->gather;

    event->actor = arena_strdup(arena, actor);
    event->reason = arena_strdup(arena, reason);
    run_row_dirty(run);
    run_notify(run);
}

/* Its steps that are ready leave their lanes, those that become ready enter none (task_place), and
 * none is made: so nothing of it is leased. Limits of time run on. */
void run_pause(struct run *run, const char *actor, const char *reason)
{
    if (run->pause.at_us && str_eq(run->pause.reason, reason))
        return;
    if (!run->pause.at_us)
        run_move(run, ENGINE_RUN_PAUSED);
    cancel_copy(&run->pause, &run->pause_text, run->shard->engine->now_us, actor, reason);
    for (uint32_t i = 0; i < run->plan.plan->steps_len; i++) {
        struct task *task = run->steps[i].task;

        if (task && task->ready.place)
            lane_remove(task);
    }
    paused_or_resumed(run, ENGINE_EVENT_RUN_PAUSED, actor, reason);
}

void run_unpause(struct run *run, const char *actor, const char *reason)
{
    if (!run->pause.at_us)
        return;
    run->pause.at_us = 0;
    run_move(run, ENGINE_RUN_RUNNING);
    paused_or_resumed(run, ENGINE_EVENT_RUN_RESUMED, actor, reason);
    for (uint32_t i = 0; i < run->plan.plan->steps_len; i++) {
        struct task *task = run->steps[i].task;

        if (task && task->state == ENGINE_TASK_READY && !task->ready.place)
            task_place(task);
    }
    run_advance(run);
}

/* The loaded tasks have their states; what follows from them is found again, in one pass in the
 * order of needs. */
void run_resume(struct run *run)
{
    const struct plan *plan = run->plan.plan;

    run->advancing = true;
    for (uint32_t i = 0; i < plan->steps_len; i++) {
        struct task *task = run->steps[plan->order[i]].task;

        if (task && task_is_terminal(task))
            step_done(run, task);
    }
    /* Those that were made ready by the pass above and have a task need no start. */
    run->todo_len = 0;
    put_first_steps(run);
    run->advancing = false;
    if (run->cancel.at_us)
        run->ending = true;
    run_advance(run);
}
