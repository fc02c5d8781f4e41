/* SPDX-License-Identifier: Apache-2.0 */
/* ListRuns: committed rows, newest first, with the live state of those that the engine holds. */
#include "api_internal.h"

#define SCAN_FACTOR 4 /* rows read for one row shown when a live state is asked for */

struct list_op {
    struct api *api;
    struct rpc_call *call;
    const Plankton__V1__ListRunsRequest *request;
    const char *filter;
    uint32_t limit;
    struct store_run_filter query;
    size_t open; /* replies to come */
    Plankton__V1__Run **runs;
    size_t n;
    struct id last;
};
struct list_item {
    struct list_op *op;
    size_t place;
};

static void list_finish(struct list_op *op)
{
    struct arena *arena = rpc_call_arena(op->call);
    Plankton__V1__ListRunsResponse reply = PLANKTON__V1__LIST_RUNS_RESPONSE__INIT;
    size_t kept = 0, seen = 0;

    for (; seen < op->n && kept < op->limit; seen++)
        if (op->request->state == PLANKTON__V1__RUN_STATE__RUN_STATE_UNSPECIFIED ||
            op->runs[seen]->state == op->request->state)
            op->runs[kept++] = op->runs[seen];
    reply.runs = op->runs;
    reply.n_runs = kept;
    if (op->n == op->query.limit || seen < op->n) {
        struct id last = op->last;
        if (seen < op->n && kept)
            (void)!id_parse(op->runs[kept - 1]->id, &last);
        reply.next_page_token = api_next_page(op->api, arena, op->filter, &last, ID_BYTES);
    }
    plankton_v1_plan_api_list_runs_reply(op->call, &reply);
    rpc_call_unref(op->call);
}

static void list_overlay(const struct engine_reply *reply, void *userdata)
{
    struct list_item *item = userdata;
    struct list_op *op = item->op;

    if (reply->status == STATUS_OK && reply->run)
        op->runs[item->place] = convert_run(op->api, rpc_call_arena(op->call), reply->run, false);
    if (--op->open == 0)
        list_finish(op);
}

static void list_rows(const struct engine_run_row *rows, size_t n, const struct error *err,
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
    op->runs = ARENA_ARRAY(arena, Plankton__V1__Run *, n + 1);
    op->open = 1;
    for (size_t i = 0; i < n; i++) {
        struct engine_run_view view = convert_run_row(&rows[i]);
        op->runs[i] = convert_run(op->api, arena, &view, false);
        op->last = rows[i].id;
        if (engine_run_state_is_terminal(rows[i].change.state))
            continue;
        struct list_item *item = ARENA_NEW(arena, struct list_item);
        struct engine_command command = {.kind = ENGINE_READ_RUN, .by_id = {.id = rows[i].id}};
        *item = (struct list_item){op, i};
        op->open++;
        host_ask(op->api->host, &command, list_overlay, NULL, item);
    }
    if (--op->open == 0)
        list_finish(op);
}

static void list_query(struct list_op *op)
{
    store_list_runs(host_store(op->api->host), &op->query, list_rows, op);
}

static void list_plan_found(struct rpc_call *call, const struct store_plan *plan,
                            const struct error *err, void *userdata)
{
    struct list_op *op = userdata;

    if (err) {
        rpc_call_fail(call, err);
        rpc_call_unref(op->call);
        return;
    }
    op->query.plan_id = plan->id;
    list_query(op);
}

void runs_list(struct rpc_call *call, const Plankton__V1__ListRunsRequest *request)
{
    struct api *api = rpc_call_service(call);
    uint32_t namespace_id = api_principal_of(call)->namespace_id;
    struct list_op *op = arena_zalloc(rpc_call_arena(call), sizeof *op);
    struct error error = {0};
    struct id before = {{0}};
    bool has;

    op->filter = arena_printf(rpc_call_arena(call), "runs %u %d %s", namespace_id, request->state,
                              request->plan_id);
    if (api_page(api, request->page_size, API_PAGE_DEFAULT, request->page_token, op->filter,
                 &op->limit, &before, sizeof before, &has, &error) != STATUS_OK) {
        rpc_call_fail(call, &error);
        return;
    }
    enum engine_run_state state = (enum engine_run_state)request->state;
    bool live = state != ENGINE_RUN_NONE && !engine_run_state_is_terminal(state);
    op->api = api;
    op->call = rpc_call_ref(call);
    op->request = request;
    op->query = (struct store_run_filter){
        .namespace_id = namespace_id,
        .limit = live ? MIN_OF(op->limit * SCAN_FACTOR, API_PAGE_MAX) : op->limit,
        .state = live ? ENGINE_RUN_NONE : state,
        .live_only = live};
    if (has)
        op->query.before = before;
    if (*request->plan_id && !id_parse(request->plan_id, &op->query.plan_id))
        api_read_plan(api, call, request->plan_id, 0, list_plan_found, op);
    else
        list_query(op);
}
