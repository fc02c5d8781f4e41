/* SPDX-License-Identifier: Apache-2.0 */
/* Reads: the engine first, committed rows when it does not hold the thing. Foreign namespaces do
 * not exist. */
#include "api_internal.h"

#include <stdlib.h>

#include "plan/plan.h"

struct read_op {
    struct api *api;
    struct rpc_call *call;
    struct id id;
    union {
        api_task_fn task;
        api_run_fn run;
        api_run_tasks_fn run_tasks;
        api_plan_fn plan;
    } fn;
    void *userdata;
    bool with_plan;
    struct engine_run_view run; /* of a run that is not in memory: copied */
    struct engine_task_view *tasks;
    size_t tasks_len;
};

static struct read_op *read_op_new(struct api *api, struct rpc_call *call, const struct id *id,
                                   void *userdata)
{
    struct read_op *op = arena_zalloc(rpc_call_arena(call), sizeof *op);

    op->api = api;
    op->call = rpc_call_ref(call);
    op->id = *id;
    op->userdata = userdata;
    return op;
}

static bool foreign(const struct rpc_call *call, uint32_t namespace_id)
{
    return api_principal_of(call)->namespace_id != namespace_id;
}

static void reply_error(const struct engine_reply *reply, struct error *ret)
{
    error_field(ret, reply->status, reply->reason, NULL, "%s",
                reply->message ? reply->message : "refused");
}

/* What has gone by retention says so. */
static void not_found(const struct api *api, const struct id *id, const char *what,
                      struct error *ret)
{
    if (store_is_expired(host_store(api->host), id))
        error_field(ret, STATUS_NOT_FOUND, "EXPIRED", "id",
                    "the %s has expired: it was older than what is kept", what);
    else
        error_field(ret, STATUS_NOT_FOUND, "NOT_FOUND", "id", "there is no %s with this id", what);
}

/* ---- one task ---- */

static void task_finish(struct read_op *op, const struct engine_task_view *view,
                        const struct error *err)
{
    struct error none = {0};

    if (!err && (!view || foreign(op->call, view->row.namespace_id))) {
        not_found(op->api, &op->id, "task", &none);
        view = NULL;
        err = &none;
    }
    op->fn.task(op->call, view, err, op->userdata);
    rpc_call_unref(op->call);
}

static void task_row_read(const struct engine_task_row *row, const struct error *err,
                          void *userdata)
{
    struct read_op *op = userdata;
    struct engine_task_view view;

    if (row) {
        view = convert_task_row(row);
        view.waiting_for =
            engine_waiting_for(host_engine(op->api->host), row, rpc_call_arena(op->call));
    }
    task_finish(userdata, row ? &view : NULL, err);
}

static void task_replied(const struct engine_reply *reply, void *userdata)
{
    struct read_op *op = userdata;
    struct error error = {0};

    if (reply->status == STATUS_OK && reply->not_in_memory) {
        store_read_task(host_store(op->api->host), &op->id, task_row_read, op);
        return;
    }
    if (reply->status != STATUS_OK)
        reply_error(reply, &error);
    task_finish(op, reply->status == STATUS_OK ? reply->task : NULL,
                reply->status == STATUS_OK ? NULL : &error);
}

void api_read_task(struct api *api, struct rpc_call *call, const struct id *id, api_task_fn fn,
                   void *userdata)
{
    struct read_op *op = read_op_new(api, call, id, userdata);
    struct engine_command command = {.kind = ENGINE_READ_TASK, .by_id = {.id = *id}};

    op->fn.task = fn;
    host_ask(api->host, &command, task_replied, NULL, op);
}

/* ---- one run ---- */

static void run_finish(struct read_op *op, const struct engine_run_view *view,
                       const struct error *err)
{
    struct error none = {0};

    if (!err && (!view || foreign(op->call, view->row.namespace_id))) {
        not_found(op->api, &op->id, "run", &none);
        view = NULL;
        err = &none;
    }
    op->fn.run(op->call, view, err, op->userdata);
    rpc_call_unref(op->call);
}

static void run_row_read(const struct engine_run_row *row, const struct error *err, void *userdata)
{
    struct engine_run_view view;

    if (row)
        view = convert_run_row(row);
    run_finish(userdata, row ? &view : NULL, err);
}

static void run_replied(const struct engine_reply *reply, void *userdata)
{
    struct read_op *op = userdata;
    struct error error = {0};

    if (reply->status == STATUS_OK && reply->not_in_memory) {
        store_read_run(host_store(op->api->host), &op->id, run_row_read, op);
        return;
    }
    if (reply->status != STATUS_OK)
        reply_error(reply, &error);
    run_finish(op, reply->status == STATUS_OK ? reply->run : NULL,
               reply->status == STATUS_OK ? NULL : &error);
}

void api_read_run(struct api *api, struct rpc_call *call, const struct id *id, api_run_fn fn,
                  void *userdata)
{
    struct read_op *op = read_op_new(api, call, id, userdata);
    struct engine_command command = {.kind = ENGINE_READ_RUN, .by_id = {.id = *id}};

    op->fn.run = fn;
    host_ask(api->host, &command, run_replied, NULL, op);
}

