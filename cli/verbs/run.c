/* SPDX-License-Identifier: Apache-2.0 */
/* `plankton run`: list, get, watch, cancel, pause, resume, rerun. */
#include "../cli.h"
#include "client/output.h"
#include "client/values.h"
#include "plankton/v1/plan_api.rpc.h"
#include "verbs.h"

const char *run_state_word(Plankton__V1__RunState state, struct arena *arena)
{
    return enum_word(&plankton__v1__run_state__descriptor, (int)state, arena);
}

bool run_is_over(Plankton__V1__RunState state)
{
    return state >= PLANKTON__V1__RUN_STATE__RUN_STATE_SUCCEEDED &&
           state <= PLANKTON__V1__RUN_STATE__RUN_STATE_CANCELLED;
}

static const char *run_span(const Plankton__V1__Run *run, struct arena *arena)
{
    if (!run->started_at)
        return "";
    int64_t end = run->finished_at ? timestamp_us(run->finished_at) : clock_unix_us();
    return span_text(end - timestamp_us(run->started_at), arena);
}

static const char *counts_text(const Plankton__V1__StepCounts *counts, struct arena *arena)
{
    if (!counts)
        return "";
    return arena_printf(arena, "%d/%d",
                        counts->succeeded + counts->skipped + counts->failed + counts->cancelled,
                        counts->total);
}

/* ---- list ---- */

struct list_settings {
    const char *plan, *state;
    int64_t limit;
};

static const struct option list_options[] = {
    {"plan", 'p', OPTION_TEXT, offsetof(struct list_settings, plan), "PLAN",
     "only runs of this plan", 0, 0, 0},
    {"state", 's', OPTION_TEXT, offsetof(struct list_settings, state), "STATE",
     "only runs in this state", 0, 0, 0},
    {"limit", 'n', OPTION_INT, offsetof(struct list_settings, limit), "N",
     "at most so many, newest first (50)", 1, LIST_MAX, LIST_DEFAULT},
};

static void print_runs(const Plankton__V1__ListRunsResponse *response, struct arena *arena)
{
    static const char *const HEADINGS[] = {"ID",    "PLAN",    "VERSION", "STATE",
                                           "STEPS", "CREATED", "TOOK",    "FAILURE"};
    struct table *table = table_new(HEADINGS, ARRAY_LEN(HEADINGS));
    int64_t now = clock_unix_us();

    table_states(table, 3);
    for (size_t i = 0; i < response->n_runs; i++) {
        const Plankton__V1__Run *run = response->runs[i];
        const char *cells[] = {run->id,
                               run->plan_name,
                               arena_printf(arena, "%d", run->plan_version),
                               run_state_word(run->state, arena),
                               counts_text(run->counts, arena),
                               time_relative(run->created_at, now, arena),
                               run_span(run, arena),
                               failure_text(run->failure, arena)};
        table_row(table, cells);
    }
    table_print(table, "no runs");
}

static int run_list(struct invocation *in)
{
    const struct list_settings *settings = in->settings;
    Plankton__V1__ListRunsRequest request = PLANKTON__V1__LIST_RUNS_REQUEST__INIT;
    Plankton__V1__ListRunsResponse *response;
    AUTO(client_close) struct client client = {0};
    struct error error = {0};
    int state = 0;

    if (settings->state && enum_parse(&plankton__v1__run_state__descriptor, "--state",
                                      settings->state, in->arena, &state, &error) != STATUS_OK)
        return command_misused(in, &error);
    request.state = (Plankton__V1__RunState)state;
    request.plan_id = (char *)(settings->plan ? settings->plan : "");
    enum status st = client_open(in, &client, &error);
    if (st == STATUS_OK)
        st = CLIENT_LIST(&client, plan_api_list_runs, &request, settings->limit, &response, &error);
    if (st != STATUS_OK)
        return cli_fail(&error);
    if (in->json)
        return output_message(&response->base);
    print_runs(response, in->arena);
    return 0;
}

/* ---- get ---- */

static void show_run(const Plankton__V1__Run *run, struct arena *arena)
{
    int64_t now = clock_unix_us();
    const char *state = run_state_word(run->state, arena);
    const Plankton__V1__Failure *failure = run->failure;

    field_print("id", run->id);
    field_print("plan", arena_printf(arena, "%s, version %d", run->plan_name, run->plan_version));
    printf("%-12s %s%s%s\n", "state", state_colour(stdout, state), state, colour_end(stdout));
    field_print("waiting for", run->waiting_for);
    field_print("steps", counts_text(run->counts, arena));
    field_print("failure",
                failure ? arena_printf(arena, "%s%s%s", failure->step, *failure->step ? ": " : "",
                                       failure_text(failure, arena))
                        : NULL);
    field_print("rerun of", run->rerun_of);
    if (run->cancel_requested)
        field_print("cancel",
                    arena_printf(arena, "asked for %s by %s %s",
                                 time_relative(run->cancel_requested->at, now, arena),
                                 run->cancel_requested->actor, run->cancel_requested->reason));
    field_print("created", time_relative(run->created_at, now, arena));
    field_print("started", time_relative(run->started_at, now, arena));
    field_print("finished", time_relative(run->finished_at, now, arena));
    field_print("took", run_span(run, arena));
    field_json("input", run->input ? run->input->text : NULL);
    field_json("output", run->output ? run->output->text : NULL);
}

