/* SPDX-License-Identifier: Apache-2.0 */
/* Queues: pause, resume, and what is in them. */
#include "api_internal.h"

#include "base/text.h"

struct queue_op {
    struct api *api;
    struct rpc_call *call;
    const char *filter, *after; /* of a list */
    uint32_t limit;
};

static struct queue_op *queue_op_new(struct rpc_call *call)
{
    struct queue_op *op = arena_zalloc(rpc_call_arena(call), sizeof *op);

    op->api = rpc_call_service(call);
    op->call = rpc_call_ref(call);
    return op;
}

static Plankton__V1__Queue *convert_queue(struct arena *arena, const struct engine_queue_view *view)
{
    Plankton__V1__Queue *out = ARENA_NEW(arena, Plankton__V1__Queue);

    plankton__v1__queue__init(out);
    out->name = arena_strdup(arena, view->row.name);
    if (view->row.paused_us) {
        out->pause = ARENA_NEW(arena, Plankton__V1__QueuePause);
        plankton__v1__queue_pause__init(out->pause);
        out->pause->at = convert_time(arena, view->row.paused_us);
        out->pause->actor = arena_strdup(arena, view->row.actor);
        out->pause->reason = arena_strdup(arena, view->row.reason);
    }
    out->ready = (int64_t)view->ready;
    out->running = (int64_t)view->running;
    out->delayed = (int64_t)view->delayed;
    out->oldest_ready_at = convert_time(arena, view->oldest_us);
    return out;
}

static void queue_replied(const struct engine_reply *reply, void *userdata)
{
    struct queue_op *op = userdata;

    if (reply->status != STATUS_OK)
        api_fail_reply(op->call, reply);
    else
        rpc_call_reply(op->call, &convert_queue(rpc_call_arena(op->call), reply->queues)->base);
    rpc_call_unref(op->call);
}

static void ask_engine(struct rpc_call *call, enum engine_command_kind kind, const char *name,
                       const char *reason)
{
    const struct api_principal *principal = api_principal_of(call);
    struct queue_op *op = queue_op_new(call);
    struct host *host = op->api->host;
    struct engine_command command = {
        .kind = kind,
        .queue = {.shard = host_home_shard(host, principal->namespace_id),
                  .namespace_id = principal->namespace_id,
                  .queue = name,
                  .actor = principal->name,
                  .reason = reason}};

    host_ask(host, &command, queue_replied, NULL, op);
}

static bool name_ok(struct rpc_call *call, const char *name)
{
    if (text_is_name(name, ENGINE_QUEUE_BYTES_MAX))
        return true;
    api_fail(call, STATUS_INVALID_ARGUMENT, "INVALID_FIELD", "name",
             "name must be lower-case letters, digits, dots, dashes and underscores, at most 64, "
             "beginning with a letter or digit");
    return false;
}

static bool reason_ok(struct rpc_call *call, const char *reason)
{
    struct error error = {0};

    if (api_check_text(reason, API_REASON_BYTES_MAX, "reason", &error) == STATUS_OK)
        return true;
    rpc_call_fail(call, &error);
    return false;
}

static void queues_get(struct rpc_call *call, const Plankton__V1__GetQueueRequest *request)
{
    if (name_ok(call, request->name))
        ask_engine(call, ENGINE_READ_QUEUES, request->name, "");
}

static void queues_pause(struct rpc_call *call, const Plankton__V1__PauseQueueRequest *request)
{
    if (name_ok(call, request->name) && reason_ok(call, request->reason))
        ask_engine(call, ENGINE_PAUSE_QUEUE, request->name, request->reason);
}

static void queues_resume(struct rpc_call *call, const Plankton__V1__ResumeQueueRequest *request)
{
    if (name_ok(call, request->name) && reason_ok(call, request->reason))
        ask_engine(call, ENGINE_RESUME_QUEUE, request->name, request->reason);
}

static void queues_listed(const struct engine_reply *reply, void *userdata)
{
    struct queue_op *op = userdata;
    struct arena *arena = rpc_call_arena(op->call);
    Plankton__V1__ListQueuesResponse out = PLANKTON__V1__LIST_QUEUES_RESPONSE__INIT;
    char last[ENGINE_QUEUE_BYTES_MAX + 1] = {0};
    uint32_t i = 0;

    if (reply->status != STATUS_OK) {
        api_fail_reply(op->call, reply);
        rpc_call_unref(op->call);
        return;
    }
    while (i < reply->queues_len && strcmp(reply->queues[i].row.name, op->after) <= 0)
        i++;
    out.queues = ARENA_ARRAY(arena, Plankton__V1__Queue *, op->limit);
    for (; i < reply->queues_len && out.n_queues < op->limit; i++)
        out.queues[out.n_queues++] = convert_queue(arena, &reply->queues[i]);
    if (i < reply->queues_len) {
        memcpy(last, reply->queues[i - 1].row.name, strlen(reply->queues[i - 1].row.name));
        out.next_page_token = api_next_page(op->api, arena, op->filter, last, sizeof last);
    }
    plankton_v1_queues_list_queues_reply(op->call, &out);
    rpc_call_unref(op->call);
}

static void queues_list(struct rpc_call *call, const Plankton__V1__ListQueuesRequest *request)
{
    struct api *api = rpc_call_service(call);
    struct arena *arena = rpc_call_arena(call);
    uint32_t namespace_id = api_principal_of(call)->namespace_id, limit;
    const char *filter = arena_printf(arena, "queues %u", namespace_id);
    char after[ENGINE_QUEUE_BYTES_MAX + 1] = {0};
    struct error error = {0};
    bool has;

    if (api_page(api, request->page_size, API_PAGE_DEFAULT, request->page_token, filter, &limit,
                 after, sizeof after, &has, &error) != STATUS_OK) {
        rpc_call_fail(call, &error);
        return;
    }
    struct queue_op *op = queue_op_new(call);
    struct engine_command command = {.kind = ENGINE_READ_QUEUES,
                                     .queue = {.shard = host_home_shard(api->host, namespace_id),
                                               .namespace_id = namespace_id,
                                               .queue = ""}};
    op->filter = filter;
    op->limit = limit;
    op->after = has ? arena_strdup(arena, after) : "";
    host_ask(api->host, &command, queues_listed, NULL, op);
}

const struct plankton_v1_queues_ops api_queues_ops = {
    .list_queues = queues_list,
    .get_queue = queues_get,
    .pause_queue = queues_pause,
    .resume_queue = queues_resume,
};
