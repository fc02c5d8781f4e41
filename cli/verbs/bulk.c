/* SPDX-License-Identifier: Apache-2.0 */
/* `plankton bulk`: cancel or retry many tasks by what they have in common, and look after the jobs
 * that do it. */
#include "../cli.h"
#include "client/output.h"
#include "client/values.h"
#include "plankton/v1/bulk.rpc.h"
#include "verbs.h"

#define POLL_MS 200

struct start_settings {
    const char *state, *type, *queue, *failure_code, *reason;
    int64_t since_ms, before_ms;
    bool dry_run, detach;
};

#define SPAN_MAX_MS (INT64_C(3650) * 24 * 3600 * 1000)
static const struct option start_options[] = {
    {"state", 's', OPTION_TEXT, offsetof(struct start_settings, state), "STATE",
     "only tasks in this state (retry: failed)", 0, 0, 0},
    {"type", 't', OPTION_TEXT, offsetof(struct start_settings, type), "TYPE",
     "only tasks of this type", 0, 0, 0},
    {"queue", 'q', OPTION_TEXT, offsetof(struct start_settings, queue), "QUEUE",
     "only tasks of this queue", 0, 0, 0},
    {"failure-code", 0, OPTION_TEXT, offsetof(struct start_settings, failure_code), "CODE",
     "only tasks whose last failure has this code", 0, 0, 0},
    {"since", 0, OPTION_DURATION, offsetof(struct start_settings, since_ms), "DURATION",
     "only tasks submitted within this time", 0, SPAN_MAX_MS, 0},
    {"older-than", 0, OPTION_DURATION, offsetof(struct start_settings, before_ms), "DURATION",
     "only tasks submitted longer ago", 0, SPAN_MAX_MS, 0},
    {"reason", 0, OPTION_TEXT, offsetof(struct start_settings, reason), "TEXT",
     "why, for the record", 0, 0, 0},
    {"dry-run", 0, OPTION_FLAG, offsetof(struct start_settings, dry_run), NULL,
     "only count what matches", 0, 0, 0},
    {"detach", 'd', OPTION_FLAG, offsetof(struct start_settings, detach), NULL,
     "print the job's id and do not wait for its end", 0, 0, 0},
};

static const char *job_state_word(const Plankton__V1__BulkJob *job, struct arena *arena)
{
    return enum_word(&plankton__v1__bulk_state__descriptor, (int)job->state, arena);
}

static bool job_is_over(const Plankton__V1__BulkJob *job)
{
    return job->state != PLANKTON__V1__BULK_STATE__BULK_STATE_RUNNING;
}

static int print_job(const struct invocation *in, const Plankton__V1__BulkJob *job)
{
    if (in->json)
        return output_message(&job->base);
    printf("job %s %s: %lld matched, %lld done, %lld skipped, %lld failed\n", job->id,
           job_state_word(job, in->arena), (long long)job->matched, (long long)job->done,
           (long long)job->skipped, (long long)job->failed);
    if (*job->failure)
        printf("%s\n", job->failure);
    return 0;
}

/* A moment so long ago; NULL when nothing was said. */
static Google__Protobuf__Timestamp *ago(int64_t ms, struct arena *arena)
{
    Google__Protobuf__Timestamp *time;
    int64_t at_us = clock_unix_us() - ms * 1000;

    if (!ms)
        return NULL;
    time = ARENA_NEW(arena, Google__Protobuf__Timestamp);
    google__protobuf__timestamp__init(time);
    time->seconds = at_us / 1000000;
    time->nanos = (int32_t)(at_us % 1000000) * 1000;
    return time;
}

static enum status wait_for_end(struct client *client, Plankton__V1__BulkJob **job,
                                struct error *err)
{
    Plankton__V1__GetBulkRequest request = PLANKTON__V1__GET_BULK_REQUEST__INIT;
    enum status st = STATUS_OK;

    request.id = (*job)->id;
    while (st == STATUS_OK && !job_is_over(*job)) {
        client_pause(client, POLL_MS);
        st = CLIENT_CALL(client, bulk_get_bulk, &request, job, err);
    }
    return st;
}

static int start(struct invocation *in, Plankton__V1__BulkAction action)
{
    const struct start_settings *settings = in->settings;
    Plankton__V1__StartBulkRequest request = PLANKTON__V1__START_BULK_REQUEST__INIT;
    Plankton__V1__TaskFilter filter = PLANKTON__V1__TASK_FILTER__INIT;
    AUTO(client_close) struct client client = {0};
    Plankton__V1__BulkJob *job;
    struct error error = {0};
    int state = 0;

    if (settings->state && enum_parse(&plankton__v1__task_state__descriptor, "--state",
                                      settings->state, in->arena, &state, &error) != STATUS_OK)
        return command_misused(in, &error);
    filter.state = (Plankton__V1__TaskState)state;
    filter.type = (char *)(settings->type ? settings->type : "");
    filter.queue = (char *)(settings->queue ? settings->queue : "");
    filter.failure_code = (char *)(settings->failure_code ? settings->failure_code : "");
    filter.created_after = ago(settings->since_ms, in->arena);
    filter.created_before = ago(settings->before_ms, in->arena);
    request.action = action;
    request.filter = &filter;
    request.dry_run = settings->dry_run;
    request.reason = (char *)(settings->reason ? settings->reason : "");
    enum status st = client_open(in, &client, &error);
    if (st == STATUS_OK)
        st = CLIENT_CALL(&client, bulk_start_bulk, &request, &job, &error);
    if (st == STATUS_OK && settings->detach && !in->json) {
        printf("%s\n", job->id);
        return 0;
    }
    if (st == STATUS_OK && !settings->detach)
        st = wait_for_end(&client, &job, &error);
    if (st != STATUS_OK)
        return cli_fail(&error);
    print_job(in, job);
    return settings->detach ||
                   (job->state == PLANKTON__V1__BULK_STATE__BULK_STATE_SUCCEEDED && !job->failed)
               ? 0
               : 1;
}

