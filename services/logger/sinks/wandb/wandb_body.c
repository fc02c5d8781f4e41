/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/wandb/wandb_body.h"

#include <stdio.h>
#include <string.h>
#include "base/text.h"

#define US_PER_S INT64_C(1000000)

static const char UPSERT[] =
    "mutation UpsertBucket($id: String, $name: String, $project: String, $entity: String, "
    "$groupName: String, $displayName: String, $config: JSONString, $host: String, $program: "
    "String, $jobType: String, $tags: [String!]) { upsertBucket(input: {id: $id, name: $name, "
    "modelName: $project, entityName: $entity, groupName: $groupName, displayName: $displayName, "
    "config: $config, host: $host, jobProgram: $program, jobType: $jobType, tags: $tags}) { bucket "
    "{ id name displayName project { name entity { name } } } inserted } }";

static json_t *text_or_null(const char *text)
{
    return *text ? json_string(text) : json_null();
}

/* {"key": {"value": …}, …} as text, with the mark by which a run is known to have started. */
static json_t *config_text(const WandbInternal__RunRecord *run)
{
    AUTO(arena_freep) struct arena *arena = arena_new(0);
    AUTO(json_drop) json_t *config = json_object();

    for (size_t i = 0; run->config && i < run->config->n_update; i++) {
        json_t *value = json_loads(run->config->update[i]->value_json, JSON_DECODE_ANY, NULL);
        if (value)
            json_object_set_new(config, run->config->update[i]->key,
                                json_pack("{s:o}", "value", value));
    }
    json_object_set_new(
        config, "_wandb",
        json_pack("{s:{s:{}, s:[], s:s}}", "value", "t", "m", "cli_version", PLANKTON_VERSION));
    return json_string(json_text(config, arena));
}

static json_t *variables_of(const WandbInternal__RunRecord *run)
{
    json_t *variables = json_object(), *tags = json_array();

    for (size_t i = 0; i < run->n_tags; i++)
        json_array_append_new(tags, json_string(run->tags[i]));
    json_object_set_new(variables, "name", json_string(run->run_id));
    json_object_set_new(variables, "project", text_or_null(run->project));
    json_object_set_new(variables, "entity", text_or_null(run->entity));
    json_object_set_new(variables, "groupName", text_or_null(run->run_group));
    json_object_set_new(variables, "displayName", text_or_null(run->display_name));
    json_object_set_new(variables, "config", config_text(run));
    json_object_set_new(variables, "host", text_or_null(run->host));
    json_object_set_new(variables, "program", json_string("plankton"));
    json_object_set_new(variables, "jobType", text_or_null(run->job_type));
    json_object_set_new(variables, "tags", tags);
    return variables;
}

json_t *wandb_body_upsert(struct slice data)
{
    AUTO(arena_freep) struct arena *arena = arena_new(0);
    struct wandb_reader reader = {.data = data};
    struct slice payload;

    while (wandb_next(&reader, arena, &payload) == WANDB_OK) {
        WandbInternal__Record *record =
            wandb_internal__record__unpack(NULL, payload.len, (const uint8_t *)payload.data);
        json_t *body = NULL;
        if (record && record->record_type_case == WANDB_INTERNAL__RECORD__RECORD_TYPE_RUN)
            body = json_pack("{s:s, s:s, s:o}", "operationName", "UpsertBucket", "query", UPSERT,
                             "variables", variables_of(record->run));
        if (record)
            wandb_internal__record__free_unpacked(record, NULL);
        if (body)
            return body;
    }
    return NULL;
}

/* What one request will say. */
struct content {
    json_t *history, *output; /* arrays of text */
    json_t *summary;          /* text, or NULL */
    json_t *exit_code;
    size_t bytes;
};

static json_t *object_text(WandbInternal__Item *const *items, size_t n, struct arena *arena)
{
    AUTO(json_drop) json_t *object = json_object();

    for (size_t i = 0; i < n; i++) {
        json_t *value = json_loads(items[i]->value_json, JSON_DECODE_ANY, NULL);
        if (value)
            json_object_set_new(object, items[i]->key, value);
    }
    return json_string(json_text(object, arena));
}

