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

static struct id submit_at(int32_t priority, const char *queue, const char *type)
{
    struct engine_spec spec = bench_spec(type);

    spec.priority = priority;
    spec.queue = queue;
    return bench_submit(&bench, 0, &spec);
}

START_TEST(higher_priority_goes_first_then_the_older)
{
    struct id ids[4];

    ids[2] = submit_at(0, "default", "noop");
    ids[3] = submit_at(0, "default", "noop");
    ids[0] = submit_at(5, "default", "noop");
    ids[1] = submit_at(5, "default", "noop");
    bench_worker(&bench, 1, 1, "noop", 4);
    bench_cut(&bench);
    for (uint32_t i = 0; i < 4; i++)
        ck_assert(id_eq(&bench_effect(&bench, ENGINE_DISPATCH, i)->dispatch.lease.task, &ids[i]));
}
END_TEST

START_TEST(the_order_of_a_queue_holds_over_the_types_of_a_worker)
{
    const char *types[] = {"a", "b"};
    struct id ids[3];

    ids[2] = submit_at(0, "default", "a");
    ids[1] = submit_at(1, "default", "b");
    ids[0] = submit_at(2, "default", "a");
    submit_at(3, "default", "c");
    bench_apply(&bench, &(struct engine_command){.kind = ENGINE_STREAM_OPEN,
                                                 .stream_open = {.stream = 1,
                                                                 .worker = bench_worker_id(1),
                                                                 .name = "w",
                                                                 .version = "",
                                                                 .address = "",
                                                                 .types = types,
                                                                 .types_len = 2,
                                                                 .slots = 4}});
    bench_held(&bench, 1, 0, 1, 3, NULL, 0);
    bench_credit(&bench, 1, 4);
    bench_cut(&bench);
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_DISPATCH), 3);
    for (uint32_t i = 0; i < 3; i++)
        ck_assert(id_eq(&bench_effect(&bench, ENGINE_DISPATCH, i)->dispatch.lease.task, &ids[i]));
}
END_TEST

START_TEST(queues_take_turns)
{
    uint32_t small = 0;

    for (int i = 0; i < 6; i++)
        submit_at(9, "big", "noop");
    for (int i = 0; i < 3; i++)
        submit_at(0, "small", "noop");
    bench_cut(&bench);
    bench_worker(&bench, 1, 1, "noop", 6);
    bench_cut(&bench);
    for (uint32_t i = 0; i < 6; i++) {
        struct id id = bench_effect(&bench, ENGINE_DISPATCH, i)->dispatch.lease.task;

        bench_read(&bench, &id);
    }
    bench_cut(&bench);
    for (const struct engine_effect *e = bench.batch.effects; e; e = e->next)
        small += e->reply.task && strcmp(e->reply.task->row.spec.queue, "small") == 0;
    ck_assert_uint_eq(small, 3);
}
END_TEST

START_TEST(a_task_waits_for_a_worker_with_its_labels)
{
    struct engine_label gpu = {"gpu", "true"};
    struct engine_spec spec = bench_spec("noop");
    const char *type = "noop";
    struct id id;

    spec.requires = &gpu;
    spec.requires_len = 1;
    id = bench_submit(&bench, 0, &spec);
    bench_worker(&bench, 1, 1, "noop", 4);
    bench_cut(&bench);
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_DISPATCH), 0);
    bench_read(&bench, &id);
    bench_cut(&bench);
    ck_assert_str_eq(bench_reply(&bench, 2)->task->waiting_for,
                     "no worker with label gpu=true (1 offers type noop)");
    bench_apply(&bench, &(struct engine_command){.kind = ENGINE_STREAM_OPEN,
                                                 .stream_open = {.stream = 2,
                                                                 .worker = bench_worker_id(2),
                                                                 .name = "w",
                                                                 .version = "",
                                                                 .address = "",
                                                                 .types = &type,
                                                                 .types_len = 1,
                                                                 .labels = &gpu,
                                                                 .labels_len = 1,
                                                                 .slots = 4}});
    bench_held(&bench, 2, 0, 1, 3, NULL, 0);
    bench_credit(&bench, 2, 1);
    bench_cut(&bench);
    ck_assert_uint_eq(bench_effect(&bench, ENGINE_DISPATCH, 0)->dispatch.stream, 2);
}
END_TEST

START_TEST(a_type_that_no_worker_offers_says_so)
{
    struct id id = submit_at(0, "default", "rare");

    bench_read(&bench, &id);
    bench_cut(&bench);
    ck_assert_str_eq(bench_reply(&bench, 2)->task->waiting_for, "no worker offers type rare");
}
END_TEST

START_TEST(credit_is_never_exceeded_and_workers_share)
{
    bench_worker(&bench, 1, 1, "noop", 2);
    bench_worker(&bench, 2, 2, "noop", 2);
    for (int i = 0; i < 6; i++)
        submit_at(0, "default", "noop");
    bench_cut(&bench);
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_DISPATCH), 4);
    ck_assert_uint_ne(bench_effect(&bench, ENGINE_DISPATCH, 0)->dispatch.stream,
                      bench_effect(&bench, ENGINE_DISPATCH, 1)->dispatch.stream);
    bench_credit(&bench, 2, 1);
    bench_cut(&bench);
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_DISPATCH), 1);
}
END_TEST

Suite *queue_suite(void)
{
    Suite *suite = suite_create("queue");
    TCase *tcase = tcase_create("queue");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, higher_priority_goes_first_then_the_older);
    tcase_add_test(tcase, the_order_of_a_queue_holds_over_the_types_of_a_worker);
    tcase_add_test(tcase, queues_take_turns);
    tcase_add_test(tcase, a_task_waits_for_a_worker_with_its_labels);
    tcase_add_test(tcase, a_type_that_no_worker_offers_says_so);
    tcase_add_test(tcase, credit_is_never_exceeded_and_workers_share);
    suite_add_tcase(suite, tcase);
    return suite;
}
