/* SPDX-License-Identifier: Apache-2.0 */
/* PlanAPI: plans and their versions. */
#include "api_internal.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "plan/plan.h"

#define PLAN_MESSAGE_BYTES_MAX 512
#define PLAN_QUERY_BYTES_MAX 128
#define RECENT_RUNS 10
#define TYPES_KNOWN_MAX 64

struct plan_op {
    struct api *api;
    struct rpc_call *call;
    struct store_plan plan;
    const struct plan *compiled;
    const char *key;
    uint8_t key_digest[32];
    uint32_t expected;
    struct id before;
    /* lists */
    const char *filter;
    uint32_t limit;
    Plankton__V1__Plan **out;
    size_t n;
    bool versions;
};

static struct plan_op *plan_op_new(struct rpc_call *call)
{
    struct plan_op *op = arena_zalloc(rpc_call_arena(call), sizeof *op);

    op->api = rpc_call_service(call);
    op->call = rpc_call_ref(call);
    return op;
}

static void plan_op_end(struct plan_op *op)
{
    rpc_call_unref(op->call);
}

/* ---- conversion ---- */

static char *etag_of(struct arena *arena, const struct store_plan *plan)
{
    char digest[17];

    text_to_hex(plan->digest, 8, digest);
    return arena_printf(arena, "%u-%s", plan->version, digest);
}

static Plankton__V1__Plan *convert_plan(struct arena *arena, const struct store_plan *plan)
{
    Plankton__V1__Plan *out = ARENA_NEW(arena, Plankton__V1__Plan);

    plankton__v1__plan__init(out);
    out->id = convert_id(arena, &plan->id);
    out->name = arena_strdup(arena, plan->name);
    out->description = arena_strdup(arena, plan->description ? plan->description : "");
    out->version = (int32_t)plan->version;
    out->document = convert_json(arena, plan->document);
    out->source = plan->source.len ? arena_strndup(arena, plan->source.data, plan->source.len) : "";
    out->created_at = convert_time(arena, plan->created_us);
    out->updated_at = convert_time(arena, plan->updated_us);
    out->archived_at = convert_time(arena, plan->archived_us);
    out->etag = etag_of(arena, plan);
    out->step_count = (int32_t)plan->steps;
    out->message = arena_strdup(arena, plan->message ? plan->message : "");
    return out;
}

/* ---- documents ---- */

/* Both forms may come: the gateway sends the raw body beside the document. They must then mean the
 * same. */
static enum status compile_request(struct arena *arena, const Plankton__V1__Json *document,
                                   const char *source, struct plan_request *ret, struct error *err)
{
    struct slice json = slice_of(document ? document->text : "");
    struct slice text = slice_of(source);
    enum status st;

    if (!json.len && !text.len)
        return error_field(err, STATUS_INVALID_ARGUMENT, "PLAN_INVALID", "document",
                           "a plan is needed");
    st = plan_document_from_request(text.len ? text : json, arena, ret, err);
    if (st != STATUS_OK || !text.len || !json.len || slice_eq(text, json))
        return st;
    struct plan_request other;
    st = plan_document_from_request(json, arena, &other, err);
    if (st == STATUS_OK && !str_eq(other.plan->canonical, ret->plan->canonical))
        return error_field(err, STATUS_INVALID_ARGUMENT, "PLAN_INVALID", "source",
                           "document and source are different plans");
    return st;
}

static enum status fill_plan(struct plan_op *op, const Plankton__V1__Json *document,
                             const char *source, const char *message, struct error *err)
{
    struct arena *arena = rpc_call_arena(op->call);
    struct plan_request request;
    enum status st = api_check_text(message, PLAN_MESSAGE_BYTES_MAX, "message", err);

    if (st == STATUS_OK)
        st = compile_request(arena, document, source, &request, err);
    if (st != STATUS_OK)
        return st;
    op->compiled = request.plan;
    op->plan.namespace_id = api_principal_of(op->call)->namespace_id;
    op->plan.name = request.plan->name;
    op->plan.description = request.plan->description;
    op->plan.document = slice_of(request.plan->document);
    op->plan.source = request.source;
    op->plan.message = message;
    op->plan.steps = request.plan->steps_len;
    op->plan.created_us = op->plan.updated_us = host_now_us(op->api->host);
    SHA256((const unsigned char *)request.plan->canonical, strlen(request.plan->canonical),
           op->plan.digest);
    return STATUS_OK;
}

