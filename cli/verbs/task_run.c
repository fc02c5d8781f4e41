/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `plankton task run`: submits a task, shows its log lines as they come, and waits for its end. A
 * controller or logger that goes away meanwhile is waited for; Ctrl-C leaves the task alone.
 */
#include "../cli.h"
#include "client/output.h"
#include "client/values.h"
#include "plankton/v1/task_controller.rpc.h"
#include "plankton/v1/task_logger.rpc.h"
#include "verbs.h"

/* The last lines come right after the result; longer only when the logger is away. */
#define LAST_LINES_MS 2000

struct run_settings {
    struct text_list parameters, environment, labels, requires;
    const char *params, *queue, *key;
    int64_t priority, retry, timeout_ms;
    bool no_wait;
};

static const struct option run_options[] = {
    {"param", 'p', OPTION_LIST, offsetof(struct run_settings, parameters), "NAME=TEXT",
     "a parameter; NAME:=JSON for other values than text", 0, 0, 0},
    {"params", 0, OPTION_TEXT, offsetof(struct run_settings, params), "JSON|@FILE",
     "all parameters as an object; --param overrides", 0, 0, 0},
    {"env", 'e', OPTION_LIST, offsetof(struct run_settings, environment), "NAME=TEXT",
     "a variable of the task's environment", 0, 0, 0},
    {"requires", 0, OPTION_LIST, offsetof(struct run_settings, requires), "NAME=TEXT",
     "a label that the worker must have", 0, 0, 0},
    {"label", 'l', OPTION_LIST, offsetof(struct run_settings, labels), "NAME=TEXT",
     "a label of the task", 0, 0, 0},
    {"queue", 'q', OPTION_TEXT, offsetof(struct run_settings, queue), "QUEUE",
     "where it waits (default)", 0, 0, 0},
    {"priority", 0, OPTION_INT, offsetof(struct run_settings, priority), "0-9", "9 goes first (5)",
     0, PRIORITY_MAX, -1},
    {"retry", 0, OPTION_INT, offsetof(struct run_settings, retry), "N",
     "attempts that may fail (3)", 1, 1000, 0},
    {"timeout", 0, OPTION_DURATION, offsetof(struct run_settings, timeout_ms), "TIME",
     "limit of one attempt, e.g. 5m", 1, INT64_MAX, 0},
    {"request-id", 0, OPTION_TEXT, offsetof(struct run_settings, key), "ID",
     "repeating a submit with the same id gives the same task", 0, 0, 0},
    {"no-wait", 0, OPTION_FLAG, offsetof(struct run_settings, no_wait), NULL,
     "print the id and leave", 0, 0, 0},
};

/* ---- the request ---- */

static enum status add_parameters(const struct run_settings *settings, json_t *task,
                                  struct arena *arena, struct error *err)
{
    json_t *parameters = NULL;
    enum status st = value_object("--params", settings->params, arena, &parameters, err);

    for (size_t i = 0; st == STATUS_OK && i < settings->parameters.len; i++)
        st = value_add_pair("--param", settings->parameters.items[i], arena, parameters, err);
    value_set(task, "parameters", parameters);
    return st;
}

static enum status add_environment(const struct run_settings *settings, json_t *task,
                                   struct arena *arena, struct error *err)
{
    json_t *variables = NULL, *requires = NULL, *environment;
    enum status st = value_map("--env", &settings->environment, arena, &variables, err);

    if (st == STATUS_OK)
        st = value_map("--requires", &settings->requires, arena, &requires, err);
    if (variables || requires) {
        environment = json_object();
        value_set(environment, "variables", variables);
        value_set(environment, "requires", requires);
        value_set(task, "environment", environment);
    }
    return st;
}

static enum status build_request(const struct run_settings *settings, const char *type,
                                 struct arena *arena, ProtobufCMessage **ret, struct error *err)
{
    json_t *json = json_object(), *task = json_object(), *labels = NULL;
    enum status st;

