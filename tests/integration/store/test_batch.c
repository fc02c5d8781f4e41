/* SPDX-License-Identifier: Apache-2.0 */
/* What is written comes back: a batch, then a rebuild by another store. */
#include "sql/live_store.h"
#include "world.h"

#define SHARD 3

static const char PLAN[] = "{\"name\":\"p\",\"steps\":[{\"id\":\"one\",\"task\":\"noop\"},"
                           "{\"id\":\"two\",\"task\":\"noop\",\"needs\":[\"one\"]}]}";

static struct engine_task_row full_task(void)
{
    struct engine_task_row row = world_task(SHARD);

    row.spec.parameters = slice_of("{\"x\":[1,2]}");
    row.spec.spec_text = slice_of("{\"retry\":{\"maxAttempts\":7}}");
    row.spec.queue = "slow";
    row.spec.priority = 9;
    row.retry_of = world_id(SHARD);
    row.change.state = ENGINE_TASK_RETRYING;
    row.change.attempt = 3;
    row.change.failures = 2;
    row.change.lost = 1;
    row.change.worker = world_id(0);
    row.change.closed_by_report = true;
    row.change.due_us = world_now_us() + 3000000;
    row.change.started_us = world_now_us() - 5;
    row.change.cancel = (struct engine_cancel){world_now_us() + 7, "ann", "too late"};
    row.change.failure = (struct engine_failure){.code = "BAD",
                                                 .message = "it was bad: \xc3\xa4",
                                                 .details = slice_of("{\"line\":3}"),
                                                 .non_retryable = true,
                                                 .step = ""};
    return row;
}

static struct engine_lease lease_of(const struct engine_task_row *task,
                                    const struct engine_shard_batch *batch)
{
    return (struct engine_lease){.task = task->id,
                                 .attempt = task->change.attempt + 1,
                                 .worker = world_id(0),
                                 .started_us = world_now_us() + 9,
                                 .epoch = batch->epoch,
                                 .seq = batch->seq};
}

/* Another controller takes all over and tells what it has read. */
static struct node *rebuilt(struct node *node)
{
    node_stop(node);
    return node_owning("second");
}

START_TEST(unfinished_rows_come_back_from_a_load_as_they_were_written)
{
    struct node *node = node_owning("first");
    struct engine_shard_batch batch = node_batch(node, SHARD);
    struct engine_task_row tasks[] = {world_task(SHARD), full_task(), world_task(SHARD)};
    struct engine_lease leases[] = {lease_of(&tasks[0], &batch), lease_of(&tasks[1], &batch)};

    tasks[2].change.state = ENGINE_TASK_SUCCEEDED; /* finished in its first batch */
    tasks[2].change.finished_us = world_now_us();
    tasks[2].change.attempt = tasks[2].change.recorded_by = 1;
    batch.tasks_insert = tasks;
    batch.tasks_insert_len = 3;
    batch.leases = leases;
    batch.leases_len = 2;
    batch.unclean = 2;
    batch.suspect = tasks[1].id;
    batch.event_next = 17;
    batch.event_acked = 11;
    struct written *written = node_write(node, &batch, 1);
    written_wait(written);
    ck_assert(written->durable);
    ck_assert_int_eq(world_count(&SQL_test_count_tasks), 3);

    struct node *second = rebuilt(node);
    ck_assert(node_has_row(second, describe_task(&second->arena, &tasks[0])));
    ck_assert(node_has_row(second, describe_task(&second->arena, &tasks[1])));
    ck_assert(node_has_row(second, describe_lease(&second->arena, &leases[0])));
    ck_assert(node_has_row(second, describe_lease(&second->arena, &leases[1])));
    ck_assert_uint_eq(second->rows_len,
                      6); /* leased tasks are told twice: as young and as leased */
    const struct engine_load_begin *begin = &second->shards[SHARD].begin;
    ck_assert_uint_eq(begin->seq, batch.seq);
    ck_assert_uint_eq(begin->epoch, batch.epoch + 1);
    ck_assert_uint_eq(begin->event_next, 17);
    ck_assert_uint_eq(begin->event_acked, 11);
    ck_assert_int_ge(begin->clock_us, batch.clock_us);
    ck_assert(id_eq(&begin->suspect, &tasks[1].id));
    node_stop(second);
}
END_TEST

