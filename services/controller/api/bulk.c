/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bulk: jobs that walk over the tasks that match a filter, newest first, and cancel each or submit
 * it again. A job lives in memory alone: what it has done is durable, how far it came is not.
 */
#include "api_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/list.h"
#include "log/log.h"

#define BULK_KEPT_MAX 100
#define BULK_RUNNING_MAX 4  /* of a namespace */
#define BULK_PAGE 500       /* ids read at a time */
#define BULK_CONCURRENCY 64 /* tasks of a job under way */
#define BULK_AGAIN_MS 500   /* until what was not available is asked for again */
#define BULK_AGAIN_MAX 60   /* times in a row */
#define BULK_FAILURE_BYTES 512

struct bulk {
    struct api *api;
    struct list jobs; /* oldest first */
    uint32_t len;
    struct id first; /* ids of this process are not smaller */
};

struct target {
    struct id id;
    enum engine_task_state state; /* of its row */
};

struct job {
    struct list link;
    struct bulk *bulk;
    struct id id;
    uint32_t namespace_id;
    Plankton__V1__BulkAction action;
    Plankton__V1__TaskFilter *filter; /* own copy */
    bool dry_run;
    char *actor, *reason;
    Plankton__V1__BulkState state;
    int64_t matched, done, skipped, failed, started_us, finished_us;
    char failure[BULK_FAILURE_BYTES];
    struct store_task_filter query; /* before: how far it came */
    struct target page[BULK_PAGE], again[BULK_PAGE];
    uint32_t page_len, page_next, again_len, tries;
    uint32_t open; /* asked, and not answered */
    bool reading, at_end, stopping, pumping;
    struct loop_timer *timer;
};

/* One task on its way. */
struct item {
    struct job *job;
    struct target target;
};

static void job_pump(struct job *job);

static void job_finish(struct job *job, Plankton__V1__BulkState state)
{
    job->state = state;
    job->finished_us = host_now_us(job->bulk->api->host);
    log_info("bulk.finished", LOG_ID("job", &job->id), LOG_U64("matched", (uint64_t)job->matched),
             LOG_U64("done", (uint64_t)job->done), LOG_U64("failed", (uint64_t)job->failed));
}

static void note_failure(struct job *job, const char *message)
{
    if (!job->failure[0])
        snprintf(job->failure, sizeof job->failure, "%s", message ? message : "refused");
}

static void item_end(struct item *item)
{
    struct job *job = item->job;

    job->open--;
    free(item);
    if (!job->pumping)
        job_pump(job);
}

static void item_again(struct item *item)
{
    struct job *job = item->job;

    job->again[job->again_len++] = item->target;
    item_end(item);
}

static void item_failed(struct item *item, const char *message)
{
    item->job->failed++;
    note_failure(item->job, message);
    item_end(item);
}

/* ---- cancel ---- */

static bool is_passing(enum status status)
{
    return status == STATUS_UNAVAILABLE || status == STATUS_RESOURCE_EXHAUSTED;
}

static void item_cancelled(const struct engine_reply *reply, void *userdata)
{
    struct item *item = userdata;

    bool ended = reply->status == STATUS_FAILED_PRECONDITION || reply->status == STATUS_NOT_FOUND;

    if (is_passing(reply->status)) {
        item_again(item);
    } else if (reply->status != STATUS_OK && !ended) {
        item_failed(item, reply->message);
    } else {
        item->job->done += !ended;
        item->job->skipped += ended;
        item_end(item);
    }
}

static void item_cancel(struct item *item)
{
    struct engine_command command = {.kind = ENGINE_CANCEL_TASK,
                                     .cancel_task = {.id = item->target.id,
                                                     .actor = item->job->actor,
                                                     .reason = item->job->reason}};

    host_ask(item->job->bulk->api->host, &command, item_cancelled, NULL, item);
}

/* ---- retry ---- */

static void item_retried(const struct engine_reply *reply, void *userdata)
{
    struct item *item = userdata;

    if (is_passing(reply->status)) {
        item_again(item);
    } else if (reply->status != STATUS_OK) {
        item_failed(item, reply->message);
    } else {
        if (reply->duplicate)
            item->job->skipped++;
        else
            item->job->done++;
        item_end(item);
    }
}

