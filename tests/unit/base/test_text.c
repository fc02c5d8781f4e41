/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "base/text.h"
#include "suites.h"

START_TEST(integers_are_whole_and_range_checked)
{
    int64_t i = 5;
    uint64_t u = 5;

    ck_assert(text_to_i64("-9223372036854775808", &i) && i == INT64_MIN);
    ck_assert(text_to_i64("9223372036854775807", &i) && i == INT64_MAX);
    ck_assert(text_to_i64("-0", &i) && i == 0);
    ck_assert(text_to_u64("18446744073709551615", &u) && u == UINT64_MAX);
    ck_assert(!text_to_u64("18446744073709551616", &u));
    ck_assert(!text_to_i64("9223372036854775808", &i));
    ck_assert(!text_to_i64("-9223372036854775809", &i));
    ck_assert(!text_to_i64("", &i) && !text_to_i64("-", &i) && !text_to_i64("+1", &i));
    ck_assert(!text_to_i64(" 1", &i) && !text_to_i64("1 ", &i) && !text_to_i64("0x1", &i));
    ck_assert(!text_to_u64("-1", &u) && !text_to_u64(NULL, &u) && !text_to_i64(NULL, &i));
}
END_TEST

START_TEST(durations)
{
    static const struct {
        const char *text;
        int64_t ms;
    } GOOD[] = {{"250ms", 250},  {"5s", 5000},      {"1.5s", 1500}, {"10m", 600000},
                {"2h", 7200000}, {"7d", 604800000}, {"0", 0},       {"0s", 0},
                {"0.25s", 250},  {"1.5m", 90000},   {"0.001s", 1}};
    static const char *const BAD[] = {"",
                                      "5",
                                      "s",
                                      "-1s",
                                      "1.0001s",
                                      "1.5ms",
                                      "1h30m",
                                      "1 s",
                                      "5S",
                                      "1.s",
                                      ".5s",
                                      "1e3s",
                                      "99999999999999999d",
                                      "0.0",
                                      "1w",
                                      "5sec"};
    int64_t ms;

    for (size_t i = 0; i < ARRAY_LEN(GOOD); i++) {
        ck_assert_msg(text_to_duration_ms(GOOD[i].text, &ms), "%s", GOOD[i].text);
        ck_assert_int_eq(ms, GOOD[i].ms);
    }
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
        ck_assert_msg(!text_to_duration_ms(BAD[i], &ms), "%s", BAD[i]);
}
END_TEST

START_TEST(durations_are_written_short_and_exact)
{
    static const struct {
        int64_t ms;
        const char *text;
    } CASES[] = {{0, "0s"},         {90000, "90s"},     {1500, "1.5s"},   {250, "250ms"},
                 {60000, "1m"},     {3600000, "1h"},    {86400000, "1d"}, {1234, "1.234s"},
                 {604800000, "7d"}, {61001, "61.001s"}, {1010, "1.01s"}};
    char out[32];
    int64_t back;

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        text_from_duration_ms(CASES[i].ms, out, sizeof(out));
        ck_assert_str_eq(out, CASES[i].text);
        ck_assert(text_to_duration_ms(out, &back));
        ck_assert_int_eq(back, CASES[i].ms);
    }
}
END_TEST

START_TEST(sizes)
{
    int64_t n;

    ck_assert(text_to_bytes("100", &n) && n == 100);
    ck_assert(text_to_bytes("512Mi", &n) && n == 512 << 20);
    ck_assert(text_to_bytes("1.5Gi", &n) && n == INT64_C(3) << 29);
    ck_assert(text_to_bytes("64Ki", &n) && n == 65536);
    ck_assert(text_to_bytes("2k", &n) && n == 2000);
    ck_assert(text_to_bytes("3M", &n) && n == 3000000);
    ck_assert(text_to_bytes("0", &n) && n == 0);
    ck_assert(!text_to_bytes("1KB", &n) && !text_to_bytes("-1", &n) && !text_to_bytes("1.5", &n));
    ck_assert(!text_to_bytes("9999999999Gi", &n) && !text_to_bytes("Mi", &n));
}
END_TEST