START_TEST(changes_meet_the_rows_of_earlier_batches)
{
    struct node *node = node_owning("first");
    struct engine_shard_batch batch = node_batch(node, SHARD), second = node_batch(node, SHARD);
    struct engine_task_row tasks[] = {world_task(SHARD), world_task(SHARD)};
    struct engine_task_success success = {.id = tasks[0].id,
                                          .attempt = 1,
                                          .worker = world_id(0),
                                          .started_us = world_now_us(),
                                          .finished_us = world_now_us() + 4,
                                          .result = slice_of("{\"ok\":true}")};
    struct engine_task_change change = full_task().change;
    struct engine_outcome outcome = {.id = tasks[1].id,
                                     .namespace_id = 1,
                                     .state = ENGINE_TASK_FAILED,
                                     .finished_us = world_now_us(),
                                     .type = "noop"};

    change.id = tasks[1].id;
    batch.tasks_insert = tasks;
    batch.tasks_insert_len = 2;
    second.tasks_succeed = &success;
    second.tasks_succeed_len = 1;
    second.tasks_update = &change;
    second.tasks_update_len = 1;
    second.outcomes = &outcome;
    second.outcomes_len = 1;
    struct written *first_written = node_write(node, &batch, 1);
    struct written *second_written = node_write(node, &second, 1); /* both in flight */
    ck_assert(!store_may_write(node->store));
    written_wait(second_written);
    ck_assert(first_written->durable && second_written->durable);
    ck_assert_uint_lt(first_written->order, second_written->order);
    ck_assert_int_eq(world_count(&SQL_test_count_outcomes), 1);

    struct node *other = rebuilt(node);
    tasks[1].change = change;
    ck_assert(node_has_row(other, describe_task(&other->arena, &tasks[1])));
    ck_assert_uint_eq(other->rows_len, 1); /* the one that succeeded is over */
    node_stop(other);
}
END_TEST

static void plan_made(const struct store_plan *plan, const struct error *err, void *userdata)
{
    ck_assert_ptr_null(err);
    ck_assert_ptr_nonnull(plan);
    *(bool *)userdata = true;
}

static struct id make_plan(struct node *node)
{
    struct store_plan plan = {.id = world_id(SHARD),
                              .namespace_id = 1,
                              .name = "p",
                              .description = "",
                              .version = 1,
                              .document = slice_of(PLAN),
                              .source = slice_of(PLAN),
                              .message = "",
                              .steps = 2,
                              .created_us = world_now_us()};
    uint8_t digest[32] = {0};
    bool done = false;

    store_plan_insert(node->store, &plan, "", digest, plan_made, &done);
    world_wait_flag(&done, "the plan is there");
    return plan.id;
}

START_TEST(runs_come_back_with_their_plan_and_all_their_tasks)
{
    struct node *node = node_owning("first");
    struct id plan = make_plan(node);
    struct engine_run_row run = world_run_row(SHARD, &plan), done = world_run_row(SHARD, &plan);
    struct engine_task_row step = world_task(SHARD);
    struct engine_parked parked = {.id = run.id, .reason = ENGINE_PARKED_RUN, .queue = ""};
    struct engine_shard_batch batch = node_batch(node, SHARD), second = node_batch(node, SHARD);

    step.id = id_derive(&run.id, "one", 0);
    step.run = run.id;
    step.step = "one";
    step.change.state = ENGINE_TASK_SUCCEEDED; /* finished ones of a live run come too */
    step.change.finished_us = step.change.started_us = world_now_us();
    step.change.result = slice_of("{\"n\":1}");
    step.change.attempt = step.change.recorded_by = 1;
    struct engine_run_row runs[] = {run, done};
    batch.runs_insert = runs;
    batch.runs_insert_len = 2;
    batch.tasks_insert = &step;
    batch.tasks_insert_len = 1;
    batch.parked_add = &parked;
    batch.parked_add_len = 1;
    struct engine_run_change change[] = {run.change, done.change};
    change[0].started_us = world_now_us() + 1;
    change[0].counts.by_state[ENGINE_TASK_SUCCEEDED] = 1;
    change[0].state = ENGINE_RUN_PAUSED;
    change[0].pause = (struct engine_cancel){world_now_us() + 3, "ann", "rain"};
    change[1].state = ENGINE_RUN_FAILED;
    change[1].finished_us = world_now_us() + 2;
    change[1].failure.code = "STEP_FAILED";
    change[1].failure.step = "two";
    second.runs_update = change;
    second.runs_update_len = 2;
    node_write(node, &batch, 1);
    struct written *written = node_write(node, &second, 1);
    written_wait(written);
    ck_assert(written->durable);

    struct node *other = rebuilt(node);
    run.change = change[0];
    run.parked = true;
    ck_assert(node_has_row(other, describe_run(&other->arena, &run)));
    ck_assert(node_has_row(other, describe_task(&other->arena, &step)));
    ck_assert_uint_eq(other->rows_len, 2);
    ck_assert_uint_eq(other->plans_asked, 1);
    ck_assert_uint_eq(other->plans_done, 1);
    node_stop(other);
}
END_TEST

