/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/wandb/wandb_sink.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/text.h"
#include "log/log.h"
#include "plankton/v1/event.pb-c.h"
#include "plankton/v1/plan.pb-c.h"
#include "plankton/v1/task.pb-c.h"
#include "sinks/wandb/wandb_book.h"
#include "sinks/wandb/wandb_metric.h"

#define PACE_MS 1000
#define US_PER_S INT64_C(1000000)
#define US_PER_DAY (24 * 60 * 60 * US_PER_S)
#define DAY_LINGER_US (600 * US_PER_S) /* a day's run is ended so long after its last record */
#define EXIT_FAILED 1
#define EXIT_CANCELLED 130

struct wandb_sink {
    struct wandb_sink_options options;
    struct wandb_book book;
    struct arena arena;   /* of a step */
    struct lines *queued; /* of this step: they wait for its events, which name their runs */
    size_t queued_len, queued_cap;
    uint64_t minute, begun; /* runs begun in this minute of the records' time */
    char host[64];
    enum status failed; /* of the step */
    struct error err;
    struct wandb_progress *grown; /* of the last commit; texts in `arena` */
    size_t grown_len;
    struct wandb_listener listener;
    bool begun_told;
};

static int64_t day_of(int64_t unix_us)
{
    return unix_us / US_PER_DAY;
}

/* ---- which W&B run a record belongs to ---- */

struct place {
    char key[WANDB_KEY_TEXT_MAX], id[WANDB_ID_TEXT_MAX], name[128];
    const char *group, *job_type;
    int64_t day; /* 0 = it does not stand for a day */
};

/* Letters that an id may have; the name of a plan may have any. */
static void slug(const char *text, char *out, size_t out_bytes)
{
    size_t n = 0;

    for (; *text && n + 1 < out_bytes; text++) {
        bool plain = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
                     (*text >= '0' && *text <= '9') || *text == '-' || *text == '_' || *text == '.';
        out[n++] = plain ? *text : '-';
    }
    out[n] = 0;
}

static void date_text(int64_t day, char out[9])
{
    char text[40];

    text_from_unix_us(day * US_PER_DAY, text, sizeof text);
    snprintf(out, 9, "%.4s%.2s%.2s", text, text + 5, text + 8);
}

/* The run of a plan, or of all lone tasks, on one day. Its id is made of what it stands for, so
 * that sending it twice makes one. */
static void place_day(struct place *place, const char *what, int64_t day)
{
    char date[9], plain[WANDB_ID_TEXT_MAX - 10];

    date_text(day, date);
    slug(what, plain, sizeof plain);
    place->day = day;
    snprintf(place->id, sizeof place->id, "%s-%s", plain, date);
    snprintf(place->key, sizeof place->key, "day:%s:%s", date, what);
    snprintf(place->name, sizeof place->name, "%.100s %s", what, date);
}

static void place_single(struct place *place, const char *kind, const struct id *id,
                         const char *what)
{
    char text[ID_TEXT_BYTES];

    id_format(id, text);
    snprintf(place->key, sizeof place->key, "%s:%s", kind, text);
    text_to_hex(id->bytes, ID_BYTES, place->id);
    snprintf(place->name, sizeof place->name, "%.80s %s", what, text + ID_TEXT_BYTES - 9);
}

static void place_of(struct wandb_sink *sink, const struct id *run, const struct id *task,
                     int64_t unix_us, struct place *ret)
{
    const struct wandb_plan_run *plan = id_is_nil(run) ? NULL : wandb_book_plan(&sink->book, run);
    const char *name = plan ? plan->plan : "run";

    *ret = (struct place){.group = plan ? plan->plan : "", .job_type = "run"};
    if (sink->options.per == WANDB_PER_TASK && !id_is_nil(task)) {
        ret->job_type = "task";
        place_single(ret, "task", task, name);
    } else if (id_is_nil(run)) {
        place_day(ret, "tasks", day_of(unix_us));
        ret->job_type = "tasks";
    } else if (sink->options.per == WANDB_PER_RUN && !(plan && plan->folded)) {
        place_single(ret, "run", run, name);
    } else {
        /* Of the day on which the run was made, so that all of it lies together. */
        place_day(ret, name, day_of((int64_t)id_unix_ms(run) * 1000));
    }
}

static json_t *config_of(const struct place *place, const struct id *run)
{
    json_t *config = json_object();
    char text[ID_TEXT_BYTES];

    if (*place->group)
        json_object_set_new(config, "plan", json_string(place->group));
    if (place->day == 0 && !id_is_nil(run)) {
        id_format(run, text);
        json_object_set_new(config, "run_id", json_string(text));
    }
    return config;
}

