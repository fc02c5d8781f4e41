/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/plan.h"
#include "suites.h"

static struct arena arena;

static void setup(void)
{
    arena_init(&arena, 0);
}

static void teardown(void)
{
    arena_fini(&arena);
}

static const char TEXT[] =
    "name: x\n"
    "input: {properties: {n: {type: integer, default: 3}, name: {type: string, default: w}}}\n"
    "defaults: {environment: {variables: {A: \"${{ input.n }}\", B: b}, requires: {zone: eu}}}\n"
    "steps:\n"
    "- {id: a, task: hello, parameters: {k: [1, two]}}\n"
    "- id: b-1\n"
    "  task: hello\n"
    "  needs: [a]\n"
    "  when: \"${{ steps.a.output.ok && input.n > 2 }}\"\n"
    "  parameters: {v: \"${{ steps.a.output.list }}\", t: \"n=${{ input.n }} ${{ run.id }}\", lit: "
    "\"$${{ x }}\"}\n"
    "  environment: {variables: {B: \"${{ steps.a.state }}\"}, secrets: [S]}\n"
    "- {id: c, task: hello, needs: [b-1], when: \"${{ has(steps.a.output.x) || steps['b-1'].state "
    "== 'skipped' }}\"}\n"
    "- {id: d, task: hello, needs: [a], when: \"${{ steps.a.output.n }}\", parameters: \"${{ "
    "steps.a.output.list }}\"}\n"
    "output: {last: \"${{ steps['b-1'].?output.orValue(null) }}\", n: \"${{ input.n * 2 }}\"}\n";

static const struct plan *compiled(void)
{
    const struct plan *plan = NULL;
    struct error err = {0};

    ck_assert_msg(plan_compile(slice_of(TEXT), &arena, &plan, &err) == STATUS_OK, "%s: %s",
                  err.field, err.message);
    return plan;
}

static bool step_result(void *userdata, uint32_t step, struct plan_step_result *ret)
{
    if (step == 1)
        *ret = (struct plan_step_result){.state = "skipped"};
    else
        *ret = (struct plan_step_result){
            .state = "succeeded",
            .output = slice_of("{\"ok\":true,\"n\":1,\"list\":[1,{\"z\":null}]}")};
    (*(int *)userdata)++;
    return true;
}

static int asked;
static const struct plan_context CONTEXT = {.input = {"{\"n\":3,\"name\":\"w\"}", 18},
                                            .run = {"{\"id\":\"r1\"}", 11},
                                            .step_result = step_result,
                                            .userdata = &asked};

START_TEST(parameters_see_input_run_and_results)
{
    const struct plan *plan = compiled();
    struct slice text = {0};
    struct error err = {0};

    asked = 0;
    ck_assert_int_eq(plan_step_parameters(plan, 0, &CONTEXT, &arena, &text, &err), STATUS_OK);
    ck_assert(slice_is(text, "{\"k\":[1,\"two\"]}"));
    ck_assert_int_eq(asked, 0);
    ck_assert_msg(plan_step_parameters(plan, 1, &CONTEXT, &arena, &text, &err) == STATUS_OK, "%s",
                  err.message);
    ck_assert_msg(slice_is(text, "{\"v\":[1,{\"z\":null}],\"t\":\"n=3 r1\",\"lit\":\"${{ x }}\"}"),
                  "%.*s", (int)text.len, text.data);
    ck_assert_int_eq(asked, 1);
    ck_assert_int_eq(plan_step_parameters(plan, 2, &CONTEXT, &arena, &text, &err), STATUS_OK);
    ck_assert(slice_is(text, "{}"));
}
END_TEST

START_TEST(environment_is_laid_over_the_defaults)
{
    const struct plan *plan = compiled();
    struct slice text = {0};
    struct error err = {0};

    ck_assert_int_eq(plan_step_environment(plan, 1, &CONTEXT, &arena, &text, &err), STATUS_OK);
    ck_assert_msg(
        slice_is(text,
                 "{\"variables\":{\"A\":\"3\",\"B\":\"succeeded\"},\"requires\":{\"zone\":\"eu\"},"
                 "\"secrets\":[\"S\"]}"),
        "%.*s", (int)text.len, text.data);
    ck_assert_int_eq(plan_step_environment(plan, 0, &CONTEXT, &arena, &text, &err), STATUS_OK);
    ck_assert(
        slice_is(text, "{\"variables\":{\"A\":\"3\",\"B\":\"b\"},\"requires\":{\"zone\":\"eu\"}}"));
}
END_TEST

