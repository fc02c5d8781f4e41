/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include "query/scan.h"
#include "suites.h"

static struct arena arena;
static struct buf out;
static struct id task;

static void setup(void)
{
    arena_init(&arena, 0);
    buf_init(&out, SIZE_MAX / 2);
    task = sample_id(1);
}

static void teardown(void)
{
    arena_fini(&arena);
    buf_fini(&out);
}

static struct scan scan_of(const char *text)
{
    return (struct scan){.order = PAGE_TASK,
                         .text = slice_of(text),
                         .levels = LINES_LEVELS,
                         .streams = LINES_STREAMS,
                         .until_us = QUERY_UNIX_US_MAX,
                         .limit = SIZE_MAX};
}

/* Numbers of the lines found, "3 13"; a plus when more of the chunk are not wanted. */
static const char *found(const struct scan *scan, const struct lines *lines)
{
    static char text[4096];
    struct scan_hits hits = {.arena = &arena};
    struct scan_room room = {NULL, 0};
    size_t len = 0;
    bool more = scan_lines(scan, lines, &room, 0, &hits);

    *text = 0;
    for (size_t i = 0; i < hits.count; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%llu", i ? " " : "",
                                (unsigned long long)hits.lines[i].key.seq);
    snprintf(text + len, sizeof text - len, "%s", more ? "" : "+");
    scan_room_fini(&room);
    return text;
}

START_TEST(a_text_is_found_where_it_stands)
{
    struct lines lines = sample_lines(&out, &task, 1, 20);
    struct scan scan = scan_of("ine 1");

    ck_assert_str_eq(found(&scan, &lines), "1 10 11 12 13 14 15 16 17 18 19");
    scan = scan_of("20");
    ck_assert_str_eq(found(&scan, &lines), "20");
    scan = scan_of("Line 2");
    ck_assert_str_eq(found(&scan, &lines), "");
}
END_TEST

/* Their texts stand one behind the other: "line 1line 2". */
START_TEST(the_end_of_a_line_and_the_beginning_of_the_next_are_no_hit)
{
    struct lines lines = sample_lines(&out, &task, 1, 20);
    struct scan scan = scan_of("1l");

    ck_assert_str_eq(found(&scan, &lines), "");
    scan = scan_of("e 1line 2");
    ck_assert_str_eq(found(&scan, &lines), "");
}
END_TEST

START_TEST(case_of_letters_may_be_ignored)
{
    char text[] = "AZaz@[`{\xc3\x84 LINE";
    struct lines lines = sample_lines(&out, &task, 1, 12);
    struct scan scan;

    scan_lower(text, text, sizeof text - 1);
    ck_assert_str_eq(text, "azaz@[`{\xc3\x84 line");
    scan = scan_of("line 2");
    scan.ignores_case = true;
    ck_assert_str_eq(found(&scan, &lines), "2");
}
END_TEST

START_TEST(cursor_times_and_limit_bound_it)
{
    struct lines lines = sample_lines(&out, &task, 1, 9);
    struct scan scan = scan_of("");

    ck_assert_str_eq(found(&scan, &lines), "1 2 3 4 5 6 7 8 9");
    scan.has_cursor = true;
    scan.cursor = (struct page_key){.attempt = 1, .seq = 7};
    ck_assert_str_eq(found(&scan, &lines), "8 9");
    scan.from_cursor = true;
    ck_assert_str_eq(found(&scan, &lines), "7 8 9");
    scan.limit = 2;
    ck_assert_str_eq(found(&scan, &lines), "7 8+");
    scan = scan_of("line");
    scan.since_us = lines.first_us + 20;
    scan.until_us = lines.first_us + 40;
    ck_assert_str_eq(found(&scan, &lines), "3 4");
    scan.attempt = 2;
    ck_assert_str_eq(found(&scan, &lines), "");
}
END_TEST

START_TEST(kinds_are_those_of_the_lines)
{
    Plankton__V1__LogBlock *block = sample_block(1, 3);
    struct lines_origin origin = sample_origin(&task);
    struct lines lines;
    struct scan scan = scan_of("");

    block->stream_level.data[1] = 4 << 4 | 1;
    block->stream_level.data[2] = 2 << 4 | 2;
    lines_put_record(&out, block, &origin, &lines);
    ck_assert_uint_eq(lines_kinds(&lines),
                      LINES_LEVEL_BIT(0) | LINES_LEVEL_BIT(4) | LINES_LEVEL_BIT(2) | LINES_STREAMS);
    scan.levels = LINES_LEVEL_BIT(4);
    ck_assert_str_eq(found(&scan, &lines), "2");
    scan.levels = LINES_LEVELS;
    scan.streams = LINES_STREAM_BIT(2) | LINES_STREAM_BIT(0);
    ck_assert_str_eq(found(&scan, &lines), "1 3");
}
END_TEST

TCase *scan_tcase(void)
{
    TCase *tc = tcase_create("scan");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_text_is_found_where_it_stands);
    tcase_add_test(tc, the_end_of_a_line_and_the_beginning_of_the_next_are_no_hit);
    tcase_add_test(tc, case_of_letters_may_be_ignored);
    tcase_add_test(tc, cursor_times_and_limit_bound_it);
    tcase_add_test(tc, kinds_are_those_of_the_lines);
    return tc;
}
