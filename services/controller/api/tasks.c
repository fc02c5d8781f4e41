/* SPDX-License-Identifier: Apache-2.0 */
/* TaskController. */
#include "api_internal.h"

#include "base/planted.h"

struct task_op {
    struct api *api;
    struct rpc_call *call;
    struct id id;
    uint64_t ticket; /* of a watch; 0 = none */
    struct loop_timer *timer;
};

static struct task_op *task_op_new(struct rpc_call *call)
{
    struct task_op *op = arena_zalloc(rpc_call_arena(call), sizeof *op);

    op->api = rpc_call_service(call);
    op->call = rpc_call_ref(call);
    return op;
}

static void send_task(struct rpc_call *call, const struct engine_task_view *view,
                      const struct error *err, void *userdata)
{
    if (err)
        rpc_call_fail(call, err);
    else
        rpc_call_reply(
            call, &convert_task(rpc_call_service(call), rpc_call_arena(call), view, true)->base);
}

static bool parse_task_id(struct rpc_call *call, const char *text, struct id *ret)
{
    struct error error = {0};

    if (api_parse_id(rpc_call_service(call), text, "task", ret, &error) == STATUS_OK)
        return true;
    rpc_call_fail(call, &error);
    return false;
}

/* ---- submit ---- */

static void submitted(const struct engine_reply *reply, void *userdata)
{
    struct task_op *op = userdata;
    struct rpc_call *call = op->call;

    if (reply->status != STATUS_OK) {
        api_fail_reply(call, reply);
    } else {
        if (reply->duplicate)
            rpc_call_set_trailer(call, "x-plankton-replayed", "1");
        if (reply->task)
            send_task(call, reply->task, NULL, NULL);
        else
            api_read_task(op->api, call, &reply->id, send_task, NULL);
    }
    rpc_call_unref(call);
}

static void submit_spec(struct rpc_call *call, const struct engine_spec *spec,
                        const char *request_id, const uint8_t digest[32], const struct id *retry_of)
{
    const struct api_principal *principal = api_principal_of(call);
    struct task_op *op = task_op_new(call);
    struct host *host = op->api->host;
    struct engine_command command = {
        .kind = ENGINE_SUBMIT,
        .submit = {.id = host_new_id(host, host_home_shard(host, principal->namespace_id)),
                   .namespace_id = principal->namespace_id,
                   .actor = principal->name,
                   .spec = *spec,
                   .key = planted("submit_not_idempotent") ? "" : request_id}};

    memcpy(command.submit.digest, digest, 32);
    if (retry_of)
        command.submit.retry_of = *retry_of;
    host_ask(host, &command, submitted, NULL, op);
}

static void tasks_submit(struct rpc_call *call, const Plankton__V1__SubmitTaskRequest *request)
{
    struct api *api = rpc_call_service(call);
    Plankton__V1__SubmitTaskRequest body = *request;
    struct engine_spec spec;
    struct error error = {0};
    uint8_t digest[32];
    enum status st =
        api_check_text(request->request_id, API_REQUEST_ID_BYTES_MAX, "requestId", &error);

    if (st == STATUS_OK)
        st = spec_from_message(api->registry, rpc_call_arena(call), request->task, "", &spec,
                               &error);
    if (st != STATUS_OK) {
        rpc_call_fail(call, &error);
        return;
    }
    body.request_id = (char *)protobuf_c_empty_string;
    api_digest(&body.base, digest);
    submit_spec(call, &spec, request->request_id, digest, NULL);
}

/* ---- submit many ---- */

struct batch_op {
    struct rpc_call *call;
    size_t open;
    Plankton__V1__SubmitTasksResponse reply;
};
struct batch_item {
    struct batch_op *batch;
    Plankton__V1__SubmitTasksResult *result;
};

static void batch_item_done(struct batch_op *batch)
{
    if (--batch->open > 0)
        return;
    plankton_v1_task_controller_submit_tasks_reply(batch->call, &batch->reply);
    rpc_call_unref(batch->call);
}

static void batch_submitted(const struct engine_reply *reply, void *userdata)
{
    struct batch_item *item = userdata;
    struct arena *arena = rpc_call_arena(item->batch->call);

    if (reply->status == STATUS_OK) {
        item->result->id = convert_id(arena, &reply->id);
    } else {
        item->result->code = (int32_t)reply->status;
        item->result->message = arena_strdup(arena, reply->message ? reply->message : "");
    }
    batch_item_done(item->batch);
}

