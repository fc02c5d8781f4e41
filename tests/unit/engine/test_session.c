/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

static struct bench bench;

static void setup(void)
{
    bench_init(&bench);
    bench_load(&bench, 0, 3);
}

static void teardown(void)
{
    bench_fini(&bench);
}

static struct id leased(void)
{
    struct engine_spec spec = bench_spec("noop");
    struct id id;

    bench_worker(&bench, 1, 1, "noop", 1);
    id = bench_submit(&bench, 0, &spec);
    bench_cut(&bench);
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_DISPATCH), 1);
    return id;
}

START_TEST(nothing_is_leased_before_the_worker_has_said_what_it_holds)
{
    struct engine_spec spec = bench_spec("noop");
    const struct engine_effect *take;

    bench_open(&bench, 1, 1, "noop");
    bench_credit(&bench, 1, 5);
    bench_submit(&bench, 0, &spec);
    bench_cut(&bench);
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_DISPATCH), 0);
    take = effect_of(bench_immediate(&bench), ENGINE_TAKE);
    ck_assert_ptr_nonnull(take);
    ck_assert_uint_eq(take->take.epoch, 3);
    bench_held(&bench, 1, 0, 3, 99, NULL, 0);
    bench_cut(&bench);
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_DISPATCH), 1);
    ck_assert_uint_eq(bench_effect(&bench, ENGINE_DISPATCH, 0)->dispatch.nonce, 99);
}
END_TEST

START_TEST(a_lease_not_in_the_list_is_void_and_costs_nothing)
{
    struct id id = leased();
    const struct engine_shard_batch *rows;

    bench_open(&bench, 2, 1, "noop");
    bench_held(&bench, 2, 0, 3, 5, NULL, 0);
    rows = bench_rows(&bench);
    ck_assert_uint_eq(rows->tasks_update_len, 1);
    ck_assert_uint_eq(rows->tasks_update[0].attempt, 1);
    ck_assert_uint_eq(rows->tasks_update[0].failures, 0);
    ck_assert_uint_eq(rows->tasks_update[0].lost, 0);
    ck_assert_str_eq(bench_event(&bench, ENGINE_EVENT_ATTEMPT_CLOSED)->reason,
                     "never reached its worker");
    bench_credit(&bench, 2, 1);
    rows = bench_rows(&bench);
    ck_assert_uint_eq(rows->leases[0].attempt, 2);
    ck_assert(id_eq(&rows->leases[0].task, &id));
}
END_TEST

START_TEST(a_lease_in_the_list_is_adopted_over_a_new_stream)
{
    struct id id = leased();
    struct engine_held_entry entry = {.task = id, .attempt = 1, .token = slice_of("t")};

    bench_open(&bench, 2, 1, "noop");
    bench_held(&bench, 2, 0, 3, 5, &entry, 1);
    bench_cut(&bench);
    ck_assert_uint_eq(bench.batch.shards_len, 0);
    bench_result(&bench, 2, &id, 1, "{}");
    ck_assert_uint_eq(bench_rows(&bench)->tasks_succeed_len, 1);
}
END_TEST

START_TEST(the_list_of_a_dead_stream_is_not_believed)
{
    struct id id = leased();
    struct engine_held_entry entry = {.task = id, .attempt = 1, .token = slice_of("t")};

    bench_open(&bench, 2, 1, "noop");
    bench_held(&bench, 1, 0, 3, 4, NULL, 0);
    bench_cut(&bench);
    ck_assert_uint_eq(bench.batch.shards_len, 0);
    bench_held(&bench, 2, 0, 2, 4, NULL, 0); /* another epoch's */
    bench_cut(&bench);
    ck_assert_uint_eq(bench.batch.shards_len, 0);
    bench_held(&bench, 2, 0, 3, 5, &entry, 1);
    ck_assert_int_eq(bench_state(&bench, &id), ENGINE_TASK_RUNNING);
}
END_TEST

