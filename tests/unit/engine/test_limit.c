/* SPDX-License-Identifier: Apache-2.0 */
/* Limits by key and of queues, rates, fair shares, and priority that grows with time. */
#include <stdio.h>
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

static struct id submit(const struct engine_concurrency *limits, uint32_t len)
{
    struct engine_limits all = {.concurrency = limits, .concurrency_len = len};
    struct engine_spec spec = bench_spec("noop");

    spec.limits = &all;
    return bench_submit(&bench, 0, &spec);
}

static uint32_t dispatched(void)
{
    bench_cut(&bench);
    return bench_effects(&bench, ENGINE_DISPATCH);
}

static struct id dispatch_at(uint32_t n)
{
    return bench_effect(&bench, ENGINE_DISPATCH, n)->dispatch.lease.task;
}

static const char *why(const struct id *task)
{
    bench_read(&bench, task);
    bench_cut(&bench);
    return bench_reply(&bench, bench.next_ticket - 1)->task->waiting_for;
}

static const struct engine_reply *last_reply(void)
{
    bench_cut(&bench);
    return bench_reply(&bench, bench.next_ticket - 1);
}

static void limit_queue(const char *queue, uint32_t concurrency, uint32_t rate, int64_t per_ms)
{
    bench_apply(&bench, &(struct engine_command){.kind = ENGINE_LIMIT_QUEUE,
                                                 .ticket = bench.next_ticket++,
                                                 .queue = {.namespace_id = 1,
                                                           .queue = queue,
                                                           .actor = "ann",
                                                           .reason = "",
                                                           .concurrency = concurrency,
                                                           .rate = {"", rate, per_ms, 1}}});
}

START_TEST(no_more_leases_of_a_key_than_its_limit_and_the_next_follows_an_end)
{
    struct engine_concurrency two = {"db", 2, ENGINE_STRATEGY_QUEUE};
    struct id ids[4];
    char text[256], first[ID_TEXT_BYTES], second[ID_TEXT_BYTES];

    bench_worker(&bench, 1, 1, "noop", 10);
    for (int i = 0; i < 4; i++)
        ids[i] = submit(&two, 1);
    ck_assert_uint_eq(dispatched(), 2);
    id_format(&ids[0], first);
    id_format(&ids[1], second);
    snprintf(text, sizeof(text), "limit of key db: 2 of 2 held by %s, %s", first, second);
    ck_assert_str_eq(why(&ids[2]), text);
    bench_result(&bench, 1, &ids[1], 1, "{}");
    ck_assert_uint_eq(dispatched(), 1); /* in the batch of the end */
    ck_assert(id_eq(&bench_effect(&bench, ENGINE_DISPATCH, 0)->dispatch.lease.task, &ids[2]));
    ck_assert_uint_eq(bench.batch.shards[0].tasks_succeed_len, 1);
    bench_fail(&bench, 1, &ids[0], 1, "BAD");
    ck_assert_uint_eq(dispatched(), 1);
}
END_TEST

START_TEST(other_work_passes_what_a_limit_holds_back)
{
    struct engine_concurrency one = {"db", 1, ENGINE_STRATEGY_QUEUE};
    struct engine_spec plain = bench_spec("noop");

    for (int i = 0; i < 50; i++)
        submit(&one, 1);
    bench_submit(&bench, 0, &plain);
    bench_submit(&bench, 0, &plain);
    bench_worker(&bench, 1, 1, "noop", 10);
    ck_assert_uint_eq(dispatched(), 3);
}
END_TEST

START_TEST(a_task_needs_all_its_keys)
{
    struct engine_concurrency both[] = {{"all", 3, ENGINE_STRATEGY_QUEUE},
                                        {"ann", 1, ENGINE_STRATEGY_QUEUE}};
    struct id ids[6];

    for (int i = 0; i < 3; i++)
        ids[i] = submit(both, 2);
    both[1].key = "bob";
    for (int i = 3; i < 6; i++)
        ids[i] = submit(both, 2);
    bench_worker(&bench, 1, 1, "noop", 10);
    ck_assert_uint_eq(dispatched(), 2);
    both[1].key = "eve";
    submit(both, 2);
    ck_assert_uint_eq(dispatched(), 1);
    both[1].key = "dan";
    ids[5] = submit(both, 2);
    ck_assert_uint_eq(dispatched(), 0);
    ck_assert(strncmp(why(&ids[5]), "limit of key all: 3 of 3 held by ", 33) == 0);
    bench_result(&bench, 1, &ids[3], 1, "{}"); /* bob's next is older than dan's */
    ck_assert_uint_eq(dispatched(), 1);
    ck_assert(id_eq(&bench_effect(&bench, ENGINE_DISPATCH, 0)->dispatch.lease.task, &ids[4]));
}
END_TEST

