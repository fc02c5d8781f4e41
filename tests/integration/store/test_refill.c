/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's own questions: parked tasks, keys, single tasks. */
#include <stdio.h>
#include "sql/live_store.h"
#include "world.h"

#define SHARD 4
#define TASKS 7
#define READS 700 /* known ones; as many unknown ones */

struct refilled {
    bool done;
    uint64_t read, seq;
    struct id ids[TASKS];
    enum engine_parked_reason parked[TASKS];
    int64_t parked_due_us[TASKS];
    uint32_t len;
    bool at_end;
    int64_t due_next_us;
};

static void refill_answered(const struct engine_command *command, void *userdata)
{
    struct refilled *out = userdata;

    ck_assert_ptr_nonnull(command);
    ck_assert_int_eq(command->kind, ENGINE_REFILL_ROWS);
    const struct engine_refill_answer *answer = &command->refill_rows;
    out->read = answer->read;
    out->seq = answer->seq;
    out->len = answer->tasks_len;
    ck_assert_uint_le(out->len, TASKS);
    for (uint32_t i = 0; i < out->len; i++) {
        out->ids[i] = answer->tasks[i].id;
        out->parked[i] = answer->tasks[i].parked;
        out->parked_due_us[i] = answer->tasks[i].parked_due_us;
    }
    out->at_end = answer->at_end;
    out->due_next_us = answer->due_next_us;
    out->done = true;
}

static struct refilled refill(struct node *node, const struct engine_refill *ask)
{
    struct refilled out = {0};

    store_refill(node->store, SHARD, ask, refill_answered, &out);
    world_wait_flag(&out.done, "the refill");
    ck_assert_uint_eq(out.read, ask->read);
    return out;
}

/* Tasks parked for a reason: of these priorities, due at these times. */
static void park(struct node *node, struct engine_task_row *tasks, enum engine_parked_reason reason,
                 const int64_t *places)
{
    struct engine_shard_batch batch = node_batch(node, SHARD);
    struct engine_parked parked[TASKS];

    for (int i = 0; i < TASKS; i++) {
        tasks[i] = world_task(SHARD);
        parked[i] = (struct engine_parked){
            .id = tasks[i].id, .reason = reason, .namespace_id = 1, .queue = "q", .priority = 5};
        tasks[i].spec.queue = "q";
        if (reason == ENGINE_PARKED_READY)
            tasks[i].spec.priority = parked[i].priority = (int32_t)places[i];
        else
            tasks[i].change.due_us = parked[i].due_us = places[i];
    }
    batch.tasks_insert = tasks;
    batch.tasks_insert_len = TASKS;
    batch.parked_add = parked;
    batch.parked_add_len = TASKS;
    struct written *written = node_write(node, &batch, 1);
    written_wait(written);
    ck_assert(written->durable);
}

static void assert_ids(const struct refilled *got, const struct engine_task_row *tasks,
                       const int *order, uint32_t n)
{
    ck_assert_uint_eq(got->len, n);
    for (uint32_t i = 0; i < n; i++)
        ck_assert_msg(id_eq(&got->ids[i], &tasks[order[i]].id), "place %u has another task", i);
}

START_TEST(ready_tasks_come_by_priority_and_age)
{
    struct node *node = node_owning("first");
    struct engine_task_row tasks[TASKS];
    static const int64_t priorities[TASKS] = {5, 9, 5, 0, 9, 5, -3};
    struct engine_refill ask = {.read = 77,
                                .shard = SHARD,
                                .reason = ENGINE_PARKED_READY,
                                .namespace_id = 1,
                                .queue = "q",
                                .from_start = true,
                                .limit = 3};

    park(node, tasks, ENGINE_PARKED_READY, priorities);
    struct refilled got = refill(node, &ask);
    assert_ids(&got, tasks, (int[]){1, 4, 0}, 3);
    ck_assert(!got.at_end);
    ck_assert_uint_eq(got.seq, node->shards[SHARD].seq);
    ck_assert_int_eq(got.parked[0], ENGINE_PARKED_READY);
    ck_assert_int_eq(got.parked_due_us[0], 0);

    ask.from_start = false;
    ask.priority = 5;
    ask.id = tasks[0].id;
    got = refill(node, &ask);
    assert_ids(&got, tasks, (int[]){2, 5, 3}, 3);
    ck_assert(!got.at_end);

    ask.priority = 0;
    ask.id = tasks[3].id;
    got = refill(node, &ask);
    assert_ids(&got, tasks, (int[]){6}, 1);
    ck_assert(got.at_end);

    ask.queue = "another";
    ask.from_start = true;
    got = refill(node, &ask);
    ck_assert_uint_eq(got.len, 0);
    ck_assert(got.at_end);
    ck_assert_uint_eq(got.seq, node->shards[SHARD].seq);
    node_stop(node);
}
END_TEST

