/* SPDX-License-Identifier: Apache-2.0 */
/* Plans: cold reads and writes. A write is one transaction on a read connection, fenced by the home
 * shard's epoch. */
#include <stdlib.h>

#include "sql/plan.h"
#include "store_internal.h"

/* Keys of tasks and runs are the engine's, which must know them all: those of plans stand apart. No
 * key from outside has control characters. */
#define PLAN_KEY_PREFIX "\x01"

struct plan_op {
    struct store *store;
    struct arena arena;
    union {
        store_plan_fn plan;
        store_plans_fn plans;
    } fn;
    void *userdata;
    struct store_plan plan; /* copy of the ids and names that are needed after the write */
    uint8_t key_digest[32];
};

static struct plan_op *op_new(struct store *store, void *userdata)
{
    struct plan_op *op = mem_zalloc(sizeof *op);

    op->store = store;
    op->userdata = userdata;
    arena_init(&op->arena, 0);
    return op;
}

static void op_end(struct plan_op *op)
{
    arena_fini(&op->arena);
    free(op);
}

static void op_fail(struct plan_op *op, enum status status, const char *reason, const char *message)
{
    struct error error = {0};

    error_field(&error, status, reason, NULL, "%s", message);
    op->fn.plan(NULL, &error, op->userdata);
    op_end(op);
}

static void plan_of_row(struct arena *arena, const struct db_result *result, size_t row,
                        struct store_plan *ret)
{
    *ret = (struct store_plan){.id = db_id(result, row, 0),
                               .namespace_id = (uint32_t)db_i64(result, row, 1),
                               .name = row_text(arena, result, row, 2),
                               .description = row_text(arena, result, row, 3),
                               .version = (uint32_t)db_i64(result, row, 4),
                               .document = row_slice(arena, result, row, 5),
                               .source = row_slice(arena, result, row, 6),
                               .message = row_text(arena, result, row, 8),
                               .steps = (uint32_t)db_i64(result, row, 9),
                               .created_us = row_time(result, row, 10),
                               .updated_us = row_time(result, row, 11),
                               .archived_us = row_time(result, row, 12)};
    memcpy(ret->digest, db_slice(result, row, 7).data, 32);
}

static void plan_answered(enum db_outcome outcome, struct db_result *const *results, size_t n,
                          const struct error *err, void *userdata)
{
    struct plan_op *op = userdata;
    struct store_plan plan;

    if (outcome != DB_COMMITTED) {
        op->fn.plan(NULL, err, op->userdata);
    } else if (!db_rows(results[n - 1])) {
        op->fn.plan(NULL, NULL, op->userdata);
    } else {
        plan_of_row(&op->arena, results[n - 1], 0, &plan);
        op->fn.plan(&plan, NULL, op->userdata);
    }
    op_end(op);
}

static void read_plan(struct plan_op *op, uint32_t namespace_id, const struct id *id,
                      const char *name, uint32_t version)
{
    struct db_param params[] = {DB_I32_PARAM(namespace_id), param_id(id), param_text(name),
                                DB_I32_PARAM(version)};

    db_query(store_reader(op->store), &SQL_plan_read, params, 4, plan_answered, op);
}

void store_plan_read(struct store *store, uint32_t namespace_id, const struct id *id,
                     const char *name, uint32_t version, store_plan_fn done, void *userdata)
{
    struct plan_op *op = op_new(store, userdata);

    op->fn.plan = done;
    read_plan(op, namespace_id, id, name, version);
}

/* ---- writes ---- */

static void not_owner(void *userdata)
{
    op_fail(userdata, STATUS_UNAVAILABLE, "NOT_OWNER",
            "this controller does not own the plan's shard at the moment");
}

/* A transaction that is fenced; NULL when the shard is not ours, and then op has been seen to. */
static struct db_txn *txn_fenced(struct plan_op *op, const struct id *id)
{
    const struct shard_slot *slot = &op->store->shards[id_shard(id)];

    if (slot->state != SHARD_OWNED) {
        loop_defer(op->store->loop, not_owner, op);
        return NULL;
    }
    struct db_txn *txn = db_txn_new(store_reader(op->store));
    struct db_param params[] = {DB_I16_PARAM(id_shard(id)), DB_I32_PARAM(slot->epoch)};
    db_txn_add(txn, &SQL_plan_fence, params, 2);
    return txn;
}

