/* SPDX-License-Identifier: Apache-2.0 */
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

struct pair {
    const char *yaml;
    const char *expected; /* JSON text, or a part of the error */
};

static const struct pair GOOD[] = {
    {"a: 1\nb: [x, 2.5, ~, null]\n", "{\"a\":1,\"b\":[\"x\",2.5,null,null]}"},
    {"no: no\nyes: YES\non: on\noff: off\n",
     "{\"no\":\"no\",\"yes\":\"YES\",\"on\":\"on\",\"off\":\"off\"}"},
    {"[true, True, TRUE, false, tRue]", "[true,true,true,false,\"tRue\"]"},
    {"[0o17, 0x1F, 010, +5, -5, 017, 1_000, 0x, 1:30]",
     "[15,31,10,5,-5,17,\"1_000\",\"0x\",\"1:30\"]"},
    {"[1., .5, 1e3, 1.5e-1, ., -., 1e, '1', \"2\"]",
     "[1.0,0.5,1000.0,0.15,\".\",\"-.\",\"1e\",\"1\",\"2\"]"},
    {"a: |\n  x\n  y\nb: >\n  x\n  y\n", "{\"a\":\"x\\ny\\n\",\"b\":\"x y\\n\"}"},
    {"1: a\n~: b\ntrue: c\n", "{\"1\":\"a\",\"~\":\"b\",\"true\":\"c\"}"},
    {"{\"json\": [1, {\"too\": null}]}", "{\"json\":[1,{\"too\":null}]}"},
    {"--- !!str 1\n", "\"1\""},
    {"a:\n", "{\"a\":null}"},
    {"when: \"${{ a }}\"\nt: ${{ b }}\n", "{\"when\":\"${{ a }}\",\"t\":\"${{ b }}\"}"},
    {"2001-01-01", "\"2001-01-01\""},
};

START_TEST(reads_the_core_schema)
{
    AUTO(json_drop) json_t *json = NULL;
    struct json_positions *positions;
    struct error err = {0};

    ck_assert_msg(yaml_parse(slice_of(GOOD[_i].yaml), BYTES_MAX, &arena, &json, &positions, &err) ==
                      STATUS_OK,
                  "%s: %s", GOOD[_i].yaml, err.message);
    ck_assert_str_eq(json_text(json, &arena), GOOD[_i].expected);
}
END_TEST

static const struct pair BAD[] = {
    {"", "text is empty"},
    {"# nothing\n", "text is empty"},
    {"a: &x 1\nb: *x\n", "line 1, column 4: anchors and aliases"},
    {"a: *x\n", "aliases"},
    {"a: {}\n<<: {b: 1}\n", "line 2, column 1: merge keys"},
    {"a: 1\nb: 2\na: 3\n", "line 3, column 1: duplicate key"},
    {"? [a]\n: 1\n", "a key must be a plain string"},
    {"a: !!int 1\n", "tags"},
    {"a: !x 1\n", "tags"},
    {"a: .inf\n", "infinities"},
    {"a: .NaN\n", "infinities"},
    {"a: 1e400\n", "too large for a double"},
    {"a: 99999999999999999999\n", "does not fit 64 bits"},
    {"a: \"\\0\"\n", "NUL"},
    {"\"a\\0\": 1\n", "NUL"},
    {"--- a\n--- b\n", "only one document"},
    {"a: [1\n", "line 2, column 1"},
    {"a: b: c\n", "mapping values are not allowed"},
    {"a:\n\t- b\n", "line 2"},
    {"a: \xFF\n", "UTF-8"},
};

START_TEST(refuses_what_has_no_json_form)
{
    AUTO(json_drop) json_t *json = NULL;
    struct json_positions *positions;
    struct error err = {0};

    ck_assert_msg(yaml_parse(slice_of(BAD[_i].yaml), BYTES_MAX, &arena, &json, &positions, &err) ==
                      STATUS_INVALID_ARGUMENT,
                  "%s", BAD[_i].yaml);
    ck_assert_msg(strstr(err.message, BAD[_i].expected) != NULL, "%s: %s", BAD[_i].yaml,
                  err.message);
    ck_assert_ptr_nonnull(err.violations);
    ck_assert_ptr_null(json);
}
END_TEST

START_TEST(depth_and_size_are_bounded)
{
    AUTO(json_drop) json_t *json = NULL;
    struct json_positions *positions;
    struct error err = {0};
    char text[20001];

    memset(text, '[', 10000);
    memset(text + 10000, ']', 10000);
    text[20000] = '\0';
    ck_assert_int_eq(yaml_parse(slice_of(text), BYTES_MAX, &arena, &json, &positions, &err),
                     STATUS_INVALID_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "nested deeper than 64 levels"));
    ck_assert_int_eq(yaml_parse(slice_of(text), 100, &arena, &json, &positions, &err),
                     STATUS_RESOURCE_EXHAUSTED);
}
END_TEST

START_TEST(positions_are_those_of_the_yaml)
{
    static const char TEXT[] = "name: x\nsteps:\n  - id: a\n  - id: b\n    needs: [a, c]\n";
    AUTO(json_drop) json_t *json = NULL;
    struct json_positions *positions = NULL;
    struct error err = {0};
    uint32_t line, column;

    ck_assert_int_eq(yaml_parse(slice_of(TEXT), BYTES_MAX, &arena, &json, &positions, &err),
                     STATUS_OK);
    json_position(positions, "steps[1].needs[1]", &line, &column);
    ck_assert_uint_eq(line, 5);
    ck_assert_uint_eq(column, 16);
    json_position(positions, "steps[1].needs", &line, &column);
    ck_assert_uint_eq(line, 5);
    ck_assert_uint_eq(column, 5);
}
END_TEST

Suite *suite_yaml(void)
{
    Suite *suite = suite_create("yaml");
    TCase *tests = tcase_create("yaml");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, reads_the_core_schema, 0, (int)ARRAY_LEN(GOOD));
    tcase_add_loop_test(tests, refuses_what_has_no_json_form, 0, (int)ARRAY_LEN(BAD));
    tcase_add_test(tests, depth_and_size_are_bounded);
    tcase_add_test(tests, positions_are_those_of_the_yaml);
    suite_add_tcase(suite, tests);
    return suite;
}