static struct wandb_book_run *run_begin(struct wandb_sink *sink, const struct place *place,
                                        const struct id *run, int64_t unix_us)
{
    AUTO(json_drop) json_t *config = config_of(place, run);
    struct wandb_book_run *it =
        wandb_book_add(&sink->book, place->key, place->id, unix_us, &sink->err);
    struct wandb_info info = {.id = place->id,
                              .entity = sink->options.entity,
                              .project = sink->options.project,
                              .group = place->group,
                              .job_type = place->job_type,
                              .display_name = place->name,
                              .host = sink->host,
                              .tags = sink->options.tags,
                              .tag_count = sink->options.tag_count,
                              .config = config,
                              .start_us = unix_us};

    if (!it) {
        sink->failed = sink->err.status;
        return NULL;
    }
    it->day = place->day;
    wandb_run_begin(&it->run, &info);
    return it;
}

/* One too many: the longest silent is ended, so that there is room. */
static void make_room(struct wandb_sink *sink)
{
    struct wandb_book_run *oldest;

    LIST_EACH(&sink->book.runs, node)
    {
        oldest = LIST_ENTRY(node, struct wandb_book_run, link);
        if (oldest->run.ended)
            continue;
        if (sink->book.run_count >= WANDB_RUNS_OPEN_MAX)
            wandb_run_end(&oldest->run, oldest->run.last_us, oldest->exit_code, NULL);
        return;
    }
}

static struct wandb_book_run *run_for(struct wandb_sink *sink, const struct id *run,
                                      const struct id *task, int64_t unix_us)
{
    struct place place;

    place_of(sink, run, task, unix_us, &place);
    struct wandb_book_run *it = wandb_book_find(&sink->book, place.key);
    if (it && it->run.ended)
        return NULL; /* what comes later than its end has no place any more */
    if (!it) {
        make_room(sink);
        it = run_begin(sink, &place, run, unix_us);
    }
    if (it)
        wandb_book_touch(&sink->book, it);
    return it;
}

/* ---- events ---- */

static struct id id_of(ProtobufCBinaryData bytes)
{
    struct id id = {{0}};

    if (bytes.len == ID_BYTES)
        memcpy(id.bytes, bytes.data, ID_BYTES);
    return id;
}

/* More new runs than W&B likes: this one goes into the run of its plan and day. */
static bool too_many(struct wandb_sink *sink, int64_t unix_us)
{
    uint64_t minute = (uint64_t)unix_us / (60 * US_PER_S);

    if (minute != sink->minute) {
        if (sink->begun > sink->options.runs_per_minute)
            log_warn("wandb.folded", LOG_U64("runs", sink->begun - sink->options.runs_per_minute),
                     LOG_STR("why", "more new runs in a minute than --wandb-runs-per-minute"));
        sink->minute = minute;
        sink->begun = 0;
    }
    return ++sink->begun > sink->options.runs_per_minute;
}

static void run_started(struct wandb_sink *sink, const Plankton__V1__Event *event)
{
    struct id run = id_of(event->run_id), none = {{0}};

    if (wandb_book_plan(&sink->book, &run))
        return;
    struct wandb_plan_run *plan = wandb_book_add_plan(&sink->book, &run, event->type);
    if (sink->options.per == WANDB_PER_RUN)
        plan->folded = too_many(sink, event->unix_us);
    if (sink->options.per != WANDB_PER_TASK)
        run_for(sink, &run, &none, event->unix_us);
}

static const char *state_word(const Plankton__V1__Event *event)
{
    static const char *const words[] = {
        [PLANKTON__V1__TASK_STATE__TASK_STATE_SUCCEEDED] = "succeeded",
        [PLANKTON__V1__TASK_STATE__TASK_STATE_FAILED] = "failed",
        [PLANKTON__V1__TASK_STATE__TASK_STATE_CANCELLED] = "cancelled",
        [PLANKTON__V1__TASK_STATE__TASK_STATE_SKIPPED] = "skipped",
    };

    return event->state < ARRAY_LEN(words) && words[event->state] ? words[event->state] : "ended";
}

