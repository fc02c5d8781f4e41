/* SPDX-License-Identifier: Apache-2.0 */
#include "kinds.h"
#include "suites.h"

static struct arena arena;
static Kinds__All all;

static void setup(void)
{
    arena_init(&arena, 0);
    kinds__all__init(&all);
}

static void teardown(void)
{
    arena_fini(&arena);
}

static enum status set(const char *path, const char *text, struct error *err)
{
    return pbjson_set_field(kinds_registry(), &all.base, path, text, &arena, err);
}

static const char *text(void)
{
    struct error err = {0};
    struct buf out;
    const char *copy;

    buf_init(&out, 1 << 16);
    ck_assert_int_eq(pbjson_to_text(kinds_registry(), &all.base, NULL, &out, &err), STATUS_OK);
    copy = arena_strndup(&arena, out.data, out.len);
    buf_fini(&out);
    return copy;
}

struct single {
    const char *path, *text, *expected;
};

static const struct single GOOD[] = {
    {"a_int32", "5", "{\"aInt32\":5}"},
    {"aInt64", "-5", "{\"aInt64\":\"-5\"}"},
    {"aBool", "true", "{\"aBool\":true}"},
    {"aDouble", "1e3", "{\"aDouble\":1000}"},
    {"aString", "true", "{\"aString\":\"true\"}"},
    {"aString", "", "{}"},
    {"aBytes", "AQI", "{\"aBytes\":\"AQI=\"}"},
    {"state", "succeeded", "{\"state\":\"TASK_STATE_SUCCEEDED\"}"},
    {"state", "2", "{\"state\":\"TASK_STATE_SUCCEEDED\"}"},
    {"inner.page_size", "7", "{\"inner\":{\"pageSize\":7}}"},
    {"inner.deeper.deeper.name", "x", "{\"inner\":{\"deeper\":{\"deeper\":{\"name\":\"x\"}}}}"},
    {"choiceInner.name", "x", "{\"choiceInner\":{\"name\":\"x\"}}"},
    {"time", "2024-01-01T00:00:00Z", "{\"time\":\"2024-01-01T00:00:00Z\"}"},
    {"duration", "30s", "{\"duration\":\"30s\"}"},
    {"mask", "a,b", "{\"mask\":\"a,b\"}"},
    {"wrapped", "5", "{\"wrapped\":\"5\"}"},
    {"json", "{\"a\": 1}", "{\"json\":{\"a\":1}}"},
    {"listString", "x", "{\"listString\":[\"x\"]}"},
    {"maybe", "0", "{\"maybe\":0}"},
};

START_TEST(field_is_set_from_text)
{
    struct error err = {0};

    ck_assert_msg(set(GOOD[_i].path, GOOD[_i].text, &err) == STATUS_OK, "%s: %s", GOOD[_i].path,
                  err.message);
    ck_assert_str_eq(text(), GOOD[_i].expected);
}
END_TEST

static const struct single BAD[] = {
    {"nope", "1", "unknown field"},
    {"inner.nope", "1", "unknown field"},
    {"inner", "x", "cannot be given as plain text"},
    {"mapString", "x", "cannot be given as plain text"},
    {"mapString.a", "x", "unknown field"},
    {"listInner", "x", "cannot be given as plain text"},
    {"listInner.name", "x", "unknown field"},
    {"time.seconds", "1", "unknown field"},
    {"", "1", "unknown field"},
    {".", "1", "unknown field"},
    {"inner.", "1", "unknown field"},
    {"aInt32", "", "whole number"},
    {"aInt32", "1.0", "whole number"},
    {"aBool", "1", "must be true or false"},
    {"state", "bogus", "is not one of"},
    {"aString", "\xFF", "is not UTF-8"},
    {"json", "{", "is not JSON"},
    {"duration", "5", "is not a duration"},
};

START_TEST(wrong_field_or_text_is_refused)
{
    struct error err = {0};

    ck_assert_msg(set(BAD[_i].path, BAD[_i].text, &err) == STATUS_INVALID_ARGUMENT, "%s",
                  BAD[_i].path);
    ck_assert_msg(strstr(err.message, BAD[_i].expected) != NULL, "%s: %s", BAD[_i].path,
                  err.message);
    ck_assert_str_eq(err.field, BAD[_i].path);
}
END_TEST

START_TEST(repeated_fields_grow_and_singular_ones_are_replaced)
{
    struct error err = {0};

    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(set("list_int32", arena_printf(&arena, "%d", i), &err), STATUS_OK);
    ck_assert_int_eq(set("listState", "running", &err), STATUS_OK);
    ck_assert_int_eq(set("choiceInt", "1", &err), STATUS_OK);
    ck_assert_int_eq(set("choiceText", "x", &err), STATUS_OK);
    ck_assert_int_eq(set("aInt32", "1", &err), STATUS_OK);
    ck_assert_int_eq(set("aInt32", "2", &err), STATUS_OK);
    ck_assert_str_eq(text(), "{\"aInt32\":2,\"listInt32\":[0,1,2,3,4],\"listState\":[\"TASK_STATE_"
                             "RUNNING\"],\"choiceText\":"
                             "\"x\"}");
}
END_TEST

