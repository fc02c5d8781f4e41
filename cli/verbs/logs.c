/* SPDX-License-Identifier: Apache-2.0 */
/* `plankton logs`: the lines of a run, of one of its steps, or of a task; as they come with -f. */
#include "../cli.h"
#include <inttypes.h>
#include "base/text.h"
#include "client/output.h"
#include "plankton/v1/plan_api.rpc.h"
#include "plankton/v1/task_controller.rpc.h"
#include "plankton/v1/task_logger.rpc.h"
#include "target.h"
#include "verbs.h"

#define LINES_MAX 10000 /* of one page */
#define CONTEXT_MAX 20

struct logs_settings {
    const char *step, *search, *level, *stream;
    int64_t last, attempt, context;
    bool follow, time, ignore_case;
};

static const struct option logs_options[] = {
    {"follow", 'f', OPTION_FLAG, offsetof(struct logs_settings, follow), NULL,
     "go on until it is over", 0, 0, 0},
    {"step", 's', OPTION_TEXT, offsetof(struct logs_settings, step), "STEP",
     "only this step of the run", 0, 0, 0},
    {"last", 'n', OPTION_INT, offsetof(struct logs_settings, last), "N", "only the last N lines", 1,
     LINES_MAX, 0},
    {"attempt", 0, OPTION_INT, offsetof(struct logs_settings, attempt), "N",
     "only this attempt (of a task or step)", 1, INT32_MAX, 0},
    {"time", 't', OPTION_FLAG, offsetof(struct logs_settings, time), NULL,
     "put the time before each line", 0, 0, 0},
    {"search", 0, OPTION_TEXT, offsetof(struct logs_settings, search), "TEXT",
     "only lines that hold this text, with attempt and number before each", 0, 0, 0},
    {"ignore-case", 'i', OPTION_FLAG, offsetof(struct logs_settings, ignore_case), NULL,
     "with --search: A is a", 0, 0, 0},
    {"level", 0, OPTION_TEXT, offsetof(struct logs_settings, level), "LEVEL",
     "with --search: this level (debug, info, warn, error) and graver ones", 0, 0, 0},
    {"stream", 0, OPTION_TEXT, offsetof(struct logs_settings, stream), "STREAM",
     "with --search: stdout, stderr or system", 0, 0, 0},
    {"context", 'C', OPTION_INT, offsetof(struct logs_settings, context), "N",
     "with --search: N lines before and after", 1, CONTEXT_MAX, 0},
};

/* The last line shown of each attempt, so that a tail does not repeat it. */
struct shown {
    struct shown *next;
    const char *task_id;
    int attempt;
    int64_t seq;
};

struct logs {
    struct client *client;
    struct target target;
    bool json, time, steps, heard;
    int attempt;
    struct shown *shown;
    int64_t skip_before_us; /* lines before the last N that were shown already */
    const char *after_event_id;
};

/* ---- printing ---- */

static struct shown *shown_of(struct logs *logs, const Plankton__V1__LogLine *line)
{
    struct shown *shown = logs->shown;

    while (shown && !(shown->attempt == line->attempt && str_eq(shown->task_id, line->task_id)))
        shown = shown->next;
    if (!shown) {
        shown = ARENA_NEW(logs->client->arena, struct shown);
        shown->task_id = arena_strdup(logs->client->arena, line->task_id);
        shown->attempt = line->attempt;
        shown->next = logs->shown;
        logs->shown = shown;
    }
    return shown;
}

static void print_line(struct logs *logs, const Plankton__V1__LogLine *line)
{
    AUTO(arena_freep) struct arena *scratch = arena_new(0);
    struct shown *shown = shown_of(logs, line);
    char time[40] = "";

    if (line->seq <= shown->seq || (!shown->seq && timestamp_us(line->time) < logs->skip_before_us))
        return;
    shown->seq = line->seq;
    if (logs->json) {
        output_message(&line->base);
        return;
    }
    if (logs->time) {
        text_from_unix_us(timestamp_us(line->time), time, sizeof time);
        printf("%s ", time);
    }
    if (logs->steps && *line->step)
        printf("%s%s%s | ", output_coloured(stdout) ? "\033[36m" : "", line->step,
               colour_end(stdout));
    printf("%s\n", printable(stdout, line->text, scratch));
}

