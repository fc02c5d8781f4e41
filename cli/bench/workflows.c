/* SPDX-License-Identifier: Apache-2.0 */
/* Runs of plans: `chain` (10 steps in a row, many at a time) and `fanout` (many steps, then one).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "base/buf.h"
#include "base/slice.h"
#include "plankton/v1/plan_api.rpc.h"
#include "verbs/verbs.h"

#define CHAIN_STEPS 10
#define PLAN_BYTES_MAX ((size_t)1024 * 1024)

struct workflows {
    struct bench *bench;
    const char *plan_id;
    size_t n, steps; /* steps of a run */
    size_t asked, started, finished;
    struct id *ids;
    struct error error;
    bool closing;
};

struct workflow {
    struct workflows *all;
    uint64_t from_us;
    bool over;
};

static void start_more(struct workflows *all);

static void fail(struct workflows *all, const struct error *err)
{
    if (all->error.status == STATUS_OK)
        error_keep(&all->error, err, all->bench->client.arena);
    loop_stop(all->bench->client.loop);
}

/* ---- one run ---- */

static void take_run(struct workflow *workflow, const Plankton__V1__Run *run)
{
    struct workflows *all = workflow->all;
    struct error error;

    if (workflow->over || !run_is_over(run->state))
        return;
    workflow->over = true;
    if (run->state != PLANKTON__V1__RUN_STATE__RUN_STATE_SUCCEEDED) {
        error_set(&error, STATUS_INTERNAL, "run %s ended in state %d%s%s", run->id, (int)run->state,
                  run->failure ? ": " : "", run->failure ? run->failure->message : "");
        fail(all, &error);
        return;
    }
    samples_add(&all->bench->result.samples, clock_monotonic_us() - workflow->from_us);
    all->finished++;
    if (all->finished == all->n)
        loop_stop(all->bench->client.loop);
}

static void on_update(struct rpc_call *call, const ProtobufCMessage *message, void *userdata)
{
    const Plankton__V1__RunUpdate *update = plankton_v1_plan_api_watch_run_response_of(message);

    if (update->update_case == PLANKTON__V1__RUN_UPDATE__UPDATE_RUN)
        take_run(userdata, update->run);
    else if (update->update_case == PLANKTON__V1__RUN_UPDATE__UPDATE_SNAPSHOT)
        take_run(userdata, update->snapshot->run);
}

static void on_watch_closed(struct rpc_call *call, enum status status, const struct error *err,
                            void *userdata)
{
    struct workflow *workflow = userdata;
    struct workflows *all = workflow->all;
    bool over = workflow->over;
    struct error early;

    free(workflow);
    if (all->closing)
        return;
    if (over) {
        start_more(all);
    } else if (status == STATUS_OK) {
        error_set(&early, STATUS_INTERNAL, "a watch ended before its run");
        fail(all, &early);
    } else {
        fail(all, err);
    }
}

static void on_started(const Plankton__V1__Run *run, const struct error *err, void *userdata)
{
    static const struct rpc_callbacks callbacks = {.on_message = on_update,
                                                   .on_close = on_watch_closed};
    Plankton__V1__WatchRunRequest request = PLANKTON__V1__WATCH_RUN_REQUEST__INIT;
    struct workflow *workflow = userdata;
    struct workflows *all = workflow->all;

    if (!run || all->closing) {
        free(workflow);
        if (!all->closing)
            fail(all, err);
        return;
    }
    if (!id_parse(run->id, &all->ids[all->started++])) {
        struct error error;
        error_set(&error, STATUS_INTERNAL, "the run's id is not one: %s", run->id);
        fail(all, &error);
    }
    request.id = run->id;
    plankton_v1_plan_api_watch_run_call(all->bench->client.controller_channel, NULL, &request,
                                        &callbacks, workflow);
}

static void start_one(struct workflows *all)
{
    Plankton__V1__StartRunRequest request = PLANKTON__V1__START_RUN_REQUEST__INIT;
    struct workflow *workflow = mem_zalloc(sizeof *workflow);

    *workflow = (struct workflow){.all = all, .from_us = clock_monotonic_us()};
    request.plan_id = (char *)all->plan_id;
    plankton_v1_plan_api_start_run_call(all->bench->client.controller_channel, NULL, &request,
                                        on_started, workflow);
}

/* Each run whose watch has ended makes room for the next. */
static void start_more(struct workflows *all)
{
    if (all->error.status == STATUS_OK && all->asked < all->n) {
        all->asked++;
        start_one(all);
    }
}

/* ---- all of them ---- */

static enum status outcome(struct workflows *all, uint64_t us, struct error *err)
{
    struct bench *bench = all->bench;

