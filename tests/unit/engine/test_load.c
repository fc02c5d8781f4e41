/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

static struct bench bench;

static void setup(void)
{
    bench_init(&bench);
}

static void teardown(void)
{
    bench_fini(&bench);
}

static struct engine_task_row live_row(struct id id)
{
    return (struct engine_task_row){.id = id,
                                    .namespace_id = 1,
                                    .spec = bench_spec("noop"),
                                    .created_us = bench.now_us,
                                    .step = "",
                                    .change = {.id = id, .state = ENGINE_TASK_READY}};
}

static struct engine_lease lease_of(struct id task, uint32_t attempt, uint32_t worker)
{
    return (struct engine_lease){.task = task,
                                 .attempt = attempt,
                                 .worker = bench_worker_id(worker),
                                 .started_us = bench.now_us,
                                 .epoch = 1,
                                 .seq = 5};
}

static void rows(const struct engine_task_row *tasks, uint32_t tasks_len,
                 const struct engine_journal_load *journals, uint32_t journals_len)
{
    bench_apply(&bench, &(struct engine_command){.kind = ENGINE_LOAD_ROWS,
                                                 .load_rows = {.tasks = tasks,
                                                               .tasks_len = tasks_len,
                                                               .journals = journals,
                                                               .journals_len = journals_len}});
}

static void load_one(struct engine_task_row *row, const struct engine_lease *lease)
{
    struct engine_journal_load journal = {.seq = 5, .leases = lease, .leases_len = lease ? 1 : 0};

    bench_begin(&bench, &(struct engine_load_begin){
                            .epoch = 2, .seq = 9, .keys_complete = true, .event_next = 40});
    rows(row, 1, &journal, lease ? 1 : 0);
    bench_end(&bench, 0);
}

START_TEST(a_task_without_a_lease_is_dispatched_at_once_under_the_next_number)
{
    struct engine_task_row row = live_row(bench_id(&bench, 0));
    const struct engine_shard_batch *batch;

    row.change.attempt = 4;
    load_one(&row, NULL);
    bench_worker(&bench, 1, 1, "noop", 1);
    batch = bench_rows(&bench);
    ck_assert_uint_eq(batch->seq, 10);
    ck_assert_uint_eq(batch->leases[0].attempt, 5);
    ck_assert_uint_eq(batch->events[0].number, 40);
}
END_TEST

START_TEST(an_orphan_lease_waits_for_its_worker_and_is_lost_after_the_grace)
{
    struct engine_task_row row = live_row(bench_id(&bench, 0));
    struct engine_lease lease = lease_of(row.id, 1, 1);

    load_one(&row, &lease);
    bench_worker(&bench, 2, 2, "noop", 1);
    bench_pass(&bench, 7999);
    bench_beat(&bench, 2);
    bench_cut(&bench);
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_DISPATCH), 0);
    ck_assert_int_eq(engine_next_due_us(bench.engine) <= bench.now_us + 1000, 1);
    bench_pass(&bench, 1);
    bench_beat(&bench, 2);
    ck_assert_uint_eq(bench_rows(&bench)->tasks_update[0].lost, 1);
    bench_pass(&bench, 1000);
    ck_assert_uint_eq(bench_rows(&bench)->leases[0].attempt, 2);
}
END_TEST

START_TEST(an_orphan_is_adopted_and_its_result_recorded)
{
    struct engine_task_row row = live_row(bench_id(&bench, 0));
    struct engine_lease lease = lease_of(row.id, 1, 1);
    struct engine_held_entry entry = {.task = row.id, .attempt = 1, .token = slice_of("t")};

    load_one(&row, &lease);
    bench_open(&bench, 1, 1, "noop");
    bench_held(&bench, 1, 0, 2, 5, &entry, 1);
    for (int i = 0; i < 20; i++) {
        bench_pass(&bench, 1000);
        bench_beat(&bench, 1);
    }
    bench_result(&bench, 1, &row.id, 1, "{}");
    ck_assert_uint_eq(bench_rows(&bench)->tasks_succeed_len, 1);
}
END_TEST

