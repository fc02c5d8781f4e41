/* SPDX-License-Identifier: Apache-2.0 */
#include "json/json.h"
#include "sinks/json_lines.h"
#include "suites.h"

static struct buf out;

static void setup(void)
{
    buf_init(&out, JSON_LINES_BYTES_MAX);
}

static void teardown(void)
{
    buf_fini(&out);
}

START_TEST(a_line_says_all_that_is_known)
{
    struct json_clock clock = {.second = 0};
    struct id task = sample_id(1);
    struct buf record;

    buf_init(&record, SIZE_MAX / 2);
    struct lines lines = sample_lines(&record, &task, 3, 1);
    lines.run = sample_id(2);
    lines.step = slice_of("fetch \"it\"");
    lines.flags = LINES_LATE;
    ((char *)lines.meta.data)[lines.meta.len - 1] = 0x49;
    ck_assert_uint_eq(json_lines_put(&out, &clock, &lines), 1);
    ck_assert_str_eq(buf_cstr(&out), "{\"time\":\"2023-11-14T22:13:20.000010Z\",\"namespace\":1,"
                                     "\"task\":\"018bcfe5-6800-7005-8000-000000000001\","
                                     "\"run\":\"018bcfe5-6800-7005-8000-000000000002\",\"step\":"
                                     "\"fetch \\\"it\\\"\",\"attempt\":1,\"seq\":3,"
                                     "\"stream\":\"stderr\",\"level\":\"error\",\"continued\":true,"
                                     "\"late\":true,\"text\":\"line 3\"}\n");
    buf_fini(&record);
}
END_TEST

START_TEST(events_are_valid_json_straight_from_the_wire)
{
    struct json_clock clock = {.second = 0};
    struct id task = sample_id(1), run = sample_id(2);
    struct buf batch;

    buf_init(&batch, SIZE_MAX / 2);
    sample_events(&batch, 7, 2, &task, &run, 2);
    sample_events(&batch, 9, 1, NULL, &run, 9);
    struct events events = {.shard = 5, .batch = buf_slice(&batch)};
    ck_assert_uint_eq(json_events_put(&out, &clock, &events), 3);
    struct slice rest = buf_slice(&out);
    ck_assert(strncmp(buf_cstr(&out),
                      "{\"shard\":5,\"number\":7,\"time\":\"2023-11-14T22:13:20.000000Z\","
                      "\"event\":\"task_started\",\"namespace\":1,"
                      "\"task\":\"018bcfe5-6800-7005-8000-000000000001\",\"run\":\"018bcfe5-6800-"
                      "7005-8000-000000000002\",\"attempt\":1,"
                      "\"state\":\"running\",\"type\":\"noop\"}\n",
                      230) == 0);
    ck_assert_ptr_nonnull(strstr(buf_cstr(&out), "\"event\":\"run_finished\""));
    ck_assert_msg(strstr(buf_cstr(&out), "\"state\":\"succeeded\"") != NULL,
                  "3 is another state of a run than of a task");
    for (int i = 0; i < 3; i++) {
        size_t len = (size_t)((const char *)memchr(rest.data, '\n', rest.len) - rest.data);
        ck_assert_int_eq(json_check((struct slice){rest.data, len}, SIZE_MAX, NULL), STATUS_OK);
        rest = (struct slice){rest.data + len + 1, rest.len - len - 1};
    }
    buf_fini(&batch);
}
END_TEST

TCase *json_tcase(void)
{
    TCase *tcase = tcase_create("json_lines");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_line_says_all_that_is_known);
    tcase_add_test(tcase, events_are_valid_json_straight_from_the_wire);
    return tcase;
}
