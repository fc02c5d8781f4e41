/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/text.h"
#include "log/log.h"

static char text[64 * 1024];
static int saved_stderr, pipe_fds[2];

static void capture_begin(void)
{
    ck_assert_int_eq(pipe(pipe_fds), 0);
    fcntl(pipe_fds[0], F_SETPIPE_SZ, 256 * 1024);
    saved_stderr = dup(STDERR_FILENO);
    dup2(pipe_fds[1], STDERR_FILENO);
}

/* What was written since capture_begin. */
static const char *capture_end(void)
{
    ssize_t n;

    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    close(pipe_fds[1]);
    fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK);
    n = read(pipe_fds[0], text, sizeof(text) - 1);
    close(pipe_fds[0]);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static json_t *capture_json(void)
{
    const char *line = capture_end();
    json_error_t error;
    json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, &error);

    ck_assert_msg(object != NULL, "%s in %s", error.text, line);
    ck_assert_int_eq(line[strlen(line) - 1], '\n');
    ck_assert_ptr_eq(strchr(line, '\n'), line + strlen(line) - 1);
    return object;
}

static const char *member(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

START_TEST(json_line_has_time_level_program_event_and_fields)
{
    struct id id = id_make(1, 2, 3);
    struct error err = {0};
    int64_t us;
    json_t *line;

    error_field(&err, STATUS_NOT_FOUND, "PLAN_GONE", "plan", "no such plan");
    log_init("controller", LOG_INFO, "json");
    capture_begin();
    log_info("task.claimed", LOG_STR("worker", "w1"), LOG_ID("task", &id), LOG_I64("delta", -5),
             LOG_U64("n", UINT64_C(12345678901)), LOG_BOOL("late", true), LOG_ERR(&err),
             LOG_STR("none", NULL), LOG_SLICE("part", ((struct slice){"abcdef", 3})));
    line = capture_json();
    ck_assert_str_eq(member(line, "level"), "info");
    ck_assert_str_eq(member(line, "program"), "controller");
    ck_assert_str_eq(member(line, "event"), "task.claimed");
    ck_assert(text_to_unix_us(member(line, "time"), &us));
    ck_assert_uint_eq(strlen(member(line, "time")), strlen("2024-01-01T00:00:00.000Z"));
    ck_assert_str_eq(member(line, "worker"), "w1");
    ck_assert_str_eq(member(line, "task"), "00000000-0001-7002-8000-000000000003");
    ck_assert_int_eq(json_integer_value(json_object_get(line, "delta")), -5);
    ck_assert_int_eq(json_integer_value(json_object_get(line, "n")), 12345678901);
    ck_assert(json_is_true(json_object_get(line, "late")));
    ck_assert(json_is_null(json_object_get(line, "none")));
    ck_assert_str_eq(member(line, "part"), "abc");
    ck_assert_str_eq(member(line, "error"), "no such plan");
    ck_assert_str_eq(member(line, "error_status"), "NOT_FOUND");
    ck_assert_str_eq(member(line, "error_reason"), "PLAN_GONE");
    ck_assert_str_eq(member(line, "error_field"), "plan");
    json_decref(line);
}
END_TEST

START_TEST(json_escapes_and_repairs_text)
{
    json_t *line;

    log_init("x", LOG_INFO, "json");
    capture_begin();
    log_info("a.b", LOG_STR("quoted", "a\"b\\c\n\r\t\x01\x7f"),
             LOG_STR("utf8", "\xc3\xa9\xf0\x9f\xa6\xa0"),
             LOG_STR("broken", "a\xff\xc3(\xed\xa0\x80z"));
    line = capture_json();
    ck_assert_str_eq(member(line, "quoted"), "a\"b\\c\n\r\t\x01\x7f");
    ck_assert_str_eq(member(line, "utf8"), "\xc3\xa9\xf0\x9f\xa6\xa0");
    ck_assert_str_eq(member(line, "broken"),
                     "a\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz");
    json_decref(line);
}
END_TEST

START_TEST(logfmt_quotes_only_what_needs_it)
{
    const char *line;

    log_init("worker", LOG_DEBUG, "logfmt");
    capture_begin();
    log_debug("spool.sent", LOG_STR("path", "/tmp/x"), LOG_STR("text", "two words"),
              LOG_STR("empty", ""), LOG_STR("equals", "a=b"), LOG_STR("lines", "a\nb"),
              LOG_U64("n", 3));
    line = capture_end();
    ck_assert_ptr_nonnull(
        strstr(line, " level=debug program=worker event=spool.sent path=/tmp/x "
                     "text=\"two words\" empty=\"\" equals=\"a=b\" lines=\"a\\nb\" n=3\n"));
    ck_assert_int_eq(strncmp(line, "time=2", 6), 0);
}
END_TEST

START_TEST(levels_below_the_setting_write_nothing)
{
    log_init("x", LOG_WARN, "json");
    capture_begin();
    log_debug("a.b");
    log_info("a.b");
    ck_assert_str_eq(capture_end(), "");
    capture_begin();
    log_error("a.b");
    ck_assert_ptr_nonnull(strstr(capture_end(), "\"level\":\"error\""));
    ck_assert(!log_enabled(LOG_INFO) && log_enabled(LOG_WARN));
}
END_TEST

START_TEST(long_values_are_cut_and_full_lines_stay_valid)
{
    struct log_field fields[40];
    static char value[100001];
    const char *shown;
    json_t *line;

    memset(value, '"', sizeof(value) - 1);
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        fields[i] = LOG_STR("a", value);
    fields[1].key = "b";
    log_init("x", LOG_INFO, "json");
    capture_begin();
    log_write(LOG_INFO, "a.b", fields, ARRAY_LEN(fields));
    line = capture_json();
    shown = member(line, "a");
    ck_assert_uint_lt(strlen(shown), 2100);
    ck_assert_str_eq(shown + strlen(shown) - 3, "\xe2\x80\xa6");
    ck_assert(json_is_true(json_object_get(line, "cut")));
    json_decref(line);
}
END_TEST

START_TEST(lines_that_stderr_refuses_are_counted)
{
    json_t *line;
    int fd = dup(STDERR_FILENO);

    log_init("x", LOG_INFO, "json");
    close(STDERR_FILENO);
    log_info("lost.one");
    log_info("lost.two");
    dup2(fd, STDERR_FILENO);
    close(fd);
    capture_begin();
    log_info("found.again");
    line = capture_json();
    ck_assert_int_eq(json_integer_value(json_object_get(line, "lines_dropped")), 2);
    json_decref(line);
}
END_TEST

START_TEST(level_names)
{
    enum log_level level;

    ck_assert(log_level_from_name("warn", &level) && level == LOG_WARN);
    ck_assert(!log_level_from_name("loud", &level) && !log_level_from_name(NULL, &level));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log");
    TCase *tc = tcase_create("log");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_test(tc, json_line_has_time_level_program_event_and_fields);
    tcase_add_test(tc, json_escapes_and_repairs_text);
    tcase_add_test(tc, logfmt_quotes_only_what_needs_it);
    tcase_add_test(tc, levels_below_the_setting_write_nothing);
    tcase_add_test(tc, long_values_are_cut_and_full_lines_stay_valid);
    tcase_add_test(tc, lines_that_stderr_refuses_are_counted);
    tcase_add_test(tc, level_names);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