START_TEST(a_cancel_after_the_takeover_names_the_lease_as_it_was_granted)
{
    struct engine_task_row row = live_row(bench_id(&bench, 0));
    struct engine_lease lease = lease_of(row.id, 1, 1);
    struct engine_held_entry entry = {.task = row.id, .attempt = 1, .token = slice_of("t")};

    load_one(&row, &lease);
    bench_open(&bench, 1, 1, "noop");
    bench_held(&bench, 1, 0, 2, 5, &entry, 1);
    bench_cancel(&bench, &row.id);
    bench_cut(&bench);
    ck_assert_uint_eq(bench_effect(&bench, ENGINE_CANCEL_WORK, 0)->cancel.lease.seq, 5);
    ck_assert_uint_eq(bench_effect(&bench, ENGINE_CANCEL_WORK, 0)->cancel.lease.epoch, 1);
}
END_TEST

START_TEST(only_the_highest_lease_above_the_closed_attempt_is_open)
{
    struct engine_task_row row[2] = {live_row(bench_id(&bench, 0)), live_row(bench_id(&bench, 0))};
    struct engine_lease old[2] = {lease_of(row[0].id, 1, 1), lease_of(row[1].id, 1, 1)};
    struct engine_lease young = lease_of(row[0].id, 2, 2);
    struct engine_journal_load journals[2] = {{.seq = 7, .leases = &young, .leases_len = 1},
                                              {.seq = 6, .leases = old, .leases_len = 2}};

    row[1].change.attempt = 1; /* closed */
    bench_begin(&bench, &(struct engine_load_begin){.epoch = 2, .seq = 9});
    rows(row, 2, journals, 2);
    bench_end(&bench, 0);
    ck_assert_int_eq(bench_state(&bench, &row[0].id), ENGINE_TASK_RUNNING);
    ck_assert_int_eq(bench_state(&bench, &row[1].id), ENGINE_TASK_READY);
    bench_worker(&bench, 1, 1, "noop", 1);
    bench_cut(&bench);
    bench_result(&bench, 1, &row[0].id, 1, "{}");
    bench_cut(&bench);
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_STALE), 1);
}
END_TEST

START_TEST(a_cancel_that_was_asked_for_is_remembered)
{
    struct engine_task_row row = live_row(bench_id(&bench, 0));
    struct engine_lease lease = lease_of(row.id, 1, 1);

    row.change.cancel =
        (struct engine_cancel){.at_us = bench.now_us, .actor = "admin", .reason = "x"};
    load_one(&row, &lease);
    bench_open(&bench, 1, 1, "noop");
    bench_held(&bench, 1, 0, 2, 5, NULL, 0);
    ck_assert_int_eq(bench_rows(&bench)->tasks_update[0].state, ENGINE_TASK_CANCELLED);
}
END_TEST

START_TEST(a_suspect_task_ends_instead_of_killing_the_next_controller)
{
    struct engine_task_row row = live_row(bench_id(&bench, 0));

    bench_begin(&bench, &(struct engine_load_begin){.epoch = 2, .suspect = row.id, .unclean = 3});
    rows(&row, 1, NULL, 0);
    bench_end(&bench, 0);
    ck_assert_str_eq(bench_rows(&bench)->tasks_update[0].failure.code, "CONTROLLER_LOST");
    ck_assert(id_is_nil(&bench.batch.shards[0].suspect));
}
END_TEST

