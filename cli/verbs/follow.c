/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A run, live. On a terminal the list of its steps is drawn over itself, as many as the window has
 * room for (what runs or failed first), with a line of progress below; elsewhere each change is a
 * line.
 */
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../cli.h"
#include "base/map.h"
#include "client/output.h"
#include "plankton/v1/plan_api.rpc.h"
#include "verbs.h"

#define REDRAW_MS 100
#define WINDOW_ROWS 24
#define WINDOW_COLUMNS 80
#define NAME_COLUMNS_MAX 40
#define BROKEN_WATCHES_MAX 150 /* in a row without any message: half a minute */

struct step {
    struct map_node by_id;
    const char *id, *name, *note;
    Plankton__V1__TaskState state;
    int attempt;
    int64_t started_us, finished_us;
};

struct follow {
    struct client *client;
    const char *run_id;
    struct arena *arena;
    struct step *steps;
    size_t steps_len;
    struct map by_id;
    const char *after_event_id;
    Plankton__V1__Run *run; /* the newest */
    int name_columns;
    bool json, live, heard;
    int drawn; /* lines on the terminal */
    struct loop_timer *redraw;
};

/* ---- what is known ---- */

static struct step *find_step(struct follow *follow, const char *id)
{
    uint64_t hash = hash_text(id);

    for (struct map_node *node = map_first(&follow->by_id, hash); node; node = map_next(node)) {
        struct step *step = CONTAINER_OF(node, struct step, by_id);
        if (str_eq(step->id, id))
            return step;
    }
    return NULL;
}

static void set_step(struct follow *follow, struct step *step, const Plankton__V1__Task *task)
{
    step->state = task->state;
    step->attempt = task->attempt;
    step->started_us = timestamp_us(task->started_at);
    step->finished_us = timestamp_us(task->finished_at);
    step->note = "";
    /* while it runs the failure is that of an attempt before */
    if (task->failure && task->state != PLANKTON__V1__TASK_STATE__TASK_STATE_RUNNING &&
        task->state != PLANKTON__V1__TASK_STATE__TASK_STATE_READY)
        step->note = arena_strdup(follow->arena, failure_text(task->failure, follow->arena));
    else if (*task->waiting_for)
        step->note = arena_strdup(follow->arena, task->waiting_for);
}

static size_t steps_over(const struct follow *follow)
{
    size_t over = 0;

    for (size_t i = 0; i < follow->steps_len; i++)
        over += task_is_over(follow->steps[i].state);
    return over;
}

static const char *step_span(const struct step *step, struct arena *arena)
{
    if (!step->started_us)
        return "";
    return span_text((step->finished_us ? step->finished_us : clock_unix_us()) - step->started_us,
                     arena);
}

/* ---- lines ---- */

static void print_change(struct follow *follow, const struct step *step)
{
    AUTO(arena_freep) struct arena *scratch = arena_new(0);
    const char *word = task_state_word(step->state, scratch);

    printf("[%zu/%zu] %-*s %s", steps_over(follow), follow->steps_len, follow->name_columns,
           step->name, word);
    if (step->attempt > 1 && !task_is_over(step->state))
        printf(" (attempt %d)", step->attempt);
    if (task_is_over(step->state) && step->started_us)
        printf(" after %s", step_span(step, scratch));
    if (*step->note)
        printf(": %s", step->note);
    printf("\n");
    fflush(stdout);
}

/* ---- the terminal ---- */

/* What people look for first when not all steps fit. */
static int urgency(const struct step *step)
{
    switch (step->state) {
    case PLANKTON__V1__TASK_STATE__TASK_STATE_FAILED:
        return 0;
    case PLANKTON__V1__TASK_STATE__TASK_STATE_RUNNING:
    case PLANKTON__V1__TASK_STATE__TASK_STATE_RETRYING:
    case PLANKTON__V1__TASK_STATE__TASK_STATE_WAITING:
        return 1;
    case PLANKTON__V1__TASK_STATE__TASK_STATE_READY:
        return 2;
    case PLANKTON__V1__TASK_STATE__TASK_STATE_PENDING:
        return 3;
    default:
        return 4;
    }
}

static void window_size(int *ret_rows, int *ret_columns)
{
    struct winsize size;

    *ret_rows = WINDOW_ROWS;
    *ret_columns = WINDOW_COLUMNS;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 3 && size.ws_col > 10) {
        *ret_rows = size.ws_row;
        *ret_columns = size.ws_col;
    }
}

static void draw_step(struct follow *follow, const struct step *step, int columns,
                      struct arena *scratch)
{
    const char *word = task_state_word(step->state, scratch);
    char attempt[16] = "";
    int room = columns - follow->name_columns - 29;

