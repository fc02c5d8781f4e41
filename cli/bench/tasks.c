/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many tasks at once: batches on one connection, several in flight; the ends are watched on
 * another. A watch is opened for what a batch brought as long as few are open, and for 10,000 ids
 * at a time when acknowledgements come faster than ends.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "base/slice.h"
#include "plankton/v1/task_controller.rpc.h"

#define WATCH_IDS_MAX 10000
#define WATCHES_EAGER 32
#define WATCHED_MAX 80000 /* ids at a time; the controller takes 100,000 of all its callers */
#define BACKOFF_MS 20

struct tasks {
    struct bench *bench;
    struct rpc_channel *watch_channel;
    size_t n, batch, window;
    size_t sent, acked, finished, watched; /* ids before `watched` have a watch */
    size_t in_flight, watches;
    struct id *ids; /* in the order of their acknowledgement */
    uint64_t started_us, acked_us, finished_us;
    struct loop_timer *again;
    struct error error;
    bool closing;
};

struct batch {
    struct tasks *tasks;
    size_t n;
};

static void submit_more(struct tasks *tasks);

static void fail(struct tasks *tasks, const struct error *err)
{
    if (tasks->error.status == STATUS_OK)
        error_keep(&tasks->error, err, tasks->bench->client.arena);
    loop_stop(tasks->bench->client.loop);
}

/* ---- watching ---- */

static void take_update(struct tasks *tasks, const Plankton__V1__TaskUpdate *update)
{
    struct error error;

    if (update->state != PLANKTON__V1__TASK_STATE__TASK_STATE_SUCCEEDED) {
        error_set(&error, STATUS_INTERNAL, "task %s ended in state %d", update->id,
                  (int)update->state);
        fail(tasks, &error);
        return;
    }
    samples_add(&tasks->bench->result.samples, (uint64_t)update->elapsed_us);
    if (++tasks->finished < tasks->n)
        return;
    tasks->finished_us = clock_monotonic_us();
    loop_stop(tasks->bench->client.loop);
}

static void watch_more(struct tasks *tasks);

static void on_updates(struct rpc_call *call, const ProtobufCMessage *message, void *userdata)
{
    const Plankton__V1__TaskUpdates *updates =
        plankton_v1_task_controller_watch_tasks_response_of(message);

    for (size_t i = 0; i < updates->n_updates; i++)
        take_update(userdata, updates->updates[i]);
    watch_more(userdata);
}

static void on_watch_closed(struct rpc_call *call, enum status status, const struct error *err,
                            void *userdata)
{
    struct tasks *tasks = userdata;

    if (tasks->closing)
        return;
    tasks->watches--;
    if (status != STATUS_OK)
        fail(tasks, err);
    else
        watch_more(tasks);
}

static void watch_open(struct tasks *tasks, size_t n)
{
    static const struct rpc_callbacks callbacks = {.on_message = on_updates,
                                                   .on_close = on_watch_closed};
    Plankton__V1__WatchTasksRequest request = PLANKTON__V1__WATCH_TASKS_REQUEST__INIT;
    AUTO(arena_freep) struct arena *scratch = arena_new(0);
    char(*texts)[ID_TEXT_BYTES] = arena_alloc(scratch, n * sizeof *texts);

    request.ids = ARENA_ARRAY(scratch, char *, n);
    request.n_ids = n;
    for (size_t i = 0; i < n; i++) {
        id_format(&tasks->ids[tasks->watched + i], texts[i]);
        request.ids[i] = texts[i];
    }
    tasks->watched += n;
    tasks->watches++;
    plankton_v1_task_controller_watch_tasks_call(tasks->watch_channel, NULL, &request, &callbacks,
                                                 tasks);
}

static void watch_more(struct tasks *tasks)
{
    for (;;) {
        size_t waiting = MIN_OF(tasks->acked - tasks->watched, (size_t)WATCH_IDS_MAX);
        bool worth_it =
            tasks->watches < WATCHES_EAGER || waiting == WATCH_IDS_MAX || tasks->acked == tasks->n;

        if (!waiting || !worth_it || tasks->watched - tasks->finished + waiting > WATCHED_MAX)
            return;
        watch_open(tasks, waiting);
    }
}

/* ---- submitting ---- */

static bool is_overload(enum status st)
{
    return st == STATUS_RESOURCE_EXHAUSTED || st == STATUS_UNAVAILABLE;
}

static void take_result(struct tasks *tasks, const Plankton__V1__SubmitTasksResult *result)
{
    struct error error;

    if (result->code == STATUS_OK && id_parse(result->id, &tasks->ids[tasks->acked])) {
        tasks->acked++;
    } else if (is_overload((enum status)result->code)) {
        tasks->sent--; /* later */
    } else {
        error_set(&error, (enum status)result->code, "a task was refused: %s", result->message);
        fail(tasks, &error);
    }
}