/* Two tasks were leased when the last of three owners died. */
START_TEST(suspects_are_named_on_disk_before_they_are_handled_one_at_a_time)
{
    struct engine_task_row row[2] = {live_row(bench_id(&bench, 0)), live_row(bench_id(&bench, 0))};
    struct engine_lease leases[2] = {lease_of(row[0].id, 1, 1), lease_of(row[1].id, 1, 1)};
    struct engine_journal_load journal = {.seq = 9, .leases = leases, .leases_len = 2};
    struct engine_held_entry held[2] = {{.task = row[0].id, .attempt = 1, .token = slice_of("t")},
                                        {.task = row[1].id, .attempt = 1, .token = slice_of("t")}};
    const struct engine_shard_batch *batch;

    bench_begin(&bench, &(struct engine_load_begin){.epoch = 4, .seq = 9, .unclean = 3});
    rows(row, 2, &journal, 1);
    bench_end(&bench, 0);
    bench_open(&bench, 1, 1, "noop");
    bench_held(&bench, 1, 0, 4, 5, held, 2);
    bench_result(&bench, 1, &row[0].id, 1, "{}");
    bench_fail(&bench, 1, &row[1].id, 1, "X");
    batch = bench_rows(&bench);
    ck_assert_uint_eq(batch->tasks_succeed_len + batch->tasks_update_len, 0);
    ck_assert(id_eq(&batch->suspect, &row[0].id));
    batch = bench_rows(&bench); /* the name is durable: now it is recorded, still under it */
    ck_assert_uint_eq(batch->tasks_succeed_len, 1);
    ck_assert(id_eq(&batch->suspect, &row[0].id));
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_RESULT_ACK), 1);
    batch = bench_rows(&bench);
    ck_assert_uint_eq(batch->tasks_update_len, 0);
    ck_assert(id_eq(&batch->suspect, &row[1].id));
    batch = bench_rows(&bench);
    ck_assert_uint_eq(batch->tasks_update_len, 1);
    ck_assert_str_eq(batch->tasks_update[0].failure.code, "X");
    batch = bench_rows(&bench);
    ck_assert(id_is_nil(&batch->suspect));
}
END_TEST

START_TEST(a_suspect_waits_for_its_turn_before_it_is_dispatched_again)
{
    struct engine_task_row row = live_row(bench_id(&bench, 0));
    struct engine_lease lease = lease_of(row.id, 1, 1);
    struct engine_journal_load journal = {.seq = 9, .leases = &lease, .leases_len = 1};

    bench_begin(&bench, &(struct engine_load_begin){.epoch = 4, .seq = 9, .unclean = 3});
    rows(&row, 1, &journal, 1);
    bench_end(&bench, 0);
    bench_worker(&bench, 1, 1, "noop", 1); /* does not hold it: void, ready again */
    ck_assert(id_eq(&bench_rows(&bench)->suspect, &row.id));
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_DISPATCH), 0);
    ck_assert(id_eq(&bench_rows(&bench)->suspect, &row.id));
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_DISPATCH), 1);
    ck_assert(id_is_nil(&bench_rows(&bench)->suspect));
}
END_TEST

START_TEST(a_drop_answers_all_that_wait_and_forgets_the_rest)
{
    struct engine_spec spec = bench_spec("noop");
    struct engine_effect *effects;
    uint32_t refused = 0;
    struct id id;

    bench_begin(&bench, &(struct engine_load_begin){.epoch = 1});
    bench_end(&bench, 0);
    id = bench_submit(&bench, 0, &spec); /* ticket 1: not yet cut */
    bench_submit_key(&bench, "key", 1);  /* ticket 2: waits for a lookup */
    bench_apply(&bench,
                &(struct engine_command){.kind = ENGINE_WATCH_TASK, .ticket = 70, .by_id.id = id});
    bench_immediate(&bench);
    bench_apply(&bench, &(struct engine_command){.kind = ENGINE_DROP});
    effects = bench_immediate(&bench);
    for (struct engine_effect *e = effects; e; e = e->next) {
        ck_assert_int_eq(e->kind, ENGINE_REPLY);
        ck_assert_int_eq(e->reply.status, STATUS_UNAVAILABLE);
        refused++;
    }
    ck_assert_uint_eq(refused, 3);
    ck_assert(!engine_has_batch(bench.engine));
    ck_assert(!engine_owns(bench.engine, 0));
    bench_submit(&bench, 0, &spec);
    ck_assert_str_eq(bench_immediate(&bench)->reply.reason, "NOT_OWNER");
}
END_TEST