/* ---- warnings: types that nobody offers ---- */

static bool offered(const struct engine_reply *workers, const char *type)
{
    for (uint32_t w = 0; w < workers->workers_len; w++)
        for (uint32_t t = 0; t < workers->workers[w].types_len; t++)
            if (workers->workers[w].state == ENGINE_WORKER_CONNECTED &&
                str_eq(workers->workers[w].types[t], type))
                return true;
    return false;
}

static size_t missing_types(struct arena *arena, const struct plan *plan,
                            const struct engine_reply *workers, char ***ret)
{
    char **warnings = ARENA_ARRAY(arena, char *, TYPES_KNOWN_MAX);
    const char *seen[TYPES_KNOWN_MAX];
    size_t n = 0, seen_len = 0;

    for (uint32_t i = 0; i < plan->steps_len && n < TYPES_KNOWN_MAX && seen_len < TYPES_KNOWN_MAX;
         i++) {
        const char *type = plan->steps[i].task_type;
        bool known = plan->steps[i].kind != PLAN_STEP_TASK;
        for (size_t s = 0; !known && s < seen_len; s++)
            known = str_eq(seen[s], type);
        if (known)
            continue;
        seen[seen_len++] = type;
        if (!offered(workers, type))
            warnings[n++] = arena_printf(arena, "no worker offers type %s", type);
    }
    *ret = warnings;
    return n;
}

/* ---- create and update ---- */

static void saved_with_workers(const struct engine_reply *reply, void *userdata)
{
    struct plan_op *op = userdata;
    struct arena *arena = rpc_call_arena(op->call);
    Plankton__V1__Plan *out = op->out[0];

    if (reply->status == STATUS_OK)
        out->n_warnings = missing_types(arena, op->compiled, reply, &out->warnings);
    rpc_call_reply(op->call, &out->base);
    plan_op_end(op);
}

static void plan_saved(const struct store_plan *plan, const struct error *err, void *userdata)
{
    struct plan_op *op = userdata;
    struct engine_command workers = {.kind = ENGINE_READ_WORKERS};

    if (err || !plan) {
        if (err)
            rpc_call_fail(op->call, err);
        else
            api_fail(op->call, STATUS_NOT_FOUND, "NOT_FOUND", "id", "there is no such plan");
        plan_op_end(op);
        return;
    }
    /* the key was used before: the first plan is given again */
    if (!id_eq(&plan->id, &op->plan.id))
        rpc_call_set_trailer(op->call, "x-plankton-replayed", "1");
    op->out = ARENA_ARRAY(rpc_call_arena(op->call), Plankton__V1__Plan *, 1);
    op->out[0] = convert_plan(rpc_call_arena(op->call), plan);
    host_ask(op->api->host, &workers, saved_with_workers, NULL, op);
}

static void plans_create(struct rpc_call *call, const Plankton__V1__CreatePlanRequest *request)
{
    struct plan_op *op = plan_op_new(call);
    struct host *host = op->api->host;
    Plankton__V1__CreatePlanRequest body = *request;
    struct error error = {0};
    enum status st =
        api_check_text(request->request_id, API_REQUEST_ID_BYTES_MAX, "requestId", &error);

    if (st == STATUS_OK)
        st = fill_plan(op, request->document, request->source, request->message, &error);
    if (st != STATUS_OK) {
        rpc_call_fail(call, &error);
        plan_op_end(op);
        return;
    }
    op->plan.version = 1;
    op->plan.id = host_new_id(host, host_home_shard(host, op->plan.namespace_id));
    body.request_id = (char *)protobuf_c_empty_string;
    api_digest(&body.base, op->key_digest);
    store_plan_insert(host_store(host), &op->plan, request->request_id, op->key_digest, plan_saved,
                      op);
}