START_TEST(time_stamps_go_both_ways)
{
    static const struct {
        const char *in, *out;
        int64_t us;
    } CASES[] = {
        {"1970-01-01T00:00:00Z", NULL, 0},
        {"2024-02-29T12:34:56.789Z", NULL, 1709210096789000},
        {"2000-02-29T00:00:00.000001Z", NULL, 951782400000001},
        {"1969-12-31T23:59:59.999999Z", NULL, -1},
        {"0001-01-01T00:00:00Z", NULL, INT64_C(-62135596800000000)},
        {"9999-12-31T23:59:59.999999Z", NULL, INT64_C(253402300799999999)},
        {"2024-01-01T01:00:00+01:00", "2024-01-01T00:00:00Z", 1704067200000000},
        {"2023-12-31t23:30:00-00:30", "2024-01-01T00:00:00Z", 1704067200000000},
        {"2024-01-01T00:00:00.1234567z", "2024-01-01T00:00:00.123456Z", 1704067200123456},
        {"2024-01-01T00:00:00.500000Z", "2024-01-01T00:00:00.500Z", 1704067200500000},
    };
    char out[40];
    int64_t us;

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        ck_assert_msg(text_to_unix_us(CASES[i].in, &us), "%s", CASES[i].in);
        ck_assert_int_eq(us, CASES[i].us);
        text_from_unix_us(us, out, sizeof(out));
        ck_assert_str_eq(out, CASES[i].out ? CASES[i].out : CASES[i].in);
    }
    text_from_unix_us(INT64_MAX, out, sizeof(out));
    ck_assert_str_eq(out, "9999-12-31T23:59:59.999999Z");
    text_from_unix_us(INT64_MIN, out, sizeof(out));
    ck_assert_str_eq(out, "0001-01-01T00:00:00Z");
}
END_TEST

START_TEST(every_day_of_five_centuries_comes_back)
{
    char out[40];
    int64_t us;

    for (int64_t day = -150000; day < 50000; day++) {
        text_from_unix_us(day * INT64_C(86400000000), out, sizeof(out));
        ck_assert(text_to_unix_us(out, &us));
        ck_assert_int_eq(us, day * INT64_C(86400000000));
    }
}
END_TEST

START_TEST(broken_time_stamps_are_refused)
{
    static const char *const BAD[] = {
        "2024-02-30T00:00:00Z",      "2023-02-29T00:00:00Z",      "1900-02-29T00:00:00Z",
        "2024-13-01T00:00:00Z",      "2024-00-01T00:00:00Z",      "2024-01-00T00:00:00Z",
        "2024-01-01T24:00:00Z",      "2024-01-01T00:60:00Z",      "2024-01-01T00:00:60Z",
        "2024-01-01 00:00:00Z",      "2024-01-01T00:00:00",       "2024-01-01T00:00:00.Z",
        "2024-01-01T00:00:00+1",     "2024-01-01T00:00:00Zx",     "24-01-01T00:00:00Z",
        "0000-01-01T00:00:00Z",      "2024-01-01T00:00:00+24:00", "2024-01-01T00:00:00.1234567890Z",
        "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "",
    };
    int64_t us;

    for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
        ck_assert_msg(!text_to_unix_us(BAD[i], &us), "%s", BAD[i]);
}
END_TEST

START_TEST(hex_goes_both_ways)
{
    unsigned char bytes[3];
    char text[7];

    text_to_hex("\x00\xab\xff", 3, text);
    ck_assert_str_eq(text, "00abff");
    ck_assert(text_from_hex("00ABff", 6, bytes));
    ck_assert_int_eq(memcmp(bytes, "\x00\xab\xff", 3), 0);
    ck_assert(!text_from_hex("0", 1, bytes) && !text_from_hex("0g", 2, bytes));
}
END_TEST

START_TEST(base64_vectors)
{
    static const char *const PLAIN[] = {"", "f", "fo", "foo", "foob", "fooba", "foobar"};
    static const char *const CODED[] = {"",         "Zg==",     "Zm8=",    "Zm9v",
                                        "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"}; /* RFC 4648, 10 */
    char out[16], back[16];
    size_t len;

    for (size_t i = 0; i < ARRAY_LEN(PLAIN); i++) {
        text_to_base64(PLAIN[i], strlen(PLAIN[i]), false, true, out);
        ck_assert_str_eq(out, CODED[i]);
        ck_assert_uint_ge(text_base64_bytes(strlen(PLAIN[i])), strlen(out) + 1);
        ck_assert(text_from_base64(out, strlen(out), back, &len));
        ck_assert_uint_eq(len, strlen(PLAIN[i]));
        ck_assert_int_eq(memcmp(back, PLAIN[i], len), 0);
        text_to_base64(PLAIN[i], strlen(PLAIN[i]), true, false, out);
        ck_assert(text_from_base64(out, strlen(out), back, &len));
        ck_assert_uint_eq(len, strlen(PLAIN[i]));
    }
    text_to_base64("\xfb\xff", 2, true, false, out);
    ck_assert_str_eq(out, "-_8");
    text_to_base64("\xfb\xff", 2, false, false, out);
    ck_assert_str_eq(out, "+/8");
}
END_TEST