START_TEST(leases_found_at_a_takeover_count)
{
    struct engine_concurrency one = {"db", 1, ENGINE_STRATEGY_QUEUE};
    struct engine_limits limits = {.concurrency = &one, .concurrency_len = 1};
    struct engine_task_row row = {.id = bench_id(&bench, 0),
                                  .namespace_id = 1,
                                  .created_us = bench.now_us,
                                  .spec = bench_spec("noop"),
                                  .step = "",
                                  .change = {.state = ENGINE_TASK_READY,
                                             .cancel = {.actor = "", .reason = ""},
                                             .failure = {.code = "", .message = "", .step = ""}}};
    struct engine_lease lease = {row.id, 1, bench_worker_id(1), bench.now_us, 1, 5};
    struct engine_journal_load journal = {.seq = 5, .leases = &lease, .leases_len = 1};
    struct engine_held_entry held = {.task = row.id, .attempt = 1, .token = slice_of("token")};

    row.spec.limits = &limits;
    bench_begin(&bench, &(struct engine_load_begin){.shard = 0, .epoch = 2, .seq = 5});
    bench_apply(&bench, &(struct engine_command){.kind = ENGINE_LOAD_ROWS,
                                                 .load_rows = {.shard = 0,
                                                               .tasks = &row,
                                                               .tasks_len = 1,
                                                               .journals = &journal,
                                                               .journals_len = 1}});
    bench_end(&bench, 0);
    bench_open(&bench, 1, 1, "noop");
    bench_held(&bench, 1, 0, 2, 71, &held, 1);
    bench_credit(&bench, 1, 5);
    submit(&one, 1);
    ck_assert_uint_eq(dispatched(), 0);
    bench_result(&bench, 1, &row.id, 1, "{}");
    ck_assert_uint_eq(dispatched(), 1);
}
END_TEST

START_TEST(a_new_task_over_the_limit_can_be_refused)
{
    struct engine_concurrency one = {"deploy", 1, ENGINE_STRATEGY_REJECT_NEW};
    struct id first = submit(&one, 1);

    ck_assert_int_eq(last_reply()->status, STATUS_OK);
    submit(&one, 1);
    ck_assert_int_eq(last_reply()->status, STATUS_FAILED_PRECONDITION);
    bench_worker(&bench, 1, 1, "noop", 1);
    bench_result(&bench, 1, &first, 1, "{}");
    submit(&one, 1);
    ck_assert_int_eq(last_reply()->status, STATUS_OK);
}
END_TEST

START_TEST(a_new_task_can_take_the_place_of_the_older_ones)
{
    struct engine_concurrency one = {"preview", 1, ENGINE_STRATEGY_CANCEL_RUNNING};
    struct id ids[3];

    bench_worker(&bench, 1, 1, "noop", 5);
    ids[0] = submit(&one, 1);
    ck_assert_uint_eq(dispatched(), 1);
    ids[1] = submit(&one, 1);
    ids[2] = submit(&one, 1);
    ck_assert_uint_eq(dispatched(), 0); /* not before the first has stopped */
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_CANCEL_WORK), 1);
    ck_assert_int_eq(bench_state(&bench, &ids[1]), ENGINE_TASK_NONE);
    bench_apply(&bench, &(struct engine_command){.kind = ENGINE_RESULT,
                                                 .result = {.stream = 1,
                                                            .task = ids[0],
                                                            .attempt = 1,
                                                            .token = slice_of("token"),
                                                            .kind = ENGINE_RESULT_CANCELLED,
                                                            .failure = {"", "", {0}, false, ""}}});
    ck_assert_uint_eq(dispatched(), 1);
    ck_assert(id_eq(&bench_effect(&bench, ENGINE_DISPATCH, 0)->dispatch.lease.task, &ids[2]));
}
END_TEST