    json_object_set_new(json, "task", task);
    value_set(task, "type", json_string(type));
    value_set(task, "queue", settings->queue ? json_string(settings->queue) : NULL);
    value_set(task, "priority", settings->priority >= 0 ? json_integer(settings->priority) : NULL);
    if (settings->retry)
        value_set(task, "retry", json_pack("{s:I}", "maxAttempts", (json_int_t)settings->retry));
    if (settings->timeout_ms)
        value_set(task, "timeout",
                  json_pack("{s:s}", "attempt",
                            arena_printf(arena, "%.3fs", (double)settings->timeout_ms / 1000)));
    value_set(json, "requestId",
              json_string(settings->key ? settings->key : client_request_id(arena)));
    st = add_parameters(settings, task, arena, err);
    if (st == STATUS_OK)
        st = add_environment(settings, task, arena, err);
    if (st == STATUS_OK)
        st = value_map("--label", &settings->labels, arena, &labels, err);
    value_set(task, "labels", labels);
    if (st != STATUS_OK) {
        json_decref(json);
        return st;
    }
    return request_from_json(&plankton__v1__submit_task_request__descriptor, json, arena, ret, err);
}

/* ---- waiting ---- */

struct wait {
    struct client *client;
    const char *id;
    struct loop_timer *again; /* one timer for all that comes later */
    Plankton__V1__Task *task; /* when it is over */
    struct error error;       /* why the waiting ended without it */
    const char *after_event_id;
    bool tail_open, wait_open, tail_off, last_lines_over;
    bool closing; /* calls end now because the client closes */
};

static void tail_start(struct wait *wait);
static void wait_start(struct wait *wait);

static void move(struct wait *wait)
{
    bool logs_done = wait->tail_off || wait->last_lines_over;

    if (wait->error.status != STATUS_OK || (wait->task && logs_done))
        loop_stop(wait->client->loop);
}

static void on_timer(void *userdata)
{
    struct wait *wait = userdata;

    if (wait->task) {
        wait->last_lines_over = true;
    } else {
        if (!wait->wait_open)
            wait_start(wait);
        if (!wait->tail_open && !wait->tail_off)
            tail_start(wait);
    }
    move(wait);
}

static void waited(const Plankton__V1__Task *task, const struct error *err, void *userdata)
{
    struct wait *wait = userdata;

    if (wait->closing)
        return;
    wait->wait_open = false;
    if (task) {
        wait->task = (Plankton__V1__Task *)message_keep(&task->base, wait->client->arena);
        loop_timer_start(wait->again, LAST_LINES_MS, 0);
        if (!wait->tail_open && !wait->tail_off)
            tail_start(wait); /* it was too early before */
    } else if (err->status == STATUS_UNAVAILABLE || err->status == STATUS_RESOURCE_EXHAUSTED) {
        loop_timer_start(wait->again, CLIENT_PAUSE_MS, 0);
    } else {
        error_keep(&wait->error, err, wait->client->arena);
    }
    move(wait);
}

static void wait_start(struct wait *wait)
{
    static const struct rpc_call_options options = {.wait_for_ready = true};
    Plankton__V1__WaitTaskRequest request = PLANKTON__V1__WAIT_TASK_REQUEST__INIT;

    request.id = (char *)wait->id;
    wait->wait_open = true;
    plankton_v1_task_controller_wait_task_call(wait->client->controller_channel, &options, &request,
                                               waited, wait);
}

static void tail_lines(struct rpc_call *call, const ProtobufCMessage *message, void *userdata)
{
    const Plankton__V1__LogLines *lines =
        plankton_v1_task_logger_tail_task_logs_response_of(message);
    struct wait *wait = userdata;
    AUTO(arena_freep) struct arena *scratch = arena_new(0);

    for (size_t i = 0; i < lines->n_lines; i++)
        fprintf(stderr, "%s\n", printable(stderr, lines->lines[i]->text, scratch));
    if (*lines->event_id)
        wait->after_event_id = arena_strdup(wait->client->arena, lines->event_id);
}

