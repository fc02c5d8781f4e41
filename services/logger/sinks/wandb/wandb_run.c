/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/wandb/wandb_run.h"

#include <math.h>
#include <stdlib.h>

#define US_PER_S 1000000
#define OUT_BYTES_MAX ((size_t)1 << 30) /* of one step of the sink, which reads 6 MiB at most */
#define PRODUCER "plankton " PLANKTON_VERSION
/* The oldest reader that understands what is written here. */
#define MIN_CONSUMER "0.12.0"

static WandbInternal__Time time_of(int64_t unix_us)
{
    WandbInternal__Time time = WANDB_INTERNAL__TIME__INIT;

    time.seconds = unix_us / US_PER_S;
    time.nanos = (int32_t)(unix_us % US_PER_S * 1000);
    return time;
}

void wandb_run_init(struct wandb_run *run)
{
    *run = (struct wandb_run){.step = -1};
    buf_init(&run->writer.out, OUT_BYTES_MAX);
    run->summary = json_object();
}

void wandb_run_fini(struct wandb_run *run)
{
    buf_fini(&run->writer.out);
    json_decref(run->summary);
    run->summary = NULL;
}

/* The members of an object as items; memory from the arena. */
static WandbInternal__Item **items_of(const json_t *object, struct arena *arena, size_t *ret_n)
{
    size_t n = 0, count = json_object_size(object);
    WandbInternal__Item *items = arena_alloc(arena, (count + 1) * sizeof *items);
    WandbInternal__Item **list = arena_alloc(arena, (count + 1) * sizeof *list);
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)object, key, value)
    {
        wandb_internal__item__init(&items[n]);
        items[n].key = arena_strdup(arena, key);
        items[n].value_json = json_text(value, arena);
        list[n] = &items[n];
        n++;
    }
    *ret_n = n;
    return list;
}

static void put_header(struct wandb_run *run)
{
    WandbInternal__Record record = WANDB_INTERNAL__RECORD__INIT;
    WandbInternal__HeaderRecord header = WANDB_INTERNAL__HEADER_RECORD__INIT;
    WandbInternal__VersionInfo version = WANDB_INTERNAL__VERSION_INFO__INIT;

    version.producer = (char *)PRODUCER;
    version.min_consumer = (char *)MIN_CONSUMER;
    header.version_info = &version;
    record.record_type_case = WANDB_INTERNAL__RECORD__RECORD_TYPE_HEADER;
    record.header = &header;
    wandb_put(&run->writer, &record);
}

static void put_run(struct wandb_run *run, const struct wandb_info *info)
{
    AUTO(arena_freep) struct arena *arena = arena_new(0);
    WandbInternal__Record record = WANDB_INTERNAL__RECORD__INIT;
    WandbInternal__RunRecord it = WANDB_INTERNAL__RUN_RECORD__INIT;
    WandbInternal__ConfigRecord config = WANDB_INTERNAL__CONFIG_RECORD__INIT;
    WandbInternal__Time start = time_of(info->start_us);

    it.run_id = (char *)info->id;
    it.entity = (char *)info->entity;
    it.project = (char *)info->project;
    it.run_group = (char *)info->group;
    it.job_type = (char *)info->job_type;
    it.display_name = (char *)info->display_name;
    it.host = (char *)info->host;
    it.tags = (char **)info->tags;
    it.n_tags = info->tag_count;
    it.start_time = &start;
    if (info->config) {
        config.update = items_of(info->config, arena, &config.n_update);
        it.config = &config;
    }
    record.record_type_case = WANDB_INTERNAL__RECORD__RECORD_TYPE_RUN;
    record.run = &it;
    wandb_put(&run->writer, &record);
}

static void put_telemetry(struct wandb_run *run)
{
    WandbInternal__Record record = WANDB_INTERNAL__RECORD__INIT;
    WandbInternal__TelemetryRecord telemetry = WANDB_INTERNAL__TELEMETRY_RECORD__INIT;

    telemetry.cli_version = (char *)PLANKTON_VERSION;
    telemetry.platform = (char *)"linux";
    record.record_type_case = WANDB_INTERNAL__RECORD__RECORD_TYPE_TELEMETRY;
    record.telemetry = &telemetry;
    wandb_put(&run->writer, &record);
}