static void task_finished(struct wandb_sink *sink, const Plankton__V1__Event *event)
{
    AUTO(json_drop) json_t *row = json_object();
    struct id run = id_of(event->run_id), task = id_of(event->task_id);
    struct wandb_book_run *it = run_for(sink, &run, &task, event->unix_us);

    if (!it)
        return;
    json_object_set_new(row, "task/type", json_string(event->type));
    json_object_set_new(row, "task/state", json_string(state_word(event)));
    json_object_set_new(row, "task/attempt", json_integer(event->attempt));
    json_object_set_new(
        row, "task/seconds",
        json_real((double)(event->unix_us / 1000 - (int64_t)id_unix_ms(&task)) / 1e3));
    if (*event->step)
        json_object_set_new(row, "task/step", json_string(event->step));
    if (*event->failure_code)
        json_object_set_new(row, "task/failure", json_string(event->failure_code));
    wandb_metric_result(row, event->step, slice_of(event->result));
    wandb_run_history(&it->run, event->unix_us, row);
    if (sink->options.per == WANDB_PER_TASK) {
        it->end_us = event->unix_us;
        it->exit_code =
            event->state == PLANKTON__V1__TASK_STATE__TASK_STATE_SUCCEEDED ? 0 : EXIT_FAILED;
    }
}

static void run_finished(struct wandb_sink *sink, const Plankton__V1__Event *event)
{
    AUTO(json_drop) json_t *row = json_object();
    struct id run = id_of(event->run_id), none = {{0}};
    bool good = event->state == PLANKTON__V1__RUN_STATE__RUN_STATE_SUCCEEDED;
    bool cancelled = event->state == PLANKTON__V1__RUN_STATE__RUN_STATE_CANCELLED;
    struct wandb_book_run *it;

    if (sink->options.per == WANDB_PER_TASK)
        return;
    it = run_for(sink, &run, &none, event->unix_us);
    if (!it)
        return;
    json_object_set_new(row, "run/state",
                        json_string(good        ? "succeeded"
                                    : cancelled ? "cancelled"
                                                : "failed"));
    wandb_metric_result(row, "output", slice_of(event->result));
    wandb_run_history(&it->run, event->unix_us, row);
    if (it->day)
        return; /* others go on in it */
    it->end_us = event->unix_us;
    it->exit_code = good ? 0 : cancelled ? EXIT_CANCELLED : EXIT_FAILED;
}

static void take_event(struct wandb_sink *sink, const Plankton__V1__Event *event)
{
    switch (event->kind) {
    case PLANKTON__V1__EVENT_KIND__EVENT_KIND_RUN_STARTED:
        run_started(sink, event);
        break;
    case PLANKTON__V1__EVENT_KIND__EVENT_KIND_RUN_FINISHED:
        run_finished(sink, event);
        break;
    case PLANKTON__V1__EVENT_KIND__EVENT_KIND_TASK_FINISHED:
        task_finished(sink, event);
        break;
    default:
        break;
    }
}

static bool is_of_interest(uint32_t kind)
{
    return kind == PLANKTON__V1__EVENT_KIND__EVENT_KIND_RUN_STARTED ||
           kind == PLANKTON__V1__EVENT_KIND__EVENT_KIND_RUN_FINISHED ||
           kind == PLANKTON__V1__EVENT_KIND__EVENT_KIND_TASK_FINISHED;
}

static void take_events(void *self, const struct events *events)
{
    struct wandb_sink *sink = self;
    struct slice batch = events->batch;
    struct event_ref ref;
    bool bad = false;

    while (sink->failed == STATUS_OK && events_next(&batch, &ref, &bad)) {
        if (!is_of_interest(ref.kind))
            continue;
        Plankton__V1__Event *event =
            plankton__v1__event__unpack(NULL, ref.bytes.len, (const uint8_t *)ref.bytes.data);
        if (event)
            take_event(sink, event);
        if (event)
            plankton__v1__event__free_unpacked(event, NULL);
    }
}

/* ---- lines ---- */

/* They are looked at when the step's events were: those say what the runs are called. Their text
 * stays where it is until the commit. */
static void take_lines(void *self, const struct lines *lines)
{
    struct wandb_sink *sink = self;

    if (sink->queued_len == sink->queued_cap) {
        sink->queued_cap = MAX_OF(sink->queued_cap * 2, (size_t)64);
        sink->queued = mem_realloc(sink->queued, sink->queued_cap * sizeof *sink->queued);
    }
    sink->queued[sink->queued_len++] = *lines;
}

static void put_line(struct wandb_book_run *it, const struct lines *lines, const struct line *line)
{
    AUTO(json_drop) json_t *row = wandb_metric_line(line->text, lines->step);

    if (row)
        wandb_run_history(&it->run, line->unix_us, row);
    else
        wandb_run_output(&it->run, line->unix_us, (line->stream_level & 7) == 1, lines->step,
                         line->text);
}

