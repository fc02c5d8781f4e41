/* SPDX-License-Identifier: Apache-2.0 */
/* Doctor: what the engine finds in memory, what stands in the database, and how to mend each. */
#include "api_internal.h"

#define NO_WORKER_MS_DEFAULT 60000
#define NO_WORKER_SECONDS_MAX (31 * 24 * 3600)
#define JOURNAL_OLD_US (INT64_C(600) * 1000000)
#define EVENTS_OLD_US (INT64_C(30) * 1000000)
#define SHARD_FINDINGS 3 /* at most, of one shard */

struct doctor_op {
    struct api *api;
    struct rpc_call *call;
    int64_t no_worker_us;
    Plankton__V1__Diagnosis reply;
};

static Plankton__V1__Finding *add(struct doctor_op *op, Plankton__V1__FindingKind kind,
                                  int64_t since_us)
{
    struct arena *arena = rpc_call_arena(op->call);
    Plankton__V1__Finding *finding = ARENA_NEW(arena, Plankton__V1__Finding);

    plankton__v1__finding__init(finding);
    finding->kind = kind;
    finding->since = convert_time(arena, since_us);
    op->reply.findings[op->reply.n_findings++] = finding;
    return finding;
}

static void add_engine(struct doctor_op *op, const struct engine_finding *from)
{
    struct arena *arena = rpc_call_arena(op->call);
    Plankton__V1__Finding *finding = add(op, (Plankton__V1__FindingKind)from->kind, from->since_us);

    finding->count = (int64_t)from->count;
    if (from->kind == ENGINE_FINDING_NO_WORKER) {
        finding->subject = arena_printf(arena, "%s/%s", from->queue, from->type);
        finding->message = arena_strdup(arena, from->why);
        finding->mend = "connect a worker that can run them, or cancel them: plankton bulk cancel";
        return;
    }
    finding->subject = convert_id(arena, &from->id);
    finding->message = arena_printf(
        arena, "it is %s, and has neither an owner nor a deadline nor a reason to wait", from->why);
    finding->mend = from->kind == ENGINE_FINDING_TASK_STUCK
                        ? "cancel it, or restart the controller: it is read anew; please report it"
                        : "cancel the run, or restart the controller: it is read anew; please "
                          "report it";
}

static void add_shard(struct doctor_op *op, const struct store_shard_health *shard)
{
    struct arena *arena = rpc_call_arena(op->call);
    bool unsaved =
        shard->unsaved_since_us && shard->unsaved_since_us + EVENTS_OLD_US < shard->now_us;
    char *subject = arena_printf(arena, "shard %u", shard->shard);
    Plankton__V1__Finding *finding;

    if (!shard->owned) {
        finding = add(op, PLANKTON__V1__FINDING_KIND__FINDING_KIND_SHARD_UNOWNED, 0);
        finding->subject = subject;
        finding->message = "no controller owns it: nothing of it goes on";
        finding->mend = "start a controller; when one runs, its log says why it does not take it";
    }
    if (unsaved) {
        finding =
            add(op, PLANKTON__V1__FINDING_KIND__FINDING_KIND_LOGGER_LAGS, shard->unsaved_since_us);
        finding->subject = subject;
        finding->count = (int64_t)shard->events_unsaved;
        finding->message = "the logger has not stored its events";
        finding->mend = "see whether the logger runs, and whether the controller's --logger is its "
                        "address";
    }
    if (shard->journal_since_us && shard->journal_since_us + JOURNAL_OLD_US < shard->now_us) {
        finding = add(op, PLANKTON__V1__FINDING_KIND__FINDING_KIND_JOURNAL_GROWS,
                      shard->journal_since_us);
        finding->subject = subject;
        finding->count = (int64_t)shard->journal_rows;
        finding->message = "its journal does not shrink";
        finding->mend =
            unsaved        ? "its rows go when the logger has stored their events"
            : shard->owned ? "its rows go with the next batch; if they stay, restart the controller"
                           : "its rows go when a controller owns the shard";
    }
}

static void add_held(struct doctor_op *op, const struct store_held_day *day)
{
    struct arena *arena = rpc_call_arena(op->call);
    Plankton__V1__Finding *finding = add(op, PLANKTON__V1__FINDING_KIND__FINDING_KIND_DAY_HELD, 0);

    finding->subject = arena_strdup(arena, day->day);
    finding->message = arena_printf(arena, "past retention, and held by %s, which has not ended",
                                    convert_id(arena, &day->by));
    finding->mend = "cancel what holds it, or wait for its end; the day goes within the hour";
}

static void health_read(const struct store_shard_health *shards, size_t n, const struct error *err,
                        void *userdata)
{
    struct doctor_op *op = userdata;
    struct arena *arena = rpc_call_arena(op->call);
    const struct engine_finding *findings;
    const struct store_held_day *days;
    uint32_t len;
    size_t held;

    if (err) {
        rpc_call_fail(op->call, err);
        rpc_call_unref(op->call);
        return;
    }
    findings = engine_findings(host_engine(op->api->host), op->no_worker_us, arena, &len);
    days = store_held_days(host_store(op->api->host), &held);
    op->reply.findings =
        ARENA_ARRAY(arena, Plankton__V1__Finding *, len + held + n * SHARD_FINDINGS + 1);
    for (uint32_t i = 0; i < len; i++)
        if (findings[i].namespace_id == api_principal_of(op->call)->namespace_id)
            add_engine(op, &findings[i]);
    for (size_t i = 0; i < n; i++)
        add_shard(op, &shards[i]);
    for (size_t i = 0; i < held; i++)
        add_held(op, &days[i]);
    plankton_v1_doctor_diagnose_reply(op->call, &op->reply);
    rpc_call_unref(op->call);
}

static void doctor_diagnose(struct rpc_call *call, const Plankton__V1__DiagnoseRequest *request)
{
    const Google__Protobuf__Duration *wait = request->no_worker_for;
    struct doctor_op *op;

    if (wait && (wait->seconds < 0 || wait->nanos < 0 || wait->seconds > NO_WORKER_SECONDS_MAX)) {
        api_fail(call, STATUS_INVALID_ARGUMENT, "INVALID_FIELD", "noWorkerFor",
                 "noWorkerFor must be between 0 and 31 days");
        return;
    }
    op = arena_zalloc(rpc_call_arena(call), sizeof *op);
    op->api = rpc_call_service(call);
    op->call = rpc_call_ref(call);
    op->no_worker_us =
        wait ? wait->seconds * 1000000 + wait->nanos / 1000 : INT64_C(1000) * NO_WORKER_MS_DEFAULT;
    plankton__v1__diagnosis__init(&op->reply);
    store_read_health(host_store(op->api->host), health_read, op);
}

const struct plankton_v1_doctor_ops api_doctor_ops = {.diagnose = doctor_diagnose};