/* "ERROR 2026-11-23T05:30:04.962480 text" without the newline; the word for stderr alone. */
static json_t *output_text(const WandbInternal__OutputRawRecord *output, struct arena *arena)
{
    int64_t unix_us = output->timestamp
                          ? output->timestamp->seconds * US_PER_S + output->timestamp->nanos / 1000
                          : 0;
    bool is_error = output->output_type == WANDB_INTERNAL__OUTPUT_RAW_RECORD__OUTPUT_TYPE__STDERR;
    char time[40];

    text_from_unix_us(unix_us / US_PER_S * US_PER_S, time, sizeof time);
    time[strcspn(time, "Z.")] = 0;
    return json_string(arena_printf(arena, "%s%s.%06d %.*s", is_error ? "ERROR " : "", time,
                                    (int)(unix_us % US_PER_S), (int)strcspn(output->line, "\n"),
                                    output->line));
}

static void take_record(const WandbInternal__Record *record, struct content *content,
                        struct arena *arena)
{
    switch (record->record_type_case) {
    case WANDB_INTERNAL__RECORD__RECORD_TYPE_HISTORY:
        json_array_append_new(content->history,
                              object_text(record->history->item, record->history->n_item, arena));
        break;
    case WANDB_INTERNAL__RECORD__RECORD_TYPE_OUTPUT_RAW:
        json_array_append_new(content->output, output_text(record->output_raw, arena));
        break;
    case WANDB_INTERNAL__RECORD__RECORD_TYPE_SUMMARY:
        json_decref(content->summary);
        content->summary = object_text(record->summary->update, record->summary->n_update, arena);
        break;
    case WANDB_INTERNAL__RECORD__RECORD_TYPE_EXIT:
        content->exit_code = json_integer(record->exit->exit_code);
        break;
    default:
        break;
    }
}

static bool has_lines(const struct content *content)
{
    return json_array_size(content->history) > 0 || json_array_size(content->output) > 0 ||
           content->summary;
}

static void put_file(json_t *files, const char *name, uint64_t offset, json_t *lines)
{
    if (json_array_size(lines) > 0)
        json_object_set_new(
            files, name, json_pack("{s:I, s:O}", "offset", (json_int_t)offset, "content", lines));
}

static void put_body(const struct content *content, struct wandb_position *position,
                     struct buf *out)
{
    AUTO(arena_freep) struct arena *arena = arena_new(0);
    AUTO(json_drop) json_t *body = json_object();
    json_t *files = json_object();

    put_file(files, "wandb-history.jsonl", position->history, content->history);
    put_file(files, "output.log", position->output, content->output);
    if (content->summary)
        json_object_set_new(files, "wandb-summary.json",
                            json_pack("{s:i, s:[O]}", "offset", 0, "content", content->summary));
    if (json_object_size(files) > 0)
        json_object_set(body, "files", files);
    json_decref(files);
    if (content->exit_code) {
        json_object_set_new(body, "complete", json_true());
        json_object_set(body, "exitcode", content->exit_code);
        position->complete = true;
    }
    position->history += json_array_size(content->history);
    position->output += json_array_size(content->output);
    buf_puts(out, json_text(body, arena));
}

static void content_drop(struct content *content)
{
    json_decref(content->history);
    json_decref(content->output);
    json_decref(content->summary);
    json_decref(content->exit_code);
}

bool wandb_body_lines(struct wandb_reader *reader, struct wandb_position *position, struct buf *out)
{
    AUTO(arena_freep) struct arena *arena = arena_new(0);
    struct content content = {.history = json_array(), .output = json_array()};
    struct slice payload;
    bool any = false;

    while (!content.exit_code && content.bytes < WANDB_BODY_BYTES_WANTED) {
        struct wandb_reader ahead = *reader;
        if (wandb_next(&ahead, arena, &payload) != WANDB_OK)
            break;
        WandbInternal__Record *record =
            wandb_internal__record__unpack(NULL, payload.len, (const uint8_t *)payload.data);
        bool is_end =
            record && record->record_type_case == WANDB_INTERNAL__RECORD__RECORD_TYPE_EXIT;
        if (is_end && has_lines(&content)) { /* first what stands before it */
            wandb_internal__record__free_unpacked(record, NULL);
            break;
        }
        if (record)
            take_record(record, &content, arena);
        if (record)
            wandb_internal__record__free_unpacked(record, NULL);
        content.bytes += payload.len;
        *reader = ahead;
    }
    any = has_lines(&content) || content.exit_code;
    if (any)
        put_body(&content, position, out);
    position->at = reader->at;
    content_drop(&content);
    return any;
}
