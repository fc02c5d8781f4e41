/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of task and run as the engine knows them. The order of columns is the tables'. */
#include "spec/spec.h"
#include "store_internal.h"

enum task_column {
    TASK_ID,
    TASK_CREATED_AT,
    TASK_NAMESPACE_ID,
    TASK_ATTEMPT,
    TASK_STATE,
    TASK_PRIORITY,
    TASK_FAILURES,
    TASK_LOST,
    TASK_CLOSED_BY_REPORT,
    TASK_FAILURE_NON_RETRYABLE,
    TASK_RECORDED_BY,
    TASK_DUE_AT,
    TASK_STARTED_AT,
    TASK_FINISHED_AT,
    TASK_CANCEL_AT,
    TASK_WORKER_ID,
    TASK_RUN_ID,
    TASK_RETRY_OF,
    TASK_STEP,
    TASK_TYPE,
    TASK_QUEUE,
    TASK_PARAMETERS,
    TASK_SPEC,
    TASK_RESULT,
    TASK_FAILURE_CODE,
    TASK_FAILURE_MESSAGE,
    TASK_FAILURE_DETAILS,
    TASK_CANCEL_ACTOR,
    TASK_CANCEL_REASON,
    TASK_LIMIT_GROUP, /* for joins: the engine makes it anew from the limits */
    TASK_PARKED,
    TASK_PARKED_DUE,
};

enum run_column {
    RUN_ID,
    RUN_PLAN_ID,
    RUN_CREATED_AT,
    RUN_NAMESPACE_ID,
    RUN_PLAN_VERSION,
    RUN_STATE,
    RUN_STARTED_AT,
    RUN_FINISHED_AT,
    RUN_CANCEL_AT,
    RUN_RERUN_OF,
    RUN_PLAN_NAME,
    RUN_INPUT,
    RUN_LABELS,
    RUN_OUTPUT,
    RUN_COUNTS,
    RUN_FAILURE_CODE,
    RUN_FAILURE_MESSAGE,
    RUN_FAILURE_DETAILS,
    RUN_FAILURE_STEP,
    RUN_CANCEL_ACTOR,
    RUN_CANCEL_REASON,
    RUN_PAUSED_AT,
    RUN_PAUSED_BY,
    RUN_PAUSE_REASON,
};

char *row_text(struct arena *arena, const struct db_result *result, size_t row, int column)
{
    if (db_is_null(result, row, column))
        return "";
    struct slice text = db_slice(result, row, column);
    return arena_strndup(arena, text.data, text.len);
}

struct slice row_slice(struct arena *arena, const struct db_result *result, size_t row, int column)
{
    if (db_is_null(result, row, column))
        return (struct slice){0};
    struct slice text = db_slice(result, row, column);
    return (struct slice){arena_strndup(arena, text.data, text.len), text.len};
}

int64_t row_time(const struct db_result *result, size_t row, int column)
{
    return db_is_null(result, row, column) ? 0 : db_i64(result, row, column);
}

int64_t row_number(const struct db_result *result, size_t row, int column)
{
    return db_is_null(result, row, column) ? 0 : db_i64(result, row, column);
}

struct id row_id(const struct db_result *result, size_t row, int column)
{
    return db_is_null(result, row, column) ? (struct id){{0}} : db_id(result, row, column);
}

static uint32_t row_u32(const struct db_result *result, size_t row, int column)
{
    return db_is_null(result, row, column) ? 0 : (uint32_t)db_i64(result, row, column);
}

static void row_task_change(struct arena *arena, const struct db_result *result, size_t row,
                            struct engine_task_change *ret)
{
    ret->id = db_id(result, row, TASK_ID);
    ret->state = (enum engine_task_state)db_i64(result, row, TASK_STATE);
    ret->attempt = row_u32(result, row, TASK_ATTEMPT);
    ret->failures = row_u32(result, row, TASK_FAILURES);
    ret->lost = row_u32(result, row, TASK_LOST);
    ret->recorded_by = row_u32(result, row, TASK_RECORDED_BY);
    ret->worker = row_id(result, row, TASK_WORKER_ID);
    ret->closed_by_report = db_i64(result, row, TASK_CLOSED_BY_REPORT) != 0;
    ret->due_us = row_time(result, row, TASK_DUE_AT);
    ret->started_us = row_time(result, row, TASK_STARTED_AT);
    ret->finished_us = row_time(result, row, TASK_FINISHED_AT);
    ret->cancel = (struct engine_cancel){row_time(result, row, TASK_CANCEL_AT),
                                         row_text(arena, result, row, TASK_CANCEL_ACTOR),
                                         row_text(arena, result, row, TASK_CANCEL_REASON)};
    ret->failure = (struct engine_failure){
        .code = row_text(arena, result, row, TASK_FAILURE_CODE),
        .message = row_text(arena, result, row, TASK_FAILURE_MESSAGE),
        .details = row_slice(arena, result, row, TASK_FAILURE_DETAILS),
        .non_retryable = db_i64(result, row, TASK_FAILURE_NON_RETRYABLE) != 0,
        .step = ""};
    ret->result = row_slice(arena, result, row, TASK_RESULT);
}

