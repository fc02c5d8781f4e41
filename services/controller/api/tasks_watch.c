/* SPDX-License-Identifier: Apache-2.0 */
/* WatchTasks: one stream for the ends of many tasks; what ends in one turn goes in one message. */
#include "api_internal.h"

#include <stdlib.h>

#define WATCH_IDS_MAX 10000
#define WATCH_FLUSH_ORDER 28 /* before the connections are written */

struct watch_item {
    struct watch *watch;
    struct id id;
    uint64_t ticket; /* 0 = ended */
};

struct watch {
    struct api *api;
    struct rpc_call *call;
    struct loop_flush *flush;
    struct watch_item *items;
    size_t items_len, open;
    Plankton__V1__TaskUpdate *updates; /* of this turn */
    Plankton__V1__TaskUpdate **update_list;
    char (*ids)[ID_TEXT_BYTES];
    size_t updates_len;
    size_t reads; /* rows on their way: the watch outlives its call until they are here */
    bool closed;
};

static void watch_free(struct watch *watch)
{
    loop_flush_free(watch->flush);
    free(watch->items);
    free(watch->updates);
    free(watch->update_list);
    free(watch->ids);
    rpc_call_unref(watch->call);
    free(watch);
}

static void watch_closed(struct rpc_call *call, enum status status, const struct error *err,
                         void *userdata)
{
    struct watch *watch = userdata;

    watch->closed = true;
    for (size_t i = 0; i < watch->items_len; i++)
        if (watch->items[i].ticket)
            host_unwatch(watch->api->host, watch->items[i].ticket);
    if (!watch->reads)
        watch_free(watch);
}

static void watch_flush(void *userdata)
{
    struct watch *watch = userdata;
    Plankton__V1__TaskUpdates message = PLANKTON__V1__TASK_UPDATES__INIT;

    if (watch->updates_len) {
        message.n_updates = watch->updates_len;
        message.updates = watch->update_list;
        watch->updates_len = 0;
        if (plankton_v1_task_controller_watch_tasks_send(watch->call, &message) != STATUS_OK) {
            api_fail(watch->call, STATUS_RESOURCE_EXHAUSTED, "SLOW_READER", NULL,
                     "the reader is too slow");
            return;
        }
    }
    if (watch->open == 0)
        rpc_call_finish(watch->call);
}

static void watch_update(struct watch_item *item, const struct engine_task_view *view)
{
    struct watch *watch = item->watch;
    size_t place = watch->updates_len++;
    Plankton__V1__TaskUpdate *update = &watch->updates[place];

    watch->open--;
    plankton__v1__task_update__init(update);
    id_format(&item->id, watch->ids[place]);
    update->id = watch->ids[place];
    /* unknown and foreign tasks end at once, without a state */
    if (view && view->row.namespace_id == api_principal_of(watch->call)->namespace_id) {
        update->state = (Plankton__V1__TaskState)view->state;
        update->elapsed_us = view->row.change.finished_us - view->row.created_us;
    }
    watch->update_list[place] = update;
    loop_flush_mark(watch->flush);
}

/* Finished and forgotten by the engine: the row says how. */
static void watch_row(const struct engine_task_row *row, const struct error *err, void *userdata)
{
    struct watch_item *item = userdata;
    struct watch *watch = item->watch;
    struct engine_task_view view;

    watch->reads--;
    if (watch->closed) {
        if (!watch->reads)
            watch_free(watch);
        return;
    }
    if (err) {
        rpc_call_fail(watch->call, err);
        return;
    }
    if (row)
        view = convert_task_row(row);
    watch_update(item, row ? &view : NULL);
}

static void watch_ended(const struct engine_reply *reply, void *userdata)
{
    struct watch_item *item = userdata;
    struct watch *watch = item->watch;

    item->ticket = 0;
    if (reply->status == STATUS_OK && reply->not_in_memory) {
        watch->reads++;
        store_read_task(host_store(watch->api->host), &item->id, watch_row, item);
    } else if (reply->status == STATUS_UNAVAILABLE || reply->status == STATUS_RESOURCE_EXHAUSTED) {
        api_fail_reply(watch->call, reply);
    } else {
        watch_update(item, reply->status == STATUS_OK ? reply->task : NULL);
    }
}

void tasks_watch(struct rpc_call *call, const Plankton__V1__WatchTasksRequest *request)
{
    static const struct rpc_callbacks callbacks = {.on_close = watch_closed};
    struct api *api = rpc_call_service(call);
    size_t n = request->n_ids;

    if (n == 0 || n > WATCH_IDS_MAX) {
        api_fail(call, STATUS_INVALID_ARGUMENT, "INVALID_FIELD", "ids",
                 "ids must be between 1 and %d", WATCH_IDS_MAX);
        return;
    }
    struct id *ids = ARENA_ARRAY(rpc_call_arena(call), struct id, n);
    struct error error = {0};
    for (size_t i = 0; i < n; i++)
        if (api_parse_id(api, request->ids[i], "task", &ids[i], &error) != STATUS_OK) {
            rpc_call_fail(call, &error);
            return;
        }
    struct watch *watch = mem_zalloc(sizeof *watch);
    watch->api = api;
    watch->call = rpc_call_ref(call);
    watch->items = mem_zalloc(n * sizeof *watch->items);
    watch->updates = mem_zalloc(n * sizeof *watch->updates);
    watch->update_list = mem_zalloc(n * sizeof(Plankton__V1__TaskUpdate *));
    watch->ids = mem_zalloc(n * sizeof *watch->ids);
    watch->items_len = watch->open = n;
    watch->flush = loop_flush_new(api->loop, WATCH_FLUSH_ORDER, watch_flush, watch);
    rpc_call_set_callbacks(call, &callbacks, watch);
    for (size_t i = 0; i < n; i++) {
        struct engine_command command = {.kind = ENGINE_WATCH_TASK, .by_id = {.id = ids[i]}};
        watch->items[i] = (struct watch_item){.watch = watch, .id = ids[i]};
        watch->items[i].ticket = host_ask(api->host, &command, watch_ended, NULL, &watch->items[i]);
    }
}
