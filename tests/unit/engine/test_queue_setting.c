/* SPDX-License-Identifier: Apache-2.0 */
/* Queues that are paused, what is counted of them, and why tasks say that they wait. */
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

static uint64_t ask(enum engine_command_kind kind, const char *queue, const char *reason)
{
    bench_apply(
        &bench,
        &(struct engine_command){
            .kind = kind,
            .ticket = bench.next_ticket,
            .queue = {.namespace_id = 1, .queue = queue, .actor = "ann", .reason = reason}});
    return bench.next_ticket++;
}

static const struct engine_queue_view *view_of(const char *queue)
{
    uint64_t ticket = ask(ENGINE_READ_QUEUES, queue, "");

    bench_cut(&bench);
    return bench_reply(&bench, ticket)->queues;
}

static const char *why(const struct id *task)
{
    bench_read(&bench, task);
    bench_cut(&bench);
    return bench_reply(&bench, bench.next_ticket - 1)->task->waiting_for;
}

static struct id submit_to(const char *queue)
{
    struct engine_spec spec = bench_spec("noop");

    spec.queue = queue;
    return bench_submit(&bench, 0, &spec);
}

START_TEST(a_paused_queue_dispatches_nothing_and_says_who_paused_it_and_why)
{
    struct id waits, other;
    const struct engine_shard_batch *rows;

    ask(ENGINE_PAUSE_QUEUE, "slow", "the disk is full");
    rows = bench_rows(&bench);
    ck_assert_uint_eq(rows->queues_len, 1);
    ck_assert_str_eq(rows->queues[0].name, "slow");
    ck_assert_int_eq(rows->queues[0].paused_us, bench.now_us);
    ck_assert_str_eq(rows->queues[0].actor, "ann");
    ck_assert_str_eq(bench_event(&bench, ENGINE_EVENT_QUEUE_PAUSED)->type, "slow");
    bench_worker(&bench, 1, 1, "noop", 4);
    waits = submit_to("slow");
    other = submit_to("default");
    bench_cut(&bench);
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_DISPATCH), 1);
    ck_assert(id_eq(&bench_effect(&bench, ENGINE_DISPATCH, 0)->dispatch.lease.task, &other));
    ck_assert_str_eq(why(&waits), "queue slow is paused by ann: the disk is full");
    ask(ENGINE_RESUME_QUEUE, "slow", "");
    rows = bench_rows(&bench);
    ck_assert_int_eq(rows->queues[0].paused_us, 0);
    ck_assert_ptr_nonnull(bench_event(&bench, ENGINE_EVENT_QUEUE_RESUMED));
    ck_assert(id_eq(&bench_effect(&bench, ENGINE_DISPATCH, 0)->dispatch.lease.task, &waits));
}
END_TEST

START_TEST(running_work_of_a_paused_queue_goes_on)
{
    struct id id;

    bench_worker(&bench, 1, 1, "noop", 4);
    id = submit_to("slow");
    ask(ENGINE_PAUSE_QUEUE, "slow", "");
    bench_result(&bench, 1, &id, 1, "{}");
    ck_assert_int_eq(bench_state(&bench, &id), ENGINE_TASK_SUCCEEDED);
    ck_assert_uint_eq(view_of("slow")->running, 0);
}
END_TEST

START_TEST(a_pause_outlives_a_takeover)
{
    struct engine_queue_row row = {.namespace_id = 1,
                                   .name = "slow",
                                   .paused_us = BENCH_START_US - 5,
                                   .actor = "ann",
                                   .reason = "rain"};
    struct id waits;

    bench_begin(&bench, &(struct engine_load_begin){
                            .shard = 0, .epoch = 2, .settings = &row, .settings_len = 1});
    bench_end(&bench, 0);
    bench_worker(&bench, 1, 1, "noop", 4);
    waits = submit_to("slow");
    ck_assert_str_eq(why(&waits), "queue slow is paused by ann: rain");
    ck_assert_int_eq(view_of("slow")->row.paused_us, BENCH_START_US - 5);
}
END_TEST

START_TEST(pausing_what_is_paused_changes_nothing)
{
    ask(ENGINE_PAUSE_QUEUE, "slow", "rain");
    bench_cut(&bench);
    ask(ENGINE_PAUSE_QUEUE, "slow", "rain");
    ck_assert_ptr_null(bench_rows(&bench));
    ask(ENGINE_RESUME_QUEUE, "other", "");
    ck_assert_ptr_null(bench_rows(&bench));
}
END_TEST