static void tail_closed(struct rpc_call *call, enum status status, const struct error *err,
                        void *userdata)
{
    struct wait *wait = userdata;

    if (wait->closing)
        return;
    wait->tail_open = false;
    /* not found: its first event is still on its way to the logger */
    if (status != STATUS_NOT_FOUND && status != STATUS_UNAVAILABLE && status != STATUS_CANCELLED) {
        wait->tail_off = true;
        if (status != STATUS_OK)
            fprintf(stderr, "plankton: no log lines: %s\n", err->message);
    } else if (wait->task) {
        wait->last_lines_over |= status != STATUS_NOT_FOUND;
    } else {
        loop_timer_start(wait->again, CLIENT_PAUSE_MS, 0);
    }
    move(wait);
}

static void tail_start(struct wait *wait)
{
    static const struct rpc_callbacks callbacks = {.on_message = tail_lines,
                                                   .on_close = tail_closed};
    Plankton__V1__TailTaskLogsRequest request = PLANKTON__V1__TAIL_TASK_LOGS_REQUEST__INIT;

    request.task_id = (char *)wait->id;
    request.after_event_id = (char *)(wait->after_event_id ? wait->after_event_id : "");
    wait->tail_open = true;
    plankton_v1_task_logger_tail_task_logs_call(wait->client->logger_channel, NULL, &request,
                                                &callbacks, wait);
}

static int finish(struct invocation *in, const Plankton__V1__Task *task)
{
    bool succeeded = task->state == PLANKTON__V1__TASK_STATE__TASK_STATE_SUCCEEDED;

    if (in->json)
        output_message(&task->base);
    else if (succeeded)
        printf("%s\n", task->result && *task->result->text ? task->result->text : "null");
    if (!succeeded)
        fprintf(stderr, "plankton: task %s %s%s%s\n", task->id,
                task_state_word(task->state, in->arena), task->failure ? ": " : "",
                failure_text(task->failure, in->arena));
    return succeeded ? 0 : 1;
}

static int wait_for(struct invocation *in, struct client *client, const char *id)
{
    struct wait wait = {.client = client, .id = id, .tail_off = !client->logger_channel};

    client_catch_interrupt(client);
    wait.again = loop_timer_new(client->loop, on_timer, &wait);
    wait_start(&wait);
    if (!wait.tail_off)
        tail_start(&wait);
    while (!client->interrupted && wait.error.status == STATUS_OK &&
           !(wait.task && (wait.tail_off || wait.last_lines_over)))
        loop_run(client->loop);
    loop_timer_free(wait.again);
    bool interrupted = client->interrupted;
    wait.closing = true;
    client_close(client);
    if (interrupted) {
        fprintf(stderr,
                "\nplankton: the task goes on: plankton task get %s, plankton task cancel %s\n", id,
                id);
        return EXIT_INTERRUPTED;
    }
    return wait.task ? finish(in, wait.task) : cli_fail(&wait.error);
}

int task_run(struct invocation *in)
{
    const struct run_settings *settings = in->settings;
    AUTO(client_close) struct client client = {0};
    ProtobufCMessage *request;
    Plankton__V1__Task *task;
    struct error error = {0};

    if (build_request(settings, in->operands[0], in->arena, &request, &error) != STATUS_OK)
        return command_misused(in, &error);
    enum status st = client_open(in, &client, &error);
    if (st == STATUS_OK)
        st = client_call(&client, &plankton_v1_task_controller_submit_task, request,
                         (ProtobufCMessage **)&task, &error);
    if (st != STATUS_OK)
        return cli_fail(&error);
    if (!settings->no_wait)
        return wait_for(in, &client, task->id);
    if (in->json)
        return output_message(&task->base);
    printf("%s\n", task->id);
    return 0;
}

const struct command task_run_command = {
    .name = "run",
    .operands = "TYPE",
    .summary = "submit a task, show its log, print its result",
    .details = "Log lines go to stderr, the result (JSON) to stdout. Exit status: 0 succeeded, 1 "
               "failed, 2 wrong usage.\n"
               "  plankton task run hello --param name=World\n"
               "  plankton task run shell --params '{\"command\": [\"ls\", \"-l\"]}' --timeout 5m",
    .options = run_options,
    .option_count = ARRAY_LEN(run_options),
    .settings_bytes = sizeof(struct run_settings),
    .operands_min = 1,
    .operands_max = 1,
    .run = task_run,
};
