/* SPDX-License-Identifier: Apache-2.0 */
/* Who owns the shards, and from when on. */
#include <string.h>
#include "sql/live_store.h"
#include "world.h"

#define SHARD 2
#define LEASE_MS 1000

static void short_lease(struct store_options *options)
{
    options->shard_lease_ms = LEASE_MS;
    options->lease_margin_ms = 200;
}

START_TEST(a_silent_owner_is_followed_when_its_lease_is_over)
{
    struct node *first = node_new_with("first", short_lease);
    uint64_t began;

    node_wait_owned(first);
    struct node *second = node_new_with("second", short_lease);
    node_kill(first);
    began = clock_monotonic_us();
    node_wait_owned(second);
    ck_assert_uint_ge(second->shards[SHARD].epoch, 2);
    ck_assert_uint_lt(clock_monotonic_us() - began, 5000000);
    ck_assert_int_eq(world_of_shard(&SQL_test_unclean, SHARD), 1);
    node_stop(second);
}
END_TEST

START_TEST(released_shards_are_taken_without_waiting_for_the_lease)
{
    struct node *first = node_owning("first"), *second = node_new("second"); /* a minute's lease */

    node_stop(first);
    node_wait_owned(second);
    ck_assert_int_eq(world_of_shard(&SQL_test_unclean, SHARD), 0);
    node_stop(second);
}
END_TEST

START_TEST(a_restarted_owner_takes_its_shards_back_at_once)
{
    struct node *node = node_owning("first");
    uint32_t epoch = node->shards[SHARD].epoch;

    node_kill(node);
    uint64_t began = clock_monotonic_us();
    node = node_owning("first");
    ck_assert_uint_lt(clock_monotonic_us() - began, 2000000);
    ck_assert_uint_eq(node->shards[SHARD].epoch, epoch + 1);
    ck_assert_int_eq(world_of_shard(&SQL_test_unclean, SHARD), 1); /* it died: that counts */
    node_stop(node);
}
END_TEST

static bool stands_by(void *subject)
{
    return strstr(((struct node *)subject)->health, "standing by") != NULL;
}

static void plan_refused(const struct store_plan *plan, const struct error *err, void *userdata)
{
    ck_assert_ptr_null(plan);
    ck_assert_str_eq(err->reason, "NOT_OWNER");
    *(bool *)userdata = true;
}

START_TEST(a_standby_does_not_act)
{
    struct node *owner = node_owning("first"), *standby = node_new("second");
    struct store_plan plan = {.id = world_id(SHARD),
                              .namespace_id = 1,
                              .name = "p",
                              .description = "",
                              .document = slice_of("{}"),
                              .source = slice_of("{}"),
                              .message = ""};
    struct engine_task_row task = world_task(SHARD);
    struct engine_shard_batch batch = {.shard = SHARD,
                                       .epoch = owner->shards[SHARD].epoch - 1,
                                       .seq = owner->shards[SHARD].seq + 1,
                                       .clock_us = world_now_us(),
                                       .tasks_insert = &task,
                                       .tasks_insert_len = 1};
    uint8_t digest[32] = {0};
    bool refused = false;

    world_wait(stands_by, standby, "it stands by");
    ck_assert_uint_eq(standby->clusters, 1);
    ck_assert_uint_eq(standby->cluster.shards, WORLD_SHARDS);
    for (uint16_t i = 0; i < WORLD_SHARDS; i++) {
        ck_assert(!store_shard_valid(standby->store, i));
        ck_assert_uint_eq(standby->shards[i].loads, 0);
    }
    store_plan_insert(standby->store, &plan, "", digest, plan_refused, &refused);
    ck_assert(!refused); /* never from inside */
    world_wait_flag(&refused, "the plan is refused");
    struct written *written = node_write(standby, &batch, 1);
    written_wait(written);
    ck_assert(!written->durable);
    ck_assert_int_eq(world_count(&SQL_test_count_tasks), 0);
    ck_assert_uint_eq(owner->shards[SHARD].losses, 0);
    ck_assert(store_shard_valid(owner->store, SHARD));
    node_stop(standby);
    node_stop(owner);
}
END_TEST

static void unheld(enum db_outcome outcome, struct db_result *const *results, size_t n,
                   const struct error *err, void *userdata)
{
    if (userdata)
        *(bool *)userdata = outcome != DB_COMMITTED;
}