void wandb_run_begin(struct wandb_run *run, const struct wandb_info *info)
{
    run->start_us = run->last_us = info->start_us;
    put_header(run);
    put_run(run, info);
    put_telemetry(run);
}

static double seconds_since_start(const struct wandb_run *run, int64_t unix_us)
{
    return (double)MAX_OF(unix_us - run->start_us, 0) / US_PER_S;
}

/* What every row has, and the summary too. */
static void set_times(json_t *row, const struct wandb_run *run, int64_t unix_us)
{
    json_object_set_new(row, "_step", json_integer(run->step));
    json_object_set_new(row, "_timestamp", json_real((double)unix_us / US_PER_S));
    json_object_set_new(row, "_runtime", json_real(seconds_since_start(run, unix_us)));
}

static void summarize(struct wandb_run *run, const json_t *row)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)row, key, value)
    {
        if (json_object_get(run->summary, key) ||
            json_object_size(run->summary) < WANDB_SUMMARY_KEYS_MAX)
            json_object_set(run->summary, key, value);
    }
}

void wandb_run_history(struct wandb_run *run, int64_t unix_us, const json_t *row)
{
    AUTO(arena_freep) struct arena *arena = arena_new(0);
    AUTO(json_drop) json_t *full = json_copy((json_t *)row);
    WandbInternal__Record record = WANDB_INTERNAL__RECORD__INIT;
    WandbInternal__HistoryRecord history = WANDB_INTERNAL__HISTORY_RECORD__INIT;
    WandbInternal__HistoryStep step = WANDB_INTERNAL__HISTORY_STEP__INIT;

    run->step++;
    run->last_us = MAX_OF(run->last_us, unix_us);
    set_times(full, run, unix_us);
    summarize(run, full);
    step.num = run->step;
    history.step = &step;
    history.item = items_of(full, arena, &history.n_item);
    record.record_type_case = WANDB_INTERNAL__RECORD__RECORD_TYPE_HISTORY;
    record.history = &history;
    wandb_put(&run->writer, &record);
}

void wandb_run_output(struct wandb_run *run, int64_t unix_us, bool is_stderr, struct slice label,
                      struct slice text)
{
    WandbInternal__Record record = WANDB_INTERNAL__RECORD__INIT;
    WandbInternal__OutputRawRecord output = WANDB_INTERNAL__OUTPUT_RAW_RECORD__INIT;
    WandbInternal__Time time = time_of(unix_us);
    struct buf line;

    buf_init(&line, WANDB_LINE_BYTES_MAX + 1024);
    if (label.len > 0)
        buf_putf(&line, "[%.*s] ", (int)MIN_OF(label.len, (size_t)WANDB_KEY_BYTES_MAX), label.data);
    buf_put(&line, text.data, MIN_OF(text.len, WANDB_LINE_BYTES_MAX));
    buf_putc(&line, '\n');
    run->last_us = MAX_OF(run->last_us, unix_us);
    output.output_type = is_stderr ? WANDB_INTERNAL__OUTPUT_RAW_RECORD__OUTPUT_TYPE__STDERR
                                   : WANDB_INTERNAL__OUTPUT_RAW_RECORD__OUTPUT_TYPE__STDOUT;
    output.timestamp = &time;
    output.line = (char *)buf_cstr(&line);
    record.record_type_case = WANDB_INTERNAL__RECORD__RECORD_TYPE_OUTPUT_RAW;
    record.output_raw = &output;
    wandb_put(&run->writer, &record);
    buf_fini(&line);
}