START_TEST(broken_base64_is_refused)
{
    static const char *const BAD[] = {
        "Z", "Zg=", "Zg===", "=", "Z===", "Zh==", "Zm9=", "Zm 9v", "Zg==Zg==", "Zm9v="};
    char back[16];
    size_t len;

    for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
        ck_assert_msg(!text_from_base64(BAD[i], strlen(BAD[i]), back, &len), "%s", BAD[i]);
}
END_TEST

START_TEST(utf8_is_checked_strictly)
{
    static const char *const GOOD[] = {"",
                                       "plain ascii of some length",
                                       "\xc3\xa9",
                                       "\xe2\x82\xac",
                                       "\xf0\x9f\xa6\xa0",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xf4\x8f\xbf\xbf",
                                       "12345678\xc3\xa9"};
    static const char *const BAD[] = {"\x80",
                                      "\xc0\xaf",
                                      "\xc1\xbf",
                                      "\xe0\x80\x80",
                                      "\xed\xa0\x80",
                                      "\xf0\x80\x80\x80",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "\xc3",
                                      "\xe2\x82",
                                      "12345678\xe2\x28\xa1",
                                      "\xf0\x9f\xa6",
                                      "abcdefg\xc3"};

    for (size_t i = 0; i < ARRAY_LEN(GOOD); i++)
        ck_assert_msg(text_is_utf8(GOOD[i], strlen(GOOD[i])), "good %zu", i);
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
        ck_assert_msg(!text_is_utf8(BAD[i], strlen(BAD[i])), "bad %zu", i);
    ck_assert(text_is_utf8("a\0b", 3));
}
END_TEST

START_TEST(names)
{
    ck_assert(text_is_name("a", 10) && text_is_name("nightly-eval", 64) &&
              text_is_name("v1.2_x", 6));
    ck_assert(!text_is_name("", 10) && !text_is_name("-a", 10) && !text_is_name("a.", 10));
    ck_assert(!text_is_name("A", 10) && !text_is_name("a b", 10) && !text_is_name("abc", 2));
    ck_assert(!text_is_name(NULL, 10));
}
END_TEST

START_TEST(nearest_word)
{
    static const char *const WORDS[] = {"parameters", "needs", "timeout", "retry", "id"};

    ck_assert_str_eq(text_nearest("paramaters", WORDS, ARRAY_LEN(WORDS)), "parameters");
    ck_assert_str_eq(text_nearest("need", WORDS, ARRAY_LEN(WORDS)), "needs");
    ck_assert_str_eq(text_nearest("tiemout", WORDS, ARRAY_LEN(WORDS)), "timeout");
    ck_assert_ptr_null(text_nearest("foreach", WORDS, ARRAY_LEN(WORDS)));
    ck_assert_ptr_null(text_nearest("ix", WORDS, ARRAY_LEN(WORDS)));
    ck_assert_ptr_null(text_nearest("", WORDS, ARRAY_LEN(WORDS)));
}
END_TEST

TCase *text_case(void)
{
    TCase *tc = tcase_create("text");

    tcase_add_test(tc, integers_are_whole_and_range_checked);
    tcase_add_test(tc, durations);
    tcase_add_test(tc, durations_are_written_short_and_exact);
    tcase_add_test(tc, sizes);
    tcase_add_test(tc, time_stamps_go_both_ways);
    tcase_add_test(tc, every_day_of_five_centuries_comes_back);
    tcase_add_test(tc, broken_time_stamps_are_refused);
    tcase_add_test(tc, hex_goes_both_ways);
    tcase_add_test(tc, base64_vectors);
    tcase_add_test(tc, broken_base64_is_refused);
    tcase_add_test(tc, utf8_is_checked_strictly);
    tcase_add_test(tc, names);
    tcase_add_test(tc, nearest_word);
    return tc;
}
