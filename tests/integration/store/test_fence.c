/* SPDX-License-Identifier: Apache-2.0 */
/* Who may not write, does not; and whatever fails takes the memory of its shards with it. */
#include "sql/live_store.h"
#include "store_internal.h"
#include "world.h"

#define SHARD 5
#define OTHER 6
#define POSTGRES_CTL PLANKTON_SOURCE_DIR "/tests/integration/postgres-ctl"

static struct written *write_task(struct node *node, const struct engine_task_row *task)
{
    struct engine_shard_batch batch = node_batch(node, id_shard(&task->id));

    batch.tasks_insert = task;
    batch.tasks_insert_len = 1;
    return node_write(node, &batch, 1);
}

START_TEST(a_deposed_owner_writes_nothing)
{
    struct node *node = node_owning("first");
    struct engine_task_row task = world_task(SHARD);

    world_of_shard(&SQL_test_depose, SHARD);
    struct written *written = write_task(node, &task);
    written_wait(written);
    ck_assert(!written->durable);
    node_wait_lost(node, SHARD, 0);
    ck_assert_int_eq(world_count(&SQL_test_count_tasks), 0);
    ck_assert(!store_shard_valid(node->store, SHARD));
    ck_assert(store_shard_valid(node->store, OTHER)); /* the others go on */
    ck_assert_uint_eq(node->shards[OTHER].losses, 0);
    node_stop(node);
}
END_TEST

START_TEST(a_renewal_tells_a_deposed_owner)
{
    struct node *node = node_owning("first");

    world_of_shard(&SQL_test_depose, SHARD);
    node_wait_lost(node, SHARD, 0);
    ck_assert_str_eq(node->shards[SHARD].why, "another controller has taken it");
    ck_assert_uint_eq(node->shards[OTHER].losses, 0);
    node_stop(node);
}
END_TEST

START_TEST(a_gap_in_the_sequence_loses_the_batch_and_the_shard)
{
    struct node *node = node_owning("first");
    struct engine_task_row task = world_task(SHARD);
    uint32_t epoch = node->shards[SHARD].epoch;

    node->shards[SHARD].seq++;
    struct written *written = write_task(node, &task);
    written_wait(written);
    ck_assert(!written->durable);
    node_wait_epoch(node, SHARD, epoch); /* and is taken anew by itself */
    ck_assert_uint_eq(node->shards[SHARD].losses, 1);
    ck_assert_int_eq(world_count(&SQL_test_count_tasks), 0);
    ck_assert_int_eq(world_of_shard(&SQL_test_unclean, SHARD), 0); /* nobody has died */
    ck_assert(write_task(node, &task) != NULL);
    node_stop(node);
    ck_assert_int_eq(world_count(&SQL_test_count_tasks), 1);
}
END_TEST

START_TEST(a_batch_behind_a_failed_one_fails_too)
{
    struct node *node = node_owning("first");
    struct engine_task_row task = world_task(SHARD), next = world_task(SHARD),
                           unrelated = world_task(OTHER);
    uint32_t epoch = node->shards[SHARD].epoch;

    written_wait(write_task(node, &task));
    struct engine_shard_batch pair[] = {node_batch(node, SHARD), node_batch(node, OTHER)};
    pair[0].tasks_insert = &task; /* it stands already */
    pair[1].tasks_insert = &unrelated;
    pair[0].tasks_insert_len = pair[1].tasks_insert_len = 1;
    struct written *failed = node_write(node, pair, 2), *behind = write_task(node, &next);
    struct written *empty = node_write(node, NULL, 0);
    written_wait(empty);
    ck_assert(!failed->durable && !behind->durable);
    ck_assert_uint_lt(failed->order, behind->order);
    node_wait_epoch(node, SHARD, epoch);
    node_wait_epoch(node, OTHER, epoch); /* a failed batch loses all its shards */
    ck_assert_uint_eq(node->shards[OTHER + 1].losses, 0);
    ck_assert_int_eq(world_count(&SQL_test_count_tasks), 1);
    node_stop(node);
}
END_TEST

