/* SPDX-License-Identifier: Apache-2.0 */
/* Engine views and committed rows into messages. */
#include "api_internal.h"

Plankton__V1__Json *convert_json(struct arena *arena, struct slice text)
{
    if (!text.len)
        return NULL;
    Plankton__V1__Json *json = ARENA_NEW(arena, Plankton__V1__Json);
    plankton__v1__json__init(json);
    json->text = arena_strndup(arena, text.data, text.len);
    return json;
}

Google__Protobuf__Timestamp *convert_time(struct arena *arena, int64_t us)
{
    if (!us)
        return NULL;
    Google__Protobuf__Timestamp *time = ARENA_NEW(arena, Google__Protobuf__Timestamp);
    google__protobuf__timestamp__init(time);
    time->seconds = us / 1000000;
    time->nanos = (int32_t)(us % 1000000) * 1000;
    return time;
}

char *convert_id(struct arena *arena, const struct id *id)
{
    if (id_is_nil(id))
        return "";
    char *text = arena_alloc(arena, ID_TEXT_BYTES);
    id_format(id, text);
    return text;
}

Plankton__V1__Failure *convert_failure(struct arena *arena, const struct engine_failure *failure)
{
    if (!failure->code || !*failure->code)
        return NULL;
    Plankton__V1__Failure *out = ARENA_NEW(arena, Plankton__V1__Failure);
    plankton__v1__failure__init(out);
    out->code = arena_strdup(arena, failure->code);
    out->message = arena_strdup(arena, failure->message ? failure->message : "");
    out->details = convert_json(arena, failure->details);
    out->non_retryable = failure->non_retryable;
    out->step = arena_strdup(arena, failure->step ? failure->step : "");
    return out;
}

Plankton__V1__CancelRequest *convert_cancel(struct arena *arena, const struct engine_cancel *cancel)
{
    if (!cancel->at_us)
        return NULL;
    Plankton__V1__CancelRequest *out = ARENA_NEW(arena, Plankton__V1__CancelRequest);
    plankton__v1__cancel_request__init(out);
    out->at = convert_time(arena, cancel->at_us);
    out->actor = arena_strdup(arena, cancel->actor ? cancel->actor : "");
    out->reason = arena_strdup(arena, cancel->reason ? cancel->reason : "");
    return out;
}

static char *own_text(struct arena *arena, const char *text)
{
    return text ? arena_strdup(arena, text) : "";
}

static void convert_task_body(struct api *api, struct arena *arena,
                              const struct engine_task_row *row, Plankton__V1__Task *out)
{
    const Plankton__V1__TaskSpec *spec = spec_message(api->registry, arena, row->spec.spec_text);

    out->parameters = convert_json(arena, row->spec.parameters);
    out->result = convert_json(arena, row->change.result);
    if (!spec)
        return;
    out->environment = spec->environment;
    out->retry = spec->retry;
    out->timeout = spec->timeout;
    out->n_concurrency = spec->n_concurrency;
    out->concurrency = spec->concurrency;
    out->n_rate_limits = spec->n_rate_limits;
    out->rate_limits = spec->rate_limits;
    out->fairness = spec->fairness;
    out->cost = spec->cost;
    out->worker = spec->worker;
    out->n_labels = spec->n_labels;
    out->labels = ARENA_ARRAY(arena, Plankton__V1__Task__LabelsEntry *, spec->n_labels + 1);
    for (size_t i = 0; i < spec->n_labels; i++) {
        out->labels[i] = ARENA_NEW(arena, Plankton__V1__Task__LabelsEntry);
        plankton__v1__task__labels_entry__init(out->labels[i]);
        out->labels[i]->key = spec->labels[i]->key;
        out->labels[i]->value = spec->labels[i]->value;
    }
}

Plankton__V1__Task *convert_task(struct api *api, struct arena *arena,
                                 const struct engine_task_view *view, bool bodies)
{
    const struct engine_task_row *row = &view->row;
    Plankton__V1__Task *out = ARENA_NEW(arena, Plankton__V1__Task);

    plankton__v1__task__init(out);
    /* a step that has not begun has an id already: it follows from the run's */
    struct id id = view->is_step_only ? id_derive(&row->run, row->step, 0) : row->id;
    out->id = convert_id(arena, &id);
    out->type = own_text(arena, row->spec.type);
    out->queue = own_text(arena, row->spec.queue);
    out->priority = row->spec.priority;
    out->run_at = convert_time(arena, row->spec.run_at_us);
    out->state = (Plankton__V1__TaskState)view->state;
    out->attempt = (int32_t)view->attempt;
    out->failures = (int32_t)row->change.failures;
    out->lost = (int32_t)row->change.lost;
    out->failure = convert_failure(arena, &row->change.failure);
    out->cancel_requested = convert_cancel(arena, &row->change.cancel);
    out->created_at = convert_time(arena, row->created_us);
    out->started_at = convert_time(arena, view->started_us);
    out->finished_at = convert_time(arena, row->change.finished_us);
    out->run_id = convert_id(arena, &row->run);
    out->step = own_text(arena, row->step);
    out->retry_of = convert_id(arena, &row->retry_of);
    out->worker_id = convert_id(arena, &view->worker);
    out->waiting_for = own_text(arena, view->waiting_for);
    out->progress = view->progress;
    out->progress_message = own_text(arena, view->progress_message);
    if (bodies)
        convert_task_body(api, arena, row, out);
    return out;
}