START_TEST(pages_of_a_list_count_as_one)
{
    struct engine_spec spec = bench_spec("noop");
    struct engine_held_entry entry = {.attempt = 1, .token = slice_of("t")};
    struct id ids[2];

    bench_worker(&bench, 1, 1, "noop", 2);
    for (int i = 0; i < 2; i++)
        ids[i] = bench_submit(&bench, 0, &spec);
    bench_cut(&bench);
    bench_open(&bench, 2, 1, "noop");
    for (int i = 0; i < 2; i++) {
        entry.task = ids[i];
        bench_apply(&bench, &(struct engine_command){.kind = ENGINE_HELD,
                                                     .held = {.stream = 2,
                                                              .epoch = 3,
                                                              .nonce = 8,
                                                              .entries = &entry,
                                                              .entries_len = 1,
                                                              .end = i == 1}});
    }
    bench_cut(&bench);
    ck_assert_uint_eq(bench.batch.shards_len, 0);
    ck_assert_int_eq(bench_state(&bench, &ids[0]), ENGINE_TASK_RUNNING);
    ck_assert_int_eq(bench_state(&bench, &ids[1]), ENGINE_TASK_RUNNING);
}
END_TEST

START_TEST(a_held_lease_that_is_not_current_is_stale)
{
    struct engine_spec spec = bench_spec("other");
    struct engine_held_entry entry = {.attempt = 4, .token = slice_of("old")};

    entry.task = bench_submit(&bench, 0, &spec);
    bench_open(&bench, 1, 1, "noop");
    bench_held(&bench, 1, 0, 3, 5, &entry, 1);
    bench_cut(&bench);
    ck_assert(slice_is(bench_effect(&bench, ENGINE_STALE, 0)->answer.token, "old"));
}
END_TEST

START_TEST(work_that_is_gone_is_lost_at_once)
{
    struct id id = leased();
    struct engine_held_entry entry = {
        .task = id, .attempt = 1, .gone = true, .token = slice_of("t")};
    const struct engine_shard_batch *rows;

    bench_open(&bench, 2, 1, "noop");
    bench_held(&bench, 2, 0, 3, 5, &entry, 1);
    rows = bench_rows(&bench);
    ck_assert_uint_eq(rows->tasks_update[0].lost, 1);
    ck_assert_int_eq(rows->tasks_update[0].state, ENGINE_TASK_RETRYING);
}
END_TEST

START_TEST(a_refusal_with_a_higher_epoch_says_that_the_shard_is_lost)
{
    const struct engine_effect *lost;

    bench_open(&bench, 1, 1, "noop");
    bench_immediate(&bench);
    bench_apply(&bench, &(struct engine_command){
                            .kind = ENGINE_HELD,
                            .held = {.stream = 1, .epoch = 3, .end = true, .floor = 9}});
    lost = effect_of(bench_immediate(&bench), ENGINE_SHARD_LOST);
    ck_assert_ptr_nonnull(lost);
    ck_assert_uint_eq(lost->take.epoch, 9);
}
END_TEST

START_TEST(a_broken_stream_closes_no_lease_until_the_lease_time_is_over)
{
    struct id id = leased();

    bench_apply(&bench, &(struct engine_command){.kind = ENGINE_STREAM_CLOSED, .stream = {1}});
    bench_pass(&bench, 7999);
    ck_assert_int_eq(bench_state(&bench, &id), ENGINE_TASK_RUNNING);
    bench_pass(&bench, 1);
    ck_assert_uint_eq(bench_rows(&bench)->tasks_update[0].lost, 1);
}
END_TEST

START_TEST(a_silent_worker_loses_its_leases_and_its_stream)
{
    struct id id = leased();

    bench_pass(&bench, 4000);
    bench_beat(&bench, 1);
    bench_pass(&bench, 7999);
    ck_assert_int_eq(bench_state(&bench, &id), ENGINE_TASK_RUNNING);
    bench_pass(&bench, 1);
    ck_assert_uint_eq(bench_rows(&bench)->tasks_update[0].lost, 1);
    ck_assert_uint_eq(effect_of(bench_immediate(&bench), ENGINE_CLOSE_STREAM)->take.stream, 1);
}
END_TEST