/* results: fence, insert. */
static void plan_inserted(enum db_outcome outcome, struct db_result *const *results, size_t n,
                          const struct error *err, void *userdata)
{
    struct plan_op *op = userdata;

    if (outcome != DB_COMMITTED) {
        op_fail(op, STATUS_UNAVAILABLE, err->reason,
                "the plan may not have been saved; repeat the call with the same request id");
        return;
    }
    if (!db_rows(results[1])) {
        op_fail(op, STATUS_ALREADY_EXISTS, "PLAN_NAME_TAKEN", "another plan has this name");
        return;
    }
    struct id id = db_id(results[1], 0, 0);
    struct slice digest = db_slice(results[1], 0, 2);
    bool made = db_i64(results[1], 0, 3) != 0;
    bool same = digest.len == sizeof op->key_digest &&
                memcmp(digest.data, op->key_digest, sizeof op->key_digest) == 0;
    if (!made && !same)
        op_fail(op, STATUS_ALREADY_EXISTS, "REQUEST_ID_CONFLICT",
                "the request id was used with another request");
    else
        read_plan(op, op->plan.namespace_id, &id, NULL, 1);
}

void store_plan_insert(struct store *store, const struct store_plan *plan, const char *key,
                       const uint8_t key_digest[32], store_plan_fn done, void *userdata)
{
    struct plan_op *op = op_new(store, userdata);

    op->fn.plan = done;
    op->plan = (struct store_plan){.id = plan->id, .namespace_id = plan->namespace_id};
    memcpy(op->key_digest, key_digest, sizeof op->key_digest);
    if (*key)
        key = arena_printf(&op->arena, "%s%s", PLAN_KEY_PREFIX, key);
    struct db_txn *txn = txn_fenced(op, &plan->id);
    if (!txn)
        return;
    struct db_param insert[] = {DB_UUID_PARAM(plan->id),
                                DB_I32_PARAM(plan->namespace_id),
                                DB_TIME_PARAM(plan->created_us),
                                DB_TEXT_PARAM(plan->name),
                                DB_TEXT_PARAM(plan->description),
                                DB_I32_PARAM(plan->steps),
                                param_digest(plan->digest),
                                DB_TEXT_PARAM(plan->message),
                                DB_TEXT_PARAM(""),
                                (struct db_param){.kind = DB_TEXT, .slice = plan->document},
                                (struct db_param){.kind = DB_TEXT, .slice = plan->source},
                                DB_TEXT_PARAM(key),
                                DB_I16_PARAM(id_shard(&plan->id)),
                                param_digest(key_digest)};
    db_txn_add(txn, &SQL_plan_insert, insert, ARRAY_LEN(insert));
    db_txn_send(txn, plan_inserted, op);
}

/* results: fence, lock, add. */
static void version_added(enum db_outcome outcome, struct db_result *const *results, size_t n,
                          const struct error *err, void *userdata)
{
    struct plan_op *op = userdata;
    struct id id = op->plan.id;

    if (outcome == DB_FAILED && err->status == STATUS_ALREADY_EXISTS) {
        op_fail(op, STATUS_ALREADY_EXISTS, "PLAN_NAME_TAKEN", "another plan has this name");
    } else if (outcome != DB_COMMITTED) {
        op_fail(op, STATUS_UNAVAILABLE, err->reason,
                "the plan may not have been saved; look at its version before trying again");
    } else if (!db_rows(results[1])) {
        op->fn.plan(NULL, NULL, op->userdata);
        op_end(op);
    } else if (!db_is_null(results[1], 0, 1)) {
        op_fail(op, STATUS_FAILED_PRECONDITION, "PLAN_ARCHIVED", "the plan is archived");
    } else if (!db_rows(results[2])) {
        op_fail(op, STATUS_ABORTED, "ETAG_MISMATCH", "the plan has changed meanwhile");
    } else {
        read_plan(op, op->plan.namespace_id, &id, NULL, (uint32_t)db_i64(results[2], 0, 0));
    }
}