START_TEST(a_queue_has_a_limit_of_its_own)
{
    struct engine_spec spec = bench_spec("noop");
    struct id ids[3];

    limit_queue("default", 2, 0, 0);
    ck_assert_uint_eq(bench_rows(&bench)->queues[0].concurrency, 2);
    ck_assert_ptr_nonnull(bench_event(&bench, ENGINE_EVENT_QUEUE_CHANGED));
    bench_worker(&bench, 1, 1, "noop", 10);
    for (int i = 0; i < 3; i++)
        ids[i] = bench_submit(&bench, 0, &spec);
    ck_assert_uint_eq(dispatched(), 2);
    ck_assert_str_eq(why(&ids[2]), "limit of queue default: 2 of 2 running");
    bench_result(&bench, 1, &ids[0], 1, "{}");
    ck_assert_uint_eq(dispatched(), 1);
    bench_submit(&bench, 0, &spec);
    ck_assert_uint_eq(dispatched(), 0);
    limit_queue("default", 0, 0, 0);
    ck_assert_uint_eq(dispatched(), 1);
}
END_TEST

static struct id submit_rate(uint32_t limit, int64_t per_ms, uint32_t units)
{
    struct engine_rate rate = {"mail", limit, per_ms, units};
    struct engine_limits limits = {.rates = &rate, .rates_len = 1};
    struct engine_spec spec = bench_spec("noop");

    spec.limits = &limits;
    return bench_submit(&bench, 0, &spec);
}

START_TEST(a_rate_lets_one_bucket_through_and_then_its_share_of_the_time)
{
    struct id last;

    bench_pass(&bench, 10000); /* since the takeover the bucket has filled */
    bench_worker(&bench, 1, 1, "noop", 50);
    for (int i = 0; i < 9; i++)
        submit_rate(5, 1000, 1);
    last = submit_rate(5, 1000, 1);
    ck_assert_uint_eq(dispatched(), 5);
    ck_assert(strncmp(why(&last), "rate of key mail: 5 in 1 s, next at 2023-11-14T", 47) == 0);
    bench_pass(&bench, 199);
    ck_assert_uint_eq(dispatched(), 0);
    bench_pass(&bench, 1);
    ck_assert_uint_eq(dispatched(), 1);
    bench_pass(&bench, 400);
    ck_assert_uint_eq(dispatched(), 2);
    bench_pass(&bench, 5000);
    ck_assert_uint_eq(dispatched(), 2);
}
END_TEST

START_TEST(a_bucket_is_empty_after_a_takeover)
{
    bench_worker(&bench, 1, 1, "noop", 50);
    for (int i = 0; i < 10; i++)
        submit_rate(5, 1000, 1);
    ck_assert_uint_eq(dispatched(), 0);
    bench_pass(&bench, 200);
    ck_assert_uint_eq(dispatched(), 1);
    bench_pass(&bench, 800);
    ck_assert_uint_eq(dispatched(), 4);
}
END_TEST

START_TEST(a_start_may_take_more_than_one_unit)
{
    bench_pass(&bench, 10000);
    bench_worker(&bench, 1, 1, "noop", 50);
    for (int i = 0; i < 3; i++)
        submit_rate(5, 1000, 4);
    ck_assert_uint_eq(dispatched(), 1);
    bench_pass(&bench, 599);
    ck_assert_uint_eq(dispatched(), 0);
    bench_pass(&bench, 1);
    ck_assert_uint_eq(dispatched(), 1);
}
END_TEST

START_TEST(a_bucket_that_nobody_uses_is_remembered_until_it_is_full)
{
    struct id id;

    bench_pass(&bench, 70000);
    bench_worker(&bench, 1, 1, "noop", 50);
    id = submit_rate(1, 60000, 1);
    ck_assert_uint_eq(dispatched(), 1);
    bench_result(&bench, 1, &id, 1, "{}");
    bench_cut(&bench);
    for (int i = 0; i < 10; i++) {
        bench_pass(&bench, 4000);
        bench_beat(&bench, 1);
    }
    submit_rate(1, 60000, 1);
    ck_assert_uint_eq(dispatched(), 0);
    for (int i = 0; i < 5; i++) {
        bench_pass(&bench, 4000);
        bench_beat(&bench, 1);
    }
    ck_assert_uint_eq(dispatched(), 1);
}
END_TEST

