/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

static struct bench bench;

static void setup(void)
{
    bench_init(&bench);
    bench_load(&bench, 0, 1);
}

static void teardown(void)
{
    bench_fini(&bench);
}

START_TEST(a_submit_with_credit_at_hand_is_inserted_and_leased_in_one_batch)
{
    struct engine_spec spec = bench_spec("noop");
    const struct engine_shard_batch *rows;
    const struct engine_effect *dispatch;
    struct id id;

    bench_worker(&bench, 1, 1, "noop", 4);
    bench_cut(&bench);
    id = bench_submit(&bench, 0, &spec);
    rows = bench_rows(&bench);
    ck_assert_uint_eq(rows->tasks_insert_len, 1);
    ck_assert_uint_eq(rows->leases_len, 1);
    ck_assert_uint_eq(rows->events_len, 2);
    ck_assert_uint_eq(rows->epoch, 1);
    ck_assert(slice_is(rows->tasks_insert[0].spec.parameters, "{\"n\":1}"));
    ck_assert_str_eq(rows->tasks_insert[0].spec.type, "noop");
    ck_assert_uint_eq(rows->leases[0].attempt, 1);
    ck_assert_uint_eq(rows->leases[0].seq, rows->seq);
    dispatch = bench_effect(&bench, ENGINE_DISPATCH, 0);
    ck_assert_ptr_nonnull(dispatch);
    ck_assert(id_eq(&dispatch->dispatch.lease.task, &id));
    ck_assert_uint_eq(dispatch->dispatch.nonce, 71);
    ck_assert_uint_eq(dispatch->dispatch.lease.seq, rows->seq);
    ck_assert(slice_is(dispatch->dispatch.parameters, "{\"n\":1}"));
    ck_assert_int_eq(bench_reply(&bench, 1)->status, STATUS_OK);
    ck_assert(id_eq(&bench_reply(&bench, 1)->id, &id));
}
END_TEST

START_TEST(a_result_is_recorded_and_acked_in_one_narrow_row)
{
    struct engine_spec spec = bench_spec("noop");
    const struct engine_shard_batch *rows;
    struct id id;

    bench_worker(&bench, 1, 1, "noop", 4);
    id = bench_submit(&bench, 0, &spec);
    bench_cut(&bench);
    bench_result(&bench, 1, &id, 1, "{\"ok\":true}");
    rows = bench_rows(&bench);
    ck_assert_uint_eq(rows->tasks_succeed_len, 1);
    ck_assert_uint_eq(rows->tasks_update_len, 0);
    ck_assert_uint_eq(rows->tasks_succeed[0].attempt, 1);
    ck_assert(slice_is(rows->tasks_succeed[0].result, "{\"ok\":true}"));
    ck_assert_uint_eq(rows->outcomes_len, 0);
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_RESULT_ACK), 1);
    ck_assert(slice_is(bench_effect(&bench, ENGINE_RESULT_ACK, 0)->answer.token, "token"));
    ck_assert(slice_is(bench_event(&bench, ENGINE_EVENT_TASK_FINISHED)->result, "{\"ok\":true}"));
    ck_assert_uint_gt(rows->journal_low, 0);
}
END_TEST

START_TEST(a_repeated_result_is_acked_again_and_writes_nothing)
{
    struct engine_spec spec = bench_spec("noop");
    struct id id;

    bench_worker(&bench, 1, 1, "noop", 4);
    id = bench_submit(&bench, 0, &spec);
    bench_cut(&bench);
    bench_result(&bench, 1, &id, 1, "{}");
    bench_cut(&bench);
    bench_result(&bench, 1, &id, 1, "{}");
    bench_cut(&bench);
    ck_assert_uint_eq(bench.batch.shards_len, 0);
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_RESULT_ACK), 1);
}
END_TEST

START_TEST(a_result_of_another_worker_or_attempt_is_stale_and_changes_nothing)
{
    struct engine_spec spec = bench_spec("noop");
    struct id id;

    bench_worker(&bench, 1, 1, "noop", 1);
    id = bench_submit(&bench, 0, &spec);
    bench_cut(&bench);
    bench_worker(&bench, 2, 2, "other", 0);
    bench_result(&bench, 2, &id, 1, "{}");
    bench_cut(&bench);
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_STALE), 1);
    ck_assert_ptr_nonnull(bench_event(&bench, ENGINE_EVENT_STALE_RESULT));
    bench_result(&bench, 1, &id, 2, "{}");
    bench_cut(&bench);
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_STALE), 1);
    ck_assert_int_eq(bench_state(&bench, &id), ENGINE_TASK_RUNNING);
}
END_TEST