static void update_found(struct rpc_call *call, const struct store_plan *plan,
                         const struct error *err, void *userdata)
{
    struct plan_op *op = userdata;

    if (err) {
        rpc_call_fail(call, err);
        plan_op_end(op);
        return;
    }
    if (op->filter && !str_eq(etag_of(rpc_call_arena(call), plan), op->filter)) {
        api_fail(call, STATUS_ABORTED, "ETAG_MISMATCH", "etag", "the plan is at version %u now",
                 plan->version);
        plan_op_end(op);
        return;
    }
    op->plan.id = plan->id;
    op->plan.created_us = plan->created_us;
    store_plan_add_version(host_store(op->api->host), &op->plan, op->filter ? plan->version : 0,
                           plan_saved, op);
}

static void plans_update(struct rpc_call *call, const Plankton__V1__UpdatePlanRequest *request)
{
    struct plan_op *op = plan_op_new(call);
    struct error error = {0};

    if (fill_plan(op, request->document, request->source, request->message, &error) != STATUS_OK) {
        rpc_call_fail(call, &error);
        plan_op_end(op);
        return;
    }
    op->filter = *request->etag ? request->etag : NULL;
    api_read_plan(op->api, call, request->id, 0, update_found, op);
}

/* ---- validate ---- */

static void validated_with_workers(const struct engine_reply *reply, void *userdata)
{
    struct plan_op *op = userdata;
    struct arena *arena = rpc_call_arena(op->call);
    Plankton__V1__ValidatePlanResponse out = PLANKTON__V1__VALIDATE_PLAN_RESPONSE__INIT;

    out.valid = true;
    out.document = convert_json(arena, slice_of(op->compiled->document));
    if (reply->status == STATUS_OK)
        out.n_warnings = missing_types(arena, op->compiled, reply, &out.warnings);
    plankton_v1_plan_api_validate_plan_reply(op->call, &out);
    plan_op_end(op);
}

static void reply_problems(struct plan_op *op, const struct error *error)
{
    struct arena *arena = rpc_call_arena(op->call);
    Plankton__V1__ValidatePlanResponse out = PLANKTON__V1__VALIDATE_PLAN_RESPONSE__INIT;
    struct error_violation alone = {
        .field = error->field, .description = error->message, .hint = NULL};
    const struct error_violation *first = error->violations ? error->violations : &alone;
    size_t n = 0;

    for (const struct error_violation *v = first; v; v = v->next)
        n++;
    out.problems = ARENA_ARRAY(arena, Plankton__V1__PlanProblem *, n);
    for (const struct error_violation *v = first; v; v = v->next) {
        Plankton__V1__PlanProblem *problem = ARENA_NEW(arena, Plankton__V1__PlanProblem);
        plankton__v1__plan_problem__init(problem);
        problem->field = arena_strdup(arena, v->field ? v->field : "");
        problem->description = arena_strdup(arena, v->description);
        problem->hint = arena_strdup(arena, v->hint ? v->hint : "");
        problem->line = (int32_t)v->line;
        problem->column = (int32_t)v->column;
        out.problems[out.n_problems++] = problem;
    }
    plankton_v1_plan_api_validate_plan_reply(op->call, &out);
    plan_op_end(op);
}

static void plans_validate(struct rpc_call *call, const Plankton__V1__ValidatePlanRequest *request)
{
    struct plan_op *op = plan_op_new(call);
    struct engine_command workers = {.kind = ENGINE_READ_WORKERS};
    struct plan_request compiled;
    struct error error = {0};

    if (compile_request(rpc_call_arena(call), request->document, request->source, &compiled,
                        &error) != STATUS_OK) {
        reply_problems(op, &error);
        return;
    }
    op->compiled = compiled.plan;
    host_ask(op->api->host, &workers, validated_with_workers, NULL, op);
}

/* ---- get and list ---- */

static void attach_runs(struct plan_op *op, const struct engine_run_row *rows, size_t n)
{
    struct arena *arena = rpc_call_arena(op->call);

    for (size_t p = 0; p < op->n; p++)
        op->out[p]->recent_runs = ARENA_ARRAY(arena, Plankton__V1__RunBrief *, RECENT_RUNS);
    for (size_t i = 0; i < n; i++) {
        char id[ID_TEXT_BYTES];
        id_format(&rows[i].plan_id, id);
        for (size_t p = 0; p < op->n; p++) {
            Plankton__V1__Plan *plan = op->out[p];
            if (strcmp(plan->id, id) != 0 || plan->n_recent_runs == RECENT_RUNS)
                continue;
            Plankton__V1__RunBrief *brief = ARENA_NEW(arena, Plankton__V1__RunBrief);
            plankton__v1__run_brief__init(brief);
            brief->id = convert_id(arena, &rows[i].id);
            brief->state = (Plankton__V1__RunState)rows[i].change.state;
            brief->created_at = convert_time(arena, rows[i].created_us);
            brief->finished_at = convert_time(arena, rows[i].change.finished_us);
            plan->recent_runs[plan->n_recent_runs++] = brief;
        }
    }
}