static Plankton__V1__StepCounts *convert_counts(struct arena *arena,
                                                const struct engine_counts *counts)
{
    Plankton__V1__StepCounts *out = ARENA_NEW(arena, Plankton__V1__StepCounts);

    plankton__v1__step_counts__init(out);
    out->total = (int32_t)counts->total;
    out->pending = (int32_t)counts->by_state[ENGINE_TASK_PENDING];
    out->ready = (int32_t)counts->by_state[ENGINE_TASK_READY];
    out->running = (int32_t)counts->by_state[ENGINE_TASK_RUNNING];
    out->succeeded = (int32_t)counts->by_state[ENGINE_TASK_SUCCEEDED];
    out->failed = (int32_t)counts->by_state[ENGINE_TASK_FAILED];
    out->cancelled = (int32_t)counts->by_state[ENGINE_TASK_CANCELLED];
    out->skipped = (int32_t)counts->by_state[ENGINE_TASK_SKIPPED];
    out->retrying = (int32_t)counts->by_state[ENGINE_TASK_RETRYING];
    out->waiting = (int32_t)counts->by_state[ENGINE_TASK_WAITING];
    return out;
}

/* Labels are kept as a JSON object of strings: the same reader as for a task's. */
static void convert_run_labels(struct api *api, struct arena *arena, struct slice labels,
                               Plankton__V1__Run *out)
{
    const char *text =
        arena_printf(arena, "{\"labels\":%.*s}", (int)labels.len, labels.data ? labels.data : "");
    const Plankton__V1__TaskSpec *spec =
        labels.len ? spec_message(api->registry, arena, slice_of(text)) : NULL;

    if (!spec)
        return;
    out->n_labels = spec->n_labels;
    out->labels = ARENA_ARRAY(arena, Plankton__V1__Run__LabelsEntry *, spec->n_labels);
    for (size_t i = 0; i < spec->n_labels; i++) {
        out->labels[i] = ARENA_NEW(arena, Plankton__V1__Run__LabelsEntry);
        plankton__v1__run__labels_entry__init(out->labels[i]);
        out->labels[i]->key = spec->labels[i]->key;
        out->labels[i]->value = spec->labels[i]->value;
    }
}

static Plankton__V1__RunPause *convert_run_pause(struct arena *arena,
                                                 const struct engine_cancel *pause)
{
    Plankton__V1__RunPause *out;

    if (!pause->at_us)
        return NULL;
    out = ARENA_NEW(arena, Plankton__V1__RunPause);
    plankton__v1__run_pause__init(out);
    out->at = convert_time(arena, pause->at_us);
    out->actor = own_text(arena, pause->actor);
    out->reason = own_text(arena, pause->reason);
    return out;
}

Plankton__V1__Run *convert_run(struct api *api, struct arena *arena,
                               const struct engine_run_view *view, bool bodies)
{
    const struct engine_run_row *row = &view->row;
    Plankton__V1__Run *out = ARENA_NEW(arena, Plankton__V1__Run);

    plankton__v1__run__init(out);
    out->id = convert_id(arena, &row->id);
    out->plan_id = convert_id(arena, &row->plan_id);
    out->plan_name = own_text(arena, row->plan_name);
    out->plan_version = (int32_t)row->plan_version;
    out->state = (Plankton__V1__RunState)row->change.state;
    out->failure = convert_failure(arena, &row->change.failure);
    out->created_at = convert_time(arena, row->created_us);
    out->started_at = convert_time(arena, row->change.started_us);
    out->finished_at = convert_time(arena, row->change.finished_us);
    out->counts = convert_counts(arena, &row->change.counts);
    out->cancel_requested = convert_cancel(arena, &row->change.cancel);
    out->pause = convert_run_pause(arena, &row->change.pause);
    out->rerun_of = convert_id(arena, &row->rerun_of);
    out->waiting_for = own_text(arena, view->waiting_for);
    convert_run_labels(api, arena, row->labels, out);
    if (bodies) {
        out->input = convert_json(arena, row->input);
        out->output = convert_json(arena, row->change.output);
    }
    return out;
}

struct engine_task_view convert_task_row(const struct engine_task_row *row)
{
    return (struct engine_task_view){.row = *row,
                                     .state = row->change.state,
                                     .attempt = row->change.attempt,
                                     .worker = row->change.worker,
                                     .started_us = row->change.started_us,
                                     .waiting_for = "",
                                     .progress_message = ""};
}

struct engine_run_view convert_run_row(const struct engine_run_row *row)
{
    return (struct engine_run_view){.row = *row, .waiting_for = ""};
}