    if (step->attempt > 1)
        snprintf(attempt, sizeof attempt, "#%d", step->attempt);
    printf("\033[2K  %-*.*s %s%-10s%s %-10s %-3s%.*s\n", follow->name_columns, follow->name_columns,
           step->name, state_colour(stdout, word), word, colour_end(stdout),
           step_span(step, scratch), attempt, MAX_OF(room, 0),
           printable(stdout, step->note, scratch));
    follow->drawn++;
}

static void draw_steps(struct follow *follow, int rows, int columns, struct arena *scratch)
{
    bool all = follow->steps_len <= (size_t)rows;
    bool *chosen = ARENA_ARRAY(scratch, bool, follow->steps_len + 1);
    size_t shown = 0;

    for (int level = 0; level <= 4 && !all; level++)
        for (size_t i = 0; i < follow->steps_len && shown < (size_t)rows - 1; i++)
            if (urgency(&follow->steps[i]) == level && (chosen[i] = true))
                shown++;
    for (size_t i = 0; i < follow->steps_len; i++)
        if (all || chosen[i])
            draw_step(follow, &follow->steps[i], columns, scratch);
    if (!all) {
        printf("\033[2K  … %zu more\n", follow->steps_len - shown);
        follow->drawn++;
    }
}

static const char *progress_bar(const struct follow *follow, struct arena *arena)
{
    enum { CELLS = 20 };
    char bar[CELLS + 1];
    size_t full = follow->steps_len ? steps_over(follow) * CELLS / follow->steps_len : 0;

    for (size_t i = 0; i < CELLS; i++)
        bar[i] = i < full ? '#' : '.';
    bar[CELLS] = 0;
    return arena_printf(arena, "[%s]", bar);
}

static void draw(struct follow *follow)
{
    AUTO(arena_freep) struct arena *scratch = arena_new(0);
    int rows, columns;

    if (!follow->live || !follow->run)
        return;
    window_size(&rows, &columns);
    if (follow->drawn)
        printf("\033[%dA", follow->drawn);
    follow->drawn = 0;
    draw_steps(follow, rows - 3, columns, scratch);
    const char *state = run_state_word(follow->run->state, scratch);
    int64_t from = timestamp_us(follow->run->created_at),
            to = timestamp_us(follow->run->finished_at);
    printf("\033[2K%s %zu/%zu steps, run %s%s%s, %s\n\033[J", progress_bar(follow, scratch),
           steps_over(follow), follow->steps_len, state_colour(stdout, state), state,
           colour_end(stdout), span_text((to ? to : clock_unix_us()) - from, scratch));
    follow->drawn++;
    fflush(stdout);
}

static void on_redraw(void *userdata)
{
    draw(userdata); /* also when nothing came: times go on */
}

/* ---- updates ---- */

/* What had not begun when the run ended never will; no update says so for each. */
static void skip_pending(struct follow *follow)
{
    for (size_t i = 0; i < follow->steps_len; i++) {
        struct step *step = &follow->steps[i];

        if (step->state != PLANKTON__V1__TASK_STATE__TASK_STATE_PENDING)
            continue;
        step->state = PLANKTON__V1__TASK_STATE__TASK_STATE_SKIPPED;
        step->note = "";
        if (!follow->live && !follow->json)
            print_change(follow, step);
    }
}

static void take_run(struct follow *follow, const Plankton__V1__Run *run)
{
    bool changed = !follow->run || follow->run->state != run->state;

    follow->run = (Plankton__V1__Run *)message_keep(&run->base, follow->arena);
    if (changed && !follow->live && !follow->json && !run_is_over(run->state))
        printf("run %s of %s version %d: %s\n", run->id, run->plan_name, run->plan_version,
               run_state_word(run->state, follow->arena));
    if (run_is_over(run->state))
        skip_pending(follow);
    fflush(stdout);
}

static void take_task(struct follow *follow, const Plankton__V1__Task *task)
{
    struct step *step = find_step(follow, task->id);

    if (!step)
        return;
    bool changed = step->state != task->state || step->attempt != task->attempt;
    set_step(follow, step, task);
    if (changed && !follow->live && !follow->json)
        print_change(follow, step);
}

/* The first one makes the list; one after a reconnect brings what was missed. */
static void take_snapshot(struct follow *follow, const Plankton__V1__RunSnapshot *snapshot)
{
    if (snapshot->run)
        take_run(follow, snapshot->run);
    if (follow->steps) {
        for (size_t i = 0; i < snapshot->n_tasks; i++)
            take_task(follow, snapshot->tasks[i]);
        return;
    }
    follow->steps = ARENA_ARRAY(follow->arena, struct step, snapshot->n_tasks + 1);
    follow->steps_len = snapshot->n_tasks;
    for (size_t i = 0; i < snapshot->n_tasks; i++) {
        const Plankton__V1__Task *task = snapshot->tasks[i];
        struct step *step = &follow->steps[i];

        step->id = arena_strdup(follow->arena, task->id);
        step->name = arena_strdup(follow->arena, task->step);
        map_insert(&follow->by_id, &step->by_id, hash_text(step->id));
        follow->name_columns =
            MAX_OF(follow->name_columns, (int)MIN_OF(strlen(step->name), (size_t)NAME_COLUMNS_MAX));
        set_step(follow, step, task);
    }
    for (size_t i = 0; i < snapshot->n_tasks && !follow->live && !follow->json; i++)
        if (follow->steps[i].state != PLANKTON__V1__TASK_STATE__TASK_STATE_PENDING)
            print_change(follow, &follow->steps[i]);
    if (follow->run && run_is_over(follow->run->state))
        skip_pending(follow);
}