START_TEST(due_tasks_come_by_time_none_is_passed_over)
{
    struct node *node = node_owning("first");
    struct engine_task_row tasks[TASKS];
    int64_t t = world_now_us() + 1000000;
    /* five at the same moment, more than one page takes */
    const int64_t due[TASKS] = {t + 9, t, t, t, t, t, t + 5};
    struct engine_refill ask = {
        .read = 1, .shard = SHARD, .reason = ENGINE_PARKED_DUE, .until_us = t + 7, .limit = 2};

    park(node, tasks, ENGINE_PARKED_DUE, due);
    struct refilled got = refill(node, &ask);
    assert_ids(&got, tasks, (int[]){1, 2}, 2);
    ck_assert(!got.at_end);
    ck_assert_int_eq(got.parked[0], ENGINE_PARKED_DUE);
    ck_assert_int_eq(got.parked_due_us[0], t);

    ask.after_us = t;
    ask.id = tasks[2].id;
    got = refill(node, &ask);
    assert_ids(&got, tasks, (int[]){3, 4}, 2);
    ask.id = tasks[4].id;
    ask.limit = 5;
    got = refill(node, &ask);
    assert_ids(&got, tasks, (int[]){5, 6}, 2);
    ck_assert(got.at_end);
    ck_assert_int_eq(got.due_next_us, t + 9);

    ask.after_us = t + 7;
    ask.until_us = t + 20;
    got = refill(node, &ask);
    assert_ids(&got, tasks, (int[]){0}, 1);
    ck_assert(got.at_end);
    ck_assert_int_eq(got.due_next_us, ENGINE_FOREVER);
    node_stop(node);
}
END_TEST

START_TEST(a_parked_task_whose_row_has_gone_hides_nothing_behind_it)
{
    struct node *node = node_owning("first");
    struct engine_task_row tasks[TASKS];
    static const int64_t priorities[TASKS] = {5, 5, 5, 5, 5, 5, 5};
    struct engine_refill ask = {.read = 3,
                                .shard = SHARD,
                                .reason = ENGINE_PARKED_READY,
                                .namespace_id = 1,
                                .queue = "q",
                                .from_start = true,
                                .limit = 3};

    park(node, tasks, ENGINE_PARKED_READY, priorities);
    struct db_param gone[] = {DB_UUID_PARAM(tasks[1].id)};
    world_query(&SQL_test_delete_task, gone, 1);
    struct refilled got = refill(node, &ask);
    assert_ids(&got, tasks, (int[]){0, 2}, 2);
    ck_assert(!got.at_end);
    node_stop(node);
}
END_TEST

/* ---- keys ---- */

struct key_answer {
    bool done;
    struct engine_key_answer answer;
};

static void key_answered(const struct engine_command *command, void *userdata)
{
    struct key_answer *out = userdata;

    ck_assert_ptr_nonnull(command);
    ck_assert_int_eq(command->kind, ENGINE_KEY_ROW);
    out->answer = command->key_row;
    out->done = true;
}

static struct engine_key_answer lookup(struct node *node, const char *key)
{
    struct engine_key_lookup ask = {.read = 9, .shard = SHARD, .namespace_id = 1, .key = key};
    struct key_answer out = {0};

    store_key_lookup(node->store, &ask, key_answered, &out);
    world_wait_flag(&out.done, "the key");
    ck_assert_uint_eq(out.answer.read, 9);
    return out.answer;
}

START_TEST(keys_are_found_again)
{
    struct node *node = node_owning("first");
    struct engine_task_row task = world_task(SHARD);
    struct engine_shard_batch batch = node_batch(node, SHARD);
    struct engine_key_row keys[] = {
        {.namespace_id = 1, .key = "order-1", .digest = {1, 2, 3}, .id = task.id},
        {.namespace_id = 1,
         .key = "order-2",
         .digest = {4},
         .id = world_id(SHARD),
         .is_run = true}};

    batch.tasks_insert = &task;
    batch.tasks_insert_len = 1;
    batch.keys_insert = keys;
    batch.keys_insert_len = 2;
    written_wait(node_write(node, &batch, 1));
    struct engine_key_answer answer = lookup(node, "order-1");
    ck_assert(answer.found && !answer.is_run);
    ck_assert(id_eq(&answer.id, &task.id));
    ck_assert_mem_eq(answer.digest, keys[0].digest, ENGINE_DIGEST_BYTES);
    answer = lookup(node, "order-2");
    ck_assert(answer.found && answer.is_run);
    ck_assert(!lookup(node, "order-3").found);

    node_stop(node);
    node = node_owning("second");
    const struct engine_load_begin *begin = &node->shards[SHARD].begin;
    ck_assert(begin->keys_complete);
    ck_assert_uint_eq(begin->key_hashes_len, 2);
    uint64_t hash = engine_key_hash(1, "order-1");
    ck_assert(begin->key_hashes[0] == hash || begin->key_hashes[1] == hash);
    ck_assert(node->shards[SHARD + 1].begin.keys_complete);
    ck_assert_uint_eq(node->shards[SHARD + 1].begin.key_hashes_len, 0);
    node_stop(node);
}
END_TEST