/* ---- a plan ---- */

static void plan_read(const struct store_plan *plan, const struct error *err, void *userdata)
{
    struct read_op *op = userdata;
    struct error none = {0};

    if (!plan && !err) {
        error_field(&none, STATUS_NOT_FOUND, "NOT_FOUND", "id", "there is no such plan");
        err = &none;
    }
    op->fn.plan(op->call, err ? NULL : plan, err, op->userdata);
    rpc_call_unref(op->call);
}

void api_read_plan(struct api *api, struct rpc_call *call, const char *id_or_name, uint32_t version,
                   api_plan_fn fn, void *userdata)
{
    struct id id = {{0}};
    bool by_id = id_parse(id_or_name, &id);
    struct read_op *op = read_op_new(api, call, &id, userdata);

    op->fn.plan = fn;
    store_plan_read(host_store(api->host), api_principal_of(call)->namespace_id, by_id ? &id : NULL,
                    by_id ? NULL : id_or_name, version, plan_read, op);
}

/* ---- the steps of a run ---- */

static void run_tasks_finish(struct read_op *op, const struct api_run_tasks *tasks,
                             const struct error *err)
{
    op->fn.run_tasks(op->call, err ? NULL : tasks, err, op->userdata);
    rpc_call_unref(op->call);
}

static int by_step(const void *a, const void *b)
{
    return strcmp(((const struct engine_task_view *)a)->row.step,
                  ((const struct engine_task_view *)b)->row.step);
}

/* A step that has no row in a run that is over was never begun. */
static struct engine_task_view missing_step(const struct read_op *op, const struct plan_step *step)
{
    struct engine_task_view view = {
        .is_step_only = true, .waiting_for = "", .progress_message = ""};

    view.state = engine_run_state_is_terminal(op->run.row.change.state) ? ENGINE_TASK_SKIPPED
                                                                        : ENGINE_TASK_PENDING;
    view.row.step = step->id;
    view.row.run = op->id;
    view.row.id = id_derive(&op->id, step->id, 0);
    view.row.namespace_id = op->run.row.namespace_id;
    view.row.spec.type = step->task_type;
    view.row.spec.queue = step->queue;
    view.row.spec.priority = step->priority;
    return view;
}

static void assemble(struct read_op *op, const struct plan *plan)
{
    struct arena *arena = rpc_call_arena(op->call);
    struct engine_task_view *ordered = ARENA_ARRAY(arena, struct engine_task_view, plan->steps_len);

    if (op->tasks_len)
        qsort(op->tasks, op->tasks_len, sizeof *op->tasks, by_step);
    for (uint32_t i = 0; i < plan->steps_len; i++) {
        struct engine_task_view key = {.row.step = plan->steps[i].id};
        struct engine_task_view *found =
            op->tasks_len ? bsearch(&key, op->tasks, op->tasks_len, sizeof *op->tasks, by_step)
                          : NULL;
        ordered[i] = found ? *found : missing_step(op, &plan->steps[i]);
    }
    struct api_run_tasks tasks = {
        .run = &op->run, .tasks = ordered, .tasks_len = plan->steps_len, .plan = plan};
    run_tasks_finish(op, &tasks, NULL);
}

static void run_plan_read(struct rpc_call *call, const struct store_plan *stored,
                          const struct error *err, void *userdata)
{
    struct read_op *op = userdata;
    struct engine_plan plan;
    struct error error = {0};

    if (err) {
        run_tasks_finish(op, NULL, err);
        return;
    }
    if (host_plan(op->api->host, &stored->id, stored->version, stored->document, &plan, &error) !=
        STATUS_OK) {
        run_tasks_finish(op, NULL, &error);
        return;
    }
    assemble(op, plan.plan);
    plan.release(plan.owner);
}

static void read_run_plan(struct read_op *op)
{
    char id[ID_TEXT_BYTES];

    id_format(&op->run.row.plan_id, id);
    api_read_plan(op->api, op->call, id, op->run.row.plan_version, run_plan_read, op);
}

/* Rows die with the callback that brought them: keep what the answer is made of. */
static struct slice own_slice(struct arena *arena, struct slice text)
{
    return (struct slice){text.len ? arena_memdup(arena, text.data, text.len) : NULL, text.len};
}

static struct engine_failure own_failure(struct arena *arena, const struct engine_failure *failure)
{
    return (struct engine_failure){
        .code = arena_strdup(arena, failure->code ? failure->code : ""),
        .message = arena_strdup(arena, failure->message ? failure->message : ""),
        .details = own_slice(arena, failure->details),
        .non_retryable = failure->non_retryable,
        .step = arena_strdup(arena, failure->step ? failure->step : "")};
}

static struct engine_cancel own_cancel(struct arena *arena, const struct engine_cancel *cancel)
{
    return (struct engine_cancel){cancel->at_us,
                                  arena_strdup(arena, cancel->actor ? cancel->actor : ""),
                                  arena_strdup(arena, cancel->reason ? cancel->reason : "")};
}