static bool on_lines(const ProtobufCMessage *message, void *userdata)
{
    const Plankton__V1__LogLines *lines = (const Plankton__V1__LogLines *)message;
    struct logs *logs = userdata;

    logs->heard = true;
    for (size_t i = 0; i < lines->n_lines; i++)
        print_line(logs, lines->lines[i]);
    if (*lines->event_id)
        logs->after_event_id = arena_strdup(logs->client->arena, lines->event_id);
    fflush(stdout);
    return true;
}

/* ---- asking ---- */

static enum status query(struct logs *logs, int32_t page_size, const char *token, bool last,
                         Plankton__V1__LogPage **ret, struct error *err)
{
    Plankton__V1__QueryRunLogsRequest run = PLANKTON__V1__QUERY_RUN_LOGS_REQUEST__INIT;
    Plankton__V1__QueryTaskLogsRequest task = PLANKTON__V1__QUERY_TASK_LOGS_REQUEST__INIT;

    if (logs->target.is_run) {
        run.run_id = (char *)logs->target.id;
        run.page_size = page_size;
        run.page_token = (char *)token;
        run.last = last;
        return CLIENT_CALL(logs->client, task_logger_query_run_logs, &run, ret, err);
    }
    task.task_id = (char *)logs->target.id;
    task.attempt = logs->attempt;
    task.page_size = page_size;
    task.page_token = (char *)token;
    task.last = last;
    return CLIENT_CALL(logs->client, task_logger_query_task_logs, &task, ret, err);
}

static enum status print_last(struct logs *logs, int64_t n, struct error *err)
{
    Plankton__V1__LogPage *page;
    enum status st = query(logs, (int32_t)n, "", true, &page, err);

    if (st != STATUS_OK)
        return st;
    if (page->n_lines)
        logs->skip_before_us = timestamp_us(page->lines[0]->time);
    for (size_t i = 0; i < page->n_lines; i++)
        print_line(logs, page->lines[i]);
    fflush(stdout);
    return STATUS_OK;
}

static enum status print_all(struct logs *logs, struct error *err)
{
    const char *token = "";
    Plankton__V1__LogPage *page;

    do {
        enum status st = query(logs, 0, token, false, &page, err);
        if (st != STATUS_OK)
            return st;
        for (size_t i = 0; i < page->n_lines; i++)
            print_line(logs, page->lines[i]);
        token = page->next_page_token;
    } while (*token);
    return STATUS_OK;
}

static enum status search_page(struct logs *logs, const struct logs_settings *settings,
                               const char *token, Plankton__V1__LogSearch **ret, struct error *err)
{
    Plankton__V1__SearchRunLogsRequest run = PLANKTON__V1__SEARCH_RUN_LOGS_REQUEST__INIT;
    Plankton__V1__SearchTaskLogsRequest task = PLANKTON__V1__SEARCH_TASK_LOGS_REQUEST__INIT;

    run.run_id = task.task_id = (char *)logs->target.id;
    run.text = task.text = (char *)settings->search;
    run.level = task.level = (char *)(settings->level ? settings->level : "");
    run.stream = task.stream = (char *)(settings->stream ? settings->stream : "");
    run.ignore_case = task.ignore_case = settings->ignore_case;
    run.context = task.context = (int32_t)settings->context;
    run.page_token = task.page_token = (char *)token;
    task.attempt = logs->attempt;
    if (logs->target.is_run)
        return CLIENT_CALL(logs->client, task_logger_search_run_logs, &run, ret, err);
    return CLIENT_CALL(logs->client, task_logger_search_task_logs, &task, ret, err);
}

/* Like grep -n: a colon behind the place of a hit, a dash behind that of a line around it. */
static void print_found(struct logs *logs, const Plankton__V1__LogLine *line, char mark)
{
    AUTO(arena_freep) struct arena *scratch = arena_new(0);
    char time[40] = "";

    if (logs->time) {
        text_from_unix_us(timestamp_us(line->time), time, sizeof time);
        printf("%s ", time);
    }
    if (logs->steps && *line->step)
        printf("%s%s%s | ", output_coloured(stdout) ? "\033[36m" : "", line->step,
               colour_end(stdout));
    printf("%d.%" PRId64 "%c%s\n", line->attempt, line->seq, mark,
           printable(stdout, line->text, scratch));
}

static void print_hit(struct logs *logs, const Plankton__V1__LogHit *hit)
{
    if (logs->json) {
        output_message(&hit->base);
        return;
    }
    for (size_t i = 0; i < hit->n_before; i++)
        print_found(logs, hit->before[i], '-');
    print_found(logs, hit->line, ':');
    for (size_t i = 0; i < hit->n_after; i++)
        print_found(logs, hit->after[i], '-');
    if (hit->n_before || hit->n_after)
        printf("--\n");
}

