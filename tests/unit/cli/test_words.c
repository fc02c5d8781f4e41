/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "client/output.h"
#include "suites.h"

#define NOW_US INT64_C(1700000000000000)

static struct arena arena;

static void setup(void)
{
    arena_init(&arena, 0);
}

static void teardown(void)
{
    arena_fini(&arena);
}

static const char *ago(int64_t seconds)
{
    Google__Protobuf__Timestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;

    time.seconds = NOW_US / 1000000 - seconds;
    return time_relative(&time, NOW_US, &arena);
}

START_TEST(times_are_relative)
{
    ck_assert_str_eq(ago(0), "0 s ago");
    ck_assert_str_eq(ago(59), "59 s ago");
    ck_assert_str_eq(ago(60), "1 min ago");
    ck_assert_str_eq(ago(3599), "59 min ago");
    ck_assert_str_eq(ago(3600), "1 h ago");
    ck_assert_str_eq(ago(47 * 3600), "47 h ago");
    ck_assert_str_eq(ago(48 * 3600), "2 d ago");
    ck_assert_str_eq(ago(-1), "0 s ago");
    ck_assert_str_eq(ago(-120), "in 2 min");
    ck_assert_str_eq(time_relative(NULL, NOW_US, &arena), "");
}
END_TEST

START_TEST(spans_are_short)
{
    ck_assert_str_eq(span_text(-5, &arena), "0.0 ms");
    ck_assert_str_eq(span_text(400, &arena), "0.4 ms");
    ck_assert_str_eq(span_text(12300, &arena), "12 ms");
    ck_assert_str_eq(span_text(1230000, &arena), "1.2 s");
    ck_assert_str_eq(span_text(INT64_C(185000000), &arena), "3 min 5 s");
    ck_assert_str_eq(span_text(INT64_C(7260000000), &arena), "2 h 1 min");
}
END_TEST

/* A pseudo-terminal of our own, as `out`. */
static FILE *terminal(void)
{
    int fd = posix_openpt(O_RDWR | O_NOCTTY);
    FILE *out;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(grantpt(fd), 0);
    ck_assert_int_eq(unlockpt(fd), 0);
    out = fopen(ptsname(fd), "r+");
    ck_assert_ptr_nonnull(out);
    return out;
}

START_TEST(a_terminal_does_not_obey_a_log_line)
{
    FILE *out = terminal();

    setenv("TERM", "xterm", 1);
    unsetenv("NO_COLOR");
    ck_assert_str_eq(printable(out, "a\033]0;title\007b\tc\033[2Jd\r", &arena),
                     "a^[]0;title^Gb\tc^[[2Jd^M");
    ck_assert_str_eq(printable(out, "\033[1;31mred", &arena), "\033[1;31mred\033[0m");
    setenv("NO_COLOR", "1", 1);
    ck_assert_str_eq(printable(out, "\033[1;31mred\033[0m!", &arena), "red!");
    ck_assert_str_eq(state_colour(out, "failed"), "");
    fclose(out);
}
END_TEST

START_TEST(a_pipe_gets_the_line_as_it_is)
{
    FILE *out = fopen("/dev/null", "w");

    ck_assert_str_eq(printable(out, "a\033[2Jd", &arena), "a\033[2Jd");
    ck_assert(!output_coloured(out));
    fclose(out);
}
END_TEST

Suite *words_suite(void)
{
    Suite *suite = suite_create("words");
    TCase *tc = tcase_create("all");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, times_are_relative);
    tcase_add_test(tc, spans_are_short);
    tcase_add_test(tc, a_terminal_does_not_obey_a_log_line);
    tcase_add_test(tc, a_pipe_gets_the_line_as_it_is);
    suite_add_tcase(suite, tc);
    return suite;
}