static void submitted(const Plankton__V1__SubmitTasksResponse *response, const struct error *err,
                      void *userdata)
{
    struct batch *batch = userdata;
    struct tasks *tasks = batch->tasks;
    size_t before = tasks->acked;

    if (tasks->closing) {
        free(batch);
        return;
    }
    tasks->in_flight--;
    if (response)
        for (size_t i = 0; i < response->n_results; i++)
            take_result(tasks, response->results[i]);
    else if (err->status == STATUS_RESOURCE_EXHAUSTED)
        tasks->sent -= batch->n; /* nothing of it was taken */
    else
        fail(tasks, err);
    free(batch);
    if (tasks->acked == tasks->n && !tasks->acked_us)
        tasks->acked_us = clock_monotonic_us();
    watch_more(tasks);
    if (tasks->acked > before)
        submit_more(tasks);
    else
        loop_timer_start(tasks->again, BACKOFF_MS, 0);
}

static void on_again(void *userdata)
{
    submit_more(userdata);
}

static void submit_more(struct tasks *tasks)
{
    Plankton__V1__TaskSpec spec = PLANKTON__V1__TASK_SPEC__INIT;
    Plankton__V1__SubmitTasksItem item = PLANKTON__V1__SUBMIT_TASKS_ITEM__INIT;
    Plankton__V1__SubmitTasksRequest request = PLANKTON__V1__SUBMIT_TASKS_REQUEST__INIT;

    spec.type = (char *)"noop";
    item.task = &spec;
    while (tasks->in_flight < tasks->window && tasks->sent < tasks->n &&
           tasks->error.status == STATUS_OK) {
        AUTO(arena_freep) struct arena *scratch = arena_new(0);
        struct batch *batch = mem_zalloc(sizeof *batch);

        *batch = (struct batch){tasks, MIN_OF(tasks->batch, tasks->n - tasks->sent)};
        request.items = ARENA_ARRAY(scratch, Plankton__V1__SubmitTasksItem *, batch->n);
        request.n_items = batch->n;
        for (size_t i = 0; i < batch->n; i++)
            request.items[i] = &item;
        tasks->sent += batch->n;
        tasks->in_flight++;
        plankton_v1_task_controller_submit_tasks_call(tasks->bench->client.controller_channel, NULL,
                                                      &request, submitted, batch);
    }
}

/* ---- all of it ---- */

static enum status outcome(struct tasks *tasks, struct error *err)
{
    struct bench *bench = tasks->bench;
    struct bench_result *result = &bench->result;

    if (tasks->error.status != STATUS_OK) {
        *err = tasks->error;
        return tasks->error.status;
    }
    if (tasks->finished < tasks->n)
        return error_set(err, bench->expired ? STATUS_DEADLINE_EXCEEDED : STATUS_CANCELLED,
                         "%zu of %zu tasks were submitted and %zu had finished", tasks->acked,
                         tasks->n, tasks->finished);
    result->n = tasks->n;
    result->enqueue_s =
        (double)tasks->n * 1e6 / (double)MAX_OF(tasks->acked_us - tasks->started_us, 1u);
    result->e2e_s =
        (double)tasks->n * 1e6 / (double)MAX_OF(tasks->finished_us - tasks->started_us, 1u);
    return bench->settings->database ? bench_count_tasks(bench, tasks->ids, tasks->n, err)
                                     : STATUS_OK;
}

enum status bench_tasks(struct bench *bench, struct error *err)
{
    struct client *client = &bench->client;
    const struct rpc_channel_options options =
        rpc_channel_defaults(client->authorization, client->tls);
    struct tasks tasks = {.bench = bench, .n = (size_t)bench->settings->tasks};
    enum status st;

    tasks.batch = (size_t)bench->settings->batch;
    tasks.window = (size_t)bench->settings->window;
    tasks.ids = mem_zalloc(tasks.n * sizeof *tasks.ids);
    tasks.watch_channel = rpc_channel_new(client->loop, client->controller, &options);
    tasks.again = loop_timer_new(client->loop, on_again, &tasks);
    tasks.started_us = clock_monotonic_us();
    submit_more(&tasks);
    while (tasks.finished < tasks.n && tasks.error.status == STATUS_OK && !bench->expired &&
           !client->interrupted)
        loop_run(client->loop);
    tasks.closing = true;
    rpc_channel_free(tasks.watch_channel);
    loop_timer_free(tasks.again);
    st = outcome(&tasks, err);
    /* batches that are still under way know these tasks */
    rpc_channel_free(client->controller_channel);
    client->controller_channel = rpc_channel_new(client->loop, client->controller, &options);
    free(tasks.ids);
    return st;
}
