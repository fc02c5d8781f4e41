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
    "steps: [{id: a, task: hello}]\n"
    "input:\n"
    "  required: [url]\n"
    "  properties:\n"
    "    url: {type: string, minLength: 3, maxLength: 10}\n"
    "    limit: {type: integer, default: 10, minimum: 1, maximum: 100}\n"
    "    mode: {enum: [fast, slow], default: fast}\n"
    "    tags: {type: array, items: {type: string}}\n"
    "    nested: {type: object, properties: {n: {type: number, default: 1.5}}}\n"
    "    open: {type: object, additionalProperties: true}\n";

struct pair {
    const char *input;
    const char *expected; /* JSON text, or "field: part of the description" */
};

static const struct pair GOOD[] = {
    {"{\"url\":\"abc\"}", "{\"url\":\"abc\",\"limit\":10,\"mode\":\"fast\"}"},
    {"{\"url\":\"abc\",\"limit\":5.0,\"mode\":\"slow\",\"tags\":[\"a\"],\"nested\":{}}",
     "{\"url\":\"abc\",\"limit\":5,\"mode\":\"slow\",\"tags\":[\"a\"],\"nested\":{\"n\":1.5}}"},
    {"{\"url\":\"abc\",\"open\":{\"any\":[1]}}",
     "{\"url\":\"abc\",\"open\":{\"any\":[1]},\"limit\":10,\"mode\":\"fast\"}"},
    {"{\"url\":\"h\xC3\xA9\xC3\xA9\"}",
     "{\"url\":\"h\xC3\xA9\xC3\xA9\",\"limit\":10,\"mode\":\"fast\"}"},
};

static enum status check_input(const char *input, const char **ret, struct error *err)
{
    const struct plan *plan = NULL;

    ck_assert_msg(plan_compile(slice_of(TEXT), &arena, &plan, err) == STATUS_OK, "%s",
                  err->message);
    return plan_check_input(plan, slice_of(input), &arena, ret, err);
}

START_TEST(input_is_checked_and_completed)
{
    const char *effective = NULL;
    struct error err = {0};

    ck_assert_msg(check_input(GOOD[_i].input, &effective, &err) == STATUS_OK, "%s", err.message);
    ck_assert_str_eq(effective, GOOD[_i].expected);
}
END_TEST

struct bad {
    const char *input;
    const char *field;
    const char *description;
};

static const struct bad BAD[] = {
    {"", "input.url", "is missing"},
    {"[]", "input", "must be an object"},
    {"{\"url\":5}", "input.url", "must be of type string"},
    {"{\"url\":\"ab\"}", "input.url", "at least 3 characters"},
    {"{\"url\":\"abcdefghijk\"}", "input.url", "at most 10 characters"},
    {"{\"url\":\"abc\",\"limit\":0}", "input.limit", "must be at least 1"},
    {"{\"url\":\"abc\",\"limit\":101}", "input.limit", "must be at most 100"},
    {"{\"url\":\"abc\",\"limit\":1.5}", "input.limit", "must be of type integer"},
    {"{\"url\":\"abc\",\"mode\":\"medium\"}", "input.mode", "must be one of \"fast\", \"slow\""},
    {"{\"url\":\"abc\",\"tags\":[\"a\",2]}", "input.tags[1]", "must be of type string"},
    {"{\"url\":\"abc\",\"nested\":{\"m\":1}}", "input.nested.m", "unknown field 'm'"},
    {"{\"url\":\"abc\",\"ulr\":1}", "input.ulr", "unknown field 'ulr'"},
};

START_TEST(wrong_input_is_refused_with_its_place)
{
    const char *effective = NULL;
    struct error err = {0};

    ck_assert_int_eq(check_input(BAD[_i].input, &effective, &err), STATUS_INVALID_ARGUMENT);
    ck_assert_str_eq(err.reason, "INPUT_INVALID");
    ck_assert_str_eq(err.violations->field, BAD[_i].field);
    ck_assert_msg(strstr(err.violations->description, BAD[_i].description) != NULL, "%s",
                  err.violations->description);
    ck_assert_ptr_null(effective);
}
END_TEST

START_TEST(input_without_schema_is_any_object)
{
    const struct plan *plan = NULL;
    const char *effective = NULL;
    struct error err = {0};

    ck_assert_int_eq(
        plan_compile(slice_of("name: x\nsteps: [{id: a, task: hello}]\n"), &arena, &plan, &err),
        STATUS_OK);
    ck_assert_int_eq(plan_check_input(plan, slice_of(""), &arena, &effective, &err), STATUS_OK);
    ck_assert_str_eq(effective, "{}");
    ck_assert_int_eq(plan_check_input(plan, slice_of("{\"a\":[1]}"), &arena, &effective, &err),
                     STATUS_OK);
    ck_assert_str_eq(effective, "{\"a\":[1]}");
    ck_assert_int_eq(plan_check_input(plan, slice_of("{\"a\""), &arena, &effective, &err),
                     STATUS_INVALID_ARGUMENT);
}
END_TEST

Suite *suite_input(void)
{
    Suite *suite = suite_create("input");
    TCase *tests = tcase_create("input");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, input_is_checked_and_completed, 0, (int)ARRAY_LEN(GOOD));
    tcase_add_loop_test(tests, wrong_input_is_refused_with_its_place, 0, (int)ARRAY_LEN(BAD));
    tcase_add_test(tests, input_without_schema_is_any_object);
    suite_add_tcase(suite, tests);
    return suite;
}