void store_plan_add_version(struct store *store, const struct store_plan *plan, uint32_t expected,
                            store_plan_fn done, void *userdata)
{
    struct plan_op *op = op_new(store, userdata);
    struct db_param lock[] = {DB_UUID_PARAM(plan->id), DB_I32_PARAM(plan->namespace_id)};
    struct db_param add[] = {DB_UUID_PARAM(plan->id),
                             DB_I32_PARAM(plan->namespace_id),
                             DB_I32_PARAM(expected),
                             DB_TIME_PARAM(plan->updated_us),
                             DB_TEXT_PARAM(plan->name),
                             DB_TEXT_PARAM(plan->description),
                             DB_I32_PARAM(plan->steps),
                             param_digest(plan->digest),
                             DB_TEXT_PARAM(plan->message),
                             DB_TEXT_PARAM(""),
                             (struct db_param){.kind = DB_TEXT, .slice = plan->document},
                             (struct db_param){.kind = DB_TEXT, .slice = plan->source}};

    op->fn.plan = done;
    op->plan = (struct store_plan){.id = plan->id, .namespace_id = plan->namespace_id};
    struct db_txn *txn = txn_fenced(op, &plan->id);
    if (!txn)
        return;
    db_txn_add(txn, &SQL_plan_lock, lock, 2);
    db_txn_add(txn, &SQL_plan_add_version, add, ARRAY_LEN(add));
    db_txn_send(txn, version_added, op);
}

static void plan_archived(enum db_outcome outcome, struct db_result *const *results, size_t n,
                          const struct error *err, void *userdata)
{
    struct plan_op *op = userdata;
    struct id id = op->plan.id;

    if (outcome != DB_COMMITTED)
        op_fail(op, STATUS_UNAVAILABLE, err->reason,
                "the plan may not have been archived; repeat the call");
    else
        read_plan(op, op->plan.namespace_id, &id, NULL, 0);
}

void store_plan_archive(struct store *store, uint32_t namespace_id, const struct id *id,
                        int64_t now_us, store_plan_fn done, void *userdata)
{
    struct plan_op *op = op_new(store, userdata);
    struct db_param params[] = {DB_UUID_PARAM(*id), DB_I32_PARAM(namespace_id),
                                DB_TIME_PARAM(now_us)};

    op->fn.plan = done;
    op->plan = (struct store_plan){.id = *id, .namespace_id = namespace_id};
    struct db_txn *txn = txn_fenced(op, id);
    if (!txn)
        return;
    db_txn_add(txn, &SQL_plan_archive, params, 3);
    db_txn_send(txn, plan_archived, op);
}

/* ---- lists ---- */

static void plans_answered(enum db_outcome outcome, struct db_result *const *results, size_t n,
                           const struct error *err, void *userdata)
{
    struct plan_op *op = userdata;

    if (outcome != DB_COMMITTED) {
        op->fn.plans(NULL, 0, err, op->userdata);
    } else {
        size_t len = db_rows(results[0]);
        struct store_plan *plans = ARENA_ARRAY(&op->arena, struct store_plan, len + 1);
        for (size_t i = 0; i < len; i++)
            plan_of_row(&op->arena, results[0], i, &plans[i]);
        op->fn.plans(plans, len, NULL, op->userdata);
    }
    op_end(op);
}

void store_plan_list(struct store *store, const struct store_plan_filter *filter,
                     store_plans_fn done, void *userdata)
{
    struct plan_op *op = op_new(store, userdata);
    struct id before = filter->before;

    if (id_is_nil(&before))
        memset(before.bytes, 0xff, ID_BYTES);
    struct db_param params[] = {DB_I32_PARAM(filter->namespace_id), DB_UUID_PARAM(before),
                                DB_I32_PARAM(filter->limit), DB_BOOL_PARAM(filter->archived),
                                param_text(filter->q)};
    op->fn.plans = done;
    db_query(store_reader(store), &SQL_plan_list, params, 5, plans_answered, op);
}

void store_plan_versions(struct store *store, uint32_t namespace_id, const struct id *id,
                         uint32_t before, uint32_t limit, store_plans_fn done, void *userdata)
{
    struct plan_op *op = op_new(store, userdata);
    struct db_param params[] = {DB_UUID_PARAM(*id), DB_I32_PARAM(namespace_id),
                                DB_I32_PARAM(before), DB_I32_PARAM(limit)};

    op->fn.plans = done;
    db_query(store_reader(store), &SQL_plan_versions, params, 4, plans_answered, op);
}
