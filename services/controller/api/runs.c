/* SPDX-License-Identifier: Apache-2.0 */
/* PlanAPI: runs. */
#include "api_internal.h"

#include <stdio.h>

#include "plan/plan.h"

struct run_op {
    struct api *api;
    struct rpc_call *call;
    const char *key;
    uint8_t digest[32];
    struct slice input, labels;
    struct id rerun_of;
};

static struct run_op *run_op_new(struct rpc_call *call)
{
    struct run_op *op = arena_zalloc(rpc_call_arena(call), sizeof *op);

    op->api = rpc_call_service(call);
    op->call = rpc_call_ref(call);
    return op;
}

static void run_op_end(struct run_op *op)
{
    rpc_call_unref(op->call);
}

static bool parse_run_id(struct rpc_call *call, const char *text, struct id *ret)
{
    struct error error = {0};

    if (api_parse_id(rpc_call_service(call), text, "run", ret, &error) == STATUS_OK)
        return true;
    rpc_call_fail(call, &error);
    return false;
}

static void send_run(struct rpc_call *call, const struct engine_run_view *view,
                     const struct error *err, void *userdata)
{
    if (err)
        rpc_call_fail(call, err);
    else
        rpc_call_reply(
            call, &convert_run(rpc_call_service(call), rpc_call_arena(call), view, true)->base);
}

/* ---- start and rerun ---- */

static void run_started(const struct engine_reply *reply, void *userdata)
{
    struct run_op *op = userdata;

    if (reply->status != STATUS_OK) {
        api_fail_reply(op->call, reply);
    } else {
        if (reply->duplicate)
            rpc_call_set_trailer(op->call, "x-plankton-replayed", "1");
        if (reply->run)
            send_run(op->call, reply->run, NULL, NULL);
        else
            api_read_run(op->api, op->call, &reply->id, send_run, NULL);
    }
    run_op_end(op);
}

/* Takes op; the plan version must be that of the document. */
static void start(struct run_op *op, const struct store_plan *stored)
{
    const struct api_principal *principal = api_principal_of(op->call);
    struct host *host = op->api->host;
    struct error error = {0};
    struct engine_plan plan;
    const char *input;
    enum status st = host_plan(host, &stored->id, stored->version, stored->document, &plan, &error);

    if (st == STATUS_OK) {
        st = plan_check_input(plan.plan, op->input, rpc_call_arena(op->call), &input, &error);
        if (st != STATUS_OK) {
            snprintf(error.reason, sizeof error.reason, "INPUT_INVALID");
            plan.release(plan.owner);
        }
    }
    if (st != STATUS_OK) {
        rpc_call_fail(op->call, &error);
        run_op_end(op);
        return;
    }
    struct engine_command command = {
        .kind = ENGINE_START_RUN,
        .start_run = {.id = host_new_id(host, host_home_shard(host, principal->namespace_id)),
                      .namespace_id = principal->namespace_id,
                      .actor = principal->name,
                      .plan = plan,
                      .plan_id = stored->id,
                      .plan_name = stored->name,
                      .plan_version = stored->version,
                      .input = slice_of(input),
                      .labels = op->labels,
                      .key = op->key,
                      .rerun_of = op->rerun_of}};
    memcpy(command.start_run.digest, op->digest, 32);
    host_ask(host, &command, run_started, NULL, op);
    plan.release(plan.owner);
}

static void start_plan_found(struct rpc_call *call, const struct store_plan *plan,
                             const struct error *err, void *userdata)
{
    struct run_op *op = userdata;

    if (err) {
        rpc_call_fail(call, err);
        run_op_end(op);
    } else if (plan->archived_us) {
        api_fail(call, STATUS_FAILED_PRECONDITION, "PLAN_ARCHIVED", "planId",
                 "the plan is archived");
        run_op_end(op);
    } else {
        start(op, plan);
    }
}

void runs_start(struct rpc_call *call, const Plankton__V1__StartRunRequest *request)
{
    struct run_op *op = run_op_new(call);
    struct arena *arena = rpc_call_arena(call);
    Plankton__V1__StartRunRequest body = *request;
    struct error error = {0};
    char **keys = ARENA_ARRAY(arena, char *, request->n_labels + 1),
         **values = ARENA_ARRAY(arena, char *, request->n_labels + 1);

    for (size_t i = 0; i < request->n_labels; i++) {
        keys[i] = request->labels[i]->key;
        values[i] = request->labels[i]->value;
    }
    enum status st =
        api_check_text(request->request_id, API_REQUEST_ID_BYTES_MAX, "requestId", &error);
    if (st == STATUS_OK)
        st =
            spec_labels_text(arena, request->n_labels, keys, values, "labels", &op->labels, &error);
    if (st == STATUS_OK && request->version < 0)
        st = error_field(&error, STATUS_INVALID_ARGUMENT, "INVALID_FIELD", "version",
                         "version must not be negative");
    if (st != STATUS_OK) {
        rpc_call_fail(call, &error);
        run_op_end(op);
        return;
    }
    op->key = request->request_id;
    op->input = slice_of(request->input ? request->input->text : "");
    body.request_id = (char *)protobuf_c_empty_string;
    api_digest(&body.base, op->digest);
    api_read_plan(op->api, call, request->plan_id, (uint32_t)request->version, start_plan_found,
                  op);
}

