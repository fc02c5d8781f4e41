/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of tasks: one allocation for the task and its texts, a second for what few tasks have. */
#include "internal.h"

const struct engine_retry ENGINE_RETRY_DEFAULT = {
    .max_attempts = 3,
    .initial_backoff_ms = 1000,
    .max_backoff_ms = 60000,
    .multiplier = 2,
    .jitter = 0.2,
};
static const struct engine_timeouts NO_TIMEOUTS;
const struct engine_failure FAILURE_TIMEOUT = {
    .code = "TIMEOUT", .message = "the attempt took longer than its limit", .step = ""};
const struct engine_failure FAILURE_SILENT = {
    .code = "HEARTBEAT_TIMEOUT",
    .message = "the program gave no sign of life within its heartbeat timeout",
    .step = ""};

char *text_cut(const char *text, size_t bytes_max)
{
    size_t len = text ? strnlen(text, bytes_max + 1) : 0;
    char *copy;

    if (len > bytes_max) {
        len = bytes_max;
        while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
            len--;
    }
    copy = mem_alloc(len + 1);
    if (len)
        memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

static char *put_text(char **at, const char *text, size_t bytes_max)
{
    char *start = *at;
    size_t len = text ? strnlen(text, bytes_max) : 0;

    while (text && text[len] && len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
        len--;
    if (len)
        memcpy(start, text, len);
    start[len] = '\0';
    *at = start + len + 1;
    return start;
}

void failure_copy(struct engine_failure *to, char **slot, const struct engine_failure *from)
{
    size_t details = MIN_OF(from->details.len, ENGINE_RESULT_BYTES_MAX);
    char *text = mem_alloc(
        ENGINE_CODE_BYTES_MAX + ENGINE_STEP_BYTES_MAX + 3 + details +
        MIN_OF(from->message ? strlen(from->message) : 0, (size_t)ENGINE_MESSAGE_BYTES_MAX));
    char *at = text;

    free(*slot);
    *slot = text;
    to->code = put_text(&at, from->code, ENGINE_CODE_BYTES_MAX);
    to->message = put_text(&at, from->message, ENGINE_MESSAGE_BYTES_MAX);
    to->step = put_text(&at, from->step, ENGINE_STEP_BYTES_MAX);
    to->details = (struct slice){at, details};
    if (details)
        memcpy(at, from->details.data, details);
    to->non_retryable = from->non_retryable;
}

void cancel_copy(struct engine_cancel *to, char **slot, int64_t at_us, const char *actor,
                 const char *reason)
{
    char *text = mem_alloc(2 * (ENGINE_REASON_BYTES_MAX + 1));
    char *at = text;

    free(*slot);
    to->at_us = at_us;
    to->actor = put_text(&at, actor, ENGINE_REASON_BYTES_MAX);
    to->reason = put_text(&at, reason, ENGINE_REASON_BYTES_MAX);
    *slot = mem_realloc(text, (size_t)(at - text));
    to->reason = *slot + (to->reason - to->actor);
    to->actor = *slot;
}

static bool retry_is_default(const struct engine_retry *retry)
{
    const struct engine_retry *def = &ENGINE_RETRY_DEFAULT;

    return retry->max_attempts == def->max_attempts && retry->non_retryable_len == 0 &&
           retry->budget_ms == 0 && retry->initial_backoff_ms == def->initial_backoff_ms &&
           retry->max_backoff_ms == def->max_backoff_ms &&
           !(retry->multiplier < def->multiplier || retry->multiplier > def->multiplier) &&
           !(retry->jitter < def->jitter || retry->jitter > def->jitter);
}

static struct options *options_new(const struct engine_spec *spec)
{
    const struct engine_timeouts *t = &spec->timeouts;
    uint32_t codes = MIN_OF(spec->retry.non_retryable_len, (uint32_t)ENGINE_NON_RETRYABLE_MAX);
    size_t bytes = sizeof(struct options) + codes * sizeof(char *);
    struct options *options;
    const char **list;
    char *at;

    if (retry_is_default(&spec->retry) && !t->queue_ms && !t->attempt_ms && !t->total_ms &&
        !t->heartbeat_ms)
        return NULL;
    for (uint32_t i = 0; i < codes; i++)
        bytes += strnlen(spec->retry.non_retryable[i], ENGINE_CODE_BYTES_MAX) + 1;
    options = mem_alloc(bytes);
    options->retry = spec->retry;
    options->timeouts = *t;
    list = (const char **)(options + 1);
    at = (char *)(list + codes);
    for (uint32_t i = 0; i < codes; i++)
        list[i] = put_text(&at, spec->retry.non_retryable[i], ENGINE_CODE_BYTES_MAX);
    options->retry.non_retryable = list;
    options->retry.non_retryable_len = codes;
    return options;
}

static char *put_slice(char *at, struct slice text)
{
    if (text.len)
        memcpy(at, text.data, text.len);
    return at + text.len;
}

struct task *task_new(struct shard *shard, const struct id *id, uint32_t namespace_id,
                      const struct engine_spec *spec, int64_t created_us)
{
    size_t bytes =
        spec->parameters.len + spec->spec_text.len + spec->environment.len + spec->labels.len;
    struct task *task = mem_alloc(sizeof(*task) + bytes);
    char *at = task->text;

    memset(task, 0, sizeof(*task));
    task->id = *id;
    task->shard = shard;
    task->created_us = created_us;
    task->due_us = spec->run_at_us;
    if (spec->delay_ms)
        task->due_us = MAX_OF(task->due_us, created_us + spec->delay_ms * US_PER_MS);
    task->priority = (int16_t)spec->priority;
    task->parameters_len = (uint32_t)spec->parameters.len;
    task->spec_len = (uint32_t)spec->spec_text.len;
    task->environment_len = (uint32_t)spec->environment.len;
    task->labels_len = (uint32_t)spec->labels.len;
    at = put_slice(at, spec->parameters);
    at = put_slice(at, spec->spec_text);
    at = put_slice(at, spec->environment);
    put_slice(at, spec->labels);
    task->options = options_new(spec);
    task->lane = lane_get(shard, namespace_id, spec);
    task->lane->tasks++;
    shard->engine->stats.tasks_in_memory++;
    shard->engine->stats.bytes_in_memory += task_bytes(task);
    return task;
}

size_t task_bytes(const struct task *task)
{
    return sizeof(*task) + (size_t)task->parameters_len + task->spec_len + task->environment_len +
           task->labels_len + (task->result_owned ? task->result_len : 0);
}

struct slice task_parameters(const struct task *task)
{
    return (struct slice){task->text, task->parameters_len};
}

struct slice task_spec_text(const struct task *task)
{
    return (struct slice){task->text + task->parameters_len, task->spec_len};
}

struct slice task_environment(const struct task *task)
{
    return (struct slice){task->text + task->parameters_len + task->spec_len,
                          task->environment_len};
}

struct slice task_labels(const struct task *task)
{
    return (struct slice){task->text + task->parameters_len + task->spec_len +
                              task->environment_len,
                          task->labels_len};
}

const struct engine_retry *task_retry(const struct task *task)
{
    return task->options ? &task->options->retry : &ENGINE_RETRY_DEFAULT;
}

const struct engine_timeouts *task_timeouts(const struct task *task)
{
    return task->options ? &task->options->timeouts : &NO_TIMEOUTS;
}

struct task *task_find(const struct shard *shard, const struct id *id)
{
    for (struct map_node *n = map_first(&shard->tasks, id_hash(id)); n; n = map_next(n)) {
        struct task *task = CONTAINER_OF(n, struct task, by_id);

        if (id_eq(&task->id, id))
            return task;
    }
    return NULL;
}

void task_enter(struct task *task)
{
    map_insert(&task->shard->tasks, &task->by_id, id_hash(&task->id));
    task->entered = true;
    if (!task->run)
        list_push(&task->shard->young_tasks, &task->age);
}

static void more_free(struct task *task)
{
    struct task_more *more = task->more;

    if (!more)
        return;
    careful_free(task);
    LIST_EACH(&more->watches, node)
    watch_free(task->shard->engine, LIST_ENTRY(node, struct watch, link));
    free(more->failure_text);
    free(more->cancel_text);
    free(more->progress_message);
    free(more);
    task->more = NULL;
}

void task_free(struct task *task)
{
    struct engine *engine = task->shard->engine;

    if (task->lease)
        lease_close(task, false);
    if (task->ready.place)
        lane_remove(task);
    heap_remove(&engine->task_timers, &task->timer);
    if (task->is_closed) {
        engine->closed_len--;
        engine->closed_bytes -= task_bytes(task);
    }
    list_remove(&task->dirty);
    list_remove(&task->age);
    task->away = AWAY_NO;
    if (task->entered)
        map_remove(&task->shard->tasks, &task->by_id);
    if (task->state != ENGINE_TASK_NONE) {
        engine->stats.tasks_by_state[task->state]--;
        task->lane->queue->by_state[task->state]--; /* none is running: its lease is closed */
    }
    engine->stats.tasks_in_memory--;
    engine->stats.bytes_in_memory -= task_bytes(task);
    more_free(task);
    lane_release(task->lane);
    free(task->options);
    if (task->result_owned)
        free((void *)(uintptr_t)task->result);
    free(task);
}

struct task_more *task_more(struct task *task)
{
    if (!task->more) {
        task->more = mem_zalloc(sizeof(*task->more));
        task->more->progress_message = NULL;
        list_init(&task->more->watches);
    }
    return task->more;
}

void task_dirty_parked(struct task *task)
{
    if (!list_linked(&task->dirty))
        list_push(&task->shard->dirty_tasks, &task->dirty);
    shard_dirty(task->shard);
}

void task_dirty_success(struct task *task)
{
    task->row_dirty = true;
    task_dirty_parked(task);
}

void task_dirty(struct task *task)
{
    task->wide = true;
    task_dirty_success(task);
}

void task_set_failure(struct task *task, const struct engine_failure *failure)
{
    struct task_more *more = task_more(task);

    failure_copy(&more->failure, &more->failure_text, failure);
}

void task_set_cancel(struct task *task, int64_t at_us, const char *actor, const char *reason)
{
    struct task_more *more = task_more(task);

    cancel_copy(&more->cancel, &more->cancel_text, at_us, actor, reason);
}

/* A step's result is read by later steps; a lone task's leaves with the batch that is gathering. */
void task_set_result(struct task *task, struct slice result)
{
    struct engine *engine = task->shard->engine;

    assert(!task->result && result.len <= UINT32_MAX);
    if (!result.len)
        return;
    if (task->run) {
        char *copy = mem_alloc(result.len);

        memcpy(copy, result.data, result.len);
        task->result = copy;
        task->result_owned = true;
        engine->stats.bytes_in_memory += result.len;
    } else {
        task->result = arena_memdup(&engine->gather, result.data, result.len);
    }
    task->result_len = (uint32_t)result.len;
}

static void earlier(int64_t *due_us, int64_t candidate_us)
{
    if (candidate_us < *due_us)
        *due_us = candidate_us;
}

/* When the attempt's time is over. After a takeover a running attempt has at least the grace. */
static int64_t attempt_limit_us(const struct task *task)
{
    int64_t at =
        task->started_us + (task_timeouts(task)->attempt_ms + TIMEOUT_MARGIN_MS) * US_PER_MS;

    return MAX_OF(at, task->shard->grace_us);
}

/* When its silence is too long. A program that has not begun to beat may not have begun at all. */
static int64_t silence_limit_us(const struct task *task)
{
    int64_t heartbeat_ms = task_timeouts(task)->heartbeat_ms;

    if (!heartbeat_ms || !task->lease->beat_us)
        return ENGINE_FOREVER;
    return MAX_OF(task->lease->beat_us + heartbeat_ms * US_PER_MS, task->shard->grace_us);
}

static int64_t queue_limit_us(const struct task *task)
{
    return MAX_OF(task->created_us, task->due_us) + task_timeouts(task)->queue_ms * US_PER_MS;
}

static int64_t total_limit_us(const struct task *task)
{
    int64_t at = task->created_us + task_timeouts(task)->total_ms * US_PER_MS;

    return task->lease ? MAX_OF(at, task->shard->grace_us) : at;
}

void task_arm(struct task *task)
{
    struct heap *timers = &task->shard->engine->task_timers;
    const struct engine_timeouts *limits = task_timeouts(task);
    int64_t due = ENGINE_FOREVER;

    if (task_is_terminal(task)) {
        heap_remove(timers, &task->timer);
        return;
    }
    if (task->state == ENGINE_TASK_PENDING || task->state == ENGINE_TASK_RETRYING)
        earlier(&due, task->due_us);
    if (task->state == ENGINE_TASK_READY && limits->queue_ms && task->attempt == 0)
        earlier(&due, queue_limit_us(task));
    if (task->lease) {
        if (task->cancel_requested)
            earlier(&due, task->more->cancel_deadline_us);
        if (task->timed_out)
            earlier(&due, task->due_us);
        else if (limits->attempt_ms)
            earlier(&due, attempt_limit_us(task));
        if (!task->timed_out)
            earlier(&due, silence_limit_us(task));
    }
    if (limits->total_ms && !task->total_over)
        earlier(&due, total_limit_us(task));
    if (due == ENGINE_FOREVER) {
        heap_remove(timers, &task->timer);
        return;
    }
    task->timer_us = due;
    if (task->timer.place)
        heap_update(timers, &task->timer);
    else
        heap_push(timers, &task->timer);
}

static void fail_unleased(struct task *task, const char *code, const char *message)
{
    struct engine_failure failure = {.code = code, .message = message, .step = ""};

    task_set_failure(task, &failure);
    task_finish(task, ENGINE_TASK_FAILED, 0, code, "controller");
}

/* Asks the worker to stop; when it does not answer within a lease time the attempt is closed. */
static void stop_for_time(struct task *task, const char *reason)
{
    if (!task->timed_out) {
        task->timed_out = true;
        task->due_us =
            task->shard->engine->now_us + task->shard->engine->config.lease_ms * US_PER_MS;
        attempt_stop(task, reason);
    }
    task_arm(task);
}

static void timer_leased(struct task *task)
{
    int64_t now = task->shard->engine->now_us;
    const struct engine_timeouts *limits = task_timeouts(task);

    if (task->cancel_requested && task->more->cancel_deadline_us <= now) {
        lease_close(task, false);
        task_finish(task, ENGINE_TASK_CANCELLED, 0, "cancel deadline", "controller");
    } else if (task->timed_out && task->due_us <= now) {
        attempt_fail(task, task->silent ? &FAILURE_SILENT : &FAILURE_TIMEOUT, NULL);
    } else if (limits->total_ms && !task->total_over && total_limit_us(task) <= now) {
        task->total_over = true;
        stop_for_time(task, "total timeout");
    } else if (limits->attempt_ms && !task->timed_out && attempt_limit_us(task) <= now) {
        stop_for_time(task, "attempt timeout");
    } else if (!task->timed_out && silence_limit_us(task) <= now) {
        task->silent = true;
        stop_for_time(task, "heartbeat timeout");
    } else {
        task_arm(task);
    }
}

void task_timer(struct task *task)
{
    int64_t now = task->shard->engine->now_us;
    const struct engine_timeouts *limits = task_timeouts(task);

    if (task->lease)
        timer_leased(task);
    else if (limits->total_ms && total_limit_us(task) <= now)
        fail_unleased(task, "TOTAL_TIMEOUT", "the task took longer than its total timeout");
    else if (task->state == ENGINE_TASK_READY && limits->queue_ms && task->attempt == 0 &&
             queue_limit_us(task) <= now)
        fail_unleased(task, "QUEUE_TIMEOUT", "no worker took the task within its queue timeout");
    else if (task->state != ENGINE_TASK_READY && task->due_us <= now)
        task_make_ready(task);
    else
        task_arm(task);
}