static void item_row(const struct engine_task_row *row, const struct error *err, void *userdata)
{
    struct item *item = userdata;
    struct job *job = item->job;
    struct api *api = job->bulk->api;
    struct engine_command command = {.kind = ENGINE_SUBMIT};
    struct arena arena;

    if (err) {
        item_again(item);
        return;
    }
    if (!row) { /* past retention meanwhile */
        job->skipped++;
        item_end(item);
        return;
    }
    arena_init(&arena, 0);
    command.submit = (struct engine_submit){
        .id = host_new_id(api->host, id_shard(&row->id)),
        .namespace_id = job->namespace_id,
        .actor = job->actor,
        .spec = row->spec,
        .key = arena_printf(&arena, "retry/%s", convert_id(&arena, &row->id)),
        .retry_of = row->id,
        .brief = true};
    spec_complete(api->registry, &arena, &command.submit.spec);
    command.submit.spec.run_at_us = command.submit.spec.delay_ms = 0;
    host_ask(api->host, &command, item_retried, NULL, item);
    arena_fini(&arena);
}

/* ---- one task ---- */

static void item_act(struct item *item)
{
    struct job *job = item->job;

    job->matched++;
    if (job->dry_run)
        item_end(item);
    else if (job->action == PLANKTON__V1__BULK_ACTION__BULK_ACTION_CANCEL)
        item_cancel(item);
    else
        store_read_task(host_store(job->bulk->api->host), &item->target.id, item_row, item);
}

/* Live states stand in memory; a row's is a hint. */
static void item_seen(const struct engine_reply *reply, void *userdata)
{
    struct item *item = userdata;
    enum engine_task_state state = reply->task ? reply->task->state : item->target.state;

    if (is_passing(reply->status))
        item_again(item);
    else if (state == (enum engine_task_state)item->job->filter->state)
        item_act(item);
    else
        item_end(item);
}

static void item_start(struct job *job, const struct target *target)
{
    struct item *item = mem_zalloc(sizeof *item);

    *item = (struct item){job, *target};
    job->open++;
    if (job->query.live_only && job->filter->state) {
        struct engine_command command = {.kind = ENGINE_READ_TASK, .by_id = {.id = target->id}};

        host_ask(job->bulk->api->host, &command, item_seen, NULL, item);
    } else {
        item_act(item);
    }
}

/* ---- the walk ---- */

static void again_due(void *userdata)
{
    struct job *job = userdata;

    memcpy(job->page, job->again, job->again_len * sizeof *job->again);
    job->page_len = job->again_len;
    job->page_next = job->again_len = 0;
    job_pump(job);
}

static void page_read(const struct engine_task_row *rows, size_t n, const struct error *err,
                      void *userdata)
{
    struct job *job = userdata;

    job->reading = false;
    job->page_len = job->page_next = 0;
    if (err) {
        if (!job->stopping && ++job->tries < BULK_AGAIN_MAX) {
            loop_timer_start(job->timer, BULK_AGAIN_MS, 0);
        } else {
            note_failure(job, err->message);
            job_finish(job, PLANKTON__V1__BULK_STATE__BULK_STATE_FAILED);
        }
        return;
    }
    job->tries = 0;
    for (size_t i = 0; i < n; i++)
        job->page[job->page_len++] = (struct target){rows[i].id, rows[i].change.state};
    if (n)
        job->query.before = rows[n - 1].id;
    job->at_end = n < BULK_PAGE;
    job_pump(job);
}

static void page_over(struct job *job)
{
    if (job->stopping) {
        job_finish(job, PLANKTON__V1__BULK_STATE__BULK_STATE_CANCELLED);
    } else if (job->again_len && ++job->tries >= BULK_AGAIN_MAX) {
        note_failure(job, "the controller or its database was not available");
        job_finish(job, PLANKTON__V1__BULK_STATE__BULK_STATE_FAILED);
    } else if (job->again_len) {
        loop_timer_start(job->timer, BULK_AGAIN_MS, 0);
    } else if (job->at_end) {
        job_finish(job, PLANKTON__V1__BULK_STATE__BULK_STATE_SUCCEEDED);
    } else {
        job->reading = true;
        store_list_tasks(host_store(job->bulk->api->host), &job->query, page_read, job);
    }
}