START_TEST(condition_decides)
{
    const struct plan *plan = compiled();
    struct error err = {0};
    bool yes = false;

    ck_assert_int_eq(plan_step_when(plan, 0, &CONTEXT, &yes, &err), STATUS_OK);
    ck_assert(yes);
    yes = false;
    ck_assert_int_eq(plan_step_when(plan, 1, &CONTEXT, &yes, &err), STATUS_OK);
    ck_assert(yes);
    yes = false;
    ck_assert_int_eq(plan_step_when(plan, 2, &CONTEXT, &yes, &err), STATUS_OK);
    ck_assert(yes);
    ck_assert_int_eq(plan_step_when(plan, 3, &CONTEXT, &yes, &err), STATUS_INVALID_ARGUMENT);
    ck_assert_str_eq(err.message, "when: the condition is neither true nor false");
}
END_TEST

START_TEST(parameters_must_be_an_object_and_errors_name_the_place)
{
    static const char BAD[] =
        "name: x\nsteps:\n- {id: a, task: hello}\n- {id: b, task: hello, needs: [a], parameters: "
        "{deep: [\"${{ steps.a.output.missing }}\"]}}\n";
    const struct plan *plan = compiled(), *bad = NULL;
    struct slice text = {0};
    struct error err = {0};

    ck_assert_int_eq(plan_step_parameters(plan, 3, &CONTEXT, &arena, &text, &err),
                     STATUS_INVALID_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "no object"));
    ck_assert_int_eq(plan_compile(slice_of(BAD), &arena, &bad, &err), STATUS_OK);
    ck_assert_int_eq(plan_step_parameters(bad, 1, &CONTEXT, &arena, &text, &err),
                     STATUS_INVALID_ARGUMENT);
    ck_assert_str_eq(err.field, "deep[0]");
    ck_assert_str_eq(err.message, "parameters.deep[0]: column 5: no such key: missing");
}
END_TEST

START_TEST(output_reads_any_step)
{
    const struct plan *plan = compiled();
    struct slice text = {0};
    struct error err = {0};

    ck_assert_msg(plan_output(plan, &CONTEXT, &arena, &text, &err) == STATUS_OK, "%s", err.message);
    ck_assert_msg(slice_is(text, "{\"last\":null,\"n\":6}"), "%.*s", (int)text.len, text.data);
}
END_TEST

START_TEST(backoff_grows_to_its_maximum)
{
    struct plan_retry retry = {
        .initial_backoff_ms = 100, .multiplier = 2, .max_backoff_ms = 1000, .jitter = 0};

    ck_assert_int_eq(plan_backoff_ms(&retry, 1, 0.5), 100);
    ck_assert_int_eq(plan_backoff_ms(&retry, 2, 0.5), 200);
    ck_assert_int_eq(plan_backoff_ms(&retry, 5, 0.5), 1000);
    ck_assert_int_eq(plan_backoff_ms(&retry, 4000000000u, 0.5), 1000);
    retry.jitter = 0.5;
    ck_assert_int_eq(plan_backoff_ms(&retry, 1, 0), 50);
    ck_assert_int_eq(plan_backoff_ms(&retry, 1, 0.5), 100);
    ck_assert(plan_backoff_ms(&retry, 1, 0.999) > 140);
    retry.multiplier = 1;
    ck_assert_int_eq(plan_backoff_ms(&retry, 4000000000u, 0.5), 100);
}
END_TEST

Suite *suite_context(void)
{
    Suite *suite = suite_create("context");
    TCase *tests = tcase_create("context");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, parameters_see_input_run_and_results);
    tcase_add_test(tests, environment_is_laid_over_the_defaults);
    tcase_add_test(tests, condition_decides);
    tcase_add_test(tests, parameters_must_be_an_object_and_errors_name_the_place);
    tcase_add_test(tests, output_reads_any_step);
    tcase_add_test(tests, backoff_grows_to_its_maximum);
    suite_add_tcase(suite, tests);
    return suite;
}
