/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include "json/json.h"
#include "suites.h"

#define BYTES_MAX ((size_t)1 << 20)

static const char *const GOOD[] = {
    "{}",
    "[]",
    " [ ] ",
    "{\"a\":1}",
    "[1,2.5,-0,-1e5,1E+2,0.1e-3]",
    "\"\"",
    "\"\\u0041\\n\\ud83d\\ude00\"",
    "\"\xC3\xA9\xF0\x9F\x98\x80\"",
    "9223372036854775807",
    "-9223372036854775808",
    "1e308",
    "1e-400",
    "{\"a\":{\"a\":1},\"b\":{\"a\":1}}",
    "\t\r\n[true,false,null]\n",
};

START_TEST(accepts_what_is_json)
{
    struct error err = {0};

    ck_assert_msg(json_check(slice_of(GOOD[_i]), BYTES_MAX, &err) == STATUS_OK, "%s: %s", GOOD[_i],
                  err.message);
}
END_TEST

struct bad {
    const char *text;
    const char *message;
};

static const struct bad BAD[] = {
    {"", "line 1, column 1: unexpected end"},
    {"{", "expected a key"},
    {"{\"a\" 1}", "line 1, column 6: expected ':'"},
    {"{\"a\":1,}", "expected a key"},
    {"[1,]", "expected a value"},
    {"[1 2]", "line 1, column 4: expected ','"},
    {"{'a':1}", "expected a key in double quotes"},
    {"[01]", "leading zero"},
    {"[1.]", "digits behind its point"},
    {"[1e]", "digits in its exponent"},
    {"[+1]", "expected a value"},
    {"[-]", "invalid number"},
    {"[NaN]", "expected a value"},
    {"nul", "expected a value"},
    {"1e309", "too large for a double"},
    {"[\n-1e309]", "line 2, column 1: number is too large"},
    {"9223372036854775808", "does not fit 64 bits"},
    {"-9223372036854775809", "does not fit 64 bits"},
    {"\"a", "string has no end"},
    {"\"\\q\"", "invalid escape"},
    {"\"\\u00g0\"", "four hexadecimal digits"},
    {"\"\\u0000\"", "\\u0000 is not allowed"},
    {"\"\\ud800\"", "lone high surrogate"},
    {"\"\\ud800\\u0041\"", "lone high surrogate"},
    {"\"\\udc00\"", "lone low surrogate"},
    {"\"\x01\"", "control character"},
    {"\"\xFF\"", "invalid UTF-8"},
    {"\"\xC0\xAF\"", "invalid UTF-8"},
    {"\"\xED\xA0\x80\"", "invalid UTF-8"},
    {"\"\xC3", "invalid UTF-8"},
    {"{\"a\":1,\n \"a\":2}", "line 2, column 2: duplicate key"},
    {"{\"a\":1,\"\\u0061\":2}", "line 1, column 8: duplicate key"},
    {"{} x", "line 1, column 4: unexpected text"},
    {"[1] // no", "unexpected text"},
    {"\xEF\xBB\xBF{}", "expected a value"},
};

START_TEST(refuses_what_is_not_and_says_where)
{
    struct error err = {0};

    ck_assert_msg(json_check(slice_of(BAD[_i].text), BYTES_MAX, &err) == STATUS_INVALID_ARGUMENT,
                  "%s", BAD[_i].text);
    ck_assert_msg(strstr(err.message, BAD[_i].message) != NULL, "%s: %s", BAD[_i].text,
                  err.message);
    ck_assert_str_eq(err.reason, "INVALID_JSON");
}
END_TEST

static char *nested(size_t depth)
{
    char *text = malloc(2 * depth + 1);

    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    text[2 * depth] = '\0';
    return text;
}

START_TEST(depth_is_bounded)
{
    char *at = nested(JSON_DEPTH_MAX), *over = nested(JSON_DEPTH_MAX + 1), *far = nested(10000);
    struct error err = {0};

    ck_assert_int_eq(json_check(slice_of(at), BYTES_MAX, &err), STATUS_OK);
    ck_assert_int_eq(json_check(slice_of(over), BYTES_MAX, &err), STATUS_INVALID_ARGUMENT);
    ck_assert_int_eq(json_check(slice_of(far), BYTES_MAX, &err), STATUS_INVALID_ARGUMENT);
    ck_assert_str_eq(err.message, "line 1, column 65: nested deeper than 64 levels");
    free(at);
    free(over);
    free(far);
}
END_TEST

START_TEST(size_is_bounded)
{
    struct error err = {0};

    ck_assert_int_eq(json_check(slice_of("[1]"), 3, &err), STATUS_OK);
    ck_assert_int_eq(json_check(slice_of("[1] "), 3, &err), STATUS_RESOURCE_EXHAUSTED);
    ck_assert_str_eq(err.reason, "PAYLOAD_TOO_LARGE");
}
END_TEST

START_TEST(nul_byte_is_refused)
{
    struct error err = {0};

    ck_assert_int_eq(json_check((struct slice){"\"a\0b\"", 5}, BYTES_MAX, &err),
                     STATUS_INVALID_ARGUMENT);
    ck_assert_int_eq(json_check((struct slice){"[]\0", 3}, BYTES_MAX, &err),
                     STATUS_INVALID_ARGUMENT);
}
END_TEST

START_TEST(duplicates_are_found_among_many_keys)
{
    struct buf text;
    struct error err = {0};

    buf_init(&text, BYTES_MAX);
    buf_puts(&text, "{");
    for (int i = 0; i < 1000; i++)
        buf_putf(&text, "\"k%d\":{\"x\":%d},", i, i);
    buf_puts(&text, "\"last\":1}");
    ck_assert_int_eq(json_check(buf_slice(&text), BYTES_MAX, &err), STATUS_OK);
    buf_consume(&text, 0);
    text.len--;
    buf_puts(&text, ",\"k500\":1}");
    ck_assert_int_eq(json_check(buf_slice(&text), BYTES_MAX, &err), STATUS_INVALID_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "duplicate key"));
    buf_fini(&text);
}
END_TEST

Suite *suite_check(void)
{
    Suite *suite = suite_create("json_check");
    TCase *tests = tcase_create("check");

    tcase_add_loop_test(tests, accepts_what_is_json, 0, (int)ARRAY_LEN(GOOD));
    tcase_add_loop_test(tests, refuses_what_is_not_and_says_where, 0, (int)ARRAY_LEN(BAD));
    tcase_add_test(tests, depth_is_bounded);
    tcase_add_test(tests, size_is_bounded);
    tcase_add_test(tests, nul_byte_is_refused);
    tcase_add_test(tests, duplicates_are_found_among_many_keys);
    suite_add_tcase(suite, tests);
    return suite;
}