static void put_lines(struct wandb_sink *sink, const struct lines *lines)
{
    struct wandb_book_run *it = run_for(sink, &lines->run, &lines->task, lines->first_us);
    struct line_walk walk = lines_walk(lines);
    struct line line;

    while (it && lines_next(&walk, &line))
        put_line(it, lines, &line);
}

static void take_gap(void *self, uint64_t bytes)
{
    log_error("wandb.gap", LOG_U64("bytes", bytes));
}

/* ---- steps ---- */

/* Runs that are over, and have had time for the last of their output. */
static void end_runs(struct wandb_sink *sink, int64_t now_us)
{
    LIST_EACH(&sink->book.runs, node)
    {
        struct wandb_book_run *it = LIST_ENTRY(node, struct wandb_book_run, link);
        bool over = it->end_us && now_us - it->end_us >= sink->options.linger_ms * 1000;
        bool past =
            it->day && it->day < day_of(now_us) && now_us - it->run.last_us >= DAY_LINGER_US;
        if (!it->run.ended && (over || past))
            wandb_run_end(&it->run, it->end_us ? it->end_us : it->run.last_us, it->exit_code, NULL);
    }
}

static void note_growth(struct wandb_sink *sink, bool all)
{
    arena_reset(&sink->arena);
    sink->grown = arena_alloc(&sink->arena, (sink->book.run_count + 1) * sizeof *sink->grown);
    sink->grown_len = 0;
    LIST_EACH(&sink->book.runs, node)
    {
        const struct wandb_book_run *it = LIST_ENTRY(node, struct wandb_book_run, link);
        if (!all && it->run.writer.out.len == 0)
            continue;
        sink->grown[sink->grown_len++] =
            (struct wandb_progress){.id = arena_strdup(&sink->arena, it->id),
                                    .dir = arena_strdup(&sink->arena, it->dir),
                                    .bytes = it->run.writer.bytes,
                                    .ended = it->run.ended};
    }
}

static enum status sink_open(void *self, uint64_t *lsn, struct error *err)
{
    struct wandb_sink *sink = self;
    enum status st;

    sink->queued_len = 0;
    sink->failed = STATUS_OK;
    st = wandb_book_open(&sink->book, lsn, err);
    if (st == STATUS_OK)
        note_growth(sink, true);
    return st;
}

static enum status sink_commit(void *self, uint64_t lsn, struct error *err)
{
    struct wandb_sink *sink = self;

    for (size_t i = 0; i < sink->queued_len && sink->failed == STATUS_OK; i++)
        put_lines(sink, &sink->queued[i]);
    sink->queued_len = 0;
    if (sink->failed != STATUS_OK) {
        *err = sink->err;
        return sink->failed;
    }
    end_runs(sink, clock_unix_us());
    note_growth(sink, false);
    return wandb_book_commit(&sink->book, lsn, err);
}

static void sink_committed(void *self)
{
    struct wandb_sink *sink = self;
    const struct wandb_listener *listener = &sink->listener;

    for (size_t i = 0; listener->progress && i < sink->grown_len; i++)
        listener->progress(&sink->grown[i], listener->userdata);
    sink->grown_len = 0;
    if (listener->begin && !sink->begun_told)
        listener->begin(listener->userdata);
    sink->begun_told = true;
}

/* A run that waits for its end needs a step, though nothing comes. */
static uint64_t sink_wake_ms(void *self)
{
    struct wandb_sink *sink = self;

    return sink->book.run_count > 0 ? (uint64_t)MAX_OF(sink->options.linger_ms / 2, INT64_C(1000))
                                    : 0;
}

const struct sink_writer wandb_sink_writer = {
    .name = "wandb",
    .pace_ms = PACE_MS,
    .open = sink_open,
    .lines = take_lines,
    .events = take_events,
    .gap = take_gap,
    .commit = sink_commit,
    .committed = sink_committed,
    .wake_ms = sink_wake_ms,
};

struct wandb_sink *wandb_sink_new(const struct wandb_sink_options *options,
                                  const struct wandb_listener *listener)
{
    struct wandb_sink *sink = mem_zalloc(sizeof *sink);

    sink->options = *options;
    if (listener)
        sink->listener = *listener;
    arena_init(&sink->arena, 0);
    wandb_book_init(&sink->book, options->dir, options->online);
    if (gethostname(sink->host, sizeof sink->host - 1) < 0)
        *sink->host = 0;
    return sink;
}

void wandb_sink_free(struct wandb_sink *sink)
{
    if (!sink)
        return;
    wandb_book_fini(&sink->book);
    arena_fini(&sink->arena);
    free(sink->queued);
    free(sink);
}
