/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include "json/json.h"
#include "suites.h"

#define BYTES_MAX ((size_t)1 << 20)

static struct arena arena;

static void setup(void)
{
    arena_init(&arena, 0);
}

static void teardown(void)
{
    arena_fini(&arena);
}

START_TEST(text_round_trips_and_keeps_the_order_of_keys)
{
    static const char TEXT[] =
        "{\"z\":1,\"a\":[true,null,9223372036854775807,0.1,1.0,\"\\u0001\\\"\xC3\xA9\"]}";
    AUTO(json_drop) json_t *json = NULL;
    struct error err = {0};

    ck_assert_int_eq(json_parse(slice_of(TEXT), BYTES_MAX, &json, &err), STATUS_OK);
    ck_assert_str_eq(json_text(json, &arena), TEXT);
    ck_assert_str_eq(
        json_canonical(json, &arena),
        "{\"a\":[true,null,9223372036854775807,0.1,1.0,\"\\u0001\\\"\xC3\xA9\"],\"z\":1}");
}
END_TEST

START_TEST(parse_refuses_deep_text_before_building)
{
    AUTO(json_drop) json_t *json = NULL;
    struct error err = {0};
    char text[20001];

    memset(text, '[', 10000);
    memset(text + 10000, ']', 10000);
    text[20000] = '\0';
    ck_assert_int_eq(json_parse(slice_of(text), BYTES_MAX, &json, &err), STATUS_INVALID_ARGUMENT);
    ck_assert_ptr_null(json);
}
END_TEST

START_TEST(values_are_bounded)
{
    AUTO(json_drop) json_t *json = NULL;
    struct error err = {0};
    size_t len = 2 * (JSON_VALUES_MAX + 1) + 1;
    char *text = malloc(len);

    for (size_t i = 0; i < len; i++)
        text[i] = i % 2 ? '1' : ',';
    text[0] = '[';
    text[len - 1] = ']';
    ck_assert_int_eq(json_check((struct slice){text, len}, len, &err), STATUS_OK);
    ck_assert_int_eq(json_parse((struct slice){text, len}, len, &json, &err),
                     STATUS_RESOURCE_EXHAUSTED);
    ck_assert_str_eq(err.reason, "PAYLOAD_TOO_LARGE");
    free(text);
}
END_TEST

static const double DOUBLES[] = {
    0.0,     -0.0, 0.1, 1.0, 1e21, 123456789012345678.0, 5e-324, 1.7976931348623157e308,
    2.0 / 3, -1e-7};

START_TEST(doubles_are_written_shortest_and_read_back)
{
    AUTO(buf_fini) struct buf out;
    AUTO(json_drop) json_t *json = NULL;
    struct error err = {0};

    buf_init(&out, 64);
    json_write_double(&out, DOUBLES[_i]);
    ck_assert_int_eq(json_parse(buf_slice(&out), 64, &json, &err), STATUS_OK);
    ck_assert(json_is_real(json));
    ck_assert(json_real_value(json) == DOUBLES[_i]);
    ck_assert(signbit(json_real_value(json)) == signbit(DOUBLES[_i]));
}
END_TEST

START_TEST(numbers_have_expected_text)
{
    AUTO(buf_fini) struct buf out;

    buf_init(&out, 256);
    json_write_double(&out, 0.1);
    buf_putc(&out, ' ');
    json_write_double(&out, 3);
    buf_putc(&out, ' ');
    json_write_double(&out, INFINITY);
    buf_putc(&out, ' ');
    json_write_i64(&out, INT64_MIN);
    buf_putc(&out, ' ');
    json_write_i64(&out, 0);
    ck_assert_str_eq(buf_cstr(&out), "0.1 3.0 null -9223372036854775808 0");
}
END_TEST

