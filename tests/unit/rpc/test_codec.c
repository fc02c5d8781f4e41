/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include "suites.h"
#include "internal.h"

START_TEST(percent_coding_follows_the_letter)
{
    struct arena arena AUTO(arena_fini);
    struct slice coded;

    arena_init(&arena, 0);
    coded = rpc__percent_encode(&arena, "a 100% ~\n\x7f é");
    ck_assert_str_eq(coded.data, "a 100%25 ~%0A%7F %C3%A9");
    ck_assert_uint_eq(coded.len, strlen(coded.data));
    ck_assert_str_eq(rpc__percent_decode(&arena, coded), "a 100% ~\n\x7f é");
}
END_TEST

START_TEST(broken_escapes_are_left_as_they_are)
{
    static const char *const texts[] = {"%", "%4", "%zz", "100%", "%%41", "a%4"};
    static const char *const expected[] = {"%", "%4", "%zz", "100%", "%A", "a%4"};
    struct arena arena AUTO(arena_fini);

    arena_init(&arena, 0);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        ck_assert_str_eq(rpc__percent_decode(&arena, slice_of(texts[i])), expected[i]);
    ck_assert_str_eq(rpc__percent_decode(&arena, slice_of("a%00b")), "a%00b");
}
END_TEST

START_TEST(timeouts_are_parsed_strictly)
{
    static const struct {
        const char *text;
        bool good;
        uint64_t us;
    } cases[] = {
        {"1S", true, 1000000},    {"100m", true, 100000}, {"99999999H", true, 359999996400000000},
        {"5u", true, 5},          {"1n", true, 1},        {"2M", true, 120000000},
        {"0S", true, 0},          {"S", false, 0},        {"", false, 0},
        {"1", false, 0},          {"-1S", false, 0},      {"1s", false, 0},
        {"999999999S", false, 0}, {"1 S", false, 0},      {"1.5S", false, 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint64_t us = 0;
        ck_assert_msg(rpc__timeout_parse(slice_of(cases[i].text), &us) == cases[i].good, "%s",
                      cases[i].text);
        ck_assert_uint_eq(us, cases[i].us);
    }
}
END_TEST

START_TEST(timeouts_survive_formatting_without_getting_shorter)
{
    static const uint64_t us[] = {0, 1, 99999999, 100000000, 123456789, 86400ull * 1000000 * 365};

    for (size_t i = 0; i < ARRAY_LEN(us); i++) {
        char text[12];
        uint64_t back = 0;
        rpc__timeout_format(us[i], text);
        ck_assert_msg(rpc__timeout_parse(slice_of(text), &back), "%s", text);
        ck_assert_uint_ge(back, us[i]);
        ck_assert_uint_le(back, us[i] + us[i] / 1000 + 1000);
    }
}
END_TEST

START_TEST(status_texts_are_decimal_and_known)
{
    int32_t status = -1;

    ck_assert(rpc__status_parse(slice_of("0"), &status) && status == 0);
    ck_assert(rpc__status_parse(slice_of("16"), &status) && status == 16);
    ck_assert(!rpc__status_parse(slice_of("17"), &status));
    ck_assert(!rpc__status_parse(slice_of(""), &status));
    ck_assert(!rpc__status_parse(slice_of("x"), &status));
    ck_assert(!rpc__status_parse(slice_of("123"), &status));
}
END_TEST

START_TEST(content_types_of_grpc_are_told_apart)
{
    ck_assert(rpc__content_type_is_grpc(slice_of("application/grpc")));
    ck_assert(rpc__content_type_is_grpc(slice_of("application/grpc+proto")));
    ck_assert(rpc__content_type_is_grpc(slice_of("application/grpc;charset=x")));
    ck_assert(!rpc__content_type_is_grpc(slice_of("application/grpc-web")));
    ck_assert(!rpc__content_type_is_grpc(slice_of("application/json")));
    ck_assert(!rpc__content_type_is_grpc(slice_of("")));
}
END_TEST

START_TEST(rich_errors_round_trip)
{
    struct arena arena AUTO(arena_fini);
    struct error err = {0}, back = {.status = STATUS_INVALID_ARGUMENT};
    struct slice text;

    arena_init(&arena, 0);
    error_add_violation(&err, &arena, "steps[2].needs[0]", 7, 3, "did you mean \"fetch\"?",
                        "unknown step \"%s\"", "fetsh");
    error_add_violation(&err, &arena, "name", 0, 0, NULL, "is empty");
    err.status = STATUS_INVALID_ARGUMENT;
    snprintf(err.reason, sizeof err.reason, "PLAN_INVALID");
    err.retry_after_ms = 2500;
    text = rpc__details_encode(&arena, err.status, &err);
    ck_assert_uint_gt(text.len, 0);
    rpc__details_decode(&arena, text.data, &back);
    ck_assert_str_eq(back.reason, "PLAN_INVALID");
    ck_assert_str_eq(back.field, "steps[2].needs[0]");
    ck_assert_uint_eq(back.retry_after_ms, 2500);
    ck_assert_ptr_nonnull(back.violations);
    ck_assert_str_eq(back.violations->description,
                     "line 7, column 3: unknown step \"fetsh\" (did you mean \"fetch\"?)");
    ck_assert_str_eq(back.violations->next->field, "name");
}
END_TEST

START_TEST(thousands_of_violations_fit_the_header_limit)
{
    struct arena arena AUTO(arena_fini);
    struct error err = {0};

    arena_init(&arena, 0);
    for (int i = 0; i < 5000; i++)
        error_add_violation(&err, &arena, "steps[0].parameters.aVeryLongNameIndeed", 1, 1, NULL,
                            "something is wrong with it in a way that takes many words to say");
    err.status = STATUS_INVALID_ARGUMENT;
    struct slice text = rpc__details_encode(&arena, err.status, &err);
    ck_assert_uint_gt(text.len, 0);
    ck_assert_uint_le(text.len, 8000);
}
END_TEST

START_TEST(a_rich_error_gives_up_its_violations_before_its_reason)
{
    struct arena arena AUTO(arena_fini);
    struct error err = {.status = STATUS_INVALID_ARGUMENT, .reason = "PLAN_INVALID"};
    struct error back = {.status = STATUS_INVALID_ARGUMENT};
    char field[9000];

    arena_init(&arena, 0);
    memset(field, 'f', sizeof field);
    field[sizeof field - 1] = '\0';
    error_add_violation(&err, &arena, field, 0, 0, NULL, "is too long");
    err.retry_after_ms = 10;
    struct slice text = rpc__details_encode(&arena, err.status, &err);
    ck_assert_uint_le(text.len, 6000);
    rpc__details_decode(&arena, text.data, &back);
    ck_assert_str_eq(back.reason, "PLAN_INVALID");
    ck_assert_uint_eq(back.retry_after_ms, 10);
    ck_assert_ptr_null(back.violations);
}
END_TEST

START_TEST(m1_names_of_metadata_are_lower_case_and_not_reserved)
{
    static const char *const good[] = {"a", "x-y_z.0", "x-bin", "grpc", "tea"};
    static const char *const bad[] = {"",      "X",  "x y",          "grpc-x",   "grpc-",
                                      ":path", "te", "content-type", "\xc3\xbc", "a:b"};

    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        ck_assert_msg(rpc__metadata_name_is_free(slice_of(good[i])), "%s", good[i]);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        ck_assert_msg(!rpc__metadata_name_is_free(slice_of(bad[i])), "%s", bad[i]);
}
END_TEST

/* Each byte alone and in each place of a word. */
START_TEST(m1_values_of_metadata_are_printable_ascii)
{
    char text[20];

    for (int c = 0; c < 256; c++) {
        for (size_t at = 0; at < sizeof text; at++) {
            memset(text, '~', sizeof text);
            text[at] = (char)c;
            ck_assert_msg(rpc__metadata_value_is_valid((struct slice){text, sizeof text}) ==
                              (c >= 0x20 && c <= 0x7e),
                          "%d at %zu", c, at);
        }
    }
    ck_assert(rpc__metadata_value_is_valid(slice_of("")));
}
END_TEST

START_TEST(details_of_another_code_are_ignored)
{
    struct arena arena AUTO(arena_fini);
    struct error err = {.status = STATUS_NOT_FOUND, .reason = "X"};
    struct error back = {.status = STATUS_ABORTED};

    arena_init(&arena, 0);
    rpc__details_decode(&arena, rpc__details_encode(&arena, err.status, &err).data, &back);
    ck_assert_str_eq(back.reason, "");
    rpc__details_decode(&arena, "!!! not base64", &back);
    rpc__details_decode(&arena, "AAAA", &back);
    ck_assert_int_eq(back.status, STATUS_ABORTED);
}
END_TEST

TCase *codec_tests(void)
{
    TCase *tc = tcase_create("codec");

    tcase_add_test(tc, percent_coding_follows_the_letter);
    tcase_add_test(tc, broken_escapes_are_left_as_they_are);
    tcase_add_test(tc, timeouts_are_parsed_strictly);
    tcase_add_test(tc, timeouts_survive_formatting_without_getting_shorter);
    tcase_add_test(tc, status_texts_are_decimal_and_known);
    tcase_add_test(tc, content_types_of_grpc_are_told_apart);
    tcase_add_test(tc, rich_errors_round_trip);
    tcase_add_test(tc, thousands_of_violations_fit_the_header_limit);
    tcase_add_test(tc, a_rich_error_gives_up_its_violations_before_its_reason);
    tcase_add_test(tc, m1_names_of_metadata_are_lower_case_and_not_reserved);
    tcase_add_test(tc, m1_values_of_metadata_are_printable_ascii);
    tcase_add_test(tc, details_of_another_code_are_ignored);
    return tc;
}
