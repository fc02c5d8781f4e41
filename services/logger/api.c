/* SPDX-License-Identifier: Apache-2.0 */
#include "api.h"

#include "auth.h"

static uint32_t caller_namespace(const struct rpc_call *call)
{
    const struct principal *principal = rpc_call_principal(call);

    return principal->namespace_id;
}

static void append(struct rpc_call *call)
{
    ingest_append(((struct api *)rpc_call_service(call))->ingest, call);
}

static void relay_events(struct rpc_call *call)
{
    ingest_relay(((struct api *)rpc_call_service(call))->ingest, call);
}

static void task_logs(struct rpc_call *call, const Plankton__V1__QueryTaskLogsRequest *request)
{
    query_task_logs(((struct api *)rpc_call_service(call))->query, call, caller_namespace(call),
                    request);
}

static void run_logs(struct rpc_call *call, const Plankton__V1__QueryRunLogsRequest *request)
{
    query_run_logs(((struct api *)rpc_call_service(call))->query, call, caller_namespace(call),
                   request);
}

static void search_task_logs(struct rpc_call *call,
                             const Plankton__V1__SearchTaskLogsRequest *request)
{
    query_search_task_logs(((struct api *)rpc_call_service(call))->query, call,
                           caller_namespace(call), request);
}

static void search_run_logs(struct rpc_call *call,
                            const Plankton__V1__SearchRunLogsRequest *request)
{
    query_search_run_logs(((struct api *)rpc_call_service(call))->query, call,
                          caller_namespace(call), request);
}

static void tail_task_logs(struct rpc_call *call, const Plankton__V1__TailTaskLogsRequest *request)
{
    query_tail_task_logs(((struct api *)rpc_call_service(call))->query, call,
                         caller_namespace(call), request);
}

static void tail_run_logs(struct rpc_call *call, const Plankton__V1__TailRunLogsRequest *request)
{
    query_tail_run_logs(((struct api *)rpc_call_service(call))->query, call, caller_namespace(call),
                        request);
}

static void task_history(struct rpc_call *call,
                         const Plankton__V1__QueryTaskHistoryRequest *request)
{
    query_task_history(((struct api *)rpc_call_service(call))->query, call, caller_namespace(call),
                       request);
}

static void run_history(struct rpc_call *call, const Plankton__V1__QueryRunHistoryRequest *request)
{
    query_run_history(((struct api *)rpc_call_service(call))->query, call, caller_namespace(call),
                      request);
}

static void describe(Plankton__V1__Sink *sink, const struct sink_view *view)
{
    plankton__v1__sink__init(sink);
    sink->name = sink->kind = (char *)view->name;
    sink->lag_seconds = view->lag_s;
    sink->error = (char *)view->error;
}

static void list_sinks(struct rpc_call *call, const Plankton__V1__ListSinksRequest *request)
{
    const struct api *api = rpc_call_service(call);
    Plankton__V1__ListSinksResponse reply = PLANKTON__V1__LIST_SINKS_RESPONSE__INIT;
    const char *trouble = store_trouble(api->store);
    struct sink_view view = {
        .name = "postgres", .error = trouble ? trouble : "", .lag_s = store_lag_s(api->store)};
    size_t n = sinks_count(api->sinks) + 1;
    Plankton__V1__Sink *sinks = arena_alloc(rpc_call_arena(call), n * sizeof *sinks);

    reply.sinks = arena_alloc(rpc_call_arena(call), n * sizeof *reply.sinks);
    reply.n_sinks = n;
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            view = sinks_view(api->sinks, i - 1);
        describe(&sinks[i], &view);
        reply.sinks[i] = &sinks[i];
    }
    plankton_v1_task_logger_list_sinks_reply(call, &reply);
}

void api_register(struct api *api, struct rpc_server *server)
{
    static const struct plankton_v1_task_logger_ops ops = {
        .append = append,
        .relay_events = relay_events,
        .query_task_logs = task_logs,
        .query_run_logs = run_logs,
        .search_task_logs = search_task_logs,
        .search_run_logs = search_run_logs,
        .tail_task_logs = tail_task_logs,
        .tail_run_logs = tail_run_logs,
        .query_task_history = task_history,
        .query_run_history = run_history,
        .list_sinks = list_sinks,
    };

    rpc_server_add(server, &plankton_v1_task_logger_desc, &ops, api);
}