/* Memory and rows disagree: nothing of such a batch may stand. */
START_TEST(a_batch_that_misses_a_row_writes_nothing)
{
    struct node *node = node_owning("first");
    struct engine_task_row known = world_task(SHARD), task = world_task(SHARD);
    struct engine_task_success ends[2];
    uint32_t epoch = node->shards[SHARD].epoch;

    written_wait(write_task(node, &known));
    for (int i = 0; i < 2; i++)
        ends[i] = (struct engine_task_success){.id = i ? world_id(SHARD) : known.id,
                                               .attempt = 1,
                                               .worker = world_id(0),
                                               .started_us = world_now_us(),
                                               .finished_us = world_now_us()};
    struct engine_shard_batch batch = node_batch(node, SHARD);
    batch.tasks_insert = &task;
    batch.tasks_insert_len = 1;
    batch.tasks_succeed = ends; /* there is no second task */
    batch.tasks_succeed_len = 2;
    struct written *written = node_write(node, &batch, 1);
    written_wait(written);
    ck_assert(!written->durable);
    node_wait_epoch(node, SHARD, epoch);
    ck_assert_uint_eq(node->shards[SHARD].losses, 1);
    ck_assert_int_eq(world_count(&SQL_test_count_tasks), 1);
    ck_assert_uint_eq(node->rows_len, 1); /* and that one has not ended */
    node_stop(node);
}
END_TEST

START_TEST(a_finished_task_is_never_written_again)
{
    struct node *node = node_owning("first");
    struct engine_task_row task = world_task(SHARD);
    struct engine_shard_batch batch;
    uint32_t epoch = node->shards[SHARD].epoch;

    task.change.state = ENGINE_TASK_CANCELLED;
    task.change.finished_us = world_now_us();
    written_wait(write_task(node, &task));
    batch = node_batch(node, SHARD);
    task.change.state = ENGINE_TASK_READY;
    batch.tasks_update = &task.change;
    batch.tasks_update_len = 1;
    struct written *written = node_write(node, &batch, 1);
    written_wait(written);
    ck_assert(!written->durable);
    node_wait_epoch(node, SHARD, epoch);
    ck_assert_uint_eq(node->rows_len, 0); /* still finished: a load does not bring it back */
    node_stop(node);
}
END_TEST

static void held(enum db_outcome outcome, struct db_result *const *results, size_t n,
                 const struct error *err, void *userdata)
{
}

/* Somebody holds the shard's row until its connection is freed. */
static struct db_conn *hold_shard(uint16_t shard)
{
    struct db_conn *holder = world_connect("plankton-controller holder");
    struct db_param params[] = {DB_I16_PARAM(shard)};

    db_query(holder, &SQL_test_hold_shard, params, 1, held, NULL);
    world_query_until(&SQL_test_held, NULL, 0);
    return holder;
}

static void patient(struct store_options *options)
{
    options->lock_timeout_ms = 10000;
    options->renew_ms = 60000;
}

START_TEST(an_unknown_outcome_is_a_lost_batch)
{
    struct node *node = node_new_with("first", patient);
    struct engine_task_row task = world_task(SHARD);
    struct db_param name[] = {DB_TEXT_PARAM("plankton-controller first")};

    node_wait_owned(node);
    uint32_t epoch = node->shards[SHARD].epoch;
    struct db_conn *holder = hold_shard(SHARD);
    struct written *written = write_task(node, &task);
    world_query_until(&SQL_test_waiting, name, 1);
    world_query(&SQL_test_end_backends, name, 1);
    written_wait(written);
    ck_assert(!written->durable);
    world_count(&SQL_test_end_holders);
    for (uint16_t i = 0; i < WORLD_SHARDS; i++) {
        node_wait_epoch(node, i, epoch);
        ck_assert_uint_eq(node->shards[i].losses, 1);
    }
    db_conn_free(holder);
    ck_assert_int_eq(world_count(&SQL_test_count_tasks), 0);
    node_stop(node);
}
END_TEST

