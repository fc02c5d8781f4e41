/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>
#include "plan/plan.h"
#include "suites.h"

/* Ten thousand steps must be checked in this time; sanitizers and a busy machine are given leave.
 */
#define CHECK_MS_MAX 100
#if defined(__SANITIZE_ADDRESS__)
#define LENIENCE 20
#else
#define LENIENCE 3
#endif

static struct arena arena;

static void setup(void)
{
    arena_init(&arena, 0);
}

static void teardown(void)
{
    arena_fini(&arena);
}

START_TEST(cycle_is_named_with_its_path)
{
    const struct plan *plan = NULL;
    struct error err = {0};

    ck_assert_int_eq(
        plan_compile(
            slice_of(
                "name: x\nsteps:\n- {id: start, task: t}\n- {id: a, task: t, needs: [start, c]}\n"
                "- {id: b, task: t, needs: [a]}\n- {id: c, task: t, needs: [b]}\n"),
            &arena, &plan, &err),
        STATUS_INVALID_ARGUMENT);
    ck_assert_ptr_nonnull(
        strstr(err.message, "the steps need each other in a cycle: a → c → b → a"));
    ck_assert_ptr_null(err.violations->next);
    ck_assert_str_eq(err.violations->field, "steps[2].needs[0]");
    ck_assert_uint_eq(err.violations->line, 5);
}
END_TEST

START_TEST(long_cycle_is_cut)
{
    const struct plan *plan = NULL;
    struct error err = {0};
    struct buf text;

    buf_init(&text, PLAN_BYTES_MAX);
    buf_puts(&text, "name: x\nsteps:\n");
    for (int i = 0; i < 1000; i++)
        buf_putf(&text, "- {id: s%d, task: t, needs: [s%d]}\n", i, (i + 1) % 1000);
    ck_assert_int_eq(plan_compile(buf_slice(&text), &arena, &plan, &err), STATUS_INVALID_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "s0 → s1 → "));
    ck_assert_ptr_nonnull(strstr(err.message, "(1000 steps) → s0"));
    buf_fini(&text);
}
END_TEST

START_TEST(order_puts_needs_first)
{
    const struct plan *plan = NULL;
    struct error err = {0};
    uint32_t place[4];

    ck_assert_int_eq(
        plan_compile(
            slice_of(
                "name: x\nsteps:\n- {id: d, task: t, needs: [b, c]}\n- {id: b, task: t, needs: "
                "[a]}\n- {id: c, task: t, needs: [a]}\n- {id: a, task: t}\n"),
            &arena, &plan, &err),
        STATUS_OK);
    for (uint32_t i = 0; i < 4; i++)
        place[plan->order[i]] = i;
    for (uint32_t i = 0; i < 4; i++) {
        for (uint32_t j = 0; j < plan->steps[i].needs_len; j++)
            ck_assert_uint_lt(place[plan->steps[i].needs[j]], place[i]);
    }
    ck_assert_uint_eq(plan->steps[3].dependents_len, 2);
}
END_TEST

START_TEST(results_are_read_through_other_steps)
{
    const struct plan *plan = NULL;
    struct error err = {0};

    ck_assert_msg(
        plan_compile(slice_of("name: x\nsteps:\n- {id: a, task: t}\n- {id: b, task: t, needs: "
                              "[a]}\n- {id: c, task: "
                              "t, needs: [b], parameters: {v: \"${{ steps.a.output }}\"}}\n"),
                     &arena, &plan, &err) == STATUS_OK,
        "%s", err.message);
}
END_TEST

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Chains and long-range references: the worst that fits into 1 MiB. */
static void large(struct buf *text, int kind)
{
    buf_puts(text, "{\"name\":\"x\",\"steps\":[{\"id\":\"s0\",\"task\":\"t\"}");
    for (int i = 1; i < PLAN_STEPS_MAX; i++) {
        if (kind == 0)
            buf_putf(text, ",{\"id\":\"s%d\",\"task\":\"t\",\"needs\":[\"s%d\"]}", i, i - 1);
        else if (kind == 1)
            buf_putf(text,
                     ",{\"id\":\"s%d\",\"task\":\"t\",\"needs\":[\"s%d\"],\"parameters\":{\"v\":\"$"
                     "{{steps.s%d.output}}\"}}",
                     i, i - 1, i / 2);
        else
            buf_putf(text,
                     ",{\"id\":\"s%d\",\"task\":\"t\",\"needs\":[\"s%d\",\"s%d\",\"s0\",\"s%d\"]}",
                     i, i - 1, i / 2, i / 3);
    }
    buf_puts(text, "]}");
}

START_TEST(ten_thousand_steps_are_checked_fast)
{
    const struct plan *plan = NULL;
    struct error err = {0};
    struct buf text;
    int64_t begin, took;

    buf_init(&text, PLAN_BYTES_MAX);
    large(&text, _i);
    begin = now_ms();
    if (_i == 2) /* duplicates among the small ones: many problems */
        ck_assert_int_eq(plan_compile(buf_slice(&text), &arena, &plan, &err),
                         STATUS_INVALID_ARGUMENT);
    else
        ck_assert_msg(plan_compile(buf_slice(&text), &arena, &plan, &err) == STATUS_OK, "%s",
                      err.message);
    took = now_ms() - begin;
    ck_assert_msg(took < CHECK_MS_MAX * LENIENCE, "took %lld ms for %zu bytes", (long long)took,
                  text.len);
    buf_fini(&text);
}
END_TEST

Suite *suite_graph(void)
{
    Suite *suite = suite_create("graph");
    TCase *tests = tcase_create("graph");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, cycle_is_named_with_its_path);
    tcase_add_test(tests, long_cycle_is_cut);
    tcase_add_test(tests, order_puts_needs_first);
    tcase_add_test(tests, results_are_read_through_other_steps);
    tcase_add_loop_test(tests, ten_thousand_steps_are_checked_fast, 0, 3);
    suite_add_tcase(suite, tests);
    return suite;
}