static void put_summary(struct wandb_run *run, int64_t unix_us)
{
    AUTO(arena_freep) struct arena *arena = arena_new(0);
    WandbInternal__Record record = WANDB_INTERNAL__RECORD__INIT;
    WandbInternal__SummaryRecord summary = WANDB_INTERNAL__SUMMARY_RECORD__INIT;
    double runtime = seconds_since_start(run, unix_us);

    json_object_set_new(run->summary, "_runtime", json_real(runtime));
    json_object_set_new(run->summary, "_timestamp", json_real((double)unix_us / US_PER_S));
    json_object_set_new(run->summary, "_wandb",
                        json_pack("{s:I}", "runtime", (json_int_t)floor(runtime)));
    summary.update = items_of(run->summary, arena, &summary.n_update);
    record.record_type_case = WANDB_INTERNAL__RECORD__RECORD_TYPE_SUMMARY;
    record.summary = &summary;
    wandb_put(&run->writer, &record);
}

void wandb_run_end(struct wandb_run *run, int64_t unix_us, int exit_code, const json_t *last)
{
    WandbInternal__Record exit_record = WANDB_INTERNAL__RECORD__INIT,
                          final_record = WANDB_INTERNAL__RECORD__INIT,
                          footer_record = WANDB_INTERNAL__RECORD__INIT;
    WandbInternal__RunExitRecord it = WANDB_INTERNAL__RUN_EXIT_RECORD__INIT;
    WandbInternal__FinalRecord final = WANDB_INTERNAL__FINAL_RECORD__INIT;
    WandbInternal__FooterRecord footer = WANDB_INTERNAL__FOOTER_RECORD__INIT;

    if (last)
        summarize(run, last);
    /* Readers ignore a summary that stands behind the exit, and take the exit code only when they
     * have seen the final record. */
    put_summary(run, unix_us);
    it.exit_code = exit_code;
    it.runtime = (int32_t)seconds_since_start(run, unix_us);
    exit_record.record_type_case = WANDB_INTERNAL__RECORD__RECORD_TYPE_EXIT;
    exit_record.exit = &it;
    wandb_put(&run->writer, &exit_record);
    final_record.record_type_case = WANDB_INTERNAL__RECORD__RECORD_TYPE_FINAL;
    final_record.final = &final;
    wandb_put(&run->writer, &final_record);
    footer_record.record_type_case = WANDB_INTERNAL__RECORD__RECORD_TYPE_FOOTER;
    footer_record.footer = &footer;
    wandb_put(&run->writer, &footer_record);
    wandb_pad(&run->writer);
    run->ended = true;
}

static void restore_history(struct wandb_run *run, const WandbInternal__HistoryRecord *history)
{
    AUTO(json_drop) json_t *row = json_object();

    for (size_t i = 0; i < history->n_item; i++) {
        const char *text = history->item[i]->value_json;
        json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
        if (value)
            json_object_set_new(row, history->item[i]->key, value);
    }
    summarize(run, row);
    if (history->step)
        run->step = MAX_OF(run->step, history->step->num);
}

static void restore_record(struct wandb_run *run, const WandbInternal__Record *record)
{
    run->writer.num = record->num;
    switch (record->record_type_case) {
    case WANDB_INTERNAL__RECORD__RECORD_TYPE_RUN:
        if (record->run->start_time)
            run->start_us =
                record->run->start_time->seconds * US_PER_S + record->run->start_time->nanos / 1000;
        run->last_us = run->start_us;
        break;
    case WANDB_INTERNAL__RECORD__RECORD_TYPE_HISTORY:
        restore_history(run, record->history);
        break;
    case WANDB_INTERNAL__RECORD__RECORD_TYPE_FOOTER:
        run->ended = true;
        break;
    default:
        break;
    }
}

void wandb_run_restore(struct wandb_run *run, struct slice file)
{
    AUTO(arena_freep) struct arena *arena = arena_new(0);
    struct wandb_reader reader = {.data = file};
    struct slice payload;

    while (wandb_next(&reader, arena, &payload) == WANDB_OK) {
        WandbInternal__Record *record =
            wandb_internal__record__unpack(NULL, payload.len, (const uint8_t *)payload.data);
        if (!record)
            break;
        run->writer.bytes = reader.at;
        restore_record(run, record);
        wandb_internal__record__free_unpacked(record, NULL);
        arena_reset(arena);
    }
}
