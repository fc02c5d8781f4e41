/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include "query/query_internal.h"
#include "suites.h"

static struct buf out;
static struct arena arena;
static struct id a, b;
static struct lines parts[8];
static size_t part_count;

static void setup(void)
{
    buf_init(&out, SIZE_MAX / 2);
    arena_init(&arena, 0);
    a = sample_id(1);
    b = sample_id(2);
    part_count = 0;
    ck_assert_ptr_nonnull(buf_reserve(&out, 8 * LINES_BYTES_MAX)); /* parts point into it */
}

static void teardown(void)
{
    buf_fini(&out);
    arena_fini(&arena);
}

static struct lines *add(const struct id *task, uint64_t lsn, uint64_t first_seq, size_t n)
{
    struct lines *lines = &parts[part_count++];

    *lines = sample_lines(&out, task, first_seq, n);
    lines->lsn = lsn;
    return lines;
}

/* The page as "a1 a2 b1", with a plus behind it when there is more. */
static const char *page(const struct page_request *request, const struct page_key *boundary)
{
    static char text[4096];
    struct page_source source = {parts, part_count};
    struct page got;
    size_t len = 0;

    page_assemble(&arena, request, &source, 1, boundary, false, &got);
    for (size_t i = 0; i < got.count; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s%llu", i ? " " : "",
                                id_eq(&got.lines[i].key.task, &a) ? "a" : "b",
                                (unsigned long long)got.lines[i].key.seq);
    snprintf(text + len, sizeof text - len, "%s", got.more ? "+" : "");
    return text;
}

START_TEST(lines_are_in_order_and_once_whoever_has_them)
{
    struct page_request request = {.order = PAGE_TASK, .limit = 100};

    add(&a, 20, 3, 3);
    add(&a, 10, 1, 2);
    add(&a, 20, 3, 3);
    ck_assert_str_eq(page(&request, NULL), "a1 a2 a3 a4 a5");
    request.order = PAGE_ARRIVAL;
    ck_assert_str_eq(page(&request, NULL), "a1 a2 a3 a4 a5");
}
END_TEST

START_TEST(a_page_ends_at_its_limit_and_goes_on_behind_the_cursor)
{
    struct page_request request = {.order = PAGE_TASK, .limit = 2};

    add(&a, 10, 1, 5);
    ck_assert_str_eq(page(&request, NULL), "a1 a2+");
    request.has_cursor = true;
    request.cursor = (struct page_key){.attempt = 1, .seq = 2};
    ck_assert_str_eq(page(&request, NULL), "a3 a4+");
    request.cursor.seq = 4;
    ck_assert_str_eq(page(&request, NULL), "a5");
    request.cursor.seq = 5;
    ck_assert_str_eq(page(&request, NULL), "");
}
END_TEST

START_TEST(going_back_gives_the_last_ones_oldest_first)
{
    struct page_request request = {.order = PAGE_TASK, .limit = 2, .back = true};

    add(&a, 10, 1, 5);
    ck_assert_str_eq(page(&request, NULL), "a4 a5+");
    request.has_cursor = true;
    request.cursor = (struct page_key){.attempt = 1, .seq = 4};
    ck_assert_str_eq(page(&request, NULL), "a2 a3+");
    request.cursor.seq = 2;
    ck_assert_str_eq(page(&request, NULL), "a1");
}
END_TEST

START_TEST(a_run_is_merged_by_time_and_ties_by_task)
{
    struct page_request request = {.order = PAGE_RUN, .limit = 100};

    add(&b, 10, 1, 3);
    add(&a, 20, 1, 2)->first_us += 5; /* at 15 and 25 where b is at 10, 20, 30 */
    ck_assert_str_eq(page(&request, NULL), "b1 a1 b2 a2 b3");
    parts[1].first_us -= 5;
    ck_assert_str_eq(page(&request, NULL), "a1 b1 a2 b2 b3");
}
END_TEST

START_TEST(lines_that_others_may_come_before_are_held_back)
{
    struct page_request request = {.order = PAGE_TASK, .limit = 100};
    struct page_key boundary = {.attempt = 1, .seq = 3};

    add(&a, 10, 1, 5);
    ck_assert_str_eq(page(&request, &boundary), "a1 a2");
    request.back = true;
    ck_assert_str_eq(page(&request, &boundary), "a4 a5");
}
END_TEST

START_TEST(another_attempt_is_left_out_when_one_is_asked_for)
{
    struct page_request request = {.order = PAGE_TASK, .limit = 100, .target.attempt = 2};

    add(&a, 10, 1, 2);
    add(&a, 20, 1, 1)->attempt = 2;
    ck_assert_str_eq(page(&request, NULL), "a1");
    request.target.attempt = 0;
    ck_assert_str_eq(page(&request, NULL), "a1 a2 a1");
}
END_TEST

START_TEST(arrivals_come_by_place_and_resume_within_a_record)
{
    struct page_request request = {
        .order = PAGE_ARRIVAL, .limit = 100, .has_cursor = true, .cursor = {.lsn = 10, .index = 1}};

    add(&b, 20, 1, 2);
    add(&a, 10, 1, 3);
    ck_assert_str_eq(page(&request, NULL), "a3 b1 b2");
}
END_TEST

TCase *page_tcase(void)
{
    TCase *tcase = tcase_create("page");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, lines_are_in_order_and_once_whoever_has_them);
    tcase_add_test(tcase, a_page_ends_at_its_limit_and_goes_on_behind_the_cursor);
    tcase_add_test(tcase, going_back_gives_the_last_ones_oldest_first);
    tcase_add_test(tcase, a_run_is_merged_by_time_and_ties_by_task);
    tcase_add_test(tcase, lines_that_others_may_come_before_are_held_back);
    tcase_add_test(tcase, another_attempt_is_left_out_when_one_is_asked_for);
    tcase_add_test(tcase, arrivals_come_by_place_and_resume_within_a_record);
    return tcase;
}