    if (all->error.status != STATUS_OK) {
        *err = all->error;
        return err->status;
    }
    if (all->finished < all->n)
        return error_set(err, bench->expired ? STATUS_DEADLINE_EXCEEDED : STATUS_CANCELLED,
                         "%zu of %zu runs had finished", all->finished, all->n);
    bench->result.n = all->n;
    bench->result.steps = all->n * all->steps;
    bench->result.e2e_s = (double)all->n * 1e6 / (double)MAX_OF(us, 1u);
    bench->result.steps_s = (double)(all->n * all->steps) * 1e6 / (double)MAX_OF(us, 1u);
    return bench->settings->database ? bench_count_runs(bench, all->ids, all->n, err) : STATUS_OK;
}

static enum status run_all(struct workflows *all, size_t at_a_time, struct error *err)
{
    struct bench *bench = all->bench;
    struct client *client = &bench->client;
    uint64_t from_us = clock_monotonic_us();

    all->ids = mem_zalloc(all->n * sizeof *all->ids);
    for (size_t i = 0; i < MIN_OF(at_a_time, all->n); i++)
        start_more(all);
    while (all->finished < all->n && all->error.status == STATUS_OK && !bench->expired &&
           !client->interrupted)
        loop_run(client->loop);
    uint64_t us = clock_monotonic_us() - from_us;
    const struct rpc_channel_options options =
        rpc_channel_defaults(client->authorization, client->tls);
    all->closing = true;
    rpc_channel_free(client->controller_channel); /* ends what is open, while `all` is there */
    client->controller_channel = rpc_channel_new(client->loop, client->controller, &options);
    enum status st = outcome(all, us, err);
    free(all->ids);
    return st;
}

/* A plan of this name is made once and used from then on. */
static enum status find_plan(struct client *client, const char *name, const char *source,
                             const char **ret, struct error *err)
{
    Plankton__V1__GetPlanRequest get = PLANKTON__V1__GET_PLAN_REQUEST__INIT;
    Plankton__V1__CreatePlanRequest create = PLANKTON__V1__CREATE_PLAN_REQUEST__INIT;
    Plankton__V1__Plan *plan;

    get.id = (char *)name;
    enum status st = CLIENT_CALL(client, plan_api_get_plan, &get, &plan, err);
    if (st == STATUS_NOT_FOUND) {
        create.source = (char *)source;
        create.request_id = client_request_id(client->arena);
        st = CLIENT_CALL(client, plan_api_create_plan, &create, &plan, err);
    }
    if (st == STATUS_OK)
        *ret = plan->id;
    return st;
}

enum status bench_chain(struct bench *bench, struct error *err)
{
    struct workflows all = {
        .bench = bench, .n = (size_t)bench->settings->workflows, .steps = CHAIN_STEPS};
    AUTO(buf_fini) struct buf source;

    buf_init(&source, PLAN_BYTES_MAX);
    buf_puts(&source, "name: bench-chain-10\ndescription: made by plankton bench chain\nsteps:\n");
    for (int i = 1; i <= CHAIN_STEPS; i++) {
        buf_putf(&source, "  - {id: s%d, task: noop", i);
        if (i > 1)
            buf_putf(&source, ", needs: [s%d]", i - 1);
        buf_puts(&source, "}\n");
    }
    enum status st =
        find_plan(&bench->client, "bench-chain-10", buf_cstr(&source), &all.plan_id, err);
    return st == STATUS_OK ? run_all(&all, (size_t)bench->settings->concurrency, err) : st;
}

enum status bench_fanout(struct bench *bench, struct error *err)
{
    int64_t width = bench->settings->width;
    const char *name = arena_printf(bench->client.arena, "bench-fanout-%" PRId64, width);
    struct workflows all = {
        .bench = bench, .n = (size_t)bench->settings->runs, .steps = (size_t)width + 1};
    AUTO(buf_fini) struct buf source;

    buf_init(&source, PLAN_BYTES_MAX);
    buf_putf(&source, "name: %s\ndescription: made by plankton bench fanout\nsteps:\n", name);
    for (int64_t i = 1; i <= width; i++)
        buf_putf(&source, "  - {id: s%" PRId64 ", task: noop}\n", i);
    buf_puts(&source, "  - {id: join, task: noop, needs: [s1");
    for (int64_t i = 2; i <= width; i++)
        buf_putf(&source, ", s%" PRId64, i);
    buf_puts(&source, "]}\n");
    enum status st = find_plan(&bench->client, name, buf_cstr(&source), &all.plan_id, err);
    return st == STATUS_OK ? run_all(&all, 1, err) : st;
}