static void rerun_plan_found(struct rpc_call *call, const struct store_plan *plan,
                             const struct error *err, void *userdata)
{
    struct run_op *op = userdata;

    if (err) {
        rpc_call_fail(call, err);
        run_op_end(op);
        return;
    }
    start(op, plan); /* an archived plan's runs may be repeated: they are pinned to their version */
}

static void rerun_found(struct rpc_call *call, const struct engine_run_view *view,
                        const struct error *err, void *userdata)
{
    struct run_op *op = userdata;
    struct arena *arena = rpc_call_arena(call);

    if (err) {
        rpc_call_fail(call, err);
        run_op_end(op);
        return;
    }
    if (!engine_run_state_is_terminal(view->row.change.state)) {
        api_fail(call, STATUS_FAILED_PRECONDITION, "WRONG_STATE", NULL, "the run is still %s",
                 engine_run_state_name(view->row.change.state));
        run_op_end(op);
        return;
    }
    op->rerun_of = view->row.id;
    op->labels = (struct slice){arena_memdup(arena, view->row.labels.data, view->row.labels.len),
                                view->row.labels.len};
    if (!op->input.len)
        op->input = (struct slice){arena_memdup(arena, view->row.input.data, view->row.input.len),
                                   view->row.input.len};
    char plan[ID_TEXT_BYTES];
    id_format(&view->row.plan_id, plan);
    api_read_plan(op->api, call, plan, view->row.plan_version, rerun_plan_found, op);
}

void runs_rerun(struct rpc_call *call, const Plankton__V1__RerunRunRequest *request)
{
    Plankton__V1__RerunRunRequest body = *request;
    struct error error = {0};
    struct id id;

    if (!parse_run_id(call, request->id, &id))
        return;
    if (api_check_text(request->request_id, API_REQUEST_ID_BYTES_MAX, "requestId", &error) !=
        STATUS_OK) {
        rpc_call_fail(call, &error);
        return;
    }
    struct run_op *op = run_op_new(call);
    op->key = request->request_id;
    op->input = slice_of(request->input ? request->input->text : "");
    body.request_id = (char *)protobuf_c_empty_string;
    api_digest(&body.base, op->digest);
    api_read_run(op->api, call, &id, rerun_found, op);
}

/* ---- get ---- */

void runs_get(struct rpc_call *call, const Plankton__V1__GetRunRequest *request)
{
    struct id id;

    if (parse_run_id(call, request->id, &id))
        api_read_run(rpc_call_service(call), call, &id, send_run, NULL);
}

struct page_of_tasks {
    const char *filter;
    uint32_t limit, from;
};

static void send_run_tasks(struct rpc_call *call, const struct api_run_tasks *tasks,
                           const struct error *err, void *userdata)
{
    struct api *api = rpc_call_service(call);
    struct arena *arena = rpc_call_arena(call);
    const struct page_of_tasks *page = userdata;
    Plankton__V1__ListRunTasksResponse reply = PLANKTON__V1__LIST_RUN_TASKS_RESPONSE__INIT;

    if (err) {
        rpc_call_fail(call, err);
        return;
    }
    reply.tasks = ARENA_ARRAY(arena, Plankton__V1__Task *, page->limit);
    for (size_t i = page->from; i < tasks->tasks_len && reply.n_tasks < page->limit; i++)
        reply.tasks[reply.n_tasks++] = convert_task(api, arena, &tasks->tasks[i], true);
    if (page->from + reply.n_tasks < tasks->tasks_len) {
        uint32_t next = page->from + (uint32_t)reply.n_tasks;
        reply.next_page_token = api_next_page(api, arena, page->filter, &next, sizeof next);
    }
    plankton_v1_plan_api_list_run_tasks_reply(call, &reply);
}

void runs_list_tasks(struct rpc_call *call, const Plankton__V1__ListRunTasksRequest *request)
{
    struct api *api = rpc_call_service(call);
    struct page_of_tasks *page = arena_zalloc(rpc_call_arena(call), sizeof *page);
    struct error error = {0};
    struct id id;
    bool has;

    if (!parse_run_id(call, request->id, &id))
        return;
    page->filter = arena_printf(rpc_call_arena(call), "run tasks %s", request->id);
    if (api_page(api, request->page_size, API_PAGE_MAX, request->page_token, page->filter,
                 &page->limit, &page->from, sizeof page->from, &has, &error) != STATUS_OK) {
        rpc_call_fail(call, &error);
        return;
    }
    if (!has)
        page->from = 0;
    api_read_run_tasks(api, call, &id, false, send_run_tasks, page);
}

