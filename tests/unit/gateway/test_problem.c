/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <jansson.h>

#include "base/arena.h"
#include "fixture.h"
#include "routes/problem.h"

static const struct {
    enum status status;
    const char *reason;
    unsigned http_status;
} mapping[] = {
    {STATUS_INVALID_ARGUMENT, "", 400},
    {STATUS_INVALID_ARGUMENT, "PLAN_INVALID", 422},
    {STATUS_INVALID_ARGUMENT, "INPUT_INVALID", 422},
    {STATUS_ABORTED, "ETAG_MISMATCH", 412},
    {STATUS_ABORTED, "", 409},
    {STATUS_RESOURCE_EXHAUSTED, "PAYLOAD_TOO_LARGE", 413},
    {STATUS_RESOURCE_EXHAUSTED, "", 429},
    {STATUS_ALREADY_EXISTS, "REQUEST_ID_CONFLICT", 409},
    {STATUS_ALREADY_EXISTS, "PLAN_NAME_TAKEN", 409},
    {STATUS_FAILED_PRECONDITION, "WRONG_STATE", 409},
    {STATUS_FAILED_PRECONDITION, "", 400},
    {STATUS_CANCELLED, "", 499},
    {STATUS_UNKNOWN, "", 500},
    {STATUS_DEADLINE_EXCEEDED, "", 504},
    {STATUS_NOT_FOUND, "", 404},
    {STATUS_PERMISSION_DENIED, "", 403},
    {STATUS_OUT_OF_RANGE, "", 400},
    {STATUS_UNIMPLEMENTED, "", 501},
    {STATUS_INTERNAL, "", 500},
    {STATUS_UNAVAILABLE, "", 503},
    {STATUS_DATA_LOSS, "", 500},
    {STATUS_UNAUTHENTICATED, "", 401},
};

START_TEST(reasons_come_before_codes)
{
    struct error err = {0};

    error_field(&err, mapping[_i].status, mapping[_i].reason, NULL, "x");
    ck_assert_uint_eq(problem_http_status(&err), mapping[_i].http_status);
}
END_TEST

static json_t *written(const struct error *err, const char *body_field)
{
    struct buf out;
    json_t *json;

    buf_init(&out, PROBLEM_BYTES_MAX);
    problem_write(&out, err, problem_http_status(err), "r-1", body_field);
    json = json_loadb(out.data, out.len, 0, NULL);
    ck_assert_ptr_nonnull(json);
    buf_fini(&out);
    return json;
}

static const char *text(const json_t *json, const char *name)
{
    return json_string_value(json_object_get(json, name));
}

START_TEST(problems_say_all_that_is_known)
{
    struct error err = {0};
    struct arena arena;
    json_t *json, *violation;

    arena_init(&arena, 0);
    error_field(&err, STATUS_INVALID_ARGUMENT, "PLAN_INVALID", NULL, "2 problems");
    error_add_violation(&err, &arena, "steps[0].tsk", 3, 5, "did you mean \"task\"?",
                        "unknown field \"tsk\"");
    error_add_violation(&err, &arena, "steps[1].id", 0, 0, NULL, "duplicate");
    json = written(&err, NULL);
    ck_assert_str_eq(text(json, "type"), "urn:plankton:error:PLAN_INVALID");
    ck_assert_str_eq(text(json, "title"), "Unprocessable Content");
    ck_assert_int_eq(json_integer_value(json_object_get(json, "status")), 422);
    ck_assert_str_eq(text(json, "code"), "INVALID_ARGUMENT");
    ck_assert_str_eq(text(json, "reason"), "PLAN_INVALID");
    ck_assert_str_eq(text(json, "requestId"), "r-1");
    ck_assert_uint_eq(json_array_size(json_object_get(json, "violations")), 2);
    violation = json_array_get(json_object_get(json, "violations"), 0);
    ck_assert_str_eq(text(violation, "field"), "steps[0].tsk");
    ck_assert_str_eq(text(violation, "hint"), "did you mean \"task\"?");
    ck_assert_int_eq(json_integer_value(json_object_get(violation, "line")), 3);
    ck_assert_int_eq(json_integer_value(json_object_get(violation, "column")), 5);
    json_decref(json);
    arena_fini(&arena);
}
END_TEST