START_TEST(many_lookups_of_one_turn_are_all_answered)
{
    struct node *node = node_owning("first");
    struct engine_shard_batch batch = node_batch(node, SHARD);
    struct engine_key_row keys[50];
    struct key_answer answers[100] = {{0}};
    char names[100][16];

    for (int i = 0; i < 100; i++) {
        snprintf(names[i], sizeof names[i], "k%d", i);
        if (i < 50)
            keys[i] =
                (struct engine_key_row){.namespace_id = 1, .key = names[i], .id = world_id(SHARD)};
    }
    batch.keys_insert = keys;
    batch.keys_insert_len = 50;
    written_wait(node_write(node, &batch, 1));
    for (int i = 0; i < 100; i++) {
        struct engine_key_lookup ask = {
            .read = (uint64_t)i + 1, .shard = SHARD, .namespace_id = 1, .key = names[i]};
        store_key_lookup(node->store, &ask, key_answered, &answers[i]);
    }
    for (int i = 0; i < 100; i++) {
        world_wait_flag(&answers[i].done, "a key");
        ck_assert_uint_eq(answers[i].answer.read, (unsigned)i + 1);
        ck_assert(answers[i].answer.found == (i < 50));
        if (i < 50)
            ck_assert(id_eq(&answers[i].answer.id, &keys[i].id));
    }
    node_stop(node);
}
END_TEST

struct row_answer {
    bool done, found;
    struct id id;
};

static void row_answered(const struct engine_task_row *row, const struct error *err, void *userdata)
{
    struct row_answer *out = userdata;

    ck_assert_ptr_null(err);
    out->done = true;
    out->found = row != NULL;
    if (row)
        out->id = row->id;
}

/* More than two statements take: what waits is asked when one of them is answered. */
START_TEST(many_reads_of_one_turn_are_all_answered)
{
    struct node *node = node_owning("first");
    struct engine_shard_batch batch = node_batch(node, SHARD);
    static struct engine_task_row tasks[READS];
    static struct row_answer answers[2 * READS];

    memset(answers, 0, sizeof answers);
    for (int i = 0; i < READS; i++)
        tasks[i] = world_task(SHARD);
    batch.tasks_insert = tasks;
    batch.tasks_insert_len = READS;
    written_wait(node_write(node, &batch, 1));
    for (int i = 0; i < READS; i++) {
        struct id unknown = world_id(SHARD);

        store_read_task(node->store, &tasks[i].id, row_answered, &answers[2 * i]);
        store_read_task(node->store, &unknown, row_answered, &answers[2 * i + 1]);
    }
    for (int i = 0; i < 2 * READS; i++) {
        world_wait_flag(&answers[i].done, "a row");
        ck_assert(answers[i].found == (i % 2 == 0));
        ck_assert(!answers[i].found || id_eq(&answers[i].id, &tasks[i / 2].id));
    }
    node_stop(node);
}
END_TEST

static void task_answered(const struct engine_command *command, void *userdata)
{
    struct node *node = userdata;

    ck_assert_ptr_nonnull(command);
    ck_assert_int_eq(command->kind, ENGINE_TASK_ROW);
    ck_assert_uint_eq(command->task_row.read, 6);
    if (command->task_row.row)
        node->rows[node->rows_len++] = describe_task(&node->arena, command->task_row.row);
    node->stopped = true; /* answered */
}

START_TEST(a_task_is_looked_up_whole)
{
    struct node *node = node_owning("first");
    struct engine_task_row task = world_task(SHARD);
    struct engine_shard_batch batch = node_batch(node, SHARD);
    struct engine_task_lookup ask = {.read = 6, .id = task.id};

    task.spec.parameters = slice_of("{\"n\":1}");
    task.change.state = ENGINE_TASK_SUCCEEDED;
    task.change.finished_us = world_now_us();
    task.change.result = slice_of("[1]");
    batch.tasks_insert = &task;
    batch.tasks_insert_len = 1;
    written_wait(node_write(node, &batch, 1));
    store_task_lookup(node->store, &ask, task_answered, node);
    world_wait_flag(&node->stopped, "the task");
    ck_assert(node_has_row(node, describe_task(&node->arena, &task)));
    node_forget(node);
    node->stopped = false;
    ask.id = world_id(SHARD);
    store_task_lookup(node->store, &ask, task_answered, node);
    world_wait_flag(&node->stopped, "no task");
    ck_assert_uint_eq(node->rows_len, 0);
    node->stopped = false;
    node_stop(node);
}
END_TEST

TCase *refill_tcase(void)
{
    TCase *tcase = tcase_create("refill");

    tcase_add_checked_fixture(tcase, world_setup, world_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, ready_tasks_come_by_priority_and_age);
    tcase_add_test(tcase, due_tasks_come_by_time_none_is_passed_over);
    tcase_add_test(tcase, a_parked_task_whose_row_has_gone_hides_nothing_behind_it);
    tcase_add_test(tcase, keys_are_found_again);
    tcase_add_test(tcase, many_lookups_of_one_turn_are_all_answered);
    tcase_add_test(tcase, many_reads_of_one_turn_are_all_answered);
    tcase_add_test(tcase, a_task_is_looked_up_whole);
    return tcase;
}