static enum status print_search(struct logs *logs, const struct logs_settings *settings,
                                struct error *err)
{
    const char *token = "";
    Plankton__V1__LogSearch *page;

    do {
        enum status st = search_page(logs, settings, token, &page, err);
        if (st != STATUS_OK)
            return st;
        for (size_t i = 0; i < page->n_hits; i++)
            print_hit(logs, page->hits[i]);
        fflush(stdout);
        token = page->next_page_token;
    } while (*token && !logs->client->interrupted);
    return STATUS_OK;
}

static enum status tail_once(struct logs *logs, struct error *err)
{
    Plankton__V1__TailRunLogsRequest run = PLANKTON__V1__TAIL_RUN_LOGS_REQUEST__INIT;
    Plankton__V1__TailTaskLogsRequest task = PLANKTON__V1__TAIL_TASK_LOGS_REQUEST__INIT;
    char *after = (char *)(logs->after_event_id ? logs->after_event_id : "");

    if (logs->target.is_run) {
        run.run_id = (char *)logs->target.id;
        run.after_event_id = after;
        return client_stream(logs->client, &plankton_v1_task_logger_tail_run_logs, &run.base,
                             on_lines, logs, err);
    }
    task.task_id = (char *)logs->target.id;
    task.attempt = logs->attempt;
    task.after_event_id = after;
    return client_stream(logs->client, &plankton_v1_task_logger_tail_task_logs, &task.base,
                         on_lines, logs, err);
}

/* The controller knows the target, so the logger will: NOT_FOUND is too early only. */
static enum status tail(struct logs *logs, struct error *err)
{
    for (;;) {
        logs->heard = false;
        enum status st = tail_once(logs, err);
        bool again = st == STATUS_NOT_FOUND ||
                     (st == STATUS_UNAVAILABLE && (logs->heard || logs->after_event_id));
        if (logs->client->interrupted || !again)
            return st;
        client_pause(logs->client, CLIENT_PAUSE_MS);
    }
}

/* NULL: the options go together. */
static const char *misuse(const struct logs *logs, const struct logs_settings *settings)
{
    if (logs->target.is_run && logs->attempt)
        return "--attempt needs a task, or --step";
    if (settings->search && (settings->follow || settings->last))
        return "--search does not go with --follow or --last";
    if (!settings->search &&
        (settings->ignore_case || settings->level || settings->stream || settings->context))
        return "--ignore-case, --level, --stream and --context need --search";
    return NULL;
}

static int logs_run(struct invocation *in)
{
    const struct logs_settings *settings = in->settings;
    AUTO(client_close) struct client client = {0};
    struct logs logs = {.client = &client,
                        .json = in->json,
                        .time = settings->time,
                        .attempt = (int)settings->attempt};
    struct error error = {0};
    enum status st = client_open(in, &client, &error);

    if (st == STATUS_OK)
        st = target_find(&client, in->operands[0], settings->step, &logs.target, &error);
    logs.steps = logs.target.is_run;
    const char *why = misuse(&logs, settings);
    if (st == STATUS_OK && why) {
        error_set(&error, STATUS_INVALID_ARGUMENT, "%s", why);
        return command_misused(in, &error);
    }
    if (st == STATUS_OK && settings->search) {
        st = print_search(&logs, settings, &error);
        return st == STATUS_OK ? 0 : cli_fail(&error);
    }
    if (st == STATUS_OK && settings->last)
        st = print_last(&logs, settings->last, &error);
    if (st == STATUS_OK && settings->follow) {
        client_catch_interrupt(&client);
        st = tail(&logs, &error);
    } else if (st == STATUS_OK && !settings->last) {
        st = print_all(&logs, &error);
    }
    if (client.interrupted)
        return EXIT_INTERRUPTED;
    return st == STATUS_OK ? 0 : cli_fail(&error);
}

int verb_logs(int argc, char **argv)
{
    static const struct command command = {
        .operands = "RUN_OR_TASK",
        .summary = "print log lines, oldest first",
        .options = logs_options,
        .option_count = ARRAY_LEN(logs_options),
        .settings_bytes = sizeof(struct logs_settings),
        .operands_min = 1,
        .operands_max = 1,
        .run = logs_run,
        .details = "With -o json a line of JSON for each line of the log."};
    static const struct noun noun = {.name = "logs", .commands = &command, .command_count = 1};

    return noun_run(&noun, argc, argv);
}