START_TEST(a_failure_is_retried_after_its_backoff_until_the_budget_is_spent)
{
    struct engine_spec spec = bench_spec("noop");
    const struct engine_shard_batch *rows;
    int64_t wait_us;
    struct id id;

    spec.retry.max_attempts = 2;
    spec.retry.jitter = 0;
    bench_worker(&bench, 1, 1, "noop", 4);
    id = bench_submit(&bench, 0, &spec);
    bench_cut(&bench);
    bench_fail(&bench, 1, &id, 1, "BAD");
    rows = bench_rows(&bench);
    ck_assert_uint_eq(rows->tasks_update_len, 1);
    ck_assert_int_eq(rows->tasks_update[0].state, ENGINE_TASK_RETRYING);
    ck_assert_uint_eq(rows->tasks_update[0].failures, 1);
    ck_assert_uint_eq(rows->tasks_update[0].attempt, 1);
    wait_us = rows->tasks_update[0].due_us - bench.now_us;
    ck_assert_int_eq(wait_us, 1000000);
    bench_pass(&bench, 999);
    ck_assert_uint_eq(bench_cut(&bench)->shards_len, 0);
    bench_pass(&bench, 1);
    rows = bench_rows(&bench);
    ck_assert_uint_eq(rows->leases_len, 1);
    ck_assert_uint_eq(rows->leases[0].attempt, 2);
    bench_fail(&bench, 1, &id, 2, "BAD");
    rows = bench_rows(&bench);
    ck_assert_int_eq(rows->tasks_update[0].state, ENGINE_TASK_FAILED);
    ck_assert_str_eq(rows->tasks_update[0].failure.code, "BAD");
    ck_assert_uint_eq(rows->outcomes_len, 1);
    ck_assert_uint_eq(rows->outcomes[0].state, ENGINE_TASK_FAILED);
}
END_TEST

START_TEST(a_non_retryable_failure_ends_the_task_at_once)
{
    struct engine_spec spec = bench_spec("noop");
    const char *codes[] = {"BAD_INPUT"};
    struct id id;

    spec.retry.non_retryable = codes;
    spec.retry.non_retryable_len = 1;
    bench_worker(&bench, 1, 1, "noop", 4);
    id = bench_submit(&bench, 0, &spec);
    bench_cut(&bench);
    bench_fail(&bench, 1, &id, 1, "BAD_INPUT");
    ck_assert_int_eq(bench_rows(&bench)->tasks_update[0].state, ENGINE_TASK_FAILED);
}
END_TEST

START_TEST(backoff_grows_stays_below_its_maximum_and_jitters_the_same_way_each_time)
{
    struct engine_spec spec = bench_spec("noop");
    int64_t due[2][4];

    spec.retry.max_attempts = 10;
    spec.retry.initial_backoff_ms = 1000;
    spec.retry.max_backoff_ms = 3000;
    spec.retry.jitter = 0.5;
    for (int round = 0; round < 2; round++) {
        struct id id;

        teardown();
        setup();
        bench_worker(&bench, 1, 1, "noop", 10);
        id = bench_submit(&bench, 0, &spec);
        bench_cut(&bench);
        for (uint32_t n = 0; n < 4; n++) {
            const struct engine_shard_batch *rows;

            bench_fail(&bench, 1, &id, n + 1, "X");
            rows = bench_rows(&bench);
            due[round][n] = rows->tasks_update[0].due_us - bench.now_us;
            ck_assert_int_ge(due[round][n], 500000);
            ck_assert_int_le(due[round][n], 4500000);
            bench_pass(&bench, 4600);
            bench_cut(&bench);
        }
    }
    ck_assert_mem_eq(due[0], due[1], sizeof(due[0]));
    ck_assert_int_ne(due[0][2], due[0][3]);
}
END_TEST