static struct engine_task_view own_task(struct arena *arena, const struct engine_task_view *from)
{
    struct engine_task_view view = *from;

    view.row.spec.type = arena_strdup(arena, from->row.spec.type);
    view.row.spec.queue = arena_strdup(arena, from->row.spec.queue ? from->row.spec.queue : "");
    view.row.spec.parameters = own_slice(arena, from->row.spec.parameters);
    view.row.spec.spec_text = own_slice(arena, from->row.spec.spec_text);
    view.row.spec.requires_len = 0;
    view.row.step = arena_strdup(arena, from->row.step ? from->row.step : "");
    view.row.change.failure = own_failure(arena, &from->row.change.failure);
    view.row.change.cancel = own_cancel(arena, &from->row.change.cancel);
    view.row.change.result = own_slice(arena, from->row.change.result);
    view.waiting_for = arena_strdup(arena, from->waiting_for ? from->waiting_for : "");
    view.progress_message =
        arena_strdup(arena, from->progress_message ? from->progress_message : "");
    return view;
}

static void own_run(struct arena *arena, const struct engine_run_view *from,
                    struct engine_run_view *ret)
{
    *ret = *from;
    ret->row.plan_name = arena_strdup(arena, from->row.plan_name);
    ret->row.input = own_slice(arena, from->row.input);
    ret->row.labels = own_slice(arena, from->row.labels);
    ret->row.change.failure = own_failure(arena, &from->row.change.failure);
    ret->row.change.cancel = own_cancel(arena, &from->row.change.cancel);
    ret->row.change.pause = own_cancel(arena, &from->row.change.pause);
    ret->row.change.output = own_slice(arena, from->row.change.output);
    ret->waiting_for = arena_strdup(arena, from->waiting_for ? from->waiting_for : "");
}

static void run_rows_read(const struct engine_task_row *rows, size_t n, const struct error *err,
                          void *userdata)
{
    struct read_op *op = userdata;
    struct arena *arena = rpc_call_arena(op->call);

    if (err) {
        run_tasks_finish(op, NULL, err);
        return;
    }
    op->tasks = ARENA_ARRAY(arena, struct engine_task_view, n + 1);
    op->tasks_len = n;
    for (size_t i = 0; i < n; i++) {
        struct engine_task_view view = convert_task_row(&rows[i]);
        op->tasks[i] = own_task(arena, &view);
    }
    read_run_plan(op);
}

static void run_for_tasks_read(const struct engine_run_row *row, const struct error *err,
                               void *userdata)
{
    struct read_op *op = userdata;
    struct error none = {0};

    if (!err && (!row || foreign(op->call, row->namespace_id))) {
        not_found(op->api, &op->id, "run", &none);
        err = &none;
    }
    if (err) {
        run_tasks_finish(op, NULL, err);
        return;
    }
    struct engine_run_view view = convert_run_row(row);
    own_run(rpc_call_arena(op->call), &view, &op->run);
    store_read_run_tasks(host_store(op->api->host), &op->id, run_rows_read, op);
}

static void run_tasks_replied(const struct engine_reply *reply, void *userdata)
{
    struct read_op *op = userdata;
    struct arena *arena = rpc_call_arena(op->call);
    struct error error = {0};

    if (reply->status == STATUS_OK && reply->not_in_memory) {
        store_read_run(host_store(op->api->host), &op->id, run_for_tasks_read, op);
        return;
    }
    if (reply->status != STATUS_OK) {
        reply_error(reply, &error);
        run_tasks_finish(op, NULL, &error);
        return;
    }
    if (foreign(op->call, reply->run->row.namespace_id)) {
        error_field(&error, STATUS_NOT_FOUND, "NOT_FOUND", "id", "there is no run with this id");
        run_tasks_finish(op, NULL, &error);
        return;
    }
    if (!op->with_plan) {
        struct api_run_tasks tasks = {
            .run = reply->run, .tasks = reply->tasks, .tasks_len = reply->tasks_len};
        run_tasks_finish(op, &tasks, NULL);
        return;
    }
    own_run(arena, reply->run, &op->run);
    op->tasks = ARENA_ARRAY(arena, struct engine_task_view, reply->tasks_len + 1);
    op->tasks_len = reply->tasks_len;
    for (uint32_t i = 0; i < reply->tasks_len; i++)
        op->tasks[i] = own_task(arena, &reply->tasks[i]);
    read_run_plan(op);
}

void api_read_run_tasks(struct api *api, struct rpc_call *call, const struct id *id, bool with_plan,
                        api_run_tasks_fn fn, void *userdata)
{
    struct read_op *op = read_op_new(api, call, id, userdata);
    struct engine_command command = {.kind = ENGINE_READ_RUN_TASKS, .by_id = {.id = *id}};

    op->fn.run_tasks = fn;
    op->with_plan = with_plan;
    host_ask(api->host, &command, run_tasks_replied, NULL, op);
}