static void job_pump(struct job *job)
{
    if (job->reading || job->state != PLANKTON__V1__BULK_STATE__BULK_STATE_RUNNING)
        return;
    job->pumping = true;
    while (!job->stopping && job->open < BULK_CONCURRENCY && job->page_next < job->page_len)
        item_start(job, &job->page[job->page_next++]);
    job->pumping = false;
    if (job->open == 0)
        page_over(job);
}

/* ---- jobs ---- */

static void job_free(struct job *job)
{
    list_remove(&job->link);
    job->bulk->len--;
    plankton__v1__task_filter__free_unpacked(job->filter, NULL);
    loop_timer_free(job->timer);
    free(job->actor);
    free(job->reason);
    free(job);
}

struct bulk *bulk_new(struct api *api)
{
    struct bulk *bulk = mem_zalloc(sizeof *bulk);

    bulk->api = api;
    list_init(&bulk->jobs);
    return bulk;
}

void bulk_free(struct bulk *bulk)
{
    if (!bulk)
        return;
    LIST_EACH(&bulk->jobs, node)
    job_free(LIST_ENTRY(node, struct job, link));
    free(bulk);
}

static bool is_running(const struct job *job)
{
    return job->state == PLANKTON__V1__BULK_STATE__BULK_STATE_RUNNING;
}

static Plankton__V1__BulkJob *convert_job(struct arena *arena, const struct job *job)
{
    Plankton__V1__BulkJob *out = ARENA_NEW(arena, Plankton__V1__BulkJob);

    plankton__v1__bulk_job__init(out);
    out->id = convert_id(arena, &job->id);
    out->action = job->action;
    out->filter = job->filter; /* the job stays as long as the reply is being written */
    out->dry_run = job->dry_run;
    out->state = job->state;
    out->matched = job->matched;
    out->done = job->done;
    out->skipped = job->skipped;
    out->failed = job->failed;
    out->failure = arena_strdup(arena, job->failure);
    out->actor = arena_strdup(arena, job->actor);
    out->reason = arena_strdup(arena, job->reason);
    out->started_at = convert_time(arena, job->started_us);
    out->finished_at = convert_time(arena, job->finished_us);
    return out;
}

/* The bulk of this call; NULL: the namespace's shard is somebody else's, and so are its jobs. */
static struct bulk *bulk_of(struct rpc_call *call)
{
    struct api *api = rpc_call_service(call);
    uint16_t shard = host_home_shard(api->host, api_principal_of(call)->namespace_id);

    if (!engine_owns(host_engine(api->host), shard)) {
        api_fail(call, STATUS_UNAVAILABLE, "NOT_OWNER", NULL,
                 "this controller does not own the shard");
        return NULL;
    }
    if (id_is_nil(&api->bulk->first))
        api->bulk->first = id_make((uint64_t)(host_now_us(api->host) / 1000), 0, 0);
    return api->bulk;
}

static struct job *job_find(const struct bulk *bulk, uint32_t namespace_id, const struct id *id)
{
    LIST_EACH(&bulk->jobs, node)
    {
        struct job *job = LIST_ENTRY(node, struct job, link);

        if (id_eq(&job->id, id) && job->namespace_id == namespace_id)
            return job;
    }
    return NULL;
}

/* The oldest that is over goes; at most so many run that there is always one. */
static void make_room(struct bulk *bulk)
{
    LIST_EACH(&bulk->jobs, node)
    {
        struct job *job = LIST_ENTRY(node, struct job, link);

        if (bulk->len < BULK_KEPT_MAX)
            return;
        if (!is_running(job))
            job_free(job);
    }
}

/* ---- calls ---- */