static void send_graph(struct rpc_call *call, const struct api_run_tasks *tasks,
                       const struct error *err, void *userdata)
{
    struct arena *arena = rpc_call_arena(call);
    Plankton__V1__RunGraph reply = PLANKTON__V1__RUN_GRAPH__INIT;
    static const char *const kinds[] = {"task", "approval", "sleep", "signal", "plan"};

    if (err) {
        rpc_call_fail(call, err);
        return;
    }
    reply.run_id = convert_id(arena, &tasks->run->row.id);
    reply.n_steps = tasks->plan->steps_len;
    reply.steps = ARENA_ARRAY(arena, Plankton__V1__GraphStep *, reply.n_steps);
    for (uint32_t i = 0; i < tasks->plan->steps_len; i++) {
        const struct plan_step *step = &tasks->plan->steps[i];
        Plankton__V1__GraphStep *out = ARENA_NEW(arena, Plankton__V1__GraphStep);
        struct id id = id_derive(&tasks->run->row.id, step->id, 0);
        plankton__v1__graph_step__init(out);
        out->id = arena_strdup(arena, step->id);
        out->name = arena_strdup(arena, step->name);
        out->kind = (char *)kinds[step->kind];
        out->type = arena_strdup(arena, step->task_type ? step->task_type : "");
        out->n_needs = step->needs_len;
        out->needs = ARENA_ARRAY(arena, char *, step->needs_len + 1);
        for (uint32_t n = 0; n < step->needs_len; n++)
            out->needs[n] = arena_strdup(arena, tasks->plan->steps[step->needs[n]].id);
        out->task_id = convert_id(arena, &id);
        out->state = (Plankton__V1__TaskState)tasks->tasks[i].state;
        out->attempt = (int32_t)tasks->tasks[i].attempt;
        reply.steps[i] = out;
    }
    plankton_v1_plan_api_get_run_graph_reply(call, &reply);
}

void runs_graph(struct rpc_call *call, const Plankton__V1__GetRunGraphRequest *request)
{
    struct id id;

    if (parse_run_id(call, request->id, &id))
        api_read_run_tasks(rpc_call_service(call), call, &id, true, send_graph, NULL);
}

/* ---- cancel, pause and resume ---- */

struct run_change {
    enum engine_command_kind kind;
    const char *reason;
};

static void run_changed(const struct engine_reply *reply, void *userdata)
{
    struct run_op *op = userdata;

    if (reply->status != STATUS_OK)
        api_fail_reply(op->call, reply);
    else if (reply->run)
        send_run(op->call, reply->run, NULL, NULL);
    else
        api_fail(op->call, STATUS_FAILED_PRECONDITION, "WRONG_STATE", NULL, "the run is terminal");
    run_op_end(op);
}

/* The engine does not know namespaces of callers: look whose it is first. */
static void change_allowed(struct rpc_call *call, const struct engine_run_view *view,
                           const struct error *err, void *userdata)
{
    const struct run_change *change = userdata;

    if (err) {
        rpc_call_fail(call, err);
        return;
    }
    if (engine_run_state_is_terminal(view->row.change.state)) {
        api_fail(call, STATUS_FAILED_PRECONDITION, "WRONG_STATE", NULL, "the run is already %s",
                 engine_run_state_name(view->row.change.state));
        return;
    }
    struct run_op *op = run_op_new(call);
    struct engine_command command = {.kind = change->kind,
                                     .by_id = {.id = view->row.id,
                                               .actor = api_principal_of(call)->name,
                                               .reason = change->reason}};
    host_ask(op->api->host, &command, run_changed, NULL, op);
}

static void change_run(struct rpc_call *call, enum engine_command_kind kind, const char *id_text,
                       const char *reason)
{
    struct run_change *change = ARENA_NEW(rpc_call_arena(call), struct run_change);
    struct error error = {0};
    struct id id;

    if (!parse_run_id(call, id_text, &id))
        return;
    if (api_check_text(reason, API_REASON_BYTES_MAX, "reason", &error) != STATUS_OK) {
        rpc_call_fail(call, &error);
        return;
    }
    *change = (struct run_change){kind, reason};
    api_read_run(rpc_call_service(call), call, &id, change_allowed, change);
}

void runs_cancel(struct rpc_call *call, const Plankton__V1__CancelRunRequest *request)
{
    change_run(call, ENGINE_CANCEL_RUN, request->id, request->reason);
}

void runs_pause(struct rpc_call *call, const Plankton__V1__PauseRunRequest *request)
{
    change_run(call, ENGINE_PAUSE_RUN, request->id, request->reason);
}

void runs_resume(struct rpc_call *call, const Plankton__V1__ResumeRunRequest *request)
{
    change_run(call, ENGINE_RESUME_RUN, request->id, request->reason);
}