START_TEST(a_queue_has_a_rate_of_its_own)
{
    struct engine_spec spec = bench_spec("noop");
    struct id last;

    bench_pass(&bench, 10000);
    limit_queue("default", 0, 2, 1000);
    bench_worker(&bench, 1, 1, "noop", 10);
    for (int i = 0; i < 4; i++)
        last = bench_submit(&bench, 0, &spec);
    ck_assert_uint_eq(dispatched(), 2);
    ck_assert(strncmp(why(&last), "rate of queue default: 2 in 1 s, next at ", 41) == 0);
    bench_pass(&bench, 500);
    ck_assert_uint_eq(dispatched(), 1);
}
END_TEST

static struct id submit_fair(const char *key, uint32_t weight, int32_t priority)
{
    struct engine_limits limits = {.fairness_key = key, .fairness_weight = weight};
    struct engine_spec spec = bench_spec("noop");

    spec.limits = &limits;
    spec.priority = priority;
    return bench_submit(&bench, 0, &spec);
}

static uint32_t count_of(const struct id *ids, uint32_t len, uint32_t dispatches)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < dispatches; i++) {
        struct id id = dispatch_at(i);

        for (uint32_t k = 0; k < len; k++)
            n += id_eq(&ids[k], &id);
    }
    return n;
}

START_TEST(keys_share_by_their_weights_however_many_tasks_each_has)
{
    struct id big[300], small[20];

    for (int i = 0; i < 300; i++)
        big[i] = submit_fair("big", 1, 5);
    for (int i = 0; i < 20; i++)
        small[i] = submit_fair("small", 3, 5);
    bench_worker(&bench, 1, 1, "noop", 20);
    ck_assert_uint_eq(dispatched(), 20);
    ck_assert_uint_eq(count_of(small, 20, 20), 15);
    ck_assert_uint_eq(count_of(big, 300, 20), 5);
}
END_TEST

START_TEST(a_key_cannot_save_up_its_turns)
{
    struct id late[20];

    bench_worker(&bench, 1, 1, "noop", 0);
    for (int i = 0; i < 60; i++)
        submit_fair("busy", 1, 5);
    bench_credit(&bench, 1, 30);
    ck_assert_uint_eq(dispatched(), 30);
    for (int i = 0; i < 20; i++)
        late[i] = submit_fair("late", 1, 5);
    bench_credit(&bench, 1, 20);
    ck_assert_uint_eq(dispatched(), 20);
    ck_assert_uint_eq(count_of(late, 20, 20), 10);
}
END_TEST

START_TEST(fair_shares_are_within_a_priority)
{
    struct id urgent[4];

    for (int i = 0; i < 20; i++)
        submit_fair("a", 1, 5);
    for (int i = 0; i < 4; i++)
        urgent[i] = submit_fair("b", 1, 9);
    bench_worker(&bench, 1, 1, "noop", 4);
    ck_assert_uint_eq(dispatched(), 4);
    ck_assert_uint_eq(count_of(urgent, 4, 4), 4);
}
END_TEST

START_TEST(what_waits_long_enough_passes_what_is_more_urgent)
{
    struct engine_spec spec = bench_spec("noop");
    struct id patient, young;

    spec.priority = 3;
    patient = bench_submit(&bench, 0, &spec);
    bench_pass(&bench, 2 * ENGINE_AGING_STEP_MS - 1000);
    spec.priority = 5;
    young = bench_submit(&bench, 0, &spec);
    bench_worker(&bench, 1, 1, "noop", 1);
    ck_assert_uint_eq(dispatched(), 1);
    ck_assert(id_eq(&bench_effect(&bench, ENGINE_DISPATCH, 0)->dispatch.lease.task, &young));
    bench_pass(&bench, 2000);
    young = bench_submit(&bench, 0, &spec);
    bench_credit(&bench, 1, 1);
    ck_assert_uint_eq(dispatched(), 1);
    ck_assert(id_eq(&bench_effect(&bench, ENGINE_DISPATCH, 0)->dispatch.lease.task, &patient));
}
END_TEST

