/* SPDX-License-Identifier: Apache-2.0 */
/* `plankton workers`: who is connected, and draining one. */
#include "../cli.h"
#include "client/output.h"
#include "client/values.h"
#include "plankton/v1/task_worker.rpc.h"
#include "verbs.h"

static const char *types_text(const Plankton__V1__Worker *worker, struct arena *arena)
{
    const char *text = "";

    for (size_t i = 0; i < worker->n_task_types; i++)
        text = arena_printf(arena, "%s%s%s", text, i ? " " : "", worker->task_types[i]);
    return text;
}

static void print_workers(const Plankton__V1__ListWorkersResponse *response, struct arena *arena)
{
    static const char *const HEADINGS[] = {"ID",    "NAME",    "STATE",   "RUNNING",
                                           "HEARD", "VERSION", "ADDRESS", "TYPES"};
    struct table *table = table_new(HEADINGS, ARRAY_LEN(HEADINGS));
    int64_t now = clock_unix_us();

    table_states(table, 2);
    for (size_t i = 0; i < response->n_workers; i++) {
        const Plankton__V1__Worker *worker = response->workers[i];
        const char *cells[] = {
            worker->id,
            worker->name,
            enum_word(&plankton__v1__worker_state__descriptor, (int)worker->state, arena),
            arena_printf(arena, "%d/%d", worker->running, worker->slots),
            time_relative(worker->last_heartbeat_at, now, arena),
            worker->version,
            worker->address,
            types_text(worker, arena)};
        table_row(table, cells);
    }
    table_print(table, "no workers");
}

static int workers_list(struct invocation *in)
{
    Plankton__V1__ListWorkersRequest request = PLANKTON__V1__LIST_WORKERS_REQUEST__INIT;
    Plankton__V1__ListWorkersResponse *response;
    AUTO(client_close) struct client client = {0};
    struct error error = {0};
    enum status st = client_open(in, &client, &error);

    if (st == STATUS_OK)
        st = CLIENT_LIST(&client, task_worker_list_workers, &request, LIST_MAX, &response, &error);
    if (st != STATUS_OK)
        return cli_fail(&error);
    if (in->json)
        return output_message(&response->base);
    print_workers(response, in->arena);
    return 0;
}

static int workers_drain(struct invocation *in)
{
    Plankton__V1__DrainWorkerRequest request = PLANKTON__V1__DRAIN_WORKER_REQUEST__INIT;
    AUTO(client_close) struct client client = {0};
    Plankton__V1__Worker *worker;
    struct error error = {0};
    enum status st = client_open(in, &client, &error);

    request.id = (char *)in->operands[0];
    if (st == STATUS_OK)
        st = CLIENT_CALL(&client, task_worker_drain_worker, &request, &worker, &error);
    if (st != STATUS_OK)
        return cli_fail(&error);
    if (in->json)
        return output_message(&worker->base);
    printf("worker %s (%s) finishes its %d tasks and takes no more\n", worker->id, worker->name,
           worker->running);
    return 0;
}

int verb_workers(int argc, char **argv)
{
    static const struct command commands[] = {
        {.name = NULL, .summary = "list workers", .run = workers_list},
        {.name = "list", .summary = "list workers", .run = workers_list},
        {.name = "drain",
         .operands = "ID",
         .summary = "no new leases; it finishes what it has",
         .operands_min = 1,
         .operands_max = 1,
         .run = workers_drain},
    };
    static const struct noun noun = {
        .name = "workers", .commands = commands, .command_count = ARRAY_LEN(commands)};

    return noun_run(&noun, argc, argv);
}