static void batch_submit(struct batch_op *batch, const Plankton__V1__SubmitTasksItem *request,
                         struct batch_item *item)
{
    struct rpc_call *call = batch->call;
    struct api *api = rpc_call_service(call);
    const struct api_principal *principal = api_principal_of(call);
    Plankton__V1__SubmitTasksItem body = *request;
    struct error error = {0};
    struct engine_command command = {.kind = ENGINE_SUBMIT};
    enum status st =
        api_check_text(request->request_id, API_REQUEST_ID_BYTES_MAX, "requestId", &error);

    if (st == STATUS_OK)
        st = spec_from_message(api->registry, rpc_call_arena(call), request->task, "",
                               &command.submit.spec, &error);
    if (st != STATUS_OK) {
        item->result->code = (int32_t)st;
        item->result->message = arena_strdup(rpc_call_arena(call), error.message);
        batch_item_done(batch);
        return;
    }
    command.submit.id = host_new_id(api->host, host_home_shard(api->host, principal->namespace_id));
    command.submit.namespace_id = principal->namespace_id;
    command.submit.actor = principal->name;
    command.submit.key = request->request_id;
    command.submit.brief = true;
    if (*request->request_id) {
        body.request_id = (char *)protobuf_c_empty_string;
        api_digest(&body.base, command.submit.digest);
    }
    host_ask(api->host, &command, batch_submitted, NULL, item);
}

static void tasks_submit_many(struct rpc_call *call,
                              const Plankton__V1__SubmitTasksRequest *request)
{
    struct arena *arena = rpc_call_arena(call);
    size_t n = request->n_items;

    if (n == 0 || n > API_BATCH_ITEMS_MAX) {
        api_fail(call, STATUS_INVALID_ARGUMENT, "INVALID_FIELD", "items",
                 "items must be between 1 and %d", API_BATCH_ITEMS_MAX);
        return;
    }
    struct batch_op *batch = arena_zalloc(arena, sizeof *batch);
    struct batch_item *items = ARENA_ARRAY(arena, struct batch_item, n);
    Plankton__V1__SubmitTasksResult *results =
        ARENA_ARRAY(arena, Plankton__V1__SubmitTasksResult, n);
    batch->call = rpc_call_ref(call);
    batch->open =
        n +
        1; /* one for this function: the answer must not leave while items are still being taken */
    plankton__v1__submit_tasks_response__init(&batch->reply);
    batch->reply.n_results = n;
    batch->reply.results = ARENA_ARRAY(arena, Plankton__V1__SubmitTasksResult *, n);
    for (size_t i = 0; i < n; i++) {
        plankton__v1__submit_tasks_result__init(&results[i]);
        batch->reply.results[i] = &results[i];
        items[i] = (struct batch_item){batch, &results[i]};
        batch_submit(batch, request->items[i], &items[i]);
    }
    batch_item_done(batch);
}

/* ---- get and wait ---- */

static void watch_close(struct task_op *op)
{
    if (op->timer)
        loop_timer_free(op->timer);
    op->timer = NULL;
    op->ticket = 0;
    rpc_call_unref(op->call);
}

static void task_terminal(const struct engine_reply *reply, void *userdata)
{
    struct task_op *op = userdata;

    op->ticket = 0;
    if (!rpc_call_is_open(op->call)) {
        /* the caller has gone */
    } else if (reply->status != STATUS_OK) {
        api_fail_reply(op->call, reply);
    } else if (reply->task &&
               reply->task->row.namespace_id == api_principal_of(op->call)->namespace_id) {
        send_task(op->call, reply->task, NULL, NULL);
    } else {
        api_read_task(op->api, op->call, &op->id, send_task, NULL);
    }
    watch_close(op);
}

/* The time is over: answer with the task as it is. */
static void wait_over(void *userdata)
{
    struct task_op *op = userdata;

    host_unwatch(op->api->host, op->ticket);
    api_read_task(op->api, op->call, &op->id, send_task, NULL);
    watch_close(op);
}

static void wait_closed(struct rpc_call *call, enum status status, const struct error *err,
                        void *userdata)
{
    struct task_op *op = userdata;

    if (!op->ticket)
        return;
    host_unwatch(op->api->host, op->ticket);
    watch_close(op);
}

static void watch_task(struct rpc_call *call, const struct id *id, int64_t wait_ms)
{
    static const struct rpc_callbacks callbacks = {.on_close = wait_closed};
    struct task_op *op = task_op_new(call);
    struct engine_command command = {.kind = ENGINE_WATCH_TASK, .by_id = {.id = *id}};

    op->id = *id;
    rpc_call_set_callbacks(call, &callbacks, op);
    op->ticket = host_ask(op->api->host, &command, task_terminal, NULL, op);
    if (wait_ms) {
        op->timer = loop_timer_new(op->api->loop, wait_over, op);
        loop_timer_start(op->timer, (uint64_t)wait_ms, 0);
    }
}

