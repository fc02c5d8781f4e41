/* SPDX-License-Identifier: Apache-2.0 */
/* `plankton history`: everything that happened to a run or a task, from the logger. */
#include <ctype.h>

#include "../cli.h"
#include "base/text.h"
#include "client/output.h"
#include "client/values.h"
#include "plankton/v1/task_logger.rpc.h"
#include "target.h"
#include "verbs.h"

struct history_settings {
    int64_t limit;
};

static const struct option history_options[] = {
    {"limit", 'n', OPTION_INT, offsetof(struct history_settings, limit), "N",
     "at most so many events, oldest first", 1, LIST_MAX, LIST_MAX},
};

/* "task_started" -> "task started" */
static const char *kind_words(Plankton__V1__EventKind kind, struct arena *arena)
{
    char *words =
        arena_strdup(arena, enum_word(&plankton__v1__event_kind__descriptor, (int)kind, arena));

    for (char *c = words; *c; c++)
        if (*c == '_')
            *c = ' ';
    return words;
}

static const char *event_note(const Plankton__V1__HistoryEvent *event, struct arena *arena)
{
    const char *failure = failure_text(event->failure, arena);

    return arena_printf(arena, "%s%s%s", event->reason, *event->reason && *failure ? "; " : "",
                        failure);
}

static void print_history(const Plankton__V1__History *history, struct arena *arena)
{
    static const char *const HEADINGS[] = {"TIME",  "EVENT", "STEP", "ATTEMPT",
                                           "STATE", "BY",    "WHY"};
    struct table *table = table_new(HEADINGS, ARRAY_LEN(HEADINGS));

    table_states(table, 4);
    for (size_t i = 0; i < history->n_events; i++) {
        const Plankton__V1__HistoryEvent *event = history->events[i];
        char time[40];

        text_from_unix_us(timestamp_us(event->time), time, sizeof time);
        const char *cells[] = {time,
                               kind_words(event->kind, arena),
                               event->step,
                               event->attempt ? arena_printf(arena, "%d", event->attempt) : "",
                               event->state,
                               *event->actor ? event->actor : event->worker_id,
                               event_note(event, arena)};
        table_row(table, cells);
    }
    table_print(table, "no events yet");
}

static int history_run(struct invocation *in)
{
    const struct history_settings *settings = in->settings;
    Plankton__V1__QueryRunHistoryRequest of_run = PLANKTON__V1__QUERY_RUN_HISTORY_REQUEST__INIT;
    Plankton__V1__QueryTaskHistoryRequest of_task = PLANKTON__V1__QUERY_TASK_HISTORY_REQUEST__INIT;
    AUTO(client_close) struct client client = {0};
    struct target target = {0};
    Plankton__V1__History *history;
    struct error error = {0};
    enum status st = client_open(in, &client, &error);

    if (st == STATUS_OK)
        st = target_find(&client, in->operands[0], NULL, &target, &error);
    of_run.run_id = of_task.task_id = (char *)target.id;
    if (st == STATUS_OK && target.is_run)
        st = CLIENT_LIST(&client, task_logger_query_run_history, &of_run, settings->limit, &history,
                         &error);
    else if (st == STATUS_OK)
        st = CLIENT_LIST(&client, task_logger_query_task_history, &of_task, settings->limit,
                         &history, &error);
    if (st != STATUS_OK)
        return cli_fail(&error);
    if (in->json)
        return output_message(&history->base);
    print_history(history, in->arena);
    return 0;
}

int verb_history(int argc, char **argv)
{
    static const struct command command = {.operands = "RUN_OR_TASK",
                                           .summary =
                                               "print everything that happened to a run or a task",
                                           .options = history_options,
                                           .option_count = ARRAY_LEN(history_options),
                                           .settings_bytes = sizeof(struct history_settings),
                                           .operands_min = 1,
                                           .operands_max = 1,
                                           .run = history_run};
    static const struct noun noun = {.name = "history", .commands = &command, .command_count = 1};

    return noun_run(&noun, argc, argv);
}