START_TEST(a_limit_of_many_keys_is_shared_fairly)
{
    struct engine_concurrency one = {"all", 1, ENGINE_STRATEGY_QUEUE};
    struct engine_limits limits = {.concurrency = &one, .concurrency_len = 1, .fairness_weight = 1};
    struct engine_spec spec = bench_spec("noop");
    struct id ids[40], running;
    uint32_t of_b = 0;

    spec.limits = &limits;
    for (int i = 0; i < 40; i++) {
        limits.fairness_key = i < 36 ? "a" : "b";
        ids[i] = bench_submit(&bench, 0, &spec);
    }
    bench_worker(&bench, 1, 1, "noop", 10);
    ck_assert_uint_eq(dispatched(), 1);
    for (int i = 0; i < 8; i++) {
        running = dispatch_at(0);
        of_b += count_of(ids + 36, 4, 1);
        bench_result(&bench, 1, &running, 1, "{}");
        ck_assert_uint_eq(dispatched(), 1);
    }
    ck_assert_uint_eq(of_b, 4);
}
END_TEST

START_TEST(tasks_of_a_blocked_key_take_no_place_from_others_in_the_window)
{
    struct engine_concurrency one = {"db", 1, ENGINE_STRATEGY_QUEUE};
    struct engine_spec plain = bench_spec("noop");
    struct engine_stats stats;

    bench_fini(&bench);
    bench_init(&bench);
    engine_free(bench.engine);
    bench.config.window_tasks = 40;
    bench.engine = engine_new(&bench.config);
    bench_load(&bench, 0, 1);
    for (int i = 0; i < 400; i++)
        submit(&one, 1);
    bench_submit(&bench, 0, &plain);
    bench_cut(&bench);
    bench_cut(&bench);
    engine_stats(bench.engine, &stats);
    ck_assert_uint_lt(stats.tasks_in_memory, 100);
    bench_worker(&bench, 1, 1, "noop", 10);
    ck_assert_uint_eq(dispatched(), 2);
}
END_TEST

START_TEST(malformed_limits_are_refused)
{
    struct engine_concurrency bad[] = {{"", 1, 0}, {"k", 0, 0}, {"k", ENGINE_LIMIT_MAX + 1, 0}};

    for (uint32_t i = 0; i < 3; i++) {
        submit(&bad[i], 1);
        ck_assert_int_eq(last_reply()->status, STATUS_INVALID_ARGUMENT);
    }
    submit_rate(5, 1000, 6);
    ck_assert_int_eq(last_reply()->status, STATUS_INVALID_ARGUMENT);
    submit_fair("k", ENGINE_WEIGHT_MAX + 1, 5);
    ck_assert_int_eq(last_reply()->status, STATUS_INVALID_ARGUMENT);
}
END_TEST

Suite *limit_suite(void)
{
    Suite *suite = suite_create("limit");
    TCase *tcase = tcase_create("limit");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, no_more_leases_of_a_key_than_its_limit_and_the_next_follows_an_end);
    tcase_add_test(tcase, other_work_passes_what_a_limit_holds_back);
    tcase_add_test(tcase, a_task_needs_all_its_keys);
    tcase_add_test(tcase, leases_found_at_a_takeover_count);
    tcase_add_test(tcase, a_new_task_over_the_limit_can_be_refused);
    tcase_add_test(tcase, a_new_task_can_take_the_place_of_the_older_ones);
    tcase_add_test(tcase, a_queue_has_a_limit_of_its_own);
    tcase_add_test(tcase, a_rate_lets_one_bucket_through_and_then_its_share_of_the_time);
    tcase_add_test(tcase, a_bucket_is_empty_after_a_takeover);
    tcase_add_test(tcase, a_start_may_take_more_than_one_unit);
    tcase_add_test(tcase, a_bucket_that_nobody_uses_is_remembered_until_it_is_full);
    tcase_add_test(tcase, a_queue_has_a_rate_of_its_own);
    tcase_add_test(tcase, keys_share_by_their_weights_however_many_tasks_each_has);
    tcase_add_test(tcase, a_key_cannot_save_up_its_turns);
    tcase_add_test(tcase, fair_shares_are_within_a_priority);
    tcase_add_test(tcase, what_waits_long_enough_passes_what_is_more_urgent);
    tcase_add_test(tcase, a_limit_of_many_keys_is_shared_fairly);
    tcase_add_test(tcase, tasks_of_a_blocked_key_take_no_place_from_others_in_the_window);
    tcase_add_test(tcase, malformed_limits_are_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