static void listed_with_runs(const struct engine_run_row *rows, size_t n, const struct error *err,
                             void *userdata)
{
    struct plan_op *op = userdata;
    Plankton__V1__ListPlansResponse reply = PLANKTON__V1__LIST_PLANS_RESPONSE__INIT;

    if (err) {
        rpc_call_fail(op->call, err);
        plan_op_end(op);
        return;
    }
    attach_runs(op, rows, n);
    if (!op->filter) { /* a single get */
        rpc_call_reply(op->call, &op->out[0]->base);
        plan_op_end(op);
        return;
    }
    reply.plans = op->out;
    reply.n_plans = op->n;
    if (op->n == op->limit)
        reply.next_page_token =
            api_next_page(op->api, rpc_call_arena(op->call), op->filter, &op->before, ID_BYTES);
    plankton_v1_plan_api_list_plans_reply(op->call, &reply);
    plan_op_end(op);
}

static void read_runs(struct plan_op *op, const struct id *ids)
{
    store_recent_runs(host_store(op->api->host), ids, op->n, RECENT_RUNS, listed_with_runs, op);
}

static void plan_got(struct rpc_call *call, const struct store_plan *plan, const struct error *err,
                     void *userdata)
{
    struct plan_op *op = userdata;

    if (err) {
        rpc_call_fail(call, err);
        plan_op_end(op);
        return;
    }
    op->n = 1;
    op->out = ARENA_ARRAY(rpc_call_arena(call), Plankton__V1__Plan *, 1);
    op->out[0] = convert_plan(rpc_call_arena(call), plan);
    op->plan.id = plan->id;
    read_runs(op, &op->plan.id);
}

static void plans_get(struct rpc_call *call, const Plankton__V1__GetPlanRequest *request)
{
    if (request->version < 0) {
        api_fail(call, STATUS_INVALID_ARGUMENT, "INVALID_FIELD", "version",
                 "version must not be negative");
        return;
    }
    struct plan_op *op = plan_op_new(call);
    api_read_plan(op->api, call, request->id, (uint32_t)request->version, plan_got, op);
}

static void plans_listed(const struct store_plan *plans, size_t n, const struct error *err,
                         void *userdata)
{
    struct plan_op *op = userdata;
    struct arena *arena = rpc_call_arena(op->call);

    if (err) {
        rpc_call_fail(op->call, err);
        plan_op_end(op);
        return;
    }
    struct id *ids = ARENA_ARRAY(arena, struct id, n + 1);
    op->n = n;
    op->out = ARENA_ARRAY(arena, Plankton__V1__Plan *, n + 1);
    for (size_t i = 0; i < n; i++) {
        op->out[i] = convert_plan(arena, &plans[i]);
        ids[i] = op->before = plans[i].id;
    }
    read_runs(op, ids);
}

static void plans_list(struct rpc_call *call, const Plankton__V1__ListPlansRequest *request)
{
    struct api *api = rpc_call_service(call);
    uint32_t namespace_id = api_principal_of(call)->namespace_id, limit;
    const char *filter = arena_printf(rpc_call_arena(call), "plans %u %d %s", namespace_id,
                                      request->archived, request->q);
    struct store_plan_filter query = {.namespace_id = namespace_id,
                                      .q = *request->q ? request->q : NULL,
                                      .archived = request->archived};
    struct error error = {0};
    struct id before = {{0}};
    bool has;
    enum status st = api_check_text(request->q, PLAN_QUERY_BYTES_MAX, "q", &error);

    if (st == STATUS_OK)
        st = api_page(api, request->page_size, API_PAGE_DEFAULT, request->page_token, filter,
                      &limit, &before, sizeof before, &has, &error);
    if (st != STATUS_OK) {
        rpc_call_fail(call, &error);
        return;
    }
    struct plan_op *op = plan_op_new(call);
    op->filter = filter;
    op->limit = query.limit = limit;
    if (has)
        query.before = before;
    store_plan_list(host_store(api->host), &query, plans_listed, op);
}