static enum status check_action(const Plankton__V1__StartBulkRequest *request, struct error *err)
{
    bool cancel = request->action == PLANKTON__V1__BULK_ACTION__BULK_ACTION_CANCEL;
    bool retry = request->action == PLANKTON__V1__BULK_ACTION__BULK_ACTION_RETRY;
    enum engine_task_state state =
        request->filter ? (enum engine_task_state)request->filter->state : ENGINE_TASK_NONE;
    bool ended = engine_task_state_is_terminal(state) && state != ENGINE_TASK_SKIPPED;

    if (!cancel && !retry)
        return error_field(err, STATUS_INVALID_ARGUMENT, "INVALID_FIELD", "action",
                           "action must be cancel or retry");
    if (state && (cancel ? engine_task_state_is_terminal(state) : !ended))
        return error_field(err, STATUS_INVALID_ARGUMENT, "INVALID_FIELD", "filter.state",
                           "filter.state must be that of %s task",
                           cancel ? "an unfinished" : "a succeeded, failed or cancelled");
    return api_check_text(request->reason, API_REASON_BYTES_MAX, "reason", err);
}

static Plankton__V1__TaskFilter *filter_copy(struct arena *arena,
                                             const Plankton__V1__TaskFilter *filter)
{
    Plankton__V1__TaskFilter none = PLANKTON__V1__TASK_FILTER__INIT;
    size_t len;
    uint8_t *packed;

    if (!filter)
        filter = &none;
    len = plankton__v1__task_filter__get_packed_size(filter);
    packed = arena_alloc(arena, len + 1);
    plankton__v1__task_filter__pack(filter, packed);
    return plankton__v1__task_filter__unpack(NULL, len, packed);
}

/* What the filter says, with what the action takes when it says nothing of states. */
static enum status make_query(struct job *job, struct arena *arena, struct error *err)
{
    bool retry = job->action == PLANKTON__V1__BULK_ACTION__BULK_ACTION_RETRY;
    enum status st;

    if (retry && !job->filter->state)
        job->filter->state = PLANKTON__V1__TASK_STATE__TASK_STATE_FAILED;
    st = api_task_filter(job->filter, "filter.", arena, &job->query, err);
    job->query.namespace_id = job->namespace_id;
    job->query.limit = BULK_PAGE;
    job->query.live_only = !retry;
    if (id_is_nil(&job->query.before) || id_cmp(&job->id, &job->query.before) < 0)
        job->query.before = job->id;
    return st;
}

static struct job *job_new(struct bulk *bulk, struct rpc_call *call,
                           const Plankton__V1__StartBulkRequest *request)
{
    const struct api_principal *principal = api_principal_of(call);
    struct host *host = bulk->api->host;
    struct job *job = mem_zalloc(sizeof *job);

    make_room(bulk);
    job->bulk = bulk;
    job->id = host_new_id(host, host_home_shard(host, principal->namespace_id));
    job->namespace_id = principal->namespace_id;
    job->action = request->action;
    job->dry_run = request->dry_run;
    job->actor = mem_strdup(principal->name);
    job->reason = mem_strdup(request->reason);
    job->filter = filter_copy(rpc_call_arena(call), request->filter);
    job->state = PLANKTON__V1__BULK_STATE__BULK_STATE_RUNNING;
    job->started_us = host_now_us(host);
    job->timer = loop_timer_new(bulk->api->loop, again_due, job);
    list_push(&bulk->jobs, &job->link);
    bulk->len++;
    return job;
}

static void bulk_start(struct rpc_call *call, const Plankton__V1__StartBulkRequest *request)
{
    struct bulk *bulk = bulk_of(call);
    struct error error = {0};
    struct job *job;
    uint32_t running = 0;

    if (!bulk)
        return;
    if (check_action(request, &error) != STATUS_OK) {
        rpc_call_fail(call, &error);
        return;
    }
    LIST_EACH(&bulk->jobs, node)
    {
        const struct job *other = LIST_ENTRY(node, struct job, link);

        running += is_running(other) && other->namespace_id == api_principal_of(call)->namespace_id;
    }
    if (running >= BULK_RUNNING_MAX) {
        api_fail(call, STATUS_RESOURCE_EXHAUSTED, "BULK_MAX", NULL, "%d jobs are running",
                 BULK_RUNNING_MAX);
        return;
    }
    job = job_new(bulk, call, request);
    if (make_query(job, rpc_call_arena(call), &error) != STATUS_OK) {
        rpc_call_fail(call, &error);
        job_free(job);
        return;
    }
    log_info("bulk.started", LOG_ID("job", &job->id), LOG_STR("actor", job->actor),
             LOG_STR("action", job->dry_run           ? "count"
                               : job->query.live_only ? "cancel"
                                                      : "retry"));
    job_pump(job);
    plankton_v1_bulk_start_bulk_reply(call, convert_job(rpc_call_arena(call), job));
}