void row_task(struct store *store, struct arena *arena, const struct db_result *result, size_t row,
              bool complete, struct engine_task_row *ret)
{
    *ret = (struct engine_task_row){.id = db_id(result, row, TASK_ID)};
    ret->namespace_id = row_u32(result, row, TASK_NAMESPACE_ID);
    ret->created_us = row_time(result, row, TASK_CREATED_AT);
    ret->run = row_id(result, row, TASK_RUN_ID);
    ret->retry_of = row_id(result, row, TASK_RETRY_OF);
    ret->step = row_text(arena, result, row, TASK_STEP);
    ret->spec.type = row_text(arena, result, row, TASK_TYPE);
    ret->spec.queue = row_text(arena, result, row, TASK_QUEUE);
    ret->spec.priority = (int32_t)db_i64(result, row, TASK_PRIORITY);
    ret->spec.parameters = row_slice(arena, result, row, TASK_PARAMETERS);
    ret->spec.spec_text = row_slice(arena, result, row, TASK_SPEC);
    ret->parked = (enum engine_parked_reason)row_u32(result, row, TASK_PARKED);
    ret->parked_due_us = row_time(result, row, TASK_PARKED_DUE);
    row_task_change(arena, result, row, &ret->change);
    if (complete)
        spec_complete(store->options.registry, arena, &ret->spec);
}

void row_run(struct arena *arena, const struct db_result *result, size_t row,
             struct engine_run_row *ret)
{
    *ret = (struct engine_run_row){.id = db_id(result, row, RUN_ID)};
    ret->namespace_id = row_u32(result, row, RUN_NAMESPACE_ID);
    ret->plan_id = db_id(result, row, RUN_PLAN_ID);
    ret->plan_name = row_text(arena, result, row, RUN_PLAN_NAME);
    ret->plan_version = row_u32(result, row, RUN_PLAN_VERSION);
    ret->input = row_slice(arena, result, row, RUN_INPUT);
    ret->labels = row_slice(arena, result, row, RUN_LABELS);
    ret->created_us = row_time(result, row, RUN_CREATED_AT);
    ret->rerun_of = row_id(result, row, RUN_RERUN_OF);
    struct engine_run_change *change = &ret->change;
    change->id = ret->id;
    change->state = (enum engine_run_state)db_i64(result, row, RUN_STATE);
    change->started_us = row_time(result, row, RUN_STARTED_AT);
    change->finished_us = row_time(result, row, RUN_FINISHED_AT);
    change->cancel = (struct engine_cancel){row_time(result, row, RUN_CANCEL_AT),
                                            row_text(arena, result, row, RUN_CANCEL_ACTOR),
                                            row_text(arena, result, row, RUN_CANCEL_REASON)};
    change->pause = (struct engine_cancel){row_time(result, row, RUN_PAUSED_AT),
                                           row_text(arena, result, row, RUN_PAUSED_BY),
                                           row_text(arena, result, row, RUN_PAUSE_REASON)};
    change->failure =
        (struct engine_failure){.code = row_text(arena, result, row, RUN_FAILURE_CODE),
                                .message = row_text(arena, result, row, RUN_FAILURE_MESSAGE),
                                .details = row_slice(arena, result, row, RUN_FAILURE_DETAILS),
                                .step = row_text(arena, result, row, RUN_FAILURE_STEP)};
    change->output = row_slice(arena, result, row, RUN_OUTPUT);
    decode_counts(db_is_null(result, row, RUN_COUNTS) ? (struct slice){0}
                                                      : db_slice(result, row, RUN_COUNTS),
                  &change->counts);
}

void id_bounds(const struct id *id, struct id *ret_low, struct id *ret_high)
{
    *ret_low = *ret_high = *id;
    memset(ret_low->bytes + 8, 0, 8);
    memset(ret_high->bytes + 8, 0xff, 8);
}

struct db_param param_id(const struct id *id)
{
    return id && !id_is_nil(id) ? DB_UUID_PARAM(*id) : (struct db_param){.kind = DB_NULL};
}

struct db_param param_text(const char *text)
{
    return DB_TEXT_PARAM(text);
}

struct db_param param_time(int64_t us)
{
    return us ? DB_TIME_PARAM(us) : (struct db_param){.kind = DB_NULL};
}

struct db_param param_digest(const uint8_t digest[32])
{
    return DB_BYTES_PARAM(((struct slice){(const char *)digest, 32}));
}
