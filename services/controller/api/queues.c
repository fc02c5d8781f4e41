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

static Plankton__V1__QueueLimits *convert_limits(struct arena *arena,
                                                 const struct engine_queue_row *row)
{
    Plankton__V1__QueueLimits *out = ARENA_NEW(arena, Plankton__V1__QueueLimits);

    plankton__v1__queue_limits__init(out);
    out->concurrency = (int32_t)row->concurrency;
    if (!row->rate.limit)
        return out;
    out->rate = ARENA_NEW(arena, Plankton__V1__QueueRate);
    plankton__v1__queue_rate__init(out->rate);
    out->rate->limit = (int32_t)row->rate.limit;
    out->rate->per = ARENA_NEW(arena, Google__Protobuf__Duration);
    google__protobuf__duration__init(out->rate->per);
    out->rate->per->seconds = row->rate.per_ms / 1000;
    out->rate->per->nanos = (int32_t)(row->rate.per_ms % 1000 * 1000000);
    return out;
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
    if (view->row.concurrency || view->row.rate.limit)
        out->limits = convert_limits(arena, &view->row);
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

static bool rate_ok(struct rpc_call *call, const Plankton__V1__QueueRate *in,
                    struct engine_rate *ret)
{
    const Google__Protobuf__Duration *per = in->per;

    if (in->limit < 1 || in->limit > ENGINE_LIMIT_MAX) {
        api_fail(call, STATUS_INVALID_ARGUMENT, "INVALID_FIELD", "limits.rate.limit",
                 "limits.rate.limit must be between 1 and %d", ENGINE_LIMIT_MAX);
        return false;
    }
    if (per && per->seconds >= 0 && per->nanos >= 0 && per->nanos < 1000000000 &&
        per->seconds < ENGINE_PERIOD_MS_MAX / 1000)
        ret->per_ms = per->seconds * 1000 + per->nanos / 1000000;
    if (ret->per_ms < 1) {
        api_fail(call, STATUS_INVALID_ARGUMENT, "INVALID_FIELD", "limits.rate.per",
                 "limits.rate.per is needed, at least 1 ms and below 31 days");
        return false;
    }
    ret->key = "";
    ret->limit = (uint32_t)in->limit;
    ret->units = 1;
    return true;
}

static void queues_update(struct rpc_call *call, const Plankton__V1__UpdateQueueRequest *request)
{
    const struct api_principal *principal = api_principal_of(call);
    const Plankton__V1__QueueLimits *limits = request->limits;
    struct engine_command command = {.kind = ENGINE_LIMIT_QUEUE,
                                     .queue = {.namespace_id = principal->namespace_id,
                                               .queue = request->name,
                                               .actor = principal->name,
                                               .reason = ""}};

    if (!name_ok(call, request->name))
        return;
    if (limits && (limits->concurrency < 0 || limits->concurrency > ENGINE_LIMIT_MAX)) {
        api_fail(call, STATUS_INVALID_ARGUMENT, "INVALID_FIELD", "limits.concurrency",
                 "limits.concurrency must be between 0 and %d", ENGINE_LIMIT_MAX);
        return;
    }
    if (limits && limits->rate && !rate_ok(call, limits->rate, &command.queue.rate))
        return;
    struct queue_op *op = queue_op_new(call);
    command.queue.shard = host_home_shard(op->api->host, principal->namespace_id);
    command.queue.concurrency = limits ? (uint32_t)limits->concurrency : 0;
    host_ask(op->api->host, &command, queue_replied, NULL, op);
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
    .update_queue = queues_update,
    .pause_queue = queues_pause,
    .resume_queue = queues_resume,
};
