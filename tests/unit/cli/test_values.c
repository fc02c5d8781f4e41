/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "client/values.h"
#include "plankton/v1/plan.pb-c.h"
#include "plankton/v1/task_controller.pb-c.h"
#include "suites.h"

static struct arena arena;
static struct error err;

static void setup(void)
{
    arena_init(&arena, 0);
    err = (struct error){0};
}

static void teardown(void)
{
    arena_fini(&arena);
}

static const char *after_pair(const char *pair)
{
    AUTO(json_drop) json_t *object = json_object();

    if (value_add_pair("--param", pair, &arena, object, &err) != STATUS_OK)
        return NULL;
    return json_text(object, &arena);
}

START_TEST(pairs_are_text_unless_they_say_otherwise)
{
    ck_assert_str_eq(after_pair("name=World"), "{\"name\":\"World\"}");
    ck_assert_str_eq(after_pair("n=5"), "{\"n\":\"5\"}");
    ck_assert_str_eq(after_pair("n:=5"), "{\"n\":5}");
    ck_assert_str_eq(after_pair("n:=[true,null]"), "{\"n\":[true,null]}");
    ck_assert_str_eq(after_pair("a:b=c"), "{\"a:b\":\"c\"}");
    ck_assert_str_eq(after_pair("a=b=c"), "{\"a\":\"b=c\"}");
    ck_assert_str_eq(after_pair("empty="), "{\"empty\":\"\"}");
}
END_TEST

START_TEST(pairs_that_are_none_are_refused)
{
    ck_assert_ptr_null(after_pair("name"));
    ck_assert_ptr_null(after_pair("=x"));
    ck_assert_ptr_null(after_pair(":=5"));
    ck_assert_ptr_null(after_pair("n:=five"));
    ck_assert_ptr_nonnull(strstr(err.message, "--param n"));
    ck_assert_ptr_null(after_pair("n=\xff"));
}
END_TEST

START_TEST(an_object_comes_from_text_or_file)
{
    char path[] = "/tmp/plankton-values-XXXXXX";
    int fd = mkstemp(path);
    AUTO(json_drop) json_t *json = NULL;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, "{\"a\":1}", 7), 7);
    close(fd);
    ck_assert_int_eq(
        value_object("--input", arena_printf(&arena, "@%s", path), &arena, &json, &err), STATUS_OK);
    ck_assert_str_eq(json_text(json, &arena), "{\"a\":1}");
    unlink(path);
    json_t *other = NULL;
    ck_assert_int_eq(value_object("--input", "[1]", &arena, &other, &err), STATUS_INVALID_ARGUMENT);
    ck_assert_int_eq(value_object("--input", "{", &arena, &other, &err), STATUS_INVALID_ARGUMENT);
    ck_assert_int_eq(
        value_object("--input", arena_printf(&arena, "@%s", path), &arena, &other, &err),
        STATUS_NOT_FOUND);
    ck_assert_int_eq(value_object("--input", NULL, &arena, &other, &err), STATUS_OK);
    ck_assert_str_eq(json_text(other, &arena), "{}");
    json_drop(&other);
}
END_TEST

START_TEST(a_file_has_a_limit)
{
    struct slice text;

    ck_assert_int_eq(file_read("/dev/zero", 1000, &arena, &text, &err), STATUS_RESOURCE_EXHAUSTED);
}
END_TEST

START_TEST(maps_are_of_text)
{
    const char *pairs[] = {"A=1", "B="};
    const char *bad[] = {"A"};
    json_t *map;

    ck_assert_int_eq(value_map("--env", &(struct text_list){pairs, 2}, &arena, &map, &err),
                     STATUS_OK);
    ck_assert_str_eq(json_text(map, &arena), "{\"A\":\"1\",\"B\":\"\"}");
    json_drop(&map);
    ck_assert_int_eq(value_map("--env", &(struct text_list){NULL, 0}, &arena, &map, &err),
                     STATUS_OK);
    ck_assert_ptr_null(map);
    ck_assert_int_eq(value_map("--env", &(struct text_list){bad, 1}, &arena, &map, &err),
                     STATUS_INVALID_ARGUMENT);
}
END_TEST

START_TEST(a_request_is_checked_by_its_descriptor)
{
    ProtobufCMessage *message;
    json_t *json = json_pack("{s:{s:s,s:{s:i}},s:s}", "task", "type", "hello", "parameters", "n", 5,
                             "requestId", "r");

    ck_assert_int_eq(request_from_json(&plankton__v1__submit_task_request__descriptor, json, &arena,
                                       &message, &err),
                     STATUS_OK);
    const Plankton__V1__SubmitTaskRequest *request =
        (const Plankton__V1__SubmitTaskRequest *)message;
    ck_assert_str_eq(request->task->type, "hello");
    ck_assert_str_eq(request->task->parameters->text, "{\"n\":5}");
    ck_assert_str_eq(request->request_id, "r");
    json = json_pack("{s:i}", "requestIdd", 1);
    ck_assert_int_eq(request_from_json(&plankton__v1__submit_task_request__descriptor, json, &arena,
                                       &message, &err),
                     STATUS_INVALID_ARGUMENT);
}
END_TEST

START_TEST(states_are_words)
{
    const ProtobufCEnumDescriptor *states = &plankton__v1__run_state__descriptor;
    int value;

    ck_assert_str_eq(enum_word(states, PLANKTON__V1__RUN_STATE__RUN_STATE_SUCCEEDED, &arena),
                     "succeeded");
    ck_assert_str_eq(enum_word(states, 0, &arena), "");
    ck_assert_str_eq(enum_word(states, 99, &arena), "99");
    ck_assert_int_eq(enum_parse(states, "--state", "failed", &arena, &value, &err), STATUS_OK);
    ck_assert_int_eq(value, PLANKTON__V1__RUN_STATE__RUN_STATE_FAILED);
    ck_assert_int_eq(enum_parse(states, "--state", "RUN_STATE_PAUSED", &arena, &value, &err),
                     STATUS_OK);
    ck_assert_int_eq(value, PLANKTON__V1__RUN_STATE__RUN_STATE_PAUSED);
    ck_assert_int_eq(enum_parse(states, "--state", "unspecified", &arena, &value, &err),
                     STATUS_INVALID_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "queued, running, succeeded"));
}
END_TEST

Suite *values_suite(void)
{
    Suite *suite = suite_create("values");
    TCase *tc = tcase_create("all");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, pairs_are_text_unless_they_say_otherwise);
    tcase_add_test(tc, pairs_that_are_none_are_refused);
    tcase_add_test(tc, an_object_comes_from_text_or_file);
    tcase_add_test(tc, a_file_has_a_limit);
    tcase_add_test(tc, maps_are_of_text);
    tcase_add_test(tc, a_request_is_checked_by_its_descriptor);
    tcase_add_test(tc, states_are_words);
    suite_add_tcase(suite, tc);
    return suite;
}