START_TEST(a_host_that_stood_still_does_not_blame_its_workers)
{
    struct id id = leased();

    bench_pass(&bench, 1000);
    bench.now_us += INT64_C(60) * 1000000; /* stopped: the heartbeats wait in the socket */
    bench_apply(&bench, &(struct engine_command){.kind = ENGINE_TICK});
    ck_assert_int_eq(bench_state(&bench, &id), ENGINE_TASK_RUNNING);
    bench_pass(&bench, 6000);
    ck_assert_int_eq(bench_state(&bench, &id), ENGINE_TASK_RUNNING);
    bench_pass(&bench, 1100);
    ck_assert_int_eq(bench_state(&bench, &id), ENGINE_TASK_RETRYING);
}
END_TEST

START_TEST(a_task_whose_workers_are_lost_three_times_has_failed)
{
    struct engine_spec spec = bench_spec("noop");
    const struct engine_shard_batch *rows = NULL;

    bench_submit(&bench, 0, &spec);
    for (uint32_t n = 0; n < 3; n++) {
        bench_worker(&bench, 10 + n, n, "noop", 1);
        bench_pass(&bench, 5000);
        bench_beat(&bench, 10 + n);
        ck_assert_uint_eq(bench_rows(&bench)->leases_len, 1);
        bench_pass(&bench, 8000);
        rows = bench_rows(&bench);
        ck_assert_uint_eq(rows->tasks_update[0].lost, n + 1);
    }
    ck_assert_int_eq(rows->tasks_update[0].state, ENGINE_TASK_FAILED);
    ck_assert_str_eq(rows->tasks_update[0].failure.code, "WORKER_LOST");
    ck_assert_uint_eq(rows->tasks_update[0].failures, 0);
}
END_TEST

START_TEST(a_newer_stream_of_the_same_worker_wins)
{
    bench_open(&bench, 1, 1, "noop");
    bench_immediate(&bench);
    bench_open(&bench, 2, 1, "noop");
    ck_assert_uint_eq(effect_of(bench_immediate(&bench), ENGINE_CLOSE_STREAM)->take.stream, 1);
    bench_credit(&bench, 1, 5); /* of the dead stream: dropped */
    bench_held(&bench, 2, 0, 3, 5, NULL, 0);
    bench_submit(
        &bench, 0,
        &(struct engine_spec){.type = "noop", .queue = "default", .retry = ENGINE_RETRY_DEFAULT});
    bench_cut(&bench);
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_DISPATCH), 0);
}
END_TEST

START_TEST(a_declined_lease_goes_back_and_costs_nothing)
{
    struct id id = leased();
    struct engine_held_entry entry = {.task = id, .attempt = 1};
    const struct engine_shard_batch *rows;

    bench_apply(
        &bench,
        &(struct engine_command){
            .kind = ENGINE_DECLINED,
            .declined = {.stream = 1, .entries = &entry, .entries_len = 1, .reason = "no slot"}});
    rows = bench_rows(&bench);
    ck_assert_uint_eq(rows->tasks_update[0].failures + rows->tasks_update[0].lost, 0);
    ck_assert_int_eq(bench_state(&bench, &id), ENGINE_TASK_READY);
}
END_TEST

/* The dispatch never left, and no lease stands for it any more when the shard is dropped. */
START_TEST(credit_comes_back_of_a_lease_that_was_closed_before_it_was_durable)
{
    struct engine_spec spec = bench_spec("noop");
    struct id id;

    bench_worker(&bench, 1, 1, "noop", 1);
    id = bench_submit(&bench, 0, &spec); /* leased at once */
    bench_apply(&bench, &(struct engine_command){.kind = ENGINE_FORCE_FINISH,
                                                 .force_finish = {.id = id,
                                                                  .state = ENGINE_TASK_FAILED,
                                                                  .actor = "op",
                                                                  .reason = "enough"}});
    bench_apply(&bench, &(struct engine_command){.kind = ENGINE_DROP});
    bench_immediate(&bench);
    bench_load(&bench, 0, 4);
    bench_held(&bench, 1, 0, 4, 72, NULL, 0);
    bench_submit(&bench, 0, &spec);
    bench_cut(&bench);
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_DISPATCH), 1);
}
END_TEST