static int bulk_cancel(struct invocation *in)
{
    return start(in, PLANKTON__V1__BULK_ACTION__BULK_ACTION_CANCEL);
}

static int bulk_retry(struct invocation *in)
{
    return start(in, PLANKTON__V1__BULK_ACTION__BULK_ACTION_RETRY);
}

static int bulk_get(struct invocation *in)
{
    Plankton__V1__GetBulkRequest request = PLANKTON__V1__GET_BULK_REQUEST__INIT;
    AUTO(client_close) struct client client = {0};
    Plankton__V1__BulkJob *job;
    struct error error = {0};
    enum status st = client_open(in, &client, &error);

    request.id = (char *)in->operands[0];
    if (st == STATUS_OK)
        st = CLIENT_CALL(&client, bulk_get_bulk, &request, &job, &error);
    return st == STATUS_OK ? print_job(in, job) : cli_fail(&error);
}

static int bulk_stop(struct invocation *in)
{
    Plankton__V1__CancelBulkRequest request = PLANKTON__V1__CANCEL_BULK_REQUEST__INIT;
    AUTO(client_close) struct client client = {0};
    Plankton__V1__BulkJob *job;
    struct error error = {0};
    enum status st = client_open(in, &client, &error);

    request.id = (char *)in->operands[0];
    if (st == STATUS_OK)
        st = CLIENT_CALL(&client, bulk_cancel_bulk, &request, &job, &error);
    return st == STATUS_OK ? print_job(in, job) : cli_fail(&error);
}

static int bulk_list(struct invocation *in)
{
    static const char *const HEADINGS[] = {"ID",      "ACTION", "STATE", "MATCHED", "DONE",
                                           "SKIPPED", "FAILED", "ACTOR", "STARTED"};
    Plankton__V1__ListBulkRequest request = PLANKTON__V1__LIST_BULK_REQUEST__INIT;
    AUTO(client_close) struct client client = {0};
    Plankton__V1__ListBulkResponse *response;
    struct error error = {0};
    enum status st = client_open(in, &client, &error);

    if (st == STATUS_OK)
        st = CLIENT_CALL(&client, bulk_list_bulk, &request, &response, &error);
    if (st != STATUS_OK)
        return cli_fail(&error);
    if (in->json)
        return output_message(&response->base);
    struct table *table = table_new(HEADINGS, ARRAY_LEN(HEADINGS));
    table_states(table, 2);
    for (size_t i = 0; i < response->n_jobs; i++) {
        const Plankton__V1__BulkJob *job = response->jobs[i];
        const char *action =
            enum_word(&plankton__v1__bulk_action__descriptor, (int)job->action, in->arena);
        const char *cells[] = {job->id,
                               job->dry_run ? arena_printf(in->arena, "%s (dry)", action) : action,
                               job_state_word(job, in->arena),
                               arena_printf(in->arena, "%lld", (long long)job->matched),
                               arena_printf(in->arena, "%lld", (long long)job->done),
                               arena_printf(in->arena, "%lld", (long long)job->skipped),
                               arena_printf(in->arena, "%lld", (long long)job->failed),
                               job->actor,
                               time_relative(job->started_at, clock_unix_us(), in->arena)};
        table_row(table, cells);
    }
    table_print(table, "no jobs");
    return 0;
}

int verb_bulk(int argc, char **argv)
{
    static const struct command commands[] = {
        {.name = "cancel",
         .summary = "ask for a cancel of all unfinished tasks that match",
         .options = start_options,
         .option_count = ARRAY_LEN(start_options),
         .settings_bytes = sizeof(struct start_settings),
         .run = bulk_cancel},
        {.name = "retry",
         .summary = "submit all finished tasks that match again, as new ones",
         .options = start_options,
         .option_count = ARRAY_LEN(start_options),
         .settings_bytes = sizeof(struct start_settings),
         .run = bulk_retry},
        {.name = "list", .summary = "list jobs, newest first", .run = bulk_list},
        {.name = "get",
         .operands = "ID",
         .summary = "show how far a job is",
         .operands_min = 1,
         .operands_max = 1,
         .run = bulk_get},
        {.name = "stop",
         .operands = "ID",
         .summary = "begin nothing more of a job",
         .operands_min = 1,
         .operands_max = 1,
         .run = bulk_stop},
    };
    static const struct noun noun = {
        .name = "bulk", .commands = commands, .command_count = ARRAY_LEN(commands)};

    return noun_run(&noun, argc, argv);
}