static void show_steps(const Plankton__V1__ListRunTasksResponse *response, struct arena *arena)
{
    static const char *const HEADINGS[] = {"STEP", "TYPE", "STATE",  "ATTEMPT",
                                           "TOOK", "ID",   "FAILURE"};
    struct table *table = table_new(HEADINGS, ARRAY_LEN(HEADINGS));

    table_states(table, 2);
    for (size_t i = 0; i < response->n_tasks; i++) {
        const Plankton__V1__Task *task = response->tasks[i];
        const char *cells[] = {task->step,
                               task->type,
                               task_state_word(task->state, arena),
                               task->attempt ? arena_printf(arena, "%d", task->attempt) : "",
                               task_span(task, arena),
                               task->id,
                               failure_text(task->failure, arena)};
        table_row(table, cells);
    }
    printf("\n");
    table_print(table, "no steps");
}

static int run_get(struct invocation *in)
{
    Plankton__V1__GetRunRequest request = PLANKTON__V1__GET_RUN_REQUEST__INIT;
    Plankton__V1__ListRunTasksRequest steps = PLANKTON__V1__LIST_RUN_TASKS_REQUEST__INIT;
    Plankton__V1__ListRunTasksResponse *tasks;
    AUTO(client_close) struct client client = {0};
    Plankton__V1__Run *run;
    struct error error = {0};
    enum status st = client_open(in, &client, &error);

    request.id = steps.id = (char *)in->operands[0];
    if (st == STATUS_OK)
        st = CLIENT_CALL(&client, plan_api_get_run, &request, &run, &error);
    if (st == STATUS_OK && in->json)
        return output_message(&run->base);
    if (st == STATUS_OK)
        st = CLIENT_LIST(&client, plan_api_list_run_tasks, &steps, LIST_MAX, &tasks, &error);
    if (st != STATUS_OK)
        return cli_fail(&error);
    show_run(run, in->arena);
    show_steps(tasks, in->arena);
    return 0;
}

static int run_watch(struct invocation *in)
{
    AUTO(client_close) struct client client = {0};
    struct error error = {0};

    if (client_open(in, &client, &error) != STATUS_OK)
        return cli_fail(&error);
    return run_follow(&client, in->operands[0], in->json);
}

/* ---- cancel, pause, resume, rerun ---- */

struct reason_settings {
    const char *reason;
};

static const struct option reason_options[] = {
    {"reason", 0, OPTION_TEXT, offsetof(struct reason_settings, reason), "TEXT",
     "why, for the record", 0, 0, 0},
};

static int run_cancel(struct invocation *in)
{
    const struct reason_settings *settings = in->settings;
    Plankton__V1__CancelRunRequest request = PLANKTON__V1__CANCEL_RUN_REQUEST__INIT;
    AUTO(client_close) struct client client = {0};
    Plankton__V1__Run *run;
    struct error error = {0};
    enum status st = client_open(in, &client, &error);

    request.id = (char *)in->operands[0];
    request.reason = (char *)(settings->reason ? settings->reason : "");
    request.request_id = client_request_id(in->arena);
    if (st == STATUS_OK)
        st = CLIENT_CALL(&client, plan_api_cancel_run, &request, &run, &error);
    if (st != STATUS_OK)
        return cli_fail(&error);
    if (in->json)
        return output_message(&run->base);
    printf("run %s %s\n", run->id,
           run_is_over(run->state) ? run_state_word(run->state, in->arena) : "is asked to stop");
    return 0;
}

static int run_print_state(const struct invocation *in, const Plankton__V1__Run *run)
{
    if (in->json)
        return output_message(&run->base);
    printf("run %s is %s\n", run->id, run_state_word(run->state, in->arena));
    return 0;
}

static int run_pause(struct invocation *in)
{
    const struct reason_settings *settings = in->settings;
    Plankton__V1__PauseRunRequest request = PLANKTON__V1__PAUSE_RUN_REQUEST__INIT;
    AUTO(client_close) struct client client = {0};
    Plankton__V1__Run *run;
    struct error error = {0};
    enum status st = client_open(in, &client, &error);

    request.id = (char *)in->operands[0];
    request.reason = (char *)(settings->reason ? settings->reason : "");
    if (st == STATUS_OK)
        st = CLIENT_CALL(&client, plan_api_pause_run, &request, &run, &error);
    return st == STATUS_OK ? run_print_state(in, run) : cli_fail(&error);
}