START_TEST(a_cancel_of_a_waiting_task_is_final_at_once)
{
    struct engine_spec spec = bench_spec("noop");
    const struct engine_shard_batch *rows;
    struct id id = bench_submit(&bench, 0, &spec);

    bench_cut(&bench);
    bench_cancel(&bench, &id);
    rows = bench_rows(&bench);
    ck_assert_int_eq(rows->tasks_update[0].state, ENGINE_TASK_CANCELLED);
    ck_assert_str_eq(rows->tasks_update[0].cancel.reason, "enough");
    ck_assert(!bench_reply(&bench, 2)->cancel_requested);
    bench_worker(&bench, 1, 1, "noop", 4);
    bench_cut(&bench);
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_DISPATCH), 0);
    bench_cancel(&bench, &id);
    bench_cut(&bench);
    ck_assert_int_eq(bench_reply(&bench, 3)->status, STATUS_FAILED_PRECONDITION);
}
END_TEST

START_TEST(a_cancel_of_a_running_task_is_a_request_until_its_worker_reports)
{
    struct engine_spec spec = bench_spec("noop");
    const struct engine_shard_batch *rows;
    struct id id;

    bench_worker(&bench, 1, 1, "noop", 4);
    id = bench_submit(&bench, 0, &spec);
    bench_cut(&bench);
    bench_cancel(&bench, &id);
    rows = bench_rows(&bench);
    ck_assert_int_eq(rows->tasks_update[0].state, ENGINE_TASK_RUNNING);
    ck_assert_int_ne(rows->tasks_update[0].cancel.at_us, 0);
    ck_assert(bench_reply(&bench, 2)->cancel_requested);
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_CANCEL_WORK), 1);
    bench_result(&bench, 1, &id, 1, "{\"late\":1}");
    rows = bench_rows(&bench);
    ck_assert_int_eq(rows->tasks_update[0].state, ENGINE_TASK_CANCELLED);
    ck_assert_uint_eq(rows->tasks_update[0].result.len, 0);
    ck_assert(slice_is(bench_event(&bench, ENGINE_EVENT_TASK_FINISHED)->result, "{\"late\":1}"));
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_RESULT_ACK), 1);
}
END_TEST

START_TEST(a_cancel_that_no_worker_confirms_ends_at_its_deadline)
{
    struct engine_spec spec = bench_spec("noop");
    struct id id;

    bench_worker(&bench, 1, 1, "noop", 4);
    id = bench_submit(&bench, 0, &spec);
    bench_cancel(&bench, &id);
    bench_cut(&bench);
    for (int i = 0; i < 29; i++) {
        bench_pass(&bench, 1000);
        bench_beat(&bench, 1);
    }
    ck_assert_int_eq(bench_state(&bench, &id), ENGINE_TASK_RUNNING);
    bench_pass(&bench, 1000);
    ck_assert_int_eq(bench_rows(&bench)->tasks_update[0].state, ENGINE_TASK_CANCELLED);
    bench_result(&bench, 1, &id, 1, "{}");
    bench_cut(&bench);
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_STALE), 1);
}
END_TEST

START_TEST(force_finish_ends_a_running_task_and_tells_its_worker)
{
    struct engine_spec spec = bench_spec("noop");
    struct id id;

    bench_worker(&bench, 1, 1, "noop", 4);
    id = bench_submit(&bench, 0, &spec);
    bench_cut(&bench);
    bench_apply(&bench, &(struct engine_command){.kind = ENGINE_FORCE_FINISH,
                                                 .ticket = 50,
                                                 .force_finish = {.id = id,
                                                                  .state = ENGINE_TASK_FAILED,
                                                                  .actor = "op",
                                                                  .reason = "stuck"}});
    ck_assert_int_eq(bench_rows(&bench)->tasks_update[0].state, ENGINE_TASK_FAILED);
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_CANCEL_WORK), 1);
    ck_assert_str_eq(bench_event(&bench, ENGINE_EVENT_TASK_FINISHED)->actor, "op");
}
END_TEST

