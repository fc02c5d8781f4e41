/* SPDX-License-Identifier: Apache-2.0 */
/* What tasks ask of a worker: its labels, its room, several of its slots. */
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

static void worker(uint64_t stream, const struct engine_label *labels, uint32_t labels_len,
                   const struct engine_resources *resources, uint32_t slots, uint32_t credit)
{
    const char *type = "noop";
    struct engine_command open = {.kind = ENGINE_STREAM_OPEN,
                                  .stream_open = {.stream = stream,
                                                  .worker = bench_worker_id((uint32_t)stream),
                                                  .name = "w",
                                                  .version = "",
                                                  .address = "",
                                                  .types = &type,
                                                  .types_len = 1,
                                                  .labels = labels,
                                                  .labels_len = labels_len,
                                                  .slots = slots}};

    if (resources)
        open.stream_open.resources = *resources;
    bench_apply(&bench, &open);
    bench_held(&bench, stream, 0, 1, 70 + stream, NULL, 0);
    bench_credit(&bench, stream, credit);
}

static struct id submit(const struct engine_demands *demands)
{
    struct engine_spec spec = bench_spec("noop");

    spec.demands = demands;
    return bench_submit(&bench, 0, &spec);
}

static uint32_t dispatched(void)
{
    bench_cut(&bench);
    return bench_effects(&bench, ENGINE_DISPATCH);
}

static const char *why(const struct id *task)
{
    bench_read(&bench, task);
    bench_cut(&bench);
    return bench_reply(&bench, bench.next_ticket - 1)->task->waiting_for;
}

static bool runs_where(const char *where)
{
    struct plan_selector selector;
    struct engine_demands demands = {.where = &selector, .where_len = 1, .cost = 1};
    struct arena arena;
    uint32_t n;

    arena_init(&arena, 0);
    ck_assert(plan_selector_parse(where, &arena, &selector));
    submit(&demands);
    n = dispatched();
    arena_fini(&arena);
    return n == 1;
}

START_TEST(labels_are_compared_as_the_operators_say)
{
    struct engine_label labels[] = {{"zone", "eu-1"}, {"memory", "16"}, {"ssd", ""}};

    worker(1, labels, 3, NULL, 10, 20);
    ck_assert(runs_where("zone = eu-1"));
    ck_assert(!runs_where("zone = eu-2"));
    ck_assert(runs_where("zone != us"));
    ck_assert(!runs_where("zone != eu-1"));
    ck_assert(runs_where("color != red")); /* it has none */
    ck_assert(runs_where("memory > 8"));
    ck_assert(!runs_where("memory > 16"));
    ck_assert(runs_where("memory < 16.5"));
    ck_assert(!runs_where("zone < 5")); /* no number */
    ck_assert(runs_where("ssd"));
    ck_assert(!runs_where("gpu"));
}
END_TEST

START_TEST(a_malformed_selector_is_refused_and_a_missing_label_is_named)
{
    struct plan_selector selector;
    struct engine_demands demands = {.where = &selector, .where_len = 1, .cost = 1};
    struct arena arena;
    struct id id;

    arena_init(&arena, 0);
    ck_assert(!plan_selector_parse("", &arena, &selector));
    ck_assert(!plan_selector_parse("a ~ b", &arena, &selector));
    ck_assert(!plan_selector_parse("a >", &arena, &selector));
    ck_assert(!plan_selector_parse("a > big", &arena, &selector));
    ck_assert(!plan_selector_parse("= b", &arena, &selector));
    ck_assert(plan_selector_parse("  zone  =  a b  ", &arena, &selector));
    ck_assert_str_eq(selector.value, "a b");
    worker(1, NULL, 0, NULL, 10, 20);
    id = submit(&demands);
    ck_assert_str_eq(why(&id), "no worker with zone=a b (1 offers type noop)");
    arena_fini(&arena);
}
END_TEST

START_TEST(a_free_worker_that_is_preferred_goes_first_and_nobody_waits_for_one)
{
    struct plan_selector selector = {"ssd", PLAN_LABEL_EXISTS, ""};
    struct engine_demands demands = {.prefers = &selector, .prefers_len = 1, .cost = 1};
    struct engine_label ssd = {"ssd", ""};

    worker(1, NULL, 0, NULL, 10, 2);
    worker(2, &ssd, 1, NULL, 10, 1);
    submit(&demands);
    ck_assert_uint_eq(dispatched(), 1);
    ck_assert_uint_eq(bench_effect(&bench, ENGINE_DISPATCH, 0)->dispatch.stream, 2);
    submit(&demands);
    ck_assert_uint_eq(dispatched(), 1);
    ck_assert_uint_eq(bench_effect(&bench, ENGINE_DISPATCH, 0)->dispatch.stream, 1);
}
END_TEST