START_TEST(body_may_be_one_field)
{
    struct error err = {0};
    struct buf out;

    ck_assert_int_eq(pbjson_field_from_text(kinds_registry(), &all.base, "inner",
                                            slice_of("{\"name\":\"x\"}"), &arena, NULL, &err),
                     STATUS_OK);
    ck_assert_int_eq(pbjson_field_from_text(kinds_registry(), &all.base, "json", slice_of("[1, 2]"),
                                            &arena, NULL, &err),
                     STATUS_OK);
    ck_assert_int_eq(pbjson_field_from_text(kinds_registry(), &all.base, "list_inner",
                                            slice_of("[{}]"), &arena, NULL, &err),
                     STATUS_OK);
    ck_assert_str_eq(text(), "{\"inner\":{\"name\":\"x\"},\"listInner\":[{}],\"json\":[1,2]}");
    ck_assert_int_eq(pbjson_field_from_text(kinds_registry(), &all.base, "inner",
                                            slice_of("{\"nam\":1}"), &arena, NULL, &err),
                     STATUS_INVALID_ARGUMENT);
    ck_assert_str_eq(err.field, "inner.nam");
    buf_init(&out, 1 << 10);
    ck_assert_int_eq(pbjson_field_to_text(kinds_registry(), &all.base, "json", NULL, &out, &err),
                     STATUS_OK);
    buf_putc(&out, ' ');
    ck_assert_int_eq(
        pbjson_field_to_text(kinds_registry(), &all.base, "inner.name", NULL, &out, &err),
        STATUS_OK);
    buf_putc(&out, ' ');
    ck_assert_int_eq(
        pbjson_field_to_text(kinds_registry(), &all.base, "listInner", NULL, &out, &err),
        STATUS_OK);
    buf_putc(&out, ' ');
    ck_assert_int_eq(pbjson_field_to_text(kinds_registry(), &all.base, "time", NULL, &out, &err),
                     STATUS_OK);
    ck_assert_str_eq(buf_cstr(&out), "[1,2] \"x\" [{}] null");
    ck_assert_int_eq(pbjson_field_to_text(kinds_registry(), &all.base, "nope", NULL, &out, &err),
                     STATUS_INTERNAL);
    buf_fini(&out);
}
END_TEST

START_TEST(names_come_from_the_descriptor_set)
{
    const ProtobufCMessageDescriptor *desc = &kinds__all__descriptor;
    const ProtobufCFieldDescriptor *renamed =
        protobuf_c_message_descriptor_get_field_by_name(desc, "renamed");
    const ProtobufCFieldDescriptor *map =
        protobuf_c_message_descriptor_get_field_by_name(desc, "map_string");
    const ProtobufCFieldDescriptor *list =
        protobuf_c_message_descriptor_get_field_by_name(desc, "list_inner");
    struct pbjson_registry *registry = NULL;
    struct error err = {0};

    ck_assert_str_eq(pbjson_json_name(kinds_registry(), desc, renamed), "otherName");
    ck_assert_str_eq(pbjson_json_name(kinds_registry(), desc, map), "mapString");
    ck_assert(pbjson_field_is_map(kinds_registry(), desc, map));
    ck_assert(!pbjson_field_is_map(kinds_registry(), desc, list));
    ck_assert_ptr_eq(pbjson_find_message(kinds_registry(), "kinds.Inner"),
                     &kinds__inner__descriptor);
    ck_assert_ptr_null(pbjson_find_message(kinds_registry(), "kinds.All"));
    ck_assert_int_eq(pbjson_registry_new((struct slice){"\xFF\xFF", 2}, &registry, &err),
                     STATUS_INVALID_ARGUMENT);
    ck_assert_ptr_null(registry);
    ck_assert_int_eq(pbjson_registry_new((struct slice){"", 0}, &registry, &err), STATUS_OK);
    ck_assert_str_eq(pbjson_json_name(registry, desc, map), "mapString");
    pbjson_registry_free(registry);
}
END_TEST

Suite *suite_path(void)
{
    Suite *suite = suite_create("path");
    TCase *tests = tcase_create("path");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, field_is_set_from_text, 0, (int)ARRAY_LEN(GOOD));
    tcase_add_loop_test(tests, wrong_field_or_text_is_refused, 0, (int)ARRAY_LEN(BAD));
    tcase_add_test(tests, repeated_fields_grow_and_singular_ones_are_replaced);
    tcase_add_test(tests, body_may_be_one_field);
    tcase_add_test(tests, names_come_from_the_descriptor_set);
    suite_add_tcase(suite, tests);
    return suite;
}
