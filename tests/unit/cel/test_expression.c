/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include "cel/cel.h"
#include "json/json.h"
#include "suites.h"

static const char ROOTS[] =
    "{\"input\":{\"url\":\"http://x\",\"n\":5,\"f\":2.5,\"list\":[1,2,3],\"no\":null,"
    "\"map\":{\"a-b\":{\"c\":true}},\"items\":[{\"id\":\"p\"},{\"id\":\"q\"}],\"big\":"
    "9007199254740993,\"text\":\"h\xC3\xA9\"},\"index\":3}";

static struct arena arena;
static json_t *roots;

static void setup(void)
{
    struct error err;

    arena_init(&arena, 0);
    ck_assert_int_eq(json_parse(slice_of(ROOTS), sizeof(ROOTS), &roots, &err), STATUS_OK);
}

static void teardown(void)
{
    json_drop(&roots);
    arena_fini(&arena);
}

/* The result as JSON text, or the error's message. */
static const char *answer(const char *text)
{
    struct cel_env env = {cel_resolve_object, roots};
    const struct cel_program *program;
    AUTO(json_drop) json_t *json = NULL;
    struct error err = {0};

    if (cel_compile(slice_of(text), &arena, &program, NULL, &err) != STATUS_OK ||
        cel_eval(program, &env, &json, &err) != STATUS_OK)
        return arena_printf(&arena, "error: %s", err.message);
    return json_text(json, &arena);
}

struct pair {
    const char *text;
    const char *expected;
};

static const struct pair VALUES[] = {
    {"1", "1"},
    {"0x1F", "31"},
    {"-9223372036854775808", "-9223372036854775808"},
    {"1.5", "1.5"},
    {".5", "0.5"},
    {"1e3", "1000.0"},
    {"true", "true"},
    {"null", "null"},
    {"'a\\n\\u00e9\\x41\\101'", "\"a\\n\xC3\xA9"
                                "AA\""},
    {"\"it's\"", "\"it's\""},
    {"r'\\n'", "\"\\\\n\""},
    {"'''a'b'''", "\"a'b\""},
    {"[1, 'a', [true],]", "[1,\"a\",[true]]"},
    {"{'a': 1, \"b\": [null]}", "{\"a\":1,\"b\":[null]}"},
    {"input.url", "\"http://x\""},
    {"input['url']", "\"http://x\""},
    {"input.map['a-b'].c", "true"},
    {"input.map.`a-b`.c", "true"},
    {"input.items[1].id", "\"q\""},
    {"input.list[1.0]", "2"},
    {"index + 1", "4"},
    {"1 + 2 * 3 - 4 / 2 % 2", "7"},
    {"(1 + 2) * 3", "9"},
    {"7 / -2", "-3"},
    {"-7 % 3", "-1"},
    {"1.0 / 4.0", "0.25"},
    {"- -1", "1"},
    {"'a' + 'b'", "\"ab\""},
    {"[1] + [2]", "[1,2]"},
    {"1 == 1.0", "true"},
    {"1 == '1'", "false"},
    {"null == null", "true"},
    {"[1, 2] == [1.0, 2]", "true"},
    {"{'a': 1} == {'a': 1}", "true"},
    {"{'a': 1} != {'b': 1}", "true"},
    {"1 < 1.5", "true"},
    {"9007199254740993 > 9007199254740992.0", "true"},
    {"input.big == 9007199254740992.0", "false"},
    {"'a' < 'b'", "true"},
    {"false < true", "true"},
    {"0.0 / 0.0 == 0.0 / 0.0", "false"},
    {"0.0 / 0.0 < 1", "false"},
    {"2 in [1, 2.0]", "true"},
    {"'a' in {'a': 1}", "true"},
    {"'b' in {'a': 1}", "false"},
    {"1 in {'1': 1}", "false"},
    {"true ? 1 : 1/0", "1"},
    {"false ? 1 : true ? 2 : 3", "2"},
    {"!true || !false", "true"},
    {"1 / 0 > 1 && false", "false"},
    {"false && 1 / 0 > 1", "false"},
    {"1 / 0 > 1 || true", "true"},
    {"1 || true", "true"},
    {"true || 1", "true"},
    {"has(input.url)", "true"},
    {"has(input.nope)", "false"},
    {"has(input.no)", "true"},
    {"has(input.items[0].id)", "true"},
    {"has({'a': 1}.b)", "false"},
    {"has(input.nope) && input.nope.deep > 1", "false"},
    {"size('h\xC3\xA9')", "2"},
    {"input.text.size()", "2"},
    {"size([1,2]) + size({'a':1})", "3"},
    {"'abc'.contains('bc')", "true"},
    {"'abc'.startsWith('ab') && 'abc'.endsWith('bc') && !'abc'.startsWith('abcd')", "true"},
    {"int('42') + int(2.9) + int(-2.9)", "42"},
    {"double(3)", "3.0"},
    {"double('1.5e1')", "15.0"},
    {"string(3) + string(1.5) + string(true)", "\"31.5true\""},
    {"string(0.1) + ' ' + string(100.0) + ' ' + string(1e21)", "\"0.1 100 1e+21\""},
    {"bool('true') && !bool('F')", "true"},
    {"min(3, 1.5, 2)", "1.5"},
    {"max([1, 5, 2])", "5"},
    {"json({'a': [1]})", "\"{\\\"a\\\":[1]}\""},
    {"fromJson('{\"a\":[1]}').a[0]", "1"},
    {"default(input.nope, 7)", "7"},
    {"default(input.no, 7)", "7"},
    {"default(input.n, 7)", "5"},
    {"default(input.list[9], 7)", "7"},
    {"input.?nope.orValue(1)", "1"},
    {"input.?nope.deep.er.orValue(1)", "1"},
    {"input.?n.orValue(1)", "5"},
    {"input.?nope.hasValue()", "false"},
    {"input.?n.value()", "5"},
    {"input.list[?9].orValue(0)", "0"},
    {"default(input.?nope, 3)", "3"},
    {"steps == 1 || true", "true"},
};