START_TEST(what_was_set_for_a_queue_comes_back_as_it_was_last)
{
    struct node *node = node_owning("first");
    struct engine_shard_batch batch = node_batch(node, SHARD), second = node_batch(node, SHARD);
    struct engine_queue_row rows[] = {
        {1, "slow", world_now_us(), "ann", "the disk is full", 7, {"", 30, 60000, 1}},
        {1, "fast", world_now_us() + 1, "bob", "", 0, {"", 0, 0, 0}}};
    struct engine_queue_row resumed = {1, "fast", 0, "", "", 0, {"", 0, 0, 0}};

    batch.queues = rows;
    batch.queues_len = 2;
    second.queues = &resumed;
    second.queues_len = 1;
    node_write(node, &batch, 1);
    written_wait(node_write(node, &second, 1));

    struct node *other = rebuilt(node);
    const struct engine_load_begin *begin = &other->shards[SHARD].begin;
    ck_assert_uint_eq(begin->settings_len, 2);
    ck_assert_uint_eq(other->shards[SHARD + 1].begin.settings_len, 0);
    for (uint32_t i = 0; i < 2; i++) {
        const struct engine_queue_row *row = &begin->settings[i];
        bool slow = strcmp(row->name, "slow") == 0;
        ck_assert_int_eq(row->paused_us, slow ? rows[0].paused_us : 0);
        ck_assert_str_eq(row->actor, slow ? "ann" : "");
        ck_assert_uint_eq(row->concurrency, slow ? 7 : 0);
        ck_assert_uint_eq(row->rate.limit, slow ? 30 : 0);
        ck_assert_int_eq(row->rate.per_ms, slow ? 60000 : 0);
        ck_assert_str_eq(row->reason, slow ? "the disk is full" : "");
    }
    node_stop(other);
}
END_TEST

START_TEST(parked_rows_are_told_with_reason_and_time)
{
    struct node *node = node_owning("first");
    struct engine_task_row ready = world_task(SHARD), due = world_task(SHARD);
    struct engine_shard_batch batch = node_batch(node, SHARD), second = node_batch(node, SHARD);

    ready.spec.spec_text = slice_of("{\"concurrency\":[{\"key\":\"db\",\"limit\":2}]}");
    ready.group = "00112233445566ff";
    due.change.due_us = world_now_us() + 90000000;
    due.change.state = ENGINE_TASK_PENDING;
    struct engine_task_row tasks[] = {ready, due};
    struct engine_parked parked[] = {{.id = ready.id,
                                      .reason = ENGINE_PARKED_READY,
                                      .namespace_id = 1,
                                      .queue = "default/noop/00112233445566ff",
                                      .priority = 5},
                                     {.id = due.id,
                                      .reason = ENGINE_PARKED_DUE,
                                      .namespace_id = 1,
                                      .queue = "default/noop",
                                      .priority = 5,
                                      .due_us = due.change.due_us}};
    batch.tasks_insert = tasks;
    batch.tasks_insert_len = 2;
    batch.parked_add = parked;
    batch.parked_add_len = 2;
    written_wait(node_write(node, &batch, 1));
    ck_assert_int_eq(world_of_shard(&SQL_test_count_parked, ENGINE_PARKED_READY), 1);
    ck_assert_int_eq(world_of_shard(&SQL_test_count_parked, ENGINE_PARKED_DUE), 1);

    struct node *other = rebuilt(node);
    ready.parked = ENGINE_PARKED_READY;
    due.parked = ENGINE_PARKED_DUE;
    due.parked_due_us = due.change.due_us;
    ck_assert(node_has_row(other, describe_task(&other->arena, &ready)));
    ck_assert(node_has_row(other, describe_task(&other->arena, &due)));
    const struct engine_load_begin *begin = &other->shards[SHARD].begin;
    ck_assert_int_eq(begin->due_next_us, due.change.due_us);
    ck_assert_uint_eq(begin->queues_len, 1);
    ck_assert_str_eq(begin->queues[0].queue, "default/noop/00112233445566ff");
    ck_assert_uint_eq(begin->queues[0].namespace_id, 1);
    ck_assert_uint_eq(begin->queues[0].parked, 1);
    ck_assert_uint_eq(begin->due_queues_len, 1);
    ck_assert_uint_eq(begin->due_queues[0].parked, 1);
    ck_assert_int_eq(other->shards[SHARD + 1].begin.due_next_us, ENGINE_FOREVER);

    second = node_batch(other, SHARD);
    second.parked_remove = parked;
    second.parked_remove_len = 2;
    written_wait(node_write(other, &second, 1));
    ck_assert_int_eq(world_of_shard(&SQL_test_count_parked, ENGINE_PARKED_READY), 0);
    ck_assert_int_eq(world_of_shard(&SQL_test_count_parked, ENGINE_PARKED_DUE), 0);
    node_stop(other);
}
END_TEST