/* A job of a controller that is no more: the id has its time. */
static struct job *find_or_fail(struct rpc_call *call, struct bulk *bulk, const char *text,
                                bool *ret_lost)
{
    struct error error = {0};
    struct job *job;
    struct id id;

    *ret_lost = false;
    if (api_parse_id(bulk->api, text, "job", &id, &error) != STATUS_OK) {
        rpc_call_fail(call, &error);
        return NULL;
    }
    job = job_find(bulk, api_principal_of(call)->namespace_id, &id);
    *ret_lost = !job && id_cmp(&id, &bulk->first) < 0;
    if (!job && !*ret_lost)
        api_fail(call, STATUS_NOT_FOUND, "NOT_FOUND", "id", "there is no job with this id");
    return job;
}

static void bulk_get(struct rpc_call *call, const Plankton__V1__GetBulkRequest *request)
{
    struct bulk *bulk = bulk_of(call);
    Plankton__V1__BulkJob lost = PLANKTON__V1__BULK_JOB__INIT;
    bool is_lost;
    struct job *job = bulk ? find_or_fail(call, bulk, request->id, &is_lost) : NULL;

    if (job) {
        plankton_v1_bulk_get_bulk_reply(call, convert_job(rpc_call_arena(call), job));
    } else if (bulk && is_lost) {
        lost.id = request->id;
        lost.state = PLANKTON__V1__BULK_STATE__BULK_STATE_LOST;
        lost.failure = "the controller was restarted since: what the job had done is done";
        plankton_v1_bulk_get_bulk_reply(call, &lost);
    }
}

static void bulk_cancel(struct rpc_call *call, const Plankton__V1__CancelBulkRequest *request)
{
    struct bulk *bulk = bulk_of(call);
    bool is_lost;
    struct job *job = bulk ? find_or_fail(call, bulk, request->id, &is_lost) : NULL;

    if (!bulk || (!job && !is_lost))
        return;
    if (!job || !is_running(job)) {
        api_fail(call, STATUS_FAILED_PRECONDITION, "WRONG_STATE", NULL, "the job is over");
        return;
    }
    job->stopping = true;
    job_pump(job);
    plankton_v1_bulk_cancel_bulk_reply(call, convert_job(rpc_call_arena(call), job));
}

static void bulk_list(struct rpc_call *call, const Plankton__V1__ListBulkRequest *request)
{
    struct bulk *bulk = bulk_of(call);
    struct arena *arena = rpc_call_arena(call);
    Plankton__V1__ListBulkResponse reply = PLANKTON__V1__LIST_BULK_RESPONSE__INIT;

    if (!bulk)
        return;
    reply.jobs = ARENA_ARRAY(arena, Plankton__V1__BulkJob *, bulk->len + 1);
    for (struct list *node = bulk->jobs.prev; node != &bulk->jobs; node = node->prev) {
        const struct job *job = LIST_ENTRY(node, struct job, link);

        if (job->namespace_id == api_principal_of(call)->namespace_id)
            reply.jobs[reply.n_jobs++] = convert_job(arena, job);
    }
    plankton_v1_bulk_list_bulk_reply(call, &reply);
}

const struct plankton_v1_bulk_ops api_bulk_ops = {
    .start_bulk = bulk_start,
    .list_bulk = bulk_list,
    .get_bulk = bulk_get,
    .cancel_bulk = bulk_cancel,
};
