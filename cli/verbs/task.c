/* SPDX-License-Identifier: Apache-2.0 */
/* `plankton task`: list, get, cancel, retry. `task run` has its own file. */
#include "../cli.h"
#include "client/output.h"
#include "client/values.h"
#include "plankton/v1/task_controller.rpc.h"
#include "verbs.h"

/* ---- what a task looks like ---- */

const char *task_state_word(Plankton__V1__TaskState state, struct arena *arena)
{
    return enum_word(&plankton__v1__task_state__descriptor, (int)state, arena);
}

bool task_is_over(Plankton__V1__TaskState state)
{
    return state >= PLANKTON__V1__TASK_STATE__TASK_STATE_SUCCEEDED &&
           state <= PLANKTON__V1__TASK_STATE__TASK_STATE_SKIPPED;
}

const char *task_span(const Plankton__V1__Task *task, struct arena *arena)
{
    if (!task->started_at)
        return "";
    int64_t end = task->finished_at ? timestamp_us(task->finished_at) : clock_unix_us();
    return span_text(end - timestamp_us(task->started_at), arena);
}

const char *failure_text(const Plankton__V1__Failure *failure, struct arena *arena)
{
    if (!failure)
        return "";
    return arena_printf(arena, "%s%s%s", failure->code,
                        *failure->code && *failure->message ? ": " : "", failure->message);
}

void task_show(const Plankton__V1__Task *task, struct arena *arena)
{
    int64_t now = clock_unix_us();
    const char *state = task_state_word(task->state, arena);

    field_print("id", task->id);
    field_print("type", task->type);
    printf("%-12s %s%s%s\n", "state", state_colour(stdout, state), state, colour_end(stdout));
    field_print("waiting for", task->waiting_for);
    field_print("queue", arena_printf(arena, "%s, priority %d", task->queue, task->priority));
    field_print("attempt", task->attempt ? arena_printf(arena, "%d (%d failed, %d lost)",
                                                        task->attempt, task->failures, task->lost)
                                         : NULL);
    field_print("failure", failure_text(task->failure, arena));
    field_print("run", task->run_id);
    field_print("step", task->step);
    field_print("retry of", task->retry_of);
    field_print("worker", task->worker_id);
    field_print("progress", task->progress > 0
                                ? arena_printf(arena, "%.0f %% %s", task->progress * 100,
                                               task->progress_message)
                                : NULL);
    if (task->cancel_requested)
        field_print("cancel",
                    arena_printf(arena, "asked for %s by %s %s",
                                 time_relative(task->cancel_requested->at, now, arena),
                                 task->cancel_requested->actor, task->cancel_requested->reason));
    field_print("created", time_relative(task->created_at, now, arena));
    field_print("started", time_relative(task->started_at, now, arena));
    field_print("finished", time_relative(task->finished_at, now, arena));
    field_print("took", task_span(task, arena));
    field_json("parameters", task->parameters ? task->parameters->text : NULL);
    field_json("result", task->result ? task->result->text : NULL);
}

static int print_task(struct invocation *in, const Plankton__V1__Task *task)
{
    if (in->json)
        return output_message(&task->base);
    task_show(task, in->arena);
    return 0;
}

/* ---- list ---- */

struct list_settings {
    const char *state, *type, *queue, *failure_code;
    bool steps;
    int64_t limit;
};

static const struct option list_options[] = {
    {"state", 's', OPTION_TEXT, offsetof(struct list_settings, state), "STATE",
     "only tasks in this state", 0, 0, 0},
    {"type", 't', OPTION_TEXT, offsetof(struct list_settings, type), "TYPE",
     "only tasks of this type", 0, 0, 0},
    {"queue", 'q', OPTION_TEXT, offsetof(struct list_settings, queue), "QUEUE",
     "only tasks of this queue", 0, 0, 0},
    {"failure-code", 0, OPTION_TEXT, offsetof(struct list_settings, failure_code), "CODE",
     "only tasks whose last failure has this code", 0, 0, 0},
    {"steps", 0, OPTION_FLAG, offsetof(struct list_settings, steps), NULL, "the steps of runs too",
     0, 0, 0},
    {"limit", 'n', OPTION_INT, offsetof(struct list_settings, limit), "N",
     "at most so many, newest first (50)", 1, LIST_MAX, LIST_DEFAULT},
};

static void print_tasks(const Plankton__V1__ListTasksResponse *response, struct arena *arena)
{
    static const char *const HEADINGS[] = {"ID",      "TYPE", "STATE", "QUEUE",  "ATTEMPT",
                                           "CREATED", "TOOK", "STEP",  "FAILURE"};
    struct table *table = table_new(HEADINGS, ARRAY_LEN(HEADINGS));
    int64_t now = clock_unix_us();

    table_states(table, 2);
    for (size_t i = 0; i < response->n_tasks; i++) {
        const Plankton__V1__Task *task = response->tasks[i];
        const char *cells[] = {task->id,
                               task->type,
                               task_state_word(task->state, arena),
                               task->queue,
                               arena_printf(arena, "%d", task->attempt),
                               time_relative(task->created_at, now, arena),
                               task_span(task, arena),
                               task->step,
                               failure_text(task->failure, arena)};
        table_row(table, cells);
    }
    table_print(table, "no tasks");
}