START_TEST(events_are_handed_back_packed_and_stand_in_the_journal)
{
    struct node *node = node_owning("first");
    struct engine_shard_batch batch = node_batch(node, SHARD), second = node_batch(node, SHARD);
    struct engine_event events[2] = {{.number = 1, .kind = ENGINE_EVENT_TASK_SUBMITTED},
                                     {.number = 2, .kind = ENGINE_EVENT_TASK_STARTED}};

    for (int i = 0; i < 2; i++) {
        events[i].task = world_id(SHARD);
        events[i].step = events[i].actor = events[i].reason = events[i].type = "";
        events[i].failure_code = events[i].failure_message = "";
    }
    batch.events = events;
    batch.events_len = 2;
    batch.event_next = 3;
    struct written *written = node_write(node, &batch, 1);
    written_wait(written);
    ck_assert_uint_eq(written->events_len, 1);
    ck_assert_uint_eq(written->events[0].shard, SHARD);
    ck_assert_uint_eq(written->events[0].first, 1);
    ck_assert_uint_eq(written->events[0].count, 2);
    ck_assert_int_eq(world_of_shard(&SQL_test_count_journal, SHARD), 1);

    second.event_next = 3;
    second.event_acked = 2;
    second.journal_low = second.seq; /* the first row may go */
    written_wait(node_write(node, &second, 1));
    ck_assert_int_eq(world_of_shard(&SQL_test_count_journal, SHARD), 0);
    node_stop(node);
}
END_TEST

START_TEST(one_batch_may_touch_many_shards)
{
    struct node *node = node_owning("first");
    struct engine_task_row tasks[WORLD_SHARDS];
    struct engine_shard_batch shards[WORLD_SHARDS];

    for (uint16_t i = 0; i < WORLD_SHARDS; i++) {
        tasks[i] = world_task(i);
        shards[i] = node_batch(node, i);
        shards[i].tasks_insert = &tasks[i];
        shards[i].tasks_insert_len = 1;
    }
    struct written *written = node_write(node, shards, WORLD_SHARDS);
    written_wait(written);
    ck_assert(written->durable);

    struct node *other = rebuilt(node);
    for (uint16_t i = 0; i < WORLD_SHARDS; i++)
        ck_assert(node_has_row(other, describe_task(&other->arena, &tasks[i])));
    node_stop(other);
}
END_TEST

START_TEST(a_batch_without_rows_waits_for_those_before_it)
{
    struct node *node = node_owning("first");
    struct engine_shard_batch batch = node_batch(node, SHARD);
    struct engine_task_row task = world_task(SHARD);

    batch.tasks_insert = &task;
    batch.tasks_insert_len = 1;
    struct written *first = node_write(node, &batch, 1);
    struct written *empty = node_write(node, NULL, 0);
    written_wait(empty);
    ck_assert(first->done && empty->durable);
    ck_assert_uint_lt(first->order, empty->order);
    struct written *alone = node_write(node, NULL, 0);
    written_wait(alone);
    ck_assert(alone->durable);
    node_stop(node);
}
END_TEST

TCase *batch_tcase(void)
{
    TCase *tcase = tcase_create("batch");

    tcase_add_checked_fixture(tcase, world_setup, world_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, unfinished_rows_come_back_from_a_load_as_they_were_written);
    tcase_add_test(tcase, changes_meet_the_rows_of_earlier_batches);
    tcase_add_test(tcase, runs_come_back_with_their_plan_and_all_their_tasks);
    tcase_add_test(tcase, what_was_set_for_a_queue_comes_back_as_it_was_last);
    tcase_add_test(tcase, parked_rows_are_told_with_reason_and_time);
    tcase_add_test(tcase, events_are_handed_back_packed_and_stand_in_the_journal);
    tcase_add_test(tcase, one_batch_may_touch_many_shards);
    tcase_add_test(tcase, a_batch_without_rows_waits_for_those_before_it);
    return tcase;
}