static bool on_update(const ProtobufCMessage *message, void *userdata)
{
    const Plankton__V1__RunUpdate *update = plankton_v1_plan_api_watch_run_response_of(message);
    struct follow *follow = userdata;

    follow->heard = true;
    if (*update->event_id)
        follow->after_event_id = arena_strdup(follow->arena, update->event_id);
    if (follow->json)
        output_message(message);
    switch (update->update_case) {
    case PLANKTON__V1__RUN_UPDATE__UPDATE_SNAPSHOT:
        take_snapshot(follow, update->snapshot);
        break;
    case PLANKTON__V1__RUN_UPDATE__UPDATE_RUN:
        take_run(follow, update->run);
        break;
    case PLANKTON__V1__RUN_UPDATE__UPDATE_TASK:
        take_task(follow, update->task);
        break;
    default:
        break;
    }
    return true;
}

/* ---- watching ---- */

static bool may_watch_again(enum status st)
{
    return st == STATUS_OK || st == STATUS_UNAVAILABLE || st == STATUS_ABORTED ||
           st == STATUS_RESOURCE_EXHAUSTED;
}

static bool is_over(const struct follow *follow)
{
    return follow->run && run_is_over(follow->run->state);
}

static enum status watch(struct follow *follow, struct error *err)
{
    Plankton__V1__WatchRunRequest request = PLANKTON__V1__WATCH_RUN_REQUEST__INIT;
    unsigned broken = 0;
    enum status st;

    request.id = (char *)follow->run_id;
    for (;;) {
        request.after_event_id = (char *)(follow->after_event_id ? follow->after_event_id : "");
        follow->heard = false;
        st = client_stream(follow->client, &plankton_v1_plan_api_watch_run, &request.base,
                           on_update, follow, err);
        if (follow->client->interrupted || (st == STATUS_OK && is_over(follow)))
            return STATUS_OK;
        broken = follow->heard ? 0 : broken + 1;
        /* before anything was heard the first answer counts: there may be no such run */
        if (!may_watch_again(st) || !follow->run || broken > BROKEN_WATCHES_MAX)
            return st != STATUS_OK
                       ? st
                       : error_set(err, STATUS_UNAVAILABLE, "the watch ended before the run");
        client_pause(follow->client, CLIENT_PAUSE_MS);
    }
}

static int report(struct follow *follow)
{
    const Plankton__V1__Run *run = follow->run;
    AUTO(arena_freep) struct arena *scratch = arena_new(0);
    bool succeeded = run->state == PLANKTON__V1__RUN_STATE__RUN_STATE_SUCCEEDED;
    const Plankton__V1__Failure *failure = run->failure;

    if (!follow->json) {
        printf("run %s %s after %s\n", run->id, run_state_word(run->state, scratch),
               span_text(timestamp_us(run->finished_at) - timestamp_us(run->created_at), scratch));
        if (run->output && *run->output->text && !str_eq(run->output->text, "null"))
            printf("%s\n", run->output->text);
        fflush(stdout);
    }
    if (failure)
        fprintf(stderr, "plankton: %s%s%s\n", failure->step, *failure->step ? ": " : "",
                failure_text(failure, scratch));
    return succeeded ? 0 : 1;
}

int run_follow(struct client *client, const char *run_id, bool json)
{
    struct follow follow = {
        .client = client, .run_id = run_id, .arena = client->arena, .json = json};
    struct error error = {0};

    map_init(&follow.by_id);
    follow.live = !json && isatty(STDOUT_FILENO);
    client_catch_interrupt(client);
    if (follow.live) {
        follow.redraw = loop_timer_new(client->loop, on_redraw, &follow);
        loop_timer_start(follow.redraw, REDRAW_MS, REDRAW_MS);
    }
    enum status st = watch(&follow, &error);
    if (follow.redraw)
        loop_timer_free(follow.redraw);
    if (st == STATUS_OK)
        draw(&follow);
    map_fini(&follow.by_id);
    if (client->interrupted) {
        fprintf(stderr,
                "\nplankton: the run goes on: plankton run watch %s, plankton run cancel %s\n",
                run_id, run_id);
        return EXIT_INTERRUPTED;
    }
    return st == STATUS_OK ? report(&follow) : cli_fail(&error);
}