static int task_list(struct invocation *in)
{
    const struct list_settings *settings = in->settings;
    Plankton__V1__ListTasksRequest request = PLANKTON__V1__LIST_TASKS_REQUEST__INIT;
    Plankton__V1__ListTasksResponse *response;
    AUTO(client_close) struct client client = {0};
    struct error error = {0};
    int state = 0;

    if (settings->state && enum_parse(&plankton__v1__task_state__descriptor, "--state",
                                      settings->state, in->arena, &state, &error) != STATUS_OK)
        return command_misused(in, &error);
    request.state = (Plankton__V1__TaskState)state;
    request.type = (char *)(settings->type ? settings->type : "");
    request.queue = (char *)(settings->queue ? settings->queue : "");
    request.failure_code = (char *)(settings->failure_code ? settings->failure_code : "");
    request.include_steps = settings->steps;
    enum status st = client_open(in, &client, &error);
    if (st == STATUS_OK)
        st = CLIENT_LIST(&client, task_controller_list_tasks, &request, settings->limit, &response,
                         &error);
    if (st != STATUS_OK)
        return cli_fail(&error);
    if (in->json)
        return output_message(&response->base);
    print_tasks(response, in->arena);
    return 0;
}

/* ---- one task ---- */

struct cancel_settings {
    const char *reason;
};

static const struct option cancel_options[] = {
    {"reason", 0, OPTION_TEXT, offsetof(struct cancel_settings, reason), "TEXT",
     "why, for the record", 0, 0, 0},
};

static int task_get(struct invocation *in)
{
    Plankton__V1__GetTaskRequest request = PLANKTON__V1__GET_TASK_REQUEST__INIT;
    AUTO(client_close) struct client client = {0};
    Plankton__V1__Task *task;
    struct error error = {0};
    enum status st = client_open(in, &client, &error);

    request.id = (char *)in->operands[0];
    if (st == STATUS_OK)
        st = CLIENT_CALL(&client, task_controller_get_task, &request, &task, &error);
    return st == STATUS_OK ? print_task(in, task) : cli_fail(&error);
}

static int task_cancel(struct invocation *in)
{
    const struct cancel_settings *settings = in->settings;
    Plankton__V1__CancelTaskRequest request = PLANKTON__V1__CANCEL_TASK_REQUEST__INIT;
    AUTO(client_close) struct client client = {0};
    Plankton__V1__Task *task;
    struct error error = {0};
    enum status st = client_open(in, &client, &error);

    request.id = (char *)in->operands[0];
    request.reason = (char *)(settings->reason ? settings->reason : "");
    request.request_id = client_request_id(in->arena);
    if (st == STATUS_OK)
        st = CLIENT_CALL(&client, task_controller_cancel_task, &request, &task, &error);
    if (st != STATUS_OK)
        return cli_fail(&error);
    if (in->json)
        return output_message(&task->base);
    /* the state follows when the worker confirms */
    printf("task %s %s\n", task->id,
           task_is_over(task->state) ? task_state_word(task->state, in->arena)
                                     : "is asked to stop");
    return 0;
}

static int task_retry(struct invocation *in)
{
    Plankton__V1__RetryTaskRequest request = PLANKTON__V1__RETRY_TASK_REQUEST__INIT;
    AUTO(client_close) struct client client = {0};
    Plankton__V1__Task *task;
    struct error error = {0};
    enum status st = client_open(in, &client, &error);

    request.id = (char *)in->operands[0];
    request.request_id = client_request_id(in->arena);
    if (st == STATUS_OK)
        st = CLIENT_CALL(&client, task_controller_retry_task, &request, &task, &error);
    if (st != STATUS_OK)
        return cli_fail(&error);
    if (in->json)
        return output_message(&task->base);
    printf("%s\n", task->id);
    return 0;
}

int verb_task(int argc, char **argv)
{
    const struct command commands[] = {
        task_run_command,
        {.name = "list",
         .summary = "list tasks, newest first",
         .options = list_options,
         .option_count = ARRAY_LEN(list_options),
         .settings_bytes = sizeof(struct list_settings),
         .run = task_list},
        {.name = "get",
         .operands = "ID",
         .summary = "show one task",
         .operands_min = 1,
         .operands_max = 1,
         .run = task_get},
        {.name = "cancel",
         .operands = "ID",
         .summary = "ask for a cancel",
         .options = cancel_options,
         .option_count = ARRAY_LEN(cancel_options),
         .settings_bytes = sizeof(struct cancel_settings),
         .operands_min = 1,
         .operands_max = 1,
         .run = task_cancel},
        {.name = "retry",
         .operands = "ID",
         .summary = "submit a finished task again, as a new one; prints its id",
         .operands_min = 1,
         .operands_max = 1,
         .run = task_retry},
    };
    const struct noun noun = {
        .name = "task", .commands = commands, .command_count = ARRAY_LEN(commands)};

    return noun_run(&noun, argc, argv);
}
