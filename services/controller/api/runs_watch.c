/* SPDX-License-Identifier: Apache-2.0 */
/* WatchRun: a snapshot, then every committed change of the run and its steps, until the run is
 * terminal. */
#include "api_internal.h"

#include <inttypes.h>
#include <stdlib.h>

struct run_watch {
    struct api *api;
    struct rpc_call *call;
    struct id id;
    uint64_t ticket; /* 0 = none */
    struct arena scratch;
};

static char *event_id(struct run_watch *watch, uint64_t number)
{
    return arena_printf(&watch->scratch, "%08" PRIx32 "-%u-%" PRIu64,
                        host_timeline(watch->api->host), id_shard(&watch->id), number);
}

static void watch_send(struct run_watch *watch, const Plankton__V1__RunUpdate *update)
{
    if (plankton_v1_plan_api_watch_run_send(watch->call, update) != STATUS_OK)
        api_fail(watch->call, STATUS_RESOURCE_EXHAUSTED, "SLOW_READER", NULL,
                 "the reader is too slow; watch again");
    arena_reset(&watch->scratch);
}

static void watch_closed(struct rpc_call *call, enum status status, const struct error *err,
                         void *userdata)
{
    struct run_watch *watch = userdata;

    if (watch->ticket)
        host_unwatch(watch->api->host, watch->ticket);
    watch->ticket = 0;
    arena_fini(&watch->scratch);
    rpc_call_unref(watch->call);
}

static void send_snapshot(struct run_watch *watch, const struct engine_run_view *run,
                          const struct engine_task_view *tasks, size_t n, uint64_t number)
{
    struct arena *arena = &watch->scratch;
    Plankton__V1__RunUpdate update = PLANKTON__V1__RUN_UPDATE__INIT;
    Plankton__V1__RunSnapshot snapshot = PLANKTON__V1__RUN_SNAPSHOT__INIT;

    snapshot.run = convert_run(watch->api, arena, run, true);
    snapshot.tasks = ARENA_ARRAY(arena, Plankton__V1__Task *, n + 1);
    snapshot.n_tasks = n;
    for (size_t i = 0; i < n; i++) {
        snapshot.tasks[i] = convert_task(watch->api, arena, &tasks[i], true);
        snapshot.tasks[i]->parameters = NULL;
        snapshot.tasks[i]->environment = NULL;
    }
    update.event_id = event_id(watch, number);
    update.update_case = PLANKTON__V1__RUN_UPDATE__UPDATE_SNAPSHOT;
    update.snapshot = &snapshot;
    watch_send(watch, &update);
}

static void watch_update(const struct engine_effect *effect, void *userdata)
{
    struct run_watch *watch = userdata;
    struct arena *arena = &watch->scratch;
    const struct engine_watch_update *change = &effect->watch;
    Plankton__V1__RunUpdate update = PLANKTON__V1__RUN_UPDATE__INIT;

    if (effect->kind == ENGINE_WATCH_END) {
        watch->ticket = 0;
        if (change->status == STATUS_OK)
            rpc_call_finish(watch->call);
        else
            api_fail(watch->call, change->status, "SHARD_LOST", NULL, "watch again");
        return;
    }
    update.event_id = event_id(watch, change->event_number);
    if (change->run) {
        update.update_case = PLANKTON__V1__RUN_UPDATE__UPDATE_RUN;
        update.run = convert_run(watch->api, arena, change->run, true);
    } else {
        update.update_case = PLANKTON__V1__RUN_UPDATE__UPDATE_TASK;
        update.task = convert_task(watch->api, arena, change->task, true);
        update.task->parameters = NULL;
        update.task->environment = NULL;
    }
    watch_send(watch, &update);
}

/* A run that is over: its last state, once. */
static void finished_run(struct rpc_call *call, const struct api_run_tasks *tasks,
                         const struct error *err, void *userdata)
{
    struct run_watch *watch = userdata;

    if (!rpc_call_is_open(call))
        return;
    if (err) {
        rpc_call_fail(call, err);
        return;
    }
    send_snapshot(watch, tasks->run, tasks->tasks, tasks->tasks_len, 0);
    rpc_call_finish(call);
}

static void watch_begun(const struct engine_reply *reply, void *userdata)
{
    struct run_watch *watch = userdata;

    if (reply->status != STATUS_OK) {
        watch->ticket = 0;
        api_fail_reply(watch->call, reply);
    } else if (reply->not_in_memory) {
        watch->ticket = 0;
        api_read_run_tasks(watch->api, watch->call, &watch->id, false, finished_run, watch);
    } else if (reply->run->row.namespace_id != api_principal_of(watch->call)->namespace_id) {
        host_unwatch(watch->api->host, watch->ticket);
        watch->ticket = 0;
        api_fail(watch->call, STATUS_NOT_FOUND, "NOT_FOUND", "id", "there is no run with this id");
    } else {
        send_snapshot(watch, reply->run, reply->tasks, reply->tasks_len, reply->event_number);
    }
}

void runs_watch(struct rpc_call *call, const Plankton__V1__WatchRunRequest *request)
{
    static const struct rpc_callbacks callbacks = {.on_close = watch_closed};
    struct api *api = rpc_call_service(call);
    struct error error = {0};
    struct id id;

    if (api_parse_id(api, request->id, "run", &id, &error) != STATUS_OK) {
        rpc_call_fail(call, &error);
        return;
    }
    struct run_watch *watch = arena_zalloc(rpc_call_arena(call), sizeof *watch);
    struct engine_command command = {.kind = ENGINE_WATCH_RUN, .by_id = {.id = id}};
    watch->api = api;
    watch->call = rpc_call_ref(call);
    watch->id = id;
    arena_init(&watch->scratch, 0);
    rpc_call_set_callbacks(call, &callbacks, watch);
    watch->ticket = host_ask(api->host, &command, watch_begun, watch_update, watch);
}