/* A former owner that holds the row's lock in its transaction and sends nothing more. */
static struct db_conn *stuck_owner(const char *name, bool *ret_ended)
{
    struct db_conn *conn = world_connect(name);
    struct db_param params[] = {DB_I16_PARAM(SHARD)};

    db_query(conn, &SQL_test_become_writer, params, 1, unheld, NULL);
    db_query(conn, &SQL_test_hold_shard, params, 1, unheld, ret_ended);
    world_query_until(&SQL_test_held, NULL, 0);
    return conn;
}

START_TEST(a_stuck_former_owner_is_ended)
{
    bool ended = false;
    struct db_conn *stuck = stuck_owner("plankton-controller a stuck one", &ended);
    struct node *node = node_owning("second");

    world_wait_flag(&ended, "the stuck transaction was ended");
    db_conn_free(stuck);
    node_stop(node);
}
END_TEST

static bool owns_another(void *subject)
{
    return store_shard_valid(((struct node *)subject)->store, SHARD + 1);
}

START_TEST(a_backend_that_is_no_controller_is_left_alone)
{
    bool ended = false;
    struct db_conn *stuck = stuck_owner("an operator", &ended);
    struct node *node = node_new("second");

    /* one row that is held keeps the others back: they are taken together */
    ck_assert(!owns_another(node));
    world_count(&SQL_test_end_holders);
    world_wait_flag(&ended, "it was ended by the test");
    node_wait_owned(node);
    db_conn_free(stuck);
    node_stop(node);
}
END_TEST

START_TEST(a_dropped_shard_is_loaded_anew)
{
    struct node *node = node_owning("first");
    uint32_t epoch = node->shards[SHARD].epoch;

    store_drop(node->store, SHARD, "a read has failed");
    ck_assert_uint_eq(node->shards[SHARD].losses, 1);
    ck_assert(!store_shard_valid(node->store, SHARD));
    store_drop(node->store, SHARD, "again"); /* nothing is left to be lost */
    ck_assert_uint_eq(node->shards[SHARD].losses, 1);
    node_wait_epoch(node, SHARD, epoch);
    ck_assert_uint_eq(node->shards[SHARD + 1].losses, 0);
    node_stop(node);
}
END_TEST

#define DAY_US INT64_C(86400000000)

START_TEST(partitions_follow_the_time_of_the_shards)
{
    int64_t ahead_us = world_now_us() + 40 * DAY_US;
    struct db_param clock[] = {DB_I16_PARAM(SHARD), DB_TIME_PARAM(ahead_us)};
    struct db_param day[] = {DB_TIME_PARAM(ahead_us + DAY_US)};
    struct node *node;
    struct engine_task_row task = world_task(SHARD);

    world_query(&SQL_test_set_clock, clock, 2);
    node = node_owning("first");
    ck_assert_int_ge(node->shards[SHARD].begin.clock_us, ahead_us);
    struct engine_shard_batch batch = node_batch(node, SHARD);
    task.id = id_make((uint64_t)ahead_us / 1000, SHARD, 1);
    batch.tasks_insert = &task;
    batch.tasks_insert_len = 1;
    struct written *written = node_write(node, &batch, 1);
    written_wait(written);
    ck_assert(written->durable);
    ck_assert_int_eq(world_query(&SQL_test_count_partitions, day, 1), 1);
    node_stop(node);
}
END_TEST

TCase *takeover_tcase(void)
{
    TCase *tcase = tcase_create("takeover");

    tcase_add_checked_fixture(tcase, world_setup, world_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_silent_owner_is_followed_when_its_lease_is_over);
    tcase_add_test(tcase, released_shards_are_taken_without_waiting_for_the_lease);
    tcase_add_test(tcase, a_restarted_owner_takes_its_shards_back_at_once);
    tcase_add_test(tcase, a_standby_does_not_act);
    tcase_add_test(tcase, a_stuck_former_owner_is_ended);
    tcase_add_test(tcase, a_backend_that_is_no_controller_is_left_alone);
    tcase_add_test(tcase, a_dropped_shard_is_loaded_anew);
    tcase_add_test(tcase, partitions_follow_the_time_of_the_shards);
    return tcase;
}