START_TEST(an_attempt_over_its_time_is_asked_to_stop_and_then_charged)
{
    struct engine_spec spec = bench_spec("noop");
    const struct engine_shard_batch *rows;
    struct id id;

    spec.timeouts.attempt_ms = 10000;
    spec.retry.max_attempts = 1;
    bench_worker(&bench, 1, 1, "noop", 4);
    id = bench_submit(&bench, 0, &spec);
    bench_cut(&bench);
    for (int i = 0; i < 12; i++) {
        bench_pass(&bench, 1000);
        bench_beat(&bench, 1);
    }
    bench_cut(&bench);
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_CANCEL_WORK), 1);
    for (int i = 0; i < 8; i++) {
        bench_pass(&bench, 1000);
        bench_beat(&bench, 1);
    }
    rows = bench_rows(&bench);
    ck_assert_int_eq(rows->tasks_update[0].state, ENGINE_TASK_FAILED);
    ck_assert_str_eq(rows->tasks_update[0].failure.code, "TIMEOUT");
    ck_assert(!rows->tasks_update[0].closed_by_report);
    ck_assert(id_eq(&rows->tasks_update[0].id, &id));
}
END_TEST

START_TEST(queue_and_total_timeouts_end_tasks_that_nobody_takes)
{
    struct engine_spec spec = bench_spec("noop");
    const struct engine_shard_batch *rows;

    spec.timeouts.queue_ms = 1000;
    bench_submit(&bench, 0, &spec);
    spec.timeouts.queue_ms = 0;
    spec.timeouts.total_ms = 2000;
    bench_submit(&bench, 0, &spec);
    bench_cut(&bench);
    bench_pass(&bench, 1000);
    rows = bench_rows(&bench);
    ck_assert_uint_eq(rows->tasks_update_len, 1);
    ck_assert_str_eq(rows->tasks_update[0].failure.code, "QUEUE_TIMEOUT");
    bench_pass(&bench, 1000);
    rows = bench_rows(&bench);
    ck_assert_str_eq(rows->tasks_update[0].failure.code, "TOTAL_TIMEOUT");
}
END_TEST

START_TEST(a_task_waits_for_its_time)
{
    struct engine_spec spec = bench_spec("noop");
    struct id id;

    bench_worker(&bench, 1, 1, "noop", 4);
    spec.run_at_us = bench.now_us + 5000000;
    id = bench_submit(&bench, 0, &spec);
    bench_cut(&bench);
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_DISPATCH), 0);
    ck_assert_int_eq(bench_state(&bench, &id), ENGINE_TASK_PENDING);
    ck_assert_int_le(engine_next_due_us(bench.engine), spec.run_at_us);
    bench_pass(&bench, 5000);
    bench_cut(&bench);
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_DISPATCH), 1);
}
END_TEST

START_TEST(a_watch_is_answered_when_the_task_is_terminal_and_an_unwatch_silences_it)
{
    struct engine_spec spec = bench_spec("noop");
    struct id id;

    bench_worker(&bench, 1, 1, "noop", 4);
    id = bench_submit(&bench, 0, &spec);
    for (uint64_t ticket = 60; ticket < 62; ticket++)
        bench_apply(&bench, &(struct engine_command){
                                .kind = ENGINE_WATCH_TASK, .ticket = ticket, .by_id.id = id});
    bench_apply(&bench, &(struct engine_command){.kind = ENGINE_UNWATCH, .ticket = 61});
    bench_cut(&bench);
    ck_assert_ptr_null(bench_reply(&bench, 60));
    bench_result(&bench, 1, &id, 1, "[7]");
    bench_cut(&bench);
    ck_assert_int_eq(bench_reply(&bench, 60)->task->state, ENGINE_TASK_SUCCEEDED);
    ck_assert(slice_is(bench_reply(&bench, 60)->task->row.change.result, "[7]"));
    ck_assert_ptr_null(bench_reply(&bench, 61));
}
END_TEST

START_TEST(a_delay_counts_from_the_submit_and_the_later_of_it_and_the_time_holds)
{
    struct engine_spec spec = bench_spec("noop");
    struct id id;

    bench_worker(&bench, 1, 1, "noop", 4);
    spec.delay_ms = 3000;
    spec.run_at_us = bench.now_us + 1000000;
    id = bench_submit(&bench, 0, &spec);
    bench_pass(&bench, 2999);
    ck_assert_int_eq(bench_state(&bench, &id), ENGINE_TASK_PENDING);
    bench_pass(&bench, 1);
    ck_assert_int_eq(bench_state(&bench, &id), ENGINE_TASK_RUNNING);
}
END_TEST