START_TEST(gives_the_value)
{
    const char *got = answer(VALUES[_i].text);

    ck_assert_msg(strcmp(got, VALUES[_i].expected) == 0, "%s gives %s", VALUES[_i].text, got);
}
END_TEST

static const struct pair FAULTS[] = {
    {"", "column 1: expected a value, but the expression ends here"},
    {"1 +", "column 4: expected a value"},
    {"a b", "column 3: expected an operator or the end, found 'b'"},
    {"(1", "column 3: expected ')'"},
    {"a = 1", "column 3: '=' is not an operator"},
    {"a & b", "bit operators"},
    {"1u", "unsigned integers are not supported"},
    {"b'x'", "bytes are not supported"},
    {"'a", "string has no end"},
    {"'\\q'", "invalid escape"},
    {"'\\u0000'", "invalid escape"},
    {"'\\ud800'", "invalid escape"},
    {"9223372036854775808", "does not fit 64 bits"},
    {"99999999999999999999", "does not fit 64 bits"},
    {"1e999", "too large for a double"},
    {"if", "reserved word"},
    {"a.true()", "unknown function"},
    {"foo(1)", "unknown function foo()"},
    {"siz('a')", "did you mean size()?"},
    {"contains('a', 'b')", "x.contains("},
    {"'a'.int()", "int(x)"},
    {"[1].all(x, x > 0)", "macro all() is not supported"},
    {"'a'.matches('b')", "regular expressions are not supported"},
    {"has(a)", "has() takes a field selection"},
    {"has(a['b' + 'c'])", "has() takes a field selection"},
    {"size()", "size() takes 1 argument"},
    {"size(1, 2)", "size() takes 1 argument"},
    {"\xFF", "not UTF-8"},
    {"a.", "column 3: expected a field name"},
    {"a ? b", "expected ':'"},
    {"#", "unexpected character"},
    {"input.nope", "no such key: nope"},
    {"input.nope.deep", "no such key: nope"},
    {"input.url.deep", "string has no field 'deep'"},
    {"nothing", "'nothing' is not known here"},
    {"has(input.nope.deep)", "no such key: nope"},
    {"input.list[3]", "index out of bounds (the list has 3 elements)"},
    {"input.list[-1]", "index out of bounds"},
    {"input.list['a']", "list has no field 'a'"},
    {"input.list[true]", "a list is indexed by an int, not by a bool"},
    {"input[1]", "map cannot be indexed by int"},
    {"1 + 1.0", "no such overload: int + double"},
    {"1 + 'a'", "no such overload: int + string"},
    {"1.5 % 1.0", "no such overload"},
    {"'a' < 1", "no such overload: string < int"},
    {"null < null", "no such overload"},
    {"1 in 2", "no such overload"},
    {"!1", "no such overload: !int"},
    {"-'a'", "no such overload: -string"},
    {"1 ? 2 : 3", "no such overload"},
    {"1 && true", "no such overload: && takes bools, not int"},
    {"9223372036854775807 + 1", "column 21: integer overflow"},
    {"-9223372036854775808 - 1", "integer overflow"},
    {"9223372036854775807 * 2", "integer overflow"},
    {"-9223372036854775808 / -1", "integer overflow"},
    {"-9223372036854775808 % -1", "integer overflow"},
    {"-(-9223372036854775808)", "integer overflow"},
    {"1 / 0", "division by zero"},
    {"1 % 0", "modulus by zero"},
    {"1.0 / 0.0", "not a finite number"},
    {"[1.0 / 0.0]", "number is not finite"},
    {"int(1e300)", "does not fit an int"},
    {"int('1x')", "string is not an int"},
    {"double('0x10')", "string is not a number"},
    {"bool('yes')", "neither true nor false"},
    {"size(1)", "no such overload: size(int)"},
    {"min([])", "min() of an empty list"},
    {"min('a')", "no such overload"},
    {"fromJson('{')", "string is not JSON"},
    {"default(1 / 0, 2)", "division by zero"},
    {"input.?n", "optional value must be opened by orValue"},
    {"input.?n + 1", "optional value must be opened by orValue"},
    {"input.?nope.value()", "the optional has no value"},
    {"{1: 2}", "keys of a map must be strings"},
    {"{'a': 1, 'a': 2}", "duplicate key"},
};