static int run_resume(struct invocation *in)
{
    const struct reason_settings *settings = in->settings;
    Plankton__V1__ResumeRunRequest request = PLANKTON__V1__RESUME_RUN_REQUEST__INIT;
    AUTO(client_close) struct client client = {0};
    Plankton__V1__Run *run;
    struct error error = {0};
    enum status st = client_open(in, &client, &error);

    request.id = (char *)in->operands[0];
    request.reason = (char *)(settings->reason ? settings->reason : "");
    if (st == STATUS_OK)
        st = CLIENT_CALL(&client, plan_api_resume_run, &request, &run, &error);
    return st == STATUS_OK ? run_print_state(in, run) : cli_fail(&error);
}

struct rerun_settings {
    const char *input;
    bool follow;
};

static const struct option rerun_options[] = {
    {"input", 'i', OPTION_TEXT, offsetof(struct rerun_settings, input), "JSON|@FILE",
     "another input than the repeated run's", 0, 0, 0},
    {"follow", 'f', OPTION_FLAG, offsetof(struct rerun_settings, follow), NULL,
     "show the steps until the run is over", 0, 0, 0},
};

static int run_rerun(struct invocation *in)
{
    const struct rerun_settings *settings = in->settings;
    Plankton__V1__RerunRunRequest request = PLANKTON__V1__RERUN_RUN_REQUEST__INIT;
    Plankton__V1__Json input = PLANKTON__V1__JSON__INIT;
    AUTO(client_close) struct client client = {0};
    AUTO(json_drop) json_t *json = NULL;
    Plankton__V1__Run *run;
    struct error error = {0};

    if (settings->input) {
        if (value_object("--input", settings->input, in->arena, &json, &error) != STATUS_OK)
            return command_misused(in, &error);
        input.text = json_text(json, in->arena);
        request.input = &input;
    }
    request.id = (char *)in->operands[0];
    request.request_id = client_request_id(in->arena);
    enum status st = client_open(in, &client, &error);
    if (st == STATUS_OK)
        st = CLIENT_CALL(&client, plan_api_rerun_run, &request, &run, &error);
    if (st != STATUS_OK)
        return cli_fail(&error);
    if (settings->follow)
        return run_follow(&client, run->id, in->json);
    if (in->json)
        return output_message(&run->base);
    printf("%s\n", run->id);
    return 0;
}

int verb_run(int argc, char **argv)
{
    static const struct command commands[] = {
        {.name = "list",
         .summary = "list runs, newest first",
         .options = list_options,
         .option_count = ARRAY_LEN(list_options),
         .settings_bytes = sizeof(struct list_settings),
         .run = run_list},
        {.name = "get",
         .operands = "ID",
         .summary = "show a run and its steps",
         .operands_min = 1,
         .operands_max = 1,
         .run = run_get},
        {.name = "watch",
         .operands = "ID",
         .summary = "show the steps until the run is over",
         .operands_min = 1,
         .operands_max = 1,
         .run = run_watch},
        {.name = "cancel",
         .operands = "ID",
         .summary = "ask for a cancel of the run and its steps",
         .options = reason_options,
         .option_count = ARRAY_LEN(reason_options),
         .settings_bytes = sizeof(struct reason_settings),
         .operands_min = 1,
         .operands_max = 1,
         .run = run_cancel},
        {.name = "pause",
         .operands = "ID",
         .summary = "start no more steps of the run until it is resumed",
         .options = reason_options,
         .option_count = ARRAY_LEN(reason_options),
         .settings_bytes = sizeof(struct reason_settings),
         .operands_min = 1,
         .operands_max = 1,
         .run = run_pause},
        {.name = "resume",
         .operands = "ID",
         .summary = "go on with a paused run",
         .options = reason_options,
         .option_count = ARRAY_LEN(reason_options),
         .settings_bytes = sizeof(struct reason_settings),
         .operands_min = 1,
         .operands_max = 1,
         .run = run_resume},
        {.name = "rerun",
         .operands = "ID",
         .summary = "run the same plan version again; prints the new run's id",
         .options = rerun_options,
         .option_count = ARRAY_LEN(rerun_options),
         .settings_bytes = sizeof(struct rerun_settings),
         .operands_min = 1,
         .operands_max = 1,
         .run = run_rerun},
    };
    static const struct noun noun = {
        .name = "run", .commands = commands, .command_count = ARRAY_LEN(commands)};

    return noun_run(&noun, argc, argv);
}