START_TEST(a_draining_worker_gets_nothing_more_and_finishes_what_it_has)
{
    struct id id = leased();
    struct engine_spec spec = bench_spec("noop");

    bench_credit(&bench, 1, 5);
    bench_apply(&bench, &(struct engine_command){.kind = ENGINE_DRAIN_WORKER,
                                                 .ticket = 80,
                                                 .worker.worker = bench_worker_id(1)});
    ck_assert_ptr_nonnull(effect_of(bench_immediate(&bench), ENGINE_DRAIN));
    bench_submit(&bench, 0, &spec);
    bench_cut(&bench);
    ck_assert_int_eq(bench_reply(&bench, 80)->workers[0].state, ENGINE_WORKER_DRAINING);
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_DISPATCH), 0);
    bench_result(&bench, 1, &id, 1, "{}");
    ck_assert_uint_eq(bench_rows(&bench)->tasks_succeed_len, 1);
}
END_TEST

START_TEST(workers_are_listed_with_what_they_offer)
{
    const struct engine_worker_view *view;

    leased();
    bench_apply(&bench, &(struct engine_command){.kind = ENGINE_READ_WORKERS, .ticket = 81});
    bench_cut(&bench);
    ck_assert_uint_eq(bench_reply(&bench, 81)->workers_len, 1);
    view = &bench_reply(&bench, 81)->workers[0];
    ck_assert_str_eq(view->types[0], "noop");
    ck_assert_uint_eq(view->running, 1);
    ck_assert_int_eq(view->state, ENGINE_WORKER_CONNECTED);
}
END_TEST

START_TEST(a_worker_that_beats_but_never_answers_the_take_does_not_hold_its_leases_for_ever)
{
    struct id id = leased();

    bench_open(&bench, 2, 1, "noop");
    bench_immediate(&bench);
    for (int i = 0; i < 22; i++) {
        bench_pass(&bench, 1000);
        bench_beat(&bench, 2);
    }
    ck_assert_int_eq(bench_state(&bench, &id), ENGINE_TASK_READY);
    ck_assert_ptr_nonnull(effect_of(bench_immediate(&bench), ENGINE_TAKE));
}
END_TEST

Suite *session_suite(void)
{
    Suite *suite = suite_create("session");
    TCase *tcase = tcase_create("session");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, nothing_is_leased_before_the_worker_has_said_what_it_holds);
    tcase_add_test(tcase, a_lease_not_in_the_list_is_void_and_costs_nothing);
    tcase_add_test(tcase, a_lease_in_the_list_is_adopted_over_a_new_stream);
    tcase_add_test(tcase, the_list_of_a_dead_stream_is_not_believed);
    tcase_add_test(tcase, pages_of_a_list_count_as_one);
    tcase_add_test(tcase, a_held_lease_that_is_not_current_is_stale);
    tcase_add_test(tcase, work_that_is_gone_is_lost_at_once);
    tcase_add_test(tcase, a_refusal_with_a_higher_epoch_says_that_the_shard_is_lost);
    tcase_add_test(tcase, a_broken_stream_closes_no_lease_until_the_lease_time_is_over);
    tcase_add_test(tcase, a_silent_worker_loses_its_leases_and_its_stream);
    tcase_add_test(tcase, a_host_that_stood_still_does_not_blame_its_workers);
    tcase_add_test(tcase, a_task_whose_workers_are_lost_three_times_has_failed);
    tcase_add_test(tcase, a_newer_stream_of_the_same_worker_wins);
    tcase_add_test(tcase, a_declined_lease_goes_back_and_costs_nothing);
    tcase_add_test(tcase, credit_comes_back_of_a_lease_that_was_closed_before_it_was_durable);
    tcase_add_test(tcase, a_draining_worker_gets_nothing_more_and_finishes_what_it_has);
    tcase_add_test(tcase, workers_are_listed_with_what_they_offer);
    tcase_add_test(
        tcase, a_worker_that_beats_but_never_answers_the_take_does_not_hold_its_leases_for_ever);
    suite_add_tcase(suite, tcase);
    return suite;
}