START_TEST(what_committed_unseen_is_found_by_the_load)
{
    struct node *node = node_new_with("first", patient);
    struct engine_task_row task = world_task(SHARD);
    struct db_param name[] = {DB_TEXT_PARAM("plankton-controller first")};

    node_wait_owned(node);
    uint32_t epoch = node->shards[SHARD].epoch;
    struct db_conn *holder = hold_shard(SHARD);
    struct written *written = write_task(node, &task);
    world_query_until(&SQL_test_waiting, name, 1);
    db_conn_reset(node->store->writer); /* the server does not notice, and commits */
    written_wait(written);
    ck_assert(!written->durable);
    world_count(&SQL_test_end_holders);
    node_wait_epoch(node, SHARD, epoch);
    db_conn_free(holder);
    /* the bump waited for the old batch, so the load has seen it */
    ck_assert(node_has_row(node, describe_task(&node->arena, &task)));
    node_stop(node);
}
END_TEST

START_TEST(a_restart_of_postgresql_is_survived)
{
    struct node *node = node_owning("first");
    struct engine_task_row task = world_task(SHARD), next = world_task(SHARD);
    uint32_t epoch = node->shards[SHARD].epoch;

    written_wait(write_task(node, &task));
    world_run(POSTGRES_CTL " crash");
    node_wait_lost(node, SHARD, 0);
    for (uint16_t i = 0; i < WORLD_SHARDS; i++)
        node_wait_epoch(node, i, epoch);
    node_wait_owned(node);
    ck_assert_str_eq(node->health, "");
    ck_assert(node_has_row(node, describe_task(&node->arena, &task)));
    struct written *written = write_task(node, &next);
    written_wait(written);
    ck_assert(written->durable);
    node_stop(node);
}
END_TEST

static void short_lease(struct store_options *options)
{
    options->shard_lease_ms = 500;
    options->lease_margin_ms = 100;
    options->renew_ms = 100;
    options->lock_timeout_ms = 10000;
}

static bool not_valid(void *subject)
{
    return !store_shard_valid(((struct node *)subject)->store, SHARD);
}

static bool is_valid(void *subject)
{
    return !not_valid(subject);
}

START_TEST(a_lease_that_cannot_be_renewed_lapses_by_the_own_clock)
{
    struct node *node = node_new_with("first", short_lease);

    node_wait_owned(node);
    struct db_conn *holder = hold_shard(OTHER); /* the renewal waits for it */
    world_wait(not_valid, node, "the lease has lapsed");
    ck_assert_uint_eq(node->shards[SHARD].losses, 0); /* nobody has taken it */
    world_count(&SQL_test_end_holders);
    world_wait(is_valid, node, "a renewal has come through");
    ck_assert_uint_eq(node->shards[SHARD].losses, 0);
    db_conn_free(holder);
    node_stop(node);
}
END_TEST

TCase *fence_tcase(void)
{
    TCase *tcase = tcase_create("fence");

    tcase_add_checked_fixture(tcase, world_setup, world_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_deposed_owner_writes_nothing);
    tcase_add_test(tcase, a_renewal_tells_a_deposed_owner);
    tcase_add_test(tcase, a_gap_in_the_sequence_loses_the_batch_and_the_shard);
    tcase_add_test(tcase, a_batch_behind_a_failed_one_fails_too);
    tcase_add_test(tcase, a_batch_that_misses_a_row_writes_nothing);
    tcase_add_test(tcase, a_finished_task_is_never_written_again);
    tcase_add_test(tcase, an_unknown_outcome_is_a_lost_batch);
    tcase_add_test(tcase, what_committed_unseen_is_found_by_the_load);
    tcase_add_test(tcase, a_restart_of_postgresql_is_survived);
    tcase_add_test(tcase, a_lease_that_cannot_be_renewed_lapses_by_the_own_clock);
    return tcase;
}
