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

static void list_sinks(struct rpc_call *call, const Plankton__V1__ListSinksRequest *request)
{
    const struct api *api = rpc_call_service(call);
    Plankton__V1__ListSinksResponse reply = PLANKTON__V1__LIST_SINKS_RESPONSE__INIT;
    Plankton__V1__Sink postgres = PLANKTON__V1__SINK__INIT, file = PLANKTON__V1__SINK__INIT;
    Plankton__V1__Sink *sinks[] = {&postgres, &file};

    postgres.name = postgres.kind = (char *)"postgres";
    postgres.lag_seconds = store_lag_s(api->store);
    if (store_trouble(api->store))
        postgres.error = (char *)store_trouble(api->store);
    reply.sinks = sinks;
    reply.n_sinks = 1;
    if (api->file_sink) {
        file.name = file.kind = (char *)"file";
        file.lag_seconds = file_sink_lag_s(api->file_sink);
        file.error = (char *)file_sink_error(api->file_sink);
        reply.n_sinks = 2;
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
        .tail_task_logs = tail_task_logs,
        .tail_run_logs = tail_run_logs,
        .query_task_history = task_history,
        .query_run_history = run_history,
        .list_sinks = list_sinks,
    };

    rpc_server_add(server, &plankton_v1_task_logger_desc, &ops, api);
}