START_TEST(says_what_is_wrong)
{
    const char *got = answer(FAULTS[_i].text);

    ck_assert_msg(strncmp(got, "error: ", 7) == 0 && strstr(got, FAULTS[_i].expected) != NULL,
                  "%s gives %s", FAULTS[_i].text, got);
}
END_TEST

static const char *repeated(const char *head, const char *part, int times, const char *middle,
                            const char *tail)
{
    AUTO(buf_fini) struct buf text;

    buf_init(&text, 1 << 20);
    buf_puts(&text, head);
    for (int i = 0; i < times; i++)
        buf_puts(&text, part);
    buf_puts(&text, middle);
    for (int i = 0; *tail && i < times; i++)
        buf_puts(&text, tail);
    return arena_strndup(&arena, text.data, text.len);
}

START_TEST(depth_is_bounded)
{
    ck_assert_str_eq(answer(repeated("", "(", 31, "1", ")")), "1");
    ck_assert_ptr_nonnull(strstr(answer(repeated("", "(", 32, "1", ")")), "nested deeper than 32"));
    ck_assert_ptr_nonnull(
        strstr(answer(repeated("", "[", 1000, "1", "]")), "nested deeper than 32"));
    ck_assert_ptr_nonnull(
        strstr(answer(repeated("", "!", 1000, "true", "")), "nested deeper than 32"));
    ck_assert_ptr_nonnull(strstr(answer(repeated("1", "+1", 1000, "", "")), "too many operators"));
    ck_assert_str_eq(answer(repeated("1", "+1", 150, "", "")), "151");
    ck_assert_str_eq(answer(repeated("true", " && true", 60, "", "")), "true");
}
END_TEST