START_TEST(strings_are_escaped_and_repaired)
{
    AUTO(buf_fini) struct buf out;

    buf_init(&out, 256);
    json_write_string(&out, (struct slice){"a\"\\\n\t\x7F\0\xFF\xC3z", 10});
    ck_assert_str_eq(buf_cstr(&out), "\"a\\\"\\\\\\n\\t\\u007f\\u0000\xEF\xBF\xBD\xEF\xBF\xBDz\"");
}
END_TEST

START_TEST(append_stops_at_the_maximum)
{
    AUTO(buf_fini) struct buf out;
    AUTO(json_drop) json_t *json = json_string("0123456789");

    buf_init(&out, 11);
    ck_assert_int_eq(json_append(&out, json), STATUS_RESOURCE_EXHAUSTED);
    buf_fini(&out);
    buf_init(&out, 12);
    ck_assert_int_eq(json_append(&out, json), STATUS_OK);
}
END_TEST

struct place {
    const char *path;
    uint32_t line, column;
};

static const struct place PLACES[] = {
    {"", 1, 1},
    {"name", 2, 3},
    {"steps", 3, 3},
    {"steps[0]", 4, 5},
    {"steps[0].id", 4, 6},
    {"steps[1].needs", 5, 17},
    {"steps[1].needs[1]", 5, 33},
    {"steps[1].needs[7]", 5, 17},
    {"steps[1].absent.more", 5, 5},
    {"a.b[x]", 6, 3},
    {"nothing", 1, 1},
};

START_TEST(positions_point_at_keys_and_elements)
{
    static const char TEXT[] = "{\n"
                               "  \"name\": \"\xC3\xA9\\\"x\",\n"
                               "  \"steps\": [\n"
                               "    {\"id\": \"a\"},\n"
                               "    {\"id\": \"b\", \"needs\": [\"\xC3\xA9\xC3\xA9\", \"a\"]}],\n"
                               "  \"a.b[x]\": 1\n"
                               "}";
    AUTO(json_drop) json_t *json = NULL;
    struct json_positions *positions = NULL;
    struct error err = {0};
    uint32_t line, column;

    ck_assert_int_eq(
        json_parse_with_positions(slice_of(TEXT), BYTES_MAX, &arena, &json, &positions, &err),
        STATUS_OK);
    json_position(positions, PLACES[_i].path, &line, &column);
    ck_assert_msg(line == PLACES[_i].line && column == PLACES[_i].column, "%s: %u:%u",
                  PLACES[_i].path, line, column);
}
END_TEST

START_TEST(fault_in_text_is_a_violation_with_its_place)
{
    AUTO(json_drop) json_t *json = NULL;
    struct json_positions *positions = NULL;
    struct error err = {0};

    ck_assert_int_eq(json_parse_with_positions(slice_of("{\n \"a\": }"), BYTES_MAX, &arena, &json,
                                               &positions, &err),
                     STATUS_INVALID_ARGUMENT);
    ck_assert_ptr_nonnull(err.violations);
    ck_assert_uint_eq(err.violations->line, 2);
    ck_assert_uint_eq(err.violations->column, 7);
    ck_assert_str_eq(err.message, "line 2, column 7: expected a value");
}
END_TEST

Suite *suite_dom(void)
{
    Suite *suite = suite_create("json_dom");
    TCase *tests = tcase_create("dom");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, text_round_trips_and_keeps_the_order_of_keys);
    tcase_add_test(tests, parse_refuses_deep_text_before_building);
    tcase_add_test(tests, values_are_bounded);
    tcase_add_loop_test(tests, doubles_are_written_shortest_and_read_back, 0,
                        (int)ARRAY_LEN(DOUBLES));
    tcase_add_test(tests, numbers_have_expected_text);
    tcase_add_test(tests, strings_are_escaped_and_repaired);
    tcase_add_test(tests, append_stops_at_the_maximum);
    tcase_add_loop_test(tests, positions_point_at_keys_and_elements, 0, (int)ARRAY_LEN(PLACES));
    tcase_add_test(tests, fault_in_text_is_a_violation_with_its_place);
    suite_add_tcase(suite, tests);
    return suite;
}