static void versions_listed(const struct store_plan *plans, size_t n, const struct error *err,
                            void *userdata)
{
    struct plan_op *op = userdata;
    struct arena *arena = rpc_call_arena(op->call);
    Plankton__V1__ListPlanVersionsResponse reply = PLANKTON__V1__LIST_PLAN_VERSIONS_RESPONSE__INIT;

    if (err) {
        rpc_call_fail(op->call, err);
        plan_op_end(op);
        return;
    }
    reply.versions = ARENA_ARRAY(arena, Plankton__V1__Plan *, n + 1);
    reply.n_versions = n;
    for (size_t i = 0; i < n; i++)
        reply.versions[i] = convert_plan(arena, &plans[i]);
    if (n == op->limit)
        reply.next_page_token = api_next_page(op->api, arena, op->filter, &plans[n - 1].version,
                                              sizeof plans[n - 1].version);
    plankton_v1_plan_api_list_plan_versions_reply(op->call, &reply);
    plan_op_end(op);
}

static void versions_of(struct rpc_call *call, const struct store_plan *plan,
                        const struct error *err, void *userdata)
{
    struct plan_op *op = userdata;

    if (err) {
        rpc_call_fail(call, err);
        plan_op_end(op);
        return;
    }
    store_plan_versions(host_store(op->api->host), plan->namespace_id, &plan->id, op->expected,
                        op->limit, versions_listed, op);
}

static void plans_list_versions(struct rpc_call *call,
                                const Plankton__V1__ListPlanVersionsRequest *request)
{
    struct plan_op *op = plan_op_new(call);
    struct error error = {0};
    bool has;

    op->filter = arena_printf(rpc_call_arena(call), "versions %u %s",
                              api_principal_of(call)->namespace_id, request->id);
    if (api_page(op->api, request->page_size, API_PAGE_DEFAULT, request->page_token, op->filter,
                 &op->limit, &op->expected, sizeof op->expected, &has, &error) != STATUS_OK) {
        rpc_call_fail(call, &error);
        plan_op_end(op);
        return;
    }
    api_read_plan(op->api, call, request->id, 0, versions_of, op);
}

/* ---- archive ---- */

static void plan_archived(const struct store_plan *plan, const struct error *err, void *userdata)
{
    struct plan_op *op = userdata;

    if (err)
        rpc_call_fail(op->call, err);
    else if (!plan)
        api_fail(op->call, STATUS_NOT_FOUND, "NOT_FOUND", "id", "there is no such plan");
    else
        rpc_call_reply(op->call, &convert_plan(rpc_call_arena(op->call), plan)->base);
    plan_op_end(op);
}

static void archive_found(struct rpc_call *call, const struct store_plan *plan,
                          const struct error *err, void *userdata)
{
    struct plan_op *op = userdata;

    if (err) {
        rpc_call_fail(call, err);
        plan_op_end(op);
        return;
    }
    store_plan_archive(host_store(op->api->host), plan->namespace_id, &plan->id,
                       host_now_us(op->api->host), plan_archived, op);
}

static void plans_archive(struct rpc_call *call, const Plankton__V1__ArchivePlanRequest *request)
{
    struct plan_op *op = plan_op_new(call);

    api_read_plan(op->api, call, request->id, 0, archive_found, op);
}

const struct plankton_v1_plan_api_ops api_plan_ops = {
    .create_plan = plans_create,
    .update_plan = plans_update,
    .validate_plan = plans_validate,
    .get_plan = plans_get,
    .list_plans = plans_list,
    .list_plan_versions = plans_list_versions,
    .archive_plan = plans_archive,
    .start_run = runs_start,
    .get_run = runs_get,
    .list_run_tasks = runs_list_tasks,
    .get_run_graph = runs_graph,
    .list_runs = runs_list,
    .watch_run = runs_watch,
    .cancel_run = runs_cancel,
    .pause_run = runs_pause,
    .resume_run = runs_resume,
    .rerun_run = runs_rerun,
};