START_TEST(time_never_goes_back_over_the_high_water_of_the_shard)
{
    bench_begin(&bench,
                &(struct engine_load_begin){.epoch = 2, .clock_us = bench.now_us + 60000000});
    bench_end(&bench, 0);
    bench_submit(
        &bench, 0,
        &(struct engine_spec){.type = "noop", .queue = "default", .retry = ENGINE_RETRY_DEFAULT});
    ck_assert_int_ge(bench_rows(&bench)->clock_us, bench.now_us + 60000000);
}
END_TEST

START_TEST(old_leases_are_carried_forward_and_the_journal_advances)
{
    struct engine_spec spec = bench_spec("noop");
    const struct engine_shard_batch *batch;
    struct id id;

    bench_load(&bench, 0, 1);
    bench_worker(&bench, 1, 1, "noop", 10);
    id = bench_submit(&bench, 0, &spec);
    batch = bench_rows(&bench);
    ck_assert_uint_eq(batch->journal_low, 1);
    bench_apply(&bench, &(struct engine_command){.kind = ENGINE_EVENTS_ACKED,
                                                 .events_acked = {.number = 2}});
    for (int i = 0; i < 61; i++) {
        bench_pass(&bench, 1000);
        bench_beat(&bench, 1);
    }
    bench_cut(&bench);
    bench_submit(&bench, 0, &spec);
    batch = bench_rows(&bench);
    ck_assert_uint_ge(batch->leases_len, 1);
    ck_assert_uint_eq(batch->event_acked, 2);
    ck_assert_uint_gt(batch->journal_low, 1);
    bench_result(&bench, 1, &id, 1, "{}");
    ck_assert_uint_eq(bench_rows(&bench)->tasks_succeed_len + 1, 2);
}
END_TEST

START_TEST(journal_rows_stay_until_their_events_are_acked)
{
    struct engine_spec spec = bench_spec("noop");

    bench_load(&bench, 0, 1);
    bench_submit(&bench, 0, &spec);
    ck_assert_uint_eq(bench_rows(&bench)->journal_low, 1);
    bench_submit(&bench, 0, &spec);
    ck_assert_uint_eq(bench_rows(&bench)->journal_low, 1);
    bench_apply(&bench, &(struct engine_command){.kind = ENGINE_EVENTS_ACKED,
                                                 .events_acked = {.number = 2}});
    bench_submit(&bench, 0, &spec);
    ck_assert_uint_eq(bench_rows(&bench)->journal_low, 3);
}
END_TEST

Suite *load_suite(void)
{
    Suite *suite = suite_create("load");
    TCase *tcase = tcase_create("load");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_task_without_a_lease_is_dispatched_at_once_under_the_next_number);
    tcase_add_test(tcase, an_orphan_lease_waits_for_its_worker_and_is_lost_after_the_grace);
    tcase_add_test(tcase, an_orphan_is_adopted_and_its_result_recorded);
    tcase_add_test(tcase, a_cancel_after_the_takeover_names_the_lease_as_it_was_granted);
    tcase_add_test(tcase, only_the_highest_lease_above_the_closed_attempt_is_open);
    tcase_add_test(tcase, a_cancel_that_was_asked_for_is_remembered);
    tcase_add_test(tcase, a_suspect_task_ends_instead_of_killing_the_next_controller);
    tcase_add_test(tcase, suspects_are_named_on_disk_before_they_are_handled_one_at_a_time);
    tcase_add_test(tcase, a_suspect_waits_for_its_turn_before_it_is_dispatched_again);
    tcase_add_test(tcase, a_drop_answers_all_that_wait_and_forgets_the_rest);
    tcase_add_test(tcase, time_never_goes_back_over_the_high_water_of_the_shard);
    tcase_add_test(tcase, old_leases_are_carried_forward_and_the_journal_advances);
    tcase_add_test(tcase, journal_rows_stay_until_their_events_are_acked);
    suite_add_tcase(suite, tcase);
    return suite;
}
