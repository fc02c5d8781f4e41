/* SPDX-License-Identifier: Apache-2.0 */
/* ListTasks: committed rows, newest first, with the live state of those that the engine holds. */
#include "api_internal.h"

#define SCAN_FACTOR 4 /* rows read for one row shown when a live state is asked for */

struct list_op {
    struct api *api;
    struct rpc_call *call;
    const Plankton__V1__ListTasksRequest *request;
    const char *filter;
    uint32_t limit, asked;
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
    if (op->n == op->asked || seen < op->n) {
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

void tasks_list(struct rpc_call *call, const Plankton__V1__ListTasksRequest *request)
{
    struct api *api = rpc_call_service(call);
    uint32_t namespace_id = api_principal_of(call)->namespace_id;
    struct list_op *op = arena_zalloc(rpc_call_arena(call), sizeof *op);
    struct error error = {0};
    struct id before = {{0}};
    bool has;

    op->filter =
        arena_printf(rpc_call_arena(call), "tasks %u %d %d %s %s", namespace_id, request->state,
                     request->include_steps, request->type, request->queue);
    if (api_page(api, request->page_size, API_PAGE_DEFAULT, request->page_token, op->filter,
                 &op->limit, &before, sizeof before, &has, &error) != STATUS_OK) {
        rpc_call_fail(call, &error);
        return;
    }
    enum engine_task_state state = (enum engine_task_state)request->state;
    bool live = state != ENGINE_TASK_NONE && !engine_task_state_is_terminal(state);
    op->api = api;
    op->call = rpc_call_ref(call);
    op->request = request;
    op->asked = live ? MIN_OF(op->limit * SCAN_FACTOR, API_PAGE_MAX) : op->limit;
    struct store_task_filter filter = {.namespace_id = namespace_id,
                                       .limit = op->asked,
                                       .state = live ? ENGINE_TASK_NONE : state,
                                       .live_only = live,
                                       .type = *request->type ? request->type : NULL,
                                       .queue = *request->queue ? request->queue : NULL,
                                       .include_steps = request->include_steps};
    if (has)
        filter.before = before;
    store_list_tasks(host_store(api->host), &filter, list_rows, op);
}