START_TEST(a_queue_is_counted_with_what_is_on_disk)
{
    struct engine_queue_name ready = {1, "slow/noop", 70}, due = {1, "slow/noop", 5};
    struct engine_spec spec = bench_spec("noop");

    bench_begin(&bench, &(struct engine_load_begin){.shard = 0,
                                                    .epoch = 2,
                                                    .queues = &ready,
                                                    .queues_len = 1,
                                                    .due_queues = &due,
                                                    .due_queues_len = 1,
                                                    .due_next_us = BENCH_START_US * 2});
    bench_end(&bench, 0);
    spec.queue = "slow";
    spec.run_at_us = bench.now_us + 1000;
    bench_submit(&bench, 0, &spec);
    submit_to("slow");
    ck_assert_uint_eq(view_of("slow")->ready, 71);
    ck_assert_uint_eq(view_of("slow")->delayed, 6);
    ck_assert_uint_eq(view_of("slow")->running, 0);
}
END_TEST

START_TEST(a_queue_that_nobody_knows_is_not_found)
{
    uint64_t ticket = ask(ENGINE_READ_QUEUES, "nowhere", "");

    bench_cut(&bench);
    ck_assert_int_eq(bench_reply(&bench, ticket)->status, STATUS_NOT_FOUND);
}
END_TEST

START_TEST(queues_are_listed_by_name)
{
    const struct engine_reply *reply;
    uint64_t ticket;

    submit_to("b");
    submit_to("a");
    submit_to("c");
    ticket = ask(ENGINE_READ_QUEUES, "", "");
    bench_cut(&bench);
    reply = bench_reply(&bench, ticket);
    ck_assert_uint_eq(reply->queues_len, 3);
    ck_assert_str_eq(reply->queues[0].row.name, "a");
    ck_assert_str_eq(reply->queues[2].row.name, "c");
    ck_assert_int_eq(reply->queues[1].oldest_us, bench.now_us);
}
END_TEST

START_TEST(a_busy_worker_is_named_as_the_reason_with_the_place_in_the_line)
{
    struct id ids[4];

    bench_worker(&bench, 1, 1, "noop", 1);
    for (int i = 0; i < 4; i++)
        ids[i] = submit_to("default");
    ck_assert_str_eq(why(&ids[0]), "");
    ck_assert_str_eq(why(&ids[1]), "the worker that can run it is busy");
    ck_assert_str_eq(why(&ids[3]), "the worker that can run it is busy; 2 go before it");
}
END_TEST

START_TEST(times_are_named)
{
    struct engine_spec spec = bench_spec("noop");
    struct id later, failed;

    spec.run_at_us = INT64_C(1709208000) * 1000000; /* the 29th of February */
    later = bench_submit(&bench, 0, &spec);
    ck_assert_str_eq(why(&later), "not before 2024-02-29T12:00:00Z");
    bench_worker(&bench, 1, 1, "noop", 1);
    failed = submit_to("default");
    bench_fail(&bench, 1, &failed, 1, "BAD");
    ck_assert(strncmp(why(&failed), "retry backoff until 2023-11-14T22:13:2", 38) == 0);
}
END_TEST

Suite *queue_setting_suite(void)
{
    Suite *suite = suite_create("queue_setting");
    TCase *tcase = tcase_create("queue_setting");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_paused_queue_dispatches_nothing_and_says_who_paused_it_and_why);
    tcase_add_test(tcase, running_work_of_a_paused_queue_goes_on);
    tcase_add_test(tcase, a_pause_outlives_a_takeover);
    tcase_add_test(tcase, pausing_what_is_paused_changes_nothing);
    tcase_add_test(tcase, a_queue_is_counted_with_what_is_on_disk);
    tcase_add_test(tcase, a_queue_that_nobody_knows_is_not_found);
    tcase_add_test(tcase, queues_are_listed_by_name);
    tcase_add_test(tcase, a_busy_worker_is_named_as_the_reason_with_the_place_in_the_line);
    tcase_add_test(tcase, times_are_named);
    suite_add_tcase(suite, tcase);
    return suite;
}
