/* SPDX-License-Identifier: Apache-2.0 */
/* What is past retention goes by whole days, and only when all of it has ended. */
#include "sql/live_store.h"
#include "world.h"

#define SHARD 3
#define DAY_US INT64_C(86400000000)
#define DROPPED_DAYS_AGO 40
#define HELD_DAYS_AGO 41
#define KEPT_DAYS_AGO 29

static void thirty_days(struct store_options *options)
{
    options->retention_ms = 30 * DAY_US / 1000;
    options->key_retention_ms = DAY_US / 1000;
}

static struct engine_task_row old_task(int64_t days_ago, enum engine_task_state state)
{
    struct engine_task_row task = world_task(SHARD);
    int64_t at_us = world_now_us() - days_ago * DAY_US;

    task.id = id_make((uint64_t)at_us / 1000, SHARD, (uint64_t)days_ago);
    task.created_us = at_us;
    task.change.id = task.id;
    task.change.state = state;
    if (engine_task_state_is_terminal(state))
        task.change.finished_us = at_us;
    world_query(&SQL_test_make_day, (struct db_param[]){DB_TIME_PARAM(at_us)}, 1);
    return task;
}

static bool has_day(int64_t days_ago)
{
    int64_t at_us = world_now_us() - days_ago * DAY_US;

    return world_query(&SQL_test_count_partitions, (struct db_param[]){DB_TIME_PARAM(at_us)}, 1) !=
           0;
}

START_TEST(days_past_retention_that_have_ended_are_dropped)
{
    struct node *node = node_owning("first");
    struct engine_shard_batch batch = node_batch(node, SHARD);
    struct engine_task_row tasks[] = {old_task(DROPPED_DAYS_AGO, ENGINE_TASK_CANCELLED),
                                      old_task(HELD_DAYS_AGO, ENGINE_TASK_READY),
                                      old_task(KEPT_DAYS_AGO, ENGINE_TASK_CANCELLED)};

    batch.tasks_insert = tasks;
    batch.tasks_insert_len = ARRAY_LEN(tasks);
    written_wait(node_write(node, &batch, 1));
    ck_assert(!store_is_expired(node->store, &tasks[0].id)); /* it keeps all for ever */
    node_stop(node);

    node = node_new_with("second", thirty_days);
    node_wait_owned(node);
    world_query_until(&SQL_test_day_is_gone,
                      (struct db_param[]){DB_TIME_PARAM(tasks[0].created_us)}, 1);
    ck_assert(has_day(HELD_DAYS_AGO));
    ck_assert(has_day(KEPT_DAYS_AGO));
    ck_assert_int_eq(world_count(&SQL_test_count_tasks), 2);
    ck_assert(store_is_expired(node->store, &tasks[0].id));
    ck_assert(!store_is_expired(node->store, &tasks[2].id));
    node_stop(node);
}
END_TEST

TCase *retention_tcase(void)
{
    TCase *tcase = tcase_create("retention");

    tcase_add_checked_fixture(tcase, world_setup, world_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, days_past_retention_that_have_ended_are_dropped);
    return tcase;
}