START_TEST(what_leases_need_never_adds_up_to_more_than_the_worker_has)
{
    struct engine_resources has = {.cpu_milli = 4000, .gpu_milli = 1000, .memory_bytes = 100};
    struct engine_demands needs = {.cost = 1, .resources = {.cpu_milli = 1500, .memory_bytes = 10}};
    struct engine_demands gpu = {.cost = 1, .resources = {.gpu_milli = 1000}};
    struct engine_demands huge = {.cost = 1, .resources = {.memory_bytes = 101}};
    struct id ids[3], waits;

    worker(1, NULL, 0, &has, 10, 20);
    for (int i = 0; i < 3; i++)
        ids[i] = submit(&needs);
    ck_assert_uint_eq(dispatched(), 2);
    submit(&gpu);
    ck_assert_uint_eq(dispatched(), 1);
    submit(&gpu);
    ck_assert_uint_eq(dispatched(), 0);
    waits = submit(&huge);
    ck_assert_str_eq(why(&waits), "no worker is large enough: cost 1, cpu 0, memory 101, gpu 0");
    bench_result(&bench, 1, &ids[0], 1, "{}"); /* no credit comes with it */
    ck_assert_uint_eq(dispatched(), 1);
    ck_assert(id_eq(&bench_effect(&bench, ENGINE_DISPATCH, 0)->dispatch.lease.task, &ids[2]));
}
END_TEST

START_TEST(a_device_that_is_not_said_is_none_and_cpu_that_is_not_said_is_no_limit)
{
    struct engine_demands cpu = {.cost = 1, .resources = {.cpu_milli = 64000}};
    struct engine_demands gpu = {.cost = 1, .resources = {.gpu_milli = 500}};

    worker(1, NULL, 0, NULL, 10, 20);
    submit(&gpu);
    ck_assert_uint_eq(dispatched(), 0);
    submit(&cpu);
    ck_assert_uint_eq(dispatched(), 1);
}
END_TEST

START_TEST(a_task_takes_as_many_slots_as_it_costs)
{
    struct engine_demands four = {.cost = 4};
    struct id ids[3];

    worker(1, NULL, 0, NULL, 10, 100);
    for (int i = 0; i < 3; i++)
        ids[i] = submit(&four);
    ck_assert_uint_eq(dispatched(), 2);
    submit(NULL);
    submit(NULL);
    submit(NULL);
    ck_assert_uint_eq(dispatched(), 2); /* eight and two */
    bench_result(&bench, 1, &ids[0], 1, "{}");
    ck_assert_uint_eq(dispatched(), 1);
    bench_result(&bench, 1, &ids[1], 1, "{}");
    bench_cut(&bench);
    submit(NULL);
    bench_cut(&bench);
    bench_result(&bench, 1, &ids[2], 1, "{}");
    bench_cut(&bench);
    ck_assert_int_eq(bench_state(&bench, &ids[2]), ENGINE_TASK_NONE);
}
END_TEST

START_TEST(room_is_kept_for_a_large_task_that_has_waited_long)
{
    struct engine_demands five = {.cost = 5};
    struct id large, small[20];
    int n = 0;

    worker(1, NULL, 0, NULL, 6, 6);
    for (int i = 0; i < 4; i++)
        small[n++] = submit(NULL);
    ck_assert_uint_eq(dispatched(), 4);
    large = submit(&five);
    for (int i = 0; i < 3; i++) {
        bench_pass(&bench, 4000);
        bench_beat(&bench, 1);
    }
    small[n++] = submit(NULL);
    bench_cut(&bench);
    for (int i = 0; i < 4; i++) {
        bench_result(&bench, 1, &small[i], 1, "{}");
        bench_credit(&bench, 1, 1);
        small[n++] = submit(NULL);
        bench_cut(&bench);
    }
    bench_credit(&bench, 1, 1);
    bench_result(&bench, 1, &small[4], 1, "{}");
    bench_cut(&bench);
    ck_assert_int_eq(bench_state(&bench, &large), ENGINE_TASK_RUNNING);
}
END_TEST

Suite *demand_suite(void)
{
    Suite *suite = suite_create("demand");
    TCase *tcase = tcase_create("demand");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, labels_are_compared_as_the_operators_say);
    tcase_add_test(tcase, a_malformed_selector_is_refused_and_a_missing_label_is_named);
    tcase_add_test(tcase, a_free_worker_that_is_preferred_goes_first_and_nobody_waits_for_one);
    tcase_add_test(tcase, what_leases_need_never_adds_up_to_more_than_the_worker_has);
    tcase_add_test(tcase, a_device_that_is_not_said_is_none_and_cpu_that_is_not_said_is_no_limit);
    tcase_add_test(tcase, a_task_takes_as_many_slots_as_it_costs);
    tcase_add_test(tcase, room_is_kept_for_a_large_task_that_has_waited_long);
    suite_add_tcase(suite, tcase);
    return suite;
}
