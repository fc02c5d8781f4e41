/* SPDX-License-Identifier: Apache-2.0 */
/* API keys. */
#include <stdlib.h>

#include "sql/key.h"
#include "store_internal.h"

struct key_op {
    struct store *store;
    struct arena arena;
    union {
        store_key_fn key;
        store_keys_fn keys;
    } fn;
    void *userdata;
    size_t answer_at; /* statement that has the rows */
};

static struct key_op *op_new(struct store *store, void *userdata)
{
    struct key_op *op = mem_zalloc(sizeof *op);

    op->store = store;
    op->userdata = userdata;
    arena_init(&op->arena, 0);
    return op;
}

static void op_end(struct key_op *op)
{
    arena_fini(&op->arena);
    free(op);
}

static void key_of_row(struct arena *arena, const struct db_result *result, size_t row,
                       struct store_key *ret)
{
    *ret = (struct store_key){.id = db_id(result, row, 0),
                              .namespace_id = (uint32_t)db_i64(result, row, 1),
                              .namespace_name = row_text(arena, result, row, 2),
                              .name = row_text(arena, result, row, 3),
                              .role = str_eq(row_text(arena, result, row, 4), "admin")
                                          ? STORE_ROLE_ADMIN
                                          : STORE_ROLE_WORKER,
                              .single_use = db_i64(result, row, 6) != 0,
                              .created_us = row_time(result, row, 7),
                              .expires_us = row_time(result, row, 8),
                              .revoked_us = row_time(result, row, 9),
                              .last_used_us = row_time(result, row, 10)};
    memcpy(ret->digest, db_slice(result, row, 5).data, 32);
}

static void key_answered(enum db_outcome outcome, struct db_result *const *results, size_t n,
                         const struct error *err, void *userdata)
{
    struct key_op *op = userdata;
    struct store_key key;

    if (outcome != DB_COMMITTED) {
        op->fn.key(NULL, err, op->userdata);
    } else if (!db_rows(results[op->answer_at])) {
        op->fn.key(NULL, NULL, op->userdata);
    } else {
        key_of_row(&op->arena, results[op->answer_at], 0, &key);
        op->fn.key(&key, NULL, op->userdata);
    }
    op_end(op);
}

void store_key_insert(struct store *store, const struct store_key *key, store_key_fn done,
                      void *userdata)
{
    struct key_op *op = op_new(store, userdata);
    struct db_txn *txn = db_txn_new(store_reader(store));
    struct db_param insert[] = {DB_UUID_PARAM(key->id),
                                DB_I32_PARAM(key->namespace_id),
                                DB_TIME_PARAM(key->created_us),
                                param_time(key->expires_us),
                                DB_BOOL_PARAM(key->single_use),
                                DB_TEXT_PARAM(key->role == STORE_ROLE_ADMIN ? "admin" : "worker"),
                                DB_TEXT_PARAM(key->name),
                                param_digest(key->digest)};
    struct db_param find[] = {param_digest(key->digest)};

    op->fn.key = done;
    op->answer_at = 1;
    db_txn_add(txn, &SQL_key_insert, insert, ARRAY_LEN(insert));
    db_txn_add(txn, &SQL_key_by_digest, find, 1);
    db_txn_send(txn, key_answered, op);
}

void store_key_find(struct store *store, const uint8_t digest[32], int64_t now_us,
                    store_key_fn done, void *userdata)
{
    struct key_op *op = op_new(store, userdata);
    struct db_txn *txn = db_txn_new(store_reader(store));
    struct db_param params[] = {param_digest(digest), DB_TIME_PARAM(now_us)};

    op->fn.key = done;
    op->answer_at = 1;
    db_txn_add(txn, &SQL_key_touch, params, 2);
    db_txn_add(txn, &SQL_key_find, params, 2);
    db_txn_send(txn, key_answered, op);
}

void store_key_redeem(struct store *store, const uint8_t digest[32], int64_t now_us,
                      store_key_fn done, void *userdata)
{
    struct key_op *op = op_new(store, userdata);
    struct db_param params[] = {param_digest(digest), DB_TIME_PARAM(now_us)};

    op->fn.key = done;
    db_query(store_reader(store), &SQL_key_redeem, params, 2, key_answered, op);
}

void store_key_revoke(struct store *store, uint32_t namespace_id, const struct id *id,
                      int64_t now_us, store_key_fn done, void *userdata)
{
    struct key_op *op = op_new(store, userdata);
    struct db_txn *txn = db_txn_new(store_reader(store));
    struct db_param params[] = {DB_UUID_PARAM(*id), DB_I32_PARAM(namespace_id),
                                DB_TIME_PARAM(now_us)};

    op->fn.key = done;
    op->answer_at = 1;
    db_txn_add(txn, &SQL_key_revoke, params, 3);
    db_txn_add(txn, &SQL_key_by_id, params, 2);
    db_txn_send(txn, key_answered, op);
}

static void keys_answered(enum db_outcome outcome, struct db_result *const *results, size_t n,
                          const struct error *err, void *userdata)
{
    struct key_op *op = userdata;

    if (outcome != DB_COMMITTED) {
        op->fn.keys(NULL, 0, err, op->userdata);
    } else {
        size_t len = db_rows(results[0]);
        struct store_key *keys = ARENA_ARRAY(&op->arena, struct store_key, len + 1);
        for (size_t i = 0; i < len; i++)
            key_of_row(&op->arena, results[0], i, &keys[i]);
        op->fn.keys(keys, len, NULL, op->userdata);
    }
    op_end(op);
}

void store_key_list(struct store *store, uint32_t namespace_id, const struct id *before,
                    uint32_t limit, store_keys_fn done, void *userdata)
{
    struct key_op *op = op_new(store, userdata);
    struct db_param params[] = {DB_I32_PARAM(namespace_id), param_id(before), DB_I32_PARAM(limit)};

    op->fn.keys = done;
    db_query(store_reader(store), &SQL_key_list, params, 3, keys_answered, op);
}
