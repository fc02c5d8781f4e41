/* SPDX-License-Identifier: Apache-2.0 */
/* ListTasks: committed rows, newest first, with the live state of those that the engine holds. */
#include "api_internal.h"

#define SCAN_FACTOR 4 /* rows read for one row shown when a live state is asked for */

struct list_op {
    struct api *api;
    struct rpc_call *call;
    const Plankton__V1__ListTasksRequest *request;
    const char *filter;
    uint32_t limit;
    struct store_task_filter query;
    size_t open; /* replies to come */
    Plankton__V1__Task **tasks;
    size_t n;
    struct id last;
};
struct list_item {
    struct list_op *op;
    size_t place;
};

static bool wanted(const struct list_op *op, const Plankton__V1__Task *task)
{
    return op->request->state == PLANKTON__V1__TASK_STATE__TASK_STATE_UNSPECIFIED ||
           task->state == op->request->state;
}

static void list_finish(struct list_op *op)
{
    struct arena *arena = rpc_call_arena(op->call);
    Plankton__V1__ListTasksResponse reply = PLANKTON__V1__LIST_TASKS_RESPONSE__INIT;
    size_t kept = 0, seen = 0;

    for (; seen < op->n && kept < op->limit; seen++)
        if (wanted(op, op->tasks[seen]))
            op->tasks[kept++] = op->tasks[seen];
    reply.tasks = op->tasks;
    reply.n_tasks = kept;
    if (op->n == op->query.limit || seen < op->n) {
        struct id last = op->last;
        if (seen < op->n && kept)
            (void)!id_parse(op->tasks[kept - 1]->id, &last);
        reply.next_page_token = api_next_page(op->api, arena, op->filter, &last, ID_BYTES);
    }
    plankton_v1_task_controller_list_tasks_reply(op->call, &reply);
    rpc_call_unref(op->call);
}

static void list_overlay(const struct engine_reply *reply, void *userdata)
{
    struct list_item *item = userdata;
    struct list_op *op = item->op;

    if (reply->status == STATUS_OK && reply->task)
        op->tasks[item->place] =
            convert_task(op->api, rpc_call_arena(op->call), reply->task, false);
    if (--op->open == 0)
        list_finish(op);
}

static void list_rows(const struct engine_task_row *rows, size_t n, const struct error *err,
                      void *userdata)
{
    struct list_op *op = userdata;
    struct arena *arena = rpc_call_arena(op->call);

    if (err) {
        rpc_call_fail(op->call, err);
        rpc_call_unref(op->call);
        return;
    }
    op->n = n;
    op->tasks = ARENA_ARRAY(arena, Plankton__V1__Task *, n + 1);
    op->open = 1;
    for (size_t i = 0; i < n; i++) {
        struct engine_task_view view = convert_task_row(&rows[i]);
        op->tasks[i] = convert_task(op->api, arena, &view, false);
        op->last = rows[i].id;
        if (engine_task_state_is_terminal(view.state))
            continue;
        struct list_item *item = ARENA_NEW(arena, struct list_item);
        struct engine_command command = {.kind = ENGINE_READ_TASK, .by_id = {.id = rows[i].id}};
        *item = (struct list_item){op, i};
        op->open++;
        host_ask(op->api->host, &command, list_overlay, NULL, item);
    }
    if (--op->open == 0)
        list_finish(op);
}

static int64_t timestamp_ms(const Google__Protobuf__Timestamp *time)
{
    return time->seconds * 1000 + time->nanos / 1000000;
}

/* Ids begin with their time in ms: the first that a time can have. */
static bool first_id_at(const Google__Protobuf__Timestamp *time, const char *field, struct id *ret,
                        struct error *err)
{
    if (time->seconds < 0 || time->seconds > API_SECONDS_MAX || time->nanos < 0 ||
        time->nanos >= 1000000000) {
        error_field(err, STATUS_INVALID_ARGUMENT, "INVALID_FIELD", field, "%s is out of range",
                    field);
        return false;
    }
    *ret = id_make((uint64_t)timestamp_ms(time), 0, 0);
    return true;
}

enum status api_task_filter(const Plankton__V1__TaskFilter *in, const char *prefix,
                            struct arena *arena, struct store_task_filter *ret, struct error *err)
{
    enum engine_task_state state = (enum engine_task_state)in->state;
    bool live = state != ENGINE_TASK_NONE && !engine_task_state_is_terminal(state);

    ret->state = live ? ENGINE_TASK_NONE : state;
    ret->live_only = live;
    ret->type = *in->type ? in->type : NULL;
    ret->queue = *in->queue ? in->queue : NULL;
    ret->failure_code = *in->failure_code ? in->failure_code : NULL;
    if (in->created_after &&
        !first_id_at(in->created_after, arena_printf(arena, "%screatedAfter", prefix), &ret->from,
                     err))
        return STATUS_INVALID_ARGUMENT;
    if (in->created_before &&
        !first_id_at(in->created_before, arena_printf(arena, "%screatedBefore", prefix),
                     &ret->before, err))
        return STATUS_INVALID_ARGUMENT;
    return STATUS_OK;
}

static enum status list_filter(struct list_op *op, struct arena *arena, uint32_t namespace_id,
                               struct error *err)
{
    const Plankton__V1__ListTasksRequest *request = op->request;
    Plankton__V1__TaskFilter filter = PLANKTON__V1__TASK_FILTER__INIT;

    filter.state = request->state;
    filter.type = request->type;
    filter.queue = request->queue;
    filter.failure_code = request->failure_code;
    filter.created_after = request->created_after;
    filter.created_before = request->created_before;
    op->filter = arena_printf(
        arena, "tasks %u %d %d %s %s %s %lld %lld", namespace_id, request->state,
        request->include_steps, request->type, request->queue, request->failure_code,
        request->created_after ? (long long)timestamp_ms(request->created_after) : 0,
        request->created_before ? (long long)timestamp_ms(request->created_before) : 0);
    op->query = (struct store_task_filter){.namespace_id = namespace_id,
                                           .include_steps = request->include_steps};
    return api_task_filter(&filter, "", arena, &op->query, err);
}

void tasks_list(struct rpc_call *call, const Plankton__V1__ListTasksRequest *request)
{
    struct api *api = rpc_call_service(call);
    struct list_op *op = arena_zalloc(rpc_call_arena(call), sizeof *op);
    struct error error = {0};
    struct id before = {{0}};
    enum status st;
    bool has;

    op->request = request;
    st = list_filter(op, rpc_call_arena(call), api_principal_of(call)->namespace_id, &error);
    if (st == STATUS_OK)
        st = api_page(api, request->page_size, API_PAGE_DEFAULT, request->page_token, op->filter,
                      &op->limit, &before, sizeof before, &has, &error);
    if (st != STATUS_OK) {
        rpc_call_fail(call, &error);
        return;
    }
    op->api = api;
    op->call = rpc_call_ref(call);
    op->query.limit =
        op->query.live_only ? MIN_OF(op->limit * SCAN_FACTOR, API_PAGE_MAX) : op->limit;
    if (has)
        op->query.before = before;
    store_list_tasks(host_store(api->host), &op->query, list_rows, op);
}