START_TEST(text_steps_and_result_are_bounded)
{
    struct cel_env env = {cel_resolve_object, roots};
    const struct cel_program *program;
    AUTO(json_drop) json_t *json = NULL;
    AUTO(json_drop) json_t *wide = json_array();
    struct error err = {0};
    char *large = malloc(200 * 1024 + 1);

    ck_assert_ptr_nonnull(
        strstr(answer(repeated("1", " ", 5000, "", "")), "longer than 4096 bytes"));
    memset(large, 'x', 200 * 1024);
    large[200 * 1024] = '\0';
    json_object_set_new(roots, "large", json_string(large));
    free(large);
    ck_assert_ptr_nonnull(strstr(answer("large + large"), "string is longer than 256 KiB"));
    ck_assert_ptr_nonnull(strstr(answer("[large, large]"), "result is larger than 256 KiB"));
    ck_assert_ptr_nonnull(strstr(answer("true || large + large == ''"), "true"));
    for (int i = 0; i < 40000; i++)
        json_array_append_new(wide, json_integer(i));
    json_object_set(roots, "wide", wide);
    ck_assert_int_eq(cel_compile(slice_of("-1 in wide || -1 in wide || -1 in wide || true"), &arena,
                                 &program, NULL, &err),
                     STATUS_OK);
    /* A limit is no error that || may absorb. */
    ck_assert_int_eq(cel_eval(program, &env, &json, &err), STATUS_RESOURCE_EXHAUSTED);
    ck_assert_ptr_nonnull(strstr(err.message, "100,000 steps"));
}
END_TEST

START_TEST(paths_are_listed_at_full_length)
{
    const struct cel_program *program;
    const struct cel_path *paths;
    struct error err = {0};
    uint32_t n;

    ck_assert_int_eq(
        cel_compile(
            slice_of("has(steps.a.output.x) && steps['b-c'].output[0].y > item.?z.orValue(index) "
                     "&& steps[item].output"),
            &arena, &program, NULL, &err),
        STATUS_OK);
    paths = cel_paths(program, &n);
    ck_assert_uint_eq(n, 6);
    ck_assert_uint_eq(paths[0].parts_len, 4);
    ck_assert_str_eq(paths[0].parts[1], "a");
    ck_assert_uint_eq(paths[0].column, 5);
    ck_assert_uint_eq(paths[1].parts_len, 3);
    ck_assert_str_eq(paths[1].parts[1], "b-c");
    ck_assert_str_eq(paths[2].parts[0], "item");
    ck_assert_uint_eq(paths[2].parts_len, 1);
    ck_assert_str_eq(paths[3].parts[0], "index");
    ck_assert_str_eq(paths[4].parts[0], "steps");
    ck_assert_uint_eq(paths[4].parts_len, 1);
    ck_assert_str_eq(paths[5].parts[0], "item");
}
END_TEST

START_TEST(condition_must_be_a_bool)
{
    struct cel_env env = {cel_resolve_object, roots};
    const struct cel_program *program;
    struct error err = {0};
    bool yes = false;

    ck_assert_int_eq(cel_compile(slice_of("input.n > 4"), &arena, &program, NULL, &err), STATUS_OK);
    ck_assert_int_eq(cel_eval_bool(program, &env, &yes, &err), STATUS_OK);
    ck_assert(yes);
    ck_assert_int_eq(cel_compile(slice_of("input.n"), &arena, &program, NULL, &err), STATUS_OK);
    ck_assert_int_eq(cel_eval_bool(program, &env, &yes, &err), STATUS_INVALID_ARGUMENT);
}
END_TEST

Suite *suite_expression(void)
{
    Suite *suite = suite_create("expression");
    TCase *tests = tcase_create("expression");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, gives_the_value, 0, (int)ARRAY_LEN(VALUES));
    tcase_add_loop_test(tests, says_what_is_wrong, 0, (int)ARRAY_LEN(FAULTS));
    tcase_add_test(tests, depth_is_bounded);
    tcase_add_test(tests, text_steps_and_result_are_bounded);
    tcase_add_test(tests, paths_are_listed_at_full_length);
    tcase_add_test(tests, condition_must_be_a_bool);
    suite_add_tcase(suite, tests);
    return suite;
}
