/* SPDX-License-Identifier: Apache-2.0 */
/* ListWorkers, GetWorker, DrainWorker. */
#include "workers_internal.h"

#include "base/text.h"

struct list_op {
    struct workers *workers;
    struct rpc_call *call;
    struct id id; /* nil = all */
    int32_t page_size;
};

static Google__Protobuf__Timestamp *time_of(struct arena *arena, int64_t us)
{
    Google__Protobuf__Timestamp *time = ARENA_NEW(arena, Google__Protobuf__Timestamp);

    google__protobuf__timestamp__init(time);
    time->seconds = us / 1000000;
    time->nanos = (int32_t)(us % 1000000) * 1000;
    return time;
}

static Plankton__V1__Resources *convert_resources(struct arena *arena,
                                                  const struct engine_resources *resources)
{
    Plankton__V1__Resources *out = ARENA_NEW(arena, Plankton__V1__Resources);

    plankton__v1__resources__init(out);
    out->cpu = resources->cpu_milli / 1000.0;
    out->gpu = resources->gpu_milli / 1000.0;
    if (resources->memory_bytes)
        out->memory = arena_printf(arena, "%llu", (unsigned long long)resources->memory_bytes);
    return out;
}

static Plankton__V1__Worker *convert_worker(struct arena *arena,
                                            const struct engine_worker_view *view)
{
    Plankton__V1__Worker *out = ARENA_NEW(arena, Plankton__V1__Worker);

    plankton__v1__worker__init(out);
    out->id = arena_alloc(arena, ID_TEXT_BYTES);
    id_format(&view->id, out->id);
    out->name = arena_strdup(arena, view->name);
    out->version = arena_strdup(arena, view->version);
    out->state = (Plankton__V1__WorkerState)view->state;
    out->n_task_types = view->types_len;
    out->task_types = ARENA_ARRAY(arena, char *, view->types_len + 1);
    for (uint32_t i = 0; i < view->types_len; i++)
        out->task_types[i] = arena_strdup(arena, view->types[i]);
    out->n_labels = view->labels_len;
    out->labels = ARENA_ARRAY(arena, Plankton__V1__Worker__LabelsEntry *, view->labels_len + 1);
    for (uint32_t i = 0; i < view->labels_len; i++) {
        out->labels[i] = ARENA_NEW(arena, Plankton__V1__Worker__LabelsEntry);
        plankton__v1__worker__labels_entry__init(out->labels[i]);
        out->labels[i]->key = arena_strdup(arena, view->labels[i].key);
        out->labels[i]->value = arena_strdup(arena, view->labels[i].value);
    }
    out->slots = (int32_t)view->slots;
    out->running = (int32_t)view->running;
    out->connected_at = time_of(arena, view->connected_us);
    out->last_heartbeat_at = time_of(arena, view->heartbeat_us);
    out->address = arena_strdup(arena, view->address);
    out->resources = convert_resources(arena, &view->resources);
    out->used = convert_resources(arena, &view->used);
    return out;
}

static void fail_reply(struct rpc_call *call, const struct engine_reply *reply)
{
    struct error error = {0};

    error_field(&error, reply->status, reply->reason, NULL, "%s",
                reply->message ? reply->message : "refused");
    rpc_call_fail(call, &error);
}

static void not_found(struct rpc_call *call)
{
    struct error error = {0};

    error_field(&error, STATUS_NOT_FOUND, "NOT_FOUND", "id", "there is no worker with this id");
    rpc_call_fail(call, &error);
}

static struct list_op *op_new(struct rpc_call *call)
{
    struct list_op *op = arena_zalloc(rpc_call_arena(call), sizeof *op);

    op->workers = rpc_call_service(call);
    op->call = rpc_call_ref(call);
    return op;
}

static void listed(const struct engine_reply *reply, void *userdata)
{
    struct list_op *op = userdata;
    struct arena *arena = rpc_call_arena(op->call);
    Plankton__V1__ListWorkersResponse out = PLANKTON__V1__LIST_WORKERS_RESPONSE__INIT;

    if (reply->status != STATUS_OK) {
        fail_reply(op->call, reply);
    } else {
        out.n_workers = MIN_OF(reply->workers_len, (uint32_t)op->page_size);
        out.workers = ARENA_ARRAY(arena, Plankton__V1__Worker *, out.n_workers + 1);
        for (size_t i = 0; i < out.n_workers; i++)
            out.workers[i] = convert_worker(arena, &reply->workers[i]);
        plankton_v1_task_worker_list_workers_reply(op->call, &out);
    }
    rpc_call_unref(op->call);
}

/* All are in memory and few: one page of up to 10,000. */
void workers_list(struct rpc_call *call, const Plankton__V1__ListWorkersRequest *request)
{
    struct list_op *op = op_new(call);
    struct engine_command command = {.kind = ENGINE_READ_WORKERS};

    op->page_size = request->page_size > 0 ? request->page_size : ENGINE_WORKERS_MAX;
    host_ask(op->workers->host, &command, listed, NULL, op);
}

static void one_read(const struct engine_reply *reply, void *userdata)
{
    struct list_op *op = userdata;

    if (reply->status != STATUS_OK)
        fail_reply(op->call, reply);
    else if (!reply->workers_len)
        not_found(op->call);
    else
        rpc_call_reply(op->call,
                       &convert_worker(rpc_call_arena(op->call), &reply->workers[0])->base);
    rpc_call_unref(op->call);
}

static void ask_one(struct rpc_call *call, const char *text, enum engine_command_kind kind)
{
    struct engine_command command = {.kind = kind};

    if (!id_parse(text, &command.worker.worker)) {
        not_found(call);
        return;
    }
    struct list_op *op = op_new(call);
    host_ask(op->workers->host, &command, one_read, NULL, op);
}

void workers_get(struct rpc_call *call, const Plankton__V1__GetWorkerRequest *request)
{
    ask_one(call, request->id, ENGINE_READ_WORKERS);
}

void workers_drain_one(struct rpc_call *call, const Plankton__V1__DrainWorkerRequest *request)
{
    ask_one(call, request->id, ENGINE_DRAIN_WORKER);
}