static void fail_after(const struct id *id, uint32_t attempt, int64_t retry_after_ms)
{
    bench_apply(&bench, &(struct engine_command){
                            .kind = ENGINE_RESULT,
                            .result = {.stream = 1,
                                       .task = *id,
                                       .attempt = attempt,
                                       .token = slice_of("token"),
                                       .kind = ENGINE_RESULT_FAILURE,
                                       .retry_after_ms = retry_after_ms,
                                       .failure = {.code = "BUSY", .message = "", .step = ""}}});
}

START_TEST(a_worker_can_ask_for_a_later_retry_but_not_for_an_earlier_one)
{
    struct engine_spec spec = bench_spec("noop");
    struct id id;

    bench_worker(&bench, 1, 1, "noop", 9);
    spec.retry.jitter = 0;
    id = bench_submit(&bench, 0, &spec);
    fail_after(&id, 1, 5000);
    bench_cut(&bench);
    ck_assert_int_eq(bench_event(&bench, ENGINE_EVENT_TASK_RETRYING)->due_us,
                     bench.now_us + 5000000);
    bench_pass(&bench, 5000);
    ck_assert_int_eq(bench_state(&bench, &id), ENGINE_TASK_RUNNING);
    fail_after(&id, 2, 100);
    bench_cut(&bench);
    ck_assert_int_eq(bench_event(&bench, ENGINE_EVENT_TASK_RETRYING)->due_us,
                     bench.now_us + 2000000);
}
END_TEST

START_TEST(no_retry_begins_after_the_budget)
{
    struct engine_spec spec = bench_spec("noop");
    struct id id;

    bench_worker(&bench, 1, 1, "noop", 9);
    spec.retry.jitter = 0;
    spec.retry.max_attempts = 100;
    spec.retry.budget_ms = 2500;
    id = bench_submit(&bench, 0, &spec);
    fail_after(&id, 1, 0);
    bench_pass(&bench, 1000);
    ck_assert_int_eq(bench_state(&bench, &id), ENGINE_TASK_RUNNING);
    fail_after(&id, 2, 0); /* two seconds more would be three in all */
    bench_cut(&bench);
    ck_assert_str_eq(bench_event(&bench, ENGINE_EVENT_TASK_FINISHED)->reason,
                     "its retry budget is spent");
    ck_assert_str_eq(bench_event(&bench, ENGINE_EVENT_TASK_FINISHED)->failure_code, "BUSY");
}
END_TEST

static void report_progress(const struct id *id)
{
    bench_apply(&bench,
                &(struct engine_command){
                    .kind = ENGINE_PROGRESS,
                    .progress = {.stream = 1, .task = *id, .attempt = 1, .message = "alive"}});
}

START_TEST(a_program_that_stops_beating_is_stopped_and_charged)
{
    struct engine_spec spec = bench_spec("noop");
    struct id id;

    bench_worker(&bench, 1, 1, "noop", 9);
    spec.timeouts.heartbeat_ms = 3000;
    spec.retry.max_attempts = 1;
    id = bench_submit(&bench, 0, &spec);
    for (int i = 0; i < 6; i++) { /* before its first beat nothing is expected */
        bench_pass(&bench, 2000);
        bench_beat(&bench, 1);
    }
    bench_pass(&bench, 1000);
    for (int i = 0; i < 4; i++) {
        report_progress(&id);
        bench_pass(&bench, 2000);
    }
    bench_cut(&bench);
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_CANCEL_WORK), 0);
    bench_pass(&bench, 1001);
    bench_beat(&bench, 1);
    bench_cut(&bench);
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_CANCEL_WORK), 1);
    bench_apply(&bench, &(struct engine_command){.kind = ENGINE_RESULT,
                                                 .result = {.stream = 1,
                                                            .task = id,
                                                            .attempt = 1,
                                                            .token = slice_of("token"),
                                                            .kind = ENGINE_RESULT_CANCELLED,
                                                            .failure = {"", "", {0}, false, ""}}});
    bench_cut(&bench);
    ck_assert_str_eq(bench_event(&bench, ENGINE_EVENT_TASK_FINISHED)->failure_code,
                     "HEARTBEAT_TIMEOUT");
}
END_TEST