static void tasks_get(struct rpc_call *call, const Plankton__V1__GetTaskRequest *request)
{
    struct id id;

    if (!parse_task_id(call, request->id, &id))
        return;
    if (!request->wait) {
        api_read_task(rpc_call_service(call), call, &id, send_task, NULL);
        return;
    }
    int64_t wait_ms = request->wait->seconds * 1000 + request->wait->nanos / 1000000;
    if (wait_ms < 0 || request->wait->seconds > API_WAIT_MS_MAX / 1000 ||
        wait_ms > API_WAIT_MS_MAX) {
        api_fail(call, STATUS_INVALID_ARGUMENT, "INVALID_FIELD", "wait",
                 "wait must be at most 60 s");
        return;
    }
    watch_task(call, &id, wait_ms ? wait_ms : 1);
}

static void tasks_wait(struct rpc_call *call, const Plankton__V1__WaitTaskRequest *request)
{
    struct id id;

    if (parse_task_id(call, request->id, &id))
        watch_task(call, &id, 0);
}

/* ---- cancel and retry ---- */

static void cancelled(const struct engine_reply *reply, void *userdata)
{
    struct task_op *op = userdata;

    if (reply->status != STATUS_OK)
        api_fail_reply(op->call, reply);
    else if (reply->task)
        send_task(op->call, reply->task, NULL, NULL);
    else
        api_fail(op->call, STATUS_FAILED_PRECONDITION, "WRONG_STATE", NULL, "the task is terminal");
    rpc_call_unref(op->call);
}

/* The engine does not know namespaces of callers: look whose it is first. */
static void cancel_allowed(struct rpc_call *call, const struct engine_task_view *view,
                           const struct error *err, void *userdata)
{
    const Plankton__V1__CancelTaskRequest *request = userdata;

    if (err) {
        rpc_call_fail(call, err);
        return;
    }
    if (engine_task_state_is_terminal(view->state)) {
        api_fail(call, STATUS_FAILED_PRECONDITION, "WRONG_STATE", NULL, "the task is already %s",
                 engine_task_state_name(view->state));
        return;
    }
    struct task_op *op = task_op_new(call);
    struct engine_command command = {.kind = ENGINE_CANCEL_TASK,
                                     .cancel_task = {.id = view->row.id,
                                                     .actor = api_principal_of(call)->name,
                                                     .reason = request->reason}};
    host_ask(op->api->host, &command, cancelled, NULL, op);
}

static void tasks_cancel(struct rpc_call *call, const Plankton__V1__CancelTaskRequest *request)
{
    struct error error = {0};
    struct id id;

    if (!parse_task_id(call, request->id, &id))
        return;
    if (api_check_text(request->reason, API_REASON_BYTES_MAX, "reason", &error) != STATUS_OK) {
        rpc_call_fail(call, &error);
        return;
    }
    api_read_task(rpc_call_service(call), call, &id, cancel_allowed, (void *)request);
}

static void retry_allowed(struct rpc_call *call, const struct engine_task_view *view,
                          const struct error *err, void *userdata)
{
    const Plankton__V1__RetryTaskRequest *request = userdata;
    Plankton__V1__RetryTaskRequest body = *request;
    struct api *api = rpc_call_service(call);
    struct engine_spec spec;
    uint8_t digest[32];

    if (err) {
        rpc_call_fail(call, err);
        return;
    }
    if (!engine_task_state_is_terminal(view->state)) {
        api_fail(call, STATUS_FAILED_PRECONDITION, "WRONG_STATE", NULL, "the task is still %s",
                 engine_task_state_name(view->state));
        return;
    }
    if (!id_is_nil(&view->row.run)) {
        api_fail(call, STATUS_FAILED_PRECONDITION, "WRONG_STATE", NULL,
                 "the task is a step of a run: rerun the run");
        return;
    }
    spec = view->row.spec;
    spec_complete(api->registry, rpc_call_arena(call), &spec);
    spec.run_at_us = spec.delay_ms = 0;
    body.request_id = (char *)protobuf_c_empty_string;
    api_digest(&body.base, digest);
    submit_spec(call, &spec, request->request_id, digest, &view->row.id);
}

static void tasks_retry(struct rpc_call *call, const Plankton__V1__RetryTaskRequest *request)
{
    struct id id;

    if (parse_task_id(call, request->id, &id))
        api_read_task(rpc_call_service(call), call, &id, retry_allowed, (void *)request);
}

const struct plankton_v1_task_controller_ops api_task_ops = {
    .submit_task = tasks_submit,
    .submit_tasks = tasks_submit_many,
    .get_task = tasks_get,
    .list_tasks = tasks_list,
    .cancel_task = tasks_cancel,
    .retry_task = tasks_retry,
    .wait_task = tasks_wait,
    .watch_tasks = tasks_watch,
};