/* As they come from a service, in one sentence. */
START_TEST(sentences_are_taken_apart)
{
    struct error err = {0};
    struct arena arena;
    json_t *json, *first, *second;

    arena_init(&arena, 0);
    error_add_violation(&err, &arena, "steps[0].neds", 0, 0, NULL,
                        "line 3, column 26: unknown field 'neds' (did you mean 'needs'?)");
    error_add_violation(&err, &arena, "a", 0, 0, NULL, "line 3: a (b)");
    json = written(&err, NULL);
    first = json_array_get(json_object_get(json, "violations"), 0);
    second = json_array_get(json_object_get(json, "violations"), 1);
    ck_assert_str_eq(text(first, "description"), "unknown field 'neds'");
    ck_assert_str_eq(text(first, "hint"), "did you mean 'needs'?");
    ck_assert_int_eq(json_integer_value(json_object_get(first, "line")), 3);
    ck_assert_int_eq(json_integer_value(json_object_get(first, "column")), 26);
    ck_assert_str_eq(text(second, "description"), "line 3: a (b)");
    ck_assert_ptr_null(json_object_get(second, "line"));
    ck_assert_ptr_null(json_object_get(second, "hint"));
    json_decref(json);
    arena_fini(&arena);
}
END_TEST

START_TEST(a_single_field_is_a_violation)
{
    struct error err = {0};
    json_t *json, *violation;

    error_field(&err, STATUS_INVALID_ARGUMENT, "INVALID_FIELD", "task.type", "bad <type>\n\x01");
    json = written(&err, "task");
    violation = json_array_get(json_object_get(json, "violations"), 0);
    ck_assert_str_eq(text(violation, "field"), "type");
    ck_assert_str_eq(text(violation, "description"), "bad <type>\n\x01");
    json_decref(json);
}
END_TEST

START_TEST(without_a_reason_there_is_no_type)
{
    struct error err = {0};
    json_t *json;

    error_set(&err, STATUS_NOT_FOUND, "no such task");
    json = written(&err, NULL);
    ck_assert_str_eq(text(json, "type"), "about:blank");
    ck_assert_str_eq(text(json, "title"), "Not Found");
    ck_assert_str_eq(text(json, "detail"), "no such task");
    ck_assert_uint_eq(json_array_size(json_object_get(json, "violations")), 0);
    json_decref(json);
}
END_TEST

START_TEST(too_many_violations_are_cut)
{
    struct error err = {0};
    struct arena arena;
    json_t *json;

    arena_init(&arena, 0);
    for (int i = 0; i < 5000; i++)
        error_add_violation(&err, &arena, "field", 0, 0, NULL, "%0200d", i);
    json = written(&err, NULL);
    ck_assert_uint_gt(json_array_size(json_object_get(json, "violations")), 100);
    ck_assert_uint_lt(json_array_size(json_object_get(json, "violations")), 5000);
    json_decref(json);
    arena_fini(&arena);
}
END_TEST

Suite *problem_suite(void)
{
    Suite *suite = suite_create("problem");
    TCase *tcase = tcase_create("problem");

    tcase_add_loop_test(tcase, reasons_come_before_codes, 0, (int)ARRAY_LEN(mapping));
    tcase_add_test(tcase, problems_say_all_that_is_known);
    tcase_add_test(tcase, sentences_are_taken_apart);
    tcase_add_test(tcase, a_single_field_is_a_violation);
    tcase_add_test(tcase, without_a_reason_there_is_no_type);
    tcase_add_test(tcase, too_many_violations_are_cut);
    suite_add_tcase(suite, tcase);
    return suite;
}