START_TEST(a_bad_specification_is_refused)
{
    struct engine_spec spec = bench_spec("noop");

    spec.priority = 10;
    bench_submit(&bench, 0, &spec);
    spec = bench_spec("");
    bench_submit(&bench, 0, &spec);
    spec = bench_spec("noop");
    bench_submit(&bench, 7, &spec);
    ck_assert_str_eq(effect_of(bench_immediate(&bench), ENGINE_REPLY)->reply.reason, "NOT_OWNER");
    bench_cut(&bench);
    ck_assert_uint_eq(bench.batch.shards_len, 0);
    ck_assert_int_eq(bench_reply(&bench, 1)->status, STATUS_INVALID_ARGUMENT);
    ck_assert_int_eq(bench_reply(&bench, 2)->status, STATUS_INVALID_ARGUMENT);
}
END_TEST

START_TEST(event_numbers_have_no_gaps)
{
    struct engine_spec spec = bench_spec("noop");
    uint64_t next = 1;

    bench_worker(&bench, 1, 1, "noop", 100);
    for (int i = 0; i < 5; i++) {
        const struct engine_shard_batch *rows;
        struct id id = bench_submit(&bench, 0, &spec);

        bench_fail(&bench, 1, &id, 1, "X");
        rows = bench_rows(&bench);
        for (uint32_t k = 0; k < rows->events_len; k++)
            ck_assert_uint_eq(rows->events[k].number, next++);
        ck_assert_uint_eq(rows->event_next, next);
    }
}
END_TEST

START_TEST(what_happens_to_a_task_within_one_batch_is_one_row)
{
    struct engine_spec spec = bench_spec("noop");
    const struct engine_shard_batch *rows;
    struct id id;

    bench_worker(&bench, 1, 1, "noop", 4);
    bench_cut(&bench);
    id = bench_submit(&bench, 0, &spec);
    bench_result(&bench, 1, &id, 1, "{}");
    rows = bench_rows(&bench);
    ck_assert_uint_eq(rows->tasks_insert_len, 1);
    ck_assert_uint_eq(rows->tasks_succeed_len + rows->tasks_update_len, 0);
    ck_assert_int_eq(rows->tasks_insert[0].change.state, ENGINE_TASK_SUCCEEDED);
    ck_assert_uint_eq(rows->leases_len, 0);
}
END_TEST

Suite *task_suite(void)
{
    Suite *suite = suite_create("task");
    TCase *tcase = tcase_create("task");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_submit_with_credit_at_hand_is_inserted_and_leased_in_one_batch);
    tcase_add_test(tcase, a_result_is_recorded_and_acked_in_one_narrow_row);
    tcase_add_test(tcase, a_repeated_result_is_acked_again_and_writes_nothing);
    tcase_add_test(tcase, a_result_of_another_worker_or_attempt_is_stale_and_changes_nothing);
    tcase_add_test(tcase, a_failure_is_retried_after_its_backoff_until_the_budget_is_spent);
    tcase_add_test(tcase, a_non_retryable_failure_ends_the_task_at_once);
    tcase_add_test(tcase, backoff_grows_stays_below_its_maximum_and_jitters_the_same_way_each_time);
    tcase_add_test(tcase, a_cancel_of_a_waiting_task_is_final_at_once);
    tcase_add_test(tcase, a_cancel_of_a_running_task_is_a_request_until_its_worker_reports);
    tcase_add_test(tcase, a_cancel_that_no_worker_confirms_ends_at_its_deadline);
    tcase_add_test(tcase, force_finish_ends_a_running_task_and_tells_its_worker);
    tcase_add_test(tcase, an_attempt_over_its_time_is_asked_to_stop_and_then_charged);
    tcase_add_test(tcase, queue_and_total_timeouts_end_tasks_that_nobody_takes);
    tcase_add_test(tcase, a_task_waits_for_its_time);
    tcase_add_test(tcase, a_watch_is_answered_when_the_task_is_terminal_and_an_unwatch_silences_it);
    tcase_add_test(tcase, a_delay_counts_from_the_submit_and_the_later_of_it_and_the_time_holds);
    tcase_add_test(tcase, a_worker_can_ask_for_a_later_retry_but_not_for_an_earlier_one);
    tcase_add_test(tcase, no_retry_begins_after_the_budget);
    tcase_add_test(tcase, a_program_that_stops_beating_is_stopped_and_charged);
    tcase_add_test(tcase, a_bad_specification_is_refused);
    tcase_add_test(tcase, event_numbers_have_no_gaps);
    tcase_add_test(tcase, what_happens_to_a_task_within_one_batch_is_one_row);
    suite_add_tcase(suite, tcase);
    return suite;
}
